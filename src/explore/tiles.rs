//! Painting one tile of the screen from the levels of detail.

use super::palette::{Color, Palette, blend};
use super::pyramid::{Cell, Sum};
use crate::base::limits::TILE;
use crate::base::{Code, Error, Result};
use crate::container::Geometry;
use crate::plane::{spiral, zones};

/// Zooms that are painted.
const ZOOMS: std::ops::RangeInclusive<i32> = -24..=12;
/// Pixels on a tile's side at most.
const LARGEST: u32 = 1024;
/// The zoom at which a cluster is one pixel.
const ONE: i32 = -(TILE.trailing_zeros() as i32);
/// Least pixels of a cluster with a hair between it and the next.
const GAP: u32 = 5;
/// Least pixels of a sheet with a border.
const BORDERED: u64 = 48;
/// Columns and rows beyond are outside of every map.
const FARTHEST: i64 = 1 << 40;

/// Which part of the plane a tile shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// A plane pixel is 2^zoom screen pixels.
    pub zoom: i32,
    pub column: i32,
    pub row: i32,
    /// Screen pixels on a side.
    pub size: u32,
}

/// How clusters and pixels relate at a zoom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// A cluster is a square of so many pixels.
    Square(u32),
    /// A pixel is a cell of this level of detail of a sheet.
    Level(u32),
    /// A pixel covers squares of `1 << n` quarters of sheets on a side.
    Quarters(u32),
}

/// One column (or row) of pixels within sheets.
#[derive(Clone, Copy)]
pub struct Line {
    /// Column of the sheet.
    pub sheet: i32,
    /// Cell in the sheet.
    pub cell: u32,
    /// Pixel in the cell.
    pub pixel: u32,
}

impl Tile {
    /// # Errors
    /// `Invalid` for a zoom or size nobody paints.
    pub fn check(&self) -> Result<()> {
        if ZOOMS.contains(&self.zoom) && (1..=LARGEST).contains(&self.size) {
            return Ok(());
        }
        Err(Error::new(Code::Invalid, "a tile has 1 to 1024 pixels, and a zoom from -24 to 12"))
    }

    pub fn scale(&self, geometry: Geometry) -> Scale {
        if self.zoom >= ONE {
            return Scale::Square(1 << (self.zoom - ONE));
        }
        let level = (ONE - self.zoom) as u32;
        let levels = geometry.side().trailing_zeros();
        if level < levels { Scale::Level(level) } else { Scale::Quarters(level + 1 - levels) }
    }

    /// The first pixel on the screen, counted from the centre of the plane.
    fn origin(&self) -> (i64, i64) {
        let size = i64::from(self.size);
        (i64::from(self.column) * size, i64::from(self.row) * size)
    }

    /// Pixels for each plane pixel.
    pub fn factor(&self) -> f64 {
        f64::from(self.zoom).exp2()
    }

    /// Columns and rows of pixels within sheets; none beyond a pixel a quarter.
    pub fn lines(&self, geometry: Geometry) -> (Vec<Line>, Vec<Line>) {
        let (square, level) = match self.scale(geometry) {
            Scale::Square(square) => (square, 0),
            Scale::Level(level) => (1, level),
            Scale::Quarters(_) => return (Vec::new(), Vec::new()),
        };
        let across = i64::from(geometry.side() >> level);
        let line = |at: i64| {
            let at = at.clamp(-FARTHEST, FARTHEST);
            let cell = at.div_euclid(i64::from(square)) + across / 2;
            Line {
                sheet: cell.div_euclid(across).clamp(i64::from(i32::MIN), i64::from(i32::MAX))
                    as i32,
                cell: cell.rem_euclid(across) as u32,
                pixel: at.rem_euclid(i64::from(square)) as u32,
            }
        };
        let (x, y) = self.origin();
        let all = |from: i64| (from..from + i64::from(self.size)).map(line).collect();
        (all(x), all(y))
    }

