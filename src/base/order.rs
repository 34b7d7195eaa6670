//! Sorting by a number or by a comparison, compiled once and not for every type: the standard
//! library's sort is some 5 KB of code for each type it sorts, and the wasm module has a budget.

use std::cmp::Ordering;

/// Sorts by `key`, ascending; equal ones stay in their order. At most 2^32 items.
pub fn by_number<T>(items: &mut [T], key: impl Fn(&T) -> u64) {
    let keyed = items.iter().enumerate().map(|(place, item)| (key(item), place as u32));
    let mut keyed: Vec<(u64, u32)> = keyed.collect();
    keyed.sort_unstable();
    let places = keyed.into_iter().map(|(_, place)| place).collect();
    arrange(items, places);
}

/// Sorts by a comparison; equal ones stay in their order. At most 2^32 items.
pub fn by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut places: Vec<u32> = (0..items.len() as u32).collect();
    let order = |one: u32, other: u32| compare(&items[one as usize], &items[other as usize]);
    sort_places(&mut places, &order);
    arrange(items, places);
}

fn sort_places(places: &mut [u32], order: &dyn Fn(u32, u32) -> Ordering) {
    places.sort_unstable_by(|&one, &other| order(one, other).then(one.cmp(&other)));
}

/// Brings to each place the item that stood at `places[place]`.
fn arrange<T>(items: &mut [T], mut places: Vec<u32>) {
    for at in 0..items.len() {
        // What stood there may have been exchanged away since: follow it.
        let mut from = places[at];
        while (from as usize) < at {
            from = places[from as usize];
        }
        places[at] = from;
        items.swap(at, from as usize);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sorts_as_the_standard_library_does(items in prop::collection::vec((0u64..40, any::<u8>()), 0..200)) {
            let mut expected = items.clone();
            expected.sort_by_key(|item| item.0);
            let mut found = items.clone();
            super::by_number(&mut found, |item| item.0);
            prop_assert_eq!(&found, &expected);
            let mut found = items;
            super::by(&mut found, |one, other| one.0.cmp(&other.0));
            prop_assert_eq!(&found, &expected);
        }
    }
}
