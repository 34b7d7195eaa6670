//! Directory entries: items keyed by the hash of the name, each holding the entries of that hash.

use siphasher::sip::SipHasher13;
use std::hash::Hasher;

use super::inode::FileType;
use super::{Fs, View, head};
use crate::base::bytes::{Put, Reader};
use crate::base::limits::{MAX_NAME, MAX_OBJECT};
use crate::base::{Code, Error, Result};
use crate::commit::{Root, Store};
use crate::tree::node::MAX_ITEM;
use crate::tree::{Cursor, Key, cursor, item};

/// Bits of a name's hash: exact in a double, so that JavaScript can carry it as a number.
const HASH_BITS: u32 = 52;

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub ino: u64,
    pub file_type: FileType,
    pub name: Vec<u8>,
}

/// Checks a name that is to become a directory entry.
///
/// # Errors
/// `Invalid` for an empty name, `.`, `..`, a slash or a NUL; `NameTooLong` above 255 bytes.
pub fn check_name(name: &[u8]) -> Result<()> {
    if name.len() > MAX_NAME {
        return Err(Error::new(Code::NameTooLong, format!("a name of {} bytes", name.len())));
    }
    if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') || name.contains(&0)
    {
        return Err(Error::new(
            Code::Invalid,
            format!("'{}' cannot be a name", name.escape_ascii()),
        ));
    }
    Ok(())
}

/// SipHash-1-3 of a name under the map's keys, cut to 52 bits.
pub(super) fn name_hash(keys: (u64, u64), name: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(keys.0, keys.1);
    hasher.write(name);
    hasher.finish() >> (64 - HASH_BITS)
}

/// Reads the entries of one item: each `ino u64, type u8, length u8, name`.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Entry>> {
    let mut reader = Reader::new(bytes);
    let mut entries = Vec::with_capacity(1);
    while reader.remaining() > 0 {
        let ino = reader.u64()?;
        let kind = reader.u8()?;
        let length = reader.u8()?;
        let name = reader.take(usize::from(length))?.to_vec();
        check_name(&name)
            .map_err(|error| Error::corrupt(format!("a directory entry: {}", error.message())))?;
        let file_type =
            FileType::of_directory_type(kind).filter(|_| ino > 0 && ino < MAX_OBJECT).ok_or_else(
                || Error::corrupt("a directory entry has an impossible type or inode"),
            )?;
        entries.push(Entry { ino, file_type, name });
    }
    Ok(entries)
}

fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    for entry in entries {
        out.put_u64(entry.ino);
        out.put_u8(entry.file_type.directory_type());
        out.put_u8(entry.name.len() as u8);
        out.put(&entry.name);
    }
    out
}

/// Finds a name in an encoded item without decoding the others.
fn find(bytes: &[u8], name: &[u8]) -> Result<Option<(u64, FileType)>> {
    let mut reader = Reader::new(bytes);
    while reader.remaining() > 0 {
        let ino = reader.u64()?;
        let kind = reader.u8()?;
        let length = reader.u8()?;
        if reader.take(usize::from(length))? == name {
            let file_type = FileType::of_directory_type(kind)
                .ok_or_else(|| Error::corrupt("a directory entry has an impossible type"))?;
            return Ok(Some((ino, file_type)));
        }
    }
    Ok(None)
}

/// The inode under `name`, with its type.
pub(super) fn find_entry(
    store: &Store,
    root: &Root,
    keys: (u64, u64),
    directory: u64,
    name: &[u8],
) -> Result<Option<(u64, FileType)>> {
    let key = Key::new(directory, item::ENTRY, name_hash(keys, name));
    match cursor::get(store, root, key)? {
        Some(item) => find(&item, name),
        None => Ok(None),
    }
}

