//! Moving clusters between the caller and the storage, band by band.
//!
//! With positional I/O a band can be reached by one call over its whole span or by one call per
//! tile row. A call costs about as much as copying [`CALL_COST`] bytes, so the choice is made by
//! bytes: 32 calls per stretch of adjacent tiles against one call over everything between them.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use super::super::geometry::Geometry;
use super::super::runs::{self, Tile};
use super::super::skeleton;
use super::{LOCKS, Live};
use crate::base::Result;
use crate::base::limits::{CLUSTER, RUN, TILE};
use crate::storage::mem::{MemReader, MemStorage, MemWriter, Rows};

/// Bytes copied by one positional call in the time the call itself takes: 0.65 us at 14 GB/s,
/// measured in the page cache.
const CALL_COST: usize = 9000;

/// Bands that follow each other are read by one call when they span at most this many bytes, or
/// when at least half of it is wanted.
const PATCH: usize = 160 << 10;
/// Bytes of bands that are read or written by one call, where a band is not longer itself.
const TOGETHER: usize = 272 << 10;

/// Whether tile rows should be moved one by one: `moved` is what the other way would move.
fn by_rows<T>(group: &[Tile<T>], moved: usize) -> bool {
    let calls = runs::segments(group).count() * TILE as usize;
    calls * CALL_COST + group.len() * CLUSTER < moved
}

/// Bands that follow each other and are moved by one call: as many as stay in the processor's
/// cache between the copy and the call. The kernel takes a long write at two or three times the
/// speed of the same bytes band by band. A power of two, so that no such group is cut by the end
/// of a round of the band locks.
fn bands_together(geometry: Geometry) -> u32 {
    let most = (TOGETHER / geometry.band_len()).clamp(1, LOCKS) as u32;
    1 << most.ilog2()
}

/// Whether a sorted group is all tiles of its band. Counted by stretches, so that a cluster given
/// twice cannot pass for its neighbour.
fn is_whole<T>(geometry: Geometry, group: &[Tile<T>]) -> bool {
    group.len() == geometry.side() as usize && runs::segments(group).count() == 1
}

/// A tile's rows as they lie in the file.
fn file_rows(geometry: Geometry, band: u32, column: u32) -> impl Iterator<Item = Rows> {
    let start = geometry.band_offset(band);
    runs::tile_rows(geometry, column).map(move |rows| Rows { offset: rows.offset + start, ..rows })
}

/// Requests of at least this many tiles are copied line by line over adjacent tiles: long lines
/// keep the processor's prefetching busy. Below, sorting costs more than it brings.
const BY_LINES: usize = 4;

/// Copies one tile out of plain memory.
#[inline]
fn gather_one(geometry: Geometry, reader: &MemReader<'_>, tile: Tile<&mut [u8]>) -> Result<()> {
    let mut rest = tile.bytes;
    for rows in file_rows(geometry, tile.band, tile.column) {
        let (now, later) = rest.split_at_mut(rows.rows * RUN);
        reader.gather(rows, now)?;
        rest = later;
    }
    Ok(())
}

/// Copies tiles out of plain memory under one lock.
pub(super) fn gather_memory<'a>(
    geometry: Geometry,
    memory: &MemStorage,
    count: usize,
    mut tiles: impl Iterator<Item = Tile<&'a mut [u8]>>,
) -> Result<()> {
    let reader = memory.reader();
    if count < BY_LINES {
        return tiles.try_for_each(|tile| gather_one(geometry, &reader, tile));
    }
    let mut tiles: Vec<_> = tiles.collect();
    runs::sort(&mut tiles);
    for group in tiles.chunk_by_mut(|a, b| a.band == b.band && b.column == a.column + 1) {
        let start = geometry.band_offset(group[0].band);
        let column = 1 + group[0].column as usize * RUN;
        for row in 0..TILE as usize {
            let at = start + (geometry.row_offset(row) + column) as u64;
            let run = row * RUN..(row + 1) * RUN;
            if let Some(line) = reader.slice(at, group.len() * RUN) {
                for (tile, bytes) in group.iter_mut().zip(line.chunks_exact(RUN)) {
                    tile.bytes[run.clone()].copy_from_slice(bytes);
                }
                continue;
            }
            for (place, tile) in group.iter_mut().enumerate() {
                reader.read(at + (place * RUN) as u64, &mut tile.bytes[run.clone()])?;
            }
        }
    }
    Ok(())
}

