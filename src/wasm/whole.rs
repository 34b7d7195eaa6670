//! Calls that concern the whole map.

use js_sys::{Function, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use super::objects::{ExtentInfo, SnapshotInfo, object};
use super::options::{PlainSettings, invalid};
use super::{JsResult, Map, error, whole};
use crate::base::cache::CacheFigures;
use crate::base::limits::CLUSTER;
use crate::base::{Code, Error, Result};
use crate::fs::{Fs, View};
use crate::map::{LIBPNG_ROWS, OpenForm, PILLOW_PIXELS};
use crate::plane::zones::{self, Zone};

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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Statfs {
    block_size: usize,
    blocks: f64,
    free_blocks: f64,
    files: f64,
    name_max: usize,
}

/// Which limits of common viewers the picture exceeds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Limits {
    libpng_rows: bool,
    pillow_pixels: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    format: &'static str,
    form: &'static str,
    width: u32,
    height: u32,
    sheets: u32,
    rings: u32,
    clusters: f64,
    clusters_used: f64,
    file_bytes: f64,
    label: String,
    uuid: String,
    created: f64,
    modified: f64,
    compression: &'static str,
    level: i32,
    parity: bool,
    parity_stale: bool,
    files: f64,
    directories: f64,
    symlinks: f64,
    others: f64,
    bytes: f64,
    snapshots: usize,
    generation: f64,
    cache_bytes: f64,
    recovered: bool,
    limits: Limits,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ZoneInfo {
    zone: &'static str,
    inner: f64,
    outer: Option<f64>,
    clusters: f64,
    used: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CacheInfo {
    hits: f64,
    misses: f64,
    evictions: f64,
    bytes: f64,
    budget: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    cache: CacheInfo,
    reads: f64,
    writes: f64,
    commits: f64,
    checkpoints: f64,
    log_bytes: f64,
    dirty_bytes: f64,
    dirty_pages: f64,
    allocated: f64,
    compressed_logical: f64,
    compressed_stored: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SettingsInfo {
    compression: &'static str,
    level: i32,
    parity: bool,
    label: String,
    rules: Vec<(String, u8)>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CompressOptions {
    path: Option<String>,
    level: Option<i32>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Compressed {
    files: f64,
    logical_bytes: f64,
    stored_before: f64,
    stored_after: f64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PackOptions {
    parity: bool,
}

fn hex(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
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
        let statfs = self.map.read(|fs| {
            let state = fs.store().state();
            let (blocks, free) = fs.capacity();
            let counters = state.head.counters;
            let files = counters.files + counters.directories + counters.symlinks + counters.others;
            Statfs {
                block_size: CLUSTER,
                blocks: blocks as f64,
                free_blocks: free as f64,
                files: files as f64,
                name_max: crate::base::limits::MAX_NAME,
            }
        });
        object(&statfs)
    }

    pub fn info(&self) -> JsResult<JsValue> {
        let form = match self.map.form() {
            OpenForm::Live => "live",
            OpenForm::Packed => "packed",
        };
        let info = self.map.read(|fs| -> Result<Info> {
            let store = fs.store();
            let (geometry, state) = (store.geometry(), store.state());
            let counters = fs.root_counters(self.view);
            let superblock = store.superblock();
            let settings = fs.settings();
            let height = u64::from(geometry.height());
            Ok(Info {
                format: "3.0",
                form,
                width: geometry.width(),
                height: geometry.height(),
                sheets: geometry.sheets(),
                rings: crate::plane::spiral::ring(geometry.sheets() - 1),
                clusters: geometry.clusters() as f64,
                clusters_used: state.used as f64,
                file_bytes: geometry.file_len() as f64,
                label: String::from_utf8_lossy(&settings.label).into_owned(),
                uuid: hex(&superblock.uuid),
                created: superblock.created as f64 / 1e6,
                modified: state.modified as f64 / 1e6,
                compression: settings.compression.name(),
                level: settings.level,
                parity: settings.parity,
                parity_stale: store.sheet_is_stale(0)?,
                files: counters.files as f64,
                directories: counters.directories as f64,
                symlinks: counters.symlinks as f64,
                others: counters.others as f64,
                bytes: counters.bytes as f64,
                snapshots: fs.snapshots()?.len(),
                generation: state.generation as f64,
                cache_bytes: fs.cache_figures().iter().map(|cache| cache.bytes).sum::<u64>() as f64,
                recovered: store.was_recovered(),
                limits: Limits {
                    libpng_rows: height > LIBPNG_ROWS,
                    pillow_pixels: height * u64::from(geometry.width()) > PILLOW_PIXELS,
                },
            })
        });
        object(&info.map_err(error::throw)?)
    }

    /// The zones with their limits in pixels and their clusters.
    pub fn zones(&self) -> JsResult<JsValue> {
        let zones = self.map.read(Fs::zone_usage).map_err(error::throw)?;
        let geometry = self.map.read(|fs| fs.store().geometry());
        let extent = zones::extent(geometry.width(), geometry.sheets());
        let limits = [16.0, 8.0, 4.0, 2.0].map(|part| extent / part);
        let infos: Vec<ZoneInfo> = Zone::ALL
            .iter()
            .enumerate()
            .map(|(index, zone)| ZoneInfo {
                zone: zone.name(),
                inner: index.checked_sub(1).map_or(0.0, |before| limits[before]),
                outer: limits.get(index).copied(),
                clusters: zones[index].0 as f64,
                used: zones[index].1 as f64,
            })
            .collect();
        object(&infos)
    }

    pub fn stats(&self) -> JsResult<JsValue> {
        let stats = self.map.read(|fs| {
            let store = fs.store();
            let caches = fs.cache_figures();
            let sum = |part: fn(&CacheFigures) -> u64| caches.iter().map(part).sum::<u64>() as f64;
            let meter = &store.meter;
            let budget = fs.cache_budget();
            Stats {
                cache: CacheInfo {
                    hits: sum(|cache| cache.hits),
                    misses: sum(|cache| cache.misses),
                    evictions: sum(|cache| cache.evictions),
                    bytes: sum(|cache| cache.bytes),
                    budget: budget as f64,
                },
                reads: meter.clusters_read.get() as f64,
                writes: meter.clusters_written.get() as f64,
                commits: meter.commits.get() as f64,
                checkpoints: meter.checkpoints.get() as f64,
                log_bytes: store.log_len() as f64,
                dirty_bytes: fs.buffered_bytes() as f64,
                dirty_pages: store.dirty_pages() as f64,
                allocated: store.state().used as f64,
                compressed_logical: meter.frames_logical.get() as f64,
                compressed_stored: meter.frames_stored.get() as f64,
            }
        });
        object(&stats)
    }

    pub fn settings(&self) -> JsResult<JsValue> {
        let settings = self.map.read(|fs| {
            let settings = fs.settings();
            SettingsInfo {
                compression: settings.compression.name(),
                level: settings.level,
                parity: settings.parity,
                label: String::from_utf8_lossy(&settings.label).into_owned(),
                rules: settings
                    .rules
                    .iter()
                    .map(|rule| (rule.pattern().to_owned(), rule.importance()))
                    .collect(),
            }
        });
        object(&settings)
    }

    pub fn configure(&self, settings: JsValue) -> JsResult<()> {
        let change: PlainSettings = parse(settings)?;
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
        let options: CompressOptions = parse(options)?;
        let compress = || -> Result<Compressed> {
            self.check_writable()?;
            let path = options.path.as_deref().unwrap_or("/").as_bytes();
            let files = self.map.read(|fs| fs.files_below(View::Head, path))?;
            let level = options.level.unwrap_or_else(|| self.map.read(|fs| fs.settings().level));
            if !(1..=19).contains(&level) {
                let what = format!("compression level {level} is not from 1 to 19");
                return Err(Error::new(Code::Invalid, what));
            }
            let mut sum = Compressed::default();
            for (index, ino) in files.iter().enumerate() {
                if let Some(callback) = &progress
                    && !goes_on(callback, index as f64, files.len() as f64)
                {
                    return Err(Error::new(Code::Cancelled, "cancelled"));
                }
                let one = self.map.write(|fs| fs.compress_file(*ino, level))?;
                sum.files += one.files as f64;
                sum.logical_bytes += one.logical as f64;
                sum.stored_before += one.stored_before as f64;
                sum.stored_after += one.stored_after as f64;
            }
            Ok(sum)
        };
        object(&compress().map_err(error::throw)?)
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
        let snapshots = self.map.read(Fs::snapshots).map_err(error::throw)?;
        let infos: Vec<SnapshotInfo> = snapshots.iter().rev().map(SnapshotInfo::of).collect();
        object(&infos)
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
