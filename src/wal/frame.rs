//! Frames and records: their layout, and the parsing of bytes nobody vouches for.
//!
//! Parsing copies nothing and checks every bound before a record is handed on.

use crate::base::bytes::{Reader, u16_at, u32_at, u64_at};
use crate::base::checksum::crc32_continue;
use crate::base::limits::{CLUSTER, MAX_CLUSTER};
use crate::base::{Code, Error, Result};

/// First field of every frame: "AFWL".
pub const MAGIC: u32 = 0x4c57_4641;
/// Bytes of a frame's header.
pub const HEADER: usize = 40;
/// Largest payload of a frame: 1 MiB.
pub const MAX_PAYLOAD: usize = 1 << 20;
/// Largest state blob of a ROOT record.
pub const MAX_ROOT: usize = 4096;
/// Intents of one record; longer lists are split.
pub const MAX_INTENTS: usize = 8192;
/// Flag of the last frame of a transaction.
pub const FLAG_COMMIT: u32 = 1;

/// Bytes before a record's body: kind and length.
pub const RECORD_HEADER: usize = 5;
/// Bytes of a PAGE body before its ranges.
pub const PAGE_HEADER: usize = 11;
/// Bytes before the content of a range.
pub const RANGE_HEADER: usize = 4;
/// Bytes of one intent.
pub const INTENT: usize = 8;

pub const KIND_PAGE: u8 = 1;
pub const KIND_INTENT: u8 = 2;
pub const KIND_GROW: u8 = 3;
pub const KIND_ROOT: u8 = 4;

const _: () = assert!(RECORD_HEADER + MAX_ROOT <= MAX_PAYLOAD);
const _: () = assert!(RECORD_HEADER + 4 + MAX_INTENTS * INTENT <= MAX_PAYLOAD);
const _: () = assert!(RECORD_HEADER + PAGE_HEADER + 2 * CLUSTER <= MAX_PAYLOAD);

/// Sixteen random bytes that tell one log from another; the map's superblock holds them.
pub type Salt = [u8; 16];

/// The fixed part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub flags: u32,
    /// 0 for the first frame after a reset, then one more each.
    pub sequence: u64,
    pub salt: Salt,
    /// Payload bytes.
    pub length: u32,
    pub crc: u32,
}

impl Header {
    /// The header in `bytes`, or `None` where there is no magic. Nothing else is checked.
    pub fn parse(bytes: &[u8; HEADER]) -> Option<Header> {
        if u32_at(bytes, 0) != MAGIC {
            return None;
        }
        let mut salt = [0; 16];
        salt.copy_from_slice(&bytes[16..32]);
        Some(Header {
            flags: u32_at(bytes, 4),
            sequence: u64_at(bytes, 8),
            salt,
            length: u32_at(bytes, 32),
            crc: u32_at(bytes, 36),
        })
    }

    /// The header as bytes.
    pub fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.flags.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.salt);
        bytes[32..36].copy_from_slice(&self.length.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }

    pub fn is_commit(&self) -> bool {
        self.flags & FLAG_COMMIT != 0
    }
}

/// CRC-32 of a frame: the sum of the frame before it, the header without its sum, the payload.
pub fn frame_crc(previous: u32, header: &[u8; HEADER], payload: &[u8]) -> u32 {
    let seed = crc32_continue(0, &previous.to_le_bytes());
    crc32_continue(crc32_continue(seed, &header[..HEADER - 4]), payload)
}

/// What a page delta is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// A page of zeros.
    Zero,
    /// The page as an earlier record of the same log left it.
    Logged,
}

/// The new content of one cluster, as the ranges that differ from its base.
#[derive(Clone, Copy, Debug)]
pub struct PageDelta<'a> {
    pub cluster: u64,
    pub base: Base,
    /// Ranges as stored; checked by `parse`.
    ranges: &'a [u8],
}

