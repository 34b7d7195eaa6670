//! Layer 6: filesystem meaning. Names, file data, delayed allocation, snapshots, placement.
//!
//! [`Fs`] owns the store and everything that is decided per file. Reading methods take `&self`
//! and a [`View`]: the present, or a snapshot. Changing methods take `&mut self` and always
//! concern the present. Inodes are numbers; walking paths is [`path`]'s business.
//!
//! * [`inode`], [`dir`], [`xattr`]: the items of the tree;
//! * [`head`]: reading and changing the present tree;
//! * [`ops`]: creating, linking, renaming, removing;
//! * [`buffer`], [`write`], [`mod@prepare`], [`flush`]: file data on its way in;
//! * [`read`]: file data on its way out;
//! * [`range`]: truncation, holes, clones;
//! * [`snapshot`], [`settings`], [`rules`]: the catalog and what it says;
//! * [`survey`]: facts about the whole; [`find`]: names by a part of them.

pub mod buffer;
pub mod dir;
pub mod find;
pub mod flush;
pub mod head;
pub mod holds;
pub mod import;
pub mod inode;
pub mod inspect;
pub mod ops;
pub mod path;
pub mod place;
pub mod prepare;
pub mod range;
pub mod read;
pub mod recompress;
pub mod rules;
pub mod settings;
pub mod snapshot;
pub mod survey;
pub mod write;
pub mod xattr;

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use crate::base::cache::{ByteCache, CacheFigures};
use crate::base::env::Timestamp;
use crate::base::{Code, Error, Result};
use crate::codec::frame::{Compressor, Decompressor};
use crate::commit::pin::Pinned;
use crate::commit::store::Budget;
use crate::commit::{Root, Store};

use buffer::Buffers;
pub use inode::{FileType, Inode};
pub use settings::{Compression, Settings};

/// Inode number of the root directory.
pub const ROOT: u64 = 1;
/// Object of the catalog's items and of the orphan list.
pub(crate) const SYSTEM: u64 = 0;
/// The first inode number given to anything but the root.
pub const FIRST_OBJECT: u64 = 2;

/// Which state of the filesystem is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The present, buffered writes included.
    Head,
    /// A snapshot's tree.
    Snapshot(Root),
}

/// Decompressed frames by first cluster.
type Blocks = ByteCache<u64, Vec<u8>>;

/// What of a budget goes to decompressed blocks.
fn block_budget(total: usize) -> usize {
    (total / 4).max(1 << 20)
}

/// What of a budget goes to buffered writes.
fn buffer_budget(total: usize) -> usize {
    (total / 8).max(1 << 20)
}

/// Steps of heat that so many reads add: one for each doubling.
fn steps(reads: u32) -> u8 {
    (32 - reads.leading_zeros()) as u8
}

/// A filesystem in a store.
pub struct Fs {
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    buffers: Buffers,
    /// How often each inode is held from outside.
    holds: holds::Holds,
    /// Inodes without a name that wait for their last close.
    orphans: rustc_hash::FxHashSet<u64>,
    /// Paths of directories, by inode; forgotten as a whole when one is renamed.
    directory_paths: FxHashMap<u64, Arc<[u8]>>,
    /// Decompressed frames by first cluster.
    blocks: Blocks,
    compressor: Compressor,
    decompressors: Mutex<Vec<Decompressor>>,
    /// Reads observed since the last commit, by first cluster of the extent.
    heat: Mutex<FxHashMap<u64, u32>>,
    import: Option<import::Import>,
    /// Above the settings, for this opening of the map.
    level_limit: Option<i32>,
    /// Bytes lent to the blocks at present.
    lent: usize,
    hash_keys: (u64, u64),
    budget: usize,
}

