//! A small cache of whole bands with a byte budget, least recently used out first.
//!
//! Keeping it coherent with writes is the owner's duty.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

#[derive(Default)]
struct Entries {
    bands: FxHashMap<u32, (Arc<Vec<u8>>, u64)>,
    bytes: usize,
    clock: u64,
}

impl Entries {
    /// Drops the least recently used eighth, at least one: looking at all of them to find one
    /// would cost more than it gives.
    fn drop_oldest(&mut self) {
        let mut uses: Vec<u64> = self.bands.values().map(|(_, used)| *used).collect();
        let eighth = uses.len() / 8;
        let (_, &mut limit, _) = uses.select_nth_unstable(eighth);
        let bytes = &mut self.bytes;
        self.bands.retain(|_, (old, used)| {
            let keep = *used > limit;
            *bytes -= if keep { 0 } else { old.len() };
            keep
        });
    }
}

pub(super) struct BandCache {
    budget: AtomicUsize,
    entries: Mutex<Entries>,
}

impl BandCache {
    /// A cache of at most `budget` bytes; 0 turns it off.
    pub fn new(budget: usize) -> BandCache {
        BandCache { budget: AtomicUsize::new(budget), entries: Mutex::default() }
    }

    /// Sets the budget; what exceeds it goes at once.
    pub fn set_budget(&self, bytes: usize) {
        self.budget.store(bytes, Ordering::Relaxed);
        let mut entries = self.lock();
        while entries.bytes > bytes {
            entries.drop_oldest();
        }
    }

    fn budget(&self) -> usize {
        self.budget.load(Ordering::Relaxed)
    }

    /// Whether an entry of `len` bytes fits at all.
    pub fn takes(&self, len: usize) -> bool {
        len <= self.budget()
    }

    pub fn get(&self, band: u32) -> Option<Arc<Vec<u8>>> {
        if self.budget() == 0 {
            return None;
        }
        let mut entries = self.lock();
        entries.clock += 1;
        let now = entries.clock;
        let (bytes, used) = entries.bands.get_mut(&band)?;
        *used = now;
        Some(Arc::clone(bytes))
    }

    /// Takes a band out, to change it and put it back.
    pub fn take(&self, band: u32) -> Option<Arc<Vec<u8>>> {
        if self.budget() == 0 {
            return None;
        }
        let mut entries = self.lock();
        let (bytes, _) = entries.bands.remove(&band)?;
        entries.bytes -= bytes.len();
        Some(bytes)
    }

    pub fn put(&self, band: u32, bytes: Arc<Vec<u8>>) {
        if !self.takes(bytes.len()) {
            return;
        }
        let mut entries = self.lock();
        entries.clock += 1;
        let now = entries.clock;
        entries.bytes += bytes.len();
        if let Some((old, _)) = entries.bands.insert(band, (bytes, now)) {
            entries.bytes -= old.len();
        }
        while entries.bytes > self.budget() {
            entries.drop_oldest();
        }
    }

    pub fn clear(&self) {
        let mut entries = self.lock();
        entries.bands.clear();
        entries.bytes = 0;
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // A panic elsewhere cannot leave an entry half made; its bytes are shared, not changed.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_the_budget_holds() {
        let cache = BandCache::new(100);
        for band in 0..3 {
            cache.put(band, Arc::new(vec![band as u8; 40]));
            assert!(cache.get(0).is_some());
        }
        assert!(cache.get(1).is_none());
        assert_eq!(cache.get(2).unwrap()[0], 2);
        cache.put(2, Arc::new(vec![9; 60]));
        assert_eq!(cache.get(2).unwrap()[0], 9);
        assert_eq!(cache.take(2).unwrap().len(), 60);
        assert!(cache.get(2).is_none());
        cache.put(5, Arc::new(vec![0; 101]));
        assert!(cache.get(5).is_none());
        cache.clear();
        assert!(cache.get(0).is_none());
        assert!(!BandCache::new(0).takes(1));
    }
}
