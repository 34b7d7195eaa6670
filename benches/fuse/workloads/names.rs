//! Small files in one directory: made, looked at, opened, renamed, removed.
//!
//! Script and daemon share one core: a request that must wake the other one costs three to five
//! times as much, and how often it does is chance.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};

use super::super::Result;
use super::super::contestants::{Contestant, Fresh};
use super::super::data::Random;
use super::super::measuring::{Pinned, is_root};
use super::super::run::Run;
use super::{failed, note_daemon};

const SIZE: usize = 100;

/// Passes of the warm rows: one alone is too short to measure where the kernel answers by itself,
/// and long enough where a daemon does.
const PASSES: usize = 5;
const LONG_ENOUGH: f64 = 1.0;

struct Names {
    files: Vec<CString>,
    folder: CString,
}

impl Names {
    fn open(&self) -> Result<OwnedFd> {
        rustix::fs::openat(CWD, &self.folder, OFlags::DIRECTORY, Mode::empty())
            .map_err(|error| format!("opening the directory: {error}"))
    }

    fn each(
        &self,
        what: &str,
        mut work: impl FnMut(&OwnedFd, &CString) -> rustix::io::Result<()>,
    ) -> Result {
        let folder = self.open()?;
        for name in &self.files {
            work(&folder, name).map_err(|error| format!("{what} {name:?}: {error}"))?;
        }
        Ok(())
    }

    fn create(&self) -> Result {
        let content = [b'c'; SIZE];
        self.each("creating", |folder, name| {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
            let file = rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o644))?;
            File::from(file).write_all(&content).map_err(into_errno)
        })
    }

    fn stat(&self) -> Result {
        self.each("stat of", |folder, name| {
            rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map(drop)
        })
    }

    fn open_and_read(&self) -> Result {
        let mut buffer = [0; SIZE * 2];
        self.each("reading", |folder, name| {
            let file = rustix::fs::openat(folder, name, OFlags::RDONLY, Mode::empty())?;
            let count = File::from(file).read(&mut buffer).map_err(into_errno)?;
            if count == SIZE { Ok(()) } else { Err(rustix::io::Errno::IO) }
        })
    }

    fn rename(&self, renamed: &Names) -> Result {
        let mut targets = renamed.files.iter();
        self.each("renaming", |folder, name| {
            let target = targets.next().ok_or(rustix::io::Errno::INVAL)?;
            rustix::fs::renameat(folder, name, folder, target)
        })
    }

    fn unlink(&self) -> Result {
        self.each("removing", |folder, name| rustix::fs::unlinkat(folder, name, AtFlags::empty()))
    }

    /// All entries, each looked at where `stat`.
    fn list(&self, stat: bool) -> Result {
        let folder = self.open()?;
        let mut count = 0;
        let entries = rustix::fs::Dir::read_from(&folder);
        for entry in entries.map_err(|error| format!("readdir: {error}"))? {
            let entry = entry.map_err(|error| format!("readdir: {error}"))?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            count += 1;
            if stat {
                rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(|error| format!("stat of {name:?}: {error}"))?;
            }
        }
        if count == self.files.len() {
            Ok(())
        } else {
            Err(format!("readdir gave {count} names of {}", self.files.len()))
        }
    }
}

fn into_errno(error: std::io::Error) -> rustix::io::Errno {
    rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO)
}

fn name(prefix: &str, number: usize) -> CString {
    CString::new(format!("{prefix}-{number:06}")).unwrap_or_default()
}

pub fn measure(run: &mut Run, contestant: &mut Contestant) -> Result {
    let count = run.arguments.scale.names;
    let kind = contestant.kind;
    let _pinned = Pinned::to_one_core();
    contestant.fresh(Fresh { bytes: 0 })?;
    let folder = contestant.root().join("many");
    std::fs::create_dir(&folder).map_err(failed("making the directory"))?;
    let folder = CString::new(folder.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    let mut names = Names { files: (0..count).map(|at| name("file", at)).collect(), folder };
    let (time, used) = run.timed(contestant, || names.create())?;
    run.note("names, pinned: create 100 B", kind, count as f64 / time, used);
    rustix::fs::syncfs(names.open()?).map_err(|error| format!("syncfs: {error}"))?;
    // From here on in an order that is neither that of creation nor of the directory.
    Random::new(13).shuffle(&mut names.files);
    if is_root() {
        contestant.go_cold()?;
        let (time, used) = run.timed(contestant, || names.list(false))?;
        run.note("names, pinned: readdir cold", kind, count as f64 / time, used);
        contestant.go_cold()?;
        let (time, used) = run.timed(contestant, || names.list(true))?;
        run.note("names, pinned: readdir + stat cold", kind, count as f64 / time, used);
        contestant.go_cold()?;
        let (time, used) = run.timed(contestant, || names.stat())?;
        run.note("names, pinned: stat cold", kind, count as f64 / time, used);
    }
    let warm: [(&'static str, &dyn Fn() -> Result); 2] = [
        ("names, pinned: stat warm", &|| names.stat()),
        ("names, pinned: open read close warm", &|| names.open_and_read()),
    ];
    for (row, work) in warm {
        if !run.wants(row) {
            continue;
        }
        work()?;
        let (mut passes, mut time, mut used) = (0, 0.0, 0.0);
        while passes < PASSES && time < LONG_ENOUGH {
            let (more, more_used) = run.timed(contestant, work)?;
            (passes, time, used) = (passes + 1, time + more, used + more_used);
        }
        run.note(row, kind, (count * passes) as f64 / time, used);
    }
    let mut renamed: Vec<CString> = (0..count).map(|at| name("renamed", at)).collect();
    Random::new(17).shuffle(&mut renamed);
    let renamed = Names { files: renamed, folder: names.folder.clone() };
    let (time, used) = run.timed(contestant, || names.rename(&renamed))?;
    run.note("names, pinned: rename", kind, count as f64 / time, used);
    let (time, used) = run.timed(contestant, || renamed.unlink())?;
    run.note("names, pinned: unlink", kind, count as f64 / time, used);
    let rows = ["names, pinned: daemon, processor", "names, pinned: daemon, peak memory"];
    note_daemon(run, contestant, rows)
}
