//! Finding, making, linking, moving and forgetting.

use std::os::unix::fs::MetadataExt;

use fuser::{Errno, FileAttr, RenameFlags, Request};

use super::acl::{self, Acl};
use super::state::count;
use super::surface::{Answer, Surface, stale};
use crate::base::limits::{CLUSTER, MAX_NAME, MAX_OBJECT};
use crate::base::{Code, Result};
use crate::fs::ops::{Attributes, Owner, Rename};
use crate::fs::xattr::SetAttribute;
use crate::fs::{Fs, View};

const SET_GID: u32 = 0o2000;

/// Room on the mount, in clusters and inodes.
pub(super) struct Space {
    pub blocks: u64,
    pub free: u64,
    pub files: u64,
    pub free_files: u64,
}

impl Surface {
    /// The inode under a name, held until the kernel forgets it.
    pub(super) fn find(&self, parent: u64, name: &[u8]) -> Answer<Option<FileAttr>> {
        count(&self.state.requests.lookups);
        if name.len() > MAX_NAME {
            return Err(Errno::ENAMETOOLONG);
        }
        let found = self.look(|fs| {
            let Some((ino, _)) = fs.lookup(self.view, parent, name)? else { return Ok(None) };
            let inode = fs.stat(self.view, ino)?;
            fs.retain(ino);
            Ok(Some((ino, inode)))
        })?;
        Ok(found.map(|(ino, inode)| self.describe(ino, &inode)))
    }

    /// The kernel has forgotten `lookups` lookups of an inode.
    pub(super) fn let_go(&self, ino: u64, lookups: u64) {
        let orphaned = self.map.read(|fs| fs.holds().subtract(ino, lookups) && fs.is_orphan(ino));
        if orphaned && let Err(error) = self.map.write(|fs| fs.reap_if_unheld(ino)) {
            self.state.change_failed(&error);
            // It is reaped when the map is mounted the next time.
            log::error!("an unlinked file could not be removed: {error}");
        }
    }

    pub(super) fn make(
        &self,
        request: &Request,
        parent: u64,
        name: &[u8],
        mode: u32,
        umask: u32,
        device: u32,
    ) -> Answer<FileAttr> {
        let (ino, inode) = self.change(|fs| {
            let directory = fs.stat(View::Head, parent)?;
            let is_directory = mode & crate::fs::inode::TYPE_MASK == crate::fs::inode::DIRECTORY;
            let inherited = inherit(fs, parent, mode)?;
            let mut mode = match &inherited {
                Some((_, access)) => mode & !0o777 | access.mode(),
                None => mode & !umask,
            };
            let mut owner = self.owner(request);
            if directory.mode & SET_GID != 0 {
                owner.gid = directory.gid;
                if is_directory {
                    mode |= SET_GID;
                }
            }
            let ino = fs.make(parent, name, mode, owner, u64::from(device))?;
            if let Some((default, access)) = inherited {
                let set = |fs: &mut Fs, name: &[u8], list: &Acl| {
                    fs.set_attribute(ino, name, &list.encode(), SetAttribute::Either)
                };
                if !access.is_plain() {
                    set(fs, acl::ACCESS, &access)?;
                }
                if is_directory {
                    set(fs, acl::DEFAULT, &default)?;
                }
            }
            fs.retain(ino);
            Ok((ino, fs.stat(View::Head, ino)?))
        })?;
        Ok(self.describe(ino, &inode))
    }

    pub(super) fn make_link(
        &self,
        request: &Request,
        parent: u64,
        name: &[u8],
        target: &[u8],
    ) -> Answer<FileAttr> {
        let (ino, inode) = self.change(|fs| {
            let mut owner = self.owner(request);
            let directory = fs.stat(View::Head, parent)?;
            if directory.mode & SET_GID != 0 {
                owner.gid = directory.gid;
            }
            let ino = fs.symlink(parent, name, target, owner)?;
            fs.retain(ino);
            Ok((ino, fs.stat(View::Head, ino)?))
        })?;
        Ok(self.describe(ino, &inode))
    }

    pub(super) fn link_to(&self, ino: u64, parent: u64, name: &[u8]) -> Answer<FileAttr> {
        let inode = self.change(|fs| {
            fs.link(ino, parent, name)?;
            fs.retain(ino);
            fs.stat(View::Head, ino)
        })?;
        Ok(self.describe(ino, &inode))
    }

    pub(super) fn move_name(
        &self,
        (parent, name): (u64, &[u8]),
        (new_parent, new_name): (u64, &[u8]),
        flags: RenameFlags,
    ) -> Answer<()> {
        let manner = if flags.is_empty() {
            Rename::Replace
        } else if flags == RenameFlags::RENAME_NOREPLACE {
            Rename::NoReplace
        } else if flags == RenameFlags::RENAME_EXCHANGE {
            Rename::Exchange
        } else {
            return Err(Errno::EINVAL);
        };
        self.change(|fs| fs.rename(parent, name, new_parent, new_name, manner))
    }

    fn owner(&self, request: &Request) -> Owner {
        Owner {
            uid: self.options.uid.unwrap_or_else(|| request.uid()),
            gid: self.options.gid.unwrap_or_else(|| request.gid()),
        }
    }

    /// Room that is left: free clusters are holes in the file, so its own filesystem decides.
    pub(super) fn space(&self) -> Answer<Space> {
        let (used, files) = self.look(|fs| {
            let (clusters, free) = fs.capacity();
            let counters = fs.root_counters(self.view);
            let files = counters.files + counters.directories + counters.symlinks + counters.others;
            Ok((clusters.saturating_sub(free), files))
        })?;
        let below = self.below().unwrap_or(0);
        let free_files = MAX_OBJECT - files;
        Ok(Space { blocks: used + below, free: below, files: MAX_OBJECT, free_files })
    }

    /// Clusters that the filesystem below the map has room for.
    fn below(&self) -> Option<u64> {
        let statistics = rustix::fs::statvfs(&self.path).ok()?;
        let free = statistics.f_bavail.saturating_mul(statistics.f_frsize);
        // What the file holds beyond what is used can be written over.
        let held = std::fs::metadata(&self.path).map_or(0, |metadata| metadata.blocks() * 512);
        let used = self.map.read(|fs| {
            let (clusters, free) = fs.capacity();
            clusters.saturating_sub(free) * CLUSTER as u64
        });
        Some((free + held.saturating_sub(used)) / CLUSTER as u64)
    }

    /// Makes what a write accepted durable.
    pub(super) fn make_durable(&self, ino: u64) -> Answer<()> {
        count(&self.state.requests.syncs);
        if self.view != View::Head || self.options.read_only {
            return Ok(());
        }
        self.map.sync_file(ino).map_err(|error| {
            let failed = self.map.read(|fs| fs.store().failure().is_some());
            self.state.commit_failed(&error, failed);
            stale(self.errno(&error))
        })
    }

    /// Sets the mode of an inode and nothing else.
    pub(super) fn set_mode(fs: &mut Fs, ino: u64, mode: u32) -> Result<()> {
        fs.set_attributes(ino, Attributes { mode: Some(mode), ..Attributes::default() }).map(drop)
    }
}

/// What is made in `parent` inherits: the directory's default list, and the access list that
/// follows from it.
fn inherit(fs: &Fs, parent: u64, mode: u32) -> Result<Option<(Acl, Acl)>> {
    let value = match fs.attribute(View::Head, parent, acl::DEFAULT) {
        Ok(value) => value,
        Err(error) if error.code() == Code::NoData => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Acl::decode(&value)?.map(|default| {
        let access = default.inherited(mode);
        (default, access)
    }))
}
