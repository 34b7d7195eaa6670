//! Joining CRC-32 sums without the bytes: the sum of `A || B` from those of `A` and `B`.
//!
//! Appending zeros is a linear map of the sum over GF(2), different for each length; here it is
//! a table for one length, built by the compiler.

use crate::base::limits::CLUSTER;

/// The polynomial, bit-reversed.
pub(super) const POLYNOMIAL: u32 = 0xedb8_8320;

/// The sum after `bytes` zero bytes, of each sum that has one bit set.
const fn zeros(bytes: usize) -> [u32; 32] {
    // The map for one bit, squared until it is the one for 2^k bits.
    let mut square = [0; 32];
    square[0] = POLYNOMIAL;
    let mut bit = 1;
    while bit < 32 {
        square[bit] = 1 << (bit - 1);
        bit += 1;
    }
    let mut map = [0; 32];
    let mut bit = 0;
    while bit < 32 {
        map[bit] = 1 << bit;
        bit += 1;
    }
    let mut bits = bytes * 8;
    while bits > 0 {
        if bits & 1 != 0 {
            map = after(&map, &square);
        }
        square = after(&square, &square);
        bits >>= 1;
    }
    map
}

/// First `map`, then `next`.
const fn after(map: &[u32; 32], next: &[u32; 32]) -> [u32; 32] {
    let mut result = [0; 32];
    let mut bit = 0;
    while bit < 32 {
        result[bit] = apply(next, map[bit]);
        bit += 1;
    }
    result
}

const fn apply(map: &[u32; 32], sum: u32) -> u32 {
    let (mut result, mut bit) = (0, 0);
    while bit < 32 {
        if sum >> bit & 1 != 0 {
            result ^= map[bit];
        }
        bit += 1;
    }
    result
}

/// A linear map of sums as one table for each of their bytes.
pub(super) struct Shift([[u32; 256]; 4]);

impl Shift {
    /// Appending `bytes` zero bytes.
    pub(super) const fn by(bytes: usize) -> Shift {
        let map = zeros(bytes);
        let mut tables = [[0; 256]; 4];
        let mut byte = 0;
        while byte < 4 {
            let mut value = 0;
            while value < 256 {
                tables[byte][value] = apply(&map, (value as u32) << (8 * byte));
                value += 1;
            }
            byte += 1;
        }
        Shift(tables)
    }

    #[inline]
    pub(super) fn apply(&self, sum: u32) -> u32 {
        let [a, b, c, d] = sum.to_le_bytes();
        self.0[0][usize::from(a)]
            ^ self.0[1][usize::from(b)]
            ^ self.0[2][usize::from(c)]
            ^ self.0[3][usize::from(d)]
    }
}

static CLUSTER_SHIFT: Shift = Shift::by(CLUSTER);

/// CRC-32 of `A || B`, where `sum` is that of `A` and `cluster` that of `B`, 4096 bytes. So one
/// sum over a long read can be held against the sums of its clusters.
#[inline]
pub fn append_cluster(sum: u32, cluster: u32) -> u32 {
    CLUSTER_SHIFT.apply(sum) ^ cluster
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_clusters_join_to_the_sum_of_the_read() {
        let mut state = 1u32;
        let bytes: Vec<u8> = (0..CLUSTER * 9 + 77)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        for head in [0, 1, 77, CLUSTER] {
            let mut sum = crc32fast::hash(&bytes[..head]);
            for (count, cluster) in bytes[head..].as_chunks::<CLUSTER>().0.iter().enumerate() {
                sum = append_cluster(sum, crc32fast::hash(cluster));
                let end = head + (count + 1) * CLUSTER;
                assert_eq!(sum, crc32fast::hash(&bytes[..end]));
            }
        }
    }

    #[test]
    fn shifts_agree_with_the_general_combination() {
        for (bytes, shift) in [(1, Shift::by(1)), (1000, Shift::by(1000))] {
            let mut general = crc32fast::Hasher::new_with_initial_len(0x1234_5678, 5);
            general.combine(&crc32fast::Hasher::new_with_initial_len(0x9abc_def0, bytes));
            assert_eq!(general.finalize(), shift.apply(0x1234_5678) ^ 0x9abc_def0);
        }
    }
}
