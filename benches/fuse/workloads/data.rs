//! One large file: written and read as a stream, then in random places, then appends that are
//! each synced.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use rustix::fs::{Advice, fadvise};

use super::super::Result;
use super::super::contestants::{Contestant, Fresh};
use super::super::data::{Pattern, Random, is_stamped};
use super::super::measuring::{is_root, percentile};
use super::super::run::Run;
use super::{failed, note_daemon};

const BLOCK: usize = 1 << 20;
const PAGE: usize = 4096;

/// Writes `len` bytes to a new file in blocks and syncs it.
pub fn write_stream(path: &Path, len: u64, pattern: &mut Pattern) -> Result {
    let file = File::create(path).map_err(failed("creating the file"))?;
    for position in (0..len).step_by(BLOCK) {
        let block = pattern.at(position);
        file.write_all_at(block, position).map_err(failed("writing"))?;
    }
    file.sync_all().map_err(failed("fsync"))
}

/// Reads the file in blocks; the stamp of each page must be the one that was written there.
pub fn read_stream(path: &Path, len: u64) -> Result {
    let file = File::open(path).map_err(failed("opening the file"))?;
    let mut block = vec![0; BLOCK];
    for position in (0..len).step_by(BLOCK) {
        file.read_exact_at(&mut block, position).map_err(failed("reading"))?;
        if !is_stamped(&block, position) {
            return Err(format!("other bytes than were written, near {position}"));
        }
    }
    Ok(())
}

/// Microseconds of each of `count` reads of one page.
fn random_reads(path: &Path, pages: u64, count: usize) -> Result<Vec<f64>> {
    let file = File::open(path).map_err(failed("opening the file"))?;
    fadvise(&file, 0, None, Advice::Random).map_err(|error| format!("fadvise: {error}"))?;
    let mut random = Random::new(3);
    let mut page = vec![0; PAGE];
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let position = random.below(pages) * PAGE as u64;
        let start = Instant::now();
        file.read_exact_at(&mut page, position).map_err(failed("reading a page"))?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
        if !is_stamped(&page, position) {
            return Err(format!("other bytes than were written, at {position}"));
        }
    }
    Ok(times)
}

/// Microseconds of each of `count` writes of one page over the file; then it is synced.
fn random_writes(path: &Path, pages: u64, count: usize) -> Result<Vec<f64>> {
    let file = OpenOptions::new().write(true).open(path).map_err(failed("opening the file"))?;
    let mut pattern = Pattern::half(PAGE);
    let mut random = Random::new(5);
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let position = random.below(pages) * PAGE as u64;
        let page = pattern.at(position);
        let start = Instant::now();
        file.write_all_at(page, position).map_err(failed("writing a page"))?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    file.sync_all().map_err(failed("fsync"))?;
    Ok(times)
}

fn synced_appends(path: &Path, count: usize) -> Result {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let mut file = file.map_err(failed("creating the file"))?;
    let mut pattern = Pattern::half(PAGE);
    for number in 0..count {
        file.write_all(pattern.at((number * PAGE) as u64)).map_err(failed("appending"))?;
        file.sync_all().map_err(failed("fsync"))?;
    }
    Ok(())
}

pub fn measure(run: &mut Run, contestant: &mut Contestant) -> Result {
    let scale = run.arguments.scale;
    let kind = contestant.kind;
    let pages = scale.file / PAGE as u64;
    let megabytes = scale.file as f64 / 1e6;
    contestant.fresh(Fresh { bytes: scale.file })?;
    let path = contestant.root().join("large");
    let mut pattern = Pattern::half(BLOCK);
    let (time, used) = run.timed(contestant, || write_stream(&path, scale.file, &mut pattern))?;
    run.note("data: write 1M + fsync", kind, megabytes / time, used);
    if is_root() {
        contestant.go_cold()?;
        let (time, used) = run.timed(contestant, || read_stream(&path, scale.file))?;
        run.note("data: read cold", kind, megabytes / time, used);
    } else {
        read_stream(&path, scale.file)?;
    }
    let (time, used) = run.timed(contestant, || read_stream(&path, scale.file))?;
    run.note("data: read warm", kind, megabytes / time, used);
    if is_root() && run.wants_part("data: random read 4k") {
        contestant.go_cold()?;
        let mut times = Vec::new();
        let (_, used) = run.timed(contestant, || {
            times = random_reads(&path, pages, scale.random_reads)?;
            Ok(())
        })?;
        run.note("data: random read 4k cold p50", kind, percentile(&mut times, 0.5), used);
        run.note("data: random read 4k cold p99", kind, percentile(&mut times, 0.99), used);
    }
    if run.wants_part("data: random write 4k") {
        let mut times = Vec::new();
        let (time, used) = run.timed(contestant, || {
            times = random_writes(&path, pages, scale.random_writes)?;
            Ok(())
        })?;
        let each = scale.random_writes as f64 / time;
        run.note("data: random write 4k + fsync", kind, each, used);
        run.note("data: random write 4k p50", kind, percentile(&mut times, 0.5), used);
        read_stream(&path, scale.file)?;
    }
    let path = contestant.root().join("log");
    let (time, used) = run.timed(contestant, || synced_appends(&path, scale.appends))?;
    run.note("data: append 4k, each fsynced", kind, scale.appends as f64 / time, used);
    note_daemon(run, contestant, ["data: daemon, processor", "data: daemon, peak memory"])
}
