//! The model: a filesystem in plain maps, with the operations of the engine and none of its
//! machinery. Whatever both are asked to do, they must answer and end up the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aetherflow::base::Code;
use aetherflow::base::checksum::crc32;
use aetherflow::fs::ops::Rename;
use aetherflow::fs::{FileType, Fs, Inode, ROOT, View};

type Id = u64;
pub type Outcome<T = ()> = Result<T, Code>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    File(Vec<u8>),
    Directory(BTreeMap<Vec<u8>, Id>),
    Symlink(Vec<u8>),
    Fifo,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub body: Body,
    pub mode: u32,
    pub links: u32,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Of a directory.
    parent: Id,
}

/// The state of a filesystem.
#[derive(Clone, Debug)]
pub struct Model {
    pub nodes: BTreeMap<Id, Node>,
    next: Id,
    pub snapshots: BTreeMap<Vec<u8>, BTreeMap<Id, Node>>,
    /// Nodes held open: how often.
    open: BTreeMap<Id, u32>,
}

impl Model {
    pub fn new() -> Model {
        let root = Node {
            body: Body::Directory(BTreeMap::new()),
            mode: 0o755,
            links: 2,
            xattrs: BTreeMap::new(),
            parent: ROOT,
        };
        Model {
            nodes: BTreeMap::from([(ROOT, root)]),
            next: 2,
            snapshots: BTreeMap::new(),
            open: BTreeMap::new(),
        }
    }

    pub fn entries(&self, directory: Id) -> Outcome<&BTreeMap<Vec<u8>, Id>> {
        match &self.nodes.get(&directory).ok_or(Code::NotFound)?.body {
            Body::Directory(entries) => Ok(entries),
            _ => Err(Code::NotDirectory),
        }
    }

    fn entries_mut(&mut self, directory: Id) -> Outcome<&mut BTreeMap<Vec<u8>, Id>> {
        match &mut self.nodes.get_mut(&directory).ok_or(Code::NotFound)?.body {
            Body::Directory(entries) => Ok(entries),
            _ => Err(Code::NotDirectory),
        }
    }

    pub fn is_directory(&self, id: Id) -> bool {
        matches!(self.nodes[&id].body, Body::Directory(_))
    }

    pub fn lookup(&self, directory: Id, name: &[u8]) -> Outcome<Option<Id>> {
        Ok(self.entries(directory)?.get(name).copied())
    }

    /// Ids of everything that has a name or is open, ascending.
    pub fn ids(&self) -> Vec<Id> {
        self.nodes.keys().copied().collect()
    }

    fn adopt(&mut self, body: Body, mode: u32, links: u32, parent: Id) -> Id {
        let id = self.next;
        self.next += 1;
        let node = Node { body, mode, links, xattrs: BTreeMap::new(), parent };
        self.nodes.insert(id, node);
        id
    }

    pub fn make(&mut self, directory: Id, name: &[u8], body: Body, mode: u32) -> Outcome<Id> {
        if name.len() > 255 {
            return Err(Code::NameTooLong);
        }
        let entries = self.entries(directory)?;
        if self.nodes[&directory].links == 0 {
            return Err(Code::NotFound);
        }
        if entries.contains_key(name) {
            return Err(Code::Exists);
        }
        let folder = matches!(body, Body::Directory(_));
        let id = self.adopt(body, mode, if folder { 2 } else { 1 }, directory);
        self.entries_mut(directory)?.insert(name.to_vec(), id);
        if folder {
            self.nodes.get_mut(&directory).unwrap().links += 1;
        }
        Ok(id)
    }

    pub fn link(&mut self, id: Id, directory: Id, name: &[u8]) -> Outcome {
        let node = self.nodes.get(&id).ok_or(Code::NotFound)?;
        if matches!(node.body, Body::Directory(_)) {
            return Err(Code::NotPermitted);
        }
        let entries = self.entries(directory)?;
        if self.nodes[&directory].links == 0 {
            return Err(Code::NotFound);
        }
        if entries.contains_key(name) {
            return Err(Code::Exists);
        }
        self.entries_mut(directory)?.insert(name.to_vec(), id);
        self.nodes.get_mut(&id).unwrap().links += 1;
        Ok(())
    }

