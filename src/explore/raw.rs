//! The map's own pixels: as they are where there is room, samples of them from afar. For looking
//! at only: who wants the bytes asks for them ([`Plane::pixels`]).

use super::Plane;
use super::facts::{Facts, Held};
use super::palette::{Color, Palette, mix};
use super::pyramid::{Cell, Order, Sum};
use super::tiles::{Brush, Line};
use crate::base::limits::{CLUSTER, TILE};
use crate::base::{Code, Error, Result};
use crate::container::{Clusters, Geometry};
use crate::fs::Fs;
use crate::plane::{hilbert, spiral};

/// Pixels on a side that [`Plane::pixels`] gives at most.
const MOST: u32 = 256;
const SIDE: usize = TILE as usize;

/// Rows of the map's picture, one at a time.
pub struct RowReader<'c> {
    geometry: Geometry,
    clusters: &'c dyn Clusters,
    /// Of a live picture the row, of another its band.
    bytes: Vec<u8>,
    band: Option<u32>,
}

impl<'c> RowReader<'c> {
    pub fn new(geometry: Geometry, clusters: &'c dyn Clusters) -> RowReader<'c> {
        RowReader { geometry, clusters, bytes: Vec::new(), band: None }
    }

    /// The pixels of a row, RGBA.
    ///
    /// # Errors
    /// Those of the storage; `Corrupt` from a damaged packed form.
    pub fn row(&mut self, row: u32) -> Result<&[u8]> {
        self.part(row, 0, self.geometry.width())
    }

    /// The pixels `from..to` of a row.
    ///
    /// # Errors
    /// As [`RowReader::row`].
    pub fn part(&mut self, row: u32, from: u32, to: u32) -> Result<&[u8]> {
        let (band, inside) = (row / TILE, (row % TILE) as usize);
        let (from, to) = (from as usize * 4, to as usize * 4);
        if let Some(live) = self.clusters.as_live() {
            self.bytes.resize(to - from, 0);
            let at = self.geometry.row_offset(inside) + 1 + from;
            let at = self.geometry.band_offset(band) + at as u64;
            live.storage().read_at(at, &mut self.bytes)?;
            return Ok(&self.bytes);
        }
        if self.band != Some(band) {
            self.bytes.resize(self.geometry.band_rows_len(), 0);
            self.band = None;
            self.clusters.read_band(band, &mut self.bytes)?;
            self.band = Some(band);
        }
        let at = inside * self.geometry.row_len() + 1;
        Ok(&self.bytes[at + from..at + to])
    }
}

/// The colour of a pixel that stands for others: alpha is data too, it dims, but never hides.
pub fn dimmed(pixel: [u8; 4], ground: Color) -> Color {
    let [red, green, blue, alpha] = pixel;
    mix(ground, [red, green, blue], 0.35 + 0.65 * f32::from(alpha) / 255.0)
}

/// One cell for each cluster of a sheet, from four of its pixels. Bands in which nothing is are
/// not read where that would cost more than a look. Whether nothing is missing.
pub fn sample(
    fs: &Fs,
    sheet: u32,
    facts: &Facts,
    palette: &Palette,
    order: &Order,
    cells: &mut [Cell],
) -> bool {
    let mut whole = true;
    let clusters = &**fs.store().clusters();
    let geometry = fs.store().geometry();
    let mut used = vec![clusters.as_live().is_some(); order.side as usize];
    for (fact, row) in facts.list().iter().zip(order.rows.iter()) {
        used[(row / order.side) as usize] |= !matches!(fact.held, Held::Free | Held::Parity);
    }
    let mut rows = RowReader::new(geometry, clusters);
    for (y, line) in cells.chunks_exact_mut(order.side as usize).enumerate() {
        let mut sums = vec![Sum::default(); order.side as usize];
        for inside in [TILE / 4, TILE / 4 * 3] {
            let row = sheet * geometry.width() + y as u32 * TILE + inside;
            let pixels = match if used[y] { rows.row(row) } else { Ok(&[][..]) } {
                Ok(pixels) => Some(pixels),
                Err(error) => {
                    whole &= error.code() == Code::Corrupt;
                    None
                }
            };
            for (x, sum) in sums.iter_mut().enumerate() {
                for across in [SIDE / 4, SIDE / 4 * 3] {
                    let at = (x * SIDE + across) * 4;
                    let cell = match pixels.map(|pixels| pixels.get(at..at + 4)) {
                        None => Cell::UNKNOWN,
                        Some(Some(&[red, green, blue, alpha]))
                            if red | green | blue | alpha != 0 =>
                        {
                            let loud = dimmed([red, green, blue, alpha], palette.ground);
                            Cell { loud, share: 255, ground: palette.free, unknown: 0 }
                        }
                        Some(_) => Cell { ground: palette.free, ..Cell::default() },
                    };
                    sum.add(&cell);
                }
            }
        }
        line.iter_mut().zip(&sums).for_each(|(cell, sum)| *cell = sum.mean());
    }
    whole
}

/// Paints a tile in which a cluster is more than a pixel; whether nothing is missing. What cannot
/// be read is hatched.
///
/// # Errors
/// Those of the storage, unless what is `known` is enough.
pub fn paint(fs: &Fs, mut brush: Brush<'_>, known: bool) -> Result<bool> {
    let (geometry, tile, palette) = (brush.geometry, brush.tile, brush.palette);
    let (columns, rows) = tile.lines(geometry);
    // Pixels of the map in one of the screen, or of the screen in one of the map.
    let (many, magnified) =
        if tile.zoom < 0 { (1u32 << -tile.zoom, 1) } else { (1, 1u32 << tile.zoom) };
    let samples = if many > 1 { 2 } else { 1 };
    // In the first and third quarter of what a pixel stands for.
    let inside = |part: u32| many * (2 * part + 1) / (2 * samples);
    let source = |line: &Line| line.cell * TILE + line.pixel * many / magnified;
    let mut reader = RowReader::new(geometry, &**fs.store().clusters());
    let mut whole = true;
    let mut x = 0;
    // Sheet by sheet, so that a band is read once.
    for run in columns.chunk_by(|a, b| a.sheet == b.sheet) {
        let from = x;
        x += run.len();
        let left = source(&run[0]);
        let right = source(&run[run.len() - 1]) + many;
        let mut colors: Vec<Option<Color>> = Vec::new();
        let mut last = None;
        for (y, row) in rows.iter().enumerate() {
            let sheet = spiral::sheet_at(run[0].sheet, row.sheet);
            let Some(sheet) = sheet.filter(|&sheet| sheet < geometry.sheets()) else { continue };
            let at = sheet * geometry.width() + source(row);
            if last != Some(at) {
                last = Some(at);
                let mut sums = vec![[0u32; 4]; run.len()];
                let mut failed = None;
                for part in 0..samples {
                    let bytes = match reader.part(at + inside(part), left, right) {
                        Ok(bytes) => bytes,
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    };
                    for (sums, column) in sums.iter_mut().zip(run) {
                        for across in 0..samples {
                            let at = (source(column) - left + inside(across)) as usize * 4;
                            let pixel = &bytes[at..at + 4];
                            sums.iter_mut()
                                .zip(pixel)
                                .for_each(|(sum, &byte)| *sum += u32::from(byte));
                        }
                    }
                }
                if let Some(error) = failed {
                    let damaged = error.code() == Code::Corrupt;
                    if !damaged && !known {
                        return Err(error);
                    }
                    whole &= damaged;
                    colors = vec![None; run.len()];
                } else {
                    let count = samples * samples;
                    let pixel = |sums: &[u32; 4]| sums.map(|sum| (sum / count) as u8);
                    let color = |sums| Some(color(pixel(sums), many > 1, palette));
                    colors = sums.iter().map(color).collect();
                }
            }
            for (x, color) in (from..).zip(&colors) {
                let color = color.unwrap_or_else(|| brush.hatch(x, y));
                brush.set(x, y, color, 255);
            }
        }
    }
    Ok(whole)
}

/// How a pixel of the map, or the mean of some, is painted.
fn color(pixel: [u8; 4], is_mean: bool, palette: &Palette) -> Color {
    let [red, green, blue, alpha] = pixel;
    if pixel == [0; 4] {
        palette.free
    } else if is_mean {
        dimmed(pixel, palette.ground)
    } else {
        mix(palette.ground, [red, green, blue], f32::from(alpha) / 255.0)
    }
}

impl Plane {
    /// The stored bytes of a rectangle of plane pixels, 4 each; zeros outside of sheets.
    ///
    /// # Errors
    /// `Invalid` for more than 256 pixels a side; those of the storage.
    pub fn pixels(&self, fs: &Fs, x: f64, y: f64, width: u32, height: u32) -> Result<Vec<u8>> {
        if width > MOST || height > MOST {
            let what = format!("{width} x {height} pixels; {MOST} x {MOST} can be asked for");
            return Err(Error::new(Code::Invalid, what));
        }
        let geometry = self.geometry;
        let mut out = vec![0; (width * height) as usize * 4];
        // Counted from the upper left of sheet 0.
        let half = i64::from(geometry.width() / 2);
        let start = |at: f64| (at.floor() as i64).clamp(-1 << 40, 1 << 40) + half;
        let (left, top) = (start(x), start(y));
        let tile = i64::from(TILE);
        let mut bytes = [0; CLUSTER];
        for tile_y in top.div_euclid(tile)..=(top + i64::from(height) - 1).div_euclid(tile) {
            for tile_x in left.div_euclid(tile)..=(left + i64::from(width) - 1).div_euclid(tile) {
                let Some((sheet, column, row)) = place(geometry, tile_x, tile_y) else { continue };
                let cluster = geometry.cluster(sheet, hilbert::index(geometry.side(), column, row));
                fs.store().clusters().read_run(cluster, &mut bytes)?;
                for (at, pixel) in (0i64..).zip(bytes.chunks_exact(4)) {
                    let x = tile_x * tile + at % tile - left;
                    let y = tile_y * tile + at / tile - top;
                    if (0..i64::from(width)).contains(&x) && (0..i64::from(height)).contains(&y) {
                        let at = (y * i64::from(width) + x) as usize * 4;
                        out[at..at + 4].copy_from_slice(pixel);
                    }
                }
            }
        }
        Ok(out)
    }
}

/// Sheet, column and row of a tile, counted from the upper left of sheet 0; `None` where there
/// is no sheet.
pub fn place(geometry: Geometry, x: i64, y: i64) -> Option<(u32, u32, u32)> {
    let side = i64::from(geometry.side());
    let column = i32::try_from(x.div_euclid(side)).ok()?;
    let row = i32::try_from(y.div_euclid(side)).ok()?;
    let sheet = spiral::sheet_at(column, row).filter(|&sheet| sheet < geometry.sheets())?;
    Some((sheet, x.rem_euclid(side) as u32, y.rem_euclid(side) as u32))
}
