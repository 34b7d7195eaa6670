//! Reading past the caches, for checks of what is on the medium itself.

use std::sync::Arc;

use super::checkpoint::slots;
use super::store::{Page, Store};
use super::superblock::Superblock;
use crate::base::limits::CLUSTER;
use crate::base::{Error, Result};
use crate::vat::page as table;

impl Store {
    /// Whether the newest content of `cluster` is in memory and in the log, not at home yet.
    pub fn is_pending(&self, cluster: u64) -> bool {
        self.dirty.contains_key(&cluster)
    }

    /// Whether the page of the table at `cluster` is in memory: looking at it reads nothing.
    pub fn holds_table_page(&self, cluster: u64) -> bool {
        self.is_pending(cluster) || self.tables.holds(cluster)
    }

    /// What made the map refuse further changes, if anything did.
    pub fn failure(&self) -> Option<&Error> {
        self.poison.as_ref()
    }

    /// Whether the file alone is the map: nothing changed since the last checkpoint.
    pub fn is_settled(&self) -> bool {
        self.dirty.is_empty() && self.superblock.state == self.state
    }

    /// The clusters of the two superblocks, and what stands there.
    pub fn superblocks(&self) -> [(u64, Result<Option<Superblock>>); 2] {
        slots(self.geometry).map(|slot| {
            let mut bytes = [0; CLUSTER];
            let found = self
                .clusters
                .read_run(slot, &mut bytes)
                .and_then(|()| Superblock::decode(&bytes, slot));
            (slot, found)
        })
    }

    /// The page of the table at `cluster`, read from the medium unless it is pending.
    ///
    /// # Errors
    /// As [`Store::table_page`].
    pub fn fresh_table_page(&self, cluster: u64) -> Result<Arc<Page>> {
        if self.is_pending(cluster) {
            return self.table_page(cluster);
        }
        let page = self.fresh_bytes(cluster)?;
        table::check(self.seed, cluster, &page)?;
        Ok(page)
    }

    /// The bytes of one cluster as the medium has them, unverified.
    ///
    /// # Errors
    /// `Invalid` for a cluster outside the map, `Io`.
    pub fn fresh_bytes(&self, cluster: u64) -> Result<Arc<Page>> {
        let mut page = [0; CLUSTER];
        self.clusters.read_run(cluster, &mut page)?;
        Ok(Arc::new(page))
    }

    /// Checks a node's own header and structure, whatever its record says.
    ///
    /// # Errors
    /// `Corrupt` saying what is wrong.
    pub fn check_fresh_node(&self, cluster: u64, page: &Page) -> Result<()> {
        self.check_node_header(page, cluster)?;
        (self.check_node)(page, cluster)
    }

    /// A node that is pending, or `None` when its home is what counts.
    ///
    /// # Errors
    /// `Corrupt` when what is pending there is no node.
    pub fn pending_node(&self, cluster: u64) -> Result<Option<Arc<Page>>> {
        if self.is_pending(cluster) { self.node(cluster).map(Some) } else { Ok(None) }
    }
}
