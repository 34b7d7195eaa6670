//! The plane as something to look at: tiles against the table, owners against the tree, levels of
//! detail against plain means, and what changes when the map does.

use std::collections::BTreeMap;

use aetherflow::explore::changes::What;
use aetherflow::explore::marks::Overlay;
use aetherflow::explore::palette::{Color, warmth};
use aetherflow::explore::{Layer, Plane, Theme, Tile};
use aetherflow::fs::ops::{Owner, Rename};
use aetherflow::fs::{Compression, Fs, ROOT, Settings, View};
use aetherflow::map::{Map, Options};
use aetherflow::plane::{hilbert, spiral, zones};
use aetherflow::tree::item::Source;
use aetherflow::vat::Kind;

const OWNER: Owner = Owner { uid: 0, gid: 0 };
const FILE: u32 = 0o100_644;
const DIRECTORY: u32 = 0o040_755;
/// The zoom at which a cluster is 32 pixels and a pixel of the map one.
const WHOLE: i32 = 0;

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| byte()).collect()
}

fn new_map(compression: Compression) -> Map {
    let settings = Settings { compression, ..Settings::default() };
    Map::create(&Options { settings, width: Some(256), ..Options::default() }).unwrap()
}

fn put(map: &Map, parent: u64, name: &str, data: &[u8]) -> u64 {
    map.write(|fs| {
        let ino = fs.make(parent, name.as_bytes(), FILE, OWNER, 0).unwrap();
        fs.write(ino, 0, data).unwrap();
        ino
    })
}

fn directory(map: &Map, parent: u64, name: &str) -> u64 {
    map.write(|fs| fs.make(parent, name.as_bytes(), DIRECTORY, OWNER, 0).unwrap())
}

/// As the surface does it: everything gets a place, then the plane looks.
fn refresh(map: &Map, plane: &mut Plane) {
    map.write(|fs| fs.flush_all(false)).unwrap();
    map.read(|fs| plane.refresh(fs));
}

fn index(map: &Map, plane: &mut Plane, items: u64) {
    while !map.read(|fs| plane.index(fs, items)).unwrap().complete {}
}

/// A map with some directories, small files, large ones, and holes between sheets.
fn sample() -> (Map, Vec<u64>) {
    let map = new_map(Compression::Off);
    let mut files = Vec::new();
    for top in 0..4u64 {
        let folder = directory(&map, ROOT, &format!("folder{top}"));
        for number in 0..6u64 {
            let length = 3000 + 20_000 * number as usize * (top as usize + 1);
            let data = noise(top * 10 + number + 1, length);
            files.push(put(&map, folder, &format!("file{number}"), &data));
        }
    }
    (map, files)
}

fn plane(map: &Map) -> Plane {
    map.write(Fs::watch);
    let mut plane = map.read(|fs| Plane::new(fs, View::Head));
    refresh(map, &mut plane);
    index(map, &mut plane, 7);
    plane
}

/// Tiles that cover all sheets of a map at a zoom.
fn tiles(map: &Map, zoom: i32) -> Vec<Tile> {
    let extent = map.read(|fs| {
        let geometry = fs.store().geometry();
        zones::extent(geometry.width(), geometry.sheets())
    });
    let reach = ((extent / 2.0 * f64::from(zoom).exp2() / 256.0).ceil() as i32).max(1);
    let all = |row| (-reach..reach).map(move |column| Tile { zoom, column, row, size: 256 });
    (-reach..reach).flat_map(all).collect()
}

/// Pixels on the screen by their place, as they are painted.
type Screen = BTreeMap<(i64, i64), [u8; 4]>;

fn screen(map: &Map, plane: &mut Plane, layer: Layer, zoom: i32) -> Screen {
    let mut screen = Screen::new();
    for tile in tiles(map, zoom) {
        let pixels =
            map.read(|fs| plane.paint(fs, layer, Theme::Dark, &tile, false).unwrap().to_vec());
        collect(&mut screen, &tile, &pixels);
    }
    screen
}

fn collect(screen: &mut Screen, tile: &Tile, pixels: &[u8]) {
    let size = i64::from(tile.size);
    assert_eq!(pixels.len() as i64, size * size * 4);
    for (at, pixel) in (0i64..).zip(pixels.chunks_exact(4)) {
        let x = i64::from(tile.column) * size + at % size;
        let y = i64::from(tile.row) * size + at / size;
        screen.insert((x, y), pixel.try_into().unwrap());
    }
}

/// Column and row of a cluster's tile, counted from the centre of the plane.
fn cell(fs: &Fs, cluster: u64) -> (i64, i64) {
    let geometry = fs.store().geometry();
    let (sheet, index) = (geometry.sheet_of(cluster), geometry.index_in_sheet(cluster));
    let (x, y) = hilbert::point(geometry.side(), index);
    let (column, row) = spiral::position(sheet);
    let side = i64::from(geometry.side());
    let along = |sheet: i32, tile: u32| i64::from(sheet) * side - side / 2 + i64::from(tile);
    (along(column, x), along(row, y))
}

/// What every cluster of the map is, told by the records one by one.
fn kinds(fs: &Fs) -> Vec<(u64, &'static str)> {
    let geometry = fs.store().geometry();
    let kind = |cluster: u64| {
        let mut at = cluster;
        loop {
            let Ok(record) = fs.store().record(at) else { return "table" };
            return match record.kind {
                Kind::Tail => {
                    at -= u64::from(record.references);
                    continue;
                }
                Kind::Free => "free",
                Kind::Node => "node",
                Kind::Raw => "raw",
                Kind::Zstd => "compressed",
                Kind::Parity => "parity",
                Kind::Superblock => "superblock",
            };
        }
    };
    (0..geometry.clusters()).map(|cluster| (cluster, kind(cluster))).collect()
}

