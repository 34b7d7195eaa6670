//! The difference of two pages as ranges of bytes. Pure.

use crate::base::limits::CLUSTER;

/// A range costs four bytes of header, so differences closer together than this are one range;
/// eight also keeps the number of ranges, and with it the time to apply them, small.
const MERGE: usize = 8;
/// Bytes compared at once while nothing differs.
const STRIDE: usize = 64;

/// Calls `range(start, end)` for each stretch of `new` that differs from `old`, ascending, with
/// gaps shorter than eight bytes counted in.
pub fn changed_ranges(
    old: &[u8; CLUSTER],
    new: &[u8; CLUSTER],
    mut range: impl FnMut(usize, usize),
) {
    let mut open: Option<(usize, usize)> = None;
    for at in (0..CLUSTER).step_by(STRIDE) {
        let (old, new) = (&old[at..at + STRIDE], &new[at..at + STRIDE]);
        if old == new {
            continue;
        }
        for (word, (a, b)) in old.as_chunks::<8>().0.iter().zip(new.as_chunks::<8>().0).enumerate()
        {
            let difference = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
            if difference == 0 {
                continue;
            }
            let base = at + word * 8;
            let low = base + difference.trailing_zeros() as usize / 8;
            let high = base + 8 - difference.leading_zeros() as usize / 8;
            open = match open {
                Some((start, end)) if low - end < MERGE => Some((start, high)),
                Some((start, end)) => {
                    range(start, end);
                    Some((low, high))
                }
                None => Some((low, high)),
            };
        }
    }
    if let Some((start, end)) = open {
        range(start, end);
    }
}
