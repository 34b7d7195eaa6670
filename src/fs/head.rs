//! The present tree: small helpers to read and change its items inside an operation.

use super::inode::Inode;
use crate::base::{Code, Error, Result};
use crate::commit::{Root, Store};
use crate::tree::edit::{self, Existing};
use crate::tree::{Item, Key, cursor, item};

/// Inserts or replaces an item.
pub(super) fn put(store: &mut Store, key: Key, value: &[u8]) -> Result<()> {
    let mut root = store.state().head;
    let result = edit::insert(store, &mut root, key, value, Existing::Replace);
    adopt(store, root);
    result
}

/// Removes an item; returns whether it was there.
pub(super) fn remove(store: &mut Store, key: Key) -> Result<bool> {
    let mut root = store.state().head;
    let result = edit::remove(store, &mut root, key);
    adopt(store, root);
    result
}

/// Counters are kept in the state; an edit only moves the root.
fn adopt(store: &mut Store, root: Root) {
    let head = &mut store.state_mut().head;
    head.cluster = root.cluster;
    head.level = root.level;
}

/// An item of the present tree.
pub(super) fn get(store: &Store, key: Key) -> Result<Option<Item>> {
    cursor::get(store, &store.state().head, key)
}

/// Reads an inode.
///
/// # Errors
/// `NotFound` when there is none.
pub(super) fn inode(store: &Store, root: &Root, ino: u64) -> Result<Inode> {
    match cursor::get(store, root, Key::new(ino, item::INODE, 0))? {
        Some(item) => Inode::decode(ino, &item),
        None => Err(Error::new(Code::NotFound, format!("there is no inode {ino}"))),
    }
}

/// Writes an inode.
pub(super) fn put_inode(store: &mut Store, ino: u64, inode: &Inode) -> Result<()> {
    put(store, Key::new(ino, item::INODE, 0), &inode.encode())
}

/// Removes every item of one list (object and kind) from `from` on. Extents they reference are
/// released.
pub(super) fn remove_list(store: &mut Store, from: Key) -> Result<()> {
    loop {
        // A batch at a time: the cursor reads the tree that is being changed.
        const BATCH: usize = 64;
        let mut keys = Vec::new();
        let root = store.state().head;
        let mut cursor = crate::tree::Cursor::at(store, &root, from)?;
        while keys.len() < BATCH
            && let Some(item) = cursor.next_in(from)?
        {
            keys.push((item.key, item::extent_of(item.key, &item)));
        }
        drop(cursor);
        if keys.is_empty() {
            return Ok(());
        }
        for (key, extent) in keys {
            remove(store, key)?;
            if let Some((first, count)) = extent {
                store.release_extent(first, count)?;
            }
        }
    }
}
