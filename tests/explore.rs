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

/// While the first walk is under way, what it has found is shown when asked for.
#[test]
fn owners_are_shown_as_they_become_known() {
    let (map, files) = sample();
    map.write(Fs::watch);
    let mut plane = map.read(|fs| Plane::new(fs, View::Head));
    refresh(&map, &mut plane);
    let seen = |plane: &mut Plane| {
        map.read(|fs| {
            let found = owners(fs, View::Head, &files);
            let mut named = |&cluster: &u64| {
                let (x, y) = cell(fs, cluster);
                let (x, y) = (x as f64 * 32.0 + 5.0, y as f64 * 32.0 + 7.0);
                let inside = plane.hit(fs, x, y, false).unwrap().inside.unwrap();
                assert!(!inside.past);
                inside.owners.is_some_and(|(count, _)| count > 0)
            };
            (found.keys().filter(|cluster| named(cluster)).count(), found.len())
        })
    };
    assert_eq!(seen(&mut plane).0, 0);
    let progress = map.read(|fs| plane.index(fs, 40)).unwrap();
    assert!(!progress.complete);
    map.read(|fs| plane.index(fs, 0)).unwrap();
    let (some, all) = seen(&mut plane);
    assert!(0 < some && some < all, "{some} of {all}");
    index(&map, &mut plane, 40);
    assert_eq!(seen(&mut plane), (all, all));
}

/// Every pixel from afar is the mean of the clusters below it.
#[test]
fn levels_of_detail_are_means() {
    let (map, _) = sample();
    let mut plane = plane(&map);
    for layer in [Layer::Kinds, Layer::Files, Layer::Heat] {
        let near = screen(&map, &mut plane, layer, -5);
        let loud = |pixel: [u8; 4]| {
            let palette = Theme::Dark.palette();
            let quiet = [palette.free, palette.quiet, palette.table, palette.parity];
            let border = palette.border;
            (rgb(pixel) != border && !quiet.contains(&rgb(pixel))).then_some(pixel)
        };
        for zoom in [-6, -7, -8, -9] {
            let far = screen(&map, &mut plane, layer, zoom);
            let many = 1i64 << (-5 - zoom);
            let mut compared = 0;
            for (&(x, y), &pixel) in &far {
                let below: Vec<[u8; 4]> = (0..many * many)
                    .filter_map(|at| near.get(&(x * many + at % many, y * many + at / many)))
                    .copied()
                    .filter(|pixel| pixel[3] > 0)
                    .collect();
                if below.is_empty() {
                    assert_eq!(pixel, [0; 4]);
                    continue;
                }
                let share = below.len() as f64 / (many * many) as f64;
                assert!((f64::from(pixel[3]) - share * 255.0).abs() < 1.5, "{pixel:?} {share}");
                // Where everything stands out, the colour is the plain mean.
                let (count, sum) = below.iter().filter_map(|&pixel| loud(pixel)).fold(
                    (0, [0.0; 3]),
                    |(count, sum), pixel| {
                        let add = |at: usize| sum[at] + f64::from(pixel[at]);
                        (count + 1, [add(0), add(1), add(2)])
                    },
                );
                if count == below.len() {
                    for at in 0..3 {
                        let mean = sum[at] / count as f64;
                        assert!((f64::from(pixel[at]) - mean).abs() < 4.0, "{pixel:?} {mean}");
                    }
                    compared += 1;
                } else if count > 0 {
                    // What is sparse is lifted: it never vanishes in what is quiet.
                    assert_ne!(rgb(pixel), Theme::Dark.palette().free, "at {x}, {y} of {zoom}");
                }
            }
            assert!(compared > 0 || zoom < -6, "{layer:?} at {zoom}");
        }
    }
}

