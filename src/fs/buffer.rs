//! Buffered writes: file data that has no place yet.
//!
//! A file's buffered bytes lie in pieces of 16 KiB, each with the ranges that were written. The
//! size and times a buffered write gives are kept here too and reach the inode together with
//! the data, so a crash never shows a size without its bytes.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::prepare::{Prepared, Ready};
use crate::base::env::Timestamp;

/// Bytes of a block; the logical size of a compressed extent.
pub const BLOCK: usize = 128 << 10;
/// Bytes of one piece: few enough that a write here and there costs little more than itself.
const PIECE: usize = 16 << 10;
/// What remembering a file at all counts for.
const FILE: usize = 256;
/// Emptied pieces kept for reuse: fresh memory is slower to fill than to copy.
const SPARE: usize = 512;

/// One piece: bytes, and which of them were written.
#[derive(Debug, Default)]
pub(super) struct Piece {
    /// Offset in the piece of the first of the bytes.
    from: usize,
    bytes: Vec<u8>,
    /// Disjoint, ascending, not touching: offsets in the piece.
    ranges: Vec<(u32, u32)>,
}

impl Piece {
    fn write(&mut self, at: usize, data: &[u8]) {
        let end = at + data.len();
        if self.ranges.is_empty() {
            self.from = at;
        } else if at < self.from {
            let more = self.from - at;
            self.bytes.splice(..0, std::iter::repeat_n(0, more));
            self.from = at;
        }
        let start = at - self.from;
        if self.bytes.len() < start {
            self.bytes.resize(start, 0);
        }
        let over = data.len().min(self.bytes.len() - start);
        self.bytes[start..start + over].copy_from_slice(&data[..over]);
        self.bytes.extend_from_slice(&data[over..]);
        self.mark(at as u32, end as u32);
    }

    /// The bytes of a range that was written.
    fn slice(&self, from: usize, to: usize) -> &[u8] {
        &self.bytes[from - self.from..to - self.from]
    }

    fn mark(&mut self, mut start: u32, mut end: u32) {
        match self.ranges.last_mut() {
            None => return self.ranges.push((start, end)),
            Some(last) if last.1 == start => {
                last.1 = end;
                return;
            }
            Some(_) => {}
        }
        let first = self.ranges.partition_point(|range| range.1 < start);
        let mut last = first;
        while let Some(range) = self.ranges.get(last).filter(|range| range.0 <= end) {
            start = start.min(range.0);
            end = end.max(range.1);
            last += 1;
        }
        self.ranges.splice(first..last, [(start, end)]);
    }

    fn cut(&mut self, at: u32) {
        self.ranges.retain(|range| range.0 < at);
        if let Some(last) = self.ranges.last_mut() {
            last.1 = last.1.min(at);
        }
        self.bytes.truncate((at as usize).saturating_sub(self.from));
    }
}

/// The times that buffered writes give a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    pub modified: Timestamp,
    pub changed: Timestamp,
}

/// What is buffered of one file.
#[derive(Debug)]
pub(super) struct FileBuffer {
    pieces: BTreeMap<u64, Piece>,
    /// What compressing blocks gave, by their number; gone as soon as a byte of the block changes.
    ready: BTreeMap<u64, Ready>,
    /// The size with the buffered writes, in bytes.
    pub size: u64,
    pub times: Times,
    pub importance: u8,
}

impl FileBuffer {
    /// What compressing the block at `offset` gave, if that was tried.
    pub fn ready(&self, offset: u64) -> Option<&Ready> {
        let aligned = offset.is_multiple_of(BLOCK as u64);
        self.ready.get(&(offset / BLOCK as u64)).filter(|_| aligned)
    }

    /// Forgets frames of the blocks from `first` to `last`; returns the bytes they took.
    fn unready(&mut self, first: u64, last: u64) -> usize {
        let mut freed = 0;
        while let Some((&number, _)) = self.ready.range(first..=last).next() {
            freed += self.ready.remove(&number).map_or(0, |ready| ready.weight());
        }
        freed
    }

    /// Bytes that were written, each counted once.
    pub fn written(&self) -> u64 {
        let ranges = self.pieces.values().flat_map(|piece| &piece.ranges);
        ranges.map(|(start, end)| u64::from(end - start)).sum()
    }

