//! Creating, linking, renaming and removing.
//!
//! Each is one operation: all of it happens or nothing. Who may do what is the surface's
//! business; what is stored is all it needs to decide.

use super::dir::{self, Entry, add_entry, find_entry, remove_entry};
use super::inode::{self, FileType, Inode};
use super::path::Ancestors;
use super::{Fs, ROOT, SYSTEM, View, head};
use crate::base::env::Timestamp;
use crate::base::limits::{MAX_OBJECT, MAX_PATH};
use crate::base::{Code, Error, Result};
use crate::commit::{Counters, Store};
use crate::tree::{Cursor, Key, item};

/// Owner and permission bits of something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
}

/// What to change about an inode; `None` leaves a field as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits only.
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub accessed: Option<Timestamp>,
    pub modified: Option<Timestamp>,
    /// Now, where `None`.
    pub changed: Option<Timestamp>,
    pub born: Option<Timestamp>,
}

/// How a rename treats a target that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rename {
    Replace,
    /// `RENAME_NOREPLACE`
    NoReplace,
    /// `RENAME_EXCHANGE`
    Exchange,
}

/// Bytes of a symbolic link's target in one item.
const TARGET_PIECE: usize = 512;

fn count(counters: &mut Counters, file_type: FileType, more: bool) {
    let counter = match file_type {
        FileType::Regular => &mut counters.files,
        FileType::Directory => &mut counters.directories,
        FileType::Symlink => &mut counters.symlinks,
        _ => &mut counters.others,
    };
    *counter = if more { counter.saturating_add(1) } else { counter.saturating_sub(1) };
}

fn exists() -> Error {
    Error::new(Code::Exists, "the name is taken")
}

fn not_found() -> Error {
    Error::new(Code::NotFound, "no such file or directory")
}

/// A directory's entries changed: its count, its times, and its links by the subdirectories.
fn touch_directory(
    store: &mut Store,
    ino: u64,
    now: Timestamp,
    entries: i64,
    subdirectories: i64,
) -> Result<()> {
    let mut directory = head::inode(store, &store.state().head, ino)?;
    directory.size = directory.size.saturating_add_signed(entries);
    directory.links = directory.links.saturating_add_signed(subdirectories as i32);
    directory.modified = now;
    directory.changed = now;
    head::put_inode(store, ino, &directory)
}

impl Fs {
    /// Makes a regular file, directory, fifo, socket or device node, by the type in `mode`.
    ///
    /// # Errors
    /// `Exists`, `NotDirectory`, `NotFound` (the directory was removed), `Invalid` or
    /// `NameTooLong` for the name, `Invalid` for a type of its own ([`Fs::symlink`]), `NoSpace`,
    /// `ReadOnly`.
    pub fn make(
        &mut self,
        parent: u64,
        name: &[u8],
        mode: u32,
        owner: Owner,
        device: u64,
    ) -> Result<u64> {
        match FileType::of_mode(mode) {
            None | Some(FileType::Symlink) => {
                Err(Error::new(Code::Invalid, format!("mode {mode:o} has no type to make")))
            }
            Some(_) => self.make_node(parent, name, mode, owner, device, &[]),
        }
    }

    /// Makes a symbolic link to `target`, 1..=4095 bytes.
    ///
    /// # Errors
    /// As [`Fs::make`]; `Invalid` or `NameTooLong` for the target.
    pub fn symlink(
        &mut self,
        parent: u64,
        name: &[u8],
        target: &[u8],
        owner: Owner,
    ) -> Result<u64> {
        if target.is_empty() || target.contains(&0) {
            return Err(Error::new(Code::Invalid, "a link needs a target without NUL"));
        }
        if target.len() > MAX_PATH {
            return Err(Error::new(Code::NameTooLong, "a target of more than 4095 bytes"));
        }
        self.make_node(parent, name, inode::SYMLINK | 0o777, owner, 0, target)
    }

