//! Listening, connections, the end.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::connection::Connection;
use super::message::{self, Failure};
use super::methods::Context;
use super::{Host, MAX_CONNECTIONS};
use crate::base::env::{Clock, SystemClock, rfc3339};
use crate::base::{Error, Result};
use crate::map::Map;

/// Connections that wait to be taken.
const BACKLOG: i32 = 16;
/// A client that takes nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// Until the next attempt, when no connection can be taken for want of resources.
const PAUSE: Duration = Duration::from_millis(100);

thread_local! {
    /// Whether this thread serves a client.
    static SERVING: Cell<bool> = const { Cell::new(false) };
}

/// A listening control socket; letting it go stops it.
pub struct Server {
    path: PathBuf,
    stopping: Arc<AtomicBool>,
    /// Closing it wakes the listening thread.
    bell: Mutex<Option<UnixStream>>,
    listening: Mutex<Option<JoinHandle<()>>>,
}

impl Server {
    /// Listens at `path`, which [`place::choose`](super::place::choose) gave, with mode 0600 from
    /// the first moment.
    ///
    /// # Errors
    /// `Io`, `Access` or `NameTooLong` when the socket cannot be made.
    pub fn start(map: Arc<Map>, path: &Path, host: Arc<dyn Host>) -> Result<Server> {
        let named = |error: Error| error.at_path(path.as_os_str().as_encoded_bytes());
        let listener = bind(path).map_err(|error| named(error.into()))?;
        let bound = fs::symlink_metadata(path).map_err(|error| named(error.into()))?;
        let (bell, waker) = UnixStream::pair()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let listening = Listening {
            listener,
            waker,
            stopping: Arc::clone(&stopping),
            context: Arc::new(Context {
                map,
                host,
                since: rfc3339(SystemClock.now()),
                checking: AtomicBool::new(false),
            }),
            served: Vec::new(),
            path: path.to_path_buf(),
            identity: (bound.dev(), bound.ino()),
        };
        let thread = thread::Builder::new().name("control".into()).spawn(|| listening.run())?;
        Ok(Server {
            path: path.to_path_buf(),
            stopping,
            bell: Mutex::new(Some(bell)),
            listening: Mutex::new(Some(thread)),
        })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes no more requests, cancels long operations, lets every answer under way be given,
    /// and removes the socket. From a thread that serves a client it does not wait for the end.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        drop(self.bell.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && !SERVING.get()
        {
            // A panic of that thread was printed; there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A socket at `path` that only its owner may use.
fn bind(path: &Path) -> std::io::Result<UnixListener> {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // Linux gives the file the mode of the socket, so it never has another.
    #[cfg(target_os = "linux")]
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::fs::chmod(path, Mode::RUSR | Mode::WUSR)?;
    rustix::net::listen(&socket, BACKLOG)?;
    let listener = UnixListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Whether the other side is this user or root.
fn is_welcome(stream: &UnixStream) -> bool {
    #[cfg(target_os = "linux")]
    {
        let peer = rustix::net::sockopt::socket_peercred(stream);
        peer.is_ok_and(|peer| peer.uid.is_root() || peer.uid == rustix::process::geteuid())
    }
    #[cfg(not(target_os = "linux"))]
    {
        // The folder and the socket's mode keep others away.
        let _ = stream;
        true
    }
}

/// A client that is being served.
struct Served {
    stream: UnixStream,
    thread: JoinHandle<()>,
}

/// The listening thread.
struct Listening {
    listener: UnixListener,
    waker: UnixStream,
    stopping: Arc<AtomicBool>,
    context: Arc<Context>,
    served: Vec<Served>,
    path: PathBuf,
    identity: (u64, u64),
}

impl Listening {
    fn run(mut self) {
        while !self.stopping.load(Ordering::Acquire) {
            let mut waiting = [
                PollFd::new(&self.listener, PollFlags::IN),
                PollFd::new(&self.waker, PollFlags::IN),
            ];
            match poll(&mut waiting, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => thread::sleep(PAUSE),
            }
            match self.listener.accept() {
                Ok((stream, _)) => self.take(stream),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => thread::sleep(PAUSE),
            }
        }
        let ours = |found: fs::Metadata| (found.dev(), found.ino()) == self.identity;
        if fs::symlink_metadata(&self.path).is_ok_and(ours) {
            // A socket nobody listens on is removed by the next process otherwise.
            let _ = fs::remove_file(&self.path);
        }
        for served in &self.served {
            // Ends its reading; what it is answering it may finish.
            let _ = served.stream.shutdown(std::net::Shutdown::Read);
        }
        for served in self.served {
            let _ = served.thread.join();
        }
    }

    fn take(&mut self, stream: UnixStream) {
        self.served.retain(|served| !served.thread.is_finished());
        let ready =
            stream.set_nonblocking(false).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        if ready.is_err() || !is_welcome(&stream) {
            return;
        }
        if self.served.len() >= MAX_CONNECTIONS {
            refuse(stream, Failure::too_many_connections());
            return;
        }
        let Ok(other) = stream.try_clone() else { return };
        let connection = Connection::new(stream, &self.context, &self.stopping);
        let spawned = thread::Builder::new().name("control client".into()).spawn(move || {
            SERVING.set(true);
            if let Ok(connection) = connection {
                connection.serve();
            }
        });
        if let Ok(thread) = spawned {
            self.served.push(Served { stream: other, thread });
        }
    }
}

fn refuse(mut stream: UnixStream, failure: Failure) {
    use std::io::Write;
    let line = message::line(&message::answer(&serde_json::Value::Null, Err(failure)));
    // Whoever does not wait for the reason does not need it.
    let _ = stream.write_all(&line);
}
