//! Making a map, opening one, and recovery from its log.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::checkpoint::{slots, superblock_bands};
use super::state::State;
use super::store::{Budget, DirtyPage, Log, NodeCheck, Page, PageKind, Parts, Store};
use super::superblock::{COMPATIBLE, INCOMPATIBLE_ZSTD, READ_ONLY_PARITY, Superblock};
use super::transaction::nanoseconds;
use crate::base::bytes::Reader;
use crate::base::checksum::crc32;
use crate::base::env::{Clock, Entropy};
use crate::base::limits::CLUSTER;
use crate::base::{Code, Error, Result};
use crate::container::live::{Recovery, probe_widths, read_geometry};
use crate::container::{BandSums, Clusters, Geometry, Live};
use crate::storage::Storage;
use crate::vat::{Kind, page as table};
use crate::wal::{Delivery, LogFile, LogWriter, Record, Replayed, replay};

/// The world around a store.
#[derive(Clone)]
pub struct Environment {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub check_node: NodeCheck,
    pub budget: Budget,
}

/// What a new map is to be.
#[derive(Clone, Debug)]
pub struct NewMap {
    /// Picture width in pixels: a power of two, 256..=8192.
    pub width: u32,
    /// Random where `None`.
    pub uuid: Option<[u8; 16]>,
    pub parity: bool,
    pub label: Vec<u8>,
    /// The first object id given out.
    pub first_object: u64,
}

impl Store {
    /// Lays out an empty map in `storage`, overwriting what is there. Nothing is durable before
    /// the first checkpoint.
    ///
    /// # Errors
    /// `Invalid` for the width; those of the storage.
    pub fn create(
        storage: Arc<dyn Storage>,
        log: Option<Arc<dyn Storage>>,
        new: NewMap,
        environment: Environment,
    ) -> Result<Store> {
        let geometry = Geometry::new(new.width, 1)?;
        let mut uuid = [0; 16];
        match new.uuid {
            Some(given) => uuid = given,
            None => environment.entropy.fill(&mut uuid)?,
        }
        let mut log_salt = [0; 16];
        environment.entropy.fill(&mut log_salt)?;
        let live =
            Arc::new(Live::create(storage, new.width, 1)?.with_cache(environment.budget.bands));
        let now = nanoseconds(environment.clock.now());
        let superblock = Superblock {
            compatible: COMPATIBLE,
            read_only_compatible: READ_ONLY_PARITY,
            incompatible: INCOMPATIBLE_ZSTD,
            uuid,
            width: new.width,
            sequence: 0,
            log_salt,
            adler: (0, 0),
            created: now,
            parity: new.parity,
            state: State {
                next_object: new.first_object,
                sheets: 1,
                modified: now,
                ..State::default()
            },
            label: new.label,
        };
        let log = match log {
            Some(storage) => Some(Log {
                file: Arc::new(LogFile::new(storage)?),
                writer: LogWriter::new(log_salt, Default::default()),
            }),
            None => None,
        };
        let mut store = Store::assemble(Parts {
            clusters: Arc::clone(&live) as Arc<dyn Clusters>,
            live: Some(live),
            log,
            clock: environment.clock,
            entropy: environment.entropy,
            check_node: environment.check_node,
            superblock,
            geometry,
            budget: environment.budget,
        });
        store.lay_out_sheet(0);
        store.state.used = store.fixed_clusters(0..1);
        Ok(store)
    }

    /// Writes both superblocks of a new map; from then on it can be opened.
    ///
    /// # Errors
    /// As [`Store::checkpoint`].
    pub fn found(&mut self) -> Result<()> {
        self.checkpoint()?;
        self.write_checkpoint()
    }

