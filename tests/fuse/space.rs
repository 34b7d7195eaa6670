//! Holes, reserved space, shared blocks, and what the filesystem says about its room.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::{FallocateFlags, SeekFrom, copy_file_range, fallocate, seek, statvfs};
use rustix::io::Errno;
use serde_json::json;

use crate::ground::{Ground, Mounted, reference};
use crate::runner::{Done, Needs, SHORT, Test, skip};

const fn on_any(name: &'static str, body: fn(&Ground) -> Done) -> Test {
    Test { name, needs: Needs::Files, seconds: SHORT, body }
}

pub static TESTS: [Test; 7] = [
    on_any("holes_are_found", holes_are_found),
    on_any("holes_before_anything_is_flushed", holes_before_anything_is_flushed),
    on_any("fallocate_modes", fallocate_modes),
    on_any("punched_holes_free_blocks", punched_holes_free_blocks),
    on_any("copy_file_range_copies", copy_file_range_copies),
    on_any("statfs_is_sane", statfs_is_sane),
    Test {
        name: "copies_share_their_blocks",
        needs: Needs::Mount,
        seconds: SHORT,
        body: copies_share_their_blocks,
    },
];

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

fn create(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap()
}

/// The stretches of data as lseek tells them.
fn stretches(file: &File) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        let data = match seek(file, SeekFrom::Data(at)) {
            Ok(data) => data,
            Err(Errno::NXIO) => return found,
            Err(error) => panic!("SEEK_DATA from {at}: {error}"),
        };
        assert!(data >= at, "SEEK_DATA goes backward");
        at = seek(file, SeekFrom::Hole(data)).unwrap();
        assert!(at > data, "an empty stretch of data at {data}");
        found.push((data, at));
    }
}

/// Every written byte lies in a stretch of data, and the far parts of a hole in none.
fn check_stretches(file: &File, written: &[(u64, u64)], empty: &[u64]) {
    let found = stretches(file);
    for &(start, end) in written {
        let covered = found.iter().any(|&(from, to)| from <= start && end <= to);
        assert!(covered, "data {start}..{end} is called a hole: {found:?}");
    }
    for &at in empty {
        let covered = found.iter().any(|&(from, to)| from <= at && at < to);
        assert!(!covered, "the hole at {at} is called data: {found:?}");
    }
    let length = file.metadata().unwrap().len();
    for (from, to) in found {
        assert!(from < to && to <= length, "{from}..{to} in a file of {length}");
    }
    assert_eq!(seek(file, SeekFrom::Data(length)).unwrap_err(), Errno::NXIO);
    assert_eq!(seek(file, SeekFrom::Hole(length)).unwrap_err(), Errno::NXIO);
}

fn holes_are_found(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let file = create(&mounted.path("sparse"));
    let bytes = ground.random().bytes(100 * KIB as usize);
    file.write_all_at(&bytes, MIB).unwrap();
    file.write_all_at(&bytes, 8 * MIB).unwrap();
    file.set_len(16 * MIB).unwrap();
    file.sync_all().unwrap();
    let written = [(MIB, MIB + 100 * KIB), (8 * MIB, 8 * MIB + 100 * KIB)];
    let empty = [0, 512 * KIB, 4 * MIB, 7 * MIB, 12 * MIB, 16 * MIB - 1];
    check_stretches(&file, &written, &empty);
    // Where the file ends in a hole, the end of the last data is a hole too.
    assert!(file.metadata().unwrap().blocks() * 512 < MIB, "a sparse file is stored sparsely");
    drop(file);
    mounted.remount();
    let file = File::open(mounted.path("sparse")).unwrap();
    check_stretches(&file, &written, &empty);
    let mut whole = vec![0; 16 * MIB as usize];
    file.read_exact_at(&mut whole, 0).unwrap();
    let mut expected = vec![0; 16 * MIB as usize];
    for (start, end) in written {
        expected[start as usize..end as usize].copy_from_slice(&bytes);
    }
    assert_eq!(whole, expected);
    drop(file);
    mounted.finish();
    Done::Passed
}

/// What the kernel still holds back from the helper is data all the same.
fn holes_before_anything_is_flushed(ground: &Ground) -> Done {
    let mounted = ground.mount();
    for turn in 0..8 {
        let file = create(&mounted.path(&format!("file {turn}")));
        file.set_len(4 * MIB).unwrap();
        let start = 64 * KIB * (turn + 1);
        file.write_all_at(&[turn as u8 + 1; 4096], start).unwrap();
        check_stretches(&file, &[(start, start + 4096)], &[2 * MIB, 4 * MIB - 1]);
        // The same through another descriptor, and after writing over the hole.
        let other = File::open(mounted.path(&format!("file {turn}"))).unwrap();
        file.write_all_at(&[9; 10], 3 * MIB).unwrap();
        check_stretches(&other, &[(start, start + 4096), (3 * MIB, 3 * MIB + 10)], &[2 * MIB]);
        // Appended data that no sync has seen.
        file.write_all_at(b"end", 4 * MIB).unwrap();
        check_stretches(&file, &[(4 * MIB, 4 * MIB + 3)], &[2 * MIB]);
    }
    mounted.finish();
    Done::Passed
}

