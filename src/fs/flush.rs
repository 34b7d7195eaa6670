//! Flushing: buffered bytes get their place, and the inodes their new sizes.
//!
//! Small files that were written whole are packed into shared extents; very small ones go into
//! the tree; everything else becomes extents of its own, aligned to clusters in the file, so
//! that an overwrite of part of a cluster takes the rest of it along.

use super::buffer::{BLOCK, Times};
use super::inode::Inode;
use super::prepare::Ready;
use super::range::{clear, insert, set_size};
use super::{Blocks, Compression, Fs, View, head};
use crate::base::limits::{CLUSTER, MAX_RAW_EXTENT};
use crate::base::order;
use crate::base::{Code, Error, Result};
use crate::codec::frame::Compressor;
use crate::codec::pack::{Batch, Packer};
use crate::codec::symbolic::Symbol;
use crate::commit::Store;
use crate::plane::zones::{self, Zone};
use crate::tree::item::{Extent, Source, Stretch};
use crate::vat::Kind;

/// Files up to this size live in the tree.
pub const INLINE: usize = 512;
/// Whole files below this size share extents where that saves clusters.
const SHARED: u64 = 64 << 10;
/// A sync that flushes at most this much takes the data through the log.
const THROUGH_LOG: u64 = 64 << 10;

/// Less than this is not flushed in pieces.
const LITTLE: usize = 1 << 20;

/// How file data is to be stored.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    pub compress: bool,
    pub level: i32,
    pub importance: u8,
    pub through_log: bool,
}

/// The first damage met by work that goes on with everything else.
#[derive(Default)]
pub(super) struct Damage(Option<Error>);

impl Damage {
    /// Keeps damage for later; any other failure ends the work.
    pub fn pass(&mut self, result: Result<()>) -> Result<()> {
        match result {
            Err(error) if error.code() == Code::Corrupt => {
                self.0.get_or_insert(error);
                Ok(())
            }
            result => result,
        }
    }

