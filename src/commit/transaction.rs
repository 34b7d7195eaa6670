//! Group commit: all changes so far become durable as one transaction.
//!
//! In two steps, so that readers need not wait for the disk: [`Store::prepare`] builds the
//! transaction under the caller's lock, [`Prepared::write`] carries it to the disk without one,
//! and [`Store::finish`] takes note of the outcome.

use std::sync::{Arc, OnceLock};

use super::store::{PageKind, Store};
use crate::base::bytes::u32_at;
use crate::base::checksum::crc32;
use crate::base::limits::CLUSTER;
use crate::base::{Error, Result};
use crate::container::Live;
use crate::vat::Record;
use crate::vat::page as table;
use crate::wal::{LogFile, Pending};

/// A transaction on its way to the disk. Copies are the same transaction.
#[derive(Clone)]
pub struct Prepared(Arc<Transaction>);

struct Transaction {
    live: Arc<Live>,
    log: Arc<LogFile>,
    pending: Option<Pending>,
    sync_data: bool,
    /// What became of it.
    outcome: OnceLock<Result<()>>,
}

impl Prepared {
    /// Returns once the transaction is durable: its file data first, then its log frames. It is
    /// written once, whoever asks first; others wait for that.
    ///
    /// # Errors
    /// `Io` or `NoSpace` from below.
    pub fn write(&self) -> Result<()> {
        self.0.outcome.get_or_init(|| self.0.carry()).clone()
    }
}

impl Transaction {
    fn carry(&self) -> Result<()> {
        if self.sync_data {
            self.live.sync()?;
        }
        if let Some(pending) = &self.pending {
            self.log.append(pending)?;
            self.log.sync()?;
        }
        Ok(())
    }
}

impl Store {
    /// Seals everything changed since the last commit into a transaction. `None` when the map
    /// keeps no log (the checkpoint then is its only commit) or nothing changed.
    ///
    /// # Errors
    /// `Corrupt` or `Io` while reading pages of the table; `ReadOnly`, `Poisoned`.
    pub fn prepare(&mut self) -> Result<Option<Prepared>> {
        self.settle_in_flight()?;
        self.check_writable()?;
        let Some(live) = self.live.clone() else { return Ok(None) };
        if self.log.is_none() {
            return Ok(None);
        }
        let pages = self.finish_pages();
        let pages = self.poisoned(pages)?;
        if pages.is_empty() && !self.data_unsynced {
            return Ok(None);
        }
        self.state.generation += 1;
        self.state.modified = nanoseconds(self.clock.now());
        let mut root = Vec::with_capacity(256);
        self.state.put(&mut root);
        // A checkpoint will write these pages home, and may be cut short: what it takes to mend
        // the bands it touches travels with the transaction.
        let runs: Vec<(u64, u32)> = pages.iter().map(|&cluster| (cluster, 1)).collect();
        let intents = live.declare(&runs).map(super::checkpoint::intents);
        let intents = self.poisoned(intents)?;
        let Some(log) = &mut self.log else { return Ok(None) };
        log.writer.intents(&intents);
        for cluster in pages {
            let Some(dirty) = self.dirty.get_mut(&cluster) else { continue };
            log.writer.page(cluster, dirty.logged.as_deref(), &dirty.page);
            dirty.logged = Some(Arc::clone(&dirty.page));
            self.logged.insert(cluster);
        }
        log.writer.commit(&root)?;
        let pending = log.writer.take();
        self.meter.commits.add(1);
        self.meter.log_bytes.add(pending.as_ref().map_or(0, |p| p.bytes.len() as u64));
        self.freed_in_flight.append(&mut self.freed);
        let sync_data = std::mem::take(&mut self.data_unsynced);
        let log = Arc::clone(&log.file);
        let outcome = OnceLock::new();
        let prepared = Prepared(Arc::new(Transaction { live, log, pending, sync_data, outcome }));
        self.in_flight = Some(prepared.clone());
        Ok(Some(prepared))
    }

