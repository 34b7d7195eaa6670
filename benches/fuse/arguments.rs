//! What a run is asked for, and how large it is.

use std::path::PathBuf;

use super::Result;
use super::contestants::Kind;
use crate::support;

/// Sizes of the workloads.
#[derive(Clone, Copy)]
pub struct Scale {
    /// Bytes of the file the data rows work on.
    pub file: u64,
    pub random_reads: usize,
    pub random_writes: usize,
    pub appends: usize,
    /// Files in the one directory of the names rows.
    pub names: usize,
    /// Entries and bytes of the source tree.
    pub tree: (usize, u64),
    /// Bytes of the compressed file several readers share.
    pub shared: u64,
    /// Bytes streamed through the mount.
    pub stream: u64,
    /// Milliseconds of writing before the daemon is killed.
    pub load: u64,
}

const FULL: Scale = Scale {
    file: 512 << 20,
    random_reads: 2_000,
    random_writes: 20_000,
    appends: 500,
    names: 10_000,
    tree: (5_000, 65_000_000),
    shared: 256 << 20,
    stream: 1 << 30,
    load: 3_000,
};

const QUICK: Scale = Scale {
    file: 32 << 20,
    random_reads: 300,
    random_writes: 2_000,
    appends: 50,
    names: 1_000,
    tree: (500, 6_500_000),
    shared: 32 << 20,
    stream: 64 << 20,
    load: 500,
};

pub struct Arguments {
    pub quick: bool,
    pub only: Vec<Kind>,
    /// Parts of row names; all rows where empty.
    pub rows: Vec<String>,
    pub rounds: usize,
    pub json: Option<PathBuf>,
    /// Where all of it lies: the disk that is measured.
    pub folder: PathBuf,
    pub scale: Scale,
}

impl Arguments {
    /// From the command line; the smoke run of the suites is a quick one.
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Arguments> {
        let mut parsed = Arguments {
            quick: support::smoke(),
            // The suites want to see that it works; the peers are for those who ask for them.
            only: if support::smoke() { vec![Kind::Map, Kind::Native] } else { Kind::ALL.to_vec() },
            rows: Vec::new(),
            rounds: 0,
            json: None,
            folder: env!("CARGO_TARGET_TMPDIR").into(),
            scale: FULL,
        };
        let mut words = words.filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} wants a value"));
            match word.as_str() {
                "--quick" => parsed.quick = true,
                "--only" => {
                    let names = value()?;
                    parsed.only = names.split(',').map(Kind::named).collect::<Result<_>>()?;
                }
                "--rows" => parsed.rows = value()?.split(',').map(String::from).collect(),
                "--rounds" => {
                    let rounds: Option<usize> = value()?.parse().ok();
                    let rounds = rounds.filter(|&rounds| rounds > 0);
                    parsed.rounds = rounds.ok_or("--rounds wants a number from 1 on")?;
                }
                "--folder" => {
                    let folder = PathBuf::from(value()?);
                    let canonical = folder.canonicalize();
                    parsed.folder =
                        canonical.map_err(|error| format!("{}: {error}", folder.display()))?;
                }
                "--json" => parsed.json = Some(value()?.into()),
                other => return Err(format!("no option {other}")),
            }
        }
        if parsed.quick {
            parsed.scale = QUICK;
        }
        if parsed.rounds == 0 {
            parsed.rounds = if parsed.quick { 1 } else { 3 };
        }
        Ok(parsed)
    }
}
