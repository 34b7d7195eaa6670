//! The control socket: every method, every kind of bad client.
#![cfg(unix)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use aetherflow::base::{Code, Error, Result};
use aetherflow::control::{Client, Host, MAX_CONNECTIONS, MAX_REQUEST, Server, place};
use aetherflow::fs::{Fs, ROOT, View};
use aetherflow::map::{Map, Options};
use aetherflow::storage::file::{FileStorage, Mode};
use serde_json::{Value, json};
use support::drive::OWNER;
use support::{noise, text};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("aetherflow-control-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(Default)]
struct TestHost {
    path: PathBuf,
    read_only: Mutex<Option<String>>,
    before: AtomicU32,
    replaced: AtomicU32,
    unmounted: Mutex<Option<bool>>,
    /// Unmounting answers that the mount is busy.
    busy: AtomicBool,
}

impl Host for TestHost {
    fn map_path(&self) -> &Path {
        &self.path
    }

    fn mount_point(&self) -> Option<PathBuf> {
        Some(PathBuf::from("/mnt/map"))
    }

    fn read_only(&self) -> Option<String> {
        self.read_only.lock().unwrap().clone()
    }

    fn status(&self) -> serde_json::Map<String, Value> {
        json!({ "options": { "threads": 4 } }).as_object().cloned().unwrap()
    }

    fn requests(&self) -> Value {
        json!({ "lookup": 3 })
    }

    fn before(&self) -> Result<()> {
        self.before.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn content_replaced(&self, _before: View) {
        self.replaced.fetch_add(1, Ordering::Relaxed);
    }

    fn unmount(&self, lazy: bool) -> Result<()> {
        if self.busy.load(Ordering::Relaxed) && !lazy {
            return Err(Error::new(Code::Busy, "a shell works in there"));
        }
        *self.unmounted.lock().unwrap() = Some(lazy);
        Ok(())
    }
}

/// A map in a file, and its control socket.
struct Bench {
    server: Server,
    map: Arc<Map>,
    host: Arc<TestHost>,
    folder: Folder,
}

impl Bench {
    fn new() -> Bench {
        let folder = Folder::new();
        let path = folder.0.join("map.rts.png");
        let map = FileStorage::open(&path, Mode::CreateNew).unwrap();
        let log = FileStorage::open(&folder.0.join("map.rts.png-wal"), Mode::CreateNew).unwrap();
        let options = Options { width: Some(256), ..Options::default() };
        let map = Map::create_on(Arc::new(map), Some(Arc::new(log)), &options).unwrap();
        let map = Arc::new(map);
        let host = Arc::new(TestHost { path, ..TestHost::default() });
        let socket = place::choose_in(&folder.0.join("sockets")).unwrap();
        let server =
            Server::start(Arc::clone(&map), &socket, Arc::clone(&host) as Arc<dyn Host>).unwrap();
        Bench { server, map, host, folder }
    }

    fn put(&self, name: &str, data: &[u8]) -> u64 {
        self.map
            .write(|fs| {
                let ino = fs.make(ROOT, name.as_bytes(), 0o100_644, OWNER, 0)?;
                fs.write(ino, 0, data)?;
                Ok::<u64, Error>(ino)
            })
            .unwrap()
    }

    fn client(&self) -> Client {
        Client::connect(self.server.path()).unwrap()
    }

    fn raw(&self) -> Raw {
        let stream = UnixStream::connect(self.server.path()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut raw = Raw { lines: BufReader::new(stream) };
        assert_eq!(raw.line()["protocol"], 1);
        raw
    }
}

/// A client that sends what it likes.
struct Raw {
    lines: BufReader<UnixStream>,
}

impl Raw {
    fn send(&mut self, bytes: &[u8]) {
        self.lines.get_mut().write_all(bytes).unwrap();
    }

    fn line(&mut self) -> Value {
        self.next().expect("the connection ended")
    }

    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        // A reset is an end, too: the server left what was sent unread.
        let count = self.lines.read_line(&mut line).unwrap_or(0);
        (count > 0).then(|| serde_json::from_str(&line).unwrap())
    }
}

fn call(client: &mut Client, method: &str, params: Value) -> Value {
    client
        .call(method, &params, &mut |_, _| true)
        .unwrap_or_else(|error| panic!("{method}: {error:?}"))
}

fn refused(client: &mut Client, method: &str, params: Value) -> Error {
    client.call(method, &params, &mut |_, _| true).unwrap_err()
}

/// Waits until something is so.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn facts_about_the_map() {
    let bench = Bench::new();
    bench.put("file", &noise(1, 100_000));
    let mut client = bench.client();
    assert_eq!(client.hello().pid, std::process::id());
    assert_eq!(client.hello().map, bench.folder.0.join("map.rts.png"));
    assert_eq!(client.hello().mount_point, Some(PathBuf::from("/mnt/map")));

    let info = call(&mut client, "info", json!({}));
    assert_eq!(
        (&info["form"], &info["width"], &info["format"]),
        (&json!("live"), &json!(256), &json!("3.0"))
    );
    assert_eq!((&info["files"], &info["directories"]), (&json!(1), &json!(1)));
    assert!(info["clusters"].is_u64() && info["uuid"].as_str().unwrap().len() == 36);

    assert_eq!(call(&mut client, "sync", json!({})), json!({}));
    let stats = call(&mut client, "stats", json!({}));
    assert_eq!(stats["mount"], json!({ "lookup": 3 }));
    assert!(stats["commits"].as_u64().unwrap() >= 1 && stats["cache"]["budget"].is_u64());

    let zones = call(&mut client, "zones", json!({}));
    assert_eq!((&zones[0]["zone"], &zones[0]["inner"]), (&json!("hot"), &json!(0)));
    assert_eq!((zones.as_array().unwrap().len(), &zones[4]["outer"]), (5, &Value::Null));

    let statfs = call(&mut client, "statfs", json!({}));
    assert_eq!((&statfs["blockSize"], &statfs["nameMax"]), (&json!(4096), &json!(255)));

    let status = call(&mut client, "status", json!({}));
    assert_eq!((&status["state"], &status["reason"]), (&json!("read-write"), &Value::Null));
    assert_eq!(status["options"]["threads"], 4);
    assert_eq!((&status["bufferedBytes"], &status["recovered"]), (&json!(0), &json!(false)));
    assert!(status["logBytes"].as_u64().unwrap() > 0);
    assert!(status["since"].as_str().unwrap().ends_with('Z'));

    assert_eq!(call(&mut client, "checkpoint", json!({})), json!({}));
    assert_eq!(call(&mut client, "status", json!({}))["logBytes"], 0);
    assert_eq!(bench.host.before.load(Ordering::Relaxed), 2);
}

#[test]
fn caches_are_measured_emptied_and_resized() {
    let bench = Bench::new();
    let ino = bench.put("file", &noise(1, 100_000));
    let mut client = bench.client();
    call(&mut client, "checkpoint", json!({}));
    let mut bytes = vec![0; 100_000];
    let read = |bytes: &mut [u8]| bench.map.read(|fs| fs.read(View::Head, ino, 0, bytes).unwrap());
    read(&mut bytes);
    let sum = |report: &Value, name: &str| -> u64 {
        report["caches"].as_array().unwrap().iter().map(|one| one[name].as_u64().unwrap()).sum()
    };
    let before = call(&mut client, "cache", json!({}));
    assert_eq!(before["budget"], 64 << 20);
    assert!(sum(&before, "bytes") > 0 && sum(&before, "budget") <= 64 << 20, "{before}");
    let empty = call(&mut client, "cache", json!({ "drop": true }));
    assert_eq!(sum(&empty, "bytes"), 0, "{empty}");
    read(&mut bytes);
    let smaller = call(&mut client, "cache", json!({ "budget": 8 << 20 }));
    assert_eq!(smaller["budget"], 8 << 20);
    assert!(sum(&smaller, "misses") > sum(&before, "misses"));
    for budget in [json!(0), json!(-1), json!(1u64 << 60), json!("much")] {
        let error = refused(&mut client, "cache", json!({ "budget": budget }));
        assert_eq!(error.code(), Code::Invalid);
    }
    read(&mut bytes);
}

#[test]
fn settings_are_read_and_changed() {
    let bench = Bench::new();
    let mut client = bench.client();
    let before = call(&mut client, "config", json!({}));
    assert_eq!(before, call(&mut client, "settings", json!({})));
    assert_eq!((&before["compression"], &before["label"]), (&json!("off"), &json!("")));
    let change = json!({ "compression": "all", "level": 7, "label": "mine", "parity": false,
        "rules": [["*.log", 3]] });
    let after = call(&mut client, "config", change.clone());
    for (name, value) in change.as_object().unwrap() {
        assert_eq!(&after[name], value, "{name}");
    }
    assert_eq!(refused(&mut client, "config", json!({ "level": 20 })).code(), Code::Invalid);
    assert_eq!(refused(&mut client, "config", json!({ "compression": "x" })).code(), Code::Invalid);
    assert_eq!(call(&mut client, "settings", json!({})), after);
}

#[test]
fn snapshots_hold_what_was_written_before() {
    let bench = Bench::new();
    let ino = bench.put("file", b"old");
    let mut client = bench.client();
    let made = call(&mut client, "snapshot.create", json!({ "name": "first", "note": "a note" }));
    assert_eq!(
        (&made["name"], &made["note"], &made["files"]),
        (&json!("first"), &json!("a note"), &json!(1))
    );
    bench.map.write(|fs| fs.write(ino, 0, b"new")).unwrap();
    let twice = refused(&mut client, "snapshot.create", json!({ "name": "first" }));
    assert_eq!(twice.code(), Code::Exists);

    let kept = call(&mut client, "snapshot.restore", json!({ "name": "first" }));
    assert_eq!((&kept["automatic"], &kept["name"]), (&json!(true), &json!("before-first")));
    assert_eq!(bench.host.replaced.load(Ordering::Relaxed), 1);
    let mut bytes = [0; 3];
    bench.map.read(|fs| fs.read(View::Head, ino, 0, &mut bytes)).unwrap();
    assert_eq!(&bytes, b"old");

    let list = call(&mut client, "snapshot.list", json!({}));
    let names: Vec<&str> =
        list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["before-first", "first"]);
    assert_eq!(call(&mut client, "snapshot.delete", json!({ "name": "first" })), json!({}));
    for method in ["snapshot.delete", "snapshot.restore"] {
        assert_eq!(refused(&mut client, method, json!({ "name": "first" })).code(), Code::NotFound);
    }
    // Everything that was answered is durable: a crash keeps it.
    let copy = bench.folder.0.join("copy");
    fs::copy(bench.folder.0.join("map.rts.png"), &copy).unwrap();
    let log = bench.folder.0.join("map.rts.png-wal");
    let again = Map::open_on(
        Arc::new(FileStorage::open(&copy, Mode::Write).unwrap()),
        Some(Arc::new(FileStorage::open(&log, Mode::Write).unwrap())),
        true,
        &Options::default(),
    );
    assert_eq!(again.unwrap().read(Fs::snapshots).unwrap().len(), 1);
}

