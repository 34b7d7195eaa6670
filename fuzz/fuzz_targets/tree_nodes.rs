//! Any page as a tree node: what the check lets through, no accessor and no edit may trip over.
#![no_main]

use aetherflow::base::limits::CLUSTER;
use aetherflow::tree::item::{Stretch, extent_of};
use aetherflow::tree::{Key, node};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut page = [0; CLUSTER];
    let length = data.len().min(CLUSTER);
    page[..length].copy_from_slice(&data[..length]);
    // The checksum's place is free: it says what to do with a good node.
    let order = u32::from_le_bytes([page[0], page[1], page[2], page[3]]);
    if node::check(&page, 5).is_err() {
        return;
    }
    let count = node::count(&page);
    let mut previous = None;
    for index in 0..count {
        let key = node::key(&page, index);
        assert!(previous.is_none_or(|before| before < key));
        previous = Some(key);
        assert_eq!(node::search(&page, key), Ok(index));
        assert!(node::child_slot(&page, key) == index);
        if node::is_leaf(&page) {
            let value = node::value(&page, index);
            let _ = Stretch::decode(key, value);
            let _ = extent_of(key, value);
        } else {
            node::child(&page, index);
        }
    }
    assert!(node::used(&page) <= CLUSTER);
    if !node::is_leaf(&page) {
        return;
    }
    let key = Key::from_bytes(&[order as u8; 16]);
    let value = vec![7; order as usize >> 8 & 0x3ff];
    match node::search(&page, key) {
        Err(slot) if value.len() <= node::MAX_ITEM && node::leaf_has_room(&page, value.len()) => {
            node::leaf_insert(&mut page, slot, key, &value);
            assert_eq!(node::value(&page, slot), value);
        }
        Ok(slot) if value.len() <= node::MAX_ITEM => {
            let _ = node::leaf_replace(&mut page, slot, &value);
        }
        _ => {}
    }
    node::check(&page, 5).expect("an edit of a good node leaves a good node");
    while node::count(&page) > 0 {
        let slot = order as usize % node::count(&page);
        node::leaf_remove(&mut page, slot);
        node::check(&page, 5).expect("a removal from a good node leaves a good node");
    }
});
