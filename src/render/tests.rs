use std::sync::Arc;

use super::*;
use crate::base::env::SystemEntropy;
use crate::commit::open::{Environment, NewMap};
use crate::commit::{Store, store::Budget};
use crate::fs::ops::Owner;
use crate::fs::{Compression, FIRST_OBJECT, ROOT, Settings};
use crate::storage::mem::MemStorage;
use crate::tree::node;
use crate::vat::Kind;

fn map(width: u32, bytes: usize) -> Fs {
    let environment = Environment {
        clock: Arc::new(crate::base::env::SystemClock),
        entropy: Arc::new(SystemEntropy),
        check_node: node::check,
        budget: Budget::of(8 << 20),
    };
    let new =
        NewMap { width, uuid: None, parity: true, label: Vec::new(), first_object: FIRST_OBJECT };
    let store = Store::create(Arc::new(MemStorage::new()), None, new, environment).unwrap();
    let settings = Settings { compression: Compression::Off, ..Settings::default() };
    let mut fs = Fs::create(store, 8 << 20, settings).unwrap();
    let owner = Owner { uid: 0, gid: 0 };
    let directory = fs.make(ROOT, b"docs", 0o040_755, owner, 0).unwrap();
    let mut word = 1u64;
    for index in 0..(bytes / 50_000) {
        let parent = if index % 2 == 0 { ROOT } else { directory };
        let ino = fs.make(parent, format!("f{index}").as_bytes(), 0o100_644, owner, 0).unwrap();
        let data: Vec<u8> = (0..50_000)
            .map(|_| {
                word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(3);
                (word >> 56) as u8
            })
            .collect();
        fs.write(ino, 0, &data).unwrap();
    }
    fs.checkpoint().unwrap();
    fs
}

fn decode(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    (info.width, info.height, pixels)
}

#[test]
fn all_layers_of_maps_of_all_sizes_are_drawn() {
    for (width, bytes) in [(256, 0), (256, 2_000_000), (2048, 300_000), (512, 9_000_000)] {
        let fs = map(width, bytes);
        for layer in Layer::ALL {
            for (size, legend) in [(64, true), (500, true), (900, true), (1600, false)] {
                let options = RenderOptions { size, legend, title: Some("a map".to_owned()) };
                let (across, down, pixels) = decode(&render(&fs, layer, &options).unwrap());
                assert!(across <= size && down <= size, "{across} x {down} for {size}");
                assert!(across.max(down) >= size / 4);
                assert_eq!(pixels.len(), across as usize * down as usize * 3);
            }
        }
    }
}

#[test]
fn tiles_have_the_colour_the_table_asks_for() {
    let fs = map(256, 400_000);
    let geometry = fs.store().geometry();
    let options = RenderOptions { size: 700, legend: false, title: None };
    let (across, _, pixels) = decode(&render(&fs, Layer::Kinds, &options).unwrap());
    let plane = Plane::fit(geometry, 700, 0, false);
    let tile = plane.tile();
    assert!(tile > 4);
    let mut seen = 0;
    for sheet in 0..geometry.sheets() {
        let (column, row) = crate::plane::spiral::position(sheet);
        for index in geometry.vat_pages()..geometry.sheet_clusters() {
            let mut kind = Kind::Tail;
            let mut cluster = geometry.cluster(sheet, index);
            while kind == Kind::Tail {
                kind = fs.store().record(cluster).unwrap().kind;
                cluster -= 1;
            }
            let (x, y) = crate::plane::hilbert::point(geometry.side(), index);
            let (x, y) = plane.tile_origin(column, row, x, y);
            let at = ((y + tile / 2) * across + x + tile / 2) as usize * 3;
            let want = match kind {
                Kind::Free => DARK.free,
                Kind::Node => DARK.node,
                Kind::Raw => DARK.raw,
                Kind::Parity => DARK.parity,
                Kind::Superblock => DARK.superblock,
                other => panic!("{other:?}"),
            };
            assert_eq!(pixels[at..at + 3], want, "cluster {index} of sheet {sheet}");
            seen += u32::from(kind == Kind::Raw);
        }
    }
    assert!(seen > 90);
}

#[test]
fn impossible_sizes_are_refused() {
    let fs = map(256, 0);
    for size in [0, 63, 20_000] {
        let options = RenderOptions { size, ..RenderOptions::default() };
        assert_eq!(render(&fs, Layer::Raw, &options).unwrap_err().code(), Code::Invalid);
    }
}