/// Copies tiles into plain memory.
fn scatter_all(
    geometry: Geometry,
    writer: &mut MemWriter<'_>,
    tiles: &mut [Tile<&[u8]>],
) -> Result<()> {
    if tiles.len() >= BY_LINES {
        runs::sort(tiles);
    }
    for group in tiles.chunk_by(|a, b| a.band == b.band && b.column == a.column + 1) {
        if let [tile] = group {
            let mut rest = tile.bytes;
            for rows in file_rows(geometry, tile.band, tile.column) {
                let (now, later) = rest.split_at(rows.rows * RUN);
                writer.scatter(rows, now)?;
                rest = later;
            }
            continue;
        }
        let start = geometry.band_offset(group[0].band);
        let column = 1 + group[0].column as usize * RUN;
        for row in 0..TILE as usize {
            let at = start + (geometry.row_offset(row) + column) as u64;
            let run = row * RUN..(row + 1) * RUN;
            if let Some(line) = writer.slice_mut(at, group.len() * RUN) {
                for (tile, bytes) in group.iter().zip(line.chunks_exact_mut(RUN)) {
                    bytes.copy_from_slice(&tile.bytes[run.clone()]);
                }
                continue;
            }
            for (place, tile) in group.iter().enumerate() {
                writer.write(at + (place * RUN) as u64, &tile.bytes[run.clone()])?;
            }
        }
    }
    Ok(())
}

thread_local! {
    /// Where bands pass through on their way out: fresh memory costs more to fill than to copy.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the thread's scratch memory; what it holds is of no meaning.
fn with_scratch<T>(body: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut scratch = SCRATCH.take();
    let result = body(&mut scratch);
    if scratch.capacity() <= TOGETHER {
        SCRATCH.replace(scratch);
    }
    result
}

/// A write of bands that has begun; it ends when this goes, before the locks of the bands do.
pub(super) struct Writing<'a>(&'a AtomicU64);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

