//! One record of the table: 8 bytes per cluster.

use crate::base::limits::MAX_REFERENCES;
use crate::base::{Error, Result};

/// What a cluster holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Nothing; may be given out.
    Free = 0,
    /// A node of a B+tree.
    Node = 1,
    /// First cluster of an extent of uncompressed file data.
    Raw = 2,
    /// First cluster of an extent holding one zstd frame.
    Zstd = 3,
    /// A further cluster of an extent; its `references` field holds the distance to the first.
    Tail = 4,
    /// A parity cluster; its checksum is valid while the sheet's parity is not stale.
    Parity = 5,
    /// A superblock, which carries its own checksum.
    Superblock = 6,
}

impl Kind {
    fn from_bits(bits: u32) -> Option<Kind> {
        Some(match bits {
            0 => Kind::Free,
            1 => Kind::Node,
            2 => Kind::Raw,
            3 => Kind::Zstd,
            4 => Kind::Tail,
            5 => Kind::Parity,
            6 => Kind::Superblock,
            _ => return None,
        })
    }

    /// Whether the kind stands on the first cluster of something that is counted.
    pub fn is_counted(self) -> bool {
        matches!(self, Kind::Node | Kind::Raw | Kind::Zstd)
    }
}

/// The record of one cluster: `crc32 u32`, then 20 bits of references (or, on a [`Kind::Tail`],
/// of distance in clusters to the first cluster of the extent), 4 bits of kind, 8 bits of heat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// CRC-32 of the 4096 stored bytes.
    pub crc: u32,
    pub kind: Kind,
    /// References held by tree items, parent nodes and roots; 0..=[`MAX_REFERENCES`].
    pub references: u32,
    /// Observed heat: 0 never read, each step about a doubling of the reads.
    pub heat: u8,
}

impl Record {
    pub const FREE: Record = Record { crc: 0, kind: Kind::Free, references: 0, heat: 0 };
    /// Bytes of one record.
    pub const SIZE: usize = 8;

    pub fn new(kind: Kind, crc: u32, references: u32) -> Record {
        debug_assert!(references <= MAX_REFERENCES);
        Record { crc, kind, references, heat: 0 }
    }

    pub fn to_bytes(self) -> [u8; 8] {
        let word = (self.references & MAX_REFERENCES)
            | (self.kind as u32) << 20
            | u32::from(self.heat) << 24;
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&self.crc.to_le_bytes());
        bytes[4..].copy_from_slice(&word.to_le_bytes());
        bytes
    }

    /// # Errors
    /// `Corrupt` for a kind this version does not know.
    pub fn from_bytes(bytes: [u8; 8]) -> Result<Record> {
        let crc = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let word = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        let kind = Kind::from_bits(word >> 20 & 0xf)
            .ok_or_else(|| Error::corrupt("an allocation record has an unknown kind"))?;
        Ok(Record { crc, kind, references: word & MAX_REFERENCES, heat: (word >> 24) as u8 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_keep_every_field() {
        for kind in [Kind::Free, Kind::Node, Kind::Raw, Kind::Zstd, Kind::Tail, Kind::Parity] {
            for references in [0, 1, 0x8_0001, MAX_REFERENCES] {
                for heat in [0, 1, 255] {
                    let record = Record { crc: 0xdead_beef, kind, references, heat };
                    assert_eq!(Record::from_bytes(record.to_bytes()).unwrap(), record);
                }
            }
        }
    }

    #[test]
    fn unknown_kinds_are_refused() {
        let mut bytes = Record::FREE.to_bytes();
        bytes[6] = 0xf0;
        assert!(Record::from_bytes(bytes).is_err());
    }
}
