//! Any bytes as a map, and a good map with lies in it: opened, walked, changed, verified.
//!
//! A first byte of 0 means that the rest is the file. Otherwise the rest is a list of changes to
//! the sample map, five bytes each (cluster, offset u16, how, value); checksums are made right
//! again, so that the lies are believed.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::sync::{Arc, LazyLock};

use aetherflow::map::Map;
use aetherflow::storage::Storage;
use aetherflow::storage::mem::MemStorage;
use aetherflow::vat::{Kind, page as table};
use libfuzzer_sys::fuzz_target;
use support::forge::Forge;
use support::sample::{exercise, sample, sample_options};
use support::walk;

static SAMPLE: LazyLock<Vec<u8>> = LazyLock::new(|| sample().file);

fn forged(changes: &[u8]) -> Vec<u8> {
    let forge = Forge::new(&SAMPLE);
    for change in changes.as_chunks::<5>().0.iter().take(32) {
        let cluster = u64::from(change[0]) % forge.geometry.clusters();
        let at = usize::from(u16::from_le_bytes([change[1], change[2]])) % 4096;
        let apply = |byte: &mut u8| match change[3] % 3 {
            0 => *byte = change[4],
            1 => *byte ^= 1 << (change[4] % 8),
            _ => *byte = byte.wrapping_add(change[4]),
        };
        if table::is_page(&forge.geometry, cluster) {
            let records = forge.geometry.clusters() - 1;
            forge.raw_record(1 + (at as u64 / 8) % records, |bytes| apply(&mut bytes[at % 8]));
        } else if forge.slots().contains(&cluster) {
            let mut page = forge.read(cluster);
            apply(&mut page[at % 400]);
            let crc = aetherflow::base::checksum::crc32(&page[..4092]);
            page[4092..].copy_from_slice(&crc.to_le_bytes());
            forge.write(cluster, &page);
        } else if forge.try_record(cluster).is_some_and(|record| record.kind == Kind::Node) {
            forge.node(cluster, |page| apply(&mut page[at]));
        }
    }
    forge.storage.to_vec().unwrap_or_default()
}

fuzz_target!(|data: &[u8]| {
    let Some((&mode, rest)) = data.split_first() else { return };
    let bytes = if mode == 0 { rest.to_vec() } else { forged(rest) };
    let _ = Map::open(bytes.clone(), &sample_options()).map(|map| map.write(exercise));
    for writable in [false, true] {
        let storage: Arc<dyn Storage> = Arc::new(MemStorage::from_vec(bytes.clone()));
        if let Ok(map) = Map::open_on(storage, None, writable, &sample_options()) {
            map.read(|fs| walk::verified(fs, true));
            map.write(exercise);
        }
    }
});