    /// Waits for a transaction or a checkpoint that somebody else is carrying to the disk, or
    /// carries it there.
    /// Whatever is appended to the log, and every checkpoint, must come after it: frames are
    /// valid only behind those they were built behind, and a checkpoint starts a new log.
    ///
    /// # Errors
    /// The transaction's own.
    pub(super) fn settle_in_flight(&mut self) -> Result<()> {
        if let Some(checkpoint) = self.checkpoint.clone() {
            let outcome = checkpoint.write();
            self.finish_checkpoint(outcome)?;
        }
        match self.in_flight.clone() {
            Some(prepared) => {
                let outcome = prepared.write();
                self.finish(outcome)
            }
            None => Ok(()),
        }
    }

    /// Takes note of what became of a transaction; must follow every [`Store::prepare`] before
    /// the next one.
    ///
    /// # Errors
    /// The outcome's own, after which the map refuses to be written.
    pub fn finish(&mut self, outcome: Result<()>) -> Result<()> {
        self.poisoned(outcome)?;
        if self.in_flight.take().is_none() {
            // Somebody needed the log meanwhile and has taken note already.
            return Ok(());
        }
        let freed = std::mem::take(&mut self.freed_in_flight);
        let (in_log, gone): (Vec<_>, Vec<_>) = freed.into_iter().partition(|&(first, count)| {
            (first..first + u64::from(count)).any(|cluster| self.logged.contains(&cluster))
        });
        self.quarantine.extend(in_log);
        self.give_back(gone);
        Ok(())
    }

    /// Prepares, writes and finishes in one go.
    ///
    /// # Errors
    /// Those of the three steps.
    pub fn commit(&mut self) -> Result<()> {
        match self.prepare()? {
            Some(prepared) => {
                let outcome = prepared.write();
                self.finish(outcome)
            }
            None => Ok(()),
        }
    }

    /// Whether the log or the dirty pages have grown so far that a checkpoint is due.
    pub fn checkpoint_due(&self) -> bool {
        self.dirty.len() * CLUSTER > self.budget.dirty || self.log_len() > self.budget.log
    }

    /// Whether they have grown so much further that nothing else may come before it.
    pub fn checkpoint_overdue(&self) -> bool {
        self.dirty.len() * CLUSTER > self.budget.dirty / 2 * 3
            || self.log_len() > self.budget.log / 2 * 3
    }

    /// Gives every changed page its checksums; returns their clusters in ascending order.
    pub(super) fn finish_pages(&mut self) -> Result<Vec<u64>> {
        let mut changed = std::mem::take(&mut self.unlogged);
        changed.retain(|cluster| self.dirty.get(cluster).is_some_and(|page| page.changed));
        changed.sort_unstable();
        changed.dedup();
        let mut sums = Vec::with_capacity(changed.len());
        for &cluster in &changed {
            let generation = self.state.generation + 1;
            let seed = self.seed;
            let Some(dirty) = self.dirty.get_mut(&cluster) else { continue };
            if dirty.kind == PageKind::Table {
                continue;
            }
            if dirty.kind == PageKind::Node {
                stamp_node(Arc::make_mut(&mut dirty.page), seed, cluster, generation);
            }
            sums.push((cluster, crc32(&dirty.page[..])));
        }
        for (cluster, crc) in sums {
            let record = self.record(cluster)?;
            if record.crc != crc {
                self.set_record(cluster, Record { crc, ..record })?;
            }
        }
        // The records have dirtied more pages of the table.
        changed.append(&mut self.unlogged);
        changed.sort_unstable();
        changed.dedup();
        for &cluster in &changed {
            let seed = self.seed;
            let Some(dirty) = self.dirty.get_mut(&cluster) else { continue };
            dirty.changed = false;
            if dirty.kind == PageKind::Table {
                table::finish(seed, cluster, Arc::make_mut(&mut dirty.page));
            }
        }
        Ok(changed)
    }
}

/// Nanoseconds since 1970, saturating.
pub(super) fn nanoseconds(time: crate::base::env::Timestamp) -> i64 {
    time.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(time.nanos))
}

