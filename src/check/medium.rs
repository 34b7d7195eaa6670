//! Superblocks, the table, and every cluster with its checksum, in file order. The bytes round
//! the pixels are checked in the same pass, where the map is a live picture at rest.

use super::Check;
use super::report::{
    ADLER, BAND_CHECKSUM, PARITY, PARITY_CHECKSUM, Problem, SKELETON, SUPERBLOCK, Severity,
    TABLE_PAGE, TABLE_RECORD, UNREADABLE,
};
use crate::base::checksum::crc32;
use crate::base::limits::{CLUSTER, RUN, TILE};
use crate::base::order;
use crate::base::{Error, Result};
use crate::commit::Page;
use crate::container::geometry::{BLOCK_HEAD, CHUNK_HEAD, HEADER, TRAILER};
use crate::container::skeleton::{self, Sums, Totals};
use crate::container::{Geometry, Live};
use crate::vat::page as table;
use crate::vat::{Kind, Record};

/// What the table says in sum.
pub(super) struct TableFacts {
    pub nodes: u64,
    /// Clusters of compressed frames.
    pub compressed: u64,
    pub fresh_sheets: u64,
}

/// A cluster of file data that does not match its record.
#[derive(Clone, Copy)]
pub(super) struct Damage {
    pub cluster: u64,
    pub expected: u32,
    /// `None` when the medium did not give it at all.
    pub found: Option<u32>,
    /// Somebody's bytes are in it, and that was told.
    pub told: bool,
}

/// Damaged clusters that are followed to the files they belong to.
const MAX_DAMAGE: usize = 1 << 16;

impl Check<'_, '_> {
    pub(super) fn superblocks(&mut self) {
        let mut newest = 0;
        for (slot, found) in self.fs.store().superblocks() {
            let what = match found {
                Ok(Some(superblock)) => {
                    newest = newest.max(superblock.sequence);
                    if superblock.uuid == self.fs.store().superblock().uuid {
                        continue;
                    }
                    "a superblock belongs to another map".to_owned()
                }
                Ok(None) => "a superblock is missing".to_owned(),
                Err(error) => format!("a superblock is damaged: {}", error.message()),
            };
            self.findings.add(Problem::new(SUPERBLOCK, what).cluster(slot));
        }
        let own = self.fs.store().superblock().sequence;
        if newest != own {
            let what = "the newest superblock on the medium is not the one this map was opened by";
            self.findings.add(Problem::new(SUPERBLOCK, what).values(own, newest));
        }
    }

    pub(super) fn table(&mut self) -> TableFacts {
        let store = self.fs.store();
        let geometry = store.geometry();
        let mut facts = TableFacts { nodes: 0, compressed: 0, fresh_sheets: 0 };
        let mut used = 0;
        let mut whole = true;
        for sheet in 0..geometry.sheets() {
            let base = geometry.cluster(sheet, 0);
            let mut rules = RecordRules { geometry, before: Record::FREE, data: Kind::Free };
            let mut fresh = true;
            for at in base..base + u64::from(geometry.vat_pages()) {
                used += 1;
                self.report.clusters_checked += 1;
                let page = match store.fresh_table_page(at) {
                    Ok(page) => page,
                    Err(error) => {
                        let what = format!(
                            "a page of the allocation table is damaged ({}): the checksums of \
                             511 clusters are gone",
                            error.message()
                        );
                        self.findings.add(Problem::new(TABLE_PAGE, what).cluster(at));
                        // What the cache still holds serves the rest of the check.
                        let Ok(page) = store.table_page(at) else {
                            whole = false;
                            rules.before = Record::FREE;
                            continue;
                        };
                        page
                    }
                };
                fresh &= !table::parity_is_stale(&page);
                for cluster in table::covered(&geometry, at) {
                    let Some(place) = table::place(&geometry, cluster) else { continue };
                    let Ok(record) = table::read(&page, place.offset) else {
                        let what = "a record of the allocation table has an unknown kind";
                        self.findings.add(Problem::new(TABLE_RECORD, what).cluster(cluster));
                        rules.before = Record::FREE;
                        continue;
                    };
                    used += u64::from(record.kind != Kind::Free);
                    facts.nodes += u64::from(record.kind == Kind::Node);
                    if let Some(what) = rules.check(cluster, record) {
                        self.findings.add(Problem::new(TABLE_RECORD, what).cluster(cluster));
                    }
                    facts.compressed += u64::from(
                        matches!(record.kind, Kind::Zstd | Kind::Tail) && rules.data == Kind::Zstd,
                    );
                }
            }
            self.report.parity_stale |= !fresh;
            facts.fresh_sheets += u64::from(fresh);
        }
        if whole && used != store.state().used {
            let what = "the number of clusters in use is not the one the map has written down";
            let mut problem = Problem::new(super::report::COUNTERS, what);
            problem = problem.values(used, store.state().used);
            self.findings.add(problem);
        }
        facts
    }

