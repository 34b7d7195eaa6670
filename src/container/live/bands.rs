//! Which bands were touched, what their sums are, and making the file a strict PNG again.

use std::sync::{Arc, PoisonError};

use super::super::geometry::{BLOCK_HEAD, CHUNK_HEAD, Geometry};
use super::super::skeleton::{self, Sums, Totals};
use super::{BandSums, Live, State, Touched};
use crate::base::limits::TILE;
use crate::base::{Code, Error, Result};

/// Bytes of new bands that are declared together.
const AHEAD: usize = 32 << 20;

impl Live {
    /// Declares that the runs `(first cluster, clusters)` are about to be written. Gives those of
    /// their bands that were not declared since the last [`Live::mark_clean`], with the sums of
    /// what is in them now, in ascending order. The caller must make these durable before it
    /// writes: after a crash [`Live::recover`] needs them.
    ///
    /// # Errors
    /// `Invalid` for a run that leaves its sheet or the map, else what the storage says.
    pub fn declare(&self, runs: &[(u64, u32)]) -> Result<Vec<BandSums>> {
        self.declare_runs(runs, false)
    }

    /// As [`Live::declare`], with new bands of the same sheets that are likely to come next.
    ///
    /// # Errors
    /// As [`Live::declare`].
    pub fn declare_ahead(&self, runs: &[(u64, u32)]) -> Result<Vec<BandSums>> {
        self.declare_runs(runs, true)
    }

    fn declare_runs(&self, runs: &[(u64, u32)], ahead: bool) -> Result<Vec<BandSums>> {
        let geometry = self.geometry();
        let mut bands = Vec::new();
        for &(first, count) in runs {
            geometry.check_run(first, u64::from(count))?;
            for cluster in first..first + u64::from(count) {
                let band = geometry.band_of(cluster);
                if bands.last() != Some(&band) {
                    bands.push(band);
                }
            }
        }
        self.declare_bands(geometry, bands, ahead)
    }

    fn declare_bands(
        &self,
        geometry: Geometry,
        mut bands: Vec<u32>,
        ahead: bool,
    ) -> Result<Vec<BandSums>> {
        bands.sort_unstable();
        bands.dedup();
        let state = self.lock_state();
        bands.retain(|band| !state.touched.get(band).is_some_and(|touched| touched.declared));
        if ahead {
            state.look_ahead(geometry, &mut bands);
        }
        drop(state);
        let mut declared = Vec::with_capacity(bands.len());
        for band in bands {
            let _reading = self.band_lock(band).write().unwrap_or_else(PoisonError::into_inner);
            let fresh = self.lock_state().is_fresh(band);
            let sums = if fresh { Sums::default() } else { self.sums_now(geometry, band)? };
            let mut state = self.lock_state();
            state.count(geometry, band, sums);
            let touched = state.touched.entry(band).or_insert(Touched::counted(sums));
            if !touched.declared {
                touched.declared = true;
                declared.push(BandSums::new(band, sums));
            }
        }
        Ok(declared)
    }

    /// The safety net under [`Live::declare`]: a write to an undeclared band is a bug of the
    /// caller, and must still not lose the picture's sums.
    pub(super) fn declare_missing(
        &self,
        geometry: Geometry,
        bands: impl Iterator<Item = u32>,
    ) -> Result<()> {
        let state = self.lock_state();
        let mut last = None;
        let mut missing = Vec::new();
        for band in bands {
            if last != Some(band)
                && !state.touched.get(&band).is_some_and(|touched| touched.declared)
            {
                missing.push(band);
            }
            last = Some(band);
        }
        drop(state);
        debug_assert!(
            missing.is_empty(),
            "bands {missing:?} were written before they were declared"
        );
        if !missing.is_empty() {
            self.declare_bands(geometry, missing, false)?;
        }
        Ok(())
    }

    /// Forgets which bands were touched: call it when a checkpoint is durable.
    pub fn mark_clean(&self) {
        let mut state = self.lock_state();
        state.touched.retain(|_, touched| {
            touched.declared = false;
            touched.stale
        });
    }

