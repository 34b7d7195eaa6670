//! The inode calls. Each is one engine call; bytes travel through the scratch buffer.

use wasm_bindgen::prelude::*;

use super::{EXACT, JsResult, Map, TRANSFER, error, whole};
use crate::base::env::Timestamp;
use crate::base::limits::{MAX_NAME, MAX_SYMLINKS};
use crate::base::{Code, Error, Result};
use crate::fs::dir::Entry;
use crate::fs::ops::{Attributes, Owner, Rename};
use crate::fs::path::Last;
use crate::fs::xattr::SetAttribute;
use crate::fs::{FileType, Fs, Inode, View, inode};

/// Flags of `openFile`, as Linux numbers them (asm-generic).
mod open {
    pub const ACCESS: u32 = 3;
    pub const CREATE: u32 = 0o100;
    pub const EXCLUSIVE: u32 = 0o200;
    pub const TRUNCATE: u32 = 0o1000;
    pub const DIRECTORY: u32 = 0o200_000;
    pub const NO_FOLLOW: u32 = 0o400_000;
}

/// Bits of `setattr`'s mask.
mod attribute {
    pub const MODE: u32 = 1;
    pub const UID: u32 = 2;
    pub const GID: u32 = 4;
    pub const ACCESSED: u32 = 8;
    pub const MODIFIED: u32 = 16;
    pub const BORN: u32 = 32;
}

fn time(seconds: f64, nanos: f64) -> Timestamp {
    Timestamp { seconds: seconds as i64, nanos: (nanos as u32).min(999_999_999) }
}

fn number(value: u64) -> Result<f64> {
    let number = value as f64;
    if number <= EXACT {
        Ok(number)
    } else {
        Err(Error::new(Code::Range, format!("{value} is beyond what a number holds exactly")))
    }
}

impl Map {
    fn reading<T>(&self, body: impl FnOnce(&Fs, View) -> Result<T>) -> JsResult<T> {
        self.map.read(|fs| body(fs, self.view)).map_err(error::throw)
    }

    fn writing<T>(&self, body: impl FnOnce(&mut Fs) -> Result<T>) -> JsResult<T> {
        self.check_writable().and_then(|()| self.map.write(body)).map_err(error::throw)
    }

    /// The file a path leads to, made where it is asked for and missing.
    fn open_or_create(
        &self,
        base: u64,
        path: &[u8],
        flags: u32,
        mode: u32,
        owner: Owner,
    ) -> Result<u64> {
        let view = self.view;
        let keep = flags & (open::NO_FOLLOW | open::EXCLUSIVE) != 0;
        let ino = if flags & open::CREATE == 0 {
            let last = if keep { Last::Keep } else { Last::Follow };
            self.map.read(|fs| fs.resolve(view, base, path, last))?
        } else {
            match self.find_or_create(base, path, mode, owner, keep)? {
                (ino, true) => return Ok(ino),
                (ino, false) => ino,
            }
        };
        if flags & open::CREATE != 0 && flags & open::EXCLUSIVE != 0 {
            return Err(Error::new(Code::Exists, "the file exists"));
        }
        let inode = self.map.read(|fs| fs.stat(view, ino))?;
        if inode.is_symlink() {
            return Err(Error::new(Code::Loop, "a symbolic link, which is not to be followed"));
        }
        if flags & open::DIRECTORY != 0 && !inode.is_directory() {
            return Err(Error::new(Code::NotDirectory, "not a directory"));
        }
        let writes = flags & open::ACCESS != 0 || flags & open::TRUNCATE != 0;
        if writes {
            if inode.is_directory() {
                return Err(Error::new(Code::IsDirectory, "is a directory"));
            }
            self.check_writable()?;
        }
        if flags & open::TRUNCATE != 0 && inode.is_regular() && inode.size > 0 {
            self.map.write(|fs| fs.truncate(ino, 0))?;
        }
        Ok(ino)
    }