/// The header every node begins with: `crc32 u32` over bytes 4..4096 seeded with the map's seed,
/// then four bytes of the tree's, `cluster u64`, `generation u64`.
fn stamp_node(page: &mut [u8; CLUSTER], seed: u32, cluster: u64, generation: u64) {
    page[8..16].copy_from_slice(&cluster.to_le_bytes());
    page[16..24].copy_from_slice(&generation.to_le_bytes());
    let crc = crate::base::checksum::crc32_continue(seed, &page[4..]);
    page[..4].copy_from_slice(&crc.to_le_bytes());
}

impl Store {
    /// Checks the header that [`stamp_node`] wrote.
    ///
    /// # Errors
    /// `Corrupt` naming both checksums, or the other cluster the node says it belongs to.
    pub(super) fn check_node_header(&self, page: &[u8; CLUSTER], cluster: u64) -> Result<()> {
        let expected = u32_at(page, 0);
        let found = crate::base::checksum::crc32_continue(self.seed, &page[4..]);
        if expected != found {
            return Err(Error::checksum(cluster, expected, found));
        }
        let own = crate::base::bytes::u64_at(page, 8);
        if own != cluster {
            return Err(Error::corrupt(format!("a tree node says it belongs in cluster {own}"))
                .at_cluster(cluster));
        }
        let generation = crate::base::bytes::u64_at(page, 16);
        if generation > self.state.generation {
            // The superblock that knows it is lost, or the log is.
            return Err(Error::corrupt(format!(
                "a tree node is of transaction {generation}, the map's state of {}",
                self.state.generation
            ))
            .at_cluster(cluster));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::env::{Clock, Entropy, Timestamp};
    use crate::commit::open::{Environment, NewMap};
    use crate::commit::store::Budget;
    use crate::storage::Storage;
    use crate::storage::mem::MemStorage;

    struct Counting(std::sync::atomic::AtomicU64);

    impl Clock for Counting {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }
    }

    impl Entropy for Counting {
        fn fill(&self, buf: &mut [u8]) -> Result<()> {
            buf.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) as u8);
            Ok(())
        }
    }

    pub fn environment() -> Environment {
        Environment {
            clock: Arc::new(Counting(0.into())),
            entropy: Arc::new(Counting(0.into())),
            check_node: |_, _| Ok(()),
            budget: Budget::of(1 << 20),
        }
    }

    pub fn node(store: &mut Store) -> u64 {
        store.atomically(Store::new_node).unwrap()
    }

    /// Another thread changes the map while a transaction is on its way to the disk: it commits
    /// on its own, or even writes everything home. The first transaction must not end up behind
    /// the second in the log, nor in a log that has begun anew.
    #[test]
    fn a_transaction_under_way_is_not_overtaken() {
        for checkpoint in [false, true] {
            let map: Arc<dyn Storage> = Arc::new(MemStorage::new());
            let log: Arc<dyn Storage> = Arc::new(MemStorage::new());
            let new = NewMap {
                width: 256,
                uuid: Some([1; 16]),
                parity: false,
                label: Vec::new(),
                first_object: 2,
            };
            let (storage, sidecar) = (Arc::clone(&map), Some(Arc::clone(&log)));
            let mut store = Store::create(storage, sidecar, new, environment()).unwrap();
            store.found().unwrap();
            let mut nodes = vec![node(&mut store)];
            let under_way = store.prepare().unwrap().unwrap();
            nodes.push(node(&mut store));
            if checkpoint { store.checkpoint() } else { store.commit() }.unwrap();
            nodes.push(node(&mut store));
            store.commit().unwrap();
            let outcome = under_way.write();
            store.finish(outcome).unwrap();
            let state = *store.state();
            drop(store);
            let again = Store::open_live(map, Some(log), true, environment()).unwrap();
            assert_eq!(again.state().generation, state.generation, "checkpoint: {checkpoint}");
            for cluster in nodes {
                assert_eq!(again.references(cluster).unwrap(), 1);
                again.node(cluster).unwrap();
            }
        }
    }
}
