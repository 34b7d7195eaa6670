//! Layer 9: the surface for JavaScript.
//!
//! Hot calls take and give numbers only; names, paths and file bytes travel through the
//! *scratch buffer*, one region of wasm memory that JavaScript reads and writes directly.
//! Everything else is plain objects by `serde-wasm-bindgen`. The npm package wraps this; its
//! `index.d.ts` in `pkg-template/` is the contract.
//!
//! Inode numbers, offsets and sizes are JavaScript numbers, exact up to 2^53.

mod calls;
mod codec;
mod error;
mod explore;
mod heap;
mod host;
mod import;
mod objects;
mod options;
mod plane;
mod render;
mod verify;
mod whole;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use js_sys::{Function, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::base::{Code, Error, Result};
use crate::fs::{ROOT, View};
use crate::map;
use crate::storage::Storage;
use host::{HostStorage, JsStorage};
use options::JsOptions;

/// Bytes of the scratch buffer: 1 MiB of data, and room for names beside it.
const SCRATCH: usize = (1 << 20) + (64 << 10);
/// Most bytes one read or write moves.
const TRANSFER: usize = 1 << 20;
/// The largest integer a JavaScript number holds exactly.
const EXACT: f64 = 9_007_199_254_740_991.0;

type JsResult<T> = std::result::Result<T, JsValue>;

/// A map, or a read-only view of one of its snapshots.
#[wasm_bindgen]
pub struct Map {
    map: Rc<map::Map>,
    view: View,
    read_only: bool,
    scratch: RefCell<Box<[u8]>>,
    last_name: Cell<usize>,
    waiting: RefCell<import::Waiting>,
}

#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

impl Map {
    fn new(map: map::Map, read_only: bool) -> Map {
        Map {
            map: Rc::new(map),
            view: View::Head,
            read_only,
            scratch: RefCell::new(vec![0; SCRATCH].into_boxed_slice()),
            last_name: Cell::new(0),
            waiting: RefCell::default(),
        }
    }

    fn snapshot_view(&self, view: View) -> Map {
        Map {
            map: Rc::clone(&self.map),
            view,
            read_only: true,
            scratch: RefCell::new(vec![0; SCRATCH].into_boxed_slice()),
            last_name: Cell::new(0),
            waiting: RefCell::default(),
        }
    }

    fn check_writable(&self) -> Result<()> {
        if self.read_only || self.view != View::Head {
            return Err(Error::new(Code::ReadOnly, "the map is open read-only"));
        }
        Ok(())
    }

    /// A copy of the scratch buffer's bytes `from..to`: what a name or path needs.
    fn bytes(&self, from: usize, to: usize) -> Result<Vec<u8>> {
        let scratch = self.scratch.borrow();
        scratch
            .get(from..to)
            .map(<[u8]>::to_vec)
            .ok_or_else(|| Error::new(Code::Invalid, "a length exceeds the scratch buffer"))
    }

