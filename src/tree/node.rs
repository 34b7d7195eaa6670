//! The layout of a node.
//!
//! ```text
//!  0  crc32 u32        over bytes 4..4096, seeded with the map's seed   } written by the
//!  8  cluster u64      the node's own                                   } commit layer
//! 16  generation u64   the transaction that wrote it                    }
//!  4  magic u16        "AN"
//!  6  level u8         0 = leaf
//!  7  reserved u8      0
//! 24  count u16        slots in use
//! 26  heap u16         where the values begin (leaf); 4096 when there are none
//! 28  dead u16         bytes of the heap that no slot uses (leaf)
//! 30  reserved u16     0
//! 32  slots            in key order
//! ```
//!
//! A leaf slot is `key 16, offset u16, length u16`; its value lies in the heap, which grows
//! down from the end. An inner slot is `key 16, child u64`; the child holds keys at or above its
//! slot's key and below the next one's. The first slot's key is the least the node may hold.
//!
//! Accessors trust [`check`]: it is run on every node read from the medium, and nothing else
//! makes nodes but the functions here.

use super::key::Key;
use crate::base::bytes::{u16_at, u64_at};
use crate::base::limits::{CLUSTER, MAX_CLUSTER};
use crate::base::{Error, Result};
use crate::commit::Page;
use crate::commit::state::MAX_LEVEL;

const MAGIC: u16 = u16::from_le_bytes(*b"AN");
const HEADER: usize = 32;
const LEAF_SLOT: usize = Key::SIZE + 4;
const INNER_SLOT: usize = Key::SIZE + 8;
/// Children an inner node can have.
pub const FANOUT: usize = (CLUSTER - HEADER) / INNER_SLOT;
/// Largest value of an item: a leaf always holds at least four.
pub const MAX_ITEM: usize = 960;
/// Bytes a leaf has for slots and values.
pub const LEAF_ROOM: usize = CLUSTER - HEADER;

const _: () = assert!((MAX_ITEM + LEAF_SLOT) * 4 <= LEAF_ROOM);

fn put_u16(page: &mut Page, at: usize, value: usize) {
    page[at..at + 2].copy_from_slice(&(value as u16).to_le_bytes());
}

/// Makes `page` an empty node of `level`.
pub fn init(page: &mut Page, level: u8) {
    page.fill(0);
    put_u16(page, 4, usize::from(MAGIC));
    page[6] = level;
    put_u16(page, 26, CLUSTER);
}

#[inline]
pub fn level(page: &Page) -> u8 {
    page[6]
}

#[inline]
pub fn is_leaf(page: &Page) -> bool {
    page[6] == 0
}

/// Slots in use.
#[inline]
pub fn count(page: &Page) -> usize {
    usize::from(u16_at(page, 24))
}

fn heap(page: &Page) -> usize {
    usize::from(u16_at(page, 26))
}

fn dead(page: &Page) -> usize {
    usize::from(u16_at(page, 28))
}

#[inline]
fn slot_size(page: &Page) -> usize {
    if is_leaf(page) { LEAF_SLOT } else { INNER_SLOT }
}

#[inline]
fn key_at(page: &Page, at: usize) -> Key {
    let mut bytes = [0; Key::SIZE];
    bytes.copy_from_slice(&page[at..at + Key::SIZE]);
    Key::from_bytes(&bytes)
}

/// The key of slot `index`.
#[inline]
pub fn key(page: &Page, index: usize) -> Key {
    key_at(page, HEADER + index * slot_size(page))
}

/// Where the value of leaf slot `index` lies.
#[inline]
pub fn value_range(page: &Page, index: usize) -> std::ops::Range<usize> {
    let at = HEADER + index * LEAF_SLOT + Key::SIZE;
    let offset = usize::from(u16_at(page, at));
    offset..offset + usize::from(u16_at(page, at + 2))
}

/// The value of leaf slot `index`.
#[inline]
pub fn value(page: &Page, index: usize) -> &[u8] {
    &page[value_range(page, index)]
}

/// The value of leaf slot `index`, to be changed without changing its length.
pub fn value_mut(page: &mut Page, index: usize) -> &mut [u8] {
    let range = value_range(page, index);
    &mut page[range]
}

/// The child of inner slot `index`.
#[inline]
pub fn child(page: &Page, index: usize) -> u64 {
    u64_at(page, HEADER + index * INNER_SLOT + Key::SIZE)
}

