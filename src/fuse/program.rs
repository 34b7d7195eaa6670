//! `aetherflow-fuse` as a program: what it says, and how it ends.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;

use serde_json::json;

use super::arguments::{Command, HELP, Mount, parse};
use super::daemon::{self, Failed, READY};
use super::mounts;
use super::session::{self, Mounted};
use super::unmount;
use crate::base::{Code, Error};

/// Exit codes: one table with the command line of the npm package.
const FAILURE: u8 = 1;
const USAGE: u8 = 2;
const INTERRUPTED: u8 = 130;

/// The exit code that tells a script what to do about an error.
fn exit_code(error: &Error) -> u8 {
    match error.code() {
        Code::NotAMap | Code::Truncated | Code::Resized => 3,
        Code::Corrupt => 4,
        Code::Version | Code::Feature | Code::Unsupported => 5,
        Code::Locked | Code::Busy => 6,
        Code::NoSpace => 7,
        Code::ReadOnly | Code::Access | Code::NotPermitted => 8,
        Code::NotFound | Code::NotDirectory => 9,
        Code::Exists | Code::NotEmpty => 10,
        Code::Io | Code::Poisoned => 13,
        Code::Cancelled => INTERRUPTED,
        _ => FAILURE,
    }
}

/// Messages of this program, and errors of what it is built on. Its warnings tell of what is
/// meant so: that a mount is gone already when it ends.
struct Logger {
    file: Option<Mutex<File>>,
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with("aetherflow");
        metadata.level() <= if ours { log::Level::Info } else { log::Level::Error }
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = match record.level() {
            log::Level::Error => format!("aetherflow-fuse: error: {}\n", record.args()),
            log::Level::Warn => format!("aetherflow-fuse: warning: {}\n", record.args()),
            _ => format!("aetherflow-fuse: {}\n", record.args()),
        };
        // A message that cannot be written has nowhere else to go.
        let _ = match &self.file {
            Some(file) => match file.lock() {
                Ok(mut file) => file.write_all(line.as_bytes()),
                Err(_) => Ok(()),
            },
            None => std::io::stderr().write_all(line.as_bytes()),
        };
    }

    fn flush(&self) {}
}

fn start_log(path: Option<&Path>) -> std::io::Result<()> {
    let file = match path {
        Some(path) => Some(Mutex::new(OpenOptions::new().create(true).append(true).open(path)?)),
        None => None,
    };
    // Only the first logger of a process counts; there is one.
    if log::set_boxed_logger(Box::new(Logger { file })).is_ok() {
        log::set_max_level(log::LevelFilter::Info);
    }
    Ok(())
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let command = match parse(std::env::args_os()) {
        Ok(command) => command,
        Err(why) => {
            eprintln!("aetherflow-fuse: {why}\n'aetherflow-fuse --help' shows the usage");
            return ExitCode::from(USAGE);
        }
    };
    match command {
        Command::Help => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Command::Version => {
            println!("aetherflow-fuse {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Command::Mount(request) => mount(request),
        Command::Unmount { target, lazy, json } => {
            report(json, unmount::unmount(&target, lazy).map(|gone| gone.said(json)))
        }
        Command::Status { target, json } => report(json, unmount::status(target.as_deref(), json)),
    }
}

/// Prints what was done, or why not.
fn report(json: bool, result: Result<String, Error>) -> ExitCode {
    match result {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(json, &error);
            ExitCode::from(exit_code(&error))
        }
    }
}

fn complain(json: bool, error: &Error) {
    if json {
        let code = error.code();
        let object = json!({"error": {
            "code": code.errno_name(),
            "reason": code.name(),
            "message": error.to_string(),
            "exitCode": exit_code(error),
        }});
        println!("{object}");
    } else {
        eprintln!("aetherflow-fuse: {error}");
    }
}

fn mount(mut request: Mount) -> ExitCode {
    if request.options.remount {
        let point = request.point.canonicalize().unwrap_or_else(|_| request.point.clone());
        let result = mounts::remount(&point, request.options.read_only)
            .map_err(|error| Error::from(error).at_path(point.as_os_str().as_encoded_bytes()));
        return report(request.json, result.map(|()| String::new()));
    }
    // A process in the background stands elsewhere.
    for path in [Some(&mut request.map), Some(&mut request.point), request.log.as_mut()] {
        if let Some(path) = path
            && let Ok(absolute) = std::path::absolute(&*path)
        {
            *path = absolute;
        }
    }
    if request.daemon && !request.child {
        return in_background(&request);
    }
    if let Err(error) = start_log(request.log.as_deref()) {
        let path = request.log.as_deref().unwrap_or(Path::new("")).display();
        eprintln!("aetherflow-fuse: cannot write the log {path}: {error}");
        return ExitCode::from(exit_code(&error.into()));
    }
    let result = serve(&request);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if request.child {
                // The parent passes it on.
                eprintln!(
                    "{}",
                    json!({"code": error.code().errno_name(),
                    "reason": error.code().name(), "message": error.to_string()})
                );
            } else {
                complain(request.json, &error);
            }
            ExitCode::from(exit_code(&error))
        }
    }
}

fn serve(request: &Mount) -> Result<(), Error> {
    if request.child {
        daemon::detach()?;
    }
    session::serve(&request.map, &request.point, &request.options, |mounted| {
        if request.child {
            println!("{READY}{}", facts(mounted, std::process::id()));
            if let Err(error) = daemon::let_go_of_terminal(false) {
                log::warn!("{error}");
            }
        } else if request.json {
            println!("{}", facts(mounted, std::process::id()));
        } else {
            let (map, point) = (mounted.map.display(), mounted.point.display());
            println!("mounted {map} at {point} (pid {})", std::process::id());
        }
    })
}

fn facts(mounted: &Mounted, pid: u32) -> serde_json::Value {
    json!({
        "map": mounted.map.to_string_lossy(),
        "mountPoint": mounted.point.to_string_lossy(),
        "pid": pid,
        "socket": mounted.socket.as_ref().map(|path| path.to_string_lossy()),
        "readOnly": mounted.read_only,
    })
}

fn in_background(request: &Mount) -> ExitCode {
    match daemon::start(request) {
        Ok((_, facts)) if request.json => {
            println!("{facts}");
            ExitCode::SUCCESS
        }
        Ok((pid, _)) => {
            let (map, point) = (request.map.display(), request.point.display());
            println!("mounted {map} at {point} (pid {pid})");
            ExitCode::SUCCESS
        }
        Err(Failed::Start(error)) => {
            complain(request.json, &error);
            ExitCode::from(exit_code(&error))
        }
        Err(Failed::Child { code, said }) => {
            for line in said.lines() {
                let error = serde_json::from_str::<serde_json::Value>(line).ok();
                match error.as_ref().and_then(|error| error["message"].as_str()) {
                    Some(message) if !request.json => eprintln!("aetherflow-fuse: {message}"),
                    Some(_) => println!("{}", json!({"error": error, "exitCode": code})),
                    None => eprintln!("{line}"),
                }
            }
            ExitCode::from(u8::try_from(code).unwrap_or(FAILURE))
        }
    }
}
