//! Damage on purpose: what is hit is really changed, nothing in memory hides it, a check names
//! every cluster and every file it concerns, and a map full of it neither panics nor lies.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use aetherflow::base::Code;
use aetherflow::check::{Report, VerifyOptions};
use aetherflow::container::Geometry;
use aetherflow::fs::path::Last;
use aetherflow::fs::{Compression, ROOT, View};
use aetherflow::map::Map;
use aetherflow::plane::zones;
use aetherflow::storage::Storage;
use aetherflow::storage::mem::MemStorage;
use aetherflow::tree::item::{Source, Stretch};
use aetherflow::vat::Kind;
use support::drive::{Drive, OWNER};
use support::sample::{exercise, sample, sample_options};
use support::{Random, noise, options, text};

/// The middle of a cluster on the plane.
fn place(geometry: Geometry, cluster: u64) -> (f64, f64) {
    let (sheet, index) = (geometry.sheet_of(cluster), geometry.index_in_sheet(cluster));
    zones::offset_from_centre(geometry.width(), sheet, index)
}

fn geometry(map: &Map) -> Geometry {
    map.read(|fs| fs.store().geometry())
}

fn check(map: &Map) -> Report {
    map.verify(VerifyOptions { deep: true }, &mut |_, _| true).unwrap()
}

fn ino(map: &Map, path: &str) -> u64 {
    map.read(|fs| fs.resolve(View::Head, ROOT, path.as_bytes(), Last::Keep)).unwrap()
}

/// All clusters of a file.
fn clusters(map: &Map, path: &str) -> Vec<u64> {
    let ino = ino(map, path);
    let mut found = Vec::new();
    let visit = &mut |_: u64, stretch: &Stretch| {
        if let Source::Raw(extent) | Source::Zstd(extent) = stretch.source {
            found.extend(extent.first..extent.first + u64::from(extent.clusters));
        }
        Ok(true)
    };
    map.read(|fs| fs.for_stretches(View::Head, ino, 0, visit)).unwrap();
    found
}

fn read(map: &Map, path: &str) -> Result<Vec<u8>, Code> {
    let ino = ino(map, path);
    map.read(|fs| {
        let mut bytes = vec![0; fs.stat(View::Head, ino).unwrap().size as usize];
        let count = fs.read(View::Head, ino, 0, &mut bytes).map_err(|error| error.code())?;
        bytes.truncate(count);
        Ok(bytes)
    })
}

/// (path, cluster) of every problem of a kind.
fn told(report: &Report, kind: &str) -> BTreeSet<(String, u64)> {
    let of_kind = report.problems.iter().filter(|problem| problem.kind == kind);
    of_kind
        .map(|problem| {
            let path = problem.path.clone().unwrap_or_default();
            (String::from_utf8(path).unwrap(), problem.cluster.unwrap())
        })
        .collect()
}

#[test]
fn what_is_cached_or_not_yet_written_does_not_hide_damage() {
    for compression in [Compression::Off, Compression::All] {
        // A disk, which has bands to cache and a log, unlike plain memory.
        let mut drive = Drive::new(7, compression);
        let kept = text(1, 60_000);
        drive.put(ROOT, "kept", &kept).unwrap();
        drive.checkpoint().unwrap();
        drive.put(ROOT, "fresh", &text(2, 90_000)).unwrap();
        let map = &drive.map;
        assert_eq!(read(map, "kept").unwrap(), kept);
        assert!(read(map, "fresh").is_ok());
        map.write(|fs| fs.flush_all(false)).unwrap();
        let hit = clusters(map, "fresh")[1];
        let damage = map.damage(&[place(geometry(map), hit)], 3.0).unwrap();
        assert_eq!((damage.clusters, damage.pixels), (vec![hit], 32));
        assert_eq!(read(map, "fresh"), Err(Code::Corrupt));
        assert_eq!(read(map, "kept").unwrap(), kept);
        let report = check(map);
        assert_eq!(told(&report, "data-checksum"), [("fresh".to_owned(), hit)].into());
        // What is written afterwards does not make it good again, nor does closing.
        drive.map.write(|fs| fs.make(ROOT, b"later", 0o100_644, OWNER, 0)).unwrap();
        drive.map.close().unwrap();
        assert_eq!(told(&check(&drive.map), "data-checksum"), [("fresh".to_owned(), hit)].into());
        assert_eq!(read(&drive.map, "fresh"), Err(Code::Corrupt));
    }
}

#[test]
fn the_same_place_can_be_damaged_again_and_stays_damaged() {
    let map = Map::create(&options(3, Compression::Off)).unwrap();
    map.write(|fs| {
        let ino = fs.make(ROOT, b"file", 0o100_644, OWNER, 0).unwrap();
        fs.write(ino, 0, &noise(1, 20_000))
    })
    .unwrap();
    map.checkpoint().unwrap();
    let hit = clusters(&map, "file")[2];
    let middle = place(geometry(&map), hit);
    for round in 0..5 {
        // Circles that lie over each other are one.
        let damage = map.damage(&[middle, middle, (middle.0 + 1.0, middle.1)], 2.0).unwrap();
        assert_eq!((damage.pixels, &damage.clusters[..]), (16, &[hit][..]), "round {round}");
        assert_eq!(read(&map, "file"), Err(Code::Corrupt), "round {round}");
    }
    let nothing = map.damage(&[(1e6, 0.0)], 5.0).unwrap();
    assert_eq!((nothing.pixels, nothing.clusters.len()), (0, 0));
    // A long stroke is no more than the place it goes over.
    let stroke: Vec<_> = (0..100_000).map(|at| (f64::from(at % 50), 0.0)).collect();
    assert!(map.damage(&stroke, 30.0).unwrap().pixels < 10_000);
}

