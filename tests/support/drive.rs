//! Drives a map and the model side by side, and remembers what was durable when.

use std::collections::HashMap;

use aetherflow::base::{Code, Result};
use aetherflow::fs::ops::{Owner, Rename};
use aetherflow::fs::xattr::SetAttribute;
use aetherflow::fs::{Compression, Fs, ROOT};
use aetherflow::map::{Map, Options};

use super::model::{Body, Dump, Model};
use super::sim::{Disk, LOG, MAP};
use super::{noise, options, text};

pub const OWNER: Owner = Owner { uid: 7, gid: 8 };
const FILE: u32 = 0o100_644;
const DIRECTORY: u32 = 0o040_755;

/// A state that a sync made durable: it was asked for when `begin` events had happened and
/// answered when `end` had.
pub struct Durable {
    pub begin: usize,
    pub end: usize,
    pub dump: Dump,
}

/// A map on a simulated disk with its model.
pub struct Drive {
    pub disk: Disk,
    pub map: Map,
    pub options: Options,
    pub model: Model,
    /// Model id to inode number.
    pub inodes: HashMap<u64, u64>,
    /// What was durable when; the last may be in doubt, its `end` is then not reached.
    pub durable: Vec<Durable>,
}

/// Opens what is on a disk, log and all.
pub fn open(disk: &Disk, options: &Options) -> Result<Map> {
    Map::open_on(disk.file(MAP), Some(disk.file(LOG)), true, options)
}

impl Drive {
    /// A new map; everything after its creation is recorded.
    pub fn new(seed: u64, compression: Compression) -> Drive {
        let disk = Disk::new();
        let options = options(seed, compression);
        let map = Map::create_on(disk.file(MAP), Some(disk.file(LOG)), &options).unwrap();
        disk.record();
        let model = Model::new();
        let durable = vec![Durable { begin: 0, end: 0, dump: model.dump() }];
        Drive { disk, map, options, model, inodes: HashMap::from([(ROOT, ROOT)]), durable }
    }

    /// The states a cut after `happened` events may leave.
    pub fn allowed(&self, happened: usize) -> Vec<&Dump> {
        let last = self.durable.iter().rposition(|state| state.end <= happened).unwrap_or(0);
        let open = self.durable[last + 1..].iter().take_while(|state| state.begin <= happened);
        std::iter::once(&self.durable[last]).chain(open).map(|state| &state.dump).collect()
    }

    pub fn ino(&self, id: u64) -> u64 {
        self.inodes[&id]
    }

    fn id(&self, directory: u64, name: &str) -> u64 {
        self.model.lookup(directory, name.as_bytes()).unwrap().unwrap()
    }

    /// Makes what is durable after `action` what the model holds now.
    fn durably(&mut self, action: impl FnOnce(&Map) -> Result<()>) -> Result<()> {
        let dump = self.model.dump();
        self.durably_as(dump, action)
    }

    fn durably_as(&mut self, dump: Dump, action: impl FnOnce(&Map) -> Result<()>) -> Result<()> {
        let begin = self.disk.recorded();
        self.durable.push(Durable { begin, end: usize::MAX, dump });
        action(&self.map)?;
        self.durable.last_mut().unwrap().end = self.disk.recorded();
        Ok(())
    }

    pub fn sync(&mut self) -> Result<()> {
        self.durably(Map::sync)
    }

    /// A checkpoint, after which nothing is in memory: what comes next is read again.
    pub fn checkpoint(&mut self) -> Result<()> {
        self.durably(Map::checkpoint)?;
        self.map.read(Fs::drop_caches);
        Ok(())
    }

    pub fn close(&mut self) -> Result<()> {
        self.durably(Map::close)
    }

    pub fn directory(&mut self, parent: u64, name: &str) -> Result<u64> {
        let at = self.ino(parent);
        let ino = self.map.write(|fs| fs.make(at, name.as_bytes(), DIRECTORY, OWNER, 0))?;
        let body = Body::Directory(Default::default());
        let id = self.model.make(parent, name.as_bytes(), body, 0o755).unwrap();
        self.inodes.insert(id, ino);
        Ok(id)
    }

    pub fn put(&mut self, parent: u64, name: &str, data: &[u8]) -> Result<u64> {
        let at = self.ino(parent);
        let ino = self.map.write(|fs| fs.make(at, name.as_bytes(), FILE, OWNER, 0))?;
        let id = self.model.make(parent, name.as_bytes(), Body::File(vec![]), 0o644).unwrap();
        self.inodes.insert(id, ino);
        self.write(id, 0, data)?;
        Ok(id)
    }

    pub fn symlink(&mut self, parent: u64, name: &str, target: &[u8]) -> Result<()> {
        let at = self.ino(parent);
        let ino = self.map.write(|fs| fs.symlink(at, name.as_bytes(), target, OWNER))?;
        let body = Body::Symlink(target.to_vec());
        let id = self.model.make(parent, name.as_bytes(), body, 0o777).unwrap();
        self.inodes.insert(id, ino);
        Ok(())
    }

    pub fn write(&mut self, id: u64, offset: u64, data: &[u8]) -> Result<()> {
        let ino = self.ino(id);
        self.map.write(|fs| fs.write(ino, offset, data))?;
        self.model.write(id, offset as usize, data).unwrap();
        Ok(())
    }

    pub fn truncate(&mut self, id: u64, size: u64) -> Result<()> {
        let ino = self.ino(id);
        self.map.write(|fs| fs.truncate(ino, size))?;
        self.model.truncate(id, size as usize).unwrap();
        Ok(())
    }

