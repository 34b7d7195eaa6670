//! The docs suite: links lead somewhere, and marked snippets run.
//!
//! A fence marked `js run` is run by Node as a module with the workspace's packages in reach; one
//! marked `sh run` is run by `sh -e` with `aetherflow` on the search path. Each page has a folder
//! of its own, and its snippets run in order.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::count::Checks;
use crate::npm;
use crate::run::{Result, Tool, empty_folder, files, read, root, write};

/// A marked snippet: its language, its first line in the page, its text.
struct Snippet {
    language: String,
    line: usize,
    text: String,
}

/// Runs the suite.
pub fn check(checks: &mut Checks) {
    let pages: Vec<PathBuf> = files(root())
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    for required in
        ["README.md", "docs/FORMAT.md", "docs/ARCHITECTURE.md", "docs/TESTING.md", "docs/CLI.md"]
    {
        let exists = root().join(required).is_file();
        checks.note(required, if exists { Ok(()) } else { Err("the page does not exist".into()) });
    }
    let mut snippets = Vec::new();
    for page in &pages {
        let name = page.strip_prefix(root()).unwrap_or(page).display().to_string();
        let text = String::from_utf8_lossy(&read(page).unwrap_or_default()).into_owned();
        let (prose, found) = split(&text);
        let broken: Vec<String> =
            links(&prose).into_iter().filter(|link| !leads_somewhere(page, link)).collect();
        let result = if broken.is_empty() {
            Ok(())
        } else {
            Err(format!("links that lead nowhere: {}", broken.join(", ")))
        };
        checks.note(&format!("links of {name}"), result);
        if !found.is_empty() {
            snippets.push((name, found));
        }
    }
    if snippets.is_empty() {
        return checks.skip("snippets", "no page marks one to be run");
    }
    if let Err(why) = npm::build() {
        return checks.note("snippets", Err(why));
    }
    for (name, found) in snippets {
        if let Err(why) = run_snippets(checks, &name, &found) {
            checks.note(&format!("snippets of {name}"), Err(why));
        }
    }
}

fn run_snippets(checks: &mut Checks, page: &str, snippets: &[Snippet]) -> Result {
    let folder = empty_folder("xtask/docs")?;
    let bin = folder.join("bin");
    let main = root().join("npm/dist/cli/main.js");
    write(
        &bin.join("aetherflow"),
        format!("#!/bin/sh\nexec node '{}' \"$@\"\n", main.display()).as_bytes(),
    )?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(bin.join("aetherflow"), executable)
            .map_err(|error| error.to_string())?;
        std::os::unix::fs::symlink(root().join("node_modules"), folder.join("node_modules"))
            .map_err(|error| error.to_string())?;
    }
    // Something to build a map from, under the name the pages use.
    for file in files(&root().join("docs")) {
        let inside = file.strip_prefix(root()).unwrap_or(&file).to_path_buf();
        write(&folder.join(inside), &read(&file)?)?;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path)))
        .map_err(|error| error.to_string())?;
    for snippet in snippets {
        let file = folder.join(format!(
            "line-{}.{}",
            snippet.line,
            if snippet.language == "js" { "mjs" } else { "sh" }
        ));
        write(&file, snippet.text.as_bytes())?;
        let tool =
            if snippet.language == "js" { Tool::node() } else { Tool::new("sh").args(["-e"]) };
        let result = tool.args([&file]).folder(&folder).env("PATH", &path).output().map(drop);
        checks.note(&format!("{page}:{} ({})", snippet.line, snippet.language), result);
    }
    Ok(())
}

/// Parts prose from code, and keeps the snippets that are marked to be run.
fn split(text: &str) -> (String, Vec<Snippet>) {
    let mut prose = String::new();
    let mut snippets: Vec<Snippet> = Vec::new();
    let mut fence: Option<bool> = None;
    for (index, line) in text.lines().enumerate() {
        if let Some(info) = line.trim_start().strip_prefix("```") {
            fence = match (fence, info.trim().split_once(' ')) {
                (None, Some((language @ ("js" | "sh"), "run"))) => {
                    snippets.push(Snippet {
                        language: language.into(),
                        line: index + 2,
                        text: String::new(),
                    });
                    Some(true)
                }
                (None, _) => Some(false),
                (Some(_), _) => None,
            };
        } else if fence == Some(true) {
            if let Some(snippet) = snippets.last_mut() {
                snippet.text.push_str(line);
                snippet.text.push('\n');
            }
        } else if fence.is_none() {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    (prose, snippets)
}

/// Targets of `[text](target)` and `![text](target)`.
fn links(prose: &str) -> Vec<String> {
    prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(|target| target.split(" \"").next().unwrap_or(target).to_string())
        .collect()
}

fn leads_somewhere(page: &Path, link: &str) -> bool {
    if link.contains("://") || link.starts_with("mailto:") {
        return true;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() {
        page.to_path_buf()
    } else {
        page.parent().unwrap_or(root()).join(file)
    };
    if anchor.is_empty() || target.extension().is_none_or(|end| end != "md") {
        return target.exists();
    }
    let text = fs::read_to_string(&target).unwrap_or_default();
    anchors(&split(&text).0).contains(anchor)
}

/// Anchors of the headings, formed as GitHub forms them.
fn anchors(prose: &str) -> HashSet<String> {
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept =
                title.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
            kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snippets_links_and_anchors() {
        let page = "# Two Words, `code`\n[a](b.md#c \"t\") ![i](x.png)\n```js run\nlet a;\n```\n```sh\n[n](o)\n```\n";
        let (prose, snippets) = split(page);
        assert_eq!(links(&prose), ["b.md#c", "x.png"]);
        assert_eq!(snippets.len(), 1);
        assert_eq!((snippets[0].line, snippets[0].text.as_str()), (4, "let a;\n"));
        assert!(anchors(&prose).contains("two-words-code"));
    }
}
