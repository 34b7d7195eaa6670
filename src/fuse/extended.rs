//! Extended attributes, and the lists among them that say who may use a file.

use fuser::{Errno, Request};

use super::acl::{self, Acl};
use super::surface::{Answer, Surface};
use crate::base::{Code, Error, Result};
use crate::fs::xattr::SetAttribute;
use crate::fs::{Fs, View};

const XATTR_CREATE: i32 = 1;
const XATTR_REPLACE: i32 = 2;
const SET_GID: u32 = 0o2000;

fn is_list(name: &[u8]) -> bool {
    name == acl::ACCESS || name == acl::DEFAULT
}

/// Whether an attribute of this name can be kept: of those that belong to the system, only lists.
fn is_kept(name: &[u8]) -> bool {
    let known = [&b"user."[..], b"trusted.", b"security."];
    is_list(name) || known.iter().any(|space| name.starts_with(space))
}

impl Surface {
    pub(super) fn attribute(&self, ino: u64, name: &[u8]) -> Answer<Vec<u8>> {
        if !is_kept(name) {
            return Err(Errno::EOPNOTSUPP);
        }
        // Most are asked for in vain: no error with words is made for them.
        match self.map.read(|fs| fs.attribute(self.view, ino, name)) {
            Ok(value) => Ok(value),
            Err(error) if error.code() == Code::NoData => Err(Errno::ENODATA),
            Err(error) => Err(self.errno(&error)),
        }
    }

    /// Every name, each with a NUL behind it. Those of administrators are shown to them alone.
    pub(super) fn attribute_names(&self, request: &Request, ino: u64) -> Answer<Vec<u8>> {
        let names = self.look(|fs| fs.attributes(self.view, ino))?;
        let mut list = Vec::new();
        for name in names {
            if name.starts_with(b"trusted.") && request.uid() != 0 {
                continue;
            }
            list.extend_from_slice(&name);
            list.push(0);
        }
        Ok(list)
    }

    pub(super) fn set_attribute(
        &self,
        request: &Request,
        ino: u64,
        name: &[u8],
        value: &[u8],
        flags: i32,
    ) -> Answer<()> {
        let manner = match flags {
            0 => SetAttribute::Either,
            XATTR_CREATE => SetAttribute::Create,
            XATTR_REPLACE => SetAttribute::Replace,
            _ => return Err(Errno::EINVAL),
        };
        if !is_kept(name) {
            return Err(Errno::EOPNOTSUPP);
        }
        if is_list(name) {
            return self.set_list(request, ino, name, value);
        }
        self.change(|fs| fs.set_attribute(ino, name, value, manner))
    }

    pub(super) fn remove_attribute(&self, ino: u64, name: &[u8]) -> Answer<()> {
        if !is_kept(name) {
            return Err(Errno::EOPNOTSUPP);
        }
        self.change(|fs| match fs.remove_attribute(ino, name) {
            // acl(5): a file always has a list, if only the one its mode stands for.
            Err(error) if error.code() == Code::NoData && is_list(name) => Ok(()),
            result => result,
        })
    }

    /// Sets a list; the mode follows an access list, and stands for it where it can.
    fn set_list(&self, request: &Request, ino: u64, name: &[u8], value: &[u8]) -> Answer<()> {
        let (uid, gid) = (request.uid(), request.gid());
        self.change(|fs| {
            let inode = fs.stat(View::Head, ino)?;
            let list = Acl::decode(value)?;
            if name == acl::DEFAULT {
                return match list {
                    Some(_) if !inode.is_directory() => {
                        Err(Error::new(Code::Access, "only a directory has a default list"))
                    }
                    Some(list) => set(fs, ino, name, &list),
                    None => remove(fs, ino, name),
                };
            }
            let Some(list) = list else { return remove(fs, ino, name) };
            let mut mode = inode.mode & 0o7000 | list.mode();
            if uid != 0 && gid != inode.gid && !in_group(request.pid(), inode.gid) {
                mode &= !SET_GID;
            }
            if list.is_plain() {
                remove(fs, ino, name)?;
            } else {
                set(fs, ino, name, &list)?;
            }
            Surface::set_mode(fs, ino, mode)
        })
    }
}

fn set(fs: &mut Fs, ino: u64, name: &[u8], list: &Acl) -> Result<()> {
    fs.set_attribute(ino, name, &list.encode(), SetAttribute::Either)
}

fn remove(fs: &mut Fs, ino: u64, name: &[u8]) -> Result<()> {
    match fs.remove_attribute(ino, name) {
        Err(error) if error.code() == Code::NoData => Ok(()),
        result => result,
    }
}

/// Whether a process has a group among its supplementary ones (proc(5), `status`).
fn in_group(pid: u32, gid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:"));
    groups.is_some_and(|groups| groups.split_whitespace().any(|group| group.parse() == Ok(gid)))
}
