//! Free space: bitmaps of the sheets, and the search for a run near a target distance.
//!
//! The search goes through *regions*, aligned squares of 4^k clusters on a sheet's Hilbert curve,
//! in the order of how well their distance from the plane's centre fits. A run starts in the
//! first region that has room and may run on along the curve into the next, so one importance
//! fills a ring of compact patches without gaps. Data never settles two zones further in than it
//! belongs, so the centre stays free for what is hot; the map grows instead.

use std::collections::HashMap;

use crate::base::Result;
use crate::base::limits::TILE;
use crate::base::order;
use crate::container::Geometry;
use crate::plane::zones::{self, Zone};
use crate::plane::{hilbert, spiral};

/// The free clusters of one sheet.
#[derive(Clone, Debug)]
struct SheetSpace {
    /// One bit per cluster along the curve, set = free.
    free: Vec<u64>,
}

impl SheetSpace {
    fn set(&mut self, index: u32, free: bool) {
        let bit = 1u64 << (index % 64);
        let word = &mut self.free[index as usize / 64];
        debug_assert_eq!(*word & bit != 0, !free, "cluster {index} is already in that state");
        if free {
            *word |= bit;
        } else {
            *word &= !bit;
        }
    }

    /// The first free cluster at or after `from`, below `end`.
    fn next_free(&self, from: u32, end: u32) -> Option<u32> {
        let mut word = from as usize / 64;
        let mut bits = *self.free.get(word)? & (u64::MAX << (from % 64));
        loop {
            if bits != 0 {
                let index = (word * 64) as u32 + bits.trailing_zeros();
                return (index < end).then_some(index);
            }
            word += 1;
            if word * 64 >= end as usize {
                return None;
            }
            bits = self.free[word];
        }
    }

    /// Length of the free run at `from`, counted no further than `limit`.
    fn run_length(&self, from: u32, limit: u32) -> u32 {
        let end = ((self.free.len() * 64) as u32).min(from.saturating_add(limit));
        let mut at = from;
        while at < end {
            let bits = !self.free[at as usize / 64] >> (at % 64);
            if bits != 0 {
                return (at + bits.trailing_zeros()).min(end) - from;
            }
            at += 64 - at % 64;
        }
        end - from
    }
}

/// Regions in the order one importance tries them, and how far it has got.
#[derive(Clone, Debug)]
struct Order {
    /// (sheet, first index of the region), best fit first.
    regions: Vec<(u32, u32)>,
    /// By the binary logarithm of the run's length, rounded up: the region where the last such
    /// run was found. What lies before has been found too fragmented for it.
    hints: [usize; CLASSES],
}

/// Classes of run lengths: 1, 2, 3..4, 5..8, … 513..1024.
const CLASSES: usize = 11;

/// Loads the free bitmap of a sheet: one bit per cluster, set = free.
pub type LoadSheet<'a> = &'a mut dyn FnMut(u32) -> Result<Vec<u64>>;

/// The free space of a map.
#[derive(Clone, Debug)]
pub struct Space {
    geometry: Geometry,
    sheets: Vec<Option<SheetSpace>>,
    orders: HashMap<(u8, u32), Order>,
}

impl Space {
    pub fn new(geometry: Geometry) -> Space {
        Space { geometry, sheets: vec![None; geometry.sheets() as usize], orders: HashMap::new() }
    }

    /// Holds nothing and knows nothing: stands in while the real one is at work.
    pub fn hollow(geometry: Geometry) -> Space {
        Space { geometry, sheets: Vec::new(), orders: HashMap::new() }
    }

    /// Follows the map's growth. Zones move outward with it, so every search starts anew.
    pub fn grow(&mut self, geometry: Geometry) {
        self.geometry = geometry;
        self.sheets.resize(geometry.sheets() as usize, None);
        self.orders.clear();
    }

    /// Finds `count` free clusters that follow each other on the curve of one sheet, near the
    /// distance that `importance` asks for, and takes them. `None` when there are none.
    ///
    /// # Errors
    /// Those of `load`.
    pub fn take(&mut self, count: u32, importance: u8, load: LoadSheet<'_>) -> Result<Option<u64>> {
        let side = region_side(&self.geometry, count);
        let key = (importance, side);
        let mut order = match self.orders.remove(&key) {
            Some(order) => order,
            None => self.order(importance, side),
        };
        let found = self.search(&mut order, count, side * side, load);
        self.orders.insert(key, order);
        let Some((sheet, index)) = found? else { return Ok(None) };
        if let Some(space) = &mut self.sheets[sheet as usize] {
            for index in index..index + count {
                space.set(index, false);
            }
        }
        Ok(Some(self.geometry.cluster(sheet, index)))
    }

