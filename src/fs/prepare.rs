//! Compressing what is about to be written, before anybody else has to wait for it.
//!
//! A writer of much data compresses whole blocks on its own thread, without any lock, and hands
//! the frames over together with the bytes. A frame is used when the block still holds just those
//! bytes at the time it gets its place.

use super::buffer::BLOCK;
use super::{Fs, View};
use crate::base::Result;
use crate::codec::frame::Compressor;
use crate::codec::symbolic::Symbol;

/// A block that was tried.
#[derive(Debug)]
pub(super) struct Ready {
    pub level: i32,
    /// `None` where the block does not become smaller.
    pub frame: Option<Vec<u8>>,
}

impl Ready {
    /// Bytes it takes.
    pub fn weight(&self) -> usize {
        self.frame.as_ref().map_or(0, Vec::len)
    }
}

/// What compressing the whole blocks of a write gave.
#[derive(Debug, Default)]
pub struct Prepared {
    /// By number of the block in the file.
    pub(super) blocks: Vec<(u64, Ready)>,
}

/// Compresses the whole blocks of `data`, which is to be written at `offset`, at `level`.
pub fn prepare(level: i32, offset: u64, data: &[u8]) -> Prepared {
    let skip = (offset.next_multiple_of(BLOCK as u64) - offset) as usize;
    let Some(aligned) = data.get(skip..) else { return Prepared::default() };
    let first = (offset + skip as u64) / BLOCK as u64;
    let mut compressor = Compressor::new();
    let blocks = (first..).zip(aligned.chunks_exact(BLOCK)).filter_map(|(number, block)| {
        // What is a symbol needs no frame.
        if Symbol::detect(block).is_some() {
            return None;
        }
        let mut frame = Vec::new();
        let saves = compressor.compress(block, level, &mut frame);
        Some((number, Ready { level, frame: saves.then_some(frame) }))
    });
    Prepared { blocks: blocks.collect() }
}

impl Fs {
    /// The level at which data written to a file is compressed; `None` where it is not.
    ///
    /// # Errors
    /// `NotFound`, `Corrupt`, `Io`.
    pub fn level_for(&self, ino: u64) -> Result<Option<i32>> {
        let importance = match self.buffers.get(ino) {
            Some(buffer) => buffer.importance,
            None => self.inode(&self.root_of(View::Head), ino)?.importance,
        };
        let manner = self.manner(importance, false);
        Ok(manner.compress.then_some(manner.level))
    }

    /// Writes compress at most at this level from now on, where speed counts more than the last
    /// byte; what is compressed on demand keeps the map's own.
    pub fn limit_level(&mut self, level: i32) {
        self.level_limit = Some(level);
    }
}
