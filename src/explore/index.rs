//! Whose bytes are where: the file of every cluster that holds data of one state of the map.
//!
//! A [`Walk`] reads the tree in slices and may be interrupted at any time; the map may change
//! between two slices. It goes on from the key it had come to, in the tree as it is by then: what
//! changed behind it is found by the next walk. Four bytes for each cluster of the sheets that
//! hold data, 32 for each file that has clusters.

use rustc_hash::FxHashMap;

use super::palette::tint;
use crate::base::limits::{CLUSTER, MAX_OBJECT};
use crate::base::{Code, Result, order};
use crate::container::Geometry;
use crate::fs::{Fs, Inode, ROOT, View};
use crate::tree::item::{self, Extent, Source, Stretch};
use crate::tree::{Cursor, Key, foresee};

/// The golden section: neighbours in number get hues far apart.
const GOLDEN: f64 = 0.618_033_988_749_895;
/// Several files have bytes in the cluster.
const SHARED: u32 = 1 << 31;
/// So many that none of them has all of it: small files packed together.
const PACKED: u32 = 1 << 30;
/// Part of an extent of which the file uses another part.
const UNUSED: u32 = 1 << 29;
const NUMBER: u32 = UNUSED - 1;
/// Nodes of a level that a walk asks a slow storage for together.
const AHEAD: usize = 64;
/// Clusters of the longest extent.
const LONGEST: u64 = 1024;
/// No way from a directory to the root is followed further: a map may say that directories
/// contain each other.
const DEEPEST: usize = 4096;

/// A file with clusters.
#[derive(Clone, Debug)]
pub struct File {
    pub ino: u64,
    pub parent: u64,
    /// Seconds since 1970.
    pub modified: i64,
    /// See [`tint`].
    pub tint: u16,
    /// By place in [`Index::families`].
    pub family: u32,
}

/// The files below one top directory.
#[derive(Clone, Debug)]
pub struct Family {
    /// The directory; the root for files at the top.
    pub ino: u64,
    pub tint: u16,
    pub clusters: u64,
}

/// An extent of a file that is not the first one found there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Further {
    first: u64,
    clusters: u32,
    file: u32,
}

#[derive(Clone, Copy)]
struct Directory {
    parent: u64,
    look: Option<Look>,
}

/// What a directory gives to the files in it.
#[derive(Clone, Copy)]
struct Look {
    hue: f32,
    depth: u32,
    family: u32,
}

/// The file of every cluster.
#[derive(Clone)]
pub struct Index {
    geometry: Geometry,
    sheets: FxHashMap<u32, Box<[u32]>>,
    pub files: Vec<File>,
    further: Vec<Further>,
    directories: FxHashMap<u64, Directory>,
    /// The directory whose directories are families: the root, or where everything lies in one
    /// directory, that one.
    top: u64,
    pub families: Vec<Family>,
    /// Some of the tree could not be read.
    pub damaged: bool,
}

/// Spreads numbers that follow each other over 0.0..1.0.
fn scatter(number: u64) -> f32 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as f32 / (1u64 << 24) as f32
}

fn golden(number: u64) -> f32 {
    (number as f64 * GOLDEN).fract() as f32
}

impl Index {
    fn new(geometry: Geometry) -> Index {
        Index {
            geometry,
            sheets: FxHashMap::default(),
            files: Vec::new(),
            further: Vec::new(),
            directories: FxHashMap::default(),
            top: ROOT,
            families: vec![Family { ino: ROOT, tint: 0, clusters: 0 }],
            damaged: false,
        }
    }

    /// All of a state at once.
    pub fn collect(fs: &Fs, view: View) -> Index {
        let mut walk = Walk::new(fs, view);
        loop {
            match walk.step(fs, u64::MAX) {
                Ok(false) => {}
                Ok(true) => return walk.finish(),
                // What the medium refuses has no owners.
                Err(_) => {
                    walk.index.damaged = true;
                    return walk.finish();
                }
            }
        }
    }

    /// The slots of a sheet, by index in the sheet, for [`Index::file`].
    pub fn slots(&self, sheet: u32) -> Option<&[u32]> {
        self.sheets.get(&sheet).map(|slots| &**slots)
    }

    /// The first file that has bytes in a cluster.
    #[inline]
    pub fn file(&self, slot: u32) -> Option<&File> {
        self.files.get(((slot & NUMBER) as usize).wrapping_sub(1))
    }

