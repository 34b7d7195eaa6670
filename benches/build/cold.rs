//! One file of an image whose pages are not in the page cache.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use aetherflow::fs::path::Last;
use aetherflow::fs::{ROOT, View};
use aetherflow::map::{Map, Options};
use aetherflow::storage::file::{FileStorage, Mode};

/// Takes a file out of the page cache.
pub fn evict(path: &Path) {
    let file = File::open(path).expect("the image");
    let _ = file.sync_all();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("fadvise");
}

/// A sample of files, the same each time: up to 128 KiB, not empty.
pub fn sample(files: &[(String, u64)], count: usize) -> Vec<String> {
    let mut state = 88_172_645_463_325_252_u64;
    let fitting: Vec<&String> = files
        .iter()
        .filter(|(_, size)| (1..=128 << 10).contains(size))
        .map(|(path, _)| path)
        .collect();
    (0..count.min(fitting.len()))
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            fitting[(state % fitting.len() as u64) as usize].clone()
        })
        .collect()
}

pub struct Times {
    /// Seconds for finding and reading the file.
    pub read: Vec<f64>,
    /// The same with opening the image before.
    pub with_open: Vec<f64>,
}

fn open(image: &Path) -> Map {
    let storage = Arc::new(FileStorage::open(image, Mode::Read).expect("open"));
    Map::open_on(storage, None, false, &Options::default()).expect("a map")
}

/// One file after the other out of an image that was cold before the first: seconds for each.
pub fn map_after_one_eviction(image: &Path, files: &[String]) -> Vec<f64> {
    let map = open(image);
    evict(image);
    let timed = |path: &String| {
        let start = Instant::now();
        read_one(&map, path);
        start.elapsed().as_secs_f64()
    };
    files.iter().map(timed).collect()
}

/// Each file out of an image, and an engine, that are cold again.
pub fn map(image: &Path, files: &[String]) -> Times {
    let mut times = Times { read: Vec::new(), with_open: Vec::new() };
    for path in files {
        evict(image);
        let start = Instant::now();
        read_one(&open(image), path);
        times.with_open.push(start.elapsed().as_secs_f64());
        let map = open(image);
        evict(image);
        let start = Instant::now();
        read_one(&map, path);
        times.read.push(start.elapsed().as_secs_f64());
    }
    times
}

fn read_one(map: &Map, path: &str) {
    let length = map.read(|fs| {
        let ino = fs.resolve(View::Head, ROOT, path.as_bytes(), Last::Follow).expect("the file");
        let size = fs.stat(View::Head, ino).expect("its size").size;
        let mut bytes = vec![0; size as usize];
        fs.read(View::Head, ino, 0, &mut bytes).expect("its content")
    });
    assert!(length > 0);
}

/// The kernel's squashfs; `None` where it cannot be mounted. With `each`, mounted and cold anew for
/// each file, else once before the first.
pub fn squashfs(image: &Path, mount: &Path, files: &[String], each: bool) -> Option<Vec<f64>> {
    std::fs::create_dir_all(mount).ok()?;
    let quiet = |command: &mut Command| {
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let mut times = Vec::new();
    for group in files.chunks(if each { 1 } else { files.len().max(1) }) {
        if !quiet(Command::new("mount").args(["-o", "loop,ro"]).arg(image).arg(mount)) {
            return None;
        }
        evict(image);
        let mut whole = true;
        for path in group {
            let start = Instant::now();
            let bytes = std::fs::read(mount.join(path));
            times.push(start.elapsed().as_secs_f64());
            whole &= bytes.is_ok_and(|bytes| !bytes.is_empty());
        }
        if !quiet(Command::new("umount").arg(mount)) || !whole {
            return None;
        }
    }
    Some(times)
}
