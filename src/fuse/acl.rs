//! POSIX access control lists as extended attributes carry them.
//!
//! The layout is Linux's `posix_acl_xattr.h`: a version (2) as `u32`, then entries of
//! `tag u16, permissions u16, id u32`, little-endian. The rules are those of IEEE 1003.1e draft
//! 17, section 23, as acl(5) gives them. Who may do what is checked by the kernel; here stands
//! what an ACL says about a mode, what a mode says about an ACL, and what a new file inherits.

use crate::base::{Code, Error, Result};

/// The attribute that holds who may use a file.
pub const ACCESS: &[u8] = b"system.posix_acl_access";
/// The attribute of a directory that holds what is made in it inherits.
pub const DEFAULT: &[u8] = b"system.posix_acl_default";

const VERSION: u32 = 2;
const ENTRY: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tag {
    Owner,
    User,
    Group,
    NamedGroup,
    Mask,
    Other,
}

impl Tag {
    fn of(value: u16) -> Option<Tag> {
        Some(match value {
            0x01 => Tag::Owner,
            0x02 => Tag::User,
            0x04 => Tag::Group,
            0x08 => Tag::NamedGroup,
            0x10 => Tag::Mask,
            0x20 => Tag::Other,
            _ => return None,
        })
    }

    fn value(self) -> u16 {
        match self {
            Tag::Owner => 0x01,
            Tag::User => 0x02,
            Tag::Group => 0x04,
            Tag::NamedGroup => 0x08,
            Tag::Mask => 0x10,
            Tag::Other => 0x20,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    tag: Tag,
    /// rwx, 0..=7
    permissions: u16,
    /// User or group of a named entry.
    id: u32,
}

/// An access control list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    entries: Vec<Entry>,
}

impl Acl {
    /// Reads a list; `None` for one without entries, which stands for none at all.
    ///
    /// # Errors
    /// `Unsupported` for another version; `Invalid` for entries that are malformed, out of
    /// order, repeated, or that lack one of the three everybody needs.
    pub fn decode(bytes: &[u8]) -> Result<Option<Acl>> {
        let invalid = |what: &str| Error::new(Code::Invalid, format!("an ACL {what}"));
        let (version, rest) =
            bytes.split_first_chunk::<4>().ok_or_else(|| invalid("without a version"))?;
        if u32::from_le_bytes(*version) != VERSION {
            return Err(Error::new(Code::Unsupported, "an ACL of another version"));
        }
        let (chunks, []) = rest.as_chunks::<ENTRY>() else {
            return Err(invalid("with half an entry"));
        };
        let mut entries = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let half = |at: usize| u16::from_le_bytes([chunk[at], chunk[at + 1]]);
            let tag = Tag::of(half(0)).ok_or_else(|| invalid("with an unknown entry"))?;
            let permissions = half(2);
            if permissions > 7 {
                return Err(invalid("with unknown permissions"));
            }
            let id = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
            entries.push(Entry { tag, permissions, id });
        }
        if entries.is_empty() {
            return Ok(None);
        }
        let acl = Acl { entries };
        acl.check().map_err(invalid)?;
        Ok(Some(acl))
    }

