//! Sorting runs of clusters into bands and copying tiles in and out of band bytes.

use super::geometry::{BLOCK_HEAD, CHUNK_HEAD, Geometry};
use crate::base::limits::{CLUSTER, RUN, TILE};
use crate::base::order;
use crate::storage::mem::{Rows, gather_rows, scatter_rows};

/// One cluster of a request: where it lies and the caller's 4096 bytes for it.
pub(super) struct Tile<T> {
    pub band: u32,
    pub column: u32,
    pub bytes: T,
}

/// The tiles of the run starting at `first`, one per 4096-byte piece of the caller's buffer.
pub(super) fn tiles<T>(
    geometry: Geometry,
    first: u64,
    pieces: impl Iterator<Item = T>,
) -> impl Iterator<Item = Tile<T>> {
    pieces.enumerate().map(move |(at, bytes)| {
        let (band, column) = geometry.tile(first + at as u64);
        Tile { band, column, bytes }
    })
}

/// Brings tiles into file order: by band, then by column.
pub(super) fn sort<T>(tiles: &mut [Tile<T>]) {
    order::by_number(tiles, |tile| u64::from(tile.band) << 32 | u64::from(tile.column));
}

/// Adjacent columns of one sorted band group, as index ranges into it.
pub(super) fn segments<T>(group: &[Tile<T>]) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        if from >= group.len() {
            return None;
        }
        let mut to = from + 1;
        while to < group.len() && group[to].column == group[to - 1].column + 1 {
            to += 1;
        }
        let range = from..to;
        from = to;
        Some(range)
    })
}

/// The rows of the tile in `column` inside band bytes, one entry per stored block: offsets are
/// relative to the start of the band's chunk.
pub(super) fn tile_rows(geometry: Geometry, column: u32) -> impl Iterator<Item = Rows> {
    let stride = geometry.row_len();
    let per_block = geometry.block_rows();
    let first = (CHUNK_HEAD + BLOCK_HEAD + 1 + column as usize * RUN) as u64;
    let block_len = (per_block * stride + BLOCK_HEAD) as u64;
    (0..geometry.blocks()).map(move |block| Rows {
        offset: first + block as u64 * block_len,
        stride,
        row_len: RUN,
        rows: per_block.min(TILE as usize - block * per_block),
    })
}

/// Copies the tile in `column` out of a band's chunk bytes.
pub(super) fn gather_tile(geometry: Geometry, band: &[u8], column: u32, out: &mut [u8]) {
    let mut rest = &mut out[..CLUSTER];
    for rows in tile_rows(geometry, column) {
        let (now, later) = rest.split_at_mut(rows.rows * RUN);
        gather_rows(&band[rows.offset as usize..], rows, now);
        rest = later;
    }
}

/// Copies `data` into the tile in `column` of a band's chunk bytes.
pub(super) fn scatter_tile(geometry: Geometry, band: &mut [u8], column: u32, data: &[u8]) {
    let mut rest = &data[..CLUSTER];
    for rows in tile_rows(geometry, column) {
        let (now, later) = rest.split_at(rows.rows * RUN);
        scatter_rows(&mut band[rows.offset as usize..], rows, now);
        rest = later;
    }
}

/// Where a tile lies in plain rows (filter byte and pixels, no block headers).
pub(super) fn plain_rows(geometry: Geometry, column: u32) -> Rows {
    Rows {
        offset: 1 + u64::from(column) * RUN as u64,
        stride: geometry.row_len(),
        row_len: RUN,
        rows: TILE as usize,
    }
}
