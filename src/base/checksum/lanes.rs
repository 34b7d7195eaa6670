//! CRC-32 by tables in four lanes, for machines without carry-less multiplication.
//!
//! A table step waits for the one before it; four lanes over the quarters of a block wait for
//! each other's loads instead of for nothing, and their sums are joined at the end.

use super::combine::{POLYNOMIAL, Shift};

/// Bytes of a step: one table lookup each.
const STEP: usize = 16;
/// Bytes of a lane in one block; four lanes are a cluster.
const LANE: usize = 1024;
const LANES: usize = 4;

/// `TABLES[k][b]`: the sum of byte `b` followed by `k` zeros.
static TABLES: [[u32; 256]; STEP] = {
    let mut tables = [[0; 256]; STEP];
    let mut byte = 0;
    while byte < 256 {
        let (mut sum, mut bit) = (byte as u32, 0);
        while bit < 8 {
            sum = if sum & 1 != 0 { sum >> 1 ^ POLYNOMIAL } else { sum >> 1 };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < STEP {
        let mut byte = 0;
        while byte < 256 {
            let before: u32 = tables[zeros - 1][byte];
            tables[zeros][byte] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
};

static LANE_SHIFT: Shift = Shift::by(LANE);

/// CRC-32 of `bytes`, continuing `seed`.
pub(super) fn crc32(seed: u32, bytes: &[u8]) -> u32 {
    let mut state = !seed;
    let (blocks, rest) = bytes.as_chunks::<{ LANE * LANES }>();
    for block in blocks {
        state = four_lanes(state, block);
    }
    let (steps, tail) = rest.as_chunks::<STEP>();
    for step in steps {
        state = advance(state, step);
    }
    for &byte in tail {
        state = state >> 8 ^ TABLES[0][usize::from(state as u8 ^ byte)];
    }
    !state
}

fn four_lanes(state: u32, block: &[u8; LANE * LANES]) -> u32 {
    let lane = |at: usize| block[at * LANE..(at + 1) * LANE].as_chunks::<STEP>().0;
    let (first, second, third, fourth) = (lane(0), lane(1), lane(2), lane(3));
    let (mut a, mut b, mut c, mut d) = (state, 0, 0, 0);
    let steps = first.iter().zip(second).zip(third.iter().zip(fourth));
    for ((first, second), (third, fourth)) in steps {
        a = advance(a, first);
        b = advance(b, second);
        c = advance(c, third);
        d = advance(d, fourth);
    }
    LANE_SHIFT.apply(LANE_SHIFT.apply(LANE_SHIFT.apply(a) ^ b) ^ c) ^ d
}

#[inline(always)]
fn advance(state: u32, step: &[u8; STEP]) -> u32 {
    let words = u128::from_le_bytes(*step) ^ u128::from(state);
    let (low, high) = (words as u64, (words >> 64) as u64);
    let mut sum = 0;
    let mut byte = 0;
    while byte < 8 {
        sum ^= TABLES[STEP - 1 - byte][(low >> (8 * byte)) as usize & 0xff];
        sum ^= TABLES[STEP - 9 - byte][(high >> (8 * byte)) as usize & 0xff];
        byte += 1;
    }
    sum
}

#[cfg(test)]
mod tests {
    #[test]
    fn lanes_give_the_same_sums() {
        let mut state = 7u32;
        let bytes: Vec<u8> = (0..20_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        for len in (0..100).chain([1023, 1024, 4095, 4096, 4097, 8192, 8200, 19_000]) {
            for seed in [0, 1, 0xffff_ffff, 0xdead_beef] {
                let mut expected = crc32fast::Hasher::new_with_initial(seed);
                expected.update(&bytes[3..3 + len]);
                assert_eq!(super::crc32(seed, &bytes[3..3 + len]), expected.finalize(), "{len}");
            }
        }
    }
}
