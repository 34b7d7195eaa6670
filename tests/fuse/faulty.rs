//! A disk that can be told to fail: one folder of plain files, passed through to a real folder.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, TimeOrNow,
    WriteFlags, spawn_mount,
};

/// What fails at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    None,
    /// Writing, syncing and changing a length.
    Writes,
    /// Only telling the disk to flush.
    Syncs,
    Reads,
}

/// The disk, mounted. Letting it go unmounts it.
pub struct FaultyDisk {
    pub point: PathBuf,
    fault: Arc<AtomicU8>,
    session: Option<BackgroundSession>,
}

impl FaultyDisk {
    /// Mounts `folder` at `point`.
    pub fn mount(folder: &Path, point: &Path) -> io::Result<FaultyDisk> {
        let fault = Arc::new(AtomicU8::new(Fault::None as u8));
        let passed = PassThrough {
            folder: folder.to_owned(),
            fault: Arc::clone(&fault),
            files: Mutex::default(),
        };
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("faulty".to_owned())];
        config.n_threads = Some(2);
        let session = spawn_mount(passed, point, &config)?;
        Ok(FaultyDisk { point: point.to_owned(), fault, session: Some(session) })
    }

    pub fn set(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::SeqCst);
    }
}

impl Drop for FaultyDisk {
    fn drop(&mut self) {
        self.set(Fault::None);
        if let Some(session) = self.session.take() {
            drop(session.umount_and_join());
        }
    }
}

struct PassThrough {
    folder: PathBuf,
    fault: Arc<AtomicU8>,
    /// By number: every file anybody has looked up.
    files: Mutex<HashMap<u64, Arc<File>>>,
}

const TTL: Duration = Duration::ZERO;
const ROOT: INodeNo = INodeNo(1);

impl PassThrough {
    fn check(&self, failing: &[Fault]) -> io::Result<()> {
        let now = self.fault.load(Ordering::SeqCst);
        if failing.iter().any(|fault| *fault as u8 == now) {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()));
        }
        Ok(())
    }

    fn keep(&self, file: File) -> io::Result<FileAttr> {
        let about = attributes(&file)?;
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.entry(about.ino.0).or_insert_with(|| Arc::new(file));
        Ok(about)
    }

    fn file(&self, number: INodeNo) -> io::Result<Arc<File>> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.get(&number.0).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn about(&self, number: INodeNo) -> io::Result<FileAttr> {
        if number != ROOT {
            return attributes(&*self.file(number)?);
        }
        let mut about = attributes(&File::open(&self.folder)?)?;
        about.ino = ROOT;
        Ok(about)
    }

    fn open_existing(&self, name: &OsStr) -> io::Result<FileAttr> {
        let path = self.folder.join(name);
        self.keep(OpenOptions::new().read(true).write(true).open(path)?)
    }
}

fn attributes(file: &File) -> io::Result<FileAttr> {
    let about = file.metadata()?;
    let kind = if about.is_dir() { FileType::Directory } else { FileType::RegularFile };
    Ok(FileAttr {
        ino: INodeNo(about.ino()),
        size: about.size(),
        blocks: about.blocks(),
        atime: about.accessed()?,
        mtime: about.modified()?,
        ctime: about.modified()?,
        crtime: SystemTime::UNIX_EPOCH,
        kind,
        perm: (about.mode() & 0o7777) as u16,
        nlink: about.nlink() as u32,
        uid: about.uid(),
        gid: about.gid(),
        rdev: 0,
        blksize: 4096,
        flags: 0,
    })
}

fn error(error: io::Error) -> Errno {
    let code = rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::NOENT);
    Errno::from_i32(code.raw_os_error())
}

fn done(result: io::Result<()>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(why) => reply.error(error(why)),
    }
}

fn entry(result: io::Result<FileAttr>, reply: ReplyEntry) {
    match result {
        Ok(about) => reply.entry(&TTL, &about, Generation(0)),
        Err(why) => reply.error(error(why)),
    }
}

impl Filesystem for PassThrough {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(self.open_existing(name), reply);
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.about(number) {
            Ok(about) => reply.attr(&TTL, &about),
            Err(why) => reply.error(error(why)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let change = || {
            if let Some(size) = size {
                self.check(&[Fault::Writes])?;
                self.file(number)?.set_len(size)?;
            }
            self.about(number)
        };
        match change() {
            Ok(about) => reply.attr(&TTL, &about),
            Err(why) => reply.error(error(why)),
        }
    }

    fn create(
        &self,
        _: &Request,
        _: INodeNo,
        name: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let make = || {
            self.check(&[Fault::Writes])?;
            let path = self.folder.join(name);
            let mut options = OpenOptions::new();
            self.keep(options.read(true).write(true).create(true).truncate(false).open(path)?)
        };
        match make() {
            Ok(about) => {
                let flags = FopenFlags::FOPEN_DIRECT_IO;
                reply.created(&TTL, &about, Generation(0), FileHandle(0), flags);
            }
            Err(why) => reply.error(error(why)),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut bytes = vec![0; size as usize];
        let read = self.check(&[Fault::Reads]).and_then(|()| {
            let file = self.file(number)?;
            file.read_at(&mut bytes, offset)
        });
        match read {
            Ok(length) => reply.data(&bytes[..length]),
            Err(why) => reply.error(error(why)),
        }
    }

    fn write(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self
            .check(&[Fault::Writes])
            .and_then(|()| self.file(number)?.write_all_at(data, offset));
        match written {
            Ok(()) => reply.written(data.len() as u32),
            Err(why) => reply.error(error(why)),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.check(&[Fault::Writes, Fault::Syncs]), reply);
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        done(self.check(&[Fault::Writes, Fault::Syncs]), reply);
    }

    fn unlink(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(fs::remove_file(self.folder.join(name)), reply);
    }

    fn link(&self, _: &Request, number: INodeNo, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let link = || {
            let wanted = self.about(number)?.ino.0;
            let mut entries = fs::read_dir(&self.folder)?.flatten();
            let from =
                entries.find(|entry| entry.metadata().is_ok_and(|about| about.ino() == wanted));
            let from = from.ok_or(io::ErrorKind::NotFound)?;
            fs::hard_link(from.path(), self.folder.join(name))?;
            self.about(number)
        };
        entry(link(), reply);
    }

    fn rename(
        &self,
        _: &Request,
        _: INodeNo,
        name: &OsStr,
        _: INodeNo,
        new_name: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        done(fs::rename(self.folder.join(name), self.folder.join(new_name)), reply);
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return reply.error(Errno::EIO) };
        for (at, entry) in entries.flatten().enumerate().skip(offset as usize) {
            let number = entry.metadata().map_or(2, |about| about.ino());
            let next = at as u64 + 1;
            if reply.add(INodeNo(number), next, FileType::RegularFile, entry.file_name()) {
                break;
            }
        }
        reply.ok();
    }
}