    pub(super) fn mark_stale(&self, bands: impl Iterator<Item = u32>) {
        let mut state = self.lock_state();
        state.ends_stale = true;
        for band in bands {
            state.spend(band);
            if let Some(touched) = state.touched.get_mut(&band) {
                touched.stale = true;
            }
        }
    }

    /// Takes `sums` as those of a band whose CRC in the file is right.
    pub(super) fn mark_settled(&self, geometry: Geometry, band: u32, sums: Sums) {
        let mut state = self.lock_state();
        state.spend(band);
        // A band nobody touched is counted with the sums it has; only new ones count as zero.
        state.touched.entry(band).or_insert(Touched::counted(Sums::default()));
        state.count(geometry, band, sums);
        if let Some(touched) = state.touched.get_mut(&band) {
            touched.stale = false;
        }
    }

    /// The sums of a band's rows as they are in the storage. The caller holds the band's lock:
    /// what was read goes into the cache.
    pub(super) fn sums_now(&self, geometry: Geometry, band: u32) -> Result<Sums> {
        let (offset, len) = (geometry.band_offset(band), geometry.band_len());
        if let Some(memory) = self.storage.as_memory() {
            let reader = memory.reader();
            if reader.is_absent(offset, len) {
                return Ok(Sums::default());
            }
            if let Some(bytes) = reader.slice(offset, len) {
                return Ok(skeleton::band_sums(geometry, bytes));
            }
        }
        if let Some(bytes) = self.cache.get(band) {
            return Ok(skeleton::band_sums(geometry, &bytes));
        }
        let mut bytes = vec![0; len];
        self.storage.read_at(offset, &mut bytes)?;
        let sums = skeleton::band_sums(geometry, &bytes);
        if self.storage.as_memory().is_none() {
            // The write that was announced will want the band again.
            self.cache.put(band, Arc::new(bytes));
        }
        Ok(sums)
    }

    /// Puts a band's headers, filter bytes and CRC right where they are not; gives its sums.
    pub(super) fn settle_band(
        &self,
        geometry: Geometry,
        band: u32,
        scratch: &mut Vec<u8>,
    ) -> Result<Sums> {
        let _writing = self.band_lock(band).write().unwrap_or_else(PoisonError::into_inner);
        let _counted = self.begin_write();
        // Unmarked before looking: a write to memory that comes in between marks it again.
        self.lock_state().touched.entry(band).or_insert(Touched::counted(Sums::default())).stale =
            false;
        let outcome = match self.settle_in_memory(geometry, band) {
            Ok(None) => self.settle_in_storage(geometry, band, scratch),
            Ok(Some(sums)) => Ok(sums),
            Err(error) => Err(error),
        };
        match &outcome {
            Ok(sums) => self.lock_state().count(geometry, band, *sums),
            Err(_) => self.mark_stale([band].into_iter()),
        }
        outcome
    }

    fn settle_in_storage(
        &self,
        geometry: Geometry,
        band: u32,
        scratch: &mut Vec<u8>,
    ) -> Result<Sums> {
        let offset = geometry.band_offset(band);
        scratch.resize(geometry.band_len(), 0);
        self.storage.read_at(offset, scratch)?;
        let found = structure(geometry, scratch);
        skeleton::put_band_headers(geometry, scratch);
        skeleton::put_band_crc(scratch);
        let mut changed = false;
        for (range, was) in structure_ranges(geometry).zip(found) {
            if scratch[range.clone()] != was[..range.len()] {
                self.storage.write_at(offset + range.start as u64, &scratch[range])?;
                changed = true;
            }
        }
        if changed {
            self.cache.take(band);
        }
        Ok(skeleton::band_sums(geometry, scratch))
    }

