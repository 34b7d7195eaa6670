//! Layer 8: the plane as something to look at and point at, for those who draw it.
//!
//! A [`Plane`] belongs to one state of a map, the present or a snapshot, and keeps what it found
//! out about it; the map may go on changing, and [`Plane::refresh`] takes in what has changed.
//! Coordinates are plane pixels: the centre of sheet 0 is (0, 0), x to the right, y downward.
//!
//! * [`palette`], [`layers`]: which colour a cluster has, and why;
//! * [`facts`]: what the allocation table says; [`index`]: whose the clusters are;
//! * [`pyramid`], [`tiles`]: levels of detail, and painting them; [`raw`]: the very pixels;
//! * [`marks`]: what is laid over the plane;
//! * [`hit`], [`legend`], [`changes`]: answers to questions.

pub mod changes;
pub mod facts;
pub mod hit;
pub mod index;
pub mod layers;
pub mod legend;
pub mod marks;
mod owned;
pub mod palette;
pub mod pyramid;
pub mod raw;
pub mod tiles;

use rustc_hash::FxHashMap;

use crate::base::Result;
use crate::commit::watch::Moment;
use crate::container::Geometry;
use crate::fs::{Fs, View};
use crate::plane::{hilbert, spiral, zones};
use crate::vat::page as table;

use facts::Facts;
pub use layers::Layer;
use layers::Scene;
use marks::{Marks, Overlay};
use owned::Owned;
pub use palette::Theme;
use pyramid::{Cell, Levels, Order};
pub use tiles::Tile;
use tiles::{Brush, Scale};

/// Bytes of levels of detail that are kept, and of facts.
const KEPT_LEVELS: usize = 64 << 20;
const KEPT_FACTS: usize = 48 << 20;
/// Sheets a picture or a legend reads the table of; where it shows more, it shows what is known.
const MOST_READ: usize = 1 << 16;
/// Sheets of the largest plane that can be drawn: 1 TiB at the smallest width. A map may claim any.
pub const MOST_SHEETS: u32 = 1 << 22;

/// The shape of the plane, in its pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Side of a sheet.
    pub sheet: u32,
    pub sheets: u32,
    /// Side of the square of whole rings.
    pub extent: f64,
    /// Left, top, right, bottom of the sheets there are.
    pub bounds: [f64; 4],
}

/// How much of the owners is known, in inodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
    pub complete: bool,
}

/// A sheet on all levels, as one layer shows it in one theme.
struct Plate {
    /// What it depends on, as of when it was made.
    stamp: [u32; 3],
    /// Let go where there is too much of them.
    levels: Option<Levels>,
    quarters: [Cell; 4],
    used: u64,
}

/// See the module's description.
pub struct Plane {
    geometry: Geometry,
    /// When the map was looked at last.
    moment: Moment,
    /// Seconds since 1970 by then.
    now: i64,
    present: Owned,
    base: Option<Owned>,
    order: Order,
    facts: FxHashMap<u32, Facts>,
    facts_size: usize,
    plates: FxHashMap<(u32, u8), Plate>,
    plates_size: usize,
    /// Steps of heat that are not in the table yet, by first cluster.
    warm: FxHashMap<u64, u8>,
    /// Rises with everything that is found to have changed.
    version: u32,
    /// Rises with every call that paints.
    tick: u64,
    /// The owners' own version.
    owners: u32,
    pixels: Vec<u8>,
    partial: bool,
    /// The inodes that are selected.
    chosen: Vec<u64>,
    /// Their clusters are not marked yet.
    unmarked: bool,
    selection: Marks,
    damage: Marks,
    last_hit: Option<hit::Owners>,
}

impl Plane {
    pub fn new(fs: &Fs, view: View) -> Plane {
        let geometry = fs.store().geometry();
        let mut plane = Plane {
            geometry,
            moment: fs.store().watch.now(),
            now: 0,
            present: Owned::new(view),
            base: None,
            order: Order::new(geometry),
            facts: FxHashMap::default(),
            facts_size: 0,
            plates: FxHashMap::default(),
            plates_size: 0,
            warm: FxHashMap::default(),
            version: 0,
            tick: 0,
            owners: 0,
            pixels: Vec::new(),
            partial: false,
            chosen: Vec::new(),
            unmarked: false,
            selection: Marks::new(geometry),
            damage: Marks::new(geometry),
            last_hit: None,
        };
        plane.refresh(fs);
        plane
    }

