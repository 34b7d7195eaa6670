//! Measures the engine, native: file data, small files, the log, snapshots, recovery.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

#[path = "engine/serve.rs"]
mod serve;
// Each benchmark uses a part of it.
#[allow(dead_code)]
mod support;

use aetherflow::fs::ops::Owner;
use aetherflow::fs::{Compression, Settings, View};
use aetherflow::map::{Map, Options};
use aetherflow::storage::Storage;
use aetherflow::storage::file::{FileStorage, Mode};
use support::{Goal, Scratch, figure, noise, rounds, seconds, smoke};

const MIB: usize = 1 << 20;
const ROOT: u64 = 1;
const OWNER: Owner = Owner { uid: 0, gid: 0 };
const FILE: u32 = 0o100_644;
const DIRECTORY: u32 = 0o040_755;

fn options(expected: u64, compression: Compression) -> Options {
    let settings = Settings { compression, ..Settings::default() };
    Options { expected_size: expected, settings, ..Options::default() }
}

fn file(path: &Path, mode: Mode) -> Arc<dyn Storage> {
    Arc::new(FileStorage::open(path, mode).expect("a file"))
}

/// Writes `total` bytes of noise to a new file in pieces of 1 MiB.
fn write_large(map: &Map, name: &[u8], piece: &[u8], total: usize) -> u64 {
    let ino = map.write(|fs| fs.make(ROOT, name, FILE, OWNER, 0)).expect("make");
    for at in (0..total).step_by(piece.len()) {
        map.write(|fs| fs.write(ino, at as u64, piece)).expect("write");
    }
    ino
}

fn large_file(total: usize, times: usize) {
    let piece = noise(MIB);
    let map = Map::create(&options(total as u64, Compression::Off)).expect("create");
    let (mut writes, mut reads) = (Vec::new(), Vec::new());
    for round in 0..=times {
        let name = format!("large-{round}");
        let mut ino = 0;
        writes.push(seconds(|| {
            ino = write_large(&map, name.as_bytes(), &piece, total);
            map.write(|fs| fs.flush_all(false)).expect("flush");
        }));
        let mut buf = vec![0; MIB];
        reads.push(seconds(|| {
            for at in (0..total).step_by(MIB) {
                map.read(|fs| fs.read(View::Head, ino, at as u64, &mut buf)).expect("read");
                black_box(&buf);
            }
        }));
        map.write(|fs| fs.unlink(ROOT, name.as_bytes())).expect("unlink");
    }
    // The first round meets memory the system has yet to hand out, page by page; the later ones
    // write where the first one did.
    let gigabytes = total as f64 / 1e9;
    let first = writes.remove(0);
    figure("sequential write, memory never touched before", gigabytes / first, "GB/s", Goal::None);
    let write = support::median(writes);
    figure("sequential write, memory", gigabytes / write, "GB/s", Goal::AtLeast(1.5));
    let read = support::median(reads);
    figure("sequential read, memory", gigabytes / read, "GB/s", Goal::AtLeast(3.0));
}

