//! A source tree: unpacked by tar, read again, removed by rm; everything on one core.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::super::Result;
use super::super::contestants::{Contestant, Fresh};
use super::super::data::source_tar;
use super::super::measuring::{Pinned, is_root};
use super::super::run::Run;
use super::{failed, note_daemon};

fn tool(command: &mut Command) -> Result {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(failed(&name))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or_default();
    Err(format!("{name} ended with {}: {first}", output.status))
}

/// Opens and reads every file; returns how many bytes they are.
fn read_all(folder: &Path) -> Result<u64> {
    let listed = fs::read_dir(folder).map_err(failed("readdir"))?;
    let mut entries = listed.collect::<std::io::Result<Vec<_>>>().map_err(failed("readdir"))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut bytes = 0;
    for entry in entries {
        let kind = entry.file_type().map_err(failed("the type of an entry"))?;
        if kind.is_dir() {
            bytes += read_all(&entry.path())?;
        } else if kind.is_file() {
            bytes += fs::read(entry.path()).map_err(failed("reading a file"))?.len() as u64;
        }
    }
    Ok(bytes)
}

pub fn measure(run: &mut Run, contestant: &mut Contestant) -> Result {
    let kind = contestant.kind;
    let tar = source_tar(run.kept, run.arguments.scale.tree)?;
    // The tar is read from memory by everybody.
    let size = fs::read(&tar).map_err(failed("the tar"))?.len() as u64;
    let _pinned = Pinned::to_one_core();
    contestant.fresh(Fresh { bytes: size })?;
    let tree = contestant.root().join("tree");
    fs::create_dir(&tree).map_err(failed("making the directory"))?;
    let (time, used) = run.timed(contestant, || {
        tool(Command::new("tar").arg("xf").arg(&tar).arg("-C").arg(&tree))?;
        let folder = fs::File::open(&tree).map_err(failed("opening the directory"))?;
        rustix::fs::syncfs(&folder).map_err(|error| format!("syncfs: {error}"))
    })?;
    run.note("tree, pinned: untar + syncfs", kind, time, used);
    let mut bytes = 0;
    let mut read = || {
        bytes = read_all(&tree)?;
        Ok(())
    };
    if is_root() {
        contestant.go_cold()?;
        let (time, used) = run.timed(contestant, &mut read)?;
        run.note("tree, pinned: re-read cold", kind, time, used);
    } else {
        read()?;
    }
    // Headers and padding are the rest.
    if bytes < size / 2 || bytes > size {
        return Err(format!("a tar of {size} bytes gave files of {bytes} bytes"));
    }
    let (time, used) = run.timed(contestant, || tool(Command::new("rm").arg("-rf").arg(&tree)))?;
    run.note("tree, pinned: rm -rf", kind, time, used);
    let rows = ["tree, pinned: daemon, processor", "tree, pinned: daemon, peak memory"];
    note_daemon(run, contestant, rows)
}
