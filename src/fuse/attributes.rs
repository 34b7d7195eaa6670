//! What `stat(2)` says of an inode, and what `chmod`, `chown`, `truncate` and `utimensat` change.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{Errno, FileAttr, INodeNo, Request, TimeOrNow};

use super::acl::{self, Acl};
use super::state::count;
use super::surface::{Answer, Surface};
use crate::base::env::Timestamp;
use crate::base::limits::CLUSTER;
use crate::base::{Code, Result};
use crate::fs::ops::Attributes;
use crate::fs::xattr::SetAttribute;
use crate::fs::{FileType, Fs, Inode, View};

const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;
const GROUP_EXECUTE: u32 = 0o010;
/// The attribute that gives a program capabilities(7); it does not survive a change of the file.
const CAPABILITY: &[u8] = b"security.capability";

/// The answer for a name that is not there: inode 0.
pub(super) const NOTHING: FileAttr = FileAttr {
    ino: INodeNo(0),
    size: 0,
    blocks: 0,
    atime: UNIX_EPOCH,
    mtime: UNIX_EPOCH,
    ctime: UNIX_EPOCH,
    crtime: UNIX_EPOCH,
    kind: fuser::FileType::RegularFile,
    perm: 0,
    nlink: 0,
    uid: 0,
    gid: 0,
    rdev: 0,
    blksize: 0,
    flags: 0,
};

/// What a request changes about an inode.
pub(super) struct Change {
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub size: Option<u64>,
    pub atime: Option<TimeOrNow>,
    pub mtime: Option<TimeOrNow>,
    pub ctime: Option<SystemTime>,
}

pub(super) fn kind(file_type: FileType) -> fuser::FileType {
    match file_type {
        FileType::Regular => fuser::FileType::RegularFile,
        FileType::Directory => fuser::FileType::Directory,
        FileType::Symlink => fuser::FileType::Symlink,
        FileType::Fifo => fuser::FileType::NamedPipe,
        FileType::Socket => fuser::FileType::Socket,
        FileType::Character => fuser::FileType::CharDevice,
        FileType::Block => fuser::FileType::BlockDevice,
    }
}

fn system_time(time: Timestamp) -> SystemTime {
    let seconds = Duration::from_secs(time.seconds.unsigned_abs());
    let nanos = Duration::from_nanos(u64::from(time.nanos));
    let whole = if time.seconds >= 0 {
        UNIX_EPOCH.checked_add(seconds)
    } else {
        UNIX_EPOCH.checked_sub(seconds)
    };
    whole.and_then(|whole| whole.checked_add(nanos)).unwrap_or(UNIX_EPOCH)
}

/// A time as a request brings it. `fuser` 0.18 takes the nanoseconds of a time before 1970 in the
/// wrong direction; what the kernel said is what it negated.
fn timestamp(time: SystemTime) -> Timestamp {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => Timestamp { seconds: since.as_secs() as i64, nanos: since.subsec_nanos() },
        Err(before) => {
            let before = before.duration();
            let seconds = (before.as_secs() as i64).wrapping_neg();
            Timestamp { seconds, nanos: before.subsec_nanos() }
        }
    }
}

impl Surface {
    /// What the kernel keeps about an inode.
    pub(super) fn describe(&self, ino: u64, inode: &Inode) -> FileAttr {
        FileAttr {
            ino: INodeNo(ino),
            size: inode.size,
            blocks: inode.allocated.next_multiple_of(CLUSTER as u64) / 512,
            atime: system_time(inode.accessed),
            mtime: system_time(inode.modified),
            ctime: system_time(inode.changed),
            crtime: system_time(inode.born),
            kind: kind(inode.file_type()),
            perm: (inode.mode & 0o7777) as u16,
            nlink: inode.links,
            uid: self.options.uid.unwrap_or(inode.uid),
            gid: self.options.gid.unwrap_or(inode.gid),
            rdev: inode.device as u32,
            blksize: CLUSTER as u32,
            flags: 0,
        }
    }

