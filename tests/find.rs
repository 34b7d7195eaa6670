//! Finding names: which fit, in which order, and that no map makes it run in circles.

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aetherflow::base::{Code, Error};
use aetherflow::fs::{Compression, FileType, ROOT, View};
use aetherflow::map::Map;
use aetherflow::storage::Storage;
use aetherflow::tree::item;
use support::drive::OWNER;
use support::forge::Forge;
use support::options;

const FILE: u32 = 0o100_644;
const DIRECTORY: u32 = 0o040_755;

fn make(map: &Map, path: &[u8], mode: u32) -> u64 {
    map.write(|fs| {
        let parent = fs.resolve_parent(View::Head, ROOT, path).unwrap();
        fs.make(parent.directory, &parent.name, mode, OWNER, 0).unwrap()
    })
}

fn found_in(
    map: &Map,
    view: View,
    directory: u64,
    text: &str,
    limit: usize,
) -> (Vec<String>, bool) {
    let (found, more) = map.read(|fs| fs.find_names(view, directory, text, limit)).unwrap();
    let path = |path: Vec<u8>| path.escape_ascii().to_string();
    (found.into_iter().map(|found| path(found.path)).collect(), more)
}

fn found(map: &Map, text: &str) -> Vec<String> {
    let (found, more) = found_in(map, View::Head, ROOT, text, 100);
    assert!(!more);
    found
}

