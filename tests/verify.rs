//! Checking maps: clean ones verify clean whatever was done to them, and every kind of damage
//! that is planted is found, named, and told with the path it concerns.

use std::sync::Arc;

use aetherflow::base::Code;
use aetherflow::base::checksum::{crc32, crc32_continue};
use aetherflow::base::limits::CLUSTER;
use aetherflow::check::{Problem, Report, Severity, VerifyOptions, verify};
use aetherflow::commit::Page;
use aetherflow::container::Geometry;
use aetherflow::container::live::read_geometry;
use aetherflow::fs::ops::{Owner, Rename};
use aetherflow::fs::xattr::SetAttribute;
use aetherflow::fs::{Compression, ROOT, Settings, View};
use aetherflow::map::{Map, Options};
use aetherflow::storage::Storage;
use aetherflow::storage::mem::MemStorage;
use aetherflow::tree::item::{Source, Stretch};
use aetherflow::tree::{Key, item, node};
use aetherflow::vat::{Kind, Record, page as table};

const OWNER: Owner = Owner { uid: 1000, gid: 100 };
const FILE: u32 = 0o100_644;
const DIRECTORY: u32 = 0o040_755;
const UUID: [u8; 16] = *b"0123456789abcdef";

fn options(compression: Compression) -> Options {
    Options {
        settings: Settings { compression, ..Settings::default() },
        uuid: Some(UUID),
        ..Options::default()
    }
}

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
    let mut out = Vec::new();
    for byte in noise(seed, length) {
        out.extend_from_slice(words[byte as usize % words.len()].as_bytes());
    }
    out.truncate(length);
    out
}

fn check(map: &Map, deep: bool) -> Report {
    map.read(|fs| verify(fs, VerifyOptions { deep }, &mut |_, _| true)).unwrap()
}

#[track_caller]
fn assert_clean(map: &Map) {
    for deep in [false, true] {
        let report = check(map, deep);
        assert!(report.is_ok(), "{:#?}", report.problems);
    }
}

fn put(map: &Map, parent: u64, name: &str, data: &[u8]) -> u64 {
    map.write(|fs| {
        let ino = fs.make(parent, name.as_bytes(), FILE, OWNER, 0).unwrap();
        fs.write(ino, 0, data).unwrap();
        ino
    })
}

/// A tree with everything in it.
fn fill(map: &Map) {
    let directory = map.write(|fs| fs.make(ROOT, b"docs", DIRECTORY, OWNER, 0)).unwrap();
    let deeper = map.write(|fs| fs.make(directory, b"deep", DIRECTORY, OWNER, 0)).unwrap();
    put(map, ROOT, "raw.bin", &noise(1, 300_000));
    put(map, directory, "prose.txt", &text(2, 500_000));
    put(map, deeper, "zeros", &vec![0; 200_000]);
    put(map, deeper, "pattern", &b"abcde".repeat(40_000));
    for index in 0..300 {
        put(map, deeper, &format!("small {index}"), &text(index, 40 * index as usize));
    }
    map.write(|fs| {
        let (ino, _) = fs.lookup(View::Head, ROOT, b"raw.bin").unwrap().unwrap();
        fs.link(ino, deeper, b"second name").unwrap();
        fs.symlink(ROOT, b"link", b"docs/prose.txt", OWNER).unwrap();
        fs.symlink(ROOT, b"long link", &[b'x'; 3000], OWNER).unwrap();
        fs.make(ROOT, b"pipe", 0o010_600, OWNER, 0).unwrap();
        fs.set_attribute(ino, b"user.short", b"value", SetAttribute::Either).unwrap();
        fs.set_attribute(ino, b"user.long", &noise(3, 5000), SetAttribute::Either).unwrap();
        fs.set_attribute(directory, b"user.longer", &noise(4, 60_000), SetAttribute::Either)
            .unwrap();
        fs.rename(deeper, b"small 5", directory, b"moved", Rename::Replace).unwrap();
        fs.truncate(ino, 250_001).unwrap();
        fs.fallocate(ino, 3, 10_000, 50_000).unwrap();
        fs.flush_all(false).unwrap();
        let target = fs.make(ROOT, b"clone", FILE, OWNER, 0).unwrap();
        fs.clone_range(ino, 0, target, 0, 250_001).unwrap();
    });
}