    /// Compares every cluster with its record, band by band. Nodes are left to the walk through
    /// the trees, pages of the table and superblocks are done.
    pub(super) fn medium(&mut self, facts: &TableFacts) -> Result<Vec<Damage>> {
        let fs = self.fs;
        let store = fs.store();
        let geometry = store.geometry();
        let clusters = std::sync::Arc::clone(store.clusters());
        let live = clusters.as_live();
        let mut skeleton = live.filter(|_| store.is_settled()).map(|live| SkeletonCheck {
            live,
            geometry,
            totals: Totals::default(),
            whole: true,
        });
        if let Some(skeleton) = &skeleton {
            skeleton.ends(self);
        }
        let mut damage = Vec::new();
        let mut sheet = SheetRecords { records: Vec::new(), fresh: false };
        let mut bytes = Vec::new();
        let side = geometry.side();
        for band in 0..geometry.bands() {
            if band.is_multiple_of(side) {
                sheet.load(self, band / side);
            }
            let wanted = sheet.wanted(geometry, band);
            let read = if let Some(live) = live {
                if wanted.is_empty() && skeleton.is_none() {
                    self.step(u64::from(side))?;
                    continue;
                }
                bytes.resize(geometry.band_len(), 0);
                live.storage().read_at(geometry.band_offset(band), &mut bytes)
            } else {
                if wanted.is_empty() {
                    self.step(u64::from(side))?;
                    continue;
                }
                bytes.resize(geometry.band_rows_len(), 0);
                clusters.read_band(band, &mut bytes)
            };
            match read {
                Ok(()) => {
                    if let Some(skeleton) = &mut skeleton {
                        skeleton.band(self, band, &bytes);
                    }
                    let rows = if live.is_some() { Rows::Chunk } else { Rows::Bare };
                    for (cluster, column, record) in wanted {
                        let page = rows.tile(geometry, &bytes, column);
                        self.compare(cluster, record, &page, &sheet, &mut damage);
                    }
                }
                Err(error) => {
                    if let Some(skeleton) = &mut skeleton {
                        skeleton.whole = false;
                    }
                    self.unreadable(&wanted, &error, &sheet, &mut damage);
                }
            }
            self.step(u64::from(side))?;
        }
        if let Some(skeleton) = skeleton {
            skeleton.finish(self);
        }
        self.report.parity_stripes = facts.fresh_sheets * u64::from(geometry.stripes());
        order::by_number(&mut damage, |damage: &Damage| damage.cluster);
        Ok(damage)
    }

    fn compare(
        &mut self,
        cluster: u64,
        record: Record,
        page: &Page,
        sheet: &SheetRecords,
        damage: &mut Vec<Damage>,
    ) {
        let found = crc32(page);
        let right = found == record.crc;
        if record.kind == Kind::Parity {
            // Parity that was never computed is zero, and has no sum.
            if !sheet.fresh || right || record.crc == 0 && page.iter().all(|&byte| byte == 0) {
                self.report.clusters_checked += u64::from(sheet.fresh);
                return;
            }
            let what = "a parity cluster does not match its checksum";
            let problem = Problem::new(PARITY_CHECKSUM, what).cluster(cluster);
            self.findings.add(problem.values(u64::from(record.crc), u64::from(found)));
            return;
        }
        self.report.clusters_checked += 1;
        if !right && damage.len() < MAX_DAMAGE {
            let found = Some(found);
            damage.push(Damage { cluster, expected: record.crc, found, told: false });
        }
    }

    /// A band that could not be read as a whole: its clusters one by one.
    fn unreadable(
        &mut self,
        wanted: &[(u64, u32, Record)],
        error: &Error,
        sheet: &SheetRecords,
        damage: &mut Vec<Damage>,
    ) {
        for &(cluster, _, record) in wanted {
            match self.fs.store().fresh_bytes(cluster) {
                Ok(page) => self.compare(cluster, record, &page, sheet, damage),
                Err(_) if record.kind == Kind::Parity => {}
                Err(_) if damage.len() < MAX_DAMAGE => {
                    let expected = record.crc;
                    damage.push(Damage { cluster, expected, found: None, told: false });
                }
                Err(_) => {}
            }
        }
        if wanted.is_empty() {
            let what = format!("a part of the picture that holds no data cannot be read: {error}");
            let mut problem = Problem::new(UNREADABLE, what);
            problem.severity = Severity::Harmless;
            self.findings.add(problem);
        }
    }

