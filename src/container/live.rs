//! The live form: a picture of stored deflate blocks, read and written in place.
//!
//! [`Live`] maps clusters to file offsets, keeps the band checksums and the Adler-32 in step
//! without ever reading the whole picture, and gives the engine what it needs to make that
//! crash-safe: [`Live::declare`] names, before the first write, the bands a transaction will
//! touch and their sums as of the last checkpoint.
//!
//! Locks, in this order:
//! 1. one of [`LOCKS`] band locks, picked by band number: held by a writer of a band (exclusive)
//!    and by a reader that fills the cache (shared). Never two at once, but that a writer of bands
//!    that follow each other takes theirs together, in ascending order;
//! 2. the state mutex (touched bands, totals), for moments, and while the two ends of the file
//!    are written;
//! 3. the locks inside the storage and the cache, never held while taking another.
//!
//! Plain memory needs no band lock: a row copy is atomic under the memory's own lock, and a band
//! is marked stale after its copy, so that a seal in between is repeated, never missed.

mod bands;
mod damage;
mod io;
mod recovery;
#[cfg(test)]
pub(super) mod tests;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use super::band_cache::{self, BandCache};
use super::geometry::{Geometry, TRAILER, WIDTHS};
use super::skeleton::{self, IHDR_END, Sums, Totals};
use super::{Clusters, runs};
use crate::base::cache::CacheFigures;
use crate::base::limits::CLUSTER;
use crate::base::{Code, Error, Result};
use crate::storage::Storage;

pub use recovery::Recovery;

/// Band locks; two bands share one when their numbers are equal modulo this.
const LOCKS: usize = 64;
/// Default budget of the band cache, in bytes.
pub const DEFAULT_BAND_CACHE: usize = 4 << 20;
/// First bytes of a superblock, for finding a map whose IHDR is damaged.
pub const SUPERBLOCK_MAGIC: [u8; 8] = *b"AFLOWSB\x03";

/// A band and the sums of its rows at the last checkpoint (see [`Sums`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BandSums {
    pub band: u32,
    /// Sum of the row bytes modulo 65521.
    pub s1: u16,
    /// Sum of the row bytes, each times its distance to the band's end, modulo 65521.
    pub s2: u16,
}

impl BandSums {
    fn new(band: u32, sums: Sums) -> BandSums {
        BandSums { band, s1: sums.s1, s2: sums.s2 }
    }

    fn sums(self) -> Sums {
        Sums { s1: self.s1, s2: self.s2 }
    }
}

/// What is known of a band that was written since the last checkpoint.
#[derive(Clone, Copy)]
struct Touched {
    /// Declared since the last [`Live::mark_clean`].
    declared: bool,
    /// The sums the totals count for the band at present.
    counted: Sums,
    /// Pixels changed since `counted` was taken and the CRC was written.
    stale: bool,
}

struct State {
    touched: FxHashMap<u32, Touched>,
    /// `None` until they are known: then a seal has to read the whole picture once.
    totals: Option<Totals>,
    /// Sheets below this have their headers and CRCs in the file.
    skeleton_sheets: u32,
    /// IHDR and trailer in the file do not match sheets and totals.
    ends_stale: bool,
    /// One bit per band: its sheet is new and no pixel of it was written yet, so nothing needs to
    /// be read to know that all are zero. Bands without a bit are not.
    fresh: Vec<u64>,
}

impl State {
    fn is_fresh(&self, band: u32) -> bool {
        self.fresh.get(band as usize / 64).is_some_and(|word| word >> (band % 64) & 1 == 1)
    }

    fn spend(&mut self, band: u32) {
        if let Some(word) = self.fresh.get_mut(band as usize / 64) {
            *word &= !(1 << (band % 64));
        }
    }

    fn add_fresh(&mut self, bands: std::ops::Range<u32>) {
        self.fresh.resize(bands.end.div_ceil(64) as usize, 0);
        for band in bands {
            self.fresh[band as usize / 64] |= 1 << (band % 64);
        }
    }
}

