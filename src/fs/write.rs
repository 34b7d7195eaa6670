//! Writing: into the buffers, and out of the way again when they are full.

use super::buffer::Times;
use super::prepare::Prepared;
use super::{Fs, View};
use crate::base::env::Timestamp;
use crate::base::{Code, Error, Result};

impl Fs {
    /// Writes `data` at `offset`; it becomes durable with the next sync.
    ///
    /// # Errors
    /// `NotFound`, `IsDirectory`, `Invalid` (not a regular file), `FileTooBig`, `ReadOnly`,
    /// `Poisoned`; when the buffers are full also those of [`Fs::flush_all`].
    pub fn write(&mut self, ino: u64, offset: u64, data: &[u8]) -> Result<()> {
        let now = self.now();
        self.buffer_write(ino, offset, data, Some(now), Prepared::default())
    }

    /// As [`Fs::write`], for bytes that a cache above writes back: they were written before, and
    /// that cache sets the times. The file's own stay as they are. `prepared` is what
    /// [`prepare`](super::prepare::prepare) made of the same bytes, if it was asked.
    ///
    /// # Errors
    /// As [`Fs::write`].
    pub fn write_back(
        &mut self,
        ino: u64,
        offset: u64,
        data: &[u8],
        prepared: Prepared,
    ) -> Result<()> {
        self.buffer_write(ino, offset, data, None, prepared)
    }

    fn buffer_write(
        &mut self,
        ino: u64,
        offset: u64,
        data: &[u8],
        now: Option<Timestamp>,
        prepared: Prepared,
    ) -> Result<()> {
        self.store.check_writable()?;
        Fs::check_range(offset, data.len() as u64)?;
        self.begin_buffer(ino)?;
        if data.is_empty() {
            return Ok(());
        }
        self.buffers.write(ino, offset, data, now);
        self.buffers.keep(ino, prepared);
        if self.buffers.is_full() {
            self.flush_all(false)?;
            self.commit_if_wasteful()?;
        }
        Ok(())
    }

    pub(super) fn begin_buffer(&mut self, ino: u64) -> Result<()> {
        if self.buffers.get(ino).is_some() {
            return Ok(());
        }
        self.store.begin_changes();
        let inode = self.inode(&self.root_of(View::Head), ino)?;
        self.expect_regular(&inode)?;
        let importance = inode.importance;
        let times = Times { modified: inode.modified, changed: inode.changed };
        self.buffers.begin(ino, inode.size, times, importance);
        Ok(())
    }

    pub(super) fn expect_regular(&self, inode: &super::Inode) -> Result<()> {
        if inode.is_regular() {
            Ok(())
        } else if inode.is_directory() {
            Err(Error::new(Code::IsDirectory, "is a directory"))
        } else {
            Err(Error::new(Code::Invalid, "not a regular file"))
        }
    }

    /// Commits when much space waits for it to be used again, and writes home what is overdue:
    /// what is merely due is the business of the map above, which need not keep others
    /// waiting for it.
    pub(super) fn commit_if_wasteful(&mut self) -> Result<()> {
        const WAITING: u64 = 16 << 20;
        if self.store.freed_clusters() * crate::base::limits::CLUSTER as u64 > WAITING {
            self.store.commit()?;
        }
        if self.store.checkpoint_overdue() {
            self.fold_heat()?;
            self.store.checkpoint()?;
        }
        Ok(())
    }

    /// Bytes buffered and not yet placed.
    pub fn buffered_bytes(&self) -> usize {
        self.buffers.bytes()
    }
}