    fn drop_name(&mut self, id: Id) {
        let open = self.open.contains_key(&id);
        let node = self.nodes.get_mut(&id).unwrap();
        node.links = match node.body {
            Body::Directory(_) => 0,
            _ => node.links - 1,
        };
        if node.links == 0 && !open {
            self.nodes.remove(&id);
        }
    }

    pub fn unlink(&mut self, directory: Id, name: &[u8]) -> Outcome {
        let id = self.lookup(directory, name)?.ok_or(Code::NotFound)?;
        if self.is_directory(id) {
            return Err(Code::IsDirectory);
        }
        self.entries_mut(directory)?.remove(name);
        self.drop_name(id);
        Ok(())
    }

    pub fn remove_directory(&mut self, directory: Id, name: &[u8]) -> Outcome {
        let id = self.lookup(directory, name)?.ok_or(Code::NotFound)?;
        if !self.entries(id)?.is_empty() {
            return Err(Code::NotEmpty);
        }
        self.entries_mut(directory)?.remove(name);
        self.nodes.get_mut(&directory).unwrap().links -= 1;
        self.drop_name(id);
        Ok(())
    }

    fn is_inside(&self, moved: Id, mut into: Id) -> bool {
        loop {
            if into == moved {
                return true;
            }
            if into == ROOT {
                return false;
            }
            match self.nodes.get(&into) {
                Some(node) => into = node.parent,
                None => return false,
            }
        }
    }

    fn place(&mut self, directory: Id, name: &[u8], id: Id) {
        self.entries_mut(directory).unwrap().insert(name.to_vec(), id);
        if self.is_directory(id) {
            let old = self.nodes[&id].parent;
            self.nodes.get_mut(&old).unwrap().links -= 1;
            self.nodes.get_mut(&directory).unwrap().links += 1;
            self.nodes.get_mut(&id).unwrap().parent = directory;
        }
    }

    pub fn rename(
        &mut self,
        from: Id,
        name: &[u8],
        to: Id,
        new_name: &[u8],
        manner: Rename,
    ) -> Outcome {
        let id = self.lookup(from, name)?.ok_or(Code::NotFound)?;
        let target = self.lookup(to, new_name)?;
        if self.nodes[&to].links == 0 {
            return Err(Code::NotFound);
        }
        if self.is_directory(id) && self.is_inside(id, to) {
            return Err(Code::Invalid);
        }
        match (manner, target) {
            (Rename::Exchange, None) => return Err(Code::NotFound),
            (Rename::NoReplace, Some(_)) => return Err(Code::Exists),
            (Rename::Exchange, Some(other)) => {
                if self.is_directory(other) && self.is_inside(other, from) {
                    return Err(Code::Invalid);
                }
                if (from, name) == (to, new_name) {
                    return Ok(());
                }
                self.place(to, new_name, id);
                self.place(from, name, other);
                return Ok(());
            }
            (Rename::Replace, Some(other)) if other == id => return Ok(()),
            (Rename::Replace, Some(other)) => {
                match (self.is_directory(id), self.is_directory(other)) {
                    (true, false) => return Err(Code::NotDirectory),
                    (false, true) => return Err(Code::IsDirectory),
                    (true, true) => {
                        if !self.entries(other)?.is_empty() {
                            return Err(Code::NotEmpty);
                        }
                        self.nodes.get_mut(&to).unwrap().links -= 1;
                    }
                    _ => {}
                }
                self.drop_name(other);
            }
            (_, None) => {}
        }
        self.entries_mut(from)?.remove(name);
        self.place(to, new_name, id);
        Ok(())
    }

    pub fn data_mut(&mut self, id: Id) -> Outcome<&mut Vec<u8>> {
        match &mut self.nodes.get_mut(&id).ok_or(Code::NotFound)?.body {
            Body::File(data) => Ok(data),
            Body::Directory(_) => Err(Code::IsDirectory),
            _ => Err(Code::Invalid),
        }
    }

