//! The fuse suite: the mount under its own tests, and under pjdfstest and fsx, which are fetched
//! once and kept in the target folder.

use std::path::{Path, PathBuf};

use crate::count::Counts;
use crate::run::{Result, Tool, step, target};

/// Test programs of others, with the version that is known to suit.
const TOOLS: [(&str, &str); 2] = [("pjdfstest", "0.2.2"), ("fsx", "0.3.2")];

pub fn test() -> Result<Counts> {
    if !cfg!(target_os = "linux") {
        return Ok(skipped("the mount is for Linux"));
    }
    if !Path::new("/dev/fuse").exists() {
        return Ok(skipped("no /dev/fuse"));
    }
    for (name, version) in TOOLS {
        if let Err(why) = install(name, version) {
            println!(
                "    note: without {name} its tests skip: {}",
                why.lines().next().unwrap_or("")
            );
        }
    }
    let (success, output) = Tool::cargo()
        .args(["test", "--test", "fuse"])
        .env("AETHERFLOW_TEST_TOOLS", programs())
        .tee()?;
    Ok(Counts::from_cargo_test(&output).with_end(success))
}

fn skipped(why: &str) -> Counts {
    println!("    skipped: {why}");
    Counts { skipped: 1, ..Counts::default() }
}

fn home() -> PathBuf {
    target().join("tool")
}

fn programs() -> PathBuf {
    home().join("bin")
}

/// Builds a test program from the registry, unless that version is there.
fn install(name: &str, version: &str) -> Result {
    let known = Tool::new(programs().join(name)).args(["--version"]).output();
    if known.is_ok_and(|said| said.contains(version)) {
        return Ok(());
    }
    step(&format!("install {name} {version}"), || {
        Tool::cargo()
            .args(["install", "--quiet", "--locked", "--force", "--version", version, "--root"])
            .args([home()])
            .args(["--target-dir".as_ref(), home().join("build").as_os_str()])
            .args([name])
            .advice("check the connection to the crate registry; then repeat the command")
            .run()
    })
}