impl Fs {
    fn assemble(store: Store, budget: usize) -> Fs {
        let uuid = store.superblock().uuid;
        let half = |bytes: &[u8]| {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            u64::from_le_bytes(word)
        };
        let hash_keys = (half(&uuid[..8]), half(&uuid[8..]));
        Fs {
            store,
            settings: Settings::default(),
            buffers: Buffers::new(buffer_budget(budget)),
            holds: holds::Holds::default(),
            orphans: rustc_hash::FxHashSet::default(),
            directory_paths: FxHashMap::default(),
            blocks: ByteCache::new("blocks", block_budget(budget), buffer::BLOCK),
            compressor: Compressor::new(),
            decompressors: Mutex::new(Vec::new()),
            heat: Mutex::new(FxHashMap::default()),
            import: None,
            level_limit: None,
            lent: 0,
            hash_keys,
            budget,
        }
    }

    /// Makes a new filesystem in a new store, and both durable.
    ///
    /// # Errors
    /// As [`Store::found`].
    pub fn create(store: Store, budget: usize, settings: Settings) -> Result<Fs> {
        let mut fs = Fs::assemble(store, budget);
        let now = fs.now();
        let root = Inode::new(inode::DIRECTORY | 0o755, 0, 0, now, ROOT);
        fs.store.atomically(|store| {
            store.state_mut().head.counters.directories = 1;
            head::put_inode(store, ROOT, &root)
        })?;
        fs.settings = settings.clone();
        fs.configure(settings)?;
        fs.store.found()?;
        Ok(fs)
    }

    /// Opens the filesystem of a store. Removes what was left of files that were open without a
    /// name when the map was last in use.
    ///
    /// # Errors
    /// `Corrupt` when the root directory or the settings are damaged, `Io`.
    pub fn open(store: Store, budget: usize) -> Result<Fs> {
        let mut fs = Fs::assemble(store, budget);
        fs.settings = fs.read_settings()?;
        let root = fs.inode(&fs.store.state().head, ROOT)?;
        if !root.is_directory() {
            return Err(Error::corrupt("the root of the filesystem is not a directory"));
        }
        if !fs.store.is_read_only() {
            fs.reap_orphans()?;
        }
        Ok(fs)
    }

    /// The store below.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Keeps what is decompressed rather than what is stored, where there is room to choose: for
    /// a surface that is asked for the same data again.
    pub fn favour_blocks(&mut self) {
        self.store.lend_to_blocks();
        self.settle_cache();
    }

    /// Gives the blocks what is lent to them at present.
    pub(crate) fn settle_cache(&mut self) {
        let lent = self.store.lent();
        if lent != self.lent {
            self.lent = lent;
            self.blocks.set_budget(block_budget(self.budget) + lent);
        }
    }

    /// What each cache did and holds, the one nearest to the reader first: decompressed blocks,
    /// nodes of trees, pages of the allocation table, bands of the picture as stored.
    pub fn cache_figures(&self) -> Vec<CacheFigures> {
        let mut figures = vec![self.blocks.figures()];
        figures.extend(self.store.cache_figures());
        figures
    }

    /// Budget of all caches and buffers together, in bytes.
    pub fn cache_budget(&self) -> usize {
        self.budget
    }

    /// Sets it. What exceeds it goes at once; buffered writes and dirty pages with the next
    /// write or sync.
    pub fn set_cache_budget(&mut self, bytes: usize) {
        self.budget = bytes;
        self.lent = self.store.lent();
        self.blocks.set_budget(block_budget(bytes) + self.lent);
        self.buffers.set_limit(buffer_budget(bytes));
        self.store.set_budget(Budget::of(bytes));
    }

    /// Empties every cache. What is not written yet is no cache and stays.
    pub fn drop_caches(&self) {
        self.blocks.clear();
        self.store.drop_caches();
    }

