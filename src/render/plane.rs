//! Where the plane lies in the picture, and drawing on it.

use super::canvas::Canvas;
use crate::base::Result;
use crate::base::limits::TILE;
use crate::container::{Clusters, Geometry};
use crate::explore::palette::{Color, DARK, mix};
use crate::explore::raw::{RowReader, dimmed};
use crate::plane::{hilbert, spiral, zones};

/// Most pixels on a tile's side: small maps stay small pictures.
const LARGEST_TILE: u32 = 96;

/// Pixels of the plane in the picture.
pub(super) struct Plane {
    pub geometry: Geometry,
    /// Pixels of the part of the picture that holds the plane, margins included.
    pub width: u32,
    pub height: u32,
    pub margin: u32,
    /// Pixels on a sheet's side.
    pub sheet: u32,
    /// Pixels between sheets.
    gap: u32,
    /// Least column and row of a sheet.
    left: i32,
    top: i32,
}

impl Plane {
    /// Fits the plane into `size` pixels, of which `side` are taken on the right.
    pub fn fit(geometry: Geometry, size: u32, side: u32, raw: bool) -> Plane {
        let (mut left, mut right, mut top, mut bottom) = (0, 0, 0, 0);
        for sheet in 0..geometry.sheets() {
            let (column, row) = spiral::position(sheet);
            (left, right) = (left.min(column), right.max(column));
            (top, bottom) = (top.min(row), bottom.max(row));
        }
        let (columns, rows) = ((right - left + 1) as u32, (bottom - top + 1) as u32);
        let margin = (size / 40).clamp(4, 36);
        let across = size.saturating_sub(side + 2 * margin).max(1);
        let down = size.saturating_sub(2 * margin).max(1);
        let room = (across / columns).min(down / rows);
        let gap = if geometry.sheets() == 1 { 0 } else { (room / 64).min(4) };
        let mut sheet = room.saturating_sub(gap).max(1);
        let tiles = geometry.side();
        // Whole pixels: to a tile where they fit, in the raw picture to its own pixels.
        let unit = if raw { geometry.width() } else { tiles };
        if sheet >= unit {
            let most = if raw { LARGEST_TILE / TILE } else { LARGEST_TILE };
            sheet = (sheet / unit).min(most) * unit;
        } else if raw && sheet >= tiles {
            sheet = sheet / tiles * tiles;
        }
        let span = |count: u32| count * sheet + (count - 1) * gap + 2 * margin;
        let (width, height) = (span(columns), span(rows));
        Plane { geometry, width, height, margin, sheet, gap, left, top }
    }

    /// The upper left pixel of a sheet.
    fn origin(&self, sheet: u32) -> (u32, u32) {
        let (column, row) = spiral::position(sheet);
        let step = self.sheet + self.gap;
        let along = |at: i32, first: i32| self.margin + (at - first) as u32 * step;
        (along(column, self.left), along(row, self.top))
    }

    /// The upper left pixel of a tile, by the place of its sheet and its place in it.
    #[cfg(test)]
    pub fn tile_origin(&self, column: i32, row: i32, x: u32, y: u32) -> (u32, u32) {
        let step = self.sheet + self.gap;
        let along = |at: i32, first: i32, tile: u32| {
            self.margin + (at - first) as u32 * step + tile * self.tile()
        };
        (along(column, self.left, x), along(row, self.top, y))
    }

    /// Pixels on a tile's side, 0 when several tiles share a pixel.
    pub fn tile(&self) -> u32 {
        self.sheet / self.geometry.side()
    }

    pub fn draw_sheets(&self, canvas: &mut Canvas) {
        let frame = self.sheet >= 24 && (self.gap > 0 || self.margin > 4);
        for sheet in 0..self.geometry.sheets() {
            let (x, y) = self.origin(sheet);
            if frame {
                let side = self.sheet + 2;
                canvas.fill(x - 1, y - 1, side, side, DARK.border);
            }
            canvas.fill(x, y, self.sheet, self.sheet, DARK.free);
        }
    }