    /// The short way for a band that lies in one piece of memory with its headers in place.
    fn settle_in_memory(&self, geometry: Geometry, band: u32) -> Result<Option<Sums>> {
        let Some(memory) = self.storage.as_memory() else { return Ok(None) };
        let (offset, len) = (geometry.band_offset(band), geometry.band_len());
        let reader = memory.reader();
        let Some(bytes) = reader.slice(offset, len) else { return Ok(None) };
        let headers_right = bytes[..CHUNK_HEAD] == skeleton::chunk_head(geometry)
            && (0..geometry.blocks()).all(|block| {
                let at = geometry.row_offset(block * geometry.block_rows());
                bytes[at - BLOCK_HEAD..at] == skeleton::block_head(geometry, block)
            })
            && (0..TILE as usize).all(|row| bytes[geometry.row_offset(row)] == 0);
        if !headers_right {
            return Ok(None);
        }
        let crc = crate::base::checksum::crc32(&bytes[4..len - 4]).to_be_bytes();
        let crc_right = bytes[len - 4..] == crc;
        let sums = skeleton::band_sums(geometry, bytes);
        drop(reader);
        if !crc_right {
            memory.writer().write(offset + len as u64 - 4, &crc)?;
        }
        Ok(Some(sums))
    }

    /// Brings CRCs, headers and sums of every stale or new band up to date.
    pub(super) fn settle(&self) -> Result<()> {
        let geometry = self.geometry();
        let state = self.lock_state();
        let new = state.skeleton_sheets * geometry.sheet_bands()..geometry.bands();
        let stale =
            state.touched.iter().filter(|(_, touched)| touched.stale).map(|(&band, _)| band);
        let mut bands: Vec<u32> = stale.filter(|band| !new.contains(band)).collect();
        // What was written whole since its sheet came has its headers and its CRC.
        let written = |band: &u32| {
            !state.is_fresh(*band) && state.touched.get(band).is_some_and(|touched| !touched.stale)
        };
        bands.extend(new.filter(|band| !written(band)));
        drop(state);
        bands.sort_unstable();
        let mut scratch = Vec::new();
        let mut blank = Vec::new();
        for band in bands {
            if !self.settle_fresh(geometry, band, &mut blank)? {
                self.settle_band(geometry, band, &mut scratch)?;
            }
        }
        self.lock_state().skeleton_sheets = geometry.sheets();
        Ok(())
    }

    /// Writes headers and CRC of a band that is known to hold zeros, without reading it. `false`,
    /// with nothing written, for any other. `blank` keeps the bytes of such a band.
    fn settle_fresh(&self, geometry: Geometry, band: u32, blank: &mut Vec<u8>) -> Result<bool> {
        let _writing = self.band_lock(band).write().unwrap_or_else(PoisonError::into_inner);
        // Plain memory is written without a band lock, so nothing is known of it here.
        if self.storage.as_memory().is_some() || !self.lock_state().is_fresh(band) {
            return Ok(false);
        }
        if blank.is_empty() {
            blank.resize(geometry.band_len(), 0);
            skeleton::put_band_headers(geometry, blank);
            skeleton::put_band_crc(blank);
        }
        let _counted = self.begin_write();
        self.cache.take(band);
        let offset = geometry.band_offset(band);
        for range in structure_ranges(geometry) {
            let bytes = &blank[range.clone()];
            if bytes.iter().any(|&byte| byte != 0) {
                self.storage.write_at(offset + range.start as u64, bytes)?;
            }
        }
        Ok(true)
    }

    /// Makes the file a strictly valid PNG: CRCs of stale bands, headers of new ones, IHDR,
    /// Adler-32, IEND and the file's length. Becomes durable with the next [`Live::sync`].
    ///
    /// # Errors
    /// What the storage says; sealing may be tried again.
    pub fn seal(&self) -> Result<()> {
        if self.lock_state().totals.is_none() {
            return self.rebuild_skeleton();
        }
        self.settle()?;
        let geometry = self.geometry();
        let mut state = self.lock_state();
        let (true, Some(totals)) = (state.ends_stale, state.totals) else { return Ok(()) };
        self.write_ends(geometry, totals)?;
        state.ends_stale = false;
        Ok(())
    }