#[test]
fn names_come_in_the_order_of_how_well_they_fit() {
    let map = Map::create(&options(1, Compression::Off)).unwrap();
    for directory in [&b"docs"[..], b"docs/notes", b"other", b"other/Notes"] {
        make(&map, directory, DIRECTORY);
    }
    for file in [
        &b"notes.txt"[..],
        b"docs/my notes",
        b"docs/notes/NOTES",
        b"other/Notes/footnotes.md",
        b"other/Notes/a",
    ] {
        make(&map, file, FILE);
    }
    map.write(|fs| fs.symlink(ROOT, b"notes", b"docs", OWNER)).unwrap();
    let all = [
        "notes",
        "docs/notes",
        "other/Notes",
        "docs/notes/NOTES",
        "notes.txt",
        "docs/my notes",
        "other/Notes/footnotes.md",
    ];
    assert_eq!(found(&map, "notes"), all);
    assert_eq!(found(&map, "nOtEs"), all);
    assert_eq!(found(&map, "docs"), ["docs"]);
    assert_eq!(found(&map, "docs/notes"), [""; 0]);
    assert_eq!(found(&map, "").len(), 10);
    for limit in 0..=all.len() {
        let (some, more) = found_in(&map, View::Head, ROOT, "notes", limit);
        assert_eq!((&some[..], more), (&all.map(str::to_owned)[..limit], limit < all.len()));
    }
    let other = map.read(|fs| fs.lookup(View::Head, ROOT, b"other")).unwrap().unwrap().0;
    let below = ["other/Notes", "other/Notes/footnotes.md"];
    assert_eq!(found_in(&map, View::Head, other, "notes", 9).0, below);

    let snapshot = map.write(|fs| fs.create_snapshot(b"before", b"")).unwrap();
    map.write(|fs| fs.unlink(ROOT, b"notes.txt")).unwrap();
    assert_eq!(found(&map, "notes").len(), all.len() - 1);
    assert_eq!(found_in(&map, snapshot.view(), ROOT, "notes", 9).0, all);

    let file = map.read(|fs| fs.lookup(View::Head, ROOT, b"notes")).unwrap().unwrap().0;
    let refused = map.read(|fs| fs.find_names(View::Head, file, "a", 9)).unwrap_err();
    assert_eq!(refused.code(), Code::NotDirectory);
    let refused = map.read(|fs| fs.find_names(View::Head, 12_345, "a", 9)).unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[test]
fn what_is_found_says_what_it_is() {
    let map = Map::create(&options(2, Compression::Off)).unwrap();
    let ino = make(&map, b"file", FILE);
    // Buffered, not yet in the tree.
    map.write(|fs| fs.write(ino, 0, &[7; 5000])).unwrap();
    let (found, _) = map.read(|fs| fs.find_names(View::Head, ROOT, "file", 1)).unwrap();
    assert_eq!((found[0].ino, found[0].size, found[0].file_type), (ino, 5000, FileType::Regular));
    let modified = map.read(|fs| fs.stat(View::Head, ino)).unwrap().modified;
    assert_eq!(found[0].modified, modified);
}

#[test]
fn letters_of_all_scripts_are_compared_without_case() {
    let map = Map::create(&options(3, Compression::Off)).unwrap();
    for name in ["Ärger.txt", "ΟΔΟΣ", "Привет МИР", "日本語", "\u{212a}elvin"] {
        make(&map, name.as_bytes(), FILE);
    }
    make(&map, b"caf\xe9.TXT", FILE);
    let one = |text: &str| {
        let (found, _) = map.read(|fs| fs.find_names(View::Head, ROOT, text, 9)).unwrap();
        found.into_iter().map(|found| found.path).collect::<Vec<_>>()
    };
    assert_eq!(one("ärG"), ["Ärger.txt".as_bytes()]);
    assert_eq!(one("οδος"), ["ΟΔΟΣ".as_bytes()]);
    assert_eq!(one("οδοσ"), ["ΟΔΟΣ".as_bytes()]);
    assert_eq!(one("ПРИВЕТ мир"), ["Привет МИР".as_bytes()]);
    assert_eq!(one("本"), ["日本語".as_bytes()]);
    assert_eq!(one("KELVIN"), ["\u{212a}elvin".as_bytes()]);
    assert_eq!(one(".txt"), [&b"caf\xe9.TXT"[..], "Ärger.txt".as_bytes()]);
    assert_eq!(one("CAF\u{fffd}"), [b"caf\xe9.TXT"]);
}

/// A directory that is below itself is read once; the same name on every way to it is not.
#[test]
fn a_map_that_lies_does_not_make_the_search_run_in_circles() {
    let map = Map::create(&options(4, Compression::Off)).unwrap();
    let outer = make(&map, b"outer", DIRECTORY);
    let inner = make(&map, b"outer/inner", DIRECTORY);
    make(&map, b"outer/inner/inner", DIRECTORY);
    let forge = Forge::new(&map.to_png().unwrap());
    forge.item(inner, item::ENTRY, |value| value[..8].copy_from_slice(&outer.to_le_bytes()));
    let storage = Arc::clone(&forge.storage);
    let map = Map::open_on(storage, None, false, &options(4, Compression::Off)).unwrap();
    assert_eq!(found(&map, "inner"), ["outer/inner", "outer/inner/inner"]);
}

#[test]
fn what_is_deeper_than_paths_reach_is_not_told() {
    let map = Map::create(&options(5, Compression::Off)).unwrap();
    let mut at = ROOT;
    for _ in 0..30 {
        at = map.write(|fs| fs.make(at, &[b'd'; 200], DIRECTORY, OWNER, 0)).unwrap();
    }
    let (names, more) = found_in(&map, View::Head, ROOT, "d", 100);
    assert_eq!((names.len(), more), (21, true));
}

#[test]
fn damaged_directories_are_passed_by() {
    let map = Map::create(&options(6, Compression::Off)).unwrap();
    for index in 0..40 {
        let directory = format!("directory {index}");
        make(&map, directory.as_bytes(), DIRECTORY);
        for file in 0..10 {
            make(&map, format!("{directory}/wanted {file}").as_bytes(), FILE);
        }
    }
    let forge = Forge::new(&map.to_png().unwrap());
    let (leaf, _) =
        forge.find(forge.head(), aetherflow::tree::Key::new(200, item::ENTRY, 0)).unwrap();
    let mut page = forge.read(leaf);
    page[2000] ^= 1;
    forge.write(leaf, &page);
    let storage = Arc::clone(&forge.storage);
    let map = Map::open_on(storage, None, false, &options(6, Compression::Off)).unwrap();
    let (names, more) = found_in(&map, View::Head, ROOT, "wanted", 1000);
    assert!(more);
    assert!(names.len() > 100 && names.len() < 400, "{}", names.len());
}

/// A storage that gives only what has been fetched, and notes what else was asked for.
struct Remote {
    bytes: Vec<u8>,
    here: Mutex<BTreeSet<u64>>,
    lacking: Mutex<BTreeSet<u64>>,
}

impl Remote {
    const BLOCK: u64 = 4096;

    fn fetch(&self) -> usize {
        let lacking = std::mem::take(&mut *self.lacking.lock().unwrap());
        self.here.lock().unwrap().extend(&lacking);
        lacking.len()
    }
}

impl Storage for Remote {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> aetherflow::base::Result<()> {
        let blocks = offset / Remote::BLOCK..=(offset + buf.len() as u64) / Remote::BLOCK;
        let here = self.here.lock().unwrap();
        let lacking: Vec<u64> = blocks.filter(|block| !here.contains(block)).collect();
        if !lacking.is_empty() {
            self.lacking.lock().unwrap().extend(lacking);
            return Err(Error::new(Code::Io, "not fetched yet"));
        }
        buf.copy_from_slice(&self.bytes[offset as usize..][..buf.len()]);
        Ok(())
    }

    fn write_at(&self, _: u64, _: &[u8]) -> aetherflow::base::Result<()> {
        Err(Error::new(Code::ReadOnly, "only to be read"))
    }

    fn sync(&self) -> aetherflow::base::Result<()> {
        Ok(())
    }

    fn len(&self) -> aetherflow::base::Result<u64> {
        Ok(self.bytes.len() as u64)
    }

    fn set_len(&self, _: u64) -> aetherflow::base::Result<()> {
        Err(Error::new(Code::ReadOnly, "only to be read"))
    }
}

#[test]
fn a_storage_that_lacks_something_is_asked_for_much_at_once() {
    let map = Map::create(&options(7, Compression::Off)).unwrap();
    for index in 0..100 {
        let directory = make(&map, format!("directory {index}").as_bytes(), DIRECTORY);
        for file in 0..30 {
            let name = format!("file {file} with a name that takes some room of its own");
            map.write(|fs| fs.make(directory, name.as_bytes(), FILE, OWNER, 0)).unwrap();
        }
    }
    let bytes = map.to_png().unwrap();
    let remote = Arc::new(Remote { bytes, here: Mutex::default(), lacking: Mutex::default() });
    let map = loop {
        let storage = Arc::clone(&remote) as Arc<dyn Storage>;
        match Map::open_on(storage, None, false, &options(7, Compression::Off)) {
            Ok(map) => break map,
            Err(error) => assert!(error.code() == Code::Io && remote.fetch() > 0),
        }
    };
    let (mut rounds, mut fetched) = (0, 0);
    let (names, more) = loop {
        match map.read(|fs| fs.find_names(View::Head, ROOT, "FILE 7", 1000)) {
            Ok(found) => break found,
            Err(error) => assert_eq!(error.code(), Code::Io),
        }
        rounds += 1;
        fetched += remote.fetch();
    };
    assert_eq!((names.len(), more), (100, false));
    assert!(rounds < 40 && fetched > 3 * rounds, "{rounds} rounds for {fetched} blocks");
}
