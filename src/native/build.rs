//! Building: threads read and compress, the caller's thread gives everything its place, in order.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};

use super::plan::{File, Plan};
use super::walk::{Node, Tree};
use super::work::{Attribute, Content, Done, Outcome, Shared, Worker, attributes};
use crate::base::env::{Entropy, SystemEntropy};
use crate::base::{Code, Error, Result};
use crate::fs::import::{ImportedFile, Part};
use crate::fs::ops::{Attributes, Owner};
use crate::fs::xattr::SetAttribute;
use crate::fs::{FileType, Fs, ROOT};
use crate::map::Map;

/// Jobs that may be finished or under way beyond the one that is placed next, for each thread.
const AHEAD: usize = 3;

/// How to build.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that read and compress; the machine's cores where 0.
    pub threads: usize,
    /// Take extended attributes along.
    pub attributes: bool,
    /// Leave out what cannot be read instead of giving up.
    pub keep_going: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { threads: 0, attributes: true, keep_going: false }
    }
}

/// What was built.
#[derive(Debug, Default)]
pub struct Report {
    pub files: u64,
    pub directories: u64,
    pub symlinks: u64,
    /// Fifos, sockets and devices.
    pub others: u64,
    /// Further names of files.
    pub hard_links: u64,
    /// Files whose content was there already.
    pub repeats: u64,
    /// Sizes of all files, in bytes.
    pub bytes: u64,
    /// What was left out, and why.
    pub skipped: Vec<(PathBuf, Error)>,
}

/// Called with (bytes placed, bytes in all); an error ends the build and is handed on.
pub type Progress<'a> = dyn FnMut(u64, u64) -> Result<()> + 'a;

/// Puts the tree below `source` into the root of an open map. Nothing is durable before the
/// map is synced or closed.
///
/// # Errors
/// `NotFound`, `NotDirectory` for the source; the first unreadable file's unless
/// [`Options::keep_going`]; `Exists` for a name the map has already; those of the map and of
/// `progress`. The map then holds part of the tree.
pub fn build(
    map: &Map,
    source: &Path,
    options: &Options,
    progress: &mut Progress<'_>,
) -> Result<Report> {
    let mut tree = Tree::walk(source)?;
    let mut report = Report::default();
    for (path, error) in std::mem::take(&mut tree.unreadable) {
        skip(&mut report, options, path, error)?;
    }
    map.write(|fs| {
        fs.import_begin()?;
        let result = import(fs, &tree, options, &mut report, progress);
        let end = fs.import_end();
        result.and(end)
    })?;
    Ok(report)
}

fn skip(report: &mut Report, options: &Options, path: PathBuf, error: Error) -> Result<()> {
    if !options.keep_going {
        return Err(error);
    }
    report.skipped.push((path, error));
    Ok(())
}

fn import(
    fs: &mut Fs,
    tree: &Tree,
    options: &Options,
    report: &mut Report,
    progress: &mut Progress<'_>,
) -> Result<()> {
    let plan = Plan::new(tree, |path| fs.importance_of_path(path));
    let compresses: Vec<bool> = (0..=255).map(|importance| fs.compresses(importance)).collect();
    let mut keys = [0; 16];
    SystemEntropy.fill(&mut keys)?;
    let (low, high) = keys.split_at(8);
    let word = |half: &[u8]| half.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
    let shared = Shared {
        tree,
        plan: &plan,
        level: fs.settings().level,
        attributes: options.attributes,
        compress: &|importance| compresses[usize::from(importance)],
        keys: (word(low), word(high)),
        seen: Mutex::new(HashMap::new()),
    };
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let turn = Turn::new(threads * AHEAD);
    let mut placer = Placer::new(fs, tree, &plan, options, report);
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(threads);
        for _ in 0..threads {
            let (sender, shared, turn) = (sender.clone(), &shared, &turn);
            scope.spawn(move || work(shared, turn, &sender));
        }
        drop(sender);
        let result = placer.run(&receiver, &turn, progress);
        // Wakes threads that wait for their turn or for room; they find nobody to work for.
        turn.stop();
        drop(receiver);
        result
    })?;
    placer.finish()
}

/// Keeps the threads from running too far ahead of what is placed.
struct Turn {
    /// (the next job to be taken, jobs placed).
    state: Mutex<(usize, usize)>,
    changed: Condvar,
    ahead: usize,
}

impl Turn {
    fn new(ahead: usize) -> Turn {
        Turn { state: Mutex::new((0, 0)), changed: Condvar::new(), ahead }
    }

