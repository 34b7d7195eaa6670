//! Facts about the whole filesystem.

use super::path::Last;
use super::{FileType, Fs, ROOT, View};
use crate::base::Result;
use crate::base::limits::MAX_HEIGHT;
use crate::commit::Counters;
use crate::plane::zones::{self, Zone};
use crate::vat::page as table;
use crate::vat::{Kind, Record};

impl Fs {
    /// What a view holds, counted.
    pub fn root_counters(&self, view: View) -> Counters {
        self.root_of(view).counters
    }

    /// (clusters the map can have, clusters that are or can become free). The map grows up to
    /// the height of a PNG; what the medium has room for is not known here.
    pub fn capacity(&self) -> (u64, u64) {
        let geometry = self.store.geometry();
        let sheets = u64::from(MAX_HEIGHT / geometry.width());
        let blocks = sheets * u64::from(geometry.sheet_clusters());
        let parity = geometry.sheet_clusters() - geometry.parity_start();
        let fixed = u64::from(geometry.vat_pages() + parity);
        let growth = (sheets - u64::from(geometry.sheets()))
            * (u64::from(geometry.sheet_clusters()) - fixed);
        let free = geometry.clusters().saturating_sub(self.store.state().used) + growth;
        (blocks, free)
    }

    /// For each zone: (clusters, clusters in use), fixed clusters included.
    ///
    /// # Errors
    /// `Corrupt` or `Io` from pages of the table.
    pub fn zone_usage(&self) -> Result<[(u64, u64); 5]> {
        let geometry = self.store.geometry();
        let extent = zones::extent(geometry.width(), geometry.sheets());
        let mut usage = [(0, 0); Zone::ALL.len()];
        let mut add = |sheet: u32, index: u32, used: bool| {
            let distance = zones::distance(geometry.width(), sheet, index);
            let (all, taken) = &mut usage[zones::zone(distance, extent) as usize];
            *all += 1;
            *taken += u64::from(used);
        };
        for sheet in 0..geometry.sheets() {
            let base = geometry.cluster(sheet, 0);
            for page in 0..geometry.vat_pages() {
                add(sheet, page, true);
                let at = base + u64::from(page);
                let bytes = self.store.table_page(at)?;
                for cluster in table::covered(&geometry, at) {
                    let record = match table::place(&geometry, cluster) {
                        Some(place) => table::read(&bytes, place.offset)?,
                        None => Record::FREE,
                    };
                    add(sheet, (cluster - base) as u32, record.kind != Kind::Free);
                }
            }
        }
        Ok(usage)
    }

    /// Every regular file at or below a path, each once, in the order of their inodes.
    ///
    /// # Errors
    /// `NotFound`, `NotDirectory`; `Corrupt`, `Io`.
    pub fn files_below(&self, view: View, path: &[u8]) -> Result<Vec<u64>> {
        let start = self.resolve(view, ROOT, path, Last::Follow)?;
        let mut files = Vec::new();
        let mut waiting = Vec::new();
        if self.stat(view, start)?.is_directory() {
            waiting.push(start);
        } else {
            files.push(start);
        }
        // No tree has more directories than its counter says: a damaged one cannot go round.
        let mut left = self.root_counters(view).directories + 1;
        while let Some(directory) = waiting.pop() {
            self.read_directory(view, directory, 0, &mut |entry, _| {
                match entry.file_type {
                    FileType::Regular => files.push(entry.ino),
                    FileType::Directory if left > 0 => {
                        left -= 1;
                        waiting.push(entry.ino);
                    }
                    _ => {}
                }
                true
            })?;
        }
        files.sort_unstable();
        files.dedup();
        Ok(files)
    }
}
