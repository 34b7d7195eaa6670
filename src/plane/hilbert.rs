//! The Hilbert curve over the tiles of a sheet.
//!
//! The curve starts at (0, 0), ends at (side-1, 0) and visits the quadrants top-left,
//! bottom-left, bottom-right, top-right. Its first step goes down when log2(side) is odd and
//! right when it is even; curve(order+2) begins with curve(order).
//!
//! Going from the largest quadrants to the smallest, all that a level hands to the next is
//! whether x and y are exchanged and whether both are mirrored: four states. Tables take two
//! levels (four bits of the index) per step.

/// Bit 0 of a state: x and y are exchanged. Bit 1: both coordinates are mirrored.
const STATES: usize = 4;

/// One level: (x bit, y bit, next state) of quarter `t` (0..4) in `state`.
const fn level(state: usize, t: usize) -> (usize, usize, usize) {
    let rx = t >> 1;
    let ry = (t & 1) ^ rx;
    let (mut x, mut y) = (rx, ry);
    if state & 2 != 0 {
        x ^= 1;
        y ^= 1;
    }
    if state & 1 != 0 {
        (x, y) = (y, x);
    }
    let next = if ry == 0 { state ^ 1 ^ (rx << 1) } else { state };
    (x, y, next)
}

/// `[state][four index bits]` -> `x | y << 2 | next state << 4`.
const TO_POINT: [[u8; 16]; STATES] = tables().0;
/// `[state][x << 2 | y]` -> `four index bits | next state << 4`.
const TO_INDEX: [[u8; 16]; STATES] = tables().1;

const fn tables() -> ([[u8; 16]; STATES], [[u8; 16]; STATES]) {
    let mut to_point = [[0; 16]; STATES];
    let mut to_index = [[0; 16]; STATES];
    let mut state = 0;
    while state < STATES {
        let mut bits = 0;
        while bits < 16 {
            let (x1, y1, middle) = level(state, bits >> 2);
            let (x0, y0, next) = level(middle, bits & 3);
            let (x, y) = (x1 << 1 | x0, y1 << 1 | y0);
            to_point[state][bits] = (x | y << 2 | next << 4) as u8;
            to_index[state][x << 2 | y] = (bits | next << 4) as u8;
            bits += 1;
        }
        state += 1;
    }
    (to_point, to_index)
}

/// An odd number of levels is walked with one more level on top, whose first quarter is the
/// curve with x and y exchanged: so that walk starts exchanged.
#[inline]
const fn start_state(order: u32) -> usize {
    (order & 1) as usize
}

/// The tile (x, y) at `index` of the curve over `side * side` tiles.
/// `side` is a power of two up to 32768 and `index < side * side`.
#[inline]
pub const fn point(side: u32, index: u32) -> (u32, u32) {
    debug_assert!(side.is_power_of_two() && side <= 1 << 15);
    let order = side.trailing_zeros();
    let (mut x, mut y) = (0, 0);
    let mut state = start_state(order);
    let mut shift = order.div_ceil(2) * 4;
    while shift > 0 {
        shift -= 4;
        let entry = TO_POINT[state][(index >> shift) as usize & 15] as u32;
        x = x << 2 | entry & 3;
        y = y << 2 | entry >> 2 & 3;
        state = (entry >> 4) as usize;
    }
    (x, y)
}

/// The index on the curve of the tile (x, y): the inverse of [`point`].
/// `x` and `y` are below `side`.
#[inline]
pub const fn index(side: u32, x: u32, y: u32) -> u32 {
    debug_assert!(side.is_power_of_two() && side <= 1 << 15 && x < side && y < side);
    let order = side.trailing_zeros();
    let mut index = 0;
    let mut state = start_state(order);
    let mut shift = order.div_ceil(2) * 2;
    while shift > 0 {
        shift -= 2;
        let key = (x >> shift & 3) << 2 | (y >> shift & 3);
        let entry = TO_INDEX[state][key as usize] as u32;
        index = index << 4 | entry & 15;
        state = (entry >> 4) as usize;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_orders_two_and_three() {
        let four = [[0, 1, 14, 15], [3, 2, 13, 12], [4, 7, 8, 11], [5, 6, 9, 10]];
        for (y, row) in four.iter().enumerate() {
            for (x, &want) in row.iter().enumerate() {
                assert_eq!(index(4, x as u32, y as u32), want);
            }
        }
        let eight = [[0, 3, 4, 5, 58, 59, 60, 63], [21, 22, 25, 26, 37, 38, 41, 42]];
        for (y, row) in [(0, eight[0]), (7, eight[1])] {
            for (x, &want) in row.iter().enumerate() {
                assert_eq!(index(8, x as u32, y), want);
            }
        }
    }

    #[test]
    fn parity_rule_and_known_points() {
        let vectors = [
            (
                128,
                vector(
                    [(0, 1), (31, 0), (32, 0), (32, 31), (64, 64), (123, 62), (0, 0), (127, 0)],
                    128,
                ),
            ),
            (
                256,
                vector(
                    [(1, 0), (0, 31), (0, 32), (31, 32), (64, 64), (62, 123), (255, 127), (255, 0)],
                    256,
                ),
            ),
            (
                512,
                vector(
                    [(0, 1), (31, 0), (32, 0), (32, 31), (64, 64), (123, 62), (384, 0), (511, 0)],
                    512,
                ),
            ),
            (
                1024,
                vector(
                    [
                        (1, 0),
                        (0, 31),
                        (0, 32),
                        (31, 32),
                        (64, 64),
                        (62, 123),
                        (1023, 127),
                        (1023, 0),
                    ],
                    1024,
                ),
            ),
            (
                2048,
                vector(
                    [(0, 1), (31, 0), (32, 0), (32, 31), (64, 64), (123, 62), (1920, 0), (2047, 0)],
                    2048,
                ),
            ),
        ];
        for (side, points) in vectors {
            for (at, want) in points {
                assert_eq!(point(side, at), want, "side {side}, index {at}");
                assert_eq!(index(side, want.0, want.1), at);
            }
        }
    }

    fn vector(points: [(u32, u32); 8], side: u32) -> [(u32, (u32, u32)); 8] {
        let all = side * side;
        let indices = [1, 1023, 1024, 2047, 8192, 12345, all - 16384, all - 1];
        std::array::from_fn(|i| (indices[i], points[i]))
    }

    #[test]
    fn a_bijection_of_neighbours_at_every_side() {
        for order in 0..=8 {
            let side = 1 << order;
            let mut last = None;
            for at in 0..side * side {
                let (x, y) = point(side, at);
                assert!(x < side && y < side);
                assert_eq!(index(side, x, y), at);
                if let Some((px, py)) = last {
                    assert_eq!(u32::abs_diff(x, px) + u32::abs_diff(y, py), 1);
                }
                last = Some((x, y));
            }
            assert_eq!(point(side, 0), (0, 0));
            assert_eq!(last, Some((side - 1, 0)));
        }
    }
}
