//! Changing one tree, inside an operation of the store.

use super::cursor::{descend, expect_level, root_page};
use super::key::Key;
use super::node;
use super::share::unshare;
use crate::base::{Code, Error, Result};
use crate::commit::state::MAX_LEVEL;
use crate::commit::{Root, Store};

/// Below this many bytes in use a leaf or inner node is merged with a neighbour, when both fit.
const SPARSE: usize = node::LEAF_ROOM / 3;
/// A merged node keeps this much room, so that it does not split again at once.
const MERGED: usize = node::LEAF_ROOM - node::LEAF_ROOM / 8;

/// One step of the way from the root: an owned node, and the slot taken in it.
type Path = Vec<(u64, usize)>;

/// Descends to the leaf that covers `key`, making every node on the way this tree's own.
fn path_to(store: &mut Store, root: &mut Root, key: Key) -> Result<Path> {
    if root.cluster == 0 {
        let cluster = store.new_node()?;
        node::init(store.node_mut(cluster)?, 0);
        root.cluster = cluster;
        root.level = 0;
    }
    root.cluster = unshare(store, root.cluster)?;
    let mut path = Vec::with_capacity(usize::from(root.level) + 1);
    let mut cluster = root.cluster;
    let mut level = root.level;
    let mut least = Key::MIN;
    loop {
        let page = store.node(cluster)?;
        expect_level(&page, cluster, level)?;
        if level == 0 {
            path.push((cluster, 0));
            return Ok(path);
        }
        if key < node::key(&page, 0) {
            // The node has taken over the range of a neighbour that is gone. Its first slot must
            // say so, or what is split off below would come to stand before it.
            let first = node::child(&page, 0);
            node::set_inner(store.node_mut(cluster)?, 0, least, first);
        }
        let page = store.node(cluster)?;
        let slot = node::child_slot(&page, key);
        let child = node::child(&page, slot);
        let first = node::key(&page, slot);
        least = first;
        let own = unshare(store, child)?;
        if own != child {
            node::set_inner(store.node_mut(cluster)?, slot, first, own);
        }
        path.push((cluster, slot));
        cluster = own;
        level -= 1;
    }
}

/// What the way to an item is like, found without changing anything.
enum Way {
    /// There is no such item.
    Absent,
    /// It is there, and so is a node that other trees share.
    Shared,
    Own(Path),
}

fn way_to(store: &Store, root: &Root, key: Key) -> Result<Way> {
    let Some(mut page) = root_page(store, root)? else { return Ok(Way::Absent) };
    let mut path = Vec::with_capacity(usize::from(root.level) + 1);
    let mut cluster = root.cluster;
    let mut own = true;
    loop {
        own = own && store.references(cluster)? == 1;
        if node::is_leaf(&page) {
            path.push((cluster, 0));
            return Ok(match node::search(&page, key) {
                Err(_) => Way::Absent,
                Ok(_) if own => Way::Own(path),
                Ok(_) => Way::Shared,
            });
        }
        let slot = node::child_slot(&page, key);
        path.push((cluster, slot));
        cluster = node::child(&page, slot);
        page = descend(store, &page, slot)?;
    }
}

/// What to do when the key is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Replace its value.
    Replace,
    /// Refuse with `Exists`.
    Refuse,
}

/// Inserts an item.
///
/// # Errors
/// `TooBig` for a value over [`node::MAX_ITEM`]; `Exists` as asked; those of allocation and of
/// the nodes on the way.
pub fn insert(
    store: &mut Store,
    root: &mut Root,
    key: Key,
    value: &[u8],
    existing: Existing,
) -> Result<()> {
    if value.len() > node::MAX_ITEM {
        return Err(Error::new(Code::TooBig, format!("a tree item of {} bytes", value.len())));
    }
    let path = path_to(store, root, key)?;
    let (leaf, _) = path[path.len() - 1];
    let page = store.node_mut(leaf)?;
    match node::search(page, key) {
        Ok(_) if existing == Existing::Refuse => {
            Err(Error::new(Code::Exists, "the item is there already"))
        }
        Ok(slot) => {
            if node::leaf_replace(page, slot, value) {
                return Ok(());
            }
            node::leaf_remove(page, slot);
            insert_at(store, root, &path, slot, key, value)
        }
        Err(slot) => insert_at(store, root, &path, slot, key, value),
    }
}

/// Replaces the value of an item that is there.
///
/// # Errors
/// `Corrupt` when it is not there; otherwise as [`insert`].
pub fn replace(store: &mut Store, root: &mut Root, key: Key, value: &[u8]) -> Result<()> {
    insert(store, root, key, value, Existing::Replace)
}

fn insert_at(
    store: &mut Store,
    root: &mut Root,
    path: &Path,
    slot: usize,
    key: Key,
    value: &[u8],
) -> Result<()> {
    let (leaf, _) = path[path.len() - 1];
    let page = store.node_mut(leaf)?;
    if node::leaf_has_room(page, value.len()) {
        node::leaf_insert(page, slot, key, value);
        return Ok(());
    }
    // Where items arrive in order the left leaf stays full; elsewhere both halves get room.
    let count = node::count(page);
    let at = if slot == count { count } else { node::middle(page) };
    let right = split(store, leaf, at)?;
    let (target, slot) = if slot >= at { (right, slot - at) } else { (leaf, slot) };
    // A half holds at most half the room and one item more: another item always fits.
    node::leaf_insert(store.node_mut(target)?, slot, key, value);
    link_in(store, root, path, right)
}

/// Moves the slots from `at` on into a new node to the right.
fn split(store: &mut Store, left: u64, at: usize) -> Result<u64> {
    let right = store.new_node()?;
    let mut left_page = *store.node(left)?;
    let page = store.node_mut(right)?;
    node::init(page, node::level(&left_page));
    node::move_tail(&mut left_page, at, page);
    *store.node_mut(left)? = left_page;
    Ok(right)
}

