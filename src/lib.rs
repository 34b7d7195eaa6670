//! AetherFlow: a crash-safe filesystem that lives in a PNG.

pub mod base;
pub mod container;

pub mod plane;
pub mod storage;