#[test]
fn files_keep_their_hue_and_families_differ() {
    let (map, files) = sample();
    let mut plane = plane(&map);
    let before = screen(&map, &mut plane, Layer::Files, -5);
    let legend = map.read(|fs| plane.legend(fs, Layer::Files, Theme::Dark, false));
    let folders: Vec<&str> = legend.swatches.iter().map(|line| &line.label[..]).collect();
    for folder in ["folder0/", "folder1/", "folder2/", "folder3/", "names and inodes"] {
        assert!(folders.contains(&folder), "{folders:?}");
    }
    let clusters: u64 = legend.swatches.iter().take(4).map(|line| line.clusters).sum();
    let owned = map.read(|fs| owners(fs, View::Head, &files).len());
    assert_eq!(clusters as usize, owned);
    let mut colors: Vec<Color> = legend.swatches.iter().take(4).map(|line| line.color).collect();
    colors.sort_unstable();
    colors.dedup();
    assert_eq!(colors.len(), 4);
    // More files elsewhere change no colour of what was there.
    let folder = directory(&map, ROOT, "later");
    put(&map, folder, "file", &noise(99, 300_000));
    refresh(&map, &mut plane);
    index(&map, &mut plane, 100);
    let after = screen(&map, &mut plane, Layer::Files, -5);
    map.read(|fs| {
        for &cluster in owners(fs, View::Head, &files).keys() {
            let at = cell(fs, cluster);
            assert_eq!(before[&at], after[&at], "cluster {cluster}");
        }
    });
}

/// Where everything lies in one directory, its directories are told apart.
#[test]
fn families_begin_where_ways_part() {
    let map = new_map(Compression::Off);
    let only = directory(&map, directory(&map, ROOT, "only"), "one");
    for name in ["left", "right"] {
        put(&map, directory(&map, only, name), "file", &noise(only, 50_000));
    }
    let folders = |map: &Map| {
        let mut plane = plane(map);
        let legend = map.read(|fs| plane.legend(fs, Layer::Files, Theme::Light, false));
        let named = legend.swatches.into_iter().map(|line| line.label);
        let mut named: Vec<String> = named.filter(|label| label.ends_with('/')).collect();
        named.sort();
        named
    };
    assert_eq!(folders(&map), ["left/", "right/"]);
    // A file beside it, and the way parts there.
    put(&map, ROOT, "file", &noise(5, 50_000));
    assert_eq!(folders(&map), ["only/"]);
}

#[test]
fn reads_warm_at_once_and_stay_warm() {
    let (map, files) = sample();
    let mut plane = plane(&map);
    let ino = files[5];
    let color = |plane: &mut Plane| {
        let screen = screen(&map, plane, Layer::Heat, -5);
        map.read(|fs| {
            let owners = owners(fs, View::Head, &[ino]);
            let colors: Vec<Color> =
                owners.keys().map(|&cluster| rgb(screen[&cell(fs, cluster)])).collect();
            assert!(colors.iter().all(|color| *color == colors[0]));
            colors[0]
        })
    };
    let palette = Theme::Dark.palette();
    assert_eq!(color(&mut plane), palette.heat(0.0));
    for _ in 0..9 {
        let mut data = vec![0; 200_000];
        map.read(|fs| fs.read(View::Head, ino, 0, &mut data)).unwrap();
    }
    assert_eq!(color(&mut plane), palette.heat(0.0), "nothing is taken in before a refresh");
    refresh(&map, &mut plane);
    assert_eq!(color(&mut plane), palette.heat(warmth(4)));
    map.checkpoint().unwrap();
    refresh(&map, &mut plane);
    assert_eq!(color(&mut plane), palette.heat(warmth(4)), "folded into the table");
}

