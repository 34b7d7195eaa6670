//! Ranges of files: replacing them, cutting them off, punching holes, sharing them.

use super::inode::Inode;
use super::{Fs, View, head};
use crate::base::limits::MAX_FILE;
use crate::base::{Code, Error, Result};
use crate::commit::Store;
use crate::tree::item::{self, Source, Stretch};
use crate::tree::{Cursor, Item, Key};

/// Allocate without changing the size (`FALLOC_FL_KEEP_SIZE`).
pub const KEEP_SIZE: u32 = 1;
/// Make a hole (`FALLOC_FL_PUNCH_HOLE`); only together with [`KEEP_SIZE`].
pub const PUNCH_HOLE: u32 = 2;
/// Make the range read as zeros (`FALLOC_FL_ZERO_RANGE`).
pub const ZERO_RANGE: u32 = 16;

/// Bytes that count as allocated: those that are kept somewhere.
fn kept(stretch: &Stretch) -> u64 {
    match stretch.source {
        Source::Raw(_) | Source::Zstd(_) | Source::Inline(_) => stretch.length,
        Source::Fill(_) | Source::Pattern { .. } => 0,
    }
}

/// Puts a stretch where nothing is. The reference its extent carries becomes the item's.
pub(super) fn insert(
    store: &mut Store,
    ino: u64,
    inode: &mut Inode,
    offset: u64,
    stretch: &Stretch,
) -> Result<()> {
    head::put(store, Key::new(ino, item::DATA, offset), &stretch.encode())?;
    inode.allocated = inode.allocated.saturating_add(kept(stretch));
    Ok(())
}

/// Takes away everything in `from..to`, cutting the stretches that reach across its ends.
pub(super) fn clear(
    store: &mut Store,
    ino: u64,
    inode: &mut Inode,
    from: u64,
    to: u64,
) -> Result<()> {
    while let Some((start, stretch)) = first_in(store, ino, from, to)? {
        let end = start + stretch.length;
        head::remove(store, Key::new(ino, item::DATA, start))?;
        inode.allocated = inode.allocated.saturating_sub(kept(&stretch));
        let before = (start < from).then(|| (start, stretch.part(0, from - start)));
        let after = (end > to).then(|| (to, stretch.part(to - start, stretch.length)));
        let extent = stretch.extent().map(|extent| (extent.first, u32::from(extent.clusters)));
        match (extent, before.is_some(), after.is_some()) {
            (Some((first, _)), true, true) => store.reference(first)?,
            (Some((first, count)), false, false) => store.release_extent(first, count)?,
            _ => {}
        }
        for (offset, part) in [before, after].into_iter().flatten() {
            insert(store, ino, inode, offset, &part)?;
        }
    }
    Ok(())
}

/// The first stretch that has bytes in `from..to`, with its offset.
fn first_in(store: &Store, ino: u64, from: u64, to: u64) -> Result<Option<(u64, Stretch)>> {
    let key = Key::new(ino, item::DATA, from);
    let root = store.state().head;
    let mut cursor = Cursor::at_floor(store, &root, key)?;
    while let Some(item) = cursor.next_in(key)? {
        if item.key.offset >= to {
            break;
        }
        let stretch = Stretch::decode(item.key, &item)?;
        if item.key.offset + stretch.length > from {
            return Ok(Some((item.key.offset, stretch)));
        }
    }
    Ok(None)
}

fn decode(item: &Item) -> Result<Stretch> {
    Stretch::decode(item.key, item)
}

impl Fs {
    /// Calls `visit` with each stored stretch of a file from `from` on, until it returns `false`.
    /// Buffered writes are not seen: flush first.
    ///
    /// # Errors
    /// `Corrupt`, `Io`, and those of `visit`.
    pub fn for_stretches(
        &self,
        view: View,
        ino: u64,
        from: u64,
        visit: &mut dyn FnMut(u64, &Stretch) -> Result<bool>,
    ) -> Result<()> {
        let root = self.root_of(view);
        let key = Key::new(ino, item::DATA, from);
        let mut cursor = Cursor::at_floor(&self.store, &root, key)?;
        while let Some(item) = cursor.next_in(key)? {
            let stretch = decode(&item)?;
            if item.key.offset + stretch.length > from && !visit(item.key.offset, &stretch)? {
                break;
            }
        }
        Ok(())
    }

    /// Sets the size: cuts the file, or extends it with a hole.
    ///
    /// # Errors
    /// `NotFound`, `IsDirectory`, `Invalid`, `FileTooBig`, `NoSpace`, `ReadOnly`.
    pub fn truncate(&mut self, ino: u64, size: u64) -> Result<()> {
        if size > MAX_FILE {
            return Err(Error::new(Code::FileTooBig, "a file ends at 2^63 - 1 bytes"));
        }
        let inode = self.inode(&self.root_of(View::Head), ino)?;
        self.expect_regular(&inode)?;
        self.store.check_writable()?;
        if size == 0 {
            self.buffers.discard(ino);
        } else {
            self.buffers.truncate(ino, size.min(self.buffers.get(ino).map_or(size, |b| b.size)));
            self.flush(&[ino], false)?;
        }
        let now = self.now();
        self.store.atomically(|store| {
            let mut inode = head::inode(store, &store.state().head, ino)?;
            // Whatever the size said: a flush above may have lowered it already.
            clear(store, ino, &mut inode, size, u64::MAX)?;
            set_size(store, &mut inode, size);
            inode.modified = now;
            inode.changed = now;
            head::put_inode(store, ino, &inode)
        })
    }

