//! Layer 8: pictures of the plane, so that one sees where things are.
//!
//! The sheets lie on their spiral round the centre. A tile is a square of pixels, or, on large
//! maps, a pixel stands for several tiles: the mean of their colours, as strong as the share of
//! them that is in use. Nothing of the map's own picture is held but a row at a time.

mod canvas;
mod legend;
mod owners;
mod palette;
mod plane;

#[cfg(test)]
mod tests;

use crate::base::{Code, Error, Result};
use crate::fs::Fs;
use crate::plane::zones::{self, Zone};
use crate::vat::page as table;
use crate::vat::{Kind, Record};
use canvas::{Canvas, Color, mix};
use owners::Owners;
use plane::{Plane, Shade};

/// What a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The map's own pixels.
    Raw,
    /// What is in use, by distance from the centre.
    Zones,
    /// Every file in its own hue.
    Files,
    /// What each cluster holds.
    Kinds,
    /// How often data was read.
    Heat,
}

impl Layer {
    pub const ALL: [Layer; 5] = [Layer::Raw, Layer::Zones, Layer::Files, Layer::Kinds, Layer::Heat];

    pub const fn name(self) -> &'static str {
        match self {
            Layer::Raw => "raw",
            Layer::Zones => "zones",
            Layer::Files => "files",
            Layer::Kinds => "kinds",
            Layer::Heat => "heat",
        }
    }

    /// The layer of that name.
    pub fn of_name(name: &str) -> Option<Layer> {
        Layer::ALL.into_iter().find(|layer| layer.name() == name)
    }
}

/// How a picture is made.
#[derive(Clone, Debug)]
pub struct RenderOptions {
    /// Most pixels of the longer side, 64..=16384.
    pub size: u32,
    /// With a legend beside the plane, where `size` leaves room for one (760 pixels).
    pub legend: bool,
    /// Above the legend; the map's label where `None`.
    pub title: Option<String>,
}

impl Default for RenderOptions {
    fn default() -> Self {
        RenderOptions { size: 1600, legend: true, title: None }
    }
}

/// One line of the legend: what a colour means, and how many clusters have it.
struct Swatch {
    color: Color,
    name: String,
    clusters: u64,
}

/// Sums for the legend, by place in the layer's list of meanings.
struct Tally {
    clusters: [u64; 8],
}

/// Draws a layer of the plane as a PNG.
///
/// # Errors
/// `Invalid` for a size outside 64..=16384; `Corrupt` or `Io` from the raw pixels. Pages of the
/// table that are damaged are drawn as such.
pub fn render(fs: &Fs, layer: Layer, options: &RenderOptions) -> Result<Vec<u8>> {
    if !(64..=16_384).contains(&options.size) {
        let what = format!("a picture of {} pixels; 64 to 16384 can be drawn", options.size);
        return Err(Error::new(Code::Invalid, what));
    }
    let geometry = fs.store().geometry();
    let legend = options.legend && options.size >= legend::NEEDS;
    let side = if legend { legend::WIDTH } else { 0 };
    let plane = Plane::fit(geometry, options.size, side, layer == Layer::Raw);
    let height = if legend { plane.height.max(legend::HEIGHT) } else { plane.height };
    let mut canvas = Canvas::new(plane.width + side, height, palette::GROUND);
    plane.draw_sheets(&mut canvas);
    let swatches = match layer {
        Layer::Raw => {
            plane.draw_raw(&mut canvas, &**fs.store().clusters())?;
            Vec::new()
        }
        _ => draw_table(fs, layer, &plane, &mut canvas),
    };
    if layer == Layer::Zones {
        plane.draw_rings(&mut canvas);
    }
    if legend {
        legend::draw(fs, layer, options.title.as_deref(), &plane, &mut canvas, &swatches);
    }
    canvas.to_png()
}

