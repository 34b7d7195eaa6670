//! What all benchmarks share: the lines of the table, medians, noise.

use std::time::Instant;

/// Whether only a run of seconds is asked for, that shows that it works.
pub fn smoke() -> bool {
    std::env::var_os("AETHERFLOW_BENCH").is_some_and(|kind| kind == "smoke")
}

/// Whether a figure is to be as large or as small as can be.
#[derive(Clone, Copy)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
    None,
}

/// Prints one line of the table.
pub fn figure(what: &str, value: f64, unit: &str, goal: Goal) {
    let (text, verdict) = match goal {
        Goal::AtLeast(bound) => (format!(">= {} {unit}", short(bound)), met(value >= bound)),
        Goal::AtMost(bound) => (format!("<= {} {unit}", short(bound)), met(value <= bound)),
        Goal::None => ("-".into(), "-"),
    };
    println!("figure | {what} | {} {unit} | {text} | {verdict}", short(value));
}

fn met(yes: bool) -> &'static str {
    if yes { "ok" } else { "miss" }
}

/// A value with as many digits as mean something.
pub fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}").trim_end_matches(".0").into(),
        _ => format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').into(),
    }
}

/// Seconds `work` takes.
pub fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// The middle of several measurements.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The median of `rounds` runs of `work`, which gives seconds.
pub fn rounds(rounds: usize, mut work: impl FnMut() -> f64) -> f64 {
    median((0..rounds).map(|_| work()).collect())
}

/// Bytes no codec can do anything with, the same each time.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x1234_5678_9abc_def0_u64;
    let mut bytes = Vec::with_capacity(len.next_multiple_of(8));
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// A folder of its own for the run, removed at the end.
pub struct Scratch(pub std::path::PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let path =
            std::env::temp_dir().join(format!("aetherflow-bench-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a scratch folder");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
