//! Every dependency's licence against an allow-list: what we ship must stay MIT OR Apache-2.0.

use std::collections::BTreeSet;

use crate::count::Checks;
use crate::run::{Result, Tool};

/// Permissive licences that ask for no more than their text being kept.
const ALLOWED: [&str; 13] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "0BSD",
    "Zlib",
    "Unlicense",
    "CC0-1.0",
    "BlueOak-1.0.0",
    "Unicode-3.0",
];
/// Allowed for what only helps to develop, and is not shipped. The Mozilla licence covers the files
/// of a tool, not what it works on: axe-core looks at the page in the tests, lightningcss minifies
/// its styles.
const ALLOWED_FOR_TOOLS: [&str; 4] = ["Python-2.0", "CC-BY-4.0", "CC-BY-3.0", "MPL-2.0"];

/// Whether an SPDX expression leaves a choice of allowed licences only.
fn allowed(expression: &str, tool: bool) -> bool {
    let known = |licence: &str| {
        ALLOWED.contains(&licence) || (tool && ALLOWED_FOR_TOOLS.contains(&licence))
    };
    // OR offers a choice, AND asks for all; parentheses in practice group one of the two.
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    plain.split(" AND ").all(|all| all.split(" OR ").any(|one| known(one.trim())))
}

fn rust_packages() -> Result<BTreeSet<(String, String)>> {
    let arguments =
        "tree --workspace --target all --edges normal,build --prefix none --format {l}|{p}";
    let output = Tool::cargo().args(arguments.split(' ')).output()?;
    Ok(output
        .lines()
        .filter_map(split)
        .map(|(licence, name)| (licence, strip_source(&name)))
        .collect())
}

/// `cargo tree` says where a local package lies and marks repeated ones; only the name matters.
fn strip_source(name: &str) -> String {
    name.split(" (").next().unwrap_or(name).trim().to_string()
}

fn split(line: &str) -> Option<(String, String)> {
    line.split_once('|')
        .map(|(licence, name)| (licence.trim().to_string(), name.trim().to_string()))
}

fn npm_packages() -> Result<BTreeSet<(String, String)>> {
    let script = "const lock=JSON.parse(require('fs').readFileSync('package-lock.json'));\
        for(const[path,p]of Object.entries(lock.packages))if(path.includes('node_modules/')&&!p.link)\
        console.log((p.license??'none')+'|'+(p.dev?'development: ':'')+path.replace(/^.*node_modules\\//,'')+' '+p.version)";
    Ok(Tool::node().args(["-e", script]).output()?.lines().filter_map(split).collect())
}

/// Runs the suite; one check per package, only trouble is printed.
pub fn check(checks: &mut Checks) {
    for (kind, packages) in [("crate", rust_packages()), ("npm package", npm_packages())] {
        let packages = match packages {
            Ok(packages) => packages,
            Err(why) => {
                checks.note(kind, Err(why));
                continue;
            }
        };
        let before = checks.0.passed;
        for (licence, name) in &packages {
            if allowed(licence, name.starts_with("development: ")) {
                checks.0.passed += 1;
            } else {
                let why =
                    format!("licence '{licence}' is not on the list in xtask/src/licences.rs");
                checks.note(&format!("{kind} {name}"), Err(why));
            }
        }
        println!(
            "    {} of {} {kind}s have an allowed licence",
            checks.0.passed - before,
            packages.len()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        assert!(allowed("MIT OR Apache-2.0", false));
        assert!(allowed("MIT/Apache-2.0", false));
        assert!(allowed("GPL-3.0 OR MIT", false));
        assert!(allowed("(MIT OR Apache-2.0) AND Unicode-3.0", false));
        assert!(!allowed("MIT AND GPL-3.0-only", false));
        assert!(!allowed("LGPL-3.0-or-later", false));
        assert!(!allowed("", true));
        assert!(allowed("Python-2.0", true) && !allowed("Python-2.0", false));
        assert!(allowed("MPL-2.0", true) && !allowed("MPL-2.0", false));
    }
}