#[test]
fn a_read_only_host_changes_nothing() {
    let bench = Bench::new();
    *bench.host.read_only.lock().unwrap() = Some("mounted read-only".into());
    let mut client = bench.client();
    for (method, params) in [
        ("snapshot.create", json!({ "name": "a" })),
        ("snapshot.restore", json!({ "name": "a" })),
        ("snapshot.delete", json!({ "name": "a" })),
        ("config", json!({ "level": 1 })),
        ("compress", json!({})),
    ] {
        let error = refused(&mut client, method, params);
        assert_eq!(
            (error.code(), error.message()),
            (Code::ReadOnly, "mounted read-only"),
            "{method}"
        );
    }
    let status = call(&mut client, "status", json!({}));
    assert_eq!(
        (&status["state"], &status["reason"]),
        (&json!("read-only"), &json!("mounted read-only"))
    );
    call(&mut client, "checkpoint", json!({}));
    call(&mut client, "settings", json!({}));
}

#[test]
fn compressing_and_checking_while_others_write() {
    let bench = Bench::new();
    for number in 0..20 {
        bench.put(&format!("text{number}"), &text(number, 300_000));
    }
    let mut client = bench.client();
    let stop = Arc::new(AtomicBool::new(false));
    let writing = {
        let (map, stop) = (Arc::clone(&bench.map), Arc::clone(&stop));
        thread::spawn(move || {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                let name = format!("other{}", number % 50);
                map.write(|fs| {
                    if fs.lookup(View::Head, ROOT, name.as_bytes())?.is_some() {
                        fs.unlink(ROOT, name.as_bytes())?;
                    }
                    let ino = fs.make(ROOT, name.as_bytes(), 0o100_644, OWNER, 0)?;
                    fs.write(ino, 0, &noise(number, 20_000))
                })
                .unwrap();
                if number % 7 == 0 {
                    map.sync().unwrap();
                }
                number += 1;
            }
            number
        })
    };
    let mut told = (0, 0);
    let report = client
        .call("compress", &json!({ "path": "/", "level": 1 }), &mut |done, total| {
            assert!(done >= told.0 && done <= total);
            told = (done, total);
            true
        })
        .unwrap();
    assert!(report["files"].as_u64().unwrap() >= 20, "{report}");
    assert!(report["storedAfter"].as_u64().unwrap() < report["storedBefore"].as_u64().unwrap());
    for deep in [false, true] {
        let report = call(&mut client, "verify", json!({ "deep": deep }));
        assert_eq!(report["problems"], json!([]), "deep {deep}");
        assert!(report["ok"] == true && report["files"].as_u64().unwrap() >= 20);
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writing.join().unwrap() > 0);
    let missing = refused(&mut client, "compress", json!({ "path": "/nowhere" }));
    assert_eq!(missing.code(), Code::NotFound);
    assert_eq!(refused(&mut client, "compress", json!({ "level": 0 })).code(), Code::Invalid);
}

