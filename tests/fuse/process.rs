//! Processes, users and mounts of the machine.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::runner::wait;

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether a program can be found.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The first of the programs that is not installed.
pub fn missing<'p>(programs: &[&'p str]) -> Option<&'p str> {
    programs.iter().copied().find(|program| !has(program))
}

/// How a program ended, with what it printed.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    fn all(&self) -> String {
        format!("{}\n{}{}", self.status, self.stdout, self.stderr)
    }
}

/// Runs a program to its end. Output goes to memory, so what it leaves running holds up nothing.
pub fn run(command: &mut Command, limit: Duration) -> Ended {
    let file = || -> File {
        let memory: OwnedFd = memfd_create("output", MemfdFlags::CLOEXEC).expect("a memory file");
        memory.into()
    };
    let (mut stdout, mut stderr) = (file(), file());
    command.stdin(Stdio::null());
    command.stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let status = wait(&mut child, limit).unwrap();
    let status = status.unwrap_or_else(|| {
        drop(child.kill());
        panic!("{command:?}: not done after {limit:?}");
    });
    let read = |file: &mut File| {
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ended { status, stdout: read(&mut stdout), stderr: read(&mut stderr) }
}

/// Runs a program that must succeed; returns what it printed.
pub fn succeed(command: &mut Command, seconds: u64) -> String {
    let ended = run(command, Duration::from_secs(seconds));
    assert!(ended.status.success(), "{command:?}: {}", ended.all());
    ended.stdout
}

/// A shell script that must succeed, in a folder.
pub fn shell(folder: &Path, script: &str, seconds: u64) -> String {
    let script = format!("set -eu\n{script}");
    succeed(Command::new("sh").arg("-c").arg(script).current_dir(folder), seconds)
}

/// A user of the machine without a name.
pub const ALICE: (u32, u32) = (54_321, 54_321);
pub const BOB: (u32, u32) = (54_322, 54_322);

/// Does something as another user, in a thread of its own: rights belong to threads.
pub fn as_user<T: Send>(user: (u32, u32), groups: &[u32], body: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let acting = scope.spawn(|| {
            let groups: Vec<Gid> = groups.iter().map(|&group| Gid::from_raw(group)).collect();
            set_thread_groups(&groups).expect("setgroups");
            let (uid, gid) = (Uid::from_raw(user.0), Gid::from_raw(user.1));
            set_thread_res_gid(gid, gid, gid).expect("setresgid");
            set_thread_res_uid(uid, uid, uid).expect("setresuid");
            body()
        });
        acting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A line of `/proc/self/mounts`.
pub struct MountLine {
    pub source: String,
    pub point: PathBuf,
    pub kind: String,
    pub options: Vec<String>,
}

pub fn mounts() -> Vec<MountLine> {
    let text = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let parse = |line: &str| {
        let mut fields = line.split(' ');
        let mut field = || fields.next().map(unescape);
        Some(MountLine {
            source: field()?,
            point: field()?.into(),
            kind: field()?,
            options: field()?.split(',').map(str::to_owned).collect(),
        })
    };
    text.lines().filter_map(parse).collect()
}

/// The kernel writes blanks and backslashes of names as three octal digits.
fn unescape(field: &str) -> String {
    let mut text = field.to_owned();
    for (code, letter) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        text = text.replace(code, letter);
    }
    text
}