/// Adds an entry; the name must not be there yet.
pub(super) fn add_entry(
    store: &mut Store,
    keys: (u64, u64),
    directory: u64,
    entry: Entry,
) -> Result<()> {
    let key = Key::new(directory, item::ENTRY, name_hash(keys, &entry.name));
    let mut entries = match head::get(store, key)? {
        Some(item) => decode(&item)?,
        None => Vec::new(),
    };
    entries.push(entry);
    let value = encode(&entries);
    if value.len() > MAX_ITEM {
        return Err(Error::new(Code::NoSpace, "too many names with the same hash"));
    }
    head::put(store, key, &value)
}

/// Removes an entry and returns it.
pub(super) fn remove_entry(
    store: &mut Store,
    keys: (u64, u64),
    directory: u64,
    name: &[u8],
) -> Result<Option<Entry>> {
    let key = Key::new(directory, item::ENTRY, name_hash(keys, name));
    let Some(item) = head::get(store, key)? else { return Ok(None) };
    let mut entries = decode(&item)?;
    let Some(at) = entries.iter().position(|entry| entry.name == name) else { return Ok(None) };
    let entry = entries.swap_remove(at);
    if entries.is_empty() {
        head::remove(store, key)?;
    } else {
        head::put(store, key, &encode(&entries))?;
    }
    Ok(Some(entry))
}

impl Fs {
    /// The inode under `name` in `directory`, with its type; `None` when there is no such name.
    /// `.` and `..` are names like any other, which no directory holds: paths resolve them.
    ///
    /// # Errors
    /// `NotDirectory`, `NotFound` when `directory` is neither; `Corrupt`, `Io`.
    pub fn lookup(
        &self,
        view: View,
        directory: u64,
        name: &[u8],
    ) -> Result<Option<(u64, FileType)>> {
        let root = self.root_of(view);
        let found = find_entry(&self.store, &root, self.hash_keys, directory, name)?;
        if found.is_none() {
            // Only now is it worth knowing whether there is a directory at all.
            self.expect_directory(&root, directory)?;
        }
        Ok(found)
    }

    pub(super) fn expect_directory(&self, root: &Root, ino: u64) -> Result<super::Inode> {
        let inode = self.inode(root, ino)?;
        if inode.is_directory() {
            Ok(inode)
        } else {
            Err(Error::new(Code::NotDirectory, "not a directory"))
        }
    }

    /// Entries of a directory in the order of their hashes, from `cookie` on, 0 being the
    /// start. `visit` gets each entry with the cookie that continues behind it, and returns
    /// `false` to stop before that entry. Among entries that share a hash only the last one's
    /// cookie leads on; stopping inside such a group repeats it.
    ///
    /// # Errors
    /// `NotDirectory`, `Corrupt`, `Io`.
    pub fn read_directory(
        &self,
        view: View,
        directory: u64,
        cookie: u64,
        visit: &mut dyn FnMut(&Entry, u64) -> bool,
    ) -> Result<()> {
        let root = self.root_of(view);
        self.expect_directory(&root, directory)?;
        let start = Key::new(directory, item::ENTRY, cookie);
        let mut cursor = Cursor::at(&self.store, &root, start)?;
        while let Some(item) = cursor.next_in(start)? {
            let entries = decode(&item)?;
            for (index, entry) in entries.iter().enumerate() {
                let last = index + 1 == entries.len();
                if !visit(entry, item.key.offset + u64::from(last)) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for bad in [&b""[..], b".", b"..", b"a/b", b"a\0b"] {
            assert_eq!(check_name(bad).unwrap_err().code(), Code::Invalid);
        }
        assert_eq!(check_name(&[b'x'; 256]).unwrap_err().code(), Code::NameTooLong);
        for good in [&b"..."[..], b"\xff\xfe", &[b'x'; 255]] {
            assert!(check_name(good).is_ok());
        }
    }

    #[test]
    fn hostile_entries_are_refused() {
        let entry = Entry { ino: 5, file_type: FileType::Regular, name: b"ok".to_vec() };
        let good = encode(std::slice::from_ref(&entry));
        assert_eq!(decode(&good).unwrap(), [entry]);
        for cut in 1..good.len() {
            assert!(decode(&good[..cut]).is_err());
        }
        let mut slash = good.clone();
        slash[11] = b'/';
        assert!(decode(&slash).is_err());
    }
}
