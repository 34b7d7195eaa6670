//! Operations as data, and a pair of engine and model that carries them out side by side.

use std::collections::HashMap;

use aetherflow::base::Code;
use aetherflow::fs::ops::Rename;
use aetherflow::fs::xattr::SetAttribute;
use aetherflow::fs::{Compression, ROOT};
use aetherflow::map::{Map, Options};

use super::drive::{Drive, OWNER, open};
use super::model::{Body, Model, dump};
use super::sim::{Disk, LOG, MAP};
use super::{noise, options, text, walk};

const FILE: u32 = 0o100_644;
const DIRECTORY: u32 = 0o040_755;
const FIFO: u32 = 0o010_600;

/// What a file is filled with.
#[derive(Clone, Copy, Debug)]
pub enum Fill {
    Noise(u64),
    Text(u64),
    Byte(u8),
}

impl Fill {
    fn bytes(self, length: usize) -> Vec<u8> {
        match self {
            Fill::Noise(seed) => noise(seed, length),
            Fill::Text(seed) => text(seed, length),
            Fill::Byte(byte) => vec![byte; length],
        }
    }
}

/// An operation; numbers pick among what there is, modulo its count.
#[derive(Clone, Debug)]
pub enum Op {
    Make { kind: u8, parent: usize, name: u8 },
    Link { node: usize, parent: usize, name: u8 },
    Write { node: usize, offset: usize, length: usize, fill: Fill },
    Truncate { node: usize, size: usize },
    Allocate { node: usize, mode: u32, offset: usize, length: usize },
    Clone { source: usize, from: usize, target: usize, to: usize, length: usize },
    Unlink { parent: usize, name: u8 },
    RemoveDirectory { parent: usize, name: u8 },
    Rename { from: usize, name: u8, to: usize, new: u8, manner: u8 },
    SetXattr { node: usize, name: u8, length: usize, manner: u8 },
    RemoveXattr { node: usize, name: u8 },
    Retain { node: usize },
    Release { node: usize },
    Snapshot { name: u8 },
    Restore { name: u8 },
    DeleteSnapshot { name: u8 },
    Compress { node: usize },
    Sync,
    Checkpoint,
    Reopen,
}

/// Short names, and some as long as a name may be.
fn name(number: u8) -> Vec<u8> {
    match number {
        9 => vec![b'n'; 255],
        10 => [vec![0xff; 254], vec![1]].concat(),
        11 => vec![b'x'; 256],
        _ => vec![b'a' + number],
    }
}

/// The engine beside the model.
pub struct Pair {
    disk: Option<Disk>,
    pub map: Map,
    options: Options,
    pub model: Model,
    inodes: HashMap<u64, u64>,
}

impl Pair {
    pub fn new(logged: bool, compression: Compression) -> Pair {
        let mut options = options(77, compression);
        options.cache_bytes = 1;
        let disk = logged.then(Disk::new);
        let map = match &disk {
            Some(disk) => Map::create_on(disk.file(MAP), Some(disk.file(LOG)), &options),
            None => Map::create(&options),
        };
        let model = Model::new();
        Pair { disk, map: map.unwrap(), options, model, inodes: HashMap::from([(ROOT, ROOT)]) }
    }

    fn ino(&self, id: u64) -> u64 {
        // What never was in the engine has no number there either.
        self.inodes.get(&id).copied().unwrap_or(1 << 40)
    }

    fn node(&self, pick: usize) -> u64 {
        let ids = self.model.ids();
        ids[pick % ids.len()]
    }

    fn folder(&self, pick: usize) -> u64 {
        let ids = self.model.ids();
        let folders: Vec<u64> = ids.into_iter().filter(|&id| self.model.is_directory(id)).collect();
        folders[pick % folders.len()]
    }

    pub fn reopen(&mut self) -> Result<(), String> {
        let again = match &self.disk {
            // With what the log holds, as after a crash of the process.
            Some(disk) => {
                self.map.sync().map_err(|error| format!("sync: {error:?}"))?;
                let disk = Disk::with(disk.files());
                self.disk = Some(disk.clone());
                open(&disk, &self.options)
            }
            None => {
                let png = self.map.to_png().map_err(|error| format!("close: {error:?}"))?;
                Map::open(png, &self.options)
            }
        };
        self.map = again.map_err(|error| format!("reopening: {error:?}"))?;
        self.model.reopen();
        self.compare()
    }

