//! Layer 3: the write-ahead log, a file of checksummed frames beside the map.
//!
//! Knows bytes and records, not trees. [`LogWriter`] builds frames in memory, under the engine's
//! lock; [`LogFile`] carries them to the disk, outside of it; [`replay`] reads them back after a
//! crash. The byte layout is in `docs/FORMAT.md`, "The log".
//!
//! Rules:
//! - Frames stand back to back from offset 0. Each sum covers the sum of the frame before it, so
//!   a frame is valid only behind the very frames it was written after.
//! - The salt tells this log from the bytes of the one whose place it took.
//! - A transaction is every frame up to and including one with the COMMIT flag. Page deltas that
//!   no such frame follows are never delivered; intents and growth are, marked as uncommitted,
//!   because they describe what may already have been written in place.

mod delta;
pub mod frame;
mod replay;
mod writer;

#[cfg(test)]
mod tests;

pub use frame::{Base, Intent, Intents, PageDelta, Record, Salt};
pub use replay::{Delivery, Ending, Replayed, replay};
pub use writer::{LogFile, LogPosition, LogWriter, Pending};