    fn search(
        &mut self,
        order: &mut Order,
        count: u32,
        region: u32,
        load: LoadSheet<'_>,
    ) -> Result<Option<(u32, u32)>> {
        let class = (count.next_power_of_two().trailing_zeros() as usize).min(CLASSES - 1);
        for at in order.hints[class]..order.regions.len() {
            let (sheet, first) = order.regions[at];
            let space = self.loaded(sheet, load)?;
            let mut from = first;
            while let Some(index) = space.next_free(from, first + region) {
                let length = space.run_length(index, count);
                if length == count {
                    order.hints[class] = at;
                    return Ok(Some((sheet, index)));
                }
                from = index + length;
            }
        }
        if order.hints[class] == 0 {
            return Ok(None);
        }
        // Smaller runs of the class may fit where larger ones did not.
        order.hints[class] = 0;
        self.search(order, count, region, load)
    }

    fn loaded(&mut self, sheet: u32, load: LoadSheet<'_>) -> Result<&mut SheetSpace> {
        let slot = &mut self.sheets[sheet as usize];
        if slot.is_none() {
            let free = load(sheet)?;
            *slot = Some(SheetSpace { free });
        }
        Ok(slot.as_mut().expect("filled above"))
    }

    fn order(&self, importance: u8, side: u32) -> Order {
        let width = self.geometry.width();
        let extent = zones::extent(width, self.geometry.sheets());
        let target = zones::target_distance(importance, extent);
        let own = zones::zone(target, extent);
        let mut scored = Vec::new();
        for sheet in 0..self.geometry.sheets() {
            for first in (0..self.geometry.sheet_clusters()).step_by((side * side) as usize) {
                let distance = square_distance(width, sheet, first, side);
                let zone = zones::zone(distance, extent);
                if own >= Zone::Temperate && own as i32 - zone as i32 >= 2 {
                    continue;
                }
                // Inward costs more than outward: what belongs there finds its place free.
                let misfit =
                    if distance < target { (target - distance) * 2.0 } else { distance - target };
                scored.push((misfit, sheet, first));
            }
        }
        // No misfit is negative, so the bits are in the order of the values.
        order::by_number(&mut scored, |region: &(f64, u32, u32)| region.0.to_bits());
        let regions = scored.into_iter().map(|(_, sheet, first)| (sheet, first)).collect();
        Order { regions, hints: [0; CLASSES] }
    }

    /// Marks taken clusters free again.
    pub fn give_back(&mut self, first: u64, count: u32) {
        let (sheet, index) = (self.geometry.sheet_of(first), self.geometry.index_in_sheet(first));
        if let Some(Some(space)) = self.sheets.get_mut(sheet as usize) {
            for index in index..index + count {
                space.set(index, true);
            }
        }
        for order in self.orders.values_mut() {
            order.hints = [0; CLASSES];
        }
    }
}

/// Side of a region in tiles: about 1/64 of the plane's extent, but large enough for the run,
/// a power of two, and no larger than the sheet.
fn region_side(geometry: &Geometry, count: u32) -> u32 {
    let tiles = geometry.side();
    let extent = zones::extent(geometry.width(), geometry.sheets());
    let mut side = 2;
    while side < tiles && f64::from(side * 2 * TILE) * 64.0 <= extent {
        side *= 2;
    }
    while side < tiles && side * side < count {
        side *= 2;
    }
    side
}

/// Pixels from the plane's centre to the middle of the aligned square of `side` tiles whose
/// clusters begin at `first` on the curve.
fn square_distance(width: u32, sheet: u32, first: u32, side: u32) -> f64 {
    let (x, y) = hilbert::point(width / TILE, first);
    let (column, row) = spiral::position(sheet);
    let along = |sheets: i32, tile: u32| {
        f64::from(sheets) * f64::from(width)
            + f64::from((tile & !(side - 1)) * TILE)
            + f64::from(side * TILE) / 2.0
            - f64::from(width) / 2.0
    };
    along(column, x).hypot(along(row, y))
}
