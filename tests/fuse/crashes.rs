//! The helper killed in the middle of work, again and again: what was synced is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::ground::Ground;
use crate::random::Random;
use crate::runner::{Done, Needs, Test};

pub static TESTS: [Test; 3] = [
    Test { name: "kills_under_load", needs: Needs::Mount, seconds: 240, body: kills_under_load },
    Test { name: "kills_in_a_row", needs: Needs::Mount, seconds: 120, body: kills_in_a_row },
    Test {
        name: "sync_mounts_keep_every_write",
        needs: Needs::Mount,
        seconds: 60,
        body: sync_mounts_keep_every_write,
    },
];

/// Kills in a run; `AETHERFLOW_TEST_KILLS` asks for more.
fn kills() -> u64 {
    std::env::var("AETHERFLOW_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(30)
}

/// One name, as far as the writer knows what must be under it.
#[derive(Clone, Debug, Default)]
struct Entry {
    /// What the last sync made durable; `None` for no file.
    synced: Option<Vec<u8>>,
    /// What it was made into since, in order.
    since: Vec<Option<Vec<u8>>>,
    /// It only ever changes as a whole, by renaming a synced file over it.
    whole: bool,
}

impl Entry {
    fn latest(&self) -> Option<&Vec<u8>> {
        self.since.last().map_or(self.synced.as_ref(), Option::as_ref)
    }

    fn settle(&mut self) {
        if let Some(last) = self.since.pop() {
            self.synced = last;
            self.since.clear();
        }
    }

    fn versions(&self) -> impl Iterator<Item = Option<&Vec<u8>>> {
        std::iter::once(self.synced.as_ref()).chain(self.since.iter().map(Option::as_ref))
    }

    /// Whether a crash may have left this.
    fn allows(&self, found: Option<&Vec<u8>>) -> Result<(), String> {
        let Some(found) = found else {
            return if self.versions().any(|version| version.is_none()) {
                Ok(())
            } else {
                Err("it is gone".to_owned())
            };
        };
        if self.versions().any(|version| version == Some(found)) {
            return Ok(());
        }
        if self.whole {
            return Err("it is neither the old content nor the new".to_owned());
        }
        let lengths = || self.versions().map(|version| version.map_or(0, Vec::len));
        let (least, most) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
        if found.len() < least || found.len() > most {
            return Err(format!("{} bytes, where {least} to {most} were written", found.len()));
        }
        for (at, &byte) in found.iter().enumerate() {
            let written = self.versions().any(|version| match version.and_then(|v| v.get(at)) {
                Some(&expected) => byte == expected,
                None => byte == 0,
            });
            if !written {
                return Err(format!("byte {at} is {byte}, which nobody wrote there"));
            }
        }
        Ok(())
    }
}

/// Works in a folder of its own and remembers what must survive.
struct Writer {
    random: Random,
    entries: BTreeMap<String, Entry>,
    next: u32,
    synced: u64,
}

impl Writer {
    fn new(seed: u64) -> Writer {
        Writer { random: Random::new(seed), entries: BTreeMap::new(), next: 0, synced: 0 }
    }

    /// Works until something fails, which is how it learns of the kill.
    fn work(&mut self, folder: &Path, killed: &AtomicBool) {
        loop {
            if let Err(error) = self.step(folder) {
                assert!(killed.load(Ordering::SeqCst), "before the kill: {error}");
                return;
            }
        }
    }

    fn note(&mut self, name: &str, content: Option<Vec<u8>>) {
        self.entries.entry(name.to_owned()).or_default().since.push(content);
    }

    fn settle(&mut self, name: &str) {
        self.entries.entry(name.to_owned()).or_default().settle();
        self.synced += 1;
    }

    /// The name of a file there is, if any.
    fn pick(&mut self, whole: bool) -> Option<String> {
        let there: Vec<&String> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.whole == whole && entry.latest().is_some())
            .map(|(name, _)| name)
            .collect();
        (!there.is_empty()).then(|| there[self.random.index(there.len())].clone())
    }

    fn length(&mut self) -> usize {
        let top = [300, 4000, 20_000, 200_000, 900_000][self.random.index(5)];
        1 + self.random.index(top)
    }

    fn step(&mut self, folder: &Path) -> io::Result<()> {
        let sync_folder = || File::open(folder).and_then(|folder| folder.sync_all());
        match self.random.below(10) {
            0..=2 => self.create(folder)?,
            3 | 4 => self.append(folder)?,
            5 => self.overwrite(folder)?,
            6 | 7 => self.replace(folder)?,
            8 => {
                let Some(name) = self.pick(false) else { return Ok(()) };
                self.note(&name, None);
                fs::remove_file(folder.join(&name))?;
                if self.random.one_in(2) {
                    sync_folder()?;
                    self.settle(&name);
                }
            }
            _ => {
                let Some(name) = self.pick(false) else { return Ok(()) };
                let mut content = self.entries[&name].latest().cloned().unwrap_or_default();
                content.truncate(self.random.index(content.len() + 1));
                self.note(&name, Some(content.clone()));
                let file = OpenOptions::new().write(true).open(folder.join(&name))?;
                file.set_len(content.len() as u64)?;
                file.sync_all()?;
                self.settle(&name);
            }
        }
        Ok(())
    }

    fn create(&mut self, folder: &Path) -> io::Result<()> {
        let name = format!("file {}", self.next);
        self.next += 1;
        let length = self.length();
        let content = self.random.bytes(length);
        self.note(&name, Some(content.clone()));
        let mut file = File::create_new(folder.join(&name))?;
        file.write_all(&content)?;
        if self.random.one_in(3) {
            return Ok(());
        }
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        self.settle(&name);
        Ok(())
    }

    fn append(&mut self, folder: &Path) -> io::Result<()> {
        let Some(name) = self.pick(false) else { return Ok(()) };
        let mut content = self.entries[&name].latest().cloned().unwrap_or_default();
        let length = self.length() / 4 + 1;
        let more = self.random.bytes(length);
        content.extend_from_slice(&more);
        self.note(&name, Some(content));
        let mut file = OpenOptions::new().append(true).open(folder.join(&name))?;
        file.write_all(&more)?;
        if self.random.one_in(4) {
            return Ok(());
        }
        file.sync_data()?;
        File::open(folder)?.sync_all()?;
        self.settle(&name);
        Ok(())
    }

    fn overwrite(&mut self, folder: &Path) -> io::Result<()> {
        let Some(name) = self.pick(false) else { return Ok(()) };
        let mut content = self.entries[&name].latest().cloned().unwrap_or_default();
        let length = self.length().min(50_000);
        let more = self.random.bytes(length);
        let start = self.random.index(content.len() + 1);
        content.resize(content.len().max(start + length), 0);
        content[start..start + length].copy_from_slice(&more);
        self.note(&name, Some(content));
        let file = OpenOptions::new().write(true).open(folder.join(&name))?;
        file.write_all_at(&more, start as u64)?;
        if self.random.one_in(4) {
            return Ok(());
        }
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        self.settle(&name);
        Ok(())
    }

    /// The way editors save: a new file, synced, renamed over the old one.
    fn replace(&mut self, folder: &Path) -> io::Result<()> {
        let name = match self.pick(true) {
            Some(name) if !self.random.one_in(5) => name,
            _ => format!("whole {}", self.random.below(8)),
        };
        let length = self.length();
        let content = self.random.bytes(length);
        let new = folder.join("new");
        // What a crash has left under the name is cut to nothing first.
        self.note("new", Some(Vec::new()));
        self.note("new", Some(content.clone()));
        let mut file = File::create(&new)?;
        file.write_all(&content)?;
        file.sync_all()?;
        self.note("new", None);
        self.note(&name, Some(content));
        if let Some(entry) = self.entries.get_mut(&name) {
            entry.whole = true;
        }
        fs::rename(&new, folder.join(&name))?;
        if self.random.one_in(3) {
            return Ok(());
        }
        File::open(folder)?.sync_all()?;
        self.settle(&name);
        self.settle("new");
        Ok(())
    }

    /// Compares with what is there after a crash, and takes that as the new start.
    fn check(&mut self, folder: &Path, round: u64) {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let content = fs::read(entry.path())
                .unwrap_or_else(|error| panic!("round {round}, {name}: {error}"));
            found.insert(name, content);
        }
        let names: BTreeSet<String> = found.keys().chain(self.entries.keys()).cloned().collect();
        for name in names {
            let entry = self.entries.entry(name.clone()).or_default();
            if let Err(why) = entry.allows(found.get(&name)) {
                let lengths: Vec<Option<usize>> =
                    entry.versions().map(|version| version.map(Vec::len)).collect();
                panic!(
                    "round {round}, {}/{name}: {why}; synced first, then not: {lengths:?}",
                    folder.display()
                );
            }
            entry.synced = found.remove(&name);
            entry.since.clear();
        }
        self.entries.retain(|_, entry| entry.synced.is_some());
        // So that a run does not grow without end.
        while self.entries.len() > 60 {
            let Some(name) = self.pick(false) else { break };
            fs::remove_file(folder.join(&name)).unwrap();
            self.entries.remove(&name);
        }
        File::open(folder).unwrap().sync_all().unwrap();
    }
}

