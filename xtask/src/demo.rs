//! `cargo xtask demo`: a real tree through its whole life in a picture, by the real command line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::npm;
use crate::run::{Result, Tool, empty_folder, read, root, step, write};

/// Bytes of the tree to show: large enough to mean something, small enough for a minute.
const ENOUGH: u64 = 50_000_000;
const TOO_MUCH: u64 = 150_000_000;

/// Sets up, builds and shows.
pub fn run() -> Result {
    npm::build()?;
    let folder = empty_folder("demo")?;
    let start = Instant::now();
    let tree = folder.join("tree");
    let (count, bytes) = step("copy a real tree: dependencies of this project", || collect(&tree))?;
    println!("    {count} files, {:.1} MB in {}", bytes as f64 / 1e6, tree.display());
    show(&Session { folder: &folder }, &tree)?;
    println!("\nEvery byte came back. {:.0} s.", start.elapsed().as_secs_f64());
    println!("The map:      {}", folder.join("map.rts.png").display());
    println!("Its zones:    {}", folder.join("zones.png").display());
    println!("Its files:    {}", folder.join("files.png").display());
    println!("Open any of the three in an image viewer, or walk through the map in a browser:");
    println!("  node npm/dist/cli/main.js explore {}", shown(&folder.join("map.rts.png")));
    Ok(())
}

fn show(session: &Session, tree: &Path) -> Result {
    let chosen = first_text_file(tree)?;
    let inside = format!("/{}", chosen.strip_prefix(tree).unwrap_or(&chosen).display());

    session.say("A folder becomes a picture.");
    session.aetherflow(&["build", "tree", "map.rts.png"])?;
    session.aetherflow(&["info", "map.rts.png"])?;
    session.aetherflow(&["zone", "map.rts.png"])?;

    session.say("The picture, painted by zone and by file, with a legend.");
    session.aetherflow(&["render", "map.rts.png", "zones.png", "--layer", "zones"])?;
    session.aetherflow(&["render", "map.rts.png", "files.png", "--layer", "files"])?;

    session.say("A file read out of the picture, and where it lies in it.");
    let printed = session.aetherflow(&["cat", "map.rts.png", &inside])?;
    if printed.as_bytes() != read(&chosen)? {
        return Err(format!("cat printed other bytes than {}", chosen.display()));
    }
    session.aetherflow(&["locate", "map.rts.png", &inside])?;

    session.say("A snapshot; then two files change; then everything goes back.");
    write(&session.folder.join("note.txt"), b"written into a picture\n")?;
    session.aetherflow(&["snapshot", "create", "map.rts.png", "before"])?;
    session.aetherflow(&["put", "map.rts.png", "note.txt", "/note.txt"])?;
    session.aetherflow(&["put", "map.rts.png", "note.txt", &inside])?;
    let changed = session.aetherflow(&["cat", "map.rts.png", &inside])?;
    if changed.as_bytes() != read(&session.folder.join("note.txt"))? {
        return Err(format!("{inside} did not change"));
    }
    session.aetherflow(&["snapshot", "show", "map.rts.png", "before"])?;
    session.aetherflow(&["snapshot", "restore", "map.rts.png", "before"])?;
    session.aetherflow(&["snapshot", "list", "map.rts.png"])?;

    session.say("Everything is checked, taken out, and compared byte by byte.");
    session.aetherflow(&["verify", "--deep", "map.rts.png"])?;
    session.aetherflow(&["extract", "map.rts.png", "out"])?;
    compare(tree, &session.folder.join("out"))
}

/// A path as one types it from the root of the clone.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

struct Session<'a> {
    folder: &'a Path,
}

impl Session<'_> {
    fn say(&self, sentence: &str) {
        println!("\n# {sentence}");
    }

    /// Prints the command as a user types it, runs it, prints what it says. Long output is cut.
    fn aetherflow(&self, arguments: &[&str]) -> Result<String> {
        println!("$ aetherflow {}", arguments.join(" "));
        let main = root().join("npm/dist/cli/main.js");
        let output = Tool::node().args([main]).args(arguments).folder(self.folder).output()?;
        let lines: Vec<&str> = output.lines().collect();
        for line in lines.iter().take(LINES_SHOWN) {
            println!("{line}");
        }
        if lines.len() > LINES_SHOWN {
            println!("... {} more lines", lines.len() - LINES_SHOWN);
        }
        Ok(output)
    }
}

const LINES_SHOWN: usize = 30;

/// Copies packages of `node_modules`, largest set first, until the tree is large enough: they are
/// there on every machine that came this far.
fn collect(tree: &Path) -> Result<(usize, u64)> {
    let mut copied = (0, 0);
    for source in ["node_modules", "xtask/node_modules"] {
        let mut folders = vec![root().join(source)];
        while let Some(folder) = folders.pop() {
            let entries =
                fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
            let mut entries: Vec<_> = entries.flatten().collect();
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let path = entry.path();
                let kind =
                    entry.file_type().map_err(|error| format!("{}: {error}", path.display()))?;
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() {
                    let bytes = entry.metadata().map_or(0, |data| data.len());
                    if copied.1 + bytes > TOO_MUCH {
                        continue;
                    }
                    let target = tree.join(path.strip_prefix(root()).unwrap_or(&path));
                    let made = target.parent().map_or(Ok(()), fs::create_dir_all);
                    made.and_then(|()| fs::copy(&path, &target))
                        .map_err(|error| format!("cannot copy {}: {error}", path.display()))?;
                    copied = (copied.0 + 1, copied.1 + bytes);
                }
            }
        }
        if copied.1 >= ENOUGH {
            break;
        }
    }
    Ok(copied)
}

/// A short text file near the top, to print and to change.
fn first_text_file(tree: &Path) -> Result<PathBuf> {
    let short =
        |path: &PathBuf| fs::metadata(path).is_ok_and(|data| (200..2000).contains(&data.len()));
    let files = every_file(tree)?;
    let found = files.keys().map(|path| tree.join(path)).filter(|path| {
        path.extension().is_some_and(|end| end == "md" || end == "json") && short(path)
    });
    found
        .min_by_key(|path| path.components().count())
        .ok_or_else(|| "the tree holds no short text".into())
}

/// Every file below a folder by its path inside, with its length.
fn every_file(folder: &Path) -> Result<BTreeMap<PathBuf, u64>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(current) = folders.pop() {
        let entries =
            fs::read_dir(&current).map_err(|error| format!("{}: {error}", current.display()))?;
        for entry in entries.flatten() {
            let data =
                entry.metadata().map_err(|error| format!("{}: {error}", entry.path().display()))?;
            if data.is_dir() {
                folders.push(entry.path());
            } else {
                let inside =
                    entry.path().strip_prefix(folder).unwrap_or(&entry.path()).to_path_buf();
                found.insert(inside, data.len());
            }
        }
    }
    Ok(found)
}

fn compare(left: &Path, right: &Path) -> Result {
    let (ours, theirs) = (every_file(left)?, every_file(right)?);
    if let Some(odd) =
        ours.keys().chain(theirs.keys()).find(|path| ours.get(*path) != theirs.get(*path))
    {
        return Err(format!("{} is missing on one side or has another length", odd.display()));
    }
    for path in ours.keys() {
        if read(&left.join(path))? != read(&right.join(path))? {
            return Err(format!("{} came back with other bytes", path.display()));
        }
    }
    println!("compared {} files, {} bytes: identical", ours.len(), ours.values().sum::<u64>());
    Ok(())
}