    pub fn compare(&self) -> Result<(), String> {
        let found = self.map.read(dump)?;
        match self.model.dump().difference(&found) {
            Some(difference) => Err(difference),
            None => Ok(()),
        }
    }

    pub fn check_tables(&self) -> Result<(), String> {
        self.map.write(|fs| fs.flush_all(false)).map_err(|error| format!("flush: {error:?}"))?;
        let problems = self.map.read(walk::problems);
        if problems.is_empty() { Ok(()) } else { Err(format!("{problems:#?}")) }
    }

    pub fn apply(&mut self, op: &Op) -> Result<(), String> {
        match *op {
            Op::Make { kind, parent, name: number } => self.make(kind, parent, &name(number)),
            Op::Link { node, parent, name: number } => {
                let (id, at, name) = (self.node(node), self.folder(parent), name(number));
                if name.len() > 255 {
                    return Ok(());
                }
                let (ino, parent) = (self.ino(id), self.ino(at));
                let engine = self.map.write(|fs| fs.link(ino, parent, &name));
                Drive::same("link", engine, self.model.link(id, at, &name))
            }
            Op::Write { node, offset, length, fill } => {
                let (id, data) = (self.node(node), fill.bytes(length));
                let ino = self.ino(id);
                let engine = self.map.write(|fs| fs.write(ino, offset as u64, &data));
                Drive::same("write", engine, self.model.write(id, offset, &data))
            }
            Op::Truncate { node, size } => {
                let id = self.node(node);
                let ino = self.ino(id);
                let engine = self.map.write(|fs| fs.truncate(ino, size as u64));
                Drive::same("truncate", engine, self.model.truncate(id, size))
            }
            Op::Allocate { node, mode, offset, length } => {
                let id = self.node(node);
                let ino = self.ino(id);
                let engine =
                    self.map.write(|fs| fs.fallocate(ino, mode, offset as u64, length as u64));
                Drive::same("fallocate", engine, self.model.fallocate(id, mode, offset, length))
            }
            Op::Clone { source, from, target, to, length } => {
                let (source, target) = (self.node(source), self.node(target));
                let (a, b) = (self.ino(source), self.ino(target));
                let engine = self
                    .map
                    .write(|fs| fs.clone_range(a, from as u64, b, to as u64, length as u64));
                let model = self.model.clone_range(source, from, target, to, length);
                Drive::same("clone", engine, model)
            }
            Op::Unlink { parent, name: number } => {
                let (at, name) = (self.folder(parent), name(number));
                let parent = self.ino(at);
                let engine = self.map.write(|fs| fs.unlink(parent, &name));
                Drive::same("unlink", engine, self.model.unlink(at, &name))
            }
            Op::RemoveDirectory { parent, name: number } => {
                let (at, name) = (self.folder(parent), name(number));
                let parent = self.ino(at);
                let engine = self.map.write(|fs| fs.remove_directory(parent, &name));
                Drive::same("rmdir", engine, self.model.remove_directory(at, &name))
            }
            Op::Rename { from, name: old, to, new, manner } => {
                let (from, to) = (self.folder(from), self.folder(to));
                let (old, new) = (name(old), name(new));
                if new.len() > 255 {
                    return Ok(());
                }
                let manner =
                    [Rename::Replace, Rename::NoReplace, Rename::Exchange][usize::from(manner)];
                let (a, b) = (self.ino(from), self.ino(to));
                let engine = self.map.write(|fs| fs.rename(a, &old, b, &new, manner));
                let model = self.model.rename(from, &old, to, &new, manner);
                Drive::same("rename", engine, model)
            }
            Op::Compress { node } => {
                let id = self.node(node);
                let ino = self.ino(id);
                let engine = self.map.write(|fs| fs.compress_file(ino, 3)).map(|_| ());
                Drive::same("compress", engine, self.model.data_mut(id).map(|_| ()))
            }
            _ => self.apply_rest(op),
        }
    }

