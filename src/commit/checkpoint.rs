//! The checkpoint: pages go home, the picture becomes strictly valid, the superblock flips.
//!
//! What is on disk if the power goes:
//! * before the sync of the pages: the old superblock and a log that repeats everything;
//! * while the superblock is written: the other copy is whole, and so is the log;
//! * after it: the new superblock, whose log is empty, since no frame carries its salt. Only the
//!   picture's last bytes (trailer, IHDR, checksums of the superblocks' bands) may be old, which
//!   opening mends.
//!
//! In steps, so that nobody need wait for the disk:
//!
//! 1. [`Store::prepare_homing`] names pages whose content is in the log; [`Homing::write`] writes them
//!    home while the map is used and changed at will. Where the log repeats a page, what stands at
//!    its home does not matter, so this needs no order and no sum.
//! 2. [`Store::prepare_checkpoint`] seals a last transaction and takes hold of every page as it is
//!    then, [`Checkpoint::write`] does what is left to do on the disk, and
//!    [`Store::finish_checkpoint`] takes note. In between memory may change, but nothing may reach
//!    log or map that the new superblock does not know of: who needs either, to commit, to write
//!    file data or to grow, waits for the checkpoint first, in [`Store::settle_in_flight`].

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

use super::pin::Pinned;
use super::store::{Page, PageKind, Store};
use super::superblock::Superblock;
use super::transaction::{Prepared, nanoseconds};
use crate::base::Result;
use crate::base::limits::CLUSTER;
use crate::base::order;
use crate::container::{BandSums, Geometry, Live};
use crate::vat::page as table;
use crate::wal::{Intent, LogFile};

/// The log keeps this much of its file after a checkpoint.
const LOG_KEEP: u64 = 8 << 20;
/// So few pages are not worth a step of their own.
const FEW: usize = 32;

/// Pages on their way home, ahead of a checkpoint. Copies are the same pages.
#[derive(Clone)]
pub struct Homing(Arc<Pages>);

struct Pages {
    live: Arc<Live>,
    pin: Option<Arc<Pinned>>,
    pages: Vec<(u64, Arc<Page>)>,
    outcome: OnceLock<Result<()>>,
}

impl Homing {
    /// Returns once the pages are at home, durably. They are written once, whoever asks first;
    /// others wait for that.
    ///
    /// # Errors
    /// `Io` or `NoSpace` from below.
    pub fn write(&self) -> Result<()> {
        self.0.outcome.get_or_init(|| self.0.carry()).clone()
    }
}

impl Pages {
    fn carry(&self) -> Result<()> {
        if let Some(pin) = &self.pin {
            pin.keep(self.pages.iter().map(|(cluster, _)| *cluster))?;
        }
        let writes: Vec<(u64, &[u8])> =
            self.pages.iter().map(|(cluster, page)| (*cluster, &page[..])).collect();
        self.live.write_many(&writes)?;
        self.live.sync()
    }
}

/// A checkpoint on its way to the disk. Copies are the same checkpoint.
#[derive(Clone)]
pub struct Checkpoint(Arc<Work>);

struct Work {
    live: Arc<Live>,
    pin: Option<Arc<Pinned>>,
    geometry: Geometry,
    /// The last transaction that it holds, where that is not durable yet.
    transaction: Option<Prepared>,
    log: Option<Arc<LogFile>>,
    /// Every page that is not known to be at home.
    pages: Vec<(u64, Arc<Page>)>,
    /// Those that are.
    at_home: Vec<(u64, Arc<Page>)>,
    /// The superblock, its sums excepted.
    superblock: Superblock,
    /// The picture's sums, or why there is no checkpoint.
    outcome: OnceLock<Result<(u16, u16)>>,
}

impl Checkpoint {
    /// Returns once the checkpoint is durable. It is written once, whoever asks first; others
    /// wait for that. Gives the picture's sums.
    ///
    /// # Errors
    /// `Io` or `NoSpace` from below.
    pub fn write(&self) -> Result<(u16, u16)> {
        self.0.outcome.get_or_init(|| self.0.carry()).clone()
    }
}