impl Live {
    /// Counts a write of bands whose locks are held; to be let go before them.
    pub(super) fn begin_write(&self) -> Writing<'_> {
        self.begun.fetch_add(1, Ordering::AcqRel);
        Writing(&self.ended)
    }

    /// Copies tiles into plain memory and marks their bands.
    pub(super) fn scatter_memory(
        &self,
        geometry: Geometry,
        memory: &MemStorage,
        mut tiles: Vec<Tile<&[u8]>>,
    ) -> Result<()> {
        let outcome = scatter_all(geometry, &mut memory.writer(), &mut tiles);
        // Marked after the copy and even when it failed half way: see the module header.
        tiles.dedup_by_key(|tile| tile.band);
        self.mark_stale(tiles.iter().map(|tile| tile.band));
        outcome
    }

    /// Reads tiles by positional I/O.
    pub(super) fn read_tiles(
        &self,
        geometry: Geometry,
        mut tiles: Vec<Tile<&mut [u8]>>,
    ) -> Result<()> {
        runs::sort(&mut tiles);
        let together = bands_together(geometry);
        with_scratch(|scratch| {
            // A run along the curve is a patch, so its bands mostly follow each other in the file.
            for patch in tiles
                .chunk_by_mut(|a, b| b.band - a.band <= 1 && a.band / together == b.band / together)
            {
                if self.read_patch(geometry, patch, scratch)? {
                    continue;
                }
                for group in patch.chunk_by_mut(|a, b| a.band == b.band) {
                    self.read_group(geometry, group, scratch)?;
                }
            }
            Ok(())
        })
    }

    /// Tells the storage which bands a read of these runs will want; those in the cache are left
    /// out, and bands that follow each other are named together.
    pub(super) fn announce(&self, runs: &[(u64, u32)]) {
        let geometry = self.geometry();
        if self.storage.as_memory().is_some() {
            return;
        }
        let mut bands = Vec::new();
        for &(first, count) in runs {
            if geometry.check_run(first, u64::from(count)).is_ok() {
                let clusters = first..first + u64::from(count);
                bands.extend(clusters.map(|cluster| geometry.band_of(cluster)));
            }
        }
        bands.sort_unstable();
        bands.dedup();
        bands.retain(|&band| !self.cache.holds(band));
        for run in bands.chunk_by(|a, b| a + 1 == *b) {
            let len = run.len() as u64 * geometry.band_len() as u64;
            self.storage.will_need(geometry.band_offset(run[0]), len);
        }
    }

    /// Reads the tiles of several bands that follow each other by one call over all of them.
    /// `false`, with nothing read, where that would move much more than it saves calls, or where
    /// the cache may help.
    fn read_patch(
        &self,
        geometry: Geometry,
        patch: &mut [Tile<&mut [u8]>],
        scratch: &mut Vec<u8>,
    ) -> Result<bool> {
        let (first, last) = (patch[0].band, patch[patch.len() - 1].band);
        let bands = (last - first + 1) as usize;
        let span = bands * geometry.band_len();
        let dense = patch.len() * CLUSTER * 2 >= span || span <= PATCH;
        if bands == 1 || !dense || (first..=last).any(|band| self.cache.holds(band)) {
            return Ok(false);
        }
        scratch.resize(scratch.len().max(span), 0);
        let ended = self.ended.load(Ordering::Acquire);
        self.storage.read_at(geometry.band_offset(first), &mut scratch[..span])?;
        for group in patch.chunk_by(|a, b| a.band == b.band) {
            // Of a band of which little was wanted, the rest is most likely what is read next.
            if group.len() * 2 >= geometry.side() as usize {
                continue;
            }
            let band = group[0].band;
            let at = (band - first) as usize * geometry.band_len();
            let _reading = self.band_lock(band).read().unwrap_or_else(PoisonError::into_inner);
            // Every write that has begun by now must have ended before the read began; under the
            // lock no other can begin.
            if self.begun.load(Ordering::Acquire) == ended {
                self.cache.put(band, Arc::new(scratch[at..at + geometry.band_len()].to_vec()));
            }
        }
        for tile in patch {
            let at = (tile.band - first) as usize * geometry.band_len();
            runs::gather_tile(geometry, &scratch[at..], tile.column, tile.bytes);
        }
        Ok(true)
    }

    /// Reads the tiles of one band, sorted by column.
    fn read_group(
        &self,
        geometry: Geometry,
        group: &mut [Tile<&mut [u8]>],
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        let band = group[0].band;
        if let Some(bytes) = self.cache.get(band) {
            for tile in group {
                runs::gather_tile(geometry, &bytes, tile.column, tile.bytes);
            }
            return Ok(());
        }
        let (first, last) = (group[0].column as usize, group[group.len() - 1].column as usize);
        let from = geometry.row_offset(0) + 1 + first * RUN;
        let to = geometry.row_offset(TILE as usize - 1) + 1 + (last + 1) * RUN;
        if by_rows(group, to - from) {
            return self.read_by_rows(geometry, group, scratch);
        }
        // A few tiles of a band are likely to be followed by their neighbours.
        if group.len() * 2 < geometry.side() as usize && self.cache.takes(geometry.band_len()) {
            let bytes = self.cached_band(geometry, band)?;
            for tile in group {
                runs::gather_tile(geometry, &bytes, tile.column, tile.bytes);
            }
            return Ok(());
        }
        scratch.resize(scratch.len().max(geometry.band_len()), 0);
        self.storage.read_at(geometry.band_offset(band) + from as u64, &mut scratch[from..to])?;
        for tile in group {
            runs::gather_tile(geometry, scratch, tile.column, tile.bytes);
        }
        Ok(())
    }

    fn read_by_rows(
        &self,
        geometry: Geometry,
        group: &mut [Tile<&mut [u8]>],
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        let start = geometry.band_offset(group[0].band);
        let segments: Vec<_> = runs::segments(group).collect();
        for segment in segments {
            let tiles = &mut group[segment];
            let column = tiles[0].column as usize * RUN;
            scratch.resize(scratch.len().max(tiles.len() * RUN), 0);
            for row in 0..TILE as usize {
                let at = start + (geometry.row_offset(row) + 1 + column) as u64;
                let out = row * RUN..(row + 1) * RUN;
                if let [tile] = tiles {
                    self.storage.read_at(at, &mut tile.bytes[out])?;
                    continue;
                }
                let line = &mut scratch[..tiles.len() * RUN];
                self.storage.read_at(at, line)?;
                for (tile, run) in tiles.iter_mut().zip(line.chunks_exact(RUN)) {
                    tile.bytes[out.clone()].copy_from_slice(run);
                }
            }
        }
        Ok(())
    }

    /// A whole band through the cache. Takes the band's lock shared, so that no writer can come
    /// between the read and the cache.
    pub(super) fn cached_band(&self, geometry: Geometry, band: u32) -> Result<Arc<Vec<u8>>> {
        let _reading = self.band_lock(band).read().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = self.cache.get(band) {
            return Ok(bytes);
        }
        let mut bytes = vec![0; geometry.band_len()];
        self.storage.read_at(geometry.band_offset(band), &mut bytes)?;
        let bytes = Arc::new(bytes);
        self.cache.put(band, Arc::clone(&bytes));
        Ok(bytes)
    }

    /// Writes tiles by positional I/O, in file order.
    pub(super) fn write_tiles(
        &self,
        geometry: Geometry,
        mut tiles: Vec<Tile<&[u8]>>,
    ) -> Result<()> {
        runs::sort(&mut tiles);
        let mut scratch = Vec::new();
        let together = bands_together(geometry);
        for patch in
            tiles.chunk_by(|a, b| b.band - a.band <= 1 && a.band / together == b.band / together)
        {
            let bands = patch[0].band..=patch[patch.len() - 1].band;
            // Ascending, and within one round of the locks: nobody can wait in a circle.
            let _writing: Vec<_> = bands
                .clone()
                .map(|band| self.band_lock(band).write().unwrap_or_else(PoisonError::into_inner))
                .collect();
            let _counted = self.begin_write();
            let narrow = bands.clone().count() == 1
                && !is_whole(geometry, patch)
                && by_rows(patch, geometry.band_len());
            let outcome = if narrow {
                self.write_rows(geometry, patch, &mut scratch)
            } else {
                self.write_patch(geometry, patch, &mut scratch)
            };
            if outcome.is_err() {
                bands.clone().for_each(|band| drop(self.cache.take(band)));
                self.mark_stale(bands);
                return outcome;
            }
        }
        Ok(())
    }

    /// Writes the tiles of bands that follow each other, under their locks: all of these bands
    /// with their CRCs in one call.
    fn write_patch(
        &self,
        geometry: Geometry,
        patch: &[Tile<&[u8]>],
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        let (first, len) = (patch[0].band, geometry.band_len());
        let count = (patch[patch.len() - 1].band - first + 1) as usize;
        scratch.resize(scratch.len().max(count * len), 0);
        let mut keep = Vec::with_capacity(count);
        for (group, bytes) in
            patch.chunk_by(|a, b| a.band == b.band).zip(scratch.chunks_exact_mut(len))
        {
            let band = group[0].band;
            let whole = is_whole(geometry, group);
            let cached = self.cache.take(band);
            keep.push(cached.is_some() || !whole);
            match cached {
                _ if whole => {}
                Some(cached) => bytes.copy_from_slice(&cached),
                None if self.lock_state().is_fresh(band) => bytes.fill(0),
                None => self.storage.read_at(geometry.band_offset(band), bytes)?,
            }
            skeleton::put_band_headers(geometry, bytes);
            for tile in group {
                runs::scatter_tile(geometry, bytes, tile.column, tile.bytes);
            }
            skeleton::put_band_crc(bytes);
        }
        self.storage.write_at(geometry.band_offset(first), &scratch[..count * len])?;
        for ((band, bytes), keep) in (first..).zip(scratch.chunks_exact(len)).zip(keep) {
            self.mark_settled(geometry, band, skeleton::band_sums(geometry, bytes));
            if keep && self.cache.takes(len) {
                self.cache.put(band, Arc::new(bytes.to_vec()));
            }
        }
        Ok(())
    }

    /// Writes only the tile rows of one band, under its lock: for bands so large that this is
    /// cheaper.
    fn write_rows(
        &self,
        geometry: Geometry,
        group: &[Tile<&[u8]>],
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        let band = group[0].band;
        self.cache.take(band);
        self.write_by_rows(geometry, group, scratch)?;
        self.mark_stale(std::iter::once(band));
        Ok(())
    }

    fn write_by_rows(
        &self,
        geometry: Geometry,
        group: &[Tile<&[u8]>],
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        let start = geometry.band_offset(group[0].band);
        for segment in runs::segments(group) {
            let tiles = &group[segment];
            let column = tiles[0].column as usize * RUN;
            for row in 0..TILE as usize {
                let at = start + (geometry.row_offset(row) + 1 + column) as u64;
                let run = row * RUN..(row + 1) * RUN;
                if let [tile] = tiles {
                    self.storage.write_at(at, &tile.bytes[run])?;
                    continue;
                }
                scratch.clear();
                for tile in tiles {
                    scratch.extend_from_slice(&tile.bytes[run.clone()]);
                }
                self.storage.write_at(at, scratch)?;
            }
        }
        Ok(())
    }

    /// Writes a whole band from its plain rows (filter bytes and pixels), declared here as having
    /// been zero: for filling a new map in file order.
    pub(in super::super) fn fill_band(&self, band: u32, rows: &[u8]) -> Result<()> {
        let geometry = self.geometry();
        super::super::check_band(geometry, band, rows.len())?;
        let _writing = self.band_lock(band).write().unwrap_or_else(PoisonError::into_inner);
        let _counted = self.begin_write();
        let mut bytes = vec![0; geometry.band_len()];
        let mut rest = rows;
        for range in skeleton::block_ranges(geometry) {
            let (now, later) = rest.split_at(range.len());
            bytes[range].copy_from_slice(now);
            rest = later;
        }
        skeleton::put_band_headers(geometry, &mut bytes);
        skeleton::put_band_crc(&mut bytes);
        self.cache.take(band);
        self.storage.write_at(geometry.band_offset(band), &bytes)?;
        self.mark_settled(geometry, band, skeleton::band_sums(geometry, &bytes));
        Ok(())
    }
}
