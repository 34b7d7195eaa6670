//! Extended attributes: names up to 255 bytes, values up to 64 KiB.
//!
//! Items are keyed by the hash of the name and hold the attributes of that hash. A value that
//! does not fit there lies in pieces of its own.

use super::dir::name_hash;
use super::{Fs, View, head};
use crate::base::bytes::{Put, Reader};
use crate::base::limits::{MAX_NAME, MAX_XATTR_VALUE};
use crate::base::order;
use crate::base::{Code, Error, Result};
use crate::commit::{Root, Store};
use crate::tree::node::MAX_ITEM;
use crate::tree::{Cursor, Key, cursor, item};

/// Values up to this size stand beside their name.
const BESIDE: usize = 256;
/// Bytes of a piece of a longer value.
pub(super) const PIECE: usize = 900;
/// Bits of a key's offset that number the pieces of one value.
pub(super) const PIECE_BITS: u32 = 10;

/// How [`Fs::set_attribute`] treats an attribute that exists or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetAttribute {
    Either,
    /// `XATTR_CREATE`
    Create,
    /// `XATTR_REPLACE`
    Replace,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Beside(Vec<u8>),
    /// In pieces: their number among the inode's values, and the length in bytes.
    Pieces {
        number: u64,
        length: u32,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    pub name: Vec<u8>,
    pub value: Value,
}

/// Reads the attributes of one item: each `name length u8, name, kind u8`, then for kind 0
/// `length u16, value`, for kind 1 `number u64, length u32`.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Attribute>> {
    let mut reader = Reader::new(bytes);
    let mut attributes = Vec::with_capacity(1);
    while reader.remaining() > 0 {
        let length = reader.u8()?;
        let name = reader.take(usize::from(length))?.to_vec();
        let value = match reader.u8()? {
            0 => {
                let length = reader.u16()?;
                Value::Beside(reader.take(usize::from(length))?.to_vec())
            }
            1 => {
                let (number, length) = (reader.u64()?, reader.u32()?);
                if length as usize > MAX_XATTR_VALUE || number >= 1 << (64 - PIECE_BITS) {
                    return Err(Error::corrupt("an attribute has an impossible length"));
                }
                Value::Pieces { number, length }
            }
            _ => return Err(Error::corrupt("an attribute is of an unknown kind")),
        };
        if name.is_empty() {
            return Err(Error::corrupt("an attribute has no name"));
        }
        attributes.push(Attribute { name, value });
    }
    Ok(attributes)
}

fn encode(attributes: &[Attribute]) -> Vec<u8> {
    let mut out = Vec::new();
    for attribute in attributes {
        out.put_u8(attribute.name.len() as u8);
        out.put(&attribute.name);
        match &attribute.value {
            Value::Beside(value) => {
                out.put_u8(0);
                out.put_u16(value.len() as u16);
                out.put(value);
            }
            Value::Pieces { number, length } => {
                out.put_u8(1);
                out.put_u64(*number);
                out.put_u32(*length);
            }
        }
    }
    out
}

fn no_data() -> Error {
    Error::new(Code::NoData, "no such attribute")
}

fn piece_key(ino: u64, number: u64, piece: u64) -> Key {
    Key::new(ino, item::PIECE, number << PIECE_BITS | piece)
}

impl Fs {
    /// The value of an attribute.
    ///
    /// # Errors
    /// `NoData` when there is none; `NotFound`, `Corrupt`, `Io`.
    pub fn attribute(&self, view: View, ino: u64, name: &[u8]) -> Result<Vec<u8>> {
        let root = self.root_of(view);
        let key = Key::new(ino, item::XATTR, name_hash(self.hash_keys, name));
        let Some(item) = cursor::get(&self.store, &root, key)? else {
            self.inode(&root, ino)?;
            return Err(no_data());
        };
        let attribute = decode(&item)?.into_iter().find(|attribute| attribute.name == name);
        match attribute.ok_or_else(no_data)?.value {
            Value::Beside(value) => Ok(value),
            Value::Pieces { number, length } => {
                read_pieces(&self.store, &root, ino, number, length as usize)
            }
        }
    }

    /// The names of all attributes of an inode.
    ///
    /// # Errors
    /// `NotFound`, `Corrupt`, `Io`.
    pub fn attributes(&self, view: View, ino: u64) -> Result<Vec<Vec<u8>>> {
        let root = self.root_of(view);
        self.inode(&root, ino)?;
        let start = Key::new(ino, item::XATTR, 0);
        let mut cursor = Cursor::at(&self.store, &root, start)?;
        let mut names = Vec::new();
        while let Some(item) = cursor.next_in(start)? {
            names.extend(decode(&item)?.into_iter().map(|attribute| attribute.name));
        }
        order::by(&mut names, Ord::cmp);
        Ok(names)
    }

