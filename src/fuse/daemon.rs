//! Serving in the background: a second process of ourselves, which says when it is ready.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use super::arguments::Mount;
use crate::base::{Code, Error, Result};

/// The first word of the line by which the child says that the mount is usable.
pub(super) const READY: &str = "ready ";

/// Starts a process that serves the mount, and waits until it is usable. Returns its process id
/// and what it said about itself, one JSON object.
///
/// # Errors
/// As [`Failed`] tells.
pub(super) fn start(mount: &Mount) -> std::result::Result<(u32, String), Failed> {
    let program = std::env::current_exe().map_err(|error| Failed::Start(error.into()))?;
    let mut command = Command::new(program);
    command.arg("mount").arg("--serve-in-background").args(&mount.raw_options);
    if let Some(log) = &mount.log {
        command.arg("--log").arg(log);
    }
    command.arg("--").arg(&mount.map).arg(&mount.point);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| Failed::Start(error.into()))?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        let _ = BufReader::new(stdout).read_line(&mut line);
    }
    if let Some(facts) = line.strip_prefix(READY) {
        return Ok((child.id(), facts.trim().to_owned()));
    }
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        let _ = stderr.read_to_string(&mut said);
    }
    let status = child.wait().map_err(|error| Failed::Start(error.into()))?;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Err(Failed::Child { code, said })
}

/// Why there is no process in the background.
pub(super) enum Failed {
    Start(Error),
    /// It ended with this exit code, having said this on standard error.
    Child {
        code: i32,
        said: String,
    },
}

/// In the child: its own session, so that a closed terminal does not end it, and no hold on the
/// directory it was started in.
///
/// # Errors
/// `Io` when the system refuses.
pub(super) fn detach() -> Result<()> {
    rustix::process::setsid().map_err(|error| Error::new(Code::Io, format!("setsid: {error}")))?;
    std::env::set_current_dir("/").map_err(Error::from)
}

/// In the child, once it is ready: standard input and output lead nowhere from now on, messages
/// go to the log, if there is one.
///
/// # Errors
/// `Io` when the system refuses.
pub(super) fn let_go_of_terminal(keep_errors: bool) -> Result<()> {
    let nowhere = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nowhere).map_err(std::io::Error::from)?;
    rustix::stdio::dup2_stdout(&nowhere).map_err(std::io::Error::from)?;
    if !keep_errors {
        rustix::stdio::dup2_stderr(&nowhere).map_err(std::io::Error::from)?;
    }
    Ok(())
}
