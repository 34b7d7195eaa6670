//! A tree of everything a filesystem can hold, and the comparison of two trees.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Gid, Timespec, Timestamps, Uid, XattrFlags, chownat, lgetxattr, llistxattr,
    lsetxattr, utimensat,
};

use crate::process::is_root;
use crate::random::{Random, mix};

/// Which of the things that can differ are to be compared.
#[derive(Clone, Copy)]
pub struct Compared {
    pub attributes: bool,
    pub holes: bool,
    /// Times of folders change by copying into them.
    pub folder_times: bool,
}

/// Fills a folder with files of many sizes, links, holes, owners, times and attributes.
pub fn plant(folder: &Path, random: &mut Random) {
    let mut below = vec![folder.to_owned()];
    for number in 0..12 {
        let parent = below[random.index(below.len())].clone();
        let path = parent.join(format!("folder {number}"));
        fs::create_dir(&path).unwrap();
        below.push(path);
    }
    let sizes = [0, 1, 100, 511, 513, 4095, 4096, 4097, 70_000, 131_072, 131_073, 700_000, 5 << 20];
    let mut files = Vec::new();
    for number in 0..150 {
        let parent = &below[random.index(below.len())];
        let path = parent.join(format!("file {number}"));
        let size = if number < sizes.len() { sizes[number] } else { random.index(20_000) };
        fs::write(&path, random.bytes(size)).unwrap();
        files.push(path);
    }
    for number in 0..20 {
        let parent = &below[random.index(below.len())];
        let target = &files[random.index(files.len())];
        fs::hard_link(target, parent.join(format!("link {number}"))).unwrap();
        symlink(format!("../file {number}"), parent.join(format!("soft {number}"))).unwrap();
    }
    let sparse = File::create(folder.join("sparse")).unwrap();
    sparse.write_all_at(&random.bytes(100_000), 3 << 20).unwrap();
    sparse.set_len(32 << 20).unwrap();
    fs::write(folder.join("gr\u{fc}n \u{1f333}"), "a name beyond ASCII").unwrap();
    fs::write(folder.join(std::ffi::OsStr::from_bytes(b"raw \xff\n")), "and beyond UTF-8").unwrap();
    rustix::fs::mkfifoat(CWD, folder.join("fifo"), rustix::fs::Mode::from_raw_mode(0o640)).unwrap();
    dress(folder, random);
}

/// Gives everything owners, modes, attributes and times, the deepest first.
fn dress(folder: &Path, random: &mut Random) {
    for (number, path) in walk(folder).into_iter().rev().enumerate() {
        let about = fs::symlink_metadata(&path).unwrap();
        let plain = about.is_file() || about.is_dir();
        if is_root() {
            let (owner, group) = (random.below(3) * 1000, random.below(4) * 500);
            let ids = (Uid::from_raw(owner as u32), Gid::from_raw(group as u32));
            chownat(CWD, &path, Some(ids.0), Some(ids.1), AtFlags::SYMLINK_NOFOLLOW).unwrap();
        }
        if plain {
            let bits = [0o644, 0o755, 0o600, 0o4711, 0o2750, 0o1777][random.index(6)];
            fs::set_permissions(&path, fs::Permissions::from_mode(bits | 0o700)).unwrap();
            if number.is_multiple_of(3) {
                let value = random.bytes(1 + number);
                lsetxattr(&path, "user.note", &value, XattrFlags::empty()).unwrap();
            }
        }
        let time = |word: u64| Timespec {
            tv_sec: 1_000_000_000 + (word >> 40).cast_signed(),
            tv_nsec: (word % 1_000_000_000).cast_signed(),
        };
        let times =
            Timestamps { last_access: time(random.word()), last_modification: time(random.word()) };
        utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
}

/// Everything below a folder, parents before children.
pub fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found
}

/// Everything that is to be the same, as text.
fn describe(root: &Path, compared: Compared) -> BTreeMap<PathBuf, String> {
    let mut first_name: BTreeMap<u64, PathBuf> = BTreeMap::new();
    let mut paths = walk(root);
    paths.sort();
    let mut described = BTreeMap::new();
    for path in paths {
        let name = path.strip_prefix(root).unwrap().to_owned();
        let about = fs::symlink_metadata(&path).unwrap();
        let kind = about.file_type();
        let mut text = format!("mode {:o} owner {}:{}", about.mode(), about.uid(), about.gid());
        if kind.is_dir() {
            if compared.folder_times {
                text += &format!(" time {}.{:09}", about.mtime(), about.mtime_nsec());
            }
        } else {
            text += &format!(" time {}.{:09}", about.mtime(), about.mtime_nsec());
            text += &format!(" links {} length {}", about.nlink(), about.len());
            let first = first_name.entry(about.ino()).or_insert_with(|| name.clone());
            text += &format!(" same as {}", first.display());
        }
        if kind.is_file() {
            let content = fs::read(&path).unwrap();
            let sum = content.chunks(8).fold(0, |sum, chunk| {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                mix(sum ^ u64::from_le_bytes(word))
            });
            text += &format!(" content {sum:016x}");
            if compared.holes && content.len() > 1 << 20 {
                let is_sparse = about.blocks() * 512 < about.len() / 2;
                text += if is_sparse { " sparse" } else { " full" };
            }
        } else if kind.is_symlink() {
            text += &format!(" to {}", fs::read_link(&path).unwrap().display());
        } else if kind.is_char_device() || kind.is_block_device() {
            text += &format!(" device {:x}", about.rdev());
        }
        if compared.attributes {
            text += &attributes(&path);
        }
        described.insert(name, text);
    }
    described
}

/// All attributes a program can see, access control lists among them.
fn attributes(path: &Path) -> String {
    let mut names = vec![0; 65_536];
    let length = llistxattr(path, &mut names).unwrap_or(0);
    let mut names: Vec<String> = names[..length]
        .split(|&byte| byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    names.sort();
    let mut text = String::new();
    for name in names {
        let mut value = vec![0; 65_536];
        let length = lgetxattr(path, &*name, &mut value).unwrap();
        text += &format!(" {name}={:?}", &value[..length]);
    }
    text
}

/// Fails with the first differences when two trees are not the same.
pub fn assert_same(one: &Path, other: &Path, compared: Compared) {
    let (left, right) = (describe(one, compared), describe(other, compared));
    let mut differences = Vec::new();
    for (name, text) in &left {
        match right.get(name) {
            None => differences.push(format!("{} is missing", name.display())),
            Some(there) if there != text => {
                differences.push(format!("{}:\n    {text}\n    {there}", name.display()));
            }
            Some(_) => {}
        }
    }
    let added = right.keys().filter(|name| !left.contains_key(*name));
    differences.extend(added.map(|name| format!("{} was not there", name.display())));
    assert!(
        differences.is_empty(),
        "{} and {} differ in {} places:\n{}",
        one.display(),
        other.display(),
        differences.len(),
        differences[..differences.len().min(10)].join("\n")
    );
}
