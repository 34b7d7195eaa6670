//! What the engine's tests share: simulated disks, a model filesystem, a walker that recounts
//! every reference, and a strict look at the picture.
#![allow(dead_code, reason = "every test binary uses a part of it")]

pub mod drive;
pub mod forge;
pub mod model;
pub mod pair;
pub mod picture;
pub mod sample;
pub mod sim;
pub mod walk;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aetherflow::base::Result;
use aetherflow::base::env::{Clock, Entropy, Timestamp};
use aetherflow::fs::{Compression, Settings};
use aetherflow::map::Options;

/// A clock that moves one second each time it is asked.
#[derive(Debug)]
pub struct FakeClock(AtomicI64);

impl FakeClock {
    pub fn new() -> Arc<FakeClock> {
        Arc::new(FakeClock(AtomicI64::new(1_700_000_000)))
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp { seconds: self.0.fetch_add(1, Ordering::Relaxed), nanos: 5 }
    }
}

/// Bytes that follow from a seed.
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    pub fn new(seed: u64) -> Arc<SeededEntropy> {
        Arc::new(SeededEntropy(AtomicU64::new(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buf: &mut [u8]) -> Result<()> {
        for byte in buf {
            let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            *byte = mix(state) as u8;
        }
        Ok(())
    }
}

/// A well mixed word (the finaliser of SplitMix64).
pub fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A small random generator.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0)
    }

    /// Below `limit`, which must not be 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.word() >> 11) as usize % limit
    }
}

/// Bytes that do not compress, the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random::new(seed.wrapping_mul(0x5851_f42d_4c95_7f2d));
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        out.extend_from_slice(&random.word().to_le_bytes());
    }
    out.truncate(length);
    out
}

/// Bytes that compress well, the same for the same seed.
pub fn text(seed: u64, length: usize) -> Vec<u8> {
    let words = ["cluster ", "band ", "sheet ", "extent ", "inode ", "snapshot ", "plane\n"];
    let mut random = Random::new(seed);
    let mut out = Vec::with_capacity(length + 16);
    while out.len() < length {
        out.extend_from_slice(words[random.below(words.len())].as_bytes());
    }
    out.truncate(length);
    out
}

/// Options of the smallest map, everything in them following from `seed`.
pub fn options(seed: u64, compression: Compression) -> Options {
    Options {
        width: Some(256),
        settings: Settings { compression, ..Settings::default() },
        uuid: Some(*b"a map for tests!"),
        entropy: SeededEntropy::new(seed),
        cache_bytes: 4 << 20,
        ..Options::with_clock(FakeClock::new())
    }
}
