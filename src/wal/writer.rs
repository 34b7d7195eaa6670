//! Building frames, and carrying them to the log file.
//!
//! The two halves are apart so that the engine builds under its lock and waits for the disk
//! outside of it: [`LogWriter::take`] hands over bytes that already know their place.
//! Rule: what `take` gave must be appended in the order it was given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::delta::changed_ranges;
use super::frame::{
    Base, FLAG_COMMIT, HEADER, Header, INTENT, Intent, KIND_GROW, KIND_INTENT, KIND_PAGE,
    KIND_ROOT, MAX_INTENTS, MAX_PAYLOAD, MAX_ROOT, PAGE_HEADER, RECORD_HEADER, Salt, frame_crc,
};
use crate::base::bytes::Put;
use crate::base::limits::CLUSTER;
use crate::base::{Code, Error, Result};
use crate::storage::Storage;

/// A delta larger than this is compared with the page's whole image, and the smaller is logged.
const LARGE_DELTA: usize = CLUSTER / 4;
/// Steps by which the file grows ahead of the log.
const MIN_STEP: u64 = 64 << 10;
const MAX_STEP: u64 = 4 << 20;

static ZERO_PAGE: [u8; CLUSTER] = [0; CLUSTER];

/// A place in the log where a frame may be added. The default is the start of an empty log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPosition {
    /// Bytes before this place.
    pub offset: u64,
    /// Sequence number of the next frame.
    pub sequence: u64,
    /// CRC-32 of the frame before, 0 at the start.
    pub chain: u32,
}

/// Finished frames on their way to the file.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Where the bytes belong.
    pub offset: u64,
    pub bytes: Vec<u8>,
    /// The log's end once they are there.
    pub end: LogPosition,
}

/// Builds frames in memory; does no I/O.
///
/// Records gather in an open frame, which [`commit`](Self::commit) ends. A transaction too large
/// for one frame spills into several by itself.
#[derive(Debug)]
pub struct LogWriter {
    salt: Salt,
    /// Where the open frame will stand.
    position: LogPosition,
    /// Offset of the first byte of `buffer` in the log.
    start: u64,
    /// Finished frames, then the open one: room for its header, and its records.
    buffer: Vec<u8>,
    /// Where the open frame begins in `buffer`.
    open: usize,
}

impl LogWriter {
    /// Goes on at `start`: the default for an empty log, [`Replayed::committed`] otherwise.
    ///
    /// [`Replayed::committed`]: super::Replayed::committed
    pub fn new(salt: Salt, start: LogPosition) -> LogWriter {
        LogWriter { salt, position: start, start: start.offset, buffer: vec![0; HEADER], open: 0 }
    }

    /// Bytes of the log with everything built so far, an open frame included.
    pub fn len(&self) -> u64 {
        self.start + (self.buffer.len() - self.empty_header()) as u64
    }

    /// Whether the log holds nothing at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether [`take`](Self::take) would give any bytes.
    pub fn has_pending(&self) -> bool {
        self.buffer.len() > HEADER
    }

    pub fn salt(&self) -> Salt {
        self.salt
    }

    /// Logs that cluster `cluster` now holds `new`. `base` is its content as this log has it, or
    /// `None` where this log has not seen the cluster. Nothing is logged when both are equal.
    ///
    /// Belongs to the transaction that the next [`commit`](Self::commit) ends: log pages only
    /// when nothing can keep it from coming.
    pub fn page(&mut self, cluster: u64, base: Option<&[u8; CLUSTER]>, new: &[u8; CLUSTER]) {
        self.make_room(RECORD_HEADER + PAGE_HEADER + 2 * CLUSTER);
        let record = self.buffer.len();
        match base {
            None => self.put_page(cluster, Base::Zero, &ZERO_PAGE, new),
            Some(base) if base == new => {}
            Some(base) => {
                self.put_page(cluster, Base::Logged, base, new);
                let delta = self.buffer.len();
                if delta - record > LARGE_DELTA {
                    self.put_page(cluster, Base::Zero, &ZERO_PAGE, new);
                    if self.buffer.len() - delta <= delta - record {
                        self.buffer.drain(record..delta);
                    } else {
                        self.buffer.truncate(delta);
                    }
                }
            }
        }
    }

    fn put_page(&mut self, cluster: u64, kind: Base, base: &[u8; CLUSTER], new: &[u8; CLUSTER]) {
        let buffer = &mut self.buffer;
        let record = buffer.len();
        buffer.put_u8(KIND_PAGE);
        buffer.put_u32(0);
        buffer.put_u64(cluster);
        buffer.put_u8(u8::from(kind == Base::Logged));
        let count_at = buffer.len();
        buffer.put_u16(0);
        let mut count = 0u16;
        changed_ranges(base, new, |start, end| {
            buffer.put_u16(start as u16);
            buffer.put_u16((end - start) as u16);
            buffer.put(&new[start..end]);
            count += 1;
        });
        let length = (buffer.len() - record - RECORD_HEADER) as u32;
        buffer[record + 1..record + RECORD_HEADER].copy_from_slice(&length.to_le_bytes());
        buffer[count_at..count_at + 2].copy_from_slice(&count.to_le_bytes());
    }

