//! Mounting and unmounting: options, refusals, signals, and who is told what.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::ground::{
    Ground, beside, create_map, helper, is_installed, run_helper, send, verify_deep,
};
use crate::process::{ALICE, as_user, has, is_root, mounts, run, succeed};
use crate::runner::{Done, Needs, SHORT, Test, skip, wait};

const fn on_mount(name: &'static str, body: fn(&Ground) -> Done) -> Test {
    Test { name, needs: Needs::Mount, seconds: SHORT, body }
}

const fn as_root(name: &'static str, body: fn(&Ground) -> Done) -> Test {
    Test { name, needs: Needs::MountAsRoot, seconds: SHORT, body }
}

pub static TESTS: [Test; 15] = [
    on_mount("kernel_table", kernel_table),
    on_mount("read_only_mounts", read_only_mounts),
    on_mount("options_known_and_unknown", options_known_and_unknown),
    as_root("owners_squashed_to_one", owners_squashed_to_one),
    as_root("allow_other_or_not", allow_other_or_not),
    on_mount("second_mount_is_refused", second_mount_is_refused),
    on_mount("refusals_say_why", refusals_say_why),
    on_mount("signals_unmount", signals_unmount),
    on_mount("busy_mounts", busy_mounts),
    on_mount("unmount_by_map_and_by_others", unmount_by_map_and_by_others),
    on_mount("dead_helper", dead_helper),
    on_mount("status_lists_mounts", status_lists_mounts),
    as_root("mount_command", mount_command),
    on_mount("help_and_version", help_and_version),
    on_mount("pictures_stay_pictures", pictures_stay_pictures),
];

/// Exit codes, the same as the Node command line's.
const USAGE: i32 = 2;
const NOT_A_MAP: i32 = 3;
const LOCKED: i32 = 6;
const NOT_FOUND: i32 = 9;

fn kernel_table(ground: &Ground) -> Done {
    let mut mounted = ground.mount_with("");
    let has_option = |line: &crate::process::MountLine, name: &str| {
        line.options.iter().any(|option| option == name)
    };
    let line = mounted.line().expect("a line in the kernel's table");
    assert_eq!(Path::new(&line.source), mounted.map);
    assert_eq!(line.kind, "fuse.aetherflow");
    // Where root alone may use it there are no permissions to check.
    for name in ["rw", "nosuid", "nodev"] {
        assert!(has_option(&line, name), "{name} is not in {:?}", line.options);
    }
    assert!(!has_option(&line, "allow_other"), "{:?}", line.options);
    mounted.unmount();
    mounted.options = "ro,noexec,nosuid,nodev".to_owned();
    mounted.mount();
    let line = mounted.line().unwrap();
    for name in ["ro", "noexec", "nosuid", "nodev"] {
        assert!(has_option(&line, name), "{name} is not in {:?}", line.options);
    }
    mounted.unmount();
    if is_root() {
        mounted.options = "dev,suid,allow_other".to_owned();
        mounted.mount();
        let line = mounted.line().unwrap();
        assert!(has_option(&line, "allow_other"), "{:?}", line.options);
        for name in ["nodev", "nosuid"] {
            assert!(!has_option(&line, name), "{name} is in {:?}", line.options);
        }
        mounted.unmount();
    }
    // The lock file tells others where to ask.
    mounted.options = String::new();
    mounted.mount();
    let lock = mounted.map.with_file_name(beside(&mounted.map, "-lock"));
    let lock: Value = serde_json::from_slice(&fs::read(lock).unwrap()).unwrap();
    assert_eq!(lock["program"], json!("aetherflow-fuse"), "{lock}");
    assert_eq!(lock["socket"], json!(mounted.socket), "{lock}");
    assert_eq!(lock["pid"], json!(mounted.pid), "{lock}");
    mounted.finish();
    Done::Passed
}

