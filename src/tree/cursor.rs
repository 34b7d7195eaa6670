//! Reading: point lookups and ordered scans. Needs the store only for reading.

use std::sync::Arc;

use super::key::Key;
use super::node;
use crate::base::{Error, Result};
use crate::commit::{Page, Root, Store};

/// An item found: its key, and its value inside the page that holds it.
#[derive(Clone)]
pub struct Item {
    pub key: Key,
    page: Arc<Page>,
    start: u16,
    len: u16,
}

impl Item {
    fn new(page: &Arc<Page>, index: usize) -> Item {
        let range = node::value_range(page, index);
        Item {
            key: node::key(page, index),
            page: Arc::clone(page),
            start: range.start as u16,
            len: range.len() as u16,
        }
    }
}

impl std::ops::Deref for Item {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        &self.page[usize::from(self.start)..usize::from(self.start) + usize::from(self.len)]
    }
}

/// Reads the child of an inner node; that its level is one less bounds every descent and makes
/// cycles impossible. That it holds keys, and only of its range, keeps a child from hanging in
/// two places.
pub(super) fn descend(store: &Store, parent: &Page, index: usize) -> Result<Arc<Page>> {
    let cluster = node::child(parent, index);
    let page = store.node(cluster)?;
    expect_level(&page, cluster, node::level(parent) - 1)?;
    let count = node::count(&page);
    let fits = count > 0
        && node::key(&page, 0) >= node::key(parent, index)
        && (index + 1 == node::count(parent)
            || node::key(&page, count - 1) < node::key(parent, index + 1));
    if !fits {
        let what = "a tree node holds other keys than its parent says";
        return Err(Error::corrupt(what).at_cluster(cluster));
    }
    Ok(page)
}

pub(super) fn expect_level(page: &Page, cluster: u64, level: u8) -> Result<()> {
    if node::level(page) == level {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "a tree node has level {} where {level} belongs",
        node::level(page)
    ))
    .at_cluster(cluster))
}

/// The root node; `None` for an empty tree.
pub(super) fn root_page(store: &Store, root: &Root) -> Result<Option<Arc<Page>>> {
    if root.cluster == 0 {
        return Ok(None);
    }
    let page = store.node(root.cluster)?;
    expect_level(&page, root.cluster, root.level)?;
    Ok(Some(page))
}

/// The item with exactly this key.
///
/// # Errors
/// `Corrupt` or `Io` from the nodes on the way.
pub fn get(store: &Store, root: &Root, key: Key) -> Result<Option<Item>> {
    let Some(mut page) = root_page(store, root)? else { return Ok(None) };
    while !node::is_leaf(&page) {
        page = descend(store, &page, node::child_slot(&page, key))?;
    }
    Ok(node::search(&page, key).ok().map(|index| Item::new(&page, index)))
}

/// Asks the storage for the nodes that a scan from `key` on comes to next, at most `most` of each
/// level, whatever becomes of it: a storage that fetches learns of all of them at once.
pub fn foresee(store: &Store, root: &Root, key: Key, most: usize) {
    let Ok(Some(mut page)) = root_page(store, root) else { return };
    while !node::is_leaf(&page) {
        let slot = node::child_slot(&page, key);
        for next in slot..node::count(&page).min(slot + most) {
            let _ = store.node(node::child(&page, next));
        }
        let Ok(child) = descend(store, &page, slot) else { return };
        page = child;
    }
}

/// From the root to the leaf: page and the slot to visit next.
type Path = Vec<(Arc<Page>, usize)>;

/// Walks items in key order, forwards.
pub struct Cursor<'a> {
    store: &'a Store,
    path: Path,
    /// The key given out last: keys only ever rise, whatever the nodes say.
    last: Option<Key>,
}

impl<'a> Cursor<'a> {
    /// A cursor before the first item at or after `key`.
    ///
    /// # Errors
    /// `Corrupt` or `Io` from the nodes on the way.
    pub fn at(store: &'a Store, root: &Root, key: Key) -> Result<Cursor<'a>> {
        let mut path = Vec::with_capacity(usize::from(root.level) + 1);
        if let Some(mut page) = root_page(store, root)? {
            while !node::is_leaf(&page) {
                let slot = node::child_slot(&page, key);
                let child = descend(store, &page, slot)?;
                path.push((page, slot + 1));
                page = child;
            }
            let slot = node::search(&page, key).unwrap_or_else(|slot| slot);
            path.push((page, slot));
        }
        Ok(Cursor { store, path, last: None })
    }

    /// A cursor before the last item at or before `key`, or before the first item after it when
    /// there is none in the same list (object and kind).
    ///
    /// # Errors
    /// `Corrupt` or `Io` from the nodes on the way.
    pub fn at_floor(store: &'a Store, root: &Root, key: Key) -> Result<Cursor<'a>> {
        let mut cursor = Cursor::at(store, root, key)?;
        let Some((leaf, slot)) = cursor.path.last_mut() else { return Ok(cursor) };
        if *slot < node::count(leaf) && node::key(leaf, *slot) == key {
            return Ok(cursor);
        }
        if *slot > 0 {
            if node::key(leaf, *slot - 1).same_list(key) {
                *slot -= 1;
            }
            return Ok(cursor);
        }
        // The one before stands at the end of the leaf before this one.
        match cursor.previous_leaf()? {
            Some(path) if last_key(&path).is_some_and(|last| last.same_list(key)) => {
                cursor.path = path;
                Ok(cursor)
            }
            _ => Ok(cursor),
        }
    }

    /// The path to the last item of the leaf before the current one.
    fn previous_leaf(&self) -> Result<Option<Path>> {
        let mut path = self.path.clone();
        path.pop();
        while let Some((page, next)) = path.pop() {
            // `next` is one past the slot this cursor came through.
            if next < 2 {
                continue;
            }
            let slot = next - 2;
            let mut child = descend(self.store, &page, slot)?;
            path.push((page, slot + 1));
            while !node::is_leaf(&child) {
                let last = node::count(&child) - 1;
                let below = descend(self.store, &child, last)?;
                path.push((child, last + 1));
                child = below;
            }
            let count = node::count(&child);
            if count == 0 {
                return Ok(None);
            }
            path.push((child, count - 1));
            return Ok(Some(path));
        }
        Ok(None)
    }

    /// The next item, or `None` at the end of the tree.
    ///
    /// # Errors
    /// `Corrupt` or `Io` from the nodes on the way.
    pub fn advance(&mut self) -> Result<Option<Item>> {
        loop {
            let Some((page, slot)) = self.path.last_mut() else { return Ok(None) };
            if *slot >= node::count(page) {
                self.path.pop();
                continue;
            }
            let at = *slot;
            *slot += 1;
            if node::is_leaf(page) {
                let item = Item::new(page, at);
                if self.last.is_some_and(|last| last >= item.key) {
                    return Err(Error::corrupt("the keys of a tree do not rise"));
                }
                self.last = Some(item.key);
                return Ok(Some(item));
            }
            let child = descend(self.store, page, at)?;
            self.path.push((child, 0));
        }
    }

    /// The next item if it belongs to the same object and kind as `key`; the cursor then stays
    /// usable only when there was one.
    ///
    /// # Errors
    /// As [`Cursor::advance`].
    pub fn next_in(&mut self, key: Key) -> Result<Option<Item>> {
        Ok(self.advance()?.filter(|item| item.key.same_list(key)))
    }
}

fn last_key(path: &[(Arc<Page>, usize)]) -> Option<Key> {
    path.last().map(|(leaf, slot)| node::key(leaf, *slot))
}
