//! The superblock: where everything starts. Two copies, written in turn at checkpoints.

use super::state::{MAX_COUNT, State};
use crate::base::bytes::{Put, Reader};
use crate::base::checksum::crc32;
use crate::base::limits::{CLUSTER, MAX_NAME};
use crate::base::{Code, Error, Result};

/// First bytes of a superblock; the last byte is the major format version.
pub const MAGIC: [u8; 8] = *b"AFLOWSB\x03";
/// Version a reader must understand.
pub const READ_VERSION: u16 = 3;
/// Version a writer must understand.
pub const WRITE_VERSION: u16 = 3;

/// Features anyone may ignore.
pub const COMPATIBLE: u64 = 0;
/// Features a writer must know, a reader need not.
pub const READ_ONLY_COMPATIBLE: u64 = READ_ONLY_PARITY;
/// Features everyone must know.
pub const INCOMPATIBLE: u64 = INCOMPATIBLE_ZSTD;
/// Sheets carry Reed-Solomon parity; a writer must mark what it makes stale.
pub const READ_ONLY_PARITY: u64 = 1;
/// Extents may be zstd frames (RFC 8878).
pub const INCOMPATIBLE_ZSTD: u64 = 1;

/// The decoded superblock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    pub compatible: u64,
    pub read_only_compatible: u64,
    pub incompatible: u64,
    pub uuid: [u8; 16],
    /// Picture width in pixels.
    pub width: u32,
    /// Counts checkpoints; the higher of two valid superblocks is the map's. Copy A holds the
    /// even ones.
    pub sequence: u64,
    /// Frames of the log that belongs to this superblock carry this salt.
    pub log_salt: [u8; 16],
    /// Adler-32 sums of the picture at this checkpoint, with the bands that hold the two
    /// superblocks counted as all zero: (a, b).
    pub adler: (u16, u16),
    /// Creation time, nanoseconds since 1970.
    pub created: i64,
    /// Keep parity up to date at close.
    pub parity: bool,
    pub state: State,
    /// Free text, up to 255 bytes.
    pub label: Vec<u8>,
}

