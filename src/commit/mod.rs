//! Layer 4: atomic transactions over clusters.
//!
//! The only place where log, allocation table and container meet. [`Store`] hands out verified
//! pages, changes them in memory, and makes a batch of changes durable as one transaction:
//!
//! 1. file data goes to its final place, which no committed state references yet;
//! 2. `sync` of the map, if any data was written;
//! 3. the changed pages go to the log as one transaction, then `sync` of the log;
//! 4. later, a checkpoint writes the pages home, seals the picture and flips the superblock.
//!
//! A crash between any two steps leaves the last committed state: step 1 touches only clusters
//! that are free in it, steps 2 and 3 append, step 4 repeats what the log holds.

mod allocation;
pub mod checkpoint;
mod extents;
pub mod inspect;
pub mod meter;
pub mod open;
pub mod parity;
pub mod pin;
mod records;
pub mod state;
pub mod store;
pub mod superblock;
pub mod transaction;
pub mod watch;

pub use state::{Counters, Root, State};
pub use store::{Page, Store};
