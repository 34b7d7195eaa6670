//! Maps with lies in them: structures changed by hand, every checksum right again.

use std::sync::Arc;

use aetherflow::base::checksum::{crc32, crc32_continue};
use aetherflow::base::limits::CLUSTER;
use aetherflow::commit::superblock::Superblock;
use aetherflow::commit::{Page, Root};
use aetherflow::container::{Geometry, Live};
use aetherflow::storage::Storage;
use aetherflow::storage::mem::MemStorage;
use aetherflow::tree::{Key, node};
use aetherflow::vat::{Record, page as table};

pub struct Forge {
    pub storage: Arc<MemStorage>,
    live: Live,
    pub geometry: Geometry,
    seed: u32,
}

impl Forge {
    pub fn new(bytes: &[u8]) -> Forge {
        let storage = Arc::new(MemStorage::from_bytes(bytes));
        let live = Live::open(Arc::clone(&storage) as Arc<dyn Storage>).unwrap();
        let geometry = live.geometry();
        let mut forge = Forge { storage, live, geometry, seed: 0 };
        forge.seed = crc32(&forge.superblock().uuid);
        forge
    }

    pub fn slots(&self) -> [u64; 2] {
        [self.geometry.superblock_a(), self.geometry.superblock_b()].map(u64::from)
    }

    pub fn read(&self, cluster: u64) -> Box<Page> {
        let mut page = Box::new([0; CLUSTER]);
        self.live.read_run(cluster, &mut page[..]).unwrap();
        page
    }

    pub fn write(&self, cluster: u64, page: &Page) {
        self.live.declare(&[(cluster, 1)]).unwrap();
        self.live.write_run(cluster, page).unwrap();
    }

    /// The superblock in force.
    pub fn superblock(&self) -> Superblock {
        let found = self
            .slots()
            .into_iter()
            .filter_map(|slot| Superblock::decode(&self.read(slot), slot).ok().flatten());
        found.max_by_key(|superblock| superblock.sequence).unwrap()
    }

    /// Changes both superblocks.
    pub fn superblocks(&self, change: impl Fn(&mut Superblock)) {
        for slot in self.slots() {
            let mut superblock = Superblock::decode(&self.read(slot), slot).unwrap().unwrap();
            change(&mut superblock);
            self.write(slot, &superblock.encode());
        }
    }

    pub fn head(&self) -> Root {
        self.superblock().state.head
    }

    pub fn record(&self, cluster: u64) -> Record {
        self.try_record(cluster).unwrap()
    }

    pub fn try_record(&self, cluster: u64) -> Option<Record> {
        let place = table::place(&self.geometry, cluster)?;
        table::read(&self.read(place.page), place.offset).ok()
    }

    /// Changes the eight bytes of a record.
    pub fn raw_record(&self, cluster: u64, change: impl FnOnce(&mut [u8])) {
        let place = table::place(&self.geometry, cluster).unwrap();
        let mut page = self.read(place.page);
        change(&mut page[place.offset..place.offset + 8]);
        table::finish(self.seed, place.page, &mut page);
        self.write(place.page, &page);
    }

    pub fn set_record(&self, cluster: u64, record: Record) {
        self.raw_record(cluster, |bytes| bytes.copy_from_slice(&record.to_bytes()));
    }

    /// Changes a node; its checksums are right afterwards.
    pub fn node(&self, cluster: u64, change: impl FnOnce(&mut Page)) {
        let mut page = self.read(cluster);
        change(&mut page);
        let crc = crc32_continue(self.seed, &page[4..]);
        page[..4].copy_from_slice(&crc.to_le_bytes());
        self.write(cluster, &page);
        let record = self.record(cluster);
        self.set_record(cluster, Record { crc: crc32(&page[..]), ..record });
    }

    /// Leaf and slot of the first item at or after `key`.
    pub fn find(&self, root: Root, key: Key) -> Option<(u64, usize)> {
        self.find_below(root.cluster, key)
    }

    fn find_below(&self, cluster: u64, key: Key) -> Option<(u64, usize)> {
        let page = self.read(cluster);
        for index in 0..node::count(&page) {
            if node::is_leaf(&page) {
                if node::key(&page, index) >= key {
                    return Some((cluster, index));
                }
            } else if let Some(found) = self.find_below(node::child(&page, index), key) {
                return Some(found);
            }
        }
        None
    }

    /// Changes the value of the first item of an object and kind, its length staying.
    pub fn item(&self, object: u64, kind: u8, change: impl FnOnce(&mut [u8])) {
        let wanted = Key::new(object, kind, 0);
        let (leaf, slot) = self.find(self.head(), wanted).unwrap();
        self.node(leaf, |page| {
            assert!(node::key(page, slot).same_list(wanted), "there is no such item");
            change(node::value_mut(page, slot));
        });
    }
}
