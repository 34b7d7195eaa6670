//! The engine's state as of a transaction: what the log's root record and the superblock hold.

use crate::base::bytes::{Put, Reader};
use crate::base::limits::{MAX_CLUSTER, MAX_OBJECT};
use crate::base::{Error, Result};

/// Highest level of a tree node; leaves are level 0. With at least two children a node, a tree
/// this high would exceed any map.
pub const MAX_LEVEL: u8 = 12;

/// Transactions and checkpoints are numbered below this, so that counting on cannot overflow.
pub const MAX_COUNT: u64 = 1 << 62;

/// What a tree holds, counted as it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub files: u64,
    /// The root directory included.
    pub directories: u64,
    pub symlinks: u64,
    /// Fifos, sockets and devices.
    pub others: u64,
    /// Sum of the sizes of all files, in bytes. Saturating: sparse files may exceed 2^64.
    pub bytes: u64,
}

/// The root of one tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Root {
    /// Cluster of the root node; 0 for an empty tree (cluster 0 is a page of the table).
    pub cluster: u64,
    /// Level of the root node.
    pub level: u8,
    pub counters: Counters,
}

impl Root {
    pub const SIZE: usize = 8 + 1 + 5 * 8;

    pub fn put(&self, out: &mut Vec<u8>) {
        out.put_u64(self.cluster);
        out.put_u8(self.level);
        let c = &self.counters;
        for count in [c.files, c.directories, c.symlinks, c.others, c.bytes] {
            out.put_u64(count);
        }
    }

    /// # Errors
    /// `Corrupt` for an impossible cluster or level.
    pub fn read(reader: &mut Reader<'_>) -> Result<Root> {
        let cluster = reader.u64()?;
        let level = reader.u8()?;
        if cluster >= MAX_CLUSTER || level > MAX_LEVEL {
            return Err(Error::corrupt("a tree root names an impossible cluster or level"));
        }
        Ok(Root {
            cluster,
            level,
            counters: Counters {
                files: reader.u64()?,
                directories: reader.u64()?,
                symlinks: reader.u64()?,
                others: reader.u64()?,
                bytes: reader.u64()?,
            },
        })
    }
}

/// Everything a transaction changes apart from pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Transactions committed so far; the number of the last one.
    pub generation: u64,
    /// The tree of files as it is now.
    pub head: Root,
    /// The tree of snapshots and settings, which rollback leaves alone.
    pub catalog: Root,
    /// The next object id to give out; never goes back.
    pub next_object: u64,
    /// Clusters in use: everything that is not free, fixed clusters included.
    pub used: u64,
    /// Sheets of the map.
    pub sheets: u32,
    /// Time of the last transaction, nanoseconds since 1970 (saturating).
    pub modified: i64,
}

impl State {
    pub const SIZE: usize = 8 + 2 * Root::SIZE + 8 + 8 + 4 + 8;

    pub fn put(&self, out: &mut Vec<u8>) {
        out.put_u64(self.generation);
        self.head.put(out);
        self.catalog.put(out);
        out.put_u64(self.next_object);
        out.put_u64(self.used);
        out.put_u32(self.sheets);
        out.put_i64(self.modified);
    }

    /// # Errors
    /// `Corrupt` when a field is out of its range.
    pub fn read(reader: &mut Reader<'_>) -> Result<State> {
        let state = State {
            generation: reader.u64()?,
            head: Root::read(reader)?,
            catalog: Root::read(reader)?,
            next_object: reader.u64()?,
            used: reader.u64()?,
            sheets: reader.u32()?,
            modified: reader.i64()?,
        };
        if state.next_object > MAX_OBJECT || state.sheets == 0 || state.generation >= MAX_COUNT {
            return Err(Error::corrupt("the map's state has an impossible object id or size"));
        }
        Ok(state)
    }

    /// Checks what only the size of the map can tell.
    ///
    /// # Errors
    /// `Corrupt` when more clusters are in use than there are.
    pub fn check(&self, clusters: u64) -> Result<()> {
        if self.used > clusters {
            let what = format!("{} clusters in use, the map has {clusters}", self.used);
            return Err(Error::corrupt(what));
        }
        Ok(())
    }
}