    fn make_node(
        &mut self,
        parent: u64,
        name: &[u8],
        mode: u32,
        owner: Owner,
        device: u64,
        target: &[u8],
    ) -> Result<u64> {
        dir::check_name(name)?;
        let now = self.now();
        let mut node = Inode::new(mode & 0o177_777, owner.uid, owner.gid, now, parent);
        node.device = device;
        node.size = target.len() as u64;
        node.importance = self.importance_in(parent, name)?;
        if node.is_directory() {
            node.name = name.to_vec();
        }
        let keys = self.hash_keys;
        self.store.atomically(|store| {
            let root = store.state().head;
            let mut directory = head::inode(store, &root, parent)?;
            if !directory.is_directory() {
                return Err(Error::new(Code::NotDirectory, "not a directory"));
            }
            if directory.links == 0 {
                return Err(not_found());
            }
            if find_entry(store, &root, keys, parent, name)?.is_some() {
                return Err(exists());
            }
            let ino = new_object(store)?;
            let file_type = node.file_type();
            add_entry(store, keys, parent, Entry { ino, file_type, name: name.to_vec() })?;
            head::put_inode(store, ino, &node)?;
            for (index, piece) in target.chunks(TARGET_PIECE).enumerate() {
                head::put(store, Key::new(ino, item::SYMLINK, index as u64), piece)?;
            }
            count(&mut store.state_mut().head.counters, file_type, true);
            directory.size += 1;
            directory.links = directory.links.saturating_add(u32::from(node.is_directory()));
            directory.modified = now;
            directory.changed = now;
            head::put_inode(store, parent, &directory)?;
            Ok(ino)
        })
    }

    /// Makes a regular file that has no name: it lives while it is open, or gets one by
    /// [`Fs::link`].
    ///
    /// # Errors
    /// As [`Fs::make`].
    pub fn make_nameless(&mut self, parent: u64, mode: u32, owner: Owner) -> Result<u64> {
        let now = self.now();
        let mut node =
            Inode::new(inode::REGULAR | mode & 0o7777, owner.uid, owner.gid, now, parent);
        node.links = 0;
        node.importance = self.importance_in(parent, b"")?;
        let ino = self.store.atomically(|store| {
            let ino = new_object(store)?;
            head::put_inode(store, ino, &node)?;
            head::put(store, Key::new(SYSTEM, item::ORPHAN, ino), &[])?;
            count(&mut store.state_mut().head.counters, FileType::Regular, true);
            Ok(ino)
        })?;
        self.orphans.insert(ino);
        self.retain(ino);
        Ok(ino)
    }

    /// Gives an inode one more name.
    ///
    /// # Errors
    /// `NotPermitted` for a directory, `Exists`, `TooManyLinks`; as [`Fs::make`].
    pub fn link(&mut self, ino: u64, parent: u64, name: &[u8]) -> Result<()> {
        dir::check_name(name)?;
        let now = self.now();
        let keys = self.hash_keys;
        self.store.atomically(|store| {
            let root = store.state().head;
            let mut node = head::inode(store, &root, ino)?;
            if node.is_directory() {
                return Err(Error::new(Code::NotPermitted, "a directory has one name only"));
            }
            let directory = head::inode(store, &root, parent)?;
            if !directory.is_directory() {
                return Err(Error::new(Code::NotDirectory, "not a directory"));
            }
            if directory.links == 0 {
                return Err(not_found());
            }
            if find_entry(store, &root, keys, parent, name)?.is_some() {
                return Err(exists());
            }
            if node.links == u32::MAX {
                return Err(Error::new(Code::TooManyLinks, "the file has as many names as fit"));
            }
            if node.links == 0 {
                head::remove(store, Key::new(SYSTEM, item::ORPHAN, ino))?;
            }
            node.links += 1;
            node.changed = now;
            node.parent = parent;
            head::put_inode(store, ino, &node)?;
            let entry = Entry { ino, file_type: node.file_type(), name: name.to_vec() };
            add_entry(store, keys, parent, entry)?;
            touch_directory(store, parent, now, 1, 0)
        })?;
        self.orphans.remove(&ino);
        Ok(())
    }

    /// Removes a name that is not a directory's.
    ///
    /// # Errors
    /// `NotFound`, `IsDirectory`, `NotDirectory`; `Corrupt`, `Io`, `ReadOnly`.
    pub fn unlink(&mut self, parent: u64, name: &[u8]) -> Result<()> {
        let (ino, file_type) = self.lookup(View::Head, parent, name)?.ok_or_else(not_found)?;
        if file_type == FileType::Directory {
            return Err(Error::new(Code::IsDirectory, "is a directory"));
        }
        let now = self.now();
        let keys = self.hash_keys;
        let held = self.holds.contains(ino);
        let left = self.store.atomically(|store| {
            remove_entry(store, keys, parent, name)?;
            touch_directory(store, parent, now, -1, 0)?;
            drop_link(store, ino, now, held)
        })?;
        self.forget_if_gone(ino, left, held);
        Ok(())
    }