    /// Whether a file has bytes in a cluster: not only in another part of its extent.
    pub fn is_used(slot: u32) -> bool {
        slot & NUMBER != 0 && slot & UNUSED == 0
    }

    /// Whether small files are packed together there.
    pub fn is_packed(slot: u32) -> bool {
        slot & PACKED != 0
    }

    /// Sheets in which files have clusters.
    pub fn sheets(&self) -> impl Iterator<Item = (u32, &[u32])> {
        self.sheets.iter().map(|(&sheet, slots)| (sheet, &**slots))
    }

    /// Every file with bytes in a cluster, in the order of their inodes.
    pub fn owners(&self, cluster: u64) -> Vec<&File> {
        let sheet = self.geometry.sheet_of(cluster);
        let index = self.geometry.index_in_sheet(cluster) as usize;
        let slot = self.slots(sheet).map_or(0, |slots| slots[index]);
        let mut numbers: Vec<u32> = Vec::new();
        numbers.extend((slot & NUMBER).checked_sub(1));
        if slot & SHARED != 0 {
            let end = self.further.partition_point(|entry| entry.first <= cluster);
            for entry in self.further[..end].iter().rev() {
                if entry.first + LONGEST <= cluster {
                    break;
                }
                if cluster < entry.first + u64::from(entry.clusters) {
                    numbers.push(entry.file);
                }
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().filter_map(|number| self.files.get(number as usize)).collect()
    }

    /// Calls `visit` with every cluster of the files that are `chosen`, by place in the list of
    /// files; some of them more than once.
    pub fn for_clusters(&self, chosen: &[bool], visit: &mut dyn FnMut(u64)) {
        let is_chosen = |number: u32| chosen.get(number as usize) == Some(&true);
        for (sheet, slots) in self.sheets() {
            let base = self.geometry.cluster(sheet, 0);
            for (cluster, &slot) in (base..).zip(slots) {
                if slot != 0 && is_chosen((slot & NUMBER).wrapping_sub(1)) {
                    visit(cluster);
                }
            }
        }
        for entry in self.further.iter().filter(|entry| is_chosen(entry.file)) {
            (entry.first..entry.first + u64::from(entry.clusters)).for_each(&mut *visit);
        }
    }

    /// Of all files, which lie below one of these directories.
    pub fn below(&self, directories: &[u64]) -> Vec<bool> {
        // Files of a directory follow each other mostly: remember the answer.
        let mut known: FxHashMap<u64, bool> = directories.iter().map(|&ino| (ino, true)).collect();
        let mut way = Vec::new();
        let one = |file: &File| {
            way.clear();
            let mut at = file.parent;
            let found = loop {
                if let Some(&answer) = known.get(&at) {
                    break answer;
                }
                way.push(at);
                match self.directories.get(&at) {
                    Some(directory) if at != ROOT && way.len() < DEEPEST => at = directory.parent,
                    _ => break false,
                }
            };
            known.extend(way.iter().map(|&directory| (directory, found)));
            found
        };
        self.files.iter().map(one).collect()
    }

    /// Notes what an item of a file says; `number` is the file's place in the list.
    fn claim(&mut self, stretch: &Stretch, extent: &Extent, number: u32) {
        let (first, count) = (extent.first, u32::from(extent.clusters));
        if self.geometry.check_run(first, u64::from(count)).is_err() || number >= NUMBER {
            return;
        }
        let partly = extent.offset > 0 || stretch.length < u64::from(extent.logical);
        // Of raw data it is known which clusters hold it; a frame is whole or nothing.
        let used = match stretch.source {
            Source::Raw(_) => {
                let end = u64::from(extent.offset) + stretch.length;
                let end = end.div_ceil(CLUSTER as u64).min(u64::from(count)) as u32;
                extent.offset / CLUSTER as u32..end
            }
            _ => 0..count,
        };
        let size = self.geometry.sheet_clusters() as usize;
        let sheet = self.geometry.sheet_of(first);
        let slots = self.sheets.entry(sheet).or_insert_with(|| vec![0; size].into_boxed_slice());
        let from = self.geometry.index_in_sheet(first) as usize;
        let mut further = false;
        for (at, slot) in (0..count).zip(&mut slots[from..from + count as usize]) {
            let own = *slot & NUMBER == number + 1;
            if !used.contains(&at) {
                if *slot == 0 {
                    *slot = UNUSED | (number + 1);
                }
            } else if *slot == 0 || *slot & UNUSED != 0 {
                *slot = number + 1;
            } else if !own {
                *slot |= if partly { SHARED | PACKED } else { SHARED };
                further = true;
            }
        }
        if further {
            let first = first + u64::from(used.start);
            self.further.push(Further { first, clusters: used.end - used.start, file: number });
        }
    }

    /// Hue and depth of a directory, and the family it belongs to.
    fn look(&mut self, ino: u64) -> Look {
        let mut way = Vec::new();
        let mut at = ino;
        let mut known = Look { hue: 0.0, depth: 0, family: 0 };
        while at != self.top && at != ROOT && way.len() < DEEPEST {
            match self.directories.get(&at) {
                Some(Directory { look: Some(look), .. }) => {
                    known = *look;
                    break;
                }
                Some(directory) => {
                    way.push(at);
                    at = directory.parent;
                }
                None => break,
            }
        }
        for &below in way.iter().rev() {
            let Look { hue, depth, family } = known;
            // Half the room of the level above, so a family stays together.
            let room = 0.16 / f32::from(1u16 << depth.min(8));
            let hue = hue + (scatter(below) - 0.5) * room;
            known = Look { hue, depth: depth + 1, family };
            if depth == 0 {
                known = self.found(below);
            }
            if let Some(directory) = self.directories.get_mut(&below) {
                directory.look = Some(known);
            }
        }
        known
    }

    /// A new family.
    fn found(&mut self, ino: u64) -> Look {
        let hue = golden(ino);
        self.families.push(Family { ino, tint: tint(hue, 0.6), clusters: 0 });
        Look { hue, depth: 1, family: self.families.len() as u32 - 1 }
    }

    /// Finds the directory below which families differ: all of one hue would say nothing.
    fn find_top(&mut self) {
        let mut only: FxHashMap<u64, Option<u64>> = FxHashMap::default();
        for (&ino, directory) in self.directories.iter().filter(|&(&ino, _)| ino != ROOT) {
            only.entry(directory.parent).and_modify(|only| *only = None).or_insert(Some(ino));
        }
        // With files beside it a directory is one of several things.
        for file in &self.files {
            only.insert(file.parent, None);
        }
        self.top = ROOT;
        for _ in 0..DEEPEST {
            match only.get(&self.top) {
                Some(&Some(below)) => self.top = below,
                _ => return,
            }
        }
    }

    /// Gives the first top directories hues that keep their distance. A directory's hue depends
    /// on older ones only, so it stays when others come.
    fn settle_top(&mut self) {
        const KEPT: usize = 12;
        let mut top: Vec<u64> = self
            .directories
            .iter()
            .filter(|(_, directory)| directory.parent == self.top)
            .map(|(&ino, _)| ino)
            .filter(|&ino| ino != ROOT)
            .collect();
        top.sort_unstable();
        let mut taken: Vec<f32> = Vec::new();
        for &ino in top.iter().take(KEPT) {
            let apart = |hue: f32| {
                let gap = |other: &f32| (hue - other).abs().min(1.0 - (hue - other).abs());
                taken.iter().map(gap).fold(1.0, f32::min)
            };
            let tries = (0..24).map(|step| (golden(ino) + step as f32 * GOLDEN as f32).fract());
            let enough = 0.6 / (taken.len() + 1).max(6) as f32;
            let mut best = golden(ino);
            for hue in tries {
                if apart(hue) > apart(best) {
                    best = hue;
                }
                if apart(best) >= enough {
                    break;
                }
            }
            taken.push(best);
            let mut look = self.found(ino);
            look.hue = best;
            if let Some(family) = self.families.last_mut() {
                // Neighbouring hues differ in lightness too.
                family.tint = tint(best, [0.75, 0.3, 0.55][taken.len() % 3]);
            }
            if let Some(directory) = self.directories.get_mut(&ino) {
                directory.look = Some(look);
            }
        }
    }

    fn finish(&mut self) {
        order::by_number(&mut self.further, |entry| u64::from(entry.file));
        order::by_number(&mut self.further, |entry| entry.first);
        self.further.dedup();
        self.find_top();
        self.settle_top();
        let mut files = std::mem::take(&mut self.files);
        for file in &mut files {
            let look = self.look(file.parent);
            let own = if look.depth == 0 { golden(file.ino) } else { look.hue };
            let own = own + (scatter(file.ino) - 0.5) * 0.05;
            file.tint = tint(own, scatter(file.ino.rotate_left(17)));
            file.family = look.family;
        }
        for slot in self.sheets.values().flat_map(|slots| slots.iter()) {
            if let Some(file) = files.get(((slot & NUMBER) as usize).wrapping_sub(1)) {
                self.families[file.family as usize].clusters += 1;
            }
        }
        self.files = files;
    }
}

/// The way through a tree.
pub struct Walk {
    index: Index,
    view: View,
    at: Key,
    /// The inode whose items are being read, and its place in the list once it has one.
    current: (File, Option<u32>),
    /// Inodes seen so far.
    pub done: u64,
    /// Inodes the tree says it has.
    pub total: u64,
    /// How far to look for something readable behind what is not.
    stride: u64,
}

impl Walk {
    pub fn new(fs: &Fs, view: View) -> Walk {
        let counters = fs.root_of(view).counters;
        let total = [counters.files, counters.directories, counters.symlinks, counters.others];
        let nobody = File { ino: 0, parent: 0, modified: 0, tint: 0, family: 0 };
        Walk {
            index: Index::new(fs.store().geometry()),
            view,
            at: Key::MIN,
            current: (nobody, None),
            done: 0,
            total: total.iter().fold(0, |sum: u64, count| sum.saturating_add(*count)),
            stride: 1,
        }
    }

    /// Reads on, at most `items` items; whether it has come to the end.
    ///
    /// # Errors
    /// Those of the storage; the walk then goes on from the same place when it is called again.
    /// What is damaged is passed over.
    pub fn step(&mut self, fs: &Fs, items: u64) -> Result<bool> {
        self.index.geometry = fs.store().geometry();
        let mut left = items;
        while left > 0 {
            match self.stretch(fs, &mut left) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) if error.code() != Code::Corrupt => {
                    // A storage that fetches is asked for much at once, not node by node.
                    foresee(fs.store(), &fs.root_of(self.view), self.at, AHEAD);
                    return Err(error);
                }
                Err(_) => {
                    // A node is damaged. Whatever was in it, go on behind it.
                    self.index.damaged = true;
                    let next = self.at.object().saturating_add(self.stride);
                    self.stride = self.stride.saturating_mul(2);
                    if next >= MAX_OBJECT {
                        return Ok(true);
                    }
                    self.at = Key::new(next, 0, 0);
                    left -= 1;
                }
            }
        }
        Ok(false)
    }

