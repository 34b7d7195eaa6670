//! Layer 1: transformations of bytes. Pure: no I/O, no clock, nothing shared.
//!
//! - [`frame`]: compressed frames (zstd) and their strict, bounded decoding.
//! - [`symbolic`]: contents that need no clusters: zeros, fills, repeated patterns.
//! - [`pack`]: which small contents share a frame.
//! - [`parity`]: erasure coding of stripes.

pub mod frame;
pub mod pack;
pub mod parity;
pub mod symbolic;
