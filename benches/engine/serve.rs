//! What a mount asks of the engine: cold and warm reads, from one thread and several, changes of
//! names, and writes in the sizes a kernel sends.

use std::path::{Path, PathBuf};
use std::time::Instant;

use aetherflow::codec::frame::Decompressor;
use aetherflow::fs::ops::Rename;
use aetherflow::fs::{Compression, View};
use aetherflow::map::Map;
use aetherflow::storage::file::Mode;
use aetherflow::tree::item::Source;

use super::support::{Goal, Scratch, figure, median, noise, seconds};
use super::{FILE, MIB, OWNER, ROOT, file, options, write_large};

const PAGE: usize = 4096;

/// A map in files of its own, with its log.
struct OnDisk {
    path: PathBuf,
    log: PathBuf,
}

impl OnDisk {
    fn new(scratch: &Scratch, name: &str) -> OnDisk {
        OnDisk {
            path: scratch.0.join(format!("{name}.png")),
            log: scratch.0.join(format!("{name}.png-wal")),
        }
    }

    fn create(&self, expected: u64, compression: Compression) -> Map {
        let (storage, log) = (file(&self.path, Mode::CreateNew), file(&self.log, Mode::CreateNew));
        Map::create_on(storage, Some(log), &options(expected, compression)).expect("create")
    }

    fn open(&self) -> Map {
        let options = options(0, Compression::Off);
        let (storage, log) = (file(&self.path, Mode::Write), file(&self.log, Mode::Write));
        Map::open_on(storage, Some(log), true, &options).expect("open")
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(&self.log);
    }
}

/// Takes a file out of the page cache.
fn evict(path: &Path) {
    let file = std::fs::File::open(path).expect("the map");
    file.sync_all().expect("sync");
    #[cfg(unix)]
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("fadvise");
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}

/// Bytes of which a codec saves about half: the second half of each 4 KiB repeats the first 64
/// bytes of it.
fn halves(len: usize) -> Vec<u8> {
    let mut bytes = noise(len);
    for page in bytes.chunks_exact_mut(PAGE) {
        let (noise, repeated) = page.split_at_mut(PAGE / 2);
        repeated.chunks_exact_mut(64).for_each(|line| line.copy_from_slice(&noise[..64]));
    }
    bytes
}

/// A stretch of bytes that differs from piece to piece, so that no two blocks are alike.
fn write_varied(map: &Map, name: &[u8], piece: &mut [u8], total: usize) -> u64 {
    let ino = map.write(|fs| fs.make(ROOT, name, FILE, OWNER, 0)).expect("make");
    for at in (0..total).step_by(piece.len()) {
        for (number, page) in piece.chunks_exact_mut(PAGE).enumerate() {
            page[..8].copy_from_slice(&((at + number) as u64).to_le_bytes());
        }
        map.write(|fs| fs.write(ino, at as u64, piece)).expect("write");
    }
    ino
}

fn read_through(map: &Map, ino: u64, total: usize, step: usize) -> f64 {
    let mut buf = vec![0; step];
    seconds(|| {
        for at in (0..total).step_by(step) {
            map.read(|fs| fs.read(View::Head, ino, at as u64, &mut buf)).expect("read");
        }
    })
}

/// Reads that find nothing in memory: neither in the engine nor in the page cache.
pub fn cold(scratch: &Scratch, total: usize, times: usize) {
    for (what, compression, goal) in [
        ("raw", Compression::Off, Goal::AtLeast(1.0)),
        ("compressed to half", Compression::All, Goal::AtLeast(1.0)),
    ] {
        let place = OnDisk::new(scratch, "cold");
        let map = place.create(total as u64, compression);
        let ino = write_varied(&map, b"large", &mut halves(MIB), total);
        map.close().expect("close");
        drop(map);
        for (size, step) in [("1 MiB", MIB), ("128 KiB", MIB / 8)] {
            let rate = median(
                (0..times)
                    .map(|_| {
                        evict(&place.path);
                        let map = place.open();
                        evict(&place.path);
                        total as f64 / 1e9 / read_through(&map, ino, total, step)
                    })
                    .collect(),
            );
            figure(&format!("cold sequential read by {size}, {what}"), rate, "GB/s", goal);
        }
        random_cold(&place, ino, total, what);
    }
}

