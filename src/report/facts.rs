//! The map, its zones, its settings, its counters, its snapshots.

use serde::Serialize;

use super::Number;
use crate::base::Result;
use crate::base::cache::CacheFigures;
use crate::base::limits::{CLUSTER, MAX_NAME};
use crate::fs::recompress::Rewritten;
use crate::fs::snapshot::Snapshot;
use crate::fs::{Fs, View};
use crate::map::{LIBPNG_ROWS, OpenForm, PILLOW_PIXELS};
use crate::plane::spiral;
use crate::plane::zones::{self, Zone};

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statfs {
    pub block_size: usize,
    pub blocks: Number,
    pub free_blocks: Number,
    pub files: Number,
    pub name_max: usize,
}

impl Statfs {
    pub fn of(fs: &Fs) -> Statfs {
        let (blocks, free) = fs.capacity();
        let counters = fs.store().state().head.counters;
        let files = counters.files + counters.directories + counters.symlinks + counters.others;
        Statfs {
            block_size: CLUSTER,
            blocks: blocks.into(),
            free_blocks: free.into(),
            files: files.into(),
            name_max: MAX_NAME,
        }
    }
}

/// Which limits of common viewers the picture exceeds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    pub libpng_rows: bool,
    pub pillow_pixels: bool,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    pub format: &'static str,
    pub form: &'static str,
    pub width: u32,
    pub height: u32,
    pub sheets: u32,
    pub rings: u32,
    pub clusters: Number,
    pub clusters_used: Number,
    pub file_bytes: Number,
    pub label: String,
    pub uuid: String,
    pub created: Number,
    pub modified: Number,
    pub compression: &'static str,
    pub level: i32,
    pub parity: bool,
    pub parity_stale: bool,
    pub files: Number,
    pub directories: Number,
    pub symlinks: Number,
    pub others: Number,
    pub bytes: Number,
    pub snapshots: usize,
    pub generation: Number,
    pub cache_bytes: Number,
    pub recovered: bool,
    pub limits: Limits,
}

impl Info {
    /// The map that `fs` is, with the files of one view counted.
    ///
    /// # Errors
    /// `Corrupt` or `Io` from the table or the catalog.
    pub fn of(fs: &Fs, form: OpenForm, view: View) -> Result<Info> {
        let store = fs.store();
        let (geometry, state) = (store.geometry(), store.state());
        let counters = fs.root_counters(view);
        let superblock = store.superblock();
        let settings = fs.settings();
        let height = u64::from(geometry.height());
        Ok(Info {
            format: "3.0",
            form: match form {
                OpenForm::Live => "live",
                OpenForm::Packed => "packed",
            },
            width: geometry.width(),
            height: geometry.height(),
            sheets: geometry.sheets(),
            rings: spiral::ring(geometry.sheets() - 1),
            clusters: geometry.clusters().into(),
            clusters_used: state.used.into(),
            file_bytes: geometry.file_len().into(),
            label: String::from_utf8_lossy(&settings.label).into_owned(),
            uuid: hex(&superblock.uuid),
            created: (superblock.created as f64 / 1e6).into(),
            modified: (state.modified as f64 / 1e6).into(),
            compression: settings.compression.name(),
            level: settings.level,
            parity: settings.parity,
            parity_stale: store.sheet_is_stale(0)?,
            files: counters.files.into(),
            directories: counters.directories.into(),
            symlinks: counters.symlinks.into(),
            others: counters.others.into(),
            bytes: counters.bytes.into(),
            snapshots: fs.snapshots()?.len(),
            generation: state.generation.into(),
            cache_bytes: fs.cache_figures().iter().map(|cache| cache.bytes).sum::<u64>().into(),
            recovered: store.was_recovered(),
            limits: Limits {
                libpng_rows: height > LIBPNG_ROWS,
                pillow_pixels: height * u64::from(geometry.width()) > PILLOW_PIXELS,
            },
        })
    }
}

/// A zone with its limits in pixels and its clusters.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ZoneInfo {
    pub zone: &'static str,
    pub inner: Number,
    pub outer: Option<Number>,
    pub clusters: Number,
    pub used: Number,
}