    pub fn write(&mut self, id: Id, offset: usize, bytes: &[u8]) -> Outcome {
        let data = self.data_mut(id)?;
        if !bytes.is_empty() {
            data.resize(data.len().max(offset + bytes.len()), 0);
            data[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        Ok(())
    }

    pub fn truncate(&mut self, id: Id, size: usize) -> Outcome {
        self.data_mut(id)?.resize(size, 0);
        Ok(())
    }

    /// `fallocate`: mode bits 1 keep size, 2 punch, 16 zero.
    pub fn fallocate(&mut self, id: Id, mode: u32, offset: usize, length: usize) -> Outcome {
        let data = self.data_mut(id)?;
        let end = offset + length;
        if mode & 18 != 0 && offset < data.len() {
            let stop = end.min(data.len());
            data[offset..stop].fill(0);
        }
        if mode & 1 == 0 && end > data.len() {
            data.resize(end, 0);
        }
        Ok(())
    }

    pub fn clone_range(
        &mut self,
        source: Id,
        from: usize,
        target: Id,
        to: usize,
        length: usize,
    ) -> Outcome<u64> {
        let all = self.data_mut(source)?.clone();
        self.data_mut(target)?;
        let length = all.len().saturating_sub(from).min(length);
        if length == 0 {
            return Ok(0);
        }
        if source == target && from < to + length && to < from + length {
            return Err(Code::Invalid);
        }
        self.write(target, to, &all[from..from + length])?;
        Ok(length as u64)
    }

    pub fn retain(&mut self, id: Id) {
        *self.open.entry(id).or_default() += 1;
    }

    /// Ids held open.
    pub fn held(&self) -> Vec<Id> {
        self.open.keys().copied().collect()
    }

    pub fn release(&mut self, id: Id) {
        let Some(count) = self.open.get_mut(&id) else { return };
        *count -= 1;
        if *count == 0 {
            self.open.remove(&id);
            if self.nodes.get(&id).is_some_and(|node| node.links == 0) {
                self.nodes.remove(&id);
            }
        }
    }

    /// What is left when the map is opened again: nothing is open.
    pub fn reopen(&mut self) {
        self.open.clear();
        self.nodes.retain(|_, node| node.links > 0);
    }

    pub fn create_snapshot(&mut self, name: &[u8]) -> Outcome {
        if self.snapshots.contains_key(name) {
            return Err(Code::Exists);
        }
        self.snapshots.insert(name.to_vec(), self.nodes.clone());
        Ok(())
    }

    /// `kept` is the name the automatic snapshot was given.
    pub fn restore_snapshot(&mut self, name: &[u8], kept: &[u8]) {
        let old = std::mem::replace(&mut self.nodes, self.snapshots[name].clone());
        self.snapshots.insert(kept.to_vec(), old);
        self.nodes.retain(|_, node| node.links > 0);
    }

    pub fn dump(&self) -> Dump {
        let mut dump = Dump { head: tree(&self.nodes), snapshots: BTreeMap::new() };
        for (name, nodes) in &self.snapshots {
            dump.snapshots.insert(name.clone(), tree(nodes));
        }
        dump
    }
}

/// A filesystem as text: one line per path, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    pub head: String,
    pub snapshots: BTreeMap<Vec<u8>, String>,
}

impl Dump {
    /// The first lines that differ.
    pub fn difference(&self, other: &Dump) -> Option<String> {
        let mut pairs = vec![("head".to_owned(), self.head.as_str(), other.head.as_str())];
        if self.snapshots.keys().ne(other.snapshots.keys()) {
            return Some(format!(
                "snapshots {:?} and {:?}",
                self.snapshots.keys().collect::<Vec<_>>(),
                other.snapshots.keys().collect::<Vec<_>>()
            ));
        }
        for (name, dump) in &self.snapshots {
            let name = String::from_utf8_lossy(name).into_owned();
            pairs.push((name.clone(), dump, &other.snapshots[name.as_bytes()]));
        }
        for (name, a, b) in pairs {
            if a != b {
                let (mut left, mut right) = (a.lines(), b.lines());
                loop {
                    let (l, r) = (left.next(), right.next());
                    if l != r {
                        return Some(format!("{name}:\n  {l:?}\n  {r:?}"));
                    }
                }
            }
        }
        None
    }
}

struct Line<'a> {
    path: &'a str,
    kind: char,
    mode: u32,
    links: u32,
    content: &'a [u8],
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// The path this inode was met under before.
    same_as: Option<String>,
}

fn line(out: &mut String, line: &Line<'_>) {
    let _ = write!(
        out,
        "{} {} {:o} links {} bytes {} crc {:08x}",
        line.path,
        line.kind,
        line.mode & 0o7777,
        line.links,
        line.content.len(),
        crc32(line.content)
    );
    for (name, value) in &line.xattrs {
        let _ = write!(out, " {}={}:{:08x}", name.escape_ascii(), value.len(), crc32(value));
    }
    if let Some(path) = &line.same_as {
        let _ = write!(out, " = {path}");
    }
    out.push('\n');
}