    /// The file a path leads to, made where it is missing, through a dangling link at the end of
    /// the path unless that is to be kept; and whether it was made.
    fn find_or_create(
        &self,
        base: u64,
        path: &[u8],
        mode: u32,
        owner: Owner,
        keep: bool,
    ) -> Result<(u64, bool)> {
        let view = self.view;
        let mut parent = self.map.read(|fs| fs.resolve_parent(view, base, path))?;
        for _ in 0..=MAX_SYMLINKS {
            if parent.slash {
                return Err(Error::new(Code::IsDirectory, "the path names a directory"));
            }
            match self.map.read(|fs| fs.lookup(view, parent.directory, &parent.name))? {
                Some((link, FileType::Symlink)) if !keep => {
                    parent = self.map.read(|fs| {
                        let target = fs.read_link(view, link)?;
                        fs.resolve_parent(view, parent.directory, &target)
                    })?;
                }
                Some((ino, _)) => return Ok((ino, false)),
                None => {
                    self.check_writable()?;
                    let mode = inode::REGULAR | mode & 0o7777;
                    let (directory, name) = (parent.directory, &parent.name);
                    let ino = self.map.write(|fs| fs.make(directory, name, mode, owner, 0))?;
                    return Ok((ino, true));
                }
            }
        }
        Err(Error::new(Code::Loop, "too many symbolic links"))
    }

    fn make(
        &self,
        parent: f64,
        name_length: usize,
        mode: u32,
        owner: Owner,
        device: u64,
    ) -> JsResult<f64> {
        self.writing(|fs| {
            let name = self.bytes(0, name_length)?;
            fs.make(whole(parent)?, &name, mode, owner, device).map(|ino| ino as f64)
        })
    }
}

#[wasm_bindgen]
impl Map {
    pub fn resolve(&self, path_length: usize, base: f64, follow_last: bool) -> JsResult<f64> {
        self.reading(|fs, view| {
            let path = self.bytes(0, path_length)?;
            let last = if follow_last { Last::Follow } else { Last::Keep };
            fs.resolve(view, whole(base)?, &path, last).map(|ino| ino as f64)
        })
    }

    #[wasm_bindgen(js_name = resolveParent)]
    pub fn resolve_parent(&self, path_length: usize, base: f64) -> JsResult<f64> {
        self.reading(|fs, view| {
            let path = self.bytes(0, path_length)?;
            let parent = fs.resolve_parent(view, whole(base)?, &path)?;
            self.last_name.set(self.put_bytes(&parent.name)?);
            Ok(parent.directory as f64)
        })
    }

    pub fn lookup(&self, parent: f64, name_length: usize) -> JsResult<f64> {
        self.reading(|fs, view| {
            let name = self.bytes(0, name_length)?;
            Ok(fs.lookup(view, whole(parent)?, &name)?.map_or(0.0, |(ino, _)| ino as f64))
        })
    }

