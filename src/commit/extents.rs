//! File data: on its way to its clusters, and back.

use std::sync::Arc;

use super::store::{PageKind, STAGE_LIMIT, Store, UNSTAGED};
use crate::base::checksum::crc32;
use crate::base::limits::CLUSTER;
use crate::base::{Code, Error, Result};
use crate::vat::page as table;
use crate::vat::{Kind, Record};

impl Store {
    /// Gives `data` a place near the distance `importance` asks for, with one reference, and
    /// stages it for writing. The last cluster is filled up with zeros. With `through_log`, the
    /// clusters travel through the log instead, which saves small synced writes a flush.
    ///
    /// # Errors
    /// As [`Store::allocate`], and of the write when the stage is full.
    pub fn write_extent(
        &mut self,
        kind: Kind,
        data: &[u8],
        importance: u8,
        through_log: bool,
    ) -> Result<u64> {
        let count = data.len().div_ceil(CLUSTER) as u32;
        let first = self.allocate(count, importance)?;
        let record = |(index, cluster): (usize, &[u8])| extent_record(kind, index, cluster);
        let mut padded = Vec::with_capacity(count as usize * CLUSTER);
        padded.extend_from_slice(data);
        padded.resize(count as usize * CLUSTER, 0);
        let records: Vec<Record> = padded.chunks_exact(CLUSTER).enumerate().map(record).collect();
        self.set_records(first, &records)?;
        if through_log && self.log.is_some() {
            for (index, cluster) in padded.chunks_exact(CLUSTER).enumerate() {
                let mut page = [0; CLUSTER];
                page.copy_from_slice(cluster);
                self.insert_dirty(first + index as u64, Arc::new(page), PageKind::Data);
            }
            return Ok(first);
        }
        self.staged_bytes += padded.len();
        self.staged.push((first, padded));
        if self.staged_bytes >= STAGE_LIMIT {
            self.write_staged()?;
        }
        Ok(first)
    }

    /// Stores `data` as raw extents of at most `most` bytes, which is whole clusters, as
    /// [`Store::write_extent`] does; gives the first cluster of each.
    ///
    /// # Errors
    /// As [`Store::write_extent`].
    pub fn write_raw(
        &mut self,
        data: &[u8],
        most: usize,
        importance: u8,
        through_log: bool,
    ) -> Result<Vec<u64>> {
        let mut firsts = Vec::with_capacity(data.len().div_ceil(most));
        let whole = data.len() / CLUSTER * CLUSTER;
        if through_log || whole < UNSTAGED {
            for part in data.chunks(most) {
                firsts.push(self.write_extent(Kind::Raw, part, importance, through_log)?);
            }
            return Ok(firsts);
        }
        // Enough to be written as it lies, without gathering it with others first.
        let mut writes = Vec::with_capacity(firsts.capacity());
        let mut records = Vec::new();
        for part in data.chunks(most) {
            if !part.len().is_multiple_of(CLUSTER) {
                firsts.push(self.write_extent(Kind::Raw, part, importance, false)?);
                continue;
            }
            let first = self.allocate((part.len() / CLUSTER) as u32, importance)?;
            records.clear();
            records.extend(
                part.chunks_exact(CLUSTER)
                    .enumerate()
                    .map(|(index, cluster)| extent_record(Kind::Raw, index, cluster)),
            );
            self.set_records(first, &records)?;
            firsts.push(first);
            writes.push((first, part));
        }
        self.write_out(&writes)?;
        Ok(firsts)
    }

    /// Writes what is staged. Nothing committed references it yet.
    pub(super) fn write_staged(&mut self) -> Result<()> {
        if self.staged.is_empty() {
            return Ok(());
        }
        let staged = std::mem::take(&mut self.staged);
        self.staged_bytes = 0;
        let writes: Vec<(u64, &[u8])> =
            staged.iter().map(|(first, data)| (*first, data.as_slice())).collect();
        self.write_out(&writes)
    }

    /// Writes file data to its places, each a number of whole clusters.
    fn write_out(&mut self, writes: &[(u64, &[u8])]) -> Result<()> {
        let Some(live) = self.live.clone() else { return Ok(()) };
        let runs: Vec<(u64, u32)> =
            writes.iter().map(|(first, data)| (*first, (data.len() / CLUSTER) as u32)).collect();
        self.declare(&runs)?;
        self.data_unsynced = true;
        self.meter.clusters_written.add(runs.iter().map(|(_, count)| u64::from(*count)).sum());
        let written = live.write_many(writes);
        self.medium_failure(written)
    }

    /// A full disk is the caller's to hear about and nothing is broken; any other failed write
    /// ends all writing.
    pub(super) fn medium_failure<T>(&mut self, result: Result<T>) -> Result<T> {
        match result {
            Err(error) if error.code() == Code::NoSpace => Err(error),
            other => self.poisoned(other),
        }
    }

