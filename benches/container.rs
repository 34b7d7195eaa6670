//! Measures the container: clusters in and out of a live map, seals, packing.
//!
//! Goals: in memory at least 5 GB/s for long runs both ways, at most 1.5 us for a random cluster
//! at width 1024; packing an incompressible picture at 300 MB/s or more. Not a goal: disks. The
//! file figures are those of the page cache.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use aetherflow::container::pack::{Edits, pack, unpack};
use aetherflow::container::{Live, Packed};
use aetherflow::storage::Storage;
use aetherflow::storage::file::{FileStorage, Mode};
use aetherflow::storage::mem::MemStorage;

// Each benchmark uses a part of it.
#[allow(dead_code)]
mod support;

use support::{Goal, figure, noise};

const CLUSTER: usize = 4096;

/// Seconds of the fastest of several runs of `work`.
fn best(rounds: usize, mut work: impl FnMut()) -> f64 {
    (0..rounds)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

fn measure(name: &str, storage: Arc<dyn Storage>, width: u32, rounds: usize) {
    let sheets = (64 << 20) / (4 * width * width).max(1);
    let live = Live::create(storage, width, sheets.max(1)).expect("create");
    let clusters = live.geometry().clusters().min(16384);
    let per_sheet = u64::from(live.geometry().sheet_clusters());
    for sheet in 0..u64::from(live.geometry().sheets()) {
        live.declare(&[(sheet * per_sheet, per_sheet as u32)]).expect("declare");
    }
    let data = noise(1024 * CLUSTER);
    let mut buf = vec![0; 1024 * CLUSTER];
    print!("{name:8} {width:5}");
    for run in [16_u64, 256, 1024].map(|run| run.min(per_sheet)) {
        let bytes = (clusters / run * run) as f64 * CLUSTER as f64;
        let len = run as usize * CLUSTER;
        let write = best(rounds, || {
            for first in (0..clusters / run).map(|at| at * run) {
                live.write_run(first, &data[..len]).expect("write");
            }
        });
        let read = best(rounds, || {
            for first in (0..clusters / run).map(|at| at * run) {
                live.read_run(first, &mut buf[..len]).expect("read");
            }
        });
        // The figures that have goals are those of memory at a middling width.
        if name == "memory" && width == 1024 && run == 1024 {
            println!();
            figure("gather, memory", bytes / read / 1e9, "GB/s", Goal::AtLeast(5.0));
            figure("scatter, memory", bytes / write / 1e9, "GB/s", Goal::AtLeast(5.0));
        }
        print!("  run {run:4}: in {:5.2} out {:5.2} GB/s", bytes / read / 1e9, bytes / write / 1e9);
    }
    let order: Vec<u64> = (0..4000_u64).map(|at| at * 7919 % clusters).collect();
    let read = best(rounds, || {
        for &cluster in &order {
            live.read_run(cluster, black_box(&mut buf[..CLUSTER])).expect("read");
        }
    });
    let write = best(rounds, || {
        for &cluster in &order {
            live.write_run(cluster, &data[..CLUSTER]).expect("write");
        }
    });
    let each = 1e6 / order.len() as f64;
    print!("  random: in {:6.2} out {:6.2} us", read * each, write * each);
    if name == "memory" && width == 1024 {
        println!();
        figure("random cluster, memory", read * each, "us", Goal::AtMost(1.5));
    }
    let start = Instant::now();
    live.seal().expect("seal");
    println!("  seal {:5.1} ms", start.elapsed().as_secs_f64() * 1e3);
}

/// Packing speed and size for noise with padding, and the way back.
fn measure_pack(width: u32, sheets: u32) {
    let live = Live::create(Arc::new(MemStorage::new()), width, sheets).expect("create");
    let clusters = live.geometry().clusters();
    let per_sheet = u64::from(live.geometry().sheet_clusters());
    let mut data = noise(per_sheet as usize * CLUSTER);
    // The last cluster of every 16 is half padding.
    data.chunks_exact_mut(CLUSTER).step_by(16).for_each(|cluster| cluster[2048..].fill(0));
    for sheet in 0..u64::from(sheets) {
        live.declare(&[(sheet * per_sheet, per_sheet as u32)]).expect("declare");
        live.write_run(sheet * per_sheet, &data).expect("write");
    }
    let bytes = clusters as f64 * CLUSTER as f64;
    let mut out = Vec::with_capacity(bytes as usize * 2);
    let seconds = best(3, || {
        out.clear();
        let mut push = |piece: &[u8]| {
            out.extend_from_slice(piece);
            Ok(())
        };
        pack(&live, Edits::NONE, &mut push, &mut |_, _| Ok(())).expect("pack");
    });
    let nonzero = bytes * (1.0 - 1.0 / 32.0);
    let what = format!("packing, width {width}");
    figure(&what, bytes / seconds / 1e6, "MB/s", Goal::AtLeast(300.0));
    print!(
        "pack {width:5}: {:4.0} MB/s, {:+.2} % over the data",
        bytes / seconds / 1e6,
        (out.len() as f64 / nonzero - 1.0) * 100.0
    );
    let packed = Packed::open(Arc::new(MemStorage::from_bytes(&out)), 4 << 20).expect("open");
    let seconds = best(2, || {
        unpack(&packed, Arc::new(MemStorage::new()), &mut |_, _| Ok(())).expect("unpack");
    });
    println!(", unpack {:4.0} MB/s", bytes / seconds / 1e6);
}

fn main() {
    let tiny = support::smoke();
    let rounds = if tiny { 1 } else { 5 };
    let widths: &[u32] = if tiny { &[1024] } else { &[256, 1024, 2048, 4096] };
    for &width in widths {
        measure("memory", Arc::new(MemStorage::new()), width, rounds);
    }
    for (width, sheets) in [(256, 16), (1024, 8)] {
        measure_pack(width, if tiny { 1 } else { sheets });
    }
    for &width in widths {
        let path = std::env::temp_dir().join(format!("aetherflow-bench-{}", std::process::id()));
        let file = FileStorage::open(&path, Mode::CreateNew).expect("a scratch file");
        measure("file", Arc::new(file), width, rounds.min(2));
        std::fs::remove_file(&path).expect("remove the scratch file");
    }
}
