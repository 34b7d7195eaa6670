//! A state of the map that stays readable while the map goes on: for checks that take long.
//!
//! Pinning makes a checkpoint, so that everything is at home. From then on
//! * what was in use then is not given out again, whoever frees it;
//! * what stands at a home before something else is written there is kept in memory, which
//!   concerns nodes and pages of the table only: file data never changes where it lies;
//! * a pin that would keep more than [`KEPT`] pages breaks, and so does one whose map is closed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustc_hash::FxHashMap;

use super::checkpoint::slots;
use super::open::Environment;
use super::store::{Budget, Page, Store};
use crate::base::cache::CacheFigures;
use crate::base::limits::{CLUSTER, RUN};
use crate::base::{Code, Error, Result};
use crate::container::{Clusters, Geometry, Live};

/// Most pages that a pin keeps: 64 MiB.
const KEPT: usize = 1 << 14;
/// Budget of the caches over a pinned state.
const CACHES: usize = 8 << 20;

/// The clusters of a map as they were when it was pinned.
pub struct Pinned {
    live: Arc<Live>,
    geometry: Geometry,
    /// What stood where something else has been written since, or is about to be.
    before: Mutex<FxHashMap<u64, Arc<Page>>>,
    broken: AtomicBool,
}

impl Pinned {
    fn lock(&self) -> MutexGuard<'_, FxHashMap<u64, Arc<Page>>> {
        // Entries are added whole.
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the pinned state can no longer be read.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    fn break_off(&self) {
        self.broken.store(true, Ordering::Release);
        self.lock().clear();
    }

    /// Keeps what stands in these clusters, which are about to be written.
    ///
    /// # Errors
    /// Those of reading them.
    pub(super) fn keep(&self, clusters: impl Iterator<Item = u64>) -> Result<()> {
        for cluster in clusters.filter(|&cluster| cluster < self.geometry.clusters()) {
            if self.is_broken() {
                return Ok(());
            }
            let count = self.lock().len();
            if count >= KEPT {
                self.break_off();
            } else if !self.lock().contains_key(&cluster) {
                let mut page = [0; CLUSTER];
                self.live.read_run(cluster, &mut page)?;
                self.lock().insert(cluster, Arc::new(page));
            }
        }
        Ok(())
    }

    /// What was kept of some clusters. To be asked after reading them from the map: what is
    /// written there was kept before.
    fn kept(&self, clusters: impl Iterator<Item = u64>) -> Result<Vec<(usize, Arc<Page>)>> {
        if self.is_broken() {
            let what = "the map changed too much since the check began";
            return Err(Error::new(Code::Busy, what));
        }
        let before = self.lock();
        let found = |(index, cluster)| Some((index, Arc::clone(before.get(&cluster)?)));
        Ok(clusters.enumerate().filter_map(found).collect())
    }
}

impl Clusters for Pinned {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read_run(&self, first: u64, buf: &mut [u8]) -> Result<()> {
        let count = self.geometry.check_buffer(first, buf.len())?;
        self.live.read_run(first, buf)?;
        for (index, page) in self.kept(first..first + count as u64)? {
            buf[index * CLUSTER..][..CLUSTER].copy_from_slice(&page[..]);
        }
        Ok(())
    }

    fn read_band(&self, band: u32, rows: &mut [u8]) -> Result<()> {
        self.live.read_band(band, rows)?;
        let geometry = self.geometry;
        let clusters = (0..geometry.side()).map(|column| geometry.cluster_at(band, column));
        for (column, page) in self.kept(clusters)? {
            for (row, run) in rows.chunks_exact_mut(geometry.row_len()).zip(page.chunks_exact(RUN))
            {
                // A row begins with its filter byte.
                row[1 + column * RUN..][..RUN].copy_from_slice(run);
            }
        }
        Ok(())
    }

    fn cache_figures(&self) -> CacheFigures {
        self.live.cache_figures()
    }

    /// The cache is the map's own.
    fn drop_cache(&self) {}

    fn set_cache_budget(&self, _bytes: usize) {}
}

/// What the store knows of a pin.
#[derive(Default)]
pub(super) struct Pin {
    state: Weak<Pinned>,
    /// Freed durably, given out again when nobody reads the pinned state any more.
    held: Vec<(u64, u32)>,
}

impl Pin {
    /// The pinned state, while somebody reads it.
    pub fn state(&self) -> Option<Arc<Pinned>> {
        self.state.upgrade().filter(|state| !state.is_broken())
    }

    pub fn held(&self) -> &[(u64, u32)] {
        &self.held
    }
}

impl Store {
    /// Pins the present state, and gives it as a store of its own, which can only be read.
    ///
    /// # Errors
    /// Those of [`Store::checkpoint`]; `Busy` while another pin is read.
    pub fn pin(&mut self) -> Result<(Arc<Pinned>, Store)> {
        if self.pin.state().is_some() {
            return Err(Error::new(Code::Busy, "another check of this map is under way"));
        }
        self.checkpoint()?;
        self.release_held();
        self.check_writable()?;
        let Some(live) = self.live.clone() else {
            return Err(Error::new(Code::ReadOnly, "the map is open read-only"));
        };
        let pinned = Arc::new(Pinned {
            live,
            geometry: self.geometry,
            before: Mutex::default(),
            broken: AtomicBool::new(false),
        });
        pinned.keep(slots(self.geometry).into_iter())?;
        let environment = Environment {
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            check_node: self.check_node,
            budget: Budget::of(CACHES),
        };
        let store = Store::open_read_only(Arc::clone(&pinned) as Arc<dyn Clusters>, environment)?;
        self.pin.state = Arc::downgrade(&pinned);
        Ok((pinned, store))
    }

    /// Frees clusters for good, once nobody reads a state that has something in them.
    pub(super) fn give_back(&mut self, freed: impl IntoIterator<Item = (u64, u32)>) {
        self.pin.held.extend(freed);
        self.release_held();
    }

    /// Gives back what was held for a pin that nobody reads any more; whether there was any.
    pub(super) fn release_held(&mut self) -> bool {
        if self.pin.held.is_empty() || self.pin.state().is_some() {
            return false;
        }
        for (first, count) in std::mem::take(&mut self.pin.held) {
            self.space.give_back(first, count);
        }
        true
    }

    /// Ends a pin: what follows changes more than it can keep.
    pub(super) fn break_pin(&mut self) {
        if let Some(pinned) = self.pin.state() {
            pinned.break_off();
        }
    }
}
