//! What each layer says of a cluster: a colour, whether it stands out, and what that means.

use rustc_hash::FxHashMap;

use super::facts::{Fact, Facts, Held};
use super::index::{File, Index};
use super::palette::{Color, Palette, mix, warmth};
use crate::container::Geometry;
use crate::plane::zones::{self, Zone};

/// What the plane shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Every file in its own hue.
    Files,
    /// What is in use, by distance from the centre.
    Zones,
    /// How often data was read.
    Heat,
    /// What each cluster holds.
    Kinds,
    /// When its file was changed last.
    Age,
    /// The map's own pixels.
    Raw,
    /// What came and went since another state.
    Changes,
}

impl Layer {
    pub const ALL: [Layer; 7] = [
        Layer::Files,
        Layer::Zones,
        Layer::Heat,
        Layer::Kinds,
        Layer::Age,
        Layer::Raw,
        Layer::Changes,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Layer::Files => "files",
            Layer::Zones => "zones",
            Layer::Heat => "heat",
            Layer::Kinds => "kinds",
            Layer::Age => "age",
            Layer::Raw => "raw",
            Layer::Changes => "changes",
        }
    }

    /// The layer of that name.
    pub fn of_name(name: &str) -> Option<Layer> {
        Layer::ALL.into_iter().find(|layer| layer.name() == name)
    }

    /// Whether it takes to know whose the clusters are.
    pub fn needs_owners(self) -> bool {
        matches!(self, Layer::Files | Layer::Kinds | Layer::Age | Layer::Changes)
    }

    /// What its colours mean, in the order of their classes: key and words. What does not count
    /// in the layer follows behind them.
    pub fn classes(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Layer::Files => &[
                ("file", "files"),
                ("past", "only in other states"),
                ("names", "names and inodes"),
                ("pending", "not known yet"),
            ],
            Layer::Zones => &[
                ("hot", "hot"),
                ("warm", "warm"),
                ("temperate", "temperate"),
                ("cool", "cool"),
                ("cold", "cold"),
            ],
            Layer::Heat => &[("never", "never read"), ("read", "read")],
            Layer::Kinds => &[
                ("raw", "file data"),
                ("compressed", "compressed data"),
                ("packed", "small files, packed together"),
                ("node", "names and inodes"),
                ("table", "allocation table"),
                ("superblock", "superblocks"),
                ("parity", "parity"),
                ("free", "free"),
            ],
            Layer::Age => &[
                ("hour", "changed within the hour"),
                ("day", "within a day"),
                ("week", "within a week"),
                ("month", "within a month"),
                ("year", "within a year"),
                ("older", "longer ago"),
                ("past", "only in other states"),
                ("names", "names and inodes"),
                ("pending", "not known yet"),
            ],
            Layer::Raw => &[],
            Layer::Changes => &[
                ("added", "new"),
                ("removed", "gone"),
                ("same", "in both"),
                ("past", "only in other states"),
                ("names", "names and inodes"),
                ("pending", "not known yet"),
            ],
        }
    }

    /// The colour of a class.
    pub fn color(self, class: usize, palette: &Palette) -> Color {
        let key = self.classes().get(class).map_or("", |class| class.0);
        match key {
            "file" => palette.top(),
            "past" => palette.past,
            "names" => palette.names,
            "pending" => palette.pending,
            "never" => palette.heat(0.0),
            "read" => palette.heat(0.8),
            "raw" => palette.raw,
            "compressed" => palette.zstd,
            "packed" => palette.packed,
            "node" => palette.node,
            "table" => palette.table,
            "superblock" => palette.superblock,
            "parity" => palette.parity,
            "free" => mix(palette.free, palette.ink, 0.08),
            "added" => palette.added,
            "removed" => palette.removed,
            "same" => mix(palette.free, palette.faint, 0.45),
            _ if self == Layer::Zones && class < Zone::ALL.len() => palette.zone(Zone::ALL[class]),
            _ if self == Layer::Age && class < palette.ages.len() => palette.ages[class],
            _ => palette.quiet,
        }
    }
}

/// A class that no layer counts.
pub const UNCOUNTED: u8 = 15;
/// Classes at most.
pub const CLASSES: usize = 16;

/// Seconds up to which a file counts as that old.
const AGES: [i64; 5] = [3600, 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400];

/// How one cluster looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shade {
    pub color: Color,
    /// What stands out is still seen from afar; the rest is ground.
    pub loud: bool,
    pub class: u8,
}

/// All that a layer's colours depend on.
pub struct Scene<'a> {
    pub layer: Layer,
    pub palette: &'a Palette,
    pub geometry: Geometry,
    /// Owners, as far as they are known.
    pub index: Option<&'a Index>,
    /// Whether they are those of this moment: then data without an owner is held by other states.
    pub settled: bool,
    /// Owners in the state to compare with.
    pub base: Option<&'a Index>,
    /// Seconds since 1970.
    pub now: i64,
    /// Steps of heat that are not in the table yet, by first cluster.
    pub warm: &'a FxHashMap<u64, u8>,
}

