//! Layer 8: the façade. A [`Map`] is a filesystem in a picture, shared by threads.
//!
//! Readers share one lock; a writer holds it alone while it changes memory. Waiting for the disk
//! at a commit happens outside of it, so readers do not wait for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::base::checksum::crc32;
use crate::base::env::{Clock, Entropy, SystemEntropy};
use crate::base::limits::DEFAULT_CACHE;
use crate::base::{Code, Error, Result};
use crate::check::{self, Report, VerifyOptions};
use crate::commit::open::{Environment, NewMap, settle_superblock};
use crate::commit::store::Budget;
use crate::commit::{Page, Store};
use crate::container::detect::{Form, detect};
use crate::container::pack::{self, Edits, Progress};
use crate::container::{Clusters, Packed, foreign};
use crate::fs::recompress::Rewritten;
use crate::fs::{FIRST_OBJECT, Fs, Settings, View};
use crate::plane::disc;
use crate::storage::Storage;
use crate::storage::mem::MemStorage;
use crate::tree::node;
use crate::vat::{Kind, Record, page as table};

/// How to make or open a map.
#[derive(Clone)]
pub struct Options {
    /// Picture width in pixels, a power of two from 256 to 8192; by `expected_size` where `None`.
    pub width: Option<u32>,
    /// Bytes of file data to be expected, for choosing the width.
    pub expected_size: u64,
    /// Budget of all caches and buffers together, in bytes.
    pub cache_bytes: usize,
    /// What a new map starts with.
    pub settings: Settings,
    /// Random where `None`.
    pub uuid: Option<[u8; 16]>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl Options {
    /// The defaults, with the time from `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Options {
        Options {
            width: None,
            expected_size: 0,
            cache_bytes: DEFAULT_CACHE,
            settings: Settings::default(),
            uuid: None,
            clock,
            entropy: Arc::new(SystemEntropy),
        }
    }

    fn environment(&self) -> Environment {
        Environment {
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            check_node: node::check,
            budget: Budget::of(self.cache_bytes),
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Default for Options {
    fn default() -> Self {
        Options::with_clock(Arc::new(crate::base::env::SystemClock))
    }
}

/// The width for a map that will hold about `bytes` of file data: the smallest that keeps the
/// picture below the height libpng accepts, with room to grow. The rows of a cluster lie
/// `4 * width` bytes apart, so one cold cluster costs a read of `128 * width` bytes:
/// `docs/WIDTH.md` has the measurement.
pub fn width_for(bytes: u64) -> u32 {
    const ROOM: u64 = 3 << 28;
    match bytes {
        0..=ROOM => 256,
        bytes if bytes <= ROOM * 2 => 512,
        bytes if bytes <= ROOM * 4 => 1024,
        bytes if bytes <= ROOM * 8 => 2048,
        bytes if bytes <= ROOM * 16 => 4096,
        _ => 8192,
    }
}

/// Rows libpng accepts by default, and pixels Pillow does.
pub const LIBPNG_ROWS: u64 = 1_000_000;
pub const PILLOW_PIXELS: u64 = 178_956_970;

/// Which form a map was opened in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenForm {
    Live,
    Packed,
}

/// What [`Map::damage`] has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub pixels: u64,
    /// Every cluster that was hit, in ascending order.
    pub clusters: Vec<u64>,
}

/// Rows of pixels that are damaged at once.
const MOST_ROWS: usize = 1 << 20;

/// A map, open.
pub struct Map {
    fs: RwLock<Fs>,
    /// One commit at a time goes to the disk, in the order they were prepared.
    commits: Mutex<()>,
    memory: Option<Arc<MemStorage>>,
    form: OpenForm,
}

/// Threads share a map; what is not made for that must not get into one.
#[cfg(not(target_arch = "wasm32"))]
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Map>();
};

impl Map {
    fn assemble(fs: Fs, memory: Option<Arc<MemStorage>>, form: OpenForm) -> Map {
        Map { fs: RwLock::new(fs), commits: Mutex::new(()), memory, form }
    }

    /// A new map in memory.
    ///
    /// # Errors
    /// `Invalid` for the width or the settings.
    pub fn create(options: &Options) -> Result<Map> {
        let memory = Arc::new(MemStorage::new());
        let fs = Map::lay_out(Arc::clone(&memory) as Arc<dyn Storage>, None, options)?;
        Ok(Map::assemble(fs, Some(memory), OpenForm::Live))
    }

