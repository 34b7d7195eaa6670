//! The plane of a map as something to paint and point at.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, JsString, Object, Reflect};
use wasm_bindgen::prelude::*;

use super::{JsResult, Map, error, whole};
use crate::base::{Code, Error, Result};
use crate::commit::Root;
use crate::explore::changes::What;
use crate::explore::hit::{Hit, Owner};
use crate::explore::marks::Overlay;
use crate::explore::palette::Color;
use crate::explore::{self, Layer, Theme, Tile};
use crate::fs::{FileType, View};
use crate::map;
use crate::plane::zones::Zone;

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

fn css(color: Color) -> JsValue {
    let [red, green, blue] = color;
    JsValue::from_str(&format!("#{red:02x}{green:02x}{blue:02x}"))
}

/// An object in the making. Cheaper in code than a type of its own for each shape.
struct Bag(Object);

impl Bag {
    fn new() -> Bag {
        Bag(Object::new())
    }

    #[inline(never)]
    fn put(self, name: &str, value: JsValue) -> Bag {
        // Setting a property of an object just made cannot fail.
        let _ = Reflect::set(&self.0, &JsValue::from_str(name), &value);
        self
    }

    #[inline(never)]
    fn number(self, name: &str, value: f64) -> Bag {
        self.put(name, JsValue::from_f64(value))
    }

    #[inline(never)]
    fn text(self, name: &str, value: &str) -> Bag {
        self.put(name, JsValue::from_str(value))
    }

    fn count(self, name: &str, value: Option<u64>) -> Bag {
        match value {
            Some(value) => self.number(name, value as f64),
            None => self,
        }
    }

    fn done(self) -> JsValue {
        self.0.into()
    }
}

fn list(items: impl Iterator<Item = JsValue>) -> JsValue {
    let array = Array::new();
    items.for_each(|item| {
        array.push(&item);
    });
    array.into()
}

fn hit_object(hit: Hit, x: f64, y: f64) -> JsValue {
    let outside = JsValue::from_bool(hit.inside.is_none());
    let bag = Bag::new().put("outside", outside).number("x", x).number("y", y);
    let bag = bag.text("zone", hit.zone.name()).number("distance", hit.distance);
    let Some(inside) = hit.inside else { return bag.done() };
    let mut bag = bag
        .number("sheet", f64::from(inside.sheet))
        .number("cluster", inside.cluster as f64)
        .number("tileX", inside.corner.0)
        .number("tileY", inside.corner.1)
        .text("kind", inside.kind)
        .text("checksum", inside.checksum)
        .put("past", JsValue::from_bool(inside.past))
        .count("references", inside.references.map(u64::from))
        .count("heat", inside.heat.map(u64::from));
    if let Some((count, named)) = inside.owners {
        let owner = |owner: Owner| {
            let bag = Bag::new().number("ino", owner.ino as f64);
            let bag = bag.put("path", path_string(&owner.path));
            bag.number("offset", owner.offset as f64).number("length", owner.length as f64).done()
        };
        bag = bag.number("fileCount", count as f64);
        bag = bag.put("files", list(named.into_iter().map(owner)));
    }
    if let Some(bytes) = inside.bytes {
        bag = bag.put("bytes", list(bytes.into_iter().map(JsValue::from)));
    }
    bag.done()
}

fn edges(bag: Bag, [left, top, right, bottom]: [f64; 4]) -> Bag {
    bag.number("left", left).number("top", top).number("right", right).number("bottom", bottom)
}

#[wasm_bindgen]
impl Plane {
    /// The plane of a map or of a snapshot's view.
    pub fn of(map: &Map) -> JsResult<Plane> {
        let sheets = map.map.read(|fs| fs.store().geometry().sheets());
        if sheets > explore::MOST_SHEETS {
            let what = format!("a plane of {sheets} sheets is too large to be drawn");
            return Err(error::throw(Error::new(Code::Range, what)));
        }
        if !map.read_only {
            map.map.write(crate::fs::Fs::watch);
        }
        let plane = map.map.read(|fs| explore::Plane::new(fs, map.view));
        let read_only = map.read_only;
        let plane = Plane { map: Rc::clone(&map.map), read_only, plane: RefCell::new(plane) };
        plane.refresh();
        Ok(plane)
    }

    #[wasm_bindgen(getter)]
    pub fn memory(&self) -> JsValue {
        wasm_bindgen::memory()
    }

