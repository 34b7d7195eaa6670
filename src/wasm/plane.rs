//! The plane of a map as something to paint and point at.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::JsString;
use serde::{Serialize, Serializer};
use wasm_bindgen::prelude::*;

use super::objects::object;
use super::{JsResult, Map, error, whole};
use crate::base::{Code, Error, Result};
use crate::commit::Root;
use crate::explore::changes::What;
use crate::explore::hit::{Hit, Inside, Owner};
use crate::explore::marks::Overlay;
use crate::explore::palette::Color;
use crate::explore::{self, Layer, Theme, Tile};
use crate::fs::{FileType, View};
use crate::map;
use crate::plane::zones::Zone;
use crate::report::Number;

#[wasm_bindgen]
extern "C" {
    /// A `Map` as JavaScript holds it: to be looked at, not to be taken.
    pub type MapObject;
    #[wasm_bindgen(method, getter, js_name = "__state")]
    fn state(this: &MapObject) -> Vec<f64>;
}

#[wasm_bindgen]
impl Map {
    /// Which map this is and which state of it, for a plane that compares with it.
    #[wasm_bindgen(getter, js_name = "__state", skip_typescript)]
    pub fn state(&self) -> Vec<f64> {
        let map = Rc::as_ptr(&self.map) as usize as f64;
        match self.view {
            View::Head => vec![map],
            View::Snapshot(root) => vec![map, root.cluster as f64, f64::from(root.level)],
        }
    }
}

/// See `index.d.ts`.
#[wasm_bindgen]
pub struct Plane {
    map: Rc<map::Map>,
    read_only: bool,
    plane: RefCell<explore::Plane>,
}

fn unknown(what: &str, name: &str) -> Error {
    Error::new(Code::Invalid, format!("there is no {what} '{name}'"))
}

fn layer(name: &str) -> Result<Layer> {
    Layer::of_name(name).ok_or_else(|| unknown("layer", name))
}

fn theme(name: &str) -> Result<Theme> {
    Theme::of_name(name).ok_or_else(|| unknown("theme", name))
}

/// Bytes of a path as a string: each byte that is no UTF-8 as the lone surrogate U+DC00 + byte.
fn path_string(path: &[u8]) -> JsValue {
    if let Ok(path) = std::str::from_utf8(path) {
        return JsValue::from_str(path);
    }
    let mut units: Vec<u16> = Vec::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        units.extend(chunk.valid().encode_utf16());
        units.extend(chunk.invalid().iter().map(|&byte| 0xdc00 + u16::from(byte)));
    }
    JsString::from_char_code(&units).into()
}

fn path<S: Serializer>(path: &[u8], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serde_wasm_bindgen::preserve::serialize(&path_string(path), serializer)
}

