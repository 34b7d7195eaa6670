//! What changed from one state of the map to another, by path.
//!
//! Two trees share the nodes that did not change, so only the rest is looked at: which inodes,
//! names and stretches differ. From these the directories on the way are marked, and names are
//! compared in marked directories only. A rename is a removal and an addition.

use std::cmp::Ordering;

use rustc_hash::FxHashSet;

use super::Plane;
use super::hit::unless_damaged;
use crate::base::limits::MAX_PATH;
use crate::base::{Result, order};
use crate::fs::dir::Entry;
use crate::fs::{FileType, Fs, Inode, ROOT, View};
use crate::tree::{difference, item};

/// What happened to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Added,
    Removed,
    Changed,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub what: What,
    /// With a leading slash.
    pub path: Vec<u8>,
    pub file_type: FileType,
    /// Bytes; of a directory nothing.
    pub before: Option<u64>,
    pub after: Option<u64>,
}

/// All changes, of which the first are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub list: Vec<Change>,
    pub added: u64,
    pub removed: u64,
    pub changed: u64,
}

impl Changes {
    pub fn is_truncated(&self) -> bool {
        (self.list.len() as u64) < self.added + self.removed + self.changed
    }
}

/// Ways to the root are followed no further: a map may say that directories contain each other.
/// Paths longer than a path may be are not gone into for the same reason.
const DEEPEST: usize = 4096;

/// What differs between two trees.
#[derive(Default)]
struct Differences {
    /// Inodes whose content or attributes differ.
    touched: FxHashSet<u64>,
    /// Directories below which something differs, by inode.
    marked: FxHashSet<u64>,
}

/// Compares the states `before` and `after`; `limit` changes are listed.
///
/// # Errors
/// `Corrupt` or `Io` from the trees.
pub fn compare(fs: &Fs, before: View, after: View, limit: usize) -> Result<Changes> {
    let mut differences = Differences::default();
    let mut owners: Vec<u64> = Vec::new();
    let (old, new) = (fs.root_of(before), fs.root_of(after));
    difference::walk(fs.store(), &old, &new, &mut |key| {
        let ino = key.object();
        match key.kind() {
            item::ENTRY => owners.push(ino),
            item::INODE | item::DATA | item::SYMLINK if differences.touched.insert(ino) => {
                owners.push(ino);
            }
            _ => {}
        }
    })?;
    for view in [before, after] {
        for &ino in &owners {
            differences.mark(fs, view, ino)?;
        }
    }
    let mut comparison = Comparison {
        fs,
        views: [before, after],
        differences,
        limit,
        changes: Changes::default(),
        seen: FxHashSet::default(),
    };
    comparison.run()?;
    Ok(comparison.changes)
}

impl Differences {
    /// Marks an inode and the directories it lies in.
    fn mark(&mut self, fs: &Fs, view: View, ino: u64) -> Result<()> {
        let mut at = ino;
        for _ in 0..DEEPEST {
            let Some(inode) = unless_damaged(fs.stat(view, at))? else { break };
            // A directory that was there already has its ancestors; the first one may be there
            // from the other state, where it lay elsewhere.
            if !self.marked.insert(at) && at != ino || at == ROOT {
                break;
            }
            at = inode.parent;
        }
        Ok(())
    }
}

/// Two directories of the same path; one of them may be missing.
struct Pair {
    path: Vec<u8>,
    sides: [Option<u64>; 2],
}

struct Comparison<'a> {
    fs: &'a Fs,
    /// Before and after.
    views: [View; 2],
    differences: Differences,
    limit: usize,
    changes: Changes,
    /// Pairs of directories that were compared: each once, whatever the map says.
    seen: FxHashSet<[Option<u64>; 2]>,
}