    pub(super) fn attributes(&self, ino: u64) -> Answer<FileAttr> {
        count(&self.state.requests.attributes);
        self.kernel.told(ino);
        self.look(|fs| fs.stat(self.view, ino)).map(|inode| self.describe(ino, &inode))
    }

    pub(super) fn set_attributes(
        &self,
        request: &Request,
        ino: u64,
        change: Change,
    ) -> Answer<FileAttr> {
        // Where everything belongs to one user, giving it to another would be a lie.
        let squashed = |asked: Option<u32>, fixed: Option<u32>| {
            asked.is_some() && fixed.is_some() && asked != fixed
        };
        if squashed(change.uid, self.options.uid) || squashed(change.gid, self.options.gid) {
            return Err(Errno::EPERM);
        }
        let privileged = request.uid() == 0;
        let inode = self.change(|fs| {
            if let Some(size) = change.size {
                fs.truncate(ino, size)?;
            }
            let owned = change.uid.is_some() || change.gid.is_some();
            let mut mode = change.mode;
            if owned || change.size.is_some() {
                let keep = !owned && privileged;
                mode = drop_privileges(fs, ino, mode, keep)?;
            }
            if let Some(mode) = change.mode {
                follow_mode(fs, ino, mode)?;
            }
            let now = fs.store().clock().now();
            let time = |asked: Option<TimeOrNow>| match asked? {
                TimeOrNow::Now => Some(now),
                TimeOrNow::SpecificTime(time) => Some(timestamp(time)),
            };
            let attributes = Attributes {
                mode,
                uid: change.uid,
                gid: change.gid,
                accessed: time(change.atime),
                modified: time(change.mtime),
                changed: change.ctime.map(timestamp),
                born: None,
            };
            if attributes == Attributes::default() {
                return fs.stat(View::Head, ino);
            }
            fs.set_attributes(ino, attributes)
        })?;
        Ok(self.describe(ino, &inode))
    }
}

/// The mode of a file that is changed or gets another owner: without what makes a program run
/// with the rights of another, unless `keep` says that the caller may keep those bits.
pub(super) fn drop_privileges(
    fs: &mut Fs,
    ino: u64,
    asked: Option<u32>,
    keep: bool,
) -> Result<Option<u32>> {
    let inode = fs.stat(View::Head, ino)?;
    if !inode.is_regular() {
        return Ok(asked);
    }
    match fs.remove_attribute(ino, CAPABILITY) {
        Err(error) if error.code() != Code::NoData => return Err(error),
        _ => {}
    }
    let mode = asked.unwrap_or(inode.mode) & 0o7777;
    if keep || mode & (SET_UID | SET_GID) == 0 {
        return Ok(asked);
    }
    let mut kept = mode & !SET_UID;
    if mode & GROUP_EXECUTE != 0 {
        kept &= !SET_GID;
    }
    Ok(Some(kept))
}

/// The access list follows a `chmod`.
fn follow_mode(fs: &mut Fs, ino: u64, mode: u32) -> Result<()> {
    let value = match fs.attribute(View::Head, ino, acl::ACCESS) {
        Ok(value) => value,
        Err(error) if error.code() == Code::NoData => return Ok(()),
        Err(error) => return Err(error),
    };
    let Some(mut list) = Acl::decode(&value)? else { return Ok(()) };
    list.set_mode(mode);
    fs.set_attribute(ino, acl::ACCESS, &list.encode(), SetAttribute::Either)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_what_the_kernel_meant() {
        let second = Duration::from_secs(1);
        for (seconds, nanos) in [(0, 0), (1_700_000_000, 999_999_999), (-62_135_596_800, 0)] {
            let time = Timestamp { seconds, nanos };
            assert_eq!(timestamp(system_time(time)), time);
        }
        // 0.2 seconds before 1970: told right, and brought with its nanoseconds negated.
        let time = Timestamp { seconds: -1, nanos: 800_000_000 };
        assert_eq!(system_time(time), UNIX_EPOCH - second / 5);
        assert_eq!(timestamp(UNIX_EPOCH - second - Duration::from_nanos(800_000_000)), time);
    }
}
