//! Leaves nothing behind, however the run ends.
//!
//! A second process waits for the end of a pipe that only the run holds, so it notices a Ctrl-C,
//! a panic or a `kill -9` of the run as well as its ordinary end. Then it unmounts what the run
//! wrote down as mounted, ends the daemons still there, and removes the folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::mount::UnmountFlags;
use rustix::process::{Pid, Signal};

use super::Result;
use super::measuring::{is_mounted, started};

/// First argument of the process that cleans up; the second is the folder.
pub const FLAG: &str = "--clean-up-after";

/// Name of the list of mounts and daemons, in the folder.
const LIST: &str = "started";

/// The folder of a run, watched over.
pub struct Watched {
    pub folder: PathBuf,
    watcher: Child,
    alive: Option<ChildStdin>,
}

impl Watched {
    pub fn start(folder: PathBuf) -> Result<Watched> {
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let program = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
        let mut watcher = Command::new(program)
            .arg(FLAG)
            .arg(&folder)
            .stdin(Stdio::piped())
            // A Ctrl-C reaches the whole group of the run; this one must outlive it.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("the process that cleans up: {error}"))?;
        let alive = watcher.stdin.take();
        Ok(Watched { folder, watcher, alive })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.alive.take();
        let _ = self.watcher.wait();
    }
}

fn note(folder: &Path, line: &str) -> Result {
    let list = OpenOptions::new().create(true).append(true).open(folder.join(LIST));
    list.and_then(|mut list| writeln!(list, "{line}"))
        .map_err(|error| format!("the list of what was started: {error}"))
}

/// Writes down a mount point, before anything is mounted there.
pub fn note_mount(folder: &Path, point: &Path) -> Result {
    note(folder, &format!("mount {}", point.display()))
}

/// Writes down a daemon.
pub fn note_daemon(folder: &Path, pid: i32) -> Result {
    note(folder, &format!("daemon {pid} {}", started(pid).unwrap_or(0)))
}

/// Detaches whatever is mounted at `point`.
pub fn detach(point: &Path) {
    for _ in 0..8 {
        if !is_mounted(point) || rustix::mount::unmount(point, UnmountFlags::DETACH).is_err() {
            break;
        }
    }
}

fn end_daemon(line: &str) {
    let mut words = line.split(' ').map(str::parse::<u64>);
    let (Some(Ok(pid)), Some(Ok(since))) = (words.next(), words.next()) else { return };
    let Ok(pid) = i32::try_from(pid) else { return };
    // Unmounted, it ends by itself. A process number can be given again; the start time cannot.
    for _ in 0..40 {
        if started(pid) != Some(since) {
            return;
        }
        sleep(Duration::from_millis(50));
    }
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

/// The whole life of the process that cleans up.
pub fn watch(folder: &Path) {
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    let mut list = String::new();
    if let Ok(mut file) = File::open(folder.join(LIST)) {
        let _ = file.read_to_string(&mut list);
    }
    let mut points: Vec<&Path> =
        list.lines().filter_map(|line| line.strip_prefix("mount ")).map(Path::new).collect();
    points.dedup();
    for point in &points {
        detach(point);
    }
    for line in list.lines().filter_map(|line| line.strip_prefix("daemon ")) {
        end_daemon(line);
    }
    // Never through a mount into what lies behind it.
    if points.iter().all(|point| !is_mounted(point)) {
        let _ = fs::remove_dir_all(folder);
    }
}
