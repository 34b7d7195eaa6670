//! What the colours of a layer mean, and how much of each there is.

use super::layers::{CLASSES, Layer, Scene, UNCOUNTED};
use super::palette::{Color, Theme};
use super::{MOST_READ, Plane, facts::Facts, index::Index};
use crate::base::order;
use crate::fs::{Fs, ROOT, View};

/// One line: a colour, what it means, and how many clusters have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swatch {
    /// The same in every language; of a family its directory's number.
    pub key: String,
    pub label: String,
    pub color: Color,
    pub clusters: u64,
}

/// The legend of a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Legend {
    pub swatches: Vec<Swatch>,
    /// A scale, and what its two ends mean.
    pub scale: Option<(Vec<Color>, &'static str, &'static str)>,
    /// What the colours leave out, in one sentence.
    pub note: Option<&'static str>,
}

/// Clusters by class.
pub type Tally = [u64; CLASSES];

/// Adds the clusters of a sheet.
pub fn count(scene: &Scene<'_>, sheet: u32, facts: &Facts, tally: &mut Tally) {
    scene.for_shades(sheet, facts, &mut |_, shade| tally[usize::from(shade.class)] += 1);
}

/// The lines of a layer's classes, without those nothing belongs to unless they are few.
pub fn swatches(scene: &Scene<'_>, tally: &Tally) -> Vec<Swatch> {
    let layer = scene.layer;
    let line = |(class, &(key, label)): (usize, &(&'static str, &'static str))| Swatch {
        key: key.to_owned(),
        label: label.to_owned(),
        color: layer.color(class, scene.palette),
        clusters: tally[class],
    };
    let optional = |key: &str| matches!(key, "past" | "pending" | "names" | "packed");
    let mut lines: Vec<Swatch> = layer.classes().iter().enumerate().map(line).collect();
    lines.retain(|line| line.clusters > 0 || !optional(&line.key));
    if layer == Layer::Files {
        lines.retain(|line| line.key != "file");
    }
    lines
}

/// The lines of the largest top directories, and one for the rest.
pub fn families(fs: &Fs, view: View, index: &Index, theme: Theme, most: usize) -> Vec<Swatch> {
    let palette = theme.palette();
    let mut families: Vec<_> = index.families.iter().filter(|family| family.clusters > 0).collect();
    order::by_number(&mut families, |family| family.ino);
    order::by_number(&mut families, |family| u64::MAX - family.clusters);
    let rest = families.split_off(families.len().min(most));
    let mut lines: Vec<Swatch> = families
        .iter()
        .map(|family| {
            let named = fs.stat(view, family.ino).ok().filter(|_| family.ino != ROOT);
            let label = match named {
                Some(inode) => String::from_utf8_lossy(&inode.name).into_owned() + "/",
                None if family.ino == ROOT => "files at the top".to_owned(),
                None => "a folder whose name is lost".to_owned(),
            };
            let color = match family.ino {
                ROOT => palette.top(),
                _ => palette.file(family.tint),
            };
            Swatch { key: family.ino.to_string(), label, color, clusters: family.clusters }
        })
        .collect();
    if !rest.is_empty() {
        lines.push(Swatch {
            key: "other".to_owned(),
            label: format!("{} other", rest.len()),
            color: palette.faint,
            clusters: rest.iter().map(|family| family.clusters).sum(),
        });
    }
    lines
}

impl Plane {
    /// What the colours of a layer mean. Clusters of pages of the table that are not known are
    /// not counted; they are read first, unless only what is `known` is to be counted.
    pub fn legend(&mut self, fs: &Fs, layer: Layer, theme: Theme, known: bool) -> Legend {
        /// Top directories that get a line of their own.
        const FAMILIES: usize = 7;
        let mut legend = Legend::default();
        let mut tally = Tally::default();
        let mut whole = true;
        let sheets = self.geometry.sheets();
        let known = known || sheets as usize > MOST_READ;
        if layer != Layer::Raw {
            for sheet in 0..sheets {
                // Each sheet is looked at by itself: the ones before need not stay.
                self.tick += 1;
                self.read_facts(fs, sheet, known);
                let Some(facts) = self.facts.get(&sheet) else {
                    whole = false;
                    continue;
                };
                whole &= facts.is_whole();
                count(&self.scene(layer, theme), sheet, facts, &mut tally);
                self.trim();
            }
        }
        let scene = self.scene(layer, theme);
        if layer == Layer::Files
            && let Some(index) = scene.index
        {
            legend.swatches = families(fs, self.present.view, index, theme, FAMILIES);
        }
        legend.swatches.extend(swatches(&scene, &tally));
        let stops =
            |stop: fn(&Scene<'_>, usize) -> Color| (0..6).map(|at| stop(&scene, at)).collect();
        legend.scale = match layer {
            Layer::Heat => {
                let colors = stops(|scene, at| scene.palette.heat(at as f32 / 5.0));
                Some((colors, "never read", "read often"))
            }
            Layer::Age => {
                Some((stops(|scene, at| scene.palette.ages[at]), "just now", "years ago"))
            }
            _ => None,
        };
        legend.note = match layer {
            Layer::Raw => Some("The picture's own pixels: every byte of the map, four to a pixel."),
            Layer::Changes if scene.base.is_none() => {
                Some("Choose a snapshot to compare with; until then nothing counts as changed.")
            }
            _ if !whole => Some("Only what has been read so far is counted."),
            _ if layer.needs_owners() && scene.index.is_some_and(|index| index.damaged) => {
                Some("Some of the tree cannot be read, so some owners are missing.")
            }
            _ if tally[usize::from(UNCOUNTED)] > 0 && layer == Layer::Zones => {
                Some("Circles are the borders of the zones; parity and free space are not counted.")
            }
            _ => None,
        };
        legend
    }
}
