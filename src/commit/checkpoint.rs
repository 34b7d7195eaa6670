//! The checkpoint: pages go home, the picture becomes strictly valid, the superblock flips.
//!
//! What is on disk if the power goes:
//! * before the sync of the pages: the old superblock and a log that repeats everything;
//! * while the superblock is written: the other copy is whole, and so is the log;
//! * after it: the new superblock, whose log is empty, since no frame carries its salt. Only the
//!   picture's last bytes (trailer, IHDR, checksums of the superblocks' bands) may be old, which
//!   opening mends.

use std::sync::Arc;

use super::store::{Page, PageKind, Store};
use super::transaction::nanoseconds;
use crate::base::Result;
use crate::base::limits::CLUSTER;
use crate::container::{BandSums, Geometry, Live};
use crate::vat::page as table;
use crate::wal::Intent;

/// The log keeps this much of its file after a checkpoint.
const LOG_KEEP: u64 = 8 << 20;

impl Store {
    /// Writes everything home and seals the picture: afterwards the file alone is the map.
    ///
    /// # Errors
    /// Those of [`Store::commit`]; `Io` and `NoSpace` from below, after which the log still holds
    /// everything committed.
    pub fn checkpoint(&mut self) -> Result<()> {
        self.settle_in_flight()?;
        self.commit()?;
        if self.log.is_none() {
            let pages = self.finish_pages();
            self.poisoned(pages)?;
            self.data_unsynced = false;
        }
        if self.dirty.is_empty() && self.superblock.state == self.state {
            return Ok(());
        }
        self.write_checkpoint()
    }

    /// As [`Store::checkpoint`], whether anything changed or not.
    pub(super) fn write_checkpoint(&mut self) -> Result<()> {
        let Some(live) = self.live.clone() else { return Ok(()) };
        let result = self.try_checkpoint(&live);
        self.poisoned(result)
    }

    fn try_checkpoint(&mut self, live: &Live) -> Result<()> {
        let mut pages: Vec<(u64, Arc<Page>)> =
            self.dirty.iter().map(|(&cluster, dirty)| (cluster, Arc::clone(&dirty.page))).collect();
        pages.sort_unstable_by_key(|(cluster, _)| *cluster);
        let runs: Vec<(u64, u32)> = pages.iter().map(|&(cluster, _)| (cluster, 1)).collect();
        // With a log, the transactions have declared these bands already.
        live.declare(&runs)?;
        let writes: Vec<(u64, &[u8])> =
            pages.iter().map(|(cluster, page)| (*cluster, &page[..])).collect();
        live.write_many(&writes)?;
        // This also writes the checksums of bands written by rows and the headers of new sheets.
        // They must be durable before the superblock: once it is, no log names these bands.
        let adler = live.totals_without(&superblock_bands(self.geometry))?;
        live.sync()?;

        // Pages without a log carry the number of the transaction that this checkpoint is.
        if self.log.is_none() && (self.superblock.state != self.state || !pages.is_empty()) {
            self.state.generation += 1;
            self.state.modified = nanoseconds(self.clock.now());
        }
        let mut superblock = self.superblock.clone();
        superblock.sequence += 1;
        superblock.state = self.state;
        self.entropy.fill(&mut superblock.log_salt)?;
        superblock.adler = adler;
        let slot = slots(self.geometry)[(superblock.sequence % 2) as usize];
        live.declare(&[(slot, 1)])?;
        live.write_run(slot, &superblock.encode()[..])?;
        live.seal()?;
        live.sync()?;

        live.mark_clean();
        self.end_changes();
        self.twin_is_old = self.superblock.state != superblock.state;
        self.superblock = superblock;
        self.meter.checkpoints.add(1);
        for (cluster, dirty) in self.dirty.drain() {
            match dirty.kind {
                PageKind::Node => self.nodes.put(cluster, dirty.page),
                PageKind::Table => self.tables.put(cluster, Arc::new(table::trimmed(&dirty.page))),
                PageKind::Data => {}
            }
        }
        self.data_pages = 0;
        self.unlogged.clear();
        self.logged.clear();
        for (first, count) in std::mem::take(&mut self.quarantine) {
            self.space.give_back(first, count);
        }
        if let Some(log) = &mut self.log {
            log.writer.reset(self.superblock.log_salt);
            log.file.shrink_to(LOG_KEEP)?;
        }
        Ok(())
    }

    /// Takes every committed change off the log and the picture's parity up to date; then the
    /// log may be deleted.
    ///
    /// # Errors
    /// As [`Store::checkpoint`].
    pub fn close(&mut self) -> Result<()> {
        self.checkpoint()?;
        if self.superblock.parity {
            self.refresh_parity()?;
            self.checkpoint()?;
        }
        if self.twin_is_old {
            // Both superblocks then lead to this state, so that one is enough to open the map.
            // An empty log first: beside a superblock that was cut short while it was written,
            // there is always the log of the other one, or none.
            if let Some(log) = &self.log {
                let emptied = log.file.shrink_to(0).and_then(|()| log.file.sync());
                self.poisoned(emptied)?;
            }
            self.write_checkpoint()?;
        }
        Ok(())
    }
}

/// Intents as the log wants them.
pub(super) fn intents(bands: Vec<BandSums>) -> Vec<Intent> {
    bands.iter().map(|band| Intent { band: band.band, s1: band.s1, s2: band.s2 }).collect()
}

/// Clusters of the two superblocks: copy A (even sequence numbers), copy B.
pub(super) fn slots(geometry: Geometry) -> [u64; 2] {
    [geometry.superblock_a(), geometry.superblock_b()].map(|index| geometry.cluster(0, index))
}

/// The bands the superblocks lie in.
pub(super) fn superblock_bands(geometry: Geometry) -> [u32; 2] {
    slots(geometry).map(|slot| geometry.band_of(slot))
}

const _: () = assert!(LOG_KEEP.is_multiple_of(CLUSTER as u64));
