//! The filesystems that are compared: fresh, mounted, unmounted, and what their daemons use.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aetherflow::fs::{Compression, Settings};
use aetherflow::map::{Map, Options};
use aetherflow::storage::file::{FileStorage, Mode};
use rustix::mount::UnmountFlags;
use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::Result;
use super::cleaning::{detach, note_daemon, note_mount};
use super::measuring::{
    drop_kernel_caches, is_mounted, is_root, peak_memory, processor_seconds, started, wait_until,
};
use super::passthrough;

/// How long a daemon may take to be usable, or to write everything out and end.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A map, mounted by `aetherflow-fuse`.
    Map,
    /// A folder of the filesystem that holds the others' files.
    Native,
    /// libfuse's `passthrough_hp` over such a folder, without kernel passthrough.
    Passthrough,
    /// `fuse2fs` over an ext4 image.
    Fuse2fs,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Map, Kind::Native, Kind::Passthrough, Kind::Fuse2fs];

    pub fn key(self) -> &'static str {
        match self {
            Kind::Map => "map",
            Kind::Native => "native",
            Kind::Passthrough => "passthrough",
            Kind::Fuse2fs => "fuse2fs",
        }
    }

    /// By its key; `ext4` is the folder on whatever filesystem there is.
    pub fn named(name: &str) -> Result<Kind> {
        let name = if name == "ext4" { "native" } else { name };
        Kind::ALL.into_iter().find(|kind| kind.key() == name).ok_or_else(|| {
            format!("no contestant '{name}': there are {}", Kind::ALL.map(Kind::key).join(", "))
        })
    }
}

/// The programs of the contestants, each found or the reason why not.
pub struct Tools {
    map: Result<PathBuf>,
    passthrough: Result<PathBuf>,
    fuse2fs: Result<PathBuf>,
}

impl Tools {
    /// Looks for all of them; `build` allows getting and compiling what is not installed.
    pub fn find(build: bool) -> Tools {
        let fuse2fs = match (on_path("fuse2fs"), on_path("mkfs.ext4")) {
            (Some(program), Some(_)) => Ok(program),
            _ => Err("not installed".into()),
        };
        Tools { map: map_program(), passthrough: passthrough::find(build), fuse2fs }
    }

    /// Why a contestant cannot take part.
    pub fn missing(&self, kind: Kind) -> Option<&str> {
        let program = match kind {
            Kind::Map => &self.map,
            Kind::Native => return None,
            Kind::Passthrough => &self.passthrough,
            Kind::Fuse2fs => &self.fuse2fs,
        };
        if !Path::new("/dev/fuse").exists() {
            return Some("there is no /dev/fuse here");
        }
        program.as_ref().err().map(String::as_str)
    }
}

/// A program on the search path, or where those of the system's administration are.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// `$AETHERFLOW_FUSE`, or what cargo built beside this program.
fn map_program() -> Result<PathBuf> {
    let chosen = std::env::var_os("AETHERFLOW_FUSE").map(PathBuf::from);
    let built = option_env!("CARGO_BIN_EXE_aetherflow-fuse").map(PathBuf::from);
    let beside = std::env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.parent()?.join("aetherflow-fuse")));
    [chosen, built, beside]
        .into_iter()
        .flatten()
        .find(|program| program.is_file())
        .ok_or_else(|| "aetherflow-fuse is not built".into())
}

/// What a fresh filesystem is for.
#[derive(Clone, Copy)]
pub struct Fresh {
    /// Bytes of file data to be expected.
    pub bytes: u64,
}

struct Daemon {
    pid: i32,
    /// Where it did not put itself into the background.
    child: Option<Child>,
    /// Of the map only.
    socket: Option<PathBuf>,
}

/// One filesystem, with a folder of its own below the run's.
pub struct Contestant<'a> {
    pub kind: Kind,
    tools: &'a Tools,
    run: &'a Path,
    folder: PathBuf,
    daemon: Option<Daemon>,
    /// Of daemons that have ended since the last fresh start.
    used: f64,
    peak: u64,
}

