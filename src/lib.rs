//! AetherFlow: a crash-safe filesystem that lives in a PNG.

// Host objects cannot cross threads in wasm; the same code shares them between threads natively.
#![cfg_attr(target_arch = "wasm32", allow(clippy::arc_with_non_send_sync))]

pub mod base;
pub mod check;
pub mod codec;
pub mod commit;
pub mod container;
#[cfg(unix)]
pub mod control;
pub mod explore;
pub mod fs;
#[cfg(target_os = "linux")]
pub mod fuse;
pub mod map;
#[cfg(unix)]
pub mod native;
pub mod plane;
pub mod render;
pub mod report;
pub mod storage;
pub mod tree;
pub mod vat;
pub mod wal;
#[cfg(all(target_arch = "wasm32", feature = "wasm"))]
pub mod wasm;