    fn make(&mut self, kind: u8, parent: usize, name: &[u8]) -> Result<(), String> {
        let at = self.folder(parent);
        let parent = self.ino(at);
        let (body, mode) = match kind {
            0 | 1 => (Body::Directory(Default::default()), DIRECTORY),
            2 => (Body::Symlink(vec![b't'; 1 + name.len() * 16 % 4095]), 0o120_777),
            3 => (Body::Fifo, FIFO),
            _ => (Body::File(Vec::new()), FILE),
        };
        let engine = self.map.write(|fs| match &body {
            Body::Symlink(target) => fs.symlink(parent, name, target, OWNER),
            _ => fs.make(parent, name, mode, OWNER, 0),
        });
        let model = self.model.make(at, name, body, mode & 0o7777);
        if let (Ok(ino), Ok(id)) = (&engine, &model) {
            self.inodes.insert(*id, *ino);
        }
        Drive::same("make", engine.map(|_| ()), model.map(|_| ()))
    }

    fn apply_rest(&mut self, op: &Op) -> Result<(), String> {
        match *op {
            Op::SetXattr { node, name: number, length, manner } => {
                let (id, name, value) =
                    (self.node(node), name(number), noise(length as u64, length));
                let ino = self.ino(id);
                let manner = [SetAttribute::Either, SetAttribute::Create, SetAttribute::Replace]
                    [usize::from(manner)];
                let engine = self.map.write(|fs| fs.set_attribute(ino, &name, &value, manner));
                let xattrs = &mut self.model.nodes.get_mut(&id).unwrap().xattrs;
                let model = match (manner, xattrs.contains_key(&name)) {
                    _ if name.len() > 255 => Err(Code::Range),
                    _ if length > 65_536 => Err(Code::TooBig),
                    (SetAttribute::Create, true) => Err(Code::Exists),
                    (SetAttribute::Replace, false) => Err(Code::NoData),
                    _ => {
                        xattrs.insert(name, value);
                        Ok(())
                    }
                };
                Drive::same("setxattr", engine, model)
            }
            Op::RemoveXattr { node, name: number } => {
                let (id, name) = (self.node(node), name(number));
                let ino = self.ino(id);
                let engine = self.map.write(|fs| fs.remove_attribute(ino, &name));
                let xattrs = &mut self.model.nodes.get_mut(&id).unwrap().xattrs;
                let model = xattrs.remove(&name).map(|_| ()).ok_or(Code::NoData);
                Drive::same("removexattr", engine, model)
            }
            Op::Retain { node } => {
                let id = self.node(node);
                let ino = self.ino(id);
                self.map.write(|fs| fs.retain(ino));
                self.model.retain(id);
                Ok(())
            }
            Op::Release { node } => {
                let held = self.model.held();
                if held.is_empty() {
                    return Ok(());
                }
                let id = held[node % held.len()];
                let ino = self.ino(id);
                let engine = self.map.write(|fs| fs.release(ino));
                self.model.release(id);
                Drive::same("release", engine, Ok(()))
            }
            Op::Snapshot { name } => {
                let name = [b's', b'0' + name];
                let engine = self.map.write(|fs| fs.create_snapshot(&name, b"note")).map(|_| ());
                Drive::same("snapshot", engine, self.model.create_snapshot(&name))
            }
            Op::Restore { name } => {
                let name = [b's', b'0' + name];
                if !self.model.snapshots.contains_key(&name[..]) || !self.model.held().is_empty() {
                    return Ok(());
                }
                let kept = self.map.write(|fs| fs.restore_snapshot(&name));
                let kept = kept.map_err(|error| format!("restore: {error:?}"))?;
                self.model.restore_snapshot(&name, &kept.name);
                Ok(())
            }
            Op::DeleteSnapshot { name } => {
                let name = [b's', b'0' + name];
                let engine = self.map.write(|fs| fs.delete_snapshot(&name));
                let model =
                    self.model.snapshots.remove(&name[..]).map(|_| ()).ok_or(Code::NotFound);
                Drive::same("delete snapshot", engine, model)
            }
            Op::Checkpoint => Drive::same("checkpoint", self.map.checkpoint(), Ok(())),
            Op::Reopen => self.reopen(),
            _ => Drive::same("sync", self.map.sync(), Ok(())),
        }
    }
}