impl<'a> Contestant<'a> {
    pub fn new(kind: Kind, tools: &'a Tools, run: &'a Path) -> Contestant<'a> {
        let folder = run.join(kind.key());
        Contestant { kind, tools, run, folder, daemon: None, used: 0.0, peak: 0 }
    }

    /// Where its root is.
    pub fn root(&self) -> PathBuf {
        match self.kind {
            Kind::Native => self.folder.join("below"),
            _ => self.folder.join("mounted"),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.join(if self.kind == Kind::Map { "map.rts.png" } else { "image.ext4" })
    }

    /// An empty filesystem, mounted.
    pub fn fresh(&mut self, wanted: Fresh) -> Result {
        self.remove()?;
        (self.used, self.peak) = (0.0, 0);
        let fail = |error: io::Error| format!("{}: {error}", self.folder.display());
        for folder in ["below", "mounted"] {
            fs::create_dir_all(self.folder.join(folder)).map_err(fail)?;
        }
        match self.kind {
            Kind::Map => make_map(&self.file(), wanted)?,
            Kind::Native | Kind::Passthrough => {}
            Kind::Fuse2fs => {
                let image = File::create(self.file()).map_err(fail)?;
                image.set_len(wanted.bytes * 2 + (1 << 30)).map_err(fail)?;
                let program = on_path("mkfs.ext4").ok_or("mkfs.ext4 is not installed")?;
                let made = Command::new(program).args(["-q", "-F"]).arg(self.file()).output();
                let made = made.map_err(|error| format!("mkfs.ext4: {error}"))?;
                if !made.status.success() {
                    return Err(format!("mkfs.ext4: {}", String::from_utf8_lossy(&made.stderr)));
                }
            }
        }
        rustix::fs::sync();
        self.mount()
    }

    /// Unmounts and removes everything.
    pub fn remove(&mut self) -> Result {
        self.unmount()?;
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("{}: {error}", self.folder.display()))
            }
            _ => Ok(()),
        }
    }

    pub fn mount(&mut self) -> Result {
        let point = self.root();
        if self.kind != Kind::Native {
            note_mount(self.run, &point)?;
        }
        let daemon = match self.kind {
            Kind::Native => return Ok(()),
            Kind::Map => self.mount_map(&point)?,
            Kind::Passthrough => {
                let program = self.tools.passthrough.as_ref().map_err(Clone::clone)?;
                let mut command = Command::new(program);
                command.args(passthrough::flags(program)).arg("--foreground");
                self.serve(command.arg(self.folder.join("below")).arg(&point), &point)?
            }
            Kind::Fuse2fs => {
                let program = self.tools.fuse2fs.as_ref().map_err(Clone::clone)?;
                self.serve(Command::new(program).arg("-f").arg(self.file()).arg(&point), &point)?
            }
        };
        note_daemon(self.run, daemon.pid)?;
        self.daemon = Some(daemon);
        Ok(())
    }

    /// Starts a daemon that stays in the foreground, and waits for its mount.
    fn serve(&self, command: &mut Command, point: &Path) -> Result<Daemon> {
        let name = command.get_program().to_string_lossy().into_owned();
        let fail = |error: io::Error| format!("{name}: {error}");
        let log = File::create(self.folder.join("log")).map_err(fail)?;
        command.stdin(Stdio::null()).stdout(log.try_clone().map_err(fail)?).stderr(log);
        let mut child = command.spawn().map_err(fail)?;
        let pid = child.id() as i32;
        let outside = fs::metadata(&self.folder).map_err(fail)?.dev();
        let usable = || fs::metadata(point).is_ok_and(|meta| meta.dev() != outside);
        if wait_until(PATIENCE, || usable() || started(pid).is_none()) && usable() {
            return Ok(Daemon { pid, child: Some(child), socket: None });
        }
        let _ = child.kill();
        let _ = child.wait();
        let said = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        Err(format!("{name} did not mount: {}", said.trim()))
    }

    fn mount_map(&self, point: &Path) -> Result<Daemon> {
        let program = self.tools.map.as_ref().map_err(Clone::clone)?;
        let fail = |error: io::Error| format!("{}: {error}", program.display());
        // Into a file: a daemon that keeps a pipe open would be waited for.
        let answer = self.folder.join("answer");
        let output = File::create(&answer).map_err(fail)?;
        let errors = File::create(self.folder.join("errors")).map_err(fail)?;
        let status = Command::new(program)
            .arg("mount")
            .args([&self.file(), point])
            .args(["--daemon", "--json", "--log"])
            .arg(self.folder.join("log"))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .status()
            .map_err(fail)?;
        let said = fs::read_to_string(&answer).unwrap_or_default();
        if !status.success() {
            let why = fs::read_to_string(self.folder.join("errors")).unwrap_or_default();
            return Err(format!("mounting the map: {status}: {} {}", said.trim(), why.trim()));
        }
        let object: Value = serde_json::from_str(&said)
            .map_err(|error| format!("the answer of mount --json: {error}: {said}"))?;
        let pid = object["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        let socket = object["socket"].as_str().map(PathBuf::from);
        Ok(Daemon { pid: pid.ok_or("mount --json gave no pid")?, child: None, socket })
    }

    pub fn unmount(&mut self) -> Result {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        let point = self.root();
        let before = self.used;
        // What is known of it last, before it has written everything out and ends.
        let mut count = |pid: i32| {
            self.used = self.used.max(before + processor_seconds(pid).unwrap_or(0.0));
            self.peak = self.peak.max(peak_memory(pid).unwrap_or(0));
        };
        count(daemon.pid);
        let free = || {
            let unmounted = rustix::mount::unmount(&point, UnmountFlags::empty());
            unmounted != Err(rustix::io::Errno::BUSY)
        };
        wait_until(Duration::from_secs(5), free);
        let ended = wait_until(PATIENCE, || {
            count(daemon.pid);
            match &mut daemon.child {
                Some(child) => !matches!(child.try_wait(), Ok(None)),
                None => started(daemon.pid).is_none(),
            }
        });
        if is_mounted(&point) {
            detach(&point);
        }
        if ended {
            return Ok(());
        }
        kill(&mut daemon);
        Err(format!("the daemon of {} did not end within {PATIENCE:?}", self.kind.key()))
    }

    /// Ends the daemon at once, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            kill(&mut daemon);
        }
    }

    /// Mounts afresh, so that the daemon's caches are empty, and empties the kernel's.
    pub fn go_cold(&mut self) -> Result {
        if !is_root() {
            return Err("only root can drop the kernel's caches".into());
        }
        self.unmount()?;
        self.mount()?;
        drop_kernel_caches()
    }

    /// Processor time of the daemon in use.
    pub fn processor(&self) -> f64 {
        self.daemon.as_ref().and_then(|daemon| processor_seconds(daemon.pid)).unwrap_or(0.0)
    }

    /// Processor time of all daemons since the fresh start; complete once it is unmounted.
    pub fn used(&self) -> f64 {
        self.used
    }

    /// The most memory a daemon has had since the fresh start, in bytes.
    pub fn peak(&self) -> u64 {
        let now = self.daemon.as_ref().and_then(|daemon| peak_memory(daemon.pid)).unwrap_or(0);
        self.peak.max(now)
    }

    /// The control socket of a map.
    pub fn socket(&self) -> Option<&Path> {
        self.daemon.as_ref()?.socket.as_deref()
    }
}

impl Drop for Contestant<'_> {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

fn kill(daemon: &mut Daemon) {
    if let Some(child) = &mut daemon.child {
        let _ = child.kill();
        let _ = child.wait();
    } else if let Some(pid) = Pid::from_raw(daemon.pid) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
        wait_until(PATIENCE, || started(daemon.pid).is_none());
    }
}

fn make_map(path: &Path, wanted: Fresh) -> Result {
    // As `aetherflow create` makes them.
    let compression = Compression::All;
    let options = Options {
        expected_size: wanted.bytes,
        settings: Settings { compression, ..Settings::default() },
        ..Options::default()
    };
    let make = || {
        let storage = Arc::new(FileStorage::open(path, Mode::CreateNew)?);
        let map = Map::create_on(storage, None, &options)?;
        map.checkpoint()?;
        map.close()
    };
    make().map_err(|error| format!("making a map: {error}"))
}
