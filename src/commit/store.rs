//! Pages, records and extents, as they are in memory.
//!
//! A page is *clean* (in the cache, equal to its home cluster), or *dirty* (changed since the
//! last checkpoint; pinned in memory). Every change is made inside an operation, which
//! [`Store::atomically`] undoes as a whole when it fails, so a full disk or a damaged node met half way leaves
//! the state as it was.
//!
//! Rules:
//! * a cluster freed by an operation is given out again only once the transaction that freed it
//!   is durable, and, if the log holds an image of it, only after the next checkpoint, since a
//!   replay would write that image over whatever lies there by then;
//! * a page of the table is never shared and changes in place; a node changes in place only when
//!   its reference count is 1, which is the tree's business;
//! * after a failed write or sync nothing is written any more until the map is opened again.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rustc_hash::{FxHashMap, FxHashSet};

use super::meter::Meter;
use super::state::State;
use super::superblock::Superblock;
use crate::base::checksum::crc32;
use crate::base::env::{Clock, Entropy};
use crate::base::limits::{CLUSTER, MAX_REFERENCES};
use crate::base::{Code, Error, Result};
use crate::container::{Clusters, Geometry, Live};
use crate::vat::page as table;
use crate::vat::space::Space;
use crate::vat::{Kind, Record};
use crate::wal::{LogFile, LogWriter};

/// The bytes of one cluster.
pub type Page = [u8; CLUSTER];

/// Importance of tree nodes: next to the centre, before any file data.
pub const NODE_IMPORTANCE: u8 = 250;
/// Staged file data is written out when it reaches this many bytes.
const STAGE_LIMIT: usize = 8 << 20;
/// An extent of at least this many bytes is written at once: a copy to gather it with others
/// would cost more than it saves.
const UNSTAGED: usize = 1 << 20;

/// Checks a node's structure after its checksums; the tree's business.
pub type NodeCheck = fn(page: &Page, cluster: u64) -> Result<()>;

/// What a dirty page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    Node,
    Table,
    /// A cluster of file data that travels through the log.
    Data,
}

#[derive(Clone, Debug)]
pub(super) struct DirtyPage {
    pub page: Arc<Page>,
    /// The content as the log has it.
    pub logged: Option<Arc<Page>>,
    pub kind: PageKind,
    /// The operation that touched it last.
    operation: u64,
    /// Whether it differs from what the log has.
    pub changed: bool,
}

impl DirtyPage {
    /// A page found in the log on opening.
    pub(super) fn recovered(page: Arc<Page>, kind: PageKind) -> DirtyPage {
        DirtyPage { page, logged: None, kind, operation: 0, changed: false }
    }
}

/// What it takes to undo the running operation.
#[derive(Debug, Default)]
pub(super) struct Undo {
    pages: Vec<(u64, Option<DirtyPage>)>,
    taken: Vec<(u64, u32)>,
    freed: usize,
    state: State,
}

#[derive(Clone, Debug)]
pub(super) struct PageWeight;

impl Weighter<u64, Arc<Page>> for PageWeight {
    fn weight(&self, _: &u64, _: &Arc<Page>) -> u64 {
        // The page, its counts and its entry.
        CLUSTER as u64 + 96
    }
}

/// The write-ahead log of an open map.
pub(super) struct Log {
    pub file: Arc<LogFile>,
    pub writer: LogWriter,
}

/// Sizes of the engine's caches and buffers, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Clean pages.
    pub pages: usize,
    /// Dirty pages; more make a checkpoint due.
    pub dirty: usize,
    /// Log bytes that make a checkpoint due.
    pub log: u64,
}

impl Budget {
    /// This layer's part of a total budget. Of all of it, the container's bands get 5/16, clean
    /// pages 1/8, dirty ones 3/16, decompressed blocks 1/4 and buffered writes 1/8.
    pub fn of(total: usize) -> Budget {
        let total = total.max(1 << 20);
        Budget { pages: total / 8, dirty: total / 16 * 3, log: (total / 4).max(4 << 20) as u64 }
    }
}

