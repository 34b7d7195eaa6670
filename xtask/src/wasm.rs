//! The wasm package: compile, generate the glue, optimise, check the size, fill the template.

use std::fs;

use crate::count::Checks;
use crate::run::{
    Result, Stamp, Tool, empty_folder, fingerprint, read, root, step, target, words, write,
};
use crate::setup;

/// What the optimised module should have at most, in bytes: plain, and gzipped at level 9. It is
/// told whenever these are missed.
const PLAIN_GOAL: u64 = 1_600_000;
const GZIP_GOAL: u64 = 550_000;
/// What it must not grow beyond before something is done about it.
const PLAIN_CEILING: u64 = 2_030_000;
const GZIP_CEILING: u64 = 745_000;

/// How wasm-opt optimises, and which features it may meet: those Rust enables by default, and SIMD.
const OPTIMISE: [&str; 4] =
    ["-O3", "--strip-debug", "--strip-producers", "--strip-target-features"];
const FEATURES: [&str; 9] = [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
    "--enable-call-indirect-overlong",
];

const INPUTS: [&str; 10] = [
    "src",
    "Cargo.toml",
    "Cargo.lock",
    ".cargo/config.toml",
    "pkg-template",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "xtask/src/wasm.rs",
    "xtask/bindgen/src/main.rs",
    "xtask/package-lock.json",
];

/// Builds `pkg/`, or leaves it when nothing it is made of has changed.
pub fn build() -> Result {
    setup::node()?;
    let stamp = Stamp::new("wasm");
    let compiler = Tool::new("rustc").args(["-V"]).output()?;
    let inputs = format!("{} {}", fingerprint(&INPUTS), compiler.trim());
    let module = root().join("pkg/aetherflow_bg.wasm");
    if module.is_file() && stamp.matches(&inputs) {
        println!("==> wasm package: unchanged since the last build");
        return within_budget();
    }
    setup::wasm_target()?;
    step("compile the engine to wasm", || {
        let arguments =
            "build --lib --profile wasm-release --target wasm32-unknown-unknown --features wasm";
        Tool::cargo().args(arguments.split(' ')).run()
    })?;
    let glue = empty_folder("xtask/glue")?;
    step("generate the JavaScript glue", || {
        let compiled = target().join("wasm32-unknown-unknown/wasm-release/aetherflow.wasm");
        Tool::cargo()
            .args(["run", "--quiet", "--package", "aetherflow-bindgen", "--profile", "tool", "--"])
            .args([&compiled, &glue])
            .run()
    })?;
    step("optimise with wasm-opt", || {
        let tools = root().join("xtask");
        if !tools.join("node_modules/binaryen/bin/wasm-opt").is_file() {
            Tool::npm()
                .args(["ci", "--silent"])
                .folder(&tools)
                .advice("check the connection to the npm registry; then repeat the command")
                .run()?;
        }
        fs::create_dir_all(root().join("pkg"))
            .map_err(|error| format!("cannot make pkg/: {error}"))?;
        Tool::node()
            .args(words(&["xtask/node_modules/binaryen/bin/wasm-opt"]))
            .args(OPTIMISE)
            .args(FEATURES)
            .args([glue.join("aetherflow_bg.wasm").as_os_str(), "-o".as_ref(), module.as_os_str()])
            .run()
    })?;
    fill_template()?;
    write(&root().join("pkg/aetherflow.js"), &read(&glue.join("aetherflow.js"))?)?;
    within_budget()?;
    stamp.set(&inputs)
}

/// Pours metadata, entries, types and licences around the module.
fn fill_template() -> Result {
    let pkg = root().join("pkg");
    let template = root().join("pkg-template");
    let entries =
        fs::read_dir(&template).map_err(|error| format!("cannot read pkg-template/: {error}"))?;
    for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
        let mut bytes = read(&entry.path())?;
        if entry.file_name() == "package.json" {
            let text = String::from_utf8_lossy(&bytes);
            let filled = text.replace(
                "\"version\": \"0.0.0\"",
                concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\""),
            );
            if filled == text {
                return Err("pkg-template/package.json must say \"version\": \"0.0.0\"".into());
            }
            bytes = filled.into_bytes();
        }
        write(&pkg.join(entry.file_name()), &bytes)?;
    }
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        write(&pkg.join(licence), &read(&root().join(licence))?)?;
    }
    Ok(())
}

fn sizes() -> Result<(u64, u64)> {
    let script = "const b=require('fs').readFileSync('pkg/aetherflow_bg.wasm');\
                  console.log(b.length,require('zlib').gzipSync(b,{level:9}).length)";
    let output = Tool::node().args(["-e", script]).output()?;
    let mut numbers = output.split_whitespace().filter_map(|number| number.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(plain), Some(gzipped)) => Ok((plain, gzipped)),
        _ => Err(format!("node printed no sizes: {output}")),
    }
}

fn against(what: &str, size: u64, goal: u64, ceiling: u64) -> Result {
    let numbers = format!("{what}: {size} bytes, goal {goal}, ceiling {ceiling}");
    if size > ceiling {
        let advice =
            "look for what grew (twiggy, or `wasm-opt --metrics`); the codec is the largest part";
        return Err(format!("{numbers}, {} too many\n  what to do: {advice}", size - ceiling));
    }
    let missed =
        if size > goal { format!(": goal missed by {}", size - goal) } else { String::new() };
    println!("    {numbers}{missed}");
    Ok(())
}

fn within_budget() -> Result {
    let (plain, gzipped) = sizes()?;
    against("wasm", plain, PLAIN_GOAL, PLAIN_CEILING)?;
    against("wasm, gzipped", gzipped, GZIP_GOAL, GZIP_CEILING)
}

/// The suite: built, within budget, importable in Node, and exporting what its types promise.
pub fn check(checks: &mut Checks) {
    let built = build();
    let missing = built.is_err() && !root().join("pkg/aetherflow_bg.wasm").is_file();
    checks.note("build", built);
    if missing {
        return;
    }
    match sizes() {
        Ok((plain, gzipped)) => {
            checks.note("size", against("wasm", plain, PLAIN_GOAL, PLAIN_CEILING));
            checks.note("gzipped size", against("wasm, gzipped", gzipped, GZIP_GOAL, GZIP_CEILING));
        }
        Err(why) => checks.note("size", Err(why)),
    }
    for entry in ["node", "web"] {
        let script = "xtask/node/exports.mjs";
        checks.note(
            &format!("{entry} entry exports what index.d.ts declares"),
            Tool::node().args([script, entry]).output().map(drop),
        );
    }
}
