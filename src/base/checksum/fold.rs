//! CRC-32 for machines without carry-less multiplication: fold a cluster, then tables.
//!
//! Adding a multiple of the CRC's polynomial to a message does not change its sum. One multiple
//! has only five terms, all at whole bytes: a byte may be removed when it is added to the bytes
//! 145, 183, 211 and 300 places behind it. So all but the last 320 bytes of a cluster vanish by
//! plain vector operations, and only those pass through tables, in four lanes that do not wait
//! for each other.

use super::combine::{POLYNOMIAL, Shift};
use crate::base::limits::CLUSTER;

/// Where a removed byte reappears: `1 + y^145 + y^183 + y^211 + y^300 = 0` modulo the CRC's
/// polynomial, with `y = x^-8`. Of all such sums with terms of 64 and more, the shortest.
const TAPS: [usize; 4] = [145, 183, 211, 300];
/// Bytes folded at once; nearer taps would read what is not there yet.
const BLOCK: usize = 64;
/// Bytes of a cluster left to the tables.
const REST: usize = 320;
/// Bytes of a cluster that are folded away.
const FOLDED: usize = CLUSTER - REST;

/// Bytes of a table step: one lookup each.
const STEP: usize = 16;
const LANES: usize = 4;
const LANE: usize = REST / LANES;

const _: () = assert!(TAPS[0] >= BLOCK && TAPS[3] <= REST);
const _: () = assert!(FOLDED.is_multiple_of(BLOCK) && LANE.is_multiple_of(STEP));

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
    let (clusters, rest) = bytes.as_chunks::<CLUSTER>();
    for cluster in clusters {
        state = fold(state, cluster);
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

fn fold(state: u32, cluster: &[u8; CLUSTER]) -> u32 {
    // The message, behind zeros for the taps of its beginning.
    let mut message = [0; REST + CLUSTER];
    for (block, source) in cluster[..FOLDED].as_chunks::<BLOCK>().0.iter().enumerate() {
        let at = REST + block * BLOCK;
        let (done, ahead) = message.split_at_mut(at);
        let tap = |index: usize| &done[at - TAPS[index]..][..BLOCK];
        let (a, b, c, d) = (tap(0), tap(1), tap(2), tap(3));
        let target = &mut ahead[..BLOCK];
        for byte in 0..BLOCK {
            target[byte] = source[byte] ^ a[byte] ^ b[byte] ^ c[byte] ^ d[byte];
        }
        if block == 0 {
            target.iter_mut().zip(state.to_le_bytes()).for_each(|(byte, state)| *byte ^= state);
        }
    }
    let (done, rest) = message.split_at_mut(REST + FOLDED);
    rest.copy_from_slice(&cluster[FOLDED..]);
    for tap in TAPS {
        let source = &done[REST + FOLDED - tap..];
        rest.iter_mut().zip(source).for_each(|(byte, source)| *byte ^= source);
    }
    four_lanes(rest)
}

/// The sum's state after `rest`, 320 bytes, from nothing.
fn four_lanes(rest: &[u8]) -> u32 {
    let lane = |at: usize| rest[at * LANE..(at + 1) * LANE].as_chunks::<STEP>().0;
    let (first, second, third, fourth) = (lane(0), lane(1), lane(2), lane(3));
    let (mut a, mut b, mut c, mut d) = (0, 0, 0, 0);
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
    fn folding_gives_the_same_sums() {
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
