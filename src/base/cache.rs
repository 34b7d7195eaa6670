//! A cache with a budget in bytes, for what can be read again.
//!
//! What goes first is decided by `quick_cache`: a variant of Clock-PRO, close to S3-FIFO. One
//! pass over much data goes through its cold part and leaves what is used again and again in
//! place. Everything is counted, so that a budget can be judged.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use quick_cache::sync::{Cache, DefaultLifecycle, GuardResult};
use quick_cache::{Lifecycle, Weighter};
use rustc_hash::FxBuildHasher;

use super::Result;

/// Bytes an entry costs besides its content: the entry itself and the allocation's own.
const ENTRY: u64 = 96;

/// What one cache did, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheFigures {
    pub name: &'static str,
    pub hits: u64,
    pub misses: u64,
    /// Entries that had to make room; not those that were replaced or dropped.
    pub evictions: u64,
    /// Bytes held.
    pub bytes: u64,
    pub budget: u64,
}

/// Bytes shared between the cache and its readers.
#[derive(Clone, Debug)]
struct Weight;

impl<K, V: AsRef<[u8]>> Weighter<K, Arc<V>> for Weight {
    fn weight(&self, _: &K, value: &Arc<V>) -> u64 {
        (**value).as_ref().len() as u64 + ENTRY
    }
}

/// Counts what is evicted; it is let go outside the locks of the cache.
#[derive(Clone, Debug)]
struct Evictions(Arc<AtomicU64>);

impl<K, V> Lifecycle<K, V> for Evictions {
    type RequestState = <DefaultLifecycle<K, V> as Lifecycle<K, V>>::RequestState;

    fn on_evict(&self, state: &mut Self::RequestState, key: K, value: V) {
        self.0.fetch_add(1, Ordering::Relaxed);
        Lifecycle::on_evict(&DefaultLifecycle::default(), state, key, value);
    }
}

/// See the module's description. Cloned values are shared, not copied.
pub struct ByteCache<K, V> {
    name: &'static str,
    cache: Cache<K, Arc<V>, Weight, FxBuildHasher, Evictions>,
    budget: AtomicUsize,
    hits: AtomicU64,
    misses: AtomicU64,
    evictions: Arc<AtomicU64>,
}

impl<K: Copy + Eq + Hash, V: AsRef<[u8]>> ByteCache<K, V> {
    /// A cache of at most `budget` bytes for values of about `typical` bytes; 0 turns it off.
    pub fn new(name: &'static str, budget: usize, typical: usize) -> ByteCache<K, V> {
        let evictions = Arc::new(AtomicU64::new(0));
        let hook = Evictions(Arc::clone(&evictions));
        let items = budget / (typical + ENTRY as usize).max(1);
        ByteCache {
            name,
            cache: Cache::with(items, budget as u64, Weight, FxBuildHasher, hook),
            budget: AtomicUsize::new(budget),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            evictions,
        }
    }

    /// Sets the budget; what exceeds it goes at once.
    pub fn set_budget(&self, bytes: usize) {
        if self.budget.swap(bytes, Ordering::Relaxed) != bytes {
            self.cache.set_capacity(bytes as u64);
        }
    }

    pub fn budget(&self) -> usize {
        self.budget.load(Ordering::Relaxed)
    }

    /// Whether an entry of `len` bytes fits at all.
    pub fn takes(&self, len: usize) -> bool {
        len as u64 + ENTRY <= self.cache.shard_capacity()
    }

