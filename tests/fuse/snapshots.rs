//! Snapshots of a mounted map over the control socket, seen through the mount at once.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};

use rustix::io::Errno;
use serde_json::json;

use crate::client::Client;
use crate::ground::Ground;
use crate::runner::{Done, Needs, SHORT, Test};

/// The exit code, the same as the Node command line's.
const NOT_FOUND: i32 = 9;

const fn on_mount(name: &'static str, body: fn(&Ground) -> Done) -> Test {
    Test { name, needs: Needs::Mount, seconds: SHORT, body }
}

pub static TESTS: [Test; 5] = [
    on_mount("snapshots_come_and_go", snapshots_come_and_go),
    on_mount("restoring_is_seen_at_once", restoring_is_seen_at_once),
    on_mount("snapshots_hold_what_was_written", snapshots_hold_what_was_written),
    on_mount("mounting_a_snapshot", mounting_a_snapshot),
    on_mount("control_socket", control_socket),
];

fn names(client: &mut Client) -> Vec<String> {
    let listed = client.call("snapshot.list", &json!({}));
    let name = |one: &serde_json::Value| one["name"].as_str().map(str::to_owned);
    listed.as_array().unwrap().iter().filter_map(name).collect()
}

fn snapshots_come_and_go(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let mut client = mounted.client();
    fs::write(mounted.path("file"), "one").unwrap();
    let made = client.call("snapshot.create", &json!({"name": "first", "note": "before"}));
    assert_eq!((&made["name"], &made["note"]), (&json!("first"), &json!("before")));
    fs::write(mounted.path("file"), "two").unwrap();
    client.call("snapshot.create", &json!({"name": "second"}));
    assert_eq!(names(&mut client), ["first", "second"]);
    let again = client.try_call("snapshot.create", &json!({"name": "first"})).unwrap_err();
    assert_eq!(again["code"], json!("EEXIST"), "{again}");
    let unknown = client.try_call("snapshot.restore", &json!({"name": "third"})).unwrap_err();
    assert_eq!(unknown["code"], json!("ENOENT"), "{unknown}");
    client.call("snapshot.delete", &json!({"name": "second"}));
    assert_eq!(names(&mut client), ["first"]);
    drop(client);
    mounted.remount();
    assert_eq!(names(&mut mounted.client()), ["first"]);
    assert_eq!(fs::read_to_string(mounted.path("file")).unwrap(), "two");
    mounted.finish();
    Done::Passed
}

