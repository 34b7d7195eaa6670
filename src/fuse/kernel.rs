//! What we tell the kernel unasked: which of the things it keeps are to be written back or are
//! not true any more.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use fuser::{Generation, INodeNo, Notifier};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::base::{Code, Result};
use crate::fs::{Fs, Inode, View};

/// The kernel's side of a mount.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    notifier: OnceLock<Notifier>,
    /// Generations of inodes that became another file; 0 where nothing is said.
    generations: RwLock<FxHashMap<u64, u64>>,
    /// Times that happened.
    replacements: AtomicU64,
    /// Files whose number of blocks the kernel has wrong.
    outdated: Mutex<Outdated>,
    /// There are such files, or it is over.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Outdated {
    files: FxHashSet<u64>,
    over: bool,
}

/// The kernel is told of changed blocks this much later, of many files at once.
const DELAY: Duration = Duration::from_millis(50);

/// What the kernel may know of a state of the map.
#[derive(Default)]
pub(super) struct Known {
    /// Names of directories, with their inodes.
    names: BTreeMap<u64, BTreeMap<Vec<u8>, u64>>,
    /// Regular files.
    files: BTreeMap<u64, Inode>,
}

impl Kernel {
    /// The session is there.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn attach(self: &Arc<Self>, notifier: Notifier) -> io::Result<()> {
        // A mount has one session.
        let _ = self.notifier.set(notifier);
        let kernel = Arc::clone(self);
        let thread = std::thread::Builder::new().name("attributes".to_owned());
        thread.spawn(move || kernel.tell_of_blocks()).map(drop)
    }

    /// The session is over.
    pub(super) fn detach(&self) {
        self.outdated.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        self.changed.notify_all();
    }

    /// Pages of a file were written back: its blocks are not what the kernel was told, which it
    /// does not expect of pages it keeps itself.
    pub(super) fn outdated(&self, ino: u64) {
        let mut outdated = self.outdated.lock().unwrap_or_else(PoisonError::into_inner);
        let first = outdated.files.is_empty();
        outdated.files.insert(ino);
        drop(outdated);
        if first {
            self.changed.notify_one();
        }
    }

    /// The kernel is being told the attributes of a file.
    pub(super) fn told(&self, ino: u64) {
        self.outdated.lock().unwrap_or_else(PoisonError::into_inner).files.remove(&ino);
    }

    /// Lets the kernel ask again for the attributes of an inode. Not to be called by a thread that
    /// serves requests.
    pub(super) fn ask_again(&self, ino: u64) {
        // Attributes alone: no offset. What the kernel has forgotten needs nothing.
        if let Some(notifier) = self.notifier.get()
            && let Err(error) = notifier.inval_inode(INodeNo(ino), -1, 0)
        {
            log::info!("the kernel may show old attributes: {error}");
        }
    }

    /// Tells of changed blocks. On a thread of its own: it may have to wait for an inode that is
    /// about to be forgotten, and so for requests.
    fn tell_of_blocks(&self) {
        let mut outdated = self.outdated.lock().unwrap_or_else(PoisonError::into_inner);
        while !outdated.over {
            if outdated.files.is_empty() {
                outdated = self.changed.wait(outdated).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = self.changed.wait_timeout_while(outdated, DELAY, |now| !now.over);
            outdated = waited.unwrap_or_else(PoisonError::into_inner).0;
            let files = std::mem::take(&mut outdated.files);
            drop(outdated);
            files.into_iter().for_each(|ino| self.ask_again(ino));
            outdated = self.outdated.lock().unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Writes back what the kernel holds of a file, and lets it forget the pages. Requests for
    /// the writes come in meanwhile: not to be called by a thread that serves requests.
    pub(super) fn write_back(&self, ino: u64) {
        if let Some(notifier) = self.notifier.get()
            && let Err(error) = notifier.inval_inode(INodeNo(ino), 0, 0)
        {
            log::warn!("the kernel does not write back inode {ino}: {error}");
        }
    }

    /// The generation of an inode.
    pub(super) fn generation(&self, ino: u64) -> Generation {
        if self.replacements.load(Ordering::Acquire) == 0 {
            return Generation(0);
        }
        let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
        Generation(generations.get(&ino).copied().unwrap_or(0))
    }

    /// The map holds other content than before: whatever differs is asked for again.
    ///
    /// Of a regular file the kernel keeps size and times itself, and believes its own. So one that
    /// changed gets another generation: found by its name again it is a new file to the kernel,
    /// and whoever holds the old one open gets EIO.
    pub(super) fn replaced(&self, before: &Known, after: &Known, held: &[u64]) {
        let Some(notifier) = self.notifier.get() else { return };
        let changed: BTreeSet<u64> = before
            .files
            .iter()
            .filter(|(ino, inode)| after.files.get(*ino) != Some(*inode))
            .map(|(&ino, _)| ino)
            .collect();
        let generation = self.replacements.fetch_add(1, Ordering::AcqRel) + 1;
        let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        generations.extend(changed.iter().map(|&ino| (ino, generation)));
        drop(generations);
        let told = |result: io::Result<()>| {
            if let Err(error) = result {
                log::warn!("the kernel may show what is gone: {error}");
            }
        };
        let nothing = BTreeMap::new();
        for (&directory, names) in &before.names {
            let now = after.names.get(&directory).unwrap_or(&nothing);
            let other = names
                .iter()
                .filter(|(name, ino)| now.get(*name) != Some(ino) || changed.contains(ino));
            let new = now.iter().filter(|(name, _)| !names.contains_key(*name));
            for (name, _) in other.chain(new) {
                told(notifier.inval_entry(INodeNo(directory), OsStr::from_bytes(name)));
            }
        }
        for &ino in held {
            told(notifier.inval_inode(INodeNo(ino), 0, 0));
        }
    }
}

/// What a view has of the inodes in `held`, and of the root.
pub(super) fn known(fs: &Fs, view: View, held: &[u64]) -> Result<Known> {
    let mut known = Known::default();
    for &ino in held.iter().chain(&[crate::fs::ROOT]) {
        let inode = match fs.stat(view, ino) {
            Ok(inode) => inode,
            // Not there in this state.
            Err(error) if error.code() == Code::NotFound => continue,
            Err(error) => return Err(error),
        };
        if inode.is_regular() {
            known.files.insert(ino, inode);
            continue;
        }
        if !inode.is_directory() {
            continue;
        }
        let names = known.names.entry(ino).or_default();
        fs.read_directory(view, ino, 0, &mut |entry, _| {
            names.insert(entry.name.clone(), entry.ino);
            true
        })?;
    }
    Ok(known)
}

/// A piece of work for the thread beside those that serve requests.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// A thread for requests that need other requests to be served before they can be answered.
///
/// # Errors
/// When the system gives no thread.
pub(super) fn aside() -> io::Result<Sender<Job>> {
    let (sender, jobs) = channel::<Job>();
    std::thread::Builder::new()
        .name("aside".to_owned())
        .spawn(move || jobs.into_iter().for_each(|job| job()))?;
    Ok(sender)
}
