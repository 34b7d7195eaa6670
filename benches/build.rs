//! Measures building a map from a real tree, packing it, and reading single files of it cold,
//! beside mksquashfs, zip and sqlite3 where they are installed.
//!
//! The tree is copied together once, from what a machine that builds this project has: the
//! sources of the dependencies, C headers, Python modules, documents, and the compiled standard
//! library; each up to the limits in [`SOURCES`]. The first line printed says what it came to.
//! Everything is read from the page cache, and every tool writes to the same disk.

#[cfg(unix)]
#[path = "build/cold.rs"]
mod cold;
#[cfg(unix)]
#[path = "build/run.rs"]
mod run;
#[cfg(unix)]
#[path = "build/tree.rs"]
mod tree;

// Each benchmark uses a part of it.
#[allow(dead_code)]
mod support;

#[cfg(unix)]
fn main() {
    run::main();
}

#[cfg(not(unix))]
fn main() {
    println!("figure | native build | needs a Unix system | - | -");
}
