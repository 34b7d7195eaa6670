//! What is done to each contestant.
//!
//! * [`data`]: one large file: streams, random places, synced appends;
//! * [`names`]: ten thousand small files in one directory, everything on one core;
//! * [`tree`]: a source tree unpacked, read and removed, everything on one core;
//! * [`stream`]: much data and the daemon's memory;
//! * [`map`]: what only a map has: decompressing readers, recovery, its caches.

mod data;
mod map;
mod names;
mod stream;
mod tree;

use super::Result;
use super::contestants::{Contestant, Kind};
use super::run::Run;

pub struct Workload {
    /// What the names of its rows begin with.
    pub name: &'static str,
    /// All where empty.
    pub contestants: &'static [Kind],
    pub measure: fn(&mut Run, &mut Contestant) -> Result,
}

const MOUNTED: &[Kind] = &[Kind::Map, Kind::Passthrough, Kind::Fuse2fs];

pub const WORKLOADS: &[Workload] = &[
    Workload { name: "data", contestants: &[], measure: data::measure },
    Workload { name: "names, pinned", contestants: &[], measure: names::measure },
    Workload { name: "tree, pinned", contestants: &[], measure: tree::measure },
    Workload { name: "stream", contestants: MOUNTED, measure: stream::measure },
    Workload { name: "readers", contestants: &[Kind::Map], measure: map::readers },
    Workload { name: "recovery", contestants: &[Kind::Map], measure: map::recovery },
    Workload { name: "cache", contestants: &[Kind::Map], measure: map::cache },
];

/// A failed call as a sentence.
fn failed(what: &str) -> impl Fn(std::io::Error) -> String {
    move |error| format!("{what}: {error}")
}

/// Processor time and memory of the daemon over a whole workload.
fn note_daemon(
    run: &mut Run,
    contestant: &mut Contestant,
    [processor, memory]: [&'static str; 2],
) -> Result {
    contestant.unmount()?;
    if contestant.kind != Kind::Native {
        run.note(processor, contestant.kind, contestant.used(), 0.0);
        run.note(memory, contestant.kind, contestant.peak() as f64 / f64::from(1 << 20), 0.0);
    }
    Ok(())
}
