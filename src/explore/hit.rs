//! What lies at a point, and where a file lies.

use rustc_hash::FxHashMap;

use super::Plane;
use super::facts::Held;
use super::index::Index;
use super::owned::Owned;
use super::raw::place;
use crate::base::checksum::crc32;
use crate::base::limits::{CLUSTER, TILE};
use crate::base::{Code, Result};
use crate::container::Geometry;
use crate::fs::{Fs, View};
use crate::plane::hilbert;
use crate::plane::zones::{self, Zone};
use crate::tree::item::Source;
use crate::vat::page as table;
use crate::vat::{Kind, Record};

/// Files that are named at most.
const NAMED: usize = 20;

/// What lies at a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    pub zone: Zone,
    /// Pixels from the centre.
    pub distance: f64,
    /// `None` outside of all sheets.
    pub inside: Option<Inside>,
}

/// The cluster at a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Inside {
    pub sheet: u32,
    pub cluster: u64,
    /// Upper left corner of its tile.
    pub corner: (f64, f64),
    pub kind: &'static str,
    pub references: Option<u32>,
    pub heat: Option<u8>,
    pub checksum: &'static str,
    /// Held by other states of the map only.
    pub past: bool,
    /// How many files have bytes there, and some of them; `None` while that is not known.
    pub owners: Option<(usize, Vec<Owner>)>,
    /// The pixel as stored, where the cluster was read.
    pub bytes: Option<[u8; 4]>,
}

/// A file with bytes at a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Owner {
    pub ino: u64,
    /// With a leading slash; empty when the file has no name.
    pub path: Vec<u8>,
    /// Which bytes of the file.
    pub offset: u64,
    pub length: u64,
}

/// The owners of the cluster that was asked for last.
pub(super) struct Owners {
    cluster: u64,
    count: usize,
    named: Vec<Owner>,
}

/// Where the clusters of a file lie.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    /// Left, top, right, bottom.
    pub edges: [f64; 4],
    pub clusters: u64,
    /// The zone that most of them lie in.
    pub zone: Zone,
    /// Mean distance from the centre.
    pub distance: f64,
}

impl Plane {
    /// What lies at a point; with `check` the cluster is read and compared with its record.
    ///
    /// # Errors
    /// Those of the storage; what is damaged is told.
    pub fn hit(&mut self, fs: &Fs, x: f64, y: f64, check: bool) -> Result<Hit> {
        let geometry = self.geometry;
        let extent = zones::extent(geometry.width(), geometry.sheets());
        let distance = x.hypot(y);
        let half = f64::from(geometry.width() / 2);
        let tile = f64::from(TILE);
        let cell = |at: f64| ((at + half) / tile).floor() as i64;
        let Some((sheet, column, row)) = place(geometry, cell(x), cell(y)) else {
            return Ok(Hit { zone: zones::zone(distance, extent), distance, inside: None });
        };
        let index = hilbert::index(geometry.side(), column, row);
        let cluster = geometry.cluster(sheet, index);
        let zone = zones::zone(zones::distance(geometry.width(), sheet, index), extent);
        let (found, first) = match record(fs, geometry, cluster)? {
            Some(record) if record.kind == Kind::Tail => {
                let first = cluster.checked_sub(u64::from(record.references));
                let first = first.filter(|&first| geometry.sheet_of(first) == sheet);
                let first = match first {
                    Some(first) => self::record(fs, geometry, first)?,
                    None => None,
                };
                (Some(record), first)
            }
            found => (found, found),
        };
        let is_page = table::is_page(&geometry, cluster);
        let slot = self.present.index.as_ref().and_then(|owners| owners.slots(sheet));
        let slot = slot.map_or(0, |slots| slots[index as usize]);
        let held = match first.map(|record| record.kind) {
            _ if is_page => Held::Table,
            None | Some(Kind::Tail) => Held::Broken,
            Some(Kind::Free) => Held::Free,
            Some(Kind::Node) => Held::Node,
            Some(Kind::Raw) => Held::Raw,
            Some(Kind::Zstd) => Held::Zstd,
            Some(Kind::Parity) => Held::Parity,
            Some(Kind::Superblock) => Held::Superblock,
        };
        let kind = match held {
            Held::Raw | Held::Zstd if Index::is_packed(slot) => "packed",
            Held::Raw => "raw",
            Held::Zstd => "compressed",
            Held::Free => "free",
            Held::Node => "node",
            Held::Parity => "parity",
            Held::Superblock => "superblock",
            Held::Table => "table",
            Held::Broken | Held::Unread => "unknown",
        };
        let is_data = matches!(held, Held::Raw | Held::Zstd);
        let start = match found {
            Some(tail) if tail.kind == Kind::Tail => cluster - u64::from(tail.references),
            _ => cluster,
        };
        let owners = if is_data { self.owners_of(fs, cluster, start)? } else { None };
        let past = owners.as_ref().is_some_and(|(count, _)| *count == 0);
        let counted = first.filter(|record| record.kind.is_counted());
        let warm = self.warm.get(&start).copied().unwrap_or_default();
        let (checksum, page) = match check {
            true => checked(fs, geometry, cluster, held, found)?,
            false => ("unread", None),
        };
        let pixel = |at: f64| at.floor().rem_euclid(tile) as usize;
        let at = (pixel(y + half) * TILE as usize + pixel(x + half)) * 4;
        let corner = |at: f64| (at / tile).floor() * tile;
        let inside = Inside {
            sheet,
            cluster,
            corner: (corner(x), corner(y)),
            kind,
            references: counted.map(|record| record.references),
            heat: counted.filter(|_| is_data).map(|record| record.heat.saturating_add(warm)),
            checksum,
            past,
            owners,
            bytes: page.map(|page| std::array::from_fn(|channel| page[at + channel])),
        };
        Ok(Hit { zone, distance, inside: Some(inside) })
    }

