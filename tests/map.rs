//! The filesystem through its façade: what goes in comes out, now and after reopening.

use std::sync::Arc;

use aetherflow::base::Code;
use aetherflow::base::env::{Clock, Timestamp};
use aetherflow::check::VerifyOptions;
use aetherflow::check::scrub::scrub_band;
use aetherflow::container::live::read_geometry;
use aetherflow::fs::ops::{Attributes, Owner, Rename};
use aetherflow::fs::prepare::{Prepared, prepare};
use aetherflow::fs::{Compression, FileType, Fs, ROOT, Settings, View};
use aetherflow::map::{Map, Options};
use aetherflow::storage::Storage;
use aetherflow::storage::mem::MemStorage;

const OWNER: Owner = Owner { uid: 1000, gid: 100 };
const FILE: u32 = 0o100_644;
const DIRECTORY: u32 = 0o040_755;

fn options(compression: Compression) -> Options {
    Options { settings: Settings { compression, ..Settings::default() }, ..Options::default() }
}

/// Bytes that do not compress, the same for the same seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

fn text(seed: u64, length: usize) -> Vec<u8> {
    let words = ["cluster ", "band ", "sheet ", "extent ", "inode ", "snapshot ", "plane\n"];
    let mut out = Vec::with_capacity(length + 16);
    for byte in noise(seed, length) {
        out.extend_from_slice(words[byte as usize % words.len()].as_bytes());
        if out.len() >= length {
            break;
        }
    }
    out.truncate(length);
    out
}

fn put(map: &Map, parent: u64, name: &str, data: &[u8]) -> u64 {
    map.write(|fs| {
        let ino = fs.make(parent, name.as_bytes(), FILE, OWNER, 0).unwrap();
        fs.write(ino, 0, data).unwrap();
        ino
    })
}

fn get(map: &Map, ino: u64) -> Vec<u8> {
    map.read(|fs| {
        let size = fs.stat(View::Head, ino).unwrap().size as usize;
        let mut data = vec![0xee; size + 7];
        let read = fs.read(View::Head, ino, 0, &mut data).unwrap();
        data.truncate(read);
        data
    })
}

fn contents() -> Vec<(String, Vec<u8>)> {
    let mut files = vec![
        ("empty".to_owned(), Vec::new()),
        ("one".to_owned(), vec![7]),
        ("zeros".to_owned(), vec![0; 300_000]),
        ("fill".to_owned(), vec![0xaa; 1_000_000]),
        ("pattern".to_owned(), b"abcde".iter().copied().cycle().take(200_000).collect()),
    ];
    for (index, length) in
        [512, 513, 4095, 4096, 4097, 65_535, 131_071, 131_072, 131_073, 5 << 20].iter().enumerate()
    {
        files.push((format!("noise{length}"), noise(index as u64 + 1, *length)));
        files.push((format!("text{length}"), text(index as u64 + 99, *length)));
    }
    files
}

#[test]
fn every_kind_of_content_survives_writing_and_reopening() {
    for compression in [Compression::Off, Compression::Zone, Compression::All] {
        let map = Map::create(&options(compression)).unwrap();
        let files: Vec<_> = contents()
            .into_iter()
            .map(|(name, data)| (put(&map, ROOT, &name, &data), name, data))
            .collect();
        for (ino, name, data) in &files {
            assert!(get(&map, *ino) == *data, "{name} while buffered");
        }
        map.sync().unwrap();
        for (ino, name, data) in &files {
            assert!(get(&map, *ino) == *data, "{name} after sync");
        }
        let png = map.to_png().unwrap();
        let again = Map::open(png, &options(compression)).unwrap();
        for (_, name, data) in &files {
            let (ino, kind) = again
                .read(|fs| fs.lookup(View::Head, ROOT, name.as_bytes()))
                .unwrap()
                .unwrap_or_else(|| panic!("{name} is gone"));
            assert_eq!(kind, FileType::Regular);
            assert!(get(&again, ino) == *data, "{name} after reopening");
        }
    }
}

#[test]
fn a_closed_map_is_a_strict_png() {
    let map = Map::create(&options(Compression::All)).unwrap();
    put(&map, ROOT, "a", &text(3, 3 << 20));
    put(&map, ROOT, "b", &noise(3, 3 << 20));
    let png = map.to_png().unwrap();
    let storage = MemStorage::from_bytes(&png);
    let geometry = read_geometry(&storage).unwrap();
    let decoder = png::Decoder::new(std::io::Cursor::new(&png));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (geometry.width(), geometry.height()));
    reader.finish().unwrap();
}

