//! CRC-32 (ISO 3309, as PNG uses it) of clusters and records.

/// CRC-32 of `bytes`.
#[inline]
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// CRC-32 continued: `seed` is the sum of what came before.
#[inline]
pub fn crc32_continue(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}