fn read_only_mounts(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    fs::write(mounted.path("file"), "kept").unwrap();
    fs::create_dir(mounted.path("empty")).unwrap();
    rustix::fs::mkfifoat(CWD, mounted.path("fifo"), rustix::fs::Mode::RWXU).unwrap();
    mounted.unmount();
    let before = fs::read(&mounted.map).unwrap();
    mounted.options = "ro".to_owned();
    mounted.mount();
    assert_eq!(fs::read_to_string(mounted.path("file")).unwrap(), "kept");
    let refused = |result: std::io::Result<()>| {
        assert_eq!(Errno::from_io_error(&result.unwrap_err()), Some(Errno::ROFS));
    };
    refused(fs::write(mounted.path("file"), "x"));
    refused(fs::write(mounted.path("new"), "x"));
    refused(fs::remove_file(mounted.path("file")));
    refused(fs::create_dir(mounted.path("folder")));
    refused(fs::rename(mounted.path("file"), mounted.path("other")));
    refused(fs::set_permissions(mounted.path("file"), fs::Permissions::from_mode(0o600)));
    refused(fs::hard_link(mounted.path("file"), mounted.path("link")));
    refused(symlink("file", mounted.path("link")));
    refused(fs::remove_dir(mounted.path("empty")));
    refused(std::os::unix::fs::chown(mounted.path("file"), Some(1), Some(1)));
    refused(File::options().append(true).open(mounted.path("file")).map(drop));
    refused(fs::remove_file(mounted.path("fifo")));
    assert_eq!(mounted.status()["state"], json!("read-only"));
    mounted.unmount();
    assert!(fs::read(&mounted.map).unwrap() == before, "reading has changed the file");
    mounted.options = String::new();
    mounted.mount();
    fs::write(mounted.path("file"), "changed").unwrap();
    mounted.finish();
    Done::Passed
}

fn options_known_and_unknown(ground: &Ground) -> Done {
    let mut mounted = ground.mount_with(
        "rw,noatime,async,exec,cache_size=32M,threads=2,commit=1,default_permissions,auto,noauto,\
         user,users,nofail,_netdev,x-systemd.automount,defaults,fsname=x,subtype=y",
    );
    assert_eq!(mounted.line().unwrap().kind, "fuse.aetherflow");
    fs::write(mounted.path("file"), "x").unwrap();
    mounted.unmount();
    let wrong = [
        ("frobnicate", "frobnicate"),
        ("ro,nonsense=3", "nonsense"),
        ("cache_size=lots", "cache_size"),
        ("threads=0", "threads"),
        ("threads=-1", "threads"),
        ("commit=soon", "commit"),
        ("uid=somebody", "uid"),
    ];
    for (options, name) in wrong {
        mounted.options = options.to_owned();
        let ended = mounted.try_mount();
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code(), Some(USAGE), "{options}: {said}");
        assert!(said.contains(name), "{options}: {said}");
        assert!(mounted.line().is_none());
    }
    for size in ["8M", "65536K", "1G"] {
        mounted.options = format!("cache_size={size}");
        mounted.mount();
        assert_eq!(fs::read_to_string(mounted.path("file")).unwrap(), "x");
        mounted.unmount();
    }
    Done::Passed
}

fn owners_squashed_to_one(ground: &Ground) -> Done {
    let mut mounted = ground.mount_with("uid=4321,gid=8765,allow_other");
    fs::write(mounted.path("file"), "x").unwrap();
    fs::create_dir(mounted.path("folder")).unwrap();
    for name in ["file", "folder", ""] {
        let about = fs::metadata(mounted.path(name)).unwrap();
        assert_eq!((about.uid(), about.gid()), (4321, 8765), "{name:?}");
    }
    as_user((4321, 8765), &[], || fs::write(mounted.path("file"), "theirs").unwrap());
    mounted.unmount();
    mounted.options = String::new();
    mounted.mount();
    assert_eq!(fs::read_to_string(mounted.path("file")).unwrap(), "theirs");
    mounted.finish();
    Done::Passed
}

