//! The mount as programs see it: `cargo test --test fuse`, or `cargo xtask test fuse` with the
//! foreign test programs.
//!
//! * `runner`: each test in its own process with a time-out, cleaned up after, counted;
//! * `ground`: the folder, map and mount points of one test;
//! * `process`, `client`, `mapping`, `tree`, `random`: what tests need of the world;
//! * `files`, `space`, `names`, `directories`, `rights`, `locks`: POSIX in detail;
//! * `lifecycle`, `snapshots`: mounting, its options, the control socket;
//! * `foreign`: pjdfstest and fsx; `programs`: git, SQLite, npm, tar, rsync, make;
//! * `crashes`, `threads`, `faults`: kills, races, full and failing disks below.
//!
//! Environment: `AETHERFLOW_FUSE` is the program to test (else the one cargo built),
//! `AETHERFLOW_TEST_TOOLS` a folder with `pjdfstest` and `fsx`, `AETHERFLOW_TEST_SEED` the seed,
//! `AETHERFLOW_TEST_KILLS` how many kills, `AETHERFLOW_TEST_JOBS` how many tests at a time.
//! `AETHERFLOW_TEST_REFERENCE` is a folder to run in instead of on a mount: what tells a filesystem
//! from another is left out then, and the rest must pass on any correct one.

#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod crashes;
#[cfg(target_os = "linux")]
mod directories;
#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
mod faulty;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod foreign;
#[cfg(target_os = "linux")]
mod ground;
#[cfg(target_os = "linux")]
mod lifecycle;
#[cfg(target_os = "linux")]
mod locks;
#[cfg(target_os = "linux")]
mod mapping;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod programs;
#[cfg(target_os = "linux")]
mod random;
#[cfg(target_os = "linux")]
mod rights;
#[cfg(target_os = "linux")]
mod runner;
#[cfg(target_os = "linux")]
mod snapshots;
#[cfg(target_os = "linux")]
mod space;
#[cfg(target_os = "linux")]
mod threads;
#[cfg(target_os = "linux")]
mod tree;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    runner::main(&[
        // The long ones first, so that they overlap with the short ones.
        &crashes::TESTS,
        &threads::TESTS,
        &foreign::TESTS,
        &programs::TESTS,
        &faults::TESTS,
        &directories::TESTS,
        &files::TESTS,
        &space::TESTS,
        &names::TESTS,
        &rights::TESTS,
        &locks::TESTS,
        &snapshots::TESTS,
        &lifecycle::TESTS,
    ])
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: the mount is for Linux");
    println!("test result: ok. 0 passed; 0 failed; 1 ignored");
}
