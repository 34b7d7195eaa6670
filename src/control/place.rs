//! Where control sockets lie: `$XDG_RUNTIME_DIR/aetherflow/`, else `/run/aetherflow/` for root,
//! else `/tmp/aetherflow-UID/`; each named `PID.sock`.
//!
//! The folder is its owner's alone, which is what keeps others away where a system asks nobody
//! for a socket's own permissions.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::base::{Code, Error, Result};

/// The folder this user's sockets lie in, whether it is there or not.
pub fn directory() -> PathBuf {
    let user = rustix::process::geteuid();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| {
        // Under sudo it may be that of another user.
        let own = |found: Metadata| found.is_dir() && found.uid() == user.as_raw();
        path.is_absolute() && fs::metadata(path).is_ok_and(own)
    });
    match runtime {
        Some(path) => path.join("aetherflow"),
        None if user.is_root() => PathBuf::from("/run/aetherflow"),
        None => PathBuf::from(format!("/tmp/aetherflow-{}", user.as_raw())),
    }
}

/// Where this process listens: makes the folder, or finds it safe, removes the sockets that dead
/// processes left there, and names the file. To be called before the map's lock is taken, which
/// names the socket too.
///
/// # Errors
/// `Access` for a folder that belongs to somebody else or is none; `Io`.
pub fn choose() -> Result<PathBuf> {
    choose_in(&directory())
}

/// As [`choose`], in a folder of the caller's choice.
///
/// # Errors
/// As [`choose`].
pub fn choose_in(directory: &Path) -> Result<PathBuf> {
    prepare(directory)?;
    remove_stale(directory);
    let pid = std::process::id();
    let names = std::iter::once(format!("{pid}.sock"));
    let mut names = names.chain((2..).map(|number| format!("{pid}-{number}.sock")));
    let free = names.find_map(|name| {
        let path = directory.join(name);
        fs::symlink_metadata(&path).is_err().then_some(path)
    });
    free.ok_or_else(|| Error::new(Code::Busy, "no name for a control socket is free"))
}

/// The sockets in this user's folder, in order of their names. Whether anybody listens there is
/// not known.
pub fn sockets() -> Vec<PathBuf> {
    sockets_in(&directory())
}

/// As [`sockets`], in a folder of the caller's choice.
pub fn sockets_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut sockets: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension() == Some(OsStr::new("sock")))
        .filter(|path| fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()))
        .collect();
    sockets.sort();
    sockets
}

fn at(error: std::io::Error, path: &Path) -> Error {
    Error::from(error).at_path(path.as_os_str().as_encoded_bytes())
}

/// Makes the folder with mode 0700, or finds that it is so.
fn prepare(directory: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(at(error, directory)),
        _ => {}
    }
    let refused = |what: &str| {
        let path = directory.as_os_str().as_encoded_bytes();
        Err(Error::new(Code::Access, format!("the folder for control sockets {what}"))
            .at_path(path))
    };
    let found = fs::symlink_metadata(directory).map_err(|error| at(error, directory))?;
    if !found.is_dir() {
        return refused("is a link or a file");
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return refused("belongs to another user");
    }
    if found.mode() & 0o777 != 0o700 {
        // It is ours, so nobody else can put another in its place where its parent is safe.
        fs::set_permissions(directory, Permissions::from_mode(0o700))
            .map_err(|error| at(error, directory))?;
    }
    Ok(())
}

/// Removes sockets whose process is gone and on which nobody listens.
fn remove_stale(directory: &Path) {
    for path in sockets_in(directory) {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
        let pid = name.as_deref().and_then(|name| name.split('-').next()?.parse::<u32>().ok());
        let Some(pid) = pid else { continue };
        // A number may be given again: ours is certainly not used by another process.
        let gone = pid == std::process::id() || !is_running(pid);
        if gone && is_silent(&path) {
            // What cannot be removed is tried again by the next process.
            let _ = fs::remove_file(&path);
        }
    }
}

fn is_running(pid: u32) -> bool {
    use rustix::process::{Pid, test_kill_process};
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

fn is_silent(path: &Path) -> bool {
    let refused = |error: std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
    UnixStream::connect(path).is_err_and(refused)
}
