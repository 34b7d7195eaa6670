//! Placement: how important a file is, and where its bytes are.

use std::sync::Arc;

use super::inode::FLAG_PINNED;
use super::rules;
use super::{Fs, View, head};
use crate::base::Result;

impl Fs {
    /// The importance the rules give to a path, without its leading slash.
    pub fn importance_of_path(&self, path: &[u8]) -> u8 {
        rules::importance(&self.settings.rules, &self.settings.defaults, path)
    }

    /// The importance something called `name` gets in a directory.
    pub(super) fn importance_in(&mut self, directory: u64, name: &[u8]) -> Result<u8> {
        const REMEMBERED: usize = 4096;
        let parent = match self.directory_paths.get(&directory) {
            Some(path) => Arc::clone(path),
            None => {
                let path: Arc<[u8]> = self.directory_path(View::Head, directory)?.into();
                if self.directory_paths.len() >= REMEMBERED {
                    self.directory_paths.clear();
                }
                self.directory_paths.insert(directory, Arc::clone(&path));
                path
            }
        };
        let mut path = Vec::with_capacity(parent.len() + 1 + name.len());
        path.extend_from_slice(&parent);
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Ok(self.importance_of_path(&path))
    }

    /// Sets a file's importance by hand, or gives it back to the rules. It decides where data
    /// goes that is written from now on; [`Fs::relocate`] moves what is there.
    ///
    /// # Errors
    /// `NotFound`, `ReadOnly`, `NoSpace`.
    pub fn set_importance(&mut self, ino: u64, importance: Option<u8>) -> Result<()> {
        self.flush(&[ino], false)?;
        let by_rule = match (importance, self.path_of(View::Head, ino)?) {
            (Some(importance), _) => importance,
            (None, Some(path)) => self.importance_of_path(&path),
            (None, None) => rules::DEFAULT_IMPORTANCE,
        };
        self.store.atomically(|store| {
            let mut inode = head::inode(store, &store.state().head, ino)?;
            inode.importance = by_rule;
            inode.flags = match importance {
                Some(_) => inode.flags | FLAG_PINNED,
                None => inode.flags & !FLAG_PINNED,
            };
            head::put_inode(store, ino, &inode)
        })
    }

    /// Rewrites a file's data at the place its importance asks for. Holes and symbols stay.
    ///
    /// # Errors
    /// `NotFound`, `Corrupt` (nothing is moved then), `NoSpace`, `ReadOnly`.
    pub fn relocate(&mut self, ino: u64) -> Result<()> {
        self.flush(&[ino], false)?;
        let inode = self.inode(&self.root_of(View::Head), ino)?;
        self.expect_regular(&inode)?;
        let manner = self.manner(inode.importance, false);
        self.rewrite(ino, manner)?;
        Ok(())
    }
}
