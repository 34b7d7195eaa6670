//! Checking a map.

use js_sys::Function;
use wasm_bindgen::prelude::*;

use super::objects::object;
use super::whole::{goes_on, parse};
use super::{JsResult, Map, error};
use crate::check::VerifyOptions;
use crate::report::{VerifyReport, VerifyRequest};

#[wasm_bindgen]
impl Map {
    /// Looks at every structure of the map. A map that can be written is checkpointed first, so
    /// that the picture as a whole can be judged.
    pub fn verify(&self, options: JsValue, progress: Option<Function>) -> JsResult<JsValue> {
        let request: VerifyRequest = parse(options)?;
        let options = VerifyOptions { deep: request.deep };
        let mut told = |done: u64, total: u64| match &progress {
            Some(callback) => goes_on(callback, done as f64, total as f64),
            None => true,
        };
        let report = self.map.verify(options, &mut told).map_err(error::throw)?;
        object(&VerifyReport::of(&report))
    }
}
