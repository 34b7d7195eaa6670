//! Listing directories, big ones and while they change.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::mem::MaybeUninit;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::Path;

use rustix::fs::{RawDir, SeekFrom, seek};
use rustix::io::Errno;

use crate::ground::Ground;
use crate::runner::{Done, Needs, Test};

const fn on_any(name: &'static str, seconds: u64, body: fn(&Ground) -> Done) -> Test {
    Test { name, needs: Needs::Files, seconds, body }
}

pub static TESTS: [Test; 5] = [
    on_any("big_directory_while_deleting", 120, big_directory_while_deleting),
    on_any("telldir_and_seekdir", 60, telldir_and_seekdir),
    on_any("listing_while_changing", 60, listing_while_changing),
    on_any("directory_basics", 60, directory_basics),
    on_any("listed_numbers_are_the_files_own", 60, listed_numbers_are_the_files_own),
];

/// Names below a folder, without the two dots.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let all: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    let count = all.len();
    let set: BTreeSet<String> = all.into_iter().collect();
    assert_eq!(set.len(), count, "a name was listed twice");
    set
}

fn big_directory_while_deleting(ground: &Ground) -> Done {
    const COUNT: u32 = 20_000;
    let mut mounted = ground.mount();
    let folder = mounted.path("big");
    fs::create_dir(&folder).unwrap();
    for number in 0..COUNT {
        File::create(folder.join(format!("entry-{number:05}"))).unwrap();
    }
    assert_eq!(names(&folder).len(), COUNT as usize);
    mounted.remount();
    let folder = mounted.path("big");
    // Every second name goes while the list is being read.
    let mut kept = BTreeSet::new();
    let mut deleted = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let number: u32 = name.trim_start_matches("entry-").parse().unwrap();
        if number.is_multiple_of(2) {
            fs::remove_file(folder.join(&name)).unwrap();
            deleted += 1;
        } else {
            assert!(kept.insert(name), "{number} was listed twice");
        }
    }
    assert_eq!((deleted, kept.len()), (COUNT / 2, COUNT as usize / 2));
    assert_eq!(names(&folder), kept);
    mounted.remount();
    assert_eq!(names(&mounted.path("big")), kept);
    mounted.finish();
    Done::Passed
}

/// All entries from where the descriptor stands: name and the cookie of the next one.
fn entries(folder: &File) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    let mut room = [MaybeUninit::uninit(); 4096];
    let mut raw = RawDir::new(folder, &mut room);
    while let Some(entry) = raw.next() {
        let entry = entry.unwrap();
        found.push((entry.file_name().to_str().unwrap().to_owned(), entry.next_entry_cookie()));
    }
    found
}

fn telldir_and_seekdir(ground: &Ground) -> Done {
    let mounted = ground.mount();
    let path = mounted.path("folder");
    fs::create_dir(&path).unwrap();
    for number in 0..700 {
        File::create(path.join(format!("{number}"))).unwrap();
    }
    let folder = File::open(&path).unwrap();
    let all = entries(&folder);
    assert_eq!(all.len(), 702);
    assert_eq!(entries(&folder).len(), 0, "at the end there is nothing more");
    let mut random = ground.random();
    for _ in 0..60 {
        let at = random.index(all.len());
        seek(&folder, SeekFrom::Start(all[at].1)).unwrap();
        let rest: Vec<&String> = all[at + 1..].iter().map(|(name, _)| name).collect();
        let found = entries(&folder);
        let found: Vec<&String> = found.iter().map(|(name, _)| name).collect();
        assert_eq!(found, rest, "after seeking behind entry {at}");
    }
    seek(&folder, SeekFrom::Start(0)).unwrap();
    assert_eq!(entries(&folder), all, "after rewinding");
    // Places stay valid when other names go; what was removed before reading is not listed.
    let middle = 350;
    for (name, _) in &all[middle + 1..middle + 51] {
        if name != "." && name != ".." {
            fs::remove_file(path.join(name)).unwrap();
        }
    }
    seek(&folder, SeekFrom::Start(all[middle].1)).unwrap();
    let found = entries(&folder);
    assert_eq!(found[..], all[middle + 51..]);
    drop(folder);
    mounted.finish();
    Done::Passed
}

