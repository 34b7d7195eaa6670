//! Erasure coding of a stripe: 30 data clusters, 2 parity clusters, any 2 of the 32 restored.
//!
//! A Reed-Solomon code over GF(2^16), in the Cantor basis; bit for bit the code that the Leopard
//! construction (`reed-solomon-simd`, 30 + 2 shards, high rate) computes, against which the tests
//! hold it. For 30 + 2 that code has a simple form (`docs/FORMAT.md`, "Parity"): with `d[j]` the
//! data members,
//!
//! ```text
//! P1 = sum of (j + 2) * d[j]        P0 = P1 + sum of d[j]
//! ```
//!
//! where `+` is exclusive or and `j + 2` stands for the field element of these bits. Its
//! multipliers have five bits, so five sums and four multiplications by constants encode a
//! stripe: no tables of 8 MiB, which a general coder needs, and the same speed in wasm.
//!
//! Erasures only: which members are bad is known from their checksums.

use crate::base::limits::CLUSTER;
use crate::base::{Error, Result};

/// Members of a stripe that hold data, and that hold parity.
pub const DATA: usize = 30;
pub const PARITY: usize = 2;
/// Members of a stripe; data first.
pub const MEMBERS: usize = DATA + PARITY;

/// One cluster.
pub type Cluster = [u8; CLUSTER];

/// Bytes of the groups an element's low and high byte are apart in: 32 low, then 32 high bytes.
const GROUP: usize = 64;
const HALF: usize = GROUP / 2;
/// Multiplier of the first data member; member `j` has `FIRST + j`.
const FIRST: usize = 2;
/// Bits of the largest multiplier.
const BITS: usize = 5;

const _: () = assert!(FIRST + DATA == 1 << BITS);

static ZEROS: Cluster = [0; CLUSTER];

/// The parity clusters of a stripe. A member that holds nothing counts as zeros.
pub fn encode(data: &[Option<&Cluster>; DATA]) -> [Cluster; PARITY] {
    let members: [&Cluster; DATA] = std::array::from_fn(|at| data[at].unwrap_or(&ZEROS));
    let mut parity = [ZEROS; PARITY];
    let [first, second] = &mut parity;
    let outputs = first.as_chunks_mut::<GROUP>().0.iter_mut().zip(second.as_chunks_mut().0);
    for (group, (first, second)) in outputs.enumerate() {
        let (sum, bits) = weighted_sums(&members, group * GROUP);
        *second = bits[0];
        for (bit, table) in BIT_TABLES.iter().enumerate() {
            table.multiply_add(&bits[bit + 1], second);
        }
        for (at, byte) in first.iter_mut().enumerate() {
            *byte = sum[at] ^ second[at];
        }
    }
    parity
}

/// Restores the members that are `None`, at most two; returns each with its place in the
/// stripe, ascending. A member that is known to hold nothing must be given as zeros.
///
/// # Errors
/// `Corrupt` when more than two are missing.
pub fn recover(members: &[Option<&Cluster>; MEMBERS]) -> Result<Vec<(usize, Cluster)>> {
    let lost: Vec<usize> = (0..MEMBERS).filter(|&at| members[at].is_none()).collect();
    if lost.len() > PARITY {
        return Err(Error::corrupt(format!(
            "{} clusters of a parity stripe are damaged, two can be restored",
            lost.len()
        )));
    }
    let mut data = [None; DATA];
    data.copy_from_slice(&members[..DATA]);
    let present = encode(&data);
    // What the present data leaves of each parity member: the share of the lost ones.
    let share = |at: usize| members[DATA + at].map(|parity| sum(parity, &present[at]));
    let restored = match (lost.as_slice(), share(0), share(1)) {
        (&[one, two], Some(first), Some(second)) => {
            let (a, b) = (multiplier(one), multiplier(two));
            let both = sum(&first, &second);
            let scaled = sum(&Table::of(b).multiply(&both), &second);
            let one_content = Table::of(inverse(a ^ b)).multiply(&scaled);
            let two_content = sum(&both, &one_content);
            return Ok(vec![(one, one_content), (two, two_content)]);
        }
        (&[one], Some(first), Some(second)) => return Ok(vec![(one, sum(&first, &second))]),
        (&[one, _], None, Some(second)) => {
            Some((one, Table::of(inverse(multiplier(one))).multiply(&second)))
        }
        (&[one, _], Some(first), None) => {
            Some((one, Table::of(inverse(multiplier(one) ^ 1)).multiply(&first)))
        }
        _ => None,
    };
    // Parity members are lost, if any: the data is whole now.
    if let Some((at, content)) = &restored {
        data[*at] = Some(content);
    }
    let parity = if lost.iter().any(|&at| at >= DATA) { encode(&data) } else { present };
    let lost_parity = lost.iter().filter(|&&at| at >= DATA).map(|&at| (at, parity[at - DATA]));
    let lost_parity: Vec<_> = lost_parity.collect();
    Ok(restored.into_iter().chain(lost_parity).collect())
}

fn multiplier(member: usize) -> u16 {
    (FIRST + member) as u16
}

fn sum(a: &Cluster, b: &Cluster) -> Cluster {
    let mut sum = *a;
    sum.iter_mut().zip(b).for_each(|(sum, byte)| *sum ^= byte);
    sum
}

