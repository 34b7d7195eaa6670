//! The measurements.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use aetherflow::fs::{Compression, Settings};
use aetherflow::map::{Map, Options};
use aetherflow::native;
use aetherflow::storage::Storage;
use aetherflow::storage::file::{FileStorage, Mode};

use crate::cold;
use crate::support::{Goal, Scratch, figure, median, smoke};
use crate::tree::{self, Tree};

/// Builds one map, packs it, and prints the times: run as a process of its own, so that its peak
/// of memory is its own.
fn build_one(source: &Path, target: &Path, bytes: u64, width: Option<u32>) {
    let start = Instant::now();
    let settings = Settings { compression: Compression::All, ..Settings::default() };
    let options = Options { width, expected_size: bytes, settings, ..Options::default() };
    let storage: Arc<dyn Storage> =
        Arc::new(FileStorage::open(target, Mode::CreateNew).expect("a new file"));
    let map = Map::create_on(storage, None, &options).expect("create");
    let report = native::build(&map, source, &native::Options::default(), &mut |_, _| Ok(()))
        .expect("build");
    let placed = start.elapsed().as_secs_f64();
    map.close().expect("close");
    let closed = start.elapsed().as_secs_f64();
    let peak = peak_memory();
    let start = Instant::now();
    let mut out = std::io::BufWriter::new(
        std::fs::File::create(target.with_extension("packed.png")).expect("a new file"),
    );
    let mut write = |piece: &[u8]| Ok(std::io::Write::write_all(&mut out, piece)?);
    let packed = map.pack(false, &mut write, &mut |_, _| Ok(())).expect("pack");
    let pack = start.elapsed().as_secs_f64();
    println!("{placed} {closed} {peak} {packed} {pack} {}", report.repeats);
}

/// The most memory this process has held, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

struct Built {
    placed: f64,
    closed: f64,
    peak: f64,
    packed: f64,
    pack: f64,
    repeats: f64,
}

fn build_apart(source: &Tree, target: &Path, width: Option<u32>) -> Built {
    let _ = std::fs::remove_file(target);
    let exe = std::env::current_exe().expect("this program");
    let width = width.map_or("-".into(), |width| width.to_string());
    let output = Command::new(exe)
        .args(["--build-one".as_ref(), source.path.as_os_str(), target.as_os_str()])
        .args([source.bytes.to_string(), width])
        .stderr(Stdio::inherit())
        .output()
        .expect("a process of our own");
    assert!(output.status.success(), "the build failed");
    let text = String::from_utf8_lossy(&output.stdout);
    let values: Vec<f64> =
        text.split_whitespace().map(|value| value.parse().expect("a number")).collect();
    let &[placed, closed, peak, packed, pack, repeats] = values.as_slice() else {
        panic!("unexpected output: {text}")
    };
    Built { placed, closed, peak, packed, pack, repeats }
}

/// Seconds a tool takes; `None` where it is not installed or fails.
fn tool(command: &mut Command) -> Option<f64> {
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    status.success().then(|| start.elapsed().as_secs_f64())
}

fn size(path: &Path) -> f64 {
    std::fs::metadata(path).map_or(0.0, |meta| meta.len() as f64)
}

fn sync(path: &Path) -> f64 {
    let start = Instant::now();
    std::fs::File::open(path).and_then(|file| file.sync_all()).expect("sync");
    start.elapsed().as_secs_f64()
}

/// The other programs on the same tree: (name, image, seconds), each synced to be comparable.
fn peers(tree: &Tree, folder: &Path, times: usize) -> Vec<(&'static str, f64, f64, f64)> {
    let mut results = Vec::new();
    let mut measure = |name: &'static str, image: &str, command: &dyn Fn(&Path) -> Command| {
        let image = folder.join(image);
        let (mut plain, mut synced) = (Vec::new(), Vec::new());
        for _ in 0..times {
            let _ = std::fs::remove_file(&image);
            let Some(time) = tool(&mut command(&image)) else { return };
            plain.push(time);
            synced.push(time + sync(&image));
        }
        results.push((name, median(plain), median(synced), size(&image)));
    };
    measure("mksquashfs zstd 3", "tree.squashfs", &|image| {
        let mut command = Command::new("mksquashfs");
        command.arg(&tree.path).arg(image).args(["-comp", "zstd", "-Xcompression-level", "3"]);
        command.args(["-processors", "2", "-noappend", "-no-progress"]);
        command
    });
    measure("zip -6", "tree.zip", &|image| {
        let mut command = Command::new("zip");
        command.args(["-6", "-q", "-r", "-y"]).arg(image).arg(".").current_dir(&tree.path);
        command
    });
    measure("sqlite3 -A", "tree.sqlar", &|image| {
        let mut command = Command::new("sqlite3");
        command.arg(image).args(["-Ac", "."]).current_dir(&tree.path);
        command
    });
    results
}

