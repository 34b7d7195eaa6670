//! Every node and item of every tree, shared ones once, and who references what.

use rustc_hash::FxHashMap;

use super::Check;
use super::medium::Damage;
use super::report::{
    DATA_CHECKSUM, DATA_UNUSED, ENTRY, EXTENT, FRAME, ITEM, LEAK, OBJECT_ID, Problem,
    REFERENCES_HIGH, REFERENCES_LOW, SNAPSHOT, Severity, TREE_NODE, TREE_ORDER, UNREADABLE,
};
use crate::base::checksum::crc32;
use crate::base::limits::CLUSTER;
use crate::base::{Error, Result};
use crate::codec::frame::{Decompressor, decompress_independently};
use crate::commit::{Page, Root};
use crate::fs::snapshot::Snapshot;
use crate::fs::{Inode, View, dir, inspect};
use crate::tree::item::{self, Extent, Source, Stretch};
use crate::tree::{Key, node};
use crate::vat::Kind;

/// What was counted for a cluster that something refers to.
#[derive(Clone, Copy, Default)]
struct Counted {
    references: u32,
    /// Of an extent a mix of its lengths, of a node its level and one: whoever refers to the same
    /// cluster must say the same.
    print: u32,
}

/// Counts by cluster, in pieces that exist where something is counted.
#[derive(Default)]
struct Counts(FxHashMap<u64, Box<[Counted; COUNTS]>>);

const COUNTS: usize = 512;

impl Counts {
    /// Counts one more reference; returns what was there before.
    fn add(&mut self, cluster: u64, print: u32) -> Counted {
        let piece = self
            .0
            .entry(cluster / COUNTS as u64)
            .or_insert_with(|| Box::new([Counted::default(); COUNTS]));
        let counted = &mut piece[cluster as usize % COUNTS];
        let before = *counted;
        counted.references = counted.references.saturating_add(1);
        if before.references == 0 {
            counted.print = print;
        }
        before
    }

    fn get(&self, cluster: u64) -> u32 {
        self.0
            .get(&(cluster / COUNTS as u64))
            .map_or(0, |piece| piece[cluster as usize % COUNTS].references)
    }
}

/// Which tree is walked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tree<'s> {
    Head,
    Catalog,
    Snapshot(&'s Snapshot),
}

impl Tree<'_> {
    fn view(self) -> View {
        match self {
            Tree::Snapshot(snapshot) => snapshot.view(),
            _ => View::Head,
        }
    }

    /// Said behind a message about something that the present state does not hold.
    fn place(self) -> String {
        match self {
            Tree::Head => String::new(),
            Tree::Catalog => " of the catalog".to_owned(),
            Tree::Snapshot(snapshot) => {
                format!(" in snapshot '{}'", String::from_utf8_lossy(&snapshot.name))
            }
        }
    }
}

struct Walk<'c, 'a, 'p> {
    check: &'c mut Check<'a, 'p>,
    counts: Counts,
    damage: Vec<Damage>,
    /// A node could not be read: what hangs below it was not counted.
    incomplete: bool,
    decompressor: Decompressor,
    snapshots: Vec<Snapshot>,
    settings: Vec<u8>,
    /// The path told last, for the next problem of the same file.
    path: Option<(u64, Option<Vec<u8>>)>,
}

impl Check<'_, '_> {
    /// Walks head, catalog and snapshots; returns the snapshots that can be read.
    pub(super) fn trees(&mut self, damage: Vec<Damage>) -> Result<Vec<Snapshot>> {
        let state = *self.fs.store().state();
        let mut walk = Walk {
            check: self,
            counts: Counts::default(),
            damage,
            incomplete: false,
            decompressor: Decompressor::new(),
            snapshots: Vec::new(),
            settings: Vec::new(),
            path: None,
        };
        walk.root(Tree::Head, &state.head)?;
        walk.root(Tree::Catalog, &state.catalog)?;
        if !walk.settings.is_empty() && inspect::check_settings(&walk.settings).is_err() {
            let what = "the map's settings are damaged";
            walk.check.findings.add(Problem::new(ITEM, what));
        }
        let snapshots = std::mem::take(&mut walk.snapshots);
        for snapshot in &snapshots {
            walk.path = None;
            walk.root(Tree::Snapshot(snapshot), &snapshot.root)?;
        }
        walk.unused_damage();
        walk.compare_counts();
        Ok(snapshots)
    }
}