/// See the module's description.
pub struct Store {
    pub(super) clusters: Arc<dyn Clusters>,
    /// The writable picture; `None` on a map opened read-only.
    pub(super) live: Option<Arc<Live>>,
    pub(super) log: Option<Log>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) check_node: NodeCheck,
    /// The last superblock written or read.
    pub(super) superblock: Superblock,
    pub(super) geometry: Geometry,
    /// CRC-32 of the UUID: seeds the checksums of pages, so pages of another map are refused.
    pub(super) seed: u32,
    pub(super) state: State,
    pub(super) cache: Cache<u64, Arc<Page>, PageWeight>,
    pub(super) dirty: FxHashMap<u64, DirtyPage>,
    /// Pages changed since the last commit; may name pages that are gone by now.
    pub(super) unlogged: Vec<u64>,
    /// Dirty pages that hold file data.
    pub(super) data_pages: usize,
    /// Clusters of which the log holds an image.
    pub(super) logged: FxHashSet<u64>,
    pub(super) space: Space,
    /// Freed since the last commit.
    pub(super) freed: Vec<(u64, u32)>,
    /// Freed by a commit on its way to the disk.
    pub(super) freed_in_flight: Vec<(u64, u32)>,
    /// Freed durably, given out again after the next checkpoint.
    pub(super) quarantine: Vec<(u64, u32)>,
    /// File data that has a place but is not written yet.
    staged: Vec<(u64, Vec<u8>)>,
    staged_bytes: usize,
    /// File data was written since the last sync of the map.
    pub(super) data_unsynced: bool,
    operation: u64,
    undo: Option<Undo>,
    pub(super) poison: Option<Error>,
    pub(super) budget: Budget,
    /// Stripes whose parity this process has made stale, by sheet.
    pub(super) stale_stripes: FxHashMap<u32, super::parity::StaleStripes>,
    /// The map was found unclean and repaired from its log when it was opened.
    pub(super) recovered: bool,
    /// The superblock that is not in force may say something else than the one that is.
    pub(super) twin_is_old: bool,
    /// A transaction handed out by [`Store::prepare`] that [`Store::finish`] has not heard of.
    pub(super) in_flight: Option<super::transaction::Prepared>,
    pub meter: Meter,
}

/// What [`Store::assemble`] needs.
pub(super) struct Parts {
    pub clusters: Arc<dyn Clusters>,
    pub live: Option<Arc<Live>>,
    pub log: Option<Log>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub check_node: NodeCheck,
    pub superblock: Superblock,
    pub geometry: Geometry,
    pub budget: Budget,
}

impl Store {
    pub(super) fn assemble(parts: Parts) -> Store {
        let pages = parts.budget.pages;
        Store {
            seed: crc32(&parts.superblock.uuid),
            state: parts.superblock.state,
            cache: Cache::with_weighter(pages / CLUSTER, pages as u64, PageWeight),
            dirty: FxHashMap::default(),
            unlogged: Vec::new(),
            data_pages: 0,
            logged: FxHashSet::default(),
            space: Space::new(parts.geometry),
            freed: Vec::new(),
            freed_in_flight: Vec::new(),
            quarantine: Vec::new(),
            staged: Vec::new(),
            staged_bytes: 0,
            data_unsynced: false,
            operation: 0,
            undo: None,
            poison: None,
            budget: parts.budget,
            stale_stripes: FxHashMap::default(),
            recovered: false,
            twin_is_old: false,
            in_flight: None,
            meter: Meter::default(),
            clusters: parts.clusters,
            live: parts.live,
            log: parts.log,
            clock: parts.clock,
            entropy: parts.entropy,
            check_node: parts.check_node,
            superblock: parts.superblock,
            geometry: parts.geometry,
        }
    }

    // ---- facts

    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The superblock as of the last checkpoint.
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state, to be changed inside an operation.
    pub fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// The label, to be written with the next checkpoint.
    pub fn set_label(&mut self, label: &[u8]) {
        self.superblock.label = label.to_vec();
    }

