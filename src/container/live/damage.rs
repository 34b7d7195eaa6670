//! Changing pixels behind everything that keeps count of them, as a failing medium would.

use std::sync::PoisonError;

use super::Live;
use crate::base::limits::TILE;
use crate::base::{Code, Error, Result};
use crate::plane::disc::Span;

impl Live {
    /// Changes the four bytes of every pixel of `spans`, which are in the map. Neither the sums
    /// of the picture nor the checksums in it follow; what is cached of the bands goes. Returns
    /// the clusters that were hit, in ascending order.
    ///
    /// # Errors
    /// `Invalid` for pixels outside of the map; what the storage says, after which some pixels may
    /// have been changed.
    pub fn damage(&self, spans: &[Span]) -> Result<Vec<u64>> {
        let geometry = self.geometry();
        let mut clusters = Vec::new();
        let mut bytes = Vec::new();
        for span in spans {
            if span.sheet >= geometry.sheets()
                || span.row >= geometry.width()
                || span.to > geometry.width()
                || span.from >= span.to
            {
                return Err(Error::new(Code::Invalid, "pixels outside of the map"));
            }
            let band = span.sheet * geometry.side() + span.row / TILE;
            let row = geometry.row_offset((span.row % TILE) as usize) as u64;
            let offset = geometry.band_offset(band) + row + 1 + u64::from(span.from) * 4;
            let _writing = self.band_lock(band).write().unwrap_or_else(PoisonError::into_inner);
            let _counted = self.begin_write();
            bytes.resize(span.pixels() as usize * 4, 0);
            self.storage.read_at(offset, &mut bytes)?;
            for (at, byte) in (offset..).zip(&mut bytes) {
                *byte = byte.wrapping_add(step(at));
            }
            self.storage.write_at(offset, &bytes)?;
            self.cache.take(band);
            // What was known to be zero is so no more.
            self.lock_state().spend(band);
            let columns = span.from / TILE..=(span.to - 1) / TILE;
            clusters.extend(columns.map(|column| geometry.cluster_at(band, column)));
        }
        clusters.sort_unstable();
        clusters.dedup();
        Ok(clusters)
    }
}

/// What is added to the byte at a position of the file: an odd number that depends on the
/// position, so that no byte is what it was before it has been damaged 256 times.
fn step(position: u64) -> u8 {
    (position.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8 | 1
}
