//! Test programs of others: pjdfstest for POSIX, fsx for the content of files.
//!
//! `cargo xtask test fuse` installs them; without them these tests are skipped.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::ground::{Ground, reference};
use crate::process::run;
use crate::runner::{Done, Needs, Test, skip};

pub static TESTS: [Test; 5] = [
    Test { name: "pjdfstest", needs: Needs::Users, seconds: 240, body: pjdfstest },
    Test { name: "fsx_everything", needs: Needs::Files, seconds: 120, body: fsx_everything },
    Test { name: "fsx_mapped", needs: Needs::Files, seconds: 120, body: fsx_mapped },
    Test { name: "fsx_small_and_odd", needs: Needs::Files, seconds: 120, body: fsx_small_and_odd },
    Test { name: "fsx_big_and_far", needs: Needs::Files, seconds: 120, body: fsx_big_and_far },
];

/// Where a test program is, if it is there.
fn tool(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("AETHERFLOW_TEST_TOOLS")?;
    Some(PathBuf::from(folder).join(name)).filter(|path| path.is_file())
}

/// Two users of the machine with groups of their own; the suite wants names.
fn two_users() -> Option<[(String, String); 2]> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (users, groups) = (read("/etc/passwd"), read("/etc/group"));
    let group_name = |number: &str| {
        let line = groups.lines().find(|line| line.split(':').nth(2) == Some(number))?;
        line.split(':').next().map(str::to_owned)
    };
    let mut seen = Vec::new();
    let mut found = users.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let (name, user, group) = (*fields.first()?, *fields.get(2)?, *fields.get(3)?);
        if user == "0" || group == "0" || seen.contains(&group) {
            return None;
        }
        seen.push(group);
        Some((name.to_owned(), group_name(group)?))
    });
    Some([found.next()?, found.next()?])
}

fn pjdfstest(ground: &Ground) -> Done {
    let Some(program) = tool("pjdfstest") else { return skip("pjdfstest is not installed") };
    let Some(users) = two_users() else { return skip("the machine has no two users with groups") };
    let mounted = ground.mount();
    // Another filesystem, for what cannot be done across two.
    let other = match reference() {
        Some(_) => PathBuf::from("/dev/shm"),
        None => ground.make("other"),
    };
    let mut settings = include_str!("pjdfstest.toml").to_owned();
    let entries = users.map(|(user, group)| format!("[{user:?}, {group:?}]"));
    settings += &format!("\n[dummy_auth]\nentries = [{}]\n", entries.join(", "));
    let file = ground.path("pjdfstest.toml");
    fs::write(&file, settings).unwrap();
    let mut command = Command::new(program);
    command.arg("-c").arg(file).arg("-p").arg(&mounted.point).arg("-s").arg(other);
    let ended = run(command.current_dir("/"), Duration::from_secs(220));
    println!("{}{}", ended.stdout, ended.stderr);
    let summary = ended.stdout.lines().find(|line| line.contains("Summary")).unwrap_or_default();
    let summary = without_colours(summary);
    let number = |word: &str| -> u64 {
        let before = summary.split(word).next().unwrap_or_default();
        before.trim().rsplit([' ', ',']).next().and_then(|text| text.parse().ok()).unwrap_or(0)
    };
    let (passed, failed, skipped) = (number("passed"), number("failed"), number("skipped"));
    assert!(passed > 300, "it did not run: {summary:?}");
    assert_eq!(ended.status.success(), failed == 0, "{summary}");
    for line in ended.stdout.lines().map(without_colours).filter(|line| line.ends_with("FAILED")) {
        println!("FAILED: {line}");
    }
    mounted.finish();
    Done::Counted { passed, failed, skipped }
}

fn without_colours(line: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for letter in line.chars() {
        match letter {
            '\u{1b}' => inside = true,
            'm' if inside => inside = false,
            _ if !inside => text.push(letter),
            _ => {}
        }
    }
    text
}

/// Runs fsx with several seeds, then looks at the map.
fn fsx(ground: &Ground, settings: &str, operations: u32, seeds: std::ops::Range<u64>) -> Done {
    let Some(program) = tool("fsx") else { return skip("fsx is not installed") };
    let mounted = ground.mount();
    let file = ground.path("fsx.toml");
    fs::write(&file, settings).unwrap();
    let (mut passed, mut failed) = (0, 0);
    for seed in seeds {
        let artifacts = ground.make("artifacts");
        let mut command = Command::new(&program);
        command.arg("-f").arg(&file).arg("-P").arg(artifacts);
        command.args(["-N", &operations.to_string(), "-S", &seed.to_string()]);
        command.arg(mounted.path(&format!("file {seed}")));
        let ended = run(command.current_dir("/"), Duration::from_secs(100));
        if ended.status.success() {
            passed += 1;
        } else {
            failed += 1;
            println!(
                "fsx -N {operations} -S {seed} with\n{settings}\n{}{}",
                ended.stdout, ended.stderr
            );
        }
    }
    mounted.finish();
    Done::Counted { passed, failed, skipped: 0 }
}

fn fsx_everything(ground: &Ground) -> Done {
    fsx(ground, include_str!("fsx_everything.toml"), 4000, 1..5)
}

fn fsx_mapped(ground: &Ground) -> Done {
    fsx(ground, include_str!("fsx_mapped.toml"), 4000, 11..14)
}

fn fsx_small_and_odd(ground: &Ground) -> Done {
    fsx(ground, include_str!("fsx_small_and_odd.toml"), 5000, 21..24)
}

fn fsx_big_and_far(ground: &Ground) -> Done {
    fsx(ground, include_str!("fsx_big_and_far.toml"), 800, 31..33)
}
