//! Writing the packed form, and turning it back into a live one.
//!
//! Layout: signature, IHDR, the IDAT with the zlib header, one IDAT per band with its segment,
//! the IDAT with the final block and the Adler-32, the index in `afIX` chunks, the `afIX` tail,
//! IEND. Output is a stream; memory is that of a band and 4 bytes per band.

use std::sync::Arc;

use super::geometry::{Geometry, HEADER};
use super::packed::{self, Packed};
use super::runs;
use super::segment::Encoder;
use super::skeleton::{self, Summer, Totals};
use super::{Clusters, Live};
use crate::base::limits::{CLUSTER, RUN, TILE};
use crate::base::order;
use crate::base::{Code, Error, Result};
use crate::storage::Storage;
use crate::storage::mem::{is_zero, scatter_rows};

/// Called with (bands done, bands in all); an error ends the work and is handed on.
pub type Progress<'a> = dyn FnMut(u32, u32) -> Result<()> + 'a;

/// What the packed picture holds instead of what the source says.
#[derive(Clone, Copy)]
pub struct Edits<'a> {
    /// Clusters that become all zero, such as parity.
    pub blank: &'a dyn Fn(u64) -> bool,
    /// Clusters with other content: (cluster, 4096 bytes). Stronger than `blank`.
    pub replace: &'a [(u64, &'a [u8])],
}

impl Edits<'_> {
    /// The source as it is.
    pub const NONE: Edits<'static> = Edits { blank: &|_| false, replace: &[] };
}

/// Writes `source` in packed form to `out`, piece by piece; gives the number of bytes written.
///
/// # Errors
/// `Invalid` for an edit outside the map or of the wrong size; else what the source, `out` or
/// `progress` say.
pub fn pack(
    source: &dyn Clusters,
    edits: Edits<'_>,
    out: &mut dyn FnMut(&[u8]) -> Result<()>,
    progress: &mut Progress<'_>,
) -> Result<u64> {
    let geometry = source.geometry();
    let mut replace = Vec::with_capacity(edits.replace.len());
    for &(cluster, bytes) in edits.replace {
        if cluster >= geometry.clusters() || bytes.len() != CLUSTER {
            return Err(Error::new(Code::Invalid, "an edit is not one cluster of the map")
                .at_cluster(cluster));
        }
        replace.push((geometry.band_of(cluster), cluster, bytes));
    }
    order::by_number(&mut replace, |edit| u64::from(edit.0));

    out(&skeleton::header(geometry))?;
    let mut encoder = Encoder::new();
    let mut rows = vec![0; geometry.band_rows_len()];
    let mut chunk = Vec::new();
    let mut totals = Totals::default();
    let mut lengths = Vec::with_capacity(geometry.bands() as usize);
    let mut written = HEADER;
    for band in 0..geometry.bands() {
        source.read_band(band, &mut rows)?;
        edit_band(geometry, band, &mut rows, edits.blank, &replace);
        let mut summer = Summer::default();
        summer.add(&rows);
        totals.add(geometry, band, summer.finish());
        chunk.clear();
        chunk.extend_from_slice(b"\0\0\0\0IDAT");
        encoder.encode(geometry, &rows, &mut chunk)?;
        let len = (chunk.len() - 8) as u32;
        chunk[..4].copy_from_slice(&len.to_be_bytes());
        let crc = crate::base::checksum::crc32(&chunk[4..]);
        chunk.extend_from_slice(&crc.to_be_bytes());
        out(&chunk)?;
        written += chunk.len() as u64;
        lengths.push(len);
        progress(band + 1, geometry.bands())?;
    }
    let trailer = skeleton::trailer(totals.adler(geometry));
    let last_idat = &trailer[..trailer.len() - skeleton::IEND.len()];
    out(last_idat)?;
    written += last_idat.len() as u64;
    let index = written;
    for part in packed::index_parts(geometry, &lengths) {
        out(&part)?;
        written += part.len() as u64;
    }
    let tail = packed::tail(geometry, index, written - index);
    out(&tail)?;
    out(&skeleton::IEND)?;
    Ok(written + (tail.len() + skeleton::IEND.len()) as u64)
}

fn edit_band(
    geometry: Geometry,
    band: u32,
    rows: &mut [u8],
    blank: &dyn Fn(u64) -> bool,
    replace: &[(u32, u64, &[u8])],
) {
    for column in 0..geometry.side() {
        if blank(geometry.cluster_at(band, column)) {
            let at = 1 + column as usize * RUN;
            for row in 0..TILE as usize {
                rows[row * geometry.row_len() + at..][..RUN].fill(0);
            }
        }
    }
    let from = replace.partition_point(|edit| edit.0 < band);
    for &(_, cluster, bytes) in replace[from..].iter().take_while(|edit| edit.0 == band) {
        let place = runs::plain_rows(geometry, geometry.tile(cluster).1);
        scatter_rows(&mut rows[place.offset as usize..], place, bytes);
    }
}

/// Writes a packed map in live form into `target`, which is cut to it; sealed but not synced.
///
/// # Errors
/// `Corrupt` for a damaged packed form; else what the storages or `progress` say.
pub fn unpack(
    source: &Packed,
    target: Arc<dyn Storage>,
    progress: &mut Progress<'_>,
) -> Result<Live> {
    let geometry = source.geometry();
    let live = Live::create(target, geometry.width(), geometry.sheets())?;
    let mut rows = vec![0; geometry.band_rows_len()];
    for band in 0..geometry.bands() {
        source.read_band(band, &mut rows)?;
        if !is_zero(&rows) {
            live.fill_band(band, &rows)?;
        }
        progress(band + 1, geometry.bands())?;
    }
    live.seal()?;
    live.mark_clean();
    Ok(live)
}