/// A live map over a storage. All methods take `&self` and may be called from many threads.
pub struct Live {
    storage: Arc<dyn Storage>,
    width: u32,
    sheets: AtomicU32,
    cache: BandCache,
    band_locks: [RwLock<()>; LOCKS],
    /// Counts writes of bands to the file that have begun, each under its band's lock.
    begun: AtomicU64,
    /// Those of them that have ended, still under that lock.
    ended: AtomicU64,
    state: Mutex<State>,
}

impl Live {
    /// Makes a new picture of `sheets` zero sheets in `storage`, which is cut to it; sealed but
    /// not synced.
    ///
    /// # Errors
    /// `Invalid` or `FileTooBig` for the dimensions, else what the storage says.
    pub fn create(storage: Arc<dyn Storage>, width: u32, sheets: u32) -> Result<Live> {
        let geometry = Geometry::new(width, sheets)?;
        storage.set_len(0)?;
        storage.set_len(geometry.file_len())?;
        storage.write_at(0, &skeleton::header(geometry))?;
        let live = Live::with_geometry(storage, geometry, DEFAULT_BAND_CACHE);
        let mut state = live.lock_state();
        state.totals = Some(Totals::default());
        state.skeleton_sheets = 0;
        state.ends_stale = true;
        state.add_fresh(0..geometry.bands());
        drop(state);
        live.seal()?;
        Ok(live)
    }

    /// Opens a picture by its IHDR. The sheet count is IHDR's until the engine sets the one its
    /// superblock says ([`Live::set_sheets`]), which also checks the length; here the first
    /// sheet must be whole.
    ///
    /// # Errors
    /// `NotAMap`, `Corrupt` (damaged IHDR: see [`probe_widths`]), `Resized` or `Truncated`.
    pub fn open(storage: Arc<dyn Storage>) -> Result<Live> {
        let geometry = read_geometry(&*storage)?;
        Live::open_as(storage, geometry)
    }

    /// Opens a picture whose geometry is known from elsewhere, such as [`probe_widths`].
    ///
    /// # Errors
    /// `Truncated` when the first sheet is not whole.
    pub fn open_as(storage: Arc<dyn Storage>, geometry: Geometry) -> Result<Live> {
        let first = geometry.with_sheets(1)?.trailer_offset();
        let len = storage.len()?;
        if len < first {
            return Err(truncated(len, geometry.file_len()));
        }
        Ok(Live::with_geometry(storage, geometry, DEFAULT_BAND_CACHE))
    }

    fn with_geometry(storage: Arc<dyn Storage>, geometry: Geometry, cache: usize) -> Live {
        Live {
            storage,
            width: geometry.width(),
            sheets: AtomicU32::new(geometry.sheets()),
            cache: band_cache::new(cache, geometry.band_len()),
            band_locks: [const { RwLock::new(()) }; LOCKS],
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            state: Mutex::new(State {
                touched: FxHashMap::default(),
                totals: None,
                skeleton_sheets: geometry.sheets(),
                ends_stale: false,
                fresh: Vec::new(),
            }),
        }
    }

    /// The same map with another budget for its band cache, in bytes; 0 turns the cache off.
    #[must_use]
    pub fn with_cache(mut self, bytes: usize) -> Live {
        self.cache = band_cache::new(bytes, self.geometry().band_len());
        self
    }

    /// Takes the sheet count the engine's superblock says.
    ///
    /// # Errors
    /// `Invalid` or `FileTooBig` for the count, `Truncated` when the file is too short for it.
    pub fn set_sheets(&self, sheets: u32) -> Result<()> {
        let geometry = self.geometry().with_sheets(sheets)?;
        let len = self.storage.len()?;
        if len < geometry.trailer_offset() {
            return Err(truncated(len, geometry.file_len()));
        }
        let mut state = self.lock_state();
        if self.sheets.swap(sheets, Ordering::AcqRel) != sheets {
            state.ends_stale = true;
        }
        state.skeleton_sheets = sheets;
        Ok(())
    }

    /// Width and number of sheets at present.
    #[inline]
    pub fn geometry(&self) -> Geometry {
        let sheets = self.sheets.load(Ordering::Acquire);
        Geometry::new(self.width, sheets).expect("width and sheets were checked when they were set")
    }

