//! The explorer: the example map, the page, and what its first visit may weigh.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::count::{Checks, Counts};
use crate::run::{
    Result, Stamp, Tool, empty_folder, files, fingerprint, read, root, step, target, write,
};
use crate::{npm, setup};

/// What a first visit may fetch before a map is open: page, styles, scripts and module, each
/// gzipped at level 9, in bytes.
const FIRST_LOAD: &str = "900000";

const SOURCES: [&str; 9] = [
    "web-demo/src",
    "web-demo/public",
    "web-demo/index.html",
    "web-demo/vite.config.ts",
    "web-demo/package.json",
    "package-lock.json",
    "pkg",
    "xtask/node/first-load.mjs",
    "xtask/src/web.rs",
];
const EXAMPLE: &str = "web-demo/public/example.rts.png";
/// When the example is made again. It also holds other parts of the project, of which an older state
/// does as well.
const EXAMPLE_SOURCES: [&str; 6] =
    ["README.md", "docs", "src", "npm/src", "xtask/node/example.mjs", "pkg"];

fn page() -> PathBuf {
    root().join("web-demo/dist")
}

/// Builds the page into `web-demo/dist`, or leaves it when nothing it is made of has changed.
pub fn build() -> Result {
    npm::compile()?;
    example()?;
    let stamp = Stamp::new("web");
    let inputs = fingerprint(&SOURCES);
    if page().join("index.html").is_file() && stamp.matches(&inputs) {
        return Ok(());
    }
    step("build the explorer", || {
        Tool::npm().args(["run", "build", "--silent", "--workspace", "web-demo"]).run()
    })?;
    first_load()?;
    stamp.set(&inputs)
}

/// The map the start page offers to walk through: this project, with two snapshots.
fn example() -> Result {
    let stamp = Stamp::new("web-example");
    let inputs = fingerprint(&EXAMPLE_SOURCES);
    if root().join(EXAMPLE).is_file() && stamp.matches(&inputs) {
        return Ok(());
    }
    step("build the example map", || {
        let folder = empty_folder("xtask/example")?;
        Tool::node()
            .args(["xtask/node/example.mjs"])
            .args([folder.into_os_string(), OsString::from(EXAMPLE)])
            .run()
    })?;
    stamp.set(&inputs)
}

/// Weighs what a first visit fetches, and prints the parts.
fn first_load() -> Result {
    Tool::node()
        .args(["xtask/node/first-load.mjs"])
        .args([page()])
        .args([FIRST_LOAD])
        .advice("look at what grew (`npx vite build` lists every part); load what a first look does not need when it is asked for")
        .run()
}

/// Puts the page where the command line finds it, and the package carries it.
pub fn copy_into_package() -> Result {
    build()?;
    let to = root().join("npm/dist/explorer");
    let stamp = Stamp::new("web-copy");
    let inputs = fingerprint_of(&page());
    if to.join("index.html").is_file() && stamp.matches(&inputs) {
        return Ok(());
    }
    if to.exists() {
        fs::remove_dir_all(&to)
            .map_err(|error| format!("cannot empty {}: {error}", to.display()))?;
    }
    for file in files(&page()) {
        let inside = file.strip_prefix(page()).map_err(|error| error.to_string())?;
        write(&to.join(inside), &read(&file)?)?;
    }
    stamp.set(&inputs)
}

fn fingerprint_of(folder: &Path) -> String {
    let names: Vec<String> =
        files(folder).iter().map(|path| path.to_string_lossy().into_owned()).collect();
    fingerprint(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// `cargo xtask web [--screenshots]`.
pub fn run(options: &[&str]) -> Result {
    match options {
        [] => {
            copy_into_package()?;
            first_load()
        }
        ["--screenshots"] => {
            npm::build()?;
            step("take the pictures of docs/images", || {
                in_browser(Tool::node())?.args(["tests/web/screenshots.mjs"]).run()
            })
        }
        other => Err(format!("`web` knows the option --screenshots only, not {}", other.join(" "))),
    }
}

/// A tool that is told where the browser is, and where to leave things.
pub fn in_browser(tool: Tool) -> Result<Tool> {
    let browser = setup::chromium()?;
    Ok(tool.env("AETHERFLOW_CHROMIUM", browser).env("AETHERFLOW_WEB", target().join("web")))
}

/// The suite: the page is within its budget and in the package, and every test in a browser.
/// One file of tests at a time, since each has a browser of its own.
pub fn test() -> Result<Counts> {
    let mut checks = Checks::default();
    let built = npm::build().and_then(|()| first_load());
    checks.note("build, within the budget of a first visit", built);
    if checks.0.failed > 0 {
        return Ok(checks.0);
    }
    let mut counts = checks.0;
    empty_folder("web/failures")?;
    let tests = files(&root().join("tests/web"));
    for test in tests.iter().filter(|path| path.to_string_lossy().ends_with(".test.mjs")) {
        let arguments = ["--test", "--test-reporter=spec"];
        let (success, output) = in_browser(Tool::node())?.args(arguments).args([test]).tee()?;
        counts += Counts::from_node_test(&output).with_end(success);
    }
    Ok(counts.with_end(true))
}
