//! What is laid over the plane: the selection, and what is damaged. Marked clusters never vanish,
//! however far away; the two differ in shape as well as in colour.

use rustc_hash::FxHashMap;

use super::palette::{Color, Palette};
use super::tiles::{Line, Scale, Tile};
use crate::base::limits::TILE;
use crate::container::Geometry;
use crate::plane::{hilbert, spiral};

/// What is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlay {
    Selection,
    Damage,
}

impl Overlay {
    /// The overlay of that name.
    pub fn of_name(name: &str) -> Option<Overlay> {
        match name {
            "selection" => Some(Overlay::Selection),
            "damage" => Some(Overlay::Damage),
            _ => None,
        }
    }
}

/// Least pixels of a cluster that gets an outline.
const OUTLINED: u32 = 4;
/// Pixels of the outline.
const OUTLINE: u32 = 2;

/// A set of clusters, by rows of their sheets.
pub struct Marks {
    geometry: Geometry,
    sheets: FxHashMap<u32, Box<[u64]>>,
}

impl Marks {
    pub fn new(geometry: Geometry) -> Marks {
        Marks { geometry, sheets: FxHashMap::default() }
    }

    /// Follows the map's growth.
    pub fn follow(&mut self, geometry: Geometry) {
        self.geometry = geometry;
    }

    /// Adds a cluster; those outside of the map are nowhere.
    pub fn mark(&mut self, cluster: u64) {
        let geometry = self.geometry;
        if cluster >= geometry.clusters() {
            return;
        }
        let side = geometry.side();
        let (x, y) = hilbert::point(side, geometry.index_in_sheet(cluster));
        let words = (geometry.sheet_clusters() as usize).div_ceil(64);
        let bits = self.sheets.entry(geometry.sheet_of(cluster));
        let bits = bits.or_insert_with(|| vec![0; words].into_boxed_slice());
        let at = y * side + x;
        bits[at as usize / 64] |= 1 << (at % 64);
    }

    /// Whether the cluster in this column and row, counted from the upper left of sheet 0, is
    /// marked.
    fn has(&self, x: i64, y: i64) -> bool {
        let side = i64::from(self.geometry.side());
        let sheet = |at: i64| i32::try_from(at.div_euclid(side)).ok();
        let (Some(column), Some(row)) = (sheet(x), sheet(y)) else { return false };
        let bits = spiral::sheet_at(column, row).and_then(|sheet| self.sheets.get(&sheet));
        let at = (y.rem_euclid(side) * side + x.rem_euclid(side)) as usize;
        bits.is_some_and(|bits| bits[at / 64] >> (at % 64) & 1 != 0)
    }

    /// Marks in the pixels of a tile; whether there are any.
    pub fn paint(
        &self,
        overlay: Overlay,
        palette: &Palette,
        tile: &Tile,
        pixels: &mut [u8],
    ) -> bool {
        if self.sheets.is_empty() {
            return false;
        }
        let color = match overlay {
            Overlay::Selection => palette.selection,
            Overlay::Damage => palette.damage,
        };
        match tile.scale(self.geometry) {
            Scale::Square(square) if square >= OUTLINED => {
                self.squares(square, overlay, color, tile, pixels)
            }
            _ => self.spots(overlay, color, tile, pixels),
        }
    }

    /// Clusters as squares: outlined together, filled with the colour or with a lattice.
    fn squares(
        &self,
        square: u32,
        overlay: Overlay,
        color: Color,
        tile: &Tile,
        pixels: &mut [u8],
    ) -> bool {
        let (columns, rows) = tile.lines(self.geometry);
        let side = i64::from(self.geometry.side());
        let number = |line: &Line| i64::from(line.sheet) * side + i64::from(line.cell);
        let (left, top) = (number(&columns[0]) - 1, number(&rows[0]) - 1);
        let last =
            |lines: &[Line], from: i64| (number(&lines[lines.len() - 1]) - from + 2) as usize;
        let (across, down) = (last(&columns, left), last(&rows, top));
        let grid: Vec<bool> = (0..down * across)
            .map(|at| self.has(left + (at % across) as i64, top + (at / across) as i64))
            .collect();
        let mut any = false;
        let mut out = pixels.chunks_exact_mut(4);
        for row in &rows {
            let y = (number(row) - top) as usize;
            for column in &columns {
                let Some(pixel) = out.next() else { return any };
                let at = y * across + (number(column) - left) as usize;
                if !grid[at] {
                    continue;
                }
                any = true;
                let (before, behind) = (|pixel| pixel < OUTLINE, |pixel| pixel + OUTLINE >= square);
                let edge = before(column.pixel) && !grid[at - 1]
                    || behind(column.pixel) && !grid[at + 1]
                    || before(row.pixel) && !grid[at - across]
                    || behind(row.pixel) && !grid[at + across];
                let crossed = (column.pixel + row.pixel) % 8 < 2
                    || (column.pixel + 8 - row.pixel % 8) % 8 < 2;
                let alpha = match overlay {
                    _ if edge => 255,
                    Overlay::Selection => 64,
                    Overlay::Damage if crossed => 235,
                    Overlay::Damage => 96,
                };
                pixel.copy_from_slice(&[color[0], color[1], color[2], alpha]);
            }
        }
        any
    }

    /// Clusters of a few pixels or less: solid; what is damaged as small crosses.
    fn spots(&self, overlay: Overlay, color: Color, tile: &Tile, pixels: &mut [u8]) -> bool {
        let size = i64::from(tile.size);
        let (left, top) = (i64::from(tile.column) * size, i64::from(tile.row) * size);
        let one = -(TILE.trailing_zeros() as i32);
        let (square, shift) =
            if tile.zoom >= one { (1i64 << (tile.zoom - one), 0) } else { (1, one - tile.zoom) };
        let side = i64::from(self.geometry.side());
        // The first pixel of a cluster counted from the centre of the plane.
        let pixel = |at: i64| (at >> shift) * square;
        let mut any = false;
        let mut dot = |x: i64, y: i64| {
            if (0..size).contains(&x) && (0..size).contains(&y) {
                let at = (y * size + x) as usize * 4;
                pixels[at..at + 4].copy_from_slice(&[color[0], color[1], color[2], 255]);
                any = true;
            }
        };
        for (&sheet, bits) in &self.sheets {
            let (column, row) = spiral::position(sheet);
            let first = |sheet: i32| i64::from(sheet) * side - side / 2;
            let (from_x, from_y) = (first(column), first(row));
            let outside = |from: i64, edge: i64| {
                pixel(from + side) + square + 1 < edge || pixel(from) > edge + size
            };
            if outside(from_x, left) || outside(from_y, top) {
                continue;
            }
            for (word, &bits) in (0i64..).zip(bits.iter()) {
                let mut rest = bits;
                while rest != 0 {
                    let at = word * 64 + i64::from(rest.trailing_zeros());
                    rest &= rest - 1;
                    let x = pixel(from_x + at % side) - left;
                    let y = pixel(from_y + at / side) - top;
                    for at in 0..square * square {
                        dot(x + at % square, y + at / square);
                    }
                    if overlay == Overlay::Damage {
                        for at in 0..4 {
                            let (right, below) = (at % 2, at / 2);
                            dot(x - 1 + right * (square + 1), y - 1 + below * (square + 1));
                        }
                    }
                }
            }
        }
        any
    }
}
