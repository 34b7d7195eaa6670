//! What the control socket needs from a mount.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map as Object, Value, json};

use super::kernel::{Kernel, known};
use super::mounts;
use super::options::Options;
use super::state::State;
use crate::base::{Code, Error, Result};
use crate::control::Host;
use crate::fs::View;
use crate::map::Map;

/// A mount, as the control socket sees it.
pub(super) struct MountHost {
    pub map: Arc<Map>,
    pub path: PathBuf,
    pub point: PathBuf,
    pub view: View,
    pub state: Arc<State>,
    pub kernel: Arc<Kernel>,
    pub options: Options,
}

impl Host for MountHost {
    fn map_path(&self) -> &Path {
        &self.path
    }

    fn mount_point(&self) -> Option<PathBuf> {
        Some(self.point.clone())
    }

    fn view(&self) -> View {
        self.view
    }

    fn read_only(&self) -> Option<String> {
        if !self.state.is_read_only() {
            return None;
        }
        Some(self.state.reason().unwrap_or_else(|| "mounted read-only".to_owned()))
    }

    fn status(&self) -> Object<String, Value> {
        let maintenance = &self.state.maintenance;
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let members = json!({
            "state": self.state.name(),
            "reason": self.state.reason(),
            "options": self.options.summary(),
            "maintenance": {
                "clustersRead": number(&maintenance.clusters_read),
                "clustersDamaged": number(&maintenance.clusters_damaged),
                "passes": number(&maintenance.passes),
                "filesCompressed": number(&maintenance.files_compressed),
                "bytesSaved": number(&maintenance.bytes_saved),
            },
        });
        match members {
            Value::Object(members) => members,
            _ => Object::new(),
        }
    }

    fn requests(&self) -> Value {
        let requests = &self.state.requests;
        let number = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        json!({
            "lookups": number(&requests.lookups),
            "attributes": number(&requests.attributes),
            "reads": number(&requests.reads),
            "readBytes": number(&requests.read_bytes),
            "writes": number(&requests.writes),
            "writtenBytes": number(&requests.written_bytes),
            "changes": number(&requests.changes),
            "listings": number(&requests.listings),
            "syncs": number(&requests.syncs),
            "errors": number(&requests.errors),
            "inodesHeld": self.map.read(|fs| fs.holds().len()),
        })
    }

    fn before(&self) -> Result<()> {
        let named = |error: std::io::Error| {
            Error::from(error).at_path(self.point.as_os_str().as_encoded_bytes())
        };
        let directory = File::open(&self.point).map_err(named)?;
        rustix::fs::syncfs(&directory).map_err(|error| named(error.into()))?;
        // Of a FUSE mount that only begins the writes (Linux 6.18). Letting go of a file's pages
        // waits for those under way.
        let files: Vec<u64> = self.map.read(|fs| {
            let held = fs.holds().inodes().into_iter();
            held.filter(|&ino| fs.stat(View::Head, ino).is_ok_and(|inode| inode.is_regular()))
                .collect()
        });
        files.into_iter().for_each(|ino| self.kernel.write_back(ino));
        Ok(())
    }

    fn content_replaced(&self, before: View) {
        let (held, was, is) = self.map.read(|fs| {
            let held = fs.holds().inodes();
            let was = known(fs, before, &held);
            let is = known(fs, View::Head, &held);
            (held, was, is)
        });
        match (was, is) {
            (Ok(was), Ok(is)) => self.kernel.replaced(&was, &is, &held),
            (Err(error), _) | (_, Err(error)) => {
                log::error!("the kernel may show what is gone: {error}");
            }
        }
    }

    fn unmount(&self, lazy: bool) -> Result<()> {
        mounts::unmount(&self.point, lazy).map_err(|error| {
            let path = self.point.as_os_str().as_encoded_bytes();
            if error.kind() == std::io::ErrorKind::ResourceBusy {
                let users = mounts::users(&self.point).join(", ");
                return Error::new(Code::Busy, format!("in use by {users}")).at_path(path);
            }
            Error::from(error).at_path(path)
        })
    }
}