    /// Opens a live map. A log that belongs to it is replayed; when `writable`, the map is then
    /// put in order on the disk at once, else only in memory.
    ///
    /// # Errors
    /// `NotAMap`, `Truncated`, `Resized`, `Version`, `Feature`, `Corrupt`, `Io`.
    pub fn open_live(
        storage: Arc<dyn Storage>,
        log: Option<Arc<dyn Storage>>,
        writable: bool,
        environment: Environment,
    ) -> Result<Store> {
        let (live, superblock) = find_superblock(storage, environment.budget.bands)?;
        superblock.check_features(writable)?;
        let live = Arc::new(live);
        live.set_sheets(superblock.state.sheets)?;
        let geometry = live.geometry();
        superblock.state.check(geometry.clusters())?;
        let replayed = match &log {
            Some(log) => Some(read_log(&**log, &superblock)?),
            None => None,
        };
        let excluded = superblock_bands(geometry);
        let log = match log {
            Some(storage) if writable => {
                if replayed.as_ref().is_some_and(|log| !log.holds_anything()) {
                    forget_log(&*storage, &live, &superblock)?;
                }
                let position =
                    replayed.as_ref().map_or_else(Default::default, |log| log.end.committed);
                Some(Log {
                    file: Arc::new(LogFile::new(storage)?),
                    writer: LogWriter::new(superblock.log_salt, position),
                })
            }
            _ => None,
        };
        let totals = superblock.adler;
        let sheets = superblock.state.sheets;
        let mut store = Store::assemble(Parts {
            clusters: Arc::clone(&live) as Arc<dyn Clusters>,
            live: writable.then(|| Arc::clone(&live)),
            log,
            clock: environment.clock,
            entropy: environment.entropy,
            check_node: environment.check_node,
            superblock,
            geometry,
            budget: environment.budget,
        });
        store.twin_is_old = !matches!(
            twin(&live, &store.superblock),
            Ok(Some(twin)) if twin.state == store.superblock.state
        );
        match replayed.filter(Replay::holds_anything) {
            Some(log) => {
                store.recovered = true;
                let state = log.state.unwrap_or(store.state);
                if writable {
                    live.recover(Recovery {
                        sheets: state.sheets,
                        skeleton_from_sheet: sheets,
                        totals,
                        excluded: &excluded,
                        touched: &log.touched,
                    })?;
                } else {
                    live.set_sheets(state.sheets)?;
                }
                store.adopt(state, log.pages, live.geometry())?;
                if writable {
                    store.write_checkpoint()?;
                }
            }
            None if writable => {
                live.set_totals_without(&excluded, totals)?;
                live.mend_ends(&excluded)?;
            }
            None => {}
        }
        Ok(store)
    }

    /// Opens a map whose clusters can only be read, such as a packed one.
    ///
    /// # Errors
    /// As [`Store::open_live`].
    pub fn open_read_only(clusters: Arc<dyn Clusters>, environment: Environment) -> Result<Store> {
        let superblock = pick_superblock(&*clusters)?;
        superblock.check_features(false)?;
        let geometry = clusters.geometry();
        superblock.state.check(geometry.clusters())?;
        if superblock.width != geometry.width() || superblock.state.sheets > geometry.sheets() {
            return Err(Error::new(
                Code::Resized,
                format!(
                    "the picture has another size than the map in it ({} sheets of {} pixels)",
                    superblock.state.sheets, superblock.width
                ),
            ));
        }
        Ok(Store::assemble(Parts {
            geometry: geometry.with_sheets(superblock.state.sheets)?,
            clusters,
            live: None,
            log: None,
            clock: environment.clock,
            entropy: environment.entropy,
            check_node: environment.check_node,
            superblock,
            budget: environment.budget,
        }))
    }

