//! Inodes, names, links and directories of one tree against each other.
//!
//! Items come in key order, so everything about one object is judged as it passes. Names lead to
//! inodes anywhere, so those are held in a window of bounded size, and the entries are read once
//! for each window.

use super::Check;
use super::report::{
    ALLOCATED, ATTRIBUTE, BEYOND_END, COUNTERS, DIRECTORY, DIRECTORY_COUNT, ENTRY, ENTRY_DANGLING,
    FILE_OVERLAP, INODE_LOST, LINK_COUNT, NAMELESS, ORPHAN, Problem, STRAY_ITEM, SYMLINK, Severity,
};
use crate::base::Result;
use crate::commit::{Counters, Store};
use crate::fs::{FileType, Fs, Inode, ROOT, View, dir, inspect};
use crate::tree::item::{self, Source, Stretch};
use crate::tree::{Key, node};

/// Inodes held at once: 24 bytes each.
const WINDOW: usize = 1 << 20;
/// The object whose items concern the map as a whole.
const SYSTEM: u64 = 0;

/// A range of keys that is lost; `None` is the end of all keys.
type Range = (Key, Option<Key>);
/// Gets what was lost so far, an item's key and its value.
type Visit<'v> = &'v mut dyn FnMut(&[Range], Key, &[u8]) -> Result<()>;

/// Walks the items of a tree in key order. Nodes that cannot be read, or hold keys that are not
/// theirs, are skipped, and the keys they should cover are told.
struct Items<'s> {
    store: &'s Store,
    /// In ascending order.
    lost: Vec<Range>,
}

impl<'s> Items<'s> {
    fn new(store: &'s Store) -> Items<'s> {
        Items { store, lost: Vec::new() }
    }

    fn walk(
        &mut self,
        cluster: u64,
        level: u8,
        low: Key,
        high: Option<Key>,
        visit: Visit<'_>,
    ) -> Result<()> {
        let page = match self.store.node(cluster) {
            Ok(page) if node::level(&page) == level => page,
            _ => {
                self.lost.push((low, high));
                return Ok(());
            }
        };
        let count = node::count(&page);
        let inside = |key: Key| key >= low && high.is_none_or(|high| key < high);
        if level == 0 {
            for index in 0..count {
                let key = node::key(&page, index);
                if inside(key) {
                    visit(&self.lost, key, node::value(&page, index))?;
                }
            }
            return Ok(());
        }
        // With its keys in their range no node can be met twice in a walk, whoever made the map.
        if (0..count).any(|index| !inside(node::key(&page, index))) {
            self.lost.push((low, high));
            return Ok(());
        }
        for index in 0..count {
            let from = node::key(&page, index);
            let to = if index + 1 < count { Some(node::key(&page, index + 1)) } else { high };
            self.walk(node::child(&page, index), level - 1, from, to, visit)?;
        }
        Ok(())
    }
}

/// Whether keys from `from` up to, not including, `to` are lost.
fn is_lost(lost: &[Range], from: Key, to: Key) -> bool {
    lost.iter().any(|(low, high)| *low < to && high.is_none_or(|high| high > from))
}

fn object_is_lost(lost: &[Range], object: u64) -> bool {
    is_lost(lost, Key::new(object, 0, 0), Key::new(object, u8::MAX, u64::MAX))
}

/// What is known of an inode that names may lead to.
struct Known {
    ino: u64,
    links: u32,
    found: u32,
    file_type: FileType,
    orphan: bool,
}

/// What has been seen of the object whose items are passing.
struct Object {
    ino: u64,
    inode: Option<Inode>,
    entries: u64,
    subdirectories: u32,
    /// Where the last stretch of file data ended.
    data_end: u64,
    allocated: u64,
    target: u64,
    /// Values in pieces: offset of the first piece, bytes wanted, bytes found.
    values: Vec<(u64, u64, u64)>,
    stray_pieces: bool,
}

impl Object {
    fn new(ino: u64) -> Object {
        Object {
            ino,
            inode: None,
            entries: 0,
            subdirectories: 0,
            data_end: 0,
            allocated: 0,
            target: 0,
            values: Vec::new(),
            stray_pieces: false,
        }
    }
}

/// The check of one tree's names.
struct Names<'c, 'a, 'p> {
    check: &'c mut Check<'a, 'p>,
    view: View,
    /// Said behind every message about a snapshot.
    place: String,
    object: Object,
    window: Vec<Known>,
    orphans: Vec<u64>,
    /// Directories with their parents.
    directories: Vec<(u64, u64)>,
    counters: Counters,
}

