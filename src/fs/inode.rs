//! Inodes.

use crate::base::bytes::{Put, Reader};
use crate::base::env::Timestamp;
use crate::base::limits::{MAX_FILE, MAX_NAME, MAX_OBJECT};
use crate::base::{Error, Result};

/// The file type bits of a mode, as POSIX systems number them.
pub const TYPE_MASK: u32 = 0o170_000;
pub const FIFO: u32 = 0o010_000;
pub const CHARACTER: u32 = 0o020_000;
pub const DIRECTORY: u32 = 0o040_000;
pub const BLOCK: u32 = 0o060_000;
pub const REGULAR: u32 = 0o100_000;
pub const SYMLINK: u32 = 0o120_000;
pub const SOCKET: u32 = 0o140_000;

/// What kind of file an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileType {
    Regular,
    Directory,
    Symlink,
    Fifo,
    Socket,
    Character,
    Block,
}

impl FileType {
    /// The type a mode names, if it names one.
    pub fn of_mode(mode: u32) -> Option<FileType> {
        Some(match mode & TYPE_MASK {
            REGULAR => FileType::Regular,
            DIRECTORY => FileType::Directory,
            SYMLINK => FileType::Symlink,
            FIFO => FileType::Fifo,
            SOCKET => FileType::Socket,
            CHARACTER => FileType::Character,
            BLOCK => FileType::Block,
            _ => return None,
        })
    }

    /// As `readdir` names it: DT_REG and so on.
    pub fn directory_type(self) -> u8 {
        match self {
            FileType::Fifo => 1,
            FileType::Character => 2,
            FileType::Directory => 4,
            FileType::Block => 6,
            FileType::Regular => 8,
            FileType::Symlink => 10,
            FileType::Socket => 12,
        }
    }

    /// The type that `readdir` names so.
    pub fn of_directory_type(value: u8) -> Option<FileType> {
        FileType::of_mode(u32::from(value) << 12)
    }
}

/// Flag: [`Inode::importance`] was set by hand and stands above the rules.
pub const FLAG_PINNED: u32 = 1;
/// Flags this version knows.
const KNOWN_FLAGS: u32 = FLAG_PINNED;

/// An inode as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    /// Type and permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Names; a directory has 2 and one for each subdirectory.
    pub links: u32,
    /// Bytes; of a directory, the number of entries.
    pub size: u64,
    /// Bytes of file data that are in extents or inline; holes and fills are not.
    pub allocated: u64,
    pub accessed: Timestamp,
    pub modified: Timestamp,
    pub changed: Timestamp,
    pub born: Timestamp,
    /// Device number of a device node, as `stat` packs it.
    pub device: u64,
    pub flags: u32,
    /// 0..=255: decides the distance from the centre.
    pub importance: u8,
    /// The directory it was last linked into; of a directory, its parent.
    pub parent: u64,
    /// A directory's own name, so that its path can be told; empty for the root and for files.
    pub name: Vec<u8>,
}

impl Inode {
    /// A new inode with one link (a directory: two) and all times `now`.
    pub fn new(mode: u32, uid: u32, gid: u32, now: Timestamp, parent: u64) -> Inode {
        Inode {
            mode,
            uid,
            gid,
            links: if mode & TYPE_MASK == DIRECTORY { 2 } else { 1 },
            size: 0,
            allocated: 0,
            accessed: now,
            modified: now,
            changed: now,
            born: now,
            device: 0,
            flags: 0,
            importance: super::rules::DEFAULT_IMPORTANCE,
            parent,
            name: Vec::new(),
        }
    }

    pub fn file_type(&self) -> FileType {
        FileType::of_mode(self.mode).unwrap_or(FileType::Regular)
    }

    pub fn is_directory(&self) -> bool {
        self.mode & TYPE_MASK == DIRECTORY
    }

    pub fn is_regular(&self) -> bool {
        self.mode & TYPE_MASK == REGULAR
    }

    pub fn is_symlink(&self) -> bool {
        self.mode & TYPE_MASK == SYMLINK
    }

    /// The item: `mode u32, uid u32, gid u32, links u32, size u64, allocated u64`, the times
    /// accessed, modified, changed, born as `seconds i64, nanoseconds u32`, `device u64,
    /// flags u32, importance u8, parent u64`, then the name.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(101 + self.name.len());
        for field in [self.mode, self.uid, self.gid, self.links] {
            out.put_u32(field);
        }
        out.put_u64(self.size);
        out.put_u64(self.allocated);
        for time in [self.accessed, self.modified, self.changed, self.born] {
            out.put_i64(time.seconds);
            out.put_u32(time.nanos);
        }
        out.put_u64(self.device);
        out.put_u32(self.flags);
        out.put_u8(self.importance);
        out.put_u64(self.parent);
        out.put(&self.name);
        out
    }

    /// # Errors
    /// `Corrupt` when a field is out of its range.
    pub fn decode(ino: u64, bytes: &[u8]) -> Result<Inode> {
        let mut reader = Reader::new(bytes);
        let broken = |what: &str| Error::corrupt(format!("inode {ino} {what}"));
        let time = |reader: &mut Reader<'_>| -> Result<Timestamp> {
            let (seconds, nanos) = (reader.i64()?, reader.u32()?);
            if nanos >= 1_000_000_000 {
                return Err(broken("has an impossible time"));
            }
            Ok(Timestamp { seconds, nanos })
        };
        let inode = Inode {
            mode: reader.u32()?,
            uid: reader.u32()?,
            gid: reader.u32()?,
            links: reader.u32()?,
            size: reader.u64()?,
            allocated: reader.u64()?,
            accessed: time(&mut reader)?,
            modified: time(&mut reader)?,
            changed: time(&mut reader)?,
            born: time(&mut reader)?,
            device: reader.u64()?,
            flags: reader.u32()?,
            importance: reader.u8()?,
            parent: reader.u64()?,
            name: reader.take(reader.remaining())?.to_vec(),
        };
        if FileType::of_mode(inode.mode).is_none() || inode.mode > 0o177_777 {
            return Err(broken("is of an unknown type"));
        }
        if inode.size > MAX_FILE {
            return Err(broken("has an impossible size"));
        }
        if inode.parent >= MAX_OBJECT {
            return Err(broken("has an impossible parent"));
        }
        if inode.flags & !KNOWN_FLAGS != 0 || inode.name.len() > MAX_NAME {
            return Err(broken("has unknown flags or an impossible name"));
        }
        Ok(inode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inodes_survive_the_round_trip() {
        let now = Timestamp { seconds: -7, nanos: 999_999_999 };
        let mut inode = Inode::new(DIRECTORY | 0o1777, 10, 20, now, 5);
        inode.name = b"caf\xc3\xa9 \xff".to_vec();
        inode.device = 1 << 40;
        inode.flags = FLAG_PINNED;
        assert_eq!(Inode::decode(9, &inode.encode()).unwrap(), inode);
        assert_eq!(inode.links, 2);
    }

    #[test]
    fn impossible_inodes_are_refused() {
        let good = Inode::new(REGULAR | 0o644, 0, 0, Timestamp::default(), 1);
        for change in [
            |inode: &mut Inode| inode.mode = 0o644,
            |inode: &mut Inode| inode.size = u64::MAX,
            |inode: &mut Inode| inode.modified.nanos = 1_000_000_000,
            |inode: &mut Inode| inode.flags = 1 << 31,
        ] {
            let mut inode = good.clone();
            change(&mut inode);
            assert!(Inode::decode(3, &inode.encode()).is_err());
        }
        assert!(Inode::decode(3, &good.encode()[..50]).is_err());
    }
}