    /// Computes the parity of every stripe of the fresh sheets and compares.
    pub(super) fn parity(&mut self) -> Result<()> {
        let fs = self.fs;
        let store = fs.store();
        let geometry = store.geometry();
        for sheet in 0..geometry.sheets() {
            if store.sheet_is_stale(sheet).unwrap_or(true) {
                continue;
            }
            for stripe in 0..geometry.stripes() {
                if let Ok(Some(false)) = store.check_stripe(sheet, stripe) {
                    let what = format!(
                        "the parity of stripe {stripe} of sheet {sheet} does not fit its clusters"
                    );
                    let member = geometry.stripe_members(stripe)[0];
                    let cluster = geometry.cluster(sheet, member);
                    self.findings.add(Problem::new(PARITY, what).cluster(cluster));
                }
                self.step(32)?;
            }
        }
        Ok(())
    }
}

/// The rules between the records of one sheet, checked from its first to its last.
struct RecordRules {
    geometry: Geometry,
    before: Record,
    /// The kind of the extent the last record belongs to.
    data: Kind,
}

impl RecordRules {
    /// Which rule a record breaks.
    fn check(&mut self, cluster: u64, record: Record) -> Option<&'static str> {
        let index = self.geometry.index_in_sheet(cluster);
        let first_sheet = self.geometry.sheet_of(cluster) == 0;
        let superblock = first_sheet
            && (index == self.geometry.superblock_a() || index == self.geometry.superblock_b());
        let fixed = if index >= self.geometry.parity_start() {
            Some(Kind::Parity)
        } else if superblock {
            Some(Kind::Superblock)
        } else {
            None
        };
        let before = std::mem::replace(&mut self.before, record);
        if matches!(record.kind, Kind::Raw | Kind::Zstd) {
            self.data = record.kind;
        }
        match (fixed, record.kind) {
            (Some(kind), found) if kind != found => {
                Some("the record of a cluster with a fixed use says another")
            }
            (None, Kind::Parity | Kind::Superblock) => {
                Some("a record claims a fixed use for a cluster that has none")
            }
            (None, Kind::Free) if record.references != 0 => {
                Some("the record of a free cluster counts references")
            }
            (None, Kind::Node | Kind::Raw | Kind::Zstd) if record.references == 0 => {
                Some("the record of a cluster in use counts no references")
            }
            (None, Kind::Tail) => {
                let follows = match before.kind {
                    Kind::Tail => record.references == before.references + 1,
                    Kind::Raw | Kind::Zstd => record.references == 1,
                    _ => false,
                };
                (!follows).then_some("the record of a further cluster of an extent follows none")
            }
            _ => None,
        }
    }
}

/// The records of the sheet whose bands are read.
struct SheetRecords {
    /// By index in the sheet; `None` where the table cannot say.
    records: Vec<Option<Record>>,
    fresh: bool,
}

impl SheetRecords {
    fn load(&mut self, check: &Check<'_, '_>, sheet: u32) {
        let store = check.fs.store();
        let geometry = store.geometry();
        self.records.clear();
        self.records.resize(geometry.sheet_clusters() as usize, None);
        self.fresh = true;
        let base = geometry.cluster(sheet, 0);
        for at in base..base + u64::from(geometry.vat_pages()) {
            let Ok(page) = store.table_page(at) else {
                self.fresh = false;
                continue;
            };
            self.fresh &= !table::parity_is_stale(&page);
            for cluster in table::covered(&geometry, at) {
                if let Some(place) = table::place(&geometry, cluster) {
                    self.records[(cluster - base) as usize] =
                        table::read(&page, place.offset).ok().filter(|record| {
                            // What is pending has no home to be compared with yet.
                            record.kind != Kind::Free && !store.is_pending(cluster)
                        });
                }
            }
        }
    }