    /// A new map in `storage`, with its log in `log`. Without a log the map is only whole after
    /// a checkpoint: for maps that are built in one go and renamed into place.
    ///
    /// # Errors
    /// `Invalid` for the width or the settings, `Io`, `NoSpace`.
    pub fn create_on(
        storage: Arc<dyn Storage>,
        log: Option<Arc<dyn Storage>>,
        options: &Options,
    ) -> Result<Map> {
        Ok(Map::assemble(Map::lay_out(storage, log, options)?, None, OpenForm::Live))
    }

    fn lay_out(
        storage: Arc<dyn Storage>,
        log: Option<Arc<dyn Storage>>,
        options: &Options,
    ) -> Result<Fs> {
        let new = NewMap {
            width: options.width.unwrap_or_else(|| width_for(options.expected_size)),
            uuid: options.uuid,
            parity: options.settings.parity,
            label: options.settings.label.clone(),
            first_object: FIRST_OBJECT,
        };
        let store = Store::create(storage, log, new, options.environment())?;
        Fs::create(store, options.cache_bytes, options.settings.clone())
    }

    /// A map from the bytes of a file, in memory and writable, whatever its form.
    ///
    /// # Errors
    /// As [`Map::open_on`]; `Truncated` for a re-saved picture that ends early.
    pub fn open(bytes: Vec<u8>, options: &Options) -> Result<Map> {
        let source = Arc::new(MemStorage::from_vec(bytes));
        let memory = match detect(&*source)? {
            Form::Live(_) => source,
            _ => {
                let target = Arc::new(MemStorage::new());
                let storage = Arc::clone(&target) as Arc<dyn Storage>;
                Map::unpack(source, storage, options, &mut |_, _| Ok(()))?;
                target
            }
        };
        Map::open_memory(memory, options)
    }

    fn open_memory(memory: Arc<MemStorage>, options: &Options) -> Result<Map> {
        let storage = Arc::clone(&memory) as Arc<dyn Storage>;
        let store = Store::open_live(storage, None, true, options.environment())?;
        Ok(Map::assemble(Fs::open(store, options.cache_bytes)?, Some(memory), OpenForm::Live))
    }

    /// Opens the map in `storage`. A live one may be written when `writable` and has its log in
    /// `log`, which is replayed where the map was not closed; a packed one is read-only.
    ///
    /// # Errors
    /// `NotAMap`, `Truncated`, `Resized`, `Version`, `Feature`, `Corrupt`, `Io`; `Unsupported`
    /// for a picture some other tool saved, which must be [unpacked](Map::unpack) first;
    /// `ReadOnly` for a packed one that is to be written.
    pub fn open_on(
        storage: Arc<dyn Storage>,
        log: Option<Arc<dyn Storage>>,
        writable: bool,
        options: &Options,
    ) -> Result<Map> {
        let (store, form) = match detect(&*storage)? {
            Form::Live(_) => {
                let environment = options.environment();
                (Store::open_live(storage, log, writable, environment)?, OpenForm::Live)
            }
            Form::Packed if writable => {
                return Err(Error::new(
                    Code::ReadOnly,
                    "a packed map is read-only; unpack it to change it",
                ));
            }
            Form::Packed => {
                let environment = options.environment();
                let packed = Packed::open(storage, environment.budget.bands)?;
                let store = Store::open_read_only(Arc::new(packed), environment)?;
                (store, OpenForm::Packed)
            }
            Form::Foreign => {
                return Err(Error::new(
                    Code::Unsupported,
                    "another tool has saved this picture; unpack it to make it a map again",
                ));
            }
        };
        Ok(Map::assemble(Fs::open(store, options.cache_bytes)?, None, form))
    }

    /// Which form the map was opened in.
    pub fn form(&self) -> OpenForm {
        self.form
    }