/// The slot that holds `key`, or the one where it would go.
#[inline]
pub fn search(page: &Page, wanted: Key) -> Result<usize, usize> {
    let size = slot_size(page);
    let (mut low, mut high) = (0, count(page));
    while low < high {
        let middle = (low + high) / 2;
        match key_at(page, HEADER + middle * size).cmp(&wanted) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal => return Ok(middle),
        }
    }
    Err(low)
}

/// The slot of an inner node whose child covers `key`.
#[inline]
pub fn child_slot(page: &Page, wanted: Key) -> usize {
    match search(page, wanted) {
        Ok(index) => index,
        Err(index) => index.saturating_sub(1),
    }
}

/// Bytes in use for slots and living values.
pub fn used(page: &Page) -> usize {
    let slots = count(page) * slot_size(page);
    if is_leaf(page) { slots + CLUSTER - heap(page) - dead(page) } else { slots }
}

/// Bytes a leaf item of `length` needs.
pub fn item_cost(length: usize) -> usize {
    LEAF_SLOT + length
}

/// Whether an item of `length` fits into the leaf, perhaps after tidying it.
pub fn leaf_has_room(page: &Page, length: usize) -> bool {
    used(page) + item_cost(length) <= LEAF_ROOM
}

fn open_slot(page: &mut Page, index: usize) {
    let size = slot_size(page);
    let end = HEADER + count(page) * size;
    let at = HEADER + index * size;
    page.copy_within(at..end, at + size);
    let count = count(page) + 1;
    put_u16(page, 24, count);
}

fn close_slot(page: &mut Page, index: usize) {
    let size = slot_size(page);
    let end = HEADER + count(page) * size;
    let at = HEADER + index * size;
    page.copy_within(at + size..end, at);
    // Nothing of the past stays in the page: it would travel through the log.
    page[end - size..end].fill(0);
    let count = count(page) - 1;
    put_u16(page, 24, count);
}

/// Inserts into a leaf that [has room](leaf_has_room).
pub fn leaf_insert(page: &mut Page, index: usize, key: Key, value: &[u8]) {
    debug_assert!(leaf_has_room(page, value.len()));
    let slots_end = HEADER + (count(page) + 1) * LEAF_SLOT;
    if heap(page) < slots_end + value.len() {
        tidy(page);
    }
    open_slot(page, index);
    let start = heap(page) - value.len();
    page[start..start + value.len()].copy_from_slice(value);
    put_u16(page, 26, start);
    write_leaf_slot(page, index, key, start, value.len());
}

fn write_leaf_slot(page: &mut Page, index: usize, key: Key, offset: usize, length: usize) {
    let at = HEADER + index * LEAF_SLOT;
    page[at..at + Key::SIZE].copy_from_slice(&key.to_bytes());
    put_u16(page, at + Key::SIZE, offset);
    put_u16(page, at + Key::SIZE + 2, length);
}

fn drop_value(page: &mut Page, index: usize) {
    let range = value_range(page, index);
    page[range.clone()].fill(0);
    if range.start == heap(page) && !range.is_empty() {
        put_u16(page, 26, range.end);
    } else {
        let dead = dead(page) + range.len();
        put_u16(page, 28, dead);
    }
}

/// Removes a leaf slot and its value.
pub fn leaf_remove(page: &mut Page, index: usize) {
    drop_value(page, index);
    close_slot(page, index);
    if count(page) == 0 {
        put_u16(page, 26, CLUSTER);
        put_u16(page, 28, 0);
    }
}

/// Replaces the value of a leaf slot; `false` when the new one does not fit.
pub fn leaf_replace(page: &mut Page, index: usize, value: &[u8]) -> bool {
    let range = value_range(page, index);
    if range.len() == value.len() {
        page[range].copy_from_slice(value);
        return true;
    }
    if used(page) - range.len() + value.len() > LEAF_ROOM {
        return false;
    }
    let key = key(page, index);
    leaf_remove(page, index);
    leaf_insert(page, index, key, value);
    true
}

/// Packs the heap of a leaf so that no byte of it is dead.
fn tidy(page: &mut Page) {
    let old = *page;
    let mut end = CLUSTER;
    let slots_end = HEADER + count(&old) * LEAF_SLOT;
    page[slots_end..].fill(0);
    for index in 0..count(&old) {
        let value = value(&old, index);
        end -= value.len();
        page[end..end + value.len()].copy_from_slice(value);
        write_leaf_slot(page, index, key(&old, index), end, value.len());
    }
    put_u16(page, 26, end);
    put_u16(page, 28, 0);
}