    /// Reads until an error, the end, or nothing is left to do.
    fn stretch(&mut self, fs: &Fs, left: &mut u64) -> Result<bool> {
        let root = fs.root_of(self.view);
        let mut cursor = Cursor::at(fs.store(), &root, self.at)?;
        while *left > 0 {
            let Some(found) = cursor.advance()? else { return Ok(true) };
            *left -= 1;
            self.at = found.key.successor();
            self.stride = 1;
            self.take(found.key, &found);
        }
        Ok(false)
    }

    fn take(&mut self, key: Key, value: &[u8]) {
        let ino = key.object();
        if key.kind() == item::INODE {
            let Ok(inode) = Inode::decode(ino, value) else { return };
            self.done += 1;
            if inode.is_directory() {
                let directory = Directory { parent: inode.parent, look: None };
                self.index.directories.insert(ino, directory);
            } else {
                let (parent, modified) = (inode.parent, inode.modified.seconds);
                self.current = (File { ino, parent, modified, tint: 0, family: 0 }, None);
            }
        } else if key.kind() == item::DATA
            && self.current.0.ino == ino
            && item::extent_of(key, value).is_some()
            && let Ok(stretch) = Stretch::decode(key, value)
            && let Some(extent) = stretch.extent()
        {
            let number = match self.current.1 {
                Some(number) => number,
                None => {
                    let number = self.index.files.len() as u32;
                    self.index.files.push(self.current.0.clone());
                    self.current.1 = Some(number);
                    number
                }
            };
            self.index.claim(&stretch, extent, number);
        }
    }

    /// Files with clusters found so far.
    pub fn files(&self) -> usize {
        self.index.files.len()
    }

    /// What is known so far, as an index of its own.
    pub fn so_far(&self) -> Index {
        let mut index = self.index.clone();
        index.finish();
        index
    }

    pub fn finish(mut self) -> Index {
        self.index.finish();
        self.index
    }
}