impl Walk<'_, '_, '_> {
    fn root(&mut self, tree: Tree<'_>, root: &Root) -> Result<()> {
        if root.cluster == 0 {
            return Ok(());
        }
        self.node(tree, root.cluster, root.level, Key::MIN, None)
    }

    fn add(&mut self, problem: Problem) {
        self.check.findings.add(problem);
    }

    /// One reference on a node; the first one looks into it. Levels fall on the way down, so the
    /// walk ends whatever the nodes say.
    fn node(
        &mut self,
        tree: Tree<'_>,
        cluster: u64,
        level: u8,
        low: Key,
        high: Option<Key>,
    ) -> Result<()> {
        let clusters = self.check.fs.store().geometry().clusters();
        if cluster >= clusters {
            let what = format!("a tree{} refers to a cluster past the end", tree.place());
            self.add(Problem::new(TREE_NODE, what).cluster(cluster));
            self.incomplete = true;
            return Ok(());
        }
        let print = u32::from(level) + 1;
        let before = self.counts.add(cluster, print);
        if before.references > 0 {
            if before.print != print {
                let what = format!("a node of the tree{} is used on two levels", tree.place());
                self.add(Problem::new(TREE_NODE, what).cluster(cluster));
            }
            return Ok(());
        }
        self.check.step(1)?;
        let page = match self.read_node(cluster, level) {
            Ok(page) => page,
            Err(problem) => {
                let message = format!("{}{}", problem.message, tree.place());
                self.add(Problem { message, ..*problem });
                self.incomplete = true;
                return Ok(());
            }
        };
        self.check.report.clusters_checked += 1;
        let count = node::count(&page);
        // Searches refuse a node without keys, and one whose keys leave the range of its slot.
        let outside = count == 0 && low > Key::MIN
            || (0..count).any(|index| {
                let key = node::key(&page, index);
                key < low || high.is_some_and(|high| key >= high)
            });
        if outside {
            let what = format!(
                "a node of the tree{} holds keys that searches look for elsewhere",
                tree.place()
            );
            self.add(Problem::new(TREE_ORDER, what).cluster(cluster));
        }
        for index in 0..count {
            let key = node::key(&page, index);
            if level == 0 {
                self.item(tree, key, node::value(&page, index), cluster)?;
                continue;
            }
            let to = if index + 1 < count { Some(node::key(&page, index + 1)) } else { high };
            self.node(tree, node::child(&page, index), level - 1, key, to)?;
        }
        Ok(())
    }

    /// Reads a node from the medium and checks everything it says about itself.
    fn read_node(&self, cluster: u64, level: u8) -> Result<std::sync::Arc<Page>, Box<Problem>> {
        let store = self.check.fs.store();
        let broken = |error: Error| {
            let what = format!("a tree node is lost: {}", error.message());
            Box::new(Problem::new(TREE_NODE, what).cluster(cluster))
        };
        if let Some(page) = store.pending_node(cluster).map_err(broken)? {
            return Ok(page);
        }
        let page = store.fresh_bytes(cluster).map_err(broken)?;
        if let Ok(record) = store.record(cluster) {
            if record.kind != Kind::Node {
                let what = "a tree refers to a cluster that the table does not call a node";
                return Err(Box::new(Problem::new(TREE_NODE, what).cluster(cluster)));
            }
            let found = crc32(&page[..]);
            if found != record.crc {
                let what = "a tree node does not match its checksum: what it held is lost";
                let problem = Problem::new(TREE_NODE, what).cluster(cluster);
                return Err(Box::new(problem.values(u64::from(record.crc), u64::from(found))));
            }
        }
        store.check_fresh_node(cluster, &page).map_err(broken)?;
        if node::level(&page) != level {
            return Err(broken(Error::corrupt("it has another level than its place asks for")));
        }
        Ok(page)
    }

    fn item(&mut self, tree: Tree<'_>, key: Key, value: &[u8], cluster: u64) -> Result<()> {
        let fs = self.check.fs;
        let ino = key.object();
        if ino >= fs.store().state().next_object {
            let what =
                format!("object {ino} exists{} but its number was not given out", tree.place());
            self.add(Problem::new(OBJECT_ID, what).cluster(cluster));
        }
        if tree == Tree::Catalog {
            self.catalog_item(key, value);
            return Ok(());
        }
        let hashed = |name: &[u8]| fs.name_hash(name) == key.offset;
        let wrong = match key.kind() {
            item::INODE => Inode::decode(ino, value)
                .map(|_| (key.offset != 0).then_some("an inode has a wrong key")),
            item::ENTRY => dir::decode(value).map(|entries| {
                (!entries.iter().all(|entry| hashed(&entry.name)))
                    .then_some("a directory entry lies under the hash of another name")
            }),
            item::XATTR => inspect::attributes(value).map(|attributes| {
                (!attributes.iter().all(|attribute| hashed(&attribute.name)))
                    .then_some("an attribute lies under the hash of another name")
            }),
            item::DATA => return self.data(tree, key, value, cluster),
            // Pieces are judged together, and what is unknown belongs to a newer version.
            _ => Ok(None),
        };
        let problem = match wrong {
            Ok(None) => return Ok(()),
            Ok(Some(what)) => Problem::new(ENTRY, format!("{what}{}", tree.place())),
            Err(error) => Problem::new(ITEM, format!("{}{}", error.message(), tree.place())),
        };
        let path = self.path_of(tree, ino);
        self.add(problem.cluster(cluster).path(path));
        Ok(())
    }

    fn catalog_item(&mut self, key: Key, value: &[u8]) {
        match key.kind() {
            item::SNAPSHOT => match Snapshot::decode(key.offset, value) {
                Ok(snapshot) => self.snapshots.push(snapshot),
                Err(error) => {
                    let what = format!("snapshot {} is damaged: {}", key.offset, error.message());
                    self.add(Problem::new(SNAPSHOT, what));
                    self.incomplete = true;
                }
            },
            item::SETTING => self.settings.extend_from_slice(value),
            _ => {}
        }
    }

    fn data(&mut self, tree: Tree<'_>, key: Key, value: &[u8], cluster: u64) -> Result<()> {
        let stretch = match Stretch::decode(key, value) {
            Ok(stretch) => stretch,
            Err(error) => {
                // What it may refer to is counted all the same, so that the sums stay right.
                if let Some((first, _)) = item::extent_of(key, value)
                    && first < self.check.fs.store().geometry().clusters()
                {
                    self.counts.add(first, 0);
                }
                let path = self.path_of(tree, key.object());
                let what = format!("{}{}", error.message(), tree.place());
                let problem = Problem::new(ITEM, what).cluster(cluster).offset(key.offset);
                self.add(problem.path(path));
                return Ok(());
            }
        };
        let (extent, kind) = match &stretch.source {
            Source::Raw(extent) => (*extent, Kind::Raw),
            Source::Zstd(extent) => (*extent, Kind::Zstd),
            _ => return Ok(()),
        };
        let what = match self.extent(&extent, kind) {
            Ok(()) => None,
            Err(what) => Some((EXTENT, what)),
        };
        let what = match what {
            None if kind == Kind::Zstd && self.check.options.deep => {
                self.frame(&extent)?.map(|what| (FRAME, what))
            }
            None => None,
            what => what,
        };
        if let Some((class, what)) = what {
            let path = self.path_of(tree, key.object());
            let problem = Problem::new(class, format!("{what}{}", tree.place()));
            self.add(problem.cluster(extent.first).offset(key.offset).path(path));
        }
        self.damage_in(tree, key, &stretch, &extent, kind);
        Ok(())
    }

    /// Counts a reference on an extent and compares it with the table.
    fn extent(&mut self, extent: &Extent, kind: Kind) -> Result<(), String> {
        let store = self.check.fs.store();
        let geometry = store.geometry();
        let count = u64::from(extent.clusters);
        if geometry.check_run(extent.first, count).is_err() {
            return Err("a file refers to clusters outside the map".to_owned());
        }
        let print = extent.logical.wrapping_mul(0x9e37_79b1) ^ extent.stored;
        let before = self.counts.add(extent.first, print);
        if before.references > 0 {
            return if before.print == print {
                Ok(())
            } else {
                Err("two files disagree about the size of an extent they share".to_owned())
            };
        }
        if kind == Kind::Zstd {
            self.check.report.frames += 1;
        }
        for distance in 0..=count {
            let cluster = extent.first + distance;
            if distance == count
                && (cluster >= geometry.clusters() || geometry.index_in_sheet(cluster) == 0)
            {
                break;
            }
            // Without a record the table has told its damage already.
            let Ok(record) = store.record(cluster) else { continue };
            let tail = record.kind == Kind::Tail && u64::from(record.references) == distance;
            let right = match distance {
                0 => record.kind == kind,
                _ if distance == count => !tail,
                _ => tail,
            };
            if !right {
                return Err(format!(
                    "a file refers to an extent of {count} clusters that the table does not know"
                ));
            }
        }
        Ok(())
    }

    /// Decodes a frame with both decoders, the first time it is met.
    fn frame(&mut self, extent: &Extent) -> Result<Option<String>> {
        let count = u64::from(extent.clusters);
        if self.counts.get(extent.first) > 1 || self.damaged(extent.first, count).next().is_some() {
            return Ok(None);
        }
        self.check.step(count)?;
        let mut stored = vec![0; count as usize * CLUSTER];
        if self.check.fs.store().read_extent(extent.first, &mut stored).is_err() {
            // Its checksums have been told.
            return Ok(None);
        }
        let frame = &stored[..extent.stored as usize];
        let mut content = vec![0; extent.logical as usize];
        let one = self.decompressor.decompress(frame, &mut content);
        let two = decompress_independently(frame, extent.logical as usize);
        Ok(match (one, two) {
            (Ok(()), Ok(other)) if other == content => {
                self.check.report.frames_decoded_twice += 1;
                None
            }
            (Ok(()), Ok(_)) => Some("two decoders give different content for a frame".to_owned()),
            (Err(error), _) | (_, Err(error)) => Some(error.message().to_owned()),
        })
    }

    /// The damaged clusters among `count` from `first` on, by their place in the list.
    fn damaged(&self, first: u64, count: u64) -> impl Iterator<Item = usize> + use<> {
        let from = self.damage.partition_point(|damage| damage.cluster < first);
        let to = self.damage.partition_point(|damage| damage.cluster < first + count);
        from..to
    }

    /// Tells which bytes of this file are in damaged clusters.
    fn damage_in(
        &mut self,
        tree: Tree<'_>,
        key: Key,
        stretch: &Stretch,
        extent: &Extent,
        kind: Kind,
    ) {
        // Every damaged cluster of a frame concerns every file in it. Each cluster is told with the
        // first of them, and each other one once: however many there are, none is crowded out.
        let mut mentioned = false;
        for at in self.damaged(extent.first, u64::from(extent.clusters)) {
            let damage = self.damage[at];
            if kind == Kind::Zstd && mentioned && damage.told {
                continue;
            }
            mentioned = true;
            let begin = (damage.cluster - extent.first) * CLUSTER as u64;
            let from = begin.max(u64::from(extent.offset));
            let to = (begin + CLUSTER as u64).min(u64::from(extent.offset) + stretch.length);
            let (offset, length) = match kind {
                Kind::Raw if from >= to => continue,
                Kind::Raw => (key.offset + from - u64::from(extent.offset), to - from),
                _ => (key.offset, stretch.length),
            };
            self.damage[at].told = true;
            let class = if damage.found.is_some() { DATA_CHECKSUM } else { UNREADABLE };
            let what = match (damage.found, kind) {
                (None, _) => "cannot be read from the medium",
                (_, Kind::Raw) => "do not match their checksum",
                _ => "are compressed in a frame that does not match its checksum",
            };
            let what = format!("{length} bytes of a file{} {what}", tree.place());
            let path = self.path_of(tree, key.object());
            let mut problem =
                Problem::new(class, what).cluster(damage.cluster).offset(offset).path(path);
            problem.expected = Some(u64::from(damage.expected));
            problem.found = damage.found.map(u64::from);
            self.add(problem);
        }
    }

    fn unused_damage(&mut self) {
        for at in 0..self.damage.len() {
            let damage = self.damage[at];
            if damage.told {
                continue;
            }
            let what = "a cluster does not match its checksum; no file that can be reached has \
                        bytes in it";
            let mut problem = Problem::new(DATA_UNUSED, what).cluster(damage.cluster);
            problem.expected = Some(u64::from(damage.expected));
            problem.found = damage.found.map(u64::from);
            if self.incomplete {
                problem.severity = Severity::Suspect;
                problem.advice = TREE_NODE.advice;
            }
            self.add(problem);
        }
    }

    /// Compares what was counted with what the table says.
    fn compare_counts(&mut self) {
        let fs = self.check.fs;
        let store = fs.store();
        let geometry = store.geometry();
        let per_sheet = geometry.sheet_clusters() - geometry.vat_pages();
        for sheet in 0..geometry.sheets() {
            let first = geometry.cluster(sheet, geometry.vat_pages());
            for cluster in first..first + u64::from(per_sheet) {
                let Ok(record) = store.record(cluster) else { continue };
                let counted = self.counts.get(cluster);
                let stated = if record.kind.is_counted() { record.references } else { 0 };
                if counted == stated {
                    continue;
                }
                // A lost node's references could not be counted; then a lower count says nothing.
                let (class, what) = if counted > stated {
                    (REFERENCES_LOW, "more refers to a cluster than the table counts")
                } else if self.incomplete {
                    continue;
                } else if counted == 0 {
                    (LEAK, "a cluster is in use, but nothing refers to it")
                } else {
                    (REFERENCES_HIGH, "less refers to a cluster than the table counts")
                };
                let problem = Problem::new(class, what).cluster(cluster);
                self.add(problem.values(u64::from(counted), u64::from(stated)));
            }
        }
    }

    /// The path of an inode, when it can be told and the report has room for it.
    fn path_of(&mut self, tree: Tree<'_>, ino: u64) -> Option<Vec<u8>> {
        if self.check.findings.is_full(Severity::Lost) || tree == Tree::Catalog {
            return None;
        }
        if let Some((known, path)) = &self.path
            && *known == ino
        {
            return path.clone();
        }
        let path = self.check.fs.path_of(tree.view(), ino).ok().flatten();
        self.path = Some((ino, path.clone()));
        path
    }
}
