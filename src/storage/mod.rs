//! Layer 1: the narrow waist. The engine sees the world below it only through [`Storage`].

#[cfg(all(not(target_arch = "wasm32"), any(unix, windows)))]
pub mod file;
pub mod latch;
#[cfg(not(target_arch = "wasm32"))]
pub mod lockfile;
pub mod mem;

use crate::base::Result;
use crate::base::env::Shareable;

/// A flat, growable, randomly addressed byte container.
///
/// Implementations take `&self` and synchronise themselves, so that readers share one.
/// Bytes that were never written inside the length read as zero.
#[expect(clippy::len_without_is_empty, reason = "nobody asks; the waist stays narrow")]
pub trait Storage: Shareable {
    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// `Truncated` when the range passes the end, `Io` when the medium fails.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()>;

    /// Writes all of `data` at `offset`, growing the length when the range passes the end.
    ///
    /// # Errors
    /// `NoSpace`, `ReadOnly` or `Io`; part of `data` may have been written.
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()>;

    /// Returns once everything written before is durable.
    ///
    /// # Errors
    /// `Io`; whether anything became durable is then unknown.
    fn sync(&self) -> Result<()>;

    /// Length in bytes.
    ///
    /// # Errors
    /// `Io`.
    fn len(&self) -> Result<u64>;

    /// Cuts or extends (with zeros) to `len` bytes.
    ///
    /// # Errors
    /// `NoSpace`, `ReadOnly` or `Io`.
    fn set_len(&self, len: u64) -> Result<()>;

    /// A hint that these bytes are read next, so that a disk may begin to fetch them. May do
    /// nothing, and never fails.
    fn will_need(&self, offset: u64, len: u64) {
        let _ = (offset, len);
    }

    /// The memory behind this storage, where it is plain memory: lets the container copy tile
    /// rows without a call per row.
    fn as_memory(&self) -> Option<&mem::MemStorage> {
        None
    }
}