    /// The files with bytes in a cluster of the extent that begins at `start`.
    fn owners_of(
        &mut self,
        fs: &Fs,
        cluster: u64,
        start: u64,
    ) -> Result<Option<(usize, Vec<Owner>)>> {
        if let Some(last) = &self.last_hit
            && last.cluster == cluster
        {
            return Ok(Some((last.count, last.named.clone())));
        }
        let view = self.present.view;
        let Some(index) = &self.present.index else { return Ok(None) };
        let files = index.owners(cluster);
        // What was written since the last look has owners that are not known yet.
        let settled = self.present.is_settled(fs.store().watch.now());
        if files.is_empty() && !settled {
            return Ok(None);
        }
        let named: Vec<(u64, u64)> =
            files.iter().take(NAMED).map(|file| (file.ino, file.parent)).collect();
        let mut paths = paths(fs, view, &named)?;
        let mut count = files.len();
        let mut owners = Vec::with_capacity(named.len());
        for &(ino, _) in &named {
            // A file that has left the cluster since it was indexed is not named.
            let Some((offset, length)) = part(fs, view, ino, cluster, start)? else {
                count -= 1;
                continue;
            };
            let path = paths.remove(&ino).unwrap_or_default();
            owners.push(Owner { ino, path, offset, length });
        }
        let named = owners;
        if count == 0 && !settled {
            return Ok(None);
        }
        self.last_hit = Some(Owners { cluster, count, named: named.clone() });
        Ok(Some((count, named)))
    }

    /// Where the clusters of a file lie, or of everything below a directory as far as owners are
    /// known; `None` when there are none.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn bounds(&self, fs: &Fs, ino: u64) -> Result<Option<Bounds>> {
        let geometry = self.geometry;
        let extent = zones::extent(geometry.width(), geometry.sheets());
        let mut edges = [f64::MAX, f64::MAX, f64::MIN, f64::MIN];
        let (mut clusters, mut distances) = (0, 0.0);
        let mut usage = [0u64; Zone::ALL.len()];
        let half = f64::from(TILE) / 2.0;
        for_clusters(fs, &self.present, &[ino], &mut |cluster| {
            if cluster >= geometry.clusters() {
                return;
            }
            let (sheet, index) = (geometry.sheet_of(cluster), geometry.index_in_sheet(cluster));
            let (x, y) = zones::offset_from_centre(geometry.width(), sheet, index);
            edges = [
                edges[0].min(x - half),
                edges[1].min(y - half),
                edges[2].max(x + half),
                edges[3].max(y + half),
            ];
            let distance = x.hypot(y);
            usage[zones::zone(distance, extent) as usize] += 1;
            distances += distance;
            clusters += 1;
        })?;
        let zones = Zone::ALL.into_iter().rev();
        let Some(zone) = zones.max_by_key(|&zone| usage[zone as usize]).filter(|_| clusters > 0)
        else {
            return Ok(None);
        };
        Ok(Some(Bounds { edges, clusters, zone, distance: distances / clusters as f64 }))
    }

    /// The importance whose place is nearest to a distance from the centre.
    pub fn importance_at(&self, distance: f64) -> u8 {
        let extent = zones::extent(self.geometry.width(), self.geometry.sheets());
        (255.0 * (1.0 - 2.0 * distance / extent)).round().clamp(0.0, 255.0) as u8
    }
}

