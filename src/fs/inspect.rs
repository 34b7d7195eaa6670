//! What a check needs to know of items beyond what reading and writing them does.

use super::{Fs, dir, settings, xattr};
use crate::base::Result;

/// An attribute as its item tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeShape {
    pub name: Vec<u8>,
    /// Of a value in pieces: the offset of the first piece's key, and the bytes of all of them.
    pub pieces: Option<(u64, u32)>,
}

impl Fs {
    /// The hash under which this map keeps a name: the offset of its item's key.
    pub fn name_hash(&self, name: &[u8]) -> u64 {
        dir::name_hash(self.hash_keys, name)
    }
}

/// The attributes of an item.
///
/// # Errors
/// `Corrupt`.
pub fn attributes(bytes: &[u8]) -> Result<Vec<AttributeShape>> {
    let attributes = xattr::decode(bytes)?;
    Ok(attributes
        .into_iter()
        .map(|attribute| AttributeShape {
            name: attribute.name,
            pieces: match attribute.value {
                xattr::Value::Beside(_) => None,
                xattr::Value::Pieces { number, length } => {
                    Some((number << xattr::PIECE_BITS, length))
                }
            },
        })
        .collect())
}

/// The key's offset of the first piece of the value that the piece at `offset` belongs to.
pub fn first_piece(offset: u64) -> u64 {
    offset >> xattr::PIECE_BITS << xattr::PIECE_BITS
}

/// Checks the settings, given as the bytes of all their pieces.
///
/// # Errors
/// `Corrupt`.
pub fn check_settings(bytes: &[u8]) -> Result<()> {
    settings::decode(bytes).map(|_| ())
}
