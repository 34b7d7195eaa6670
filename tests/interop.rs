//! Other programs' PNG readers must accept what the container writes, pixel for pixel.
//!
//! The `png` crate always judges; Pillow and pngcheck do where they are installed. The `png`
//! crate ignores a wrong Adler-32 and pngcheck accepts one, so the container's own strict reader
//! (its unit tests) and Pillow are the ones that prove the sums.

use std::io::Cursor;
use std::process::Command;
use std::sync::Arc;

use aetherflow::base::Code;
use aetherflow::container::pack::{Edits, pack};
use aetherflow::container::{Clusters, Form, Live, Packed, Recovery, detect, foreign};
use aetherflow::storage::mem::MemStorage;

const CLUSTER: usize = 4096;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn cluster(&mut self) -> Vec<u8> {
        (0..CLUSTER / 8).flat_map(|_| self.next().to_le_bytes()).collect()
    }
}

/// RGBA pixels as the `png` crate sees them.
fn pixels(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let limits = png::Limits { bytes: 1 << 30 };
    let decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    let mut reader = decoder.read_info().expect("the png crate reads the header");
    let mut out = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut out).expect("the png crate reads the pixels");
    reader.finish().expect("the png crate reads to the end");
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgba, png::BitDepth::Eight));
    (info.width, info.height, out)
}

/// The pixels the map's clusters stand for.
fn expected(map: &dyn Clusters) -> (u32, u32, Vec<u8>) {
    let geometry = map.geometry();
    let mut out = Vec::new();
    let mut rows = vec![0; geometry.band_rows_len()];
    for band in 0..geometry.bands() {
        map.read_band(band, &mut rows).unwrap();
        for row in rows.chunks_exact(geometry.row_len()) {
            assert_eq!(row[0], 0);
            out.extend_from_slice(&row[1..]);
        }
    }
    // One cluster by its tile, so that the rows are not only right among themselves.
    let mut cluster = vec![0; CLUSTER];
    for number in [0, geometry.clusters() / 2, geometry.clusters() - 1] {
        map.read_run(number, &mut cluster).unwrap();
        let (band, column) = geometry.tile(number);
        for (y, run) in cluster.chunks_exact(128).enumerate() {
            let line = (band as usize * 32 + y) * geometry.width() as usize * 4;
            assert_eq!(run, &out[line + column as usize * 128..][..128]);
        }
    }
    (geometry.width(), geometry.height(), out)
}

/// Runs a program over the picture; says so when it is not installed.
fn ask(program: &str, arguments: &[&str], path: &std::path::Path) {
    match Command::new(program).args(arguments).arg(path).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            if text.contains("No module named") {
                println!("skipped: {program} has no Pillow");
                return;
            }
            assert!(
                output.status.success(),
                "{program}: {text}{}",
                String::from_utf8_lossy(&output.stdout)
            );
        }
        Err(error) => println!("skipped: {program} is not installed ({error})"),
    }
}

const PILLOW: &str = "import sys; from PIL import Image; Image.MAX_IMAGE_PIXELS = None; \
                      Image.open(sys.argv[1]).convert('RGBA').tobytes()";