    /// The storage below.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// `Io`.
    pub fn sync(&self) -> Result<()> {
        self.storage.sync()
    }

    /// Reads the clusters `first .. first + buf.len() / 4096`, which lie in one sheet.
    ///
    /// # Errors
    /// `Invalid` for a run that leaves its sheet or the map, `Truncated` or `Io` from the storage.
    pub fn read_run(&self, first: u64, buf: &mut [u8]) -> Result<()> {
        let geometry = self.geometry();
        let count = geometry.check_buffer(first, buf.len())?;
        let tiles = runs::tiles(geometry, first, buf.chunks_exact_mut(CLUSTER));
        if let Some(memory) = self.storage.as_memory() {
            return io::gather_memory(geometry, memory, count, tiles);
        }
        self.read_tiles(geometry, tiles.collect())
    }

    /// Reads many runs, in any order, each as [`Live::read_run`] does; bands are read once.
    ///
    /// # Errors
    /// As [`Live::read_run`]; some buffers may have been filled.
    pub fn read_many(&self, requests: &mut [(u64, &mut [u8])]) -> Result<()> {
        let geometry = self.geometry();
        let mut count = 0;
        for (first, buf) in requests.iter() {
            count += geometry.check_buffer(*first, buf.len())?;
        }
        let tiles = requests
            .iter_mut()
            .flat_map(|(first, buf)| runs::tiles(geometry, *first, buf.chunks_exact_mut(CLUSTER)));
        if let Some(memory) = self.storage.as_memory() {
            return io::gather_memory(geometry, memory, count, tiles);
        }
        self.read_tiles(geometry, tiles.collect())
    }

    /// Writes the clusters `first .. first + data.len() / 4096`, which lie in one sheet and in
    /// declared bands.
    ///
    /// # Errors
    /// `Invalid` for a run that leaves its sheet or the map, else what the storage says; part of
    /// the run may then have been written.
    pub fn write_run(&self, first: u64, data: &[u8]) -> Result<()> {
        self.write_many(&[(first, data)])
    }

    /// Writes many runs, in any order, each as [`Live::write_run`] does; bands are written once,
    /// in file order. A cluster must not occur twice.
    ///
    /// # Errors
    /// As [`Live::write_run`].
    pub fn write_many(&self, requests: &[(u64, &[u8])]) -> Result<()> {
        let geometry = self.geometry();
        for (first, data) in requests {
            geometry.check_buffer(*first, data.len())?;
        }
        let tiles: Vec<_> = requests
            .iter()
            .flat_map(|(first, data)| runs::tiles(geometry, *first, data.chunks_exact(CLUSTER)))
            .collect();
        self.declare_missing(geometry, tiles.iter().map(|tile| tile.band))?;
        match self.storage.as_memory() {
            Some(memory) => self.scatter_memory(geometry, memory, tiles),
            None => self.write_tiles(geometry, tiles),
        }
    }

    /// Appends `more` zero sheets. Their clusters read as zero at once; headers, IHDR and trailer
    /// follow at the next seal.
    ///
    /// # Errors
    /// `FileTooBig` past the height of a PNG, else what the storage says.
    pub fn grow(&self, more: u32) -> Result<()> {
        let old = self.geometry();
        let new = old.with_sheets(old.sheets().saturating_add(more))?;
        let mut state = self.lock_state();
        state.ends_stale = true;
        // The old trailer lies where the new sheet's first band begins.
        self.storage.write_at(old.trailer_offset(), &[0; TRAILER as usize])?;
        self.storage.set_len(new.file_len())?;
        if let Some(totals) = &mut state.totals {
            totals.append_zeros(new.picture_len() - old.picture_len());
        }
        state.add_fresh(old.bands()..new.bands());
        self.sheets.store(new.sheets(), Ordering::Release);
        Ok(())
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        // The state is changed in single steps; a panic between them leaves bands marked stale,
        // which costs a recomputation and nothing else.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn band_lock(&self, band: u32) -> &RwLock<()> {
        &self.band_locks[band as usize % LOCKS]
    }
}

