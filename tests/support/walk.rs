//! Recounts everything that is counted, by a path of its own: references on nodes and extents,
//! used clusters, links, directory sizes, the counters of each tree. Reads every byte once.

use std::collections::{BTreeMap, HashMap, HashSet};

use aetherflow::base::limits::CLUSTER;
use aetherflow::check::{VerifyOptions, verify};
use aetherflow::commit::{Root, Store};
use aetherflow::fs::{FileType, Fs, Inode, ROOT, View};
use aetherflow::tree::item::{self, Stretch};
use aetherflow::tree::{Key, node};
use aetherflow::vat::{Kind, page as table};

/// What `verify` says, as text.
pub fn verified(fs: &Fs, deep: bool) -> Vec<String> {
    let options = VerifyOptions { deep };
    match verify(fs, options, &mut |_, _| true) {
        Ok(report) => report.problems.iter().map(|problem| format!("{problem:?}")).collect(),
        Err(error) => vec![format!("{error:?}")],
    }
}

#[derive(Default)]
struct Census {
    /// References on what begins at a cluster.
    references: HashMap<u64, u32>,
    /// Extents seen: clusters by first cluster.
    extents: HashMap<u64, u32>,
    seen: HashSet<u64>,
    problems: Vec<String>,
}

/// Everything in which a filesystem disagrees with itself. Nothing may be buffered.
pub fn problems(fs: &Fs) -> Vec<String> {
    let store = fs.store();
    let mut census = Census::default();
    let state = *store.state();
    census.root(store, &state.head);
    census.root(store, &state.catalog);
    let snapshots = match fs.snapshots() {
        Ok(snapshots) => snapshots,
        Err(error) => return vec![format!("snapshots: {error:?}")],
    };
    for snapshot in &snapshots {
        census.root(store, &snapshot.root);
    }
    census.compare(store);
    let mut problems = census.problems;
    meaning(fs, View::Head, &state.head, "head", &mut problems);
    for snapshot in &snapshots {
        let name = String::from_utf8_lossy(&snapshot.name).into_owned();
        meaning(fs, snapshot.view(), &snapshot.root, &name, &mut problems);
    }
    problems
}

impl Census {
    fn root(&mut self, store: &Store, root: &Root) {
        if root.cluster != 0 {
            self.node(store, root.cluster, root.level);
        }
    }

    fn node(&mut self, store: &Store, cluster: u64, level: u8) {
        *self.references.entry(cluster).or_default() += 1;
        if !self.seen.insert(cluster) {
            return;
        }
        let page = match store.node(cluster) {
            Ok(page) => page,
            Err(error) => return self.problems.push(format!("node {cluster}: {error:?}")),
        };
        if node::level(&page) != level {
            return self.problems.push(format!("node {cluster} has another level than {level}"));
        }
        if store.record(cluster).map(|record| record.kind).ok() != Some(Kind::Node) {
            self.problems.push(format!("node {cluster} is not one in the table"));
        }
        for index in 0..node::count(&page) {
            let key = node::key(&page, index);
            if level > 0 {
                self.node(store, node::child(&page, index), level - 1);
            } else if key.kind() == item::DATA {
                match Stretch::decode(key, node::value(&page, index)) {
                    Ok(stretch) => self.stretch(&stretch),
                    Err(error) => self.problems.push(format!("{key:?}: {error:?}")),
                }
            }
        }
    }

    fn stretch(&mut self, stretch: &Stretch) {
        let Some(extent) = stretch.extent() else { return };
        *self.references.entry(extent.first).or_default() += 1;
        let clusters = u32::from(extent.clusters);
        if *self.extents.entry(extent.first).or_insert(clusters) != clusters {
            self.problems.push(format!("extent {} has two lengths", extent.first));
        }
    }

    fn compare(&mut self, store: &Store) {
        let geometry = store.geometry();
        let mut used = 0;
        let mut tails = 0;
        for cluster in 0..geometry.clusters() {
            if table::is_page(&geometry, cluster) {
                used += 1;
                continue;
            }
            let record = match store.record(cluster) {
                Ok(record) => record,
                Err(error) => {
                    self.problems.push(format!("record {cluster}: {error:?}"));
                    continue;
                }
            };
            used += u64::from(record.kind != Kind::Free);
            match record.kind {
                Kind::Free => {
                    if record.references != 0 {
                        self.problems.push(format!("free cluster {cluster} has references"));
                    }
                    tails = 0;
                }
                Kind::Node | Kind::Raw | Kind::Zstd => {
                    let counted = self.references.remove(&cluster).unwrap_or(0);
                    if counted != record.references {
                        self.problems.push(format!(
                            "{:?} {cluster} has {} references in the table, {counted} are there",
                            record.kind, record.references
                        ));
                    }
                    tails = match record.kind {
                        Kind::Node => 0,
                        _ => self.extents.get(&cluster).map_or(0, |clusters| clusters - 1),
                    };
                    let mut bytes = vec![0; (tails as usize + 1) * CLUSTER];
                    if record.kind != Kind::Node
                        && let Err(error) = store.read_extent(cluster, &mut bytes)
                    {
                        self.problems.push(format!("extent {cluster}: {error:?}"));
                    }
                    continue;
                }
                Kind::Tail => {
                    if tails == 0 {
                        self.problems.push(format!("tail {cluster} belongs to no extent"));
                    }
                }
                Kind::Parity | Kind::Superblock => tails = 0,
            }
            tails = tails.saturating_sub(1);
        }
        if used != store.state().used {
            self.problems
                .push(format!("{used} clusters are used, the state says {}", store.state().used));
        }
        for (cluster, references) in &self.references {
            self.problems.push(format!(
                "{references} references lead to cluster {cluster}, which is not in use"
            ));
        }
    }
}