/// A check sees the state it began with, whatever is written, freed, written home and kept or
/// dropped as a snapshot meanwhile; and finds what is wrong with it all the same.
#[test]
fn a_check_sees_one_state() {
    let bench = Bench::new();
    let steady = noise(7, 40_000);
    bench.put("steady", &steady);
    let stop = AtomicBool::new(false);
    let checked = thread::scope(|scope| {
        let changing = scope.spawn(|| {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                let name = format!("file{}", number % 40);
                let change = bench.map.write(|fs| {
                    if fs.lookup(View::Head, ROOT, name.as_bytes())?.is_some() {
                        fs.unlink(ROOT, name.as_bytes())?;
                    }
                    let ino = fs.make(ROOT, name.as_bytes(), 0o100_644, OWNER, 0)?;
                    fs.write(ino, 0, &noise(number, [90, 3000, 50_000][number as usize % 3]))?;
                    match number % 26 {
                        6 => fs.create_snapshot(b"passing", b"").map(|_| ()),
                        19 => fs.delete_snapshot(b"passing"),
                        _ => Ok(()),
                    }
                });
                change.unwrap();
                match number % 11 {
                    3 | 7 => bench.map.sync().unwrap(),
                    10 => bench.map.checkpoint().unwrap(),
                    _ => {}
                }
                number += 1;
            }
            number
        });
        for round in 0..8 {
            let mut client = bench.client();
            let report = call(&mut client, "verify", json!({ "deep": round % 2 == 1 }));
            assert_eq!(report["problems"], json!([]), "round {round}");
        }
        stop.store(true, Ordering::Relaxed);
        changing.join().unwrap()
    });
    assert!(checked > 20, "{checked} changes");
    // What was held back for the checks is free again.
    bench.map.sync().unwrap();
    let report = bench.map.verify(Default::default(), &mut |_, _| true).unwrap();
    assert!(report.is_ok(), "{:?}", report.problems);

    bench.map.checkpoint().unwrap();
    let path = bench.folder.0.join("map.rts.png");
    let file = fs::read(&path).unwrap();
    let at = file.windows(64).position(|window| window == &steady[..64]).unwrap();
    let storage = FileStorage::open(&path, Mode::Write).unwrap();
    aetherflow::storage::Storage::write_at(&storage, at as u64, b"damage").unwrap();
    let mut client = bench.client();
    call(&mut client, "cache", json!({ "drop": true }));
    let report = call(&mut client, "verify", json!({}));
    let problem = &report["problems"][0];
    assert_eq!((&problem["kind"], &problem["path"]), (&json!("data-checksum"), &json!("/steady")));
}

