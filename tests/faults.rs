//! The disk fails: every operation once, for a moment or for good. The call says so, nothing
//! panics, and opening the map again gives a state that was synced.

mod support;

use aetherflow::base::Code;
use aetherflow::fs::{Compression, ROOT, View};
use support::drive::{Drive, OWNER, open};
use support::model;
use support::sim::{Disk, Fault};
use support::walk;

const FILE: u32 = 0o100_644;

/// Runs the workload until the fault strikes, and looks at what is left.
fn strike(seed: u64, fault: Fault) -> bool {
    let mut drive = Drive::new(seed, Compression::All);
    drive.disk.fail(Some(fault));
    let outcome = drive.workload();
    let place = format!("{fault:?}");
    let Err(error) = outcome else { return false };
    assert!([fault.code, Code::Poisoned].contains(&error.code()), "{place}: {error:?}");
    let happened = drive.disk.recorded();
    let allowed: Vec<_> = drive.allowed(happened).into_iter().cloned().collect();

    // Whether the map goes on or refuses to, it must not lie about it.
    let kept = drive.map.write(|fs| {
        let ino = fs.make(ROOT, b"afterwards", FILE, OWNER, 0)?;
        fs.write(ino, 0, b"said to be safe")
    });
    let kept = kept.and_then(|()| drive.map.sync());
    if fault.lasting && !fault.reads {
        assert!(kept.is_err(), "{place}: a dead disk took a write");
    }
    // Reading goes on where the disk can be read.
    if !fault.reads {
        drive.map.read(|fs| fs.stat(View::Head, ROOT)).unwrap();
    }
    drop(drive.map);
    drive.disk.fail(None);
    let map = open(&drive.disk, &drive.options)
        .unwrap_or_else(|error| panic!("{place}: opening failed: {error:?}"));
    let problems = map.read(walk::problems);
    assert!(problems.is_empty(), "{place}: {problems:#?}");
    if kept.is_ok() {
        let found = map.read(|fs| fs.lookup(View::Head, ROOT, b"afterwards")).unwrap();
        let (ino, _) = found.unwrap_or_else(|| panic!("{place}: a synced file is gone"));
        let data = map.read(|fs| model::read_all(fs, View::Head, ino)).unwrap();
        assert_eq!(data, b"said to be safe", "{place}");
    } else {
        let mut found = map.read(model::dump).unwrap();
        // It may be there all the same: the sync failed, and that is all that was said.
        found.head = found
            .head
            .lines()
            .filter(|line| !line.starts_with("/afterwards "))
            .flat_map(|line| [line, "\n"])
            .collect();
        // Operations between the last sync and the failure may have come along with that sync.
        if !allowed.contains(&found) && !drive.model.dump().eq(&found) {
            let all: Vec<_> = allowed.iter().map(|state| state.difference(&found)).collect();
            panic!("{place}: {all:#?}");
        }
    }
    map.close().unwrap();
    true
}

fn strike_everywhere(code: Code, lasting: bool, reads: bool, step: u64) {
    let mut at = 0;
    while strike(5, Fault { at, code, lasting, reads }) {
        at += step;
    }
    assert!(at > 20, "only {at} operations");
}

#[test]
fn a_write_that_fails_once() {
    strike_everywhere(Code::Io, false, false, 1);
}

#[test]
fn a_disk_that_dies() {
    strike_everywhere(Code::Io, true, false, 3);
}

#[test]
fn a_disk_that_is_full_for_a_moment() {
    strike_everywhere(Code::NoSpace, false, false, 1);
}

#[test]
fn a_disk_that_stays_full() {
    strike_everywhere(Code::NoSpace, true, false, 3);
}

#[test]
fn reads_that_fail() {
    strike_everywhere(Code::Io, false, true, 1);
}

/// Opening after a crash with a failing disk: an error or a map, never a loss.
#[test]
fn failures_while_recovering() {
    let mut drive = Drive::new(6, Compression::Off);
    drive.workload().unwrap();
    let moments = [60, 110, 150, 190];
    drive.disk.recording().every_moment(|happened, files| {
        if !moments.contains(&happened) {
            return;
        }
        let files = files(support::sim::Cut::Mixed(9));
        for (reads, code) in [(false, Code::Io), (false, Code::NoSpace), (true, Code::Io)] {
            for at in 0.. {
                let disk = Disk::with(files.clone());
                disk.fail(Some(Fault { at, code, lasting: false, reads }));
                let opened = open(&disk, &drive.options);
                let (writes, readings) = disk.operations();
                disk.fail(None);
                drop(opened);
                let map = open(&disk, &drive.options).unwrap_or_else(|error| {
                    panic!("event {happened}, {code:?} {at}, reads {reads}: {error:?}")
                });
                let found = map.read(model::dump).unwrap();
                assert!(
                    drive.allowed(happened).contains(&&found),
                    "event {happened}, {code:?} {at}"
                );
                if at >= if reads { readings } else { writes } {
                    break;
                }
            }
        }
    });
}
