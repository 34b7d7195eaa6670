//! Sheets on the infinite plane: a square spiral round sheet 0.
//!
//! Ring `k` holds the sheets `(2k-1)^2 .. (2k+1)^2`. It starts east of the ring before it, just
//! above its lower right corner, and goes up, left, down, right (y points down):
//!
//! ```text
//!   4 3 2
//!   5 0 1 ...
//!   6 7 8 9
//! ```

/// The ring of a sheet: 0 for sheet 0, then the Chebyshev distance from it.
#[inline]
pub fn ring(sheet: u32) -> u32 {
    // (2k-1)^2 <= sheet < (2k+1)^2, and sheet is a u32, so the square root is exact in integers.
    sheet.isqrt().div_ceil(2)
}

/// The sheets in rings 0..=`ring`.
#[inline]
pub fn sheets_within(ring: u32) -> u64 {
    let side = 2 * u64::from(ring) + 1;
    side * side
}

/// (column, row) of a sheet in sheet units; sheet 0 is (0, 0), rows grow downward.
pub fn position(sheet: u32) -> (i32, i32) {
    let ring = i64::from(ring(sheet));
    if ring == 0 {
        return (0, 0);
    }
    let inner = 2 * ring - 1;
    // 0 is the first sheet of the ring, one above its lower right corner.
    let step = i64::from(sheet) - inner * inner;
    let side = 2 * ring;
    let along = step % side + 1;
    let (column, row) = match step / side {
        0 => (ring, ring - along),
        1 => (ring - along, -ring),
        2 => (-ring, along - ring),
        _ => (along - ring, ring),
    };
    (column as i32, row as i32)
}

/// The sheet at (column, row): the inverse of [`position`]. `None` when its number does not fit
/// in a `u32`.
pub fn sheet_at(column: i32, row: i32) -> Option<u32> {
    let (column, row) = (i64::from(column), i64::from(row));
    let ring = column.abs().max(row.abs());
    if ring == 0 {
        return Some(0);
    }
    let (inner, side) = (2 * ring - 1, 2 * ring);
    let step = if row == ring && column > -ring {
        3 * side + column + ring - 1
    } else if column == -ring && row > -ring {
        2 * side + row + ring - 1
    } else if row == -ring && column < ring {
        side + ring - column - 1
    } else {
        ring - row - 1
    };
    u32::try_from(inner.checked_mul(inner)?.checked_add(step)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_rings() {
        let want = [
            (0, 0),
            (1, 0),
            (1, -1),
            (0, -1),
            (-1, -1),
            (-1, 0),
            (-1, 1),
            (0, 1),
            (1, 1),
            (2, 1),
            (2, 0),
            (2, -1),
            (2, -2),
            (1, -2),
            (0, -2),
            (-1, -2),
            (-2, -2),
            (-2, -1),
        ];
        for (sheet, &at) in want.iter().enumerate() {
            assert_eq!(position(sheet as u32), at, "sheet {sheet}");
        }
        assert_eq!(position(24), (2, 2));
        assert_eq!(position(25), (3, 2));
    }

    #[test]
    fn both_ways_agree_and_neighbours_touch() {
        let mut last = position(0);
        for sheet in 1..20_000 {
            let (column, row) = position(sheet);
            assert_eq!(sheet_at(column, row), Some(sheet));
            assert_eq!((column - last.0).abs() + (row - last.1).abs(), 1);
            let ring = ring(sheet);
            assert_eq!(column.unsigned_abs().max(row.unsigned_abs()), ring);
            let first = if ring == 0 { 0 } else { sheets_within(ring - 1) };
            assert!(first <= u64::from(sheet) && u64::from(sheet) < sheets_within(ring));
            last = (column, row);
        }
        for sheet in [u32::MAX, u32::MAX - 1, 4_294_836_225, 4_294_836_224, 1 << 31] {
            let (column, row) = position(sheet);
            assert_eq!(sheet_at(column, row), Some(sheet));
        }
        assert_eq!(sheet_at(i32::MAX, i32::MIN), None);
    }
}