#[test]
fn a_new_map_is_clean() {
    for width in [256, 512, 2048] {
        let map =
            Map::create(&Options { width: Some(width), ..options(Compression::Off) }).unwrap();
        assert_clean(&map);
        map.checkpoint().unwrap();
        assert_clean(&map);
    }
}

#[test]
fn maps_stay_clean_through_everything() {
    for compression in [Compression::Off, Compression::Zone, Compression::All] {
        let map = Map::create(&options(compression)).unwrap();
        fill(&map);
        assert_clean(&map);
        map.checkpoint().unwrap();
        assert_clean(&map);
        map.write(|fs| fs.create_snapshot(b"one", b"")).unwrap();
        map.write(|fs| {
            for index in (0..300).step_by(3) {
                let (deep, _) = fs.lookup(View::Head, ROOT, b"docs").unwrap().unwrap();
                let (deep, _) = fs.lookup(View::Head, deep, b"deep").unwrap().unwrap();
                if index != 5 {
                    let name = format!("small {index}");
                    fs.unlink(deep, name.as_bytes()).unwrap();
                }
            }
            let (ino, _) = fs.lookup(View::Head, ROOT, b"raw.bin").unwrap().unwrap();
            fs.write(ino, 4000, &noise(9, 10_000)).unwrap();
        });
        map.sync().unwrap();
        assert_clean(&map);
        map.write(|fs| fs.create_snapshot(b"two", b"with a note")).unwrap();
        map.write(|fs| fs.restore_snapshot(b"one")).unwrap();
        assert_clean(&map);
        map.write(|fs| fs.delete_snapshot(b"one")).unwrap();
        assert_clean(&map);
        map.write(|fs| fs.delete_snapshot(b"two")).unwrap();
        map.write(|fs| fs.delete_snapshot(b"before-one")).unwrap();
        assert_clean(&map);
        let png = map.to_png().unwrap();
        assert_clean(&map);
        let report = check(&map, true);
        assert!(!report.parity_stale);
        assert!(report.parity_stripes > 0);
        assert_eq!(report.frames, report.frames_decoded_twice);
        assert_eq!(report.frames > 0, compression != Compression::Off);
        assert_eq!(report.directories, 3);
        assert_clean(&Map::open(png, &options(compression)).unwrap());
    }
}

#[test]
fn grown_and_packed_and_orphaned_maps_are_clean() {
    let map = Map::create(&Options { width: Some(256), ..options(Compression::All) }).unwrap();
    fill(&map);
    put(&map, ROOT, "growing", &noise(8, 3 << 20));
    map.sync().unwrap();
    assert!(map.read(|fs| fs.store().geometry().sheets()) > 5);
    map.write(|fs| {
        let (ino, _) = fs.lookup(View::Head, ROOT, b"growing").unwrap().unwrap();
        fs.retain(ino);
        fs.unlink(ROOT, b"growing").unwrap();
        fs.make_nameless(ROOT, 0o600, OWNER).unwrap();
    });
    assert_clean(&map);
    map.close().unwrap();
    assert_clean(&map);
    for parity in [false, true] {
        let mut packed = Vec::new();
        map.pack(
            parity,
            &mut |bytes| {
                packed.extend_from_slice(bytes);
                Ok(())
            },
            &mut |_, _| Ok(()),
        )
        .unwrap();
        let storage: Arc<dyn Storage> = Arc::new(MemStorage::from_bytes(&packed));
        let opened = Map::open_on(storage, None, false, &options(Compression::All)).unwrap();
        assert_clean(&opened);
        assert_eq!(check(&opened, false).parity_stale, !parity);
        assert_clean(&Map::open(packed, &options(Compression::All)).unwrap());
    }
}

