//! Layer 5: ordered maps from keys to small items, as copy-on-write B+trees of 4 KiB nodes.
//!
//! * [`key`]: the 16-byte key;
//! * [`node`]: the layout of a node and its checks;
//! * [`item`]: which kinds of items there are, and the one that references extents;
//! * [`cursor`]: reading, in key order;
//! * [`difference`]: which items differ between two trees;
//! * [`edit`]: changing one tree;
//! * [`share`]: references on whole trees, which is what a snapshot is.
//!
//! Rule of sharing: a node whose reference count is 1 belongs to its only parent and is changed
//! in place; any other is copied first, and what it references gains a reference. So whoever
//! holds a reference on a root sees a tree that never changes.

pub mod cursor;
pub mod difference;
pub mod edit;
pub mod item;
pub mod key;
pub mod node;
pub mod share;

#[cfg(test)]
mod tests;

pub use cursor::{Cursor, Item, foresee, get};
pub use key::Key;
