//! Options objects.

use std::sync::Arc;

use js_sys::{Date, Function, Object, Reflect, Uint8Array};
use serde::Deserialize;
use wasm_bindgen::prelude::*;

use super::{JsResult, error};
use crate::base::env::{Clock, Timestamp};
use crate::base::{Code, Error};
use crate::map::Options;
use crate::report::SettingsChange;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Plain {
    width: Option<u32>,
    expected_size: Option<f64>,
    cache_bytes: Option<f64>,
    read_only: bool,
    #[serde(flatten)]
    settings: SettingsChange,
}

/// The host's clock.
struct JsClock(Option<Function>);

impl Clock for JsClock {
    fn now(&self) -> Timestamp {
        let milliseconds = match &self.0 {
            Some(now) => now.call0(&JsValue::NULL).ok().and_then(|value| value.as_f64()),
            None => None,
        };
        let milliseconds = milliseconds.unwrap_or_else(Date::now);
        let seconds = (milliseconds / 1000.0).floor();
        let nanos = ((milliseconds - seconds * 1000.0) * 1e6).floor().clamp(0.0, 999_999_999.0);
        Timestamp { seconds: seconds as i64, nanos: nanos as u32 }
    }
}

/// A decoded options object.
pub(super) struct JsOptions {
    plain: Plain,
    now: Option<Function>,
    uuid: Option<[u8; 16]>,
}

impl JsOptions {
    pub(super) fn read(value: &JsValue) -> JsResult<JsOptions> {
        if value.is_undefined() || value.is_null() {
            return Ok(JsOptions { plain: Plain::default(), now: None, uuid: None });
        }
        // What is no plain data would be refused as that.
        let data = Object::assign(&Object::new(), &Object::from(value.clone()));
        for name in ["now", "uuid"] {
            // Deleting a property of an object just made cannot fail.
            let _ = Reflect::delete_property(&data, &JsValue::from_str(name));
        }
        let plain = serde_wasm_bindgen::from_value(data.into()).map_err(invalid)?;
        let field = |name: &str| Reflect::get(value, &JsValue::from_str(name)).ok();
        let now = field("now").and_then(|now| now.dyn_into::<Function>().ok());
        let uuid = match field("uuid").and_then(|uuid| uuid.dyn_into::<Uint8Array>().ok()) {
            Some(array) => Some(
                <[u8; 16]>::try_from(array.to_vec())
                    .map_err(|_| error::throw(Error::new(Code::Invalid, "a uuid has 16 bytes")))?,
            ),
            None => None,
        };
        Ok(JsOptions { plain, now, uuid })
    }

    pub(super) fn read_only(&self) -> bool {
        self.plain.read_only
    }

    pub(super) fn engine(self) -> JsResult<Options> {
        let mut options = Options::with_clock(Arc::new(JsClock(self.now)));
        options.width = self.plain.width;
        options.uuid = self.uuid;
        options.expected_size = self.plain.expected_size.unwrap_or(0.0) as u64;
        if let Some(bytes) = self.plain.cache_bytes {
            options.cache_bytes = bytes.clamp(0.0, 3.0 * (1u64 << 30) as f64) as usize;
        }
        self.plain.settings.apply(&mut options.settings).map_err(error::throw)?;
        Ok(options)
    }
}

/// An object of the wrong shape.
pub(super) fn invalid(reason: impl std::fmt::Display) -> JsValue {
    error::throw(Error::new(Code::Invalid, format!("an options object is wrong: {reason}")))
}
