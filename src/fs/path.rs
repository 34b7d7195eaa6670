//! Paths: walking them to an inode, and telling the path of an inode.

use super::{FileType, Fs, ROOT, View};
use crate::base::limits::{MAX_NAME, MAX_PATH, MAX_SYMLINKS};
use crate::base::{Code, Error, Result};

/// Whether a link at the end of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    Follow,
    Keep,
}

/// Where a path leads, without its last component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    pub directory: u64,
    /// The last component; empty for the root, `.` and `..` are resolved into the directory.
    pub name: Vec<u8>,
    /// The path ended in a slash: it can only mean a directory.
    pub slash: bool,
}

impl Fs {
    /// The inode a path leads to, from directory `base` on where it is relative.
    ///
    /// # Errors
    /// `NotFound`, `NotDirectory`, `Loop` after 40 links, `NameTooLong`; `Corrupt`, `Io`.
    pub fn resolve(&self, view: View, base: u64, path: &[u8], last: Last) -> Result<u64> {
        if path.is_empty() {
            return Err(Error::new(Code::NotFound, "an empty path"));
        }
        check_path(path)?;
        // Plain names first, without copying anything; the first component that is more than
        // that hands the rest to the patient walk.
        let mut at = if path[0] == b'/' { ROOT } else { base };
        let mut start = 0;
        while let Some(skip) = path[start..].iter().position(|&byte| byte != b'/') {
            start += skip;
            let rest = &path[start..];
            let end = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
            let name = &rest[..end];
            if name == b"." || name == b".." || name.len() > MAX_NAME {
                return self.resolve_patiently(view, at, rest, last);
            }
            match self.lookup(view, at, name)? {
                None => return Err(Error::new(Code::NotFound, "no such file or directory")),
                Some((_, FileType::Symlink)) if last == Last::Follow || end < rest.len() => {
                    return self.resolve_patiently(view, at, rest, last);
                }
                Some((ino, _)) => at = ino,
            }
            start += end;
        }
        if path.ends_with(b"/") {
            self.expect_directory(&self.root_of(view), at)?;
        }
        Ok(at)
    }

    /// The rest of a path, from `at` on, with links and dots.
    fn resolve_patiently(&self, view: View, at: u64, rest: &[u8], last: Last) -> Result<u64> {
        let mut links = 0;
        let mut at = at;
        let mut walk = Walk::new(rest)?;
        while let Some(name) = walk.next() {
            // A slash at the end of the path asks for the directory behind a last link.
            let follow = last == Last::Follow || !walk.at_end() || walk.slash;
            at = self.step(view, at, &name, follow, &mut walk, &mut links)?;
        }
        if walk.slash {
            self.expect_directory(&self.root_of(view), at)?;
        }
        Ok(at)
    }

    /// One component further. A link that is to be followed puts its target in front of the rest.
    fn step(
        &self,
        view: View,
        at: u64,
        name: &[u8],
        follow: bool,
        walk: &mut Walk,
        links: &mut u32,
    ) -> Result<u64> {
        match name {
            b"." => {
                self.expect_directory(&self.root_of(view), at)?;
                return Ok(at);
            }
            b".." => return Ok(self.expect_directory(&self.root_of(view), at)?.parent),
            _ => {}
        }
        if name.len() > MAX_NAME {
            return Err(Error::new(Code::NameTooLong, format!("a name of {} bytes", name.len())));
        }
        let (ino, file_type) = self
            .lookup(view, at, name)?
            .ok_or_else(|| Error::new(Code::NotFound, "no such file or directory"))?;
        if file_type != FileType::Symlink || !follow {
            return Ok(ino);
        }
        *links += 1;
        if *links > MAX_SYMLINKS {
            return Err(Error::new(Code::Loop, "too many symbolic links"));
        }
        let target = self.read_link(view, ino)?;
        walk.insert(&target)?;
        Ok(if target.starts_with(b"/") { ROOT } else { at })
    }