type Group = [u8; GROUP];

/// For the group at byte `at` of each member: the sum over all, and for each bit of the
/// multipliers the sum over the members whose multiplier has it.
#[inline]
fn weighted_sums(members: &[&Cluster; DATA], at: usize) -> (Group, [Group; BITS]) {
    let mut sums = [[0; GROUP]; 1 << BITS];
    for (sum, member) in sums[FIRST..].iter_mut().zip(members) {
        sum.copy_from_slice(&member[at..at + GROUP]);
    }
    let mut bits = [[0; GROUP]; BITS];
    let mut count = sums.len();
    for bit in &mut bits {
        count /= 2;
        for pair in 0..count {
            let (even, odd) = (sums[2 * pair], sums[2 * pair + 1]);
            for byte in 0..GROUP {
                bit[byte] ^= odd[byte];
                sums[pair][byte] = even[byte] ^ odd[byte];
            }
        }
    }
    (sums[0], bits)
}

/// Products of one element with every low byte and with every high byte.
struct Table {
    low: [u16; 256],
    high: [u16; 256],
}

/// The tables for the bits 1 to 4 of the multipliers.
static BIT_TABLES: [Table; BITS - 1] =
    [Table::of(1 << 1), Table::of(1 << 2), Table::of(1 << 3), Table::of(1 << 4)];

impl Table {
    const fn of(factor: u16) -> Table {
        let mut table = Table { low: [0; 256], high: [0; 256] };
        let mut bit = 0;
        while bit < 8 {
            let low = product(factor, 1 << bit);
            let high = product(factor, 0x100 << bit);
            let mut at = 0;
            while at < 1 << bit {
                table.low[(1 << bit) + at] = table.low[at] ^ low;
                table.high[(1 << bit) + at] = table.high[at] ^ high;
                at += 1;
            }
            bit += 1;
        }
        table
    }

    #[inline]
    fn multiply_add(&self, from: &Group, to: &mut Group) {
        for at in 0..HALF {
            let product = self.low[usize::from(from[at])] ^ self.high[usize::from(from[at + HALF])];
            let [low, high] = product.to_le_bytes();
            to[at] ^= low;
            to[at + HALF] ^= high;
        }
    }

    fn multiply(&self, from: &Cluster) -> Cluster {
        let mut product = ZEROS;
        let groups = product.as_chunks_mut::<GROUP>().0.iter_mut();
        for (to, from) in groups.zip(from.as_chunks::<GROUP>().0) {
            self.multiply_add(from, to);
        }
        product
    }
}

// The field: polynomials over GF(2) modulo x^16 + x^5 + x^3 + x^2 + 1, an element being the bits
// of its coordinates in `BASIS`.

const POLYNOMIAL: u32 = 0x1_002d;

const BASIS: [u16; 16] = [
    0x0001, 0xacca, 0x3c0e, 0x163e, 0xc582, 0xed2e, 0x914c, 0x4012, 0x6c98, 0x10d8, 0x6a72, 0xb900,
    0xfdb8, 0xfb34, 0xff38, 0x991e,
];

/// The coordinates of each power of x: `BASIS` inverted.
const COORDINATES: [u16; 16] = {
    let mut rows = BASIS;
    let mut coordinates = [0; 16];
    let mut bit = 0;
    while bit < 16 {
        coordinates[bit] = 1 << bit;
        bit += 1;
    }
    let mut column = 0;
    while column < 16 {
        let mut pivot = column;
        while rows[pivot] >> column & 1 == 0 {
            pivot += 1;
        }
        let (row, coordinate) = (rows[pivot], coordinates[pivot]);
        rows[pivot] = rows[column];
        coordinates[pivot] = coordinates[column];
        rows[column] = row;
        coordinates[column] = coordinate;
        let mut other = 0;
        while other < 16 {
            if other != column && rows[other] >> column & 1 != 0 {
                rows[other] ^= row;
                coordinates[other] ^= coordinate;
            }
            other += 1;
        }
        column += 1;
    }
    coordinates
};

/// The sum of the `images` of the bits that are set.
const fn map(bits: u16, images: &[u16; 16]) -> u16 {
    let (mut sum, mut bit) = (0, 0);
    while bit < 16 {
        if bits >> bit & 1 != 0 {
            sum ^= images[bit];
        }
        bit += 1;
    }
    sum
}

const fn product(a: u16, b: u16) -> u16 {
    let (mut shifted, b) = (map(a, &BASIS) as u32, map(b, &BASIS));
    let (mut product, mut bit) = (0, 0);
    while bit < 16 {
        if b >> bit & 1 != 0 {
            product ^= shifted;
        }
        shifted <<= 1;
        if shifted >> 16 != 0 {
            shifted ^= POLYNOMIAL;
        }
        bit += 1;
    }
    map(product as u16, &COORDINATES)
}

/// The inverse of an element that is not zero: its power 2^16 - 2.
fn inverse(element: u16) -> u16 {
    let (mut power, mut result) = (element, 1);
    for _ in 1..16 {
        power = product(power, power);
        result = product(result, power);
    }
    result
}

#[cfg(test)]
#[path = "parity_tests.rs"]
mod tests;
