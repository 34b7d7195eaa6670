//! What only a map has: several readers decompressing, recovery after a crash of its daemon, and
//! caches of its own.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Advice, OFlags, fadvise};

use super::super::Result;
use super::super::contestants::{Contestant, Fresh};
use super::super::control::cache_traffic;
use super::super::data::{Pattern, Random, is_stamped};
use super::super::measuring::is_root;
use super::super::run::Run;
use super::data::{read_stream, write_stream};
use super::failed;

/// What a frame holds, and the largest read of older kernels.
const PIECE: usize = 128 << 10;

/// Without the kernel's cache between, or at least without its read-ahead.
fn open_direct(path: &Path) -> Result<File> {
    let direct =
        OpenOptions::new().read(true).custom_flags(OFlags::DIRECT.bits() as i32).open(path);
    if let Ok(file) = direct {
        return Ok(file);
    }
    let file = File::open(path).map_err(failed("opening the file"))?;
    fadvise(&file, 0, None, Advice::Random).map_err(|error| format!("fadvise: {error}"))?;
    Ok(file)
}

fn read_pieces(path: &Path, pieces: &[u64]) -> Result {
    let file = open_direct(path)?;
    // Direct reads want an aligned buffer of some filesystems, and none of FUSE.
    let mut buffer = vec![0; PIECE];
    for &piece in pieces {
        let position = piece * PIECE as u64;
        file.read_exact_at(&mut buffer, position).map_err(failed("reading a piece"))?;
        if !is_stamped(&buffer, position) {
            return Err(format!("other bytes than were written, near {position}"));
        }
    }
    Ok(())
}

pub fn readers(run: &mut Run, contestant: &mut Contestant) -> Result {
    if !is_root() {
        return Ok(());
    }
    const READERS: usize = 4;
    let len = run.arguments.scale.shared;
    let kind = contestant.kind;
    contestant.fresh(Fresh { bytes: len })?;
    let path = contestant.root().join("words");
    write_stream(&path, len, &mut Pattern::words(1 << 20))?;
    let mut pieces: Vec<u64> = (0..len / PIECE as u64).collect();
    Random::new(19).shuffle(&mut pieces);
    let megabytes = len as f64 / 1e6;
    contestant.go_cold()?;
    let (alone, used) = run.timed(contestant, || read_pieces(&path, &pieces))?;
    run.note("readers: 1 decompressing", kind, megabytes / alone, used);
    contestant.go_cold()?;
    let (together, used) = run.timed(contestant, || {
        std::thread::scope(|scope| {
            let shares = pieces.chunks(pieces.len().div_ceil(READERS));
            let path = &path;
            let threads: Vec<_> =
                shares.map(|share| scope.spawn(move || read_pieces(path, share))).collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().map_err(|_| "a reader stopped".to_owned()).flatten()
            })
        })
    })?;
    run.note("readers: 4 decompressing", kind, megabytes / together, used);
    run.note("readers: 4 against 1", kind, alone / together, 0.0);
    Ok(())
}

/// Writes files, each synced, until the mount is gone; returns those that were synced.
fn write_until_it_fails(folder: &Path) -> Vec<PathBuf> {
    let mut pattern = Pattern::half(64 << 10);
    let mut synced = Vec::new();
    for number in 0_u64.. {
        let path = folder.join(format!("file-{number}"));
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(pattern.at(number << 20))?;
            if number % 4 == 0 { file.sync_all().map(|()| true) } else { Ok(false) }
        };
        let mut write = write;
        match write() {
            Ok(true) => synced.push(path),
            Ok(false) => {}
            Err(_) => break,
        }
    }
    synced
}

pub fn recovery(run: &mut Run, contestant: &mut Contestant) -> Result {
    let kind = contestant.kind;
    contestant.fresh(Fresh { bytes: 1 << 30 })?;
    let folder = contestant.root();
    let synced = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_until_it_fails(&folder));
        std::thread::sleep(Duration::from_millis(run.arguments.scale.load));
        contestant.kill();
        writer.join().map_err(|_| "the writer stopped".to_owned())
    })?;
    let start = std::time::Instant::now();
    contestant.mount()?;
    run.note("recovery: mount after kill -9", kind, start.elapsed().as_secs_f64() * 1e3, 0.0);
    for path in &synced {
        let bytes = fs::read(path).map_err(failed("a file that was synced"))?;
        if bytes.len() != 64 << 10 {
            return Err(format!("{} was synced and has {} bytes", path.display(), bytes.len()));
        }
    }
    if synced.is_empty() { Err("nothing was synced before the crash".into()) } else { Ok(()) }
}

pub fn cache(run: &mut Run, contestant: &mut Contestant) -> Result {
    if !is_root() {
        return Ok(());
    }
    let len = (32 << 20).min(run.arguments.scale.file);
    contestant.fresh(Fresh { bytes: len })?;
    let path = contestant.root().join("working-set");
    write_stream(&path, len, &mut Pattern::half(1 << 20))?;
    contestant.go_cold()?;
    let socket = contestant.socket().ok_or("the map has no control socket")?.to_path_buf();
    let again = || {
        read_stream(&path, len)?;
        let file = File::open(&path).map_err(failed("opening the file"))?;
        fadvise(&file, 0, None, Advice::DontNeed).map_err(|error| format!("fadvise: {error}"))
    };
    again()?;
    let before = cache_traffic(&socket)?;
    again()?;
    again()?;
    let after = cache_traffic(&socket)?;
    let (hits, misses) = (after.0 - before.0, after.1 - before.1);
    if hits + misses == 0 {
        return Err("the reads did not come by the engine's caches".into());
    }
    let rate = hits as f64 / (hits + misses) as f64 * 100.0;
    run.note("cache: hits in 32 MiB read again", contestant.kind, rate, 0.0);
    Ok(())
}
