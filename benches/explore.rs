//! Measures the plane as the explorer looks at it, native: the owners, the levels of detail of all
//! sheets, and a tile of them.

use std::hint::black_box;

// Each benchmark uses a part of it.
#[allow(dead_code)]
mod support;

use aetherflow::explore::{Layer, Plane, Theme, Tile};
use aetherflow::fs::ops::Owner;
use aetherflow::fs::{Compression, Fs, ROOT, Settings, View};
use aetherflow::map::{Map, Options};
use support::{Goal, figure, noise, seconds, smoke};

const MIB: usize = 1 << 20;
const OWNER: Owner = Owner { uid: 0, gid: 0 };

/// Files of a few sizes in some directories.
fn build(total: usize) -> Map {
    let settings = Settings { compression: Compression::Off, ..Settings::default() };
    let options = Options { settings, width: Some(256), ..Options::default() };
    let map = Map::create(&options).expect("create");
    let content = noise(MIB);
    let (mut written, mut directory, mut number) = (0, ROOT, 0usize);
    while written < total {
        if number.is_multiple_of(64) {
            let name = format!("folder{number}");
            let made = map.write(|fs| fs.make(ROOT, name.as_bytes(), 0o040_755, OWNER, 0));
            directory = made.expect("make");
        }
        let length = [20_000, 60_000, 200_000, MIB][number % 4];
        let name = format!("file{number}");
        map.write(|fs| {
            let ino = fs.make(directory, name.as_bytes(), 0o100_644, OWNER, 0).expect("make");
            fs.write(ino, 0, &content[..length]).expect("write");
        });
        (written, number) = (written + length, number + 1);
    }
    map.checkpoint().expect("checkpoint");
    map
}

fn main() {
    let map = build(if smoke() { 16 * MIB } else { 768 * MIB });
    let clusters = map.read(|fs| fs.store().geometry().clusters());
    println!("a map of {clusters} clusters");
    let million = 1e6 / clusters as f64 * 1e3;
    map.write(Fs::watch);
    let mut plane = map.read(|fs| Plane::new(fs, View::Head));
    let all = |zoom| Tile { zoom, column: -1, row: -1, size: 512 };
    let paint = |plane: &mut Plane, layer, tile: Tile| {
        seconds(|| {
            map.read(|fs| {
                let painted = plane.paint(fs, layer, Theme::Dark, &tile, false);
                black_box(painted.expect("paint"));
            });
        })
    };
    // From so far that all sheets are in four tiles.
    let whole = [(-1, -1), (0, -1), (-1, 0), (0, 0)];
    let everything = |plane: &mut Plane, layer| {
        let tiles = whole.map(|(column, row)| Tile { zoom: -9, column, row, size: 1024 });
        tiles.into_iter().map(|tile| paint(plane, layer, tile)).sum::<f64>()
    };
    let first = everything(&mut plane, Layer::Zones);
    figure(
        "table read and one layer built",
        first * million,
        "ms a million clusters",
        Goal::AtMost(500.0),
    );
    let index =
        seconds(|| while !map.read(|fs| plane.index(fs, 100_000)).expect("index").complete {});
    figure("owners", index * million, "ms a million clusters", Goal::None);
    for layer in [Layer::Files, Layer::Kinds, Layer::Heat, Layer::Age, Layer::Raw] {
        let time = everything(&mut plane, layer) * million;
        figure(&format!("layer {} built", layer.name()), time, "ms a million clusters", Goal::None);
    }
    for zoom in [-12, -9, -7, -5, -3, 0, 4] {
        let tile = Tile { size: 256, column: 0, row: 0, ..all(zoom) };
        paint(&mut plane, Layer::Files, tile);
        let times = (0..9).map(|_| paint(&mut plane, Layer::Files, tile) * 1e3).collect();
        let what = format!("a tile of 256 x 256 at zoom {zoom}");
        figure(&what, support::median(times), "ms", Goal::AtMost(4.0));
    }
    let legend = seconds(|| {
        black_box(map.read(|fs| plane.legend(fs, Layer::Kinds, Theme::Dark, false)));
    });
    figure("legend", legend * million, "ms a million clusters", Goal::None);
}
