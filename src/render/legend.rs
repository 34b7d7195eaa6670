//! The panel beside the plane: what is shown, how much of it there is, and the scale.

use super::Layer;
use super::canvas::{Canvas, Face};
use super::plane::Plane;
use crate::base::limits::CLUSTER;
use crate::explore::legend::Swatch;
use crate::explore::palette::{Color, DARK, mix};
use crate::fs::Fs;

/// Pixels of the panel.
pub(super) const WIDTH: u32 = 384;
pub(super) const HEIGHT: u32 = 620;
/// Least size of a picture that gets one.
pub(super) const NEEDS: u32 = 760;
const LINE: u32 = 24;
/// Top directories that get a line of their own.
pub(super) const FAMILIES: usize = 12;

/// Bytes with a binary unit and three digits.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = if unit == 0 || value >= 100.0 { 0 } else { 1 + usize::from(value < 10.0) };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// A number with a thin group separator.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn clusters_human(clusters: u64) -> String {
    human(clusters * CLUSTER as u64)
}

/// A pen that goes down the panel.
struct Pen<'c> {
    canvas: &'c mut Canvas,
    x: u32,
    y: u32,
    room: u32,
}

impl Pen<'_> {
    fn line(&mut self, face: Face, color: Color, text: &str) {
        self.canvas.text(self.x, self.y, self.room, face, color, text);
        self.y += LINE;
    }

    /// A name on the left and a value on the right.
    fn pair(&mut self, indent: u32, name: &str, color: Color, value: &str) {
        let width = value.chars().count() as u32 * Face::Text.advance();
        let right = self.room.saturating_sub(width);
        let left = right.saturating_sub(indent + Face::Text.advance());
        self.canvas.text(self.x + indent, self.y, left, Face::Text, color, name);
        self.canvas.text(self.x + right, self.y, width, Face::Text, DARK.ink, value);
        self.y += LINE;
    }

    fn rule(&mut self) {
        self.canvas.fill(self.x, self.y + 4, self.room, 1, DARK.border);
        self.y += 18;
    }
}

pub(super) fn draw(
    fs: &Fs,
    layer: Layer,
    title: Option<&str>,
    plane: &Plane,
    canvas: &mut Canvas,
    swatches: &[Swatch],
) {
    let store = fs.store();
    let geometry = store.geometry();
    let state = store.state();
    let label = String::from_utf8_lossy(&store.superblock().label).into_owned();
    let title = title.map(str::to_owned).filter(|title| !title.is_empty());
    let title = title.or(Some(label).filter(|label| !label.is_empty()));
    let height = canvas.height;
    let margin = plane.margin;
    let mut pen =
        Pen { canvas, x: plane.width, y: margin, room: WIDTH.saturating_sub(margin.max(12)) };
    pen.line(Face::Title, DARK.ink, title.as_deref().unwrap_or("AetherFlow map"));
    pen.line(Face::Text, DARK.faint, subtitle(layer));
    pen.rule();

    let clusters = geometry.clusters();
    let faint = DARK.faint;
    pen.pair(0, "picture", faint, &format!("{} x {}", geometry.width(), geometry.height()));
    pen.pair(0, "sheets", faint, &grouped(u64::from(geometry.sheets())));
    pen.pair(0, "size", faint, &clusters_human(clusters));
    let percent = state.used as f64 * 100.0 / clusters as f64;
    pen.pair(0, "in use", faint, &format!("{} ({percent:.0}%)", clusters_human(state.used)));
    let counters = &state.head.counters;
    pen.pair(0, "files", faint, &grouped(counters.files));
    pen.pair(0, "directories", faint, &grouped(counters.directories));
    pen.pair(0, "bytes in files", faint, &human(counters.bytes));
    pen.rule();

    if layer == Layer::Heat {
        for x in 0..pen.room {
            let color = DARK.heat(x as f32 / pen.room as f32);
            pen.canvas.fill(pen.x + x, pen.y, 1, 12, color);
        }
        pen.y += 22;
    }
    let most = swatches.iter().map(|swatch| swatch.clusters).max().unwrap_or(0).max(1);
    let bottom = height.saturating_sub(margin + 2 * LINE + 18);
    for swatch in swatches {
        if pen.y + LINE + 8 > bottom {
            break;
        }
        pen.canvas.fill(pen.x, pen.y, 14, 14, swatch.color);
        pen.pair(24, &swatch.label, DARK.ink, &clusters_human(swatch.clusters));
        let length = (pen.room - 24) as u64 * swatch.clusters / most;
        let (x, y) = (pen.x + 24, pen.y - 5);
        pen.canvas.fill(x, y, pen.room - 24, 2, DARK.free);
        pen.canvas.fill(x, y, length as u32, 2, mix(DARK.free, swatch.color, 0.75));
        pen.y += 6;
    }

    pen.y = bottom;
    pen.rule();
    let (tile, tiles) = (plane.tile(), geometry.side());
    let scale = if tile > 0 {
        format!("a {tile} x {tile} square is a cluster of 4 KiB")
    } else {
        let each = f64::from(tiles) / f64::from(plane.sheet);
        format!("a pixel is {}", clusters_human((each * each).round().max(1.0) as u64))
    };
    pen.line(Face::Text, DARK.faint, &scale);
    if layer == Layer::Zones {
        pen.line(Face::Text, DARK.faint, "circles: borders of the zones");
    }
}

fn subtitle(layer: Layer) -> &'static str {
    match layer {
        Layer::Raw => "raw: the picture's own pixels",
        Layer::Zones => "zones: distance from the centre",
        Layer::Files => "files: a hue for every file",
        Layer::Kinds => "kinds: what clusters hold",
        Layer::Heat => "heat: how often data was read",
    }
}