/// Draws a layer that the allocation table tells.
fn draw_table(fs: &Fs, layer: Layer, plane: &Plane, canvas: &mut Canvas) -> Vec<Swatch> {
    let store = fs.store();
    let geometry = store.geometry();
    let extent = zones::extent(geometry.width(), geometry.sheets());
    let owners = (layer == Layer::Files).then(|| Owners::collect(fs));
    let hottest = if layer == Layer::Heat { hottest(fs) } else { 0 };
    let mut tally = Tally { clusters: [0; 8] };
    for sheet in 0..geometry.sheets() {
        let mut shade = Shade::new(plane);
        let base = geometry.cluster(sheet, 0);
        let mut first = Record::FREE;
        for page in 0..geometry.vat_pages() {
            let bytes = store.table_page(base + u64::from(page));
            let own = match layer {
                Layer::Kinds => palette::TABLE,
                _ => palette::QUIET,
            };
            let own = if bytes.is_err() { palette::UNKNOWN } else { own };
            if layer == Layer::Zones {
                shade.paint(page, palette::QUIET, true);
            } else {
                shade.paint(page, own, layer != Layer::Heat);
            }
            tally.clusters[4] += u64::from(layer == Layer::Kinds);
            for cluster in table::covered(&geometry, base + u64::from(page)) {
                let index = (cluster - base) as u32;
                let record = match (&bytes, table::place(&geometry, cluster)) {
                    (Ok(bytes), Some(place)) => table::read(bytes, place.offset).ok(),
                    _ => None,
                };
                let Some(record) = record else {
                    shade.paint(index, palette::UNKNOWN, true);
                    continue;
                };
                if record.kind != Kind::Tail {
                    first = record;
                }
                let seen = Seen { record, kind: first.kind, heat: first.heat };
                let (color, used) = match layer {
                    Layer::Zones => {
                        let distance = zones::distance(geometry.width(), sheet, index);
                        zone_color(zones::zone(distance, extent), seen, &mut tally)
                    }
                    Layer::Files => {
                        let owner = owners.as_ref().and_then(|owners| owners.color(sheet, index));
                        file_color(owner, seen, &mut tally)
                    }
                    Layer::Heat => heat_color(hottest, seen, &mut tally),
                    _ => kind_color(seen, &mut tally),
                };
                shade.paint(index, color, used);
            }
        }
        shade.finish(sheet, canvas);
    }
    legend::swatches(fs, layer, &tally, owners.as_ref())
}

/// A record, with kind and heat of the extent it belongs to.
#[derive(Clone, Copy)]
struct Seen {
    record: Record,
    kind: Kind,
    heat: u8,
}

impl Seen {
    fn is_data(self) -> bool {
        matches!(self.record.kind, Kind::Raw | Kind::Zstd | Kind::Tail)
    }
}

fn zone_color(zone: Zone, seen: Seen, tally: &mut Tally) -> (Color, bool) {
    let color = palette::zone(zone);
    match seen.record.kind {
        Kind::Free => (mix(palette::FREE, color, 0.09), false),
        Kind::Parity | Kind::Superblock => (palette::QUIET, true),
        _ => {
            tally.clusters[zone as usize] += 1;
            (color, true)
        }
    }
}

fn file_color(owner: Option<Color>, seen: Seen, tally: &mut Tally) -> (Color, bool) {
    match seen.record.kind {
        Kind::Free => (palette::FREE, false),
        _ if seen.is_data() => match owner {
            Some(color) => (color, true),
            None => {
                tally.clusters[0] += 1;
                (palette::PAST, true)
            }
        },
        Kind::Node => {
            tally.clusters[1] += 1;
            (mix(palette::QUIET, palette::INK, 0.25), true)
        }
        _ => (mix(palette::FREE, palette::QUIET, 0.6), true),
    }
}

fn heat_color(hottest: u8, seen: Seen, tally: &mut Tally) -> (Color, bool) {
    if !seen.is_data() {
        return (palette::FREE, false);
    }
    tally.clusters[usize::from(seen.heat > 0)] += 1;
    let share = f32::from(seen.heat) / f32::from(hottest.max(4));
    (palette::heat(share), true)
}

fn kind_color(seen: Seen, tally: &mut Tally) -> (Color, bool) {
    let (at, color) = match (seen.record.kind, seen.kind) {
        (Kind::Free, _) => (6, palette::FREE),
        (Kind::Node, _) => (2, palette::NODE),
        (Kind::Raw, _) | (Kind::Tail, Kind::Raw) => (0, palette::RAW),
        (Kind::Zstd | Kind::Tail, _) => (1, palette::ZSTD),
        (Kind::Parity, _) => (3, palette::PARITY),
        (Kind::Superblock, _) => (5, palette::SUPERBLOCK),
    };
    tally.clusters[at] += 1;
    (color, at != 6)
}

/// The most heat any extent has.
fn hottest(fs: &Fs) -> u8 {
    let store = fs.store();
    let geometry = store.geometry();
    let mut most = 0;
    for sheet in 0..geometry.sheets() {
        let base = geometry.cluster(sheet, 0);
        for page in base..base + u64::from(geometry.vat_pages()) {
            let Ok(bytes) = store.table_page(page) else { continue };
            for cluster in table::covered(&geometry, page) {
                if let Some(place) = table::place(&geometry, cluster)
                    && let Ok(record) = table::read(&bytes, place.offset)
                {
                    most = most.max(record.heat);
                }
            }
        }
    }
    most
}
