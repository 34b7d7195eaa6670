//! The order of everything: rounds, workloads, contestants.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use super::Result;
use super::arguments::Arguments;
use super::cleaning::{self, Watched};
use super::contestants::{Contestant, Kind, Tools};
use super::measuring::{filesystem_of, is_root};
use super::table::{ROWS, Results, Titles};
use super::workloads::WORKLOADS;

/// What the workloads see of the run.
pub struct Run<'a> {
    pub arguments: &'a Arguments,
    /// Where what is kept between runs lies.
    pub kept: &'a Path,
    results: Results,
}

impl Run<'_> {
    /// Whether a row is asked for.
    pub fn wants(&self, name: &str) -> bool {
        let rows = &self.arguments.rows;
        rows.is_empty() || rows.iter().any(|part| name.contains(part.as_str()))
    }

    /// Whether any row is asked for whose name begins so.
    pub fn wants_part(&self, start: &str) -> bool {
        ROWS.iter().any(|row| row.name.starts_with(start) && self.wants(row.name))
    }

    /// Runs `work` and returns how many seconds it took, and those of the daemon's processor time.
    pub fn timed(
        &self,
        contestant: &Contestant,
        work: impl FnOnce() -> Result,
    ) -> Result<(f64, f64)> {
        let before = contestant.processor();
        let start = Instant::now();
        work()?;
        let seconds = start.elapsed().as_secs_f64();
        Ok((seconds, contestant.processor() - before))
    }

    pub fn note(&mut self, name: &'static str, kind: Kind, value: f64, processor: f64) {
        debug_assert!(ROWS.iter().any(|row| row.name == name), "no row {name}");
        if self.wants(name) {
            self.results.note(name, kind, value, processor);
        }
    }
}

/// The whole program.
pub fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, folder] = words.as_slice()
        && flag == cleaning::FLAG
    {
        cleaning::watch(Path::new(folder));
        return ExitCode::SUCCESS;
    }
    match Arguments::parse(words.into_iter()).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench fuse: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let tools = Tools::find(!arguments.quick);
    let mut kinds = arguments.only.clone();
    kinds.retain(|&kind| {
        let why = tools.missing(kind);
        if let Some(why) = why {
            println!("without {}: {why}", kind.key());
        }
        why.is_none()
    });
    if arguments.only.contains(&Kind::Map) && !kinds.contains(&Kind::Map) {
        println!("figure | mount | not measured here | - | -");
        if arguments.quick {
            return Ok(());
        }
    }
    if !is_root() {
        println!("without cold rows: only root can drop the kernel's caches");
    }
    let titles =
        Titles { native: filesystem_of(&arguments.folder).unwrap_or_else(|| "native".into()) };
    let watched =
        Watched::start(arguments.folder.join(format!("bench-fuse-{}", std::process::id())))?;
    let mut run = Run { arguments, kept, results: Results::default() };
    let mut failures = Vec::new();
    for round in 1..=arguments.rounds {
        for workload in WORKLOADS {
            for &kind in &kinds {
                let measured =
                    workload.contestants.is_empty() || workload.contestants.contains(&kind);
                if !measured || !run.wants_part(workload.name) {
                    continue;
                }
                let start = Instant::now();
                let mut contestant = Contestant::new(kind, &tools, &watched.folder);
                let result = (workload.measure)(&mut run, &mut contestant);
                let result = result.and_then(|()| contestant.remove());
                let seconds = start.elapsed().as_secs_f64();
                let title = format!("round {round}, {}, {}", workload.name, titles.of(kind));
                match result {
                    Ok(()) => eprintln!("{title}: {seconds:.1} s"),
                    Err(why) => {
                        eprintln!("{title}: FAILED: {why}");
                        failures.push(format!("{title}: {why}"));
                    }
                }
            }
        }
    }
    drop(watched);
    run.results.print(&kinds, &titles);
    run.results.print_figures();
    if let Some(path) = &arguments.json {
        run.results.save(path, &titles, arguments.rounds)?;
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\nbench fuse: ")) }
}