#[test]
fn overwrites_holes_and_truncation_agree_with_a_vector() {
    for compression in [Compression::Off, Compression::All] {
        let map = Map::create(&options(compression)).unwrap();
        let ino = put(&map, ROOT, "f", &[]);
        let mut model: Vec<u8> = Vec::new();
        let mut seed = 42u64;
        let mut next = |limit: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % limit
        };
        for step in 0..300 {
            match next(10) {
                0 => {
                    let size = next(600_000);
                    model.resize(size, 0);
                    map.write(|fs| fs.truncate(ino, size as u64)).unwrap();
                }
                1 => {
                    let (at, length) = (next(500_000), 1 + next(200_000));
                    let end = (at + length).min(model.len());
                    if at < end {
                        model[at..end].fill(0);
                    }
                    map.write(|fs| fs.fallocate(ino, 3, at as u64, length as u64)).unwrap();
                }
                2 => map.sync().unwrap(),
                _ => {
                    let (at, length) = (next(500_000), next(40_000));
                    let data = if next(2) == 0 { noise(step, length) } else { text(step, length) };
                    if !data.is_empty() {
                        model.resize(model.len().max(at + length), 0);
                        model[at..at + length].copy_from_slice(&data);
                    }
                    map.write(|fs| fs.write(ino, at as u64, &data)).unwrap();
                }
            }
            if step % 7 == 0 {
                assert!(get(&map, ino) == model, "step {step}");
            }
        }
        let again = Map::open(map.to_png().unwrap(), &options(compression)).unwrap();
        let (ino, _) = again.read(|fs| fs.lookup(View::Head, ROOT, b"f")).unwrap().unwrap();
        assert!(get(&again, ino) == model);
    }
}

#[test]
fn many_names_are_found_listed_and_removed() {
    let map = Map::create(&Options::default()).unwrap();
    let directory = map.write(|fs| fs.make(ROOT, b"d", DIRECTORY, OWNER, 0)).unwrap();
    for index in 0..5000 {
        put(&map, directory, &format!("file {index}"), format!("{index}").as_bytes());
    }
    let mut seen = Vec::new();
    map.read(|fs| {
        fs.read_directory(View::Head, directory, 0, &mut |entry, _| {
            seen.push(entry.name.clone());
            true
        })
    })
    .unwrap();
    assert_eq!(seen.len(), 5000);
    for index in (0..5000).step_by(2) {
        map.write(|fs| fs.unlink(directory, format!("file {index}").as_bytes())).unwrap();
    }
    let again = Map::open(map.to_png().unwrap(), &Options::default()).unwrap();
    for index in 0..5000 {
        let name = format!("file {index}");
        let found = again.read(|fs| fs.lookup(View::Head, directory, name.as_bytes())).unwrap();
        match found {
            Some((ino, _)) => {
                assert_eq!(index % 2, 1);
                assert_eq!(get(&again, ino), format!("{index}").as_bytes());
            }
            None => assert_eq!(index % 2, 0),
        }
    }
    assert_eq!(
        again.write(|fs| fs.remove_directory(ROOT, b"d")).unwrap_err().code(),
        Code::NotEmpty
    );
    for index in (1..5000).step_by(2) {
        again.write(|fs| fs.unlink(directory, format!("file {index}").as_bytes())).unwrap();
    }
    again.write(|fs| fs.remove_directory(ROOT, b"d")).unwrap();
}

#[test]
fn snapshots_keep_the_past_and_rollback_brings_it_back() {
    let map = Map::create(&options(Compression::All)).unwrap();
    let ino = put(&map, ROOT, "f", &text(1, 400_000));
    for index in 0..300 {
        put(&map, ROOT, &format!("x{index}"), &text(index, 1000));
    }
    let snapshot = map.write(|fs| fs.create_snapshot(b"one", b"")).unwrap();
    map.write(|fs| {
        fs.write(ino, 1000, b"changed").unwrap();
        fs.unlink(ROOT, b"x7").unwrap();
        fs.rename(ROOT, b"x8", ROOT, b"moved", Rename::Replace).unwrap();
    });
    map.sync().unwrap();
    let mut old = vec![0; 400_000];
    map.read(|fs| fs.read(snapshot.view(), ino, 0, &mut old)).unwrap();
    assert!(old == text(1, 400_000));
    assert!(map.read(|fs| fs.lookup(snapshot.view(), ROOT, b"x7")).unwrap().is_some());
    assert!(map.read(|fs| fs.lookup(View::Head, ROOT, b"x7")).unwrap().is_none());
    let kept = map.write(|fs| fs.restore_snapshot(b"one")).unwrap();
    assert!(kept.automatic);
    assert!(get(&map, ino) == text(1, 400_000));
    let again = Map::open(map.to_png().unwrap(), &options(Compression::All)).unwrap();
    assert!(get(&again, ino) == text(1, 400_000));
    assert_eq!(again.read(Fs::snapshots).unwrap().len(), 2);
    let used = again.read(|fs| fs.store().state().used);
    again.write(|fs| fs.delete_snapshot(b"one")).unwrap();
    again.write(|fs| fs.delete_snapshot(&kept.name)).unwrap();
    assert!(again.read(|fs| fs.store().state().used) < used);
    assert!(get(&again, ino) == text(1, 400_000));
}