fn tree(nodes: &BTreeMap<Id, Node>) -> String {
    let mut out = String::new();
    let mut met: BTreeMap<Id, String> = BTreeMap::new();
    walk(nodes, ROOT, "", &mut met, &mut out);
    out
}

fn walk(
    nodes: &BTreeMap<Id, Node>,
    id: Id,
    path: &str,
    met: &mut BTreeMap<Id, String>,
    out: &mut String,
) {
    let node = &nodes[&id];
    let (kind, content): (char, &[u8]) = match &node.body {
        Body::File(data) => ('f', data),
        Body::Directory(_) => ('d', b""),
        Body::Symlink(target) => ('l', target),
        Body::Fifo => ('p', b""),
    };
    let xattrs = node.xattrs.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let same_as = met.get(&id).cloned();
    let (mode, links) = (node.mode, node.links);
    line(out, &Line { path, kind, mode, links, content, xattrs, same_as });
    met.entry(id).or_insert_with(|| path.to_owned());
    if let Body::Directory(entries) = &node.body {
        for (name, &child) in entries {
            walk(nodes, child, &format!("{path}/{}", name.escape_ascii()), met, out);
        }
    }
}

/// The same of the engine's filesystem.
///
/// # Errors
/// The first error met, with the path.
pub fn dump(fs: &Fs) -> Result<Dump, String> {
    let mut dump = Dump { head: dump_tree(fs, View::Head)?, snapshots: BTreeMap::new() };
    for snapshot in fs.snapshots().map_err(|error| format!("{error:?}"))? {
        let tree = dump_tree(fs, snapshot.view())?;
        dump.snapshots.insert(snapshot.name, tree);
    }
    Ok(dump)
}

fn dump_tree(fs: &Fs, view: View) -> Result<String, String> {
    let mut out = String::new();
    dump_node(fs, view, ROOT, "", &mut BTreeMap::new(), &mut out)?;
    Ok(out)
}

/// The bytes of a file, read to the end and a little further.
pub fn read_all(fs: &Fs, view: View, ino: u64) -> Result<Vec<u8>, String> {
    let size = fs.stat(view, ino).map_err(|error| format!("{error:?}"))?.size;
    if size > 1 << 30 {
        return Err(format!("{size} bytes"));
    }
    let mut data = vec![0xee; usize::try_from(size).map_err(|error| error.to_string())? + 3];
    let read = fs.read(view, ino, 0, &mut data).map_err(|error| format!("{error:?}"))?;
    data.truncate(read);
    if read as u64 == size { Ok(data) } else { Err(format!("{read} of {size} bytes read")) }
}

fn dump_node(
    fs: &Fs,
    view: View,
    ino: u64,
    path: &str,
    met: &mut BTreeMap<u64, String>,
    out: &mut String,
) -> Result<(), String> {
    let fail = |error: aetherflow::base::Error| format!("{path}: {error:?}");
    if path.matches('/').count() > 100 {
        return Err("directories in a circle".into());
    }
    let inode: Inode = fs.stat(view, ino).map_err(fail)?;
    let (kind, content) = match inode.file_type() {
        FileType::Regular => ('f', read_all(fs, view, ino).map_err(|e| format!("{path}: {e}"))?),
        FileType::Directory => ('d', Vec::new()),
        FileType::Symlink => ('l', fs.read_link(view, ino).map_err(fail)?),
        _ => ('p', Vec::new()),
    };
    let mut xattrs = Vec::new();
    for name in fs.attributes(view, ino).map_err(fail)? {
        let value = fs.attribute(view, ino, &name).map_err(fail)?;
        xattrs.push((name, value));
    }
    let same_as = met.get(&ino).cloned();
    let (mode, links) = (inode.mode, inode.links);
    line(out, &Line { path, kind, mode, links, content: &content, xattrs, same_as });
    met.entry(ino).or_insert_with(|| path.to_owned());
    if inode.is_directory() {
        let mut entries = BTreeMap::new();
        fs.read_directory(view, ino, 0, &mut |entry, _| {
            entries.insert(entry.name.clone(), entry.ino);
            true
        })
        .map_err(fail)?;
        for (name, child) in entries {
            dump_node(fs, view, child, &format!("{path}/{}", name.escape_ascii()), met, out)?;
        }
    }
    Ok(())
}
