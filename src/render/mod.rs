//! Layer 8: pictures of the plane, so that one sees where things are.
//!
//! The sheets lie on their spiral round the centre. A tile is a square of pixels, or, on large
//! maps, a pixel stands for several tiles: the mean of their colours, as strong as the share of
//! them that is in use. Nothing of the map's own picture is held but a row at a time.

mod canvas;
mod legend;
mod plane;

#[cfg(test)]
mod tests;

use rustc_hash::FxHashMap;

use crate::base::{Code, Error, Result};
use crate::explore;
use crate::explore::facts::Facts;
use crate::explore::index::Index;
use crate::explore::layers::Scene;
use crate::explore::legend::{Swatch, Tally};
use crate::explore::palette::{DARK, Theme};
use crate::fs::{Fs, View};
use canvas::Canvas;
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

    /// The same layer of the explorer.
    fn explored(self) -> explore::Layer {
        match self {
            Layer::Raw => explore::Layer::Raw,
            Layer::Zones => explore::Layer::Zones,
            Layer::Files => explore::Layer::Files,
            Layer::Kinds => explore::Layer::Kinds,
            Layer::Heat => explore::Layer::Heat,
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
    let mut canvas = Canvas::new(plane.width + side, height, DARK.ground);
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
    let geometry = fs.store().geometry();
    let index = (layer == Layer::Files).then(|| Index::collect(fs, View::Head));
    let warm = FxHashMap::default();
    let scene = Scene {
        layer: layer.explored(),
        palette: &DARK,
        geometry,
        index: index.as_ref(),
        settled: true,
        base: None,
        now: 0,
        warm: &warm,
    };
    let mut tally = Tally::default();
    for sheet in 0..geometry.sheets() {
        let mut shade = Shade::new(plane);
        let facts = Facts::read(fs, sheet);
        scene.for_shades(sheet, &facts, &mut |index, seen| {
            tally[usize::from(seen.class)] += 1;
            shade.paint(index, seen.color, seen.loud);
        });
        shade.finish(sheet, canvas);
    }
    let mut swatches = Vec::new();
    if let Some(index) = &index {
        swatches = explore::legend::families(fs, View::Head, index, Theme::Dark, legend::FAMILIES);
    }
    swatches.extend(explore::legend::swatches(&scene, &tally));
    swatches
}