#[test]
fn a_map_with_a_log_recovers_what_was_synced() {
    let storage: Arc<dyn Storage> = Arc::new(MemStorage::new());
    let log: Arc<dyn Storage> = Arc::new(MemStorage::new());
    let map =
        Map::create_on(Arc::clone(&storage), Some(Arc::clone(&log)), &Options::default()).unwrap();
    let mut files = Vec::new();
    for index in 0..200u64 {
        let data = noise(index, (index * 397) as usize % 90_000);
        files.push((put(&map, ROOT, &format!("n{index}"), &data), data));
        if index % 3 == 0 {
            map.sync().unwrap();
        }
    }
    map.sync().unwrap();
    drop(map);
    let again = Map::open_on(storage, Some(log), true, &Options::default()).unwrap();
    assert!(again.read(|fs| fs.store().was_recovered()));
    for (ino, data) in &files {
        assert!(get(&again, *ino) == *data);
    }
    again.close().unwrap();
}

/// A clock that moves on by a second at every look.
struct Ticking(std::sync::atomic::AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        let seconds = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Timestamp { seconds, nanos: 0 }
    }
}

#[test]
fn times_of_what_a_cache_writes_back_are_the_caches() {
    let clock = Arc::new(Ticking(1_000_000.into()));
    let map = Map::create(&Options::with_clock(clock)).unwrap();
    let ino = put(&map, ROOT, "file", b"before");
    map.sync().unwrap();
    let written = map.read(|fs| fs.stat(View::Head, ino)).unwrap();
    map.write(|fs| fs.write_back(ino, 0, b"after!", Prepared::default())).unwrap();
    let buffered = map.read(|fs| fs.stat(View::Head, ino)).unwrap();
    assert_eq!(buffered.modified, written.modified);
    // What the cache says then holds, whether the data has a place by that time or not.
    let said = Timestamp { seconds: 77, nanos: 5 };
    let times = Attributes { modified: Some(said), changed: Some(said), ..Attributes::default() };
    map.write(|fs| fs.set_attributes(ino, times)).unwrap();
    assert_eq!(map.read(|fs| fs.stat(View::Head, ino)).unwrap().modified, said);
    map.sync().unwrap();
    let flushed = map.read(|fs| fs.stat(View::Head, ino)).unwrap();
    assert_eq!((flushed.modified, get(&map, ino)), (said, b"after!".to_vec()));
    // A write that is not written back has a time of its own again.
    map.write(|fs| fs.write(ino, 0, b"direct")).unwrap();
    assert!(map.read(|fs| fs.stat(View::Head, ino)).unwrap().modified > written.modified);
}

#[test]
fn a_held_inode_outlives_its_name_until_the_last_holder_is_gone() {
    let map = Map::create(&options(Compression::Off)).unwrap();
    let ino = put(&map, ROOT, "file", &noise(1, 10_000));
    // As two lookups do, under the reader's lock.
    map.read(|fs| {
        fs.retain(ino);
        fs.retain(ino);
    });
    map.write(|fs| fs.unlink(ROOT, b"file")).unwrap();
    assert!(map.read(|fs| fs.is_orphan(ino)));
    assert_eq!(get(&map, ino), noise(1, 10_000));
    assert!(!map.read(|fs| fs.holds().subtract(ino, 1)));
    map.write(|fs| fs.reap_if_unheld(ino)).unwrap();
    assert_eq!(get(&map, ino), noise(1, 10_000));
    assert!(map.read(|fs| fs.holds().subtract(ino, 1)));
    map.write(|fs| fs.reap_if_unheld(ino)).unwrap();
    let gone = map.read(|fs| fs.stat(View::Head, ino)).unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    assert!(map.read(|fs| fs.holds().is_empty()));
}