    pub fn view(&self) -> View {
        self.present.view
    }

    pub fn layout(&self) -> Layout {
        let geometry = self.geometry;
        let (mut least, mut most) = ((0, 0), (0, 0));
        // The last two rings hold the outermost sheets of every side.
        let ring = spiral::ring(geometry.sheets() - 1);
        let from = ring.checked_sub(2).map_or(0, spiral::sheets_within);
        for sheet in from as u32..geometry.sheets() {
            let (column, row) = spiral::position(sheet);
            least = (column.min(least.0), row.min(least.1));
            most = (column.max(most.0), row.max(most.1));
        }
        let width = f64::from(geometry.width());
        let edge = |at: i32, side: f64| (f64::from(at) + side) * width;
        Layout {
            sheet: geometry.width(),
            sheets: geometry.sheets(),
            extent: zones::extent(geometry.width(), geometry.sheets()),
            bounds: [
                edge(least.0, -0.5),
                edge(least.1, -0.5),
                edge(most.0, 0.5),
                edge(most.1, 0.5),
            ],
        }
    }

    /// Reads on in the owners, at most `items` items of the tree; with 0 shows what is known.
    ///
    /// # Errors
    /// Those of the storage; the next call goes on where this one came to.
    pub fn index(&mut self, fs: &Fs, items: u64) -> Result<Progress> {
        let moment = self.moment;
        let mut found = false;
        if items == 0 {
            if self.present.show() {
                self.owners += 1;
                self.last_hit = None;
            }
            return Ok(self.progress(fs));
        }
        if !self.present.is_settled(moment) {
            found = self.present.read_on(fs, items)?;
        } else if let Some(base) = &mut self.base
            && !base.is_settled(moment)
        {
            found = base.read_on(fs, items)?;
        }
        if found {
            self.owners += 1;
            self.last_hit = None;
            self.unmarked = true;
        }
        if self.unmarked {
            self.mark_chosen(fs)?;
        }
        Ok(self.progress(fs))
    }

    /// How far [`Plane::index`] has come.
    pub fn progress(&self, fs: &Fs) -> Progress {
        let all = || std::iter::once(&self.present).chain(&self.base);
        let mut sum = Progress { done: 0, total: 0, complete: self.is_indexed() };
        for owned in all() {
            let (done, total) = owned.progress(fs, self.moment);
            sum.done = sum.done.saturating_add(done);
            sum.total = sum.total.saturating_add(total);
        }
        sum
    }

    /// Whether all owners are known as of the last [`Plane::refresh`].
    pub fn is_indexed(&self) -> bool {
        let settled = |owned: &Owned| owned.is_settled(self.moment);
        settled(&self.present) && self.base.as_ref().is_none_or(settled)
    }

    /// What has become of the map since. Owners stay as they are until [`Plane::index`] has
    /// walked again.
    pub fn refresh(&mut self, fs: &Fs) {
        self.geometry = fs.store().geometry();
        let changed = fs.store().watch.tables_since(self.moment);
        self.moment = fs.store().watch.now();
        self.now = fs.now().seconds;
        self.version += 1;
        self.last_hit = None;
        let pages = self.geometry.vat_pages();
        let changed = changed.unwrap_or_else(|| {
            let sheets = self.facts.keys();
            let pages = sheets.flat_map(|&sheet| {
                let first = self.geometry.cluster(sheet, 0);
                first..first + u64::from(pages)
            });
            pages.collect()
        });
        for at in changed {
            let sheet = self.geometry.sheet_of(at);
            let page = self.geometry.index_in_sheet(at);
            if let Some(facts) = self.facts.get_mut(&sheet)
                && page < pages
                && facts.has(page)
            {
                // What cannot be read now stays as it was known.
                let _ = facts.load(fs, self.geometry, sheet, page, self.version);
            }
        }
        self.take_heat(fs);
        self.selection.follow(self.geometry);
        self.damage.follow(self.geometry);
        // Tried again with the owners, where the storage fails.
        let _ = self.mark_chosen(fs);
    }