    /// The directory that holds, or would hold, the last component of a path.
    ///
    /// # Errors
    /// As [`Fs::resolve`].
    pub fn resolve_parent(&self, view: View, base: u64, path: &[u8]) -> Result<Parent> {
        if path.is_empty() {
            return Err(Error::new(Code::NotFound, "an empty path"));
        }
        let trimmed = path.iter().rposition(|&byte| byte != b'/').map_or(0, |at| at + 1);
        let slash = trimmed < path.len();
        let path_only = &path[..trimmed];
        let split = path_only.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
        let (before, name) = path_only.split_at(split);
        if name.is_empty() || name == b"." || name == b".." {
            let directory = self.resolve(view, base, path, Last::Follow)?;
            return Ok(Parent { directory, name: Vec::new(), slash: true });
        }
        let directory =
            if before.is_empty() { base } else { self.resolve(view, base, before, Last::Follow)? };
        Ok(Parent { directory, name: name.to_vec(), slash })
    }

    /// The path of an inode without a leading slash, empty for the root. A file is looked for in
    /// the directory it was last linked into; `None` when it is not there any more.
    ///
    /// # Errors
    /// `NotFound`, `Corrupt`, `Io`.
    pub fn path_of(&self, view: View, ino: u64) -> Result<Option<Vec<u8>>> {
        let root = self.root_of(view);
        let inode = self.inode(&root, ino)?;
        if inode.is_directory() {
            return self.directory_path(view, ino).map(Some);
        }
        let mut found = None;
        let looked = self.read_directory(view, inode.parent, 0, &mut |entry, _| {
            if entry.ino == ino {
                found = Some(entry.name.clone());
            }
            found.is_none()
        });
        match (looked, found) {
            (Ok(()), Some(name)) => {
                let mut path = self.directory_path(view, inode.parent)?;
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(&name);
                Ok(Some(path))
            }
            (Err(error), _) if error.code() == Code::Corrupt => Err(error),
            _ => Ok(None),
        }
    }

    /// The path of a directory without a leading slash.
    ///
    /// # Errors
    /// `Corrupt` when the chain of parents does not end at the root.
    pub fn directory_path(&self, view: View, ino: u64) -> Result<Vec<u8>> {
        let root = self.root_of(view);
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut way = Ancestors::default();
        let mut at = ino;
        while at != ROOT {
            let inode = self.inode(&root, at)?;
            names.push(inode.name);
            at = way.step(inode.parent)?;
        }
        names.reverse();
        Ok(names.join(&b'/'))
    }
}

/// Notices when a chain of parents runs in a circle, in constant memory (Brent's method). How
/// long an honest chain may be nobody can tell: counters are read from the map as well.
#[derive(Default)]
pub(super) struct Ancestors {
    marked: u64,
    steps: u64,
    limit: u64,
}

impl Ancestors {
    /// Goes on to `parent`, and gives it.
    ///
    /// # Errors
    /// `Corrupt` when the chain has been there.
    pub fn step(&mut self, parent: u64) -> Result<u64> {
        if parent == self.marked {
            return Err(Error::corrupt("a directory is its own ancestor"));
        }
        if self.steps == self.limit {
            self.marked = parent;
            self.steps = 0;
            self.limit = self.limit.saturating_mul(2).max(1);
        }
        self.steps += 1;
        Ok(parent)
    }
}

fn check_path(path: &[u8]) -> Result<()> {
    if path.len() > MAX_PATH {
        return Err(Error::new(Code::NameTooLong, "a path of more than 4095 bytes"));
    }
    if path.contains(&0) {
        return Err(Error::new(Code::Invalid, "a path with a NUL byte"));
    }
    Ok(())
}

/// The components of a path, last one first, growing when links are followed.
struct Walk {
    rest: Vec<Vec<u8>>,
    bytes: usize,
    /// The path itself ended in a slash.
    slash: bool,
}

impl Walk {
    fn new(path: &[u8]) -> Result<Walk> {
        let mut walk = Walk { rest: Vec::new(), bytes: 0, slash: path.ends_with(b"/") };
        walk.insert(path)?;
        Ok(walk)
    }

    fn insert(&mut self, path: &[u8]) -> Result<()> {
        self.bytes += path.len();
        // Paths and the links in them are bounded together: 40 links of 4095 bytes.
        if path.len() > MAX_PATH || self.bytes > (MAX_SYMLINKS as usize + 1) * MAX_PATH {
            return Err(Error::new(Code::NameTooLong, "a path of more than 4095 bytes"));
        }
        if path.contains(&0) {
            return Err(Error::new(Code::Invalid, "a path with a NUL byte"));
        }
        let components = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty());
        self.rest.extend(components.rev().map(<[u8]>::to_vec));
        Ok(())
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        self.rest.pop()
    }

    fn at_end(&self) -> bool {
        self.rest.is_empty()
    }
}
