//! Reading directories.
//!
//! An offset is 0 for `.`, 1 for `..`, and from 2 on the engine's own cookie, shifted.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use fuser::{FileAttr, FileType, Generation, INodeNo, ReplyDirectory, ReplyDirectoryPlus};

use super::attributes::{NOTHING, kind};
use super::state::count;
use super::surface::{Answer, FOREVER, Surface};

/// Offset of the first entry behind `.` and `..`.
const FIRST: u64 = 2;

impl Surface {
    pub(super) fn list(&self, ino: u64, offset: u64, reply: &mut ReplyDirectory) -> Answer<()> {
        count(&self.state.requests.listings);
        self.look(|fs| {
            if offset < FIRST {
                let parent = fs.stat(self.view, ino)?.parent;
                let dots = [(".", ino), ("..", parent)];
                for (index, (name, number)) in dots.into_iter().enumerate().skip(offset as usize) {
                    if reply.add(INodeNo(number), index as u64 + 1, FileType::Directory, name) {
                        return Ok(());
                    }
                }
            }
            fs.read_directory(self.view, ino, offset.saturating_sub(FIRST), &mut |entry, next| {
                let name = OsStr::from_bytes(&entry.name);
                !reply.add(INodeNo(entry.ino), next + FIRST, kind(entry.file_type), name)
            })
        })
    }

    /// As [`Surface::list`], with what `stat` would say; every entry but the dots is held, as if
    /// it had been looked up.
    pub(super) fn list_with_attributes(
        &self,
        ino: u64,
        offset: u64,
        reply: &mut ReplyDirectoryPlus,
    ) -> Answer<()> {
        count(&self.state.requests.listings);
        self.look(|fs| {
            if offset < FIRST {
                let here = fs.stat(self.view, ino)?;
                let above = fs.stat(self.view, here.parent)?;
                let dots = [(".", ino, &here), ("..", here.parent, &above)];
                for (index, (name, number, inode)) in
                    dots.into_iter().enumerate().skip(offset as usize)
                {
                    let attr = self.describe(number, inode);
                    let next = index as u64 + 1;
                    let number = INodeNo(number);
                    if reply.add(number, next, name, &FOREVER, &attr, Generation(0)) {
                        return Ok(());
                    }
                }
            }
            fs.read_directory(self.view, ino, offset.saturating_sub(FIRST), &mut |entry, next| {
                let number = INodeNo(entry.ino);
                // A damaged inode does not hide its neighbours: its name is shown, and whoever
                // asks for more is told what is wrong.
                let (attr, valid) = match fs.stat(self.view, entry.ino) {
                    Ok(inode) => (self.describe(entry.ino, &inode), FOREVER),
                    Err(_) => {
                        let kind = kind(entry.file_type);
                        (FileAttr { ino: number, kind, ..NOTHING }, Duration::ZERO)
                    }
                };
                let name = OsStr::from_bytes(&entry.name);
                let generation = self.kernel.generation(entry.ino);
                if reply.add(number, next + FIRST, name, &valid, &attr, generation) {
                    return false;
                }
                fs.retain(entry.ino);
                true
            })
        })
    }
}
