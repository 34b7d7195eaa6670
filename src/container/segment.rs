//! One band as an independently inflatable stretch of raw deflate (RFC 1951).
//!
//! Three kinds of band, three ways:
//! * all zero: one constant segment;
//! * compressible: `miniz_oxide`, level 6;
//! * noise, which is what compressed data looks like, with zero padding between: a fixed Huffman
//!   code of our own. Literals cost 8 bits (four of them 9), so noise grows by 0.2 %, and zero runs
//!   become matches at distance 1. Stored blocks would cost 5 bytes for each of the 128-byte
//!   tile rows that noise and padding alternate in.
//!
//! Every segment ends with a full flush (an empty stored block), so it ends on a byte, holds no
//! final block and refers to nothing before it.

use std::sync::LazyLock;

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

use super::geometry::Geometry;
use crate::base::limits::TILE;
use crate::base::{Code, Error, Result};
use crate::storage::mem::is_zero;

/// Above this entropy of the non-zero bytes, in bits per byte, a band is noise.
const NOISE_BITS: f64 = 7.4;
/// Zero runs shorter than this stay literals.
const SHORTEST_RUN: usize = 8;
/// A final empty stored block: appended to a segment it makes a whole deflate stream.
const FINAL_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];

/// The longest segment a reader accepts for a band.
pub(super) fn longest(geometry: Geometry) -> usize {
    geometry.band_rows_len() + geometry.band_rows_len() / 64 + 1024
}

/// Turns bands into segments.
pub(super) struct Encoder {
    compressor: Box<CompressorOxide>,
    /// The segment of an all-zero band, once made; all bands of a map have the same length.
    zero: Vec<u8>,
}

impl Encoder {
    pub fn new() -> Encoder {
        // A negative window asks for raw deflate without a zlib header.
        let flags = create_comp_flags_from_zip_params(6, -15, 0);
        Encoder { compressor: Box::new(CompressorOxide::new(flags)), zero: Vec::new() }
    }

    /// Appends the segment of a band's rows to `out`.
    ///
    /// # Errors
    /// `Io` when the compressor fails, which it has no reason to.
    pub fn encode(&mut self, geometry: Geometry, rows: &[u8], out: &mut Vec<u8>) -> Result<()> {
        if is_zero(rows) {
            if self.zero.is_empty() {
                let mut zero = Vec::new();
                self.deflate(rows, &mut zero)?;
                self.zero = zero;
            }
            out.extend_from_slice(&self.zero);
            return Ok(());
        }
        if entropy(geometry, rows) > NOISE_BITS {
            NOISE_CODE.encode(rows, out);
            return Ok(());
        }
        self.deflate(rows, out)
    }

    fn deflate(&mut self, rows: &[u8], out: &mut Vec<u8>) -> Result<()> {
        self.compressor.reset();
        let start = out.len();
        out.resize(start + rows.len() / 4 + 1024, 0);
        let (mut read, mut written) = (0, start);
        loop {
            let (status, took, gave) = compress(
                &mut self.compressor,
                &rows[read..],
                &mut out[written..],
                TDEFLFlush::Full,
            );
            read += took;
            written += gave;
            if status != TDEFLStatus::Okay {
                return Err(Error::new(Code::Io, "the compressor failed"));
            }
            // Room left over means that the flush is complete.
            if read == rows.len() && written < out.len() {
                out.truncate(written);
                return Ok(());
            }
            let more = out.len() + rows.len() / 2 + 1024;
            out.resize(more, 0);
        }
    }
}

/// Inflates `segment` into `rows`, which it must fill exactly. `segment` is changed at its end.
///
/// # Errors
/// `Corrupt` when it is not a segment of that many bytes.
pub(super) fn decode(segment: &mut Vec<u8>, rows: &mut [u8]) -> Result<()> {
    // A segment has no end of its own. With one appended, anything but exactly this segment, a
    // stream that ends early or late, shows.
    segment.extend_from_slice(&FINAL_BLOCK);
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut state = Box::new(DecompressorOxide::new());
    let (status, read, written) = decompress(&mut state, segment, rows, 0, flags);
    if status != TINFLStatus::Done || read != segment.len() || written != rows.len() {
        return Err(Error::corrupt("a band of the packed picture does not inflate to its size"));
    }
    Ok(())
}

/// Entropy of the non-zero bytes, in bits per byte, from every fourth row: a tile has 32 rows, so
/// none is missed. Zeros are left out: the padding says nothing about the data.
fn entropy(geometry: Geometry, rows: &[u8]) -> f64 {
    let mut counts = [[0_u32; 256]; 2];
    for row in rows.chunks_exact(geometry.row_len()).step_by(TILE as usize / 8) {
        let mut pairs = row.chunks_exact(2);
        for pair in &mut pairs {
            counts[0][pair[0] as usize] += 1;
            counts[1][pair[1] as usize] += 1;
        }
    }
    let (mut total, mut sum) = (0.0, 0.0);
    for (even, odd) in counts[0].iter().zip(&counts[1]).skip(1) {
        let count = f64::from(even + odd);
        if count > 0.0 {
            total += count;
            sum += count * count.log2();
        }
    }
    if total > 0.0 { f64::log2(total) - sum / total } else { 0.0 }
}