impl ZoneInfo {
    /// All zones, from the centre outward.
    ///
    /// # Errors
    /// `Corrupt` or `Io` from the table.
    pub fn all(fs: &Fs) -> Result<Vec<ZoneInfo>> {
        let usage = fs.zone_usage()?;
        let geometry = fs.store().geometry();
        let extent = zones::extent(geometry.width(), geometry.sheets());
        let limits = [16.0, 8.0, 4.0, 2.0].map(|part| extent / part);
        let zone = |(index, zone): (usize, &Zone)| ZoneInfo {
            zone: zone.name(),
            inner: index.checked_sub(1).map_or(0.0, |before| limits[before]).into(),
            outer: limits.get(index).copied().map(Number::from),
            clusters: usage[index].0.into(),
            used: usage[index].1.into(),
        };
        Ok(Zone::ALL.iter().enumerate().map(zone).collect())
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheInfo {
    pub hits: Number,
    pub misses: Number,
    pub evictions: Number,
    pub bytes: Number,
    pub budget: Number,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    pub cache: CacheInfo,
    pub reads: Number,
    pub writes: Number,
    pub commits: Number,
    pub checkpoints: Number,
    pub log_bytes: Number,
    pub dirty_bytes: Number,
    pub dirty_pages: Number,
    pub allocated: Number,
    pub compressed_logical: Number,
    pub compressed_stored: Number,
}

impl Stats {
    pub fn of(fs: &Fs) -> Stats {
        let store = fs.store();
        let caches = fs.cache_figures();
        let sum = |part: fn(&CacheFigures) -> u64| caches.iter().map(part).sum::<u64>().into();
        let meter = &store.meter;
        Stats {
            cache: CacheInfo {
                hits: sum(|cache| cache.hits),
                misses: sum(|cache| cache.misses),
                evictions: sum(|cache| cache.evictions),
                bytes: sum(|cache| cache.bytes),
                budget: fs.cache_budget().into(),
            },
            reads: meter.clusters_read.get().into(),
            writes: meter.clusters_written.get().into(),
            commits: meter.commits.get().into(),
            checkpoints: meter.checkpoints.get().into(),
            log_bytes: store.log_len().into(),
            dirty_bytes: fs.buffered_bytes().into(),
            dirty_pages: store.dirty_pages().into(),
            allocated: store.state().used.into(),
            compressed_logical: meter.frames_logical.get().into(),
            compressed_stored: meter.frames_stored.get().into(),
        }
    }
}

/// One cache by its name.
#[derive(Clone, Debug, Serialize)]
pub struct CacheFigure {
    pub name: &'static str,
    #[serde(flatten)]
    pub figures: CacheInfo,
}

/// All caches and what they may hold together.
#[derive(Clone, Debug, Serialize)]
pub struct CacheReport {
    pub budget: Number,
    pub caches: Vec<CacheFigure>,
}

impl CacheReport {
    pub fn of(fs: &Fs) -> CacheReport {
        let figure = |cache: &CacheFigures| CacheFigure {
            name: cache.name,
            figures: CacheInfo {
                hits: cache.hits.into(),
                misses: cache.misses.into(),
                evictions: cache.evictions.into(),
                bytes: cache.bytes.into(),
                budget: cache.budget.into(),
            },
        };
        let caches = fs.cache_figures().iter().map(figure).collect();
        CacheReport { budget: fs.cache_budget().into(), caches }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingsInfo {
    pub compression: &'static str,
    pub level: i32,
    pub parity: bool,
    pub label: String,
    pub rules: Vec<(String, u8)>,
}

impl SettingsInfo {
    pub fn of(fs: &Fs) -> SettingsInfo {
        let settings = fs.settings();
        let rules = settings.rules.iter();
        SettingsInfo {
            compression: settings.compression.name(),
            level: settings.level,
            parity: settings.parity,
            label: String::from_utf8_lossy(&settings.label).into_owned(),
            rules: rules.map(|rule| (rule.pattern().to_owned(), rule.importance())).collect(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotInfo {
    pub name: String,
    pub note: String,
    pub id: Number,
    pub created: Number,
    pub automatic: bool,
    pub files: Number,
    pub directories: Number,
    pub bytes: Number,
}

impl SnapshotInfo {
    pub fn of(snapshot: &Snapshot) -> SnapshotInfo {
        let counters = &snapshot.root.counters;
        SnapshotInfo {
            name: String::from_utf8_lossy(&snapshot.name).into_owned(),
            note: String::from_utf8_lossy(&snapshot.note).into_owned(),
            id: snapshot.id.into(),
            created: ((snapshot.created / 1_000_000) as f64).into(),
            automatic: snapshot.automatic,
            files: counters.files.into(),
            directories: counters.directories.into(),
            bytes: counters.bytes.into(),
        }
    }

    /// All snapshots, newest first.
    ///
    /// # Errors
    /// `Corrupt` or `Io` from the catalog.
    pub fn all(fs: &Fs) -> Result<Vec<SnapshotInfo>> {
        Ok(fs.snapshots()?.iter().rev().map(SnapshotInfo::of).collect())
    }
}

/// What a compression saved.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompressInfo {
    pub files: Number,
    pub logical_bytes: Number,
    pub stored_before: Number,
    pub stored_after: Number,
}

impl CompressInfo {
    pub fn of(sum: Rewritten) -> CompressInfo {
        CompressInfo {
            files: sum.files.into(),
            logical_bytes: sum.logical.into(),
            stored_before: sum.stored_before.into(),
            stored_after: sum.stored_after.into(),
        }
    }
}

/// A UUID in its usual form.
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
