//! The tree against a sorted map, in a store over memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::edit::{self, Existing};
use super::node::{self, MAX_ITEM};
use super::{Cursor, Key, cursor, share};
use crate::base::env::{Clock, Entropy, Timestamp};
use crate::base::{Code, Result};
use crate::commit::open::{Environment, NewMap};
use crate::commit::store::Budget;
use crate::commit::{Root, Store};
use crate::storage::mem::MemStorage;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }
}

impl Entropy for Still {
    fn fill(&self, buf: &mut [u8]) -> Result<()> {
        buf.fill(5);
        Ok(())
    }
}

fn store() -> Store {
    let new = NewMap {
        width: 256,
        uuid: Some([1; 16]),
        parity: false,
        label: Vec::new(),
        first_object: 2,
    };
    let environment = Environment {
        clock: Arc::new(Still),
        entropy: Arc::new(Still),
        check_node: node::check,
        budget: Budget::of(1 << 20),
    };
    Store::create(Arc::new(MemStorage::new()), None, new, environment).unwrap()
}

fn dump(store: &Store, root: &Root) -> Vec<(Key, Vec<u8>)> {
    let mut cursor = Cursor::at(store, root, Key::MIN).unwrap();
    let mut items = Vec::new();
    while let Some(item) = cursor.advance().unwrap() {
        items.push((item.key, item.to_vec()));
    }
    items
}

/// A root that is kept, and what it held then.
type Kept = (Root, Vec<(Key, Vec<u8>)>);

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99_991);
        (self.0 >> 33) % limit
    }
}

/// Random edits keep the tree equal to a sorted map; every so often a copy of the root is kept,
/// and must never change.
#[test]
fn edits_agree_with_a_sorted_map_and_kept_roots_never_change() {
    let mut store = store();
    let mut root = Root::default();
    let mut model: BTreeMap<Key, Vec<u8>> = BTreeMap::new();
    let mut kept: Vec<Kept> = Vec::new();
    let mut random = Random(11);
    let free = store.state().used;
    for step in 0..6000u64 {
        let key = Key::new(random.below(40), 3, random.below(60));
        let growing = (step / 1500).is_multiple_of(2);
        if random.below(10) < if growing { 7 } else { 3 } {
            let length = if random.below(8) == 0 { MAX_ITEM as u64 } else { 120 };
            let value = vec![step as u8; random.below(length + 1) as usize];
            store
                .atomically(|s| edit::insert(s, &mut root, key, &value, Existing::Replace))
                .unwrap();
            model.insert(key, value);
        } else {
            let removed = store.atomically(|s| edit::remove(s, &mut root, key)).unwrap();
            assert_eq!(removed, model.remove(&key).is_some());
        }
        assert_eq!(
            cursor::get(&store, &root, key).unwrap().map(|item| item.to_vec()),
            model.get(&key).cloned()
        );
        if step % 400 == 0 {
            let items: Vec<_> = model.clone().into_iter().collect();
            assert_eq!(dump(&store, &root), items, "step {step}");
            store.atomically(|s| share::share(s, &root)).unwrap();
            kept.push((root, items));
        }
        if step % 900 == 0 && kept.len() > 3 {
            let (old, _) = kept.remove(1);
            store.atomically(|s| share::release(s, &old)).unwrap();
        }
    }
    for (old, items) in &kept {
        assert_eq!(&dump(&store, old), items);
    }
    for (old, _) in kept {
        store.atomically(|s| share::release(s, &old)).unwrap();
    }
    store.atomically(|s| share::release(s, &root)).unwrap();
    let growth = store.fixed_clusters(0..store.geometry().sheets()) - store.fixed_clusters(0..1);
    assert_eq!(store.state().used, free + growth, "every node was given back");
}

#[test]
fn the_floor_is_found_across_leaves() {
    let mut store = store();
    let mut root = Root::default();
    for offset in 0..2000u64 {
        let key = Key::new(7, 2, offset * 10);
        store.atomically(|s| edit::insert(s, &mut root, key, &[1; 50], Existing::Refuse)).unwrap();
    }
    for probe in 0..20_100u64 {
        let key = Key::new(7, 2, probe);
        let found = Cursor::at_floor(&store, &root, key).unwrap().next_in(key).unwrap();
        assert_eq!(found.unwrap().key.offset, (probe / 10 * 10).min(19_990));
    }
    let before = Key::new(7, 1, 5);
    let found = Cursor::at_floor(&store, &root, before).unwrap().next_in(before).unwrap();
    assert!(found.is_none());
}

