//! Layer 9: the mount. A POSIX filesystem for every program, over a [`crate::map::Map`].
//!
//! * [`program`], [`arguments`], [`options`]: the command line;
//! * [`session`]: from a path to a served mount and back, [`daemon`]: in the background;
//! * [`surface`]: what the kernel asks, one short method each; what they do stands in
//!   [`names`], [`data`], [`attributes`], [`extended`], [`listing`];
//! * [`acl`]: POSIX access control lists;
//! * [`state`]: whether the mount may still be written, and why not;
//! * [`kernel`]: what is told to the kernel unasked;
//! * [`background`], [`maintenance`]: what happens while nobody asks for anything;
//! * [`host`]: what the control socket needs from a mount;
//! * [`mounts`]: mount points as the kernel lists them.
//!
//! The kernel checks permissions (`default_permissions`), resolves paths, keeps pages and gives
//! locks. Nobody else changes the map, so what it was told stays true until it is told otherwise:
//! names and attributes have no expiry, files are opened without asking us. A
//! looked-up inode is held until the kernel forgets it, which is what keeps an unlinked file that
//! is still open alive.

pub mod acl;
pub mod arguments;
mod attributes;
mod background;
mod daemon;
mod data;
mod extended;
mod host;
mod kernel;
mod listing;
mod maintenance;
pub mod mounts;
mod names;
pub mod options;
pub mod program;
mod session;
mod state;
mod surface;
mod unmount;