/// Names that are there all the time are listed exactly once, whatever happens to others.
fn listing_while_changing(ground: &Ground) -> Done {
    const STABLE: u32 = 1500;
    let mounted = ground.mount();
    let folder = mounted.path("folder");
    fs::create_dir(&folder).unwrap();
    for number in 0..STABLE {
        File::create(folder.join(format!("stable {number}"))).unwrap();
        File::create(folder.join(format!("loose {number}"))).unwrap();
    }
    let mut random = ground.random();
    for round in 0..8 {
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for (at, entry) in fs::read_dir(&folder).unwrap().enumerate() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            *seen.entry(name).or_default() += 1;
            if at.is_multiple_of(3) {
                let number = random.below(u64::from(STABLE));
                let loose = folder.join(format!("loose {number}"));
                let other = folder.join(format!("other {round} {number}"));
                drop(fs::rename(&loose, &other));
                drop(fs::remove_file(folder.join(format!("loose {}", random.below(1500)))));
                drop(File::create(folder.join(format!("fresh {round} {at}"))));
            }
        }
        for number in 0..STABLE {
            let name = format!("stable {number}");
            assert_eq!(seen.get(&name), Some(&1), "{name} in round {round}");
        }
    }
    mounted.finish();
    Done::Passed
}

fn directory_basics(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let path = mounted.path("folder");
    fs::create_dir(&path).unwrap();
    let code = |result: std::io::Result<()>| result.unwrap_err().raw_os_error();
    let errno = |error: Errno| Some(error.raw_os_error());
    assert_eq!(code(fs::create_dir(&path)), errno(Errno::EXIST));
    assert_eq!(code(fs::remove_file(&path)), errno(Errno::ISDIR));
    fs::write(path.join("file"), "x").unwrap();
    assert_eq!(code(fs::remove_dir(&path)), errno(Errno::NOTEMPTY));
    assert_eq!(code(fs::remove_dir(path.join("file"))), errno(Errno::NOTDIR));
    assert_eq!(code(fs::create_dir(mounted.path("no/where"))), errno(Errno::NOENT));
    assert_eq!(code(fs::create_dir(path.join("file/x"))), errno(Errno::NOTDIR));
    for number in 0..20 {
        fs::create_dir(path.join(format!("below {number}"))).unwrap();
    }
    assert_eq!(fs::metadata(&path).unwrap().nlink(), 22);
    fs::remove_dir(path.join("below 3")).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().nlink(), 21);
    mounted.remount();
    let path = mounted.path("folder");
    assert_eq!(fs::metadata(&path).unwrap().nlink(), 21);
    assert_eq!(names(&path).len(), 20);
    // A deep tree goes in one sweep.
    let mut deep = path.clone();
    for level in 0..60 {
        deep.push(format!("level {level}"));
    }
    fs::create_dir_all(&deep).unwrap();
    fs::remove_dir_all(&path).unwrap();
    assert!(names(&mounted.point).is_empty());
    assert_eq!(fs::metadata(&mounted.point).unwrap().nlink(), 2);
    mounted.finish();
    Done::Passed
}

fn listed_numbers_are_the_files_own(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let mut numbers = BTreeMap::new();
    for number in 0..300 {
        let path = mounted.path(&format!("{number}"));
        match number % 3 {
            0 => drop(File::create(&path).unwrap()),
            1 => fs::create_dir(&path).unwrap(),
            _ => std::os::unix::fs::symlink("nowhere", &path).unwrap(),
        }
        numbers.insert(number.to_string(), fs::symlink_metadata(&path).unwrap().ino());
    }
    let distinct: BTreeSet<u64> = numbers.values().copied().collect();
    assert_eq!(distinct.len(), numbers.len(), "two files have one number");
    for _ in 0..2 {
        for entry in fs::read_dir(&mounted.point).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            assert_eq!(entry.ino(), numbers[&name], "{name}");
            let about = fs::symlink_metadata(entry.path()).unwrap();
            assert_eq!(about.ino(), numbers[&name], "{name}");
            assert_eq!(about.file_type(), entry.file_type().unwrap(), "{name}");
        }
        mounted.remount();
    }
    mounted.finish();
    Done::Passed
}