impl Superblock {
    /// The bytes of its cluster: fields, zeros, and a CRC-32 of all before it in the last four.
    pub fn encode(&self) -> Box<[u8; CLUSTER]> {
        let mut out = Vec::with_capacity(CLUSTER);
        out.put(&MAGIC);
        out.put_u16(READ_VERSION);
        out.put_u16(WRITE_VERSION);
        out.put_u32(self.width);
        out.put_u64(self.compatible);
        out.put_u64(self.read_only_compatible);
        out.put_u64(self.incompatible);
        out.put(&self.uuid);
        out.put_u64(self.sequence);
        out.put(&self.log_salt);
        out.put_u16(self.adler.0);
        out.put_u16(self.adler.1);
        out.put_u32(u32::from(self.parity));
        out.put_i64(self.created);
        self.state.put(&mut out);
        let label = &self.label[..self.label.len().min(MAX_NAME)];
        out.put_u8(label.len() as u8);
        out.put(label);
        let mut bytes = Box::new([0; CLUSTER]);
        bytes[..out.len()].copy_from_slice(&out);
        let crc = crc32(&bytes[..CLUSTER - 4]);
        bytes[CLUSTER - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a superblock; `None` where there is none at all (no magic).
    ///
    /// # Errors
    /// `Corrupt` when the checksum or a field is wrong, `Version` when a reader of this version
    /// may not read it. Feature bits are not judged here: see [`Superblock::check_features`].
    pub fn decode(bytes: &[u8; CLUSTER], cluster: u64) -> Result<Option<Superblock>> {
        let mut reader = Reader::new(&bytes[..CLUSTER - 4]);
        let magic = reader.take(8)?;
        if magic[..7] != MAGIC[..7] {
            return Ok(None);
        }
        let stored = u32::from_le_bytes([bytes[4092], bytes[4093], bytes[4094], bytes[4095]]);
        let found = crc32(&bytes[..CLUSTER - 4]);
        if stored != found {
            return Err(Error::checksum(cluster, stored, found));
        }
        let read_version = reader.u16()?;
        let write_version = reader.u16()?;
        if magic[7] != MAGIC[7] || read_version > READ_VERSION {
            return Err(Error::new(
                Code::Version,
                format!(
                    "the map needs a reader of format version {read_version}, \
                     this one understands {READ_VERSION}"
                ),
            ));
        }
        let mut superblock = Superblock {
            width: reader.u32()?,
            compatible: reader.u64()?,
            read_only_compatible: reader.u64()?,
            incompatible: reader.u64()?,
            uuid: array(&mut reader)?,
            sequence: reader.u64()?,
            log_salt: array(&mut reader)?,
            adler: (reader.u16()?, reader.u16()?),
            parity: reader.u32()? & 1 != 0,
            created: reader.i64()?,
            state: State::read(&mut reader)?,
            label: Vec::new(),
        };
        let label = reader.u8()?;
        superblock.label = reader.take(usize::from(label))?.to_vec();
        if superblock.sequence >= MAX_COUNT {
            return Err(Error::corrupt("a superblock has an impossible sequence number")
                .at_cluster(cluster));
        }
        if write_version > WRITE_VERSION {
            // A writer of this version would not keep its rules: the same as an unknown feature
            // that a reader may ignore.
            superblock.read_only_compatible |= 1 << 63;
        }
        Ok(Some(superblock))
    }

    /// Refuses features this build does not know.
    ///
    /// # Errors
    /// `Feature` for an incompatible one, or, when `writable`, for one a writer must know.
    pub fn check_features(&self, writable: bool) -> Result<()> {
        let unknown = self.incompatible & !INCOMPATIBLE;
        if unknown != 0 {
            return Err(Error::new(
                Code::Feature,
                format!("the map uses features this version cannot read (bits {unknown:#x})"),
            ));
        }
        let unknown = self.read_only_compatible & !READ_ONLY_COMPATIBLE;
        if writable && unknown != 0 {
            return Err(Error::new(
                Code::Feature,
                format!(
                    "the map uses features this version cannot write (bits {unknown:#x}); \
                     it can be opened read-only"
                ),
            ));
        }
        Ok(())
    }
}

fn array(reader: &mut Reader<'_>) -> Result<[u8; 16]> {
    let mut array = [0; 16];
    array.copy_from_slice(reader.take(16)?);
    Ok(array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::{Counters, Root};

    fn sample() -> Superblock {
        let counters = Counters { files: 3, directories: 2, symlinks: 1, others: 0, bytes: 77 };
        Superblock {
            compatible: 0,
            read_only_compatible: READ_ONLY_PARITY,
            incompatible: INCOMPATIBLE_ZSTD,
            uuid: [7; 16],
            width: 1024,
            sequence: 9,
            log_salt: [3; 16],
            adler: (65520, 1),
            created: -5,
            parity: true,
            state: State {
                generation: 4,
                head: Root { cluster: 99, level: 1, counters },
                catalog: Root { cluster: 98, level: 0, counters: Counters::default() },
                next_object: 12,
                used: 5,
                sheets: 1,
                modified: 1 << 60,
            },
            label: b"first".to_vec(),
        }
    }

    #[test]
    fn survives_the_round_trip() {
        let bytes = sample().encode();
        assert_eq!(Superblock::decode(&bytes, 2).unwrap(), Some(sample()));
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let bytes = sample().encode();
        for bit in 0..CLUSTER * 8 {
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(Superblock::decode(&broken, 2), Ok(Some(_))), "bit {bit}");
        }
    }

    #[test]
    fn unknown_features_are_refused() {
        let mut superblock = sample();
        superblock.read_only_compatible |= 1 << 9;
        assert!(superblock.check_features(false).is_ok());
        assert_eq!(superblock.check_features(true).unwrap_err().code(), Code::Feature);
        superblock.incompatible |= 1 << 5;
        assert_eq!(superblock.check_features(false).unwrap_err().code(), Code::Feature);
    }
}