#[test]
fn a_map_that_was_not_closed_is_clean_in_both_ways_of_opening() {
    let storage: Arc<dyn Storage> = Arc::new(MemStorage::new());
    let log: Arc<dyn Storage> = Arc::new(MemStorage::new());
    let map =
        Map::create_on(Arc::clone(&storage), Some(Arc::clone(&log)), &options(Compression::All))
            .unwrap();
    fill(&map);
    map.sync().unwrap();
    assert_clean(&map);
    put(&map, ROOT, "synced small", b"a few bytes");
    put(&map, ROOT, "synced large", &noise(77, 9000));
    map.sync().unwrap();
    assert_clean(&map);
    drop(map);
    let open = |writable| {
        let (storage, log) = (Arc::clone(&storage), Arc::clone(&log));
        Map::open_on(storage, Some(log), writable, &options(Compression::All)).unwrap()
    };
    let map = open(false);
    assert!(map.read(|fs| fs.store().was_recovered()));
    assert_clean(&map);
    drop(map);
    assert_clean(&open(true));
}

#[test]
fn a_check_can_be_cancelled_and_tells_its_progress() {
    let map = Map::create(&options(Compression::All)).unwrap();
    fill(&map);
    map.checkpoint().unwrap();
    let mut last = (0, 0);
    map.read(|fs| {
        verify(fs, VerifyOptions { deep: true }, &mut |done, total| {
            assert!(done >= last.0 && done <= total);
            last = (done, total);
            true
        })
    })
    .unwrap();
    assert_eq!(last.0, last.1);
    let error = map.read(|fs| verify(fs, VerifyOptions::default(), &mut |_, _| false)).unwrap_err();
    assert_eq!(error.code(), Code::Cancelled);
}

// ---- planting damage

/// What to make of an item: `None` passes it by, `Some(None)` removes it.
type Change<'c> = &'c dyn Fn(Key, &[u8]) -> Option<Option<Vec<u8>>>;

/// A closed map's bytes, to be damaged.
struct Patient {
    bytes: Vec<u8>,
    geometry: Geometry,
}

impl Patient {
    fn new(compression: Compression) -> Patient {
        let map = Map::create(&options(compression)).unwrap();
        fill(&map);
        map.write(|fs| fs.create_snapshot(b"kept", b"")).unwrap();
        Patient::of(map.to_png().unwrap())
    }

    fn of(bytes: Vec<u8>) -> Patient {
        let geometry = read_geometry(&MemStorage::from_bytes(&bytes)).unwrap();
        Patient { bytes, geometry }
    }

    fn open(&self) -> Map {
        let storage: Arc<dyn Storage> = Arc::new(MemStorage::from_bytes(&self.bytes));
        Map::open_on(storage, None, false, &options(Compression::All)).unwrap()
    }

    fn page(&self, cluster: u64) -> Page {
        let mut page = [0; CLUSTER];
        for (row, out) in page.chunks_exact_mut(128).enumerate() {
            let at = self.geometry.run_offset(cluster, row) as usize;
            out.copy_from_slice(&self.bytes[at..at + 128]);
        }
        page
    }

    fn put_page(&mut self, cluster: u64, page: &Page) {
        for (row, bytes) in page.chunks_exact(128).enumerate() {
            let at = self.geometry.run_offset(cluster, row) as usize;
            self.bytes[at..at + 128].copy_from_slice(bytes);
        }
    }

    fn flip(&mut self, cluster: u64, byte: usize) {
        let mut page = self.page(cluster);
        page[byte] ^= 0x10;
        self.put_page(cluster, &page);
    }

    fn record(&self, cluster: u64) -> Record {
        let place = table::place(&self.geometry, cluster).unwrap();
        table::read(&self.page(place.page), place.offset).unwrap()
    }

    /// Changes a record and makes its page's checksum right again.
    fn set_record(&mut self, cluster: u64, record: Record) {
        let place = table::place(&self.geometry, cluster).unwrap();
        let mut page = self.page(place.page);
        table::write_quietly(&mut page, place.offset, record);
        table::finish(crc32(&UUID), place.page, &mut page);
        self.put_page(place.page, &page);
    }

