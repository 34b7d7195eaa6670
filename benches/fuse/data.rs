//! Seeded data: the same bytes, orders and trees in every run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Result;
use crate::support::noise;

/// A small generator with a seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}

const PAGE: usize = 4096;

/// A stretch of bytes that is written again and again, each page stamped with its position.
pub struct Pattern(Vec<u8>);

impl Pattern {
    /// Half of every page noise, half of it one byte: 50 % compressible, as fio makes it.
    pub fn half(len: usize) -> Pattern {
        let mut bytes = noise(len);
        for page in bytes.chunks_exact_mut(PAGE) {
            page[PAGE / 2..].fill(b'.');
        }
        Pattern(bytes)
    }

    /// Words in a random order, some much more frequent than others: like text or source.
    pub fn words(len: usize) -> Pattern {
        let mut random = Random::new(7);
        let words: Vec<Vec<u8>> = (0..2048)
            .map(|_| {
                let letters = 2 + random.below(9);
                (0..letters).map(|_| b'a' + random.below(26) as u8).collect()
            })
            .collect();
        let mut bytes = Vec::with_capacity(len + 16);
        while bytes.len() < len {
            let bound = 1 + random.below(words.len() as u64);
            bytes.extend_from_slice(&words[random.below(bound) as usize]);
            bytes.push(b' ');
        }
        bytes.truncate(len);
        Pattern(bytes)
    }

    /// The bytes that belong at `position` of the file, as many as the pattern is long.
    pub fn at(&mut self, position: u64) -> &[u8] {
        let pages = position / PAGE as u64..;
        for (page, number) in self.0.chunks_mut(PAGE).zip(pages) {
            page[..8].copy_from_slice(&number.to_le_bytes());
        }
        &self.0
    }
}

/// Whether every page that was read carries the stamp of its position.
pub fn is_stamped(bytes: &[u8], position: u64) -> bool {
    let pages = position / PAGE as u64..;
    bytes.chunks(PAGE).zip(pages).all(|(page, number)| page.starts_with(&number.to_le_bytes()))
}

/// A tar of a source tree, made once and kept: the sources of the dependencies, or words where
/// there are none.
pub fn source_tar(folder: &Path, (entries, bytes): (usize, u64)) -> Result<PathBuf> {
    let tar = folder.join(format!("bench-tree-{entries}.tar"));
    if tar.exists() {
        return Ok(tar);
    }
    let fail = |error: std::io::Error| format!("the source tree: {error}");
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo = std::env::var_os("CARGO_HOME").map_or(home.join(".cargo"), PathBuf::from);
    let mut top = cargo.join("registry/src");
    let mut list = Vec::new();
    select(&top, Path::new(""), &mut list, &mut (entries, bytes));
    let made = folder.join(format!("bench-tree-{entries}"));
    if list.len() < entries / 2 {
        generate(&made, entries, bytes).map_err(fail)?;
        list.clear();
        select(&made, Path::new(""), &mut list, &mut (entries, bytes));
        top.clone_from(&made);
    }
    let names = folder.join(format!("bench-tree-{entries}.list"));
    fs::write(&names, list.join("\n")).map_err(fail)?;
    let partial = tar.with_extension("partial");
    let made_tar = Command::new("tar")
        .args(["cf".as_ref(), partial.as_os_str(), "--no-recursion".as_ref()])
        .args(["-C".as_ref(), top.as_os_str(), "-T".as_ref(), names.as_os_str()])
        .status()
        .map_err(fail)?;
    let _ = fs::remove_dir_all(&made);
    let _ = fs::remove_file(&names);
    if !made_tar.success() {
        return Err(format!("tar of the source tree ended with {made_tar}"));
    }
    fs::rename(&partial, &tar).map_err(fail)?;
    Ok(tar)
}

/// Names below `top`, folders before what is in them, until entries or bytes are used up.
fn select(top: &Path, below: &Path, list: &mut Vec<String>, left: &mut (usize, u64)) {
    const LARGEST: u64 = 2 << 20;
    let mut entries: Vec<_> =
        fs::read_dir(top.join(below)).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = below.join(entry.file_name());
        let (Ok(meta), Some(name)) = (entry.metadata(), path.to_str()) else { continue };
        let size = if meta.is_file() { meta.len() } else { 0 };
        if left.0 == 0 || size > left.1 || size > LARGEST || meta.is_symlink() {
            continue;
        }
        *left = (left.0 - 1, left.1 - size);
        list.push(name.to_owned());
        if meta.is_dir() {
            select(top, &path, list, left);
        }
    }
}

fn generate(top: &Path, entries: usize, bytes: u64) -> std::io::Result<()> {
    let mut words = Pattern::words(64 << 10);
    let mut random = Random::new(11);
    let average = bytes / entries as u64;
    for number in 0..entries as u64 {
        let folder = top.join(format!("part-{}/source-{}", number / 400, number / 40));
        fs::create_dir_all(&folder)?;
        let len = random.below(average * 2).min(64 << 10) as usize;
        fs::write(folder.join(format!("file-{number}.rs")), &words.at(number << 20)[..len])?;
    }
    Ok(())
}