impl Work {
    fn carry(&self) -> Result<(u16, u16)> {
        if let Some(transaction) = &self.transaction {
            transaction.write()?;
        }
        if let Some(pin) = &self.pin {
            pin.keep(self.pages.iter().map(|(cluster, _)| *cluster))?;
        }
        let live = &self.live;
        let runs: Vec<(u64, u32)> = self.pages.iter().map(|&(cluster, _)| (cluster, 1)).collect();
        // With a log, the transactions have declared these bands already.
        live.declare(&runs)?;
        let writes: Vec<(u64, &[u8])> =
            self.pages.iter().map(|(cluster, page)| (*cluster, &page[..])).collect();
        live.write_many(&writes)?;
        // This also writes the checksums of bands written by rows and the headers of new sheets.
        // They must be durable before the superblock: once it is, no log names these bands.
        let adler = live.totals_without(&superblock_bands(self.geometry))?;
        live.sync()?;

        let superblock = Superblock { adler, ..self.superblock.clone() };
        let slot = slots(self.geometry)[(superblock.sequence % 2) as usize];
        live.declare(&[(slot, 1)])?;
        live.write_run(slot, &superblock.encode()[..])?;
        live.seal()?;
        live.sync()?;
        if let Some(log) = &self.log {
            log.shrink_to(LOG_KEEP)?;
        }
        Ok(adler)
    }
}

impl Store {
    /// Writes everything home and seals the picture: afterwards the file alone is the map.
    ///
    /// # Errors
    /// Those of [`Store::commit`]; `Io` and `NoSpace` from below, after which the log still holds
    /// everything committed.
    pub fn checkpoint(&mut self) -> Result<()> {
        let checkpoint = self.prepare_checkpoint()?;
        self.carry_checkpoint(checkpoint)
    }

    /// As [`Store::checkpoint`], whether anything changed or not.
    pub(super) fn write_checkpoint(&mut self) -> Result<()> {
        self.settle_homing()?;
        self.settle_in_flight()?;
        let checkpoint = self.begin_checkpoint(None);
        let checkpoint = self.poisoned(checkpoint)?;
        self.carry_checkpoint(checkpoint)
    }

    fn carry_checkpoint(&mut self, checkpoint: Option<Checkpoint>) -> Result<()> {
        match checkpoint {
            Some(checkpoint) => {
                let outcome = checkpoint.write();
                self.finish_checkpoint(outcome)
            }
            None => Ok(()),
        }
    }

    /// Pages that may be written home ahead of a checkpoint: those whose content the log holds,
    /// durably. `None` where there are too few.
    pub fn prepare_homing(&mut self) -> Option<Homing> {
        let idle = self.in_flight.is_none() && self.checkpoint.is_none() && self.homing.is_none();
        if !idle || self.poison.is_some() {
            return None;
        }
        let live = self.live.clone()?;
        let logged = self.dirty.iter().filter(|(_, dirty)| {
            let as_logged =
                dirty.logged.as_ref().is_some_and(|page| Arc::ptr_eq(page, &dirty.page));
            as_logged && !dirty.changed && !dirty.at_home
        });
        let mut pages: Vec<(u64, Arc<Page>)> =
            logged.map(|(&cluster, dirty)| (cluster, Arc::clone(&dirty.page))).collect();
        if pages.len() < FEW {
            return None;
        }
        order::by_number(&mut pages, |page| page.0);
        let homing = Homing(Arc::new(Pages {
            live,
            pin: self.pin.state(),
            pages,
            outcome: OnceLock::new(),
        }));
        self.homing = Some(homing.clone());
        Some(homing)
    }

    /// Takes note of what became of pages on their way home; must follow every
    /// [`Store::prepare_homing`] that gave some.
    ///
    /// # Errors
    /// The outcome's own, after which the map refuses to be written.
    pub fn finish_homing(&mut self, outcome: Result<()>) -> Result<()> {
        self.poisoned(outcome)?;
        let Some(homing) = self.homing.take() else { return Ok(()) };
        for (cluster, page) in &homing.0.pages {
            if let Some(dirty) = self.dirty.get_mut(cluster)
                && Arc::ptr_eq(&dirty.page, page)
            {
                dirty.at_home = true;
            }
        }
        Ok(())
    }

    /// No checkpoint may come before pages that are on their way home: they would arrive after
    /// what it wrote, or where by then something else is.
    fn settle_homing(&mut self) -> Result<()> {
        match self.homing.clone() {
            Some(homing) => {
                let outcome = homing.write();
                self.finish_homing(outcome)
            }
            None => Ok(()),
        }
    }

    /// Seals everything changed so far into a checkpoint. `None` when there is nothing to do.
    ///
    /// # Errors
    /// As [`Store::prepare`].
    pub fn prepare_checkpoint(&mut self) -> Result<Option<Checkpoint>> {
        self.settle_homing()?;
        let transaction = self.prepare()?;
        if self.log.is_none() {
            let pages = self.finish_pages();
            self.poisoned(pages)?;
            self.data_unsynced = false;
        }
        if self.dirty.is_empty() && self.superblock.state == self.state {
            return Ok(None);
        }
        let checkpoint = self.begin_checkpoint(transaction);
        self.poisoned(checkpoint)
    }

