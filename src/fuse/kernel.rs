//! What we tell the kernel unasked: which of the things it keeps are to be written back or are
//! not true any more.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{OnceLock, PoisonError, RwLock};

use fuser::{Generation, INodeNo, Notifier};
use rustc_hash::FxHashMap;

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
}

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
    pub(super) fn attach(&self, notifier: Notifier) {
        // A mount has one session.
        let _ = self.notifier.set(notifier);
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