fn fallocate_modes(ground: &Ground) -> Done {
    let mounted = ground.mount();
    let file = create(&mounted.path("file"));
    let mut expected = ground.random().bytes(300_000);
    file.write_all_at(&expected, 0).unwrap();
    let read = |length: usize| {
        let mut bytes = vec![0; length + 1];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), length);
        bytes.truncate(length);
        bytes
    };
    let length = |file: &File| file.metadata().unwrap().len();
    let keep = FallocateFlags::KEEP_SIZE;
    fallocate(&file, FallocateFlags::empty(), 100, 1000).unwrap();
    assert_eq!(length(&file), 300_000);
    fallocate(&file, FallocateFlags::empty(), 299_000, 2000).unwrap();
    expected.resize(301_000, 0);
    assert_eq!(read(301_000), expected, "growing by fallocate");
    fallocate(&file, keep, 300_000, MIB).unwrap();
    assert_eq!(length(&file), 301_000);
    assert_eq!(read(301_000), expected);
    fallocate(&file, FallocateFlags::PUNCH_HOLE | keep, 5000, 100_001).unwrap();
    expected[5000..105_001].fill(0);
    assert_eq!(read(301_000), expected, "a hole");
    fallocate(&file, FallocateFlags::PUNCH_HOLE | keep, 300_990, MIB).unwrap();
    expected[300_990..].fill(0);
    assert_eq!(read(301_000), expected, "a hole across the end");
    match fallocate(&file, FallocateFlags::ZERO_RANGE, 200_000, 3333) {
        Ok(()) => {
            expected[200_000..203_333].fill(0);
            assert_eq!(read(301_000), expected, "zeros");
            fallocate(&file, FallocateFlags::ZERO_RANGE, 300_000, 4000).unwrap();
            expected[300_000..].fill(0);
            expected.resize(304_000, 0);
            assert_eq!(read(304_000), expected, "zeros that grow the file");
        }
        Err(error) => assert_eq!(error, Errno::OPNOTSUPP),
    }
    // Nobody needs them; a filesystem without them must say so and change nothing.
    for mode in [FallocateFlags::COLLAPSE_RANGE, FallocateFlags::INSERT_RANGE] {
        if reference().is_none() {
            assert_eq!(fallocate(&file, mode, 4096, 4096).unwrap_err(), Errno::OPNOTSUPP);
        }
    }
    assert_eq!(fallocate(&file, keep, 0, 0).unwrap_err(), Errno::INVAL);
    let read_only = File::open(mounted.path("file")).unwrap();
    assert_eq!(fallocate(&read_only, keep, 0, 10).unwrap_err(), Errno::BADF);
    assert_eq!(read(expected.len()), expected);
    drop((file, read_only));
    mounted.finish();
    Done::Passed
}

fn punched_holes_free_blocks(ground: &Ground) -> Done {
    let mounted = ground.mount();
    let file = create(&mounted.path("file"));
    let mut random = ground.random();
    let words: Vec<u8> = (0..MIB / 4).flat_map(|_| random.word().to_le_bytes()).collect();
    file.write_all_at(&words, 0).unwrap();
    file.sync_all().unwrap();
    let full = file.metadata().unwrap().blocks() * 512;
    assert!(full >= 2 * MIB, "{full} bytes for two MiB of noise");
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    fallocate(&file, hole, 256 * KIB, MIB + 512 * KIB).unwrap();
    file.sync_all().unwrap();
    let rest = file.metadata().unwrap().blocks() * 512;
    assert!(rest <= full - MIB, "{full} bytes became {rest}");
    check_stretches(&file, &[(0, 256 * KIB)], &[MIB]);
    drop(file);
    mounted.finish();
    Done::Passed
}

/// Copies all of a range, or says why not.
fn copy(from: &File, start: u64, to: &File, target: u64, length: u64) -> rustix::io::Result<u64> {
    let (mut start, mut target, mut done) = (start, target, 0);
    while done < length {
        let left = (length - done) as usize;
        match copy_file_range(from, Some(&mut start), to, Some(&mut target), left)? {
            0 => break,
            count => done += count as u64,
        }
    }
    Ok(done)
}