    fn forget_if_gone(&mut self, ino: u64, links: u32, held: bool) {
        if links == 0 && held {
            self.orphans.insert(ino);
        } else if links == 0 {
            self.buffers.discard(ino);
        }
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `NotEmpty`, `NotFound`, `NotDirectory`; `Corrupt`, `Io`, `ReadOnly`.
    pub fn remove_directory(&mut self, parent: u64, name: &[u8]) -> Result<()> {
        let (ino, file_type) = self.lookup(View::Head, parent, name)?.ok_or_else(not_found)?;
        if file_type != FileType::Directory {
            return Err(Error::new(Code::NotDirectory, "not a directory"));
        }
        let now = self.now();
        let keys = self.hash_keys;
        let held = self.holds.contains(ino);
        self.store.atomically(|store| {
            expect_empty(store, ino)?;
            remove_entry(store, keys, parent, name)?;
            touch_directory(store, parent, now, -1, -1)?;
            drop_directory(store, ino, now, held)
        })?;
        self.forget_if_gone(ino, 0, held);
        self.directory_paths.clear();
        Ok(())
    }

    /// Moves a name, as `rename(2)` and `renameat2(2)` do.
    ///
    /// # Errors
    /// `NotFound`, `Exists` ([`Rename::NoReplace`]), `NotEmpty`, `IsDirectory`, `NotDirectory`,
    /// `Invalid` (a directory into itself); `NoSpace`, `ReadOnly`.
    pub fn rename(
        &mut self,
        parent: u64,
        name: &[u8],
        new_parent: u64,
        new_name: &[u8],
        manner: Rename,
    ) -> Result<()> {
        dir::check_name(new_name)?;
        let (ino, file_type) = self.lookup(View::Head, parent, name)?.ok_or_else(not_found)?;
        let target = self.lookup(View::Head, new_parent, new_name)?;
        let root = self.root_of(View::Head);
        if self.expect_directory(&root, new_parent)?.links == 0 {
            return Err(not_found());
        }
        if file_type == FileType::Directory {
            self.refuse_cycle(ino, new_parent)?;
        }
        match (manner, target) {
            (Rename::Exchange, None) => return Err(not_found()),
            (Rename::NoReplace, Some(_)) => return Err(exists()),
            (Rename::Exchange, Some((other, FileType::Directory))) => {
                self.refuse_cycle(other, parent)?;
            }
            (Rename::Replace, Some((other, other_type))) => {
                // Two names of one file: POSIX wants nothing to happen.
                if other == ino {
                    return Ok(());
                }
                match (file_type == FileType::Directory, other_type == FileType::Directory) {
                    (true, false) => {
                        return Err(Error::new(Code::NotDirectory, "the target is no directory"));
                    }
                    (false, true) => {
                        return Err(Error::new(Code::IsDirectory, "the target is a directory"));
                    }
                    _ => {}
                }
                // Writing a file anew and renaming it over the old one must not leave an empty
                // one after a crash: the bytes travel with the name.
                self.flush(&[ino], false)?;
            }
            _ => {}
        }
        let now = self.now();
        let keys = self.hash_keys;
        let held = target.is_some_and(|(other, _)| self.holds.contains(other));
        let from = Place { parent, name };
        let to = Place { parent: new_parent, name: new_name };
        let left = self.store.atomically(|store| {
            if manner == Rename::Exchange {
                exchange(store, keys, from, to, now)?;
                return Ok(1);
            }
            let mut left = 1;
            if let Some((other, other_type)) = target {
                let directory = other_type == FileType::Directory;
                if directory {
                    expect_empty(store, other)?;
                }
                remove_entry(store, keys, to.parent, to.name)?;
                touch_directory(store, to.parent, now, -1, -i64::from(directory))?;
                if directory {
                    drop_directory(store, other, now, held)?;
                    left = 0;
                } else {
                    left = drop_link(store, other, now, held)?;
                }
            }
            let entry = remove_entry(store, keys, from.parent, from.name)?.ok_or_else(not_found)?;
            move_entry(store, keys, entry, from.parent, to, now)?;
            Ok(left)
        })?;
        if let Some((other, _)) = target
            && manner != Rename::Exchange
        {
            self.forget_if_gone(other, left, held);
        }
        if file_type == FileType::Directory || target.is_some_and(|t| t.1 == FileType::Directory) {
            self.directory_paths.clear();
        }
        Ok(())
    }

    /// A directory may not move into itself or below.
    fn refuse_cycle(&self, moved: u64, into: u64) -> Result<()> {
        let root = self.root_of(View::Head);
        let mut way = Ancestors::default();
        let mut at = into;
        while at != moved {
            if at == ROOT {
                return Ok(());
            }
            at = way.step(self.inode(&root, at)?.parent)?;
        }
        Err(Error::new(Code::Invalid, "a directory cannot move into itself"))
    }

    /// Changes mode, owners and times; returns the inode as it is then.
    ///
    /// # Errors
    /// `NotFound`, `NoSpace`, `ReadOnly`.
    pub fn set_attributes(&mut self, ino: u64, attributes: Attributes) -> Result<Inode> {
        let now = self.now();
        let times = super::buffer::Times {
            modified: attributes.modified.unwrap_or_default(),
            changed: attributes.changed.unwrap_or(now),
        };
        let Attributes { mode, uid, gid, accessed, born, .. } = attributes;
        let times_only = (mode, uid, gid, accessed, born) == (None, None, None, None, None)
            && attributes.modified.is_some()
            && attributes.changed.is_some();
        if times_only {
            self.store.check_writable()?;
            let inode = self.stat(View::Head, ino)?;
            if inode.links == 0 {
                // Nobody will ever look it up again.
                return Ok(inode);
            }
            // A cache above tells of times often, and one by one: they are gathered here.
            if inode.is_regular() {
                self.begin_buffer(ino)?;
            }
        }
        // Times set on a file with buffered writes go with the data: a crash then shows the old
        // content with its old times.
        let buffered = attributes.modified.is_some() && self.buffers.set_times(ino, times);
        if buffered && times_only {
            return self.stat(View::Head, ino);
        }
        self.store.atomically(|store| {
            let mut node = head::inode(store, &store.state().head, ino)?;
            if let Some(mode) = attributes.mode {
                node.mode = node.mode & inode::TYPE_MASK | mode & 0o7777;
            }
            node.uid = attributes.uid.unwrap_or(node.uid);
            node.gid = attributes.gid.unwrap_or(node.gid);
            node.accessed = attributes.accessed.unwrap_or(node.accessed);
            if !buffered {
                node.modified = attributes.modified.unwrap_or(node.modified);
            }
            node.born = attributes.born.unwrap_or(node.born);
            node.changed = attributes.changed.unwrap_or(now);
            head::put_inode(store, ino, &node)?;
            Ok(())
        })?;
        self.stat(View::Head, ino)
    }

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// `Invalid` when it is none; `Corrupt`, `Io`.
    pub fn read_link(&self, view: View, ino: u64) -> Result<Vec<u8>> {
        let root = self.root_of(view);
        let node = self.inode(&root, ino)?;
        if !node.is_symlink() {
            return Err(Error::new(Code::Invalid, "not a symbolic link"));
        }
        let start = Key::new(ino, item::SYMLINK, 0);
        let mut cursor = Cursor::at(&self.store, &root, start)?;
        let mut target = Vec::new();
        while let Some(piece) = cursor.next_in(start)? {
            target.extend_from_slice(&piece);
            if target.len() > MAX_PATH {
                break;
            }
        }
        if target.len() as u64 != node.size {
            return Err(Error::corrupt("a symbolic link has a target of another length"));
        }
        Ok(target)
    }

    /// Counts an inode as open: it outlives its last name until it is released.
    pub fn retain(&self, ino: u64) {
        self.holds.add(ino);
    }

    /// Who holds what.
    pub fn holds(&self) -> &super::holds::Holds {
        &self.holds
    }

    /// Whether an inode has no name left and lives only while it is held.
    pub fn is_orphan(&self, ino: u64) -> bool {
        self.orphans.contains(&ino)
    }

    /// Gives up one [`Fs::retain`].
    ///
    /// # Errors
    /// Those of removing an inode that has no name left.
    pub fn release(&mut self, ino: u64) -> Result<()> {
        self.holds.subtract(ino, 1);
        self.reap_if_unheld(ino)
    }

    /// Removes an inode that has neither name nor holder.
    ///
    /// # Errors
    /// As [`Fs::release`].
    pub fn reap_if_unheld(&mut self, ino: u64) -> Result<()> {
        if self.is_orphan(ino) && !self.holds.contains(ino) && !self.store.is_read_only() {
            self.reap(ino)?;
        }
        Ok(())
    }

    /// Removes an inode that lost its last name while it was open.
    pub(super) fn reap(&mut self, ino: u64) -> Result<()> {
        self.buffers.discard(ino);
        self.store.atomically(|store| {
            head::remove(store, Key::new(SYSTEM, item::ORPHAN, ino))?;
            destroy(store, ino)
        })?;
        self.orphans.remove(&ino);
        Ok(())
    }

    /// Removes what was open without a name when the map was last in use.
    pub(super) fn reap_orphans(&mut self) -> Result<()> {
        let start = Key::new(SYSTEM, item::ORPHAN, 0);
        let root = self.root_of(View::Head);
        let mut found = Vec::new();
        let mut cursor = Cursor::at(&self.store, &root, start)?;
        while let Some(item) = cursor.next_in(start)? {
            if item.key.offset >= MAX_OBJECT {
                return Err(Error::corrupt("an orphan with an impossible number"));
            }
            found.push(item.key.offset);
        }
        drop(cursor);
        found.into_iter().try_for_each(|ino| self.reap(ino))
    }
}

#[derive(Clone, Copy)]
struct Place<'a> {
    parent: u64,
    name: &'a [u8],
}

