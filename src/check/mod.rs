//! Layer 7: looks at every structure of a map and says what is wrong, where, whom it concerns
//! and what to do. Changes nothing.
//!
//! * `medium`: superblocks, the table, and every cluster with its checksum, in file order, with
//!   the skeleton of the picture in the same pass;
//! * `trees`: every node and item of every tree, and who references what;
//! * `names`: inodes, names, links and directories against each other;
//! * `report`: the kinds of problems.
//!
//! Rules: no panic and no endless loop on any content; memory grows with the clusters in use
//! (12 bytes each), the directories (16 bytes each) and a bounded window of inodes, never with
//! the size of what is stored. Damage is told once, at the structure that has it; what follows
//! from it (an inode that was in a lost node) is told with the path it concerns.

mod medium;
mod names;
mod report;
pub mod scrub;
mod trees;

pub use report::{KINDS, MAX_PROBLEMS, Problem, Report, Severity};

use crate::base::{Code, Error, Result};
use crate::fs::{Fs, View};
use report::Findings;

/// What to check beyond the usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Decode every compressed frame with two independent decoders, compute parity anew and
    /// compare, and check names and links of every snapshot, not only of the present.
    pub deep: bool,
}

/// Told about progress in clusters: how many are done, of how many; `false` ends the check.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64) -> bool;

/// What all parts of a check share.
struct Check<'a, 'p> {
    fs: &'a Fs,
    options: VerifyOptions,
    report: Report,
    findings: Findings,
    progress: Progress<'p>,
    done: u64,
    total: u64,
    told: u64,
}

impl Check<'_, '_> {
    /// Counts clusters as done and asks, now and then, whether to go on.
    fn step(&mut self, clusters: u64) -> Result<()> {
        const INTERVAL: u64 = 512;
        self.done = (self.done + clusters).min(self.total);
        if self.done - self.told >= INTERVAL || self.done == self.total {
            self.tell()?;
        }
        Ok(())
    }

    fn tell(&mut self) -> Result<()> {
        self.told = self.done;
        if (self.progress)(self.done, self.total) {
            Ok(())
        } else {
            Err(Error::new(Code::Cancelled, "the check was cancelled"))
        }
    }
}

/// Checks a whole map. Buffered writes are not looked at, and the picture's skeleton only when
/// the map is settled: checkpoint a map that is being written first.
///
/// # Errors
/// `Busy` during an import, `Cancelled`. Damage is not an error but in the report.
pub fn verify(fs: &Fs, options: VerifyOptions, progress: Progress<'_>) -> Result<Report> {
    if fs.is_importing() {
        return Err(Error::new(Code::Busy, "an import is under way; check when it has ended"));
    }
    let mut check = Check {
        fs,
        options,
        report: Report::default(),
        findings: Findings::default(),
        progress,
        done: 0,
        total: fs.store().geometry().clusters(),
        told: 0,
    };
    check.superblocks();
    let table = check.table();
    check.total += table.nodes;
    if options.deep {
        check.total += table.compressed + table.fresh_sheets * u64::from(sheet_clusters(fs));
    }
    check.tell()?;
    let damage = check.medium(&table)?;
    let snapshots = check.trees(damage)?;
    check.names(View::Head, None)?;
    if options.deep {
        for snapshot in &snapshots {
            check.names(snapshot.view(), Some(&snapshot.name))?;
        }
        check.parity()?;
    }
    check.done = check.total;
    check.tell()?;
    let Check { mut report, findings, .. } = check;
    findings.finish(&mut report);
    Ok(report)
}

fn sheet_clusters(fs: &Fs) -> u32 {
    fs.store().geometry().sheet_clusters()
}
