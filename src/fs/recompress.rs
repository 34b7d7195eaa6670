//! Rewriting stored data: compressing it, or moving it. What is written is read back and
//! compared before the original is let go.

use super::flush::{How, Manner, store_bytes};
use super::range::{clear, insert};
use super::{Fs, View, head};
use crate::base::limits::MAX_RAW_EXTENT;
use crate::base::{Code, Error, Result};
use crate::codec::frame::Compressor;
use crate::tree::item::{self, Source, Stretch};
use crate::tree::{Cursor, Key};

/// What a rewriting changed, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    pub files: u64,
    pub logical: u64,
    pub stored_before: u64,
    pub stored_after: u64,
}

impl Rewritten {
    /// Adds what another file's rewriting changed.
    pub fn add(&mut self, other: Rewritten) {
        self.files += other.files;
        self.logical += other.logical;
        self.stored_before += other.stored_before;
        self.stored_after += other.stored_after;
    }
}

/// A file that is being compressed in steps.
#[derive(Clone, Copy)]
pub struct Compressing {
    ino: u64,
    manner: Manner,
    /// Where the next step begins.
    at: u64,
    before: u64,
}

impl Fs {
    /// Compresses a file's raw data at `level`, whatever the map's policy. Parts that would not
    /// become smaller stay as they are.
    ///
    /// # Errors
    /// `Corrupt` (the file is left alone), `NoSpace`, `ReadOnly`.
    pub fn compress_file(&mut self, ino: u64, level: i32) -> Result<Rewritten> {
        let Some(mut compressing) = self.compress_begin(ino, level, false)? else {
            return Ok(Rewritten::default());
        };
        while self.compress_step(&mut compressing)? {}
        self.compress_end(&compressing)
    }

    /// Begins to compress a file in steps, between which the map may be used and changed at
    /// will; with `again` also what is compressed already. `None` where there is nothing to do.
    ///
    /// # Errors
    /// As [`Fs::compress_file`].
    pub fn compress_begin(
        &mut self,
        ino: u64,
        level: i32,
        again: bool,
    ) -> Result<Option<Compressing>> {
        self.flush(&[ino], false)?;
        let inode = self.inode(&self.root_of(View::Head), ino)?;
        self.expect_regular(&inode)?;
        let mut raw = false;
        let mut before = 0;
        self.for_stretches(View::Head, ino, 0, &mut |_, stretch| {
            raw |= match &stretch.source {
                Source::Raw(_) => true,
                // A frame shared with other files would only be torn apart.
                Source::Zstd(extent) => again && u64::from(extent.logical) == stretch.length,
                _ => false,
            };
            before += stored(stretch);
            Ok(true)
        })?;
        let importance = inode.importance;
        let manner = Manner { compress: true, level, importance, through_log: false };
        Ok(raw.then_some(Compressing { ino, manner, at: 0, before }))
    }

    /// Stores the next part of the file, at most a raw extent long; `false` at its end.
    ///
    /// # Errors
    /// As [`Fs::compress_file`]; `NotFound` when the file is gone meanwhile.
    pub fn compress_step(&mut self, compressing: &mut Compressing) -> Result<bool> {
        // What others wrote since the last step.
        self.flush(&[compressing.ino], false)?;
        let next = self.rewrite_next(compressing.ino, compressing.at, compressing.manner)?;
        compressing.at = next.unwrap_or(compressing.at);
        Ok(next.is_some())
    }

    /// What the steps have changed.
    ///
    /// # Errors
    /// `NotFound` when the file is gone meanwhile; `Corrupt`, `Io`.
    pub fn compress_end(&self, compressing: &Compressing) -> Result<Rewritten> {
        let mut after = 0;
        self.for_stretches(View::Head, compressing.ino, 0, &mut |_, stretch| {
            after += stored(stretch);
            Ok(true)
        })?;
        Ok(Rewritten {
            files: u64::from(after < compressing.before),
            logical: self.inode(&self.root_of(View::Head), compressing.ino)?.size,
            stored_before: compressing.before,
            stored_after: after,
        })
    }

    /// Looks among the inodes from `from` on for a file that the map's policy would compress and
    /// that has raw data which becomes smaller. Returns it, if one is near, and where to look on;
    /// nowhere behind the last inode.
    ///
    /// # Errors
    /// `Corrupt`, `Io`.
    pub fn next_to_compress(&self, from: u64) -> Result<(Option<u64>, Option<u64>)> {
        // A look at so many inodes holds nobody up.
        const NEAR: usize = 64;
        let root = self.root_of(View::Head);
        let mut at = from;
        for _ in 0..NEAR {
            let key = Key::new(at, item::INODE, 0);
            let Some(found) = Cursor::at(&self.store, &root, key)?.advance()? else {
                return Ok((None, None));
            };
            let object = found.key.object();
            if found.key != Key::new(object, item::INODE, 0) || object > at {
                at = object.max(at + 1);
                continue;
            }
            let inode = super::Inode::decode(at, &found)?;
            let suits = inode.is_regular() && self.manner(inode.importance, false).compress;
            if suits && self.is_worth_compressing(at)? {
                return Ok((Some(at), Some(at + 1)));
            }
            at += 1;
        }
        Ok((None, Some(at)))
    }