    /// Takes over what the log holds beyond the superblock. Nobody vouches for a log: every page
    /// is checked as one read from the map would be.
    ///
    /// # Errors
    /// `Corrupt` for a page that is not what the table says.
    fn adopt(
        &mut self,
        state: State,
        pages: FxHashMap<u64, Box<Page>>,
        geometry: Geometry,
    ) -> Result<()> {
        state.check(geometry.clusters())?;
        self.state = state;
        self.geometry = geometry;
        self.space.grow(geometry);
        let (tables, others): (Vec<_>, Vec<_>) =
            pages.into_iter().partition(|&(cluster, _)| table::is_page(&geometry, cluster));
        for (cluster, page) in tables {
            geometry.check_run(cluster, 1).map_err(|_| outside(cluster))?;
            table::check(self.seed, cluster, &page)?;
            self.install(cluster, Arc::new(*page), PageKind::Table);
        }
        // What the other pages are was never logged: the table says it now that it is in place.
        for (cluster, page) in others {
            let record = self.record(cluster)?;
            let kind = match record.kind {
                // Freed later in the same log: nobody refers to it any more.
                Kind::Free => continue,
                Kind::Node => PageKind::Node,
                Kind::Raw | Kind::Zstd | Kind::Tail => PageKind::Data,
                Kind::Parity | Kind::Superblock => return Err(outside(cluster)),
            };
            let found = crc32(&page[..]);
            if found != record.crc {
                return Err(Error::checksum(cluster, record.crc, found));
            }
            if kind == PageKind::Node {
                self.check_node_header(&page, cluster)?;
                (self.check_node)(&page, cluster)?;
            }
            self.data_pages += usize::from(kind == PageKind::Data);
            self.install(cluster, Arc::new(*page), kind);
        }
        Ok(())
    }

    fn install(&mut self, cluster: u64, page: Arc<Page>, kind: PageKind) {
        self.dirty.insert(cluster, DirtyPage::recovered(page, kind));
    }
}

fn outside(cluster: u64) -> Error {
    Error::corrupt("the log names a cluster that no log changes").at_cluster(cluster)
}

/// Makes a picture whose pixels were brought from elsewhere a live map: the superblock gets the
/// sums this picture has, and the picture is sealed.
///
/// # Errors
/// `NotAMap`, `Version`, `Corrupt`; `Resized` when the picture has another size than the map.
pub fn settle_superblock(live: &Live) -> Result<()> {
    let mut superblock = pick_superblock(live)?;
    let geometry = live.geometry();
    if superblock.width != geometry.width() || superblock.state.sheets > geometry.sheets() {
        return Err(Error::new(Code::Resized, "the picture has another size than the map in it"));
    }
    superblock.sequence += 1;
    superblock.adler = live.totals_without(&superblock_bands(geometry))?;
    let slot = slots(geometry)[(superblock.sequence % 2) as usize];
    live.declare(&[(slot, 1)])?;
    live.write_run(slot, &superblock.encode()[..])?;
    live.seal()?;
    live.mark_clean();
    Ok(())
}

/// What a log holds beyond its superblock.
struct Replay {
    pages: FxHashMap<u64, Box<Page>>,
    touched: Vec<BandSums>,
    state: Option<State>,
    end: Replayed,
}

impl Replay {
    fn holds_anything(&self) -> bool {
        self.end.end.offset > 0
    }
}

/// Empties a log that holds nothing: what a torn first frame left must not come to stand behind
/// a new one.
///
/// # Errors
/// `Corrupt` when the other superblock is damaged and there is a log all the same: no crash
/// leaves that, so it was the newer one, and the log is its. `Io`.
fn forget_log(log: &dyn Storage, live: &Live, superblock: &Superblock) -> Result<()> {
    if log.len()? == 0 {
        return Ok(());
    }
    if let Err(error) = twin(live, superblock) {
        return Err(Error::corrupt(format!(
            "the superblock this log belongs to is damaged ({error}); open the map read-only"
        )));
    }
    log.set_len(0)?;
    log.sync()
}

