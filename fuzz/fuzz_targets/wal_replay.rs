//! Any bytes as a log, bare and as payloads of frames whose sums are right; the latter also
//! beside a map they claim to belong to.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::sync::{Arc, LazyLock};

use aetherflow::base::limits::CLUSTER;
use aetherflow::map::Map;
use aetherflow::storage::Storage;
use aetherflow::storage::mem::MemStorage;
use aetherflow::wal::frame::{Header, frame_crc};
use aetherflow::wal::{Record, replay};
use libfuzzer_sys::fuzz_target;
use support::forge::Forge;
use support::sample::{exercise, sample, sample_options};

static SAMPLE: LazyLock<(Vec<u8>, [u8; 16])> = LazyLock::new(|| {
    let file = sample().file;
    let salt = Forge::new(&file).superblock().log_salt;
    (file, salt)
});

/// Frames of payloads: `flags u8, length u16`, payload.
fn frames(mut data: &[u8], salt: [u8; 16]) -> Vec<u8> {
    let mut log = Vec::new();
    let (mut sequence, mut chain) = (0, 0);
    while let Some((head, rest)) = data.split_first_chunk::<3>() {
        let length = usize::from(u16::from_le_bytes([head[1], head[2]])).min(rest.len());
        let (payload, behind) = rest.split_at(length);
        data = behind;
        let flags = u32::from(head[0] & 1);
        let mut header = Header { flags, sequence, salt, length: length as u32, crc: 0 };
        header.crc = frame_crc(chain, &header.bytes(), payload);
        chain = header.crc;
        sequence += 1;
        log.extend_from_slice(&header.bytes());
        log.extend_from_slice(payload);
    }
    log
}

fn read(log: &[u8], salt: &[u8; 16]) {
    let storage = MemStorage::from_bytes(log);
    let mut page = [0; CLUSTER];
    let _ = replay(&storage, salt, &mut |_, record| {
        match record {
            Record::Page(delta) => delta.apply(&mut page),
            Record::Intents(intents) => drop(intents.iter().count()),
            Record::Grow(_) | Record::Root(_) => {}
        }
        Ok(())
    });
}

fuzz_target!(|data: &[u8]| {
    let (file, salt) = &*SAMPLE;
    read(data, salt);
    let log = frames(data, *salt);
    read(&log, salt);
    for writable in [false, true] {
        let map: Arc<dyn Storage> = Arc::new(MemStorage::from_bytes(file));
        let log: Arc<dyn Storage> = Arc::new(MemStorage::from_bytes(&log));
        if let Ok(map) = Map::open_on(map, Some(log), writable, &sample_options()) {
            map.write(exercise);
        }
    }
});
