//! The tree that is built: assembled once, kept in the temporary folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where files come from, and the most that is taken: files, bytes.
fn sources() -> Vec<(&'static str, PathBuf, u64, u64)> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo = std::env::var_os("CARGO_HOME").map_or(home.join(".cargo"), PathBuf::from);
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output();
    let sysroot = sysroot.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    let sysroot = PathBuf::from(sysroot.unwrap_or_default());
    const MB: u64 = 1_000_000;
    vec![
        ("registry", cargo.join("registry/src"), 9_000, 100 * MB),
        ("include", "/usr/include".into(), 8_000, 60 * MB),
        ("python", "/usr/lib/python3".into(), 4_000, 45 * MB),
        ("share", "/usr/share".into(), 10_000, 110 * MB),
        ("doc", sysroot.join("share/doc"), 4_000, 60 * MB),
        ("rustlib", sysroot.join("lib/rustlib"), 1_000, 110 * MB),
    ]
}

/// A tree with its size.
pub struct Tree {
    pub path: PathBuf,
    pub files: u64,
    pub bytes: u64,
}

/// Copies the tree together, or finds it; `share` of each limit is taken.
pub fn assemble(small: bool) -> Tree {
    let name = if small { "aetherflow-bench-tree-small" } else { "aetherflow-bench-tree" };
    let path = std::env::temp_dir().join(name);
    let mark = path.with_extension("done");
    if !mark.exists() {
        let _ = fs::remove_dir_all(&path);
        for (name, from, files, bytes) in sources() {
            let part = if small { 100 } else { 1 };
            let mut left = (files / part, bytes / part);
            let target = path.join(name);
            fs::create_dir_all(&target).expect("a folder for the tree");
            copy(&from, &target, &mut left);
        }
        fs::write(&mark, "").expect("a mark that the tree is whole");
    }
    let mut tree = Tree { path: path.clone(), files: 0, bytes: 0 };
    measure(&path, &mut tree);
    tree
}

fn sorted(folder: &Path) -> Vec<fs::DirEntry> {
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    entries
}

fn copy(from: &Path, to: &Path, left: &mut (u64, u64)) {
    for entry in sorted(from) {
        let (Ok(kind), target) = (entry.file_type(), to.join(entry.file_name())) else { continue };
        if kind.is_dir() {
            let made = fs::create_dir_all(&target);
            made.expect("a folder");
            copy(&entry.path(), &target, left);
        } else if kind.is_symlink() {
            if let Ok(link) = fs::read_link(entry.path()) {
                let _ = std::os::unix::fs::symlink(link, target);
            }
        } else if kind.is_file() {
            let size = entry.metadata().map_or(u64::MAX, |meta| meta.len());
            if left.0 > 0 && left.1 >= size && fs::copy(entry.path(), target).is_ok() {
                *left = (left.0 - 1, left.1 - size);
            }
        }
    }
}

fn measure(folder: &Path, tree: &mut Tree) {
    for entry in sorted(folder) {
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir() {
            measure(&entry.path(), tree);
        } else if meta.is_file() {
            tree.files += 1;
            tree.bytes += meta.len();
        }
    }
}

/// All regular files, as paths below the top.
pub fn files(top: &Path) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    let mut waiting = vec![top.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for entry in sorted(&folder) {
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                waiting.push(entry.path());
            } else if meta.is_file()
                && let Ok(path) = entry.path().strip_prefix(top)
                && let Some(path) = path.to_str()
            {
                found.push((path.to_owned(), meta.len()));
            }
        }
    }
    found
}
