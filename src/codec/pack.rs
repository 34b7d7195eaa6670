//! Packing: which small contents share a compressed frame. Pure layout, no compression.
//!
//! Many small files compress better together and waste no half-empty clusters. An item below
//! 128 KiB is never split, so reading it decodes one frame; a larger one is cut into full frames
//! of its own, and only its short tail may share one.

use crate::base::limits::MAX_FRAME;

/// The tail of a large item joins other items when it is shorter than this; otherwise it is a
/// frame of its own, since sharing would save little.
pub const SHARED_TAIL: usize = MAX_FRAME / 2;

/// One item's part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed<Id> {
    pub id: Id,
    /// Offset of the part in the item, in bytes.
    pub item_offset: u64,
    /// Offset of the part in the frame's content, in bytes.
    pub frame_offset: u32,
    /// Bytes of the part.
    pub length: u32,
}

/// A frame's content and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch<Id> {
    /// 1 byte to 128 KiB.
    pub content: Vec<u8>,
    /// In ascending order of `frame_offset`, without gaps.
    pub parts: Vec<Placed<Id>>,
}

/// Gathers items into frames, in the order they come.
#[derive(Clone, Debug)]
pub struct Packer<Id> {
    open: Batch<Id>,
}

impl<Id: Copy> Default for Packer<Id> {
    fn default() -> Self {
        Packer::new()
    }
}

impl<Id: Copy> Packer<Id> {
    pub fn new() -> Packer<Id> {
        Packer { open: Batch { content: Vec::new(), parts: Vec::new() } }
    }

    /// Adds an item and hands each frame that is complete to `full`. Empty items need no frame
    /// and appear in none.
    pub fn add(&mut self, id: Id, bytes: &[u8], full: &mut dyn FnMut(Batch<Id>)) {
        let mut item_offset = 0;
        let mut rest = bytes;
        while rest.len() >= MAX_FRAME || (item_offset > 0 && rest.len() >= SHARED_TAIL) {
            let (own, behind) = rest.split_at(rest.len().min(MAX_FRAME));
            let part = Placed { id, item_offset, frame_offset: 0, length: own.len() as u32 };
            full(Batch { content: own.to_vec(), parts: vec![part] });
            item_offset += own.len() as u64;
            rest = behind;
        }
        if rest.is_empty() {
            return;
        }
        if self.open.content.len() + rest.len() > MAX_FRAME
            && let Some(batch) = self.finish()
        {
            full(batch);
        }
        self.open.parts.push(Placed {
            id,
            item_offset,
            frame_offset: self.open.content.len() as u32,
            length: rest.len() as u32,
        });
        self.open.content.extend_from_slice(rest);
    }

    /// Bytes waiting in the open frame.
    pub fn pending(&self) -> usize {
        self.open.content.len()
    }

    /// Takes the open frame, if anything is in it.
    pub fn finish(&mut self) -> Option<Batch<Id>> {
        if self.open.parts.is_empty() {
            return None;
        }
        Some(std::mem::replace(&mut self.open, Packer::new().open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(items: &[Vec<u8>]) -> Vec<Batch<usize>> {
        let mut packer = Packer::new();
        let mut batches = Vec::new();
        for (id, bytes) in items.iter().enumerate() {
            packer.add(id, bytes, &mut |batch| batches.push(batch));
            assert!(packer.pending() <= MAX_FRAME);
        }
        batches.extend(packer.finish());
        assert_eq!(packer.finish(), None);
        batches
    }

    #[test]
    fn every_item_comes_back_and_small_ones_stay_whole() {
        let mut seed = 77u64;
        let mut items = Vec::new();
        for index in 0..300 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let scale = [100, 5000, 70_000, 300_000][index % 4];
            items.push(vec![index as u8; (seed >> 33) as usize % scale]);
        }
        for edge in [0, 1, MAX_FRAME - 1, MAX_FRAME, MAX_FRAME + 1, 2 * MAX_FRAME] {
            items.push(vec![1; edge]);
        }
        items.push(vec![2; MAX_FRAME + SHARED_TAIL]);
        items.push(vec![3; MAX_FRAME + SHARED_TAIL - 1]);
        let batches = pack(&items);
        let mut back: Vec<Vec<u8>> = vec![Vec::new(); items.len()];
        let mut pieces = vec![0; items.len()];
        for batch in &batches {
            assert!(!batch.content.is_empty() && batch.content.len() <= MAX_FRAME);
            let mut at = 0;
            for part in &batch.parts {
                assert_eq!(part.frame_offset as usize, at);
                assert_eq!(part.item_offset as usize, back[part.id].len());
                at += part.length as usize;
                back[part.id].extend_from_slice(&batch.content[part.frame_offset as usize..at]);
                pieces[part.id] += 1;
            }
            assert_eq!(at, batch.content.len());
        }
        assert!(back == items);
        for (item, pieces) in items.iter().zip(pieces) {
            assert_eq!(pieces, item.len().div_ceil(MAX_FRAME), "{} bytes", item.len());
        }
    }

    #[test]
    fn small_items_fill_frames() {
        let batches = pack(&vec![vec![5; 1000]; 1310]);
        assert_eq!(batches.len(), 10);
        assert!(batches.iter().all(|batch| batch.parts.len() == 131));
    }
}
