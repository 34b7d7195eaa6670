//! Whether a mount may be written.
//!
//! A mount that cannot keep what it is given says so at once: it becomes read-only, and everything
//! that asks is told why. A full disk may end; a failed write may not, since nobody knows what the
//! disk holds now.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::base::{Code, Error};

const WRITABLE: u8 = 0;
const READ_ONLY: u8 = 1;
const FULL: u8 = 2;
const FAILED: u8 = 3;

/// What may be done with a mount now.
#[derive(Debug)]
pub struct State {
    now: AtomicU8,
    reason: Mutex<Option<String>>,
    /// Requests from the kernel so far.
    pub requests: Requests,
    pub maintenance: Maintenance,
}

/// What idle time was used for.
#[derive(Debug, Default)]
pub struct Maintenance {
    /// Clusters of file data read over and compared with their checksums.
    pub clusters_read: AtomicU64,
    pub clusters_damaged: AtomicU64,
    /// Times that all of them were.
    pub passes: AtomicU64,
    pub files_compressed: AtomicU64,
    pub bytes_saved: AtomicU64,
}

/// Counts of what was asked.
#[derive(Debug, Default)]
pub struct Requests {
    pub lookups: AtomicU64,
    pub attributes: AtomicU64,
    pub reads: AtomicU64,
    pub read_bytes: AtomicU64,
    pub writes: AtomicU64,
    pub written_bytes: AtomicU64,
    pub changes: AtomicU64,
    pub listings: AtomicU64,
    pub syncs: AtomicU64,
    pub errors: AtomicU64,
}

impl Requests {
    /// All of them.
    pub fn total(&self) -> u64 {
        [
            &self.lookups,
            &self.attributes,
            &self.reads,
            &self.writes,
            &self.changes,
            &self.listings,
            &self.syncs,
        ]
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .sum()
    }
}

/// One more.
pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl State {
    pub fn new(read_only: bool) -> State {
        State {
            now: AtomicU8::new(if read_only { READ_ONLY } else { WRITABLE }),
            reason: Mutex::new(None),
            requests: Requests::default(),
            maintenance: Maintenance::default(),
        }
    }

    /// Whether changes are refused.
    pub fn is_read_only(&self) -> bool {
        self.now.load(Ordering::Relaxed) != WRITABLE
    }

    /// Whether the disk is full, and may have room again.
    pub fn is_full(&self) -> bool {
        self.now.load(Ordering::Relaxed) == FULL
    }

    /// As `status` names it.
    pub fn name(&self) -> &'static str {
        match self.now.load(Ordering::Relaxed) {
            WRITABLE => "read-write",
            READ_ONLY => "read-only",
            _ => "degraded",
        }
    }

    /// Why a mount that was to be writable is not.
    pub fn reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A change failed. Where that means that more would fail too, the mount becomes read-only.
    pub fn change_failed(&self, error: &Error) {
        if matches!(error.code(), Code::Io | Code::Poisoned) {
            self.degrade(FAILED, format!("a write failed: {error}; unmount and mount again"));
        }
    }

    /// What was accepted could not be made durable.
    pub fn commit_failed(&self, error: &Error, medium_failed: bool) {
        match error.code() {
            Code::NoSpace if medium_failed => {
                self.degrade(
                    FAILED,
                    format!("no space was left for the log: {error}; unmount and mount again"),
                );
            }
            // One file is damaged; everything else is durable.
            Code::Corrupt => log::error!("a damaged file could not be made durable: {error}"),
            Code::NoSpace => self.degrade(
                FULL,
                format!("no space is left for what was written: {error}; it is tried again"),
            ),
            _ => self.degrade(FAILED, format!("a commit failed: {error}; unmount and mount again")),
        }
    }

    /// What waited for space is durable now.
    pub fn recovered(&self) {
        if self.now.compare_exchange(FULL, WRITABLE, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = None;
            log::warn!("there is space again: the mount is writable");
        }
    }

    fn degrade(&self, to: u8, reason: String) {
        let before = self.now.fetch_max(to, Ordering::Relaxed);
        if before < to && before != READ_ONLY {
            log::error!("the mount is read-only from now on: {reason}");
            *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_may_end_a_failed_write_may_not() {
        let state = State::new(false);
        state.change_failed(&Error::new(Code::NotFound, "nothing there"));
        assert!(!state.is_read_only());
        state.commit_failed(&Error::new(Code::NoSpace, "disk full"), false);
        assert_eq!((state.is_full(), state.name()), (true, "degraded"));
        state.recovered();
        assert_eq!((state.is_read_only(), state.reason()), (false, None));
        state.change_failed(&Error::new(Code::Io, "the disk is gone"));
        state.commit_failed(&Error::new(Code::NoSpace, "disk full"), false);
        state.recovered();
        assert!(state.is_read_only() && !state.is_full());
        assert!(state.reason().unwrap().contains("the disk is gone"));
    }
}