impl<'a> Check<'a, '_> {
    /// Checks the names of the present state or of a snapshot.
    pub(super) fn names(&mut self, view: View, snapshot: Option<&[u8]>) -> Result<()> {
        let fs = self.fs;
        let root = match view {
            View::Head => fs.store().state().head,
            View::Snapshot(root) => root,
        };
        let place = snapshot.map_or(String::new(), |name| {
            format!(" in snapshot '{}'", String::from_utf8_lossy(name))
        });
        let mut names = Names {
            check: self,
            view,
            place,
            object: Object::new(SYSTEM),
            window: Vec::new(),
            orphans: Vec::new(),
            directories: Vec::new(),
            counters: Counters::default(),
        };
        let mut from = 0;
        let mut first = true;
        loop {
            let mut items = Items::new(fs.store());
            let mut full = false;
            names.window.clear();
            let collect = &mut |lost: &[Range], key: Key, value: &[u8]| {
                names.collect(key, value, from, &mut full);
                if first { names.pass(lost, key, value) } else { Ok(()) }
            };
            if root.cluster != 0 {
                items.walk(root.cluster, root.level, Key::MIN, None, collect)?;
            }
            let lost = std::mem::take(&mut items.lost);
            if first {
                names.finish_object(&lost);
                names.mark_orphans(&lost);
            }
            let until = match names.window.last() {
                Some(last) if full => last.ino + 1,
                _ => u64::MAX,
            };
            let follow = &mut |_: &[Range], key: Key, value: &[u8]| {
                names.follow(&lost, key, value, from..until);
                Ok(())
            };
            if root.cluster != 0 {
                items.walk(root.cluster, root.level, Key::MIN, None, follow)?;
            }
            names.finish_window(&lost);
            if until == u64::MAX {
                names.cycles();
                if lost.is_empty() {
                    names.compare_counters(&root.counters);
                }
                break;
            }
            from = until;
            first = false;
        }
        if view == View::Head {
            let counters = names.counters;
            self.report.files = counters.files + counters.symlinks + counters.others;
            self.report.directories = counters.directories;
        }
        Ok(())
    }
}