pub(super) fn new_object(store: &mut Store) -> Result<u64> {
    let ino = store.state().next_object;
    if ino + 1 >= MAX_OBJECT {
        return Err(Error::new(Code::NoSpace, "the map has used all its inode numbers"));
    }
    store.state_mut().next_object = ino + 1;
    Ok(ino)
}

fn expect_empty(store: &Store, directory: u64) -> Result<()> {
    let root = store.state().head;
    let start = Key::new(directory, item::ENTRY, 0);
    match Cursor::at(store, &root, start)?.next_in(start)? {
        Some(_) => Err(Error::new(Code::NotEmpty, "the directory is not empty")),
        None => Ok(()),
    }
}

/// Takes one name from an inode. Without names it goes, or waits for its last close.
fn drop_link(store: &mut Store, ino: u64, now: Timestamp, held: bool) -> Result<u32> {
    let mut node = head::inode(store, &store.state().head, ino)?;
    node.links = node.links.saturating_sub(1);
    node.changed = now;
    if node.links > 0 || held {
        head::put_inode(store, ino, &node)?;
    }
    if node.links == 0 {
        if held {
            head::put(store, Key::new(SYSTEM, item::ORPHAN, ino), &[])?;
        } else {
            destroy(store, ino)?;
        }
    }
    Ok(node.links)
}

