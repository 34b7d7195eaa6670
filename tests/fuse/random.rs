//! A small random generator: the same seed, the same run.

/// The seed of this run: `AETHERFLOW_TEST_SEED`, else always the same.
pub fn seed() -> u64 {
    std::env::var("AETHERFLOW_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_260)
}

/// A well mixed word (the finaliser of `SplitMix64`).
pub fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(mix(seed))
    }

    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0)
    }

    /// Below `limit`, which must not be 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.word() % limit
    }

    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// Bytes of which about half compress away.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            let word = self.word();
            bytes.extend_from_slice(&word.to_le_bytes());
            if word.is_multiple_of(4) {
                bytes.extend_from_slice(&[b'a'; 24]);
            }
        }
        bytes.truncate(length);
        bytes
    }
}
