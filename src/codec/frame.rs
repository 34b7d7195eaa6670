//! Compressed frames: one zstd frame (RFC 8878) of at most 128 KiB of content.
//!
//! Rules of a frame in a map (`docs/FORMAT.md`, "Compressed frames"): the header states the
//! content size; no dictionary, no content checksum (the allocation table has one), a window of
//! at most 128 KiB; nothing behind the last block. [`frame_length`] checks them all before a
//! decoder sees a byte, and every decoder writes into memory sized by the caller's length, never
//! by the frame's.

use std::cell::RefCell;

use structured_zstd::decoding::{ContentChecksum, FrameDecoder};
use structured_zstd::encoding::{CompressionLevel, FrameCompressor};

use crate::base::bytes::{Reader, u16_at, u32_at, u64_at};
use crate::base::limits::{CLUSTER, MAX_FRAME};
use crate::base::{Error, Result};

/// Magic number of a zstd frame (RFC 8878, section 3.1.1).
const MAGIC: u32 = 0xfd2f_b528;
/// Bytes before a block's content (RFC 8878, section 3.1.1.2).
const BLOCK_HEADER: usize = 3;

/// Levels the engine uses: while writing, in the background, for archives.
pub const LEVEL_FAST: i32 = 1;
pub const LEVEL_DEFAULT: i32 = 3;
pub const LEVEL_HIGH: i32 = 9;

/// Block size of contents that are read in parts: a part near the front of a 128 KiB frame is
/// decoded 3 times as fast, for a tenth of the speed of compressing and decoding it all.
const PART_BLOCK: u32 = 32 << 10;

thread_local! {
    /// The encoder cannot move between threads, so every thread that compresses has its own,
    /// roughly 1 MiB at low levels.
    static CONTEXT: RefCell<Context> = RefCell::new(Context::new());
}

/// Compresses. May be shared and sent between threads, as a map must be: what it works with
/// belongs to the thread it runs on.
#[derive(Debug, Default)]
pub struct Compressor(());

impl Compressor {
    pub fn new() -> Compressor {
        Compressor(())
    }

    /// Compresses `data` (1 byte to 128 KiB) at zstd level `level` (1..=22) into `out`, replacing
    /// what it held. `false`, with `out` empty, when the frame would not save at least one
    /// cluster and a tenth of the bytes, or when `data` is empty or too long.
    pub fn compress(&mut self, data: &[u8], level: i32, out: &mut Vec<u8>) -> bool {
        CONTEXT.with_borrow_mut(|context| context.compress_blocks(data, level, None, out))
    }

    /// As [`compress`](Self::compress), for contents that are read in parts, such as files packed
    /// together: cut so that [`Decompressor::decompress_prefix`] can stop early.
    pub fn compress_parts(&mut self, data: &[u8], level: i32, out: &mut Vec<u8>) -> bool {
        CONTEXT
            .with_borrow_mut(|context| context.compress_blocks(data, level, Some(PART_BLOCK), out))
    }
}

struct Context {
    encoder: FrameCompressor,
    level: i32,
    block: Option<u32>,
}

impl Context {
    fn new() -> Context {
        let mut encoder = FrameCompressor::new(CompressionLevel::from_level(LEVEL_FAST));
        encoder.set_content_checksum(false);
        Context { encoder, level: LEVEL_FAST, block: None }
    }

    fn compress_blocks(
        &mut self,
        data: &[u8],
        level: i32,
        block: Option<u32>,
        out: &mut Vec<u8>,
    ) -> bool {
        out.clear();
        if data.len() <= CLUSTER || data.len() > MAX_FRAME {
            return false;
        }
        if level != self.level {
            self.encoder.set_compression_level(CompressionLevel::from_level(level));
            self.level = level;
        }
        if block != self.block {
            self.encoder.set_max_block_size(block);
            self.block = block;
        }
        self.encoder.compress_independent_frame_into(data, out);
        let saves = out.len().div_ceil(CLUSTER) < data.len().div_ceil(CLUSTER)
            && out.len() <= data.len() - data.len() / 10;
        if !saves {
            out.clear();
        }
        saves
    }
}

/// A reusable decompression context; keep one per thread that reads.
pub struct Decompressor {
    context: FrameDecoder,
    prefix: Vec<u8>,
}

impl Default for Decompressor {
    fn default() -> Self {
        Decompressor::new()
    }
}

impl Decompressor {
    pub fn new() -> Decompressor {
        let mut context = FrameDecoder::new();
        context.set_content_checksum(ContentChecksum::None);
        // Within the range the decoder accepts, so this cannot fail.
        let bounded = context.set_max_window_size(MAX_FRAME as u64);
        debug_assert!(bounded.is_ok());
        Decompressor { context, prefix: Vec::new() }
    }

    /// Decodes `frame`, which is exactly one frame, into `out`, whose length is the content's.
    ///
    /// # Errors
    /// `Corrupt` when the frame breaks a rule of the format or has another length; `out` then
    /// holds nothing of use.
    pub fn decompress(&mut self, frame: &[u8], out: &mut [u8]) -> Result<()> {
        expect_whole(frame, out.len())?;
        let written = self.context.decode_all(frame, out).map_err(undecodable)?;
        expect_length(written, out.len())
    }

