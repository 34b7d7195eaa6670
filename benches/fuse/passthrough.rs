//! Finds `passthrough_hp`, an example of libfuse that hands every request to the folder below:
//! what it reaches is what FUSE allows. Distributions do not install it, so it is compiled here
//! from the source package of the libfuse that is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Result;
use super::contestants::on_path;

/// `$PASSTHROUGH_HP`, one on the search path, or one built before; else, where `build` allows it
/// and the tools are there, it is built now.
pub fn find(build: bool) -> Result<PathBuf> {
    if let Some(chosen) = std::env::var_os("PASSTHROUGH_HP") {
        let chosen = PathBuf::from(chosen);
        let found = chosen.is_file().then_some(chosen);
        return found.ok_or_else(|| "PASSTHROUGH_HP names no file".into());
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("passthrough_hp");
    let built = folder.join("passthrough_hp");
    if let Some(program) = on_path("passthrough_hp").or(built.is_file().then(|| built.clone())) {
        return Ok(program);
    }
    if !build {
        return Err("not installed".into());
    }
    eprintln!("building passthrough_hp from the source package of libfuse");
    compile(&folder, &built).map_err(|why| format!("not installed ({why})"))?;
    Ok(built)
}

/// What keeps the kernel from going past the daemon, where this version knows such a thing.
pub fn flags(program: &Path) -> &'static [&'static str] {
    let help = Command::new(program).arg("--help").output();
    let known = help.is_ok_and(|output| {
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&said).contains("--nopassthrough")
    });
    if known { &["--nopassthrough"] } else { &[] }
}

fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name} does not start: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{name}: {}", said.lines().last().unwrap_or_default()))
}

/// The line for apt that names the sources of the archive libfuse was installed from, and the
/// version that is installed.
fn archive() -> Result<(String, String)> {
    let policy = output(Command::new("apt-cache").args(["policy", "libfuse3-dev"]))?;
    let mut lines = policy.lines().skip_while(|line| !line.trim_start().starts_with("***"));
    let version = lines.next().and_then(|line| line.split_whitespace().nth(1));
    // "500 http://HOST/debian bookworm/main amd64 Packages"
    let place = lines.find(|line| line.contains("://")).map(str::split_whitespace);
    let mut words = place.ok_or("libfuse3-dev is not installed from an archive")?.skip(1);
    let (site, suite) = (words.next(), words.next().and_then(|word| word.split_once('/')));
    match (version, site, suite) {
        (Some(version), Some(site), Some((suite, component))) => {
            Ok((format!("deb-src {site} {suite} {component}\n"), version.to_owned()))
        }
        _ => Err("apt-cache does not say where libfuse3-dev is from".into()),
    }
}

fn compile(folder: &Path, built: &Path) -> Result {
    let flags = output(Command::new("pkg-config").args(["--cflags", "--libs", "fuse3"]))?;
    let (line, version) = archive()?;
    let fail = |error: std::io::Error| format!("{}: {error}", folder.display());
    // Lists and caches of its own: the machine's stay as they are.
    for part in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(folder.join(part)).map_err(fail)?;
    }
    fs::write(folder.join("sources.list"), line).map_err(fail)?;
    let apt = || {
        let mut command = Command::new("apt-get");
        command.current_dir(folder).arg("--quiet");
        let own = |name: &str| folder.join(name).display().to_string();
        for option in [
            format!("Dir::Etc::SourceList={}", own("sources.list")),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            format!("Dir::State::Lists={}", own("lists")),
            format!("Dir::Cache={}", own("cache")),
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command
    };
    output(apt().arg("update"))?;
    output(apt().args(["source", &format!("fuse3={version}")]))?;
    let source = fs::read_dir(folder)
        .map_err(fail)?
        .flatten()
        .map(|entry| entry.path().join("example/passthrough_hp.cc"))
        .find(|path| path.is_file())
        .ok_or("the source package has no example/passthrough_hp.cc")?;
    output(
        Command::new("c++")
            .args(["-O2", "-std=c++17", "-pthread"])
            // What libfuse's own build finds out about the system.
            .args(["-DHAVE_UTIMENSAT", "-DHAVE_POSIX_FALLOCATE", "-DHAVE_SETXATTR"])
            .args(["-o".as_ref(), built.as_os_str(), source.as_os_str()])
            .args(flags.split_whitespace()),
    )?;
    Ok(())
}