impl Comparison<'_> {
    fn run(&mut self) -> Result<()> {
        let mut waiting = vec![Pair { path: Vec::new(), sides: [Some(ROOT), Some(ROOT)] }];
        while let Some(pair) = waiting.pop() {
            if pair.path.len() > MAX_PATH || !self.seen.insert(pair.sides) {
                continue;
            }
            let mut below = self.directories(&pair)?;
            below.reverse();
            waiting.append(&mut below);
        }
        order::by(&mut self.changes.list, |a, b| a.path.cmp(&b.path));
        Ok(())
    }

    fn names(&self, side: usize, directory: Option<u64>) -> Result<Vec<Entry>> {
        let mut names = Vec::new();
        if let Some(directory) = directory {
            self.fs.read_directory(self.views[side], directory, 0, &mut |entry, _| {
                names.push(entry.clone());
                true
            })?;
        }
        order::by(&mut names, |a, b| a.name.cmp(&b.name));
        Ok(names)
    }

    /// Compares the names of two directories; returns those to compare next.
    fn directories(&mut self, pair: &Pair) -> Result<Vec<Pair>> {
        let [old, new] = [self.names(0, pair.sides[0])?, self.names(1, pair.sides[1])?];
        let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
        let mut below = Vec::new();
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return Ok(below),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => old.name.cmp(&new.name),
            };
            let sides = [
                if order.is_le() { old.next() } else { None },
                if order.is_ge() { new.next() } else { None },
            ];
            self.entries(pair, sides, &mut below)?;
        }
    }

    /// What became of one name.
    fn entries(
        &mut self,
        pair: &Pair,
        sides: [Option<&Entry>; 2],
        below: &mut Vec<Pair>,
    ) -> Result<()> {
        let name = sides.iter().flatten().next().map_or(&[][..], |entry| &entry.name);
        let path = [&pair.path[..], b"/", name].concat();
        let mut go_down = |sides: [Option<u64>; 2]| {
            below.push(Pair { path: path.clone(), sides });
        };
        let is_directory = |entry: &Entry| entry.file_type == FileType::Directory;
        if let [Some(old), Some(new)] = sides
            && old.file_type == new.file_type
        {
            let same = old.ino == new.ino;
            let differs = !same || self.differences.touched.contains(&new.ino);
            if differs && self.content_differs(old, new)? {
                self.tell(What::Changed, &path, sides)?;
            }
            if is_directory(new) && (!same || self.differences.marked.contains(&new.ino)) {
                go_down([Some(old.ino), Some(new.ino)]);
            }
            return Ok(());
        }
        for (side, what) in [What::Removed, What::Added].into_iter().enumerate() {
            let Some(entry) = sides[side] else { continue };
            let mut alone = [None, None];
            alone[side] = Some(entry);
            self.tell(what, &path, alone)?;
            if is_directory(entry) {
                go_down(alone.map(|entry| entry.map(|entry| entry.ino)));
            }
        }
        Ok(())
    }

    fn inode(&self, side: usize, ino: u64) -> Result<Option<Inode>> {
        unless_damaged(self.fs.stat(self.views[side], ino))
    }

    /// Whether what stands under one name differs in content or permissions. That its bytes were
    /// moved or compressed again is no change.
    fn content_differs(&self, old: &Entry, new: &Entry) -> Result<bool> {
        let (Some(before), Some(after)) = (self.inode(0, old.ino)?, self.inode(1, new.ino)?) else {
            return Ok(true);
        };
        let rights = |inode: &Inode| (inode.mode, inode.uid, inode.gid);
        let content = |inode: &Inode| (inode.size, inode.modified);
        if rights(&before) != rights(&after) {
            return Ok(true);
        }
        if before.is_symlink() {
            let target =
                |side: usize, ino| unless_damaged(self.fs.read_link(self.views[side], ino));
            return Ok(target(0, old.ino)? != target(1, new.ino)?);
        }
        Ok(!before.is_directory() && content(&before) != content(&after))
    }

    fn tell(&mut self, what: What, path: &[u8], sides: [Option<&Entry>; 2]) -> Result<()> {
        match what {
            What::Added => self.changes.added += 1,
            What::Removed => self.changes.removed += 1,
            What::Changed => self.changes.changed += 1,
        }
        let Some(entry) = sides[1].or(sides[0]) else { return Ok(()) };
        if self.changes.list.len() >= self.limit {
            return Ok(());
        }
        let size = |side: usize| -> Result<Option<u64>> {
            match sides[side] {
                Some(entry) => {
                    let inode = self.inode(side, entry.ino)?.filter(|inode| !inode.is_directory());
                    Ok(inode.map(|inode| inode.size))
                }
                None => Ok(None),
            }
        };
        let (before, after) = (size(0)?, size(1)?);
        let (path, file_type) = (path.to_vec(), entry.file_type);
        self.changes.list.push(Change { what, path, file_type, before, after });
        Ok(())
    }
}

impl Plane {
    /// What changed from the base to this state, by path; nothing without a base.
    ///
    /// # Errors
    /// As [`compare`].
    pub fn changes(&self, fs: &Fs, limit: usize) -> Result<Changes> {
        match &self.base {
            Some(base) => compare(fs, base.view, self.present.view, limit),
            None => Ok(Changes::default()),
        }
    }
}
