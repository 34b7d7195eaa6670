//! Compression for workers, which hold no map.

use wasm_bindgen::prelude::*;

use crate::base::limits::MAX_FRAME;
use crate::codec::frame;

/// Compresses frames of up to 128 KiB: bytes go into the region at `input`, and come out of the
/// one at `output`.
#[wasm_bindgen]
pub struct Compressor {
    level: i32,
    compressor: frame::Compressor,
    input: Box<[u8]>,
    output: Vec<u8>,
}

#[wasm_bindgen]
impl Compressor {
    /// `level` is zstd's, 1..=19.
    #[wasm_bindgen(constructor)]
    pub fn new(level: i32) -> Compressor {
        Compressor {
            level: level.clamp(1, 19),
            compressor: frame::Compressor::new(),
            input: vec![0; MAX_FRAME].into_boxed_slice(),
            output: Vec::with_capacity(2 * MAX_FRAME),
        }
    }

    #[wasm_bindgen(getter)]
    pub fn memory(&self) -> JsValue {
        wasm_bindgen::memory()
    }

    #[wasm_bindgen(getter)]
    pub fn input(&self) -> usize {
        self.input.as_ptr() as usize
    }

    #[wasm_bindgen(getter, js_name = inputCapacity)]
    pub fn input_capacity(&self) -> usize {
        self.input.len()
    }

    #[wasm_bindgen(getter)]
    pub fn output(&self) -> usize {
        self.output.as_ptr() as usize
    }

    /// Compresses the first `length` bytes of the input; gives the bytes at the output, or 0
    /// when it does not pay and the input should be stored as it is.
    pub fn compress(&mut self, length: usize) -> usize {
        let input = &self.input[..length.min(self.input.len())];
        if self.compressor.compress(input, self.level, &mut self.output) {
            self.output.len()
        } else {
            0
        }
    }
}