impl Names<'_, '_, '_> {
    fn fs(&self) -> &Fs {
        self.check.fs
    }

    fn add(&mut self, problem: Problem, ino: u64) {
        let path = if problem.path.is_some() || self.check.findings.is_full(Severity::Lost) {
            problem.path
        } else {
            self.fs().path_of(self.view, ino).ok().flatten()
        };
        let message = format!("{}{}", problem.message, self.place);
        self.check.findings.add(Problem { message, path, ..problem });
    }

    fn collect(&mut self, key: Key, value: &[u8], from: u64, full: &mut bool) {
        if key.kind() != item::INODE || key.object() < from || key.object() == SYSTEM {
            return;
        }
        if self.window.len() >= WINDOW {
            *full = true;
            return;
        }
        if let Ok(inode) = Inode::decode(key.object(), value) {
            self.window.push(Known {
                ino: key.object(),
                links: inode.links,
                found: 0,
                file_type: inode.file_type(),
                orphan: false,
            });
        }
    }

    /// One item of the first walk.
    fn pass(&mut self, lost: &[Range], key: Key, value: &[u8]) -> Result<()> {
        let ino = key.object();
        if ino != self.object.ino {
            self.finish_object(lost);
            self.object = Object::new(ino);
        }
        if ino == SYSTEM {
            if key.kind() == item::ORPHAN {
                self.orphans.push(key.offset);
            }
            return Ok(());
        }
        match key.kind() {
            item::INODE => {
                if let Ok(inode) = Inode::decode(ino, value) {
                    self.count(&inode);
                    self.object.inode = Some(inode);
                }
            }
            item::ENTRY => {
                for entry in dir::decode(value).unwrap_or_default() {
                    self.object.entries += 1;
                    self.object.subdirectories += u32::from(entry.file_type == FileType::Directory);
                }
            }
            item::XATTR => {
                for attribute in inspect::attributes(value).unwrap_or_default() {
                    if let Some((first, length)) = attribute.pieces {
                        self.object.values.push((first, u64::from(length), 0));
                    }
                }
            }
            item::SYMLINK => self.object.target += value.len() as u64,
            item::PIECE => {
                let first = inspect::first_piece(key.offset);
                match self.object.values.iter_mut().find(|value| value.0 == first) {
                    Some(found) => found.2 += value.len() as u64,
                    None => self.object.stray_pieces = true,
                }
            }
            item::DATA => self.data(key, value),
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, inode: &Inode) {
        let counters = &mut self.counters;
        match inode.file_type() {
            FileType::Regular => {
                counters.files += 1;
                counters.bytes = counters.bytes.saturating_add(inode.size);
            }
            FileType::Directory => counters.directories += 1,
            FileType::Symlink => counters.symlinks += 1,
            _ => counters.others += 1,
        }
    }

    fn data(&mut self, key: Key, value: &[u8]) {
        // What cannot be decoded has been told by the walk through the nodes.
        let Ok(stretch) = Stretch::decode(key, value) else { return };
        if matches!(stretch.source, Source::Raw(_) | Source::Zstd(_) | Source::Inline(_)) {
            self.object.allocated = self.object.allocated.saturating_add(stretch.length);
        }
        if key.offset < self.object.data_end {
            let problem = Problem::new(FILE_OVERLAP, "two stretches of a file overlap");
            self.add(problem.offset(key.offset), key.object());
        }
        self.object.data_end = self.object.data_end.max(key.offset + stretch.length);
    }

    /// Judges the object whose items have all passed.
    fn finish_object(&mut self, lost: &[Range]) {
        let object = std::mem::replace(&mut self.object, Object::new(SYSTEM));
        let ino = object.ino;
        if ino == SYSTEM || object_is_lost(lost, ino) {
            return;
        }
        let Some(inode) = &object.inode else {
            let what = format!("object {ino} has items but no inode");
            self.add(Problem::new(STRAY_ITEM, what), ino);
            return;
        };
        let differs = |class, what: &str, expected: u64, found: u64| {
            (expected != found).then(|| Problem::new(class, what).values(expected, found))
        };
        let mut problems = Vec::new();
        match inode.file_type() {
            FileType::Directory => {
                self.directories.push((ino, inode.parent));
                let what = "a directory has another number of entries than its inode says";
                problems.push(differs(DIRECTORY_COUNT, what, object.entries, inode.size));
                let links = if inode.links == 0 { 0 } else { 2 + object.subdirectories };
                let what = "the link count of a directory does not fit its subdirectories";
                problems.push(differs(
                    DIRECTORY_COUNT,
                    what,
                    u64::from(links),
                    u64::from(inode.links),
                ));
            }
            FileType::Regular => {
                let what = "a file has another number of stored bytes than its inode says";
                problems.push(differs(ALLOCATED, what, object.allocated, inode.allocated));
                if object.data_end > inode.size {
                    let what = "a file has data behind its end";
                    let values = Problem::new(BEYOND_END, what).values(inode.size, object.data_end);
                    problems.push(Some(values));
                }
            }
            FileType::Symlink => {
                let what = "a symbolic link has a target of another length";
                problems.push(differs(SYMLINK, what, inode.size, object.target));
            }
            _ => {}
        }
        let misplaced = object.entries > 0 && !inode.is_directory()
            || object.data_end > 0 && !inode.is_regular()
            || object.target > 0 && !inode.is_symlink();
        if misplaced || object.stray_pieces {
            let what = "an inode has items that do not belong to its type";
            problems.push(Some(Problem::new(STRAY_ITEM, what)));
        }
        for (_, wanted, found) in &object.values {
            let what = "an attribute has lost a part of its value";
            problems.push(differs(ATTRIBUTE, what, *wanted, *found));
        }
        for problem in problems.into_iter().flatten() {
            self.add(problem, ino);
        }
    }

    fn known(&mut self, ino: u64) -> Option<&mut Known> {
        let at = self.window.binary_search_by_key(&ino, |known| known.ino).ok()?;
        self.window.get_mut(at)
    }

    fn mark_orphans(&mut self, lost: &[Range]) {
        let partial = self.window.len() >= WINDOW;
        for ino in std::mem::take(&mut self.orphans) {
            match self.known(ino) {
                Some(known) => known.orphan = true,
                None if partial || object_is_lost(lost, ino) => {}
                None => {
                    let what = format!("the list of nameless files names {ino}, which is no inode");
                    self.add(Problem::new(ORPHAN, what), ino);
                }
            }
        }
    }

    /// Follows the names of one item to their inodes, as far as those are in the window.
    fn follow(&mut self, lost: &[Range], key: Key, value: &[u8], window: std::ops::Range<u64>) {
        if key.kind() != item::ENTRY {
            return;
        }
        let directory = key.object();
        for entry in dir::decode(value).unwrap_or_default() {
            if !window.contains(&entry.ino) {
                continue;
            }
            let Some(known) = self.known(entry.ino) else {
                let problem = if object_is_lost(lost, entry.ino) {
                    Problem::new(INODE_LOST, "what a name leads to was in a lost tree node")
                } else {
                    Problem::new(ENTRY_DANGLING, "a name leads to no inode")
                };
                let path = self.entry_path(directory, &entry.name);
                self.add(problem.path(path), directory);
                continue;
            };
            known.found = known.found.saturating_add(1);
            let same_type = known.file_type == entry.file_type;
            if !same_type {
                let what = "a directory entry names another type than its inode has";
                let path = self.entry_path(directory, &entry.name);
                self.add(Problem::new(ENTRY, what).path(path), directory);
            } else if entry.file_type == FileType::Directory {
                let fits = self
                    .fs()
                    .stat(self.view, entry.ino)
                    .is_ok_and(|inode| inode.parent == directory && inode.name == entry.name);
                if !fits {
                    let what = "a directory does not agree with the entry that names it";
                    let path = self.entry_path(directory, &entry.name);
                    self.add(Problem::new(DIRECTORY, what).path(path), directory);
                }
            }
        }
    }

    fn entry_path(&self, directory: u64, name: &[u8]) -> Option<Vec<u8>> {
        if self.check.findings.is_full(Severity::Lost) {
            return None;
        }
        let mut path = self.fs().directory_path(self.view, directory).ok()?;
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Some(path)
    }

    /// Compares the names found with the links the inodes of the window have.
    fn finish_window(&mut self, lost: &[Range]) {
        for at in 0..self.window.len() {
            let Known { ino, links, found, file_type, orphan } = self.window[at];
            let directory = file_type == FileType::Directory;
            let wanted = match (ino, directory) {
                (ROOT, _) => 0,
                (_, true) => u32::from(links > 0),
                (_, false) => links,
            };
            if found != wanted && lost.is_empty() {
                let (class, what) = match (found, directory) {
                    (0, _) => (NAMELESS, "no directory names an inode that should have a name"),
                    (_, true) => (DIRECTORY, "a directory has more than one name"),
                    _ => (LINK_COUNT, "a file has another number of names than its inode says"),
                };
                let problem = Problem::new(class, format!("{what} (inode {ino})"));
                self.add(problem.values(u64::from(found), u64::from(links)), ino);
            }
            if (links == 0) != orphan && lost.is_empty() {
                let what = if orphan {
                    format!("inode {ino} has names and is in the list of nameless files")
                } else {
                    format!("inode {ino} has no name and is not in the list of nameless files")
                };
                self.add(Problem::new(ORPHAN, what), ino);
            }
        }
    }

    /// Finds directories whose parents do not lead to the root.
    fn cycles(&mut self) {
        let directories = std::mem::take(&mut self.directories);
        // 0 not looked at, 1 on the way, 2 leads to the root, 3 does not.
        let mut marks = vec![0u8; directories.len()];
        let place = |ino: u64| directories.binary_search_by_key(&ino, |known| known.0).ok();
        for start in 0..directories.len() {
            let mut way = Vec::new();
            let mut at = Some(start);
            let verdict = loop {
                let Some(index) = at else {
                    // A parent that is no directory: its entry has been told.
                    break 2;
                };
                if marks[index] > 1 {
                    break marks[index];
                }
                if marks[index] == 1 {
                    break 3;
                }
                marks[index] = 1;
                way.push(index);
                if directories[index].0 == ROOT {
                    break 2;
                }
                at = place(directories[index].1);
            };
            for index in way {
                marks[index] = verdict;
                if verdict == 3 {
                    let what = format!("directory {} is its own ancestor", directories[index].0);
                    self.add(Problem::new(DIRECTORY, what), directories[index].0);
                }
            }
        }
    }

    fn compare_counters(&mut self, stated: &Counters) {
        let found = self.counters;
        for (what, found, stated) in [
            ("regular files", found.files, stated.files),
            ("directories", found.directories, stated.directories),
            ("symbolic links", found.symlinks, stated.symlinks),
            ("special files", found.others, stated.others),
            ("bytes in files", found.bytes, stated.bytes),
        ] {
            // Sums that have met the end of their range say nothing.
            if found != stated && found != u64::MAX && stated != u64::MAX {
                let what =
                    format!("the number of {what}{} is not the one written down", self.place);
                self.check.findings.add(Problem::new(COUNTERS, what).values(found, stated));
            }
        }
    }
}