    /// Columns and rows of the sheets that it shows something of, as `first..=last`, within the
    /// rings there are.
    pub fn span(&self, geometry: Geometry) -> [(i32, i32); 2] {
        let ring = i64::from(spiral::ring(geometry.sheets() - 1));
        let (x, y) = self.origin();
        [x, y].map(|from| {
            // In halves of sheets, so that the centre of sheet 0 is a border.
            let half = f64::from(geometry.width()) / 2.0 * self.factor();
            let sheet =
                |halves: f64| (halves as i64 + 1).div_euclid(2).clamp(-ring - 1, ring + 1) as i32;
            let (first, end) = (from as f64 / half, (from + i64::from(self.size)) as f64 / half);
            let last = sheet(end.ceil() - 1.0);
            (sheet(first.floor()).max(-ring as i32), last.min(ring as i32))
        })
    }

    /// The sheets that it shows something of.
    pub fn sheets(&self, geometry: Geometry) -> Vec<u32> {
        let [(left, right), (top, bottom)] = self.span(geometry);
        let mut sheets = Vec::new();
        for row in top..=bottom {
            let row = (left..=right).filter_map(|column| spiral::sheet_at(column, row));
            sheets.extend(row.filter(|&sheet| sheet < geometry.sheets()));
        }
        sheets
    }

    /// The cells of a sheet that it shows, as columns and rows `from..to` of clusters.
    pub fn part(&self, geometry: Geometry, sheet: u32) -> [(u32, u32); 2] {
        let (column, row) = spiral::position(sheet);
        let (x, y) = self.origin();
        let scale = self.factor() * f64::from(TILE);
        [(x, column), (y, row)].map(|(from, sheet)| {
            let first =
                f64::from(sheet) * f64::from(geometry.side()) - f64::from(geometry.side() / 2);
            let cell = |at: i64| at as f64 / scale - first;
            let side = f64::from(geometry.side());
            let to = cell(from + i64::from(self.size)).ceil().clamp(0.0, side);
            (cell(from).floor().clamp(0.0, side) as u32, to as u32)
        })
    }
}

/// A sheet's cells on the level that is painted.
pub type Cells<'a> = &'a dyn Fn(u32) -> Option<&'a [Cell]>;

/// Pixels of a tile in the making, RGBA.
pub struct Brush<'a> {
    pub tile: Tile,
    pub geometry: Geometry,
    pub palette: &'a Palette,
    pub pixels: &'a mut [u8],
}

