//! Reading and writing file data.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fuser::{Errno, ReplyData, ReplyLseek, WriteFlags};

use super::attributes::drop_privileges;
use super::state::count;
use super::surface::{Answer, Surface, errno, stale};
use crate::base::{Code, Error, Result};
use crate::fs::buffer::BLOCK;
use crate::fs::prepare::{Prepared, prepare};
use crate::fs::{Fs, View};

const SEEK_DATA: i32 = 3;
const SEEK_HOLE: i32 = 4;

thread_local! {
    /// What a thread reads into: fresh memory would cost more than the copy.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Surface {
    pub(super) fn read_data(&self, ino: u64, offset: u64, size: u32, reply: ReplyData) {
        let requests = &self.state.requests;
        count(&requests.reads);
        BUFFER.with_borrow_mut(|buffer| {
            if buffer.len() < size as usize {
                buffer.resize(size as usize, 0);
            }
            let target = &mut buffer[..size as usize];
            match self.look(|fs| fs.read(self.view, ino, offset, target)) {
                Ok(length) => {
                    requests.read_bytes.fetch_add(length as u64, Ordering::Relaxed);
                    reply.data(&buffer[..length]);
                }
                Err(errno) => reply.error(stale(errno)),
            }
        });
    }

    pub(super) fn write_data(
        &self,
        ino: u64,
        offset: u64,
        data: &[u8],
        flags: WriteFlags,
    ) -> Answer<u32> {
        let requests = &self.state.requests;
        count(&requests.writes);
        requests.written_bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
        // Compressing is the larger part of the work: done before others have to wait.
        let level = if data.len() >= BLOCK { self.look(|fs| fs.level_for(ino))? } else { None };
        let cached = flags.contains(WriteFlags::FUSE_WRITE_CACHE);
        let prepared = match level {
            Some(level) if cached => prepare(level, offset, data),
            _ => Prepared::default(),
        };
        self.change(|fs| {
            if flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID) {
                self.take_privileges(fs, ino, false)?;
            }
            // Of pages that are written back the kernel keeps the time and tells it later.
            if cached {
                self.kernel.outdated(ino);
                if !self.times_are_told {
                    return fs.write(ino, offset, data);
                }
                fs.write_back(ino, offset, data, prepared)
            } else {
                fs.write(ino, offset, data)
            }
        })?;
        Ok(data.len() as u32)
    }

    /// Finds data or a hole. The kernel does not write back what it holds of the file before it
    /// asks (Linux 6.18), so it is told to: a program that copies the data alone would otherwise
    /// lose what was written last.
    pub(super) fn seek(&self, ino: u64, offset: i64, whence: i32, reply: ReplyLseek) {
        let (map, view) = (Arc::clone(&self.map), self.view);
        let (kernel, state) = (Arc::clone(&self.kernel), Arc::clone(&self.state));
        let seek = move || {
            if view == View::Head && !state.is_read_only() {
                kernel.write_back(ino);
            }
            let Ok(from) = u64::try_from(offset) else { return reply.error(Errno::ENXIO) };
            let found = map.write(|fs| match whence {
                SEEK_DATA => fs.seek_data(view, ino, from),
                SEEK_HOLE => fs.seek_hole(view, ino, from),
                _ => Err(Error::new(Code::Invalid, "a seek of another kind")),
            });
            match found {
                Ok(at) => reply.offset(at as i64),
                Err(error) => reply.error(stale(errno(&state, &error))),
            }
        };
        // Should the thread be gone, the job is dropped, and its reply with it: an error.
        let _ = self.aside.send(Box::new(seek));
    }

    /// Content that changes loses what lets it run with the rights of another, unless the caller
    /// may keep that; the kernel then has to ask for the mode again.
    pub(super) fn take_privileges(&self, fs: &mut Fs, ino: u64, privileged: bool) -> Result<()> {
        if let Some(mode) = drop_privileges(fs, ino, None, privileged)? {
            Surface::set_mode(fs, ino, mode)?;
            self.kernel.outdated(ino);
        }
        Ok(())
    }

    /// Makes a range the same bytes as another without copying them.
    pub(super) fn share(
        &self,
        (from, from_offset): (u64, u64),
        (to, to_offset): (u64, u64),
        length: u64,
        privileged: bool,
    ) -> Answer<u32> {
        debug_assert_eq!(self.view, View::Head);
        let shared = self.change(|fs| {
            self.take_privileges(fs, to, privileged)?;
            fs.clone_range(from, from_offset, to, to_offset, length)
        })?;
        Ok(shared as u32)
    }
}
