//! Parity: two of the 32 clusters of every stripe, computed from the other thirty.
//!
//! A stripe's data members count with their stored bytes when their record says they hold file
//! data or a node, and as zeros otherwise: free clusters, pages of the table (which hold the
//! parity's own checksums) and superblocks (of which there are two). A page of the table carries
//! a stale mark from the first change of one of its records until parity is computed again.

use rustc_hash::FxHashSet;

use super::store::Store;
use crate::base::Result;
use crate::base::checksum::crc32;
use crate::base::limits::CLUSTER;
use crate::base::order;
use crate::codec::parity::{self, Cluster, DATA, PARITY};
use crate::vat::page as table;
use crate::vat::{Kind, Record};

/// Stripes of a sheet whose parity is known to be stale.
#[derive(Clone, Debug)]
pub enum StaleStripes {
    /// The sheet was stale when the map was opened: any of them.
    All,
    Some(FxHashSet<u32>),
}

impl Store {
    /// Notes, before the first change of a record, which stripe it makes stale.
    pub(super) fn mark_stale(&mut self, cluster: u64) {
        let sheet = self.geometry.sheet_of(cluster);
        if !self.stale_stripes.contains_key(&sheet) {
            let stale = self.sheet_is_stale(sheet).unwrap_or(true);
            let stripes =
                if stale { StaleStripes::All } else { StaleStripes::Some(FxHashSet::default()) };
            self.stale_stripes.insert(sheet, stripes);
        }
        if let Some(StaleStripes::Some(stripes)) = self.stale_stripes.get_mut(&sheet) {
            stripes.insert(self.geometry.stripe_of(self.geometry.index_in_sheet(cluster)));
        }
    }

