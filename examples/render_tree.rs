//! Draws every layer of a map that holds a directory tree:
//! `cargo run --release --example render_tree -- SOURCE OUTPUT [zone|all|off] [WIDTH]`.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use aetherflow::check::{VerifyOptions, verify};
use aetherflow::fs::ops::Owner;
use aetherflow::fs::{Compression, Fs, ROOT, Settings, View};
use aetherflow::map::{Map, Options};
use aetherflow::render::{Layer, RenderOptions, render};

fn import(map: &Map, from: &Path, into: u64) -> Result<u64, Box<dyn Error>> {
    let owner = Owner { uid: 0, gid: 0 };
    let mut bytes = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name().into_encoded_bytes();
        if entry.file_type()?.is_dir() {
            let directory = map.write(|fs| fs.make(into, &name, 0o040_755, owner, 0))?;
            bytes += import(map, &entry.path(), directory)?;
        } else if entry.file_type()?.is_file() {
            let data = fs::read(entry.path())?;
            bytes += data.len() as u64;
            map.write(|fs: &mut Fs| {
                let ino = fs.make(into, &name, 0o100_644, owner, 0)?;
                fs.write(ino, 0, &data)
            })?;
        }
    }
    Ok(bytes)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, output, rest @ ..] = arguments.as_slice() else {
        return Err("usage: render_tree SOURCE OUTPUT [zone|all|off] [WIDTH]".into());
    };
    let compression =
        rest.first().and_then(|name| Compression::of_name(name)).unwrap_or(Compression::Zone);
    let width = rest.get(1).map(|width| width.parse()).transpose()?;
    let settings = Settings { compression, ..Settings::default() };
    let map = Map::create(&Options { width, settings, ..Options::default() })?;
    let bytes = import(&map, Path::new(source), ROOT)?;
    // Some reads, so that there is heat to be seen.
    map.read(|fs| {
        let mut buffer = vec![0; 1 << 16];
        for ino in (2..fs.store().state().next_object).step_by(7) {
            for _ in 0..ino % 40 {
                let _ = fs.read(View::Head, ino, 0, &mut buffer);
            }
        }
    });
    map.checkpoint()?;
    map.write(Fs::checkpoint)?;
    println!("{bytes} bytes in");
    fs::create_dir_all(output)?;
    for layer in Layer::ALL {
        let started = Instant::now();
        let picture = map.read(|fs| render(fs, layer, &RenderOptions::default()))?;
        println!("{}: {:?}, {} bytes", layer.name(), started.elapsed(), picture.len());
        fs::write(Path::new(output).join(format!("{}.png", layer.name())), picture)?;
    }
    for deep in [false, true] {
        let started = Instant::now();
        let report = map.read(|fs| verify(fs, VerifyOptions { deep }, &mut |_, _| true))?;
        let speed = report.bytes_checked() as f64 / started.elapsed().as_secs_f64() / 1e6;
        println!(
            "verify deep {deep}: {:?}, {speed:.0} MB/s, {:?}",
            started.elapsed(),
            report.problems
        );
    }
    Ok(())
}