impl Scene<'_> {
    /// Calls `visit` with every cluster of a sheet that was read, in the order of the curve.
    pub fn for_shades(&self, sheet: u32, facts: &Facts, visit: &mut dyn FnMut(u32, Shade)) {
        let extent = zones::extent(self.geometry.width(), self.geometry.sheets());
        let slots = self.index.and_then(|index| index.slots(sheet));
        let before = self.base.and_then(|base| base.slots(sheet));
        let first = self.geometry.cluster(sheet, 0);
        let mut steps = 0;
        for (index, &fact) in (0u32..).zip(facts.list()) {
            if fact.held == Held::Unread {
                continue;
            }
            let slot = |slots: Option<&[u32]>| slots.map_or(0, |slots| slots[index as usize]);
            let shade = match self.layer {
                Layer::Zones => {
                    let distance = zones::distance(self.geometry.width(), sheet, index);
                    self.zone(zones::zone(distance, extent), fact)
                }
                Layer::Heat => {
                    if !fact.tail {
                        let more = self.warm.get(&(first + u64::from(index)));
                        steps = more.copied().unwrap_or_default();
                    }
                    self.heat(fact, fact.heat.saturating_add(steps))
                }
                Layer::Kinds => self.kind(fact, slot(slots)),
                Layer::Files => self.file(fact, slot(slots)),
                Layer::Age => self.age(fact, slot(slots)),
                Layer::Changes => {
                    let [is, was] = [slots, before].map(|slots| Index::is_used(slot(slots)));
                    self.change(fact, is, was)
                }
                Layer::Raw => self.quiet(fact),
            };
            visit(index, shade);
        }
    }

    fn class(&self, class: u8) -> Shade {
        Shade { color: self.layer.color(usize::from(class), self.palette), loud: true, class }
    }

    /// What every sheet has, and what the layer says nothing of.
    fn quiet(&self, fact: Fact) -> Shade {
        let (color, loud) = match fact.held {
            Held::Broken => (self.palette.unknown, true),
            Held::Free => (self.palette.free, false),
            _ => (self.palette.quiet, false),
        };
        Shade { color, loud, class: UNCOUNTED }
    }

    fn zone(&self, zone: Zone, fact: Fact) -> Shade {
        match fact.held {
            Held::Free => {
                let color = mix(self.palette.free, self.palette.zone(zone), 0.09);
                Shade { color, loud: false, class: UNCOUNTED }
            }
            Held::Node | Held::Raw | Held::Zstd => self.class(zone as u8),
            _ => self.quiet(fact),
        }
    }

    fn heat(&self, fact: Fact, heat: u8) -> Shade {
        if !fact.is_data() {
            return self.quiet(fact);
        }
        let color = self.palette.heat(warmth(heat));
        Shade { color, loud: true, class: u8::from(heat > 0) }
    }

    fn kind(&self, fact: Fact, slot: u32) -> Shade {
        match fact.held {
            Held::Raw | Held::Zstd if Index::is_packed(slot) => self.class(2),
            Held::Raw => self.class(0),
            Held::Zstd => self.class(1),
            Held::Node => self.class(3),
            Held::Superblock => self.class(5),
            Held::Table => Shade { loud: false, ..self.class(4) },
            Held::Parity => Shade { loud: false, ..self.class(6) },
            Held::Free => Shade { class: 7, ..self.quiet(fact) },
            Held::Unread | Held::Broken => self.quiet(fact),
        }
    }

    /// Data of a file by `known`; nodes, and data without an owner, by their classes.
    fn owned(
        &self,
        fact: Fact,
        slot: u32,
        [past, names, pending]: [u8; 3],
        known: impl FnOnce(&File) -> Shade,
    ) -> Shade {
        if fact.held == Held::Node {
            return self.class(names);
        }
        if !fact.is_data() {
            return self.quiet(fact);
        }
        match self.index.and_then(|index| index.file(slot)) {
            Some(file) => known(file),
            None => self.class(if self.settled { past } else { pending }),
        }
    }

    fn file(&self, fact: Fact, slot: u32) -> Shade {
        self.owned(fact, slot, [1, 2, 3], |file| Shade {
            color: self.palette.file(file.tint),
            loud: true,
            class: 0,
        })
    }

    fn age(&self, fact: Fact, slot: u32) -> Shade {
        self.owned(fact, slot, [6, 7, 8], |file| {
            let age = self.now.saturating_sub(file.modified);
            self.class(AGES.iter().filter(|&&limit| age > limit).count() as u8)
        })
    }

    fn change(&self, fact: Fact, is: bool, was: bool) -> Shade {
        match (fact.held, is, was) {
            (Held::Node, ..) => self.class(4),
            _ if !fact.is_data() => self.quiet(fact),
            // Without anything to compare with, nothing has changed.
            (_, true, _) if self.base.is_none() => self.class(2),
            (_, true, false) => self.class(0),
            (_, false, true) => self.class(1),
            (_, true, true) => self.class(2),
            (_, false, false) => self.class(if self.settled { 3 } else { 5 }),
        }
    }
}