    /// Takes in the reads that are not in the table yet.
    fn take_heat(&mut self, fs: &Fs) {
        let before = std::mem::take(&mut self.warm);
        fs.for_pending_heat(&mut |first, steps| {
            self.warm.insert(first, steps);
        });
        let different = |a: &FxHashMap<u64, u8>, b: &FxHashMap<u64, u8>| -> Vec<u64> {
            let other = a.iter().filter(|&(first, steps)| b.get(first) != Some(steps));
            other.map(|(&first, _)| first).collect()
        };
        let both = [different(&self.warm, &before), different(&before, &self.warm)];
        for first in both.into_iter().flatten() {
            if let Some(facts) = self.facts.get_mut(&self.geometry.sheet_of(first)) {
                facts.heat = self.version;
            }
        }
    }

    /// The state to compare with, of the same map.
    pub fn compare_with(&mut self, base: Option<View>) {
        if self.base.as_ref().map(|base| base.view) != base {
            self.base = base.map(Owned::new);
            self.owners += 1;
        }
    }

    /// Reads what is not known of a sheet; with `known` only what is in memory.
    fn read_facts(&mut self, fs: &Fs, sheet: u32, known: bool) {
        let geometry = self.geometry;
        let base = geometry.cluster(sheet, 0);
        let held = |page: u32| fs.store().holds_table_page(base + u64::from(page));
        // Of a sheet that nothing is known of, nothing is kept: there may be millions of them.
        if known && !self.facts.contains_key(&sheet) && !(0..geometry.vat_pages()).any(held) {
            return;
        }
        let facts = facts_of(&mut self.facts, &mut self.facts_size, geometry, sheet);
        facts.used = self.tick;
        if facts.is_whole() {
            return;
        }
        self.version += 1;
        for page in 0..geometry.vat_pages() {
            if !facts.has(page) && (!known || held(page)) {
                // Unknown, and asked for again, where the storage fails.
                let _ = facts.load(fs, geometry, sheet, page, self.version);
            }
        }
    }

    /// The pages of the table that describe what a tile shows of a sheet.
    fn pages(&self, tile: &Tile, sheet: u32) -> Vec<u32> {
        let geometry = self.geometry;
        let [(left, right), (top, bottom)] = tile.part(geometry, sheet);
        // An aligned square of 16 x 16 clusters is 256 that follow each other on the curve.
        let block = geometry.side().min(16);
        let mut wanted = vec![false; geometry.vat_pages() as usize];
        for y in top / block..bottom.div_ceil(block) {
            for x in left / block..right.div_ceil(block) {
                let at = hilbert::index(geometry.side(), x * block, y * block);
                let first = at / (block * block) * (block * block);
                for index in [first, first + block * block - 1] {
                    let cluster = geometry.cluster(sheet, index);
                    let page = table::place(&geometry, cluster).map_or(cluster, |place| place.page);
                    wanted[geometry.index_in_sheet(page) as usize] = true;
                }
            }
        }
        let pages = wanted.iter().enumerate().filter(|&(_, &wanted)| wanted);
        pages.map(|(page, _)| page as u32).collect()
    }