fn random_cold(place: &OnDisk, ino: u64, total: usize, what: &str) {
    evict(&place.path);
    let map = place.open();
    evict(&place.path);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut buf = [0; PAGE];
    let count = (total / PAGE / 16).min(4000);
    let mut times: Vec<f64> = (0..count)
        .map(|_| {
            let at = (random.below(total / PAGE) * PAGE) as u64;
            seconds(|| {
                map.read(|fs| fs.read(View::Head, ino, at, &mut buf)).expect("read");
            }) * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let goal = |bound| if what == "raw" { Goal::AtMost(bound) } else { Goal::None };
    let at = |part: f64| times[(count as f64 * part) as usize];
    figure(&format!("cold random 4 KiB, {what}, p50"), at(0.5), "us", goal(95.0));
    figure(&format!("cold random 4 KiB, {what}, p99"), at(0.99), "us", goal(450.0));
}

/// Threads that read different blocks of one compressed file, all of it in the page cache.
pub fn threads(scratch: &Scratch, total: usize, times: usize) {
    let place = OnDisk::new(scratch, "threads");
    let map = place.create(total as u64, Compression::All);
    let ino = write_varied(&map, b"large", &mut halves(MIB), total);
    map.close().expect("close");
    drop(map);
    let map = place.open();
    const BLOCK: usize = 128 << 10;
    let run = |threads: usize| {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let map = &map;
                scope.spawn(move || {
                    let mut random = Random(77 + thread as u64);
                    let mut buf = vec![0; BLOCK];
                    for _ in 0..total / BLOCK / threads {
                        let at = (random.below(total / BLOCK) * BLOCK) as u64;
                        map.read(|fs| fs.read(View::Head, ino, at, &mut buf)).expect("read");
                    }
                });
            }
        });
        total as f64 / 1e9 / start.elapsed().as_secs_f64()
    };
    frames(&map, ino);
    run(1);
    let one = median((0..times).map(|_| run(1)).collect());
    let four = median((0..times).map(|_| run(4)).collect());
    figure("random blocks, compressed, 1 thread", one, "GB/s", Goal::None);
    figure("random blocks, compressed, 4 threads", four, "GB/s", Goal::None);
    figure("4 threads against 1", four / one, "times", Goal::AtLeast(1.7));
}

/// What a second, compressed level of cache would save: getting a frame's bytes from the page
/// cache and checking them, beside decompressing them, which it would not save.
fn frames(map: &Map, ino: u64) {
    let mut extents = Vec::new();
    map.read(|fs| {
        fs.for_stretches(View::Head, ino, 0, &mut |_, stretch| {
            if let Source::Zstd(extent) = &stretch.source {
                extents.push(*extent);
            }
            Ok(extents.len() < 400)
        })
    })
    .expect("stretches");
    let mut frames: Vec<Vec<u8>> =
        extents.iter().map(|extent| vec![0; usize::from(extent.clusters) * PAGE]).collect();
    let mut gather = || {
        for (extent, frame) in extents.iter().zip(&mut frames) {
            map.read(|fs| fs.store().read_extent(extent.first, frame)).expect("a frame");
        }
    };
    gather();
    let gathered = seconds(&mut gather);
    let mut decompressor = Decompressor::new();
    let mut content = vec![0; 128 << 10];
    let decompressed = seconds(|| {
        for (extent, frame) in extents.iter().zip(&frames) {
            let (frame, out) =
                (&frame[..extent.stored as usize], &mut content[..extent.logical as usize]);
            decompressor.decompress(frame, out).expect("a frame");
        }
    });
    let each = |time: f64| time / extents.len() as f64 * 1e6;
    figure("a frame from the page cache, checked", each(gathered), "us", Goal::None);
    figure("the same frame decompressed", each(decompressed), "us", Goal::None);
}