    /// Reads, together with other readers.
    pub fn read<T>(&self, body: impl FnOnce(&Fs) -> T) -> T {
        body(&self.fs.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes, alone. Writes home afterwards what is due, while others go on.
    pub fn write<T>(&self, body: impl FnOnce(&mut Fs) -> T) -> T {
        let (value, due) = self.change(|fs| {
            let value = body(fs);
            (value, fs.store.checkpoint_due() && fs.store.failure().is_none())
        });
        // Whoever has the turn writes home anyway.
        if due && let Ok(_turn) = self.commits.try_lock() {
            // What fails here is told by every change from now on.
            let _ = self.write_home();
        }
        value
    }

    fn change<T>(&self, body: impl FnOnce(&mut Fs) -> T) -> T {
        let mut fs = self.fs.write().unwrap_or_else(PoisonError::into_inner);
        let value = body(&mut fs);
        fs.settle_cache();
        value
    }

    fn commit_turn(&self) -> MutexGuard<'_, ()> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything written so far becomes durable. Readers and writers go on meanwhile.
    ///
    /// # Errors
    /// `NoSpace`, `Io`, `Poisoned`.
    pub fn sync(&self) -> Result<()> {
        // Piece by piece, so that nobody waits long; at most what there was at the beginning.
        let pieces = self.read(|fs| fs.buffered_bytes() >> 18);
        for _ in 0..pieces {
            let more =
                self.write(|fs| if fs.store.is_read_only() { Ok(false) } else { fs.flush_some() });
            match more {
                Ok(true) => {}
                Ok(false) => break,
                // Told by the commit below.
                Err(error) if error.code() == Code::Corrupt => break,
                Err(error) => return Err(error),
            }
        }
        self.sync_with(|fs| fs.flush_all(true))
    }

    /// What was written to one file, and every name so far, becomes durable.
    ///
    /// # Errors
    /// As [`Map::sync`].
    pub fn sync_file(&self, ino: u64) -> Result<()> {
        self.sync_with(|fs| fs.flush(&[ino], true))
    }

    fn sync_with(&self, flush: impl FnOnce(&mut Fs) -> Result<()>) -> Result<()> {
        let _turn = self.commit_turn();
        if self.commit(flush)? { self.write_home() } else { Ok(()) }
    }

    /// One transaction, by the one whose turn it is. Returns whether a checkpoint is due.
    fn commit(&self, flush: impl FnOnce(&mut Fs) -> Result<()>) -> Result<bool> {
        let mut damaged = None;
        let prepared = self.change(|fs| {
            if fs.store.is_read_only() {
                return Ok(None);
            }
            match flush(fs) {
                // One damaged file does not keep the others from becoming durable.
                Err(error) if error.code() == Code::Corrupt => damaged = Some(error),
                result => result?,
            }
            fs.store.prepare()
        })?;
        let due = match prepared {
            Some(prepared) => {
                let outcome = prepared.write();
                self.change(|fs| {
                    fs.store.finish(outcome)?;
                    Ok::<_, Error>(fs.store.checkpoint_due())
                })?
            }
            None => false,
        };
        damaged.map_or(Ok(due), Err)
    }

    /// A checkpoint, by the one whose turn it is. Most pages go home while everybody goes on, the
    /// rest while readers and changes in memory do.
    fn write_home(&self) -> Result<()> {
        if let Some(homing) = self.change(|fs| fs.store.prepare_homing()) {
            let outcome = homing.write();
            self.change(|fs| fs.store.finish_homing(outcome))?;
        }
        let checkpoint = self.change(|fs| {
            fs.fold_heat()?;
            fs.store.prepare_checkpoint()
        })?;
        let Some(checkpoint) = checkpoint else { return Ok(()) };
        let outcome = checkpoint.write();
        self.change(|fs| fs.store.finish_checkpoint(outcome))
    }

    /// Writes everything home: afterwards the file alone is the map.
    ///
    /// # Errors
    /// `NoSpace`, `Io`, `Poisoned`.
    pub fn checkpoint(&self) -> Result<()> {
        let _turn = self.commit_turn();
        self.commit(|fs| fs.flush_all(false))?;
        self.write_home()
    }

    /// As [`Map::checkpoint`], for whoever looks at damage anyway: a damaged file keeps what is
    /// written to it from its place, and nothing else.
    fn checkpoint_despite_damage(&self) -> Result<()> {
        match self.commit(|fs| fs.flush_all(false)) {
            Err(error) if error.code() == Code::Corrupt => {}
            outcome => drop(outcome?),
        }
        self.write_home()
    }

    /// Changes the bytes of all pixels within `radius` of one of the points, in the storage
    /// itself: neither checksums nor caches, nor the log, hide it from the next reader. Destroys
    /// what is there; for showing what checksums find. Points are plane pixels, with (0, 0) in the
    /// centre of sheet 0. Superblocks and pages of the table are pixels like any others.
    ///
    /// # Errors
    /// `ReadOnly` for a map that cannot be written, `Range` for too many pixels at
    /// once, `Busy` during an import; as [`Map::checkpoint`].
    pub fn damage(&self, points: &[(f64, f64)], radius: f64) -> Result<Damage> {
        let _turn = self.commit_turn();
        self.read(|fs| {
            fs.store.check_writable()?;
            if fs.is_importing() {
                return Err(Error::new(Code::Busy, "an import is under way"));
            }
            Ok(())
        })?;
        // Nothing in memory or in the log may be written over it later.
        self.checkpoint_despite_damage()?;
        self.change(|fs| {
            let geometry = fs.store.geometry();
            let spans = disc::spans(geometry.width(), geometry.sheets(), points, radius, MOST_ROWS)
                .ok_or_else(|| Error::new(Code::Range, "too many pixels to damage at once"))?;
            let pixels = spans.iter().map(disc::Span::pixels).sum();
            let live = fs.store.live().ok_or_else(|| Error::new(Code::ReadOnly, "no live map"))?;
            let clusters = live.damage(&spans);
            fs.drop_caches();
            Ok(Damage { pixels, clusters: clusters? })
        })
    }

    /// Closes the map: everything is durable, parity is up to date, and the file is a strictly
    /// valid picture. The log may be deleted afterwards.
    ///
    /// # Errors
    /// `NoSpace`, `Io`, `Poisoned`.
    pub fn close(&self) -> Result<()> {
        let _turn = self.commit_turn();
        self.change(Fs::close)
    }

    /// The file of a map in memory, closed in between.
    ///
    /// # Errors
    /// `Unsupported` for a map that is not in memory; as [`Map::close`].
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let memory = self
            .memory
            .as_ref()
            .ok_or_else(|| Error::new(Code::Unsupported, "the map is a file already; read that"))?;
        self.close()?;
        memory.to_vec()
    }

    /// Compresses the raw data of one file or of a tree, at the map's own level unless another is
    /// named. Others use the map meanwhile: the lock is taken for a few MiB at a time. `progress`
    /// is told how many files are done, of how many; `false` ends the work, and what is compressed
    /// stays so.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for the level, `Cancelled`, `NoSpace`, `ReadOnly`; `Corrupt` for a
    /// file that cannot be read, which is left alone.
    pub fn compress(
        &self,
        path: &[u8],
        level: Option<i32>,
        again: bool,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Rewritten> {
        let level = level.unwrap_or_else(|| self.read(|fs| fs.settings().level));
        if !(1..=19).contains(&level) {
            let what = format!("compression level {level} is not from 1 to 19");
            return Err(Error::new(Code::Invalid, what));
        }
        let files = self.read(|fs| fs.files_below(View::Head, path))?;
        let total = files.len() as u64;
        let mut sum = Rewritten::default();
        for (done, &ino) in (0..).zip(&files) {
            match self.compress_file(ino, level, again, &mut || progress(done, total)) {
                Ok(one) => sum.add(one),
                // Removed, or replaced by something else, since the files were listed.
                Err(error) if matches!(error.code(), Code::NotFound | Code::IsDirectory) => {}
                Err(error) => return Err(error),
            }
        }
        progress(total, total);
        Ok(sum)
    }

    fn compress_file(
        &self,
        ino: u64,
        level: i32,
        again: bool,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Rewritten> {
        let proceed = |goes_on: bool| match goes_on {
            true => Ok(()),
            false => Err(Error::new(Code::Cancelled, "cancelled")),
        };
        proceed(goes_on())?;
        let Some(mut compressing) = self.write(|fs| fs.compress_begin(ino, level, again))? else {
            return Ok(Rewritten::default());
        };
        while self.write(|fs| fs.compress_step(&mut compressing))? {
            proceed(goes_on())?;
        }
        self.read(|fs| fs.compress_end(&compressing))
    }

    /// Checks a map while it goes on to be changed: the state it has now. The picture's own
    /// checksums, which are in motion, are left out unless the map is read-only.
    ///
    /// # Errors
    /// As [`check::verify`] and [`Map::checkpoint`]; `Busy` when another such check is under way,
    /// when the map changes too much before it ends, or is closed.
    pub fn verify_in_use(
        &self,
        options: VerifyOptions,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Report> {
        if self.read(|fs| fs.store.is_read_only()) {
            return self.verify(options, progress);
        }
        let turn = self.commit_turn();
        self.checkpoint_despite_damage()?;
        drop(turn);
        let (pinned, fs) = self.change(Fs::pin)?;
        let mut goes_on = |done, total| !pinned.is_broken() && progress(done, total);
        let report = check::verify(&fs, options, &mut goes_on);
        if pinned.is_broken() {
            let what = "the map changed too much, or was closed, before the check ended";
            return Err(Error::new(Code::Busy, what));
        }
        report
    }

    /// Checks the map; one that can be written is checkpointed first, so that all of it is looked
    /// at. Changes wait meanwhile.
    ///
    /// # Errors
    /// As [`check::verify`] and [`Map::checkpoint`].
    pub fn verify(
        &self,
        options: VerifyOptions,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Report> {
        if !self.read(|fs| fs.store.is_read_only()) {
            let _turn = self.commit_turn();
            self.checkpoint_despite_damage()?;
        }
        self.read(|fs| check::verify(fs, options, progress))
    }

    /// Writes the packed form, in file order. Parity is left out unless asked for: it is
    /// computed again when the map is unpacked and written. Returns the bytes written.
    ///
    /// # Errors
    /// Those of `out`; `Cancelled` when `progress` says so; `Corrupt`, `Io`.
    pub fn pack(
        &self,
        parity: bool,
        out: &mut dyn FnMut(&[u8]) -> Result<()>,
        progress: &mut Progress<'_>,
    ) -> Result<u64> {
        if !self.read(|fs| fs.store.is_read_only()) {
            self.close()?;
        }
        self.read(|fs| {
            let store = &fs.store;
            let geometry = store.geometry();
            let pages = if parity { Vec::new() } else { tables_without_parity(store)? };
            let replace: Vec<(u64, &[u8])> =
                pages.iter().map(|(cluster, page)| (*cluster, &page[..])).collect();
            let blank = |cluster: u64| {
                !parity && geometry.index_in_sheet(cluster) >= geometry.parity_start()
            };
            let edits = Edits { blank: &blank, replace: &replace };
            pack::pack(&**store.clusters(), edits, out, progress)
        })
    }

    /// Writes the live form of a packed map, or of a picture another tool saved, to `target`.
    ///
    /// # Errors
    /// `NotAMap`, `Resized`, `Truncated` (naming how much there is), `Version`, `Corrupt`;
    /// `Cancelled`, `NoSpace`, `Io`.
    pub fn unpack(
        source: Arc<dyn Storage>,
        target: Arc<dyn Storage>,
        options: &Options,
        progress: &mut Progress<'_>,
    ) -> Result<()> {
        let live = match detect(&*source)? {
            Form::Packed => {
                let packed = Arc::new(Packed::open(source, options.cache_bytes / 4)?);
                // What cannot be opened is refused before anything is written.
                let clusters = Arc::clone(&packed) as Arc<dyn Clusters>;
                drop(Store::open_read_only(clusters, options.environment())?);
                pack::unpack(&packed, target, progress)?
            }
            Form::Live(_) => {
                return Err(Error::new(Code::Invalid, "the map is in its live form already"));
            }
            Form::Foreign => {
                let imported = foreign::import(&*source, target, progress)?;
                if !imported.is_complete() {
                    return Err(Error::new(
                        Code::Truncated,
                        format!(
                            "the picture is cut off: {} of {} rows are there",
                            imported.rows_recovered, imported.rows
                        ),
                    ));
                }
                imported.live
            }
        };
        settle_superblock(&live)?;
        live.sync()
    }
}

/// The pages of the table as a map without parity has them: parity sums zero, marked stale.
fn tables_without_parity(store: &Store) -> Result<Vec<(u64, Box<Page>)>> {
    let geometry = store.geometry();
    let seed = crc32(&store.superblock().uuid);
    let mut pages = Vec::new();
    for sheet in 0..geometry.sheets() {
        let base = geometry.cluster(sheet, 0);
        for at in base..base + u64::from(geometry.vat_pages()) {
            let mut page = Box::new(*store.table_page(at)?);
            for cluster in table::covered(&geometry, at) {
                if let Some(place) = table::place(&geometry, cluster)
                    && table::read(&page, place.offset)?.kind == Kind::Parity
                {
                    table::write(&mut page, place.offset, Record::new(Kind::Parity, 0, 0));
                }
            }
            table::set_parity_stale(&mut page, true);
            table::finish(seed, at, &mut page);
            pages.push((at, page));
        }
    }
    Ok(pages)
}
