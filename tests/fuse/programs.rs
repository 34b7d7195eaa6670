//! Real programs at work on a mount.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::fs::XattrFlags;

use crate::ground::Ground;
use crate::process::{has, missing, run, shell, succeed};
use crate::random::Random;
use crate::runner::{Done, Needs, Test, skip};
use crate::tree::{Compared, assert_same, plant};

const fn program(name: &'static str, body: fn(&Ground) -> Done) -> Test {
    Test { name, needs: Needs::Files, seconds: 180, body }
}

pub static TESTS: [Test; 7] = [
    program("git", git),
    program("sqlite", sqlite),
    program("npm_install", npm_install),
    program("tar_both_ways", tar_both_ways),
    program("rsync_both_ways", rsync_both_ways),
    program("getfacl_and_setfacl", getfacl_and_setfacl),
    program("compile_with_make", compile_with_make),
];

fn not_installed(program: &str) -> Done {
    skip(format!("{program} is not installed"))
}

/// A few thousand small files in folders.
fn sources(folder: &Path, random: &mut Random, count: usize) {
    for number in 0..count {
        let below = folder.join(format!("{}/{}", number % 23, number % 7));
        fs::create_dir_all(&below).unwrap();
        let length = 200 + random.index(6000);
        fs::write(below.join(format!("source {number}.txt")), random.bytes(length)).unwrap();
    }
}

fn git(ground: &Ground) -> Done {
    const SCRIPT: &str = "
        export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@example.org
        export GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@example.org
        git init -q -b main one
        mv tree one/tree
        cd one
        git add .
        git commit -q -m first
        git status --porcelain
        git config core.fsync committed
        for n in 1 2 3 4 5 6 7 8; do
            echo \"$n\" >> \"tree/$n/3/new $n\"
            git add . && git commit -q -m \"change $n\"
        done
        git mv tree/1 tree/moved && git rm -q -r tree/2 && git commit -q -m moved
        cd ..
        git clone -q --no-local one two
        cd two
        git checkout -q -b other HEAD~4 && echo other > other && git add . && git commit -q -m other
        git merge -q -m merged main
        git gc -q --prune=now
        git fsck --strict --full
        git push -q origin other
        cd ../one
        git repack -q -a -d && git fsck --strict --full
        git checkout -q other
        git status --porcelain
        git worktree add -q ../three main
        cd .. && diff -r one/tree two/tree && rm -rf three
    ";
    if !has("git") {
        return not_installed("git");
    }
    let mut mounted = ground.mount();
    fs::create_dir(mounted.path("tree")).unwrap();
    sources(&mounted.path("tree"), &mut ground.random(), 2500);
    let said = shell(&mounted.point, SCRIPT, 150);
    assert_eq!(said.trim(), "", "git status and fsck have nothing to say");
    mounted.remount();
    let script = "cd one && HOME=$PWD git fsck --strict --full && git status --porcelain";
    let said = shell(
        &mounted.point,
        &format!(
            "export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_COUNT=1 \
        GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'; {script}"
        ),
        60,
    );
    assert_eq!(said.trim(), "");
    mounted.finish();
    Done::Passed
}

