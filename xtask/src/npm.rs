//! The npm side: install once per lock file, build.

use crate::run::{Result, Stamp, Tool, fingerprint, root, step};
use crate::{wasm, web};

const MANIFESTS: [&str; 4] =
    ["package.json", "package-lock.json", "npm/package.json", "web-demo/package.json"];
const SOURCES: [&str; 5] = [
    "npm/src",
    "npm/package.json",
    "npm/tsconfig.json",
    "package-lock.json",
    "pkg-template/index.d.ts",
];

/// Installs the workspace: `aetherflow` and the freshly built `aetherflow-wasm` are links in the
/// one `node_modules` at the root, beside their dependencies.
pub fn install() -> Result {
    wasm::build()?;
    let stamp = Stamp::new("npm-install");
    let inputs = fingerprint(&MANIFESTS);
    let linked = root().join("node_modules/aetherflow-wasm").exists();
    if linked && stamp.matches(&inputs) {
        return Ok(());
    }
    let locked = root().join("package-lock.json").is_file();
    step("install npm dependencies", || {
        Tool::npm()
            .args([if locked { "ci" } else { "install" }, "--no-audit", "--no-fund"])
            .advice(
                "check the connection to the npm registry; when npm says that the lock file does \
                 not match, run `npm install` and commit package-lock.json",
            )
            .run()
    })?;
    stamp.set(&fingerprint(&MANIFESTS))
}

/// Builds the package: the library and the command line, and the explorer they serve.
pub fn build() -> Result {
    compile()?;
    web::copy_into_package()
}

/// Installs and compiles `npm/` to `npm/dist`.
pub fn compile() -> Result {
    install()?;
    let stamp = Stamp::new("npm-build");
    let inputs = fingerprint(&SOURCES);
    if root().join("npm/dist/cli/main.js").is_file() && stamp.matches(&inputs) {
        return Ok(());
    }
    step("build the npm package", || {
        Tool::npm().args(["run", "build", "--workspace", "npm"]).run()
    })?;
    stamp.set(&inputs)
}
