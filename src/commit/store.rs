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

use rustc_hash::{FxHashMap, FxHashSet};

use super::meter::Meter;
use super::state::State;
use super::superblock::Superblock;
use super::watch::Watch;
use crate::base::cache::{ByteCache, CacheFigures};
use crate::base::checksum::crc32;
use crate::base::env::{Clock, Entropy};
use crate::base::limits::CLUSTER;
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
pub(super) const STAGE_LIMIT: usize = 8 << 20;
/// An extent of at least this many bytes is written at once: a copy to gather it with others
/// would cost more than it saves.
pub(super) const UNSTAGED: usize = 1 << 20;

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
    pub(super) operation: u64,
    /// Whether it differs from what the log has.
    pub changed: bool,
    /// Whether it was written home ahead of a checkpoint.
    pub at_home: bool,
}

impl DirtyPage {
    /// A page found in the log on opening.
    pub(super) fn recovered(page: Arc<Page>, kind: PageKind) -> DirtyPage {
        DirtyPage { page, logged: None, kind, operation: 0, changed: false, at_home: false }
    }
}

/// What it takes to undo the running operation.
#[derive(Debug, Default)]
pub(super) struct Undo {
    pub pages: Vec<(u64, Option<DirtyPage>)>,
    pub taken: Vec<(u64, u32)>,
    pub freed: usize,
    pub state: State,
}

/// A page of the table as it is in memory.
pub(super) enum Table {
    Whole(Arc<Page>),
    /// Clean ones, without the zeros at their end.
    Trimmed(Arc<Vec<u8>>),
}

