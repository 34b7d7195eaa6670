//! Which inodes are in use from outside, and how often.
//!
//! Shared and locked in parts, so that a lookup, which only reads the map, can hold what it found.
//! Whoever looks a name up does so under the reader's lock and holds the inode before letting go of
//! it; whoever removes a name has the writer's lock. So a held inode is never taken away unseen.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

/// A power of two.
const SHARDS: usize = 32;

/// Counts of holders by inode.
#[derive(Debug)]
pub struct Holds {
    shards: [Mutex<FxHashMap<u64, u64>>; SHARDS],
}

impl Default for Holds {
    fn default() -> Holds {
        Holds { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Holds {
    fn shard(&self, ino: u64) -> MutexGuard<'_, FxHashMap<u64, u64>> {
        self.shards[ino as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One holder more.
    pub fn add(&self, ino: u64) {
        *self.shard(ino).entry(ino).or_insert(0) += 1;
    }

    /// `count` holders fewer; whether none is left now. Giving back what nobody holds is nothing.
    pub fn subtract(&self, ino: u64, count: u64) -> bool {
        let mut shard = self.shard(ino);
        let Some(held) = shard.get_mut(&ino) else { return false };
        *held = held.saturating_sub(count);
        if *held > 0 {
            return false;
        }
        shard.remove(&ino);
        true
    }

    /// Whether anybody holds an inode.
    pub fn contains(&self, ino: u64) -> bool {
        self.shard(ino).contains_key(&ino)
    }

    /// Inodes that are held.
    pub fn len(&self) -> usize {
        (0..SHARDS as u64).map(|shard| self.shard(shard).len()).sum()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Inodes that are held, in no order.
    pub fn inodes(&self) -> Vec<u64> {
        (0..SHARDS as u64)
            .flat_map(|shard| self.shard(shard).keys().copied().collect::<Vec<_>>())
            .collect()
    }

    /// Everybody lets go.
    pub fn clear(&self) {
        (0..SHARDS as u64).for_each(|shard| self.shard(shard).clear());
    }
}
