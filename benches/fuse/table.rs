//! The rows with their goals, the results, and how they are printed.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map as Object, Value, json};

use super::Result;
use super::contestants::Kind;
use crate::support::short;

/// What a figure of the map is measured against.
#[derive(Clone, Copy)]
pub enum Goal {
    /// A multiple of another contestant's median, at least or at most as the row's sense is.
    Times(Kind, f64),
    /// Another contestant's median and so much more, or better.
    Plus(Kind, f64),
    Fixed(f64),
}

/// Which values are good.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    More,
    Less,
}

pub struct Row {
    pub name: &'static str,
    pub unit: &'static str,
    sense: Sense,
    goals: &'static [Goal],
}

const fn row(name: &'static str, unit: &'static str, sense: Sense, goals: &'static [Goal]) -> Row {
    Row { name, unit, sense, goals }
}

use Goal::{Fixed, Plus, Times};
use Kind::{Fuse2fs, Native, Passthrough};
use Sense::{Less, More};

/// Default budget of all caches of a mounted map, in MiB, and what the daemon may take beside it.
const MEMORY: f64 = 64.0 + 50.0;

/// All rows in the order of the table. The part before the colon is the workload.
pub const ROWS: &[Row] = &[
    row("data: write 1M + fsync", "MB/s", More, &[Times(Passthrough, 0.9), Times(Fuse2fs, 1.5)]),
    row("data: read cold", "MB/s", More, &[Times(Passthrough, 1.0)]),
    row("data: read warm", "MB/s", More, &[Times(Passthrough, 1.0)]),
    row("data: random read 4k cold p50", "us", Less, &[Plus(Passthrough, 20.0)]),
    row("data: random read 4k cold p99", "us", Less, &[Fixed(500.0)]),
    row("data: random write 4k + fsync", "/s", More, &[Times(Passthrough, 1.5)]),
    row("data: random write 4k p50", "us", Less, &[]),
    row("data: append 4k, each fsynced", "/s", More, &[Times(Native, 1.0)]),
    row("data: daemon, processor", "s", Less, &[]),
    row("data: daemon, peak memory", "MiB", Less, &[]),
    row("names, pinned: create 100 B", "/s", More, &[Fixed(12_000.0)]),
    row("names, pinned: readdir cold", "/s", More, &[]),
    row("names, pinned: readdir + stat cold", "/s", More, &[Times(Passthrough, 1.3)]),
    row("names, pinned: stat cold", "/s", More, &[Times(Passthrough, 1.2)]),
    row("names, pinned: stat warm", "/s", More, &[Times(Native, 0.8)]),
    row("names, pinned: open read close warm", "/s", More, &[Times(Passthrough, 1.5)]),
    row("names, pinned: rename", "/s", More, &[Fixed(40_000.0)]),
    row("names, pinned: unlink", "/s", More, &[Fixed(40_000.0)]),
    row("names, pinned: daemon, processor", "s", Less, &[]),
    row("names, pinned: daemon, peak memory", "MiB", Less, &[]),
    row("tree, pinned: untar + syncfs", "s", Less, &[Times(Passthrough, 0.7)]),
    row("tree, pinned: re-read cold", "s", Less, &[Times(Passthrough, 0.9)]),
    row("tree, pinned: rm -rf", "s", Less, &[Times(Passthrough, 0.3)]),
    row("tree, pinned: daemon, processor", "s", Less, &[]),
    row("tree, pinned: daemon, peak memory", "MiB", Less, &[]),
    row("stream: write + fsync", "MB/s", More, &[]),
    row("stream: read cold", "MB/s", More, &[]),
    row("stream: daemon, peak memory", "MiB", Less, &[Fixed(MEMORY)]),
    row("readers: 1 decompressing", "MB/s", More, &[]),
    row("readers: 4 decompressing", "MB/s", More, &[]),
    row("readers: 4 against 1", "x", More, &[Fixed(1.7)]),
    row("recovery: mount after kill -9", "ms", Less, &[Fixed(1000.0)]),
    row("cache: hits in 32 MiB read again", "%", More, &[Fixed(95.0)]),
];

/// Of one contestant in one row: the values, and the daemon's processor seconds while measured.
#[derive(Default)]
struct Cell {
    values: Vec<f64>,
    processor: Vec<f64>,
}