    pub fn rename(&mut self, from: u64, name: &str, to: u64, new: &str, how: Rename) -> Result<()> {
        let (a, b) = (self.ino(from), self.ino(to));
        self.map.write(|fs| fs.rename(a, name.as_bytes(), b, new.as_bytes(), how))?;
        self.model.rename(from, name.as_bytes(), to, new.as_bytes(), how).unwrap();
        Ok(())
    }

    pub fn unlink(&mut self, parent: u64, name: &str) -> Result<()> {
        let at = self.ino(parent);
        self.map.write(|fs| fs.unlink(at, name.as_bytes()))?;
        self.model.unlink(parent, name.as_bytes()).unwrap();
        Ok(())
    }

    pub fn link(&mut self, id: u64, parent: u64, name: &str) -> Result<()> {
        let (ino, at) = (self.ino(id), self.ino(parent));
        self.map.write(|fs| fs.link(ino, at, name.as_bytes()))?;
        self.model.link(id, parent, name.as_bytes()).unwrap();
        Ok(())
    }

    pub fn xattr(&mut self, id: u64, name: &str, value: &[u8]) -> Result<()> {
        let ino = self.ino(id);
        let manner = SetAttribute::Either;
        self.map.write(|fs| fs.set_attribute(ino, name.as_bytes(), value, manner))?;
        let node = self.model.nodes.get_mut(&id).unwrap();
        node.xattrs.insert(name.as_bytes().to_vec(), value.to_vec());
        Ok(())
    }

    pub fn snapshot(&mut self, name: &str) -> Result<()> {
        self.map.write(|fs| fs.create_snapshot(name.as_bytes(), b""))?;
        self.model.create_snapshot(name.as_bytes()).unwrap();
        Ok(())
    }

    pub fn restore(&mut self, name: &str) -> Result<()> {
        let kept = self.map.write(|fs| fs.restore_snapshot(name.as_bytes()))?;
        self.model.restore_snapshot(name.as_bytes(), &kept.name);
        Ok(())
    }

    pub fn delete_snapshot(&mut self, name: &str) -> Result<()> {
        self.map.write(|fs| fs.delete_snapshot(name.as_bytes()))?;
        self.model.snapshots.remove(name.as_bytes());
        Ok(())
    }

    /// A bit of everything: creation, overwriting, renaming, removal, attributes, snapshots,
    /// growth by sheets, reuse of freed space, checkpoints, a close with parity, and going on.
    pub fn workload(&mut self) -> Result<()> {
        let folder = self.directory(ROOT, "folder")?;
        let inline = self.put(ROOT, "inline", &text(1, 100))?;
        let small = self.put(folder, "small", &text(2, 3000))?;
        let noisy = self.put(folder, "noisy", &noise(3, 20_000))?;
        let large = self.put(ROOT, "large", &text(4, 150_000))?;
        self.sync()?;

        self.write(inline, 50, b"overwritten")?;
        self.write(noisy, 4000, &noise(5, 300))?;
        self.write(large, 100_000, &noise(6, 40_000))?;
        self.symlink(folder, "link", b"../inline")?;
        self.xattr(inline, "user.short", b"value")?;
        self.xattr(small, "user.long", &noise(7, 5000))?;
        self.sync()?;

        self.put(ROOT, "large.new", &noise(8, 30_000))?;
        self.rename(ROOT, "large.new", ROOT, "large", Rename::Replace)?;
        self.rename(ROOT, "inline", folder, "small", Rename::Exchange)?;
        self.link(noisy, ROOT, "noisy.too")?;
        self.sync()?;
        self.checkpoint()?;

        self.snapshot("first")?;
        self.truncate(noisy, 9000)?;
        for index in 0..40 {
            self.put(folder, &format!("many{index}"), &text(index, 40 + 30 * index as usize))?;
        }
        self.sync()?;

        // More than fits: the map grows, in the middle of an operation.
        let big = self.put(ROOT, "big", &noise(9, 350_000))?;
        self.sync()?;
        self.unlink(ROOT, "noisy.too")?;
        for index in (0..40).step_by(2) {
            self.unlink(folder, &format!("many{index}"))?;
        }
        self.sync()?;
        self.checkpoint()?;
        self.unlink(ROOT, "big")?;
        self.inodes.remove(&big);
        self.sync()?;
        // Into what has just become free.
        self.put(ROOT, "reuse", &noise(10, 250_000))?;
        self.sync()?;

        self.restore("first")?;
        self.sync()?;
        let other = self.put(ROOT, "other", b"old")?;
        let main = self.put(ROOT, "main", b"old")?;
        self.sync()?;
        self.write(main, 0, b"new!")?;
        let expected = self.model.dump();
        self.write(other, 0, b"not synced")?;
        let ino = self.ino(main);
        self.durably_as(expected, |map| map.sync_file(ino))?;
        self.delete_snapshot("first")?;
        self.close()?;

        let again = self.id(ROOT, "main");
        self.write(again, 0, &noise(11, 70_000))?;
        self.sync()?;
        self.snapshot("last")?;
        self.truncate(again, 10)?;
        self.close()
    }

    /// Whether the engine answers as the model does.
    pub fn same<T: PartialEq + std::fmt::Debug>(
        what: &str,
        engine: Result<T>,
        model: std::result::Result<T, Code>,
    ) -> std::result::Result<(), String> {
        let engine = engine.map_err(|error| error.code());
        if engine == model {
            Ok(())
        } else {
            Err(format!("{what}: the engine says {engine:?}, the model {model:?}"))
        }
    }
}

/// The bytes of the map's file after closing it.
pub fn closed_file(disk: &Disk, map: &Map) -> Vec<u8> {
    map.close().unwrap();
    let [file, _] = disk.files();
    file
}