    /// Puts bytes at the start of the scratch buffer; returns how many.
    fn put_bytes(&self, bytes: &[u8]) -> Result<usize> {
        let mut scratch = self.scratch.borrow_mut();
        let target = scratch
            .get_mut(..bytes.len())
            .ok_or_else(|| Error::new(Code::Range, "more bytes than the scratch buffer holds"))?;
        target.copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

/// A JavaScript number as an offset, size or inode number.
fn whole(value: f64) -> Result<u64> {
    if (0.0..=EXACT).contains(&value) && value.fract() == 0.0 {
        Ok(value as u64)
    } else {
        Err(Error::new(Code::Range, format!("{value} is not a whole number from 0 to 2^53 - 1")))
    }
}

#[wasm_bindgen]
impl Map {
    /// A new map in memory.
    pub fn create(options: JsValue) -> JsResult<Map> {
        let options = JsOptions::read(&options)?;
        Ok(Map::new(map::Map::create(&options.engine()?).map_err(error::throw)?, false))
    }

    /// A map in memory from the bytes of a file: live, packed or re-saved.
    pub fn open(bytes: Uint8Array, options: JsValue) -> JsResult<Map> {
        let options = JsOptions::read(&options)?;
        let read_only = options.read_only();
        let map = map::Map::open(bytes.to_vec(), &options.engine()?).map_err(error::throw)?;
        Ok(Map::new(map, read_only))
    }

    /// A new map in the host's storage. Without a log the file is only whole once it is closed.
    #[wasm_bindgen(js_name = createOn)]
    pub fn create_on(
        storage: HostStorage,
        log: Option<HostStorage>,
        options: JsValue,
    ) -> JsResult<Map> {
        let options = JsOptions::read(&options)?;
        let map = map::Map::create_on(
            JsStorage::shared(storage),
            log.map(JsStorage::shared),
            &options.engine()?,
        );
        Ok(Map::new(map.map_err(error::throw)?, false))
    }

    /// Opens the map in the host's storage.
    #[wasm_bindgen(js_name = openOn)]
    pub fn open_on(
        storage: HostStorage,
        log: Option<HostStorage>,
        options: JsValue,
    ) -> JsResult<Map> {
        let options = JsOptions::read(&options)?;
        let read_only = options.read_only();
        let map = map::Map::open_on(
            JsStorage::shared(storage),
            log.map(JsStorage::shared),
            !read_only,
            &options.engine()?,
        );
        Ok(Map::new(map.map_err(error::throw)?, read_only))
    }

    /// Which form a file has: `live`, `packed` or `foreign`.
    #[wasm_bindgen(js_name = detectOn)]
    pub fn detect_on(storage: HostStorage) -> JsResult<String> {
        use crate::container::detect::{Form, detect};
        let storage = JsStorage::shared(storage);
        Ok(match detect(&*storage).map_err(error::throw)? {
            Form::Live(_) => "live",
            Form::Packed => "packed",
            Form::Foreign => "foreign",
        }
        .to_owned())
    }

    /// Writes the live form of a packed or re-saved map to `target`.
    #[wasm_bindgen(js_name = unpackOn)]
    pub fn unpack_on(
        source: HostStorage,
        target: HostStorage,
        options: JsValue,
        progress: Option<Function>,
    ) -> JsResult<()> {
        let options = JsOptions::read(&options)?;
        let (source, target): (Arc<dyn Storage>, Arc<dyn Storage>) =
            (JsStorage::shared(source), JsStorage::shared(target));
        map::Map::unpack(source, target, &options.engine()?, &mut whole::progress(progress))
            .map_err(error::throw)
    }

    /// The wasm memory that the scratch buffer lies in.
    #[wasm_bindgen(getter)]
    pub fn memory(&self) -> JsValue {
        wasm_bindgen::memory()
    }

    #[wasm_bindgen(getter)]
    pub fn scratch(&self) -> usize {
        self.scratch.borrow().as_ptr() as usize
    }

    #[wasm_bindgen(getter, js_name = scratchLength)]
    pub fn scratch_length(&self) -> usize {
        SCRATCH
    }

    #[wasm_bindgen(getter)]
    pub fn root(&self) -> f64 {
        ROOT as f64
    }

    #[wasm_bindgen(getter, js_name = readOnly)]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    #[wasm_bindgen(getter, js_name = lastNameLength)]
    pub fn last_name_length(&self) -> usize {
        self.last_name.get()
    }

    /// Everything written so far becomes durable.
    pub fn sync(&self) -> JsResult<()> {
        self.map.sync().map_err(error::throw)
    }

    /// What was written to one file, and every name so far, becomes durable.
    #[wasm_bindgen(js_name = syncFile)]
    pub fn sync_file(&self, ino: f64) -> JsResult<()> {
        whole(ino).and_then(|ino| self.map.sync_file(ino)).map_err(error::throw)
    }

    /// Writes everything home.
    pub fn checkpoint(&self) -> JsResult<()> {
        if self.read_only {
            return Ok(());
        }
        self.map.checkpoint().map_err(error::throw)
    }

    /// Writes everything home, parity included: the file is then a strictly valid picture.
    pub fn close(&self) -> JsResult<()> {
        if self.read_only {
            return Ok(());
        }
        self.map.close().map_err(error::throw)
    }

    /// Drops the map without writing anything more.
    pub fn abandon(self) {}

    /// The file of a map in memory.
    #[wasm_bindgen(js_name = toPng)]
    pub fn to_png(&self) -> JsResult<Uint8Array> {
        let bytes = self.map.to_png().map_err(error::throw)?;
        Ok(Uint8Array::from(&bytes[..]))
    }
}

/// Versions of the engine and the format.
#[wasm_bindgen]
pub fn version() -> JsResult<JsValue> {
    objects::version()
}