    /// Decodes the first `out.len()` bytes of the content, which is `content_len` bytes long.
    /// Stops behind the last block they need, which saves time where the content was cut into
    /// several: see [`Compressor::compress_parts`].
    ///
    /// # Errors
    /// Those of [`decompress`](Self::decompress); damage behind the bytes wanted goes unseen.
    pub fn decompress_prefix(
        &mut self,
        frame: &[u8],
        content_len: usize,
        out: &mut [u8],
    ) -> Result<()> {
        if out.len() > content_len {
            return Err(Error::corrupt("more bytes wanted than a frame holds"));
        }
        if out.len() == content_len {
            return self.decompress(frame, out);
        }
        expect_whole(frame, content_len)?;
        if Layout::parse(frame)?.blocks > 1 {
            let mut source = frame;
            self.context.reset(&mut source).map_err(undecodable)?;
            let mut filled = 0;
            while filled < out.len() {
                let (read, written) =
                    self.context.decode_from_to(source, &mut out[filled..]).map_err(undecodable)?;
                if read == 0 && written == 0 {
                    return Err(Error::corrupt("a compressed frame ends early"));
                }
                source = &source[read..];
                filled += written;
            }
            return Ok(());
        }
        let mut whole = std::mem::take(&mut self.prefix);
        whole.resize(content_len, 0);
        let result = self.decompress(frame, &mut whole);
        out.copy_from_slice(&whole[..out.len()]);
        self.prefix = whole;
        result
    }
}

/// Decodes `frame` with a second, independent decoder, for `verify --deep` and for reading back
/// what the first one is about to be trusted with.
///
/// # Errors
/// `Corrupt`, as [`Decompressor::decompress`].
pub fn decompress_independently(frame: &[u8], expected_len: usize) -> Result<Vec<u8>> {
    expect_whole(frame, expected_len)?;
    let mut decoder = ruzstd::decoding::FrameDecoder::new();
    decoder.set_max_window_size(MAX_FRAME as u64);
    let mut out = vec![0; expected_len];
    let written = decoder.decode_all(frame, &mut out).map_err(undecodable)?;
    expect_length(written, expected_len)?;
    Ok(out)
}

/// Length in bytes of the frame that `bytes` begin with; zeros or other frames may follow.
///
/// # Errors
/// `Corrupt` when there is no frame, or one that breaks a rule of the format.
pub fn frame_length(bytes: &[u8]) -> Result<usize> {
    Layout::parse(bytes).map(|layout| layout.length)
}

fn expect_whole(frame: &[u8], content_len: usize) -> Result<()> {
    let layout = Layout::parse(frame)?;
    if layout.length != frame.len() {
        let stray = frame.len() - layout.length;
        return Err(Error::corrupt(format!("{stray} stray bytes behind a compressed frame")));
    }
    expect_length(layout.content, content_len)
}

fn expect_length(found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::corrupt(format!("a compressed frame holds {found} bytes instead of {expected}")))
}

fn undecodable(error: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("a compressed frame cannot be decoded: {error}"))
}

/// What can be known of a frame without decoding it.
struct Layout {
    /// Bytes of the frame.
    length: usize,
    /// Bytes of its content, as the header states it.
    content: usize,
    blocks: usize,
}

impl Layout {
    /// Reads the frame header and steps over the blocks (RFC 8878, section 3.1.1).
    fn parse(bytes: &[u8]) -> Result<Layout> {
        let mut reader = Reader::new(bytes);
        if reader.u32()? != MAGIC {
            return Err(Error::corrupt("no compressed frame where one must be"));
        }
        let descriptor = reader.u8()?;
        let single_segment = descriptor & 0x20 != 0;
        // Reserved bit, content checksum flag and dictionary id flag: all must be clear.
        if descriptor & 0x0f != 0 {
            return Err(Error::corrupt("a compressed frame uses what the format does not allow"));
        }
        if !single_segment {
            let window = reader.u8()?;
            let base = 1u64 << (10 + (window >> 3));
            if base + base / 8 * u64::from(window & 7) > MAX_FRAME as u64 {
                return Err(Error::corrupt("a compressed frame asks for too large a window"));
            }
        }
        let content = match descriptor >> 6 {
            0 if single_segment => u64::from(reader.u8()?),
            0 => return Err(Error::corrupt("a compressed frame does not state its size")),
            1 => u64::from(u16_at(reader.take(2)?, 0)) + 256,
            2 => u64::from(u32_at(reader.take(4)?, 0)),
            _ => u64_at(reader.take(8)?, 0),
        };
        if content == 0 || content > MAX_FRAME as u64 {
            return Err(Error::corrupt(format!("a compressed frame of {content} bytes")));
        }
        let mut blocks = 0;
        loop {
            let header = reader.take(BLOCK_HEADER)?;
            let header = u32::from_le_bytes([header[0], header[1], header[2], 0]);
            let size = (header >> 3) as usize;
            let kind = header >> 1 & 3;
            if kind == 3 || size > MAX_FRAME {
                return Err(Error::corrupt("a compressed frame has a malformed block"));
            }
            // A run-length block stores one byte, whatever its size.
            reader.take(if kind == 1 { 1 } else { size })?;
            blocks += 1;
            if header & 1 != 0 {
                return Ok(Layout { length: reader.position(), content: content as usize, blocks });
            }
        }
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