    /// What was kept.
    pub fn told(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

impl Fs {
    /// Gives every buffered byte its place.
    ///
    /// # Errors
    /// `NoSpace`, `Io`, `Corrupt` (a cluster that is overwritten in part does not verify),
    /// `Poisoned`. What could not be flushed stays buffered.
    pub fn flush_all(&mut self, synced: bool) -> Result<()> {
        let inodes = self.buffers.inodes();
        self.flush(&inodes, synced)
    }

    /// Gives some of the buffered bytes their place, where there is more than a sync takes through
    /// the log; `false` when only little is left.
    ///
    /// # Errors
    /// As [`Fs::flush_all`].
    pub fn flush_some(&mut self) -> Result<bool> {
        if self.buffers.bytes() <= LITTLE {
            return Ok(false);
        }
        let mut inodes = self.buffers.some();
        inodes.sort_unstable();
        self.flush(&inodes, false)?;
        Ok(true)
    }

    /// Gives the buffered bytes of some files their place. With `synced`, small amounts travel
    /// through the log.
    ///
    /// # Errors
    /// As [`Fs::flush_all`]. After `Corrupt` everything but the damaged files has its place: one of
    /// them does not keep the others from it.
    pub fn flush(&mut self, inodes: &[u64], synced: bool) -> Result<()> {
        let mut damage = Damage::default();
        let mut small = Vec::new();
        let mut total = 0;
        for &ino in inodes {
            let Some(buffer) = self.buffers.get(ino) else { continue };
            total += buffer.stretches().iter().map(|(_, length)| length).sum::<u64>();
        }
        let through_log = synced && total <= THROUGH_LOG;
        for &ino in inodes {
            let Some(buffer) = self.buffers.get(ino) else { continue };
            let stretches = buffer.stretches();
            let whole = stretches.as_slice() == [(0, buffer.size)];
            if whole && buffer.size < SHARED {
                small.push((buffer.importance, ino));
            } else {
                damage.pass(self.flush_large(ino, &stretches, through_log))?;
            }
        }
        order::by_number(&mut small, |file| file.1);
        order::by_number(&mut small, |file| u64::from(u8::MAX - file.0));
        // A caller may name a file twice; stored twice, one of the two would never be freed.
        small.dedup();
        // Bounded groups: an operation keeps what it changed until it is done.
        for group in small.chunks(512) {
            match self.flush_small(group, through_log) {
                Err(error) if error.code() == Code::Corrupt => {
                    for one in group.chunks(1) {
                        damage.pass(self.flush_small(one, through_log))?;
                    }
                }
                result => result?,
            }
        }
        damage.told()
    }

    pub(super) fn manner(&self, importance: u8, through_log: bool) -> Manner {
        let compress = match self.settings.compression {
            Compression::Off => false,
            Compression::All => true,
            Compression::Zone => {
                let geometry = self.store.geometry();
                let extent = zones::extent(geometry.width(), geometry.sheets());
                let distance = zones::target_distance(importance, extent);
                zones::zone(distance, extent) >= Zone::Temperate
            }
        };
        let level = self.settings.level.min(self.level_limit.unwrap_or(i32::MAX));
        Manner { compress, level, importance, through_log }
    }

    fn flush_large(&mut self, ino: u64, stretches: &[(u64, u64)], through_log: bool) -> Result<()> {
        let Some(buffer) = self.buffers.get(ino) else { return Ok(()) };
        let (size, times) = (buffer.size, buffer.times);
        let manner = self.manner(buffer.importance, through_log);
        let pieces = pieces(stretches, size);
        let mut bytes = Vec::new();
        let mut rest = &pieces[..];
        while !rest.is_empty() {
            let (group, later) = rest.split_at(group_length(rest));
            rest = later;
            bytes.clear();
            for &(start, end) in group {
                self.read_for_flush(ino, start, end, stretches, &mut bytes)?;
            }
            let compressor = &mut self.compressor;
            let blocks = &self.blocks;
            let buffer = self.buffers.get(ino);
            self.store.atomically(|store| {
                let mut inode = head::inode(store, &store.state().head, ino)?;
                let mut data = &bytes[..];
                for &(start, end) in group {
                    let (piece, behind) = data.split_at((end - start) as usize);
                    data = behind;
                    clear(store, ino, &mut inode, start, end)?;
                    if start == 0 && end == size && piece.len() <= INLINE {
                        let source = Source::Inline(piece.to_vec());
                        insert(store, ino, &mut inode, 0, &Stretch { length: size, source })?;
                        continue;
                    }
                    let ready = |at: u64| {
                        let ready = buffer?.ready(start + at)?;
                        (ready.level == manner.level).then_some(ready)
                    };
                    let how = How { manner, compressor, ready: &ready };
                    store_bytes(store, how, piece, &mut |store, at, stretch| {
                        if let Source::Zstd(extent) = &stretch.source {
                            blocks.take(extent.first);
                        }
                        insert(store, ino, &mut inode, start + at, &stretch)
                    })?;
                }
                if rest.is_empty() {
                    finish_inode(store, &mut inode, size, times);
                }
                head::put_inode(store, ino, &inode)
            })?;
        }
        if pieces.is_empty() {
            self.store.atomically(|store| {
                let mut inode = head::inode(store, &store.state().head, ino)?;
                finish_inode(store, &mut inode, size, times);
                head::put_inode(store, ino, &inode)
            })?;
        }
        self.buffers.discard(ino);
        Ok(())
    }

    /// Appends the present bytes of a range that is about to be rewritten: what is stored where
    /// the buffer, of which `stretches` are the written parts, does not cover it, then the buffer.
    fn read_for_flush(
        &self,
        ino: u64,
        start: u64,
        end: u64,
        stretches: &[(u64, u64)],
        bytes: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(buffer) = self.buffers.get(ino) else { return Ok(()) };
        let before = bytes.len();
        if buffer.append_whole(start, end, bytes) {
            return Ok(());
        }
        bytes.truncate(before);
        bytes.resize(before + (end - start) as usize, 0);
        let bytes = &mut bytes[before..];
        let mut gaps = Vec::new();
        let mut at = start;
        let first = stretches.partition_point(|(offset, length)| offset + length <= start);
        for &(offset, length) in stretches[first..].iter().take_while(|(offset, _)| *offset < end) {
            if offset > at {
                gaps.push((at, offset));
            }
            at = offset + length;
        }
        if at < end {
            gaps.push((at, end));
        }
        let root = self.root_of(View::Head);
        for (from, to) in gaps {
            let part = &mut bytes[(from - start) as usize..(to - start) as usize];
            self.read_stored(&root, ino, from, part)?;
        }
        buffer.overlay(start, bytes);
        Ok(())
    }

    fn flush_small(&mut self, group: &[(u8, u64)], through_log: bool) -> Result<()> {
        let mut contents = Vec::with_capacity(group.len());
        for &(importance, ino) in group {
            let Some(buffer) = self.buffers.get(ino) else { continue };
            let mut bytes = vec![0; buffer.size as usize];
            buffer.overlay(0, &mut bytes);
            contents.push((importance, ino, bytes, buffer.times));
        }
        let manners: Vec<Manner> =
            contents.iter().map(|(importance, ..)| self.manner(*importance, through_log)).collect();
        let compressor = &mut self.compressor;
        let blocks = &self.blocks;
        self.store.atomically(|store| {
            let mut packer: Packer<usize> = Packer::new();
            let mut packing: Option<Manner> = None;
            for (index, (_, ino, bytes, times)) in contents.iter().enumerate() {
                let manner = manners[index];
                let ino = *ino;
                let mut inode = head::inode(store, &store.state().head, ino)?;
                let before = inode.size;
                clear(store, ino, &mut inode, 0, before.max(bytes.len() as u64))?;
                let slack = bytes.len().next_multiple_of(CLUSTER) - bytes.len();
                if bytes.len() <= INLINE {
                    if !bytes.is_empty() {
                        let source = Source::Inline(bytes.clone());
                        let stretch = Stretch { length: bytes.len() as u64, source };
                        insert(store, ino, &mut inode, 0, &stretch)?;
                    }
                } else if manner.compress || slack * 8 > bytes.len() {
                    if let Some(before) = packing
                        && (before.compress, before.importance)
                            != (manner.compress, manner.importance)
                        && let Some(batch) = packer.finish()
                    {
                        place_batch(store, compressor, before, batch, &contents, blocks)?;
                    }
                    packing = Some(manner);
                    let mut full = Vec::new();
                    packer.add(index, bytes, &mut |batch| full.push(batch));
                    // Size and times now; the data follows with its batch, in this operation.
                    finish_inode(store, &mut inode, bytes.len() as u64, *times);
                    head::put_inode(store, ino, &inode)?;
                    for batch in full {
                        place_batch(store, compressor, manner, batch, &contents, blocks)?;
                    }
                    continue;
                } else {
                    let how = How { manner, compressor, ready: &|_| None };
                    store_bytes(store, how, bytes, &mut |store, at, stretch| {
                        insert(store, ino, &mut inode, at, &stretch)
                    })?;
                }
                finish_inode(store, &mut inode, bytes.len() as u64, *times);
                head::put_inode(store, ino, &inode)?;
            }
            match (packing, packer.finish()) {
                (Some(manner), Some(batch)) => {
                    place_batch(store, compressor, manner, batch, &contents, blocks)
                }
                _ => Ok(()),
            }
        })?;
        for (_, ino, ..) in contents {
            self.buffers.discard(ino);
        }
        Ok(())
    }
}

/// The ranges to rewrite for these stretches of a file: whole clusters, or up to its end, each
/// at most as long as the longest extent and none twice.
fn pieces(stretches: &[(u64, u64)], size: u64) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::with_capacity(stretches.len());
    for &(offset, length) in stretches {
        let start = offset - offset % CLUSTER as u64;
        let end = (offset + length).next_multiple_of(CLUSTER as u64).min(size.max(offset + length));
        match ranges.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => ranges.push((start, end)),
        }
    }
    let mut pieces = Vec::with_capacity(ranges.len());
    for (mut at, end) in ranges {
        while at < end {
            let next = end.min(at + MAX_RAW_EXTENT as u64 - at % MAX_RAW_EXTENT as u64);
            pieces.push((at, next));
            at = next;
        }
    }
    pieces
}

