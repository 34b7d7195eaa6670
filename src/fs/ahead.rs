//! Reading ahead: files that are read from front to back are announced to the storage some way
//! before they are asked for, so that a disk fetches what comes next while this is decompressed
//! and copied. A file lies scattered over the picture in patches, so whoever reads the picture's
//! bytes cannot see that by himself.

use std::sync::{Mutex, PoisonError};

use super::{Fs, View};
use crate::base::Result;
use crate::base::limits::CLUSTER;
use crate::tree::item::{self, Source, Stretch};
use crate::tree::{Cursor, Key};

/// Bytes of a file that are announced ahead of a reader.
const WINDOW: u64 = 4 << 20;
/// Requests of one reader may arrive this far out of order: several threads carry them.
const SLACK: u64 = 1 << 20;
/// Bytes read in order before anything is announced.
const PROVEN: u64 = 256 << 10;
/// Readers that are followed at once; the least recent makes room.
const READERS: usize = 32;

/// One reader of one file.
#[derive(Clone, Copy, Debug)]
struct Reader {
    /// The snapshot's root, or 0 for the present.
    tree: u64,
    ino: u64,
    /// Where it is expected to go on.
    next: u64,
    /// Bytes it has read in order.
    run: u64,
    /// What lies before this has been announced.
    announced: u64,
    used: u64,
}

#[derive(Debug, Default)]
struct Readers {
    readers: Vec<Reader>,
    clock: u64,
}

/// The readers of all files.
#[derive(Debug, Default)]
pub(super) struct ReadAhead(Mutex<Readers>);

impl ReadAhead {
    /// Takes note of a read, and says what to announce, if anything.
    fn note(&self, tree: u64, ino: u64, offset: u64, length: u64) -> Option<(u64, u64)> {
        let mut readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readers.clock += 1;
        let now = readers.clock;
        let end = offset + length;
        let known = readers.readers.iter_mut().find(|reader| {
            (reader.tree, reader.ino) == (tree, ino) && reader.next.abs_diff(offset) <= SLACK
        });
        let Some(reader) = known else {
            let reader = Reader { tree, ino, next: end, run: length, announced: 0, used: now };
            if readers.readers.len() < READERS {
                readers.readers.push(reader);
            } else if let Some(oldest) = readers.readers.iter_mut().min_by_key(|old| old.used) {
                *oldest = reader;
            }
            return None;
        };
        reader.used = now;
        reader.run = reader.run.saturating_add(length);
        reader.next = reader.next.max(end);
        if reader.run < PROVEN || reader.announced > reader.next + WINDOW / 2 {
            return None;
        }
        let from = reader.announced.max(reader.next);
        reader.announced = reader.next + WINDOW;
        Some((from, reader.announced))
    }
}

impl Fs {
    /// Follows a reader of a file of `size` bytes, and announces what it is going to want. Only a
    /// hint: what goes wrong shows when it is read.
    pub(super) fn read_ahead(&self, view: View, ino: u64, offset: u64, length: u64, size: u64) {
        if size <= PROVEN {
            return;
        }
        let tree = match view {
            View::Head => 0,
            View::Snapshot(root) => root.cluster,
        };
        if let Some((from, to)) = self.ahead.note(tree, ino, offset, length)
            && from < size
        {
            let _ = self.announce(view, ino, from, to.min(size));
        }
    }

    fn announce(&self, view: View, ino: u64, from: u64, to: u64) -> Result<()> {
        let root = self.root_of(view);
        let key = Key::new(ino, item::DATA, from);
        let mut cursor = Cursor::at_floor(&self.store, &root, key)?;
        let mut runs = Vec::new();
        while let Some(item) = cursor.next_in(key)? {
            let start = item.key.offset;
            if start >= to {
                break;
            }
            let stretch = Stretch::decode(item.key, &item)?;
            let stop = start + stretch.length;
            if stop <= from {
                continue;
            }
            match &stretch.source {
                Source::Zstd(extent) => runs.push((extent.first, u32::from(extent.clusters))),
                Source::Raw(extent) => {
                    let skip = u64::from(extent.offset) + from.saturating_sub(start);
                    let last = u64::from(extent.offset) + stop.min(to) - start;
                    let first = skip / CLUSTER as u64;
                    let count = last.div_ceil(CLUSTER as u64).saturating_sub(first);
                    runs.push((extent.first + first, count as u32));
                }
                Source::Fill(_) | Source::Pattern { .. } | Source::Inline(_) => {}
            }
        }
        self.store.clusters().will_need(&runs);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_announced_ahead_once() {
        let ahead = ReadAhead::default();
        let step = 128 << 10;
        let mut announced: Vec<(u64, u64)> = Vec::new();
        for at in (0..32 << 20).step_by(step) {
            if let Some((from, to)) = ahead.note(0, 7, at, step as u64) {
                assert!(from >= at + step as u64);
                assert!(announced.last().is_none_or(|last| last.1 == from));
                announced.push((from, to));
            }
        }
        assert!(announced.len() > 8 && announced[0].0 == 2 * step as u64);
    }

    #[test]
    fn reads_here_and_there_announce_nothing() {
        let ahead = ReadAhead::default();
        for at in 0..200u64 {
            let offset = (at * 7919 % 200) * (8 << 20);
            assert_eq!(ahead.note(0, 7, offset, 4096), None);
        }
        assert!(ahead.0.lock().unwrap().readers.len() <= READERS);
    }
}