fn css(color: Color) -> String {
    let [red, green, blue] = color;
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[derive(Serialize)]
struct ZoneShape {
    zone: &'static str,
    inner: f64,
    outer: Option<f64>,
}

#[derive(Serialize)]
struct LayoutInfo {
    sheet: u32,
    sheets: u32,
    extent: f64,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
    zones: Vec<ZoneShape>,
}

#[derive(Serialize)]
struct ProgressInfo {
    done: Number,
    total: Number,
    complete: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeInfo {
    kind: &'static str,
    #[serde(serialize_with = "path")]
    path: Vec<u8>,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_before: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_after: Option<Number>,
}

#[derive(Serialize)]
struct ChangesInfo {
    changes: Vec<ChangeInfo>,
    added: Number,
    removed: Number,
    changed: Number,
    truncated: bool,
}

#[derive(Serialize)]
struct SwatchInfo {
    key: String,
    label: String,
    color: String,
    clusters: Number,
}

#[derive(Serialize)]
struct ScaleInfo {
    colors: Vec<String>,
    from: &'static str,
    to: &'static str,
}

#[derive(Serialize)]
struct LegendInfo {
    swatches: Vec<SwatchInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<ScaleInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

#[derive(Serialize)]
struct OwnerInfo {
    ino: Number,
    #[serde(serialize_with = "path")]
    path: Vec<u8>,
    offset: Number,
    length: Number,
}

#[derive(Serialize)]
struct HitInfo {
    outside: bool,
    x: f64,
    y: f64,
    zone: &'static str,
    distance: f64,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    inside: Option<InsideInfo>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InsideInfo {
    sheet: u32,
    cluster: Number,
    tile_x: f64,
    tile_y: f64,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    references: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heat: Option<u8>,
    checksum: &'static str,
    past: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_count: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<OwnerInfo>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<[u8; 4]>,
}

impl HitInfo {
    fn of(hit: Hit, x: f64, y: f64) -> HitInfo {
        let owner = |owner: Owner| OwnerInfo {
            ino: owner.ino.into(),
            path: owner.path,
            offset: owner.offset.into(),
            length: owner.length.into(),
        };
        let inside = |inside: Inside| InsideInfo {
            sheet: inside.sheet,
            cluster: inside.cluster.into(),
            tile_x: inside.corner.0,
            tile_y: inside.corner.1,
            kind: inside.kind,
            references: inside.references,
            heat: inside.heat,
            checksum: inside.checksum,
            past: inside.past,
            file_count: inside.owners.as_ref().map(|(count, _)| *count),
            files: inside.owners.map(|(_, named)| named.into_iter().map(owner).collect()),
            bytes: inside.bytes,
        };
        HitInfo {
            outside: hit.inside.is_none(),
            x,
            y,
            zone: hit.zone.name(),
            distance: hit.distance,
            inside: hit.inside.map(inside),
        }
    }
}

#[derive(Serialize)]
struct BoundsInfo {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
    clusters: Number,
    zone: &'static str,
    distance: f64,
}

#[wasm_bindgen]
impl Plane {
    /// The plane of a map or of a snapshot's view.
    pub fn of(map: &Map) -> Plane {
        if !map.read_only {
            map.map.write(crate::fs::Fs::watch);
        }
        let plane = map.map.read(|fs| explore::Plane::new(fs, map.view));
        let read_only = map.read_only;
        let plane = Plane { map: Rc::clone(&map.map), read_only, plane: RefCell::new(plane) };
        plane.refresh();
        plane
    }

    #[wasm_bindgen(getter)]
    pub fn memory(&self) -> JsValue {
        wasm_bindgen::memory()
    }

    pub fn layout(&self) -> JsResult<JsValue> {
        let layout = self.plane.borrow().layout();
        let [left, top, right, bottom] = layout.bounds;
        let mut inner = 0.0;
        let zones = Zone::ALL.into_iter().map(|zone| {
            let part = f64::from(1 << (4 - zone as u8));
            let outer = (zone != Zone::Cold).then_some(layout.extent / part);
            let shape = ZoneShape { zone: zone.name(), inner, outer };
            inner = outer.unwrap_or_default();
            shape
        });
        object(&LayoutInfo {
            sheet: layout.sheet,
            sheets: layout.sheets,
            extent: layout.extent,
            left,
            top,
            right,
            bottom,
            zones: zones.collect(),
        })
    }

    pub fn index(&self, items: f64) -> JsResult<JsValue> {
        let items = items as u64;
        let progress = self.map.read(|fs| self.plane.borrow_mut().index(fs, items));
        let progress = progress.map_err(error::throw)?;
        object(&ProgressInfo {
            done: progress.done.into(),
            total: progress.total.into(),
            complete: progress.complete,
        })
    }

    pub fn refresh(&self) {
        if !self.read_only {
            // What cannot be written out has no place yet; the next sync tells why.
            let _ = self.map.write(|fs| fs.flush_all(false));
        }
        self.map.read(|fs| self.plane.borrow_mut().refresh(fs));
    }

    #[wasm_bindgen(js_name = compareWith)]
    pub fn compare_with(&self, base: Option<MapObject>) -> JsResult<()> {
        let view = match base.map(|base| base.state()) {
            None => None,
            Some(state) if state.first() != Some(&(Rc::as_ptr(&self.map) as usize as f64)) => {
                let what = "only states of the same map can be compared";
                return Err(error::throw(Error::new(Code::Invalid, what)));
            }
            Some(state) => Some(match state[1..] {
                [cluster, level] => View::Snapshot(Root {
                    cluster: cluster as u64,
                    level: level as u8,
                    ..Root::default()
                }),
                _ => View::Head,
            }),
        };
        self.plane.borrow_mut().compare_with(view);
        Ok(())
    }

    pub fn changes(&self, limit: usize) -> JsResult<JsValue> {
        let changes = self.map.read(|fs| self.plane.borrow().changes(fs, limit));
        let changes = changes.map_err(error::throw)?;
        let truncated = changes.is_truncated();
        let change = |change: explore::changes::Change| ChangeInfo {
            kind: match change.what {
                What::Added => "added",
                What::Removed => "removed",
                What::Changed => "changed",
            },
            path: change.path,
            r#type: match change.file_type {
                FileType::Regular => "file",
                FileType::Directory => "directory",
                FileType::Symlink => "symlink",
                _ => "other",
            },
            size_before: change.before.map(Number::from),
            size_after: change.after.map(Number::from),
        };
        object(&ChangesInfo {
            changes: changes.list.into_iter().map(change).collect(),
            added: changes.added.into(),
            removed: changes.removed.into(),
            changed: changes.changed.into(),
            truncated,
        })
    }

    pub fn prefetch(
        &self,
        zoom: i32,
        column: i32,
        row: i32,
        size: u32,
        limit: f64,
    ) -> JsResult<f64> {
        let tile = Tile { zoom, column, row, size };
        let fetch = |fs: &crate::fs::Fs| self.plane.borrow_mut().prefetch(fs, &tile, limit as u64);
        self.map.read(fetch).map(|missing| missing as f64).map_err(error::throw)
    }

    #[expect(clippy::too_many_arguments, reason = "numbers cross the border faster than objects")]
    pub fn paint(
        &self,
        layer: &str,
        theme: &str,
        zoom: i32,
        column: i32,
        row: i32,
        size: u32,
        known: bool,
    ) -> JsResult<usize> {
        let tile = Tile { zoom, column, row, size };
        let paint = || {
            let (layer, theme) = (self::layer(layer)?, self::theme(theme)?);
            let mut plane = self.plane.borrow_mut();
            let paint = |fs: &crate::fs::Fs| {
                plane.paint(fs, layer, theme, &tile, known).map(|pixels| pixels.as_ptr() as usize)
            };
            self.map.read(paint)
        };
        paint().map_err(error::throw)
    }

    #[wasm_bindgen(getter)]
    pub fn partial(&self) -> bool {
        self.plane.borrow().is_partial()
    }

    #[wasm_bindgen(js_name = paintOverlay)]
    pub fn paint_overlay(
        &self,
        overlay: &str,
        theme: &str,
        zoom: i32,
        column: i32,
        row: i32,
        size: u32,
    ) -> JsResult<usize> {
        let tile = Tile { zoom, column, row, size };
        let paint = || {
            let theme = self::theme(theme)?;
            let marked = Overlay::of_name(overlay).ok_or_else(|| unknown("overlay", overlay))?;
            let mut plane = self.plane.borrow_mut();
            let pixels = plane.paint_overlay(marked, theme, &tile)?;
            Ok(pixels.map_or(0, |pixels| pixels.as_ptr() as usize))
        };
        paint().map_err(error::throw)
    }

    pub fn select(&self, inodes: &[f64]) -> JsResult<()> {
        let inodes: Result<Vec<u64>> = inodes.iter().map(|&ino| whole(ino)).collect();
        let inodes = inodes.map_err(error::throw)?;
        let selected = self.map.read(|fs| self.plane.borrow_mut().select(fs, &inodes));
        selected.map_err(error::throw)
    }

    pub fn damaged(&self, clusters: &[f64]) -> JsResult<()> {
        let clusters: Result<Vec<u64>> = clusters.iter().map(|&cluster| whole(cluster)).collect();
        self.plane.borrow_mut().damaged(clusters.map_err(error::throw)?.into_iter());
        Ok(())
    }

    pub fn legend(&self, layer: &str, theme: &str) -> JsResult<JsValue> {
        let told = || {
            let (layer, theme) = (self::layer(layer)?, self::theme(theme)?);
            Ok(self.map.read(|fs| self.plane.borrow_mut().legend(fs, layer, theme)))
        };
        let legend = told().map_err(error::throw)?;
        let swatch = |swatch: explore::legend::Swatch| SwatchInfo {
            key: swatch.key,
            label: swatch.label,
            color: css(swatch.color),
            clusters: swatch.clusters.into(),
        };
        object(&LegendInfo {
            swatches: legend.swatches.into_iter().map(swatch).collect(),
            scale: legend.scale.map(|(colors, from, to)| ScaleInfo {
                colors: colors.into_iter().map(css).collect(),
                from,
                to,
            }),
            note: legend.note,
        })
    }

    pub fn hit(&self, x: f64, y: f64, check: bool) -> JsResult<JsValue> {
        let hit = self.map.read(|fs| self.plane.borrow_mut().hit(fs, x, y, check));
        object(&HitInfo::of(hit.map_err(error::throw)?, x, y))
    }

    pub fn pixels(&self, x: f64, y: f64, width: u32, height: u32) -> JsResult<Vec<u8>> {
        let pixels = self.map.read(|fs| self.plane.borrow().pixels(fs, x, y, width, height));
        pixels.map_err(error::throw)
    }

    pub fn bounds(&self, ino: f64) -> JsResult<JsValue> {
        let ino = whole(ino).map_err(error::throw)?;
        let bounds = self.map.read(|fs| self.plane.borrow().bounds(fs, ino));
        let Some(bounds) = bounds.map_err(error::throw)? else { return Ok(JsValue::UNDEFINED) };
        let [left, top, right, bottom] = bounds.edges;
        object(&BoundsInfo {
            left,
            top,
            right,
            bottom,
            clusters: bounds.clusters.into(),
            zone: bounds.zone.name(),
            distance: bounds.distance,
        })
    }

    #[wasm_bindgen(js_name = importanceAt)]
    pub fn importance_at(&self, distance: f64) -> u8 {
        self.plane.borrow().importance_at(distance)
    }
}
