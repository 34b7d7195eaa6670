//! Reading file data. Every byte that is returned was verified.

use std::cell::RefCell;
use std::sync::{Arc, PoisonError};

use super::{Fs, Inode, View, head};
use crate::base::limits::CLUSTER;
use crate::base::{Error, Result};
use crate::codec::frame::Decompressor;
use crate::codec::symbolic::{Pattern, Symbol};
use crate::commit::Root;
use crate::tree::item::{self, Extent, Source, Stretch};
use crate::tree::{Cursor, Key};

/// Whole clusters that are wanted, and where in the file they stand.
struct Wanted<'a> {
    cluster: u64,
    offset: u64,
    out: &'a mut [u8],
}

thread_local! {
    /// What a thread reads frames into: fresh memory would have to be cleared for each.
    static STORED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Fs {
    /// The inode as stored; buffered writes are not seen.
    pub(super) fn inode(&self, root: &Root, ino: u64) -> Result<Inode> {
        head::inode(&self.store, root, ino)
    }

    /// The inode as it is: in the present with the size and times of buffered writes.
    ///
    /// # Errors
    /// `NotFound`, `Corrupt`, `Io`.
    pub fn stat(&self, view: View, ino: u64) -> Result<Inode> {
        let mut inode = self.inode(&self.root_of(view), ino)?;
        if view == View::Head
            && let Some(buffer) = self.buffers.get(ino)
        {
            inode.size = buffer.size;
            inode.modified = buffer.times.modified;
            inode.changed = inode.changed.max(buffer.times.changed);
            inode.allocated = inode.allocated.max(buffer.written().min(inode.size));
        }
        Ok(inode)
    }

    /// Reads from `offset` on; returns how many bytes there were, fewer only at the end.
    ///
    /// # Errors
    /// `NotFound`, `IsDirectory`, `Invalid`; `Corrupt` naming path, offset, cluster and both
    /// checksums, in which case no byte is returned; `Io`.
    pub fn read(&self, view: View, ino: u64, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let root = self.root_of(view);
        let buffer = if view == View::Head { self.buffers.get(ino) } else { None };
        let size = match buffer {
            Some(buffer) => buffer.size,
            None => {
                let inode = self.inode(&root, ino)?;
                self.expect_regular(&inode)?;
                inode.size
            }
        };
        let length = size.saturating_sub(offset).min(buf.len() as u64) as usize;
        if length == 0 {
            return Ok(0);
        }
        let buf = &mut buf[..length];
        let result = self.read_stored(&root, ino, offset, buf);
        if let Err(error) = result {
            buf.fill(0);
            return Err(match self.path_of(view, ino) {
                Ok(Some(path)) => error.at_path(&path),
                _ => error,
            });
        }
        if let Some(buffer) = buffer {
            buffer.overlay(offset, buf);
        }
        Ok(length)
    }

    /// Fills `buf` with the stored bytes from `offset` on; zeros where there are none.
    pub(super) fn read_stored(
        &self,
        root: &Root,
        ino: u64,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<()> {
        let end = offset + buf.len() as u64;
        let key = Key::new(ino, item::DATA, offset);
        let mut cursor = Cursor::at_floor(&self.store, root, key)?;
        let mut at = offset;
        let mut rest = buf;
        // Whole clusters of raw extents, which are read together: patches of the picture that
        // belong to several of them are then read once.
        let mut raw: Vec<Wanted<'_>> = Vec::new();
        while at < end {
            let Some(item) = cursor.next_in(key)? else { break };
            let start = item.key.offset;
            if start >= end {
                break;
            }
            let stretch = Stretch::decode(item.key, &item)?;
            let stop = start + stretch.length;
            if stop <= at {
                continue;
            }
            if start > at {
                let (gap, behind) = rest.split_at_mut((start - at) as usize);
                gap.fill(0);
                rest = behind;
                at = start;
            }
            let upto = stop.min(end);
            let (out, behind) = rest.split_at_mut((upto - at) as usize);
            rest = behind;
            self.read_stretch(&stretch, at - start, out, at, &mut raw)
                .map_err(|error| error.at_offset(at))?;
            at = upto;
        }
        rest.fill(0);
        self.read_together(raw)
    }

    /// The bytes of a stretch from `skip` on, which stand at `offset` in the file; some of them
    /// `later`.
    fn read_stretch<'a>(
        &self,
        stretch: &Stretch,
        skip: u64,
        out: &'a mut [u8],
        offset: u64,
        later: &mut Vec<Wanted<'a>>,
    ) -> Result<()> {
        match &stretch.source {
            Source::Raw(extent) => {
                self.note_read(extent.first);
                let from = skip as usize + extent.offset as usize;
                self.read_raw(extent, from, out, offset, later)
            }
            Source::Zstd(extent) => {
                self.note_read(extent.first);
                let block = self.block(extent)?;
                let from = extent.offset as usize + skip as usize;
                out.copy_from_slice(&block[from..from + out.len()]);
                Ok(())
            }
            Source::Fill(byte) => {
                out.fill(*byte);
                Ok(())
            }
            Source::Pattern { phase, pattern } => {
                let pattern = Pattern::new(pattern)
                    .ok_or_else(|| Error::corrupt("a file item has an impossible pattern"))?;
                Symbol::Pattern(pattern).expand(u64::from(*phase) + skip, out);
                Ok(())
            }
            Source::Inline(bytes) => {
                let from = skip as usize;
                out.copy_from_slice(&bytes[from..from + out.len()]);
                Ok(())
            }
        }
    }

    /// Bytes of a raw extent: whole clusters straight into `out`, later, the ends at once by way
    /// of a cluster.
    fn read_raw<'a>(
        &self,
        extent: &Extent,
        from: usize,
        out: &'a mut [u8],
        offset: u64,
        later: &mut Vec<Wanted<'a>>,
    ) -> Result<()> {
        let mut at = from;
        let mut rest = out;
        while !rest.is_empty() {
            let within = at % CLUSTER;
            let cluster = extent.first + (at / CLUSTER) as u64;
            let whole = rest.len() / CLUSTER * CLUSTER;
            if within == 0 && whole > 0 {
                let (now, behind) = rest.split_at_mut(whole);
                later.push(Wanted { cluster, offset: offset + (at - from) as u64, out: now });
                at += whole;
                rest = behind;
                continue;
            }
            let take = rest.len().min(CLUSTER - within);
            let (now, behind) = rest.split_at_mut(take);
            let mut bytes = [0; CLUSTER];
            self.store.read_extent(cluster, &mut bytes)?;
            now.copy_from_slice(&bytes[within..within + take]);
            at += take;
            rest = behind;
        }
        Ok(())
    }

    fn read_together(&self, wanted: Vec<Wanted<'_>>) -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let places: Vec<(u64, u64, u64)> = wanted
            .iter()
            .map(|part| (part.cluster, (part.out.len() / CLUSTER) as u64, part.offset))
            .collect();
        let mut requests: Vec<(u64, &mut [u8])> =
            wanted.into_iter().map(|part| (part.cluster, part.out)).collect();
        self.store.read_extents(&mut requests).map_err(|error| {
            let at = error.cluster().unwrap_or_default();
            let within =
                |(first, count, _): &&(u64, u64, u64)| (*first..first + count).contains(&at);
            match places.iter().find(within).or(places.first()) {
                Some((first, _, offset)) => {
                    error.at_offset(offset + at.saturating_sub(*first) * CLUSTER as u64)
                }
                None => error,
            }
        })
    }

    /// The decompressed content of a frame's extent, from the cache or the map.
    pub(super) fn block(&self, extent: &Extent) -> Result<Arc<Vec<u8>>> {
        let block = self.blocks.get_or_make(extent.first, || self.decompressed(extent))?;
        if block.len() == extent.logical as usize {
            return Ok(block);
        }
        // Another item says another length of the same frame: one of them is wrong.
        self.decompressed(extent)
    }

    /// Reads and decompresses a frame.
    fn decompressed(&self, extent: &Extent) -> Result<Arc<Vec<u8>>> {
        STORED.with_borrow_mut(|stored| {
            let length = usize::from(extent.clusters) * CLUSTER;
            if stored.len() < length {
                stored.resize(length, 0);
            }
            let stored = &mut stored[..length];
            self.store.read_extent(extent.first, stored)?;
            let mut content = vec![0; extent.logical as usize];
            let mut decompressor = self.decompressor();
            let outcome = decompressor.decompress(&stored[..extent.stored as usize], &mut content);
            self.decompressors.lock().unwrap_or_else(PoisonError::into_inner).push(decompressor);
            outcome.map_err(|error| error.at_cluster(extent.first))?;
            Ok(Arc::new(content))
        })
    }

    fn decompressor(&self) -> Decompressor {
        self.decompressors.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }
}
