//! References on nodes and whole trees.

use super::item::extent_of;
use super::node;
use crate::base::Result;
use crate::commit::{Root, Store};

/// Makes the node at `cluster` the caller's own: returns it as it is when only the caller
/// references it, else a copy. The copy's children and extents gain a reference, the original
/// loses the caller's.
///
/// # Errors
/// `TooManyLinks` when a child has as many references as it can have; those of allocation.
pub fn unshare(store: &mut Store, cluster: u64) -> Result<u64> {
    if store.references(cluster)? == 1 {
        return Ok(cluster);
    }
    let page = store.node(cluster)?;
    for index in 0..node::count(&page) {
        if !node::is_leaf(&page) {
            store.reference(node::child(&page, index))?;
        } else if let Some((first, _)) =
            extent_of(node::key(&page, index), node::value(&page, index))
        {
            store.reference(first)?;
        }
    }
    let copy = store.new_node()?;
    *store.node_mut(copy)? = *page;
    store.release_node(cluster)?;
    Ok(copy)
}

/// Takes a reference on a whole tree.
///
/// # Errors
/// `TooManyLinks` at the limit.
pub fn share(store: &mut Store, root: &Root) -> Result<()> {
    if root.cluster == 0 { Ok(()) } else { store.reference(root.cluster) }
}

/// Gives up a reference on a whole tree. Where it was the last, what the tree alone referenced
/// goes with it; nothing that somebody else shares is visited.
///
/// # Errors
/// `Corrupt` or `Io` from the nodes that go.
pub fn release(store: &mut Store, root: &Root) -> Result<()> {
    if root.cluster == 0 {
        return Ok(());
    }
    let mut waiting = vec![(root.cluster, root.level)];
    while let Some((cluster, level)) = waiting.pop() {
        let page = store.node(cluster)?;
        super::cursor::expect_level(&page, cluster, level)?;
        if store.release_node(cluster)? > 0 {
            continue;
        }
        for index in 0..node::count(&page) {
            if level > 0 {
                waiting.push((node::child(&page, index), level - 1));
            } else if let Some((first, count)) =
                extent_of(node::key(&page, index), node::value(&page, index))
            {
                store.release_extent(first, count)?;
            }
        }
    }
    Ok(())
}
