//! `cargo xtask test`: every suite, one closing line each, a table at the end.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use crate::bench::{self, print_table};
use crate::count::{Checks, Counts};
use crate::run::{Result, Tool, files, root, target};
use crate::{docs, fuse, licences, npm, package, packed, setup, wasm, web};

/// A suite: name, what it looks at, how it runs.
type Suite = (&'static str, &'static str, fn() -> Result<Counts>);

/// In the order they run: what fails fast comes first.
const SUITES: [Suite; 16] = [
    ("format", "rustfmt on every Rust file", format),
    ("clippy", "clippy without warnings, native and wasm32", clippy),
    ("rust", "unit, property, crash and integration tests of the engine", rust),
    ("fuzz", "every fuzz target for a few seconds", fuzz),
    ("fuse", "the mount: POSIX, programs, kills, faults (tests/fuse)", fuse::test),
    ("licences", "licences of all dependencies", || checked(licences::check)),
    ("wasm", "the wasm package: build, size budget, exports", || checked(wasm::check)),
    ("lint", "the linters on npm/ and web-demo/", lint),
    ("types", "the TypeScript compiler on npm/ and web-demo/", types),
    ("node", "the npm library in memory and on files (tests/js)", || node_tests("tests/js")),
    ("cli", "the command line end to end (tests/cli)", || node_tests("tests/cli")),
    ("web", "the explorer in a browser, end to end (tests/web)", web::test),
    ("packed", "the tarballs in an empty folder, without Rust; a mount", || checked(packed::check)),
    ("docs", "links and marked snippets of every page", || checked(docs::check)),
    ("demo", "cargo xtask demo", || {
        Ok(Counts::one(crate::demo::run().map_err(|why| eprintln!("{why}")).is_ok()))
    }),
    ("bench", "every benchmark in its small form", || checked(bench::check)),
];

/// Seconds each fuzz target runs.
const FUZZ_SECONDS: u32 = 15;
/// Inputs tried at most, from a fixed seed: a run in a clean clone is the same every time.
const FUZZ_RUNS: u32 = 4000;

fn checked(suite: fn(&mut Checks)) -> Result<Counts> {
    let mut checks = Checks::default();
    suite(&mut checks);
    Ok(checks.0)
}