/// How many of these pieces one operation takes: its memory for undoing stays bounded, and yet
/// many small pieces share their writes. The inode's size moves with the last operation, so a
/// crash in between shows no bytes that were not there before.
fn group_length(pieces: &[(u64, u64)]) -> usize {
    const PIECES: usize = 512;
    let mut sum = 0;
    let fitting = pieces.iter().take(PIECES).take_while(|(start, end)| {
        sum += end - start;
        sum <= MAX_RAW_EXTENT as u64
    });
    fitting.count().max(1)
}

type Content = (u8, u64, Vec<u8>, Times);

/// Stores a packed batch as one extent and gives each file its part.
fn place_batch(
    store: &mut Store,
    compressor: &mut Compressor,
    manner: Manner,
    batch: Batch<usize>,
    contents: &[Content],
    blocks: &Blocks,
) -> Result<()> {
    let (kind, extent) = store_frame(store, compressor, manner, &batch.content)?;
    blocks.take(extent.first);
    for (number, part) in batch.parts.iter().enumerate() {
        if number > 0 {
            store.reference(extent.first)?;
        }
        let ino = contents[part.id].1;
        let mut inode = head::inode(store, &store.state().head, ino)?;
        let extent = Extent { offset: part.frame_offset, ..extent };
        let source = if kind == Kind::Zstd { Source::Zstd(extent) } else { Source::Raw(extent) };
        let stretch = Stretch { length: u64::from(part.length), source };
        insert(store, ino, &mut inode, part.item_offset, &stretch)?;
        head::put_inode(store, ino, &inode)?;
    }
    Ok(())
}