    /// The map's own pixels over the ground: a small map's as they are, of a large one four
    /// samples to a pixel, so that the grain of the data stays visible.
    pub fn draw_raw(&self, canvas: &mut Canvas, clusters: &dyn Clusters) -> Result<()> {
        let width = self.geometry.width();
        let mut rows = RowReader::new(self.geometry, clusters);
        let mut line = vec![[0u32; 4]; self.sheet as usize];
        for sheet in 0..self.geometry.sheets() {
            let (left, top) = self.origin(sheet);
            for y in 0..self.sheet {
                line.fill([0; 4]);
                let samples = if self.sheet >= width { 1 } else { 2 };
                for part in 0..samples {
                    let at = (u64::from(y) * 2 + u64::from(part)) * u64::from(width);
                    let row = (at / (2 * u64::from(self.sheet))) as u32;
                    let pixels = rows.row(sheet * width + row)?;
                    for (x, sum) in line.iter_mut().enumerate() {
                        for across in 0..samples {
                            let at = (x as u64 * 2 + u64::from(across)) * u64::from(width);
                            let at = (at / (2 * u64::from(self.sheet))) as usize * 4;
                            let pixel = &pixels[at..at + 4];
                            for (sum, channel) in sum.iter_mut().zip(pixel) {
                                *sum += u32::from(*channel);
                            }
                        }
                    }
                }
                let count = samples * samples;
                for (x, sum) in line.iter().enumerate() {
                    let pixel = sum.map(|sum| (sum / count) as u8);
                    if pixel != [0; 4] {
                        let color = dimmed(pixel, DARK.ground);
                        canvas.set(left + x as u32, top + y, color);
                    }
                }
            }
        }
        Ok(())
    }

    /// The borders of the zones, as thin circles.
    pub fn draw_rings(&self, canvas: &mut Canvas) {
        let extent = zones::extent(self.geometry.width(), self.geometry.sheets());
        let scale = f64::from(self.sheet + self.gap) / f64::from(self.geometry.width());
        let (x, y) = self.origin(0);
        let half = f64::from(self.sheet) / 2.0;
        let (middle_x, middle_y) = (f64::from(x) + half, f64::from(y) + half);
        for part in [16.0, 8.0, 4.0, 2.0] {
            let radius = extent / part * scale;
            for y in 0..self.height {
                let across = f64::from(y) + 0.5 - middle_y;
                for x in 0..self.width {
                    let distance = (f64::from(x) + 0.5 - middle_x).hypot(across);
                    let near = 1.0 - (distance - radius).abs();
                    if near > 0.0 {
                        canvas.blend(x, y, DARK.ring, near as f32 * 0.42);
                    }
                }
            }
        }
    }
}

/// The pixels of one sheet in the making.
pub(super) struct Shade<'p> {
    plane: &'p Plane,
    /// By pixel, or by tile where a tile has pixels of its own: sums of the colours of used and
    /// of free tiles, and how many.
    used: Vec<[u32; 4]>,
    free: Vec<[u32; 4]>,
    /// Cells on a side.
    side: u32,
}

impl<'p> Shade<'p> {
    pub fn new(plane: &'p Plane) -> Shade<'p> {
        let side = plane.sheet.min(plane.geometry.side());
        let cells = (side * side) as usize;
        Shade { plane, used: vec![[0; 4]; cells], free: vec![[0; 4]; cells], side }
    }

    /// Gives the tile at `index` its colour.
    pub fn paint(&mut self, index: u32, color: Color, used: bool) {
        let tiles = self.plane.geometry.side();
        let (x, y) = hilbert::point(tiles, index);
        let cell = |at: u32| at * self.side / tiles;
        let at = (cell(y) * self.side + cell(x)) as usize;
        let sums = if used { &mut self.used } else { &mut self.free };
        let [red, green, blue] = color.map(u32::from);
        let sum = &mut sums[at];
        *sum = [sum[0] + red, sum[1] + green, sum[2] + blue, sum[3] + 1];
    }

    pub fn finish(&self, sheet: u32, canvas: &mut Canvas) {
        let (left, top) = self.plane.origin(sheet);
        let tile = self.plane.tile();
        let mean = |[red, green, blue, count]: [u32; 4]| {
            [red, green, blue].map(|sum| (sum / count.max(1)) as u8)
        };
        for (at, (used, free)) in self.used.iter().zip(&self.free).enumerate() {
            let (x, y) = (at as u32 % self.side, at as u32 / self.side);
            let ground = if free[3] > 0 { mean(*free) } else { DARK.free };
            let share = used[3] as f32 / (used[3] + free[3]).max(1) as f32;
            // The root lifts what is sparse, so that a lone file in free space is seen.
            let color = mix(ground, mean(*used), share.sqrt());
            if tile == 0 {
                canvas.set(left + x, top + y, color);
                continue;
            }
            // A hair between tiles, where there is room for one.
            let gap = u32::from(tile >= 5);
            canvas.fill(left + x * tile, top + y * tile, tile - gap, tile - gap, color);
        }
    }
}