    /// Whether parity is kept, from the next checkpoint on.
    pub fn set_parity(&mut self, parity: bool) {
        self.superblock.parity = parity;
    }

    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub fn clusters(&self) -> &Arc<dyn Clusters> {
        &self.clusters
    }

    pub fn live(&self) -> Option<&Arc<Live>> {
        self.live.as_ref()
    }

    pub fn is_read_only(&self) -> bool {
        self.live.is_none()
    }

    /// Whether opening the map replayed a log.
    pub fn was_recovered(&self) -> bool {
        self.recovered
    }

    pub fn dirty_pages(&self) -> usize {
        self.dirty.len()
    }

    /// Bytes in the log since the last checkpoint.
    pub fn log_len(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.writer.len())
    }

    /// Clusters freed since the last commit, which cannot be used again before it.
    pub fn freed_clusters(&self) -> u64 {
        self.freed.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// (hits, misses, pages held) of the page cache.
    pub fn cache_figures(&self) -> (u64, u64, u64) {
        (self.cache.hits(), self.cache.misses(), self.cache.len() as u64)
    }

    /// Refuses to change a map that cannot be written, or whose medium has failed.
    ///
    /// # Errors
    /// `ReadOnly`, or `Poisoned` naming the failure.
    pub fn check_writable(&self) -> Result<()> {
        if let Some(error) = &self.poison {
            return Err(Error::new(
                Code::Poisoned,
                format!("an earlier write failed ({error}); open the map again to go on"),
            ));
        }
        if self.live.is_none() {
            return Err(Error::new(Code::ReadOnly, "the map is open read-only"));
        }
        Ok(())
    }

    /// Remembers the first failure of the medium.
    pub(super) fn poisoned<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.poison.get_or_insert_with(|| error.clone());
        }
        result
    }

    // ---- operations

    /// Runs `body` as one operation: when it fails, everything it changed is as before.
    ///
    /// # Errors
    /// Those of `body`, `ReadOnly` and `Poisoned`.
    pub fn atomically<T>(&mut self, body: impl FnOnce(&mut Store) -> Result<T>) -> Result<T> {
        self.check_writable()?;
        debug_assert!(self.undo.is_none(), "operations do not nest");
        self.operation += 1;
        self.undo = Some(Undo { freed: self.freed.len(), state: self.state, ..Undo::default() });
        let result = body(self).and_then(|value| self.write_staged().map(|()| value));
        let undo = self.undo.take().unwrap_or_default();
        if result.is_err() {
            self.undo(undo);
        }
        self.release_when_unlogged();
        result
    }

    fn undo(&mut self, undo: Undo) {
        self.staged.clear();
        self.staged_bytes = 0;
        for (cluster, before) in undo.pages.into_iter().rev() {
            let after = match before {
                Some(page) => {
                    self.data_pages += usize::from(page.kind == PageKind::Data);
                    if page.changed {
                        self.unlogged.push(cluster);
                    }
                    self.dirty.insert(cluster, page)
                }
                None => self.dirty.remove(&cluster),
            };
            self.data_pages -= usize::from(after.is_some_and(|page| page.kind == PageKind::Data));
        }
        self.freed.truncate(undo.freed);
        for (first, count) in undo.taken {
            self.space.give_back(first, count);
        }
        self.state = undo.state;
    }

    /// Without a log nothing is ever replayed, so freed clusters are free at once.
    fn release_when_unlogged(&mut self) {
        if self.log.is_none() {
            for (first, count) in std::mem::take(&mut self.freed) {
                self.space.give_back(first, count);
            }
        }
    }

    // ---- pages

    /// The node at `cluster`, checked against its record and its own header.
    ///
    /// # Errors
    /// `Corrupt` naming the cluster, `Io`.
    pub fn node(&self, cluster: u64) -> Result<Arc<Page>> {
        // Pages of the table share the cache.
        if table::is_page(&self.geometry, cluster) {
            return Err(not_a_node(cluster));
        }
        if let Some(dirty) = self.dirty.get(&cluster) {
            return match dirty.kind {
                PageKind::Node => Ok(Arc::clone(&dirty.page)),
                _ => Err(not_a_node(cluster)),
            };
        }
        if let Some(page) = self.cache.get(&cluster) {
            return Ok(page);
        }
        let record = self.record(cluster)?;
        if record.kind != Kind::Node {
            return Err(not_a_node(cluster));
        }
        let mut page = [0; CLUSTER];
        self.read_verified(cluster, &mut page, &[record])?;
        self.check_node_header(&page, cluster)?;
        (self.check_node)(&page, cluster)?;
        let page = Arc::new(page);
        self.cache.insert(cluster, Arc::clone(&page));
        Ok(page)
    }

    /// The page of the table at `cluster`.
    ///
    /// # Errors
    /// `Corrupt` naming the cluster and both checksums, `Io`.
    pub fn table_page(&self, cluster: u64) -> Result<Arc<Page>> {
        if let Some(dirty) = self.dirty.get(&cluster) {
            return Ok(Arc::clone(&dirty.page));
        }
        if let Some(page) = self.cache.get(&cluster) {
            return Ok(page);
        }
        let mut page = [0; CLUSTER];
        self.clusters.read_run(cluster, &mut page)?;
        table::check(self.seed, cluster, &page)?;
        let page = Arc::new(page);
        self.cache.insert(cluster, Arc::clone(&page));
        Ok(page)
    }

    /// The page at `cluster`, to be changed: becomes dirty, and is kept for undoing.
    pub(super) fn page_mut(&mut self, cluster: u64, kind: PageKind) -> Result<&mut Page> {
        if !self.dirty.contains_key(&cluster) {
            let page = match kind {
                PageKind::Table => self.table_page(cluster)?,
                _ => self.node(cluster)?,
            };
            self.insert_dirty(cluster, page, kind);
        }
        let operation = self.operation;
        let Some(dirty) = self.dirty.get_mut(&cluster) else { return Err(not_a_node(cluster)) };
        if dirty.operation != operation {
            if let Some(undo) = &mut self.undo {
                undo.pages.push((cluster, Some(dirty.clone())));
            }
            dirty.operation = operation;
        }
        if !dirty.changed {
            dirty.changed = true;
            self.unlogged.push(cluster);
        }
        Ok(Arc::make_mut(&mut dirty.page))
    }

    /// The node at `cluster`, to be changed in place.
    ///
    /// # Errors
    /// As [`Store::node`].
    pub fn node_mut(&mut self, cluster: u64) -> Result<&mut Page> {
        self.page_mut(cluster, PageKind::Node)
    }

    fn insert_dirty(&mut self, cluster: u64, page: Arc<Page>, kind: PageKind) {
        let before = self.dirty.insert(
            cluster,
            DirtyPage { page, logged: None, kind, operation: self.operation, changed: true },
        );
        self.data_pages += usize::from(kind == PageKind::Data);
        self.data_pages -=
            usize::from(before.as_ref().is_some_and(|page| page.kind == PageKind::Data));
        self.unlogged.push(cluster);
        if let Some(undo) = &mut self.undo {
            undo.pages.push((cluster, before));
        }
    }

    fn forget_page(&mut self, cluster: u64) {
        if let Some(before) = self.dirty.remove(&cluster) {
            self.data_pages -= usize::from(before.kind == PageKind::Data);
            if let Some(undo) = &mut self.undo {
                undo.pages.push((cluster, Some(before)));
            }
        }
        self.cache.remove(&cluster);
    }

    // ---- records

    /// The record of `cluster`.
    ///
    /// # Errors
    /// `Corrupt` when there can be none: past the end, or a page of the table.
    pub fn record(&self, cluster: u64) -> Result<Record> {
        let place = self.place(cluster)?;
        table::read(&*self.table_page(place.page)?, place.offset)
            .map_err(|error| error.at_cluster(cluster))
    }

    fn place(&self, cluster: u64) -> Result<table::Place> {
        if cluster >= self.geometry.clusters() {
            return Err(
                Error::corrupt("a cluster number lies past the end of the map").at_cluster(cluster)
            );
        }
        table::place(&self.geometry, cluster).ok_or_else(|| {
            Error::corrupt("a cluster number names a page of the allocation table")
                .at_cluster(cluster)
        })
    }

    pub(super) fn set_record(&mut self, cluster: u64, record: Record) -> Result<()> {
        let place = self.place(cluster)?;
        self.mark_stale(cluster);
        table::write(self.page_mut(place.page, PageKind::Table)?, place.offset, record);
        Ok(())
    }

    /// Replaces the records of clusters that follow each other: each page of the table is looked
    /// up once.
    fn set_records(&mut self, first: u64, records: &[Record]) -> Result<()> {
        let geometry = self.geometry;
        let mut cluster = first;
        let mut rest = records;
        while !rest.is_empty() {
            let page = self.place(cluster)?.page;
            let until = table::covered(&geometry, page).end;
            let (now, later) = rest.split_at(rest.len().min((until - cluster) as usize));
            let end = cluster + now.len() as u64;
            (cluster..end).for_each(|cluster| self.mark_stale(cluster));
            let bytes = self.page_mut(page, PageKind::Table)?;
            for (cluster, record) in (cluster..end).zip(now) {
                if let Some(place) = table::place(&geometry, cluster) {
                    table::write(bytes, place.offset, *record);
                }
            }
            cluster = end;
            rest = later;
        }
        Ok(())
    }

    /// Calls `visit` with the records of `first..first + count`, in order.
    ///
    /// # Errors
    /// As [`Store::record`], and those of `visit`.
    pub fn for_records(
        &self,
        first: u64,
        count: u32,
        mut visit: impl FnMut(u64, Record) -> Result<()>,
    ) -> Result<()> {
        let mut page: Option<(u64, Arc<Page>)> = None;
        for cluster in first..first + u64::from(count) {
            let place = self.place(cluster)?;
            if page.as_ref().is_none_or(|(at, _)| *at != place.page) {
                page = Some((place.page, self.table_page(place.page)?));
            }
            if let Some((_, page)) = &page {
                visit(cluster, table::read(page, place.offset)?)?;
            }
        }
        Ok(())
    }

    /// Takes one more reference on what begins at `cluster`.
    ///
    /// # Errors
    /// `TooManyLinks` at the limit, `Corrupt` when nothing counted begins there.
    pub fn reference(&mut self, cluster: u64) -> Result<()> {
        let mut record = self.counted(cluster)?;
        if record.references >= MAX_REFERENCES {
            return Err(Error::new(
                Code::TooManyLinks,
                format!("an extent has {MAX_REFERENCES} references, the most it can have"),
            )
            .at_cluster(cluster));
        }
        record.references += 1;
        self.set_record(cluster, record)
    }

    /// Whether one more reference fits.
    ///
    /// # Errors
    /// As [`Store::reference`] but for the limit.
    pub fn can_reference(&self, cluster: u64, more: u32) -> Result<bool> {
        Ok(self.counted(cluster)?.references <= MAX_REFERENCES - more)
    }

    /// References on what begins at `cluster`.
    ///
    /// # Errors
    /// `Corrupt` when nothing counted begins there.
    pub fn references(&self, cluster: u64) -> Result<u32> {
        Ok(self.counted(cluster)?.references)
    }

    fn counted(&self, cluster: u64) -> Result<Record> {
        let record = self.record(cluster)?;
        if record.kind.is_counted() && record.references > 0 {
            Ok(record)
        } else {
            Err(Error::corrupt("a reference leads to a cluster that is not in use")
                .at_cluster(cluster))
        }
    }

    /// Gives up one reference on the extent of `count` clusters at `first`; the last one frees it.
    ///
    /// # Errors
    /// `Corrupt` when the table does not agree that an extent of this length begins there.
    pub fn release_extent(&mut self, first: u64, count: u32) -> Result<()> {
        let mut record = self.counted(first)?;
        if record.references > 1 {
            record.references -= 1;
            return self.set_record(first, record);
        }
        self.for_records(first, count, |cluster, record| {
            let right = match cluster - first {
                0 => matches!(record.kind, Kind::Raw | Kind::Zstd),
                distance => record.kind == Kind::Tail && u64::from(record.references) == distance,
            };
            if right {
                return Ok(());
            }
            Err(Error::corrupt("an extent does not match its allocation records")
                .at_cluster(cluster))
        })?;
        self.free(first, count)
    }

    /// Gives up one reference on a node; returns how many are left. At zero the node is gone, and
    /// the caller answers for what it referenced.
    ///
    /// # Errors
    /// `Corrupt` when no node is there.
    pub fn release_node(&mut self, cluster: u64) -> Result<u32> {
        let mut record = self.counted(cluster)?;
        if record.kind != Kind::Node {
            return Err(not_a_node(cluster));
        }
        record.references -= 1;
        if record.references == 0 {
            self.free(cluster, 1)?;
        } else {
            self.set_record(cluster, record)?;
        }
        Ok(record.references)
    }

    fn free(&mut self, first: u64, count: u32) -> Result<()> {
        for cluster in first..first + u64::from(count) {
            self.set_record(cluster, Record::FREE)?;
            self.forget_page(cluster);
        }
        self.state.used = self.state.used.saturating_sub(u64::from(count));
        self.freed.push((first, count));
        Ok(())
    }

    // ---- allocation

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
            self.grow()?;
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
        for &(first, count) in
            self.freed.iter().chain(&self.freed_in_flight).chain(&self.quarantine)
        {
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

    // ---- file data

    /// Gives `data` a place near the distance `importance` asks for, with one reference, and
    /// stages it for writing. The last cluster is filled up with zeros. With `through_log`, the
    /// clusters travel through the log instead, which saves small synced writes a flush.
    ///
    /// # Errors
    /// As [`Store::allocate`], and of the write when the stage is full.
    pub fn write_extent(
        &mut self,
        kind: Kind,
        data: &[u8],
        importance: u8,
        through_log: bool,
    ) -> Result<u64> {
        let count = data.len().div_ceil(CLUSTER) as u32;
        let first = self.allocate(count, importance)?;
        let record = |(index, cluster): (usize, &[u8])| match index {
            0 => Record::new(kind, crc32(cluster), 1),
            _ => Record::new(Kind::Tail, crc32(cluster), index as u32),
        };
        if data.len() >= UNSTAGED && data.len().is_multiple_of(CLUSTER) && !through_log {
            let records: Vec<Record> = data.chunks_exact(CLUSTER).enumerate().map(record).collect();
            self.set_records(first, &records)?;
            self.write_out(&[(first, data)])?;
            return Ok(first);
        }
        let mut padded = Vec::with_capacity(count as usize * CLUSTER);
        padded.extend_from_slice(data);
        padded.resize(count as usize * CLUSTER, 0);
        let records: Vec<Record> = padded.chunks_exact(CLUSTER).enumerate().map(record).collect();
        self.set_records(first, &records)?;
        if through_log && self.log.is_some() {
            for (index, cluster) in padded.chunks_exact(CLUSTER).enumerate() {
                let mut page = [0; CLUSTER];
                page.copy_from_slice(cluster);
                self.insert_dirty(first + index as u64, Arc::new(page), PageKind::Data);
            }
            return Ok(first);
        }
        self.staged_bytes += padded.len();
        self.staged.push((first, padded));
        if self.staged_bytes >= STAGE_LIMIT {
            self.write_staged()?;
        }
        Ok(first)
    }

    /// Writes what is staged. Nothing committed references it yet.
    fn write_staged(&mut self) -> Result<()> {
        if self.staged.is_empty() {
            return Ok(());
        }
        let staged = std::mem::take(&mut self.staged);
        self.staged_bytes = 0;
        let writes: Vec<(u64, &[u8])> =
            staged.iter().map(|(first, data)| (*first, data.as_slice())).collect();
        self.write_out(&writes)
    }

    /// Writes file data to its places, each a number of whole clusters.
    fn write_out(&mut self, writes: &[(u64, &[u8])]) -> Result<()> {
        let Some(live) = self.live.clone() else { return Ok(()) };
        let runs: Vec<(u64, u32)> =
            writes.iter().map(|(first, data)| (*first, (data.len() / CLUSTER) as u32)).collect();
        self.declare(&runs)?;
        self.data_unsynced = true;
        self.meter.clusters_written.add(runs.iter().map(|(_, count)| u64::from(*count)).sum());
        let written = live.write_many(writes);
        self.medium_failure(written)
    }

    /// A full disk is the caller's to hear about and nothing is broken; any other failed write
    /// ends all writing.
    pub(super) fn medium_failure<T>(&mut self, result: Result<T>) -> Result<T> {
        match result {
            Err(error) if error.code() == Code::NoSpace => Err(error),
            other => self.poisoned(other),
        }
    }

    /// Makes it durable, before the first write since the last checkpoint goes to a band, that
    /// it will be written: recovery then knows which checksums of the picture to mend.
    pub(super) fn declare(&mut self, runs: &[(u64, u32)]) -> Result<()> {
        let Some(live) = self.live.clone() else { return Ok(()) };
        if self.log.is_none() {
            live.declare(runs)?;
            return Ok(());
        }
        let intents = super::checkpoint::intents(live.declare_ahead(runs)?);
        if !intents.is_empty() {
            self.settle_in_flight()?;
        }
        let Some(log) = &mut self.log else { return Ok(()) };
        if intents.is_empty() {
            return Ok(());
        }
        log.writer.intents(&intents);
        let result = match log.writer.take() {
            Some(pending) => log.file.append(&pending).and_then(|()| log.file.sync()),
            None => Ok(()),
        };
        self.poisoned(result)
    }

    /// Reads and verifies `buf.len() / 4096` clusters of an extent from `first` on.
    ///
    /// # Errors
    /// `Corrupt` naming the cluster and both checksums; `buf` then holds zeros.
    pub fn read_extent(&self, first: u64, buf: &mut [u8]) -> Result<()> {
        let count = (buf.len() / CLUSTER) as u32;
        let mut records = Vec::with_capacity(count as usize);
        self.for_records(first, count, |cluster, record| {
            if !matches!(record.kind, Kind::Raw | Kind::Zstd | Kind::Tail) {
                return Err(Error::corrupt("a file refers to a cluster that holds no file data")
                    .at_cluster(cluster));
            }
            records.push(record);
            Ok(())
        })?;
        self.read_verified(first, buf, &records)
    }

    /// Reads clusters and checks them against `records`; `buf` is wiped when one does not match.
    pub(crate) fn read_verified(
        &self,
        first: u64,
        buf: &mut [u8],
        records: &[Record],
    ) -> Result<()> {
        self.clusters.read_run(first, buf)?;
        self.meter.clusters_read.add(records.len() as u64);
        for (index, cluster) in buf.chunks_exact_mut(CLUSTER).enumerate() {
            let number = first + index as u64;
            if self.data_pages > 0
                && let Some(dirty) = self.dirty.get(&number)
            {
                cluster.copy_from_slice(&dirty.page[..]);
            }
            let found = crc32(cluster);
            if found != records[index].crc {
                buf.fill(0);
                return Err(Error::checksum(number, records[index].crc, found));
            }
        }
        Ok(())
    }

    /// Adds observed reads to the heat of an extent. Not worth a log record of its own: it is
    /// kept when the page is written anyway.
    ///
    /// # Errors
    /// As [`Store::record`].
    pub fn warm(&mut self, cluster: u64, steps: u8) -> Result<()> {
        let mut record = self.record(cluster)?;
        if !matches!(record.kind, Kind::Raw | Kind::Zstd) {
            return Ok(());
        }
        record.heat = record.heat.saturating_add(steps);
        let place = self.place(cluster)?;
        table::write_quietly(self.page_mut(place.page, PageKind::Table)?, place.offset, record);
        Ok(())
    }
}

fn not_a_node(cluster: u64) -> Error {
    Error::corrupt("a tree refers to a cluster that holds no tree node").at_cluster(cluster)
}
