//! From a path to a served mount, and back to a closed map.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fuser::{Config, MountOption, Session, SessionACL};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::background::Background;
use super::host::MountHost;
use super::kernel::{Kernel, aside};
use super::mounts;
use super::options::{Access, Options};
use super::state::State;
use super::surface::Surface;
use crate::base::{Code, Error, Result};
use crate::codec::frame::LEVEL_FAST;
use crate::container::{Form, detect};
use crate::control::{Server, place};
use crate::fs::View;
use crate::map::{self, Map};
use crate::storage::Storage;
use crate::storage::file::{FileStorage, Mode};
use crate::storage::lockfile::{LockFile, beside};

/// The name others see in the lock file.
const PROGRAM: &str = "aetherflow-fuse";
/// Bytes the kernel reads ahead.
const READ_AHEAD: usize = 1 << 20;

/// A mount that is ready.
pub(super) struct Mounted {
    pub map: PathBuf,
    pub point: PathBuf,
    pub socket: Option<PathBuf>,
    pub read_only: bool,
}

/// Mounts `map` at `point` and serves it until it is unmounted; `ready` is called once it is
/// usable.
///
/// # Errors
/// `Locked` naming the holder, `NotFound`, `NotDirectory`, `Busy` for a directory with a mount of
/// ours, `Access` where mounting is not allowed; those of opening and closing a map.
pub(super) fn serve(
    map: &Path,
    point: &Path,
    options: &Options,
    ready: impl FnOnce(&Mounted),
) -> Result<()> {
    let path = map.canonicalize().map_err(|error| named(error, map))?;
    let point = prepare(point)?;
    // Asking for the room on its disk would lead back to the mount, and hang.
    if path.starts_with(&point) {
        let error = Error::new(Code::Invalid, "the map would lie behind its own mount");
        return Err(error.at_path(path.as_os_str().as_encoded_bytes()));
    }
    let opened = Opened::open(&path, options)?;
    let outcome = opened.mount(&point, options, ready);
    let closed = opened.close();
    outcome.and(closed)
}

fn named(error: io::Error, path: &Path) -> Error {
    Error::from(error).at_path(path.as_os_str().as_encoded_bytes())
}

/// The absolute path of a directory that can be mounted on. A dead mount there is taken away.
fn prepare(point: &Path) -> Result<PathBuf> {
    let absolute = mounts::absolute(point).map_err(|error| named(error, point))?;
    // One may lie over another.
    const STACKED: usize = 16;
    for _ in 0..STACKED {
        if mounts::answers(&absolute) {
            break;
        }
        log::warn!("{}: the process that served it is gone; detached", absolute.display());
        mounts::unmount(&absolute, true).map_err(|error| named(error, point))?;
    }
    let absolute = absolute.canonicalize().map_err(|error| named(error, point))?;
    if !fs::metadata(&absolute).map_err(|error| named(error, point))?.is_dir() {
        let error = Error::new(Code::NotDirectory, "a mount point is a directory");
        return Err(error.at_path(point.as_os_str().as_encoded_bytes()));
    }
    if let Ok(Some(mount)) = mounts::at(&absolute) {
        let sentence = format!("{} is mounted there already", mount.map.display());
        return Err(
            Error::new(Code::Busy, sentence).at_path(absolute.as_os_str().as_encoded_bytes())
        );
    }
    Ok(absolute)
}

/// An open map with all that belongs to it.
struct Opened {
    map: Arc<Map>,
    path: PathBuf,
    log: Option<PathBuf>,
    /// Where the control socket is to be.
    socket: PathBuf,
    view: View,
    read_only: bool,
    /// Held until everything else is closed.
    _lock: Option<LockFile>,
}

