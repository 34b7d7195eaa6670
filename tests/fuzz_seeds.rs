//! The seeds of the fuzz targets in `fuzz/corpus`: small inputs that reach far at once.
//!
//! `AETHERFLOW_MINT=1 cargo test --test fuzz_seeds` writes them anew; without it, the test checks
//! that every target has some.

mod support;

use std::path::Path;

use aetherflow::fs::{Compression, ROOT};
use aetherflow::tree::{Key, node};
use aetherflow::wal::frame::{HEADER, Header};
use support::drive::Drive;
use support::forge::Forge;
use support::sample::sample;
use support::{noise, text};

const TARGETS: [&str; 6] =
    ["open_map", "tree_nodes", "wal_replay", "names_paths", "packed", "ops_vs_model"];

/// The frames of a real log as the target wants them: flags, length, payload.
fn frames() -> Vec<u8> {
    let mut drive = Drive::new(9, Compression::Off);
    for index in 0..4 {
        drive.put(ROOT, &format!("file{index}"), &text(index, 700)).unwrap();
        drive.sync().unwrap();
    }
    let [_, log] = drive.disk.files();
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(header) = log[at..].first_chunk::<HEADER>().and_then(Header::parse) {
        let payload = &log[at + HEADER..at + HEADER + header.length as usize];
        at += HEADER + payload.len();
        out.push(header.flags as u8);
        out.extend_from_slice(&(payload.len() as u16).to_le_bytes());
        out.extend_from_slice(payload);
    }
    assert!(out.len() > 500);
    out
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let random = |from: u64, length| (from..from + 4).map(move |seed| noise(seed, length));
    match target {
        "open_map" => (0..6)
            .map(|which| {
                let forge = Forge::new(&sample().file);
                let root = forge.head().cluster as u8;
                let at = [24u8, 26, 48, 6, 50, 32][which as usize];
                vec![1, root, at, 0, which % 3, 0xff, 0, root.wrapping_mul(8), 0, 0, 9]
            })
            .collect(),
        "tree_nodes" => {
            let forge = Forge::new(&sample().file);
            let root = forge.head();
            let (leaf, _) = forge.find(root, Key::MIN).unwrap();
            let pages = [forge.read(root.cluster), forge.read(leaf)];
            assert!(!node::is_leaf(&pages[0]) && node::is_leaf(&pages[1]));
            pages.into_iter().map(|page| page.to_vec()).collect()
        }
        "wal_replay" => vec![frames()],
        "names_paths" => [
            "folder/inner/inline3target",
            "/folder/../link//./x",
            "foldercase/i:^boot & @b$",
            "link/other/../innernoisy/packed",
        ]
        .map(|path| path.as_bytes().to_vec())
        .to_vec(),
        "packed" => random(20, 17).map(|seed| [vec![1], seed].concat()).collect(),
        _ => random(30, 300).collect(),
    }
}

#[test]
fn every_target_has_seeds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for target in TARGETS {
        assert!(root.join(format!("fuzz_targets/{target}.rs")).is_file(), "{target}");
        let folder = root.join("corpus").join(target);
        if std::env::var_os("AETHERFLOW_MINT").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            for (number, seed) in seeds(target).into_iter().enumerate() {
                std::fs::write(folder.join(format!("seed{number}")), seed).unwrap();
            }
        }
        let found = std::fs::read_dir(&folder).map_or(0, Iterator::count);
        assert!(found >= seeds(target).len(), "{target} has {found} seeds");
    }
}
