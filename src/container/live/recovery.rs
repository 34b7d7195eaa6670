//! After a crash: the skeleton and the sums put right from what the log remembered.

use super::super::geometry::{Geometry, TRAILER};
use super::super::skeleton::{self, Totals};
use super::bands::distinct;
use super::{BandSums, Live, truncated};
use crate::base::order;
use crate::base::{Error, Result};
use std::sync::atomic::Ordering;

/// What the engine's superblock and log know about a map that was not closed.
#[derive(Clone, Copy, Debug)]
pub struct Recovery<'a> {
    /// Sheets the map has now, log included.
    pub sheets: u32,
    /// Sheets it had at the last checkpoint; the skeleton is rebuilt from this sheet on.
    pub skeleton_from_sheet: u32,
    /// What [`Live::totals_without`] gave at that checkpoint.
    pub totals: (u16, u16),
    /// The bands that were left out then.
    pub excluded: &'a [u32],
    /// Every band declared since, with its sums at the checkpoint. A band that occurs more than
    /// once counts with its first entry.
    pub touched: &'a [BandSums],
}

impl Live {
    /// Restores the picture's structure after a crash, so that the next [`Live::seal`] gives a
    /// valid PNG: reads only the bands the log names and those of sheets added since.
    ///
    /// # Errors
    /// `Corrupt` for bands outside the map or fewer sheets than at the checkpoint, `Truncated`
    /// when the file is shorter than at the checkpoint, else what the storage says.
    pub fn recover(&self, from: Recovery<'_>) -> Result<()> {
        let now = self.geometry().with_sheets(from.sheets)?;
        let then = now.with_sheets(from.skeleton_from_sheet)?;
        if then.sheets() > now.sheets() {
            return Err(Error::corrupt("the log has fewer sheets than the last checkpoint"));
        }
        if from.touched.iter().any(|touched| touched.band >= now.bands()) {
            return Err(Error::corrupt("the log names a band outside the map"));
        }
        let excluded = distinct(now, from.excluded)?;
        self.restore_length(then, now)?;
        self.cache.clear();

        let mut state = self.lock_state();
        state.touched.clear();
        // Totals are set at the end: until then settling a band must not count anything.
        state.totals = None;
        state.skeleton_sheets = now.sheets();
        state.ends_stale = true;
        self.sheets.store(now.sheets(), Ordering::Release);
        drop(state);

        let mut totals = Totals { s1: from.totals.0, s2: from.totals.1 };
        totals.append_zeros(now.picture_len() - then.picture_len());
        let mut scratch = Vec::new();
        let mut settle = |band| self.settle_band(now, band, &mut scratch);
        let mut touched = from.touched.to_vec();
        order::by_number(&mut touched, |touched| u64::from(touched.band));
        touched.dedup_by_key(|touched| touched.band);
        for &band in &excluded {
            totals.add(now, band, settle(band)?);
        }
        for before in touched {
            let counted_elsewhere = excluded.binary_search(&before.band).is_ok();
            if before.band < then.bands() && !counted_elsewhere {
                totals.remove(now, before.band, before.sums());
                totals.add(now, before.band, settle(before.band)?);
            }
        }
        for band in then.bands()..now.bands() {
            if excluded.binary_search(&band).is_err() {
                totals.add(now, band, settle(band)?);
            }
        }
        let mut state = self.lock_state();
        state.touched.clear();
        state.totals = Some(totals);
        Ok(())
    }

    /// A crash may have lost the growth of the file, or kept the growth and lost the clearing of
    /// the old trailer, which lies where the first new sheet begins.
    fn restore_length(&self, then: Geometry, now: Geometry) -> Result<()> {
        let len = self.storage.len()?;
        if len < then.trailer_offset() {
            return Err(truncated(len, then.file_len()));
        }
        if now.sheets() > then.sheets() {
            if len < now.file_len() {
                self.storage.set_len(now.file_len())?;
            }
            let mut bytes = [0; TRAILER as usize];
            self.storage.read_at(then.trailer_offset(), &mut bytes)?;
            if skeleton::is_trailer(&bytes) {
                self.storage.write_at(then.trailer_offset(), &[0; TRAILER as usize])?;
            }
        } else if len < now.file_len() {
            self.storage.set_len(now.file_len())?;
        }
        Ok(())
    }
}
