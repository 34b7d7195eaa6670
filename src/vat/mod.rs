//! Layer 3: the Visual Allocation Table and what is computed from it.
//!
//! The table holds one 8-byte [`Record`] per cluster, in fixed pages at the start of every sheet.
//! It is the allocator's map, the checksum store and the reference counts in one. This module
//! knows how records and pages are laid out ([`page`]), and how free runs are found ([`space`]);
//! reading and changing pages is the business of the commit layer.

pub mod page;
pub mod record;
pub mod space;

pub use record::{Kind, Record};
