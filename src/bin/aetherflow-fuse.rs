//! `aetherflow-fuse`: mounts a map, so that any program can live on it.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    aetherflow::fuse::program::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("aetherflow-fuse: mounting needs Linux");
    std::process::ExitCode::from(1)
}