    /// Writes a node with right checksums whatever it says.
    fn put_node(&mut self, cluster: u64, mut page: Page) {
        let crc = crc32_continue(crc32(&UUID), &page[4..]);
        page[..4].copy_from_slice(&crc.to_le_bytes());
        self.put_page(cluster, &page);
        let record = Record { crc: crc32(&page), ..self.record(cluster) };
        self.set_record(cluster, record);
    }

    /// Changes the first item that `change` takes, in the leaf that holds it; `None` removes it.
    fn change_item(&mut self, mut change: impl FnMut(Key, &[u8]) -> Option<Option<Vec<u8>>>) {
        for cluster in 0..self.geometry.clusters() {
            if table::is_page(&self.geometry, cluster) || self.record(cluster).kind != Kind::Node {
                continue;
            }
            let mut page = self.page(cluster);
            for index in 0..if node::is_leaf(&page) { node::count(&page) } else { 0 } {
                let key = node::key(&page, index);
                match change(key, node::value(&page, index)) {
                    None => continue,
                    Some(Some(value)) => assert!(node::leaf_replace(&mut page, index, &value)),
                    Some(None) => node::leaf_remove(&mut page, index),
                }
                self.put_node(cluster, page);
                return;
            }
        }
        panic!("no item to change");
    }

    fn ino(&self, path: &str) -> u64 {
        self.open()
            .read(|fs| {
                fs.resolve(View::Head, ROOT, path.as_bytes(), aetherflow::fs::path::Last::Keep)
            })
            .unwrap()
    }

    /// The first extent of a file.
    fn extent(&self, path: &str) -> (u64, u32) {
        let ino = self.ino(path);
        let mut found = None;
        self.open()
            .read(|fs| {
                fs.for_stretches(View::Head, ino, 0, &mut |_, stretch: &Stretch| {
                    found = stretch.extent().map(|extent| (extent.first, extent.clusters));
                    Ok(found.is_none())
                })
            })
            .unwrap();
        found.map(|(first, count)| (first, u32::from(count))).unwrap()
    }

    #[track_caller]
    fn expect(&self, kind: &str) -> Problem {
        self.expect_with(kind, false)
    }

    #[track_caller]
    fn expect_with(&self, kind: &str, deep: bool) -> Problem {
        let report = check(&self.open(), deep);
        let found = report.problems.iter().find(|problem| problem.kind == kind);
        found.unwrap_or_else(|| panic!("no {kind} in {:#?}", report.problems)).clone()
    }
}

fn path(problem: &Problem) -> String {
    String::from_utf8(problem.path.clone().unwrap_or_default()).unwrap()
}

#[test]
fn damaged_file_data_is_told_with_its_path() {
    for (compression, name) in
        [(Compression::Off, "docs/prose.txt"), (Compression::All, "docs/prose.txt")]
    {
        let mut patient = Patient::new(compression);
        let (first, count) = patient.extent(name);
        let hit = first + u64::from(count) / 2;
        patient.flip(hit, 100);
        let problem = patient.expect("data-checksum");
        assert_eq!(problem.severity, Severity::Lost);
        assert_eq!(path(&problem), name);
        assert_eq!(problem.cluster, Some(hit));
        assert!(problem.offset.is_some());
        assert_ne!(problem.expected, problem.found);
        assert!(problem.advice.contains("aetherflow"));
        if compression == Compression::Off {
            assert_eq!(problem.offset, Some(u64::from(count) / 2 * 4096));
        }
        patient.expect("band-checksum");
        patient.expect("adler");
    }
}

#[test]
fn a_shared_cluster_is_told_for_every_file_in_it() {
    let mut patient = Patient::new(Compression::All);
    let (first, _) = patient.extent("docs/deep/small 200");
    patient.flip(first, 7);
    let report = check(&patient.open(), false);
    let hit = report.problems.iter().filter(|problem| problem.kind == "data-checksum");
    assert!(hit.clone().count() > 1);
    assert!(hit.clone().any(|problem| path(problem) == "docs/deep/small 200"));
}