    /// The clusters of a band that have to be compared, with their tile columns.
    fn wanted(&self, geometry: Geometry, band: u32) -> Vec<(u64, u32, Record)> {
        (0..geometry.side())
            .filter_map(|column| {
                let cluster = geometry.cluster_at(band, column);
                let record = self.records[geometry.index_in_sheet(cluster) as usize]?;
                let mine =
                    matches!(record.kind, Kind::Raw | Kind::Zstd | Kind::Tail | Kind::Parity);
                mine.then_some((cluster, column, record))
            })
            .collect()
    }
}

/// How the rows of a band lie in the bytes that were read.
#[derive(Clone, Copy)]
enum Rows {
    /// In the band's whole chunk, with its headers.
    Chunk,
    /// One after the other.
    Bare,
}

impl Rows {
    fn tile(self, geometry: Geometry, bytes: &[u8], column: u32) -> Page {
        let mut page = [0; CLUSTER];
        for (row, out) in page.chunks_exact_mut(RUN).enumerate() {
            let start = match self {
                Rows::Chunk => geometry.row_offset(row),
                Rows::Bare => row * geometry.row_len(),
            };
            let at = start + 1 + column as usize * RUN;
            out.copy_from_slice(&bytes[at..at + RUN]);
        }
        page
    }
}

/// The bytes round the pixels.
struct SkeletonCheck<'l> {
    live: &'l Live,
    geometry: Geometry,
    totals: Totals,
    /// Every band was read, so the picture's sum is known.
    whole: bool,
}

impl SkeletonCheck<'_> {
    /// Signature, IHDR, zlib header, the file's length.
    fn ends(&self, check: &mut Check<'_, '_>) {
        let storage = self.live.storage();
        let mut start = [0; HEADER as usize];
        let right = skeleton::header(self.geometry);
        if storage.read_at(0, &mut start).is_err() || start[..] != right[..] {
            let what = "the picture's header is not the one of this map";
            check.findings.add(Problem::new(SKELETON, what).offset(0));
        }
        let length = storage.len().unwrap_or(0);
        if length != self.geometry.file_len() {
            let what = "the file has another length than its picture";
            let problem = Problem::new(SKELETON, what);
            check.findings.add(problem.values(self.geometry.file_len(), length));
        }
    }

    fn band(&mut self, check: &mut Check<'_, '_>, band: u32, bytes: &[u8]) {
        let geometry = self.geometry;
        let offset = geometry.band_offset(band);
        let mut wrong = bytes[..CHUNK_HEAD] != skeleton::chunk_head(geometry)[..];
        for block in 0..geometry.blocks() {
            let at = geometry.row_offset(block * geometry.block_rows()) - BLOCK_HEAD;
            wrong |= bytes[at..at + BLOCK_HEAD] != skeleton::block_head(geometry, block)[..];
        }
        wrong |= (0..TILE as usize).any(|row| bytes[geometry.row_offset(row)] != 0);
        if wrong {
            let what = format!("band {band} of the picture has wrong headers or filter bytes");
            check.findings.add(Problem::new(SKELETON, what).offset(offset));
        }
        let end = bytes.len() - 4;
        let stored =
            u32::from_be_bytes([bytes[end], bytes[end + 1], bytes[end + 2], bytes[end + 3]]);
        let computed = crc32(&bytes[4..end]);
        if stored != computed {
            let what = format!("the checksum of band {band} of the picture is wrong");
            let problem = Problem::new(BAND_CHECKSUM, what).offset(offset);
            check.findings.add(problem.values(u64::from(stored), u64::from(computed)));
        }
        let sums: Sums = skeleton::band_sums(geometry, bytes);
        self.totals.add(geometry, band, sums);
    }

    /// Adler-32 and IEND.
    fn finish(self, check: &mut Check<'_, '_>) {
        let offset = self.geometry.trailer_offset();
        let mut trailer = [0; TRAILER as usize];
        let read = self.live.storage().read_at(offset, &mut trailer);
        if read.is_err() || !skeleton::is_trailer(&trailer) {
            let what = "the picture's last chunks are damaged";
            check.findings.add(Problem::new(SKELETON, what).offset(offset));
            return;
        }
        let computed = self.totals.adler(self.geometry);
        let right = skeleton::trailer(computed);
        let stored = u32::from_be_bytes([trailer[13], trailer[14], trailer[15], trailer[16]]);
        if self.whole && trailer[..] != right[..] {
            let what = "the picture's Adler-32 is wrong";
            let problem = Problem::new(ADLER, what).offset(offset + 13);
            check.findings.add(problem.values(u64::from(stored), u64::from(computed)));
        }
    }
}
