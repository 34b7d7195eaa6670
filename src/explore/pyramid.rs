//! Levels of detail: a sheet in cells of one cluster, of 2 x 2 clusters and so on, down to its
//! four quarters. A pixel that covers more than a sheet is a sum of quarters, since the centre
//! of the plane lies in the middle of sheet 0.

use super::layers::Shade;
use super::palette::{Color, blend};
use crate::container::Geometry;
use crate::plane::hilbert;

/// A square of clusters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Mean colour of what stands out.
    pub loud: Color,
    /// How much of the cell that is, 0..=255; 0 only where there is nothing.
    pub share: u8,
    /// Mean colour of the rest.
    pub ground: Color,
    /// How much of the cell is not known.
    pub unknown: u8,
}

/// The square root, from 0..=255 to 0..=255: it lifts what is sparse, so that a lone file in
/// free space is seen from afar.
const LIFT: [u8; 256] = {
    let mut lift = [0; 256];
    let mut at = 0;
    while at < 256 {
        let scaled = at as u32 * 255;
        let root = scaled.isqrt();
        // Rounded: the next number is nearer where more than its middle is reached.
        lift[at] = if scaled - root * root > root { root + 1 } else { root } as u8;
        at += 1;
    }
    lift
};

impl Cell {
    pub const UNKNOWN: Cell = Cell { loud: [0; 3], share: 0, ground: [0; 3], unknown: 255 };

    pub fn of(shade: Shade, free: Color) -> Cell {
        let (color, loud) = (shade.color, shade.loud);
        Cell {
            loud: color,
            share: if loud { 255 } else { 0 },
            ground: if loud { free } else { color },
            unknown: 0,
        }
    }

    /// The colour it is painted in.
    #[inline]
    pub fn color(&self) -> Color {
        match self.share {
            0 => self.ground,
            255 => self.loud,
            share => blend(self.ground, self.loud, LIFT[usize::from(share)]),
        }
    }
}

/// Cells being added up.
#[derive(Clone, Copy, Default)]
pub struct Sum {
    loud: [u32; 3],
    share: u32,
    ground: [u32; 3],
    calm: u32,
    unknown: u32,
    pub count: u32,
}

impl Sum {
    #[inline]
    pub fn add(&mut self, cell: &Cell) {
        self.count += 1;
        self.unknown += u32::from(cell.unknown);
        let share = u32::from(cell.share);
        let calm = 255 - share - u32::from(cell.unknown).min(255 - share);
        for at in 0..3 {
            self.loud[at] += u32::from(cell.loud[at]) * share;
            self.ground[at] += u32::from(cell.ground[at]) * calm;
        }
        self.share += share;
        self.calm += calm;
    }

    pub fn mean(&self) -> Cell {
        let color = |sum: [u32; 3], weight: u32| {
            let weight = weight.max(1);
            sum.map(|sum| ((sum + weight / 2) / weight) as u8)
        };
        let count = self.count.max(1);
        let part = |sum: u32| ((sum + count / 2) / count) as u8;
        let loud = color(self.loud, self.share);
        Cell {
            loud,
            share: part(self.share).max(u8::from(self.share > 0)),
            ground: if self.calm > 0 { color(self.ground, self.calm) } else { loud },
            unknown: part(self.unknown),
        }
    }
}

/// Where the clusters of a sheet stand in rows: the place on the curve of each tile.
pub struct Order {
    pub side: u32,
    /// By index on the curve: row * side + column.
    pub rows: Box<[u32]>,
}

impl Order {
    pub fn new(geometry: Geometry) -> Order {
        let side = geometry.side();
        let row = |index| {
            let (x, y) = hilbert::point(side, index);
            y * side + x
        };
        Order { side, rows: (0..geometry.sheet_clusters()).map(row).collect() }
    }

    /// Levels a sheet has, from clusters to quarters.
    pub fn levels(&self) -> u32 {
        self.side.trailing_zeros()
    }
}

/// One sheet on all levels.
pub struct Levels {
    side: u32,
    cells: Box<[Cell]>,
}

impl Levels {
    /// From the cells of the clusters, in rows.
    pub fn build(side: u32, base: Vec<Cell>) -> Levels {
        let mut cells = base;
        let (mut from, mut across) = (0, side as usize);
        while across > 2 {
            let half = across / 2;
            for y in 0..half {
                for x in 0..half {
                    let at = from + 2 * y * across + 2 * x;
                    let mut sum = Sum::default();
                    for at in [at, at + 1, at + across, at + across + 1] {
                        sum.add(&cells[at]);
                    }
                    cells.push(sum.mean());
                }
            }
            from += across * across;
            across = half;
        }
        Levels { side, cells: cells.into() }
    }

    /// The cells of a level, in rows; `level` is below [`Order::levels`].
    pub fn level(&self, level: u32) -> &[Cell] {
        let mut from = 0;
        for above in 0..level {
            from += ((self.side >> above) * (self.side >> above)) as usize;
        }
        let across = (self.side >> level) as usize;
        &self.cells[from..from + across * across]
    }

    /// The four quarters, in rows.
    pub fn quarters(&self) -> [Cell; 4] {
        let last = self.cells.len() - 4;
        std::array::from_fn(|at| self.cells[last + at])
    }

    /// Bytes of memory.
    pub fn size(&self) -> usize {
        self.cells.len() * size_of::<Cell>()
    }
}
