//! The packages for npm as tarballs: the wasm package, the library with the command line, and the
//! program that mounts, for the system this runs on.

use std::fs;
use std::path::{Path, PathBuf};

use crate::npm;
use crate::run::{Result, Tool, empty_folder, files, read, root, step, target, write};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const LICENCES: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];
/// The processors a package with the program is made for, as npm names them.
const CPUS: [&str; 2] = ["x64", "arm64"];
const PROGRAM: &str = "aetherflow-fuse";

/// What npm calls the processor of this system, where it can mount.
fn cpu() -> Option<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some("x64"),
        ("linux", "aarch64") => Some("arm64"),
        _ => None,
    }
}

fn program_package(cpu: &str) -> String {
    format!("{PROGRAM}-linux-{cpu}")
}

/// Builds and packs everything into `target/npm`, and returns the tarballs.
pub fn pack() -> Result<Vec<PathBuf>> {
    npm::build()?;
    let folder = empty_folder("npm")?;
    let mut packages = vec![root().join("pkg"), library()?];
    match cpu() {
        Some(cpu) => packages.push(program(cpu)?),
        None => println!("    no package with {PROGRAM}: mounting needs Linux on x64 or arm64"),
    }
    step("pack", || {
        for package in &packages {
            Tool::npm()
                .args(["pack", "--silent", "--pack-destination"])
                .args([&folder])
                .folder(package)
                .output()?;
        }
        let tarballs: Vec<PathBuf> = files(&folder)
            .into_iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "tgz"))
            .collect();
        let (wanted, found) = (packages.len(), tarballs.len());
        if wanted != found {
            return Err(format!("expected {wanted} tarballs in {}: {found}", folder.display()));
        }
        for tarball in &tarballs {
            let bytes = fs::metadata(tarball).map_or(0, |data| data.len());
            println!("    {} ({} KB)", tarball.display(), bytes / 1000);
        }
        Ok(tarballs)
    })
}

/// The library as it is published: a copy that names the packages with the program. The one in
/// `npm/` does not, since an install in the clone would look for them in the registry.
fn library() -> Result<PathBuf> {
    let (from, to) = (root().join("npm"), empty_folder("xtask/package/aetherflow")?);
    for file in files(&from.join("dist")) {
        let inside = file.strip_prefix(&from).map_err(|error| error.to_string())?.to_path_buf();
        write(&to.join(inside), &read(&file)?)?;
    }
    write(&to.join("README.md"), &read(&from.join("README.md"))?)?;
    add_licences(&to)?;
    let manifest = String::from_utf8_lossy(&read(&from.join("package.json"))?).into_owned();
    write(&to.join("package.json"), with_programs(&manifest)?.as_bytes())?;
    Ok(to)
}

/// The manifest with the packages that hold the program as optional dependencies: npm installs
/// the one that fits the system.
fn with_programs(manifest: &str) -> Result<String> {
    let list: Vec<String> =
        CPUS.iter().map(|cpu| format!("    \"{}\": \"{VERSION}\"", program_package(cpu))).collect();
    let before = "\n  \"dependencies\": {";
    let added = format!("\n  \"optionalDependencies\": {{\n{}\n  }},{before}", list.join(",\n"));
    if manifest.matches(before).count() != 1 || manifest.contains("optionalDependencies") {
        return Err("npm/package.json must have dependencies and no optional ones".into());
    }
    Ok(manifest.replacen(before, &added, 1))
}

/// The program for this system in a package of its own.
fn program(cpu: &str) -> Result<PathBuf> {
    let built = step(&format!("build {PROGRAM}"), || {
        Tool::cargo().args(["build", "--release", "--bin", PROGRAM]).run()?;
        Ok(target().join("release").join(PROGRAM))
    })?;
    let host = Tool::new("rustc").args(["--print", "host-tuple"]).output()?;
    let libc = if host.trim().ends_with("musl") { "musl" } else { "glibc" };
    let to = empty_folder(&format!("xtask/package/{}", program_package(cpu)))?;
    let template = root().join("pkg-template/fuse");
    let manifest = String::from_utf8_lossy(&read(&template.join("package.json"))?).into_owned();
    write(&to.join("package.json"), filled(&manifest, cpu, libc)?.as_bytes())?;
    write(&to.join("README.md"), &read(&template.join("README.md"))?)?;
    add_licences(&to)?;
    let program = to.join("bin").join(PROGRAM);
    write(&program, &read(&built)?)?;
    make_executable(&program)?;
    Ok(to)
}

/// The program as the tests use it, where this system can mount.
pub fn program_for_tests() -> Result<Option<PathBuf>> {
    if cpu().is_none() {
        return Ok(None);
    }
    step(&format!("build {PROGRAM} for the tests"), || {
        Tool::cargo().args(["build", "--quiet", "--bin", PROGRAM]).run()?;
        Ok(Some(target().join("debug").join(PROGRAM)))
    })
}

fn filled(manifest: &str, cpu: &str, libc: &str) -> Result<String> {
    let version = "\"version\": \"0.0.0\"";
    if !manifest.contains(version) {
        return Err(format!("pkg-template/fuse/package.json must say {version}"));
    }
    Ok(manifest
        .replace(version, &format!("\"version\": \"{VERSION}\""))
        .replace("{cpu}", cpu)
        .replace("{libc}", libc))
}

fn add_licences(to: &Path) -> Result {
    LICENCES.iter().try_for_each(|name| write(&to.join(name), &read(&root().join(name))?))
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .map_err(|error| format!("cannot make {} executable: {error}", path.display()))
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> Result {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_names_every_package_with_the_program() {
        let manifest = String::from_utf8(read(&root().join("npm/package.json")).unwrap()).unwrap();
        let made = with_programs(&manifest).unwrap();
        for cpu in CPUS {
            assert!(made.contains(&format!("\"aetherflow-fuse-linux-{cpu}\": \"{VERSION}\"")));
        }
        assert!(made.contains("\"dependencies\": {\n    \"aetherflow-wasm\""));
        assert!(with_programs(&made).is_err());
        assert!(with_programs("{}").is_err());
    }

    #[test]
    fn the_template_is_filled_wholly() {
        let template = read(&root().join("pkg-template/fuse/package.json")).unwrap();
        let made = filled(&String::from_utf8(template).unwrap(), "arm64", "glibc").unwrap();
        assert!(made.contains("\"name\": \"aetherflow-fuse-linux-arm64\""));
        assert!(made.contains("\"cpu\": [\"arm64\"]") && made.contains(VERSION));
        assert!(!made.contains("0.0.0") && !made.contains("{cpu}") && !made.contains("{libc}"));
    }
}
