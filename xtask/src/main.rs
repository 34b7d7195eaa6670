//! `cargo xtask COMMAND`: builds, demonstrates and tests AetherFlow.
//!
//! Standard library only, so that the first build of a fresh clone starts within seconds. It
//! needs Rust (stable) and Node 20 or newer with npm; everything else it fetches or does without.

mod bench;
mod count;
mod demo;
mod docs;
mod fuse;
mod licences;
mod npm;
mod package;
mod packed;
mod run;
mod setup;
mod suites;
mod wasm;
mod web;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  demo             set up, build, and take a real tree through every step of its life in a picture
  test [SUITE...]  run every suite, or the named ones; `test --list` names them
  wasm             build the wasm package into pkg/
  npm              install and build the npm package in npm/ (builds pkg/ and the explorer first)
  web              build the explorer into web-demo/dist, and weigh its first visit;
                   --screenshots takes the pictures of docs/images again
  package          the npm packages, and the one with the native program, as tarballs in target/npm
  bench [NAME...]  run the benchmarks and print one table of figures; after one name its options,
                   such as `bench fuse --quick --only map,native --rows cold --json FILE`
  help             this page

Needs Rust (stable, through rustup or with the wasm32-unknown-unknown target) and Node 20+ with npm.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let result = match arguments.first().map(String::as_str) {
        Some("demo") => demo::run(),
        Some("test") => return suites::run(&rest),
        Some("wasm") => wasm::build(),
        Some("npm") => npm::build(),
        Some("web") => web::run(&rest),
        Some("package") => package::pack().map(drop),
        Some("bench") => bench::run(&rest),
        None | Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(())
        }
        Some(other) => {
            eprint!("xtask: no command '{other}'\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\nxtask: {why}");
            ExitCode::FAILURE
        }
    }
}