    fn check(&self) -> std::result::Result<(), &'static str> {
        if !self.entries.is_sorted_by_key(|entry| entry.tag) {
            return Err("with its entries out of order");
        }
        let count = |tag| self.entries.iter().filter(|entry| entry.tag == tag).count();
        if [Tag::Owner, Tag::Group, Tag::Other].iter().any(|&tag| count(tag) != 1) {
            return Err("without exactly one entry for owner, group and others");
        }
        let named = count(Tag::User) + count(Tag::NamedGroup);
        if count(Tag::Mask) > 1 || named > 0 && count(Tag::Mask) == 0 {
            return Err("with named entries needs one mask");
        }
        Ok(())
    }

    /// The attribute's value.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 + ENTRY * self.entries.len());
        bytes.extend(VERSION.to_le_bytes());
        for entry in &self.entries {
            bytes.extend(entry.tag.value().to_le_bytes());
            bytes.extend(entry.permissions.to_le_bytes());
            bytes.extend(entry.id.to_le_bytes());
        }
        bytes
    }

    /// Whether the permission bits of a mode say all of it.
    pub fn is_plain(&self) -> bool {
        self.entries.len() == 3
    }

    /// The nine permission bits it stands for: the mask, where there is one, is the group's.
    pub fn mode(&self) -> u32 {
        let of = |tag| self.entries.iter().find(|entry| entry.tag == tag).map(|e| e.permissions);
        let owner = of(Tag::Owner).unwrap_or(0);
        let group = of(Tag::Mask).or_else(|| of(Tag::Group)).unwrap_or(0);
        let other = of(Tag::Other).unwrap_or(0);
        u32::from(owner << 6 | group << 3 | other)
    }

    /// Follows a `chmod`.
    pub fn set_mode(&mut self, mode: u32) {
        let masked = self.entries.iter().any(|entry| entry.tag == Tag::Mask);
        for entry in &mut self.entries {
            let shift = match entry.tag {
                Tag::Owner => 6,
                Tag::Mask => 3,
                Tag::Group if !masked => 3,
                Tag::Other => 0,
                _ => continue,
            };
            entry.permissions = (mode >> shift & 7) as u16;
        }
    }

    /// What a new file made with `mode` gets from this default list: the list restricted by the
    /// mode. Its [`mode`](Acl::mode) is the file's.
    pub fn inherited(&self, mode: u32) -> Acl {
        let mut acl = self.clone();
        acl.set_mode(self.mode() & mode);
        acl
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = 2u32.to_le_bytes().to_vec();
        for &(tag, permissions, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permissions.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    const NONE: u32 = u32::MAX;

    #[test]
    fn a_list_survives_the_round_trip_and_says_its_mode() {
        let bytes = acl(&[
            (1, 7, NONE),
            (2, 6, 1000),
            (4, 5, NONE),
            (8, 4, 50),
            (16, 4, NONE),
            (32, 1, NONE),
        ]);
        let list = Acl::decode(&bytes).unwrap().unwrap();
        assert_eq!(list.encode(), bytes);
        assert!(!list.is_plain());
        assert_eq!(list.mode(), 0o741);
    }

    #[test]
    fn chmod_changes_the_mask_and_leaves_the_group() {
        let bytes = acl(&[(1, 7, NONE), (2, 6, 1000), (4, 5, NONE), (16, 7, NONE), (32, 0, NONE)]);
        let mut list = Acl::decode(&bytes).unwrap().unwrap();
        list.set_mode(0o640);
        assert_eq!(list.mode(), 0o640);
        assert_eq!(list.entries[2].permissions, 5);
    }

    #[test]
    fn what_is_made_gets_no_more_than_its_mode() {
        let bytes = acl(&[(1, 7, NONE), (2, 7, 7), (4, 7, NONE), (16, 7, NONE), (32, 5, NONE)]);
        let list = Acl::decode(&bytes).unwrap().unwrap();
        let inherited = list.inherited(0o644);
        assert_eq!(inherited.mode(), 0o644);
        let plain = Acl::decode(&acl(&[(1, 7, NONE), (4, 5, NONE), (32, 0, NONE)])).unwrap();
        assert_eq!(plain.unwrap().inherited(0o666).mode(), 0o640);
    }

    #[test]
    fn malformed_lists_are_refused() {
        assert_eq!(Acl::decode(&acl(&[])).unwrap(), None);
        for bad in [
            vec![],
            vec![2, 0, 0],
            vec![1, 0, 0, 0],
            acl(&[(1, 7, NONE)]),
            acl(&[(4, 7, NONE), (1, 7, NONE), (32, 0, NONE)]),
            acl(&[(1, 7, NONE), (2, 7, 5), (4, 7, NONE), (32, 0, NONE)]),
            acl(&[(1, 8, NONE), (4, 7, NONE), (32, 0, NONE)]),
            acl(&[(1, 7, NONE), (3, 7, NONE), (32, 0, NONE)]),
            acl(&[(1, 7, NONE), (4, 7, NONE), (32, 0, NONE)])[..20].to_vec(),
        ] {
            assert!(Acl::decode(&bad).is_err(), "{bad:?}");
        }
    }
}