fn allow_other_or_not(ground: &Ground) -> Done {
    let mut mounted = ground.mount_with("");
    fs::write(mounted.path("file"), "x").unwrap();
    fs::set_permissions(&mounted.point, fs::Permissions::from_mode(0o755)).unwrap();
    let read = |path: &Path| {
        as_user(ALICE, &[], || fs::read(path).map_err(|error| Errno::from_io_error(&error)))
    };
    assert_eq!(read(&mounted.path("file")), Err(Some(Errno::ACCESS)));
    mounted.unmount();
    mounted.options = "allow_other".to_owned();
    mounted.mount();
    assert_eq!(read(&mounted.path("file")), Ok(b"x".to_vec()));
    fs::set_permissions(mounted.path("file"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(read(&mounted.path("file")), Err(Some(Errno::ACCESS)), "modes count");
    mounted.finish();
    Done::Passed
}

fn second_mount_is_refused(ground: &Ground) -> Done {
    let mounted = ground.mount();
    let point = ground.make("second");
    for options in ["rw", "ro"] {
        let ended = run_helper(&[
            "mount",
            &mounted.map.to_string_lossy(),
            &point.to_string_lossy(),
            "--daemon",
            "-o",
            options,
        ]);
        if options == "ro" && ended.status.success() {
            // Reading beside a writer may be allowed; then it is a mount like any other.
            assert!(run_helper(&["unmount", &point.to_string_lossy()]).status.success());
            continue;
        }
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code(), Some(LOCKED), "{options}: {said}");
        assert!(said.contains(&mounted.pid.to_string()), "the holder is not named: {said}");
        assert!(!mounts().iter().any(|mount| mount.point == point));
    }
    let ended = run_helper(&[
        "mount",
        &mounted.map.to_string_lossy(),
        &point.to_string_lossy(),
        "--daemon",
        "--json",
    ]);
    let said: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(said["error"]["code"].is_string() && said["error"]["message"].is_string(), "{said}");
    // The first one never noticed.
    fs::write(mounted.path("file"), "x").unwrap();
    mounted.finish();
    Done::Passed
}

fn refusals_say_why(ground: &Ground) -> Done {
    let point = ground.make("point");
    let map = ground.path("a.map.rts.png");
    create_map(&map);
    let junk = ground.path("junk.png");
    fs::write(&junk, "not a picture at all").unwrap();
    let missing = ground.path("missing.png");
    let file = ground.path("file");
    fs::write(&file, "x").unwrap();
    let mount = |map: &Path, point: &Path| {
        let ended =
            run_helper(&["mount", &map.to_string_lossy(), &point.to_string_lossy(), "--daemon"]);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!ended.status.success() && said.len() > 10, "{said}");
        assert!(!said.contains("panicked"), "{said}");
        (ended.code().unwrap_or(-1), said)
    };
    let (code, said) = mount(&missing, &point);
    assert!(code == NOT_FOUND && said.contains("missing.png"), "{code}: {said}");
    let (code, said) = mount(&junk, &point);
    assert!(code == NOT_A_MAP && said.contains("junk.png"), "{code}: {said}");
    let (code, said) = mount(&map, &ground.path("nowhere"));
    assert!(code == NOT_FOUND && said.contains("nowhere"), "{code}: {said}");
    let (_, said) = mount(&map, &file);
    assert!(said.contains("file"), "{said}");
    // None of this left a lock, a log or a mount.
    for suffix in ["-lock", "-wal"] {
        assert!(!map.with_file_name(beside(&map, suffix)).exists(), "{suffix}");
        assert!(!junk.with_file_name(beside(&junk, suffix)).exists(), "{suffix} beside no map");
    }
    assert!(!mounts().iter().any(|mount| mount.point.starts_with(ground.path(""))));
    verify_deep(&map);
    let ended = run_helper(&["unmount", &point.to_string_lossy()]);
    assert!(!ended.status.success() && !ended.stderr.is_empty(), "nothing is mounted there");
    Done::Passed
}

fn signals_unmount(ground: &Ground) -> Done {
    for (number, signal) in [Signal::TERM, Signal::INT].into_iter().enumerate() {
        let map = ground.path(&format!("foreground {number}.png"));
        let point = ground.make(&format!("foreground {number}"));
        create_map(&map);
        let mut child = Command::new(helper())
            .arg("mount")
            .args([&map, &point])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let expected =
            format!("mounted {} at {} (pid {})\n", map.display(), point.display(), child.id());
        assert_eq!(line, expected);
        fs::write(point.join("file"), "not synced").unwrap();
        send(child.id(), signal);
        let status = wait(&mut child, Duration::from_secs(20)).unwrap();
        let status = status.unwrap_or_else(|| {
            drop(child.kill());
            panic!("{signal:?} does not end the helper");
        });
        assert!(status.success(), "{signal:?}: {status}");
        assert!(!mounts().iter().any(|mount| mount.point == point));
        for suffix in ["-wal", "-lock"] {
            assert!(
                !map.with_file_name(beside(&map, suffix)).exists(),
                "{suffix} after {signal:?}"
            );
        }
        verify_deep(&map);
        let mounted = ground.mount_map(&map, "");
        assert_eq!(fs::read_to_string(mounted.path("file")).unwrap(), "not synced");
        mounted.finish();
    }
    // The same for one in the background, with files open and work under way.
    let mut mounted = ground.mount();
    let open = File::create(mounted.path("open")).unwrap();
    fs::write(mounted.path("file"), vec![b'x'; 3 << 20]).unwrap();
    send(mounted.pid, Signal::TERM);
    drop(open);
    mounted.wait_for_end(Duration::from_secs(20));
    for suffix in ["-wal", "-lock"] {
        assert!(!mounted.map.with_file_name(beside(&mounted.map, suffix)).exists(), "{suffix}");
    }
    mounted.mount();
    assert_eq!(fs::metadata(mounted.path("file")).unwrap().len(), 3 << 20);
    mounted.finish();
    Done::Passed
}