#[test]
fn changes_are_told_by_path_and_painted() {
    let (map, files) = sample();
    let lookup = |path: &[u8]| {
        map.read(|fs| fs.resolve(View::Head, ROOT, path, aetherflow::fs::path::Last::Keep)).unwrap()
    };
    let folder = lookup(b"folder1");
    let deep = directory(&map, folder, "deep");
    put(&map, deep, "inside", &noise(5, 9000));
    let snapshot = map.write(|fs| fs.create_snapshot(b"before", b"")).unwrap();
    let mut plane = plane(&map);
    plane.compare_with(Some(snapshot.view()));
    index(&map, &mut plane, 50);
    assert_eq!(map.read(|fs| plane.changes(fs, 100)).unwrap().list, []);

    let (top, other) = (lookup(b"folder0"), lookup(b"folder2"));
    map.write(|fs| {
        fs.unlink(top, b"file5").unwrap();
        fs.rename(folder, b"deep", other, b"deeper", Rename::Replace).unwrap();
        fs.write(files[3], 10, b"changed").unwrap();
        fs.relocate(files[4]).unwrap();
    });
    put(&map, other, "new", &noise(77, 200_000));
    refresh(&map, &mut plane);
    index(&map, &mut plane, 50);
    let changes = map.read(|fs| plane.changes(fs, 100)).unwrap();
    let told: Vec<(What, &str)> = changes
        .list
        .iter()
        .map(|change| (change.what, std::str::from_utf8(&change.path).unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            (What::Changed, "/folder0/file3"),
            (What::Removed, "/folder0/file5"),
            (What::Removed, "/folder1/deep"),
            (What::Removed, "/folder1/deep/inside"),
            (What::Added, "/folder2/deeper"),
            (What::Added, "/folder2/deeper/inside"),
            (What::Added, "/folder2/new"),
        ]
    );
    assert_eq!((changes.added, changes.removed, changes.changed), (3, 3, 1));
    assert_eq!(changes.list[1].before, Some(103_000));
    let short = map.read(|fs| plane.changes(fs, 2)).unwrap();
    assert!(short.is_truncated() && short.list.len() == 2 && short.added == 3);

    let screen = screen(&map, &mut plane, Layer::Changes, -5);
    let palette = Theme::Dark.palette();
    map.read(|fs| {
        let new = lookup_in(fs, other, b"new");
        let all: Vec<u64> = files.iter().copied().chain([new]).collect();
        let now = owners(fs, View::Head, &all);
        let before = owners(fs, snapshot.view(), &files);
        let mut counts = [0; 3];
        for (cluster, kind) in kinds(fs).into_iter().filter(|(_, kind)| *kind == "raw") {
            let pixel = rgb(screen[&cell(fs, cluster)]);
            match (before.contains_key(&cluster), now.contains_key(&cluster)) {
                (false, true) => {
                    assert_eq!(pixel, palette.added, "{kind} {cluster}");
                    counts[0] += 1;
                }
                (true, false) => {
                    assert_eq!(pixel, palette.removed);
                    counts[1] += 1;
                }
                (true, true) => counts[2] += 1,
                (false, false) => {}
            }
        }
        assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
    });
    // Only the snapshot holds what was removed.
    let hit = map.read(|fs| {
        let mut at = None;
        let _ = fs.for_stretches(snapshot.view(), files[5], 0, &mut |_, stretch| {
            at = stretch.extent().map(|extent| extent.first);
            Ok(false)
        });
        let (x, y) = cell(fs, at.unwrap());
        plane.hit(fs, x as f64 * 32.0, y as f64 * 32.0, true).unwrap()
    });
    let inside = hit.inside.unwrap();
    assert!(inside.past && inside.owners == Some((0, Vec::new())));
}

fn lookup_in(fs: &Fs, parent: u64, name: &[u8]) -> u64 {
    fs.lookup(View::Head, parent, name).unwrap().unwrap().0
}