    /// Reads pages of the table that a tile needs and that are not in memory, `limit` at most;
    /// returns how many are still missing.
    ///
    /// # Errors
    /// `Invalid` for an impossible tile; those of the storage.
    pub fn prefetch(&mut self, fs: &Fs, tile: &Tile, limit: u64) -> Result<u64> {
        tile.check()?;
        self.tick += 1;
        let geometry = self.geometry;
        let (mut missing, mut left, mut failed) = (0, limit, None);
        for sheet in tile.sheets(geometry) {
            if self.facts.get(&sheet).is_some_and(Facts::is_whole) {
                continue;
            }
            let base = geometry.cluster(sheet, 0);
            for page in self.pages(tile, sheet) {
                let known = self.facts.get(&sheet).is_some_and(|facts| facts.has(page));
                if known || fs.store().holds_table_page(base + u64::from(page)) {
                    continue;
                }
                if left == 0 {
                    missing += 1;
                    continue;
                }
                left -= 1;
                self.version += 1;
                let facts = facts_of(&mut self.facts, &mut self.facts_size, geometry, sheet);
                facts.used = self.tick;
                // Go on: a storage that fetches learns of all that is wanted at once.
                if let Err(error) = facts.load(fs, geometry, sheet, page, self.version) {
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(missing), Err)
    }

    fn scene(&self, layer: Layer, theme: Theme) -> Scene<'_> {
        Scene {
            layer,
            palette: theme.palette(),
            geometry: self.geometry,
            index: self.present.index.as_ref(),
            settled: self.present.is_settled(self.moment),
            base: self.base.as_ref().and_then(Owned::whole),
            now: self.now,
            warm: &self.warm,
        }
    }

    /// Makes a sheet ready to be painted.
    fn prepare(&mut self, fs: &Fs, sheet: u32, layer: Layer, theme: Theme, look: &Look<'_>) {
        self.read_facts(fs, sheet, look.known);
        let Some(facts) = self.facts.get(&sheet) else {
            self.partial = true;
            return;
        };
        if !facts.is_whole() && !self.partial {
            self.partial = self.pages(look.tile, sheet).iter().any(|&page| !facts.has(page));
        }
        let other = match layer {
            Layer::Heat => facts.heat,
            Layer::Zones => spiral::ring(self.geometry.sheets() - 1),
            Layer::Raw => facts.bytes,
            _ => self.owners,
        };
        // Ages are told to ten minutes.
        let age = if layer == Layer::Age { (self.now / 600) as u32 } else { 0 };
        let mut stamp = [facts.held, other, age];
        let key = (sheet, layer as u8 * 2 + theme as u8);
        if let Some(plate) = self.plates.get_mut(&key)
            && plate.stamp == stamp
            && (plate.levels.is_some() || look.far)
        {
            plate.used = self.tick;
            return;
        }
        let free = theme.palette().free;
        let mut cells = vec![Cell::UNKNOWN; facts.list().len()];
        if layer == Layer::Raw {
            if !raw::sample(fs, sheet, facts, theme.palette(), &self.order, &mut cells) {
                // To be sampled again.
                self.partial = true;
                stamp = [u32::MAX; 3];
            }
        } else {
            self.scene(layer, theme).for_shades(sheet, facts, &mut |index, shade| {
                cells[self.order.rows[index as usize] as usize] = Cell::of(shade, free);
            });
        }
        let levels = Levels::build(self.order.side, cells);
        let (quarters, size) = (levels.quarters(), levels.size());
        let keep = !look.far || self.plates_size < KEPT_LEVELS;
        self.plates_size += if keep { size } else { 0 };
        let plate = Plate { stamp, levels: keep.then_some(levels), quarters, used: self.tick };
        if let Some(Plate { levels: Some(old), .. }) = self.plates.insert(key, plate) {
            self.plates_size -= old.size();
        }
    }

    /// Paints a tile of a layer: `size * size` pixels RGBA, transparent outside of sheets. With
    /// `known` nothing is read that is not in memory; what is missing is hatched.
    ///
    /// # Errors
    /// `Invalid` for an impossible tile; those of the storage for the raw layer.
    pub fn paint(
        &mut self,
        fs: &Fs,
        layer: Layer,
        theme: Theme,
        tile: &Tile,
        known: bool,
    ) -> Result<&[u8]> {
        tile.check()?;
        self.tick += 1;
        self.partial = layer.needs_owners() && !self.present.is_settled(self.moment)
            || layer == Layer::Changes && !self.is_indexed();
        let mut pixels = self.fresh_pixels(tile);
        let scale = tile.scale(self.geometry);
        let palette = theme.palette();
        let geometry = self.geometry;
        if layer == Layer::Raw
            && !matches!(scale, Scale::Square(1) | Scale::Level(_) | Scale::Quarters(_))
        {
            let brush = Brush { tile: *tile, geometry, palette, pixels: &mut pixels };
            let painted = raw::paint(fs, brush, known);
            self.pixels = pixels;
            self.partial = !matches!(painted, Ok(true));
            return painted.map(|_| &self.pixels[..]);
        }
        let far = matches!(scale, Scale::Quarters(_));
        let sheets = tile.sheets(geometry);
        let known = known || sheets.len() > MOST_READ;
        for (done, &sheet) in sheets.iter().enumerate() {
            self.prepare(fs, sheet, layer, theme, &Look { tile, known, far });
            if done % 64 == 63 {
                self.trim();
            }
        }
        let plate = |sheet: u32| self.plates.get(&(sheet, layer as u8 * 2 + theme as u8));
        let mut brush = Brush { tile: *tile, geometry, palette, pixels: &mut pixels };
        if far {
            brush.quarters(&sheets, &|sheet| {
                plate(sheet).map_or([Cell::UNKNOWN; 4], |plate| plate.quarters)
            });
        } else {
            let level = if let Scale::Level(level) = scale { level } else { 0 };
            let cells = |sheet: u32| Some(plate(sheet)?.levels.as_ref()?.level(level));
            brush.sheets(&cells);
        }
        if layer == Layer::Zones {
            brush.rings();
        }
        self.pixels = pixels;
        self.trim();
        Ok(&self.pixels)
    }

    /// Transparent pixels for a tile, in memory that is at hand.
    fn fresh_pixels(&mut self, tile: &Tile) -> Vec<u8> {
        let mut pixels = std::mem::take(&mut self.pixels);
        pixels.clear();
        pixels.resize((tile.size * tile.size) as usize * 4, 0);
        pixels
    }

    /// Whether the last tile left something out: pages that are not in memory, owners that are
    /// not known yet.
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// Lets go of what was not used for longest: the older half, but nothing of what is just
    /// being painted.
    fn trim(&mut self) {
        if self.plates_size > KEPT_LEVELS {
            let held = self.plates.values().filter(|plate| plate.levels.is_some());
            let limit = middle(held.map(|plate| plate.used).collect()).min(self.tick - 1);
            for plate in self.plates.values_mut().filter(|plate| plate.used <= limit) {
                self.plates_size -= plate.levels.take().map_or(0, |levels| levels.size());
            }
        }
        if self.facts_size > KEPT_FACTS {
            let used = self.facts.values().map(|facts| facts.used).collect();
            let limit = middle(used).min(self.tick - 1);
            let size = &mut self.facts_size;
            self.facts.retain(|_, facts| {
                let young = facts.used > limit;
                *size -= if young { 0 } else { facts.size() };
                young
            });
        }
    }

    /// As [`Plane::paint`], transparent where nothing is marked; `None` when nothing is.
    ///
    /// # Errors
    /// `Invalid` for an impossible tile.
    pub fn paint_overlay(
        &mut self,
        overlay: Overlay,
        theme: Theme,
        tile: &Tile,
    ) -> Result<Option<&[u8]>> {
        tile.check()?;
        let mut pixels = self.fresh_pixels(tile);
        let marks = match overlay {
            Overlay::Selection => &self.selection,
            Overlay::Damage => &self.damage,
        };
        let any = marks.paint(overlay, theme.palette(), tile, &mut pixels);
        self.pixels = pixels;
        Ok(any.then_some(&self.pixels[..]))
    }

    /// The inodes that are the selection: files, or directories with everything below.
    ///
    /// # Errors
    /// Those of the storage; what is marked by then stays so.
    pub fn select(&mut self, fs: &Fs, inodes: &[u64]) -> Result<()> {
        self.chosen = inodes.to_vec();
        self.mark_chosen(fs)
    }

    /// The clusters that are damaged.
    pub fn damaged(&mut self, clusters: impl Iterator<Item = u64>) {
        self.damage = Marks::new(self.geometry);
        clusters.for_each(|cluster| self.damage.mark(cluster));
    }

    fn mark_chosen(&mut self, fs: &Fs) -> Result<()> {
        self.selection = Marks::new(self.geometry);
        self.unmarked = true;
        let selection = &mut self.selection;
        let mark = &mut |cluster| selection.mark(cluster);
        hit::for_clusters(fs, &self.present, &self.chosen, mark)?;
        self.unmarked = false;
        Ok(())
    }
}

/// What is known of a sheet, which may be nothing.
fn facts_of<'a>(
    all: &'a mut FxHashMap<u32, Facts>,
    size: &mut usize,
    geometry: Geometry,
    sheet: u32,
) -> &'a mut Facts {
    all.entry(sheet).or_insert_with(|| {
        let facts = Facts::new(geometry);
        *size += facts.size();
        facts
    })
}

/// The middle one of some numbers.
fn middle(mut numbers: Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or(u64::MAX)
}

/// How a sheet is looked at.
struct Look<'a> {
    tile: &'a Tile,
    known: bool,
    /// From so far that its quarters are all that is seen.
    far: bool,
}
