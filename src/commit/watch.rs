//! What has changed in memory since somebody looked: for pictures that follow a map.

use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxHashMap;

use super::store::PageKind;

/// Counts changes of nodes, and knows which pages of the table were changed when. Every count
/// only rises; changes that were undone are among them.
#[derive(Default)]
pub struct Watch {
    nodes: u64,
    tables: u64,
    /// By page, the count of its last change; kept from the first [`Watch::begin`] on.
    pages: Option<FxHashMap<u64, u64>>,
    drops: AtomicU64,
}

/// A moment in the life of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Changes of nodes so far.
    pub nodes: u64,
    tables: u64,
    drops: u64,
}

impl Watch {
    /// Keeps from now on which pages of the table change.
    pub fn begin(&mut self) {
        if self.pages.is_none() {
            // What changed before this is known to nobody.
            self.drops.fetch_add(1, Ordering::Relaxed);
            self.pages = Some(FxHashMap::default());
        }
    }

    pub(super) fn note(&mut self, cluster: u64, kind: PageKind) {
        match kind {
            PageKind::Node => self.nodes += 1,
            PageKind::Table => {
                self.tables += 1;
                if let Some(pages) = &mut self.pages {
                    pages.insert(cluster, self.tables);
                }
            }
            PageKind::Data => {}
        }
    }

    /// The caches were emptied: whoever emptied them wants the medium looked at.
    pub(super) fn dropped(&self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }

    pub fn now(&self) -> Moment {
        let drops = self.drops.load(Ordering::Relaxed);
        Moment { nodes: self.nodes, tables: self.tables, drops }
    }

    /// The pages of the table that have changed since; `None` when any may have.
    pub fn tables_since(&self, moment: Moment) -> Option<Vec<u64>> {
        let now = self.now();
        if moment.drops != now.drops {
            return None;
        }
        if moment.tables == now.tables {
            return Some(Vec::new());
        }
        let pages = self.pages.as_ref()?;
        let newer = pages.iter().filter(|&(_, &count)| count > moment.tables);
        Some(newer.map(|(&page, _)| page).collect())
    }
}