/// As above, with the changes where they hurt: whenever the check tells how far it is, much of
/// what it has yet to read is freed, changed, and written home twice.
#[test]
fn a_check_in_the_midst_of_checkpoints() {
    let bench = Bench::new();
    for number in 0..300 {
        bench.put(&format!("file{number}"), &noise(number, 9000));
    }
    let mut round = 0;
    let mut churn = || {
        for number in (round..300).step_by(3) {
            bench.map.write(|fs| fs.unlink(ROOT, format!("file{number}").as_bytes())).unwrap();
            bench.put(&format!("file{number}"), &noise(1000 + number, 9000));
            if number % 30 == round {
                bench.map.checkpoint().unwrap();
            }
        }
        bench.map.checkpoint().unwrap();
        round = (round + 1) % 3;
    };
    let mut told = 0;
    let mut progress = |_, _| {
        told += 1;
        churn();
        true
    };
    let options = aetherflow::check::VerifyOptions { deep: true };
    let report = bench.map.verify_in_use(options, &mut progress).unwrap();
    assert_eq!((report.problems.as_slice(), report.files), (&[][..], 300));
    assert!(told >= 3, "told {told} times");
    let report = bench.map.verify(options, &mut |_, _| true).unwrap();
    assert!(report.is_ok(), "{:?}", report.problems);
}

