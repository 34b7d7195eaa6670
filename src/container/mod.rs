//! Layer 2: a map as numbered 4 KiB clusters. Alone knows that the file is a PNG.
//!
//! * [`geometry`]: where everything is, a pure function of width and sheet count;
//! * [`skeleton`]: the PNG bytes round the pixels;
//! * [`live`]: the picture of stored blocks, read and written in place;
//! * [`packed`] and [`pack`]: the compressed picture with a band index, read-only;
//! * [`foreign`]: a picture some other tool saved;
//! * [`mod@detect`]: which of these a file is.

mod band_cache;
pub mod detect;
pub mod foreign;
pub mod geometry;
pub mod live;
pub mod pack;
pub mod packed;
mod runs;
mod segment;
pub mod skeleton;

use crate::base::cache::CacheFigures;
use crate::base::env::Shareable;
use crate::base::{Code, Error, Result};

pub use detect::{Form, detect};
pub use geometry::Geometry;
pub use live::{BandSums, Live, Recovery};
pub use packed::Packed;

/// What the engine sees of a map's picture, whatever its form: numbered clusters, readable.
pub trait Clusters: Shareable {
    /// Width and number of sheets at present.
    fn geometry(&self) -> Geometry;

    /// Clusters in the map; valid numbers are below it.
    fn cluster_count(&self) -> u64 {
        self.geometry().clusters()
    }

    /// Reads the clusters `first .. first + buf.len() / 4096`, which lie in one sheet.
    ///
    /// # Errors
    /// `Invalid` when `buf` is not whole clusters or the run leaves its sheet or the map;
    /// `Truncated` or `Io` from the storage; `Corrupt` from a damaged packed form.
    fn read_run(&self, first: u64, buf: &mut [u8]) -> Result<()>;

    /// Reads many runs, in any order, each as [`Clusters::read_run`] does.
    ///
    /// # Errors
    /// As [`Clusters::read_run`]; some buffers may have been filled.
    fn read_many(&self, requests: &mut [(u64, &mut [u8])]) -> Result<()> {
        requests.iter_mut().try_for_each(|(first, buf)| self.read_run(*first, buf))
    }

    /// Reads the 32 rows of a band, each its filter byte and its pixels:
    /// `geometry().band_rows_len()` bytes.
    ///
    /// # Errors
    /// As [`Clusters::read_run`].
    fn read_band(&self, band: u32, rows: &mut [u8]) -> Result<()>;

    /// A hint that these clusters are read next: what of them has to come from a disk may be
    /// fetched meanwhile. Says nothing about whether they can be read.
    fn will_need(&self, runs: &[(u64, u32)]) {
        let _ = runs;
    }

    /// What the cache of bands did and holds.
    fn cache_figures(&self) -> CacheFigures;

    /// Empties the cache of bands.
    fn drop_cache(&self);

    /// Sets the budget of the cache of bands, in bytes; what exceeds it goes at once.
    fn set_cache_budget(&self, bytes: usize);

    /// The live picture, where this is one: lets a check look at the bytes round the pixels.
    fn as_live(&self) -> Option<&Live> {
        None
    }
}

/// Checks a band number and the length of a buffer for its rows.
fn check_band(geometry: Geometry, band: u32, len: usize) -> Result<()> {
    if band >= geometry.bands() || len != geometry.band_rows_len() {
        let text = format!("band {band} with {len} bytes of rows does not fit the map");
        return Err(Error::new(Code::Invalid, text));
    }
    Ok(())
}
