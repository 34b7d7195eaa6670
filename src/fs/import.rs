//! Building a tree fast: others read, pack and compress; here frames get their place and files
//! their parts of them.
//!
//! A frame holds one reference of its own until the import ends, so it can be shared by files
//! that come later, and goes if none did.

use super::dir::{self, Entry, add_entry, find_entry};
use super::inode::{self, Inode};
use super::ops::{Owner, new_object};
use super::range::set_size;
use super::{Fs, View, head};
use crate::base::env::Timestamp;
use crate::base::limits::{CLUSTER, MAX_FRAME};
use crate::base::{Code, Error, Result};
use crate::tree::item::{Extent, Source, Stretch};
use crate::vat::Kind;

/// Frames imported so far.
#[derive(Debug, Default)]
pub(super) struct Import {
    frames: Vec<(Kind, Extent)>,
}

/// Where a part of an imported file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// In a frame, by its number.
    Frame { frame: u32, offset: u32 },
    /// Every byte is this one.
    Fill(u8),
    /// Here.
    Inline(Vec<u8>),
}

/// An imported file.
#[derive(Clone, Debug)]
pub struct ImportedFile<'a> {
    pub mode: u32,
    pub owner: Owner,
    /// Bytes.
    pub size: u64,
    pub accessed: Timestamp,
    pub modified: Timestamp,
    /// (offset in the file, bytes, where), ascending; what none covers is a hole.
    pub parts: &'a [(u64, u32, Part)],
}

fn not_importing() -> Error {
    Error::new(Code::Invalid, "no import is under way")
}

impl Fs {
    /// Begins an import.
    ///
    /// # Errors
    /// `Busy` when one is under way.
    pub fn import_begin(&mut self) -> Result<()> {
        if self.import.is_some() {
            return Err(Error::new(Code::Busy, "an import is under way already"));
        }
        self.store.check_writable()?;
        self.import = Some(Import::default());
        Ok(())
    }

    /// Stores a frame: `logical` bytes, compressed into `stored` or, if not `compressed`, the
    /// same bytes. Returns its number.
    ///
    /// # Errors
    /// `Invalid` for sizes no frame has; `NoSpace`, `Io`.
    pub fn import_frame(
        &mut self,
        stored: &[u8],
        logical: u32,
        compressed: bool,
        importance: u8,
    ) -> Result<u32> {
        self.import_frames(&[(stored, logical, compressed)], importance)
    }

    /// Stores several frames of one importance, as [`Fs::import_frame`] does; the picture's bands
    /// are then written once for all of them. Returns the number of the first; the others follow.
    ///
    /// # Errors
    /// As [`Fs::import_frame`]; none of the frames is stored then.
    pub fn import_frames(&mut self, frames: &[(&[u8], u32, bool)], importance: u8) -> Result<u32> {
        let sane = frames.iter().all(|&(stored, logical, compressed)| {
            !stored.is_empty()
                && logical as usize <= MAX_FRAME
                && stored.len() <= MAX_FRAME
                && (compressed || stored.len() == logical as usize)
        });
        if !sane {
            return Err(Error::new(Code::Invalid, "a frame holds 1 byte to 128 KiB"));
        }
        let Some(import) = &self.import else { return Err(not_importing()) };
        let number = import.frames.len() as u32;
        let extents = self.store.atomically(|store| {
            let place = |&(stored, logical, compressed): &(&[u8], u32, bool)| {
                let kind = if compressed { Kind::Zstd } else { Kind::Raw };
                let extent = Extent {
                    first: store.write_extent(kind, stored, importance, false)?,
                    clusters: stored.len().div_ceil(CLUSTER) as u16,
                    logical,
                    stored: stored.len() as u32,
                    offset: 0,
                };
                Ok((kind, extent))
            };
            frames.iter().map(place).collect::<Result<Vec<_>>>()
        })?;
        for (kind, extent) in &extents {
            self.blocks.take(extent.first);
            if *kind == Kind::Zstd {
                self.store.meter.frames_logical.add(u64::from(extent.logical));
                self.store.meter.frames_stored.add(u64::from(extent.stored));
            }
        }
        self.import.as_mut().ok_or_else(not_importing)?.frames.extend(extents);
        self.commit_if_wasteful()?;
        Ok(number)
    }

