//! A tree with everything in it, built and read back.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::{Options, build};
use crate::base::Code;
use crate::fs::path::Last;
use crate::fs::{Compression, FileType, ROOT, Settings, View};
use crate::map::{self, Map};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("aetherflow-native-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(seed: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| b"the quick brown fox jumps"[(at * seed / 7 + at) % 25]).collect()
}

fn options(compression: Compression) -> map::Options {
    let settings = Settings { compression, ..Settings::default() };
    map::Options { settings, ..map::Options::default() }
}

/// Compares the folder at `host` with the directory `ino`, all the way down.
fn compare(map: &Map, ino: u64, host: &Path) -> usize {
    let mut names = Vec::new();
    map.read(|fs| {
        fs.read_directory(View::Head, ino, 0, &mut |entry, _| {
            names.push((entry.name.clone(), entry.ino, entry.file_type));
            true
        })
    })
    .unwrap();
    let mut seen = 0;
    for (name, ino, kind) in &names {
        let path = host.join(std::str::from_utf8(name).unwrap());
        let meta = fs::symlink_metadata(&path).unwrap();
        let node = map.read(|fs| fs.stat(View::Head, *ino)).unwrap();
        assert_eq!(node.mode, meta.mode(), "{}", path.display());
        assert_eq!((node.uid, node.gid), (meta.uid(), meta.gid()));
        let modified = (node.modified.seconds, i64::from(node.modified.nanos));
        assert_eq!(modified, (meta.mtime(), meta.mtime_nsec()), "{}", path.display());
        match kind {
            FileType::Directory => seen += compare(map, *ino, &path),
            FileType::Symlink => {
                let target = map.read(|fs| fs.read_link(View::Head, *ino)).unwrap();
                assert_eq!(target, fs::read_link(&path).unwrap().as_os_str().as_encoded_bytes());
            }
            FileType::Regular => {
                let mut bytes = vec![1; meta.len() as usize + 1];
                let read = map.read(|fs| fs.read(View::Head, *ino, 0, &mut bytes)).unwrap();
                assert!(bytes[..read] == fs::read(&path).unwrap()[..], "{}", path.display());
            }
            _ => {}
        }
        seen += 1;
    }
    assert_eq!(names.len(), fs::read_dir(host).unwrap().count(), "{}", host.display());
    seen
}

#[test]
fn a_tree_comes_back_whole() {
    let folder = Folder::new("whole");
    let top = &folder.0;
    for directory in ["a/b/c", "empty", "etc"] {
        fs::create_dir_all(top.join(directory)).unwrap();
    }
    for (at, size) in
        [0, 1, 511, 512, 513, 4096, 70_000, 131_072, 200_000, 5_000_000].into_iter().enumerate()
    {
        fs::write(top.join(format!("a/file-{at}")), text(at + 1, size)).unwrap();
        fs::write(top.join(format!("a/b/{at}.conf")), text(at + 20, size / 2)).unwrap();
    }
    // The same content under another name and in another place.
    fs::write(top.join("etc/twin"), text(7, 70_000)).unwrap();
    fs::write(top.join("a/zeros"), vec![0; 300_000]).unwrap();
    fs::write(top.join("a/sevens"), vec![7; 300_000]).unwrap();
    let sparse = fs::File::create(top.join("a/sparse")).unwrap();
    sparse.set_len(20_000_000).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"in the middle", 9_000_000).unwrap();
    drop(sparse);
    fs::hard_link(top.join("a/file-6"), top.join("a/b/c/other name")).unwrap();
    symlink("../a/file-1", top.join("etc/link")).unwrap();
    fs::set_permissions(top.join("a/file-3"), fs::Permissions::from_mode(0o4711)).unwrap();
    fs::set_permissions(top.join("a/b/c"), fs::Permissions::from_mode(0o700)).unwrap();

    for compression in [Compression::Off, Compression::Zone, Compression::All] {
        let map = Map::create(&options(compression)).unwrap();
        let mut last = 0;
        let report =
            build(&map, top, &Options { threads: 3, ..Options::default() }, &mut |at, _| {
                assert!(at >= last);
                last = at;
                Ok(())
            })
            .unwrap();
        assert!(report.skipped.is_empty());
        assert_eq!((report.hard_links, report.symlinks, report.directories), (1, 1, 5));
        assert_eq!(report.repeats, 1);
        map.close().unwrap();
        let again = Map::open(map.to_png().unwrap(), &options(compression)).unwrap();
        assert!(compare(&again, ROOT, top) > 25);
        let find =
            |path: &[u8]| again.read(|fs| fs.resolve(View::Head, ROOT, path, Last::Keep)).unwrap();
        assert_eq!(find(b"a/file-6"), find(b"a/b/c/other name"));
        let sparse = again.read(|fs| fs.stat(View::Head, find(b"a/sparse"))).unwrap();
        assert!(sparse.allocated < 1 << 20, "{}", sparse.allocated);
    }
}

#[test]
fn a_cancelled_build_ends_its_threads() {
    let folder = Folder::new("cancel");
    for at in 0..40 {
        fs::write(folder.0.join(format!("{at}")), text(at + 1, 1_000_000)).unwrap();
    }
    let map = Map::create(&options(Compression::All)).unwrap();
    let result = build(&map, &folder.0, &Options::default(), &mut |_, _| {
        Err(crate::base::Error::new(Code::Cancelled, "enough"))
    });
    assert_eq!(result.unwrap_err().code(), Code::Cancelled);
    map.close().unwrap();
}

#[test]
fn a_missing_source_is_named() {
    let map = Map::create(&options(Compression::Off)).unwrap();
    let missing = std::env::temp_dir().join("aetherflow-no-such-folder");
    let error = build(&map, &missing, &Options::default(), &mut |_, _| Ok(())).unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert!(error.path().is_some());
}
