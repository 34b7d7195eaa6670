//! The kinds of items, and the file item, the only one that references clusters.
//!
//! A reader that meets a kind it does not know ignores it; a writer keeps it. Kinds that change
//! the meaning of others come with a feature bit in the superblock. No unknown kind references
//! clusters.

use super::key::Key;
use crate::base::bytes::{Put, Reader};
use crate::base::limits::{CLUSTER, MAX_CLUSTER, MAX_FRAME, MAX_RAW_EXTENT};
use crate::base::{Error, Result};

/// Kinds of items in the tree of files.
pub const INODE: u8 = 1;
/// Directory entries by hash of the name.
pub const ENTRY: u8 = 2;
/// Extended attributes by hash of the name.
pub const XATTR: u8 = 3;
/// Pieces of a symbolic link's target.
pub const SYMLINK: u8 = 4;
/// Pieces of a long attribute value.
pub const PIECE: u8 = 5;
/// File data by offset.
pub const DATA: u8 = 7;
/// An inode without a name that was still open.
pub const ORPHAN: u8 = 8;
/// In the catalog: a snapshot, by number.
pub const SNAPSHOT: u8 = 16;
/// In the catalog: a piece of the settings.
pub const SETTING: u8 = 17;

/// Where the bytes of a stretch of a file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In an extent, as they are.
    Raw(Extent),
    /// In an extent that holds one zstd frame.
    Zstd(Extent),
    /// Nowhere: every byte is this one.
    Fill(u8),
    /// Nowhere: the pattern repeats; byte `i` of the stretch is `pattern[(phase + i) % len]`.
    Pattern { phase: u8, pattern: Vec<u8> },
    /// In the item itself.
    Inline(Vec<u8>),
}

/// A stretch of an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First cluster.
    pub first: u64,
    /// Clusters of the whole extent.
    pub clusters: u16,
    /// Bytes of the whole extent once decompressed.
    pub logical: u32,
    /// Bytes of the whole extent as stored.
    pub stored: u32,
    /// Where the stretch begins in the decompressed extent, in bytes.
    pub offset: u32,
}

/// The file item: a stretch of a file, `length` bytes from the key's offset on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub length: u64,
    pub source: Source,
}

const RAW: u8 = 0;
const ZSTD: u8 = 1;
const FILL: u8 = 2;
const PATTERN: u8 = 3;
const INLINE: u8 = 4;
/// Where `first` and `clusters` stand in an item with an extent.
const FIRST: usize = 9;
const CLUSTERS: usize = 17;

