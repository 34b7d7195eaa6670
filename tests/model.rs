//! Random operations on the engine and on the model: the same answers, the same state, all
//! along and after reopening.

mod support;

use aetherflow::fs::{Compression, ROOT};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use support::pair::{Fill, Op, Pair};

/// Sizes and offsets where things change: inline, cluster, shared, block, extent.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        0usize..40,
        500usize..520,
        4000usize..4200,
        60_000usize..70_000,
        Just(131_072),
        131_000usize..140_000,
        0usize..300_000,
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let pick = || any::<usize>();
    let name = || 0u8..12;
    let fill = prop_oneof![
        any::<u64>().prop_map(Fill::Noise),
        any::<u64>().prop_map(Fill::Text),
        prop_oneof![Just(0u8), any::<u8>()].prop_map(Fill::Byte)
    ];
    let at = || prop_oneof![Just(0usize), size()];
    prop_oneof![
        8 => (0u8..8, pick(), name()).prop_map(|(kind, parent, name)| Op::Make { kind, parent, name }),
        2 => (pick(), pick(), name()).prop_map(|(node, parent, name)| Op::Link { node, parent, name }),
        12 => (pick(), at(), size(), fill)
            .prop_map(|(node, offset, length, fill)| Op::Write { node, offset, length, fill }),
        3 => (pick(), size()).prop_map(|(node, size)| Op::Truncate { node, size }),
        3 => (pick(), prop_oneof![Just(0u32), Just(1), Just(3), Just(16), Just(17)], at(), 1usize..90_000)
            .prop_map(|(node, mode, offset, length)| Op::Allocate { node, mode, offset, length }),
        3 => (pick(), at(), pick(), at(), size())
            .prop_map(|(source, from, target, to, length)| Op::Clone { source, from, target, to, length }),
        3 => (pick(), name()).prop_map(|(parent, name)| Op::Unlink { parent, name }),
        2 => (pick(), name()).prop_map(|(parent, name)| Op::RemoveDirectory { parent, name }),
        5 => (pick(), name(), pick(), name(), 0u8..3)
            .prop_map(|(from, name, to, new, manner)| Op::Rename { from, name, to, new, manner }),
        3 => (pick(), name(), prop_oneof![0usize..300, 0usize..65_537], 0u8..3)
            .prop_map(|(node, name, length, manner)| Op::SetXattr { node, name, length, manner }),
        1 => (pick(), name()).prop_map(|(node, name)| Op::RemoveXattr { node, name }),
        1 => pick().prop_map(|node| Op::Retain { node }),
        1 => pick().prop_map(|node| Op::Release { node }),
        2 => (0u8..3).prop_map(|name| Op::Snapshot { name }),
        1 => (0u8..3).prop_map(|name| Op::Restore { name }),
        1 => (0u8..3).prop_map(|name| Op::DeleteSnapshot { name }),
        1 => pick().prop_map(|node| Op::Compress { node }),
        3 => Just(Op::Sync),
        1 => Just(Op::Checkpoint),
        1 => Just(Op::Reopen),
    ]
}

/// Runs operations; says at which step what was different.
fn run(ops: &[Op], logged: bool, compression: Compression) -> Result<(), String> {
    let mut pair = Pair::new(logged, compression);
    for (step, op) in ops.iter().enumerate() {
        let at = |what: String| format!("step {step}, {op:?}: {what}");
        pair.apply(op).map_err(at)?;
        if step % 8 == 7 {
            pair.compare().map_err(at)?;
        }
        if step % 32 == 31 {
            pair.check_tables().map_err(at)?;
        }
    }
    pair.check_tables()?;
    pair.reopen()?;
    pair.check_tables()
}

/// The same cases on every machine; AETHERFLOW_CASES asks for more of them.
fn agree(seed: u8, logged: bool, compression: Compression) {
    let cases = std::env::var("AETHERFLOW_CASES").ok().and_then(|text| text.parse().ok());
    let config = Config {
        cases: cases.unwrap_or(60),
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&proptest::collection::vec(op(), 20..160), |ops| {
        run(&ops, logged, compression).map_err(TestCaseError::fail)
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// A range cloned inside one small file that is still buffered: the file was flushed twice, and
/// its extent kept a reference nobody held.
#[test]
fn a_file_named_twice_is_flushed_once() {
    let mut pair = Pair::new(true, Compression::Zone);
    for op in [
        Op::Make { kind: 4, parent: 0, name: 2 },
        Op::Write { node: 1, offset: 0, length: 513, fill: Fill::Noise(0) },
        Op::Clone { source: 1, from: 0, target: 1, to: 4096, length: 100 },
    ] {
        pair.apply(&op).unwrap();
    }
    assert_eq!(pair.model.ids(), [ROOT, 2]);
    pair.check_tables().unwrap();
}

#[test]
fn in_memory() {
    agree(1, false, Compression::Off);
}

#[test]
fn in_memory_compressed() {
    agree(2, false, Compression::All);
}

#[test]
fn with_a_log() {
    agree(3, true, Compression::Off);
}

#[test]
fn with_a_log_compressed_by_zone() {
    agree(4, true, Compression::Zone);
}

#[test]
fn with_a_log_compressed() {
    agree(5, true, Compression::All);
}