impl Opened {
    fn open(path: &Path, options: &Options) -> Result<Opened> {
        let read_only = options.read_only || options.snapshot.is_some();
        let mode = if read_only { "r" } else { "r+" };
        let socket = place::choose()?;
        let lock = match LockFile::acquire(path, PROGRAM, mode, socket.to_str()) {
            Ok(lock) => Some(lock),
            // Media nobody can write need no lock.
            Err(error) if read_only && matches!(error.code(), Code::ReadOnly | Code::Access) => {
                None
            }
            Err(error) => return Err(error),
        };
        let log_path = beside(path, "-wal");
        let storage_mode = if read_only { Mode::Read } else { Mode::Write };
        let storage = Arc::new(FileStorage::open(path, storage_mode)?) as Arc<dyn Storage>;
        let located = |error: Error| error.at_path(path.as_os_str().as_encoded_bytes());
        // What is no map that can be written leaves no log behind.
        let log = match detect(&*storage).map_err(located)? {
            Form::Live(_) => open_log(&log_path, read_only)?,
            Form::Packed | Form::Foreign => None,
        };
        let settings = map::Options { cache_bytes: options.cache, ..map::Options::default() };
        let map = Map::open_on(storage, log, !read_only, &settings).map_err(located)?;
        // Idle time compresses better; whoever writes should not have to wait for it.
        map.write(|fs| {
            fs.limit_level(LEVEL_FAST);
            fs.favour_blocks();
        });
        let view = match &options.snapshot {
            Some(name) => map.read(|fs| fs.snapshot(name.as_bytes()))?.view(),
            None => View::Head,
        };
        Ok(Opened {
            map: Arc::new(map),
            path: path.to_path_buf(),
            log: (!read_only).then_some(log_path),
            socket,
            view,
            read_only,
            _lock: lock,
        })
    }

    fn mount(&self, point: &Path, options: &Options, ready: impl FnOnce(&Mounted)) -> Result<()> {
        let state = Arc::new(State::new(self.read_only));
        let kernel = Arc::new(Kernel::default());
        let aside = aside().map_err(|error| named(error, point))?;
        let surface = Surface {
            map: Arc::clone(&self.map),
            path: self.path.clone(),
            view: self.view,
            unchanging: self.read_only,
            times_are_told: options.access != Access::Owner || rustix::process::geteuid().is_root(),
            state: Arc::clone(&state),
            kernel: Arc::clone(&kernel),
            aside,
            options: options.clone(),
        };
        let config = configuration(&self.path, options, self.read_only);
        let session =
            Session::new(surface, point, &config).map_err(|error| explain(error, point))?;
        kernel.attach(session.notifier()).map_err(|error| named(error, point))?;
        if let Ok(Some(mount)) = mounts::at(point) {
            mounts::read_ahead(&mount, READ_AHEAD);
        }
        let host = MountHost {
            map: Arc::clone(&self.map),
            path: self.path.clone(),
            point: point.to_path_buf(),
            view: self.view,
            state: Arc::clone(&state),
            kernel: Arc::clone(&kernel),
            options: options.clone(),
        };
        let server = Server::start(Arc::clone(&self.map), &self.socket, Arc::new(host))?;
        let background =
            Background::start(Arc::clone(&self.map), Arc::clone(&state), options, self.read_only);
        let watch = watch_signals(Arc::clone(&self.map), point.to_path_buf())
            .map_err(|error| named(error, point))?;
        ready(&Mounted {
            map: self.path.clone(),
            point: point.to_path_buf(),
            socket: Some(self.socket.clone()),
            read_only: self.read_only,
        });
        let outcome = session.run();
        kernel.detach();
        server.stop();
        watch.close();
        background.stop();
        outcome.map_err(|error| named(error, point))
    }

    /// Writes everything home; the file alone is the map then.
    fn close(self) -> Result<()> {
        if self.read_only {
            return Ok(());
        }
        self.map.close().inspect_err(|error| {
            log::error!("the map could not be closed ({error}); the next mount recovers it");
        })?;
        if let Some(log) = &self.log {
            fs::remove_file(log).map_err(|error| named(error, log))?;
            sync_directory(log)?;
        }
        Ok(())
    }
}

