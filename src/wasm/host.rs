//! A storage that the host implements: positional file calls in Node, OPFS in a browser.

use std::sync::Arc;

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use super::error::caught;
use crate::base::Result;
use crate::storage::Storage;

#[wasm_bindgen]
extern "C" {
    /// The host's object; see the contract in `index.d.ts`.
    pub type HostStorage;

    #[wasm_bindgen(method, structural, catch, js_name = readAt)]
    fn read_at(this: &HostStorage, offset: f64, target: Uint8Array) -> Result<(), JsValue>;
    #[wasm_bindgen(method, structural, catch, js_name = writeAt)]
    fn write_at(this: &HostStorage, offset: f64, source: Uint8Array) -> Result<(), JsValue>;
    #[wasm_bindgen(method, structural, catch)]
    fn sync(this: &HostStorage) -> Result<(), JsValue>;
    #[wasm_bindgen(method, structural, catch)]
    fn length(this: &HostStorage) -> Result<f64, JsValue>;
    #[wasm_bindgen(method, structural, catch, js_name = setLength)]
    fn set_length(this: &HostStorage, length: f64) -> Result<(), JsValue>;
}

/// A [`HostStorage`] as the engine's storage.
pub(super) struct JsStorage(HostStorage);

impl JsStorage {
    pub(super) fn shared(host: HostStorage) -> Arc<dyn Storage> {
        Arc::new(JsStorage(host))
    }
}

impl Storage for JsStorage {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if buf.is_empty() {
            return Ok(());
        }
        // SAFETY: the view is used by this one call, during which nothing allocates in wasm, so
        // the memory neither moves nor is borrowed otherwise.
        #[allow(unsafe_code)]
        let view = unsafe { Uint8Array::view_mut_raw(buf.as_mut_ptr(), buf.len()) };
        self.0.read_at(offset as f64, view).map_err(|thrown| caught(thrown, "reading"))
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        // SAFETY: as above; the host only reads from the view.
        #[allow(unsafe_code)]
        let view = unsafe { Uint8Array::view(data) };
        self.0.write_at(offset as f64, view).map_err(|thrown| caught(thrown, "writing"))
    }

    fn sync(&self) -> Result<()> {
        self.0.sync().map_err(|thrown| caught(thrown, "syncing"))
    }

    fn len(&self) -> Result<u64> {
        self.0.length().map(|len| len as u64).map_err(|thrown| caught(thrown, "measuring"))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.0.set_length(len as f64).map_err(|thrown| caught(thrown, "resizing"))
    }
}