#[test]
fn damage_is_told_for_snapshots_that_alone_hold_it() {
    let map = Map::create(&options(Compression::Off)).unwrap();
    put(&map, ROOT, "old", &noise(1, 50_000));
    map.write(|fs| fs.create_snapshot(b"kept", b"")).unwrap();
    let mut patient = Patient::of(map.to_png().unwrap());
    let (first, _) = patient.extent("old");
    map.write(|fs| fs.unlink(ROOT, b"old")).unwrap();
    patient.bytes = map.to_png().unwrap();
    assert_clean(&patient.open());
    patient.flip(first, 0);
    let problem = patient.expect("data-checksum");
    assert_eq!(path(&problem), "old");
    assert!(problem.message.contains("snapshot 'kept'"), "{}", problem.message);
}

#[test]
fn damaged_superblocks_tables_and_nodes_are_found() {
    let good = Patient::new(Compression::Off);
    for slot in [good.geometry.superblock_a(), good.geometry.superblock_b()] {
        let mut patient = Patient { bytes: good.bytes.clone(), ..good };
        patient.flip(u64::from(slot), 300);
        // With the newest copy gone, the older one's log and trees are another state.
        let storage: Arc<dyn Storage> = Arc::new(MemStorage::from_bytes(&patient.bytes));
        let map = Map::open_on(storage, None, false, &options(Compression::Off));
        if let Ok(map) = map {
            let report = check(&map, false);
            assert!(report.problems.iter().any(|problem| problem.kind == "superblock"));
        }
    }

    let mut patient = Patient { bytes: good.bytes.clone(), ..good };
    let used = (0..good.geometry.clusters())
        .filter(|&cluster| !table::is_page(&good.geometry, cluster))
        .rfind(|&cluster| good.record(cluster).kind == Kind::Raw)
        .unwrap();
    let place = table::place(&good.geometry, used).unwrap();
    patient.flip(place.page, place.offset);
    let storage: Arc<dyn Storage> = Arc::new(MemStorage::from_bytes(&patient.bytes));
    if let Ok(map) = Map::open_on(storage, None, false, &options(Compression::Off)) {
        let report = check(&map, true);
        assert!(report.problems.iter().any(|problem| problem.kind == "table-page"));
    }

    // Each leaf of the head's tree in turn: the report names what was in it.
    let mut lost = 0;
    for cluster in 0..good.geometry.clusters() {
        if table::is_page(&good.geometry, cluster) || good.record(cluster).kind != Kind::Node {
            continue;
        }
        let mut patient = Patient { bytes: good.bytes.clone(), ..good };
        patient.flip(cluster, 2000);
        let storage: Arc<dyn Storage> = Arc::new(MemStorage::from_bytes(&patient.bytes));
        let Ok(map) = Map::open_on(storage, None, false, &options(Compression::Off)) else {
            continue;
        };
        let report = check(&map, true);
        let node = report.problems.iter().find(|problem| problem.kind == "tree-node").unwrap();
        assert_eq!(node.cluster, Some(cluster));
        assert_ne!(node.expected, node.found);
        lost += report.problems.iter().filter(|problem| problem.kind == "inode-lost").count();
    }
    assert!(lost > 50, "{lost}");
}

#[test]
fn every_broken_rule_of_the_table_is_found() {
    let good = Patient::new(Compression::Off);
    let (first, count) = good.extent("docs/prose.txt");
    assert!(count > 2);
    let record = good.record(first);
    let change = |cluster: u64, record: Record| {
        let mut patient = Patient { bytes: good.bytes.clone(), ..good };
        patient.set_record(cluster, record);
        patient
    };
    let more = change(first, Record { references: record.references + 1, ..record });
    assert_eq!(more.expect("reference-count-high").cluster, Some(first));
    let less = change(first, Record { references: 0, ..record });
    less.expect("reference-count-low");
    less.expect("table-record");
    let tail = good.record(first + 1);
    let wrong = change(first + 1, Record { references: 2, ..tail });
    assert_eq!(path(&wrong.expect("extent")), "docs/prose.txt");
    wrong.expect("table-record");
    change(first, Record { kind: Kind::Zstd, ..record }).expect("extent");
    let free = (0..good.geometry.clusters())
        .filter(|&cluster| !table::is_page(&good.geometry, cluster))
        .find(|&cluster| good.record(cluster).kind == Kind::Free)
        .unwrap();
    let leak = change(free, Record::new(Kind::Raw, crc32(&[0; CLUSTER]), 1));
    assert_eq!(leak.expect("leak").cluster, Some(free));
    leak.expect("counters");
    change(free, Record::new(Kind::Parity, 0, 0)).expect("table-record");
    change(free, Record::new(Kind::Tail, 0, 3)).expect("table-record");
}