    fn begin_checkpoint(&mut self, transaction: Option<Prepared>) -> Result<Option<Checkpoint>> {
        let Some(live) = self.live.clone() else { return Ok(None) };
        let page = |(&cluster, dirty): (&u64, &super::store::DirtyPage)| {
            (cluster, Arc::clone(&dirty.page), dirty.at_home)
        };
        let mut dirty: Vec<(u64, Arc<Page>, bool)> = self.dirty.iter().map(page).collect();
        order::by_number(&mut dirty, |page| page.0);
        // Pages without a log carry the number of the transaction that this checkpoint is.
        if self.log.is_none() && (self.superblock.state != self.state || !dirty.is_empty()) {
            self.state.generation += 1;
            self.state.modified = nanoseconds(self.clock.now());
        }
        let mut superblock = self.superblock.clone();
        superblock.sequence += 1;
        superblock.state = self.state;
        self.entropy.fill(&mut superblock.log_salt)?;
        let part = |home: bool| {
            let pages = dirty.iter().filter(move |(.., at_home)| *at_home == home);
            pages.map(|(cluster, page, _)| (*cluster, Arc::clone(page))).collect()
        };
        let checkpoint = Checkpoint(Arc::new(Work {
            live,
            pin: self.pin.state(),
            geometry: self.geometry,
            transaction,
            log: self.log.as_ref().map(|log| Arc::clone(&log.file)),
            pages: part(false),
            at_home: part(true),
            superblock,
            outcome: OnceLock::new(),
        }));
        self.checkpoint = Some(checkpoint.clone());
        Ok(Some(checkpoint))
    }

    /// Takes note of what became of a checkpoint; must follow every
    /// [`Store::prepare_checkpoint`] that gave one.
    ///
    /// # Errors
    /// The outcome's own, after which the map refuses to be written.
    pub fn finish_checkpoint(&mut self, outcome: Result<(u16, u16)>) -> Result<()> {
        let adler = self.poisoned(outcome)?;
        let Some(checkpoint) = self.checkpoint.take() else {
            // Somebody needed log or map meanwhile and has taken note already.
            return Ok(());
        };
        let work = &checkpoint.0;
        if let Some(live) = &self.live {
            live.mark_clean();
        }
        self.twin_is_old = self.superblock.state != work.superblock.state;
        // Label and parity may have been set again since, for the next one.
        self.superblock.sequence = work.superblock.sequence;
        self.superblock.state = work.superblock.state;
        self.superblock.log_salt = work.superblock.log_salt;
        self.superblock.adler = adler;
        self.meter.checkpoints.add(1);
        self.clean_pages(work);
        if self.dirty.is_empty() {
            self.end_changes();
        }
        // The log begins anew, and with it what it holds images of.
        self.logged.clear();
        if let Some(log) = &mut self.log {
            log.writer.reset(self.superblock.log_salt);
        }
        self.in_flight = None;
        let freed = std::mem::take(&mut self.quarantine);
        let in_flight = std::mem::take(&mut self.freed_in_flight);
        self.give_back(freed.into_iter().chain(in_flight));
        Ok(())
    }

    /// Pages that are as the checkpoint wrote them are clean. Those that changed since stay
    /// dirty, and the new log has nothing of them.
    fn clean_pages(&mut self, work: &Work) {
        let written: FxHashMap<u64, &Arc<Page>> = work
            .pages
            .iter()
            .chain(&work.at_home)
            .map(|(cluster, page)| (*cluster, page))
            .collect();
        for (cluster, mut dirty) in std::mem::take(&mut self.dirty) {
            if !written.get(&cluster).is_some_and(|page| Arc::ptr_eq(page, &dirty.page)) {
                dirty.logged = None;
                dirty.at_home = false;
                self.dirty.insert(cluster, dirty);
                continue;
            }
            match dirty.kind {
                PageKind::Node => self.nodes.put(cluster, dirty.page),
                PageKind::Table => self.tables.put(cluster, Arc::new(table::trimmed(&dirty.page))),
                PageKind::Data => self.data_pages -= 1,
            }
        }
        // What the running operation would bring back was in the old log, too.
        for (_, before) in self.undo.iter_mut().flat_map(|undo| &mut undo.pages) {
            if let Some(page) = before {
                page.logged = None;
                page.at_home = false;
            }
        }
    }

    /// Takes every committed change off the log and the picture's parity up to date; then the
    /// log may be deleted.
    ///
    /// # Errors
    /// As [`Store::checkpoint`].
    pub fn close(&mut self) -> Result<()> {
        self.break_pin();
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

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;

const _: () = assert!(LOG_KEEP.is_multiple_of(CLUSTER as u64));
