//! Twenty threads at once, each checking what it sees, and all of it again after remounting.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{XattrFlags, getxattr, setxattr};
use serde_json::json;

use crate::ground::{Ground, Mounted, reference};
use crate::mapping::Mapping;
use crate::random::Random;
use crate::runner::{Done, Needs, Test};

pub static TESTS: [Test; 1] =
    [Test { name: "twenty_threads", needs: Needs::Files, seconds: 150, body: twenty_threads }];

const OWNERS: usize = 14;
const SHARERS: usize = 5;
const WORK: Duration = Duration::from_secs(15);

/// What a thread knows of its own tree. A file is kept under its number, names lead there.
struct Owner {
    folder: PathBuf,
    random: Random,
    folders: BTreeSet<String>,
    names: BTreeMap<String, u64>,
    files: BTreeMap<u64, Model>,
    next: u64,
    done: u64,
}

#[derive(Default)]
struct Model {
    content: Vec<u8>,
    attribute: Option<Vec<u8>>,
    links: u64,
}

impl Owner {
    fn new(folder: PathBuf, seed: u64) -> Owner {
        let folders = BTreeSet::from([String::new()]);
        let random = Random::new(seed);
        let (names, files) = (BTreeMap::new(), BTreeMap::new());
        Owner { folder, random, folders, names, files, next: 0, done: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn new_name(&mut self) -> String {
        let folders: Vec<&String> = self.folders.iter().collect();
        let parent = folders[self.random.index(folders.len())].clone();
        self.next += 1;
        format!("{parent}n{}", self.next)
    }

    fn any(&mut self) -> Option<(String, u64)> {
        let count = self.names.len();
        let at = (count > 0).then(|| self.random.index(count))?;
        self.names.iter().nth(at).map(|(name, file)| (name.clone(), *file))
    }

    /// Forgets a name, and the file with its last one.
    fn forget(&mut self, name: &str) {
        let Some(file) = self.names.remove(name) else { return };
        if let Some(model) = self.files.get_mut(&file) {
            model.links -= 1;
            if model.links == 0 {
                self.files.remove(&file);
            }
        }
    }

    fn work(&mut self, until: Instant) {
        while Instant::now() < until {
            self.step();
            self.done += 1;
        }
    }

    fn step(&mut self) {
        let choice = self.random.below(20);
        if self.names.len() < 5 || choice < 4 && self.names.len() < 80 {
            return self.create();
        }
        let Some((name, file)) = self.any() else { return };
        let path = self.path(&name);
        match choice {
            0..=6 => self.write(&path, file),
            7..=9 => self.compare(&name, file),
            10 | 11 => {
                let target = match self.any() {
                    Some((other, _)) if self.random.one_in(3) => other,
                    _ => self.new_name(),
                };
                fs::rename(&path, self.path(&target)).unwrap();
                // Two names of one file stay both.
                if self.names.get(&target) != Some(&file) {
                    self.forget(&target);
                    self.names.remove(&name);
                    self.names.insert(target, file);
                }
            }
            12 => {
                let target = self.new_name();
                fs::hard_link(&path, self.path(&target)).unwrap();
                self.names.insert(target, file);
                self.files.entry(file).or_default().links += 1;
            }
            13 | 14 => {
                fs::remove_file(&path).unwrap();
                self.forget(&name);
            }
            15 => {
                let model = self.files.entry(file).or_default();
                let length = self.random.index(model.content.len() * 2 + 2).min(400_000);
                model.content.resize(length, 0);
                let opened = OpenOptions::new().write(true).open(&path).unwrap();
                opened.set_len(length as u64).unwrap();
            }
            16 => self.map(&path, file),
            17 => {
                let length = self.random.index(600);
                let value = self.random.bytes(length);
                setxattr(&path, "user.mark", &value, XattrFlags::empty()).unwrap();
                self.files.entry(file).or_default().attribute = Some(value);
            }
            18 => File::open(&path).unwrap().sync_all().unwrap(),
            _ => self.folders(),
        }
    }

    fn create(&mut self) {
        let name = self.new_name();
        let top = [100, 5000, 60_000, 300_000][self.random.index(4)];
        let length = self.random.index(top);
        let content = self.random.bytes(length);
        let mut file = File::create_new(self.path(&name)).unwrap();
        file.write_all(&content).unwrap();
        self.next += 1;
        self.names.insert(name, self.next);
        self.files.insert(self.next, Model { content, attribute: None, links: 1 });
    }

    fn write(&mut self, path: &Path, file: u64) {
        let model = self.files.entry(file).or_default();
        let length = 1 + self.random.index(20_000);
        let bytes = self.random.bytes(length);
        let start = self.random.index(model.content.len() + 5000);
        if model.content.len() < start + length {
            model.content.resize(start + length, 0);
        }
        model.content[start..start + length].copy_from_slice(&bytes);
        let opened = OpenOptions::new().write(true).open(path).unwrap();
        opened.write_all_at(&bytes, start as u64).unwrap();
    }

    fn map(&mut self, path: &Path, file: u64) {
        let model = self.files.entry(file).or_default();
        if model.content.is_empty() {
            return;
        }
        let opened = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let mut mapping = Mapping::new(&opened, model.content.len());
        assert!(mapping.read(0, model.content.len()) == model.content, "mapped {}", path.display());
        let start = self.random.index(model.content.len());
        let length = (model.content.len() - start).min(3000);
        let bytes = self.random.bytes(length);
        mapping.write(start, &bytes);
        model.content[start..start + length].copy_from_slice(&bytes);
        if self.random.one_in(3) {
            mapping.sync();
        }
    }

    /// Makes or removes a folder.
    fn folders(&mut self) {
        if self.folders.len() < 6 {
            let name = format!("{}/", self.new_name());
            fs::create_dir(self.path(&name)).unwrap();
            self.folders.insert(name);
            return;
        }
        let (names, folders) = (&self.names, &self.folders);
        let is_free = |folder: &&String| {
            let below = |name: &String| name.starts_with(folder.as_str()) && name != *folder;
            !folder.is_empty() && !names.keys().any(below) && !folders.iter().any(below)
        };
        if let Some(folder) = folders.iter().find(is_free).cloned() {
            fs::remove_dir(self.path(&folder)).unwrap();
            self.folders.remove(&folder);
        }
    }

    /// One file against its model.
    fn compare(&self, name: &str, file: u64) {
        let path = self.path(name);
        let model = &self.files[&file];
        let about =
            fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(
            (about.len(), about.nlink()),
            (model.content.len() as u64, model.links),
            "{}",
            path.display()
        );
        let found = fs::read(&path).unwrap();
        let differs = found.iter().zip(&model.content).position(|(found, known)| found != known);
        assert_eq!(differs, None, "first wrong byte of {} ({} bytes)", path.display(), found.len());
        if let Some(value) = &model.attribute {
            let mut room = [0; 1024];
            let length = getxattr(&path, "user.mark", &mut room).unwrap();
            assert_eq!(&room[..length], value, "{}", path.display());
        }
    }

    /// Everything, names included.
    fn compare_all(&self) {
        for (name, &file) in &self.names {
            self.compare(name, file);
        }
        let mut found = BTreeSet::new();
        for path in crate::tree::walk(&self.folder) {
            let name = path.strip_prefix(&self.folder).unwrap().to_str().unwrap().to_owned();
            found.insert(if path.is_dir() { format!("{name}/") } else { name });
        }
        let known: BTreeSet<String> = self
            .names
            .keys()
            .chain(&self.folders)
            .filter(|name| !name.is_empty())
            .cloned()
            .collect();
        assert_eq!(found, known, "names below {}", self.folder.display());
    }
}

/// Works in the folder that all share, on names of its own.
struct Sharer {
    folder: PathBuf,
    number: usize,
    random: Random,
    mine: BTreeMap<String, String>,
    next: u64,
    read: u64,
}

impl Sharer {
    fn work(&mut self, until: Instant) {
        while Instant::now() < until {
            match self.random.below(8) {
                0..=2 if self.mine.len() < 60 => {
                    let name = self.new_name();
                    let content = format!("made by {} as {name}", self.number);
                    fs::write(self.folder.join(&name), &content).unwrap();
                    self.mine.insert(name, content);
                }
                3 | 4 => {
                    let Some(name) = self.any() else { continue };
                    let target = self.new_name();
                    fs::rename(self.folder.join(&name), self.folder.join(&target)).unwrap();
                    let content = self.mine.remove(&name).unwrap();
                    self.mine.insert(target, content);
                }
                5 => {
                    let Some(name) = self.any() else { continue };
                    fs::remove_file(self.folder.join(&name)).unwrap();
                    self.mine.remove(&name);
                }
                _ => self.list(),
            }
        }
    }

    fn new_name(&mut self) -> String {
        self.next += 1;
        format!("{}-{}", self.number, self.next)
    }

    fn any(&mut self) -> Option<String> {
        let count = self.mine.len();
        let at = (count > 0).then(|| self.random.index(count))?;
        self.mine.keys().nth(at).cloned()
    }

    /// Every listed name can be read, unless another thread took it away meanwhile; no name comes
    /// twice; all of one's own are there.
    fn list(&mut self) {
        let mut seen = BTreeSet::new();
        for entry in fs::read_dir(&self.folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_mine = name.starts_with(&format!("{}-", self.number));
            match fs::read_to_string(self.folder.join(&name)) {
                Ok(text) => {
                    assert!(text.is_empty() || text.starts_with("made by "), "{name}: {text:?}");
                    let known = self.mine.get(&name);
                    assert!(!is_mine || known == Some(&text), "{name}: {text:?}, not {known:?}");
                    self.read += 1;
                }
                Err(error) => {
                    assert!(error.kind() == ErrorKind::NotFound && !is_mine, "{name}: {error}");
                }
            }
            assert!(seen.insert(name), "a name was listed twice");
        }
        for name in self.mine.keys() {
            assert!(seen.contains(name), "{name} is not listed");
        }
    }
}

/// Takes, lists and deletes snapshots while the others work; returns how many.
fn take_snapshots(mounted: &Mounted, until: Instant, taken: &AtomicU64) {
    let mut client = mounted.client();
    let mut kept: Vec<String> = Vec::new();
    while Instant::now() < until {
        let name = format!("snapshot {}", taken.fetch_add(1, Ordering::Relaxed));
        client.call("snapshot.create", &json!({"name": name}));
        kept.push(name);
        let listed = client.call("snapshot.list", &json!({}));
        let names: Vec<&str> =
            listed.as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
        for name in &kept {
            assert!(names.contains(&name.as_str()), "{name} is not in {names:?}");
        }
        if kept.len() > 3 {
            client.call("snapshot.delete", &json!({"name": kept.remove(0)}));
        }
        client.call("stats", &json!({}));
        thread::sleep(Duration::from_millis(300));
    }
}

fn twenty_threads(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let mut random = ground.random();
    let shared = mounted.path("shared");
    fs::create_dir(&shared).unwrap();
    let mut owners: Vec<Owner> = (0..OWNERS)
        .map(|number| {
            let folder = mounted.path(&format!("owner {number}"));
            fs::create_dir(&folder).unwrap();
            Owner::new(folder, random.word())
        })
        .collect();
    let mut sharers: Vec<Sharer> = (0..SHARERS)
        .map(|number| Sharer {
            folder: shared.clone(),
            number,
            random: Random::new(random.word()),
            mine: BTreeMap::new(),
            next: 0,
            read: 0,
        })
        .collect();
    let until = Instant::now() + WORK;
    let taken = AtomicU64::new(0);
    thread::scope(|scope| {
        for owner in &mut owners {
            scope.spawn(|| owner.work(until));
        }
        for sharer in &mut sharers {
            scope.spawn(|| sharer.work(until));
        }
        if reference().is_none() {
            scope.spawn(|| take_snapshots(&mounted, until, &taken));
        }
    });
    let steps: u64 = owners.iter().map(|owner| owner.done).sum();
    let read: u64 = sharers.iter().map(|sharer| sharer.read).sum();
    println!("{steps} steps, {read} shared reads, {} snapshots", taken.into_inner());
    assert!(steps > 1000 && read > 100, "{steps} steps, {read} shared reads");
    let expected: BTreeMap<String, String> =
        sharers.iter().flat_map(|sharer| sharer.mine.clone()).collect();
    for round in 0..2 {
        for owner in &owners {
            owner.compare_all();
        }
        let found: BTreeMap<String, String> = fs::read_dir(&shared)
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read_to_string(entry.path()).unwrap())
            })
            .collect();
        assert_eq!(found, expected, "the shared folder, round {round}");
        if round == 0 && reference().is_none() {
            mounted.unmount();
            crate::ground::verify_deep(&mounted.map);
            mounted.mount();
        }
    }
    mounted.finish();
    Done::Passed
}