#[test]
fn parity_and_the_pictures_skeleton_are_checked() {
    let good = Patient::new(Compression::Off);
    let parity = good.geometry.parity_start();
    let member = (u64::from(parity)..good.geometry.clusters())
        .find(|&cluster| good.record(cluster).crc != 0)
        .unwrap();
    let mut patient = Patient { bytes: good.bytes.clone(), ..good };
    patient.flip(member, 9);
    assert_eq!(patient.expect("parity-checksum").cluster, Some(member));
    let page = patient.page(member);
    let record = Record { crc: crc32(&page), ..patient.record(member) };
    patient.set_record(member, record);
    patient.expect_with("parity", true);

    let change = |at: usize| {
        let mut patient = Patient { bytes: good.bytes.clone(), ..good };
        patient.bytes[at] ^= 1;
        patient
    };
    let band = good.geometry.band_offset(3) as usize;
    change(band + 1).expect("skeleton");
    change(band + 10).expect("skeleton");
    change(band + good.geometry.row_offset(5)).expect("skeleton");
    let problem = change(band + good.geometry.band_len() - 1).expect("band-checksum");
    assert_eq!((problem.severity, problem.offset), (Severity::Harmless, Some(band as u64)));
    change(40).expect("skeleton");
    let end = good.geometry.trailer_offset() as usize;
    change(end + 14).expect("adler");
    change(end + 30).expect("skeleton");
    let mut longer = Patient { bytes: good.bytes.clone(), ..good };
    longer.bytes.push(0);
    longer.expect("skeleton");
}