fn read_log(log: &dyn Storage, superblock: &Superblock) -> Result<Replay> {
    let mut pages: FxHashMap<u64, Box<Page>> = FxHashMap::default();
    let mut touched = Vec::new();
    let mut state = None;
    let end = replay(log, &superblock.log_salt, &mut |delivery, record| {
        match record {
            Record::Page(delta) => {
                let page = pages.entry(delta.cluster).or_insert_with(|| Box::new([0; CLUSTER]));
                delta.apply(page);
            }
            Record::Intents(intents) => touched.extend(intents.iter().map(|i| BandSums {
                band: i.band,
                s1: i.s1,
                s2: i.s2,
            })),
            Record::Grow(_) => {}
            Record::Root(bytes) => {
                debug_assert_eq!(delivery, Delivery::Committed);
                state = Some(State::read(&mut Reader::new(bytes))?);
            }
        }
        Ok(())
    })?;
    // Bands past the map's end belong to growth that was never committed.
    let sheets = state.map_or(superblock.state.sheets, |state: State| state.sheets);
    // The transaction that adds a sheet logs its table, so a log cannot claim more of them.
    let added = sheets.saturating_sub(superblock.state.sheets);
    if added as usize > pages.len() {
        let what =
            format!("the log says that the map grew by {added} sheets, and holds none of them");
        return Err(Error::corrupt(what));
    }
    let bands = Geometry::new(superblock.width, sheets)?.bands();
    touched.retain(|band| band.band < bands);
    Ok(Replay { pages, touched, state, end })
}

/// Opens the picture at the geometry its IHDR says, or, when that is damaged, at one of the
/// widths at which a superblock is found.
fn find_superblock(storage: Arc<dyn Storage>, cache: usize) -> Result<(Live, Superblock)> {
    let refused = match read_geometry(&*storage) {
        Ok(geometry) => {
            let live = Live::open_as(Arc::clone(&storage), geometry)?.with_cache(cache);
            match pick_superblock(&live) {
                Ok(superblock) if superblock.width == geometry.width() => {
                    return Ok((live, superblock));
                }
                Ok(superblock) => Error::new(
                    Code::Resized,
                    format!(
                        "the picture is {} pixels wide, the map in it {}",
                        geometry.width(),
                        superblock.width
                    ),
                ),
                Err(error) => error,
            }
        }
        Err(error) if error.code() == Code::Corrupt => error,
        Err(error) => return Err(error),
    };
    if refused.code() == Code::Io {
        return Err(refused);
    }
    for geometry in probe_widths(&*storage)? {
        let live = Live::open_as(Arc::clone(&storage), geometry)?.with_cache(cache);
        match pick_superblock(&live) {
            Ok(superblock) if superblock.width == geometry.width() => {
                return Ok((live, superblock));
            }
            Err(error) if error.code() == Code::Io => return Err(error),
            _ => {}
        }
    }
    Err(refused)
}

/// The superblock that is not in force.
fn twin(live: &Live, superblock: &Superblock) -> Result<Option<Superblock>> {
    let slot = slots(live.geometry())[(superblock.sequence.wrapping_add(1) % 2) as usize];
    let mut bytes = [0; CLUSTER];
    live.read_run(slot, &mut bytes)?;
    Superblock::decode(&bytes, slot)
}

/// The newer of the superblocks that are whole.
fn pick_superblock(clusters: &dyn Clusters) -> Result<Superblock> {
    let mut best: Option<Superblock> = None;
    let mut refused: Option<Error> = None;
    for slot in slots(clusters.geometry()) {
        let mut bytes = [0; CLUSTER];
        let found =
            clusters.read_run(slot, &mut bytes).and_then(|()| Superblock::decode(&bytes, slot));
        match found {
            // What cannot be read now may be the newer one.
            Err(error) if error.code() == Code::Io => return Err(error),
            Ok(Some(superblock)) => {
                if best.as_ref().is_none_or(|best| best.sequence < superblock.sequence) {
                    best = Some(superblock);
                }
            }
            Ok(None) => {}
            // A version this build cannot read outranks mere damage.
            Err(error) => match &refused {
                Some(before) if before.code() == Code::Version => {}
                _ => refused = Some(error),
            },
        }
    }
    match (best, refused) {
        (_, Some(error)) if error.code() == Code::Version => Err(error),
        (Some(superblock), _) => Ok(superblock),
        (None, Some(error)) => {
            Err(Error::corrupt(format!("both superblocks are damaged: {error}")))
        }
        (None, None) => Err(Error::new(Code::NotAMap, "a PNG, but there is no map in it")),
    }
}