impl Brush<'_> {
    pub fn set(&mut self, x: usize, y: usize, color: Color, alpha: u8) {
        let at = (y * self.tile.size as usize + x) * 4;
        self.pixels[at..at + 4].copy_from_slice(&[color[0], color[1], color[2], alpha]);
    }

    /// What is not known: quiet lines from corner to corner.
    pub fn hatch(&self, x: usize, y: usize) -> Color {
        if (x + y) % 8 < 2 { self.palette.border } else { self.palette.free }
    }

    /// Paints sheets where a pixel is no more than a quarter of one.
    pub fn sheets(&mut self, cells: Cells<'_>) {
        let (columns, rows) = self.tile.lines(self.geometry);
        let (square, level) = match self.tile.scale(self.geometry) {
            Scale::Square(square) => (square, 0),
            Scale::Level(level) => (1, level),
            Scale::Quarters(_) => return,
        };
        let across = self.geometry.side() >> level;
        let bordered = u64::from(across) * u64::from(square) >= BORDERED;
        for (y, row) in rows.iter().enumerate() {
            let mut x = 0;
            for run in columns.chunk_by(|a, b| a.sheet == b.sheet) {
                let from = x;
                x += run.len();
                let sheet = spiral::sheet_at(run[0].sheet, row.sheet);
                let Some(sheet) = sheet.filter(|&sheet| sheet < self.geometry.sheets()) else {
                    continue;
                };
                let line = cells(sheet).map(|cells| &cells[(row.cell * across) as usize..]);
                for (x, column) in (from..).zip(run) {
                    let cell = line.map_or(Cell::UNKNOWN, |line| line[column.cell as usize]);
                    let last = |line: &Line| line.pixel == square - 1;
                    let first = |line: &Line| line.cell == 0 && line.pixel == 0;
                    let color = if bordered && (first(column) || first(row)) {
                        self.palette.border
                    } else if cell.unknown > 127 {
                        self.hatch(x, y)
                    } else if square >= GAP && (last(column) || last(row)) {
                        // A hair between clusters.
                        self.palette.free
                    } else {
                        cell.color()
                    };
                    self.set(x, y, color, 255);
                }
            }
        }
    }

    /// Paints sheets where a pixel is more than a quarter of one.
    pub fn quarters(&mut self, sheets: &[u32], quarters: &dyn Fn(u32) -> [Cell; 4]) {
        let Scale::Quarters(shift) = self.tile.scale(self.geometry) else { return };
        let size = self.tile.size as usize;
        let mut sums = vec![Sum::default(); size * size];
        let (left, top) = self.tile.origin();
        for &sheet in sheets {
            let (column, row) = spiral::position(sheet);
            for (at, cell) in (0i64..).zip(&quarters(sheet)) {
                // Counted from the centre of sheet 0, quarters begin at -1.
                let pixel = |sheet: i32, quarter: i64, from: i64| {
                    let at = ((2 * i64::from(sheet) + quarter - 1) >> shift) - from;
                    usize::try_from(at).ok().filter(|&at| at < size)
                };
                let place = (pixel(column, at % 2, left), pixel(row, at / 2, top));
                if let (Some(x), Some(y)) = place {
                    sums[y * size + x].add(cell);
                }
            }
        }
        // Pixels that are partly outside let the ground through.
        let full = 1u64 << (2 * shift);
        for (at, sum) in sums.iter().enumerate().filter(|(_, sum)| sum.count > 0) {
            let (x, y) = (at % size, at / size);
            let cell = sum.mean();
            let color = if cell.unknown > 127 { self.hatch(x, y) } else { cell.color() };
            let alpha = (u64::from(sum.count) * 255).div_ceil(full).min(255) as u8;
            self.set(x, y, color, alpha);
        }
    }

    /// The borders of the zones, as thin circles.
    pub fn rings(&mut self) {
        let extent = zones::extent(self.geometry.width(), self.geometry.sheets());
        let (left, top) = self.tile.origin();
        let size = self.tile.size as usize;
        for part in [16.0, 8.0, 4.0, 2.0] {
            let radius = extent / part * self.tile.factor();
            for y in 0..size {
                let down = (top + y as i64) as f64 + 0.5;
                let outer = (radius + 1.0).powi(2) - down * down;
                if outer <= 0.0 {
                    continue;
                }
                // The circle meets a row in two short stretches.
                let far = outer.sqrt();
                let near = ((radius - 1.0).max(0.0).powi(2) - down * down).max(0.0).sqrt();
                for (from, to) in [(-far, -near), (near, far)] {
                    let pixel = |at: f64| (at - left as f64).clamp(0.0, size as f64);
                    let (from, to) = (pixel(from).floor() as usize, pixel(to).ceil() as usize);
                    for x in from..to {
                        let across = (left + x as i64) as f64 + 0.5;
                        let off = (across.hypot(down) - radius).abs();
                        if off < 1.0 {
                            self.lay(x, y, self.palette.ring, ((1.0 - off) * 105.0) as u8);
                        }
                    }
                }
            }
        }
    }

    /// Lays a colour over a pixel, which may be transparent.
    fn lay(&mut self, x: usize, y: usize, color: Color, share: u8) {
        let at = (y * self.tile.size as usize + x) * 4;
        let [red, green, blue, alpha] = [0, 1, 2, 3].map(|channel| self.pixels[at + channel]);
        if alpha == 0 {
            return self.set(x, y, color, share);
        }
        let mixed = blend([red, green, blue], color, share);
        self.set(x, y, mixed, alpha.max(share));
    }
}
