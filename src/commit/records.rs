//! Records of the table, and the references they count.

use super::store::{PageKind, Store, not_a_node};
use crate::base::limits::MAX_REFERENCES;
use crate::base::{Code, Error, Result};
use crate::vat::page as table;
use crate::vat::{Kind, Record};

impl Store {
    /// The record of `cluster`.
    ///
    /// # Errors
    /// `Corrupt` when there can be none: past the end, or a page of the table.
    pub fn record(&self, cluster: u64) -> Result<Record> {
        let place = self.place(cluster)?;
        self.table(place.page)?.record(place.offset).map_err(|error| error.at_cluster(cluster))
    }

    pub(super) fn place(&self, cluster: u64) -> Result<table::Place> {
        if cluster >= self.geometry.clusters() {
            return Err(
                Error::corrupt("a cluster number lies past the end of the map").at_cluster(cluster)
            );
        }
        table::place(&self.geometry, cluster).ok_or_else(|| {
            Error::corrupt("a cluster number names a page of the allocation table")
                .at_cluster(cluster)
        })
    }

    pub(super) fn set_record(&mut self, cluster: u64, record: Record) -> Result<()> {
        let place = self.place(cluster)?;
        self.mark_stale(cluster);
        table::write(self.page_mut(place.page, PageKind::Table)?, place.offset, record);
        Ok(())
    }

    /// Replaces the records of clusters that follow each other: each page of the table is looked
    /// up once.
    pub(super) fn set_records(&mut self, first: u64, records: &[Record]) -> Result<()> {
        let geometry = self.geometry;
        let mut cluster = first;
        let mut rest = records;
        while !rest.is_empty() {
            let page = self.place(cluster)?.page;
            let until = table::covered(&geometry, page).end;
            let (now, later) = rest.split_at(rest.len().min((until - cluster) as usize));
            let end = cluster + now.len() as u64;
            (cluster..end).for_each(|cluster| self.mark_stale(cluster));
            let bytes = self.page_mut(page, PageKind::Table)?;
            for (cluster, record) in (cluster..end).zip(now) {
                if let Some(place) = table::place(&geometry, cluster) {
                    table::write(bytes, place.offset, *record);
                }
            }
            cluster = end;
            rest = later;
        }
        Ok(())
    }

    /// Calls `visit` with the records of `first..first + count`, in order.
    ///
    /// # Errors
    /// As [`Store::record`], and those of `visit`.
    pub fn for_records(
        &self,
        first: u64,
        count: u32,
        mut visit: impl FnMut(u64, Record) -> Result<()>,
    ) -> Result<()> {
        let geometry = self.geometry;
        let end = first + u64::from(count);
        let mut cluster = first;
        while cluster < end {
            let place = self.place(cluster)?;
            let page = self.table(place.page)?;
            let until = table::covered(&geometry, place.page).end.min(end);
            for (index, cluster) in (cluster..until).enumerate() {
                visit(cluster, page.record(place.offset + index * Record::SIZE)?)?;
            }
            // The next page of the table may stand between; clusters of it have no record.
            cluster = until;
        }
        Ok(())
    }

    /// Takes one more reference on what begins at `cluster`.
    ///
    /// # Errors
    /// `TooManyLinks` at the limit, `Corrupt` when nothing counted begins there.
    pub fn reference(&mut self, cluster: u64) -> Result<()> {
        let mut record = self.counted(cluster)?;
        if record.references >= MAX_REFERENCES {
            return Err(Error::new(
                Code::TooManyLinks,
                format!("an extent has {MAX_REFERENCES} references, the most it can have"),
            )
            .at_cluster(cluster));
        }
        record.references += 1;
        self.set_record(cluster, record)
    }

    /// References on what begins at `cluster`.
    ///
    /// # Errors
    /// `Corrupt` when nothing counted begins there.
    pub fn references(&self, cluster: u64) -> Result<u32> {
        Ok(self.counted(cluster)?.references)
    }

    pub(super) fn counted(&self, cluster: u64) -> Result<Record> {
        let record = self.record(cluster)?;
        if record.kind.is_counted() && record.references > 0 {
            Ok(record)
        } else {
            Err(Error::corrupt("a reference leads to a cluster that is not in use")
                .at_cluster(cluster))
        }
    }

    /// Gives up one reference on the extent of `count` clusters at `first`; the last one frees it.
    ///
    /// # Errors
    /// `Corrupt` when the table does not agree that an extent of this length begins there.
    pub fn release_extent(&mut self, first: u64, count: u32) -> Result<()> {
        let mut record = self.counted(first)?;
        if record.references > 1 {
            record.references -= 1;
            return self.set_record(first, record);
        }
        self.for_records(first, count, |cluster, record| {
            let right = match cluster - first {
                0 => matches!(record.kind, Kind::Raw | Kind::Zstd),
                distance => record.kind == Kind::Tail && u64::from(record.references) == distance,
            };
            if right {
                return Ok(());
            }
            Err(Error::corrupt("an extent does not match its allocation records")
                .at_cluster(cluster))
        })?;
        self.free(first, count)
    }

    /// Gives up one reference on a node; returns how many are left. At zero the node is gone, and
    /// the caller answers for what it referenced.
    ///
    /// # Errors
    /// `Corrupt` when no node is there.
    pub fn release_node(&mut self, cluster: u64) -> Result<u32> {
        let mut record = self.counted(cluster)?;
        if record.kind != Kind::Node {
            return Err(not_a_node(cluster));
        }
        record.references -= 1;
        if record.references == 0 {
            self.free(cluster, 1)?;
        } else {
            self.set_record(cluster, record)?;
        }
        Ok(record.references)
    }

    pub(super) fn free(&mut self, first: u64, count: u32) -> Result<()> {
        for cluster in first..first + u64::from(count) {
            self.set_record(cluster, Record::FREE)?;
            self.forget_page(cluster);
        }
        self.state.used = self.state.used.saturating_sub(u64::from(count));
        self.freed.push((first, count));
        Ok(())
    }
}