/// A code word, bits in the order they are written, and its length.
#[derive(Clone, Copy, Default)]
struct Word {
    bits: u32,
    len: u32,
}

/// The fixed code for noise, as a dynamic block's header and ready-made words.
struct NoiseCode {
    header: Vec<Word>,
    literals: [Word; 256],
    /// By match length 3..=258, with extra bits and the distance (1).
    matches: [Word; 259],
    end: Word,
}

static NOISE_CODE: LazyLock<NoiseCode> = LazyLock::new(NoiseCode::new);

/// Literals of 9 bits; which ones does not matter.
const LONG_LITERALS: [usize; 4] = [0x9d, 0xb3, 0xd3, 0xe5];
const END_OF_BLOCK: usize = 256;
const LONGEST_MATCH_SYMBOL: usize = 285;
const SYMBOLS: usize = 286;

impl NoiseCode {
    fn new() -> NoiseCode {
        // In units of 1/8192: 253 x 32 + 4 x 16 + 26 x 1 + 3 x 2 = 8192, a complete code.
        let mut lengths = [8_u8; SYMBOLS];
        lengths[END_OF_BLOCK..LONGEST_MATCH_SYMBOL].fill(13);
        lengths[282..LONGEST_MATCH_SYMBOL].fill(12);
        LONG_LITERALS.iter().for_each(|&literal| lengths[literal] = 9);
        let words = canonical(&lengths);

        let mut matches = [Word::default(); 259];
        for (len, word) in matches.iter_mut().enumerate().skip(3) {
            let (symbol, extra, extra_len) = match_symbol(len);
            let base = words[symbol];
            // The distance code has two words of one bit; the first, 0, is distance 1.
            *word = Word { bits: base.bits | extra << base.len, len: base.len + extra_len + 1 };
        }
        NoiseCode {
            header: dynamic_header(&lengths),
            literals: std::array::from_fn(|literal| words[literal]),
            matches,
            end: words[END_OF_BLOCK],
        }
    }

    fn encode(&self, rows: &[u8], out: &mut Vec<u8>) {
        let mut bits = BitWriter::new(out, rows.len() + rows.len() / 64 + 256);
        self.header.iter().for_each(|&word| bits.put(word));
        let mut at = 0;
        while let Some(eight) = rows.get(at..at + SHORTEST_RUN) {
            if eight == [0; SHORTEST_RUN] {
                let run = zero_run(&rows[at..]);
                self.put_zeros(run, &mut bits);
                at += run;
            } else {
                // Four words of at most 9 bits fit behind the 7 bits a flush may leave.
                for four in eight.chunks_exact(4) {
                    for &byte in four {
                        bits.add(self.literals[byte as usize]);
                    }
                    bits.flush();
                }
                at += SHORTEST_RUN;
            }
        }
        for &byte in &rows[at..] {
            bits.put(self.literals[byte as usize]);
        }
        bits.put(self.end);
        bits.full_flush();
    }

    fn put_zeros(&self, run: usize, bits: &mut BitWriter<'_>) {
        bits.put(self.literals[0]);
        let mut left = run - 1;
        while left >= 258 {
            bits.put(self.matches[258]);
            left -= 258;
        }
        if left >= 3 {
            bits.put(self.matches[left]);
        } else {
            (0..left).for_each(|_| bits.put(self.literals[0]));
        }
    }
}

fn zero_run(bytes: &[u8]) -> usize {
    let words = bytes.chunks_exact(8).take_while(|word| **word == [0; 8]).count() * 8;
    words + bytes[words..].iter().take_while(|&&byte| byte == 0).count()
}

/// Symbol, extra bits and their number for a match length (RFC 1951, section 3.2.5).
fn match_symbol(len: usize) -> (usize, u32, u32) {
    match len {
        258 => (LONGEST_MATCH_SYMBOL, 0, 0),
        3..=10 => (254 + len, 0, 0),
        _ => {
            let over = (len - 3) as u32;
            let extra_len = over.ilog2() - 2;
            let group = (over >> extra_len) - 4;
            (
                261 + 4 * extra_len as usize + group as usize,
                over & ((1 << extra_len) - 1),
                extra_len,
            )
        }
    }
}

/// Canonical code words for lengths, bits reversed for writing (RFC 1951, section 3.2.2).
fn canonical(lengths: &[u8]) -> Vec<Word> {
    let mut words = vec![Word::default(); lengths.len()];
    let mut code = 0_u32;
    for len in 1..=15_u32 {
        code <<= 1;
        for (word, _) in words.iter_mut().zip(lengths).filter(|(_, l)| u32::from(**l) == len) {
            *word = Word { bits: code.reverse_bits() >> (32 - len), len };
            code += 1;
        }
    }
    words
}

