//! Any bytes as a packed map, and a good one with changed bytes.
//!
//! A first byte of 0 means that the rest is the file; otherwise the rest is a list of changes of
//! four bytes each: offset u24, value.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::sync::{Arc, LazyLock};

use aetherflow::map::Map;
use aetherflow::storage::Storage;
use aetherflow::storage::mem::MemStorage;
use libfuzzer_sys::fuzz_target;
use support::model::{Dump, dump};
use support::sample::{exercise, sample, sample_options};

static PACKED: LazyLock<(Vec<u8>, Dump)> = LazyLock::new(|| {
    let sample = sample();
    let map = Map::open(sample.file, &sample_options()).expect("the sample opens");
    let mut packed = Vec::new();
    let mut write = |bytes: &[u8]| {
        packed.extend_from_slice(bytes);
        Ok(())
    };
    map.pack(false, &mut write, &mut |_, _| Ok(())).expect("packing into memory");
    (packed, sample.dump)
});

fuzz_target!(|data: &[u8]| {
    let Some((&mode, rest)) = data.split_first() else { return };
    let (packed, expected) = &*PACKED;
    let mut bytes = packed.clone();
    if mode == 0 {
        bytes = rest.to_vec();
    } else {
        for change in rest.as_chunks::<4>().0.iter().take(16) {
            let at = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize;
            let length = bytes.len();
            bytes[at % length] = change[3];
        }
    }
    let storage: Arc<dyn Storage> = Arc::new(MemStorage::from_bytes(&bytes));
    if let Ok(map) = Map::open_on(storage, None, false, &sample_options()) {
        if mode != 0
            && let Ok(found) = map.read(dump)
        {
            assert!(found == *expected, "a damaged packed map gave other bytes");
        }
        map.write(exercise);
    }
    let _ = Map::open(bytes, &sample_options()).map(|map| map.write(exercise));
});