    /// Logs the bands about to be written in place. Must be durable before they are.
    pub fn intents(&mut self, intents: &[Intent]) {
        for part in intents.chunks(MAX_INTENTS) {
            let body = 4 + part.len() * INTENT;
            self.record(KIND_INTENT, body);
            self.buffer.put_u32(part.len() as u32);
            for intent in part {
                self.buffer.put_u32(intent.band);
                self.buffer.put_u16(intent.s1);
                self.buffer.put_u16(intent.s2);
            }
        }
    }

    /// Logs that the map has `sheets` sheets.
    pub fn grow(&mut self, sheets: u32) {
        self.record(KIND_GROW, 4);
        self.buffer.put_u32(sheets);
    }

    /// Ends the transaction, with the engine's state after it.
    ///
    /// # Errors
    /// `TooBig` when `root` exceeds 4096 bytes; the transaction is then still open.
    pub fn commit(&mut self, root: &[u8]) -> Result<()> {
        if root.len() > MAX_ROOT {
            return Err(Error::new(Code::TooBig, format!("a root record of {} bytes", root.len())));
        }
        self.record(KIND_ROOT, root.len());
        self.buffer.put(root);
        self.close_frame(FLAG_COMMIT);
        Ok(())
    }

    /// Ends the open frame and hands over everything built since the last call, `None` where
    /// there is nothing. Records behind the last commit go along, so that intents can reach the
    /// disk before the transaction they belong to.
    pub fn take(&mut self) -> Option<Pending> {
        if self.buffer.len() > self.open + HEADER {
            self.close_frame(0);
        }
        if self.open == 0 {
            return None;
        }
        // The spare header behind the last frame is not part of it.
        self.buffer.truncate(self.open);
        let bytes = std::mem::replace(&mut self.buffer, vec![0; HEADER]);
        let offset = self.start;
        self.start = self.position.offset;
        self.open = 0;
        Some(Pending { offset, bytes, end: self.position })
    }

    /// Starts a new log at offset 0, under another salt. What was built and not taken is dropped.
    pub fn reset(&mut self, salt: Salt) {
        *self = LogWriter::new(salt, LogPosition::default());
    }

    fn empty_header(&self) -> usize {
        if self.buffer.len() == self.open + HEADER { HEADER } else { 0 }
    }

    fn record(&mut self, kind: u8, body: usize) {
        self.make_room(RECORD_HEADER + body);
        self.buffer.put_u8(kind);
        self.buffer.put_u32(body as u32);
    }

    fn make_room(&mut self, bytes: usize) {
        if self.buffer.len() - self.open - HEADER + bytes > MAX_PAYLOAD {
            self.close_frame(0);
        }
    }

    fn close_frame(&mut self, flags: u32) {
        let payload = self.open + HEADER;
        let mut header = Header {
            flags,
            sequence: self.position.sequence,
            salt: self.salt,
            length: (self.buffer.len() - payload) as u32,
            crc: 0,
        };
        header.crc = frame_crc(self.position.chain, &header.bytes(), &self.buffer[payload..]);
        self.buffer[self.open..payload].copy_from_slice(&header.bytes());
        self.position = LogPosition {
            offset: self.position.offset + (self.buffer.len() - self.open) as u64,
            sequence: self.position.sequence + 1,
            chain: header.crc,
        };
        self.open = self.buffer.len();
        self.buffer.resize(self.open + HEADER, 0);
    }
}

/// The log's file. One caller at a time appends; anyone may sync.
pub struct LogFile {
    storage: Arc<dyn Storage>,
    /// Bytes of the file that exist already, so that writing them changes no length.
    allocated: AtomicU64,
}

impl LogFile {
    /// # Errors
    /// `Io` when the length cannot be read.
    pub fn new(storage: Arc<dyn Storage>) -> Result<LogFile> {
        let allocated = AtomicU64::new(storage.len()?);
        Ok(LogFile { storage, allocated })
    }

    /// Writes the frames at their place, with one write. Where the file has to grow, it grows by
    /// a step of zeros, so that most appends change neither its length nor its allocation and a
    /// flush has only the data to carry. Appending the same bytes again is harmless.
    ///
    /// # Errors
    /// Those of `Storage::write_at`.
    pub fn append(&self, pending: &Pending) -> Result<()> {
        self.storage.write_at(pending.offset, &pending.bytes)?;
        let end = pending.offset + pending.bytes.len() as u64;
        let allocated = self.allocated.load(Ordering::Acquire);
        if end > allocated {
            let target = end + end.next_power_of_two().clamp(MIN_STEP, MAX_STEP);
            let target = target.next_multiple_of(CLUSTER as u64);
            let zeros = vec![0; (target - end) as usize];
            self.storage.write_at(end, &zeros)?;
            self.allocated.store(target, Ordering::Release);
        }
        Ok(())
    }

    /// Returns once everything appended is durable.
    ///
    /// # Errors
    /// Those of `Storage::sync`.
    pub fn sync(&self) -> Result<()> {
        self.storage.sync()
    }

    /// Gives space back after a checkpoint: cuts the file to at most `bytes`. Only when nothing
    /// of the log stands behind them.
    ///
    /// # Errors
    /// Those of `Storage::set_len`.
    pub fn shrink_to(&self, bytes: u64) -> Result<()> {
        if self.allocated.load(Ordering::Acquire) > bytes {
            self.storage.set_len(bytes)?;
            self.allocated.store(bytes, Ordering::Release);
        }
        Ok(())
    }

    /// Bytes of the file, zeros ahead included.
    pub fn allocated(&self) -> u64 {
        self.allocated.load(Ordering::Acquire)
    }

    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }
}
