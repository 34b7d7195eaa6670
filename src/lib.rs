//! AetherFlow: a crash-safe filesystem that lives in a PNG.

pub mod base;
pub mod codec;
pub mod storage;
pub mod wal;