#[test]
fn every_file_and_every_cluster_of_a_damaged_frame_is_named() {
    let map = Map::create(&options(5, Compression::All)).unwrap();
    let count = 150;
    map.write(|fs| {
        for index in 0..count {
            let name = format!("small {index}");
            let ino = fs.make(ROOT, name.as_bytes(), 0o100_644, OWNER, 0).unwrap();
            // Half of it noise, so that a frame takes many clusters.
            let half = [noise(index, 400), text(index, 400)].concat();
            fs.write(ino, 0, &half).unwrap();
        }
    });
    map.checkpoint().unwrap();
    let geometry = geometry(&map);
    let mut files = BTreeSet::new();
    let mut hit = BTreeSet::new();
    for index in 0..count {
        let path = format!("small {index}");
        let of_file = clusters(&map, &path);
        hit.extend(of_file.iter().copied());
        if !of_file.is_empty() {
            files.insert(path);
        }
    }
    assert!(hit.len() > 10 && files.len() == count as usize, "{} {}", hit.len(), files.len());
    let points: Vec<_> = hit.iter().map(|&cluster| place(geometry, cluster)).collect();
    assert_eq!(map.damage(&points, 1.0).unwrap().clusters, Vec::from_iter(hit.clone()));
    let report = check(&map);
    assert!(!report.problems_truncated, "{}", report.problems.len());
    let told = told(&report, "data-checksum");
    assert_eq!(told.iter().map(|(path, _)| path.clone()).collect::<BTreeSet<_>>(), files);
    assert_eq!(told.iter().map(|(_, cluster)| *cluster).collect::<BTreeSet<_>>(), hit);
}

#[test]
fn a_brush_over_anything_is_found_and_survived() {
    let sample = sample();
    let mut random = Random::new(11);
    for round in 0..60 {
        let storage = Arc::new(MemStorage::from_bytes(&sample.file));
        let log = Arc::new(MemStorage::new());
        let open = || {
            let storage = Arc::clone(&storage) as Arc<dyn Storage>;
            let log = Arc::clone(&log) as Arc<dyn Storage>;
            Map::open_on(storage, Some(log), true, &sample_options())
        };
        let map = open().unwrap();
        let geometry = geometry(&map);
        let used: Vec<u64> = map.read(|fs| {
            let kind = |cluster: &u64| fs.store().record(*cluster).map(|record| record.kind);
            let all = u64::from(geometry.vat_pages())..geometry.clusters();
            all.filter(|cluster| !matches!(kind(cluster), Ok(Kind::Free | Kind::Parity))).collect()
        });
        let mut hit = BTreeSet::new();
        for _ in 0..1 + round % 4 {
            // Strokes come in pieces, and the later ones meet a damaged map.
            let cluster = random.below(geometry.clusters() as usize) as u64;
            let radius = random.below(40) as f64;
            match map.damage(&[place(geometry, cluster)], radius) {
                Ok(damage) => hit.extend(damage.clusters),
                Err(error) => panic!("round {round}: {error:?}"),
            }
        }
        let report = check(&map);
        let first = u64::from(geometry.vat_pages());
        if hit.iter().any(|cluster| *cluster < first || used.contains(cluster)) {
            assert!(!report.is_ok(), "round {round}: {hit:?}");
        }
        for problem in report.problems.iter().filter(|problem| problem.kind == "data-checksum") {
            assert!(hit.contains(&problem.cluster.unwrap()), "round {round}: {problem:?}");
            assert!(problem.path.is_some() || report.problems.len() > 1, "round {round}");
        }
        map.write(exercise);
        let _ = map.verify(VerifyOptions::default(), &mut |_, _| true);
        let _ = map.close();
        drop(map);
        if let Ok(map) = open() {
            let _ = map.verify(VerifyOptions::default(), &mut |_, _| true);
        }
    }
}

#[test]
fn maps_that_cannot_be_written_are_left_alone() {
    let sample = sample();
    let storage: Arc<dyn Storage> = Arc::new(MemStorage::from_bytes(&sample.file));
    let map = Map::open_on(storage, None, false, &sample_options()).unwrap();
    assert_eq!(map.damage(&[(0.0, 0.0)], 9.0).unwrap_err().code(), Code::ReadOnly);
    let mut packed = Vec::new();
    let write = &mut |bytes: &[u8]| {
        packed.extend_from_slice(bytes);
        Ok(())
    };
    map.pack(false, write, &mut |_, _| Ok(())).unwrap();
    let storage: Arc<dyn Storage> = Arc::new(MemStorage::from_bytes(&packed));
    let map = Map::open_on(storage, None, false, &sample_options()).unwrap();
    assert_eq!(map.damage(&[(0.0, 0.0)], 9.0).unwrap_err().code(), Code::ReadOnly);
    assert!(check(&map).is_ok());
    let map = Map::create(&sample_options()).unwrap();
    map.write(aetherflow::fs::Fs::import_begin).unwrap();
    assert_eq!(map.damage(&[(0.0, 0.0)], 9.0).unwrap_err().code(), Code::Busy);
}