fn drop_directory(store: &mut Store, ino: u64, now: Timestamp, held: bool) -> Result<()> {
    let mut node = head::inode(store, &store.state().head, ino)?;
    node.links = 0;
    node.changed = now;
    head::put_inode(store, ino, &node)?;
    if held {
        head::put(store, Key::new(SYSTEM, item::ORPHAN, ino), &[])
    } else {
        destroy(store, ino)
    }
}

/// Removes every item of an inode and releases what they reference.
fn destroy(store: &mut Store, ino: u64) -> Result<()> {
    let node = head::inode(store, &store.state().head, ino)?;
    match node.file_type() {
        FileType::Regular => {
            if node.size > 0 || node.allocated > 0 {
                head::remove_list(store, Key::new(ino, item::DATA, 0))?;
            }
            super::range::set_size(store, &mut node.clone(), 0);
        }
        FileType::Symlink => head::remove_list(store, Key::new(ino, item::SYMLINK, 0))?,
        _ => {}
    }
    head::remove_list(store, Key::new(ino, item::XATTR, 0))?;
    head::remove_list(store, Key::new(ino, item::PIECE, 0))?;
    head::remove(store, Key::new(ino, item::INODE, 0))?;
    count(&mut store.state_mut().head.counters, node.file_type(), false);
    Ok(())
}

/// Puts a removed entry under its new name, and moves what hangs on it.
fn move_entry(
    store: &mut Store,
    keys: (u64, u64),
    entry: Entry,
    from: u64,
    to: Place<'_>,
    now: Timestamp,
) -> Result<()> {
    let mut node = head::inode(store, &store.state().head, entry.ino)?;
    let directory = i64::from(node.is_directory());
    node.changed = now;
    node.parent = to.parent;
    if node.is_directory() {
        node.name = to.name.to_vec();
    }
    head::put_inode(store, entry.ino, &node)?;
    add_entry(store, keys, to.parent, Entry { name: to.name.to_vec(), ..entry })?;
    if from == to.parent {
        return touch_directory(store, from, now, 0, 0);
    }
    touch_directory(store, from, now, -1, -directory)?;
    touch_directory(store, to.parent, now, 1, directory)
}

fn exchange(
    store: &mut Store,
    keys: (u64, u64),
    one: Place<'_>,
    two: Place<'_>,
    now: Timestamp,
) -> Result<()> {
    if (one.parent, one.name) == (two.parent, two.name) {
        return Ok(());
    }
    let first = remove_entry(store, keys, one.parent, one.name)?.ok_or_else(not_found)?;
    let second = remove_entry(store, keys, two.parent, two.name)?.ok_or_else(not_found)?;
    move_entry(store, keys, first, one.parent, two, now)?;
    move_entry(store, keys, second, two.parent, one, now)
}
