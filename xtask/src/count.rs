//! Counting what a test runner says it did.

use std::ops::AddAssign;

/// Results of one suite, in the units of its runner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 { write!(out, ", {} skipped", self.skipped) } else { Ok(()) }
    }
}

impl Counts {
    pub fn new(passed: u64, failed: u64) -> Self {
        Self { passed, failed, skipped: 0 }
    }

    /// One check.
    pub fn one(passed: bool) -> Self {
        Self::new(u64::from(passed), u64::from(!passed))
    }

    /// A runner that ended badly without naming a failure (it did not build, it crashed) counts as
    /// one failure; one that ran nothing proves nothing and fails too.
    pub fn with_end(mut self, success: bool) -> Self {
        if self.failed == 0 && (!success || self.passed == 0) {
            self.failed = 1;
        }
        self
    }

    /// Adds up the `test result:` lines of `cargo test`.
    pub fn from_cargo_test(output: &str) -> Self {
        let mut counts = Self::default();
        for line in output.lines().filter(|line| line.starts_with("test result:")) {
            counts.passed += number_before(line, " passed");
            counts.failed += number_before(line, " failed");
            counts.skipped += number_before(line, " ignored");
        }
        counts
    }

    /// Reads the closing summary of `node --test`: `# pass 3` (tap) or `ℹ pass 3` (spec).
    pub fn from_node_test(output: &str) -> Self {
        let mut counts = Self::default();
        for line in output.lines() {
            let Some(rest) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) else {
                continue;
            };
            let Some((word, number)) = rest.trim().split_once(' ') else { continue };
            let Ok(number) = number.trim().parse::<u64>() else { continue };
            match word {
                "pass" => counts.passed += number,
                "fail" | "cancelled" => counts.failed += number,
                "skipped" | "todo" => counts.skipped += number,
                _ => {}
            }
        }
        counts
    }
}

fn number_before(line: &str, word: &str) -> u64 {
    let Some(end) = line.find(word) else { return 0 };
    let head = &line[..end];
    let start = head.rfind(|letter: char| !letter.is_ascii_digit()).map_or(0, |at| at + 1);
    head[start..].parse().unwrap_or(0)
}

/// Named checks counted one by one and printed as they come.
#[derive(Default)]
pub struct Checks(pub Counts);

impl Checks {
    /// Notes one result; what went wrong is printed beside the name.
    pub fn note(&mut self, name: &str, result: Result<(), String>) {
        match result {
            Ok(()) => {
                println!("    ok      {name}");
                self.0.passed += 1;
            }
            Err(why) => {
                println!("    FAILED  {name}: {why}");
                self.0.failed += 1;
            }
        }
    }

    /// Notes something that could not be looked at here, and why.
    pub fn skip(&mut self, name: &str, why: &str) {
        println!("    skipped {name}: {why}");
        self.0.skipped += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_lines_add_up() {
        let output = "running 2 tests\ntest result: ok. 12 passed; 0 failed; 1 ignored; 0 measured\n\
                      noise 7 passed\ntest result: FAILED. 3 passed; 2 failed; 0 ignored;";
        assert_eq!(Counts::from_cargo_test(output), Counts { passed: 15, failed: 2, skipped: 1 });
    }

    #[test]
    fn node_summaries_in_both_forms() {
        let tap = "ok 1 - x\n# tests 4\n# pass 2\n# fail 1\n# cancelled 0\n# skipped 1\n# todo 0\n";
        let spec = "✔ x (1ms)\nℹ tests 4\nℹ pass 2\nℹ fail 1\nℹ skipped 1\n";
        let expected = Counts { passed: 2, failed: 1, skipped: 1 };
        assert_eq!(Counts::from_node_test(tap), expected);
        assert_eq!(Counts::from_node_test(spec), expected);
    }

    #[test]
    fn a_crash_or_an_empty_run_is_a_failure() {
        assert_eq!(Counts::new(3, 0).with_end(false).failed, 1);
        assert_eq!(Counts::default().with_end(true).failed, 1);
        assert_eq!(Counts::new(3, 2).with_end(false).failed, 2);
        assert_eq!(Counts::new(3, 0).with_end(true), Counts::new(3, 0));
    }
}
