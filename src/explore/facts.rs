//! What the allocation table says of the clusters of a sheet, in three bytes each.

use crate::base::checksum::crc32;
use crate::base::{Code, Result};
use crate::container::Geometry;
use crate::fs::Fs;
use crate::vat::page as table;
use crate::vat::{Kind, Record};

/// What a cluster holds; a further cluster of an extent counts as what its first is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Held {
    /// Its page of the table was not looked at.
    Unread,
    Free,
    Node,
    Raw,
    Zstd,
    Parity,
    Superblock,
    Table,
    /// Its page of the table is damaged, or its record makes no sense.
    Broken,
}

/// One cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    pub held: Held,
    pub tail: bool,
    /// Of its extent, as the table has it.
    pub heat: u8,
}

impl Fact {
    fn whole(held: Held) -> Fact {
        Fact { held, tail: false, heat: 0 }
    }

    /// Whether bytes of a file are there.
    pub fn is_data(self) -> bool {
        matches!(self.held, Held::Raw | Held::Zstd)
    }

    /// What a record says behind a cluster of which `before` is known.
    fn of(record: Record, before: Fact) -> Fact {
        let held = match record.kind {
            Kind::Free => Held::Free,
            Kind::Node => Held::Node,
            Kind::Raw => Held::Raw,
            Kind::Zstd => Held::Zstd,
            Kind::Parity => Held::Parity,
            Kind::Superblock => Held::Superblock,
            Kind::Tail => return Fact::further(before),
        };
        Fact { held, tail: false, heat: record.heat }
    }

    fn further(before: Fact) -> Fact {
        let (held, heat) = match before.held {
            Held::Raw | Held::Zstd => (before.held, before.heat),
            // Until the page before is read as well.
            Held::Unread => (Held::Raw, 0),
            _ => (Held::Broken, 0),
        };
        Fact { held, tail: true, heat }
    }
}

/// A sheet, page by page as far as its table was read.
pub struct Facts {
    list: Box<[Fact]>,
    /// Checksums of the pages as they were read.
    sums: Box<[u32]>,
    /// When something changed last: what clusters hold, their heat, anything in the table.
    pub held: u32,
    pub heat: u32,
    pub bytes: u32,
    /// Pages that were read.
    read: u32,
    /// When the sheet was looked at last.
    pub used: u64,
}

impl Facts {
    pub fn new(geometry: Geometry) -> Facts {
        Facts {
            list: vec![Fact::whole(Held::Unread); geometry.sheet_clusters() as usize].into(),
            sums: vec![0; geometry.vat_pages() as usize].into(),
            held: 0,
            heat: 0,
            bytes: 0,
            read: 0,
            used: 0,
        }
    }

    /// All of a sheet; what cannot be read is unknown.
    pub fn read(fs: &Fs, sheet: u32) -> Facts {
        let geometry = fs.store().geometry();
        let mut facts = Facts::new(geometry);
        for page in 0..geometry.vat_pages() {
            // What the medium refuses stays unread.
            let _ = facts.load(fs, geometry, sheet, page, 0);
        }
        facts
    }

    pub fn list(&self) -> &[Fact] {
        &self.list
    }

    /// Whether a page of the table has been read.
    pub fn has(&self, page: u32) -> bool {
        self.list[page as usize].held != Held::Unread
    }

    /// Whether all of them have.
    pub fn is_whole(&self) -> bool {
        self.read as usize == self.sums.len()
    }

    /// Bytes of memory.
    pub fn size(&self) -> usize {
        self.list.len() * size_of::<Fact>()
    }

    fn put(&mut self, index: usize, fact: Fact, now: u32) {
        let before = std::mem::replace(&mut self.list[index], fact);
        if before.heat != fact.heat {
            self.heat = now;
        }
        if before.held != fact.held {
            self.held = now;
        }
    }

    /// Reads a page of the table, again where it was read before. What has changed has changed
    /// `now`.
    ///
    /// # Errors
    /// Those of the storage; a damaged page is no error, but what it says.
    pub fn load(
        &mut self,
        fs: &Fs,
        geometry: Geometry,
        sheet: u32,
        page: u32,
        now: u32,
    ) -> Result<()> {
        let base = geometry.cluster(sheet, 0);
        let at = base + u64::from(page);
        let bytes = match fs.store().table_page(at) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.code() == Code::Corrupt => None,
            Err(error) => return Err(error),
        };
        let sum = bytes.as_ref().map_or(0, |bytes| crc32(&bytes[..]));
        if std::mem::replace(&mut self.sums[page as usize], sum) == sum && self.has(page) {
            return Ok(());
        }
        self.bytes = now;
        self.read += u32::from(!self.has(page));
        let own = if bytes.is_some() { Held::Table } else { Held::Broken };
        self.put(page as usize, Fact::whole(own), now);
        let covered = table::covered(&geometry, at);
        let end = (covered.end - base) as usize;
        for cluster in covered {
            let index = (cluster - base) as usize;
            let record = match (&bytes, table::place(&geometry, cluster)) {
                (Some(bytes), Some(place)) => table::read(bytes, place.offset).ok(),
                _ => None,
            };
            let fact = match record {
                Some(record) => Fact::of(record, self.list[index - 1]),
                None => Fact::whole(Held::Broken),
            };
            self.put(index, fact, now);
        }
        // The last extent may go on under the next page.
        for index in end..self.list.len() {
            if !self.list[index].tail {
                break;
            }
            let fact = Fact::further(self.list[index - 1]);
            self.put(index, fact, now);
        }
        Ok(())
    }
}
