//! The packed suite: the tarballs installed into an empty folder, and used without Rust in reach.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::count::Checks;
use crate::package;
use crate::run::{Result, Tool, read, write};
use crate::setup;

/// A search path without the folders that hold cargo or rustc.
fn path_without_rust() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let without = std::env::split_paths(&path).filter(|folder| {
        // A distribution keeps Rust and Node in one folder; then there is nothing to hide.
        folder.join("node").exists()
            || !["cargo", "rustc"].iter().any(|tool| folder.join(tool).exists())
    });
    std::env::join_paths(without).unwrap_or(path)
}

fn same(left: &Path, right: &Path) -> Result {
    if read(left)? == read(right)? { Ok(()) } else { Err(format!("{} differs", right.display())) }
}

/// Runs the suite.
pub fn check(checks: &mut Checks) {
    let tarballs = match package::pack() {
        Ok(tarballs) => tarballs,
        Err(why) => return checks.note("pack", Err(why)),
    };
    checks.note("pack", Ok(()));
    if let Err(why) = in_an_empty_folder(checks, &tarballs) {
        checks.note("install and run", Err(why));
    }
}

fn in_an_empty_folder(checks: &mut Checks, tarballs: &[std::path::PathBuf]) -> Result {
    // Outside the clone, where no node_modules further up can help out.
    let name = format!("aetherflow-packed-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder)
        .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let result = use_packages(checks, tarballs, &folder);
    let _ = fs::remove_dir_all(&folder);
    result
}

fn use_packages(checks: &mut Checks, tarballs: &[std::path::PathBuf], folder: &Path) -> Result {
    let path = path_without_rust();
    write(&folder.join("package.json"), b"{\"private\":true,\"type\":\"module\"}")?;
    let install = Tool::npm()
        .args(["install", "--silent", "--no-audit", "--no-fund"])
        .args(tarballs)
        .folder(folder)
        .env("PATH", &path);
    checks.note("npm install", install.output().map(drop));

    let tree = folder.join("tree");
    let text = b"packed, installed, unpacked\n".repeat(9000);
    write(&tree.join("folder/text.txt"), &text)?;
    write(&tree.join("empty"), b"")?;

    let module = |script: &str| {
        let arguments = ["--input-type=module", "-e", script];
        Tool::node().args(arguments).folder(folder).env("PATH", &path).output()
    };
    let in_memory = "import { Map, InfiniteMap } from 'aetherflow'; import assert from 'node:assert';\
        const map = Map.create(); map.fs.writeFileSync('/a', 'hello');\
        assert.equal(map.fs.readFileSync('/a', 'utf8'), 'hello'); assert.equal(Map, InfiniteMap);\
        const again = Map.open(map.toPng()); assert.equal(again.fs.readFileSync('/a', 'utf8'), 'hello');";
    checks.note("library, in memory", module(in_memory).map(drop));
    let explorer = folder.join("node_modules/aetherflow/dist/explorer");
    let missing: Vec<&str> = ["index.html", "sw.js", "manifest.webmanifest", "example.rts.png"]
        .into_iter()
        .filter(|name| !explorer.join(name).is_file())
        .collect();
    let whole = if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("dist/explorer lacks {}", missing.join(", ")))
    };
    checks.note("the explorer is in the package", whole);
    let raw = "import { createRequire } from 'node:module'; import { readFileSync } from 'node:fs';\
        const file = createRequire(import.meta.url + '/x').resolve('aetherflow-wasm/aetherflow_bg.wasm');\
        await WebAssembly.compile(readFileSync(file)); const web = await import('aetherflow-wasm/web');\
        web.initSync({ module: readFileSync(file) }); web.version();";
    checks.note("raw wasm and web entry", module(raw).map(drop));

    // The bins, found as npm links them.
    let cli = |program: &str, arguments: &[&str]| {
        let bin = folder.join("node_modules/.bin").join(program);
        let bin = if cfg!(windows) { bin.with_extension("cmd") } else { bin };
        Tool::new(bin).args(arguments).folder(folder).env("PATH", &path).output()
    };
    checks.note("aetherflow --version", cli("aetherflow", &["--version"]).map(drop));
    checks.note("aetherflow-cli --version", cli("aetherflow-cli", &["--version"]).map(drop));
    checks.note("build", cli("aetherflow", &["build", "tree", "map.rts.png"]).map(drop));
    checks.note("verify --deep", cli("aetherflow", &["verify", "--deep", "map.rts.png"]).map(drop));
    let printed =
        cli("aetherflow", &["cat", "map.rts.png", "/folder/text.txt"]).and_then(|output| {
            if output.as_bytes() == text { Ok(()) } else { Err("other bytes came back".into()) }
        });
    checks.note("cat", printed);
    let extracted = cli("aetherflow", &["extract", "map.rts.png", "out"])
        .and_then(|_| same(&tree.join("folder/text.txt"), &folder.join("out/folder/text.txt")))
        .and_then(|()| same(&tree.join("empty"), &folder.join("out/empty")));
    checks.note("extract", extracted);
    mount(checks, folder, &text, &cli);
    Ok(())
}

/// A map is mounted by the program that npm installed, and used as a directory.
fn mount(
    checks: &mut Checks,
    folder: &Path,
    text: &[u8],
    cli: &dyn Fn(&str, &[&str]) -> Result<String>,
) {
    if !cfg!(target_os = "linux") || !Path::new("/dev/fuse").exists() {
        return checks.skip("mount", "there is no /dev/fuse here");
    }
    if !setup::is_root() && !setup::has("fusermount3", &["--version"]) {
        return checks.skip("mount", "only root mounts without fusermount3 (package fuse3)");
    }
    let (directory, copy) = (folder.join("mounted"), folder.join("mounted/copy"));
    let used = fs::create_dir(&directory)
        .map_err(|error| error.to_string())
        .and_then(|()| cli("aetherflow", &["mount", "map.rts.png", "mounted"]))
        .and_then(|_| {
            let used =
                same(&folder.join("tree/folder/text.txt"), &directory.join("folder/text.txt"))
                    .and_then(|()| write(&copy, text))
                    .and_then(|()| {
                        cli("aetherflow", &["snapshot", "create", "map.rts.png", "one"])
                    });
            // Whatever went wrong inside, nothing stays mounted.
            let unmounted = cli("aetherflow", &["unmount", "mounted"]);
            used.and(unmounted)
        });
    checks.note("mount, use, unmount", used.map(drop));
    let kept = cli("aetherflow", &["cat", "map.rts.png", "/copy"]).and_then(|output| {
        if output.as_bytes() == text { Ok(()) } else { Err("other bytes came back".into()) }
    });
    checks.note("what was written is in the map", kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_path_keeps_node() {
        let path = path_without_rust();
        let here = std::env::var_os("PATH").unwrap_or_default();
        let has_node =
            |path: &OsString| std::env::split_paths(path).any(|at| at.join("node").exists());
        assert_eq!(has_node(&path), has_node(&here));
    }
}