fn small_files(directories: usize, each: usize, times: usize) {
    let count = (directories * each) as f64;
    let names: Vec<Vec<u8>> = (0..each).map(|at| format!("file-{at:05}.txt").into()).collect();
    let content = noise(100);
    for (what, bytes) in [("100 bytes", &content[..]), ("empty", &[])] {
        let (mut lookups, mut listings) = (Vec::new(), Vec::new());
        let create = rounds(times, || {
            let map = Map::create(&options(1 << 24, Compression::Off)).expect("create");
            let mut parents = Vec::new();
            let create = seconds(|| {
                for at in 0..directories {
                    let name = format!("d{at}");
                    let made = map.write(|fs| fs.make(ROOT, name.as_bytes(), DIRECTORY, OWNER, 0));
                    let parent = made.expect("make");
                    parents.push(parent);
                    for name in &names {
                        let ino =
                            map.write(|fs| fs.make(parent, name, FILE, OWNER, 0)).expect("make");
                        if !bytes.is_empty() {
                            map.write(|fs| fs.write(ino, 0, bytes)).expect("write");
                        }
                    }
                }
                map.sync().expect("sync");
            });
            lookups.push(seconds(|| {
                for &parent in &parents {
                    for name in &names {
                        let found = map.read(|fs| fs.lookup(View::Head, parent, name));
                        assert!(found.expect("lookup").is_some());
                    }
                }
            }));
            let mut seen = 0;
            listings.push(seconds(|| {
                for &parent in &parents {
                    let listed = map.read(|fs| {
                        fs.read_directory(View::Head, parent, 0, &mut |entry, _| {
                            seen += usize::from(!entry.name.is_empty());
                            true
                        })
                    });
                    listed.expect("list");
                }
            }));
            assert_eq!(seen, directories * each);
            create
        });
        let thousands = count / 1e3;
        let goal = |bound| if what == "empty" { Goal::None } else { Goal::AtLeast(bound) };
        figure(&format!("create, {what}"), thousands / create, "k/s", Goal::AtLeast(150.0));
        let lookup = thousands / support::median(lookups);
        figure(&format!("lookup, {what}"), lookup, "k/s", goal(1000.0));
        let list = thousands / support::median(listings);
        figure(&format!("readdir entries, {what}"), list, "k/s", goal(2000.0));
    }
}

/// What the log costs when a large file is written in one go and synced.
fn log_cost(scratch: &Scratch, total: usize, times: usize) {
    let piece = noise(MIB);
    let run = |logged: bool| {
        let path = scratch.0.join("log-cost.png");
        let log_path = scratch.0.join("log-cost.png-wal");
        let log = logged.then(|| file(&log_path, Mode::CreateNew));
        let options = options(total as u64, Compression::Off);
        let map = Map::create_on(file(&path, Mode::CreateNew), log, &options).expect("create");
        let time = seconds(|| {
            write_large(&map, b"large", &piece, total);
            // Without a log a checkpoint is what makes it durable.
            if logged { map.sync() } else { map.checkpoint() }.expect("sync");
        });
        drop(map);
        std::fs::remove_file(path).expect("remove");
        let _ = std::fs::remove_file(log_path);
        time
    };
    let mut with = Vec::new();
    let mut without = Vec::new();
    for _ in 0..times {
        without.push(run(false));
        with.push(run(true));
    }
    let (with, without) = (support::median(with), support::median(without));
    let rate = total as f64 / 1e6;
    figure("write + fsync on a file, without a log", rate / without, "MB/s", Goal::None);
    figure("write + fsync on a file, with the log", rate / with, "MB/s", Goal::None);
    figure("cost of the log", (with / without - 1.0) * 100.0, "%", Goal::AtMost(10.0));
}

fn snapshots(files: usize) {
    let map = Map::create(&options(1 << 28, Compression::Off)).expect("create");
    let mut last = (0, 0);
    for at in 0..files / 1000 {
        let made = map.write(|fs| fs.make(ROOT, format!("d{at}").as_bytes(), DIRECTORY, OWNER, 0));
        let parent = made.expect("make");
        for at in 0..1000 {
            let name = format!("{at}");
            let made = map.write(|fs| fs.make(parent, name.as_bytes(), FILE, OWNER, 0));
            last = (parent, made.expect("make"));
        }
    }
    map.checkpoint().expect("checkpoint");
    let (mut creates, mut writes) = (Vec::new(), Vec::new());
    for round in 0..5 {
        let name = format!("s{round}");
        let start = Instant::now();
        map.write(|fs| fs.create_snapshot(name.as_bytes(), b"")).expect("snapshot");
        creates.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        map.write(|fs| {
            fs.write(last.1, 0, &[round; 4096])?;
            fs.flush_all(false)
        })
        .expect("write");
        writes.push(start.elapsed().as_secs_f64());
    }
    let millions = files as f64 / 1e6;
    let what = format!("snapshot of {millions} million files");
    figure(&what, support::median(creates) * 1e3, "ms", Goal::AtMost(10.0));
    let write = support::median(writes) * 1e3;
    figure("the first write after it", write, "ms", Goal::AtMost(1.0));
}

