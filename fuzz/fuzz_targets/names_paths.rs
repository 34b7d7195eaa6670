//! Any bytes as names, paths, link targets and patterns: errors or right answers.
#![no_main]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::sync::LazyLock;

use aetherflow::base::Code;
use aetherflow::fs::dir::check_name;
use aetherflow::fs::path::Last;
use aetherflow::fs::rules::Rule;
use aetherflow::fs::{ROOT, View};
use aetherflow::map::Map;
use libfuzzer_sys::fuzz_target;
use support::drive::OWNER;
use support::sample::{sample, sample_options};

static MAP: LazyLock<Map> =
    LazyLock::new(|| Map::open(sample().file, &sample_options()).expect("the sample opens"));

fuzz_target!(|data: &[u8]| {
    let (path, rest) = data.split_at(data.len() / 2);
    MAP.read(|fs| {
        for last in [Last::Follow, Last::Keep] {
            if let Ok(ino) = fs.resolve(View::Head, ROOT, path, last) {
                // What a path leads to has a path that leads to it.
                let own = fs.path_of(View::Head, ino).expect("a whole map");
                let mut own = own.expect("it has a name");
                own.insert(0, b'/');
                assert_eq!(fs.resolve(View::Head, ROOT, &own, Last::Keep).ok(), Some(ino));
            }
        }
        let _ = fs.resolve_parent(View::Head, ROOT, path);
        fs.importance_of_path(path);
    });
    if let Ok(pattern) = std::str::from_utf8(rest)
        && let Ok(rule) = Rule::new(pattern, 7)
    {
        rule.matches(path);
    }
    MAP.write(|fs| {
        match fs.symlink(ROOT, path, rest, OWNER) {
            Ok(ino) => {
                assert!(check_name(path).is_ok());
                assert_eq!(fs.read_link(View::Head, ino).expect("just made"), rest);
                let _ = fs.resolve(View::Head, ROOT, path, Last::Follow);
                fs.unlink(ROOT, path).expect("just made");
            }
            Err(error) => assert!(
                [Code::Invalid, Code::NameTooLong, Code::Exists].contains(&error.code()),
                "{error:?}"
            ),
        }
    });
});