    /// `fallocate(2)`: extends a file, punches a hole or zeros a range. Space is found when data
    /// is written, not before: data is never overwritten in place, so reserving it for a range
    /// would promise nothing.
    ///
    /// # Errors
    /// `Invalid` for an empty range, `Unsupported` for other modes; as [`Fs::truncate`].
    pub fn fallocate(&mut self, ino: u64, mode: u32, offset: u64, length: u64) -> Result<()> {
        let end = Fs::check_range(offset, length)?;
        if length == 0 {
            return Err(Error::new(Code::Invalid, "an empty range"));
        }
        let zero = match mode & !KEEP_SIZE {
            0 => false,
            PUNCH_HOLE if mode & KEEP_SIZE != 0 => true,
            ZERO_RANGE => true,
            _ => return Err(Error::new(Code::Unsupported, format!("fallocate mode {mode:#x}"))),
        };
        let inode = self.inode(&self.root_of(View::Head), ino)?;
        self.expect_regular(&inode)?;
        self.flush(&[ino], false)?;
        let now = self.now();
        self.store.atomically(|store| {
            let mut inode = head::inode(store, &store.state().head, ino)?;
            if zero {
                clear(store, ino, &mut inode, offset, end)?;
            }
            if mode & KEEP_SIZE == 0 && end > inode.size {
                set_size(store, &mut inode, end);
            }
            inode.modified = now;
            inode.changed = now;
            head::put_inode(store, ino, &inode)
        })
    }

    /// The first offset at or after `offset` that holds data. Fills count as data.
    ///
    /// # Errors
    /// `NoSuchAddress` when there is none before the end of the file.
    pub fn seek_data(&mut self, view: View, ino: u64, offset: u64) -> Result<u64> {
        let size = self.sized(view, ino, offset)?;
        let mut found = None;
        self.for_stretches(view, ino, offset, &mut |start, _| {
            found = Some(start.max(offset));
            Ok(false)
        })?;
        found
            .filter(|&at| at < size)
            .ok_or_else(|| Error::new(Code::NoSuchAddress, "no data behind this offset"))
    }

    /// The first offset at or after `offset` that lies in a hole; the end of the file is one.
    ///
    /// # Errors
    /// `NoSuchAddress` when `offset` lies past the end.
    pub fn seek_hole(&mut self, view: View, ino: u64, offset: u64) -> Result<u64> {
        let size = self.sized(view, ino, offset)?;
        let mut at = offset;
        self.for_stretches(view, ino, offset, &mut |start, stretch| {
            if start > at {
                return Ok(false);
            }
            at = start + stretch.length;
            Ok(true)
        })?;
        Ok(at.min(size))
    }

    fn sized(&mut self, view: View, ino: u64, offset: u64) -> Result<u64> {
        if view == View::Head && !self.store.is_read_only() {
            self.flush(&[ino], false)?;
        }
        let inode = self.inode(&self.root_of(view), ino)?;
        self.expect_regular(&inode)?;
        if offset >= inode.size {
            return Err(Error::new(Code::NoSuchAddress, "past the end of the file"));
        }
        Ok(inode.size)
    }

    /// Makes a range of `target` the same bytes as one of `source`, without copying them: both
    /// share the extents from then on. Returns the bytes cloned, fewer at the end of the source.
    ///
    /// # Errors
    /// `Invalid` when the ranges overlap in one file; `TooManyLinks`, `NoSpace`, `ReadOnly`.
    pub fn clone_range(
        &mut self,
        source: u64,
        source_offset: u64,
        target: u64,
        target_offset: u64,
        length: u64,
    ) -> Result<u64> {
        self.flush(&[source, target], false)?;
        let root = self.root_of(View::Head);
        let from = self.inode(&root, source)?;
        self.expect_regular(&from)?;
        self.expect_regular(&self.inode(&root, target)?)?;
        let length = from.size.saturating_sub(source_offset).min(length);
        let source_end = source_offset + length;
        let target_end = Fs::check_range(target_offset, length)?;
        if length == 0 {
            return Ok(0);
        }
        if source == target && source_offset < target_end && target_offset < source_end {
            return Err(Error::new(Code::Invalid, "the ranges overlap"));
        }
        let mut parts = Vec::new();
        self.for_stretches(View::Head, source, source_offset, &mut |start, stretch| {
            if start >= source_end {
                return Ok(false);
            }
            let first = source_offset.saturating_sub(start);
            let last = (source_end - start).min(stretch.length);
            parts.push((start + first - source_offset, stretch.part(first, last)));
            Ok(true)
        })?;
        let now = self.now();
        self.store.atomically(|store| {
            let mut inode = head::inode(store, &store.state().head, target)?;
            // The references first: the target may be all that keeps the extents alive.
            for (_, part) in &parts {
                if let Some(extent) = part.extent() {
                    store.reference(extent.first)?;
                }
            }
            clear(store, target, &mut inode, target_offset, target_end)?;
            for (at, part) in &parts {
                insert(store, target, &mut inode, target_offset + at, part)?;
            }
            if target_end > inode.size {
                set_size(store, &mut inode, target_end);
            }
            inode.modified = now;
            inode.changed = now;
            head::put_inode(store, target, &inode)
        })?;
        Ok(length)
    }
}

/// Sets an inode's size and keeps the sum of all sizes.
pub(super) fn set_size(store: &mut Store, inode: &mut Inode, size: u64) {
    let bytes = &mut store.state_mut().head.counters.bytes;
    *bytes = bytes.saturating_sub(inode.size).saturating_add(size);
    inode.size = size;
}