impl Stretch {
    /// The item's bytes: `type u8, length u64`, then for an extent `first u64, clusters u16,
    /// logical u32, stored u32, offset u32`; for a fill the byte; for a pattern `phase u8` and
    /// the pattern; inline, the bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(31);
        let kind = match &self.source {
            Source::Raw(_) => RAW,
            Source::Zstd(_) => ZSTD,
            Source::Fill(_) => FILL,
            Source::Pattern { .. } => PATTERN,
            Source::Inline(_) => INLINE,
        };
        out.put_u8(kind);
        out.put_u64(self.length);
        match &self.source {
            Source::Raw(extent) | Source::Zstd(extent) => {
                out.put_u64(extent.first);
                out.put_u16(extent.clusters);
                out.put_u32(extent.logical);
                out.put_u32(extent.stored);
                out.put_u32(extent.offset);
            }
            Source::Fill(byte) => out.put_u8(*byte),
            Source::Pattern { phase, pattern } => {
                out.put_u8(*phase);
                out.put(pattern);
            }
            Source::Inline(bytes) => out.put(bytes),
        }
        out
    }

    /// Reads an item and checks everything that can be checked without the table.
    ///
    /// # Errors
    /// `Corrupt` naming the rule that is broken.
    pub fn decode(key: Key, bytes: &[u8]) -> Result<Stretch> {
        let broken = |what: &str| {
            Error::corrupt(format!(
                "the file item at {} of object {} {what}",
                key.offset,
                key.object()
            ))
        };
        let mut reader = Reader::new(bytes);
        let kind = reader.u8()?;
        let length = reader.u64()?;
        if length == 0 || key.offset.checked_add(length).is_none_or(|end| end > i64::MAX as u64) {
            return Err(broken("has an impossible length"));
        }
        let source = match kind {
            RAW | ZSTD => {
                let extent = Extent {
                    first: reader.u64()?,
                    clusters: reader.u16()?,
                    logical: reader.u32()?,
                    stored: reader.u32()?,
                    offset: reader.u32()?,
                };
                let limit = if kind == RAW { MAX_RAW_EXTENT } else { MAX_FRAME };
                let sane = extent.first < MAX_CLUSTER
                    && extent.logical as usize <= limit
                    && extent.stored as usize <= limit
                    && (extent.stored as usize).div_ceil(CLUSTER) == usize::from(extent.clusters)
                    && extent.clusters > 0
                    && (kind == ZSTD || extent.stored == extent.logical)
                    && u64::from(extent.offset) + length <= u64::from(extent.logical);
                if !sane {
                    return Err(broken("names an impossible extent"));
                }
                if kind == RAW { Source::Raw(extent) } else { Source::Zstd(extent) }
            }
            FILL => Source::Fill(reader.u8()?),
            PATTERN => {
                let phase = reader.u8()?;
                let pattern = reader.take(reader.remaining())?.to_vec();
                if pattern.is_empty() || pattern.len() > 64 || usize::from(phase) >= pattern.len() {
                    return Err(broken("has an impossible pattern"));
                }
                Source::Pattern { phase, pattern }
            }
            INLINE => {
                let inline = reader.take(reader.remaining())?.to_vec();
                if inline.len() as u64 != length {
                    return Err(broken("has inline data of another length"));
                }
                Source::Inline(inline)
            }
            _ => return Err(broken("is of an unknown type")),
        };
        if reader.remaining() > 0 {
            return Err(broken("has stray bytes"));
        }
        Ok(Stretch { length, source })
    }

    /// The part `from..to` of the stretch, in bytes from its start.
    pub fn part(&self, from: u64, to: u64) -> Stretch {
        debug_assert!(from < to && to <= self.length);
        let source = match &self.source {
            Source::Raw(extent) => {
                Source::Raw(Extent { offset: extent.offset + from as u32, ..*extent })
            }
            Source::Zstd(extent) => {
                Source::Zstd(Extent { offset: extent.offset + from as u32, ..*extent })
            }
            Source::Fill(byte) => Source::Fill(*byte),
            Source::Pattern { phase, pattern } => {
                let phase = (u64::from(*phase) + from) % pattern.len() as u64;
                Source::Pattern { phase: phase as u8, pattern: pattern.clone() }
            }
            Source::Inline(bytes) => Source::Inline(bytes[from as usize..to as usize].to_vec()),
        };
        Stretch { length: to - from, source }
    }

    /// The extent the stretch references.
    pub fn extent(&self) -> Option<&Extent> {
        match &self.source {
            Source::Raw(extent) | Source::Zstd(extent) => Some(extent),
            _ => None,
        }
    }
}

/// The extent that an item references, as (first cluster, clusters), if it does.
pub fn extent_of(key: Key, value: &[u8]) -> Option<(u64, u32)> {
    if key.kind() != DATA || value.len() < CLUSTERS + 2 || value[0] > ZSTD {
        return None;
    }
    let first = crate::base::bytes::u64_at(value, FIRST);
    let clusters = crate::base::bytes::u16_at(value, CLUSTERS);
    Some((first, u32::from(clusters)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_survive_the_round_trip_and_cutting() {
        let extent = Extent { first: 77, clusters: 3, logical: 12_000, stored: 12_000, offset: 5 };
        let frame = Extent { first: 9, clusters: 1, logical: 100_000, stored: 4000, offset: 0 };
        let pattern = Source::Pattern { phase: 2, pattern: b"abc".to_vec() };
        let key = Key::new(5, DATA, 4096);
        for (length, source) in [
            (11_995, Source::Raw(extent)),
            (100_000, Source::Zstd(frame)),
            (1 << 40, Source::Fill(7)),
            (1 << 41, pattern),
            (4, Source::Inline(b"four".to_vec())),
        ] {
            let stretch = Stretch { length, source };
            assert_eq!(Stretch::decode(key, &stretch.encode()).unwrap(), stretch);
            let part = stretch.part(1, 3);
            assert_eq!(Stretch::decode(key, &part.encode()).unwrap(), part);
        }
    }

    #[test]
    fn impossible_items_are_refused() {
        let extent = Extent { first: 1, clusters: 1, logical: 4096, stored: 4096, offset: 4000 };
        for stretch in [
            Stretch { length: 97, source: Source::Raw(extent) },
            Stretch { length: 0, source: Source::Fill(1) },
            Stretch { length: u64::MAX, source: Source::Fill(1) },
            Stretch { length: 3, source: Source::Inline(vec![1]) },
            Stretch { length: 3, source: Source::Pattern { phase: 3, pattern: vec![1, 2, 3] } },
        ] {
            assert!(Stretch::decode(Key::new(5, DATA, 0), &stretch.encode()).is_err());
        }
    }
}
