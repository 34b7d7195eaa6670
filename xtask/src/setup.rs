//! What the machine must have, what is fetched when missing, and what is only nice to have.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::run::{Result, Tool, step, words};

const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Node 20 or newer and npm, or a sentence about what is missing.
pub fn node() -> Result {
    const ADVICE: &str = "install Node 20 or newer (https://nodejs.org), which brings npm along";
    let version = Tool::node().args(["--version"]).advice(ADVICE).output()?;
    let major = version.trim().trim_start_matches('v').split('.').next().unwrap_or("");
    if major.parse::<u32>().unwrap_or(0) < 20 {
        return Err(format!("Node {} is too old\n  what to do: {ADVICE}", version.trim()));
    }
    Tool::npm().args(["--version"]).advice(ADVICE).output().map(drop)
}

/// The wasm32 standard library, added through rustup when it is missing.
pub fn wasm_target() -> Result {
    let library = Tool::new("rustc")
        .args(["--print", "target-libdir", "--target", WASM_TARGET])
        .advice("install Rust (https://rustup.rs)")
        .output()?;
    if Path::new(library.trim()).is_dir() {
        return Ok(());
    }
    step(&format!("add the Rust target {WASM_TARGET}"), || {
        Tool::new("rustup")
            .args(["target", "add", WASM_TARGET])
            .advice(
                "install Rust through rustup (https://rustup.rs), or the wasm32 standard library \
                 of your distribution's Rust (Debian: libstd-rust-dev-wasm32)",
            )
            .run()
    })
}

/// Formatter and linter, which a minimal Rust installation lacks.
pub fn rust_components() -> Result {
    for (component, command) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if Tool::cargo().args([command, "--version"]).output().is_err() {
            step(&format!("add the Rust component {component}"), || {
                Tool::new("rustup")
                    .args(["component", "add", component])
                    .advice("install Rust through rustup (https://rustup.rs), or this component by hand")
                    .run()
            })?;
        }
    }
    Ok(())
}

/// Whether a program can be started at all.
pub fn has(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Foreign PNG readers and attribute tools make the tests sharper; nothing depends on them.
/// Fetched through apt by root on a Debian-like system, else their absence is said once.
pub fn optional_tools() {
    let wanted = [
        ("pngcheck", has("which", &["pngcheck"]), "a second opinion on every picture"),
        (
            "python3-pil",
            has("python3", &["-c", "import PIL"]),
            "a third one, which checks Adler-32",
        ),
        ("attr", has("which", &["setfattr"]), "extended attributes in build and extract"),
        ("acl", has("which", &["setfacl"]), "access control lists on a mount"),
        ("rsync", has("which", &["rsync"]), "copying to a mount and back"),
    ];
    let missing: Vec<_> = wanted.iter().filter(|(_, here, _)| !here).collect();
    if missing.is_empty() {
        return;
    }
    let packages: Vec<&str> = missing.iter().map(|(package, ..)| *package).collect();
    if has("apt-get", &["--version"]) && is_root() {
        println!("==> optional tools through apt: {}", packages.join(" "));
        match apt_install(&packages) {
            Ok(()) => return,
            Err(why) => println!("    not installed: {}", why.lines().next().unwrap_or("")),
        }
    }
    for (package, _, why) in missing {
        println!("    note: without {package} some tests skip: {why}");
    }
}

/// A Chromium for the tests of the explorer: named by `AETHERFLOW_CHROMIUM`, installed, or fetched
/// through apt by root.
pub fn chromium() -> Result<PathBuf> {
    const ADVICE: &str = "install Chromium (Debian: apt-get install chromium), or name one: \
                          AETHERFLOW_CHROMIUM=/path/to/chrome";
    if let Some(named) = std::env::var_os("AETHERFLOW_CHROMIUM") {
        let named = PathBuf::from(named);
        return if named.is_file() {
            Ok(named)
        } else {
            Err(format!(
                "AETHERFLOW_CHROMIUM names {}, which is no program\n  what to do: {ADVICE}",
                named.display()
            ))
        };
    }
    if let Some(found) = installed_chromium() {
        return Ok(found);
    }
    if has("apt-get", &["--version"]) && is_root() {
        println!("==> Chromium through apt");
        let said = apt_install(&["chromium"]);
        if let Some(found) = installed_chromium() {
            return Ok(found);
        }
        let why = said.err().unwrap_or_default();
        return Err(format!(
            "there is no Chromium here, and apt has none:\n{why}\n  what to do: {ADVICE}"
        ));
    }
    Err(format!("there is no Chromium here\n  what to do: {ADVICE}"))
}

fn installed_chromium() -> Option<PathBuf> {
    const NAMES: [&str; 4] =
        ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    folders.push("/usr/bin".into());
    NAMES.iter().find_map(|name| {
        folders.iter().map(|folder| folder.join(name)).find(|program| program.is_file())
    })
}

/// Installs packages as root, with fresh lists where the known ones do not do.
fn apt_install(packages: &[&str]) -> Result {
    let install = || {
        let mut arguments = words(&["install", "-y", "-qq", "--no-install-recommends"]);
        arguments.extend(words(packages));
        Tool::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").output()
    };
    install()
        .or_else(|_| Tool::new("apt-get").args(["update", "-qq"]).output().and_then(|_| install()))
        .map(drop)
}

pub fn is_root() -> bool {
    Tool::new("id").args(["-u"]).output().is_ok_and(|id| id.trim() == "0")
}