    /// Whether any page of a sheet's table carries the stale mark.
    ///
    /// # Errors
    /// As [`Store::table_page`].
    pub fn sheet_is_stale(&self, sheet: u32) -> Result<bool> {
        let base = self.geometry.cluster(sheet, 0);
        for page in base..base + u64::from(self.geometry.vat_pages()) {
            if table::parity_is_stale(&*self.table_page(page)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Computes the parity of every stale stripe and clears the marks. The map must have been
    /// checkpointed: parity is about what is in the clusters.
    ///
    /// # Errors
    /// `Corrupt` when a member does not match its record: its stripe then keeps the parity that
    /// may still heal it, and the sheet keeps its mark. `Io`, `NoSpace`.
    pub(super) fn refresh_parity(&mut self) -> Result<()> {
        for sheet in 0..self.geometry.sheets() {
            if !self.sheet_is_stale(sheet)? {
                continue;
            }
            let stripes: Vec<u32> = match self.stale_stripes.get(&sheet) {
                Some(StaleStripes::Some(stripes)) => {
                    let mut stripes: Vec<u32> = stripes.iter().copied().collect();
                    stripes.sort_unstable();
                    stripes
                }
                _ => (0..self.geometry.stripes()).collect(),
            };
            if self.refresh_sheet(sheet, &stripes)? {
                self.clear_stale(sheet)?;
            }
            self.stale_stripes.remove(&sheet);
        }
        Ok(())
    }

    /// Returns whether every stripe could be computed.
    fn refresh_sheet(&mut self, sheet: u32, stripes: &[u32]) -> Result<bool> {
        let Some(live) = self.live.clone() else { return Ok(false) };
        let loaded = SheetBytes::load(self, sheet, stripes.len())?;
        let mut whole = true;
        let mut writes: Vec<(u64, Cluster)> = Vec::new();
        for &stripe in stripes {
            let Some(parity) = self.stripe_parity(sheet, stripe, &loaded)? else {
                whole = false;
                continue;
            };
            let members = self.geometry.stripe_members(stripe);
            for (index, bytes) in members[DATA..].iter().zip(parity) {
                writes.push((self.geometry.cluster(sheet, *index), bytes));
            }
        }
        let mut changed = Vec::new();
        for (cluster, bytes) in &writes {
            let record = self.record(*cluster)?;
            let crc = crc32(&bytes[..]);
            let never_written = record.crc == 0 && bytes.iter().all(|&byte| byte == 0);
            let next = Record { kind: Kind::Parity, crc, ..record };
            if record == next || never_written && crc == record.crc {
                continue;
            }
            if let Some(place) = table::place(&self.geometry, *cluster) {
                let page = self.page_mut(place.page, super::store::PageKind::Table)?;
                table::write_quietly(page, place.offset, next);
            }
            changed.push((*cluster, &bytes[..]));
        }
        order::by_number(&mut changed, |change| change.0);
        let runs: Vec<(u64, u32)> = changed.iter().map(|(cluster, _)| (*cluster, 1)).collect();
        self.declare(&runs)?;
        self.data_unsynced |= !changed.is_empty();
        let written = live.write_many(&changed);
        self.medium_failure(written)?;
        Ok(whole)
    }

    fn clear_stale(&mut self, sheet: u32) -> Result<()> {
        let base = self.geometry.cluster(sheet, 0);
        for page in base..base + u64::from(self.geometry.vat_pages()) {
            if table::parity_is_stale(&*self.table_page(page)?) {
                let page = self.page_mut(page, super::store::PageKind::Table)?;
                table::set_parity_stale(page, false);
            }
        }
        Ok(())
    }

    /// The parity of one stripe, `None` when a member is damaged.
    fn stripe_parity(
        &self,
        sheet: u32,
        stripe: u32,
        loaded: &SheetBytes,
    ) -> Result<Option<[Cluster; PARITY]>> {
        let members = self.geometry.stripe_members(stripe);
        let mut data: Vec<Option<Box<Cluster>>> = Vec::with_capacity(DATA);
        for &index in &members[..DATA] {
            match self.member(self.geometry.cluster(sheet, index), index, loaded) {
                Ok(bytes) => data.push(bytes),
                Err(error) if error.code() == crate::base::Code::Corrupt => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(parity::encode(&std::array::from_fn(|at| data[at].as_deref()))))
    }

    /// What a data member counts as: its verified bytes, or `None` for zeros.
    fn member(
        &self,
        cluster: u64,
        index: u32,
        loaded: &SheetBytes,
    ) -> Result<Option<Box<Cluster>>> {
        if table::is_page(&self.geometry, cluster) {
            return Ok(None);
        }
        let record = self.record(cluster)?;
        if !matches!(record.kind, Kind::Node | Kind::Raw | Kind::Zstd | Kind::Tail) {
            return Ok(None);
        }
        let mut bytes = Box::new([0; CLUSTER]);
        match loaded.get(index) {
            Some(stored) => {
                bytes.copy_from_slice(stored);
                let found = crc32(&bytes[..]);
                if found != record.crc {
                    return Err(crate::base::Error::checksum(cluster, record.crc, found));
                }
            }
            None => self.read_verified(cluster, &mut bytes[..], &[record])?,
        }
        Ok(Some(bytes))
    }

    /// Whether a stripe's stored parity is what its members give. `None` when a member or the
    /// parity itself does not match its record, which is found and told elsewhere.
    ///
    /// # Errors
    /// `Io`, and `Corrupt` from pages of the table.
    pub fn check_stripe(&self, sheet: u32, stripe: u32) -> Result<Option<bool>> {
        let nothing = SheetBytes(None);
        let Some(parity) = self.stripe_parity(sheet, stripe, &nothing)? else {
            return Ok(None);
        };
        let members = self.geometry.stripe_members(stripe);
        for (&index, expected) in members[DATA..].iter().zip(parity) {
            let cluster = self.geometry.cluster(sheet, index);
            let record = self.record(cluster)?;
            let mut stored = [0; CLUSTER];
            self.clusters.read_run(cluster, &mut stored)?;
            let zero = record.crc == 0 && stored.iter().all(|&byte| byte == 0);
            if !zero && crc32(&stored) != record.crc {
                return Ok(None);
            }
            if stored != expected {
                return Ok(Some(false));
            }
        }
        Ok(Some(true))
    }
}

/// The stored bytes of a whole sheet, when enough of it is wanted to read it in one go and it is
/// small enough to hold.
struct SheetBytes(Option<Vec<u8>>);

/// Largest sheet held in memory: 16 MiB, the sheet of a picture 2048 pixels wide.
const SHEET_LIMIT: usize = 16 << 20;

impl SheetBytes {
    fn load(store: &Store, sheet: u32, stripes: usize) -> Result<SheetBytes> {
        let clusters = store.geometry.sheet_clusters() as usize;
        if clusters * CLUSTER > SHEET_LIMIT || stripes * 4 < store.geometry.stripes() as usize {
            return Ok(SheetBytes(None));
        }
        let mut bytes = vec![0; clusters * CLUSTER];
        store.clusters.read_run(store.geometry.cluster(sheet, 0), &mut bytes)?;
        Ok(SheetBytes(Some(bytes)))
    }

    fn get(&self, index: u32) -> Option<&[u8]> {
        let at = index as usize * CLUSTER;
        self.0.as_ref().map(|bytes| &bytes[at..at + CLUSTER])
    }
}