    /// The next job, as soon as it may be begun.
    fn take(&self, jobs: usize) -> Option<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.0 < jobs && state.0 >= state.1.saturating_add(self.ahead) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let job = state.0;
        state.0 = job.saturating_add(1);
        (job < jobs).then_some(job)
    }

    fn placed(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 += 1;
        self.changed.notify_all();
    }

    fn stop(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = (usize::MAX, usize::MAX);
        self.changed.notify_all();
    }
}

/// Stops the others when its thread panics: they would wait for its job forever.
struct StopOnPanic<'a>(&'a Turn);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

fn work(shared: &Shared<'_>, turn: &Turn, sender: &SyncSender<(usize, Done)>) {
    let _guard = StopOnPanic(turn);
    let mut worker = Worker::new(shared);
    while let Some(at) = turn.take(shared.plan.jobs.len()) {
        if sender.send((at, worker.run(&shared.plan.jobs[at]))).is_err() {
            return;
        }
    }
}

/// What is known of a file while its pieces come in.
#[derive(Default)]
struct Progressing {
    parts: Vec<(u64, u32, Part)>,
    attributes: Vec<Attribute>,
    pieces: u32,
    /// The whole of it is the same as that file.
    repeats: Option<u32>,
    failed: Option<Error>,
    ready: bool,
}

struct Placer<'a> {
    fs: &'a mut Fs,
    tree: &'a Tree,
    plan: &'a Plan,
    options: &'a Options,
    report: &'a mut Report,
    /// The map's inode of each node of the tree; 0 for what has none (yet).
    inodes: Vec<u64>,
    files: Vec<Progressing>,
    /// Files that wait for the parts of one whose job comes later.
    waiting: Vec<u32>,
}

