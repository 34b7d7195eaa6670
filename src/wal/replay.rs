//! Reading the log back after a crash.
//!
//! Two passes, so that a transaction of any size needs the memory of one frame only: the first
//! finds the last commit, the second delivers what is before it. Both check every sum.

use super::frame::{
    FLAG_COMMIT, HEADER, Header, MAGIC, MAX_PAYLOAD, Record, Salt, for_each_record, frame_crc,
};
use super::writer::LogPosition;
use crate::base::{Error, Result};
use crate::storage::Storage;

/// How far behind a broken frame others are looked for.
const SEARCH: u64 = 16 << 20;
const SEARCH_CHUNK: usize = 64 << 10;

/// Which part of the log a record is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// From a committed transaction.
    Committed,
    /// From behind the last commit: only intents and growth.
    Uncommitted,
}

/// What stands where the valid log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing of this log: the file's end, zeros or another log's bytes.
    Clean,
    /// The beginning of a frame of this log that is not whole.
    Torn,
    /// Something broken, with what looks like a later frame of this log at `at`. Ordinary when
    /// the power failed before a sync; damage when everything had been synced.
    Interrupted {
        /// Offset of the later frame.
        at: u64,
    },
}

/// What a replay found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Behind the last committed frame: where a writer may go on.
    pub committed: LogPosition,
    /// Behind the last valid frame.
    pub end: LogPosition,
    /// Committed transactions.
    pub transactions: u64,
    pub ending: Ending,
}

/// Reads the log in `storage`: every record of every committed transaction in order, then the
/// intents and growth of valid frames behind the last commit.
///
/// # Errors
/// `Corrupt` or `Feature` when a frame with a right sum holds malformed or unknown records
/// (nothing has been delivered then), `Io` from the storage, and whatever `visit` returns.
pub fn replay(
    storage: &dyn Storage,
    salt: &Salt,
    visit: &mut dyn FnMut(Delivery, Record<'_>) -> Result<()>,
) -> Result<Replayed> {
    let mut scan = Scan::new(storage, salt)?;
    let mut committed = LogPosition::default();
    let mut transactions = 0;
    while let Some(header) = scan.next()? {
        for_each_record(&scan.payload, header.is_commit(), |_| Ok(()))
            .map_err(|error| error.at_offset(scan.frame_start))?;
        if header.is_commit() {
            committed = scan.position;
            transactions += 1;
        }
    }
    let end = scan.position;
    let ending = scan.ending()?;

    scan.position = LogPosition::default();
    while scan.position.offset < end.offset {
        let delivery = if scan.position.offset < committed.offset {
            Delivery::Committed
        } else {
            Delivery::Uncommitted
        };
        let Some(header) = scan.next()? else {
            return Err(
                Error::corrupt("the log changed while it was read").at_offset(scan.position.offset)
            );
        };
        for_each_record(&scan.payload, header.is_commit(), |record| match (delivery, &record) {
            (Delivery::Uncommitted, Record::Page(_) | Record::Root(_)) => Ok(()),
            _ => visit(delivery, record),
        })?;
    }
    Ok(Replayed { committed, end, transactions, ending })
}

struct Scan<'a> {
    storage: &'a dyn Storage,
    salt: &'a Salt,
    len: u64,
    /// Where the next frame must stand.
    position: LogPosition,
    /// Offset of the frame read last.
    frame_start: u64,
    /// Payload of the frame read last; never more than `MAX_PAYLOAD` bytes.
    payload: Vec<u8>,
}

impl<'a> Scan<'a> {
    fn new(storage: &'a dyn Storage, salt: &'a Salt) -> Result<Scan<'a>> {
        let len = storage.len()?;
        let position = LogPosition::default();
        Ok(Scan { storage, salt, len, position, frame_start: 0, payload: Vec::new() })
    }

    /// The header at the position when it is one of this log.
    fn header(&self) -> Result<Option<([u8; HEADER], Header)>> {
        if self.len.saturating_sub(self.position.offset) < HEADER as u64 {
            return Ok(None);
        }
        let mut bytes = [0; HEADER];
        self.storage.read_at(self.position.offset, &mut bytes)?;
        Ok(Header::parse(&bytes).filter(|header| header.salt == *self.salt).map(|h| (bytes, h)))
    }

    /// Reads the frame at the position and steps over it; `None` where there is no valid one.
    fn next(&mut self) -> Result<Option<Header>> {
        let Some((bytes, header)) = self.header()? else { return Ok(None) };
        let length = header.length as usize;
        let room = self.len - self.position.offset - HEADER as u64;
        if header.sequence != self.position.sequence
            || header.flags & !FLAG_COMMIT != 0
            || length > MAX_PAYLOAD
            || length as u64 > room
        {
            return Ok(None);
        }
        self.payload.resize(length, 0);
        self.storage.read_at(self.position.offset + HEADER as u64, &mut self.payload)?;
        if frame_crc(self.position.chain, &bytes, &self.payload) != header.crc {
            return Ok(None);
        }
        self.frame_start = self.position.offset;
        self.position = LogPosition {
            offset: self.position.offset + (HEADER + length) as u64,
            sequence: self.position.sequence + 1,
            chain: header.crc,
        };
        Ok(Some(header))
    }

    /// Says what stands at the position, where no valid frame does.
    fn ending(&self) -> Result<Ending> {
        if let Some(at) = self.later_frame()? {
            return Ok(Ending::Interrupted { at });
        }
        let torn =
            self.header()?.is_some_and(|(_, found)| found.sequence == self.position.sequence);
        Ok(if torn { Ending::Torn } else { Ending::Clean })
    }

    /// The nearest header of this log behind the position with a later sequence number.
    fn later_frame(&self) -> Result<Option<u64>> {
        let limit = self.len.min(self.position.offset.saturating_add(SEARCH));
        let mut at = self.position.offset;
        let mut chunk = vec![0; SEARCH_CHUNK];
        while limit.saturating_sub(at) >= HEADER as u64 {
            let size = (limit - at).min(SEARCH_CHUNK as u64) as usize;
            self.storage.read_at(at, &mut chunk[..size])?;
            for (offset, window) in chunk[..size].array_windows::<HEADER>().enumerate() {
                if window[..4] == MAGIC.to_le_bytes()
                    && let Some(header) = Header::parse(window)
                    && header.salt == *self.salt
                    && header.sequence > self.position.sequence
                {
                    return Ok(Some(at + offset as u64));
                }
            }
            at += (size - HEADER + 1) as u64;
        }
        Ok(None)
    }
}
