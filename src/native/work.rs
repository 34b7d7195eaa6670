//! One job: reading its files, finding repeats, packing and compressing.

use std::collections::HashMap;
use std::fs::File;
use std::hash::Hasher;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use siphasher::sip128::{Hasher128, SipHasher13};

use super::plan::{Job, Piece, Plan};
use super::walk::{Tree, named};
use crate::base::limits::{CLUSTER, MAX_FRAME};
use crate::base::{Code, Error, Result};
use crate::codec::frame::Compressor;
use crate::codec::pack::{Batch, Packer};
use crate::codec::symbolic::Symbol;
use crate::fs::flush::INLINE;

/// A frame as it is to be stored.
pub(super) struct Frame {
    pub bytes: Vec<u8>,
    /// Bytes of its content.
    pub logical: u32,
    pub compressed: bool,
}

/// Where a stretch of a file is.
pub(super) enum Content {
    /// In a frame of the job.
    Frame {
        frame: u32,
        offset: u32,
    },
    Fill(u8),
    Inline(Vec<u8>),
}

/// An extended attribute: name and value.
pub(super) type Attribute = (Vec<u8>, Vec<u8>);

/// What became of a piece.
pub(super) enum Outcome {
    /// It was read; its parts are in [`Done::parts`].
    Read,
    /// It is the same as that whole file.
    Repeats(u32),
    Failed(Error),
}

/// A finished job.
#[derive(Default)]
pub(super) struct Done {
    pub frames: Vec<Frame>,
    /// (file, offset in it, bytes, where); holes are left out.
    pub parts: Vec<(u32, u64, u32, Content)>,
    pub outcomes: Vec<(u32, Outcome)>,
    pub attributes: Vec<(u32, Vec<Attribute>)>,
}

/// What all threads share.
pub(super) struct Shared<'a> {
    pub tree: &'a Tree,
    pub plan: &'a Plan,
    pub level: i32,
    pub attributes: bool,
    /// Whether a job of this importance is compressed.
    pub compress: &'a (dyn Fn(u8) -> bool + Sync),
    /// Random: nobody can prepare two contents with one sum.
    pub keys: (u64, u64),
    /// Whole files read so far, by size and sum.
    pub seen: Mutex<HashMap<(u64, u128), u32>>,
}

/// One thread's tools.
pub(super) struct Worker<'a> {
    shared: &'a Shared<'a>,
    compressor: Compressor,
    buffer: Vec<u8>,
    scratch: Vec<u8>,
}

