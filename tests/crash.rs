//! The power goes after every single write. What was synced is there, the rest is as before or
//! as after, nothing else; the tables agree; and the file becomes a strict PNG again.

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aetherflow::fs::{Compression, ROOT, View};
use aetherflow::map::Map;
use support::drive::{Drive, OWNER, closed_file, open};
use support::model;
use support::picture::check_strict;
use support::sim::{Cut, Disk, Files, LOG, MAP};
use support::walk;
use support::{noise, options};

/// Recovers from `files`, checks everything, closes; returns the disk, which has recorded it all.
fn recover(drive: &Drive, files: Files, happened: usize, cut: Cut) -> Disk {
    let place = format!("after {happened} events, {cut:?}");
    let disk = Disk::with(files);
    disk.record();
    let map = match open(&disk, &drive.options) {
        Ok(map) => map,
        Err(error) => panic!("{place}: opening failed: {error:?}"),
    };
    let problems = map.read(walk::problems);
    assert!(problems.is_empty(), "{place}: {problems:#?}");
    let found = map.read(model::dump).unwrap_or_else(|error| panic!("{place}: {error}"));
    let allowed = drive.allowed(happened);
    if !allowed.contains(&&found) {
        let all: Vec<_> = allowed.iter().map(|state| state.difference(&found)).collect();
        panic!("{place}: neither the state before nor the one after: {all:#?}");
    }
    let file = closed_file(&disk, &map);
    let problems = map.read(|fs| walk::verified(fs, cut == Cut::Keep));
    assert!(problems.is_empty(), "{place}: {problems:#?}");
    check_strict(&file).unwrap_or_else(|error| panic!("{place}: {error}"));
    disk
}

fn cut_everywhere(seed: u64, compression: Compression, variants: u64) {
    let mut drive = Drive::new(seed, compression);
    drive.workload().unwrap();
    let recording = drive.disk.recording();
    recording.every_moment(|happened, files| {
        let mixed = (0..variants).map(|variant| Cut::Mixed(seed ^ variant << 20 ^ happened as u64));
        for cut in [Cut::Keep, Cut::Drop].into_iter().chain(mixed) {
            recover(&drive, files(cut), happened, cut);
        }
    });
}

#[test]
fn a_cut_after_every_write_leaves_a_synced_state() {
    cut_everywhere(1, Compression::Off, 2);
}

#[test]
fn so_it_does_with_compression() {
    cut_everywhere(2, Compression::All, 1);
}

#[test]
fn a_cut_during_recovery_is_recovered_from() {
    let mut drive = Drive::new(3, Compression::All);
    drive.workload().unwrap();
    drive.disk.recording().every_moment(|happened, files| {
        if happened % 29 != 7 {
            return;
        }
        let cut = Cut::Mixed(happened as u64);
        let again = recover(&drive, files(cut), happened, cut).recording();
        again.every_moment(|second, files| {
            let cut = Cut::Mixed((happened * 1000 + second) as u64);
            recover(&drive, files(cut), happened, cut);
        });
    });
}

/// A file that was synced: from which event on it must be there, and until which.
struct Promise {
    name: String,
    data: Vec<u8>,
    from: usize,
    until: usize,
}

/// Two threads create, overwrite, sync and remove files while a third writes everything home
/// again and again: whatever the power leaves, each synced file is there.
#[test]
fn a_commit_beside_a_checkpoint_is_not_lost() {
    const FILES: usize = 120;
    const WRITERS: u64 = 2;
    let disk = Disk::new();
    let options = options(4, Compression::All);
    let map = Map::create_on(disk.file(MAP), Some(disk.file(LOG)), &options).unwrap();
    disk.record();
    let promises = Mutex::new(Vec::new());
    let writing = AtomicUsize::new(WRITERS as usize);
    let read = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (map, disk, promises, writing) = (&map, &disk, &promises, &writing);
            scope.spawn(move || {
                let mut own: Vec<Promise> = Vec::new();
                for number in 0..FILES {
                    let name = format!("{writer}-{number}");
                    let seed = writer * 1000 + number as u64;
                    let length = [60, 700, 5000, 30_000, 90_000][number % 5];
                    let data = noise(seed, length);
                    let made = map.write(|fs| {
                        let ino = fs.make(ROOT, name.as_bytes(), 0o100_644, OWNER, 0)?;
                        fs.write(ino, 0, &data)?;
                        Ok::<u64, aetherflow::base::Error>(ino)
                    });
                    map.sync_file(made.unwrap()).unwrap();
                    own.push(Promise { name, data, from: disk.recorded(), until: usize::MAX });
                    if number % 3 == 2 {
                        let old = &mut own[number - 2];
                        old.until = disk.recorded();
                        map.write(|fs| fs.unlink(ROOT, old.name.as_bytes())).unwrap();
                    }
                }
                promises.lock().unwrap().append(&mut own);
                writing.fetch_sub(1, Ordering::AcqRel);
            });
        }
        let (map, writing, read) = (&map, &writing, &read);
        scope.spawn(move || {
            while writing.load(Ordering::Acquire) > 0 {
                map.checkpoint().unwrap();
            }
        });
        scope.spawn(move || {
            while writing.load(Ordering::Acquire) > 0 {
                let problems = map.read(walk::problems);
                assert!(problems.is_empty(), "{problems:#?}");
                read.store(true, Ordering::Release);
                std::thread::yield_now();
            }
        });
    });
    assert!(read.into_inner());
    let promises = promises.into_inner().unwrap();
    let recording = disk.recording();
    let step = recording.events.len() / 150 + 1;
    recording.every_moment(|happened, files| {
        if happened % step != 0 {
            return;
        }
        let cut = [Cut::Keep, Cut::Drop, Cut::Mixed(happened as u64)][happened / step % 3];
        let place = format!("after {happened} events, {cut:?}");
        let disk = Disk::with(files(cut));
        let map = open(&disk, &options).unwrap_or_else(|error| panic!("{place}: {error:?}"));
        let problems = map.read(walk::problems);
        assert!(problems.is_empty(), "{place}: {problems:#?}");
        for promise in &promises {
            if promise.from <= happened && happened < promise.until {
                let found = map.read(|fs| {
                    let found = fs.lookup(View::Head, ROOT, promise.name.as_bytes()).unwrap();
                    let (ino, _) = found.unwrap_or_else(|| panic!("{place}: {}", promise.name));
                    model::read_all(fs, View::Head, ino)
                });
                assert!(found.unwrap() == promise.data, "{place}: {}", promise.name);
            }
        }
        let file = closed_file(&disk, &map);
        check_strict(&file).unwrap_or_else(|error| panic!("{place}: {error}"));
    });
}