/// Small files that are in memory already, and changes of names.
pub fn small(count: usize) {
    let map = Map::create(&options(1 << 28, Compression::Off)).expect("create");
    let names: Vec<Vec<u8>> = (0..count).map(|at| format!("file-{at:05}.txt").into()).collect();
    let each = |what: &str, goal: Goal, work: &mut dyn FnMut(&[u8])| {
        let time = seconds(|| names.iter().for_each(|name| work(name)));
        figure(what, time / count as f64 * 1e6, "us", goal);
    };
    for (what, bytes) in [("100 bytes", noise(100)), ("4 KiB", noise(PAGE))] {
        each(&format!("create and write, {what}"), Goal::AtMost(8.0), &mut |name| {
            let ino = map.write(|fs| fs.make(ROOT, name, FILE, OWNER, 0)).expect("make");
            map.write(|fs| fs.write(ino, 0, &bytes)).expect("write");
        });
        map.sync().expect("sync");
        map.checkpoint().expect("checkpoint");
        let mut buf = [0; PAGE];
        let mut whole = |name: &[u8]| {
            let found = map.read(|fs| fs.lookup(View::Head, ROOT, name)).expect("lookup");
            let (ino, _) = found.expect("the name");
            map.read(|fs| fs.stat(View::Head, ino)).expect("stat");
            let read = map.read(|fs| fs.read(View::Head, ino, 0, &mut buf)).expect("read");
            assert_eq!(read, bytes.len());
        };
        each(&format!("first lookup, stat and read, {what}"), Goal::None, &mut whole);
        each(&format!("lookup, stat and read again, {what}"), Goal::None, &mut whole);
        let new = |name: &[u8]| [b"renamed-", name].concat();
        each(&format!("rename, {what}"), Goal::AtMost(6.0), &mut |name| {
            map.write(|fs| fs.rename(ROOT, name, ROOT, &new(name), Rename::Replace))
                .expect("rename");
        });
        each(&format!("unlink, {what}"), Goal::AtMost(6.0), &mut |name| {
            map.write(|fs| fs.unlink(ROOT, &new(name))).expect("unlink");
        });
        map.checkpoint().expect("checkpoint");
    }
}

/// A large file written in the pieces a kernel sends, and synced.
pub fn stream(scratch: &Scratch, total: usize, times: usize) {
    for (what, compression, goal) in [
        ("default settings", Compression::default(), Goal::AtLeast(600.0)),
        ("everything compressed", Compression::All, Goal::None),
    ] {
        let mut rates = Vec::new();
        let mut buffered = Vec::new();
        for _ in 0..times {
            let place = OnDisk::new(scratch, "stream");
            let map = place.create(total as u64, compression);
            let piece = halves(MIB);
            let start = Instant::now();
            write_large(&map, b"large", &piece, total);
            map.write(|fs| fs.flush_all(false)).expect("flush");
            buffered.push(total as f64 / 1e6 / start.elapsed().as_secs_f64());
            map.sync().expect("sync");
            rates.push(total as f64 / 1e6 / start.elapsed().as_secs_f64());
        }
        let buffered = median(buffered);
        figure(&format!("write by 1 MiB and flush, {what}"), buffered, "MB/s", Goal::None);
        figure(&format!("write by 1 MiB, flush and sync, {what}"), median(rates), "MB/s", goal);
    }
}

/// Random overwrites of single pages, with one sync at the end.
pub fn overwrite(scratch: &Scratch, total: usize, writes: usize) {
    for (what, compression, goal) in [
        ("raw", Compression::Off, Goal::AtLeast(50.0)),
        ("compressed", Compression::All, Goal::None),
    ] {
        let place = OnDisk::new(scratch, "overwrite");
        let map = place.create(total as u64, compression);
        let ino = write_varied(&map, b"large", &mut halves(MIB), total);
        map.checkpoint().expect("checkpoint");
        let page = noise(PAGE);
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        let start = Instant::now();
        for _ in 0..writes {
            let at = (random.below(total / PAGE) * PAGE) as u64;
            map.write(|fs| fs.write(ino, at, &page)).expect("write");
        }
        let written = start.elapsed().as_secs_f64();
        map.sync().expect("sync");
        let synced = start.elapsed().as_secs_f64();
        let rate = |time: f64| writes as f64 / 1e3 / time;
        figure(&format!("random 4 KiB overwrites, {what}"), rate(written), "k/s", Goal::None);
        figure(&format!("the same with the sync, {what}"), rate(synced), "k/s", goal);
        drop(map);
    }
}