/// Every file's clusters, told by its stretches.
fn owners(fs: &Fs, view: View, files: &[u64]) -> BTreeMap<u64, Vec<u64>> {
    let mut owners: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for &ino in files {
        fs.for_stretches(view, ino, 0, &mut |_, stretch| {
            if let Some(extent) = stretch.extent() {
                // Raw bytes lie in the clusters they lie in, those of a frame everywhere in it.
                let (from, to) = match stretch.source {
                    Source::Raw(_) => {
                        (u64::from(extent.offset), u64::from(extent.offset) + stretch.length)
                    }
                    _ => (0, u64::from(extent.clusters) * 4096),
                };
                for cluster in extent.first + from / 4096..extent.first + to.div_ceil(4096) {
                    let list = owners.entry(cluster).or_default();
                    if !list.contains(&ino) {
                        list.push(ino);
                    }
                }
            }
            Ok(true)
        })
        .unwrap();
    }
    owners
}

fn rgb(pixel: [u8; 4]) -> Color {
    [pixel[0], pixel[1], pixel[2]]
}

#[test]
fn kinds_have_the_colour_the_table_asks_for() {
    let (map, files) = sample();
    let mut plane = plane(&map);
    let screen = screen(&map, &mut plane, Layer::Kinds, WHOLE);
    assert!(!plane.is_partial());
    let palette = Theme::Dark.palette();
    map.read(|fs| {
        let owners = owners(fs, View::Head, &files);
        let mut seen = BTreeMap::new();
        for (cluster, kind) in kinds(fs) {
            let (x, y) = cell(fs, cluster);
            let pixel = screen[&(x * 32 + 16, y * 32 + 16)];
            let shared = owners.get(&cluster).is_some_and(|owners| owners.len() > 1);
            let want = match kind {
                "raw" | "compressed" if shared => palette.packed,
                "raw" => palette.raw,
                "compressed" => palette.zstd,
                "node" => palette.node,
                "table" => palette.table,
                "parity" => palette.parity,
                "superblock" => palette.superblock,
                _ => palette.free,
            };
            assert_eq!(rgb(pixel), want, "cluster {cluster} is {kind}");
            assert_eq!(pixel[3], 255);
            *seen.entry(kind).or_insert(0) += 1;
        }
        assert!(seen["raw"] > 100 && seen["free"] > 10, "{seen:?}");
        // Outside of the sheets there is nothing.
        let extent = zones::extent(256, fs.store().geometry().sheets()) as i64;
        let outside = screen.iter().filter(|((x, y), _)| x.abs().max(y.abs()) > extent / 2 + 1);
        assert!(outside.map(|(_, pixel)| pixel).all(|pixel| *pixel == [0; 4]));
    });
}

#[test]
fn owners_are_those_of_the_tree_however_small_the_slices() {
    let (map, files) = sample();
    for items in [1, 13, u64::MAX] {
        map.write(Fs::watch);
        let mut plane = map.read(|fs| Plane::new(fs, View::Head));
        refresh(&map, &mut plane);
        let first = map.read(|fs| plane.index(fs, 0)).unwrap();
        assert!(!first.complete && first.done == 0 && first.total == 29, "{first:?}");
        index(&map, &mut plane, items);
        map.read(|fs| {
            let want = owners(fs, View::Head, &files);
            for (cluster, kind) in kinds(fs) {
                let (x, y) = cell(fs, cluster);
                let (x, y) = (x as f64 * 32.0 + 5.0, y as f64 * 32.0 + 7.0);
                let hit = plane.hit(fs, x, y, true).unwrap();
                let inside = hit.inside.unwrap();
                assert_eq!(inside.cluster, cluster);
                let found = inside.owners.map_or(Vec::new(), |(count, named)| {
                    assert_eq!(count, named.len());
                    named
                });
                let mut inodes: Vec<u64> = found.iter().map(|owner| owner.ino).collect();
                inodes.sort_unstable();
                assert_eq!(inodes, want.get(&cluster).cloned().unwrap_or_default());
                if inodes.len() < 2 {
                    assert_eq!(inside.kind, kind);
                } else {
                    assert_eq!(inside.kind, "packed");
                }
                assert!(!inside.past);
                let sum = inside.checksum;
                match kind {
                    "raw" | "compressed" | "node" | "table" => assert_eq!(sum, "good"),
                    _ => assert!(matches!(sum, "good" | "none"), "{kind} {sum}"),
                }
                for owner in found {
                    let path = fs.path_of(View::Head, owner.ino).unwrap().unwrap();
                    assert_eq!(owner.path, [b"/", &path[..]].concat());
                    assert!(owner.length > 0 && owner.length <= 131_072);
                    // The bytes that lie there are those of the file.
                    if inside.kind == "raw" {
                        let mut data = vec![0; owner.length as usize];
                        fs.read(View::Head, owner.ino, owner.offset, &mut data).unwrap();
                        let (left, top) = inside.corner;
                        let stored = plane.pixels(fs, left, top, 32, 32).unwrap();
                        assert_eq!(stored[..data.len()], data);
                    }
                }
            }
            let outside = plane.hit(fs, 1e7, -3.0, false).unwrap();
            assert!(outside.inside.is_none() && outside.zone.name() == "cold");
        });
    }
}