fn busy_mounts(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let mut file = File::create(mounted.path("open")).unwrap();
    let point = mounted.point.to_string_lossy().into_owned();
    let ended = run_helper(&["unmount", &point]);
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(!ended.status.success(), "a busy mount was unmounted: {said}");
    assert!(said.contains(&std::process::id().to_string()), "who holds it is not said: {said}");
    assert!(mounted.line().is_some());
    std::io::Write::write_all(&mut file, b"still works").unwrap();
    let ended = run_helper(&["unmount", &point, "--lazy"]);
    assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    assert!(mounted.line().is_none());
    std::io::Write::write_all(&mut file, b", also lazily").unwrap();
    drop(file);
    mounted.wait_for_end(Duration::from_secs(20));
    mounted.mount();
    assert_eq!(fs::read_to_string(mounted.path("open")).unwrap(), "still works, also lazily");
    mounted.finish();
    Done::Passed
}

fn unmount_by_map_and_by_others(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    fs::write(mounted.path("file"), "x").unwrap();
    let ended = run_helper(&["unmount", &mounted.map.to_string_lossy(), "--json"]);
    assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    mounted.wait_for_end(Duration::from_secs(20));
    if is_root() && has("umount") {
        mounted.mount();
        fs::write(mounted.path("second"), "y").unwrap();
        succeed(Command::new("umount").arg(&mounted.point), 20);
        mounted.wait_for_end(Duration::from_secs(20));
        for suffix in ["-wal", "-lock"] {
            assert!(!mounted.map.with_file_name(beside(&mounted.map, suffix)).exists(), "{suffix}");
        }
        verify_deep(&mounted.map);
    }
    mounted.mount();
    assert_eq!(fs::read_to_string(mounted.path("file")).unwrap(), "x");
    mounted.finish();
    Done::Passed
}

