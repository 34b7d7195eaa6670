//! Importance by path: which files belong in the centre.
//!
//! A rule is a pattern and an importance from 0 to 255; the first rule that matches decides.
//! A pattern is one or more terms joined by ` & `, all of which must hold for the path without
//! its leading slash:
//!
//! * `text`: the path contains it;
//! * `^text`: the path begins with it;
//! * `text$`: the path ends with it;
//! * `@text`: the last component contains it;
//! * `i:term`: the same without regard to the case of ASCII letters.

use crate::base::{Code, Error, Result};

/// Importance of what no rule names: in the cool zone.
pub const DEFAULT_IMPORTANCE: u8 = 100;
/// Longest pattern, in bytes.
pub const MAX_PATTERN: usize = 256;
/// Most rules a map may have of its own.
pub const MAX_RULES: usize = 256;

/// The rules every map starts with, after its own.
pub const DEFAULT_RULES: &[(&str, u8)] = &[
    ("i:^boot/ & i:@vmlinuz", 255),
    ("i:^boot/ & i:@kernel", 255),
    ("i:^boot/ & i:@initramfs", 253),
    ("i:^boot/ & i:@initrd", 253),
    ("i:^boot/", 240),
    ("lib/libc.so", 245),
    ("lib/ld-linux", 245),
    ("lib/libm.so", 243),
    ("lib/libdl.so", 243),
    ("system/ & runtime", 235),
    ("system/ & daemon", 235),
    ("/bin/sh", 230),
    ("/bin/bash", 230),
    ("/bin/busybox", 230),
    ("^etc/", 200),
    ("config", 200),
    ("^lib/", 190),
    ("^usr/lib/", 190),
    ("^bin/", 180),
    ("^usr/bin/", 180),
    ("^models/", 160),
    (".gguf", 160),
    ("/doc/", 100),
    ("/man/", 100),
    ("README", 100),
    ("^home/", 120),
    ("/cache", 50),
    ("/tmp", 50),
    ("/var/cache", 50),
    ("/backup", 30),
    ("/old", 30),
    ("/archive", 30),
];

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pattern: String,
    importance: u8,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    text: Vec<u8>,
    start: bool,
    end: bool,
    name: bool,
    any_case: bool,
}

impl Rule {
    /// Reads a pattern.
    ///
    /// # Errors
    /// `Invalid` for an empty term or a pattern of more than 256 bytes.
    pub fn new(pattern: &str, importance: u8) -> Result<Rule> {
        let invalid =
            |what: &str| Error::new(Code::Invalid, format!("the pattern '{pattern}' {what}"));
        if pattern.len() > MAX_PATTERN {
            return Err(invalid("is longer than 256 bytes"));
        }
        let mut terms = Vec::new();
        for term in pattern.split(" & ") {
            let (any_case, term) = match term.strip_prefix("i:") {
                Some(rest) => (true, rest),
                None => (false, term),
            };
            let (start, term) = strip(term, |t| t.strip_prefix('^'));
            let (name, term) = strip(term, |t| t.strip_prefix('@'));
            let (end, term) = strip(term, |t| t.strip_suffix('$'));
            if term.is_empty() {
                return Err(invalid("has an empty term"));
            }
            let text = if any_case { term.to_ascii_lowercase() } else { term.to_owned() };
            terms.push(Term { text: text.into_bytes(), start, end, name, any_case });
        }
        Ok(Rule { pattern: pattern.to_owned(), importance, terms })
    }

    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    pub fn importance(&self) -> u8 {
        self.importance
    }

    /// Whether the rule names a path, given without its leading slash.
    pub fn matches(&self, path: &[u8]) -> bool {
        let lower = self.terms.iter().any(|term| term.any_case).then(|| path.to_ascii_lowercase());
        self.terms.iter().all(|term| {
            let path = if term.any_case { lower.as_deref().unwrap_or(path) } else { path };
            let path = if term.name {
                path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
            } else {
                path
            };
            match (term.start, term.end) {
                (true, true) => path == term.text,
                (true, false) => path.starts_with(&term.text),
                (false, true) => path.ends_with(&term.text),
                (false, false) => contains(path, &term.text),
            }
        })
    }
}

fn strip<'a>(term: &'a str, with: impl Fn(&'a str) -> Option<&'a str>) -> (bool, &'a str) {
    match with(term) {
        Some(rest) => (true, rest),
        None => (false, term),
    }
}

fn contains(path: &[u8], text: &[u8]) -> bool {
    let Some((&first, rest)) = text.split_first() else { return true };
    let mut from = 0;
    while let Some(at) = path[from..].iter().position(|&byte| byte == first) {
        from += at + 1;
        if path[from..].starts_with(rest) {
            return true;
        }
    }
    false
}

/// The importance that `own` rules, then the default ones, give to a path.
pub fn importance(own: &[Rule], defaults: &[Rule], path: &[u8]) -> u8 {
    own.iter()
        .chain(defaults)
        .find(|rule| rule.matches(path))
        .map_or(DEFAULT_IMPORTANCE, Rule::importance)
}

/// The default rules, ready to match.
pub fn default_rules() -> Vec<Rule> {
    DEFAULT_RULES
        .iter()
        .filter_map(|(pattern, importance)| Rule::new(pattern, *importance).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_table_ranks_a_system_tree() {
        let defaults = default_rules();
        assert_eq!(defaults.len(), DEFAULT_RULES.len());
        for (path, want) in [
            ("boot/vmlinuz-6.1", 255),
            ("Boot/Kernel.img", 255),
            ("boot/initrd.img", 253),
            ("boot/grub/grub.cfg", 240),
            ("lib/libc.so.6", 245),
            ("usr/lib/libm.so", 243),
            ("opt/system/some-daemon", 235),
            ("usr/bin/sh", 230),
            ("etc/hosts", 200),
            ("src/config.rs", 200),
            ("usr/lib/x", 190),
            ("bin/ls", 180),
            ("models/a", 160),
            ("x/y.gguf", 160),
            ("home/u/notes", 120),
            ("var/cache/a", 50),
            ("x/backup/y", 30),
            ("plain", 100),
        ] {
            assert_eq!(importance(&[], &defaults, path.as_bytes()), want, "{path}");
        }
    }

    #[test]
    fn own_rules_come_first_and_terms_combine() {
        let own = [Rule::new("^src/ & .rs$", 222).unwrap(), Rule::new("i:@LICENSE", 1).unwrap()];
        let at = |path: &str| importance(&own, &default_rules(), path.as_bytes());
        assert_eq!(at("src/config.rs"), 222);
        assert_eq!(at("lib/src/a.rs"), 190);
        assert_eq!(at("a/license.txt"), 1);
        assert_eq!(at("license/other"), 100);
        assert!(Rule::new("a & ", 1).is_err());
    }
}