    /// Makes a regular file of parts of frames.
    ///
    /// # Errors
    /// `Invalid` for parts that overlap or lie outside their frame or the file; as [`Fs::make`].
    pub fn import_file(
        &mut self,
        parent: u64,
        name: &[u8],
        file: &ImportedFile<'_>,
    ) -> Result<u64> {
        dir::check_name(name)?;
        let import = self.import.as_ref().ok_or_else(not_importing)?;
        let mut stretches = Vec::with_capacity(file.parts.len());
        let mut at = 0;
        for (offset, length, part) in file.parts {
            if *offset < at || *length == 0 {
                return Err(Error::new(Code::Invalid, "parts of a file overlap or are empty"));
            }
            at = Fs::check_range(*offset, u64::from(*length))?;
            stretches.push((*offset, stretch(import, *length, part)?));
        }
        if at > file.size {
            return Err(Error::new(Code::Invalid, "a part lies behind the end of the file"));
        }
        let now = self.now();
        let importance = self.importance_in(parent, name)?;
        let mode = inode::REGULAR | file.mode & 0o7777;
        let mut node = Inode::new(mode, file.owner.uid, file.owner.gid, now, parent);
        node.accessed = file.accessed;
        node.modified = file.modified;
        node.importance = importance;
        let keys = self.hash_keys;
        self.store.atomically(|store| {
            let root = store.state().head;
            let mut directory = head::inode(store, &root, parent)?;
            if !directory.is_directory() {
                return Err(Error::new(Code::NotDirectory, "not a directory"));
            }
            if find_entry(store, &root, keys, parent, name)?.is_some() {
                return Err(Error::new(Code::Exists, "the name is taken"));
            }
            let ino = new_object(store)?;
            let entry = Entry { ino, file_type: node.file_type(), name: name.to_vec() };
            add_entry(store, keys, parent, entry)?;
            for (offset, stretch) in &stretches {
                if let Some(extent) = stretch.extent() {
                    store.reference(extent.first)?;
                }
                super::range::insert(store, ino, &mut node, *offset, stretch)?;
            }
            set_size(store, &mut node, file.size);
            head::put_inode(store, ino, &node)?;
            store.state_mut().head.counters.files += 1;
            directory.size += 1;
            directory.modified = now;
            directory.changed = now;
            head::put_inode(store, parent, &directory)?;
            Ok(ino)
        })
    }

    /// Ends an import: the frames no file refers to are freed.
    ///
    /// # Errors
    /// `Invalid` when none is under way; `Corrupt`, `Io`.
    pub fn import_end(&mut self) -> Result<()> {
        let import = self.import.take().ok_or_else(not_importing)?;
        for group in import.frames.chunks(1024) {
            self.store.atomically(|store| {
                group.iter().try_for_each(|(_, extent)| {
                    store.release_extent(extent.first, u32::from(extent.clusters))
                })
            })?;
        }
        self.commit_if_wasteful()
    }

    /// Whether file data of this importance is compressed, by the map's settings.
    pub fn compresses(&self, importance: u8) -> bool {
        self.manner(importance, false).compress
    }

    /// Whether an import is under way.
    pub fn is_importing(&self) -> bool {
        self.import.is_some()
    }

    /// The number of entries in a directory.
    ///
    /// # Errors
    /// `NotFound`, `NotDirectory`.
    pub fn entry_count(&self, view: View, directory: u64) -> Result<u64> {
        Ok(self.expect_directory(&self.root_of(view), directory)?.size)
    }
}

fn stretch(import: &Import, length: u32, part: &Part) -> Result<Stretch> {
    let source = match part {
        Part::Frame { frame, offset } => {
            let (kind, extent) = import
                .frames
                .get(*frame as usize)
                .ok_or_else(|| Error::new(Code::Invalid, format!("there is no frame {frame}")))?;
            if offset.checked_add(length).is_none_or(|end| end > extent.logical) {
                return Err(Error::new(Code::Invalid, "a part lies outside its frame"));
            }
            let extent = Extent { offset: *offset, ..*extent };
            if *kind == Kind::Zstd { Source::Zstd(extent) } else { Source::Raw(extent) }
        }
        Part::Fill(byte) => Source::Fill(*byte),
        Part::Inline(bytes) => {
            if bytes.len() != length as usize || bytes.len() > super::flush::INLINE {
                return Err(Error::new(Code::Invalid, "inline data of another length"));
            }
            Source::Inline(bytes.clone())
        }
    };
    Ok(Stretch { length: u64::from(length), source })
}
