//! Measures the mounted map beside the native filesystem below it, libfuse's passthrough (what
//! FUSE itself costs) and fuse2fs: one script, one run, rounds interleaved, one table.
//!
//! `cargo xtask bench fuse [--quick] [--only map,native,passthrough,fuse2fs] [--rows PATTERN,...]
//! [--rounds N] [--json FILE] [--folder DIR]`. Wants root: only root may drop the kernel's caches, and without
//! that there are no cold rows. `docs/TESTING.md` says how to read the table.

#[cfg(target_os = "linux")]
mod fuse {
    pub mod arguments;
    pub mod cleaning;
    pub mod contestants;
    pub mod control;
    pub mod data;
    pub mod measuring;
    pub mod passthrough;
    pub mod run;
    pub mod table;
    pub mod workloads;

    /// A failure is a sentence for a person.
    pub type Result<T = ()> = std::result::Result<T, String>;
}

// Each benchmark uses a part of it.
#[allow(dead_code)]
mod support;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    fuse::run::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("figure | mount | needs Linux | - | -");
}