#[test]
fn selections_are_outlined_near_and_never_vanish_far_away() {
    let (map, files) = sample();
    let mut plane = plane(&map);
    let folder = map.read(|fs| lookup_in(fs, ROOT, b"folder3"));
    for (chosen, members) in [(files[9], &files[9..10]), (folder, &files[18..24])] {
        map.read(|fs| plane.select(fs, &[chosen])).unwrap();
        let cells: Vec<(i64, i64)> = map.read(|fs| {
            owners(fs, View::Head, members).keys().map(|&cluster| cell(fs, cluster)).collect()
        });
        for zoom in [-12, -9, -7, -5, -4, -2, 0] {
            let mut found = Screen::new();
            for tile in tiles(&map, zoom) {
                let painted = plane.paint_overlay(Overlay::Selection, Theme::Dark, &tile).unwrap();
                if let Some(pixels) = painted {
                    collect(&mut found, &tile, pixels);
                }
            }
            let place = |at: i64| match zoom + 5 {
                near @ 0.. => (at << near) + (1 << near) / 2,
                far => at >> -far,
            };
            for &(x, y) in &cells {
                let pixel = found[&(place(x), place(y))];
                assert!(pixel[3] > 0, "zoom {zoom}");
            }
            if zoom >= -5 {
                let lit = found.values().filter(|pixel| pixel[3] > 0).count();
                assert_eq!(lit, cells.len() << (2 * (zoom + 5)), "zoom {zoom}");
            }
        }
        let bounds = map.read(|fs| plane.bounds(fs, chosen)).unwrap().unwrap();
        assert_eq!(bounds.clusters as usize, cells.len());
        let left = cells.iter().map(|cell| cell.0).min().unwrap() * 32;
        let bottom = (cells.iter().map(|cell| cell.1).max().unwrap() + 1) * 32;
        assert_eq!((bounds.edges[0], bounds.edges[3]), (left as f64, bottom as f64));
    }
    map.read(|fs| plane.select(fs, &[])).unwrap();
    let tile = Tile { zoom: -5, column: 0, row: 0, size: 64 };
    assert!(plane.paint_overlay(Overlay::Selection, Theme::Dark, &tile).unwrap().is_none());
    plane.damaged([7, u64::MAX].into_iter());
    let tiles = tiles(&map, -8);
    let lit = tiles
        .iter()
        .filter(|tile| plane.paint_overlay(Overlay::Damage, Theme::Light, tile).unwrap().is_some());
    assert!(lit.count() > 0);
}

#[test]
fn damage_is_seen_and_nothing_panics() {
    let (map, _) = sample();
    let bytes = map.to_png().unwrap();
    let options = Options::default();
    for seed in 0..12u64 {
        let mut bytes = bytes.clone();
        let mut random = noise(seed + 1, 4000).into_iter().cycle();
        let mut number =
            || (0..8).fold(0u64, |sum, _| sum << 8 | u64::from(random.next().unwrap()));
        for _ in 0..1 + seed * 3 {
            // The first superblock stays, so that there is something to open.
            let at = (60_000 + number() % (bytes.len() as u64 - 60_000)) as usize;
            bytes[at] ^= 1 << (number() % 8);
            let run = (number() % 300) as usize;
            let end = (at + run).min(bytes.len());
            bytes[at..end].fill(number() as u8);
        }
        let Ok(map) = Map::open(bytes, &options) else { continue };
        let mut plane = map.read(|fs| Plane::new(fs, View::Head));
        let slice = 1 + seed * 5;
        for _ in 0..100_000 {
            if map.read(|fs| plane.index(fs, slice)).map_or(true, |progress| progress.complete) {
                break;
            }
        }
        for layer in Layer::ALL {
            for zoom in [-9, -6, -3, 1] {
                let tile = Tile { zoom, column: -1, row: 0, size: 128 };
                let _ = map
                    .read(|fs| plane.paint(fs, layer, Theme::Light, &tile, false).map(<[u8]>::len));
            }
            map.read(|fs| plane.legend(fs, layer, Theme::Light, false));
        }
        map.read(|fs| {
            for at in 0..200 {
                let (x, y) = (f64::from(at % 20) * 33.0 - 300.0, f64::from(at / 20) * 61.0 - 300.0);
                let _ = plane.hit(fs, x, y, true);
            }
            let _ = plane.select(fs, &[ROOT, 2, 3, 5, 1 << 50]);
            let _ = plane.bounds(fs, 4);
        });
    }
    let mut plane = map.read(|fs| Plane::new(fs, View::Head));
    for tile in [
        Tile { zoom: 0, column: i32::MAX, row: i32::MIN, size: 256 },
        Tile { zoom: 12, column: i32::MIN, row: 0, size: 1024 },
        Tile { zoom: -24, column: 0, row: -1, size: 3 },
    ] {
        for layer in Layer::ALL {
            map.read(|fs| plane.paint(fs, layer, Theme::Dark, &tile, true).map(<[u8]>::len))
                .unwrap();
        }
        map.read(|fs| plane.prefetch(fs, &tile, 9)).unwrap();
    }
    for (zoom, size) in [(-25, 256), (13, 256), (0, 0), (0, 1025)] {
        let tile = Tile { zoom, column: 0, row: 0, size };
        let painted = map.read(|fs| plane.paint(fs, Layer::Raw, Theme::Dark, &tile, false).is_ok());
        assert!(!painted);
    }
    map.read(|fs| {
        for (x, y) in [(f64::NAN, 0.0), (f64::INFINITY, f64::NEG_INFINITY), (1e300, -1e300)] {
            plane.hit(fs, x, y, true).unwrap();
            plane.pixels(fs, x, y, 3, 3).unwrap();
        }
        assert!(plane.pixels(fs, 0.0, 0.0, 257, 1).is_err());
    });
}