fn accepted(name: &str, bytes: &[u8]) {
    let path = std::env::temp_dir().join(format!("aetherflow-{}-{name}.png", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    ask("pngcheck", &["-q"], &path);
    ask("python3", &["-c", PILLOW], &path);
    std::fs::remove_file(&path).unwrap();
}

fn check(name: &str, live: &Live, storage: &MemStorage) {
    live.seal().unwrap();
    let bytes = storage.to_vec().unwrap();
    assert!(pixels(&bytes) == expected(live), "{name}");
    accepted(name, &bytes);
}

fn write(live: &Live, random: &mut Random, count: usize) {
    for _ in 0..count {
        let cluster = random.next() % live.geometry().clusters();
        live.declare(&[(cluster, 1)]).unwrap();
        live.write_run(cluster, &random.cluster()).unwrap();
    }
}

#[test]
fn every_width_is_a_picture_after_create_writes_growth_and_recovery() {
    for width in [256, 512, 1024, 2048, 4096] {
        let mut random = Random(u64::from(width));
        let storage = Arc::new(MemStorage::new());
        let live = Live::create(storage.clone(), width, 1).unwrap();
        check(&format!("new-{width}"), &live, &storage);
        write(&live, &mut random, 30);
        check(&format!("written-{width}"), &live, &storage);
        if width > 1024 {
            continue;
        }
        let totals = live.totals_without(&[2]).unwrap();
        live.seal().unwrap();
        live.mark_clean();
        let touched = live.declare(&[(3, 20)]).unwrap();
        live.write_run(3, &random.cluster().repeat(20)).unwrap();
        live.grow(1).unwrap();
        drop(live);
        // Neither sealed nor closed: what a crash leaves.
        let live = Live::open(storage.clone()).unwrap();
        let known = Recovery {
            sheets: 2,
            skeleton_from_sheet: 1,
            totals,
            excluded: &[2],
            touched: &touched,
        };
        live.recover(known).unwrap();
        check(&format!("recovered-{width}"), &live, &storage);
        live.grow(1).unwrap();
        write(&live, &mut random, 30);
        check(&format!("grown-{width}"), &live, &storage);
    }
}

#[test]
#[ignore = "256 MiB of pixels: run it with --release"]
fn the_widest_picture_is_one_too() {
    let storage = Arc::new(MemStorage::new());
    let live = Live::create(storage.clone(), 8192, 1).unwrap();
    write(&live, &mut Random(8192), 100);
    check("widest", &live, &storage);
}

fn packed(live: &Live) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    pack(live, Edits::NONE, &mut out, &mut |_, _| Ok(())).unwrap();
    bytes
}

#[test]
fn packed_maps_are_pictures() {
    for width in [256, 1024, 2048] {
        let mut random = Random(77);
        let storage = Arc::new(MemStorage::new());
        let live = Live::create(storage.clone(), width, 1).unwrap();
        write(&live, &mut random, 40);
        // Two whole bands of noise, and one of something compressible.
        let geometry = live.geometry();
        for column in 0..geometry.side() {
            for band in [1, 4, 6] {
                let cluster = geometry.cluster_at(band, column);
                let data = if band == 6 { vec![b'a'; CLUSTER] } else { random.cluster() };
                live.declare(&[(cluster, 1)]).unwrap();
                live.write_run(cluster, &data).unwrap();
            }
        }
        let bytes = packed(&live);
        assert!(pixels(&bytes) == expected(&live), "width {width}");
        accepted(&format!("packed-{width}"), &bytes);
        let reader = Packed::open(Arc::new(MemStorage::from_bytes(&bytes)), 1 << 20).unwrap();
        assert!(expected(&reader) == expected(&live));
    }
}

fn sample() -> Live {
    let live = Live::create(Arc::new(MemStorage::new()), 256, 2).unwrap();
    write(&live, &mut Random(4), 60);
    live.seal().unwrap();
    live
}

fn import(bytes: &[u8]) -> aetherflow::base::Result<foreign::Imported> {
    let source = MemStorage::from_bytes(bytes);
    foreign::import(&source, Arc::new(MemStorage::new()), &mut |_, _| Ok(()))
}

fn encode(
    width: u32,
    height: u32,
    color: png::ColorType,
    depth: png::BitDepth,
    data: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder.write_header().unwrap().write_image_data(data).unwrap();
    bytes
}

#[test]
fn a_map_saved_again_by_another_tool_comes_back_whole() {
    let live = sample();
    let (width, height, data) = expected(&live);
    let again = encode(width, height, png::ColorType::Rgba, png::BitDepth::Eight, &data);
    assert_eq!(detect(&MemStorage::from_bytes(&again)).unwrap(), Form::Foreign);
    let imported = import(&again).unwrap();
    assert!(imported.is_complete());
    assert!(expected(&imported.live) == expected(&live));

    let wide: Vec<u8> = data.iter().flat_map(|&byte| [byte, byte]).collect();
    let sixteen = encode(width, height, png::ColorType::Rgba, png::BitDepth::Sixteen, &wide);
    assert!(expected(&import(&sixteen).unwrap().live) == expected(&live));
    let mut bent = wide;
    bent[1] ^= 1;
    let bent = encode(width, height, png::ColorType::Rgba, png::BitDepth::Sixteen, &bent);
    assert_eq!(import(&bent).map(|_| ()).unwrap_err().code(), Code::Resized);
}

#[test]
fn fewer_channels_are_expanded() {
    for (color, bytes) in [
        (png::ColorType::Rgb, 3),
        (png::ColorType::Grayscale, 1),
        (png::ColorType::GrayscaleAlpha, 2),
    ] {
        let data: Vec<u8> = (0..256 * 256 * bytes).map(|at| (at * 7 + at / 300) as u8).collect();
        let picture = encode(256, 256, color, png::BitDepth::Eight, &data);
        let (_, _, found) = expected(&import(&picture).unwrap().live);
        for (pixel, sample) in found.chunks_exact(4).zip(data.chunks_exact(bytes)) {
            let want = match sample {
                [r, g, b] => [*r, *g, *b, 255],
                [grey, alpha] => [*grey, *grey, *grey, *alpha],
                _ => [sample[0], sample[0], sample[0], 255],
            };
            assert_eq!(pixel, want);
        }
    }
}

#[test]
fn cut_off_and_resized_pictures_are_told_apart() {
    let live = sample();
    let (width, height, data) = expected(&live);
    let whole = encode(width, height, png::ColorType::Rgba, png::BitDepth::Eight, &data);
    let imported = import(&whole[..whole.len() / 2]).unwrap();
    assert!(!imported.is_complete());
    let rows = imported.rows_recovered as usize;
    assert!(rows > 100 && rows < 400, "{rows}");
    let (_, _, found) = expected(&imported.live);
    assert!(found[..rows * 1024] == data[..rows * 1024]);
    assert!(found[rows * 1024..].iter().all(|&byte| byte == 0));
    for cut in [0, 7, 20, 40, 56] {
        assert!(import(&whole[..cut]).is_err());
    }

    let small = encode(128, 256, png::ColorType::Rgba, png::BitDepth::Eight, &data[..128 * 1024]);
    let error = import(&small).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Code::Resized);
    assert!(error.message().contains("128 x 256"));
    // A small file that claims to be huge is refused or cut off, never allocated.
    let mut huge = whole[..200].to_vec();
    huge[16..20].copy_from_slice(&8192_u32.to_be_bytes());
    huge[20..24].copy_from_slice(&(8192_u32 * 200_000).to_be_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.finalize().to_be_bytes());
    assert!(import(&huge).is_err());
}

#[test]
fn a_damaged_live_or_packed_file_still_gives_its_rows() {
    let live = sample();
    let len = live.storage().len().unwrap();
    let mut bytes = vec![0; len as usize];
    live.storage().read_at(0, &mut bytes).unwrap();
    let imported = import(&bytes[..bytes.len() - 40_000]).unwrap();
    assert!(imported.rows_recovered >= 256 && !imported.is_complete());
    let bytes = packed(&live);
    let imported = import(&bytes[..bytes.len() - 60_000]).unwrap();
    assert!(imported.rows_recovered > 100 && !imported.is_complete());
    assert!(import(&bytes).unwrap().is_complete());
}