    pub fn layout(&self) -> JsValue {
        let layout = self.plane.borrow().layout();
        let mut inner = 0.0;
        let zones = Zone::ALL.into_iter().map(|zone| {
            let part = f64::from(1 << (4 - zone as u8));
            let outer = (zone != Zone::Cold).then_some(layout.extent / part);
            let bag = Bag::new().text("zone", zone.name()).number("inner", inner);
            inner = outer.unwrap_or_default();
            bag.put("outer", outer.map_or(JsValue::NULL, JsValue::from_f64)).done()
        });
        let bag = Bag::new().put("zones", list(zones)).number("sheet", f64::from(layout.sheet));
        let bag = bag.number("sheets", f64::from(layout.sheets)).number("extent", layout.extent);
        edges(bag, layout.bounds).done()
    }

    pub fn index(&self, items: f64) -> JsResult<JsValue> {
        let items = items as u64;
        let progress = self.map.read(|fs| self.plane.borrow_mut().index(fs, items));
        let progress = progress.map_err(error::throw)?;
        let bag = Bag::new().number("done", progress.done as f64);
        let bag = bag.number("total", progress.total as f64);
        Ok(bag.put("complete", JsValue::from_bool(progress.complete)).done())
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
        let change = |change: &explore::changes::Change| {
            let kind = match change.what {
                What::Added => "added",
                What::Removed => "removed",
                What::Changed => "changed",
            };
            let file_type = match change.file_type {
                FileType::Regular => "file",
                FileType::Directory => "directory",
                FileType::Symlink => "symlink",
                _ => "other",
            };
            let bag = Bag::new().text("kind", kind).put("path", path_string(&change.path));
            let bag = bag.text("type", file_type).count("sizeBefore", change.before);
            bag.count("sizeAfter", change.after).done()
        };
        let bag = Bag::new().put("changes", list(changes.list.iter().map(change)));
        let bag = bag.number("added", changes.added as f64);
        let bag = bag.number("removed", changes.removed as f64);
        let bag = bag.number("changed", changes.changed as f64);
        Ok(bag.put("truncated", JsValue::from_bool(changes.is_truncated())).done())
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

    pub fn legend(&self, layer: &str, theme: &str, known: bool) -> JsResult<JsValue> {
        let told = || {
            let (layer, theme) = (self::layer(layer)?, self::theme(theme)?);
            Ok(self.map.read(|fs| self.plane.borrow_mut().legend(fs, layer, theme, known)))
        };
        let legend = told().map_err(error::throw)?;
        let swatch = |swatch: &explore::legend::Swatch| {
            let bag = Bag::new().text("key", &swatch.key).text("label", &swatch.label);
            bag.put("color", css(swatch.color)).number("clusters", swatch.clusters as f64).done()
        };
        let mut bag = Bag::new().put("swatches", list(legend.swatches.iter().map(swatch)));
        if let Some((colors, from, to)) = legend.scale {
            let scale = Bag::new().put("colors", list(colors.into_iter().map(css)));
            bag = bag.put("scale", scale.text("from", from).text("to", to).done());
        }
        if let Some(note) = legend.note {
            bag = bag.text("note", note);
        }
        Ok(bag.done())
    }

    pub fn hit(&self, x: f64, y: f64, check: bool) -> JsResult<JsValue> {
        let hit = self.map.read(|fs| self.plane.borrow_mut().hit(fs, x, y, check));
        Ok(hit_object(hit.map_err(error::throw)?, x, y))
    }

    pub fn pixels(&self, x: f64, y: f64, width: u32, height: u32) -> JsResult<Vec<u8>> {
        let pixels = self.map.read(|fs| self.plane.borrow().pixels(fs, x, y, width, height));
        pixels.map_err(error::throw)
    }

    pub fn bounds(&self, ino: f64) -> JsResult<JsValue> {
        let ino = whole(ino).map_err(error::throw)?;
        let bounds = self.map.read(|fs| self.plane.borrow().bounds(fs, ino));
        let Some(bounds) = bounds.map_err(error::throw)? else { return Ok(JsValue::UNDEFINED) };
        let bag = edges(Bag::new(), bounds.edges).number("clusters", bounds.clusters as f64);
        Ok(bag.text("zone", bounds.zone.name()).number("distance", bounds.distance).done())
    }

    #[wasm_bindgen(js_name = importanceAt)]
    pub fn importance_at(&self, distance: f64) -> u8 {
        self.plane.borrow().importance_at(distance)
    }
}