    /// Makes it durable, before the first write since the last checkpoint goes to a band, that
    /// it will be written: recovery then knows which checksums of the picture to mend.
    pub(super) fn declare(&mut self, runs: &[(u64, u32)]) -> Result<()> {
        let Some(live) = self.live.clone() else { return Ok(()) };
        if self.checkpoint.is_some() {
            // It has counted every band as it found it.
            self.settle_in_flight()?;
        }
        if self.log.is_none() {
            live.declare(runs)?;
            return Ok(());
        }
        let intents = super::checkpoint::intents(live.declare_ahead(runs)?);
        if !intents.is_empty() {
            self.settle_in_flight()?;
        }
        let Some(log) = &mut self.log else { return Ok(()) };
        if intents.is_empty() {
            return Ok(());
        }
        log.writer.intents(&intents);
        let result = match log.writer.take() {
            Some(pending) => log.file.append(&pending).and_then(|()| log.file.sync()),
            None => Ok(()),
        };
        self.poisoned(result)
    }

    /// Reads and verifies `buf.len() / 4096` clusters of an extent from `first` on.
    ///
    /// # Errors
    /// `Corrupt` naming the cluster and both checksums; `buf` then holds zeros.
    pub fn read_extent(&self, first: u64, buf: &mut [u8]) -> Result<()> {
        self.read_extents(&mut [(first, buf)])
    }

    /// As [`Store::read_extent`] for several at once: what lies in the same bands is read once.
    ///
    /// # Errors
    /// As [`Store::read_extent`]; any of the buffers may then hold zeros.
    pub fn read_extents(&self, requests: &mut [(u64, &mut [u8])]) -> Result<()> {
        self.announce_unknown(requests);
        let count: usize = requests.iter().map(|(_, buf)| buf.len() / CLUSTER).sum();
        let mut sums = Vec::with_capacity(count);
        for (first, buf) in requests.iter() {
            self.for_records(*first, (buf.len() / CLUSTER) as u32, |cluster, record| {
                if !matches!(record.kind, Kind::Raw | Kind::Zstd | Kind::Tail) {
                    return Err(Error::corrupt(
                        "a file refers to a cluster that holds no file data",
                    )
                    .at_cluster(cluster));
                }
                sums.push(record.crc);
                Ok(())
            })?;
        }
        self.clusters.read_many(requests)?;
        let mut rest = &sums[..];
        for (first, buf) in requests {
            let (now, later) = rest.split_at(buf.len() / CLUSTER);
            self.verify(*first, buf, now)?;
            rest = later;
        }
        Ok(())
    }

    /// Where records have to be read before a little data can be: lets the disk fetch both at
    /// once. More data is better left to the system, which reads ahead in longer pieces by itself.
    fn announce_unknown(&self, requests: &[(u64, &mut [u8])]) {
        const LITTLE: usize = 32 << 10;
        if requests.iter().map(|(_, buf)| buf.len()).sum::<usize>() > LITTLE {
            return;
        }
        let unknown = |first: u64| {
            self.place(first).is_ok_and(|place| {
                !self.tables.holds(place.page) && !self.dirty.contains_key(&place.page)
            })
        };
        if requests.iter().any(|(first, _)| unknown(*first)) {
            let runs: Vec<(u64, u32)> = requests
                .iter()
                .map(|(first, buf)| (*first, (buf.len() / CLUSTER) as u32))
                .collect();
            self.clusters.will_need(&runs);
        }
    }

    /// Reads clusters and checks them against `records`; `buf` is wiped when one does not match.
    pub(crate) fn read_verified(
        &self,
        first: u64,
        buf: &mut [u8],
        records: &[Record],
    ) -> Result<()> {
        self.clusters.read_run(first, buf)?;
        let sums: Vec<u32> = records.iter().map(|record| record.crc).collect();
        self.verify(first, buf, &sums)
    }

    /// Puts what is pending over clusters that were read, and checks them; `buf` is wiped when
    /// one does not match.
    fn verify(&self, first: u64, buf: &mut [u8], sums: &[u32]) -> Result<()> {
        self.meter.clusters_read.add(sums.len() as u64);
        for (index, cluster) in buf.chunks_exact_mut(CLUSTER).enumerate() {
            let number = first + index as u64;
            if self.data_pages > 0
                && let Some(dirty) = self.dirty.get(&number)
            {
                cluster.copy_from_slice(&dirty.page[..]);
            }
            let found = crc32(cluster);
            if found != sums[index] {
                buf.fill(0);
                return Err(Error::checksum(number, sums[index], found));
            }
        }
        Ok(())
    }

    /// Adds observed reads to the heat of an extent. Not worth a log record of its own: it is
    /// kept when the page is written anyway.
    ///
    /// # Errors
    /// As [`Store::record`].
    pub fn warm(&mut self, cluster: u64, steps: u8) -> Result<()> {
        let mut record = self.record(cluster)?;
        if !matches!(record.kind, Kind::Raw | Kind::Zstd) {
            return Ok(());
        }
        record.heat = record.heat.saturating_add(steps);
        let place = self.place(cluster)?;
        table::write_quietly(self.page_mut(place.page, PageKind::Table)?, place.offset, record);
        Ok(())
    }
}

/// The record of cluster `index` of an extent with one reference.
fn extent_record(kind: Kind, index: usize, cluster: &[u8]) -> Record {
    match index {
        0 => Record::new(kind, crc32(cluster), 1),
        _ => Record::new(Kind::Tail, crc32(cluster), index as u32),
    }
}