/// Several processes write to one database in WAL mode, which lives on shared memory and locks.
fn sqlite(ground: &Ground) -> Done {
    const SCRIPT: &str = r"
import os, sqlite3, sys
path, rows, writers = sys.argv[1], 150, 4
def connect():
    base = sqlite3.connect(path, timeout=60, isolation_level=None)
    base.execute('PRAGMA synchronous=FULL')
    return base
base = connect()
mode = base.execute('PRAGMA journal_mode=' + sys.argv[2]).fetchone()[0]
assert mode == sys.argv[2], mode
base.execute('CREATE TABLE work (writer INT, number INT, text BLOB, PRIMARY KEY (writer, number))')
base.execute('CREATE TABLE total (count INT)')
base.execute('INSERT INTO total VALUES (0)')
base.close()
def write(writer):
    base = connect()
    for number in range(rows):
        base.execute('BEGIN IMMEDIATE')
        base.execute('INSERT INTO work VALUES (?,?,?)', (writer, number, os.urandom(number * 40)))
        base.execute('UPDATE total SET count = count + 1')
        base.execute('COMMIT')
        if number % 10 == 0:
            counts = base.execute('SELECT (SELECT count(*) FROM work), (SELECT count FROM total)').fetchone()
            assert counts[0] == counts[1], counts
        if number % 50 == 49:
            base.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    base.close()
children = []
for writer in range(writers):
    child = os.fork()
    if child == 0:
        try:
            write(writer)
        except BaseException as error:
            print(error, file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    children.append(child)
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
base = connect()
assert base.execute('SELECT count FROM total').fetchone()[0] == rows * writers
assert base.execute('PRAGMA integrity_check').fetchone()[0] == 'ok'
base.execute('DELETE FROM work WHERE number % 3 = 0')
base.execute('VACUUM')
assert base.execute('PRAGMA integrity_check').fetchone()[0] == 'ok'
print(base.execute('SELECT count(*), sum(length(text)) FROM work').fetchone())
";
    const AGAIN: &str = r"
import sqlite3, sys
base = sqlite3.connect(sys.argv[1])
assert base.execute('PRAGMA integrity_check').fetchone()[0] == 'ok'
print(base.execute('SELECT count(*), sum(length(text)) FROM work').fetchone())
";
    if !has("python3")
        || run(Command::new("python3").args(["-c", "import sqlite3"]), Duration::from_secs(20))
            .code()
            != Some(0)
    {
        return not_installed("python3 with sqlite3");
    }
    let mut mounted = ground.mount();
    for mode in ["wal", "delete"] {
        let name = format!("{mode}.db");
        let script = |text, mode: &str| {
            let mut command = Command::new("python3");
            succeed(command.args(["-c", text]).arg(mounted.path(&name)).arg(mode), 80)
        };
        let before = script(SCRIPT, mode);
        mounted.remount();
        let mut command = Command::new("python3");
        let after = succeed(command.args(["-c", AGAIN]).arg(mounted.path(&name)), 30);
        assert_eq!(before, after, "{mode}");
    }
    mounted.finish();
    Done::Passed
}

/// Packages that are in the project's own lock file, so every machine that built it can get them.
fn npm_install(ground: &Ground) -> Done {
    const CHECK: &str = "
        import ts from 'typescript';
        const out = ts.transpileModule('const x: number = 1', {}).outputText;
        if (!out.includes('x = 1')) throw new Error(out);
    ";
    if let Some(program) = missing(&["npm", "node"]) {
        return not_installed(program);
    }
    let mut mounted = ground.mount();
    let project = mounted.path("project");
    fs::create_dir(&project).unwrap();
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("package-lock.json");
    let lock = fs::read_to_string(lock).unwrap_or_default();
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap_or_default();
    let version = |name: &str| {
        let version = lock["packages"][format!("node_modules/{name}")]["version"].as_str();
        version.map(|version| format!("{name}@{version}"))
    };
    let Some(wanted) =
        ["typescript", "@types/node"].into_iter().map(version).collect::<Option<Vec<_>>>()
    else {
        return skip("the lock file has no typescript");
    };
    let cache = ground.make("npm-cache");
    let reach = run(
        Command::new("npm")
            .args([
                "view",
                &wanted[0],
                "version",
                "--fetch-timeout=15000",
                "--fetch-retries=0",
                "--cache",
            ])
            .arg(&cache),
        Duration::from_secs(60),
    );
    if reach.code() != Some(0) {
        return skip("npm reaches no registry");
    }
    fs::write(project.join("package.json"), r#"{"name":"x","version":"1.0.0","type":"module"}"#)
        .unwrap();
    let install = || {
        let mut command = Command::new("npm");
        command.args(["install", "--no-audit", "--no-fund", "--cache"]).arg(mounted.path("cache"));
        succeed(command.args(&wanted).current_dir(&project), 120);
    };
    install();
    fs::write(project.join("check.mjs"), CHECK).unwrap();
    succeed(Command::new("node").arg("check.mjs").current_dir(&project), 30);
    // Once more from the cache on the mount, over what is there, and clean.
    fs::remove_dir_all(project.join("node_modules")).unwrap();
    let mut command = Command::new("npm");
    command.args(["ci", "--no-audit", "--no-fund", "--prefer-offline", "--cache"]);
    succeed(command.arg(mounted.path("cache")).current_dir(&project), 120);
    mounted.remount();
    let project = mounted.path("project");
    succeed(Command::new("node").arg("check.mjs").current_dir(&project), 30);
    mounted.finish();
    Done::Passed
}

const ALL: Compared = Compared { attributes: true, holes: true, folder_times: true };

fn tar_both_ways(ground: &Ground) -> Done {
    if !has("tar") {
        return not_installed("tar");
    }
    let mut mounted = ground.mount();
    let native = ground.make("native");
    fs::create_dir(native.join("tree")).unwrap();
    plant(&native.join("tree"), &mut ground.random());
    let pack = "tar --format=pax --sparse --xattrs --xattrs-include='*' --numeric-owner -c -f";
    let take = "tar --xattrs --xattrs-include='*' --numeric-owner --same-owner -p -x -f";
    // Onto the mount, from the archive beside it; back from an archive on the mount.
    shell(
        &native,
        &format!(
            "{pack} ../first.tar tree && cd '{}' && {take} '{}'",
            mounted.point.display(),
            ground.path("first.tar").display()
        ),
        60,
    );
    assert_same(&native.join("tree"), &mounted.path("tree"), ALL);
    mounted.remount();
    assert_same(&native.join("tree"), &mounted.path("tree"), ALL);
    shell(&mounted.point, &format!("{pack} second.tar tree"), 60);
    let back = ground.make("back");
    shell(&back, &format!("{take} '{}'", mounted.path("second.tar").display()), 60);
    assert_same(&native.join("tree"), &back.join("tree"), ALL);
    mounted.finish();
    Done::Passed
}

fn rsync_both_ways(ground: &Ground) -> Done {
    if !has("rsync") {
        return not_installed("rsync");
    }
    let mut mounted = ground.mount();
    let native = ground.make("native");
    plant(&native, &mut ground.random());
    if let Some(file) =
        fs::read_dir(&native).unwrap().flatten().find(|entry| entry.path().is_file())
    {
        // One list of access rights, in the form the kernel has: owner, user 77, group, mask, others.
        let list = [
            2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 77, 0, 0, 0, 4, 0, 4, 0, 255,
            255, 255, 255, 16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
        ];
        let name = "system.posix_acl_access";
        let _ = rustix::fs::setxattr(file.path(), name, &list, XattrFlags::empty());
    }
    let sync = |from: &Path, to: &Path| {
        let mut command = Command::new("rsync");
        command.args(["-aHAXS", "--numeric-ids", "--delete", "--itemize-changes"]);
        command.arg(format!("{}/", from.display())).arg(format!("{}/", to.display()));
        succeed(&mut command, 90)
    };
    fs::create_dir(mounted.path("tree")).unwrap();
    sync(&native, &mounted.path("tree"));
    assert_same(&native, &mounted.path("tree"), ALL);
    mounted.remount();
    assert_eq!(sync(&native, &mounted.path("tree")), "", "a second run changes nothing");
    // What changed goes over by parts, in place and not.
    fs::write(native.join("file that is new"), "x").unwrap();
    fs::remove_file(native.join("sparse")).unwrap();
    sync(&native, &mounted.path("tree"));
    let back = ground.make("back");
    sync(&mounted.path("tree"), &back);
    assert_same(&native, &back, ALL);
    mounted.finish();
    Done::Passed
}

fn getfacl_and_setfacl(ground: &Ground) -> Done {
    if let Some(program) = missing(&["getfacl", "setfacl"]) {
        return not_installed(program);
    }
    let mut mounted = ground.mount();
    let native = ground.make("native");
    let script = "
        mkdir -p tree/below && echo x > tree/file && chmod 640 tree/file && chmod 750 tree
        setfacl -m u:1234:rw,g:77:r,m::rw tree/file
        setfacl -d -m u:1234:rwx,g::rx,o::- tree/below
        umask 022
        mkdir tree/below/inner && echo y > tree/below/file
        setfacl -x u:1234 tree/below/file && setfacl -b tree/below/inner
        find tree | sort | xargs getfacl -n
    ";
    let there = shell(&native, script, 20);
    let here = shell(&mounted.point, script, 20);
    assert_eq!(here, there);
    mounted.remount();
    assert_eq!(shell(&mounted.point, "find tree | sort | xargs getfacl -n", 20), there);
    mounted.finish();
    Done::Passed
}

fn compile_with_make(ground: &Ground) -> Done {
    const UNITS: usize = 60;
    if let Some(program) = missing(&["make", "gcc"]) {
        return not_installed(program);
    }
    let mut mounted = ground.mount();
    let project = mounted.path("project");
    fs::create_dir(&project).unwrap();
    let mut header = String::from("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n");
    let mut calls = String::new();
    for unit in 0..UNITS {
        header += &format!("int unit{unit}(int);\n");
        calls += &format!("sum = unit{unit}(sum);\n");
        let body = format!(
            "#include \"all.h\"\nint unit{unit}(int x) {{ int a[64]; for (int i = 0; i < 64; i++) \
             a[i] = (x + i) * {unit}; return (a[x & 63] + {unit}) & 0xffff; }}\n"
        );
        fs::write(project.join(format!("unit{unit}.c")), body).unwrap();
    }
    fs::write(project.join("all.h"), header).unwrap();
    let main = format!(
        "#include \"all.h\"\nint main(void) {{ int sum = 1;\n{calls}printf(\"%d\\n\", sum); return 0; }}\n"
    );
    fs::write(project.join("main.c"), main).unwrap();
    let makefile = "objects = $(patsubst %.c,%.o,$(wildcard *.c))\nall: program libunits.a\n\
                    program: $(objects)\n\tgcc -o $@ $^\nlibunits.a: $(filter unit%,$(objects))\n\t\
                    ar rcs $@ $^\n%.o: %.c all.h\n\tgcc -O1 -g -c -o $@ $<\n";
    fs::write(project.join("Makefile"), makefile).unwrap();
    shell(&project, "make -j2 -s", 120);
    let first = shell(&project, "./program", 10);
    // Nothing to do the second time: times of files are kept in order.
    let second = shell(&project, "make", 20);
    assert!(!second.contains("gcc"), "{second}");
    shell(&project, "touch unit7.c", 5);
    let third = shell(&project, "make", 30);
    assert_eq!(third.matches("gcc").count(), 2, "{third}");
    mounted.remount();
    let project = mounted.path("project");
    assert_eq!(shell(&project, "./program", 10), first);
    assert!(!shell(&project, "make", 20).contains("gcc"));
    mounted.finish();
    Done::Passed
}
