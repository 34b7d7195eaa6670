use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};

use super::*;
use crate::base::Code;

fn stripe(seed: u64) -> Vec<Cluster> {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..DATA).map(|_| std::array::from_fn(|_| next())).collect()
}

fn given(data: &[Cluster]) -> [Option<&Cluster>; DATA] {
    std::array::from_fn(|at| Some(&data[at]))
}

#[test]
fn the_parity_is_that_of_the_reference_coder() {
    for seed in 1..6 {
        let data = stripe(seed);
        let mut reference = ReedSolomonEncoder::new(DATA, PARITY, CLUSTER).unwrap();
        for member in &data {
            reference.add_original_shard(member).unwrap();
        }
        let coded = reference.encode().unwrap();
        let parity = encode(&given(&data));
        for (at, shard) in coded.recovery_iter().enumerate() {
            assert!(parity[at] == *shard, "seed {seed} parity {at}");
        }
    }
}

#[test]
fn the_reference_coder_restores_from_our_parity() {
    let data = stripe(11);
    let parity = encode(&given(&data));
    let mut reference = ReedSolomonDecoder::new(DATA, PARITY, CLUSTER).unwrap();
    for (at, member) in data.iter().enumerate().filter(|(at, _)| ![4, 29].contains(at)) {
        reference.add_original_shard(at, member).unwrap();
    }
    for (at, member) in parity.iter().enumerate() {
        reference.add_recovery_shard(at, member).unwrap();
    }
    let decoded = reference.decode().unwrap();
    for lost in [4, 29] {
        assert!(decoded.restored_original(lost).unwrap() == data[lost]);
    }
}

#[test]
fn every_pair_of_erasures_is_restored() {
    let mut members = stripe(5);
    members.extend(encode(&given(&members)));
    for a in 0..MEMBERS {
        for b in a..MEMBERS {
            let present: [_; MEMBERS] =
                std::array::from_fn(|at| (at != a && at != b).then_some(&members[at]));
            let restored = recover(&present).unwrap();
            assert_eq!(restored.len(), if a == b { 1 } else { 2 }, "{a} {b}");
            assert!(restored.is_sorted_by_key(|(at, _)| *at));
            assert!(restored.iter().all(|(at, cluster)| members[*at] == *cluster), "{a} {b}");
        }
    }
    let whole: [_; MEMBERS] = std::array::from_fn(|at| Some(&members[at]));
    assert!(recover(&whole).unwrap().is_empty());
    let mut three = whole;
    three[3] = None;
    three[17] = None;
    three[31] = None;
    assert_eq!(recover(&three).unwrap_err().code(), Code::Corrupt);
}

#[test]
fn absent_members_count_as_zeros() {
    assert_eq!(encode(&[None; DATA]), [ZEROS; 2]);
    let mut data = stripe(9);
    data[4] = ZEROS;
    let mut members = given(&data);
    let explicit = encode(&members);
    members[4] = None;
    assert!(encode(&members) == explicit);
}

#[test]
fn the_field_is_a_field() {
    let mut element = 1u16;
    for _ in 0..2000 {
        element = element.wrapping_mul(25173).wrapping_add(13849);
        assert_eq!(map(map(element, &BASIS), &COORDINATES), element);
        if element != 0 {
            assert_eq!(product(element, inverse(element)), 1);
        }
        assert_eq!(product(element, 1), element);
        assert_eq!(product(element, 0), 0);
        let (other, third) = (element.rotate_left(5) ^ 0x1234, element ^ 0x0ff0);
        assert_eq!(product(element, other), product(other, element));
        assert_eq!(
            product(element, other ^ third),
            product(element, other) ^ product(element, third)
        );
    }
}

/// The formula of `docs/FORMAT.md`, element by element.
#[test]
fn the_documented_formula_is_the_code() {
    let element = |cluster: &Cluster, at: usize| {
        let low = at / 32 * 64 + at % 32;
        u16::from_le_bytes([cluster[low], cluster[low + 32]])
    };
    let data = stripe(21);
    let parity = encode(&given(&data));
    for at in (0..CLUSTER / 2).step_by(7) {
        let (mut weighted, mut plain) = (0, 0);
        for (member, cluster) in data.iter().enumerate() {
            weighted ^= product(member as u16 + 2, element(cluster, at));
            plain ^= element(cluster, at);
        }
        assert_eq!(element(&parity[1], at), weighted);
        assert_eq!(element(&parity[0], at), weighted ^ plain);
    }
}

/// The worked example of the format document.
#[test]
fn the_documented_example_is_the_code() {
    let parity_of = |byte: usize| {
        let mut member = ZEROS;
        member[byte] = 1;
        let mut data = [None; DATA];
        data[0] = Some(&member);
        encode(&data).map(|parity| u16::from_le_bytes([parity[0], parity[32]]))
    };
    assert_eq!(parity_of(0), [3, 2]);
    assert_eq!(parity_of(32), [0x03cf, 0x02cf]);
}
