//! Layer 9: what only a native program can do: building a map from a real tree with all cores.
//!
//! * [`walk`]: finding out what is there;
//! * [`plan`]: cutting it into jobs, the important first;
//! * [`work`]: reading, packing and compressing one job, on any thread;
//! * [`build`]: placing the results in order, on the caller's thread.

pub mod build;
mod plan;
pub mod walk;
mod work;

pub use build::{Options, Report, build};

#[cfg(test)]
mod tests;