fn kills_under_load(ground: &Ground) -> Done {
    const WRITERS: u64 = 3;
    const RECOVERY: Duration = Duration::from_secs(1);
    let mut mounted = ground.mount();
    let mut random = ground.random();
    let mut writers: Vec<Writer> = (0..WRITERS).map(|_| Writer::new(random.word())).collect();
    let folder = |number: usize| format!("writer {number}");
    for number in 0..writers.len() {
        fs::create_dir(mounted.path(&folder(number))).unwrap();
    }
    File::open(&mounted.point).unwrap().sync_all().unwrap();
    let mut recoveries = Vec::new();
    for round in 0..kills() {
        let killed = AtomicBool::new(false);
        thread::scope(|scope| {
            for (number, writer) in writers.iter_mut().enumerate() {
                let (path, killed) = (mounted.path(&folder(number)), &killed);
                scope.spawn(move || writer.work(&path, killed));
            }
            thread::sleep(Duration::from_millis(5 + random.below(700)));
            killed.store(true, Ordering::SeqCst);
            mounted.kill();
        });
        let began = Instant::now();
        // Onto the mount point the dead helper left.
        mounted.mount();
        recoveries.push(began.elapsed());
        for (number, writer) in writers.iter_mut().enumerate() {
            writer.check(&mounted.path(&folder(number)), round);
        }
        let deep = round.is_multiple_of(5);
        mounted.call("checkpoint", &json!({}));
        let report = mounted.call("verify", &json!({"deep": deep}));
        assert_eq!(report["ok"], json!(true), "round {round}: {report:#}");
    }
    recoveries.sort();
    let (median, worst) = (recoveries[recoveries.len() / 2], recoveries[recoveries.len() - 1]);
    let synced: u64 = writers.iter().map(|writer| writer.synced).sum();
    println!(
        "{} kills, {synced} syncs checked; mounting after: {median:?}, at most {worst:?}",
        kills()
    );
    assert!(median < RECOVERY && worst < 3 * RECOVERY, "{median:?}, at most {worst:?}");
    assert!(synced > kills() * 5, "only {synced} syncs: the writers were never at work");
    mounted.finish();
    Done::Passed
}