impl Table {
    /// The record at `offset` of the page.
    ///
    /// # Errors
    /// `Corrupt` for an unknown kind.
    #[inline]
    pub fn record(&self, offset: usize) -> Result<Record> {
        match self {
            Table::Whole(page) => table::read(page, offset),
            Table::Trimmed(bytes) => table::read_trimmed(bytes, offset),
        }
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
    /// Clean nodes.
    pub nodes: usize,
    /// Clean pages of the table.
    pub tables: usize,
    /// Dirty pages; more make a checkpoint due.
    pub dirty: usize,
    /// Log bytes that make a checkpoint due.
    pub log: u64,
    /// Bands of the picture while nothing is being changed; half of it otherwise. 0 turns their
    /// cache off.
    pub bands: usize,
}

impl Budget {
    /// This layer's part of a total budget. Of all of it, the container's bands get 5/16, and
    /// twice that while nothing is being changed; clean nodes 5/64, clean pages of the table
    /// 3/64, dirty pages 3/16, decompressed blocks 1/4 and buffered writes 1/8.
    pub fn of(total: usize) -> Budget {
        let bands = total / 16 * 10;
        let total = total.max(1 << 20);
        Budget {
            nodes: total / 64 * 5,
            tables: total / 64 * 3,
            dirty: total / 16 * 3,
            log: (total / 4).max(4 << 20) as u64,
            bands,
        }
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
    /// Clean nodes.
    pub(super) nodes: ByteCache<u64, Page>,
    /// Clean pages of the table, without the zeros at their end.
    pub(super) tables: ByteCache<u64, Vec<u8>>,
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
    pub(super) staged: Vec<(u64, Vec<u8>)>,
    pub(super) staged_bytes: usize,
    /// File data was written since the last sync of the map.
    pub(super) data_unsynced: bool,
    pub(super) operation: u64,
    pub(super) undo: Option<Undo>,
    /// Memory of pages that operations kept for undoing and did not need.
    spare: Vec<Arc<Page>>,
    pub(super) poison: Option<Error>,
    pub(super) budget: Budget,
    /// Whether it has all of it at present.
    bands_wide: bool,
    /// What is not needed for changes is lent to the blocks above instead of the bands.
    lends_to_blocks: bool,
    /// Stripes whose parity this process has made stale, by sheet.
    pub(super) stale_stripes: FxHashMap<u32, super::parity::StaleStripes>,
    /// The map was found unclean and repaired from its log when it was opened.
    pub(super) recovered: bool,
    /// The superblock that is not in force may say something else than the one that is.
    pub(super) twin_is_old: bool,
    /// A transaction handed out by [`Store::prepare`] that [`Store::finish`] has not heard of.
    pub(super) in_flight: Option<super::transaction::Prepared>,
    /// Pages that [`Store::finish_homing`] has not heard of.
    pub(super) homing: Option<super::checkpoint::Homing>,
    /// A checkpoint that [`Store::finish_checkpoint`] has not heard of.
    pub(super) checkpoint: Option<super::checkpoint::Checkpoint>,
    pub(super) pin: super::pin::Pin,
    /// What was changed in memory, for those who show it.
    pub watch: Watch,
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
        let Budget { nodes, tables, .. } = parts.budget;
        let typical = (parts.geometry.sheet_clusters() as usize * Record::SIZE).min(CLUSTER);
        Store {
            seed: crc32(&parts.superblock.uuid),
            state: parts.superblock.state,
            nodes: ByteCache::new("nodes", nodes, CLUSTER),
            tables: ByteCache::new("tables", tables, typical),
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
            spare: Vec::new(),
            poison: None,
            budget: parts.budget,
            bands_wide: true,
            lends_to_blocks: false,
            stale_stripes: FxHashMap::default(),
            recovered: false,
            twin_is_old: false,
            in_flight: None,
            homing: None,
            checkpoint: None,
            pin: super::pin::Pin::default(),
            watch: Watch::default(),
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

    /// What the caches of nodes, of pages of the table and of bands did and hold.
    pub fn cache_figures(&self) -> [CacheFigures; 3] {
        [self.nodes.figures(), self.tables.figures(), self.clusters.cache_figures()]
    }

    /// Empties these caches. Dirty pages stay.
    pub fn drop_caches(&self) {
        self.nodes.clear();
        self.tables.clear();
        self.clusters.drop_cache();
        self.watch.dropped();
    }

    /// Sets the budgets; what exceeds them goes at once, or with the next checkpoint.
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
        self.nodes.set_budget(budget.nodes);
        self.tables.set_budget(budget.tables);
        self.clusters.set_cache_budget(self.band_budget());
    }

    fn band_budget(&self) -> usize {
        if self.bands_wide && !self.lends_to_blocks {
            self.budget.bands
        } else {
            self.budget.bands / 2
        }
    }

    /// What dirty pages and write buffers do not need is lent to the blocks above from now on, not
    /// to the bands.
    pub fn lend_to_blocks(&mut self) {
        self.lends_to_blocks = true;
        self.clusters.set_cache_budget(self.band_budget());
    }

    /// Bytes that are lent to the blocks above now.
    pub fn lent(&self) -> usize {
        if self.bands_wide && self.lends_to_blocks { self.budget.bands / 2 } else { 0 }
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

    /// Takes from the band cache what dirty pages and write buffers are going to need.
    pub fn begin_changes(&mut self) {
        if std::mem::take(&mut self.bands_wide) {
            self.clusters.set_cache_budget(self.band_budget());
        }
    }

    /// Gives it back, once there are none.
    pub(super) fn end_changes(&mut self) {
        self.bands_wide = true;
        self.clusters.set_cache_budget(self.band_budget());
    }

    /// Runs `body` as one operation: when it fails, everything it changed is as before.
    ///
    /// # Errors
    /// Those of `body`, `ReadOnly` and `Poisoned`.
    pub fn atomically<T>(&mut self, body: impl FnOnce(&mut Store) -> Result<T>) -> Result<T> {
        self.check_writable()?;
        self.begin_changes();
        debug_assert!(self.undo.is_none(), "operations do not nest");
        self.operation += 1;
        self.undo = Some(Undo { freed: self.freed.len(), state: self.state, ..Undo::default() });
        let result = body(self).and_then(|value| self.write_staged().map(|()| value));
        let undo = self.undo.take().unwrap_or_default();
        if result.is_err() {
            self.undo(undo);
        } else {
            for (_, page) in undo.pages {
                keep_spare(page, &mut self.spare);
            }
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
            let freed = std::mem::take(&mut self.freed);
            self.give_back(freed);
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
        self.nodes.get_or_make(cluster, || {
            let record = self.record(cluster)?;
            if record.kind != Kind::Node {
                return Err(not_a_node(cluster));
            }
            let mut page = [0; CLUSTER];
            self.read_verified(cluster, &mut page, &[record])?;
            self.check_node_header(&page, cluster)?;
            (self.check_node)(&page, cluster)?;
            Ok(Arc::new(page))
        })
    }

    /// The page of the table at `cluster`.
    ///
    /// # Errors
    /// `Corrupt` naming the cluster and both checksums, `Io`.
    pub fn table_page(&self, cluster: u64) -> Result<Arc<Page>> {
        Ok(match self.table(cluster)? {
            Table::Whole(page) => page,
            Table::Trimmed(bytes) => Arc::new(table::restored(&bytes)),
        })
    }

    /// As [`Store::table_page`], for reading records.
    pub(super) fn table(&self, cluster: u64) -> Result<Table> {
        if let Some(dirty) = self.dirty.get(&cluster) {
            return Ok(Table::Whole(Arc::clone(&dirty.page)));
        }
        let bytes = self.tables.get_or_make(cluster, || {
            let mut page = [0; CLUSTER];
            self.clusters.read_run(cluster, &mut page)?;
            table::check(self.seed, cluster, &page)?;
            Ok(Arc::new(table::trimmed(&page)))
        })?;
        Ok(Table::Trimmed(bytes))
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
        let spare = &mut self.spare;
        let Some(dirty) = self.dirty.get_mut(&cluster) else { return Err(not_a_node(cluster)) };
        if dirty.operation != operation {
            if let Some(undo) = &mut self.undo {
                undo.pages.push((cluster, Some(dirty.clone())));
            }
            dirty.operation = operation;
            self.watch.note(cluster, kind);
        }
        if !dirty.changed {
            dirty.changed = true;
            dirty.at_home = false;
            self.unlogged.push(cluster);
        }
        Ok(own_page(&mut dirty.page, spare))
    }

    /// The node at `cluster`, to be changed in place.
    ///
    /// # Errors
    /// As [`Store::node`].
    pub fn node_mut(&mut self, cluster: u64) -> Result<&mut Page> {
        self.page_mut(cluster, PageKind::Node)
    }

    pub(super) fn insert_dirty(&mut self, cluster: u64, page: Arc<Page>, kind: PageKind) {
        let before = self.dirty.insert(
            cluster,
            DirtyPage {
                page,
                logged: None,
                kind,
                operation: self.operation,
                changed: true,
                at_home: false,
            },
        );
        self.data_pages += usize::from(kind == PageKind::Data);
        self.data_pages -=
            usize::from(before.as_ref().is_some_and(|page| page.kind == PageKind::Data));
        self.unlogged.push(cluster);
        self.watch.note(cluster, kind);
        if let Some(undo) = &mut self.undo {
            undo.pages.push((cluster, before));
        }
    }

    pub(super) fn forget_page(&mut self, cluster: u64) {
        if let Some(before) = self.dirty.remove(&cluster) {
            self.data_pages -= usize::from(before.kind == PageKind::Data);
            if let Some(undo) = &mut self.undo {
                undo.pages.push((cluster, Some(before)));
            }
        }
        self.nodes.take(cluster);
        self.tables.take(cluster);
    }
}

/// As [`Arc::make_mut`], but that a copy goes into memory that is at hand: every operation copies
/// the few pages it changes.
fn own_page<'a>(page: &'a mut Arc<Page>, spare: &mut Vec<Arc<Page>>) -> &'a mut Page {
    if Arc::get_mut(page).is_none()
        && let Some(mut copy) = spare.pop()
        && let Some(bytes) = Arc::get_mut(&mut copy)
    {
        bytes.copy_from_slice(&page[..]);
        *page = copy;
    }
    Arc::make_mut(page)
}

/// Keeps the memory of a page that nobody else holds.
fn keep_spare(page: Option<DirtyPage>, spare: &mut Vec<Arc<Page>>) {
    const SPARE: usize = 64;
    if spare.len() < SPARE
        && let Some(mut page) = page.map(|dirty| dirty.page)
        && Arc::get_mut(&mut page).is_some()
    {
        spare.push(page);
    }
}

pub(super) fn not_a_node(cluster: u64) -> Error {
    Error::corrupt("a tree refers to a cluster that holds no tree node").at_cluster(cluster)
}
