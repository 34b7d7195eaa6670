//! Contents that a formula gives: zeros, one byte throughout, a short pattern repeated.
//!
//! Such extents hold no clusters. Detection gives up at the first mismatch, so that it costs next
//! to nothing on ordinary data.

/// Shortest and longest repeated pattern, in bytes.
pub const MIN_PERIOD: usize = 2;
pub const MAX_PERIOD: usize = 64;

/// Bytes compared at once in the long runs.
const STRIDE: usize = 1024;

static ZEROS: [u8; STRIDE] = [0; STRIDE];

/// A content without clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// All zeros: a hole.
    Zero,
    /// One byte, not zero, throughout.
    Fill(u8),
    /// A pattern, repeated from offset 0.
    Pattern(Pattern),
}

/// The bytes of a repeated pattern: 2 to 64 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    bytes: [u8; MAX_PERIOD],
    period: u8,
}

impl Pattern {
    /// The pattern `bytes`, or `None` unless they are 2 to 64.
    pub fn new(bytes: &[u8]) -> Option<Pattern> {
        if !(MIN_PERIOD..=MAX_PERIOD).contains(&bytes.len()) {
            return None;
        }
        let mut pattern = Pattern { bytes: [0; MAX_PERIOD], period: bytes.len() as u8 };
        pattern.bytes[..bytes.len()].copy_from_slice(bytes);
        Some(pattern)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.period)]
    }
}

impl Symbol {
    /// The symbol whose expansion `data` is, if there is one; the simplest, with the shortest
    /// period. A pattern must repeat at least once in full; no bytes at all are a `Zero`.
    pub fn detect(data: &[u8]) -> Option<Symbol> {
        let Some(&first) = data.first() else { return Some(Symbol::Zero) };
        if first == 0 {
            if is_zero(data) {
                return Some(Symbol::Zero);
            }
        } else if repeats(data, 1) {
            return Some(Symbol::Fill(first));
        }
        let longest = MAX_PERIOD.min(data.len() / 2);
        // The shortest period of the beginning is the only one the whole can have: a longer
        // one of the whole would be one of the beginning too, so each candidate is tried only
        // once its first repetition holds.
        for period in MIN_PERIOD..=longest {
            let probe = data.len().min(period + MAX_PERIOD);
            if data[..probe - period] == data[period..probe] && repeats(data, period) {
                return Pattern::new(&data[..period]).map(Symbol::Pattern);
            }
        }
        None
    }

    /// Fills `out` with the content from `offset` on, counted from where the extent begins.
    pub fn expand(&self, offset: u64, out: &mut [u8]) {
        match self {
            Symbol::Zero => out.fill(0),
            Symbol::Fill(byte) => out.fill(*byte),
            Symbol::Pattern(pattern) => {
                let bytes = pattern.bytes();
                let phase = (offset % bytes.len() as u64) as usize;
                let head = out.len().min(bytes.len());
                for (at, byte) in out[..head].iter_mut().enumerate() {
                    *byte = bytes[(phase + at) % bytes.len()];
                }
                // Doubling: what is filled is a whole number of periods.
                let mut filled = head;
                while filled < out.len() {
                    let more = filled.min(out.len() - filled);
                    out.copy_within(..more, filled);
                    filled += more;
                }
            }
        }
    }
}

/// Whether every byte is zero. Runs at memory speed, stops at the first other byte's stretch.
pub fn is_zero(data: &[u8]) -> bool {
    // The first bytes settle it for ordinary data.
    let head = data.len().min(16);
    data[..head].iter().all(|&byte| byte == 0)
        && data[head..].chunks(STRIDE).all(|chunk| same(chunk, &ZEROS[..chunk.len()]))
}

/// Whether two slices of one length hold the same bytes.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    // Where the system's comparison goes byte by byte, vectors without a branch are far faster.
    if cfg!(target_arch = "wasm32") {
        a.iter().zip(b).fold(0, |any, (a, b)| any | (a ^ b)) == 0
    } else {
        a == b
    }
}

