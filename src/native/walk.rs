//! Walking a tree of the host's filesystem. Links are not followed.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::base::env::Timestamp;
use crate::base::{Error, Result};
use crate::fs::FileType;

/// What the host says about one file.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Type and permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Fewer than `size` bytes are allocated.
    pub sparse: bool,
    pub links: u64,
    /// Device and inode: the same for names of one file.
    pub identity: (u64, u64),
    pub device: u64,
    pub accessed: Timestamp,
    pub modified: Timestamp,
}

impl Facts {
    fn of(meta: &Metadata) -> Facts {
        Facts {
            mode: meta.mode(),
            uid: meta.uid(),
            gid: meta.gid(),
            size: meta.size(),
            sparse: meta.blocks().saturating_mul(512) < meta.size(),
            links: meta.nlink(),
            identity: (meta.dev(), meta.ino()),
            device: meta.rdev(),
            accessed: Timestamp { seconds: meta.atime(), nanos: meta.atime_nsec() as u32 },
            modified: Timestamp { seconds: meta.mtime(), nanos: meta.mtime_nsec() as u32 },
        }
    }

    /// `None` for a type this program does not know.
    pub fn file_type(&self) -> Option<FileType> {
        FileType::of_mode(self.mode)
    }
}

/// One name in the tree.
#[derive(Clone, Debug)]
pub struct Node {
    /// Index of the directory it is in; its own for the top.
    pub parent: u32,
    pub name: Vec<u8>,
    pub facts: Facts,
}

/// A tree as it was found: the top first, every directory before what is in it, names sorted.
#[derive(Debug)]
pub struct Tree {
    top: PathBuf,
    pub nodes: Vec<Node>,
    /// What could not be read, with the reason.
    pub unreadable: Vec<(PathBuf, Error)>,
}

impl Tree {
    /// Looks at everything below `top`, which must be a directory.
    ///
    /// # Errors
    /// `NotFound`, `NotDirectory`, `Access`, `Io` for the top itself.
    pub fn walk(top: &Path) -> Result<Tree> {
        let meta = fs::metadata(top).map_err(|error| named(error, top))?;
        let node = Node { parent: 0, name: Vec::new(), facts: Facts::of(&meta) };
        let mut tree = Tree { top: top.to_path_buf(), nodes: vec![node], unreadable: Vec::new() };
        // Depth first, so that what lies together is numbered together.
        let mut waiting = vec![(0, top.to_path_buf())];
        while let Some((at, path)) = waiting.pop() {
            match tree.list(at, &path) {
                Ok(below) => {
                    for at in below.rev() {
                        let node = &tree.nodes[at as usize];
                        if node.facts.file_type() == Some(FileType::Directory) {
                            waiting.push((at, path.join(OsStr::from_bytes(&node.name))));
                        }
                    }
                }
                Err(error) if at == 0 => return Err(named(error, top)),
                Err(error) => tree.unreadable.push((path.clone(), named(error, &path))),
            }
        }
        Ok(tree)
    }

    /// Appends what is in the directory `parent`; gives the numbers of what it appended.
    fn list(&mut self, parent: u32, path: &Path) -> std::io::Result<std::ops::Range<u32>> {
        let first = self.nodes.len();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            match entry.metadata() {
                Ok(meta) => self.nodes.push(Node {
                    parent,
                    name: entry.file_name().into_vec(),
                    facts: Facts::of(&meta),
                }),
                Err(error) => {
                    let path = entry.path();
                    self.unreadable.push((path.clone(), named(error, &path)));
                }
            }
        }
        self.nodes[first..].sort_by(|a, b| a.name.cmp(&b.name));
        Ok(first as u32..self.nodes.len() as u32)
    }

    /// The path of a node below the top, without a leading slash.
    pub fn path(&self, node: u32) -> Vec<u8> {
        let mut names = Vec::new();
        let mut at = node;
        while at != 0 {
            let node = &self.nodes[at as usize];
            names.push(node.name.as_slice());
            at = node.parent;
        }
        names.reverse();
        names.join(&b'/')
    }

    /// Where a node is on the host.
    pub fn host_path(&self, node: u32) -> PathBuf {
        self.top.join(OsStr::from_bytes(&self.path(node)))
    }
}

/// An error of the host with the path it is about.
pub(super) fn named(error: std::io::Error, path: &Path) -> Error {
    Error::from(error).at_path(path.as_os_str().as_bytes())
}