/// Runs the named suites, or all.
pub fn run(names: &[&str]) -> ExitCode {
    if names == ["--list"] {
        print_table(&SUITES.map(|(name, about, _)| [name, about].map(String::from)));
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = names.iter().find(|name| !SUITES.iter().any(|suite| suite.0 == **name)) {
        eprintln!("xtask: no suite '{unknown}'; `cargo xtask test --list` names them");
        return ExitCode::from(2);
    }
    setup::optional_tools();
    let start = Instant::now();
    let mut total = Counts::default();
    let mut table = vec![["suite", "passed", "failed", "skipped", "seconds"].map(String::from)];
    for (name, about, suite) in SUITES {
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        println!("\n=== {name}: {about}");
        let began = Instant::now();
        let counts = suite().unwrap_or_else(|why| {
            println!("{name}: {why}");
            Counts::one(false)
        });
        println!("{name}: {counts}");
        total += counts;
        let cells = [counts.passed, counts.failed, counts.skipped].map(|count| count.to_string());
        let [passed, failed, skipped] = cells;
        let seconds = format!("{:.1}", began.elapsed().as_secs_f64());
        table.push([name.to_string(), passed, failed, skipped, seconds]);
    }
    println!();
    print_table(&table);
    println!("in {:.0} s", start.elapsed().as_secs_f64());
    println!("{total}");
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One check per file: rustfmt names the files it would change.
fn format() -> Result<Counts> {
    setup::rust_components()?;
    let sources =
        files(root()).into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let count = sources.filter(|path| !path.starts_with(root().join("fuzz"))).count() as u64;
    let (success, output) = Tool::cargo().args(["fmt", "--all", "--", "--check", "-l"]).tee()?;
    let bad = output.lines().filter(|line| line.ends_with(".rs")).count() as u64;
    if bad > 0 {
        println!("  what to do: cargo fmt --all");
    }
    Ok(Counts::new(count.saturating_sub(bad), bad).with_end(success))
}

/// One check per line: all native code, the tests of the mount, the library as it is shipped.
fn clippy() -> Result<Counts> {
    setup::rust_components()?;
    setup::wasm_target()?;
    let mut counts = Counts::default();
    for arguments in [
        "clippy --workspace --all-targets --quiet -- -D warnings",
        // Not among all targets, since `cargo test` alone is not to run it.
        "clippy --test fuse --quiet -- -D warnings",
        "clippy --lib --target wasm32-unknown-unknown --features wasm --quiet -- -D warnings",
    ] {
        println!("    cargo {arguments}");
        counts += Counts::one(Tool::cargo().args(arguments.split(' ')).tee()?.0);
    }
    Ok(counts)
}

fn rust() -> Result<Counts> {
    // The glue generator has no tests, and building it for them would cost a minute.
    let arguments = "test --workspace --exclude aetherflow-bindgen --no-fail-fast";
    let (success, output) = Tool::cargo().args(arguments.split(' ')).tee()?;
    Ok(Counts::from_cargo_test(&output).with_end(success))
}

/// Builds the targets in `fuzz/` with coverage but without a sanitizer, which needs no nightly
/// compiler, and runs each for some seconds from its corpus.
fn fuzz() -> Result<Counts> {
    let targets = root().join("fuzz/fuzz_targets");
    if !targets.is_dir() {
        println!("    skipped: there is no folder fuzz/fuzz_targets");
        return Ok(Counts { skipped: 1, ..Counts::default() });
    }
    if !setup::has("c++", &["--version"]) {
        println!("    skipped: libFuzzer is compiled from C++ and there is no c++ here");
        return Ok(Counts { skipped: 1, ..Counts::default() });
    }
    let coverage = "--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 -Cdebug-assertions \
                    -Cllvm-args=-sanitizer-coverage-level=4 \
                    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                    -Cllvm-args=-sanitizer-coverage-pc-table";
    let folder = target().join("fuzz");
    let host = Tool::new("rustc").args(["--print", "host-tuple"]).output()?;
    let host = host.trim();
    // With --target the flags reach the targets and not the build scripts.
    let build = Tool::cargo()
        .args([
            "build",
            "--release",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--target",
            host,
            "--target-dir",
        ])
        .args([&folder])
        .env("RUSTFLAGS", coverage);
    if !build.tee()?.0 {
        return Ok(Counts::one(false));
    }
    let mut counts = Counts::default();
    for source in files(&targets) {
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        counts += fuzz_one(&name, &folder.join(host).join("release").join(&name))?;
    }
    Ok(counts.with_end(true))
}

fn fuzz_one(name: &str, program: &Path) -> Result<Counts> {
    let found = target().join("fuzz/corpus").join(name);
    std::fs::create_dir_all(&found)
        .map_err(|error| format!("cannot make {}: {error}", found.display()))?;
    let seeds = root().join("fuzz/corpus").join(name);
    let mut folders: Vec<PathBuf> = vec![found];
    folders.extend(seeds.is_dir().then_some(seeds));
    let (runs, seconds) = (format!("-runs={FUZZ_RUNS}"), format!("-max_total_time={FUZZ_SECONDS}"));
    let kept = format!("-artifact_prefix={}/{name}-", target().join("fuzz").display());
    let (success, output) = Tool::new(program)
        .args([
            &runs,
            &seconds,
            "-seed=3",
            "-rss_limit_mb=2048",
            "-timeout=20",
            "-print_final_stats=0",
            &kept,
        ])
        .args(&folders)
        .tee()?;
    Ok(Counts::one(success && output.contains("Done ")))
}

/// The packages written in TypeScript.
const PACKAGES: [&str; 2] = ["npm", "web-demo"];

/// One check per linted file; ESLint and Prettier both name a file before what they found in it.
fn lint() -> Result<Counts> {
    npm::install()?;
    let mut counts = Counts::default();
    for package in PACKAGES {
        let (success, output) = Tool::npm().args(["run", "lint", "--workspace", package]).tee()?;
        let sources = typescript_sources(package);
        let is_bad = |path: &&PathBuf| output.contains(&named(package, path));
        let bad = sources.iter().filter(is_bad).count() as u64;
        counts += Counts::new(sources.len() as u64 - bad, bad).with_end(success);
    }
    Ok(counts)
}

/// One check per TypeScript file.
fn types() -> Result<Counts> {
    npm::install()?;
    let compiler = root().join("node_modules/typescript/bin/tsc");
    let mut counts = Counts::default();
    for package in PACKAGES {
        let (success, output) = Tool::node()
            .args([&compiler])
            .args(["--noEmit", "--pretty", "false", "-p", "tsconfig.json"])
            .folder(&root().join(package))
            .tee()?;
        let sources = typescript_sources(package);
        let is_bad = |path: &&PathBuf| output.contains(&format!("{}(", named(package, path)));
        let bad = sources.iter().filter(is_bad).count() as u64;
        counts += Counts::new(sources.len() as u64 - bad, bad).with_end(success);
    }
    Ok(counts)
}

fn typescript_sources(package: &str) -> Vec<PathBuf> {
    let all = files(&root().join(package).join("src"));
    let is_source =
        |path: &PathBuf| path.extension().is_some_and(|end| end == "ts" || end == "tsx");
    all.into_iter().filter(is_source).collect()
}

/// How tools name a source: its path from the package.
fn named(package: &str, path: &Path) -> String {
    path.strip_prefix(root().join(package)).unwrap_or(path).display().to_string()
}

fn node_tests(folder: &str) -> Result<Counts> {
    npm::build()?;
    let tests: Vec<PathBuf> = files(&root().join(folder))
        .into_iter()
        .filter(|path| path.to_string_lossy().contains(".test."))
        .collect();
    if tests.is_empty() {
        return Err(format!("there are no tests in {folder}/"));
    }
    let mut node = Tool::node().args(["--test", "--test-reporter=spec"]).args(tests);
    if let Some(program) = package::program_for_tests()? {
        node = node.env("AETHERFLOW_FUSE", program);
    }
    let (success, output) = node.tee()?;
    Ok(Counts::from_node_test(&output).with_end(success))
}
