//! The import calls: see the contract for the records.

use wasm_bindgen::prelude::*;

use super::{JsResult, Map, error, whole};
use crate::base::bytes::Reader;
use crate::base::env::Timestamp;
use crate::base::{Code, Error, Result};
use crate::fs::import::{ImportedFile, Part};
use crate::fs::ops::Owner;

/// Bytes of frames that wait to be placed together: enough to cover whole bands of the picture,
/// so that each band is written about once.
const WAITING: usize = 8 << 20;

/// Frames that have a number but no place yet.
#[derive(Default)]
pub(super) struct Waiting {
    frames: Vec<(Vec<u8>, u32, bool)>,
    importance: u8,
    bytes: usize,
    /// Number of the next frame.
    next: u32,
}

/// Frame number of a part that is one byte repeated, and of one whose bytes follow.
const FILL: u32 = u32::MAX;
const INLINE: u32 = u32::MAX - 1;

/// Records of `fileOffset f64, length u32, frame u32, offsetInFrame u32`.
fn parts(bytes: &[u8]) -> Result<Vec<(u64, u32, Part)>> {
    let mut reader = Reader::new(bytes);
    let mut parts = Vec::new();
    while reader.remaining() > 0 {
        let offset = whole(f64::from_bits(reader.u64()?))?;
        let length = reader.u32()?;
        let frame = reader.u32()?;
        let detail = reader.u32()?;
        let part = match frame {
            FILL => Part::Fill(detail as u8),
            INLINE => Part::Inline(reader.take(length as usize)?.to_vec()),
            frame => Part::Frame { frame, offset: detail },
        };
        parts.push((offset, length, part));
    }
    Ok(parts)
}

#[wasm_bindgen]
impl Map {
    #[wasm_bindgen(js_name = importBegin)]
    pub fn import_begin(&self) -> JsResult<()> {
        self.map.write(crate::fs::Fs::import_begin).map_err(error::throw)?;
        self.waiting.replace(Waiting::default());
        Ok(())
    }

    /// Takes a frame. It gets its place together with those that follow, at the latest when a
    /// file is imported; a lack of space is told then.
    #[wasm_bindgen(js_name = importFrame)]
    pub fn import_frame(
        &self,
        length: usize,
        logical_bytes: u32,
        compressed: bool,
        importance: u8,
    ) -> JsResult<u32> {
        let take = || -> Result<u32> {
            if !self.map.read(crate::fs::Fs::is_importing) {
                return Err(Error::new(Code::Invalid, "no import is under way"));
            }
            let full = {
                let waiting = self.waiting.borrow();
                waiting.bytes >= WAITING || waiting.importance != importance
            };
            if full {
                self.place_waiting()?;
            }
            let scratch = self.scratch.borrow();
            let stored = scratch
                .get(..length)
                .ok_or_else(|| Error::new(Code::Invalid, "a frame exceeds the scratch buffer"))?;
            let mut waiting = self.waiting.borrow_mut();
            waiting.frames.push((stored.to_vec(), logical_bytes, compressed));
            waiting.importance = importance;
            waiting.bytes += length;
            waiting.next += 1;
            Ok(waiting.next - 1)
        };
        take().map_err(error::throw)
    }

    /// Gives the waiting frames their place.
    fn place_waiting(&self) -> Result<()> {
        let (frames, importance) = {
            let mut waiting = self.waiting.borrow_mut();
            waiting.bytes = 0;
            (std::mem::take(&mut waiting.frames), waiting.importance)
        };
        if frames.is_empty() {
            return Ok(());
        }
        let frames: Vec<(&[u8], u32, bool)> = frames
            .iter()
            .map(|(stored, logical, compressed)| (&stored[..], *logical, *compressed))
            .collect();
        self.map.write(|fs| fs.import_frames(&frames, importance)).map(|_| ())
    }

    #[wasm_bindgen(js_name = importFile)]
    #[allow(clippy::too_many_arguments)]
    pub fn import_file(
        &self,
        parent: f64,
        name_length: usize,
        extents_length: usize,
        mode: u32,
        uid: u32,
        gid: u32,
        size: f64,
        modified_seconds: f64,
        modified_nanos: f64,
        accessed_seconds: f64,
        accessed_nanos: f64,
    ) -> JsResult<f64> {
        let import = || {
            self.place_waiting()?;
            let scratch = self.scratch.borrow();
            let name = scratch.get(..name_length);
            let records = scratch.get(name_length..name_length + extents_length);
            let (Some(name), Some(records)) = (name, records) else {
                return Err(Error::new(Code::Invalid, "a file exceeds the scratch buffer"));
            };
            let time = |seconds: f64, nanos: f64| Timestamp {
                seconds: seconds as i64,
                nanos: (nanos as u32).min(999_999_999),
            };
            let parts = parts(records)?;
            let file = ImportedFile {
                mode,
                owner: Owner { uid, gid },
                size: whole(size)?,
                accessed: time(accessed_seconds, accessed_nanos),
                modified: time(modified_seconds, modified_nanos),
                parts: &parts,
            };
            let parent = whole(parent)?;
            self.map.write(|fs| fs.import_file(parent, name, &file)).map(|ino| ino as f64)
        };
        import().map_err(error::throw)
    }

    #[wasm_bindgen(js_name = importEnd)]
    pub fn import_end(&self) -> JsResult<()> {
        // What still waits is what no file refers to.
        self.waiting.replace(Waiting::default());
        self.map.write(crate::fs::Fs::import_end).map_err(error::throw)
    }
}