    /// Whether the first raw data of a file becomes smaller. What was tried when it was written
    /// and did not is not moved about for nothing.
    fn is_worth_compressing(&self, ino: u64) -> Result<bool> {
        let mut raw = None;
        self.for_stretches(View::Head, ino, 0, &mut |start, stretch| {
            if matches!(stretch.source, Source::Raw(_)) {
                raw = Some((start, stretch.length));
            }
            Ok(raw.is_none())
        })?;
        let Some((start, length)) = raw else { return Ok(false) };
        let mut block = vec![0; length.min(super::buffer::BLOCK as u64) as usize];
        self.read_stored(&self.root_of(View::Head), ino, start, &mut block)?;
        Ok(Compressor::new().compress(&block, self.settings.level, &mut Vec::new()))
    }

    /// Stores the data of a file anew. Times stay as they are: the content did not change.
    pub(super) fn rewrite(&mut self, ino: u64, manner: Manner) -> Result<()> {
        let mut at = 0;
        while let Some(next) = self.rewrite_next(ino, at, manner)? {
            at = next;
        }
        Ok(())
    }

    /// Stores the first range of data from `at` on anew; returns its end, `None` where there is
    /// no more.
    fn rewrite_next(&mut self, ino: u64, at: u64, manner: Manner) -> Result<Option<u64>> {
        let size = self.inode(&self.root_of(View::Head), ino)?.size;
        let Some((start, end)) = self.next_data(ino, at, size)? else { return Ok(None) };
        if end <= start {
            return Ok(None);
        }
        let mut bytes = vec![0; (end - start) as usize];
        let root = self.root_of(View::Head);
        self.read_stored(&root, ino, start, &mut bytes)?;
        let compressor = &mut self.compressor;
        let blocks = &self.blocks;
        self.store.atomically(|store| {
            let mut inode = head::inode(store, &store.state().head, ino)?;
            // The old extents go only with the transaction that brings the new ones.
            clear(store, ino, &mut inode, start, end)?;
            let how = How { manner, compressor, ready: &|_| None };
            store_bytes(store, how, &bytes, &mut |store, at, stretch| {
                if let Source::Zstd(extent) = &stretch.source {
                    blocks.take(extent.first);
                }
                insert(store, ino, &mut inode, start + at, &stretch)
            })?;
            head::put_inode(store, ino, &inode)
        })?;
        let mut again = vec![0; bytes.len()];
        let root = self.root_of(View::Head);
        self.read_stored(&root, ino, start, &mut again)?;
        if again != bytes {
            let error = Error::new(Code::Io, "rewritten data read back different");
            return Err(error.at_offset(start));
        }
        self.commit_if_wasteful()?;
        Ok(Some(end))
    }

    /// The next range, at most a raw extent long, that holds data in extents.
    fn next_data(&self, ino: u64, from: u64, size: u64) -> Result<Option<(u64, u64)>> {
        let mut range: Option<(u64, u64)> = None;
        self.for_stretches(View::Head, ino, from, &mut |start, stretch| {
            let (start, end) = (start.max(from), start + stretch.length);
            match (&mut range, &stretch.source) {
                (None, Source::Raw(_) | Source::Zstd(_)) => range = Some((start, end)),
                (Some((_, stop)), Source::Raw(_) | Source::Zstd(_)) if *stop == start => {
                    *stop = end;
                }
                (None, _) => return Ok(true),
                _ => return Ok(false),
            }
            Ok(range.is_none_or(|(from, to)| to - from < MAX_RAW_EXTENT as u64))
        })?;
        Ok(range.map(|(start, end)| {
            (start, end.min(size.max(start)).min(start + MAX_RAW_EXTENT as u64))
        }))
    }
}

/// A stretch's share of the bytes its extent is stored in.
fn stored(stretch: &Stretch) -> u64 {
    match &stretch.source {
        Source::Raw(_) | Source::Inline(_) => stretch.length,
        Source::Zstd(extent) => {
            (u128::from(extent.stored) * u128::from(stretch.length)
                / u128::from(extent.logical.max(1))) as u64
        }
        Source::Fill(_) | Source::Pattern { .. } => 0,
    }
}
