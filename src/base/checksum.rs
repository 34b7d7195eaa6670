//! CRC-32 (ISO 3309, as PNG uses it) of clusters and records.
//!
//! Natively `crc32fast` uses carry-less multiplication. Wasm has none, so there `fold`
//! reaches with plain vector operations what tables alone do not.

mod combine;
#[cfg(any(target_arch = "wasm32", test))]
mod fold;

pub use combine::append_cluster;

/// CRC-32 of `bytes`.
#[inline]
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32_continue(0, bytes)
}

/// CRC-32 continued: `seed` is the sum of what came before.
#[inline]
pub fn crc32_continue(seed: u32, bytes: &[u8]) -> u32 {
    #[cfg(target_arch = "wasm32")]
    return fold::crc32(seed, bytes);
    #[cfg(not(target_arch = "wasm32"))]
    {
        let mut hasher = crc32fast::Hasher::new_with_initial(seed);
        hasher.update(bytes);
        hasher.finalize()
    }
}
