//! House rules a compiler does not check: size of files, layering, no leftovers, plain text.

use std::fs;
use std::path::{Path, PathBuf};

/// Longest source file, in lines. What outgrows it holds more than one concern.
const LONGEST_FILE: usize = 800;

/// Modules of `src/` by layer. A module imports lower layers only; the few allowed neighbours
/// within a layer are listed beside it.
const LAYERS: [(&str, u32, &[&str]); 20] = [
    ("base", 0, &[]),
    ("storage", 1, &[]),
    ("plane", 1, &[]),
    ("codec", 1, &[]),
    ("container", 2, &[]),
    ("vat", 3, &[]),
    ("wal", 3, &[]),
    ("commit", 4, &[]),
    ("tree", 5, &[]),
    ("fs", 6, &[]),
    ("check", 7, &[]),
    ("map", 8, &[]),
    ("explore", 8, &[]),
    ("render", 8, &["map", "explore"]),
    ("report", 8, &["map"]),
    ("wasm", 9, &[]),
    ("native", 9, &[]),
    ("control", 9, &[]),
    ("fuse", 9, &["control"]),
    ("bin", 10, &[]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of ours with its content; paths are relative to the root, with `/`.
fn sources() -> Vec<(String, String)> {
    const FOLDERS: [&str; 11] = [
        "src",
        "tests",
        "benches",
        "fuzz",
        "xtask",
        "npm",
        "pkg-template",
        "docs",
        "web-demo",
        ".ci",
        ".cargo",
    ];
    const NOT_OURS: [&str; 6] = ["node_modules", "target", "dist", "corpus", "artifacts", "data"];
    const TEXT: [&str; 13] =
        ["rs", "toml", "md", "ts", "tsx", "mts", "js", "mjs", "json", "html", "css", "sh", "yml"];
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root().join(folder)).collect();
    let mut paths =
        vec![root().join("README.md"), root().join("Cargo.toml"), root().join("package.json")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() {
                if !NOT_OURS.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if name == "run"
                || path.extension().is_some_and(|end| TEXT.iter().any(|text| end == *text))
            {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let relative = |path: &Path| {
        path.strip_prefix(root()).unwrap_or(path).to_string_lossy().replace('\\', "/")
    };
    paths.iter().filter_map(|path| Some((relative(path), fs::read_to_string(path).ok()?))).collect()
}

fn is_lock(path: &str) -> bool {
    path.ends_with("package-lock.json") || path.ends_with("Cargo.lock")
}

fn assert_none(problems: &[String], rule: &str) {
    assert!(problems.is_empty(), "{rule}:\n  {}", problems.join("\n  "));
}

#[test]
fn files_are_short() {
    let code = |path: &str| {
        [".rs", ".ts", ".tsx", ".mts", ".js", ".mjs"].iter().any(|end| path.ends_with(end))
    };
    let long: Vec<String> = sources()
        .iter()
        .filter(|(path, _)| code(path) && !path.starts_with("tests/js/"))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(path, lines)| format!("{path}: {lines} lines"))
        .collect();
    assert_none(&long, &format!("files over {LONGEST_FILE} lines"));
}

/// Names of the modules that a line of code reaches through `crate::`.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let first = |text: &str| {
            let name: String = text
                .trim_start()
                .chars()
                .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                .collect();
            name
        };
        if let Some(group) = rest.strip_prefix('{') {
            // `use crate::{a::B, c::{D, E}}`: the names at depth one.
            let mut depth = 0;
            let mut start = true;
            for (at, letter) in group.char_indices() {
                if start && depth == 0 && !letter.is_whitespace() {
                    found.push(first(&group[at..]));
                    start = false;
                }
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    _ => {}
                }
            }
        } else {
            found.push(first(rest));
        }
    }
    found
}

/// Code without comments, so that a documented link upward is no import.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

#[test]
fn arrows_point_downward() {
    let layer = |name: &str| LAYERS.iter().find(|(module, ..)| *module == name);
    let mut problems = Vec::new();
    for (path, text) in sources() {
        let Some(inside) = path.strip_prefix("src/").filter(|path| path.ends_with(".rs")) else {
            continue;
        };
        let module = inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let Some((_, own, neighbours)) = layer(module) else {
            problems.push(format!("{path}: module '{module}' has no layer in tests/tidy.rs"));
            continue;
        };
        for name in imports(&without_comments(&text)) {
            let Some((_, other, _)) = layer(&name) else { continue };
            if name != module && other >= own && !neighbours.contains(&name.as_str()) {
                problems.push(format!("{path} (layer {own}) imports {name} (layer {other})"));
            }
        }
    }
    assert_none(&problems, "imports that do not point downward");
}