/// Calls `visit` with the clusters of files and of everything below directories: of files as they
/// are now, of directories as far as owners are known.
pub(super) fn for_clusters(
    fs: &Fs,
    state: &Owned,
    inodes: &[u64],
    visit: &mut dyn FnMut(u64),
) -> Result<()> {
    let mut directories = Vec::new();
    for &ino in inodes {
        if unless_damaged(fs.stat(state.view, ino))?.is_some_and(|inode| inode.is_directory()) {
            directories.push(ino);
            continue;
        }
        let mut seen = None;
        // What is damaged lies nowhere.
        unless_damaged(fs.for_stretches(state.view, ino, 0, &mut |_, stretch| {
            if let Some(extent) = stretch.extent()
                && seen.replace(extent.first) != Some(extent.first)
            {
                (extent.first..extent.first + u64::from(extent.clusters)).for_each(&mut *visit);
            }
            Ok(true)
        }))?;
    }
    if !directories.is_empty()
        && let Some(index) = &state.index
    {
        index.for_clusters(&index.below(&directories), visit);
    }
    Ok(())
}

fn record(fs: &Fs, geometry: Geometry, cluster: u64) -> Result<Option<Record>> {
    if table::is_page(&geometry, cluster) {
        return Ok(None);
    }
    unless_damaged(fs.store().record(cluster))
}

/// What could be read; nothing where it is damaged or gone.
///
/// # Errors
/// Those of the storage.
pub(super) fn unless_damaged<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == Code::Io => Err(error),
        Err(_) => Ok(None),
    }
}

/// Which bytes of a file lie in a cluster of the extent that begins at `start`.
fn part(fs: &Fs, view: View, ino: u64, cluster: u64, start: u64) -> Result<Option<(u64, u64)>> {
    let mut found = None;
    let looked = fs.for_stretches(view, ino, 0, &mut |offset, stretch| {
        let Some(extent) = stretch.extent().filter(|extent| extent.first == start) else {
            return Ok(true);
        };
        let (from, to) = (u64::from(extent.offset), u64::from(extent.offset) + stretch.length);
        if matches!(stretch.source, Source::Raw(_)) {
            let here = (cluster - start) * CLUSTER as u64;
            let (first, last) = (from.max(here), to.min(here + CLUSTER as u64));
            if first < last {
                found = Some((offset + first - from, last - first));
            }
        } else {
            // Compressed bytes are nowhere in particular.
            found = Some((offset, stretch.length));
        }
        Ok(found.is_none())
    });
    Ok(unless_damaged(looked)?.and(found))
}

/// Paths of inodes, given with their parents; each directory is read once.
fn paths(fs: &Fs, view: View, inodes: &[(u64, u64)]) -> Result<FxHashMap<u64, Vec<u8>>> {
    let mut paths: FxHashMap<u64, Vec<u8>> = FxHashMap::default();
    let mut parents: Vec<u64> = inodes.iter().map(|&(_, parent)| parent).collect();
    parents.sort_unstable();
    parents.dedup();
    for parent in parents {
        let Some(mut path) = unless_damaged(fs.directory_path(view, parent))? else { continue };
        if !path.is_empty() {
            path.insert(0, b'/');
        }
        path.push(b'/');
        let mut left = inodes.iter().filter(|&&(_, other)| other == parent).count();
        // Without a name in a damaged directory.
        unless_damaged(fs.read_directory(view, parent, 0, &mut |entry, _| {
            if inodes.contains(&(entry.ino, parent)) && !paths.contains_key(&entry.ino) {
                paths.insert(entry.ino, [&path[..], &entry.name].concat());
                left -= 1;
            }
            left > 0
        }))?;
    }
    Ok(paths)
}

/// Reads a cluster and says what its checksum says.
fn checked(
    fs: &Fs,
    geometry: Geometry,
    cluster: u64,
    held: Held,
    record: Option<Record>,
) -> Result<(&'static str, Option<Box<[u8; CLUSTER]>>)> {
    let store = fs.store();
    let mut page = Box::new([0; CLUSTER]);
    if unless_damaged(store.clusters().read_run(cluster, &mut page[..]))?.is_none() {
        return Ok(("damaged", None));
    }
    let verdict = |good: bool| if good { "good" } else { "damaged" };
    let checksum = match held {
        _ if store.is_pending(cluster) => "good",
        Held::Table => verdict(store.fresh_table_page(cluster).is_ok()),
        Held::Broken if table::is_page(&geometry, cluster) => "damaged",
        Held::Superblock => {
            let found = store.superblocks().into_iter().find(|(slot, _)| *slot == cluster);
            verdict(found.is_some_and(|(_, superblock)| matches!(superblock, Ok(Some(_)))))
        }
        Held::Free | Held::Broken | Held::Unread => "none",
        Held::Parity => {
            let page_at = table::place(&geometry, cluster).map(|place| place.page);
            let table = page_at.and_then(|page| store.table_page(page).ok());
            match (table, record) {
                (Some(table), Some(record))
                    if !table::parity_is_stale(&table) && record.crc != 0 =>
                {
                    verdict(crc32(&page[..]) == record.crc)
                }
                _ => "none",
            }
        }
        _ => record.map_or("none", |record| verdict(crc32(&page[..]) == record.crc)),
    };
    Ok((checksum, Some(page)))
}
