//! Zones: how far from the centre of sheet 0 a cluster lies.
//!
//! Distances are Euclidean, in pixels, from the centre of sheet 0 to the centre of the cluster's
//! tile. `E = (2k+1) * width` is the extent of the plane, with `k` the outermost ring in use.

use super::{hilbert, spiral};
use crate::base::limits::TILE;

/// The five zones, from the centre outward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Zone {
    /// Nearer than E/16.
    Hot,
    /// Nearer than E/8.
    Warm,
    /// Nearer than E/4.
    Temperate,
    /// Nearer than E/2.
    Cool,
    /// Beyond.
    Cold,
}

impl Zone {
    pub const ALL: [Zone; 5] = [Zone::Hot, Zone::Warm, Zone::Temperate, Zone::Cool, Zone::Cold];

    /// Lower-case English name.
    pub const fn name(self) -> &'static str {
        match self {
            Zone::Hot => "hot",
            Zone::Warm => "warm",
            Zone::Temperate => "temperate",
            Zone::Cool => "cool",
            Zone::Cold => "cold",
        }
    }
}

/// Extent of the plane in pixels, for maps of `sheets >= 1` sheets of `width` pixels.
pub fn extent(width: u32, sheets: u32) -> f64 {
    let ring = spiral::ring(sheets.saturating_sub(1));
    (2.0 * f64::from(ring) + 1.0) * f64::from(width)
}

/// The zone at `distance` pixels from the centre on a plane of `extent` pixels.
pub fn zone(distance: f64, extent: f64) -> Zone {
    if distance < extent / 16.0 {
        Zone::Hot
    } else if distance < extent / 8.0 {
        Zone::Warm
    } else if distance < extent / 4.0 {
        Zone::Temperate
    } else if distance < extent / 2.0 {
        Zone::Cool
    } else {
        Zone::Cold
    }
}

/// Pixels from the centre of sheet 0 to the centre of the tile at `index` of `sheet`.
pub fn distance(width: u32, sheet: u32, index: u32) -> f64 {
    let (x, y) = offset_from_centre(width, sheet, index);
    x.hypot(y)
}

/// Where the centre of a tile lies, in pixels right of and below the centre of sheet 0.
pub fn offset_from_centre(width: u32, sheet: u32, index: u32) -> (f64, f64) {
    let (tile_x, tile_y) = hilbert::point(width / TILE, index);
    let (column, row) = spiral::position(sheet);
    let along = |sheets: i32, tile: u32| {
        f64::from(sheets) * f64::from(width) + f64::from(tile * TILE + TILE / 2)
            - f64::from(width) / 2.0
    };
    (along(column, tile_x), along(row, tile_y))
}

/// The distance from the centre, in pixels, at which something of `importance` belongs:
/// 255 in the centre, 0 at E/2, where the cold begins.
pub fn target_distance(importance: u8, extent: f64) -> f64 {
    (1.0 - f64::from(importance) / 255.0) * extent / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sheet_has_its_zones_round_its_middle() {
        let extent = extent(1024, 1);
        assert_eq!(extent, 1024.0);
        let at = |x, y| distance(1024, 0, hilbert::index(32, x, y));
        assert_eq!(at(16, 16), 512.0_f64.sqrt());
        assert_eq!(zone(at(16, 16), extent), Zone::Hot);
        assert_eq!(zone(at(18, 16), extent), Zone::Warm);
        assert_eq!(zone(at(20, 16), extent), Zone::Temperate);
        assert_eq!(zone(at(24, 16), extent), Zone::Cool);
        assert_eq!(zone(at(0, 0), extent), Zone::Cold);
        assert_eq!(at(0, 0), at(31, 31));
    }

    #[test]
    fn the_extent_grows_by_rings_and_sheets_lie_on_the_spiral() {
        for (sheets, want) in [(1, 256.0), (2, 768.0), (9, 768.0), (10, 1280.0)] {
            assert_eq!(extent(256, sheets), want);
        }
        let middle = hilbert::index(8, 4, 4);
        assert_eq!(offset_from_centre(256, 1, middle), (272.0, 16.0));
        assert_eq!(offset_from_centre(256, 3, middle), (16.0, -240.0));
    }

    #[test]
    fn importance_names_a_distance() {
        assert_eq!(target_distance(255, 1024.0), 0.0);
        assert_eq!(target_distance(0, 1024.0), 512.0);
        assert!(Zone::Hot < Zone::Cold);
        assert_eq!(Zone::ALL.map(Zone::name).join(" "), "hot warm temperate cool cold");
    }
}
