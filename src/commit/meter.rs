//! Counters of what the engine did, for `stats`. Monotonic, relaxed, never used for decisions.

use std::sync::atomic::{AtomicU64, Ordering};

/// One counter.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Meter {
    /// Clusters read from the map and verified.
    pub clusters_read: Count,
    /// Clusters written to the map.
    pub clusters_written: Count,
    pub commits: Count,
    pub checkpoints: Count,
    /// Bytes appended to the log.
    pub log_bytes: Count,
    /// Bytes of file data before and after compression, for frames written.
    pub frames_logical: Count,
    pub frames_stored: Count,
}