/// Inodes, entries, links, sizes and counters of one tree.
fn meaning(fs: &Fs, view: View, root: &Root, name: &str, problems: &mut Vec<String>) {
    let store = fs.store();
    let mut inodes: BTreeMap<u64, Inode> = BTreeMap::new();
    let mut orphans = HashSet::new();
    let mut owners = HashSet::new();
    let mut items = Vec::new();
    collect(store, root.cluster, root.level, &mut items);
    let mut ends: HashMap<u64, u64> = HashMap::new();
    for (key, value) in &items {
        match key.kind() {
            item::INODE => match Inode::decode(key.object(), value) {
                Ok(inode) => {
                    inodes.insert(key.object(), inode);
                }
                Err(error) => problems.push(format!("{name}: {error:?}")),
            },
            item::ORPHAN => {
                orphans.insert(key.offset);
            }
            _ => {
                owners.insert(key.object());
            }
        }
        if key.kind() == item::DATA
            && let Ok(stretch) = Stretch::decode(*key, value)
        {
            let end = ends.entry(key.object()).or_default();
            if key.offset < *end {
                problems.push(format!("{name}: stretches of {} overlap", key.object()));
            }
            *end = key.offset + stretch.length;
        }
    }
    for owner in owners {
        if !inodes.contains_key(&owner) {
            problems.push(format!("{name}: items of {owner}, which is no inode"));
        }
    }
    for (ino, end) in ends {
        if inodes.get(&ino).is_some_and(|inode| inode.size < end) {
            problems.push(format!("{name}: {ino} has data behind its end"));
        }
    }
    let mut names: HashMap<u64, u32> = HashMap::new();
    let mut subdirectories: HashMap<u64, u32> = HashMap::new();
    for (&ino, inode) in &inodes {
        if !inode.is_directory() {
            continue;
        }
        let mut entries = 0;
        let listed = fs.read_directory(view, ino, 0, &mut |entry, _| {
            entries += 1;
            *names.entry(entry.ino).or_default() += 1;
            match inodes.get(&entry.ino) {
                None => problems.push(format!("{name}: an entry of {ino} leads nowhere")),
                Some(target) if target.file_type() != entry.file_type => {
                    problems.push(format!("{name}: an entry of {ino} has a wrong type"));
                }
                Some(target) if target.is_directory() => {
                    *subdirectories.entry(ino).or_default() += 1;
                    if target.parent != ino || target.name != entry.name {
                        problems.push(format!("{name}: {} has a wrong parent or name", entry.ino));
                    }
                }
                Some(_) => {}
            }
            if fs.lookup(view, ino, &entry.name).ok().flatten().map(|found| found.0)
                != Some(entry.ino)
            {
                problems.push(format!("{name}: an entry of {ino} is listed and not found"));
            }
            true
        });
        if let Err(error) = listed {
            problems.push(format!("{name}: listing {ino}: {error:?}"));
        }
        if entries != inode.size {
            problems
                .push(format!("{name}: {ino} has {entries} entries, its size is {}", inode.size));
        }
    }
    let mut counted = [0u64; 5];
    for (&ino, inode) in &inodes {
        let expected = match inode.file_type() {
            FileType::Directory if inode.links == 0 => 0,
            FileType::Directory => 2 + subdirectories.get(&ino).copied().unwrap_or(0),
            _ => names.get(&ino).copied().unwrap_or(0),
        };
        if inode.links != expected {
            problems.push(format!("{name}: {ino} has {} links, {expected} are right", inode.links));
        }
        let nameless = !names.contains_key(&ino) && ino != ROOT;
        if nameless != orphans.contains(&ino) {
            problems.push(format!("{name}: {ino} has no name: {nameless}, which the orphans deny"));
        }
        match inode.file_type() {
            FileType::Regular => {
                counted[0] += 1;
                counted[4] += inode.size;
            }
            FileType::Directory => counted[1] += 1,
            FileType::Symlink => counted[2] += 1,
            _ => counted[3] += 1,
        }
    }
    let c = root.counters;
    let stated = [c.files, c.directories, c.symlinks, c.others, c.bytes];
    if stated != counted {
        problems.push(format!("{name}: counters {stated:?}, counted {counted:?}"));
    }
}

fn collect(store: &Store, cluster: u64, level: u8, out: &mut Vec<(Key, Vec<u8>)>) {
    if cluster == 0 || out.len() > 1 << 20 {
        return;
    }
    let Ok(page) = store.node(cluster) else { return };
    if node::level(&page) != level {
        return;
    }
    for index in 0..node::count(&page) {
        if node::is_leaf(&page) {
            out.push((node::key(&page, index), node::value(&page, index).to_vec()));
        } else {
            collect(store, node::child(&page, index), level - 1, out);
        }
    }
}