/// Whether each byte equals the one `period` before it.
fn repeats(data: &[u8], period: usize) -> bool {
    let (mut behind, mut ahead) = (&data[..data.len() - period], &data[period..]);
    let mut step = 64;
    while !ahead.is_empty() {
        let size = step.min(ahead.len());
        if !same(&behind[..size], &ahead[..size]) {
            return false;
        }
        (behind, ahead) = (&behind[size..], &ahead[size..]);
        step = STRIDE;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(symbol: Symbol, offset: u64, len: usize) -> Vec<u8> {
        let mut out = vec![0xaa; len];
        symbol.expand(offset, &mut out);
        out
    }

    #[test]
    fn detection_inverts_expansion() {
        for len in [0, 1, 2, 15, 16, 17, 100, 4095, 4096, 4097, 130_000] {
            assert_eq!(Symbol::detect(&vec![0; len]), Some(Symbol::Zero), "{len}");
            if len > 0 {
                assert_eq!(Symbol::detect(&vec![9; len]), Some(Symbol::Fill(9)), "{len}");
            }
        }
        for period in MIN_PERIOD..=MAX_PERIOD {
            let bytes: Vec<u8> = (0..period as u8).collect();
            let symbol = Symbol::Pattern(Pattern::new(&bytes).unwrap());
            for len in [period * 2, period * 2 + 1, 4096, 100_003] {
                let data = expanded(symbol, 0, len);
                assert!(data.iter().enumerate().all(|(at, &b)| b == bytes[at % period]));
                assert_eq!(Symbol::detect(&data), Some(symbol), "{period} {len}");
                for at in [0, 1, len / 2, len - 1] {
                    let mut other = data.clone();
                    other[at] ^= 0x80;
                    assert_eq!(Symbol::detect(&other), None, "{period} {len} {at}");
                }
            }
            for offset in [0, 1, 7, 4096, 1 << 40, u64::MAX] {
                let data = expanded(symbol, offset, 300);
                let phase = offset % period as u64;
                let right = (0..300u64).map(|at| bytes[((phase + at) % period as u64) as usize]);
                assert!(data.iter().copied().eq(right), "{period} {offset}");
            }
        }
    }

    #[test]
    fn a_single_wrong_byte_anywhere_is_seen() {
        for at in 0..9000 {
            let mut data = vec![0; 9000];
            data[at] = 1;
            assert!(!is_zero(&data));
            assert_eq!(Symbol::detect(&data), None, "{at}");
            data.fill(1);
            data[at] = 0;
            assert_eq!(Symbol::detect(&data), None, "{at}");
        }
    }

    #[test]
    fn the_shortest_period_is_found() {
        // A period of 6 inside a period of 12, and a beginning that looks shorter than it is.
        let data = b"abcabdabcabdabcabdabcabd";
        assert_eq!(Symbol::detect(data), Pattern::new(b"abcabd").map(Symbol::Pattern));
        let mut pattern = [b'x'; 64];
        pattern[63] = b'y';
        let symbol = Symbol::Pattern(Pattern::new(&pattern).unwrap());
        assert_eq!(Symbol::detect(&expanded(symbol, 0, 640)), Some(symbol));
        pattern[0] = 0;
        pattern[1..63].fill(0);
        let symbol = Symbol::Pattern(Pattern::new(&pattern).unwrap());
        assert_eq!(Symbol::detect(&expanded(symbol, 0, 640)), Some(symbol));
        assert_eq!(Pattern::new(&[1]), None);
        assert_eq!(Pattern::new(&[1; 65]), None);
    }

    #[test]
    fn a_pattern_must_repeat_in_full() {
        assert_eq!(Symbol::detect(b"abc"), None);
        assert_eq!(Symbol::detect(b"abca"), None);
        assert_eq!(Symbol::detect(b"abab"), Pattern::new(b"ab").map(Symbol::Pattern));
    }
}
