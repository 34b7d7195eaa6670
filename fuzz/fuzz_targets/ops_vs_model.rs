//! Operations read from the bytes, on the engine and on the model: they must agree.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

use aetherflow::fs::Compression;
use libfuzzer_sys::fuzz_target;
use support::pair::{Fill, Op, Pair};

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn pick(&mut self) -> usize {
        usize::from(self.byte())
    }

    fn name(&mut self) -> u8 {
        self.byte() % 12
    }

    /// Up to 300,000, where things change more often than elsewhere.
    fn size(&mut self) -> usize {
        let (kind, value) = (self.byte(), self.pick() << 8 | self.pick());
        match kind % 6 {
            0 => value % 40,
            1 => 500 + value % 24,
            2 => 4080 + value % 32,
            3 => 131_060 + value % 24,
            4 => value,
            _ => value * 4 + value / 2,
        }
    }

    fn fill(&mut self) -> Fill {
        match self.byte() % 3 {
            0 => Fill::Noise(u64::from(self.byte())),
            1 => Fill::Text(u64::from(self.byte())),
            _ => Fill::Byte(self.byte()),
        }
    }

    fn op(&mut self) -> Op {
        match self.byte() % 24 {
            0..=3 => {
                let kind = self.byte() % 8;
                Op::Make { kind, parent: self.pick(), name: self.name() }
            }
            4 => Op::Link { node: self.pick(), parent: self.pick(), name: self.name() },
            5..=8 => {
                let (node, offset) = (self.pick(), self.size());
                Op::Write { node, offset, length: self.size(), fill: self.fill() }
            }
            9 => Op::Truncate { node: self.pick(), size: self.size() },
            10 => {
                let mode = [0, 1, 3, 16, 17][self.pick() % 5];
                let (node, offset) = (self.pick(), self.size());
                Op::Allocate { node, mode, offset, length: 1 + self.size() }
            }
            11 => {
                let (source, from) = (self.pick(), self.size());
                let (target, to) = (self.pick(), self.size());
                Op::Clone { source, from, target, to, length: self.size() }
            }
            12 => Op::Unlink { parent: self.pick(), name: self.name() },
            13 => Op::RemoveDirectory { parent: self.pick(), name: self.name() },
            14 | 15 => {
                let (from, name) = (self.pick(), self.name());
                let (to, new) = (self.pick(), self.name());
                Op::Rename { from, name, to, new, manner: self.byte() % 3 }
            }
            16 => {
                let (node, name, length) = (self.pick(), self.name(), self.size() % 65_540);
                Op::SetXattr { node, name, length, manner: self.byte() % 3 }
            }
            17 => Op::RemoveXattr { node: self.pick(), name: self.name() },
            18 => Op::Retain { node: self.pick() },
            19 => Op::Release { node: self.pick() },
            20 => match self.byte() % 3 {
                0 => Op::Snapshot { name: self.byte() % 3 },
                1 => Op::Restore { name: self.byte() % 3 },
                _ => Op::DeleteSnapshot { name: self.byte() % 3 },
            },
            21 => Op::Compress { node: self.pick() },
            22 => Op::Sync,
            _ => match self.byte() % 2 {
                0 => Op::Checkpoint,
                _ => Op::Reopen,
            },
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let manner = bytes.byte();
    let compression =
        [Compression::Off, Compression::Zone, Compression::All][usize::from(manner % 3)];
    let mut pair = Pair::new(manner & 4 == 0, compression);
    for _ in 0..64 {
        if bytes.0.is_empty() {
            break;
        }
        let op = bytes.op();
        pair.apply(&op).unwrap_or_else(|what| panic!("{op:?}: {what}"));
    }
    pair.compare().expect("before reopening");
    pair.check_tables().expect("before reopening");
    pair.reopen().expect("after reopening");
});
