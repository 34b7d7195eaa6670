//! One state of the map and its owners, read and read again as it changes.

use super::index::{Index, Walk};
use crate::base::Result;
use crate::commit::watch::Moment;
use crate::fs::{Fs, View};

/// Files that are not worth showing before the rest.
const FEW: usize = 256;

/// A state and the owners of its clusters, as far as they are known.
pub struct Owned {
    pub view: View,
    pub index: Option<Index>,
    /// The index is that of a walk that came to its end.
    whole: bool,
    /// Changes of nodes when the walk that found them began.
    at: u64,
    /// The next walk, and when it began.
    walk: Option<(Walk, u64)>,
}

impl Owned {
    pub fn new(view: View) -> Owned {
        Owned { view, index: None, whole: false, at: 0, walk: None }
    }

    /// The owners of a walk that came to its end: what they do not name belongs to nobody.
    pub fn whole(&self) -> Option<&Index> {
        self.index.as_ref().filter(|_| self.whole)
    }

    /// Whether the owners are those of a moment.
    pub fn is_settled(&self, moment: Moment) -> bool {
        self.whole && (self.view != View::Head || self.at >= moment.nodes)
    }

    /// Reads on; whether the owners are new. Old ones serve until a walk is over; where there are
    /// none yet, what is known is shown each time it has doubled.
    ///
    /// # Errors
    /// Those of the storage; the next call goes on where this one came to.
    pub fn read_on(&mut self, fs: &Fs, items: u64) -> Result<bool> {
        let began = fs.store().watch.now().nodes;
        let view = self.view;
        let (walk, _) = self.walk.get_or_insert_with(|| (Walk::new(fs, view), began));
        if !walk.step(fs, items)? {
            let known = self.index.as_ref().map_or(FEW, |index| index.files.len());
            let doubled = walk.files() / 2 >= known;
            return Ok(doubled && self.show());
        }
        if let Some((walk, began)) = self.walk.take() {
            self.index = Some(walk.finish());
            self.whole = true;
            self.at = began;
        }
        Ok(true)
    }

    /// Shows what the first walk knows so far; whether it is more than before.
    pub fn show(&mut self) -> bool {
        let known = self.index.as_ref().map_or(0, |index| index.files.len());
        let Some((walk, _)) = &self.walk else { return false };
        if self.whole || walk.files() <= known {
            return false;
        }
        self.index = Some(walk.so_far());
        true
    }

    /// Inodes read, and inodes there are.
    pub fn progress(&self, fs: &Fs, moment: Moment) -> (u64, u64) {
        match &self.walk {
            Some((walk, _)) => (walk.done.min(walk.total), walk.total),
            None => {
                let total = Walk::new(fs, self.view).total;
                (if self.is_settled(moment) { total } else { 0 }, total)
            }
        }
    }
}
