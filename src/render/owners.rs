//! Whose bytes are where: a colour for every cluster that holds data of a present file.
//!
//! A file's hue comes from its directory, and that from the one above, in ever smaller steps, so
//! a top directory is a family of hues. Two bytes for each cluster of the sheets that hold data.

use rustc_hash::FxHashMap;

use super::canvas::Color;
use super::palette::hsl;
use crate::container::Geometry;
use crate::fs::{Fs, Inode, ROOT};
use crate::tree::{Cursor, Key, item};

/// The golden section: neighbours in number get hues far apart.
const GOLDEN: f64 = 0.618_033_988_749_895;

#[derive(Clone, Copy)]
struct Directory {
    parent: u64,
    hue: Option<(f32, u32, u64)>,
}

/// Data clusters by file, as colours, and sums by top directory.
pub(super) struct Owners {
    geometry: Geometry,
    sheets: Vec<Option<Box<[u16]>>>,
    /// Clusters by the inode of the directory below the root; the root's own files under the root.
    pub families: FxHashMap<u64, u64>,
}

/// Spreads numbers that follow each other over 0.0..1.0.
fn scatter(number: u64) -> f32 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as f32 / (1u64 << 24) as f32
}

fn golden(number: u64) -> f32 {
    (number as f64 * GOLDEN).fract() as f32
}

impl Owners {
    /// Walks the present tree. What cannot be read has no colour.
    pub fn collect(fs: &Fs) -> Owners {
        let store = fs.store();
        let geometry = store.geometry();
        let mut owners = Owners {
            geometry,
            sheets: vec![None; geometry.sheets() as usize],
            families: FxHashMap::default(),
        };
        let mut directories: FxHashMap<u64, Directory> = FxHashMap::default();
        let root = store.state().head;
        // Directories first: a file may come before the one it lies in.
        if let Ok(mut cursor) = Cursor::at(store, &root, Key::MIN) {
            while let Ok(Some(item)) = cursor.advance() {
                if item.key.kind() == item::INODE
                    && let Ok(inode) = Inode::decode(item.key.object(), &item)
                    && inode.is_directory()
                {
                    let directory = Directory { parent: inode.parent, hue: None };
                    directories.insert(item.key.object(), directory);
                }
            }
        }
        let mut file = (0, 0u16, ROOT);
        if let Ok(mut cursor) = Cursor::at(store, &root, Key::MIN) {
            while let Ok(Some(item)) = cursor.advance() {
                let ino = item.key.object();
                if item.key.kind() == item::INODE
                    && let Ok(inode) = Inode::decode(ino, &item)
                {
                    let (hue, depth, family) = hue(&mut directories, inode.parent);
                    let own = if depth == 0 { golden(ino) } else { hue };
                    let own = own + (scatter(ino) - 0.5) * 0.05;
                    file = (ino, pack(own, scatter(ino.rotate_left(17))), family);
                } else if let Some((first, count)) = item::extent_of(item.key, &item)
                    && file.0 == ino
                {
                    owners.claim(first, count, file.1, file.2);
                }
            }
        }
        owners
    }

    fn claim(&mut self, first: u64, count: u32, color: u16, family: u64) {
        if self.geometry.check_run(first, u64::from(count)).is_err() {
            return;
        }
        let size = self.geometry.sheet_clusters() as usize;
        let sheet = self.geometry.sheet_of(first) as usize;
        let colors = self.sheets[sheet].get_or_insert_with(|| vec![0; size].into_boxed_slice());
        let from = self.geometry.index_in_sheet(first) as usize;
        for place in &mut colors[from..from + count as usize] {
            // A cluster that several files share belongs to the first.
            if *place == 0 {
                *place = color;
                *self.families.entry(family).or_insert(0) += 1;
            }
        }
    }

    pub fn color(&self, sheet: u32, index: u32) -> Option<Color> {
        let packed = self.sheets[sheet as usize].as_ref()?[index as usize];
        (packed != 0).then(|| unpack(packed))
    }

    /// The colour that stands for a top directory.
    pub fn family_color(family: u64) -> Color {
        if family == ROOT { hsl(0.0, 0.0, 0.72) } else { unpack(pack(golden(family), 0.6)) }
    }
}

/// 12 bits of hue, 3 of lightness, and one that is always set.
fn pack(hue: f32, lightness: f32) -> u16 {
    let hue = (hue.rem_euclid(1.0) * 4096.0) as u16 & 0xfff;
    let lightness = (lightness * 8.0) as u16 & 7;
    0x8000 | lightness << 12 | hue
}

fn unpack(packed: u16) -> Color {
    let hue = f32::from(packed & 0xfff) / 4096.0;
    let lightness = f32::from(packed >> 12 & 7) / 8.0;
    hsl(hue, 0.66 + 0.14 * (1.0 - lightness), 0.48 + 0.18 * lightness)
}

/// Hue and depth of a directory, and the top directory it lies in.
fn hue(directories: &mut FxHashMap<u64, Directory>, ino: u64) -> (f32, u32, u64) {
    let mut way = Vec::new();
    let mut at = ino;
    let mut known = (0.0, 0, ROOT);
    // A map may say that directories contain each other: no way is longer than this.
    while at != ROOT && way.len() < 4096 {
        match directories.get(&at) {
            Some(Directory { hue: Some(hue), .. }) => {
                known = *hue;
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
        let (hue, depth, family) = known;
        known = if depth == 0 {
            (golden(below), 1, below)
        } else {
            // Half the room of the level above, so a family stays together.
            let room = 0.16 / f32::from(1u16 << depth.min(8));
            (hue + (scatter(below) - 0.5) * room, depth + 1, family)
        };
        if let Some(directory) = directories.get_mut(&below) {
            directory.hue = Some(known);
        }
    }
    known
}