#[test]
fn a_long_operation_is_cancelled_or_left() {
    let bench = Bench::new();
    for number in 0..60 {
        bench.put(&format!("text{number}"), &text(number, 500_000));
    }
    bench.map.sync().unwrap();
    // By its id, while other requests are answered.
    let mut raw = bench.raw();
    raw.send(b"{\"id\":\"c\",\"method\":\"compress\",\"params\":{\"level\":19}}\n");
    raw.send(b"{\"id\":2,\"method\":\"verify\"}\n{\"id\":3,\"method\":\"statfs\"}\n");
    raw.send(b"{\"id\":4,\"method\":\"cancel\",\"params\":{\"id\":\"other\"}}\n");
    raw.send(b"{\"id\":5,\"method\":\"cancel\",\"params\":{\"id\":\"c\"}}\n");
    let mut seen = Vec::new();
    while seen.len() < 5 {
        let line = raw.line();
        if line.get("progress").is_none() {
            seen.push(line);
        }
    }
    let of = |id: Value| seen.iter().find(|line| line["id"] == id).unwrap();
    assert_eq!(of(json!(2))["error"]["code"], "EBUSY");
    assert_eq!(of(json!(3))["result"]["blockSize"], 4096);
    assert_eq!(of(json!(4))["result"]["cancelled"], false);
    assert_eq!(of(json!(5))["result"]["cancelled"], true);
    assert_eq!(of(json!("c"))["error"]["code"], "ECANCELED");

    // By the client's library.
    let mut client = bench.client();
    let mut calls = 0;
    let outcome = client.call("compress", &json!({ "level": 19 }), &mut |_, _| {
        calls += 1;
        false
    });
    assert_eq!((outcome.unwrap_err().code(), calls > 0), (Code::Cancelled, true));
    assert_eq!(call(&mut client, "statfs", json!({}))["blockSize"], 4096);

    // By going away: the next one finds nobody at work.
    let mut raw = bench.raw();
    raw.send(b"{\"id\":1,\"method\":\"verify\",\"params\":{\"deep\":true}}\n");
    drop(raw);
    eventually("the check goes on without its client", || {
        client.call("verify", &json!({}), &mut |_, _| true).is_ok()
    });

    // One that has only finished asking gets its answer.
    let mut raw = bench.raw();
    raw.send(b"{\"id\":9,\"method\":\"verify\"}\n");
    raw.lines.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    let mut last = Value::Null;
    while let Some(line) = raw.next() {
        last = line;
    }
    assert_eq!((&last["id"], &last["result"]["ok"]), (&json!(9), &json!(true)));
}

#[test]
fn unmounting() {
    let bench = Bench::new();
    let mut client = bench.client();
    bench.host.busy.store(true, Ordering::Relaxed);
    let error = refused(&mut client, "unmount", json!({}));
    assert_eq!((error.code(), error.message()), (Code::Busy, "a shell works in there"));
    assert_eq!(call(&mut client, "unmount", json!({ "lazy": true })), json!({}));
    assert_eq!(*bench.host.unmounted.lock().unwrap(), Some(true));
}