    /// Stretches of written bytes that follow each other, in file order: (offset, length).
    pub fn stretches(&self) -> Vec<(u64, u64)> {
        let mut stretches: Vec<(u64, u64)> = Vec::new();
        for (&number, piece) in &self.pieces {
            let base = number * PIECE as u64;
            for &(start, end) in &piece.ranges {
                let (start, end) = (base + u64::from(start), base + u64::from(end));
                match stretches.last_mut() {
                    Some((offset, length)) if *offset + *length == start => *length = end - *offset,
                    _ => stretches.push((start, end - start)),
                }
            }
        }
        stretches
    }

    /// Appends the bytes of `start..end` to `out` if all of them are buffered; otherwise `false`,
    /// with some of them appended.
    pub fn append_whole(&self, start: u64, end: u64, out: &mut Vec<u8>) -> bool {
        let mut at = start;
        while at < end {
            let within = (at % PIECE as u64) as usize;
            let stop = PIECE.min(within + (end - at) as usize);
            let Some(piece) = self.pieces.get(&(at / PIECE as u64)) else { return false };
            let covers =
                |range: &(u32, u32)| range.0 as usize <= within && stop <= range.1 as usize;
            if !piece.ranges.iter().any(covers) {
                return false;
            }
            out.extend_from_slice(piece.slice(within, stop));
            at += (stop - within) as u64;
        }
        true
    }

    /// Copies the buffered bytes of `offset..offset + out.len()` over `out`.
    pub fn overlay(&self, offset: u64, out: &mut [u8]) {
        let end = offset + out.len() as u64;
        for (&number, piece) in self.pieces.range(offset / PIECE as u64..) {
            let base = number * PIECE as u64;
            if base >= end {
                break;
            }
            for &(start, stop) in &piece.ranges {
                let from = (base + u64::from(start)).max(offset);
                let to = (base + u64::from(stop)).min(end);
                if from < to {
                    out[(from - offset) as usize..(to - offset) as usize]
                        .copy_from_slice(piece.slice((from - base) as usize, (to - base) as usize));
                }
            }
        }
    }
}

/// The buffered writes of all files.
#[derive(Debug)]
pub(super) struct Buffers {
    files: FxHashMap<u64, FileBuffer>,
    /// Bytes held in pieces.
    bytes: usize,
    /// More makes a flush due.
    limit: usize,
    spare: Vec<Vec<u8>>,
}

impl Buffers {
    pub fn new(limit: usize) -> Buffers {
        Buffers { files: FxHashMap::default(), bytes: 0, limit, spare: Vec::new() }
    }