/// The log beside a map; a new one's name is made durable before anything is entrusted to it.
fn open_log(path: &Path, read_only: bool) -> Result<Option<Arc<dyn Storage>>> {
    let exists = path.exists();
    if read_only {
        let open = || FileStorage::open(path, Mode::Read);
        return Ok(if exists { Some(Arc::new(open()?)) } else { None });
    }
    let mode = if exists { Mode::Write } else { Mode::CreateNew };
    let log = FileStorage::open(path, mode)?;
    sync_directory(path)?;
    Ok(Some(Arc::new(log)))
}

fn sync_directory(path: &Path) -> Result<()> {
    let Some(directory) = path.parent() else { return Ok(()) };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| named(error, directory))
}

fn configuration(path: &Path, options: &Options, read_only: bool) -> Config {
    let mut config = Config::default();
    let flags = [
        (read_only, MountOption::RO),
        (options.devices, MountOption::Dev),
        (options.set_uid, MountOption::Suid),
        (options.no_exec, MountOption::NoExec),
        (options.sync, MountOption::Sync),
    ];
    config.mount_options = vec![
        MountOption::FSName(path.to_string_lossy().into_owned()),
        MountOption::CUSTOM("subtype=aetherflow".to_owned()),
        // Access times are not kept.
        MountOption::NoAtime,
    ];
    if options.checks_permissions() {
        config.mount_options.push(MountOption::DefaultPermissions);
    }
    config.mount_options.extend(flags.into_iter().filter(|(on, _)| *on).map(|(_, flag)| flag));
    config.acl = match options.access {
        Access::Owner => SessionACL::Owner,
        Access::Root => SessionACL::RootAndOwner,
        Access::Everybody => SessionACL::All,
    };
    config.n_threads = Some(options.threads.unwrap_or_else(default_threads));
    config.clone_fd = true;
    config
}

fn default_threads() -> usize {
    // One more than processors, for one of them waits for the disk; on a single processor each
    // further thread only costs changes between them.
    match std::thread::available_parallelism().map_or(2, std::num::NonZero::get) {
        1 => 1,
        cores => (cores + 1).min(8),
    }
}

/// What a failed mount means, and what to do.
fn explain(error: io::Error, point: &Path) -> Error {
    let bytes = point.as_os_str().as_encoded_bytes();
    let device = Path::new("/dev/fuse");
    if !device.exists() {
        let sentence = "this system has no /dev/fuse; as root, 'modprobe fuse' loads it \
                        (a container must be given the device)";
        return Error::new(Code::Unsupported, sentence).at_path(bytes);
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let sentence = "mounting is not allowed; be root, or install fuse3, whose fusermount3 \
                            mounts for users";
            Error::new(Code::Access, sentence).at_path(bytes)
        }
        io::ErrorKind::NotFound => {
            let sentence = "mounting needs root, or fusermount3 of the package fuse3";
            Error::new(Code::Access, sentence).at_path(bytes)
        }
        _ => Error::new(Code::Io, format!("it could not be mounted: {error}")).at_path(bytes),
    }
}

/// SIGTERM and SIGINT unmount. In use, the mount is detached: it vanishes from the tree at once,
/// and ends with its last user; a second signal does not wait for that.
fn watch_signals(map: Arc<Map>, point: PathBuf) -> io::Result<signal_hook::iterator::Handle> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let handle = signals.handle();
    let detached = AtomicBool::new(false);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            if detached.load(Ordering::Relaxed) {
                log::warn!("ending although files are open");
                let closed = map.close();
                if let Err(error) = &closed {
                    log::error!("{error}");
                }
                std::process::exit(i32::from(closed.is_err()));
            }
            match mounts::unmount(&point, false) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    let users = mounts::users(&point).join(", ");
                    log::warn!("{} is in use by {users}: detached", point.display());
                    detached.store(true, Ordering::Relaxed);
                    if let Err(error) = mounts::unmount(&point, true) {
                        log::error!("{}: {error}", point.display());
                    }
                }
                Err(error) => log::error!("{}: {error}", point.display()),
            }
        }
    })?;
    Ok(handle)
}
