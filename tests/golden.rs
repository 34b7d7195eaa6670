//! Maps of earlier days open today and hold what they held: each file in `tests/data/golden` was
//! minted by the code of its time, with a list of what is in it.
//!
//! `AETHERFLOW_MINT=1 cargo test --test golden` adds what is missing and never replaces anything.

mod support;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aetherflow::fs::{Compression, FileType, Fs, ROOT, View};
use aetherflow::map::Map;
use aetherflow::storage::Storage;
use aetherflow::storage::mem::MemStorage;
use support::drive::Drive;
use support::model::read_all;
use support::{noise, options, text, walk};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden")
}

/// Everything in a tree, one line per name.
fn list(fs: &Fs, view: View, ino: u64, path: &str, out: &mut String) {
    let inode = fs.stat(view, ino).unwrap();
    let content = match inode.file_type() {
        FileType::Regular => read_all(fs, view, ino).unwrap(),
        FileType::Symlink => fs.read_link(view, ino).unwrap(),
        _ => Vec::new(),
    };
    let _ = write!(
        out,
        "{path}/ mode {:o} links {} owner {}:{} size {} crc {:08x} modified {}.{} born {}",
        inode.mode,
        inode.links,
        inode.uid,
        inode.gid,
        inode.size,
        aetherflow::base::checksum::crc32(&content),
        inode.modified.seconds,
        inode.modified.nanos,
        inode.born.seconds,
    );
    for name in fs.attributes(view, ino).unwrap() {
        let value = fs.attribute(view, ino, &name).unwrap();
        let crc = aetherflow::base::checksum::crc32(&value);
        let _ = write!(out, " {}={}:{crc:08x}", name.escape_ascii(), value.len());
    }
    out.push('\n');
    if inode.is_directory() {
        let mut entries = Vec::new();
        fs.read_directory(view, ino, 0, &mut |entry, _| {
            entries.push((entry.name.clone(), entry.ino));
            true
        })
        .unwrap();
        entries.sort();
        for (name, child) in entries {
            list(fs, view, child, &format!("{path}/{}", name.escape_ascii()), out);
        }
    }
}

fn manifest(fs: &Fs) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "settings {:?} {}", fs.settings().compression, fs.settings().level);
    list(fs, View::Head, ROOT, "", &mut out);
    for snapshot in fs.snapshots().unwrap() {
        let name = snapshot.name.escape_ascii();
        let (created, automatic) = (snapshot.created, snapshot.automatic);
        let _ = writeln!(out, "snapshot {name} created {created} automatic {automatic}");
        list(fs, snapshot.view(), ROOT, "", &mut out);
    }
    out
}

fn content(drive: &mut Drive) {
    let folder = drive.directory(ROOT, "folder").unwrap();
    drive.put(ROOT, "empty", b"").unwrap();
    let inline = drive.put(ROOT, "inline", b"a few bytes").unwrap();
    drive.put(folder, "noise", &noise(1, 9000)).unwrap();
    let text = drive.put(folder, "text", &text(2, 40_000)).unwrap();
    drive.put(folder, "zeros", &[0; 200_000]).unwrap();
    drive.put(folder, &"n".repeat(255), &[0xaa; 150_000]).unwrap();
    drive.symlink(folder, "link", b"../inline").unwrap();
    drive.link(inline, folder, "hard").unwrap();
    drive.xattr(text, "user.short", b"value").unwrap();
    drive.xattr(text, "user.long", &noise(3, 3000)).unwrap();
}

