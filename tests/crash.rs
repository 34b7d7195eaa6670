//! The power goes after every single write. What was synced is there, the rest is as before or
//! as after, nothing else; the tables agree; and the file becomes a strict PNG again.

mod support;

use aetherflow::fs::Compression;
use support::drive::{Drive, closed_file, open};
use support::model;
use support::picture::check_strict;
use support::sim::{Cut, Disk, Files};
use support::walk;

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
