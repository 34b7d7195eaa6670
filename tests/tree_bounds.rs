//! A subtree that was emptied while its neighbour was full: keys that come back into its range
//! must still be found, whatever splits and merges follow.

use std::collections::BTreeMap;
use std::sync::Arc;

use aetherflow::base::env::{SystemClock, SystemEntropy};
use aetherflow::commit::open::{Environment, NewMap};
use aetherflow::commit::store::Budget;
use aetherflow::commit::{Root, Store};
use aetherflow::storage::mem::MemStorage;
use aetherflow::tree::edit::{self, Existing};
use aetherflow::tree::{Key, cursor, item, node};

fn store() -> Store {
    let environment = Environment {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        check_node: node::check,
        budget: Budget::of(64 << 20),
    };
    let new = NewMap { width: 1024, uuid: None, parity: false, label: Vec::new(), first_object: 2 };
    Store::create(Arc::new(MemStorage::new()), None, new, environment).unwrap()
}

fn key(number: u64) -> Key {
    Key::new(7, item::DATA, number << 12)
}

struct Tree {
    store: Store,
    root: Root,
    model: BTreeMap<u64, Vec<u8>>,
}

impl Tree {
    fn insert(&mut self, number: u64) {
        let value = number.to_le_bytes().repeat(5);
        let mut root = self.root;
        self.store
            .atomically(|store| {
                edit::insert(store, &mut root, key(number), &value, Existing::Refuse)
            })
            .unwrap();
        self.root = root;
        self.model.insert(number, value);
    }

    fn remove(&mut self, number: u64) {
        let mut root = self.root;
        let was =
            self.store.atomically(|store| edit::remove(store, &mut root, key(number))).unwrap();
        assert!(was, "{number} is lost");
        self.root = root;
        self.model.remove(&number);
    }

    fn check(&self) {
        let mut walk = cursor::Cursor::at(&self.store, &self.root, Key::MIN).unwrap();
        for (number, value) in &self.model {
            let found = cursor::get(&self.store, &self.root, key(*number)).unwrap();
            assert_eq!(found.as_deref(), Some(&value[..]), "{number}");
            assert_eq!(walk.advance().unwrap().unwrap().key, key(*number));
        }
        assert!(walk.advance().unwrap().is_none());
    }
}

#[test]
fn keys_that_come_back_into_an_emptied_range_are_found() {
    let mut tree = Tree { store: store(), root: Root::default(), model: BTreeMap::new() };
    // In order, so that every node is full: three levels, several inner nodes.
    const ALL: u64 = 60_000;
    for number in 0..ALL {
        tree.insert(number);
    }
    assert!(tree.root.level >= 2);
    // More than a whole inner node, from its first key to its last.
    for number in 0..36_000 {
        tree.remove(number);
    }
    tree.check();
    // Back in every order: downward, then the rest by a stride.
    for number in (20_000..36_000).rev() {
        tree.insert(number);
    }
    tree.check();
    for step in 0..20_000u64 {
        tree.insert(step * 7919 % 20_000);
    }
    tree.check();
    for number in (0..ALL).step_by(2) {
        tree.remove(number);
    }
    tree.check();
}