fn restoring_is_seen_at_once(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let mut client = mounted.client();
    let old = ground.random().bytes(300_000);
    fs::write(mounted.path("changed"), &old).unwrap();
    fs::write(mounted.path("removed"), "was here").unwrap();
    fs::create_dir(mounted.path("folder")).unwrap();
    fs::write(mounted.path("folder/inner"), "old inner").unwrap();
    client.call("snapshot.create", &json!({"name": "old"}));
    let new = vec![b'n'; 400_000];
    fs::write(mounted.path("changed"), &new).unwrap();
    fs::remove_file(mounted.path("removed")).unwrap();
    fs::write(mounted.path("added"), "new").unwrap();
    fs::write(mounted.path("folder/inner"), "new inner, and longer").unwrap();
    fs::write(mounted.path("folder/added"), "new").unwrap();
    // Everything is in the kernel's caches: content, names, and that names are missing.
    for name in ["changed", "added", "folder/inner", "folder/added"] {
        fs::read(mounted.path(name)).unwrap();
    }
    assert!(!mounted.path("removed").exists());
    fs::read_dir(mounted.path("folder")).unwrap().count();
    let saved = client.call("snapshot.restore", &json!({"name": "old"}));
    let saved = saved["name"].as_str().expect("the snapshot of the present").to_owned();
    let about = fs::metadata(mounted.path("changed")).unwrap();
    assert_eq!(about.len(), old.len() as u64, "the old length");
    assert!(fs::read(mounted.path("changed")).unwrap() == old, "the old content");
    assert_eq!(fs::read_to_string(mounted.path("removed")).unwrap(), "was here");
    assert_eq!(fs::read_to_string(mounted.path("folder/inner")).unwrap(), "old inner");
    assert!(!mounted.path("added").exists(), "a name of after the snapshot");
    assert!(!mounted.path("folder/added").exists(), "a name of after the snapshot");
    let listed = |folder: &str| {
        let entries = fs::read_dir(mounted.path(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(listed(""), ["changed", "folder", "removed"]);
    assert_eq!(listed("folder"), ["inner"]);
    // Work goes on in the restored state; the present of before is a snapshot itself.
    fs::write(mounted.path("later"), "work goes on").unwrap();
    client.call("snapshot.restore", &json!({"name": saved}));
    assert!(fs::read(mounted.path("changed")).unwrap() == new);
    assert_eq!(fs::read_to_string(mounted.path("folder/inner")).unwrap(), "new inner, and longer");
    assert!(!mounted.path("removed").exists() && !mounted.path("later").exists());
    drop(client);
    mounted.remount();
    assert!(fs::read(mounted.path("changed")).unwrap() == new);
    mounted.finish();
    Done::Passed
}

/// What the kernel still holds back from the helper belongs to a snapshot as well.
fn snapshots_hold_what_was_written(ground: &Ground) -> Done {
    let mounted = ground.mount();
    let mut client = mounted.client();
    let mut file = File::create_new(mounted.path("file")).unwrap();
    let mut content = ground.random().bytes(777_777);
    file.write_all(&content).unwrap();
    client.call("snapshot.create", &json!({"name": "held"}));
    file.write_all_at(&[0; 1000], 5000).unwrap();
    file.write_all(b"behind").unwrap();
    drop(file);
    client.call("snapshot.restore", &json!({"name": "held"}));
    let found = fs::read(mounted.path("file")).unwrap();
    assert_eq!(found.len(), content.len());
    assert!(found == content, "the content when the snapshot was taken");
    // A file that is open over a restore is its own or gone, never a mixture.
    let open = File::options().read(true).write(true).open(mounted.path("file")).unwrap();
    fs::remove_file(mounted.path("file")).unwrap();
    client.call("snapshot.restore", &json!({"name": "held"}));
    drop(open.write_all_at(b"written through an old descriptor", 0));
    drop(open);
    content.truncate(content.len());
    assert!(fs::read(mounted.path("file")).unwrap() == content);
    mounted.finish();
    Done::Passed
}

fn mounting_a_snapshot(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    fs::write(mounted.path("file"), "then").unwrap();
    fs::create_dir(mounted.path("folder")).unwrap();
    mounted.call("snapshot.create", &json!({"name": "then"}));
    fs::write(mounted.path("file"), "now").unwrap();
    fs::write(mounted.path("new"), "now").unwrap();
    mounted.unmount();
    let map = mounted.map.clone();
    let mut past = ground.mount_map(&map, "snapshot=then");
    assert_eq!(fs::read_to_string(past.path("file")).unwrap(), "then");
    assert!(past.path("folder").is_dir() && !past.path("new").exists());
    let refused = fs::write(past.path("file"), "x").unwrap_err();
    assert_eq!(Errno::from_io_error(&refused), Some(Errno::ROFS));
    assert!(past.line().unwrap().options.iter().any(|option| option == "ro"));
    assert_eq!(past.status()["state"], json!("read-only"));
    past.unmount();
    past.options = "snapshot=nobody made it".to_owned();
    let ended = past.try_mount();
    assert_eq!(ended.code(), Some(NOT_FOUND), "no such snapshot: {}", ended.stderr);
    mounted.mount();
    assert_eq!(fs::read_to_string(mounted.path("file")).unwrap(), "now");
    mounted.finish();
    Done::Passed
}

fn control_socket(ground: &Ground) -> Done {
    let mounted = ground.mount();
    let about = fs::metadata(&mounted.socket).unwrap();
    assert_eq!(about.mode() & 0o777, 0o600);
    let folder = fs::metadata(mounted.socket.parent().unwrap()).unwrap();
    assert_eq!(folder.mode() & 0o777, 0o700);
    let mut client = mounted.client();
    assert_eq!(client.hello["protocol"], json!(1));
    assert_eq!(client.hello["pid"], json!(mounted.pid));
    assert_eq!(client.hello["map"], json!(mounted.map));
    assert_eq!(client.hello["mountPoint"], json!(mounted.point));
    let unknown = client.try_call("nonsense", &json!({})).unwrap_err();
    assert_eq!(unknown["code"], json!("ENOSYS"));
    fs::write(mounted.path("file"), ground.random().bytes(2 << 20)).unwrap();
    client.call("sync", &json!({}));
    let status = client.call("status", &json!({}));
    assert_eq!(status["state"], json!("read-write"), "{status:#}");
    assert_eq!(status["pid"], json!(mounted.pid));
    client.call("checkpoint", &json!({}));
    assert_eq!(client.call("info", &json!({}))["files"], json!(1));
    let room = client.call("statfs", &json!({}));
    assert!(room["blocks"].as_u64() > Some(0), "{room:#}");
    for method in ["stats", "zones", "settings", "cache", "compress", "config"] {
        assert!(!client.call(method, &json!({})).is_null(), "{method}");
    }
    assert_eq!(client.call("verify", &json!({"deep": true}))["ok"], json!(true));
    // Unmounting over the socket ends the helper.
    let (socket, mut mounted) = (mounted.socket.clone(), mounted);
    drop(client.try_call("unmount", &json!({})));
    mounted.wait_for_end(std::time::Duration::from_secs(20));
    assert!(!socket.exists(), "the socket is left behind");
    mounted.mount();
    mounted.finish();
    Done::Passed
}