/// The file and, where one is left, the log of each map.
fn mint(name: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let compression = match name {
        "compressed" => Compression::All,
        _ => Compression::Off,
    };
    let mut drive = Drive::new(100, compression);
    content(&mut drive);
    match name {
        "log" => {
            drive.checkpoint().unwrap();
            drive.put(ROOT, "only in the log", b"synced").unwrap();
            drive.sync().unwrap();
            let [file, mut log] = drive.disk.files();
            // The zeros the log's file has ahead are not part of it.
            let end = log.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
            log.truncate(end);
            return Some((file, log));
        }
        "snapshots" => {
            drive.snapshot("first").unwrap();
            drive.unlink(ROOT, "empty").unwrap();
            drive.snapshot("second").unwrap();
            drive.restore("first").unwrap();
        }
        _ => {}
    }
    drive.close().unwrap();
    let [file, _] = drive.disk.files();
    match name {
        "packed" => {
            let map = Map::open(file, &drive.options).unwrap();
            let mut packed = Vec::new();
            let mut write = |bytes: &[u8]| {
                packed.extend_from_slice(bytes);
                Ok(())
            };
            map.pack(false, &mut write, &mut |_, _| Ok(())).unwrap();
            Some((packed, Vec::new()))
        }
        "pillow" => resave(&file).map(|file| (file, Vec::new())),
        _ => Some((file, Vec::new())),
    }
}

/// Opened and saved by Pillow, where there is one.
fn resave(file: &[u8]) -> Option<Vec<u8>> {
    let folder = std::env::temp_dir().join(format!("aetherflow-golden-{}", std::process::id()));
    std::fs::create_dir_all(&folder).ok()?;
    let (from, to) = (folder.join("from.png"), folder.join("to.png"));
    std::fs::write(&from, file).ok()?;
    let script = "import sys; from PIL import Image; Image.open(sys.argv[1]).save(sys.argv[2])";
    let status = std::process::Command::new("python3")
        .args(["-c", script])
        .args([&from, &to])
        .status()
        .ok()?;
    let again = std::fs::read(&to).ok().filter(|_| status.success());
    let _ = std::fs::remove_dir_all(&folder);
    again
}

fn expand(path: &Path) -> Vec<u8> {
    let packed = std::fs::read(path).unwrap_or_default();
    if packed.is_empty() {
        return packed;
    }
    miniz_oxide::inflate::decompress_to_vec_zlib(&packed).unwrap()
}

fn open(file: Vec<u8>, log: Vec<u8>, writable: bool) -> Map {
    let options = options(101, Compression::Off);
    if log.is_empty() {
        return Map::open(file, &options).unwrap();
    }
    let file: Arc<dyn Storage> = Arc::new(MemStorage::from_vec(file));
    let log: Arc<dyn Storage> = Arc::new(MemStorage::from_vec(log));
    Map::open_on(file, Some(log), writable, &options).unwrap()
}

#[test]
fn golden_maps_hold_what_they_held() {
    let folder = folder();
    let names = ["live", "compressed", "snapshots", "log", "packed", "pillow"];
    if std::env::var_os("AETHERFLOW_MINT").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for name in names {
            let target = folder.join(format!("{name}.map.z"));
            if target.exists() {
                continue;
            }
            let Some((file, log)) = mint(name) else { continue };
            let squeeze = |bytes: &[u8]| miniz_oxide::deflate::compress_to_vec_zlib(bytes, 9);
            std::fs::write(&target, squeeze(&file)).unwrap();
            if !log.is_empty() {
                std::fs::write(folder.join(format!("{name}.log.z")), squeeze(&log)).unwrap();
            }
            let map = open(file, log, true);
            std::fs::write(folder.join(format!("{name}.txt")), map.read(manifest)).unwrap();
        }
    }
    let mut found = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let file_name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(name) = file_name.strip_suffix(".map.z") else { continue };
        found += 1;
        let expected = std::fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap();
        for writable in [true, false] {
            let log = expand(&folder.join(format!("{name}.log.z")));
            let map = open(expand(&path), log, writable);
            assert_eq!(map.read(manifest), expected, "{name}");
            let problems = map.read(walk::problems);
            assert!(problems.is_empty(), "{name}: {problems:#?}");
        }
    }
    assert!(found >= names.len(), "only {found} golden maps");
}