#[test]
fn imports_are_seen_in_every_form() {
    assert_eq!(imports("use crate::base::Error; crate::vat::x()"), ["base", "vat"]);
    assert_eq!(imports("use crate::{base::{A, B}, storage, wal::C};"), ["base", "storage", "wal"]);
    assert_eq!(imports("pub(crate) fn f() {}"), Vec::<String>::new());
}

/// Words of unfinished work and of one machine, put together here so that this file is clean.
fn unwanted() -> Vec<(String, &'static str)> {
    let joined = |parts: &[&str]| parts.concat();
    vec![
        (joined(&["TO", "DO"]), "reminder"),
        (joined(&["FIX", "ME"]), "reminder"),
        (joined(&["XX", "X"]), "reminder"),
        (joined(&["HA", "CK:"]), "reminder"),
        (joined(&["todo", "!("]), "reminder"),
        (joined(&["unimple", "mented!("]), "reminder"),
        (joined(&["dbg", "!("]), "debugging"),
        (joined(&["/ro", "ot/"]), "path of one machine"),
        (joined(&["/wo", "rk/"]), "path of one machine"),
        (joined(&["/ho", "me/"]), "path of one machine"),
        (joined(&["/Us", "ers/"]), "path of one machine"),
        (joined(&["/tmp", "/af"]), "path of one machine"),
    ]
}

/// Whether the word stands alone, not inside a longer one such as a pattern of six X.
fn contains_word(line: &str, word: &str) -> bool {
    let letter = |text: Option<char>| text.is_some_and(char::is_alphabetic);
    line.match_indices(word).any(|(at, _)| {
        let before =
            word.starts_with(char::is_alphabetic) && letter(line[..at].chars().next_back());
        let after =
            word.ends_with(char::is_alphabetic) && letter(line[at + word.len()..].chars().next());
        !before && !after
    })
}

#[test]
fn nothing_is_left_behind() {
    let words = unwanted();
    let mut problems = Vec::new();
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            for (word, kind) in &words {
                if contains_word(line, word) {
                    problems.push(format!("{path}:{}: {kind}: {}", number + 1, line.trim()));
                }
            }
            if is_lock(&path) && line.contains("\"resolved\"") && line.contains("://") {
                problems.push(format!("{path}:{}: a lock file names a registry host", number + 1));
            }
        }
    }
    assert_none(&problems, "leftovers");
}

/// Letters that look like others can hide a change from a reader; inside strings they are data.
#[test]
fn rust_sources_are_ascii_outside_strings() {
    let mut problems = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| path.ends_with(".rs")) {
        for (number, line) in text.lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            let quoted = line.contains('"') || line.contains('\'');
            if !line.is_ascii() && !comment && !quoted {
                problems.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
            if line.contains([
                '\u{202a}', '\u{202b}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}',
            ]) {
                problems.push(format!(
                    "{path}:{}: a mark that changes the reading direction",
                    number + 1
                ));
            }
        }
    }
    assert_none(&problems, "letters outside ASCII in code");
}

#[test]
fn every_source_ends_with_one_newline_and_has_no_tabs() {
    let ours =
        |path: &str| [".rs", ".ts", ".tsx", ".mjs", ".md"].iter().any(|end| path.ends_with(end));
    let bad = |text: &str| {
        !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n") || text.contains('\t'))
            || text.contains('\r')
    };
    let problems: Vec<String> = sources()
        .iter()
        .filter(|(path, text)| ours(path) && bad(text))
        .map(|(path, _)| path.clone())
        .collect();
    assert_none(&problems, "a missing or doubled last newline, a tab, or a carriage return");
}

#[test]
fn every_module_says_what_it_is_for() {
    let problems: Vec<String> = sources()
        .iter()
        .filter(|(path, text)| {
            path.ends_with(".rs") && path.starts_with("src/") && !text.starts_with("//!")
        })
        .filter(|(path, text)| !path.ends_with("tests.rs") && !text.is_empty())
        .map(|(path, _)| path.clone())
        .collect();
    assert_none(&problems, "source files without a header");
}
