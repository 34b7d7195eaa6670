//! Whole bands of the picture in memory, as stored: what compressed data and single clusters are
//! read from again. Keeping it coherent with writes is the owner's duty.

use crate::base::cache::ByteCache;

/// Bands by number.
pub(super) type BandCache = ByteCache<u32, Vec<u8>>;

/// A cache of at most `budget` bytes for bands of `band_len` bytes; 0 turns it off.
pub(super) fn new(budget: usize, band_len: usize) -> BandCache {
    ByteCache::new("bands", budget, band_len)
}