fn dead_helper(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    fs::write(mounted.path("file"), "x").unwrap();
    File::open(mounted.path("file")).unwrap().sync_all().unwrap();
    mounted.kill();
    let error = fs::metadata(&mounted.point).unwrap_err();
    // The second where the kernel was asked to tell an aborted connection from a missing one.
    let errno = Errno::from_io_error(&error);
    assert!(matches!(errno, Some(Errno::NOTCONN | Errno::CONNABORTED)), "{error}");
    let listed = run_helper(&["status", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let all = listed["mounts"].as_array().unwrap();
    let mine = all.iter().find(|mount| mount["mountPoint"] == json!(mounted.point));
    assert_eq!(mine.map(|mount| &mount["state"]), Some(&json!("dead")), "{listed:#}");
    let ended = run_helper(&["unmount", &mounted.point.to_string_lossy()]);
    assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    assert!(mounted.line().is_none());
    assert_eq!(fs::read_dir(&mounted.point).unwrap().count(), 0);
    mounted.mount();
    assert_eq!(fs::read_to_string(mounted.path("file")).unwrap(), "x");
    // And without unmounting in between, with something in the log.
    fs::write(mounted.path("second"), "y").unwrap();
    File::open(mounted.path("second")).unwrap().sync_all().unwrap();
    mounted.kill();
    mounted.mount();
    assert_eq!(mounted.status()["recovered"], json!(true));
    assert_eq!(fs::read_to_string(mounted.path("file")).unwrap(), "x");
    assert_eq!(fs::read_to_string(mounted.path("second")).unwrap(), "y");
    assert_eq!(mounts().iter().filter(|mount| mount.point == mounted.point).count(), 1);
    mounted.finish();
    Done::Passed
}

fn status_lists_mounts(ground: &Ground) -> Done {
    let (one, two) = (ground.mount(), ground.mount_with("ro"));
    let ended = run_helper(&["status", "--json"]);
    assert!(ended.status.success(), "{}", ended.stderr);
    let listed: Value = serde_json::from_str(&ended.stdout).unwrap();
    let find = |point: &Path| {
        let all = listed["mounts"].as_array().unwrap();
        all.iter().find(|mount| mount["mountPoint"] == json!(point)).cloned().unwrap()
    };
    let first = find(&one.point);
    assert_eq!(first["state"], json!("read-write"), "{first:#}");
    assert_eq!(first["reason"], json!(null), "{first:#}");
    assert_eq!(
        (&first["map"], &first["pid"], &first["socket"]),
        (&json!(one.map), &json!(one.pid), &json!(one.socket))
    );
    assert_eq!(find(&two.point)["state"], json!("read-only"));
    for name in [&one.point, &one.map] {
        let ended = run_helper(&["status", &name.to_string_lossy(), "--json"]);
        let listed: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(listed["mounts"].as_array().map(Vec::len), Some(1), "{listed:#}");
    }
    let plain = run_helper(&["status"]);
    assert!(plain.stdout.contains(&*one.point.to_string_lossy()), "{}", plain.stdout);
    one.finish();
    two.finish();
    Done::Passed
}

fn mount_command(ground: &Ground) -> Done {
    if !has("mount") {
        return skip("mount is not installed");
    }
    if !is_installed() {
        return skip("/sbin/mount.fuse.aetherflow is not the program under test");
    }
    let (map, point) = (ground.path("a.map.rts.png"), ground.make("point"));
    create_map(&map);
    let mount = |options: &str| {
        let mut command = Command::new("mount");
        command.args(["-t", "fuse.aetherflow", "-o", options]).args([&map, &point]);
        run(&mut command, Duration::from_secs(20))
    };
    let ended = mount("rw,noatime,x-systemd.automount,nofail");
    assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    let line = mounts().into_iter().find(|mount| mount.point == point).expect("it is mounted");
    assert_eq!((Path::new(&line.source), line.kind.as_str()), (&*map, "fuse.aetherflow"));
    fs::write(point.join("file"), "by mount(8)").unwrap();
    let remount = |how: &str| {
        succeed(Command::new("mount").args(["-o", how]).arg(&point), 20);
        fs::write(point.join("remounted"), how).map_err(|error| Errno::from_io_error(&error))
    };
    assert_eq!(remount("remount,ro"), Err(Some(Errno::ROFS)));
    assert_eq!(remount("remount,rw"), Ok(()));
    let lock = map.with_file_name(beside(&map, "-lock"));
    let lock: Value = serde_json::from_slice(&fs::read(lock).unwrap()).unwrap();
    let pid = lock["pid"].as_u64().unwrap() as u32;
    succeed(Command::new("umount").arg(&point), 20);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while crate::ground::is_running(pid) {
        assert!(std::time::Instant::now() < deadline, "the helper outlives its mount");
        std::thread::sleep(Duration::from_millis(5));
    }
    verify_deep(&map);
    let ended = mount("nonsense");
    assert!(!ended.status.success() && ended.stderr.contains("nonsense"), "{}", ended.stderr);
    let mounted = ground.mount_map(&map, "");
    assert_eq!(fs::read_to_string(mounted.path("file")).unwrap(), "by mount(8)");
    mounted.finish();
    Done::Passed
}

fn help_and_version(_: &Ground) -> Done {
    let version = run_helper(&["--version"]);
    assert!(version.status.success());
    assert!(version.stdout.contains(env!("CARGO_PKG_VERSION")), "{}", version.stdout);
    let help = run_helper(&["--help"]);
    assert!(help.status.success());
    for word in ["mount", "unmount", "status", "allow_other", "cache_size"] {
        assert!(help.stdout.contains(word), "{word} is not in the help");
    }
    for wrong in [&["frobnicate"][..], &[], &["mount"], &["mount", "a", "b", "--nonsense"]] {
        let ended = run_helper(wrong);
        assert_eq!(ended.code(), Some(USAGE), "{wrong:?}: {}", ended.stderr);
        assert!(!ended.stderr.is_empty(), "{wrong:?}");
    }
    Done::Passed
}

/// After unmounting, any PNG reader takes the map.
fn pictures_stay_pictures(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    fs::write(mounted.path("file"), ground.random().bytes(3 << 20)).unwrap();
    mounted.unmount();
    if has("pngcheck") {
        succeed(Command::new("pngcheck").arg("-q").arg(&mounted.map), 30);
    }
    let script = "import sys\nfrom PIL import Image\nImage.open(sys.argv[1]).load()";
    if run(Command::new("python3").args(["-c", "import PIL"]), Duration::from_secs(20)).code()
        == Some(0)
    {
        succeed(Command::new("python3").args(["-c", script]).arg(&mounted.map), 30);
    }
    mounted.mount();
    mounted.finish();
    Done::Passed
}