    /// Sets an attribute.
    ///
    /// # Errors
    /// `Exists`, `NoData` as asked by `manner`; `Range` for an empty or too long name, `TooBig`
    /// for a value over 64 KiB; `NoSpace`, `ReadOnly`.
    pub fn set_attribute(
        &mut self,
        ino: u64,
        name: &[u8],
        value: &[u8],
        manner: SetAttribute,
    ) -> Result<()> {
        if name.is_empty() || name.len() > MAX_NAME || name.contains(&0) {
            return Err(Error::new(Code::Range, "an attribute's name has 1 to 255 bytes, no NUL"));
        }
        if value.len() > MAX_XATTR_VALUE {
            return Err(Error::new(Code::TooBig, "an attribute's value has at most 64 KiB"));
        }
        let key = Key::new(ino, item::XATTR, name_hash(self.hash_keys, name));
        self.change_attributes(ino, key, |store, attributes| {
            let at = attributes.iter().position(|attribute| attribute.name == name);
            match (at, manner) {
                (Some(_), SetAttribute::Create) => {
                    return Err(Error::new(Code::Exists, "the attribute exists"));
                }
                (None, SetAttribute::Replace) => return Err(no_data()),
                _ => {}
            }
            if let Some(at) = at {
                drop_value(store, ino, &attributes.swap_remove(at).value)?;
            }
            let value = if value.len() <= BESIDE {
                Value::Beside(value.to_vec())
            } else {
                write_pieces(store, ino, value)?
            };
            attributes.push(Attribute { name: name.to_vec(), value });
            Ok(())
        })
    }

    /// Removes an attribute.
    ///
    /// # Errors
    /// `NoData` when there is none; `NotFound`, `ReadOnly`.
    pub fn remove_attribute(&mut self, ino: u64, name: &[u8]) -> Result<()> {
        let key = Key::new(ino, item::XATTR, name_hash(self.hash_keys, name));
        self.change_attributes(ino, key, |store, attributes| {
            let at = attributes.iter().position(|attribute| attribute.name == name);
            let removed = attributes.swap_remove(at.ok_or_else(no_data)?);
            drop_value(store, ino, &removed.value)
        })
    }

    fn change_attributes(
        &mut self,
        ino: u64,
        key: Key,
        change: impl FnOnce(&mut Store, &mut Vec<Attribute>) -> Result<()>,
    ) -> Result<()> {
        let now = self.now();
        self.store.atomically(|store| {
            let mut inode = head::inode(store, &store.state().head, ino)?;
            let mut attributes = match head::get(store, key)? {
                Some(item) => decode(&item)?,
                None => Vec::new(),
            };
            change(store, &mut attributes)?;
            if attributes.is_empty() {
                head::remove(store, key)?;
            } else {
                let bytes = encode(&attributes);
                if bytes.len() > MAX_ITEM {
                    return Err(Error::new(Code::NoSpace, "too many attributes with one hash"));
                }
                head::put(store, key, &bytes)?;
            }
            inode.changed = now;
            head::put_inode(store, ino, &inode)
        })
    }
}

fn read_pieces(
    store: &Store,
    root: &Root,
    ino: u64,
    number: u64,
    length: usize,
) -> Result<Vec<u8>> {
    let start = piece_key(ino, number, 0);
    let mut cursor = Cursor::at(store, root, start)?;
    let mut value = Vec::with_capacity(length);
    while value.len() < length
        && let Some(piece) = cursor.next_in(start)?
    {
        value.extend_from_slice(&piece);
    }
    if value.len() == length {
        Ok(value)
    } else {
        Err(Error::corrupt(format!("an attribute of inode {ino} has lost pieces of its value")))
    }
}

fn write_pieces(store: &mut Store, ino: u64, value: &[u8]) -> Result<Value> {
    // The lowest number no other value of this inode uses.
    let mut number = 0;
    while head::get(store, piece_key(ino, number, 0))?.is_some() {
        number += 1;
    }
    for (index, piece) in value.chunks(PIECE).enumerate() {
        head::put(store, piece_key(ino, number, index as u64), piece)?;
    }
    Ok(Value::Pieces { number, length: value.len() as u32 })
}

fn drop_value(store: &mut Store, ino: u64, value: &Value) -> Result<()> {
    if let Value::Pieces { number, length } = value {
        for piece in 0..(*length as usize).div_ceil(PIECE) {
            head::remove(store, piece_key(ino, *number, piece as u64))?;
        }
    }
    Ok(())
}