    pub fn root_of(&self, view: View) -> Root {
        match view {
            View::Head => self.store.state().head,
            View::Snapshot(root) => root,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    /// Checks that `length` bytes from `offset` on stay within the largest file.
    pub(crate) fn check_range(offset: u64, length: u64) -> Result<u64> {
        offset
            .checked_add(length)
            .filter(|&end| end <= crate::base::limits::MAX_FILE)
            .ok_or_else(|| Error::new(Code::FileTooBig, "a file ends at 2^63 - 1 bytes"))
    }

    /// Adds one observed read of an extent.
    fn note_read(&self, first: u64) {
        const TRACKED: usize = 1 << 16;
        let mut heat = self.heat.lock().unwrap_or_else(PoisonError::into_inner);
        let room = heat.len() < TRACKED;
        if let Some(count) = heat.get_mut(&first) {
            *count = count.saturating_add(1);
        } else if room {
            heat.insert(first, 1);
        }
    }

    /// Visits the reads observed since they were last written into the table: first cluster of
    /// the extent, and the steps of heat they will add.
    pub fn for_pending_heat(&self, visit: &mut dyn FnMut(u64, u8)) {
        let heat = self.heat.lock().unwrap_or_else(PoisonError::into_inner);
        heat.iter().for_each(|(&first, &reads)| visit(first, steps(reads)));
    }

    /// Keeps from now on which pages of the table change, for a picture that follows them.
    pub fn watch(&mut self) {
        self.store.watch.begin();
    }

    /// Writes observed reads into the table: each doubling of the reads since the last time is
    /// one step of heat. Only when something else is written anyway.
    pub(crate) fn fold_heat(&mut self) -> Result<()> {
        let heat = std::mem::take(&mut *self.heat.lock().unwrap_or_else(PoisonError::into_inner));
        self.store.atomically(|store| {
            for (first, reads) in heat {
                match store.warm(first, steps(reads)) {
                    // A hint is not worth failing for; who reads there is told.
                    Err(error) if error.code() != Code::Corrupt => return Err(error),
                    _ => {}
                }
            }
            Ok(())
        })
    }

    /// Everything written so far becomes durable.
    ///
    /// # Errors
    /// `NoSpace`, `Io`, `Poisoned`.
    pub fn sync(&mut self) -> Result<()> {
        self.flush_all(true)?;
        self.store.commit()?;
        self.checkpoint_if_due()
    }

    /// What was written to `ino`, and every name so far, becomes durable.
    ///
    /// # Errors
    /// As [`Fs::sync`].
    pub fn sync_file(&mut self, ino: u64) -> Result<()> {
        self.flush(&[ino], true)?;
        self.store.commit()?;
        self.checkpoint_if_due()
    }

    fn checkpoint_if_due(&mut self) -> Result<()> {
        if self.store.checkpoint_due() { self.checkpoint() } else { Ok(()) }
    }

    /// Flushes, commits and writes everything home.
    ///
    /// # Errors
    /// As [`Store::checkpoint`].
    pub fn checkpoint(&mut self) -> Result<()> {
        self.flush_all(false)?;
        self.fold_heat()?;
        self.store.checkpoint()
    }

    /// The present state, buffered writes excepted, as a filesystem of its own that can be read
    /// while this one goes on; and what says whether it still can.
    ///
    /// # Errors
    /// As [`Store::pin`]; `Busy` during an import.
    pub fn pin(&mut self) -> Result<(Arc<Pinned>, Fs)> {
        if self.is_importing() {
            return Err(Error::new(Code::Busy, "an import is under way"));
        }
        let (pinned, store) = self.store.pin()?;
        Ok((pinned, Fs::open(store, 8 << 20)?))
    }

    /// As [`Fs::checkpoint`], with parity brought up to date; afterwards the file alone is the
    /// map, and a strictly valid picture.
    ///
    /// # Errors
    /// As [`Store::checkpoint`].
    pub fn close(&mut self) -> Result<()> {
        if self.store.is_read_only() {
            return Ok(());
        }
        // What a damaged file keeps from its place is lost; everything else must not be.
        let mut damage = flush::Damage::default();
        damage.pass(self.flush_all(false))?;
        let nameless: Vec<u64> = self.orphans.iter().copied().collect();
        self.holds.clear();
        for ino in nameless {
            damage.pass(self.reap(ino))?;
        }
        self.store.close()?;
        damage.told()
    }
}
