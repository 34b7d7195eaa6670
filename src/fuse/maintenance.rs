//! What idle time is used for: reading over everything that is stored, so that damage is found
//! before somebody needs the data, and compressing what the map's policy wants compressed.
//!
//! One small step at a time, none while anybody asks for anything; a whole pass a day.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::state::State;
use crate::base::{Code, Error, Result};
use crate::check::scrub::scrub_band;
use crate::fs::recompress::Compressing;
use crate::map::Map;

/// Nobody has asked for anything for so long: the mount is idle.
pub(super) const IDLE: Duration = Duration::from_secs(3);
/// Between two passes.
const PAUSE: Duration = Duration::from_secs(24 * 3600);
/// Bands read over in one step.
const BANDS: u32 = 16;

enum Work {
    Scrub {
        band: u32,
    },
    /// For a file that is to be compressed, from this inode on.
    Look {
        ino: u64,
    },
    Compress {
        compressing: Compressing,
        next: Option<u64>,
    },
    Rest {
        until: Instant,
    },
}

/// Where maintenance stands.
pub(super) struct Upkeep {
    work: Work,
    damaged: u64,
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

impl Upkeep {
    pub(super) fn new() -> Upkeep {
        Upkeep { work: Work::Look { ino: 0 }, damaged: 0 }
    }

    /// Whether there is anything to do now.
    pub(super) fn is_due(&self) -> bool {
        !matches!(self.work, Work::Rest { until } if Instant::now() < until)
    }

    /// Does one step.
    pub(super) fn step(&mut self, map: &Map, state: &State) {
        let done = match self.work {
            Work::Rest { .. } => Ok(Work::Look { ino: 0 }),
            Work::Look { ino } => look(map, state, ino),
            Work::Compress { compressing, next } => compress(map, state, compressing, next),
            Work::Scrub { band } => self.scrub(map, state, band),
        };
        self.work = done.unwrap_or_else(|error| {
            log::warn!("maintenance stops for today: {error}");
            Work::Rest { until: Instant::now() + PAUSE }
        });
    }

    fn scrub(&mut self, map: &Map, state: &State, from: u32) -> Result<Work> {
        let bands = map.read(|fs| fs.store().geometry().bands());
        let until = bands.min(from + BANDS);
        for band in from..until {
            let scrubbed = map.read(|fs| scrub_band(fs, band))?;
            add(&state.maintenance.clusters_read, scrubbed.clusters);
            add(&state.maintenance.clusters_damaged, scrubbed.damaged.len() as u64);
            if self.damaged == 0
                && let Some(cluster) = scrubbed.damaged.first()
            {
                log::error!(
                    "cluster {cluster} is damaged; 'aetherflow verify' names the files it belongs to"
                );
            }
            self.damaged += scrubbed.damaged.len() as u64;
        }
        if until < bands {
            return Ok(Work::Scrub { band: until });
        }
        add(&state.maintenance.passes, 1);
        Ok(Work::Rest { until: Instant::now() + PAUSE })
    }
}

/// Looks for the next file that is to be compressed.
fn look(map: &Map, state: &State, from: u64) -> Result<Work> {
    if state.is_read_only() {
        return Ok(Work::Scrub { band: 0 });
    }
    let (found, next) = map.read(|fs| fs.next_to_compress(from))?;
    if let Some(ino) = found {
        // Between the look and now it may have been removed, or have become something else.
        let begun = map.write(|fs| fs.compress_begin(ino, fs.settings().level, false));
        if let Ok(Some(compressing)) = begun {
            return Ok(Work::Compress { compressing, next });
        }
    }
    Ok(next.map_or(Work::Scrub { band: 0 }, |ino| Work::Look { ino }))
}

/// Compresses the next part of a file.
fn compress(
    map: &Map,
    state: &State,
    mut compressing: Compressing,
    next: Option<u64>,
) -> Result<Work> {
    let gone = |error: &Error| matches!(error.code(), Code::NotFound | Code::IsDirectory);
    match map.write(|fs| fs.compress_step(&mut compressing)) {
        Ok(true) => return Ok(Work::Compress { compressing, next }),
        Ok(false) => {
            let done = map.read(|fs| fs.compress_end(&compressing))?;
            add(&state.maintenance.files_compressed, done.files);
            let saved = done.stored_before.saturating_sub(done.stored_after);
            add(&state.maintenance.bytes_saved, saved);
        }
        Err(error) if gone(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(next.map_or(Work::Scrub { band: 0 }, |ino| Work::Look { ino }))
}
