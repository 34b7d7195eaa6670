//! Calls that concern the whole map.

use js_sys::{Function, Uint8Array};
use serde::Deserialize;
use wasm_bindgen::prelude::*;

use super::objects::{ExtentInfo, object};
use super::options::invalid;
use super::{JsResult, Map, error, whole};
use crate::base::{Code, Error, Result};
use crate::report::{
    CompressInfo, CompressRequest, Info, SettingsChange, SettingsInfo, SnapshotInfo, Statfs, Stats,
    ZoneInfo,
};

/// Progress as the engine wants it: a callback that returns `false` cancels.
pub(super) fn progress(callback: Option<Function>) -> impl FnMut(u32, u32) -> Result<()> {
    move |done, total| match &callback {
        Some(callback) if !goes_on(callback, f64::from(done), f64::from(total)) => {
            Err(Error::new(Code::Cancelled, "cancelled"))
        }
        _ => Ok(()),
    }
}

pub(super) fn goes_on(callback: &Function, done: f64, total: f64) -> bool {
    let answer =
        callback.call2(&JsValue::NULL, &JsValue::from_f64(done), &JsValue::from_f64(total));
    !matches!(answer, Ok(value) if value.as_bool() == Some(false))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PackOptions {
    parity: bool,
}

pub(super) fn parse<T: Default + for<'a> Deserialize<'a>>(options: JsValue) -> JsResult<T> {
    if options.is_undefined() || options.is_null() {
        return Ok(T::default());
    }
    serde_wasm_bindgen::from_value(options).map_err(invalid)
}

#[wasm_bindgen]
impl Map {
    pub fn statfs(&self) -> JsResult<JsValue> {
        object(&self.map.read(Statfs::of))
    }

    pub fn info(&self) -> JsResult<JsValue> {
        let info = self.map.read(|fs| Info::of(fs, self.map.form(), self.view));
        object(&info.map_err(error::throw)?)
    }

    /// The zones with their limits in pixels and their clusters.
    pub fn zones(&self) -> JsResult<JsValue> {
        object(&self.map.read(ZoneInfo::all).map_err(error::throw)?)
    }

    pub fn stats(&self) -> JsResult<JsValue> {
        object(&self.map.read(Stats::of))
    }

    pub fn settings(&self) -> JsResult<JsValue> {
        object(&self.map.read(SettingsInfo::of))
    }

    pub fn configure(&self, settings: JsValue) -> JsResult<()> {
        let change: SettingsChange = parse(settings)?;
        let configure = || {
            self.check_writable()?;
            self.map.write(|fs| {
                let mut settings = fs.settings().clone();
                change.apply(&mut settings)?;
                fs.configure(settings)
            })
        };
        configure().map_err(error::throw)
    }

    /// Compresses the raw data of one file, of a tree, or of the whole map.
    pub fn compress(&self, options: JsValue, progress: Option<Function>) -> JsResult<JsValue> {
        let request: CompressRequest = parse(options)?;
        let compress =
            || {
                self.check_writable()?;
                let path = request.path.as_deref().unwrap_or("/").as_bytes();
                self.map.compress(path, request.level, request.all, &mut |done, total| {
                    match &progress {
                        Some(callback) => goes_on(callback, done as f64, total as f64),
                        None => true,
                    }
                })
            };
        object(&CompressInfo::of(compress().map_err(error::throw)?))
    }

    /// Streams the packed form to `write`, in file order.
    pub fn pack(
        &self,
        write: Function,
        options: JsValue,
        progress: Option<Function>,
    ) -> JsResult<f64> {
        let options: PackOptions = parse(options)?;
        let mut out = |bytes: &[u8]| {
            let chunk = Uint8Array::from(bytes);
            write
                .call1(&JsValue::NULL, &chunk)
                .map(|_| ())
                .map_err(|thrown| error::caught(thrown, "writing the packed map"))
        };
        self.map
            .pack(options.parity, &mut out, &mut self::progress(progress))
            .map(|bytes| bytes as f64)
            .map_err(error::throw)
    }

    pub fn extents(&self, ino: f64, from: f64, limit: usize) -> JsResult<JsValue> {
        let extents = || -> Result<Vec<ExtentInfo>> {
            let (ino, from) = (whole(ino)?, whole(from)?);
            if !self.read_only {
                self.map.write(|fs| fs.flush(&[ino], false))?;
            }
            self.map.read(|fs| {
                let geometry = fs.store().geometry();
                let size = fs.stat(self.view, ino)?.size;
                let mut infos = Vec::new();
                let mut at = from;
                fs.for_stretches(self.view, ino, from, &mut |start, stretch| {
                    if start > at && infos.len() < limit {
                        infos.push(ExtentInfo::hole(at, start - at));
                    }
                    if infos.len() < limit {
                        infos.push(ExtentInfo::of(&geometry, start, stretch));
                    }
                    at = start + stretch.length;
                    Ok(infos.len() < limit)
                })?;
                if at < size && infos.len() < limit {
                    infos.push(ExtentInfo::hole(at, size - at));
                }
                Ok(infos)
            })
        };
        object(&extents().map_err(error::throw)?)
    }

    #[wasm_bindgen(js_name = snapshotCreate)]
    pub fn snapshot_create(&self, name: &str, note: Option<String>) -> JsResult<JsValue> {
        let create = || {
            self.check_writable()?;
            let note = note.unwrap_or_default();
            self.map.write(|fs| fs.create_snapshot(name.as_bytes(), note.as_bytes()))
        };
        object(&SnapshotInfo::of(&create().map_err(error::throw)?))
    }

    /// All snapshots, newest first.
    #[wasm_bindgen(js_name = snapshotList)]
    pub fn snapshot_list(&self) -> JsResult<JsValue> {
        object(&self.map.read(SnapshotInfo::all).map_err(error::throw)?)
    }

    /// A read-only view of a snapshot.
    #[wasm_bindgen(js_name = snapshotOpen)]
    pub fn snapshot_open(&self, name: &str) -> JsResult<Map> {
        let snapshot = self.map.read(|fs| fs.snapshot(name.as_bytes())).map_err(error::throw)?;
        Ok(self.snapshot_view(snapshot.view()))
    }

    #[wasm_bindgen(js_name = snapshotRestore)]
    pub fn snapshot_restore(&self, name: &str) -> JsResult<JsValue> {
        let restore = || {
            self.check_writable()?;
            self.map.write(|fs| fs.restore_snapshot(name.as_bytes()))
        };
        object(&SnapshotInfo::of(&restore().map_err(error::throw)?))
    }

    #[wasm_bindgen(js_name = snapshotDelete)]
    pub fn snapshot_delete(&self, name: &str) -> JsResult<()> {
        let delete = || {
            self.check_writable()?;
            self.map.write(|fs| fs.delete_snapshot(name.as_bytes()))
        };
        delete().map_err(error::throw)
    }
}
