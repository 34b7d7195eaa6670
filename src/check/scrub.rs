//! Reading over stored file data, a piece at a time, to find damage before somebody needs it.

use crate::base::Result;
use crate::base::checksum::crc32;
use crate::base::limits::{CLUSTER, RUN};
use crate::fs::Fs;
use crate::vat::Kind;

/// What one piece was like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Clusters that hold file data and were read.
    pub clusters: u64,
    /// Those of them that are damaged or cannot be read.
    pub damaged: Vec<u64>,
}

/// Compares the file data in a band of the picture with its checksums, past all caches of the
/// engine.
///
/// # Errors
/// `Corrupt` or `Io` when the table itself cannot be read.
pub fn scrub_band(fs: &Fs, band: u32) -> Result<Scrubbed> {
    let store = fs.store();
    let geometry = store.geometry();
    let mut wanted = Vec::new();
    for column in 0..geometry.side() {
        let cluster = geometry.cluster_at(band, column);
        // Pages of the table have no record.
        if geometry.index_in_sheet(cluster) < geometry.vat_pages() {
            continue;
        }
        // What travels through the log is not at home yet.
        if store.is_pending(cluster) {
            continue;
        }
        let record = store.record(cluster)?;
        if matches!(record.kind, Kind::Raw | Kind::Zstd | Kind::Tail) {
            wanted.push((cluster, column as usize, record.crc));
        }
    }
    let mut scrubbed = Scrubbed { clusters: wanted.len() as u64, damaged: Vec::new() };
    if wanted.is_empty() {
        return Ok(scrubbed);
    }
    let mut rows = vec![0; geometry.band_rows_len()];
    if store.clusters().read_band(band, &mut rows).is_err() {
        scrubbed.damaged.extend(wanted.iter().map(|(cluster, ..)| cluster));
        return Ok(scrubbed);
    }
    let mut page = [0; CLUSTER];
    for (cluster, column, crc) in wanted {
        for (row, run) in rows.chunks_exact(geometry.row_len()).zip(page.chunks_exact_mut(RUN)) {
            // A row begins with its filter byte.
            run.copy_from_slice(&row[1 + column * RUN..][..RUN]);
        }
        if crc32(&page) != crc {
            scrubbed.damaged.push(cluster);
        }
    }
    Ok(scrubbed)
}