impl Clusters for Live {
    fn geometry(&self) -> Geometry {
        Live::geometry(self)
    }

    fn read_run(&self, first: u64, buf: &mut [u8]) -> Result<()> {
        Live::read_run(self, first, buf)
    }

    fn read_many(&self, requests: &mut [(u64, &mut [u8])]) -> Result<()> {
        Live::read_many(self, requests)
    }

    fn read_band(&self, band: u32, rows: &mut [u8]) -> Result<()> {
        let geometry = Live::geometry(self);
        super::check_band(geometry, band, rows.len())?;
        let mut rest = rows;
        for range in skeleton::block_ranges(geometry) {
            let (now, later) = rest.split_at_mut(range.len());
            self.storage.read_at(geometry.band_offset(band) + range.start as u64, now)?;
            rest = later;
        }
        Ok(())
    }

    fn will_need(&self, runs: &[(u64, u32)]) {
        self.announce(runs);
    }

    fn cache_figures(&self) -> CacheFigures {
        self.cache.figures()
    }

    fn drop_cache(&self) {
        self.cache.clear();
    }

    fn set_cache_budget(&self, bytes: usize) {
        self.cache.set_budget(bytes);
    }

    fn as_live(&self) -> Option<&Live> {
        Some(self)
    }
}

/// Reads signature and IHDR as those of a live or packed map.
///
/// # Errors
/// `NotAMap`, `Truncated`, `Corrupt` or `Resized`.
pub fn read_geometry(storage: &dyn Storage) -> Result<Geometry> {
    let header = read_image_header(storage)?;
    let geometry = header.geometry()?;
    if header.is_map_format() {
        return Ok(geometry);
    }
    Err(Error::new(Code::Resized, "the picture is not 8-bit RGBA, as a map is; import it"))
}

/// Reads signature and IHDR of any PNG.
pub(super) fn read_image_header(storage: &dyn Storage) -> Result<skeleton::ImageHeader> {
    let len = storage.len()?;
    let mut bytes = [0; IHDR_END];
    let have = len.min(IHDR_END as u64) as usize;
    storage.read_at(0, &mut bytes[..have])?;
    let matching = have.min(skeleton::SIGNATURE.len());
    if have == 0 {
        return Err(Error::new(Code::NotAMap, "the file is empty"));
    }
    if bytes[..matching] != skeleton::SIGNATURE[..matching] {
        return Err(Error::new(Code::NotAMap, "not a PNG: the signature is missing"));
    }
    if len < 57 {
        let text = format!("the file has {len} bytes, the smallest PNG has 57");
        return Err(Error::new(Code::Truncated, text).at_offset(len));
    }
    skeleton::read_header(&bytes)
}

/// Geometries a map with a damaged IHDR may have: those at whose place for superblock A a
/// superblock begins. The sheet count is what the file's length has room for.
///
/// # Errors
/// `Io`.
pub fn probe_widths(storage: &dyn Storage) -> Result<Vec<Geometry>> {
    let len = storage.len()?;
    let mut found = Vec::new();
    for width in WIDTHS {
        let one = Geometry::new(width, 1)?;
        let at = one.run_offset(u64::from(one.superblock_a()), 0);
        let mut magic = [0; SUPERBLOCK_MAGIC.len()];
        if len < at + magic.len() as u64 {
            continue;
        }
        storage.read_at(at, &mut magic)?;
        if magic == SUPERBLOCK_MAGIC {
            let sheet = one.trailer_offset() - super::geometry::HEADER;
            let sheets = len.saturating_sub(super::geometry::HEADER) / sheet;
            let sheets = u32::try_from(sheets).unwrap_or(u32::MAX).max(1);
            found.push(one.with_sheets(sheets).unwrap_or(one));
        }
    }
    Ok(found)
}

fn truncated(len: u64, wanted: u64) -> Error {
    let text = format!("the file is cut off: it has {len} bytes and must have {wanted}");
    Error::new(Code::Truncated, text).at_offset(len)
}
