//! Keys: whose item, which item, and where or under which hash.

use crate::base::limits::MAX_OBJECT;

/// The key of an item. Ordered by object, then kind, then offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Object id in the upper 56 bits, kind of item in the lower 8.
    high: u64,
    /// Byte offset in the file, hash of a name, or a running number.
    pub offset: u64,
}

impl Key {
    pub const MIN: Key = Key { high: 0, offset: 0 };
    pub const MAX: Key = Key { high: u64::MAX, offset: u64::MAX };
    /// Bytes of an encoded key.
    pub const SIZE: usize = 16;

    #[inline]
    pub fn new(object: u64, kind: u8, offset: u64) -> Key {
        debug_assert!(object < MAX_OBJECT);
        Key { high: object << 8 | u64::from(kind), offset }
    }

    #[inline]
    pub fn object(self) -> u64 {
        self.high >> 8
    }

    #[inline]
    pub fn kind(self) -> u8 {
        self.high as u8
    }

    /// Whether both belong to the same object and kind.
    #[inline]
    pub fn same_list(self, other: Key) -> bool {
        self.high == other.high
    }

    /// The key right after this one.
    pub fn successor(self) -> Key {
        match self.offset.checked_add(1) {
            Some(offset) => Key { high: self.high, offset },
            None => Key { high: self.high.saturating_add(1), offset: 0 },
        }
    }

    /// `high u64, offset u64`, little-endian.
    #[inline]
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.high.to_le_bytes());
        bytes[8..].copy_from_slice(&self.offset.to_le_bytes());
        bytes
    }

    #[inline]
    pub fn from_bytes(bytes: &[u8; 16]) -> Key {
        let (high, offset) = bytes.split_at(8);
        let word = |half: &[u8]| {
            let mut word = [0; 8];
            word.copy_from_slice(half);
            u64::from_le_bytes(word)
        };
        Key { high: word(high), offset: word(offset) }
    }
}