#[test]
fn bad_lines_are_answered_and_do_no_harm() {
    let bench = Bench::new();
    let mut raw = bench.raw();
    let deep = [vec![b'{'; 5000], b"\n".to_vec()].concat();
    let bad: [&[u8]; 7] = [
        b"nonsense\n",
        b"\0\x01\xff\xfe\xc3\n",
        b"[1,2]\n",
        b"{\"id\":{},\"method\":\"info\"}\n",
        b"{\"id\":1,\"method\":null}\n",
        b"{\"id\":1,\"method\":\"info\",\"params\":7}\n",
        &deep,
    ];
    for line in bad {
        raw.send(line);
        let answer = raw.line();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!("EINVAL")));
    }
    raw.send(b"{\"id\":1,\"method\":\"no such\"}\n");
    let answer = raw.line();
    assert_eq!(
        (&answer["error"]["code"], &answer["error"]["errno"]),
        (&json!("ENOSYS"), &json!(38))
    );
    raw.send(b"{\"id\":1,\"method\":\"info\",\"params\":{\"x\":1}}\n");
    assert_eq!(raw.line()["error"]["code"], "EINVAL");

    // Halves, several at once, empty ones, and one as long as may be.
    raw.send(b"\n  \r\n{\"id\":7,");
    thread::sleep(Duration::from_millis(30));
    raw.send(b"\"method\":\"statfs\"}\n{\"id\":8,\"method\":\"statfs\"}\n");
    assert_eq!((raw.line()["id"].clone(), raw.line()["id"].clone()), (json!(7), json!(8)));
    let mut longest = b"{\"id\":9,\"method\":\"statfs\",\"x\":\"".to_vec();
    longest.resize(MAX_REQUEST - 2, b'x');
    longest.extend_from_slice(b"\"}\n");
    raw.send(&longest);
    assert_eq!(raw.line()["result"]["blockSize"], 4096);

    // One byte more ends the connection.
    longest.insert(40, b'x');
    raw.send(&longest);
    assert_eq!(raw.line()["error"]["code"], "E2BIG");
    assert!(raw.next().is_none());
    // So does a line without an end.
    let mut raw = bench.raw();
    let stream = raw.lines.get_ref().try_clone().unwrap();
    let flood = thread::spawn(move || {
        let mut stream = stream;
        while stream.write_all(&[b'x'; 65536]).is_ok() {}
    });
    assert_eq!(raw.line()["error"]["code"], "E2BIG");
    assert!(raw.next().is_none());
    flood.join().unwrap();
    call(&mut bench.client(), "info", json!({}));
}

#[test]
fn one_client_too_many_is_told() {
    let bench = Bench::new();
    let mut served: Vec<Client> = (0..MAX_CONNECTIONS).map(|_| bench.client()).collect();
    for _ in 0..3 {
        let error = Client::connect(bench.server.path()).err().unwrap();
        assert_eq!(error.code(), Code::Busy);
    }
    for client in &mut served {
        call(client, "statfs", json!({}));
    }
    served.pop();
    eventually("a place becomes free", || Client::connect(bench.server.path()).is_ok());
}