    #[wasm_bindgen(js_name = openFile)]
    pub fn open_file(
        &self,
        path_length: usize,
        base: f64,
        flags: u32,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> JsResult<f64> {
        let open = || {
            let path = self.bytes(0, path_length)?;
            let ino = self.open_or_create(whole(base)?, &path, flags, mode, Owner { uid, gid })?;
            self.map.read(|fs| fs.retain(ino));
            Ok(ino as f64)
        };
        open().map_err(error::throw)
    }

    pub fn retain(&self, ino: f64) -> JsResult<()> {
        let ino = whole(ino).map_err(error::throw)?;
        self.map.read(|fs| fs.retain(ino));
        Ok(())
    }

    pub fn release(&self, ino: f64) -> JsResult<()> {
        whole(ino).and_then(|ino| self.map.write(|fs| fs.release(ino))).map_err(error::throw)
    }

    /// Fills the stat record: see the contract for its layout.
    pub fn stat(&self, ino: f64) -> JsResult<()> {
        self.reading(|fs, view| {
            let ino = whole(ino)?;
            let inode = fs.stat(view, ino)?;
            let mut scratch = self.scratch.borrow_mut();
            put_stat(&mut scratch[..100], ino, &inode)
        })
    }

    /// Walks a path and fills the stat record of what it leads to; 0 where there is nothing.
    #[wasm_bindgen(js_name = statPath)]
    pub fn stat_path(&self, path_length: usize, base: f64, follow_last: bool) -> JsResult<f64> {
        self.reading(|fs, view| {
            let mut scratch = self.scratch.borrow_mut();
            let path = scratch
                .get(..path_length)
                .ok_or_else(|| Error::new(Code::NameTooLong, "a path of more than 4095 bytes"))?;
            let last = if follow_last { Last::Follow } else { Last::Keep };
            let ino = match fs.resolve(view, whole(base)?, path, last) {
                Ok(ino) => ino,
                Err(error) if error.code() == Code::NotFound => return Ok(0.0),
                Err(error) => return Err(error),
            };
            let inode = fs.stat(view, ino)?;
            put_stat(&mut scratch[..100], ino, &inode)?;
            Ok(ino as f64)
        })
    }

    #[allow(clippy::too_many_arguments)]
    pub fn setattr(
        &self,
        ino: f64,
        mask: u32,
        mode: u32,
        uid: u32,
        gid: u32,
        accessed_seconds: f64,
        accessed_nanos: f64,
        modified_seconds: f64,
        modified_nanos: f64,
    ) -> JsResult<()> {
        self.writing(|fs| {
            let has = |bit: u32| mask & bit != 0;
            let modified = time(modified_seconds, modified_nanos);
            let attributes = Attributes {
                mode: has(attribute::MODE).then_some(mode),
                uid: has(attribute::UID).then_some(uid),
                gid: has(attribute::GID).then_some(gid),
                accessed: has(attribute::ACCESSED).then(|| time(accessed_seconds, accessed_nanos)),
                modified: has(attribute::MODIFIED).then_some(modified),
                changed: None,
                born: has(attribute::BORN).then_some(modified),
            };
            fs.set_attributes(whole(ino)?, attributes).map(|_| ())
        })
    }

    pub fn truncate(&self, ino: f64, size: f64) -> JsResult<()> {
        self.writing(|fs| fs.truncate(whole(ino)?, whole(size)?))
    }

    pub fn read(&self, ino: f64, offset: f64, length: usize) -> JsResult<usize> {
        self.reading(|fs, view| {
            let mut scratch = self.scratch.borrow_mut();
            fs.read(view, whole(ino)?, whole(offset)?, &mut scratch[..length.min(TRANSFER)])
        })
    }

    pub fn write(&self, ino: f64, offset: f64, length: usize) -> JsResult<usize> {
        self.writing(|fs| {
            let scratch = self.scratch.borrow();
            let length = length.min(TRANSFER);
            fs.write(whole(ino)?, whole(offset)?, &scratch[..length])?;
            Ok(length)
        })
    }

    pub fn fallocate(&self, ino: f64, mode: u32, offset: f64, length: f64) -> JsResult<()> {
        self.writing(|fs| fs.fallocate(whole(ino)?, mode, whole(offset)?, whole(length)?))
    }

    /// SEEK_DATA (3) or SEEK_HOLE (4).
    pub fn seek(&self, ino: f64, offset: f64, what: u32) -> JsResult<f64> {
        let view = self.view;
        let seek = || {
            let (ino, offset) = (whole(ino)?, whole(offset)?);
            let at = self.map.write(|fs| match what {
                3 => fs.seek_data(view, ino, offset),
                4 => fs.seek_hole(view, ino, offset),
                _ => Err(Error::new(Code::Invalid, format!("seek of kind {what}"))),
            })?;
            number(at)
        };
        seek().map_err(error::throw)
    }

    #[wasm_bindgen(js_name = cloneRange)]
    pub fn clone_range(
        &self,
        source: f64,
        source_offset: f64,
        target: f64,
        target_offset: f64,
        length: f64,
    ) -> JsResult<f64> {
        self.writing(|fs| {
            let (target, at) = (whole(target)?, whole(target_offset)?);
            fs.clone_range(whole(source)?, whole(source_offset)?, target, at, whole(length)?)
                .map(|bytes| bytes as f64)
        })
    }

    pub fn mkdir(
        &self,
        parent: f64,
        name_length: usize,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> JsResult<f64> {
        let mode = inode::DIRECTORY | mode & 0o7777;
        self.make(parent, name_length, mode, Owner { uid, gid }, 0)
    }

    #[wasm_bindgen(js_name = createFile)]
    pub fn create_in(
        &self,
        parent: f64,
        name_length: usize,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> JsResult<f64> {
        let mode = inode::REGULAR | mode & 0o7777;
        self.make(parent, name_length, mode, Owner { uid, gid }, 0)
    }

    pub fn mknod(
        &self,
        parent: f64,
        name_length: usize,
        mode: u32,
        uid: u32,
        gid: u32,
        rdev: f64,
    ) -> JsResult<f64> {
        let device = whole(rdev).map_err(error::throw)?;
        self.make(parent, name_length, mode, Owner { uid, gid }, device)
    }

    pub fn symlink(
        &self,
        parent: f64,
        name_length: usize,
        target_length: usize,
        uid: u32,
        gid: u32,
    ) -> JsResult<f64> {
        self.writing(|fs| {
            let name = self.bytes(0, name_length)?;
            let target = self.bytes(name_length, name_length + target_length)?;
            fs.symlink(whole(parent)?, &name, &target, Owner { uid, gid }).map(|ino| ino as f64)
        })
    }

    pub fn link(&self, ino: f64, parent: f64, name_length: usize) -> JsResult<()> {
        self.writing(|fs| {
            let name = self.bytes(0, name_length)?;
            fs.link(whole(ino)?, whole(parent)?, &name)
        })
    }

    pub fn unlink(&self, parent: f64, name_length: usize) -> JsResult<()> {
        self.writing(|fs| {
            let name = self.bytes(0, name_length)?;
            fs.unlink(whole(parent)?, &name)
        })
    }

    pub fn rmdir(&self, parent: f64, name_length: usize) -> JsResult<()> {
        self.writing(|fs| {
            let name = self.bytes(0, name_length)?;
            fs.remove_directory(whole(parent)?, &name)
        })
    }

    pub fn rename(
        &self,
        parent: f64,
        name_length: usize,
        new_parent: f64,
        new_name_length: usize,
        flags: u32,
    ) -> JsResult<()> {
        self.writing(|fs| {
            let name = self.bytes(0, name_length)?;
            let new_name = self.bytes(name_length, name_length + new_name_length)?;
            let manner = match flags {
                0 => Rename::Replace,
                1 => Rename::NoReplace,
                2 => Rename::Exchange,
                _ => return Err(Error::new(Code::Invalid, format!("rename flags {flags}"))),
            };
            fs.rename(whole(parent)?, &name, whole(new_parent)?, &new_name, manner)
        })
    }

    pub fn readlink(&self, ino: f64) -> JsResult<usize> {
        self.reading(|fs, view| self.put_bytes(&fs.read_link(view, whole(ino)?)?))
    }

    /// Packs entries into the scratch buffer; returns their number.
    pub fn readdir(&self, ino: f64, cookie: f64, limit: usize) -> JsResult<usize> {
        self.reading(|fs, view| {
            let mut scratch = self.scratch.borrow_mut();
            let (mut count, mut at) = (0, 0);
            fs.read_directory(view, whole(ino)?, whole(cookie)?, &mut |entry, next| {
                if count == limit || at + 18 + MAX_NAME > TRANSFER {
                    return false;
                }
                at += put_entry(&mut scratch[at..], entry, next);
                count += 1;
                true
            })?;
            Ok(count)
        })
    }

    pub fn parent(&self, ino: f64) -> JsResult<f64> {
        self.reading(|fs, view| Ok(fs.stat(view, whole(ino)?)?.parent as f64))
    }

    pub fn getxattr(&self, ino: f64, name_length: usize) -> JsResult<usize> {
        self.reading(|fs, view| {
            let name = self.bytes(0, name_length)?;
            self.put_bytes(&fs.attribute(view, whole(ino)?, &name)?)
        })
    }

    pub fn setxattr(
        &self,
        ino: f64,
        name_length: usize,
        value_length: usize,
        flags: u32,
    ) -> JsResult<()> {
        self.writing(|fs| {
            let name = self.bytes(0, name_length)?;
            let value = self.bytes(name_length, name_length + value_length)?;
            let manner = match flags {
                0 => SetAttribute::Either,
                1 => SetAttribute::Create,
                2 => SetAttribute::Replace,
                _ => return Err(Error::new(Code::Invalid, format!("setxattr flags {flags}"))),
            };
            fs.set_attribute(whole(ino)?, &name, &value, manner)
        })
    }

    pub fn listxattr(&self, ino: f64) -> JsResult<usize> {
        self.reading(|fs, view| {
            let mut list = Vec::new();
            for name in fs.attributes(view, whole(ino)?)? {
                list.extend_from_slice(&name);
                list.push(0);
            }
            self.put_bytes(&list)
        })
    }

    pub fn removexattr(&self, ino: f64, name_length: usize) -> JsResult<()> {
        self.writing(|fs| {
            let name = self.bytes(0, name_length)?;
            fs.remove_attribute(whole(ino)?, &name)
        })
    }

    pub fn importance(&self, ino: f64) -> JsResult<u32> {
        self.reading(|fs, view| Ok(u32::from(fs.stat(view, whole(ino)?)?.importance)))
    }

    #[wasm_bindgen(js_name = importanceOfPath)]
    pub fn importance_of_path(&self, path_length: usize) -> JsResult<u32> {
        self.reading(|fs, _| {
            let path = self.bytes(0, path_length)?;
            let path = path.strip_prefix(b"/").unwrap_or(&path);
            Ok(u32::from(fs.importance_of_path(path)))
        })
    }

    #[wasm_bindgen(js_name = setImportance)]
    pub fn set_importance(&self, ino: f64, value: i32) -> JsResult<()> {
        self.writing(|fs| {
            let importance = match value {
                -1 => None,
                0..=255 => Some(value as u8),
                _ => {
                    let what = format!("importance {value} is not from 0 to 255");
                    return Err(Error::new(Code::Invalid, what));
                }
            };
            fs.set_importance(whole(ino)?, importance)
        })
    }

    pub fn relocate(&self, ino: f64) -> JsResult<()> {
        self.writing(|fs| fs.relocate(whole(ino)?))
    }

    #[wasm_bindgen(js_name = pathOf)]
    pub fn path_of(&self, ino: f64) -> JsResult<Option<String>> {
        self.reading(|fs, view| {
            let path = fs.path_of(view, whole(ino)?)?;
            Ok(path.map(|path| format!("/{}", String::from_utf8_lossy(&path))))
        })
    }
}

/// One entry: `ino f64, cookie f64, type u8, length u8, name`; returns its bytes.
fn put_entry(out: &mut [u8], entry: &Entry, cookie: u64) -> usize {
    out[..8].copy_from_slice(&(entry.ino as f64).to_le_bytes());
    out[8..16].copy_from_slice(&(cookie as f64).to_le_bytes());
    out[16] = entry.file_type.directory_type();
    out[17] = entry.name.len() as u8;
    let end = 18 + entry.name.len();
    out[18..end].copy_from_slice(&entry.name);
    end
}

fn put_stat(out: &mut [u8], ino: u64, inode: &Inode) -> Result<()> {
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &(ino as f64).to_le_bytes());
    put(8, &number(inode.size)?.to_le_bytes());
    put(16, &(inode.allocated.div_ceil(512) as f64).to_le_bytes());
    put(24, &inode.mode.to_le_bytes());
    put(28, &inode.links.to_le_bytes());
    put(32, &inode.uid.to_le_bytes());
    put(36, &inode.gid.to_le_bytes());
    put(40, &(inode.device as f64).to_le_bytes());
    let times = [inode.accessed, inode.modified, inode.changed, inode.born];
    for (index, time) in times.iter().enumerate() {
        put(48 + index * 12, &time.seconds.to_le_bytes());
        put(56 + index * 12, &time.nanos.to_le_bytes());
    }
    put(96, &u32::from(inode.importance).to_le_bytes());
    Ok(())
}
