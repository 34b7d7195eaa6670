//! Caches, cores, processes and percentiles: what measuring a mount needs of the system.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::thread::CpuSet;

use super::Result;

/// Ticks of `/proc/PID/stat` in a second, on every Linux.
const TICKS: f64 = 100.0;

/// Whether this process may drop the kernel's caches.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Writes everything out and drops pages, names and inodes. Only for root.
pub fn drop_kernel_caches() -> Result {
    rustix::fs::sync();
    fs::write("/proc/sys/vm/drop_caches", "3")
        .map_err(|error| format!("/proc/sys/vm/drop_caches: {error}"))
}

/// Keeps this thread, and the processes and threads it starts, on the first core.
pub struct Pinned(Option<CpuSet>);

impl Pinned {
    pub fn to_one_core() -> Pinned {
        let before = rustix::thread::sched_getaffinity(None).ok();
        let mut one = CpuSet::new();
        let first = (0..CpuSet::MAX_CPU).find(|&core| before.is_none_or(|set| set.is_set(core)));
        one.set(first.unwrap_or(0));
        Pinned(before.filter(|_| rustix::thread::sched_setaffinity(None, &one).is_ok()))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = rustix::thread::sched_setaffinity(None, before);
        }
    }
}

/// Whether something is mounted exactly at `point`, dead or alive.
pub fn is_mounted(point: &Path) -> bool {
    let list = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let wanted = point.to_string_lossy();
    list.lines().any(|line| line.split(' ').nth(4) == Some(&*wanted))
}

/// Kind of the filesystem `path` lies on, as the mount table calls it.
pub fn filesystem_of(path: &Path) -> Option<String> {
    let list = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mounts = list.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        Some((left.split(' ').nth(4)?, right.split(' ').next()?))
    });
    let around = mounts.filter(|(point, _)| path.starts_with(point));
    around.max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind.to_owned())
}

/// Fields of `/proc/PID/stat` from the state on, which is field 3 of proc(5).
fn stat_fields(pid: i32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    // A process that has ended and was not waited for is gone.
    if words.next()? == "Z" {
        return None;
    }
    Some(words.map(|word| word.parse().unwrap_or(0)).collect())
}

/// When a process started, in ticks since the boot; `None` when it is gone.
pub fn started(pid: i32) -> Option<u64> {
    stat_fields(pid)?.get(22 - 4).copied()
}

/// Seconds of processor time a process has used, in user mode and in the kernel.
pub fn processor_seconds(pid: i32) -> Option<f64> {
    let fields = stat_fields(pid)?;
    Some((fields.get(14 - 4)? + fields.get(15 - 4)?) as f64 / TICKS)
}

/// The most memory a process has had resident, in bytes.
pub fn peak_memory(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

/// Asks again and again until it is so, for at most `limit`.
pub fn wait_until(limit: Duration, mut so: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if so() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The value below which `share` of the values lie.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get(((values.len() as f64 * share) as usize).min(last)).copied().unwrap_or(f64::NAN)
}
