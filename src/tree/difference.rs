//! Which items differ between two trees of one map.
//!
//! A node that both trees share holds the same in both, so what hangs under it is skipped: the
//! cost is that of the nodes that were copied since the trees parted.

use std::sync::Arc;

use super::cursor::{descend, root_page};
use super::key::Key;
use super::node;
use crate::base::{Error, Result};
use crate::commit::{Page, Root, Store};

/// A place in a tree: nodes from the root on, with the next slot of each.
struct Place<'a> {
    store: &'a Store,
    path: Vec<(Arc<Page>, usize)>,
    /// The key passed last: keys only ever rise, whatever the nodes say.
    last: Option<Key>,
}

impl Place<'_> {
    fn at<'a>(store: &'a Store, root: &Root) -> Result<Place<'a>> {
        let mut place = Place { store, path: Vec::new(), last: None };
        place.path.extend(root_page(store, root)?.map(|page| (page, 0)));
        place.settle();
        Ok(place)
    }

    /// Leaves nodes that are done.
    fn settle(&mut self) {
        while let Some((page, slot)) = self.path.last()
            && *slot >= node::count(page)
        {
            self.path.pop();
        }
    }

    /// The key at which what comes next begins.
    fn key(&self) -> Option<Key> {
        self.path.last().map(|(page, slot)| node::key(page, *slot))
    }

    /// The subtree that comes next, as its cluster and the level of the node that refers to it;
    /// `None` for an item.
    fn child(&self) -> Option<(u64, u8)> {
        let (page, slot) = self.path.last()?;
        (!node::is_leaf(page)).then(|| (node::child(page, *slot), node::level(page)))
    }

    fn value(&self) -> Option<&[u8]> {
        self.path.last().map(|(page, slot)| node::value(page, *slot))
    }

    /// Goes on behind what comes next.
    fn skip(&mut self) -> Result<()> {
        if self.child().is_none()
            && let Some(key) = self.key()
        {
            if self.last.is_some_and(|last| last >= key) {
                return Err(Error::corrupt("the keys of a tree do not rise"));
            }
            self.last = Some(key);
        }
        if let Some((_, slot)) = self.path.last_mut() {
            *slot += 1;
        }
        self.settle();
        Ok(())
    }

    /// Goes into the subtree that comes next.
    fn enter(&mut self) -> Result<()> {
        let Some((page, slot)) = self.path.last_mut() else { return Ok(()) };
        let child = descend(self.store, page, *slot)?;
        *slot += 1;
        self.path.push((child, 0));
        Ok(())
    }
}

/// Calls `visit` with the key of every item that only one of the trees has, or that differs.
///
/// # Errors
/// `Corrupt` or `Io` from the nodes on the way.
pub fn walk(store: &Store, old: &Root, new: &Root, visit: &mut dyn FnMut(Key)) -> Result<()> {
    if old.cluster == new.cluster {
        return Ok(());
    }
    let (mut old, mut new) = (Place::at(store, old)?, Place::at(store, new)?);
    loop {
        let (Some(a), Some(b)) = (old.key(), new.key()) else {
            let place = if old.key().is_some() { &mut old } else { &mut new };
            if place.key().is_none() {
                return Ok(());
            }
            pass(place, visit)?;
            continue;
        };
        match (old.child(), new.child()) {
            (Some(a), Some(b)) if a == b => {
                old.skip()?;
                new.skip()?;
            }
            // What begins first is dealt with first, so that both come to the same subtree.
            _ if a < b => pass(&mut old, visit)?,
            _ if b < a => pass(&mut new, visit)?,
            (Some((_, low)), Some((_, high))) if high > low => new.enter()?,
            (Some(_), _) => old.enter()?,
            (None, Some(_)) => new.enter()?,
            (None, None) => {
                if old.value() != new.value() {
                    visit(a);
                }
                old.skip()?;
                new.skip()?;
            }
        }
    }
}

/// Passes an item that only one tree has, or goes into a subtree of its own.
fn pass(place: &mut Place<'_>, visit: &mut dyn FnMut(Key)) -> Result<()> {
    if place.child().is_some() {
        return place.enter();
    }
    if let Some(key) = place.key() {
        visit(key);
    }
    place.skip()
}
