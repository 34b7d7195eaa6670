//! What the kernel asks. Each method takes a request apart and hands it on.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, CopyFileRangeFlags, Errno, FileAttr, FileHandle, Filesystem, FopenFlags,
    Generation, INodeNo, InitFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr,
    ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyLseek,
    ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};

use super::attributes::Change;
use super::kernel::{Job, Kernel};
use super::options::{Access, Options};
use super::state::{State, count};
use crate::base::error::Fault;
use crate::base::{Code, Error, Result};
use crate::fs::{Fs, View};
use crate::map::Map;

/// The kernel need not ask again: nobody else changes the map.
pub(super) const FOREVER: Duration = Duration::from_secs(365 * 86_400);
/// Bytes of the largest request.
const LARGEST: u32 = 1 << 20;

/// An answer to the kernel.
pub(super) type Answer<T> = std::result::Result<T, Errno>;

/// A mounted map, as requests see it.
pub struct Surface {
    pub(super) map: Arc<Map>,
    /// The map's file.
    pub(super) path: PathBuf,
    pub(super) view: View,
    /// Whether the times of pages that are written back arrive: the kernel tells them as root, whom
    /// the crate refuses where only another user may use the mount.
    pub(super) times_are_told: bool,
    /// Nothing will change: mounted read-only, or a snapshot.
    pub(super) unchanging: bool,
    pub(super) state: Arc<State>,
    pub(super) kernel: Arc<Kernel>,
    /// For what cannot be answered at once.
    pub(super) aside: Sender<Job>,
    pub(super) options: Options,
}

impl Surface {
    /// Reads, together with other requests.
    pub(super) fn look<T>(&self, body: impl FnOnce(&Fs) -> Result<T>) -> Answer<T> {
        self.map.read(body).map_err(|error| self.errno(&error))
    }

    /// Changes, if the mount may be changed.
    pub(super) fn change<T>(&self, body: impl FnOnce(&mut Fs) -> Result<T>) -> Answer<T> {
        if self.state.is_read_only() {
            return Err(Errno::EROFS);
        }
        count(&self.state.requests.changes);
        let mut result = self.map.write(body);
        if self.options.sync && result.is_ok() {
            result = result.and_then(|value| self.map.sync().map(|()| value));
        }
        result.map_err(|error| {
            self.state.change_failed(&error);
            self.errno(&error)
        })
    }

    fn entry(&self, reply: ReplyEntry, answer: Answer<FileAttr>) {
        match answer {
            Ok(attr) => reply.entry(&FOREVER, &attr, self.kernel.generation(attr.ino.0)),
            Err(errno) => reply.error(errno),
        }
    }

    /// The number of an error, and a line in the log where it is not the caller's own doing.
    pub(super) fn errno(&self, error: &Error) -> Errno {
        errno(&self.state, error)
    }
}

/// As [`Surface::errno`].
pub(super) fn errno(state: &State, error: &Error) -> Errno {
    if error.code().fault() == Fault::Damaged || error.code() == Code::Io {
        count(&state.requests.errors);
        log::error!("{error}");
    }
    // What is wrong with the map is not wrong with the request.
    if error.code().fault() == Fault::Damaged {
        return Errno::EIO;
    }
    Errno::from_i32(error.code().errno())
}

/// The number for an inode that is gone although the kernel knows it: the map was put back to a
/// state without it.
pub(super) fn stale(errno: Errno) -> Errno {
    if errno.code() == Errno::ENOENT.code() { Errno::ESTALE } else { errno }
}

fn attr(reply: ReplyAttr, answer: Answer<FileAttr>) {
    match answer {
        Ok(attr) => reply.attr(&FOREVER, &attr),
        Err(errno) => reply.error(stale(errno)),
    }
}