/// After any edits a plane that followed them shows what a new one shows.
#[test]
fn a_plane_that_follows_shows_what_a_new_one_shows() {
    for seed in 1..4u64 {
        let (map, mut files) = sample();
        let mut plane = plane(&map);
        let mut random = noise(seed, 10_000).into_iter().map(u64::from);
        for step in 0..12u64 {
            let mut number =
                || random.next().unwrap_or_default() << 8 | random.next().unwrap_or_default();
            let at = number() as usize % files.len();
            match number() % 4 {
                0 => files.push(put(&map, ROOT, &format!("more{step}"), &noise(step, 90_000))),
                1 => map.write(|fs| fs.truncate(files[at], 5000)).unwrap(),
                2 => drop(map.write(|fs| fs.write(files[at], 30_000, &noise(step + 50, 70_000)))),
                _ => map.checkpoint().unwrap(),
            }
            // Sometimes the walk is caught half way.
            if number() % 2 == 0 {
                refresh(&map, &mut plane);
                let _ = map.read(|fs| plane.index(fs, 20)).unwrap();
            }
        }
        refresh(&map, &mut plane);
        index(&map, &mut plane, 31);
        let mut fresh = self::plane(&map);
        for layer in [Layer::Files, Layer::Kinds, Layer::Zones, Layer::Raw] {
            for zoom in [-7, -5] {
                let (one, other) =
                    (screen(&map, &mut plane, layer, zoom), screen(&map, &mut fresh, layer, zoom));
                assert!(one == other, "{layer:?} at {zoom}, seed {seed}");
            }
        }
        assert_eq!(plane.layout(), fresh.layout());
    }
}

#[test]
fn only_what_is_in_memory_is_painted_when_asked_so() {
    let (map, _) = sample();
    let bytes = map.to_png().unwrap();
    let map = Map::open(bytes, &Options::default()).unwrap();
    map.read(Fs::drop_caches);
    let mut plane = map.read(|fs| Plane::new(fs, View::Head));
    let tile = Tile { zoom: -5, column: 0, row: 0, size: 16 };
    let missing = map.read(|fs| plane.prefetch(fs, &tile, 0)).unwrap();
    assert!(missing > 0);
    let palette = Theme::Dark.palette();
    map.read(|fs| {
        let pixels = plane.paint(fs, Layer::Kinds, Theme::Dark, &tile, true).unwrap().to_vec();
        assert!(plane.is_partial());
        let hatched =
            |pixel: &[u8]| [palette.free, palette.border].contains(&[pixel[0], pixel[1], pixel[2]]);
        assert!(pixels.chunks_exact(4).any(hatched));
        // Nor does the legend read what nobody has asked for.
        let mut counted = |known| {
            let legend = plane.legend(fs, Layer::Kinds, Theme::Dark, known);
            legend.swatches.iter().map(|swatch| swatch.clusters).sum::<u64>()
        };
        assert_eq!(counted(true), 0);
        assert_eq!(plane.prefetch(fs, &tile, 0).unwrap(), missing);
        assert_eq!(plane.prefetch(fs, &tile, 1).unwrap(), missing - 1);
        assert_eq!(plane.prefetch(fs, &tile, 1000).unwrap(), 0);
        plane.paint(fs, Layer::Zones, Theme::Dark, &tile, true).unwrap();
        assert!(!plane.is_partial());
        let legend = plane.legend(fs, Layer::Kinds, Theme::Dark, false);
        let all = legend.swatches.iter().map(|swatch| swatch.clusters).sum::<u64>();
        assert_eq!(all, fs.store().geometry().clusters());
    });
}