/// Hangs `right`, the new neighbour of the leaf at the end of `path`, into its parent, splitting
/// upward as far as needed.
fn link_in(store: &mut Store, root: &mut Root, path: &Path, right: u64) -> Result<()> {
    let mut right = right;
    let mut depth = path.len() - 1;
    loop {
        let first = node::key(&*store.node(right)?, 0);
        if depth == 0 {
            return grow_root(store, root, right, first);
        }
        depth -= 1;
        let (parent, slot) = path[depth];
        let page = store.node_mut(parent)?;
        if node::count(page) < node::FANOUT {
            let at = node::search(page, first).unwrap_or_else(|at| at);
            node::inner_insert(page, at, first, right);
            return Ok(());
        }
        let count = node::count(page);
        let at = if slot + 1 == count { count - 1 } else { count / 2 };
        let beside = split(store, parent, at)?;
        let beside_first = node::key(&*store.node(beside)?, 0);
        let target = if first >= beside_first { beside } else { parent };
        let page = store.node_mut(target)?;
        let at = node::search(page, first).unwrap_or_else(|at| at);
        node::inner_insert(page, at, first, right);
        right = beside;
    }
}

fn grow_root(store: &mut Store, root: &mut Root, right: u64, first: Key) -> Result<()> {
    if root.level >= MAX_LEVEL {
        return Err(Error::new(Code::TooBig, "a tree cannot grow any higher"));
    }
    let top = store.new_node()?;
    let page = store.node_mut(top)?;
    node::init(page, root.level + 1);
    node::inner_insert(page, 0, Key::MIN, root.cluster);
    node::inner_insert(page, 1, first, right);
    root.cluster = top;
    root.level += 1;
    Ok(())
}

/// Removes an item; returns whether it was there.
///
/// # Errors
/// Those of the nodes on the way, and of copying shared ones.
pub fn remove(store: &mut Store, root: &mut Root, key: Key) -> Result<bool> {
    let path = match way_to(store, root, key)? {
        Way::Absent => return Ok(false),
        Way::Own(path) => path,
        Way::Shared => path_to(store, root, key)?,
    };
    let (leaf, _) = path[path.len() - 1];
    let page = store.node_mut(leaf)?;
    let Ok(slot) = node::search(page, key) else { return Ok(false) };
    node::leaf_remove(page, slot);
    rebalance(store, root, &path)?;
    Ok(true)
}

/// After a removal: drops empty nodes, merges sparse ones, lowers the root.
fn rebalance(store: &mut Store, root: &mut Root, path: &Path) -> Result<()> {
    for depth in (1..path.len()).rev() {
        let (cluster, _) = path[depth];
        let (parent, slot) = path[depth - 1];
        let page = store.node(cluster)?;
        if node::count(&page) == 0 {
            drop_child(store, parent, slot)?;
            store.release_node(cluster)?;
        } else if node::used(&page) >= SPARSE || !merge(store, parent, slot)? {
            break;
        }
    }
    lower_root(store, root)
}

/// Removes a child's slot; the least key of the node stays what it was.
fn drop_child(store: &mut Store, parent: u64, slot: usize) -> Result<()> {
    let page = store.node_mut(parent)?;
    let first = node::key(page, 0);
    node::inner_remove(page, slot);
    if slot == 0 && node::count(page) > 0 {
        let child = node::child(page, 0);
        node::set_inner(page, 0, first, child);
    }
    Ok(())
}

/// Merges the child at `slot` with a neighbour, when both together fit.
fn merge(store: &mut Store, parent: u64, slot: usize) -> Result<bool> {
    let page = store.node(parent)?;
    let count = node::count(&page);
    for left in [Some(slot), slot.checked_sub(1)].into_iter().flatten() {
        if left + 1 >= count {
            continue;
        }
        let (a, b) = (node::child(&page, left), node::child(&page, left + 1));
        let (left_page, right_page) = (store.node(a)?, store.node(b)?);
        expect_level(&left_page, a, node::level(&page) - 1)?;
        expect_level(&right_page, b, node::level(&page) - 1)?;
        if node::used(&left_page) + node::used(&right_page) > MERGED {
            continue;
        }
        let own_a = unshare(store, a)?;
        let own_b = unshare(store, b)?;
        let mut right_page = *store.node(own_b)?;
        if !node::is_leaf(&right_page) {
            // In the middle of a node the key counts: it must be the least of the range, which
            // that of a first slot need not be.
            let child = node::child(&right_page, 0);
            node::set_inner(&mut right_page, 0, node::key(&page, left + 1), child);
        }
        let left_page = store.node_mut(own_a)?;
        node::move_tail(&mut right_page, 0, left_page);
        let page = store.node_mut(parent)?;
        let first = node::key(page, left);
        node::set_inner(page, left, first, own_a);
        node::inner_remove(page, left + 1);
        store.release_node(own_b)?;
        return Ok(true);
    }
    Ok(false)
}

/// While the root has one child only, that child is the root.
fn lower_root(store: &mut Store, root: &mut Root) -> Result<()> {
    loop {
        let page = store.node(root.cluster)?;
        match (node::count(&page), root.level) {
            (0, _) => {
                store.release_node(root.cluster)?;
                root.cluster = 0;
                root.level = 0;
                return Ok(());
            }
            (1, 1..) => {
                let child = node::child(&page, 0);
                if store.references(root.cluster)? != 1 {
                    return Ok(());
                }
                store.release_node(root.cluster)?;
                root.cluster = child;
                root.level -= 1;
            }
            _ => return Ok(()),
        }
    }
}