impl<'a> Placer<'a> {
    fn new(
        fs: &'a mut Fs,
        tree: &'a Tree,
        plan: &'a Plan,
        options: &'a Options,
        report: &'a mut Report,
    ) -> Placer<'a> {
        let files = plan.files.iter().map(|_| Progressing::default()).collect();
        let inodes = vec![0; tree.nodes.len()];
        Placer { fs, tree, plan, options, report, inodes, files, waiting: Vec::new() }
    }

    fn run(
        &mut self,
        receiver: &Receiver<(usize, Done)>,
        turn: &Turn,
        progress: &mut Progress<'_>,
    ) -> Result<()> {
        let total = self.plan.jobs.iter().map(|job| job.bytes).sum();
        // While the first jobs are read.
        self.make_directories()?;
        let (mut next, mut bytes) = (0, 0);
        let mut early = BTreeMap::new();
        while next < self.plan.jobs.len() {
            let Some(done) = early.remove(&next) else {
                let (at, done) = receiver
                    .recv()
                    .map_err(|_| Error::new(Code::Io, "a thread of the build has ended early"))?;
                early.insert(at, done);
                continue;
            };
            self.place(next, done)?;
            turn.placed();
            bytes += self.plan.jobs[next].bytes;
            progress(bytes, total)?;
            next += 1;
        }
        Ok(())
    }

    fn owner(node: &Node) -> Owner {
        Owner { uid: node.facts.uid, gid: node.facts.gid }
    }

    /// All directories, in the order they were found: each after the one it is in.
    fn make_directories(&mut self) -> Result<()> {
        self.inodes[0] = ROOT;
        for (at, node) in self.tree.nodes.iter().enumerate().skip(1) {
            if node.facts.file_type() == Some(FileType::Directory) {
                let parent = self.inodes[node.parent as usize];
                let owner = Self::owner(node);
                self.inodes[at] = self.fs.make(parent, &node.name, node.facts.mode, owner, 0)?;
                self.report.directories += 1;
            }
        }
        Ok(())
    }

    fn place(&mut self, job: usize, done: Done) -> Result<()> {
        let importance = self.plan.jobs[job].importance;
        let frames: Vec<(&[u8], u32, bool)> = done
            .frames
            .iter()
            .map(|frame| (frame.bytes.as_slice(), frame.logical, frame.compressed))
            .collect();
        let base =
            if frames.is_empty() { 0 } else { self.fs.import_frames(&frames, importance)? };
        for (file, offset, length, content) in done.parts {
            let part = match content {
                Content::Frame { frame, offset } => Part::Frame { frame: base + frame, offset },
                Content::Fill(byte) => Part::Fill(byte),
                Content::Inline(bytes) => Part::Inline(bytes),
            };
            self.files[file as usize].parts.push((offset, length, part));
        }
        for (file, attributes) in done.attributes {
            self.files[file as usize].attributes = attributes;
        }
        for (file, outcome) in done.outcomes {
            let state = &mut self.files[file as usize];
            state.pieces += 1;
            match outcome {
                Outcome::Read => {}
                Outcome::Repeats(first) => state.repeats = Some(first),
                Outcome::Failed(error) => {
                    state.failed.get_or_insert(error);
                }
            }
            if state.pieces == self.plan.files[file as usize].pieces {
                self.complete(file)?;
            }
        }
        if !self.waiting.is_empty() {
            for file in std::mem::take(&mut self.waiting) {
                self.complete(file)?;
            }
        }
        Ok(())
    }

    /// Makes a file all of whose pieces have come in.
    fn complete(&mut self, file: u32) -> Result<()> {
        let File { node: at, size, .. } = self.plan.files[file as usize];
        let state = &mut self.files[file as usize];
        if let Some(error) = state.failed.take() {
            return skip(self.report, self.options, self.tree.host_path(at), error);
        }
        if let Some(first) = state.repeats {
            let other = &self.files[first as usize];
            if !other.ready {
                self.waiting.push(file);
                return Ok(());
            }
            self.files[file as usize].parts = other.parts.clone();
            self.report.repeats += 1;
        }
        let node = &self.tree.nodes[at as usize];
        let state = &mut self.files[file as usize];
        // Fills and packed parts of one piece may come in another order than they lie.
        state.parts.sort_unstable_by_key(|(offset, ..)| *offset);
        let imported = ImportedFile {
            mode: node.facts.mode,
            owner: Self::owner(node),
            size,
            accessed: node.facts.accessed,
            modified: node.facts.modified,
            parts: &state.parts,
        };
        let parent = self.inodes[node.parent as usize];
        let ino = self.fs.import_file(parent, &node.name, &imported)?;
        self.inodes[at as usize] = ino;
        for (name, value) in std::mem::take(&mut state.attributes) {
            self.fs.set_attribute(ino, &name, &value, SetAttribute::Either)?;
        }
        state.ready = true;
        if !self.plan.files[file as usize].may_repeat {
            state.parts = Vec::new();
        }
        self.report.files += 1;
        self.report.bytes += size;
        Ok(())
    }

    /// What has no content: links, special files, further names; then the directories' times,
    /// which everything before has changed.
    fn finish(mut self) -> Result<()> {
        let tree = self.tree;
        let links: HashMap<u32, u32> = self.plan.links.iter().copied().collect();
        for (at, node) in tree.nodes.iter().enumerate() {
            let Some(kind) = node.facts.file_type() else { continue };
            if matches!(kind, FileType::Regular | FileType::Directory)
                || links.contains_key(&(at as u32))
            {
                continue;
            }
            self.special(at as u32, node, kind)?;
        }
        for &(at, first) in &self.plan.links {
            let (node, ino) = (&tree.nodes[at as usize], self.inodes[first as usize]);
            // The first name was left out, so this one is as well.
            if ino != 0 {
                self.fs.link(ino, self.inodes[node.parent as usize], &node.name)?;
                self.report.hard_links += 1;
            }
        }
        for (at, node) in tree.nodes.iter().enumerate() {
            if node.facts.file_type() == Some(FileType::Directory) {
                self.metadata(at as u32, node)?;
            }
        }
        Ok(())
    }

    fn special(&mut self, at: u32, node: &Node, kind: FileType) -> Result<()> {
        let (parent, owner) = (self.inodes[node.parent as usize], Self::owner(node));
        let ino = if kind == FileType::Symlink {
            let path = self.tree.host_path(at);
            let target = match std::fs::read_link(&path) {
                Ok(target) => target,
                Err(error) => {
                    let error = super::walk::named(error, &path);
                    return skip(self.report, self.options, path, error);
                }
            };
            self.report.symlinks += 1;
            let target = target.as_os_str().as_encoded_bytes();
            self.fs.symlink(parent, &node.name, target, owner)?
        } else {
            self.report.others += 1;
            let device = match kind {
                FileType::Character | FileType::Block => node.facts.device,
                _ => 0,
            };
            self.fs.make(parent, &node.name, node.facts.mode, owner, device)?
        };
        self.inodes[at as usize] = ino;
        self.metadata(at, node)
    }

    /// Attributes and times of what was made without them.
    fn metadata(&mut self, at: u32, node: &Node) -> Result<()> {
        let ino = self.inodes[at as usize];
        if self.options.attributes {
            let path = self.tree.host_path(at);
            match attributes(&path) {
                Ok(found) => {
                    for (name, value) in found {
                        self.fs.set_attribute(ino, &name, &value, SetAttribute::Either)?;
                    }
                }
                Err(error) => skip(self.report, self.options, path, error)?,
            }
        }
        let facts = &node.facts;
        self.fs.set_attributes(
            ino,
            Attributes {
                mode: Some(facts.mode),
                uid: Some(facts.uid),
                gid: Some(facts.gid),
                accessed: Some(facts.accessed),
                modified: Some(facts.modified),
                ..Attributes::default()
            },
        )?;
        Ok(())
    }
}
