//! Benchmarks: everything in `benches/`, one table.
//!
//! A bench is `benches/NAME.rs` (a plain program, `harness = false`) or `benches/NAME.mjs`. For
//! each figure it prints one line `figure | what | value | goal | ok` (or `miss`, or `-` without a
//! goal); whatever else it prints is shown as it is. `AETHERFLOW_BENCH=smoke` asks for a run of
//! seconds that shows that it works; its values mean nothing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::count::Checks;
use crate::run::{Result, Tool, root, step};
use crate::{npm, web};

/// One line of the table: bench, figure, value, goal, verdict.
type Row = [String; 5];

fn benches(names: &[&str]) -> Result<Vec<PathBuf>> {
    let folder = root().join("benches");
    let mut found: Vec<PathBuf> = fs::read_dir(&folder)
        .map_err(|error| format!("cannot read {}: {error}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "rs" || kind == "mjs"))
        .filter(|path| names.is_empty() || names.contains(&stem(path).as_str()))
        .collect();
    found.sort();
    if found.is_empty() {
        Err(format!("no benchmark in {} is called that", folder.display()))
    } else {
        Ok(found)
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn run_one(path: &Path, smoke: bool, options: &[&str]) -> Result<Vec<Row>> {
    let name = stem(path);
    let tool = if path.extension().is_some_and(|kind| kind == "rs") {
        Tool::cargo().args(["bench", "--quiet", "--bench", &name, "--"])
    } else {
        npm::build()?;
        let node = Tool::node().args([path]);
        if name == "explorer" { web::in_browser(node)? } else { node }
    };
    let tool = tool.args(options);
    let (success, output) =
        tool.env("AETHERFLOW_BENCH", if smoke { "smoke" } else { "full" }).tee()?;
    if !success {
        return Err(format!("the benchmark {name} failed; its output is above"));
    }
    Ok(output.lines().filter_map(|line| row(&name, line)).collect())
}

fn row(name: &str, line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.strip_prefix("figure | ")?.split('|').map(str::trim).collect();
    let [what, value, goal, verdict] = cells.as_slice() else { return None };
    Some([name, what, value, goal, verdict].map(String::from))
}

/// `cargo xtask bench [NAME...]`, or one name and options of that benchmark.
pub fn run(arguments: &[&str]) -> Result {
    let options = arguments.iter().position(|word| word.starts_with('-'));
    let (names, options) = arguments.split_at(options.unwrap_or(arguments.len()));
    if !options.is_empty() && names.len() != 1 {
        return Err("options are for one benchmark: cargo xtask bench NAME --option...".into());
    }
    let mut rows = vec![["bench", "figure", "value", "goal", ""].map(String::from)];
    for path in benches(names)? {
        rows.extend(step(&format!("bench {}", stem(&path)), || run_one(&path, false, options))?);
    }
    println!();
    print_table(&rows);
    Ok(())
}

/// The suite: every benchmark runs in its small form and prints at least one figure.
pub fn check(checks: &mut Checks) {
    match benches(&[]) {
        Ok(paths) => {
            for path in paths {
                let rows = run_one(&path, true, &[]).and_then(|rows| {
                    if rows.is_empty() { Err("it printed no figure".into()) } else { Ok(()) }
                });
                checks.note(&stem(&path), rows);
            }
        }
        Err(why) => checks.note("benches", Err(why)),
    }
}

/// Prints rows with aligned columns.
pub fn print_table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) {
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_and_noise_is_not() {
        let expected = ["commit", "create", "200k/s", ">= 150k/s", "ok"].map(String::from);
        assert_eq!(row("commit", "figure | create | 200k/s | >= 150k/s | ok"), Some(expected));
        assert_eq!(row("commit", "figure | create | 200k/s"), None);
        assert_eq!(row("commit", "warming up | a | b | c | d"), None);
    }
}