fn copy_file_range_copies(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let bytes = ground.random().bytes(700_000);
    let from = create(&mounted.path("from"));
    // Not synced: what is copied is what was written, not what has reached the helper.
    from.write_all_at(&bytes, 0).unwrap();
    let to = create(&mounted.path("to"));
    match copy(&from, 0, &to, 0, 700_000) {
        Err(Errno::OPNOTSUPP | Errno::XDEV) if reference().is_some() => {
            return skip("the reference has no copy_file_range");
        }
        copied => assert_eq!(copied.unwrap(), 700_000),
    }
    assert_eq!(fs::read(mounted.path("to")).unwrap(), bytes);
    let mut expected = bytes.clone();
    // Nothing aligned, over what is there; then behind the end, which leaves a hole.
    assert_eq!(copy(&from, 12_345, &to, 77, 222_222).unwrap(), 222_222);
    expected[77..77 + 222_222].copy_from_slice(&bytes[12_345..12_345 + 222_222]);
    assert_eq!(fs::read(mounted.path("to")).unwrap(), expected);
    assert_eq!(copy(&from, 600_000, &to, 800_000, 200_000).unwrap(), 100_000);
    expected.resize(800_000, 0);
    expected.extend_from_slice(&bytes[600_000..]);
    assert_eq!(fs::read(mounted.path("to")).unwrap(), expected);
    // Within one file, but not onto itself.
    assert_eq!(copy(&to, 0, &to, 500_000, 100_000).unwrap(), 100_000);
    expected.copy_within(0..100_000, 500_000);
    assert_eq!(fs::read(mounted.path("to")).unwrap(), expected);
    assert_eq!(copy(&to, 0, &to, 50, 100).unwrap_err(), Errno::INVAL);
    // Copies go their own ways.
    from.write_all_at(&[0xaa; 1000], 20_000).unwrap();
    assert_eq!(fs::read(mounted.path("to")).unwrap(), expected);
    to.write_all_at(&[0xbb; 1000], 300_000).unwrap();
    expected[300_000..301_000].fill(0xbb);
    let mut source = bytes;
    source[20_000..21_000].fill(0xaa);
    drop((from, to));
    mounted.remount();
    assert_eq!(fs::read(mounted.path("to")).unwrap(), expected);
    assert_eq!(fs::read(mounted.path("from")).unwrap(), source);
    mounted.finish();
    Done::Passed
}

fn clusters_used(mounted: &Mounted) -> u64 {
    mounted.call("sync", &json!({}));
    mounted.call("info", &json!({}))["clustersUsed"].as_u64().expect("clustersUsed")
}

fn copies_share_their_blocks(ground: &Ground) -> Done {
    const SIZE: usize = 8 << 20;
    let mounted = ground.mount();
    let mut random = ground.random();
    let words: Vec<u8> = (0..SIZE / 8).flat_map(|_| random.word().to_le_bytes()).collect();
    let mut from = create(&mounted.path("from"));
    from.write_all(&words).unwrap();
    from.sync_all().unwrap();
    let before = clusters_used(&mounted);
    let to = create(&mounted.path("to"));
    assert_eq!(copy(&from, 0, &to, 0, SIZE as u64).unwrap(), SIZE as u64);
    to.sync_all().unwrap();
    let after = clusters_used(&mounted);
    let grown = after.saturating_sub(before);
    assert!(grown < SIZE as u64 / 4096 / 20, "a copy of {SIZE} bytes took {grown} clusters");
    assert_eq!(fs::read(mounted.path("to")).unwrap(), words);
    // The original may go: the copy keeps its blocks.
    drop((from, to));
    fs::remove_file(mounted.path("from")).unwrap();
    clusters_used(&mounted);
    assert_eq!(fs::read(mounted.path("to")).unwrap(), words);
    mounted.finish();
    Done::Passed
}

fn statfs_is_sane(ground: &Ground) -> Done {
    let mounted = ground.mount();
    let about = statvfs(&mounted.point).unwrap();
    assert!(about.f_bsize >= 512 && about.f_frsize >= 512);
    assert!(about.f_blocks > 0 && about.f_bfree <= about.f_blocks);
    assert!(about.f_bavail <= about.f_bfree);
    assert!(about.f_bavail * about.f_frsize > MIB, "there is room");
    assert_eq!(about.f_namemax, 255);
    assert!(about.f_files > 0 && about.f_ffree > 0 && about.f_ffree <= about.f_files);
    let mut random = ground.random();
    let words: Vec<u8> = (0..MIB).flat_map(|_| random.word().to_le_bytes()).collect();
    let mut file = create(&mounted.path("file"));
    file.write_all(&words).unwrap();
    file.sync_all().unwrap();
    let then = statvfs(&mounted.point).unwrap();
    let used = |about: &rustix::fs::StatVfs| (about.f_blocks - about.f_bfree) * about.f_frsize;
    assert!(used(&then) >= used(&about) + 7 * MIB, "{} then {}", used(&about), used(&then));
    drop(file);
    mounted.finish();
    Done::Passed
}
