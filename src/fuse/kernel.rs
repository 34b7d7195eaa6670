//! What we tell the kernel unasked: which of the things it keeps are to be written back or are
//! not true any more.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use fuser::{INodeNo, Notifier};

use crate::base::Result;
use crate::fs::{Fs, View};

/// The kernel's side of a mount.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    notifier: OnceLock<Notifier>,
}

/// Names of the directories the kernel knows, with their inodes.
pub(super) type Known = BTreeMap<u64, BTreeMap<Vec<u8>, u64>>;

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

    /// The map holds other content than before: whatever differs is asked for again.
    pub(super) fn replaced(&self, before: &Known, after: &Known, held: &[u64]) {
        let Some(notifier) = self.notifier.get() else { return };
        let told = |result: io::Result<()>| {
            if let Err(error) = result {
                log::warn!("the kernel may show what is gone: {error}");
            }
        };
        let nothing = BTreeMap::new();
        for (&directory, names) in before {
            let now = after.get(&directory).unwrap_or(&nothing);
            let changed = names.iter().filter(|(name, ino)| now.get(*name) != Some(ino));
            let new = now.iter().filter(|(name, _)| !names.contains_key(*name));
            for (name, _) in changed.chain(new) {
                told(notifier.inval_entry(INodeNo(directory), OsStr::from_bytes(name)));
            }
        }
        for &ino in held {
            told(notifier.inval_inode(INodeNo(ino), 0, 0));
        }
    }
}

/// The names that a view has in every directory among `held`, and in the root.
pub(super) fn known(fs: &Fs, view: View, held: &[u64]) -> Result<Known> {
    let mut known = Known::new();
    for &ino in held.iter().chain(&[crate::fs::ROOT]) {
        // What is gone in this state has no names in it.
        if !fs.stat(view, ino).is_ok_and(|inode| inode.is_directory()) {
            continue;
        }
        let names = known.entry(ino).or_default();
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