    fn count(&self, found: bool) {
        let counter = if found { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn get(&self, key: K) -> Option<Arc<V>> {
        if self.budget() == 0 {
            return None;
        }
        let found = self.cache.get(&key);
        self.count(found.is_some());
        found
    }

    /// Whether an entry is there; not counted as a use of it.
    pub fn holds(&self, key: K) -> bool {
        self.cache.contains_key(&key)
    }

    /// The entry, made by `make` when it is missing. Two that want the same at once make it once;
    /// no lock is held meanwhile.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn get_or_make(&self, key: K, make: impl FnOnce() -> Result<Arc<V>>) -> Result<Arc<V>> {
        if self.budget() == 0 {
            return make();
        }
        match self.cache.get_value_or_guard(&key, None) {
            GuardResult::Value(value) => {
                self.count(true);
                Ok(value)
            }
            GuardResult::Guard(guard) => {
                self.count(false);
                let value = make()?;
                // Refused only where the entry was removed meanwhile.
                let _ = guard.insert(Arc::clone(&value));
                Ok(value)
            }
            GuardResult::Timeout => make(),
        }
    }

    pub fn put(&self, key: K, value: Arc<V>) {
        if self.takes((*value).as_ref().len()) {
            self.cache.insert(key, value);
        } else {
            self.cache.remove(&key);
        }
    }

    /// Takes an entry out.
    pub fn take(&self, key: K) -> Option<Arc<V>> {
        self.cache.remove(&key).map(|(_, value)| value)
    }

    pub fn clear(&self) {
        self.cache.clear();
    }

    pub fn figures(&self) -> CacheFigures {
        CacheFigures {
            name: self.name,
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            evictions: self.evictions.load(Ordering::Relaxed),
            bytes: self.cache.weight(),
            budget: self.budget() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(len: usize) -> Arc<Vec<u8>> {
        Arc::new(vec![7; len])
    }

    #[test]
    fn the_budget_holds_and_everything_is_counted() {
        let cache = ByteCache::new("test", 100_000, 904);
        for key in 0..500u64 {
            cache.put(key, bytes(904));
        }
        let figures = cache.figures();
        assert!(figures.bytes <= 100_000, "{figures:?}");
        assert_eq!(figures.evictions, 500 - figures.bytes / 1000);
        let found = (0..500).filter(|&key| cache.get(key).is_some()).count() as u64;
        let figures = cache.figures();
        assert_eq!((figures.hits, figures.misses), (found, 500 - found));
        assert_eq!(found, figures.bytes / 1000);
        cache.set_budget(20_000);
        assert!(cache.figures().bytes <= 20_000);
        cache.clear();
        assert_eq!(cache.figures().bytes, 0);
        cache.put(1, bytes(10));
        assert_eq!(cache.take(1).unwrap().len(), 10);
        assert!(cache.take(1).is_none());
    }

    #[test]
    fn what_does_not_fit_is_not_kept_and_replaces_what_was() {
        let cache = ByteCache::new("test", 1000, 100);
        cache.put(1u32, bytes(100));
        cache.put(1, bytes(2000));
        assert!(cache.get(1).is_none());
        let off = ByteCache::new("test", 0, 100);
        off.put(1u32, bytes(1));
        assert!(off.get(1).is_none() && !off.takes(1));
        assert_eq!(off.figures().misses, 0);
    }

    /// Pages used again and again survive one pass over ten times as much as fits.
    #[test]
    fn a_scan_leaves_what_is_in_use() {
        let cache = ByteCache::new("test", 1000 * 1000, 904);
        let hot = 0..400u64;
        for _ in 0..4 {
            for key in hot.clone() {
                cache.get_or_make(key, || Ok(bytes(904))).unwrap();
            }
        }
        for key in 10_000..20_000 {
            cache.get_or_make(key, || Ok(bytes(904))).unwrap();
        }
        let kept = hot.clone().filter(|&key| cache.get(key).is_some()).count();
        assert!(kept >= 380, "{kept} of 400 are left after the scan");
    }

    #[test]
    fn two_that_want_the_same_make_it_once() {
        let cache = ByteCache::new("test", 1 << 20, 100);
        let made = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let value = cache.get_or_make(5u64, || {
                        made.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(std::time::Duration::from_millis(20));
                        Ok(bytes(100))
                    });
                    assert_eq!(value.unwrap().len(), 100);
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
        let failed = cache.get_or_make(6, || Err(crate::base::Error::corrupt("test")));
        assert!(failed.is_err());
        assert!(cache.get_or_make(6, || Ok(bytes(1))).is_ok());
    }
}