    /// Length, trailer, and IHDR last: until it is written the file is the old picture.
    fn write_ends(&self, geometry: Geometry, totals: Totals) -> Result<()> {
        if self.storage.len()? != geometry.file_len() {
            self.storage.set_len(geometry.file_len())?;
        }
        let trailer = skeleton::trailer(totals.adler(geometry));
        self.storage.write_at(geometry.trailer_offset(), &trailer)?;
        self.storage.write_at(0, &skeleton::header(geometry))
    }

    /// Rewrites every header, CRC and sum from the pixels alone, and seals. Reads everything, one
    /// band at a time.
    ///
    /// # Errors
    /// What the storage says.
    pub fn rebuild_skeleton(&self) -> Result<()> {
        let geometry = self.geometry();
        if self.storage.len()? < geometry.file_len() {
            self.storage.set_len(geometry.file_len())?;
        }
        self.cache.clear();
        // Bands written meanwhile are marked stale and counted by difference, like any other.
        let mut totals = Totals::default();
        let mut scratch = Vec::new();
        self.lock_state().totals = None;
        for band in 0..geometry.bands() {
            let sums = self.settle_band(geometry, band, &mut scratch)?;
            totals.add(geometry, band, sums);
        }
        let mut state = self.lock_state();
        state.totals = Some(totals);
        state.touched.retain(|_, touched| touched.declared || touched.stale);
        state.skeleton_sheets = geometry.sheets();
        state.ends_stale = true;
        drop(state);
        self.seal()
    }

    /// The picture's sums with some bands counted as all zero. The superblock stores it, which
    /// itself lies in two of the bands. Settles stale bands first.
    ///
    /// # Errors
    /// `Invalid` for a band outside the map, or when the totals are not known yet (neither
    /// [`Live::set_totals_without`] nor a recovery nor a rebuild has run); else what the storage
    /// says.
    pub fn totals_without(&self, bands: &[u32]) -> Result<(u16, u16)> {
        self.settle()?;
        let geometry = self.geometry();
        let mut totals = self.lock_state().totals.ok_or_else(|| {
            Error::new(Code::Invalid, "the sums of the picture are not known yet")
        })?;
        for band in distinct(geometry, bands)? {
            let _reading = self.band_lock(band).read().unwrap_or_else(PoisonError::into_inner);
            totals.remove(geometry, band, self.sums_now(geometry, band)?);
        }
        Ok((totals.s1, totals.s2))
    }

    /// Restores the picture's sums on opening: what [`Live::totals_without`] gave for the same
    /// bands and the same number of sheets. Reads just these bands.
    ///
    /// # Errors
    /// `Invalid` for a band outside the map, else what the storage says.
    pub fn set_totals_without(&self, bands: &[u32], sums: (u16, u16)) -> Result<()> {
        let geometry = self.geometry();
        let mut totals = Totals { s1: sums.0, s2: sums.1 };
        for band in distinct(geometry, bands)? {
            let _reading = self.band_lock(band).read().unwrap_or_else(PoisonError::into_inner);
            totals.add(geometry, band, self.sums_now(geometry, band)?);
        }
        self.lock_state().totals = Some(totals);
        Ok(())
    }
}

impl Touched {
    fn counted(sums: Sums) -> Touched {
        Touched { declared: false, counted: sums, stale: false }
    }
}

impl State {
    /// Adds fresh bands of the same sheets and of those that follow: what is written there is
    /// soon followed by more, they cost nothing to declare, and each declaration costs the caller
    /// a sync of its log.
    fn look_ahead(&self, geometry: Geometry, bands: &mut Vec<u32>) {
        let more = (AHEAD / geometry.band_len()).max(geometry.sheet_bands() as usize);
        let Some(first) = bands.iter().find(|&&band| self.is_fresh(band)) else { return };
        let start = first / geometry.sheet_bands() * geometry.sheet_bands();
        let asked = bands.len();
        let ahead: Vec<u32> = (start..geometry.bands())
            .filter(|band| {
                self.is_fresh(*band)
                    && !self.touched.get(band).is_some_and(|touched| touched.declared)
                    && bands[..asked].binary_search(band).is_err()
            })
            .take(more)
            .collect();
        bands.extend(ahead);
        bands.sort_unstable();
    }

