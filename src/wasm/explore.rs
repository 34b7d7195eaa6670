//! Calls for those who show a map: finding names, damage on purpose, and forgetting what is cached.

use js_sys::{Array, Float64Array, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

use super::{JsResult, Map, error, whole};
use crate::base::{Code, Error};
use crate::fs::find::Found;

/// Most names that one call finds.
const MOST: usize = 10_000;

#[wasm_bindgen]
impl Map {
    /// Names below a directory that contain `text`.
    pub fn find(&self, directory: f64, text: &str, limit: f64) -> JsResult<JsValue> {
        let limit = (limit.max(0.0) as usize).min(MOST);
        let found = whole(directory).and_then(|directory| {
            self.map.read(|fs| fs.find_names(self.view, directory, text, limit))
        });
        let (found, truncated) = found.map_err(error::throw)?;
        let entries: Array = found.iter().map(entry).collect();
        Ok(record(&[("entries", entries.into()), ("truncated", truncated.into())]))
    }

    /// Changes the bytes of pixels in circles round plane pixels, behind the engine's back.
    pub fn damage(&self, points: &[f64], radius: f64) -> JsResult<JsValue> {
        let damage = || {
            self.check_writable()?;
            if !points.len().is_multiple_of(2) {
                return Err(Error::new(Code::Invalid, "points are pairs of x and y"));
            }
            let points: Vec<(f64, f64)> =
                points.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            self.map.damage(&points, radius)
        };
        let damage = damage().map_err(error::throw)?;
        let clusters: Vec<f64> = damage.clusters.iter().map(|&cluster| cluster as f64).collect();
        Ok(record(&[
            ("pixels", JsValue::from_f64(damage.pixels as f64)),
            ("clusters", Float64Array::from(&clusters[..]).into()),
        ]))
    }

    /// Empties every cache.
    #[wasm_bindgen(js_name = dropCaches)]
    pub fn drop_caches(&self) {
        self.map.read(crate::fs::Fs::drop_caches);
    }
}

fn entry(found: &Found) -> JsValue {
    let mut bytes = vec![b'/'];
    bytes.extend_from_slice(&found.path);
    let text = String::from_utf8_lossy(&bytes);
    let modified = found.modified;
    let milliseconds = modified.seconds as f64 * 1e3 + f64::from(modified.nanos) / 1e6;
    let mut fields = vec![
        ("path", JsValue::from_str(&text)),
        ("ino", JsValue::from_f64(found.ino as f64)),
        ("type", JsValue::from_f64(f64::from(found.file_type.directory_type()))),
        ("size", JsValue::from_f64(found.size as f64)),
        ("mtimeMs", JsValue::from_f64(milliseconds)),
    ];
    if matches!(text, std::borrow::Cow::Owned(_)) {
        fields.push(("bytes", Uint8Array::from(&bytes[..]).into()));
    }
    record(&fields)
}

fn record(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // Setting a property of an object just made cannot fail.
        let _ = Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}
