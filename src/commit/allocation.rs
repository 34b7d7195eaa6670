//! Giving out clusters, and the growth of the map.

use std::sync::Arc;

use super::store::{NODE_IMPORTANCE, PageKind, Store};
use crate::base::limits::CLUSTER;
use crate::base::{Code, Error, Result};
use crate::vat::page as table;
use crate::vat::space::Space;
use crate::vat::{Kind, Record};

impl Store {
    /// Takes `count` clusters in a row near the distance `importance` asks for, growing the map
    /// when there are none.
    ///
    /// # Errors
    /// `NoSpace` when the map cannot grow, `Corrupt` or `Io` while reading the table.
    pub fn allocate(&mut self, count: u32, importance: u8) -> Result<u64> {
        loop {
            let mut space = std::mem::replace(&mut self.space, Space::hollow(self.geometry));
            let found = space.take(count, importance, &mut |sheet| self.free_bitmap(sheet));
            self.space = space;
            if let Some(first) = found? {
                self.state.used += u64::from(count);
                if let Some(undo) = &mut self.undo {
                    undo.taken.push((first, count));
                }
                return Ok(first);
            }
            if !self.release_held() {
                self.grow()?;
            }
        }
    }

    fn free_bitmap(&self, sheet: u32) -> Result<Vec<u64>> {
        let clusters = self.geometry.sheet_clusters();
        let mut free = vec![0u64; clusters.div_ceil(64) as usize];
        let base = self.geometry.cluster(sheet, 0);
        for page in 0..self.geometry.vat_pages() {
            let at = base + u64::from(page);
            let bytes = self.table_page(at)?;
            for cluster in table::covered(&self.geometry, at) {
                let Some(place) = table::place(&self.geometry, cluster) else { continue };
                if table::read(&bytes, place.offset)?.kind == Kind::Free {
                    let index = (cluster - base) as usize;
                    free[index / 64] |= 1 << (index % 64);
                }
            }
        }
        // Free in the table, but not to be given out yet.
        let waiting = self.freed.iter().chain(&self.freed_in_flight).chain(&self.quarantine);
        for &(first, count) in waiting.chain(self.pin.held()) {
            if self.geometry.sheet_of(first) == sheet {
                let index = self.geometry.index_in_sheet(first) as usize;
                for index in index..index + count as usize {
                    free[index / 64] &= !(1 << (index % 64));
                }
            }
        }
        Ok(free)
    }

    /// Adds sheets: an eighth of what there is, at least one. Stays when the operation is undone.
    fn grow(&mut self) -> Result<()> {
        // A checkpoint under way writes the picture's end as it is.
        self.settle_in_flight()?;
        let live = self
            .live
            .clone()
            .ok_or_else(|| Error::new(Code::ReadOnly, "the map is open read-only"))?;
        let before = self.state.sheets;
        let full = |_| Error::new(Code::NoSpace, "the map cannot grow any further");
        let mut sheets = before + (before / 8).max(1);
        let mut geometry = self.geometry.with_sheets(sheets);
        if geometry.is_err() {
            sheets = before + 1;
            geometry = self.geometry.with_sheets(sheets);
        }
        let geometry = geometry.map_err(full)?;
        live.grow(sheets - before)?;
        self.geometry = geometry;
        self.space.grow(geometry);
        let undo = self.undo.take();
        for sheet in before..sheets {
            self.lay_out_sheet(sheet);
        }
        self.state.sheets = sheets;
        let fixed = self.fixed_clusters(before..sheets);
        self.state.used += fixed;
        // The new table stays when the operation is undone, what it writes there does not: seen
        // from here it is another operation, which keeps the pages as they are now.
        self.operation += 1;
        self.undo = undo;
        if let Some(undo) = &mut self.undo {
            undo.state.sheets = sheets;
            undo.state.used += fixed;
        }
        Ok(())
    }

    /// Clusters of these sheets that are never given out.
    pub(crate) fn fixed_clusters(&self, sheets: std::ops::Range<u32>) -> u64 {
        let parity = self.geometry.sheet_clusters() - self.geometry.parity_start();
        let each = u64::from(self.geometry.vat_pages() + parity);
        let superblocks = if sheets.contains(&0) { 2 } else { 0 };
        each * u64::from(sheets.end - sheets.start) + superblocks
    }

    /// Writes the table of a new sheet.
    pub(super) fn lay_out_sheet(&mut self, sheet: u32) {
        let geometry = self.geometry;
        let base = geometry.cluster(sheet, 0);
        let parity = base + u64::from(geometry.parity_start());
        let superblocks = [geometry.superblock_a(), geometry.superblock_b()]
            .map(|index| geometry.cluster(0, index));
        for at in base..base + u64::from(geometry.vat_pages()) {
            let mut page = [0; CLUSTER];
            for cluster in table::covered(&geometry, at) {
                let kind = if cluster >= parity {
                    Kind::Parity
                } else if superblocks.contains(&cluster) {
                    Kind::Superblock
                } else {
                    continue;
                };
                if let Some(place) = table::place(&geometry, cluster) {
                    table::write(&mut page, place.offset, Record::new(kind, 0, 0));
                }
            }
            // All data is free and all parity is zero, which is right for it.
            table::set_parity_stale(&mut page, true);
            self.insert_dirty(at, Arc::new(page), PageKind::Table);
        }
    }

    /// A new node with one reference; its bytes are zero.
    ///
    /// # Errors
    /// As [`Store::allocate`].
    pub fn new_node(&mut self) -> Result<u64> {
        let cluster = self.allocate(1, NODE_IMPORTANCE)?;
        self.set_record(cluster, Record::new(Kind::Node, 0, 1))?;
        self.insert_dirty(cluster, Arc::new([0; CLUSTER]), PageKind::Node);
        Ok(cluster)
    }
}