    /// Sets how many bytes make a flush due.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn is_full(&self) -> bool {
        self.bytes >= self.limit
    }

    pub fn get(&self, ino: u64) -> Option<&FileBuffer> {
        self.files.get(&ino)
    }

    /// Some of the inodes with buffered writes: as many as are flushed without holding others up
    /// for long. All of them where there is little.
    pub fn some(&self) -> Vec<u64> {
        const BYTES: usize = 1 << 20;
        const FILES: usize = 512;
        let mut sum = 0;
        let few = self.files.iter().take(FILES).take_while(|(_, file)| {
            let before = sum;
            sum += FILE + file.written() as usize;
            before < BYTES
        });
        few.map(|(&ino, _)| ino).collect()
    }

    /// Inodes with buffered writes, ascending.
    pub fn inodes(&self) -> Vec<u64> {
        let mut inodes: Vec<u64> = self.files.keys().copied().collect();
        inodes.sort_unstable();
        inodes
    }

    /// Begins to buffer a file that has `size` bytes.
    pub fn begin(&mut self, ino: u64, size: u64, times: Times, importance: u8) {
        if !self.files.contains_key(&ino) {
            self.bytes += FILE;
        }
        self.files.entry(ino).or_insert_with(|| FileBuffer {
            pieces: BTreeMap::new(),
            ready: BTreeMap::new(),
            size,
            times,
            importance,
        });
    }

    /// Sets the times of a file; `false` when nothing of it is buffered.
    pub fn set_times(&mut self, ino: u64, times: Times) -> bool {
        let Some(file) = self.files.get_mut(&ino) else { return false };
        file.times = times;
        true
    }

    /// Buffers a write to a file that was [begun](Buffers::begin), and its time if it has one.
    pub fn write(&mut self, ino: u64, offset: u64, data: &[u8], now: Option<Timestamp>) {
        let Some(file) = self.files.get_mut(&ino) else { return };
        file.size = file.size.max(offset + data.len() as u64);
        if let Some(now) = now {
            file.times = Times { modified: now, changed: now };
        }
        if let Some(last) = (offset + data.len() as u64).checked_sub(1) {
            self.bytes -= file.unready(offset / BLOCK as u64, last / BLOCK as u64);
        }
        let mut at = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let within = (at % PIECE as u64) as usize;
            let (now, later) = rest.split_at(rest.len().min(PIECE - within));
            let piece = file.pieces.entry(at / PIECE as u64).or_insert_with(|| Piece {
                from: 0,
                bytes: self.spare.pop().unwrap_or_default(),
                ranges: Vec::new(),
            });
            let before = piece.bytes.len();
            piece.write(within, now);
            self.bytes += piece.bytes.len() - before;
            at += now.len() as u64;
            rest = later;
        }
    }

    /// Keeps what compressing blocks gave that were written as a whole just now.
    pub fn keep(&mut self, ino: u64, prepared: Prepared) {
        let Some(file) = self.files.get_mut(&ino) else { return };
        for (number, ready) in prepared.blocks {
            self.bytes += ready.weight();
            if let Some(before) = file.ready.insert(number, ready) {
                self.bytes -= before.weight();
            }
        }
    }

    /// Forgets what was buffered beyond `size`, which becomes the file's.
    pub fn truncate(&mut self, ino: u64, size: u64) {
        let Some(file) = self.files.get_mut(&ino) else { return };
        file.size = size;
        self.bytes -= file.unready(size / BLOCK as u64, u64::MAX);
        let keep = size / PIECE as u64;
        for (_, piece) in file.pieces.split_off(&(keep + 1)) {
            self.bytes -= piece.bytes.len();
        }
        if let Some(piece) = file.pieces.get_mut(&keep) {
            let before = piece.bytes.len();
            piece.cut((size % PIECE as u64) as u32);
            self.bytes -= before - piece.bytes.len();
            if piece.ranges.is_empty() {
                self.bytes -= piece.bytes.len();
                file.pieces.remove(&keep);
            }
        }
    }

    /// Forgets everything buffered of a file.
    pub fn discard(&mut self, ino: u64) {
        if let Some(mut file) = self.files.remove(&ino) {
            self.bytes -= FILE;
            self.bytes -= file.unready(0, u64::MAX);
            for mut piece in file.pieces.into_values() {
                self.bytes -= piece.bytes.len();
                if self.spare.len() < SPARE {
                    piece.bytes.clear();
                    self.spare.push(piece.bytes);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_writes_leave_the_last_bytes() {
        let mut buffers = Buffers::new(1 << 20);
        let now = Timestamp::default();
        buffers.begin(1, 0, Times::default(), 0);
        let mut model = vec![0u8; 3 * BLOCK];
        let mut written = vec![false; 3 * BLOCK];
        let mut seed = 7u64;
        for step in 0..400u64 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let at = (seed >> 20) as usize % (3 * BLOCK - 5000);
            let length = (seed >> 44) as usize % 5000;
            let data = vec![step as u8; length];
            buffers.write(1, at as u64, &data, Some(now));
            model[at..at + length].copy_from_slice(&data);
            written[at..at + length].fill(true);
        }
        let file = buffers.get(1).unwrap();
        let mut out = vec![0; 3 * BLOCK];
        file.overlay(0, &mut out);
        assert_eq!(out, model);
        let mut covered = vec![false; 3 * BLOCK];
        for (offset, length) in file.stretches() {
            covered[offset as usize..(offset + length) as usize].fill(true);
        }
        assert_eq!(covered, written);
        buffers.discard(1);
        assert_eq!(buffers.bytes(), 0);
    }

    #[test]
    fn truncation_forgets_what_is_behind() {
        let mut buffers = Buffers::new(1 << 20);
        buffers.begin(1, 0, Times::default(), 0);
        buffers.write(1, 0, &vec![1; 2 * BLOCK + 10], None);
        buffers.truncate(1, BLOCK as u64 + 5);
        assert_eq!(buffers.get(1).unwrap().stretches(), [(0, BLOCK as u64 + 5)]);
        buffers.write(1, BLOCK as u64 + 9, &[2], None);
        let mut out = [9; 6];
        buffers.get(1).unwrap().overlay(BLOCK as u64 + 4, &mut out);
        assert_eq!(out, [1, 9, 9, 9, 9, 2]);
    }
}
