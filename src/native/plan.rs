//! Cutting a tree's files into jobs: the important first, in the order of the walk within one
//! importance, so that neighbours are compressed and placed together.

use std::collections::{HashMap, HashSet};

use super::walk::Tree;
use crate::fs::FileType;

/// Bytes of a job, about: large enough to keep threads busy, small enough to bound memory.
const JOB: u64 = 4 << 20;
/// Files of a job: very small ones cost a system call or three each.
const FILES: usize = 512;

/// A stretch of a file that a job reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Index into [`Plan::files`].
    pub file: u32,
    pub offset: u64,
    /// Bytes; 0 for an empty file, which has one piece like any other.
    pub length: u64,
}

#[derive(Debug)]
pub(super) struct Job {
    pub importance: u8,
    pub pieces: Vec<Piece>,
    /// Bytes of all pieces.
    pub bytes: u64,
}

/// A regular file that is to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    pub node: u32,
    pub size: u64,
    pub pieces: u32,
    /// Another file has this size too, so it may be the same.
    pub may_repeat: bool,
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    pub files: Vec<File>,
    pub jobs: Vec<Job>,
    /// Further names of files: (node, the node of the first name).
    pub links: Vec<(u32, u32)>,
}

impl Plan {
    pub fn new(tree: &Tree, importance: impl Fn(&[u8]) -> u8) -> Plan {
        let mut plan = Plan::default();
        let mut identities: HashMap<(u64, u64), u32> = HashMap::new();
        let mut ordered = Vec::new();
        let (mut sizes, mut repeated) = (HashSet::new(), HashSet::new());
        for (at, node) in tree.nodes.iter().enumerate() {
            let (at, kind) = (at as u32, node.facts.file_type());
            if node.facts.links > 1 && kind.is_some_and(|kind| kind != FileType::Directory) {
                let first = *identities.entry(node.facts.identity).or_insert(at);
                if first != at {
                    plan.links.push((at, first));
                    continue;
                }
            }
            if kind == Some(FileType::Regular) {
                if !sizes.insert(node.facts.size) {
                    repeated.insert(node.facts.size);
                }
                ordered.push((255 - importance(&tree.path(at)), at));
            }
        }
        ordered.sort_unstable();
        for (rank, node) in ordered {
            plan.add(255 - rank, node, tree.nodes[node as usize].facts.size, &repeated);
        }
        plan
    }

    fn add(&mut self, importance: u8, node: u32, size: u64, repeated: &HashSet<u64>) {
        let file = self.files.len() as u32;
        let mut pieces = 0;
        let mut offset = 0;
        loop {
            let length = (size - offset).min(JOB);
            let piece = Piece { file, offset, length };
            match self.jobs.last_mut() {
                Some(job)
                    if job.importance == importance
                        && job.bytes + length <= JOB
                        && job.pieces.len() < FILES =>
                {
                    job.pieces.push(piece);
                    job.bytes += length;
                }
                _ => self.jobs.push(Job { importance, pieces: vec![piece], bytes: length }),
            }
            pieces += 1;
            offset += length;
            if offset >= size {
                break;
            }
        }
        let may_repeat = size > 0 && repeated.contains(&size);
        self.files.push(File { node, size, pieces, may_repeat });
    }
}