/// The header of a dynamic block with these literal lengths and two distance codes of one bit
/// (RFC 1951, section 3.2.7).
fn dynamic_header(lengths: &[u8; SYMBOLS]) -> Vec<Word> {
    const ORDER: [usize; 18] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1];
    let mut meta = [0_u8; 19];
    for (symbol, len) in [(8, 1), (13, 2), (9, 3), (12, 4), (1, 4)] {
        meta[symbol] = len;
    }
    let meta_words = canonical(&meta);
    let mut header = vec![
        Word { bits: 0b100, len: 3 },
        Word { bits: SYMBOLS as u32 - 257, len: 5 },
        Word { bits: 1, len: 5 },
        Word { bits: ORDER.len() as u32 - 4, len: 4 },
    ];
    header.extend(ORDER.map(|symbol| Word { bits: meta[symbol].into(), len: 3 }));
    header.extend(lengths.iter().chain(&[1, 1]).map(|&len| meta_words[len as usize]));
    header
}

/// Writes bits, lowest first, into room reserved ahead.
struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    at: usize,
    bits: u64,
    len: u32,
}

impl<'a> BitWriter<'a> {
    /// `room` is the most that will be written, but for 8 bytes of slack added here.
    fn new(out: &'a mut Vec<u8>, room: usize) -> BitWriter<'a> {
        let at = out.len();
        out.resize(at + room + 8, 0);
        BitWriter { out, at, bits: 0, len: 0 }
    }

    #[inline]
    fn add(&mut self, word: Word) {
        self.bits |= u64::from(word.bits) << self.len;
        self.len += word.len;
    }

    /// Hands whole bytes over; at most 7 bits stay.
    #[inline]
    fn flush(&mut self) {
        self.out[self.at..self.at + 8].copy_from_slice(&self.bits.to_le_bytes());
        let bytes = self.len / 8;
        self.at += bytes as usize;
        self.bits >>= bytes * 8;
        self.len %= 8;
    }

    #[inline]
    fn put(&mut self, word: Word) {
        self.add(word);
        self.flush();
    }

    /// An empty stored block: three zero bits, padding, length 0 and its complement.
    fn full_flush(mut self) {
        self.add(Word { bits: 0, len: 3 });
        self.len = self.len.next_multiple_of(8);
        self.flush();
        self.out.truncate(self.at);
        self.out.extend_from_slice(&[0, 0, 0xff, 0xff]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::live::tests::Random;
    use super::*;

    fn round_trip(rows: &[u8], width: u32) -> usize {
        let geometry = Geometry::new(width, 1).unwrap();
        let mut segment = b"before".to_vec();
        Encoder::new().encode(geometry, rows, &mut segment).unwrap();
        segment.drain(..6);
        let len = segment.len();
        assert!(len <= longest(geometry));
        let mut back = vec![1; rows.len()];
        decode(&mut segment.clone(), &mut back).unwrap();
        assert!(back == rows);
        assert!(decode(&mut segment.clone(), &mut vec![0; rows.len() - 1]).is_err());
        assert!(decode(&mut segment.clone(), &mut vec![0; rows.len() + 1]).is_err());
        for _ in 0..3 {
            segment.pop();
            assert!(decode(&mut segment.clone(), &mut back).is_err());
        }
        len
    }

    #[test]
    fn every_run_length_of_zeros_comes_back() {
        let mut random = Random(1);
        for width in [256, 1024] {
            let geometry = Geometry::new(width, 1).unwrap();
            let mut rows = random.bytes(geometry.band_rows_len());
            let mut at = 0;
            for run in 0..700 {
                let end = (at + run).min(rows.len());
                rows[at..end].fill(0);
                at = (end + 1 + run % 9).min(rows.len());
            }
            round_trip(&rows, width);
            let mut segment = Vec::new();
            NOISE_CODE.encode(&rows, &mut segment);
            let mut back = vec![1; rows.len()];
            decode(&mut segment, &mut back).unwrap();
            assert!(back == rows);
        }
    }

    #[test]
    fn noise_hardly_grows_and_padding_vanishes() {
        let geometry = Geometry::new(1024, 1).unwrap();
        let mut random = Random(2);
        let mut rows = random.bytes(geometry.band_rows_len());
        let len = round_trip(&rows, 1024);
        assert!(len * 1000 < rows.len() * 1004, "{len} of {}", rows.len());
        // Every other tile is padding: half the picture goes.
        for row in rows.chunks_exact_mut(geometry.row_len()) {
            row[0] = 0;
            row[1..].chunks_exact_mut(128).step_by(2).for_each(|run| run.fill(0));
        }
        let len = round_trip(&rows, 1024);
        assert!(len * 100 < rows.len() * 53, "{len} of {}", rows.len());
        let len = round_trip(&vec![0; rows.len()], 1024);
        assert!(len < 300, "{len}");
        let text: Vec<u8> = (0..rows.len()).map(|at| b"inode entry 0123"[at % 16]).collect();
        assert!(round_trip(&text, 1024) < 1500);
    }

    #[test]
    fn garbage_is_refused() {
        let mut random = Random(3);
        for _ in 0..300 {
            let len = random.below(200) as usize;
            let mut segment = random.bytes(len);
            assert!(decode(&mut segment, &mut [0; 5000]).is_err());
        }
    }
}
