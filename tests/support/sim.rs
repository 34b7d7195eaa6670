//! Two files on one simulated disk: the map and its log.
//!
//! Every write, resize and sync is recorded, so what a power cut leaves can be built for any
//! moment afterwards ([`Recording::after`]): what was synced stays; of the rest each write is
//! kept, lost or torn between sectors of 512 bytes, as a seed decides, in any order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aetherflow::base::{Code, Error, Result};
use aetherflow::storage::Storage;

use super::Random;

pub const MAP: usize = 0;
pub const LOG: usize = 1;
const SECTOR: usize = 512;

/// One change of the disk.
#[derive(Clone, Debug)]
pub enum Event {
    Write { file: usize, offset: u64, data: Arc<[u8]> },
    SetLen { file: usize, len: u64 },
    Sync { file: usize },
}

/// What fails, and when.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The number of the failing operation, counted from 0 over both files.
    pub at: u64,
    pub code: Code,
    /// Everything after it fails too.
    pub lasting: bool,
    /// Reads are counted and fail; otherwise writes, resizes and syncs.
    pub reads: bool,
}

/// The bytes of both files.
pub type Files = [Vec<u8>; 2];

#[derive(Default)]
struct World {
    files: Files,
    start: Files,
    events: Vec<Event>,
    recording: bool,
    fault: Option<Fault>,
    writes: u64,
    reads: u64,
}

impl World {
    fn strike(&mut self, read: bool) -> Result<()> {
        let number = if read { &mut self.reads } else { &mut self.writes };
        let now = *number;
        *number += 1;
        match self.fault {
            Some(fault)
                if fault.reads == read && (now == fault.at || fault.lasting && now > fault.at) =>
            {
                Err(Error::new(fault.code, format!("simulated failure of operation {now}")))
            }
            _ => Ok(()),
        }
    }
}

/// The disk.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<World>>);

/// One of its files.
pub struct SimStorage {
    world: Arc<Mutex<World>>,
    file: usize,
}

impl Disk {
    pub fn new() -> Disk {
        Disk::default()
    }

    pub fn with(files: Files) -> Disk {
        let disk = Disk::default();
        disk.lock().files = files;
        disk
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn file(&self, file: usize) -> Arc<dyn Storage> {
        Arc::new(SimStorage { world: Arc::clone(&self.0), file })
    }

    /// From here on every change is recorded.
    pub fn record(&self) {
        let mut world = self.lock();
        world.start = world.files.clone();
        world.events.clear();
        world.recording = true;
    }

    /// Changes recorded so far.
    pub fn recorded(&self) -> usize {
        self.lock().events.len()
    }

    pub fn recording(&self) -> Recording {
        let world = self.lock();
        Recording { start: world.start.clone(), events: world.events.clone() }
    }

    pub fn files(&self) -> Files {
        self.lock().files.clone()
    }

    /// Arms a failure; operations count from here.
    pub fn fail(&self, fault: Option<Fault>) {
        let mut world = self.lock();
        world.fault = fault;
        world.writes = 0;
        world.reads = 0;
    }

    /// (writes, reads) since the last [`Disk::fail`].
    pub fn operations(&self) -> (u64, u64) {
        let world = self.lock();
        (world.writes, world.reads)
    }
}

impl SimStorage {
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(file: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + data.len());
    if file.len() < end {
        file.resize(end, 0);
    }
    file[start..end].copy_from_slice(data);
}

impl Storage for SimStorage {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let mut world = self.lock();
        world.strike(true)?;
        let file = &world.files[self.file];
        let end = offset.checked_add(buf.len() as u64).filter(|&end| end <= file.len() as u64);
        if end.is_none() {
            return Err(Error::new(Code::Truncated, "read past the end").at_offset(offset));
        }
        buf.copy_from_slice(&file[offset as usize..offset as usize + buf.len()]);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut world = self.lock();
        world.strike(false)?;
        if world.recording {
            world.events.push(Event::Write { file: self.file, offset, data: data.into() });
        }
        write(&mut world.files[self.file], offset, data);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let mut world = self.lock();
        world.strike(false)?;
        if world.recording {
            world.events.push(Event::Sync { file: self.file });
        }
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.lock().files[self.file].len() as u64)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let mut world = self.lock();
        world.strike(false)?;
        if world.recording {
            world.events.push(Event::SetLen { file: self.file, len });
        }
        world.files[self.file].resize(len as usize, 0);
        Ok(())
    }
}

/// Everything that was done to a disk, to be cut short anywhere.
pub struct Recording {
    start: Files,
    pub events: Vec<Event>,
}

/// Which of the unsynced writes a power cut leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// All of them: the process was killed, the machine went on.
    Keep,
    /// None of them.
    Drop,
    /// Each by chance whole, torn or not at all, in any order.
    Mixed(u64),
}

impl Recording {
    /// The moments at which the power may go, in order: calls `visit` with the number of events
    /// that happened and a function that builds the files for a [`Cut`].
    pub fn every_moment(&self, mut visit: impl FnMut(usize, &dyn Fn(Cut) -> Files)) {
        let mut durable = self.start.clone();
        let mut pending: [Vec<&Event>; 2] = [Vec::new(), Vec::new()];
        for happened in 0..=self.events.len() {
            visit(happened, &|cut| {
                let mut files = durable.clone();
                for (file, pending) in files.iter_mut().zip(&pending) {
                    leave(file, pending, cut);
                }
                files
            });
            let Some(event) = self.events.get(happened) else { return };
            match event {
                Event::Write { file, .. } | Event::SetLen { file, .. } => {
                    pending[*file].push(event);
                }
                Event::Sync { file } => {
                    leave(&mut durable[*file], &pending[*file], Cut::Keep);
                    pending[*file].clear();
                }
            }
        }
    }
}

/// Applies to a file what a cut leaves of its unsynced changes.
fn leave(file: &mut Vec<u8>, pending: &[&Event], cut: Cut) {
    let seed = match cut {
        Cut::Drop => return,
        Cut::Keep => None,
        Cut::Mixed(seed) => Some(seed),
    };
    let mut random = Random::new(seed.unwrap_or(0) ^ (pending.len() as u64) << 32);
    let mut order: Vec<&Event> = pending.to_vec();
    if seed.is_some() {
        for index in (1..order.len()).rev() {
            order.swap(index, random.below(index + 1));
        }
    }
    for event in order {
        match event {
            Event::SetLen { len, .. } => {
                if seed.is_none() || random.below(2) == 0 {
                    file.resize(*len as usize, 0);
                }
            }
            Event::Write { offset, data, .. } => {
                match if seed.is_none() { 0 } else { random.below(4) } {
                    0 | 1 => write(file, *offset, data),
                    2 => {}
                    _ => tear(file, *offset, data, &mut random),
                }
            }
            Event::Sync { .. } => {}
        }
    }
}

/// Writes some of the sectors that a write covers.
fn tear(file: &mut Vec<u8>, offset: u64, data: &[u8], random: &mut Random) {
    let manner = random.below(3);
    let sectors = (offset as usize % SECTOR + data.len()).div_ceil(SECTOR);
    let at = random.below(sectors + 1);
    let mut start = 0;
    for sector in 0..sectors {
        let end = ((sector + 1) * SECTOR - offset as usize % SECTOR).min(data.len());
        let kept = match manner {
            0 => sector < at,
            1 => sector >= at,
            _ => random.below(2) == 0,
        };
        if kept {
            write(file, offset + start as u64, &data[start..end]);
        }
        start = end;
    }
}