impl<'a> PageDelta<'a> {
    fn parse(body: &'a [u8]) -> Result<PageDelta<'a>> {
        let mut reader = Reader::new(body);
        let cluster = reader.u64()?;
        if cluster >= MAX_CLUSTER {
            return Err(Error::corrupt(format!("a log record names cluster {cluster}")));
        }
        let base = match reader.u8()? {
            0 => Base::Zero,
            1 => Base::Logged,
            other => return Err(Error::corrupt(format!("a log record has page base {other}"))),
        };
        let count = reader.u16()?;
        let ranges = &body[reader.position()..];
        let mut low = 0;
        for _ in 0..count {
            let (offset, length) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
            if length == 0 || offset < low || offset + length > CLUSTER {
                return Err(Error::corrupt(format!(
                    "a log record changes {length} bytes at {offset} of a page"
                ))
                .at_cluster(cluster));
            }
            reader.take(length)?;
            low = offset + length;
        }
        finish(&reader)?;
        Ok(PageDelta { cluster, base, ranges })
    }

    /// The changed ranges, ascending and disjoint: offset in the page and new bytes.
    pub fn ranges(&self) -> impl Iterator<Item = (usize, &'a [u8])> {
        let mut rest = self.ranges;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let (offset, length) = (usize::from(u16_at(rest, 0)), usize::from(u16_at(rest, 2)));
            let (bytes, behind) = rest[RANGE_HEADER..].split_at(length);
            rest = behind;
            Some((offset, bytes))
        })
    }

    /// Makes `page`, which for [`Base::Logged`] must hold the page as logged before, the page
    /// this record describes.
    pub fn apply(&self, page: &mut [u8; CLUSTER]) {
        if self.base == Base::Zero {
            page.fill(0);
        }
        for (offset, bytes) in self.ranges() {
            page[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
    }
}

/// A band about to be written in place, with the sums of its bytes before that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    pub band: u32,
    /// Adler-32 partial sums of the band, modulo 65521.
    pub s1: u16,
    pub s2: u16,
}

/// The intents of one record.
#[derive(Clone, Copy, Debug)]
pub struct Intents<'a>(&'a [u8]);

impl<'a> Intents<'a> {
    fn parse(body: &'a [u8]) -> Result<Intents<'a>> {
        let mut reader = Reader::new(body);
        let count = reader.u32()? as usize;
        let bytes = reader.take(count.saturating_mul(INTENT))?;
        finish(&reader)?;
        Ok(Intents(bytes))
    }

    pub fn iter(&self) -> impl Iterator<Item = Intent> + 'a {
        self.0.chunks_exact(INTENT).map(|bytes| Intent {
            band: u32_at(bytes, 0),
            s1: u16_at(bytes, 4),
            s2: u16_at(bytes, 6),
        })
    }
}

/// One record of the log.
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// New content of a cluster.
    Page(PageDelta<'a>),
    /// Bands that may have been written in place from here on.
    Intents(Intents<'a>),
    /// The map has this many sheets from here on.
    Grow(u32),
    /// The engine's state after the transaction; always its last record.
    Root(&'a [u8]),
}

/// Calls `visit` for each record of a payload. With `commit`, the last record must be a ROOT and
/// no other may; without, none may.
///
/// # Errors
/// `Corrupt` for a malformed record, `Feature` for a kind this build does not know, and whatever
/// `visit` returns.
pub fn for_each_record<'a>(
    payload: &'a [u8],
    commit: bool,
    mut visit: impl FnMut(Record<'a>) -> Result<()>,
) -> Result<()> {
    let mut reader = Reader::new(payload);
    let mut ended = false;
    while reader.remaining() > 0 {
        if ended {
            return Err(Error::corrupt("a log frame goes on after its root record"));
        }
        let kind = reader.u8()?;
        let length = reader.u32()? as usize;
        let body = reader.take(length)?;
        visit(match kind {
            KIND_PAGE => Record::Page(PageDelta::parse(body)?),
            KIND_INTENT => Record::Intents(Intents::parse(body)?),
            KIND_GROW => {
                let mut reader = Reader::new(body);
                let sheets = reader.u32()?;
                finish(&reader)?;
                Record::Grow(sheets)
            }
            KIND_ROOT if length > MAX_ROOT => {
                return Err(Error::corrupt(format!("a root record of {length} bytes")));
            }
            KIND_ROOT => {
                ended = true;
                Record::Root(body)
            }
            other => {
                let message = format!("the log has records of kind {other}, from a newer version");
                return Err(Error::new(Code::Feature, message));
            }
        })?;
    }
    if ended != commit {
        return Err(Error::corrupt("the commit flag and the root record of a log frame disagree"));
    }
    Ok(())
}

fn finish(reader: &Reader<'_>) -> Result<()> {
    match reader.remaining() {
        0 => Ok(()),
        left => Err(Error::corrupt(format!("{left} stray bytes at the end of a log record"))),
    }
}
