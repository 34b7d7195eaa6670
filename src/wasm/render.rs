//! Pictures of the plane.

use js_sys::Uint8Array;
use serde::Deserialize;
use wasm_bindgen::prelude::*;

use super::whole::parse;
use super::{JsResult, Map, error};
use crate::base::{Code, Error};
use crate::render::{self, Layer, RenderOptions};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Options {
    size: Option<u32>,
    legend: Option<bool>,
    title: Option<String>,
}

#[wasm_bindgen]
impl Map {
    /// A PNG of the plane, showing one layer.
    pub fn render(&self, layer: &str, options: JsValue) -> JsResult<Uint8Array> {
        let chosen: Options = parse(options)?;
        let mut options = RenderOptions::default();
        options.size = chosen.size.unwrap_or(options.size);
        options.legend = chosen.legend.unwrap_or(options.legend);
        options.title = chosen.title;
        let draw = || {
            let layer = Layer::of_name(layer).ok_or_else(|| {
                let what = format!("layer '{layer}' is not raw, zones, files, kinds or heat");
                Error::new(Code::Invalid, what)
            })?;
            if !self.read_only {
                self.map.write(|fs| fs.flush_all(false))?;
            }
            self.map.read(|fs| render::render(fs, layer, &options))
        };
        Ok(Uint8Array::from(&draw().map_err(error::throw)?[..]))
    }
}