#[test]
fn every_broken_rule_between_names_and_inodes_is_found() {
    let good = Patient::new(Compression::Off);
    let changed = |change: Change<'_>| {
        let mut patient = Patient { bytes: good.bytes.clone(), ..good };
        patient.change_item(change);
        patient
    };
    let of = |ino: u64, kind: u8| move |key: Key| key.object() == ino && key.kind() == kind;
    let with = |value: &[u8], at: usize, byte: u8| {
        let mut value = value.to_vec();
        value[at] = byte;
        Some(Some(value))
    };

    // The inode of a file: its links (byte 12), its size (16), its number of stored bytes (24).
    let raw = good.ino("raw.bin");
    let inode = of(raw, item::INODE);
    let links = changed(&|key, value| inode(key).then(|| with(value, 12, 7))?);
    let problem = links.expect("link-count");
    assert_eq!((problem.expected, problem.found), (Some(2), Some(7)));
    changed(&|key, value| inode(key).then(|| with(value, 24, 1))?).expect("allocated-count");
    let short = changed(&|key, value| {
        inode(key).then(|| {
            let mut value = value.to_vec();
            value[16..24].copy_from_slice(&5u64.to_le_bytes());
            Some(Some(value))
        })?
    });
    // A file with several names is told by the one it got last.
    assert_eq!(path(&short.expect("beyond-end")), "docs/deep/second name");
    short.expect("counters");
    changed(&|key, value| inode(key).then(|| with(value, 3, 0xff))?).expect("item");
    changed(&|key, _| inode(key).then_some(None)).expect("entry-dangling");
    changed(&|key, _| inode(key).then_some(None)).expect("stray-item");

    // A directory: its number of entries, its parent, its name.
    let docs = good.ino("docs");
    let inode = of(docs, item::INODE);
    let size = changed(&|key, value| inode(key).then(|| with(value, 16, 99))?);
    assert_eq!(path(&size.expect("directory-count")), "docs");
    let last = |value: &[u8]| value.len() - 1;
    changed(&|key, value| inode(key).then(|| with(value, last(value), b'z'))?).expect("directory");
    // A directory below itself: docs into docs/deep.
    let deep = good.ino("docs/deep");
    let parent = changed(&|key, value| {
        inode(key).then(|| {
            let mut value = value.to_vec();
            let at = value.len() - 4 - 8;
            value[at..at + 8].copy_from_slice(&deep.to_le_bytes());
            Some(Some(value))
        })?
    });
    let cycle = parent.expect("directory");
    assert_eq!(cycle.severity, Severity::Suspect);
    let report = check(&parent.open(), true);
    assert!(report.problems.iter().any(|problem| problem.message.contains("own ancestor")));

    // Entries: another type, another name under the same hash, none at all.
    let entry = |key: Key, value: &[u8]| {
        key.object() == ROOT && key.kind() == item::ENTRY && value.ends_with(b"raw.bin")
    };
    changed(&|key, value| entry(key, value).then(|| with(value, 8, 10))?).expect("entry");
    changed(&|key, value| entry(key, value).then(|| with(value, 10, b'R'))?).expect("entry");
    let gone = changed(&|key, value| {
        (key.object() == ROOT && value.ends_with(b"pipe") && key.kind() == item::ENTRY)
            .then_some(None)
    });
    gone.expect("inode-nameless");
    gone.expect("directory-count");

    // File data that overlaps, that is out of order with its extent, a cut target and value.
    let data = of(raw, item::DATA);
    let overlap = changed(&|key, value| {
        let stretch = data(key).then(|| Stretch::decode(key, value).ok())??;
        (key.offset == 0).then(|| {
            let longer = Stretch { length: 70_000, source: Source::Fill(1) };
            assert!(stretch.length < longer.length);
            Some(longer.encode())
        })
    });
    assert_eq!(path(&overlap.expect("file-overlap")), "docs/deep/second name");
    changed(&|key, value| data(key).then(|| with(value, 0, 77))?).expect("item");
    let link = good.ino("long link");
    let piece = of(link, item::SYMLINK);
    let cut = changed(&|key, _| (piece(key) && key.offset == 2).then_some(None));
    assert_eq!(path(&cut.expect("symlink")), "long link");
    let value = of(docs, item::PIECE);
    let cut = changed(&|key, _| (value(key) && key.offset & 1023 == 3).then_some(None));
    assert_eq!(path(&cut.expect("attribute")), "docs");
}

#[test]
fn frames_that_say_something_else_are_found_by_looking_deep() {
    let mut patient = Patient::new(Compression::All);
    let (first, _) = patient.extent("docs/prose.txt");
    let mut page = patient.page(first);
    // The size in the frame's header; all checksums are right.
    page[5] ^= 1;
    patient.put_page(first, &page);
    let record = Record { crc: crc32(&page), ..patient.record(first) };
    patient.set_record(first, record);
    assert!(check(&patient.open(), false).problems.iter().all(|problem| problem.kind != "frame"));
    assert_eq!(path(&patient.expect_with("frame", true)), "docs/prose.txt");
}

#[test]
fn random_damage_never_breaks_the_check() {
    let good = Patient::new(Compression::All);
    let mut seed = 7u64;
    let mut next = move |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % limit
    };
    let nodes: Vec<u64> = (0..good.geometry.clusters())
        .filter(|&cluster| !table::is_page(&good.geometry, cluster))
        .filter(|&cluster| good.record(cluster).kind == Kind::Node)
        .collect();
    for round in 0..120 {
        let mut patient = Patient { bytes: good.bytes.clone(), ..good };
        for _ in 0..1 + next(3) {
            // Nodes that break rules under right checksums, as a hostile writer makes them.
            let cluster = nodes[next(nodes.len())];
            let mut page = patient.page(cluster);
            for _ in 0..1 + next(4) {
                page[24 + next(CLUSTER - 24)] = next(256) as u8;
            }
            patient.put_node(cluster, page);
        }
        let storage: Arc<dyn Storage> = Arc::new(MemStorage::from_bytes(&patient.bytes));
        if let Ok(map) = Map::open_on(storage, None, false, &options(Compression::All)) {
            let report = check(&map, round % 2 == 0);
            assert!(report.problems.len() <= aetherflow::check::MAX_PROBLEMS);
        }
    }
}