fn micros(times: Vec<f64>) -> f64 {
    median(times) * 1e6
}

pub fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--build-one") {
        let [source, target, bytes, width] = &args[at + 1..at + 5] else { return };
        let (bytes, width) = (bytes.parse().expect("bytes"), width.parse().ok());
        return build_one(Path::new(source), Path::new(target), bytes, width);
    }
    if let Some(at) = args.iter().position(|arg| arg == "--read-one") {
        let times = cold::map(Path::new(&args[at + 1]), &args[at + 2..]);
        return println!("{:?} {:?}", times.read, times.with_open);
    }
    let widths = args.iter().any(|arg| arg == "--widths");
    let small = smoke();
    let tree = tree::assemble(small);
    let megabytes = tree.bytes as f64 / 1e6;
    println!("the tree: {} files, {megabytes:.0} MB", tree.files);
    let scratch = Scratch::new("build");
    let times = if small || widths { 1 } else { 3 };
    let image = scratch.0.join("tree.rts.png");

    if widths {
        return compare_widths(&tree, &image);
    }
    let mut runs: Vec<Built> = (0..times).map(|_| build_apart(&tree, &image, None)).collect();
    let peers = peers(&tree, &scratch.0, times);
    runs.sort_by(|a, b| a.closed.total_cmp(&b.closed));
    let middle = &runs[runs.len() / 2];
    for (name, plain, synced, size) in &peers {
        let what = format!("{name}: {:.0} MB, {synced:.2} s with fsync", size / 1e6);
        figure(&what, *plain, "s", Goal::None);
    }
    let squash = peers.iter().find(|peer| peer.0.starts_with("mksquashfs"));
    let goal = |value: Option<f64>, times: f64| {
        value.map_or(Goal::None, |value| Goal::AtMost(value * times))
    };
    let (time, bytes) = (squash.map(|peer| peer.2), squash.map(|peer| peer.3 / 1e6));
    figure("native build, zstd 3, until placed", middle.placed, "s", Goal::None);
    figure("native build, closed and synced", middle.closed, "s", goal(time, 1.0));
    figure("image", size(&image) / 1e6, "MB", Goal::None);
    figure("packed image", middle.packed / 1e6, "MB", goal(bytes, 1.05));
    figure("packing it", middle.pack, "s", Goal::AtMost(1.0));
    figure("peak memory of the build", middle.peak / 1e6, "MB", Goal::AtMost(300.0));
    println!("files found twice or more: {}", middle.repeats);

    let sample = cold::sample(&tree::files(&tree.path), if small { 20 } else { 500 });
    let times = cold::map_after_one_eviction(&image, &sample);
    figure("a file of many, cold before the first, p50", micros(times), "us", Goal::AtMost(250.0));
    let mount = scratch.0.join("mount");
    let squashfs = squash.is_some().then(|| scratch.0.join("tree.squashfs"));
    if let Some(squashfs) = &squashfs
        && let Some(times) = cold::squashfs(squashfs, &mount, &sample, false)
    {
        figure("the same, kernel squashfs, p50", micros(times), "us", Goal::None);
    }
    let times = cold::map(&image, &sample);
    figure("a file, everything cold, p50", micros(times.read), "us", Goal::None);
    figure("the same, opening the map too, p50", micros(times.with_open), "us", Goal::None);
    if let Some(squashfs) = &squashfs
        && let Some(times) = cold::squashfs(squashfs, &mount, &sample, true)
    {
        figure("a file, everything cold, kernel squashfs, p50", micros(times), "us", Goal::None);
    }
}

/// The table that settles the rule for the width.
fn compare_widths(tree: &Tree, image: &Path) {
    let sample = cold::sample(&tree::files(&tree.path), 300);
    for width in [256, 512, 1024, 2048, 4096] {
        let built = build_apart(tree, image, Some(width));
        let times = cold::map(image, &sample);
        println!(
            "width {width}: build {:.2} s, closed {:.2} s, image {:.0} MB, packed {:.1} MB in \
             {:.2} s, cold read {:.0} us, with opening {:.0} us",
            built.placed,
            built.closed,
            size(image) / 1e6,
            built.packed / 1e6,
            built.pack,
            micros(times.read),
            micros(times.with_open)
        );
    }
}