/// Inserts into an inner node that has fewer than [`FANOUT`] children.
pub fn inner_insert(page: &mut Page, index: usize, key: Key, child: u64) {
    debug_assert!(count(page) < FANOUT);
    open_slot(page, index);
    set_inner(page, index, key, child);
}

/// Replaces an inner slot.
pub fn set_inner(page: &mut Page, index: usize, key: Key, child: u64) {
    let at = HEADER + index * INNER_SLOT;
    page[at..at + Key::SIZE].copy_from_slice(&key.to_bytes());
    page[at + Key::SIZE..at + INNER_SLOT].copy_from_slice(&child.to_le_bytes());
}

/// Removes an inner slot.
pub fn inner_remove(page: &mut Page, index: usize) {
    close_slot(page, index);
}

/// Moves the slots from `from` on to the end of `right`, an initialised node of the same level.
pub fn move_tail(left: &mut Page, from: usize, right: &mut Page) {
    for index in from..count(left) {
        let at = count(right);
        if is_leaf(left) {
            leaf_insert(right, at, key(left, index), value(left, index));
        } else {
            inner_insert(right, at, key(left, index), child(left, index));
        }
    }
    for index in (from..count(left)).rev() {
        if is_leaf(left) {
            leaf_remove(left, index);
        } else {
            inner_remove(left, index);
        }
    }
}

/// The slot at which a leaf splits into two of about equal size.
pub fn middle(page: &Page) -> usize {
    let half = used(page) / 2;
    let mut sum = 0;
    for index in 0..count(page) {
        sum += if is_leaf(page) { item_cost(value_range(page, index).len()) } else { INNER_SLOT };
        if sum >= half {
            return (index + 1).min(count(page) - 1).max(1);
        }
    }
    count(page) - 1
}

/// Checks the structure of a node read from the medium, so that the accessors cannot go wrong.
///
/// # Errors
/// `Corrupt` saying which rule is broken.
pub fn check(page: &Page, cluster: u64) -> Result<()> {
    structure(page).map_err(|what| {
        Error::corrupt(format!("a tree node is malformed: {what}")).at_cluster(cluster)
    })
}

fn structure(page: &Page) -> Result<(), &'static str> {
    if u16_at(page, 4) != MAGIC {
        return Err("no magic number");
    }
    if level(page) > MAX_LEVEL {
        return Err("impossible level");
    }
    let (count, size) = (count(page), slot_size(page));
    let slots_end = HEADER + count * size;
    if slots_end > CLUSTER {
        return Err("more slots than fit");
    }
    if (1..count).any(|index| key(page, index - 1) >= key(page, index)) {
        return Err("keys out of order");
    }
    if is_leaf(page) { leaf_structure(page, slots_end) } else { inner_structure(page) }
}

fn inner_structure(page: &Page) -> Result<(), &'static str> {
    if count(page) == 0 {
        return Err("an inner node without children");
    }
    if (0..count(page)).any(|index| child(page, index) >= MAX_CLUSTER) {
        return Err("impossible child");
    }
    Ok(())
}

/// Marks a range of bytes as taken, one bit each; `false` where one is already.
fn claim(taken: &mut [u64; CLUSTER / 64], range: std::ops::Range<usize>) -> bool {
    let mut at = range.start;
    while at < range.end {
        let (word, bit) = (at / 64, at % 64);
        let bits = (range.end - at).min(64 - bit);
        let mask = u64::MAX >> (64 - bits) << bit;
        if taken[word] & mask != 0 {
            return false;
        }
        taken[word] |= mask;
        at += bits;
    }
    true
}

fn leaf_structure(page: &Page, slots_end: usize) -> Result<(), &'static str> {
    let heap = heap(page);
    if heap > CLUSTER || heap < slots_end {
        return Err("slots and values overlap");
    }
    let mut living = 0;
    let mut taken = [0; CLUSTER / 64];
    for index in 0..count(page) {
        let range = value_range(page, index);
        // An empty value is nowhere: the heap may have shrunk past where it was put.
        let inside = range.is_empty() || range.start >= heap;
        if range.len() > MAX_ITEM || !inside || range.end > CLUSTER {
            return Err("a value lies outside the heap");
        }
        living += range.len();
        if !claim(&mut taken, range) {
            return Err("values overlap");
        }
    }
    if living + dead(page) != CLUSTER - heap {
        return Err("values overlap or are miscounted");
    }
    Ok(())
}