#[test]
fn a_failed_operation_leaves_no_trace() {
    let mut store = store();
    let mut root = Root::default();
    for offset in 0..300u64 {
        let key = Key::new(1, 1, offset);
        store.atomically(|s| edit::insert(s, &mut root, key, &[9; 100], Existing::Refuse)).unwrap();
    }
    let (before, used) = (dump(&store, &root), store.state().used);
    let mut scratch = root;
    let error = store
        .atomically(|s| {
            for offset in 0..200 {
                edit::remove(s, &mut scratch, Key::new(1, 1, offset))?;
            }
            for offset in 1000..1500 {
                edit::insert(s, &mut scratch, Key::new(1, 1, offset), &[3; 300], Existing::Refuse)?;
            }
            edit::insert(s, &mut scratch, Key::new(1, 1, 1000), &[], Existing::Refuse)
        })
        .unwrap_err();
    assert_eq!(error.code(), Code::Exists);
    assert_eq!(dump(&store, &root), before);
    let growth = store.fixed_clusters(0..store.geometry().sheets()) - store.fixed_clusters(0..1);
    assert!(store.state().used <= used + growth);
}

#[test]
fn malformed_nodes_are_refused() {
    let mut page = [0; 4096];
    node::init(&mut page, 0);
    for index in 0..20u64 {
        node::leaf_insert(&mut page, index as usize, Key::new(1, 1, index), &[7; 40]);
    }
    assert!(node::check(&page, 9).is_ok());
    let mut refused = 0;
    // Flipping any bit of the structure must be refused or leave a node that is safe to read.
    for bit in 4 * 8..(32 + 20 * 20) * 8 {
        let mut broken = page;
        broken[bit / 8] ^= 1 << (bit % 8);
        match node::check(&broken, 9) {
            Err(_) => refused += 1,
            Ok(()) => {
                for index in 0..node::count(&broken) {
                    if node::is_leaf(&broken) {
                        assert!(node::value(&broken, index).len() <= MAX_ITEM);
                    }
                }
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

/// A node whose left neighbour went takes over that one's range. What is inserted there later
/// must still split, merge and be found in order.
#[test]
fn a_range_that_was_taken_over_stays_in_order() {
    let mut store = store();
    let mut root = Root::default();
    let mut model = BTreeMap::new();
    let key = |number: u64| Key::new(9, 1, number);
    let put = |store: &mut Store, root: &mut Root, number: u64, length: usize| {
        store
            .atomically(|store| {
                edit::insert(
                    store,
                    root,
                    key(number),
                    &vec![number as u8; length],
                    Existing::Refuse,
                )
            })
            .unwrap();
    };
    for number in 0..1500 {
        put(&mut store, &mut root, number * 1000, MAX_ITEM);
        model.insert(key(number * 1000), vec![(number * 1000) as u8; MAX_ITEM]);
    }
    assert!(root.level >= 2);
    for number in 0..700 {
        let key = key(number * 1000);
        assert!(store.atomically(|store| edit::remove(store, &mut root, key)).unwrap());
        model.remove(&key);
    }
    for number in (0..60_000).rev().step_by(100) {
        put(&mut store, &mut root, number, 900);
        model.insert(key(number), vec![number as u8; 900]);
    }
    assert!(dump(&store, &root).into_iter().eq(model.clone()));
    for (at, key) in model.keys().copied().collect::<Vec<_>>().into_iter().enumerate() {
        assert!(cursor::get(&store, &root, key).unwrap().is_some(), "{key:?}");
        if at % 7 != 0 {
            store.atomically(|store| edit::remove(store, &mut root, key)).unwrap();
            model.remove(&key);
        }
    }
    assert!(dump(&store, &root).into_iter().eq(model));
}

/// The list of nameless files has empty values. One that was put beside a value which then went
/// made the whole node count as malformed when it was read again.
#[test]
fn an_empty_value_may_outlive_its_neighbour() {
    let mut page = [0; 4096];
    node::init(&mut page, 0);
    node::leaf_insert(&mut page, 0, Key::new(1, 1, 0), &[1; 100]);
    node::leaf_insert(&mut page, 1, Key::new(2, 1, 0), &[]);
    node::leaf_remove(&mut page, 0);
    node::check(&page, 5).unwrap();
    node::leaf_insert(&mut page, 1, Key::new(3, 1, 0), &[3; 50]);
    node::check(&page, 5).unwrap();
    assert!(node::value(&page, 0).is_empty());
    assert_eq!(node::value(&page, 1), [3; 50]);
}

#[test]
fn values_that_overlap_are_refused() {
    let mut page = [0; 4096];
    node::init(&mut page, 0);
    node::leaf_insert(&mut page, 0, Key::new(1, 1, 0), &[1; 100]);
    node::leaf_insert(&mut page, 1, Key::new(2, 1, 0), &[2; 100]);
    node::check(&page, 5).unwrap();
    // The second slot's value: fifty bytes higher, half of it in the first one's.
    page[32 + 20 + 16..32 + 20 + 18].copy_from_slice(&(4096u16 - 150).to_le_bytes());
    assert!(node::check(&page, 5).is_err());
}
