//! Finding names that contain a text, below a directory.

use std::collections::BinaryHeap;

use rustc_hash::FxHashSet;

use super::{FileType, Fs, View};
use crate::base::env::Timestamp;
use crate::base::letters::small;
use crate::base::limits::MAX_PATH;
use crate::base::{Code, Result};

/// Directories that the storage did not give, after which it is asked no more.
const FAILURES: usize = 64;

/// A name that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// From the root, without a leading slash.
    pub path: Vec<u8>,
    pub ino: u64,
    pub file_type: FileType,
    /// Zero where the inode cannot be read, as the next.
    pub size: u64,
    pub modified: Timestamp,
}

/// How well a name fits; the less the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Equal,
    Start,
    Within,
}

/// Ordered from the best to the worst, as results are told.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    fit: Fit,
    length: usize,
    path: Vec<u8>,
    ino: u64,
    directory_type: u8,
}

impl Fs {
    /// Names below `directory` that contain `text`, letters compared without case: at most
    /// `limit`, the best first (a name that is the text, then names that start with it, then
    /// others; among these the shorter path, then the order of paths), and whether there is more.
    /// Links are not followed. What cannot be read below the directory is left out, and so is
    /// what lies deeper than a path reaches; both count as more.
    ///
    /// # Errors
    /// `NotFound`, `NotDirectory`; `Corrupt` when the directory itself cannot be read, `Io`.
    pub fn find_names(
        &self,
        view: View,
        directory: u64,
        text: &str,
        limit: usize,
    ) -> Result<(Vec<Found>, bool)> {
        let mut wanted = Vec::new();
        fold(text.as_bytes(), &mut wanted);
        let mut path = self.directory_path(view, directory)?;
        let mut best: BinaryHeap<Candidate> = BinaryHeap::new();
        let mut more = false;
        let mut folded = Vec::new();
        // Directories to be read: inode, how much of the path is above it, its name. Each is read
        // once, whatever a damaged map says about who is below whom.
        let mut waiting = vec![(directory, path.len(), Vec::new())];
        let mut met = FxHashSet::from_iter([directory]);
        // A storage that fetches what it lacks is asked for many directories before it is told.
        let (mut unread, mut failures) = (None, 0);
        while let Some((at, above, name)) = waiting.pop() {
            path.truncate(above);
            append(&mut path, &name);
            let read = self.read_directory(view, at, 0, &mut |entry, _| {
                let length = path.len() + usize::from(!path.is_empty()) + entry.name.len();
                fold(&entry.name, &mut folded);
                if let Some(fit) = fit(&folded, &wanted) {
                    let full = best.len() >= limit;
                    more |= full;
                    let worse = |worst: &Candidate| (fit, length) > (worst.fit, worst.length);
                    if !full || limit > 0 && !best.peek().is_some_and(worse) {
                        let mut path = path.clone();
                        append(&mut path, &entry.name);
                        let directory_type = entry.file_type.directory_type();
                        best.push(Candidate { fit, length, path, ino: entry.ino, directory_type });
                        if full {
                            best.pop();
                        }
                    }
                }
                if entry.file_type == FileType::Directory {
                    if length >= MAX_PATH {
                        more = true;
                    } else if met.insert(entry.ino) {
                        waiting.push((entry.ino, path.len(), entry.name.clone()));
                    }
                }
                true
            });
            match read {
                Err(error) if error.code() == Code::Io => {
                    unread.get_or_insert(error);
                    failures += 1;
                    if failures == FAILURES {
                        break;
                    }
                }
                Err(error) if at == directory => return Err(error),
                Err(_) => more = true,
                Ok(()) => {}
            }
        }
        if let Some(error) = unread {
            return Err(error);
        }
        let told = |candidate: Candidate| {
            let Candidate { path, ino, directory_type, .. } = candidate;
            let inode = self.stat(view, ino).ok();
            let size = inode.as_ref().map_or(0, |inode| inode.size);
            let modified = inode.map_or_else(Timestamp::default, |inode| inode.modified);
            let file_type =
                FileType::of_directory_type(directory_type).unwrap_or(FileType::Regular);
            Found { path, ino, file_type, size, modified }
        };
        Ok((best.into_sorted_vec().into_iter().map(told).collect(), more))
    }
}

fn append(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() && !name.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

/// A name as it is compared: in small letters; bytes that are no text as one sign that stands for
/// all of them.
fn fold(name: &[u8], folded: &mut Vec<u8>) {
    folded.clear();
    if name.is_ascii() {
        folded.extend(name.iter().map(u8::to_ascii_lowercase));
        return;
    }
    let mut put = |letter: char| {
        let mut bytes = [0; 4];
        folded.extend_from_slice(letter.encode_utf8(&mut bytes).as_bytes());
    };
    for chunk in name.utf8_chunks() {
        chunk.valid().chars().for_each(|letter| put(small(letter)));
        if !chunk.invalid().is_empty() {
            put(char::REPLACEMENT_CHARACTER);
        }
    }
}

fn fit(name: &[u8], wanted: &[u8]) -> Option<Fit> {
    if name.starts_with(wanted) {
        return Some(if name.len() == wanted.len() { Fit::Equal } else { Fit::Start });
    }
    let first = *wanted.first()?;
    let last_start = name.len().checked_sub(wanted.len())?;
    (1..=last_start)
        .any(|at| name[at] == first && name[at..].starts_with(wanted))
        .then_some(Fit::Within)
}
