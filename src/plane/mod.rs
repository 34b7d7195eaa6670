//! Layer 1: pure arithmetic of the plane. No I/O, no allocation, same answer everywhere.
//!
//! A cluster's place is its tile on the Hilbert curve of its sheet ([`hilbert`]); a sheet's place
//! is its number on the square spiral round sheet 0 ([`spiral`]); its distance from the centre of
//! sheet 0 names its zone ([`zones`]). Circles on the plane ([`disc`]) are rows of pixels of sheets.

pub mod disc;
pub mod hilbert;
pub mod spiral;
pub mod zones;