/// Opens a map whose log is full, as a crash leaves it.
fn recovery(scratch: &Scratch, times: usize) {
    let path = scratch.0.join("crash.png");
    let log_path = scratch.0.join("crash.png-wal");
    let storage = file(&path, Mode::CreateNew);
    let log = file(&log_path, Mode::CreateNew);
    let options = options(1 << 28, Compression::Off);
    let map = Map::create_on(storage, Some(log), &options).expect("create");
    let content = noise(300);
    let checkpoints = |map: &Map| map.read(|fs| fs.store().meter.checkpoints.get());
    let before = checkpoints(&map);
    let mut longest = 0;
    // Commits of a few changes spread over many directories fill the log fastest.
    let mut kept = (scratch.0.join("kept.png"), scratch.0.join("kept.png-wal"));
    for round in 0.. {
        let name = format!("d{round}");
        let made = map.write(|fs| fs.make(ROOT, name.as_bytes(), DIRECTORY, OWNER, 0));
        let parent = made.expect("make");
        for at in 0..500 {
            let name = format!("{at}");
            let made = map.write(|fs| fs.make(parent, name.as_bytes(), FILE, OWNER, 0));
            let ino = made.expect("make");
            map.write(|fs| fs.write(ino, 0, &content)).expect("write");
        }
        map.sync().expect("sync");
        if checkpoints(&map) > before {
            break;
        }
        let len = map.read(|fs| fs.store().log_len());
        // The last copy before the checkpoint is the one that counts; copies cost, so few.
        if len > longest + (1 << 20) || round == 0 {
            longest = len;
            std::fs::copy(&path, &kept.0).expect("copy");
            std::fs::copy(&log_path, &kept.1).expect("copy");
        }
        if smoke() && round > 3 {
            break;
        }
    }
    drop(map);
    let time = rounds(times, || {
        let (image, log) = (scratch.0.join("again.png"), scratch.0.join("again.png-wal"));
        std::fs::copy(&kept.0, &image).expect("copy");
        std::fs::copy(&kept.1, &log).expect("copy");
        seconds(|| {
            let log = file(&log, Mode::Write);
            let map = Map::open_on(file(&image, Mode::Write), Some(log), true, &options);
            assert!(map.expect("open").read(|fs| fs.store().was_recovered()));
        })
    });
    kept.0.clear();
    let what = format!("recovery from a log of {:.1} MB", longest as f64 / 1e6);
    figure(&what, time, "s", Goal::AtMost(1.0));
}

fn main() {
    let small = smoke();
    let only = std::env::args().nth(1).filter(|name| !name.starts_with('-'));
    let wanted = |name: &str| only.as_ref().is_none_or(|only| only == name);
    let times = if small { 1 } else { 5 };
    let scratch = Scratch::new("engine");
    if wanted("large") {
        large_file(if small { 8 * MIB } else { 512 * MIB }, times);
    }
    if wanted("small") {
        small_files(if small { 4 } else { 100 }, 1000, times.min(3));
    }
    if wanted("log") {
        log_cost(&scratch, if small { 8 * MIB } else { 1024 * MIB }, times.min(3));
    }
    if wanted("snapshot") {
        snapshots(if small { 2000 } else { 1_000_000 });
    }
    if wanted("recovery") {
        recovery(&scratch, times.min(3));
    }
    let large = if small { 8 * MIB } else { 512 * MIB };
    if wanted("cold") {
        serve::cold(&scratch, large, times.min(3));
    }
    if wanted("threads") {
        serve::threads(&scratch, large / 2, times.min(3));
    }
    if wanted("names") {
        serve::small(if small { 1000 } else { 20_000 });
    }
    if wanted("stream") {
        serve::stream(&scratch, large, times.min(3));
    }
    if wanted("overwrite") {
        serve::overwrite(&scratch, large, if small { 500 } else { 20_000 });
    }
}
