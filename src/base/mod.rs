//! Layer 0: what every other module may use and what uses nothing itself.

pub mod bytes;
pub mod cache;
pub mod checksum;
pub mod env;
pub mod error;
pub mod letters;
pub mod limits;
pub mod order;

pub use error::{Code, Error, Result};