    /// Makes the totals count `sums` for a touched band.
    fn count(&mut self, geometry: Geometry, band: u32, sums: Sums) {
        let Some(touched) = self.touched.get_mut(&band) else { return };
        if touched.counted != sums {
            if let Some(totals) = &mut self.totals {
                totals.remove(geometry, band, touched.counted);
                totals.add(geometry, band, sums);
            }
            touched.counted = sums;
            self.ends_stale = true;
        }
    }
}

/// The bands once each, checked.
pub(super) fn distinct(geometry: Geometry, bands: &[u32]) -> Result<Vec<u32>> {
    let mut bands = bands.to_vec();
    bands.sort_unstable();
    bands.dedup();
    match bands.last() {
        Some(&last) if last >= geometry.bands() => {
            Err(Error::new(Code::Invalid, format!("band {last} lies outside the map")))
        }
        _ => Ok(bands),
    }
}

/// The byte ranges of a band's chunk that are not pixels: chunk header, block headers, filter
/// bytes (a block header and the filter byte behind it as one), CRC.
fn structure_ranges(geometry: Geometry) -> impl Iterator<Item = std::ops::Range<usize>> {
    let rows = (0..TILE as usize).map(move |row| {
        let at = geometry.row_offset(row);
        let head = match row {
            0 => at,
            _ if row % geometry.block_rows() == 0 => BLOCK_HEAD,
            _ => 0,
        };
        at - head..at + 1
    });
    let len = geometry.band_len();
    rows.chain(std::iter::once(len - 4..len))
}

/// The bytes at [`structure_ranges`], each padded to the longest.
fn structure(geometry: Geometry, band: &[u8]) -> Vec<[u8; CHUNK_HEAD + BLOCK_HEAD + 1]> {
    structure_ranges(geometry)
        .map(|range| {
            let mut was = [0; CHUNK_HEAD + BLOCK_HEAD + 1];
            was[..range.len()].copy_from_slice(&band[range]);
            was
        })
        .collect()
}

impl Live {
    /// After opening a map whose log is empty: marks what a crash between writing the superblock
    /// and sealing the picture may have left old, so that [`Live::seal`] writes it, and seals.
    /// `bands` are those that hold the superblocks. Reads these bands and the file's two ends.
    ///
    /// # Errors
    /// What the storage says.
    pub fn mend_ends(&self, bands: &[u32]) -> Result<()> {
        let geometry = self.geometry();
        let Some(totals) = self.lock_state().totals else { return Ok(()) };
        for band in distinct(geometry, bands)? {
            let mut bytes = vec![0; geometry.band_len()];
            self.storage.read_at(geometry.band_offset(band), &mut bytes)?;
            let mut right = bytes.clone();
            skeleton::put_band_headers(geometry, &mut right);
            skeleton::put_band_crc(&mut right);
            if right != bytes {
                // The totals count this band already, with these bytes.
                let counted = Touched::counted(skeleton::band_sums(geometry, &bytes));
                self.lock_state().touched.entry(band).or_insert(counted);
                let mut scratch = Vec::new();
                self.settle_band(geometry, band, &mut scratch)?;
            }
        }
        let header = skeleton::header(geometry);
        let trailer = skeleton::trailer(totals.adler(geometry));
        let whole = self.storage.len()? == geometry.file_len() && {
            let mut start = vec![0; header.len()];
            let mut end = vec![0; trailer.len()];
            self.storage.read_at(0, &mut start)?;
            self.storage.read_at(geometry.trailer_offset(), &mut end)?;
            start == header && end == trailer
        };
        if !whole {
            self.lock_state().ends_stale = true;
        }
        self.seal()
    }
}
