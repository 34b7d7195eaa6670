//! Layer 9: the control socket of a map in use.
//!
//! Whoever holds a map open for a long time, as a mount does, answers questions about it and
//! takes orders over a Unix socket: JSON lines, one object a line. `docs/CONTROL.md` has the
//! protocol.
//!
//! * [`place`]: where sockets lie, and which of them are left over;
//! * [`server`]: listening, connections, the end;
//! * `connection`: one client's requests, its one long operation and its cancelling;
//! * `methods`: what each method does;
//! * `message`: lines and their limits;
//! * [`client`]: the other side.
//!
//! Rules:
//! - Only the owner of the process and root get an answer.
//! - Nothing a client sends, and nothing it fails to read, holds up the filesystem: no lock of
//!   the map is held while a line is read or written.
//! - A change that was answered is durable.

pub mod client;
mod connection;
mod message;
mod methods;
pub mod place;
pub mod server;

pub use client::Client;
pub use server::Server;

use std::path::{Path, PathBuf};

use serde_json::{Map as Object, Value};

use crate::base::Result;
use crate::fs::View;

/// Version of the protocol, in the first line a client gets.
pub const PROTOCOL: u32 = 1;
/// Longest line of a request, in bytes.
pub const MAX_REQUEST: usize = 1 << 20;
/// Clients served at once.
pub const MAX_CONNECTIONS: usize = 16;

/// What holds the map open, as the control socket sees it.
pub trait Host: Send + Sync + 'static {
    /// Absolute path of the map's file.
    fn map_path(&self) -> &Path;

    /// Where it is mounted, if it is.
    fn mount_point(&self) -> Option<PathBuf> {
        None
    }

    /// What the mount shows.
    fn view(&self) -> View {
        View::Head
    }

    /// Why nothing may be changed, where that is so.
    fn read_only(&self) -> Option<String> {
        None
    }

    /// Further members of `status`; they replace those of the same name.
    fn status(&self) -> Object<String, Value> {
        Object::new()
    }

    /// Counters of requests, for `stats`.
    fn requests(&self) -> Value {
        Value::Null
    }

    /// Hands everything that was written above the map, such as dirty pages of the kernel, to it.
    /// Called without any lock before what must hold all writes so far: a sync, a checkpoint, a
    /// snapshot, a compression.
    ///
    /// # Errors
    /// Those of the writes.
    fn before(&self) -> Result<()> {
        Ok(())
    }

    /// The tree was replaced by another: what is cached above the map may be out of date. The
    /// tree `before` is still there to compare with.
    fn content_replaced(&self, _before: View) {}

    /// Ends the mount; `lazy` when busy files may keep it alive unseen. Must not wait for
    /// [`Server::stop`], since the client still gets its answer.
    ///
    /// # Errors
    /// `Busy` naming who uses it; `Unsupported` where there is no mount.
    fn unmount(&self, lazy: bool) -> Result<()>;
}
