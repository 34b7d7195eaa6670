//! The objects that calls on the whole map return.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::{JsResult, error};
use crate::base::{Code, Error};
use crate::commit::superblock::{READ_VERSION, WRITE_VERSION};
use crate::container::Geometry;
use crate::plane::zones;
use crate::tree::item::{Source, Stretch};

/// Turns a value into a plain object.
pub(super) fn object<T: Serialize>(value: &T) -> JsResult<JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(|reason| {
        error::throw(Error::new(Code::Range, format!("a result does not fit an object: {reason}")))
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    engine: &'static str,
    format_read: u16,
    format_write: u16,
}

pub(super) fn version() -> JsResult<JsValue> {
    object(&Version {
        engine: env!("CARGO_PKG_VERSION"),
        format_read: READ_VERSION,
        format_write: WRITE_VERSION,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExtentInfo {
    kind: &'static str,
    offset: f64,
    length: f64,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    place: Option<PlaceInfo>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlaceInfo {
    cluster: f64,
    clusters: u32,
    stored_bytes: u32,
    extent_bytes: u32,
    extent_offset: u32,
    sheet: u32,
    x: u32,
    y: u32,
    plane_x: f64,
    plane_y: f64,
    distance: f64,
    zone: &'static str,
}

impl ExtentInfo {
    pub(super) fn hole(offset: u64, length: u64) -> ExtentInfo {
        ExtentInfo { kind: "hole", offset: offset as f64, length: length as f64, place: None }
    }

    pub(super) fn of(geometry: &Geometry, offset: u64, stretch: &Stretch) -> ExtentInfo {
        let kind = match stretch.source {
            Source::Raw(_) => "raw",
            Source::Zstd(_) => "zstd",
            Source::Fill(_) => "fill",
            Source::Pattern { .. } => "pattern",
            Source::Inline(_) => "inline",
        };
        let place = stretch.extent().map(|extent| {
            let width = geometry.width();
            let (sheet, index) =
                (geometry.sheet_of(extent.first), geometry.index_in_sheet(extent.first));
            let (band, column) = geometry.tile(extent.first);
            let (plane_x, plane_y) = zones::offset_from_centre(width, sheet, index);
            let distance = zones::distance(width, sheet, index);
            let whole = zones::extent(width, geometry.sheets());
            PlaceInfo {
                cluster: extent.first as f64,
                clusters: u32::from(extent.clusters),
                stored_bytes: extent.stored,
                extent_bytes: extent.logical,
                extent_offset: extent.offset,
                sheet,
                x: column * 32,
                y: band * 32,
                plane_x,
                plane_y,
                distance,
                zone: zones::zone(distance, whole).name(),
            }
        });
        ExtentInfo { kind, offset: offset as f64, length: stretch.length as f64, place }
    }
}
