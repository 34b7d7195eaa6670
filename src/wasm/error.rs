//! Engine errors as JavaScript `Error`s with `code`, `errno`, `reason` and the place.

use js_sys::Reflect;
use wasm_bindgen::prelude::*;

use crate::base::{Code, Error};

/// The `Error` object for an engine error.
pub(super) fn throw(error: Error) -> JsValue {
    let object = js_sys::Error::new(error.message());
    let set = |name: &str, value: JsValue| {
        // Setting a property of an object just made cannot fail.
        let _ = Reflect::set(&object, &JsValue::from_str(name), &value);
    };
    let code = error.code();
    set("code", JsValue::from_str(code.errno_name()));
    set("errno", JsValue::from_f64(f64::from(-code.errno())));
    set("reason", JsValue::from_str(code.name()));
    if let Some(path) = error.path() {
        set("path", JsValue::from_str(&String::from_utf8_lossy(path)));
    }
    if let Some(offset) = error.offset() {
        set("offset", JsValue::from_f64(offset as f64));
    }
    if let Some(cluster) = error.cluster() {
        set("cluster", JsValue::from_f64(cluster as f64));
    }
    object.into()
}

/// What a host call threw, as an engine error: known by its `code`.
pub(super) fn caught(thrown: JsValue, doing: &str) -> Error {
    let field = |name: &str| {
        Reflect::get(&thrown, &JsValue::from_str(name)).ok().and_then(|value| value.as_string())
    };
    let code = match field("code").as_deref() {
        Some("ENOSPC" | "EDQUOT") => Code::NoSpace,
        Some("EROFS" | "EBADF" | "EPERM") => Code::ReadOnly,
        Some("EACCES") => Code::Access,
        Some("EFBIG") => Code::FileTooBig,
        Some("EOF") => Code::Truncated,
        Some("ECANCELED") => Code::Cancelled,
        _ => Code::Io,
    };
    let message = field("message").or_else(|| thrown.as_string()).unwrap_or_default();
    Error::new(code, format!("{doing}: {message}"))
}