/// Stores up to one block, compressed if asked and worth it.
pub(super) fn store_frame(
    store: &mut Store,
    compressor: &mut Compressor,
    manner: Manner,
    bytes: &[u8],
) -> Result<(Kind, Extent)> {
    let mut frame = Vec::new();
    let compressed = manner.compress && compressor.compress(bytes, manner.level, &mut frame);
    let (kind, stored) = if compressed { (Kind::Zstd, &frame[..]) } else { (Kind::Raw, bytes) };
    if compressed {
        store.meter.frames_logical.add(bytes.len() as u64);
        store.meter.frames_stored.add(stored.len() as u64);
    }
    let first = store.write_extent(kind, stored, manner.importance, manner.through_log)?;
    Ok((
        kind,
        Extent {
            first,
            clusters: stored.len().div_ceil(CLUSTER) as u16,
            logical: bytes.len() as u32,
            stored: stored.len() as u32,
            offset: 0,
        },
    ))
}

/// How bytes become extents.
pub(super) struct How<'a> {
    pub manner: Manner,
    pub compressor: &'a mut Compressor,
    /// What compressing the block at an offset of the bytes gave before.
    pub ready: &'a dyn Fn(u64) -> Option<&'a Ready>,
}

/// Stores bytes as extents, and hands each stretch to `place` with its offset. Zeros become
/// holes, other simple content symbols; blocks that do not compress are joined into long raw
/// extents.
pub(super) fn store_bytes(
    store: &mut Store,
    how: How<'_>,
    bytes: &[u8],
    place: &mut dyn FnMut(&mut Store, u64, Stretch) -> Result<()>,
) -> Result<()> {
    let How { manner, compressor, ready } = how;
    let mut raw: Option<usize> = None;
    let mut at = 0;
    while at < bytes.len() {
        let block = &bytes[at..bytes.len().min(at + BLOCK)];
        let mut plain = false;
        let symbol = Symbol::detect(block).filter(|_| block.len() >= CLUSTER);
        let length = block.len() as u64;
        let symbolic = symbol.map(|symbol| match symbol {
            Symbol::Zero => None,
            Symbol::Fill(byte) => Some(Source::Fill(byte)),
            Symbol::Pattern(pattern) => {
                Some(Source::Pattern { phase: 0, pattern: pattern.bytes().to_vec() })
            }
        });
        if symbolic.is_some() || manner.compress {
            if symbolic.is_none() {
                let mut made = Vec::new();
                let frame = match ready(at as u64).filter(|_| block.len() == BLOCK) {
                    Some(ready) => ready.frame.as_deref(),
                    None => {
                        compressor.compress(block, manner.level, &mut made).then_some(&made[..])
                    }
                };
                if let Some(frame) = frame {
                    store_raw(store, manner, bytes, raw.take(), at, place)?;
                    store.meter.frames_logical.add(length);
                    store.meter.frames_stored.add(frame.len() as u64);
                    let first = store.write_extent(
                        Kind::Zstd,
                        frame,
                        manner.importance,
                        manner.through_log,
                    )?;
                    let extent = Extent {
                        first,
                        clusters: frame.len().div_ceil(CLUSTER) as u16,
                        logical: block.len() as u32,
                        stored: frame.len() as u32,
                        offset: 0,
                    };
                    place(store, at as u64, Stretch { length, source: Source::Zstd(extent) })?;
                } else {
                    plain = true;
                }
            } else {
                store_raw(store, manner, bytes, raw.take(), at, place)?;
                if let Some(Some(source)) = symbolic {
                    place(store, at as u64, Stretch { length, source })?;
                }
            }
        } else {
            plain = true;
        }
        if plain {
            raw.get_or_insert(at);
        }
        at += block.len();
    }
    store_raw(store, manner, bytes, raw, bytes.len(), place)
}

