//! Colours, tuned for a near-black ground.

use super::canvas::{Color, mix};
use crate::plane::zones::Zone;

pub const GROUND: Color = [10, 12, 17];
/// A tile nothing is in.
pub const FREE: Color = [19, 22, 30];
pub const BORDER: Color = [35, 40, 53];
pub const INK: Color = [226, 230, 238];
pub const FAINT: Color = [132, 141, 158];
pub const RING: Color = [255, 255, 255];
/// A page of the table that cannot be read, and what it would describe.
pub const UNKNOWN: Color = [92, 20, 34];

pub const NODE: Color = [186, 134, 255];
pub const RAW: Color = [64, 170, 255];
pub const ZSTD: Color = [45, 212, 160];
pub const PARITY: Color = [62, 70, 90];
pub const TABLE: Color = [250, 176, 42];
pub const SUPERBLOCK: Color = [255, 84, 112];
/// File data that only snapshots still hold.
pub const PAST: Color = [92, 100, 118];
/// Tree nodes, in the picture of files.
pub const QUIET: Color = [50, 56, 72];

pub fn zone(zone: Zone) -> Color {
    match zone {
        Zone::Hot => [255, 56, 48],
        Zone::Warm => [255, 138, 26],
        Zone::Temperate => [250, 218, 56],
        Zone::Cool => [52, 209, 92],
        Zone::Cold => [48, 134, 255],
    }
}

/// From never read (0.0) to the hottest (1.0): dark violet, red, orange, light yellow.
pub fn heat(share: f32) -> Color {
    const STOPS: [Color; 6] = [
        [44, 20, 74],
        [101, 21, 110],
        [177, 50, 90],
        [229, 92, 48],
        [251, 168, 38],
        [252, 250, 172],
    ];
    let at = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f32;
    let below = (at as usize).min(STOPS.len() - 2);
    mix(STOPS[below], STOPS[below + 1], at - below as f32)
}

/// A colour by hue (turns, 0.0..1.0), saturation and lightness (0.0..=1.0).
pub fn hsl(hue: f32, saturation: f32, lightness: f32) -> Color {
    let chroma = saturation * lightness.min(1.0 - lightness);
    std::array::from_fn(|at| {
        let offset = [0.0, 8.0, 4.0][at];
        let k = (offset + hue.rem_euclid(1.0) * 12.0).rem_euclid(12.0);
        let value = lightness - chroma * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        (value * 255.0).round() as u8
    })
}
