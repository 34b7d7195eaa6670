//! Snapshots: references on the head's root, kept in the catalog.

use super::{Fs, SYSTEM, View};
use crate::base::bytes::{Put, Reader};
use crate::base::limits::MAX_NAME;
use crate::base::{Code, Error, Result};
use crate::commit::{Root, Store};
use crate::tree::edit::{self, Existing};
use crate::tree::{Cursor, Key, item, share};

/// One snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Running number, never given twice.
    pub id: u64,
    pub name: Vec<u8>,
    pub note: Vec<u8>,
    /// Nanoseconds since 1970.
    pub created: i64,
    /// Taken by a rollback, of the state before it.
    pub automatic: bool,
    pub root: Root,
}

impl Snapshot {
    /// The snapshot as something to read from.
    pub fn view(&self) -> View {
        View::Snapshot(self.root)
    }

    /// `created i64, flags u8 (bit 0 automatic), root, name length u8, name, note length u8,
    /// note`.
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_i64(self.created);
        out.put_u8(u8::from(self.automatic));
        self.root.put(&mut out);
        out.put_u8(self.name.len() as u8);
        out.put(&self.name);
        out.put_u8(self.note.len() as u8);
        out.put(&self.note);
        out
    }

    pub(crate) fn decode(id: u64, bytes: &[u8]) -> Result<Snapshot> {
        let mut reader = Reader::new(bytes);
        let created = reader.i64()?;
        let automatic = reader.u8()? & 1 != 0;
        let root = Root::read(&mut reader)?;
        let length = reader.u8()?;
        let name = reader.take(usize::from(length))?.to_vec();
        let length = reader.u8()?;
        let note = reader.take(usize::from(length))?.to_vec();
        Ok(Snapshot { id, name, note, created, automatic, root })
    }
}

fn key(id: u64) -> Key {
    Key::new(SYSTEM, item::SNAPSHOT, id)
}

impl Fs {
    /// All snapshots, oldest first.
    ///
    /// # Errors
    /// `Corrupt`, `Io`.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>> {
        list(&self.store)
    }

    /// The snapshot of that name.
    ///
    /// # Errors
    /// `NotFound`; `Corrupt`, `Io`.
    pub fn snapshot(&self, name: &[u8]) -> Result<Snapshot> {
        self.snapshots()?.into_iter().find(|snapshot| snapshot.name == name).ok_or_else(|| {
            Error::new(Code::NotFound, format!("there is no snapshot '{}'", name.escape_ascii()))
        })
    }

    /// Keeps the present state under a name. Durable with the next sync.
    ///
    /// # Errors
    /// `Exists`, `Invalid` for an empty name or one over 255 bytes (the note likewise),
    /// `TooManyLinks`, `NoSpace`, `ReadOnly`.
    pub fn create_snapshot(&mut self, name: &[u8], note: &[u8]) -> Result<Snapshot> {
        self.flush_all(false)?;
        let created = self.nanoseconds();
        self.store.atomically(|store| add(store, name, note, created, false))
    }

    fn nanoseconds(&self) -> i64 {
        let now = self.now();
        now.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(now.nanos))
    }

    /// Makes the present what a snapshot holds. The state before is kept as an automatic
    /// snapshot, which is returned.
    ///
    /// # Errors
    /// `NotFound`; as [`Fs::create_snapshot`].
    pub fn restore_snapshot(&mut self, name: &[u8]) -> Result<Snapshot> {
        self.flush_all(false)?;
        let snapshot = self.snapshot(name)?;
        let created = self.nanoseconds();
        let taken: Vec<Vec<u8>> = self.snapshots()?.into_iter().map(|other| other.name).collect();
        let kept = self.store.atomically(|store| {
            let mut base = b"before-".to_vec();
            base.extend_from_slice(&name[..name.len().min(200)]);
            let mut own = base.clone();
            let mut number = 2;
            while taken.contains(&own) {
                own = base.clone();
                own.extend_from_slice(format!("-{number}").as_bytes());
                number += 1;
            }
            let kept = add(store, &own, b"the state before a rollback", created, true)?;
            share::share(store, &snapshot.root)?;
            let old = store.state().head;
            store.state_mut().head = snapshot.root;
            share::release(store, &old)?;
            Ok(kept)
        })?;
        self.directory_paths.clear();
        self.orphans.clear();
        self.reap_orphans()?;
        Ok(kept)
    }

    /// Removes a snapshot and frees what only it held.
    ///
    /// # Errors
    /// `NotFound`, `Corrupt` (nothing is removed then), `ReadOnly`.
    pub fn delete_snapshot(&mut self, name: &[u8]) -> Result<()> {
        let snapshot = self.snapshot(name)?;
        self.store.atomically(|store| {
            let mut catalog = store.state().catalog;
            edit::remove(store, &mut catalog, key(snapshot.id))?;
            store.state_mut().catalog = catalog;
            share::release(store, &snapshot.root)
        })?;
        self.commit_if_wasteful()
    }
}

fn list(store: &Store) -> Result<Vec<Snapshot>> {
    let root = store.state().catalog;
    let mut cursor = Cursor::at(store, &root, key(0))?;
    let mut snapshots = Vec::new();
    while let Some(item) = cursor.next_in(key(0))? {
        snapshots.push(Snapshot::decode(item.key.offset, &item)?);
    }
    Ok(snapshots)
}

fn add(
    store: &mut Store,
    name: &[u8],
    note: &[u8],
    created: i64,
    automatic: bool,
) -> Result<Snapshot> {
    if name.is_empty() || name.len() > MAX_NAME || note.len() > MAX_NAME || name.contains(&0) {
        return Err(Error::new(
            Code::Invalid,
            "a snapshot's name has 1 to 255 bytes, its note at most 255",
        ));
    }
    let existing = list(store)?;
    if existing.iter().any(|snapshot| snapshot.name == name) {
        return Err(Error::new(
            Code::Exists,
            format!("there is a snapshot '{}' already", name.escape_ascii()),
        ));
    }
    let root = store.state().head;
    share::share(store, &root)?;
    let id = super::ops::new_object(store)?;
    let snapshot =
        Snapshot { id, name: name.to_vec(), note: note.to_vec(), created, automatic, root };
    let mut catalog = store.state().catalog;
    edit::insert(store, &mut catalog, key(id), &snapshot.encode(), Existing::Refuse)?;
    store.state_mut().catalog = catalog;
    Ok(snapshot)
}