fn store_raw(
    store: &mut Store,
    manner: Manner,
    bytes: &[u8],
    from: Option<usize>,
    to: usize,
    place: &mut dyn FnMut(&mut Store, u64, Stretch) -> Result<()>,
) -> Result<()> {
    let Some(from) = from else { return Ok(()) };
    // A sheet of the smallest picture has room for runs of 32 clusters, of a larger one for 1024.
    let most = largest_run(store);
    let data = &bytes[from..to];
    let firsts = store.write_raw(data, most, manner.importance, manner.through_log)?;
    for (index, (part, first)) in data.chunks(most).zip(firsts).enumerate() {
        let extent = Extent {
            first,
            clusters: part.len().div_ceil(CLUSTER) as u16,
            logical: part.len() as u32,
            stored: part.len() as u32,
            offset: 0,
        };
        let at = (from + index * most) as u64;
        place(store, at, Stretch { length: part.len() as u64, source: Source::Raw(extent) })?;
    }
    Ok(())
}

/// Bytes of the longest raw extent worth asking for: an eighth of a sheet, at most 4 MiB.
fn largest_run(store: &Store) -> usize {
    let clusters = (store.geometry().sheet_clusters() / 8).clamp(8, 1024) as usize;
    (clusters * CLUSTER).min(MAX_RAW_EXTENT)
}

fn finish_inode(store: &mut Store, inode: &mut Inode, size: u64, times: Times) {
    set_size(store, inode, size);
    inode.modified = times.modified;
    inode.changed = inode.changed.max(times.changed);
}