impl<'a> Worker<'a> {
    pub fn new(shared: &'a Shared<'a>) -> Worker<'a> {
        let compressor = Compressor::new();
        Worker { shared, compressor, buffer: Vec::new(), scratch: Vec::new() }
    }

    pub fn run(&mut self, job: &Job) -> Done {
        let mut done = Done::default();
        let mut packer = Packer::new();
        let compress = (self.shared.compress)(job.importance);
        for piece in &job.pieces {
            let outcome = self
                .piece(*piece, compress, &mut packer, &mut done)
                .unwrap_or_else(Outcome::Failed);
            done.outcomes.push((piece.file, outcome));
        }
        if let Some(batch) = packer.finish() {
            self.frame(batch, compress, &mut done);
        }
        done
    }

    fn piece(
        &mut self,
        piece: Piece,
        compress: bool,
        packer: &mut Packer<(u32, u64)>,
        done: &mut Done,
    ) -> Result<Outcome> {
        let planned = self.shared.plan.files[piece.file as usize];
        let path = self.shared.tree.host_path(planned.node);
        if self.shared.attributes && piece.offset == 0 {
            let attributes = attributes(&path)?;
            if !attributes.is_empty() {
                done.attributes.push((piece.file, attributes));
            }
        }
        if piece.length == 0 {
            return Ok(Outcome::Read);
        }
        let file = File::open(&path).map_err(|error| named(error, &path))?;
        let sparse = self.shared.tree.nodes[planned.node as usize].facts.sparse;
        let mut buffer = std::mem::take(&mut self.buffer);
        let length = piece.length as usize;
        // What an earlier file left is overwritten: filling it with zeros again would cost.
        buffer.resize(length.max(buffer.len()), 0);
        let bytes = &mut buffer[..length];
        let read = if sparse {
            bytes.fill(0);
            read_sparse(&file, piece.offset, bytes)
        } else {
            file.read_exact_at(bytes, piece.offset)
        };
        let result = read.map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                Error::new(Code::Busy, "the file became shorter while it was read")
                    .at_path(path.as_os_str().as_encoded_bytes())
            }
            _ => named(error, &path),
        });
        let outcome = result.map(|()| {
            let whole = piece.length == planned.size;
            if whole
                && planned.may_repeat
                && let Some(first) = self.repeats(piece.file, bytes)
            {
                return Outcome::Repeats(first);
            }
            self.store(piece, bytes, whole, compress, packer, done);
            Outcome::Read
        });
        self.buffer = buffer;
        outcome
    }

    /// The file that was read before with the same content, if there is one.
    fn repeats(&self, file: u32, bytes: &[u8]) -> Option<u32> {
        let mut hasher = SipHasher13::new_with_keys(self.shared.keys.0, self.shared.keys.1);
        hasher.write(bytes);
        let key = (bytes.len() as u64, hasher.finish128().as_u128());
        let mut seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *seen.entry(key).or_insert(file);
        drop(seen);
        (first != file).then_some(first)
    }

    fn store(
        &mut self,
        piece: Piece,
        bytes: &[u8],
        whole: bool,
        compress: bool,
        packer: &mut Packer<(u32, u64)>,
        done: &mut Done,
    ) {
        if whole && bytes.len() <= INLINE {
            let content = Content::Inline(bytes.to_vec());
            done.parts.push((piece.file, 0, bytes.len() as u32, content));
            return;
        }
        // Simple blocks become symbols; what lies between them goes into frames.
        let mut plain = 0;
        let mut at = 0;
        while at < bytes.len() {
            let block = &bytes[at..bytes.len().min(at + MAX_FRAME)];
            let symbol = Symbol::detect(block).filter(|_| block.len() >= CLUSTER);
            let fill = match symbol {
                Some(Symbol::Zero) => None,
                Some(Symbol::Fill(byte)) => Some(byte),
                _ => {
                    at += block.len();
                    continue;
                }
            };
            self.pack(piece, plain, &bytes[plain..at], compress, packer, done);
            if let Some(byte) = fill {
                let offset = piece.offset + at as u64;
                done.parts.push((piece.file, offset, block.len() as u32, Content::Fill(byte)));
            }
            at += block.len();
            plain = at;
        }
        self.pack(piece, plain, &bytes[plain..], compress, packer, done);
    }

    fn pack(
        &mut self,
        piece: Piece,
        at: usize,
        bytes: &[u8],
        compress: bool,
        packer: &mut Packer<(u32, u64)>,
        done: &mut Done,
    ) {
        let id = (piece.file, piece.offset + at as u64);
        packer.add(id, bytes, &mut |batch| self.frame(batch, compress, done));
    }

    fn frame(&mut self, batch: Batch<(u32, u64)>, compress: bool, done: &mut Done) {
        let frame = done.frames.len() as u32;
        for part in &batch.parts {
            let (file, base) = part.id;
            let content = Content::Frame { frame, offset: part.frame_offset };
            done.parts.push((file, base + part.item_offset, part.length, content));
        }
        let logical = batch.content.len() as u32;
        let compressed = compress
            && self.compressor.compress(&batch.content, self.shared.level, &mut self.scratch);
        let bytes = if compressed { self.scratch.clone() } else { batch.content };
        done.frames.push(Frame { bytes, logical, compressed });
    }
}

/// Fills `bytes`, which are zero, with what is not a hole.
fn read_sparse(file: &File, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;
    let end = offset + bytes.len() as u64;
    let mut at = offset;
    while at < end {
        let start = match seek(file, SeekFrom::Data(at)) {
            Ok(start) if start < end => start,
            // No data behind this: the rest is a hole.
            Ok(_) | Err(Errno::NXIO) => return Ok(()),
            // A filesystem that does not tell: read everything.
            Err(_) => return file.read_exact_at(&mut bytes[(at - offset) as usize..], at),
        };
        let stop = seek(file, SeekFrom::Hole(start)).unwrap_or(end).min(end);
        let range = (start - offset) as usize..(stop - offset) as usize;
        file.read_exact_at(&mut bytes[range], start)?;
        at = stop;
    }
    Ok(())
}

/// The extended attributes of a path, whatever it is; links are not followed.
pub(super) fn attributes(path: &std::path::Path) -> Result<Vec<Attribute>> {
    use rustix::io::Errno;
    let failed = |error: Errno| named(error.into(), path);
    let mut names = [0; 4096];
    let length = match rustix::fs::llistxattr(path, &mut names[..]) {
        Ok(0) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(Vec::new()),
        Ok(length) => length,
        Err(Errno::RANGE) => return long_attributes(path).map_err(failed),
        Err(error) => return Err(failed(error)),
    };
    values(path, &names[..length]).map_err(failed)
}

fn long_attributes(path: &std::path::Path) -> rustix::io::Result<Vec<Attribute>> {
    // The most Linux gives in one list.
    let mut names = vec![0; 64 << 10];
    let length = rustix::fs::llistxattr(path, &mut names[..])?;
    values(path, &names[..length])
}

fn values(path: &std::path::Path, names: &[u8]) -> rustix::io::Result<Vec<Attribute>> {
    let mut value = vec![0; crate::base::limits::MAX_XATTR_VALUE];
    let mut found = Vec::new();
    for name in names.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        match rustix::fs::lgetxattr(path, name, &mut value[..]) {
            Ok(length) => found.push((name.to_vec(), value[..length].to_vec())),
            // Gone meanwhile, or not for us to see.
            Err(rustix::io::Errno::NODATA | rustix::io::Errno::PERM) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