/// Everything measured so far.
#[derive(Default)]
pub struct Results(BTreeMap<(&'static str, Kind), Cell>);

fn middle(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
    Some((sorted.get(low)? + sorted.get(high)?) / 2.0)
}

fn ends(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    (low, values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

/// With thousands shortened, so that the columns stay narrow.
fn compact(value: f64) -> String {
    if value >= 10_000.0 { format!("{:.1}k", value / 1000.0) } else { short(value) }
}

impl Results {
    pub fn note(&mut self, name: &'static str, kind: Kind, value: f64, processor: f64) {
        let cell = self.0.entry((name, kind)).or_default();
        cell.values.push(value);
        cell.processor.push(processor);
    }

    fn median(&self, row: &Row, kind: Kind) -> Option<f64> {
        middle(&self.0.get(&(row.name, kind))?.values)
    }

    fn cell(&self, row: &Row, kind: Kind) -> String {
        let Some(cell) = self.0.get(&(row.name, kind)) else { return "-".into() };
        let (low, high) = ends(&cell.values);
        let middle = compact(middle(&cell.values).unwrap_or(f64::NAN));
        if cell.values.len() < 2 {
            return middle;
        }
        format!("{middle} ({}-{})", compact(low), compact(high))
    }

    fn ratio(&self, row: &Row, kind: Kind) -> String {
        match (self.median(row, Kind::Map), self.median(row, kind)) {
            (Some(map), Some(other)) if other > 0.0 => format!("{:.2}", map / other),
            _ => "-".into(),
        }
    }

    /// The bound that is hardest to reach, of the goals whose references were measured.
    fn bound(&self, row: &Row) -> Option<f64> {
        let bounds = row.goals.iter().filter_map(|goal| match *goal {
            Times(kind, factor) => Some(self.median(row, kind)? * factor),
            Plus(kind, more) => Some(self.median(row, kind)? + more),
            Fixed(bound) => Some(bound),
        });
        bounds.reduce(if row.sense == More { f64::max } else { f64::min })
    }

    /// Whether the map's figure is as it should be, where there is one and something to compare.
    fn reached(&self, row: &Row) -> Option<bool> {
        let (value, bound) = (self.median(row, Kind::Map)?, self.bound(row)?);
        Some(if row.sense == More { value >= bound } else { value <= bound })
    }

    fn rows(&self) -> impl Iterator<Item = &'static Row> {
        ROWS.iter()
            .filter(|row| Kind::ALL.iter().any(|&kind| self.0.contains_key(&(row.name, kind))))
    }

    /// Prints the wide table.
    pub fn print(&self, kinds: &[Kind], titles: &Titles) {
        let mut lines = vec![{
            let mut head = vec!["".to_owned(), "unit".to_owned()];
            head.extend(kinds.iter().map(|&kind| titles.of(kind)));
            let others = kinds.iter().filter(|kind| **kind != Kind::Map);
            head.extend(others.map(|&kind| format!("map / {}", titles.of(kind))));
            head.extend(["goal".into(), String::new()]);
            head
        }];
        for row in self.rows() {
            let mut line = vec![row.name.to_owned(), row.unit.to_owned()];
            line.extend(kinds.iter().map(|&kind| self.cell(row, kind)));
            let others = kinds.iter().filter(|kind| **kind != Kind::Map);
            line.extend(others.map(|&kind| self.ratio(row, kind)));
            line.push(goal_text(row, titles));
            line.push(match self.reached(row) {
                Some(true) => "reached".into(),
                Some(false) => "MISSED".into(),
                None => String::new(),
            });
            lines.push(line);
        }
        let columns = lines[0].len();
        let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
        println!();
        for line in &lines {
            let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        println!();
    }

    /// One line for each row of the map, in the form all benchmarks use.
    pub fn print_figures(&self) {
        for row in self.rows() {
            let Some(value) = self.median(row, Kind::Map) else { continue };
            let sign = if row.sense == More { ">=" } else { "<=" };
            let goal = self.bound(row).map(|bound| format!("{sign} {} {}", short(bound), row.unit));
            let verdict = self.reached(row).map_or("-", |yes| if yes { "ok" } else { "miss" });
            let goal = goal.unwrap_or_else(|| "-".into());
            println!("figure | {} | {} {} | {goal} | {verdict}", row.name, short(value), row.unit);
        }
    }

    /// Everything, with the values of each round, as one JSON object.
    pub fn save(&self, path: &Path, titles: &Titles, rounds: usize) -> Result {
        let cell = |cell: &Cell| {
            let (low, high) = ends(&cell.values);
            json!({
                "median": middle(&cell.values), "min": low, "max": high,
                "values": cell.values, "daemonSeconds": cell.processor,
            })
        };
        let rows: Vec<Value> = self
            .rows()
            .map(|row| {
                let cells: Object<String, Value> = Kind::ALL
                    .into_iter()
                    .filter_map(|kind| {
                        Some((kind.key().to_owned(), cell(self.0.get(&(row.name, kind))?)))
                    })
                    .collect();
                json!({
                    "row": row.name, "unit": row.unit, "goal": goal_text(row, titles),
                    "reached": self.reached(row), "contestants": cells,
                })
            })
            .collect();
        let text = json!({ "rounds": rounds, "native": titles.of(Native), "rows": rows });
        std::fs::write(path, format!("{text:#}\n"))
            .map_err(|error| format!("{}: {error}", path.display()))
    }
}

fn goal_text(row: &Row, titles: &Titles) -> String {
    let sign = if row.sense == More { ">=" } else { "<=" };
    let texts = row.goals.iter().map(|goal| match *goal {
        Times(kind, factor) => format!("{sign} {factor} x {}", titles.of(kind)),
        Plus(kind, more) => format!("{sign} {} + {more}", titles.of(kind)),
        Fixed(bound) => format!("{sign} {bound}"),
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// What the columns are called: the native one by what it is.
pub struct Titles {
    pub native: String,
}

impl Titles {
    pub fn of(&self, kind: Kind) -> String {
        match kind {
            Kind::Map => "map".into(),
            Native => self.native.clone(),
            Passthrough => "FUSE limit".into(),
            Fuse2fs => "fuse2fs".into(),
        }
    }
}