#[test]
fn idle_time_finds_what_is_worth_compressing_and_what_is_damaged() {
    let storage = Arc::new(MemStorage::new());
    let map = Map::create_on(
        Arc::clone(&storage) as Arc<dyn Storage>,
        Some(Arc::new(MemStorage::new())),
        &options(Compression::Off),
    )
    .unwrap();
    let plain = put(&map, ROOT, "text", &text(1, 200_000));
    put(&map, ROOT, "noise", &noise(2, 200_000));
    map.sync().unwrap();
    // What the policy leaves alone is left alone.
    let found = |from| map.read(|fs| fs.next_to_compress(from)).unwrap();
    assert_eq!(found(0), (None, None));
    map.write(|fs| {
        fs.configure(Settings { compression: Compression::All, ..fs.settings().clone() })
    })
    .unwrap();
    let (first, next) = found(0);
    assert_eq!(first, Some(plain));
    assert_eq!(found(next.unwrap()), (None, None));
    map.write(|fs| fs.compress_file(plain, 3)).unwrap();
    assert_eq!(found(0), (None, None));
    assert_eq!(get(&map, plain), text(1, 200_000));

    map.checkpoint().unwrap();
    let bands = map.read(|fs| fs.store().geometry().bands());
    let scrub = || -> (u64, usize) {
        (0..bands).fold((0, 0), |(clusters, damaged), band| {
            let band = map.read(|fs| scrub_band(fs, band)).unwrap();
            (clusters + band.clusters, damaged + band.damaged.len())
        })
    };
    let (clusters, damaged) = scrub();
    assert!(clusters > 50 && damaged == 0);
    let mut at = None;
    let name = noise(2, 200_000);
    let bytes = storage.to_vec().unwrap();
    for offset in 0..bytes.len() - 64 {
        if bytes[offset..offset + 64] == name[..64] {
            at = Some(offset as u64);
        }
    }
    storage.write_at(at.unwrap(), &[!name[0]]).unwrap();
    assert_eq!(scrub(), (clusters, 1));
}

#[test]
fn what_is_compressed_is_compressed_again_when_asked() {
    let map = Map::create(&options(Compression::All)).unwrap();
    let ino = put(&map, ROOT, "text", &text(1, 400_000));
    map.sync().unwrap();
    let compress = |level, again| map.compress(b"/", Some(level), again, &mut |_, _| true).unwrap();
    assert_eq!(compress(15, false).files, 0);
    let better = compress(15, true);
    assert!(better.files == 1 && better.stored_after < better.stored_before, "{better:?}");
    assert_eq!(get(&map, ino), text(1, 400_000));
}

#[test]
fn frames_made_beforehand_are_used_only_for_the_bytes_they_were_made_of() {
    const BLOCK: usize = 128 << 10;
    let map = Map::create(&options(Compression::All)).unwrap();
    let ino = put(&map, ROOT, "file", b"");
    let mut model = text(3, 5 * BLOCK + 777);
    model[2 * BLOCK..3 * BLOCK].copy_from_slice(&noise(4, BLOCK));
    let level = map.read(|fs| fs.level_for(ino)).unwrap().unwrap();
    let at = 4096;
    model.splice(..0, vec![0; at]);
    let whole = |map: &Map, model: &[u8]| {
        let prepared = prepare(level, at as u64, &model[at..]);
        map.write(|fs| fs.write_back(ino, at as u64, &model[at..], prepared)).unwrap();
    };
    whole(&map, &model);
    // One byte of a block that has a frame, and an end in the middle of another.
    model[BLOCK + 5] ^= 1;
    map.write(|fs| fs.write_back(ino, BLOCK as u64 + 5, &[model[BLOCK + 5]], Prepared::default()))
        .unwrap();
    model.truncate(4 * BLOCK + 9);
    map.write(|fs| fs.truncate(ino, model.len() as u64)).unwrap();
    assert_eq!(get(&map, ino), model);
    map.sync().unwrap();
    assert_eq!(get(&map, ino), model);
    // Again over what is stored by now, with a hole in front.
    model.resize(6 * BLOCK, 7);
    whole(&map, &model);
    map.sync().unwrap();
    assert_eq!(get(&map, ino), model);
    let report = map.verify(VerifyOptions { deep: true }, &mut |_, _| true).unwrap();
    assert!(report.is_ok(), "{:?}", report.problems);
}
