//! A page of the table: an 8-byte header and 511 records, in one cluster.
//!
//! Header: `crc32 u32` over the map's seed, the page's own cluster number and bytes 4..4096;
//! `flags u32`, bit 0 = the parity of this page's clusters is stale. A page of zeros is never
//! valid, so a lost write is seen.

use super::record::Record;
use crate::base::checksum::crc32_continue;
use crate::base::limits::CLUSTER;
use crate::base::{Error, Result};
use crate::container::Geometry;

/// Records in one page.
pub const RECORDS: u64 = 511;
const HEADER: usize = 8;
const PARITY_STALE: u8 = 1;

/// Where the record of a cluster stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Cluster number of the page.
    pub page: u64,
    /// Byte offset of the record in it.
    pub offset: usize,
}

/// The place of `cluster`'s record, or `None` for the pages of the table themselves.
pub fn place(geometry: &Geometry, cluster: u64) -> Option<Place> {
    let per_sheet = u64::from(geometry.sheet_clusters());
    let pages = u64::from(geometry.vat_pages());
    let index = cluster % per_sheet;
    let record = index.checked_sub(pages)?;
    Some(Place {
        page: cluster - index + record / RECORDS,
        offset: HEADER + (record % RECORDS) as usize * Record::SIZE,
    })
}

/// The clusters a page describes, as `first..end`. `page` must be a page of the table.
pub fn covered(geometry: &Geometry, page: u64) -> std::ops::Range<u64> {
    let per_sheet = u64::from(geometry.sheet_clusters());
    let pages = u64::from(geometry.vat_pages());
    let sheet = page - page % per_sheet;
    let first = sheet + pages + (page % per_sheet) * RECORDS;
    first..(first + RECORDS).min(sheet + per_sheet)
}

/// Whether `cluster` is a page of the table.
pub fn is_page(geometry: &Geometry, cluster: u64) -> bool {
    cluster % u64::from(geometry.sheet_clusters()) < u64::from(geometry.vat_pages())
}

/// The record at `offset`, from [`place`].
///
/// # Errors
/// `Corrupt` for an unknown kind.
pub fn read(page: &[u8; CLUSTER], offset: usize) -> Result<Record> {
    let mut bytes = [0; Record::SIZE];
    bytes.copy_from_slice(&page[offset..offset + Record::SIZE]);
    Record::from_bytes(bytes)
}

/// The page without the zeros at its end, as it is kept in memory: a small sheet fills an eighth
/// of its page.
pub fn trimmed(page: &[u8; CLUSTER]) -> Vec<u8> {
    let end = page.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
    page[..end].to_vec()
}

/// The page that [`trimmed`] made shorter.
pub fn restored(trimmed: &[u8]) -> [u8; CLUSTER] {
    let mut page = [0; CLUSTER];
    page[..trimmed.len()].copy_from_slice(trimmed);
    page
}

/// As [`read`], from a page that was [`trimmed`].
///
/// # Errors
/// As [`read`].
pub fn read_trimmed(bytes: &[u8], offset: usize) -> Result<Record> {
    let mut record = [0; Record::SIZE];
    let there = bytes.get(offset..).unwrap_or_default();
    let length = there.len().min(Record::SIZE);
    record[..length].copy_from_slice(&there[..length]);
    Record::from_bytes(record)
}

/// Replaces the record at `offset` and marks the page's parity stale.
pub fn write(page: &mut [u8; CLUSTER], offset: usize, record: Record) {
    page[offset..offset + Record::SIZE].copy_from_slice(&record.to_bytes());
    page[4] |= PARITY_STALE;
}

/// Replaces a record whose change does not concern parity: heat, or a parity sum itself.
pub fn write_quietly(page: &mut [u8; CLUSTER], offset: usize, record: Record) {
    page[offset..offset + Record::SIZE].copy_from_slice(&record.to_bytes());
}

/// Whether the clusters of this page may differ from what the sheet's parity says.
pub fn parity_is_stale(page: &[u8; CLUSTER]) -> bool {
    page[4] & PARITY_STALE != 0
}

/// Sets or clears the stale mark.
pub fn set_parity_stale(page: &mut [u8; CLUSTER], stale: bool) {
    page[4] = page[4] & !PARITY_STALE | u8::from(stale);
}

fn checksum(seed: u32, cluster: u64, page: &[u8; CLUSTER]) -> u32 {
    crc32_continue(crc32_continue(seed, &cluster.to_le_bytes()), &page[4..])
}

/// Writes the page's checksum. `seed` is the map's (the CRC-32 of its UUID).
pub fn finish(seed: u32, cluster: u64, page: &mut [u8; CLUSTER]) {
    let crc = checksum(seed, cluster, page);
    page[..4].copy_from_slice(&crc.to_le_bytes());
}

/// Checks a page read from `cluster`.
///
/// # Errors
/// `Corrupt` naming both checksums.
pub fn check(seed: u32, cluster: u64, page: &[u8; CLUSTER]) -> Result<()> {
    let expected = u32::from_le_bytes([page[0], page[1], page[2], page[3]]);
    let found = checksum(seed, cluster, page);
    if expected == found { Ok(()) } else { Err(Error::checksum(cluster, expected, found)) }
}