/// Killed again while recovering, or right after, before anything new was written.
fn kills_in_a_row(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let mut random = ground.random();
    let mut writer = Writer::new(random.word());
    fs::create_dir(mounted.path("folder")).unwrap();
    File::open(&mounted.point).unwrap().sync_all().unwrap();
    let killed = AtomicBool::new(false);
    thread::scope(|scope| {
        let (folder, killed, writer) = (mounted.path("folder"), &killed, &mut writer);
        scope.spawn(move || writer.work(&folder, killed));
        thread::sleep(Duration::from_millis(700));
        killed.store(true, Ordering::SeqCst);
        mounted.kill();
    });
    let (map, point) = (mounted.map.clone(), mounted.point.clone());
    for turn in 0..10 {
        // In the foreground, so that the process that recovers is the one that is killed.
        let mut child = std::process::Command::new(crate::ground::helper())
            .arg("mount")
            .args([&map, &point])
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(turn * 7 + random.below(7)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    mounted.mount();
    writer.check(&mounted.path("folder"), 0);
    mounted.finish();
    Done::Passed
}

/// With `-o sync` a write that returned is durable without any further call.
fn sync_mounts_keep_every_write(ground: &Ground) -> Done {
    let mut mounted = ground.mount_with("sync");
    let mut expected = BTreeMap::new();
    let mut random = ground.random();
    for number in 0..25 {
        let name = format!("file {number}");
        let length = 1 + random.index(30_000);
        let mut content = random.bytes(length);
        let mut file = File::create(mounted.path(&name)).unwrap();
        file.write_all(&content).unwrap();
        file.write_all(b"more").unwrap();
        content.extend_from_slice(b"more");
        expected.insert(name, content);
    }
    fs::rename(mounted.path("file 3"), mounted.path("renamed")).unwrap();
    let moved = expected.remove("file 3").unwrap();
    expected.insert("renamed".to_owned(), moved);
    fs::remove_file(mounted.path("file 4")).unwrap();
    expected.remove("file 4");
    mounted.kill();
    mounted.options = String::new();
    mounted.mount();
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(&mounted.point).unwrap() {
        let entry = entry.unwrap();
        found.insert(entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    }
    let lengths = |all: &BTreeMap<String, Vec<u8>>| -> Vec<(String, usize)> {
        all.iter().map(|(name, content)| (name.clone(), content.len())).collect()
    };
    assert_eq!(lengths(&found), lengths(&expected));
    assert!(found == expected, "the content differs");
    mounted.finish();
    Done::Passed
}