fn empty(reply: ReplyEmpty, answer: Answer<()>) {
    match answer {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
}

fn written(reply: ReplyWrite, answer: Answer<u32>) {
    match answer {
        Ok(bytes) => reply.written(bytes),
        Err(errno) => reply.error(stale(errno)),
    }
}

/// Answers with a value, or with its length to whoever offers no room (`listxattr(2)`).
fn value(reply: ReplyXattr, room: u32, answer: Answer<Vec<u8>>) {
    match answer {
        Ok(bytes) if room == 0 => reply.size(bytes.len() as u32),
        Ok(bytes) if bytes.len() > room as usize => reply.error(Errno::ERANGE),
        Ok(bytes) => reply.data(&bytes),
        Err(errno) => reply.error(errno),
    }
}

impl Filesystem for Surface {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let wanted = [
            // Pages are kept and written back by the kernel; nobody else changes the map.
            (InitFlags::FUSE_WRITEBACK_CACHE, !self.options.sync),
            (InitFlags::FUSE_ASYNC_READ, true),
            (InitFlags::FUSE_ASYNC_DIO, true),
            (InitFlags::FUSE_PARALLEL_DIROPS, true),
            (InitFlags::FUSE_CACHE_SYMLINKS, true),
            (InitFlags::FUSE_DO_READDIRPLUS, true),
            (InitFlags::FUSE_READDIRPLUS_AUTO, true),
            // Opening and closing files needs nothing from us, unless others are to be kept out:
            // the crate refuses them what they may not open, but not what is open.
            (InitFlags::FUSE_NO_OPEN_SUPPORT, self.options.access != Access::Root),
            // Without this every write asks for security.capability first.
            (InitFlags::FUSE_HANDLE_KILLPRIV_V2, true),
            // The umask is ours to apply: a default ACL stands above it.
            (InitFlags::FUSE_DONT_MASK, true),
            (InitFlags::FUSE_POSIX_ACL, self.options.checks_permissions()),
        ];
        for (flag, on) in wanted {
            if on && config.add_capabilities(flag).is_err() {
                log::info!("the kernel has no {flag:?}");
            }
        }
        // The nearest size is offered back where ours is too large.
        if let Err(nearest) = config.set_max_write(LARGEST) {
            let _ = config.set_max_write(nearest);
        }
        if let Err(nearest) = config.set_max_readahead(LARGEST) {
            let _ = config.set_max_readahead(nearest);
        }
        let _ = config.set_max_background(64);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.find(parent.0, name.as_bytes()) {
            Ok(Some(attr)) => self.entry(reply, Ok(attr)),
            // Inode 0: that there is nothing may be kept as well.
            Ok(None) => reply.entry(&FOREVER, &super::attributes::NOTHING, Generation(0)),
            Err(errno) => reply.error(stale(errno)),
        }
    }

    fn forget(&self, _: &Request, ino: INodeNo, lookups: u64) {
        self.let_go(ino.0, lookups);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        attr(reply, self.attributes(ino.0));
    }

    fn setattr(
        &self,
        request: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        ctime: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let change = Change { mode, uid, gid, size, atime, mtime, ctime };
        attr(reply, self.set_attributes(request, ino.0, change));
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        match self.look(|fs| fs.read_link(self.view, ino.0)) {
            Ok(target) => reply.data(&target),
            Err(errno) => reply.error(stale(errno)),
        }
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        self.entry(reply, self.make(request, parent.0, name.as_bytes(), mode, umask, rdev));
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let mode = mode & 0o7777 | crate::fs::inode::DIRECTORY;
        self.entry(reply, self.make(request, parent.0, name.as_bytes(), mode, umask, 0));
    }

    fn create(
        &self,
        _: &Request,
        _: INodeNo,
        _: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        // The kernel then makes the node and opens it without asking.
        reply.error(Errno::ENOSYS);
    }

    fn symlink(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let target = target.as_os_str().as_bytes();
        self.entry(reply, self.make_link(request, parent.0, name.as_bytes(), target));
    }

    fn link(&self, _: &Request, ino: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.entry(reply, self.link_to(ino.0, parent.0, name.as_bytes()));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.change(|fs| fs.unlink(parent.0, name.as_bytes())));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.change(|fs| fs.remove_directory(parent.0, name.as_bytes())));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let from = (parent.0, name.as_bytes());
        let to = (new_parent.0, new_name.as_bytes());
        empty(reply, self.move_name(from, to, flags));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        if self.options.access == Access::Root {
            return reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
        }
        reply.error(Errno::ENOSYS);
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // The kernel may keep a listing only where nothing changes: one that two readers fill while
        // a third changes the directory can miss a name for good (Linux 6.18). A directory opened
        // without asking us would always be kept.
        let flags = if self.unchanging {
            FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE
        } else {
            FopenFlags::empty()
        };
        reply.opened(FileHandle(0), flags);
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.read_data(ino.0, offset, size, reply);
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        flags: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        written(reply, self.write_data(ino.0, offset, data, flags));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // The kernel has written its pages back by then; locks are its own as well.
        reply.error(Errno::ENOSYS);
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(reply, self.make_durable(ino.0));
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(reply, self.make_durable(ino.0));
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        match self.list(ino.0, offset, &mut reply) {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(stale(errno)),
        }
    }

    fn readdirplus(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        match self.list_with_attributes(ino.0, offset, &mut reply) {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(stale(errno)),
        }
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        match self.space() {
            Ok(space) => reply.statfs(
                space.blocks,
                space.free,
                space.free,
                space.files,
                space.free_files,
                crate::base::limits::CLUSTER as u32,
                crate::base::limits::MAX_NAME as u32,
                crate::base::limits::CLUSTER as u32,
            ),
            Err(errno) => reply.error(errno),
        }
    }

    fn setxattr(
        &self,
        request: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _: u32,
        reply: ReplyEmpty,
    ) {
        let name = name.as_bytes();
        let answer = self.set_attribute(request, ino.0, name, value, flags);
        if answer.is_ok() && name == super::acl::ACCESS {
            // The mode has followed, of which a kernel that checks nothing does not think.
            let kernel = Arc::clone(&self.kernel);
            let _ = self.aside.send(Box::new(move || {
                kernel.ask_again(ino.0);
                reply.ok();
            }));
            return;
        }
        empty(reply, answer);
    }

    fn getxattr(&self, _: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        value(reply, size, self.attribute(ino.0, name.as_bytes()));
    }

    fn listxattr(&self, request: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        value(reply, size, self.attribute_names(request, ino.0));
    }

    fn removexattr(&self, _: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.remove_attribute(ino.0, name.as_bytes()));
    }

    fn fallocate(
        &self,
        request: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let mode = mode as u32;
        let privileged = request.uid() == 0;
        let answer = self.change(|fs| {
            self.take_privileges(fs, ino.0, privileged)?;
            fs.fallocate(ino.0, mode, offset, length)
        });
        empty(reply, answer.map_err(stale));
    }

    fn lseek(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        self.seek(ino.0, offset, whence, reply);
    }

    fn copy_file_range(
        &self,
        request: &Request,
        ino_in: INodeNo,
        _: FileHandle,
        offset_in: u64,
        ino_out: INodeNo,
        _: FileHandle,
        offset_out: u64,
        len: u64,
        _: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        // The answer has 32 bits.
        let len = len.min(u64::from(u32::MAX) & !0xfff);
        let from = (ino_in.0, offset_in);
        let to = (ino_out.0, offset_out);
        written(reply, self.share(from, to, len, request.uid() == 0));
    }
}