#[test]
fn a_client_that_reads_nothing_holds_nobody_up() {
    let bench = Bench::new();
    for number in 0..100 {
        let params = json!({ "name": format!("snapshot {number}"), "note": "x".repeat(200) });
        call(&mut bench.client(), "snapshot.create", params);
    }
    let raw = bench.raw();
    let mut stream = raw.lines.get_ref().try_clone().unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    // Until the buffers both ways are full.
    while stream.write_all(b"{\"id\":1,\"method\":\"snapshot.list\"}\n").is_ok() {}
    let begun = Instant::now();
    bench.put("file", b"meanwhile");
    bench.map.sync().unwrap();
    call(&mut bench.client(), "info", json!({}));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[test]
fn the_socket_is_its_owners_alone() {
    let bench = Bench::new();
    let socket = fs::symlink_metadata(bench.server.path()).unwrap();
    let folder = fs::symlink_metadata(bench.server.path().parent().unwrap()).unwrap();
    assert_eq!((socket.mode() & 0o7777, folder.mode() & 0o7777), (0o600, 0o700));
    let name = bench.server.path().file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(name, format!("{}.sock", std::process::id()));
}

#[test]
fn folders_of_others_are_refused() {
    let folder = Folder::new();
    let link = folder.0.join("link");
    symlink(&folder.0, &link).unwrap();
    let file = folder.0.join("file");
    fs::write(&file, b"").unwrap();
    for path in [&link, &file] {
        assert_eq!(place::choose_in(path).unwrap_err().code(), Code::Access, "{path:?}");
    }
    let open = folder.0.join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    place::choose_in(&open).unwrap();
    assert_eq!(fs::metadata(&open).unwrap().mode() & 0o777, 0o700);
    // Only root can make a folder of somebody else.
    let other = folder.0.join("other");
    fs::create_dir(&other).unwrap();
    if std::os::unix::fs::chown(&other, Some(12345), None).is_ok() {
        assert_eq!(place::choose_in(&other).unwrap_err().code(), Code::Access);
    }
    let long = folder.0.join("x".repeat(120));
    assert!(
        Server::start(
            Arc::new(Map::create(&Options::default()).unwrap()),
            &long,
            Arc::new(TestHost::default())
        )
        .is_err()
    );
}

#[test]
fn sockets_of_the_dead_are_removed() {
    let folder = Folder::new();
    // A number that no process has any more.
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let dead = child.id();
    child.wait().unwrap();
    let stale = folder.0.join(format!("{dead}.sock"));
    drop(UnixListener::bind(&stale).unwrap());
    let own = folder.0.join(format!("{}.sock", std::process::id()));
    drop(UnixListener::bind(&own).unwrap());
    // Somebody listens, whatever its name says; a file that is no socket is not ours to remove.
    let spoken = folder.0.join(format!("{dead}-2.sock"));
    let listener = UnixListener::bind(&spoken).unwrap();
    fs::write(folder.0.join("1.sock"), b"").unwrap();
    let alive = folder.0.join("1-1.sock");
    drop(UnixListener::bind(&alive).unwrap());

    assert_eq!(place::choose_in(&folder.0).unwrap(), own);
    assert!(!stale.exists() && !own.exists());
    assert_eq!(place::sockets_in(&folder.0), [alive, spoken]);
    assert!(folder.0.join("1.sock").exists());
    drop(listener);
}

#[test]
fn stopping_ends_everything() {
    let bench = Bench::new();
    for number in 0..40 {
        bench.put(&format!("text{number}"), &text(number, 500_000));
    }
    let path = bench.server.path().to_path_buf();
    let mut idle = bench.raw();
    let mut busy = bench.raw();
    busy.send(b"{\"id\":1,\"method\":\"compress\",\"params\":{\"level\":19}}\n");
    while busy.line().get("progress").is_none() {}
    let begun = Instant::now();
    bench.server.stop();
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(!path.exists());
    assert!(idle.next().is_none());
    let mut last = Value::Null;
    while let Some(line) = busy.next() {
        last = line;
    }
    assert_eq!(last["error"]["code"], "ECANCELED");
    assert!(Client::connect(&path).is_err());
    bench.server.stop();
    let mut rest = Vec::new();
    idle.lines.read_to_end(&mut rest).unwrap();
}

#[test]
fn a_map_that_failed_says_so() {
    use support::sim::{Disk, Fault, LOG, MAP};
    let disk = Disk::new();
    let options = Options { width: Some(256), ..Options::default() };
    let map = Map::create_on(disk.file(MAP), Some(disk.file(LOG)), &options).unwrap();
    let map = Arc::new(map);
    let folder = Folder::new();
    let socket = place::choose_in(&folder.0).unwrap();
    let host = Arc::new(TestHost::default());
    let server = Server::start(Arc::clone(&map), &socket, host).unwrap();
    let mut client = Client::connect(server.path()).unwrap();
    disk.fail(Some(Fault { at: 0, code: Code::Io, lasting: true, reads: false }));
    let made = map.write(|fs| fs.make(ROOT, b"file", 0o100_644, OWNER, 0));
    made.unwrap();
    let error = refused(&mut client, "sync", json!({}));
    assert!(matches!(error.code(), Code::Io | Code::Poisoned));
    let status = call(&mut client, "status", json!({}));
    assert_eq!(status["state"], "degraded");
    assert!(status["reason"].as_str().unwrap().contains("simulated failure"), "{status}");
    let error = refused(&mut client, "snapshot.create", json!({ "name": "a" }));
    assert_eq!(error.code(), Code::Poisoned);
}

/// Every method of `docs/CONTROL.md` is known to the server.
#[test]
fn documented_methods_exist() {
    let bench = Bench::new();
    let mut client = bench.client();
    let document = include_str!("../docs/CONTROL.md");
    let headings = document.lines().filter_map(|line| line.strip_prefix("### `"));
    let methods: Vec<&str> = headings.filter_map(|rest| rest.split('`').next()).collect();
    assert!(methods.len() >= 17, "{methods:?}");
    for method in methods {
        if let Err(error) = client.call(method, &json!({}), &mut |_, _| true) {
            assert_eq!(error.code(), Code::Invalid, "{method}: {error:?}");
        }
    }
}
