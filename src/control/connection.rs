//! One client: its requests in order, at most one long operation beside them, cancelling.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};

use super::MAX_REQUEST;
use super::message::{self, Failure, Request};
use super::methods::{Context, Long, Method};
use crate::base::{Code, Error};

/// How often progress is told, and whether the client is still there is looked at.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
const CHUNK: usize = 64 << 10;

/// Where lines go.
struct Outlet {
    stream: Mutex<UnixStream>,
    /// Nobody reads any more.
    broken: AtomicBool,
}

impl Outlet {
    /// Sends a line that says how far an operation is, unless its answer came first.
    fn send_progress(&self, value: &Value, answered: &AtomicBool) {
        let stream = self.lock();
        if !answered.load(Ordering::Acquire) {
            self.write(stream, value);
        }
    }

    /// Sends the answer of an operation, which is over from then on.
    fn send_answer(&self, value: &Value, answered: &AtomicBool) {
        let stream = self.lock();
        // Before the client can know of it and begin another.
        answered.store(true, Ordering::Release);
        self.write(stream, value);
    }

    fn send(&self, value: &Value) {
        self.write(self.lock(), value);
    }

    fn lock(&self) -> MutexGuard<'_, UnixStream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, mut stream: MutexGuard<'_, UnixStream>, value: &Value) {
        if !self.is_broken() && stream.write_all(&message::line(value)).is_err() {
            self.broken.store(true, Ordering::Release);
        }
    }

    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }
}

/// What the thread of a long operation and its connection share.
#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    /// The answer was given.
    answered: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
}

/// A long operation under way.
struct Operation {
    id: Value,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
    told: (u64, u64),
}

/// A client.
pub(super) struct Connection {
    stream: UnixStream,
    outlet: Arc<Outlet>,
    context: Arc<Context>,
    stopping: Arc<AtomicBool>,
    operation: Option<Operation>,
    /// The beginning of a line.
    input: Vec<u8>,
}

impl Connection {
    pub fn new(
        stream: UnixStream,
        context: &Arc<Context>,
        stopping: &Arc<AtomicBool>,
    ) -> std::io::Result<Connection> {
        let outlet =
            Outlet { stream: Mutex::new(stream.try_clone()?), broken: AtomicBool::new(false) };
        Ok(Connection {
            stream,
            outlet: Arc::new(outlet),
            context: Arc::clone(context),
            stopping: Arc::clone(stopping),
            operation: None,
            input: Vec::new(),
        })
    }

    /// Serves the client until it goes, or the server stops.
    pub fn serve(mut self) {
        self.tell(&message::hello(&*self.context.host));
        self.listen();
        if let Some(operation) = self.operation.take() {
            operation.shared.cancelled.store(true, Ordering::Release);
            let _ = operation.thread.join();
        }
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    fn listen(&mut self) {
        let mut open = true;
        let mut chunk = vec![0; CHUNK];
        while (open || self.operation.is_some()) && !self.outlet.is_broken() {
            let wanted = if open { PollFlags::IN } else { PollFlags::empty() };
            let mut waiting = [PollFd::new(&self.stream, wanted)];
            let found = match poll(&mut waiting, self.operation.is_some().then_some(&TICK)) {
                Ok(_) => waiting[0].revents(),
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
            };
            if open && found.intersects(PollFlags::IN | PollFlags::HUP) {
                match self.stream.read(&mut chunk) {
                    Ok(0) => open = false,
                    Ok(count) => open = self.take(&chunk[..count]),
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            } else if found.intersects(PollFlags::HUP | PollFlags::ERR) {
                // Gone for good, and not only done with asking.
                return;
            }
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
            self.look_after_operation();
        }
    }

    fn look_after_operation(&mut self) {
        let Some(operation) = &mut self.operation else { return };
        let shared = &operation.shared;
        if shared.answered.load(Ordering::Acquire) {
            if let Some(operation) = self.operation.take() {
                let _ = operation.thread.join();
            }
            return;
        }
        let now = (shared.done.load(Ordering::Relaxed), shared.total.load(Ordering::Relaxed));
        if now != operation.told {
            operation.told = now;
            let line = message::progress(&operation.id, now.0, now.1);
            self.outlet.send_progress(&line, &shared.answered);
        }
    }

    /// Takes bytes; `false` when no more are wanted.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, after) = rest.split_at(end);
            rest = &after[1..];
            if self.input.len() + line.len() > MAX_REQUEST {
                return self.too_long();
            }
            let line = if self.input.is_empty() {
                line.to_vec()
            } else {
                self.input.extend_from_slice(line);
                std::mem::take(&mut self.input)
            };
            self.line(&line);
            if self.outlet.is_broken() || self.stopping.load(Ordering::Acquire) {
                return false;
            }
        }
        if self.input.len() + rest.len() > MAX_REQUEST {
            return self.too_long();
        }
        self.input.extend_from_slice(rest);
        true
    }

    fn too_long(&mut self) -> bool {
        self.input = Vec::new();
        self.tell(&message::answer(&Value::Null, Err(Failure::too_long())));
        false
    }

    fn line(&mut self, line: &[u8]) {
        if line.trim_ascii().is_empty() {
            return;
        }
        match message::parse(line) {
            Ok(request) if request.method == "cancel" => self.cancel(&request),
            Ok(request) => self.run(request),
            Err(failure) => self.tell(&message::answer(&Value::Null, Err(failure))),
        }
    }

    /// Cancels the operation that the params name, which then answers for itself.
    fn cancel(&self, request: &Request) {
        let wanted = request.params.get("id");
        let found = self.operation.as_ref().filter(|operation| Some(&operation.id) == wanted);
        let cancelled = found.is_some_and(|operation| {
            operation.shared.cancelled.store(true, Ordering::Release);
            !operation.shared.answered.load(Ordering::Acquire)
        });
        if !request.id.is_null() {
            let result = json!({ "cancelled": cancelled });
            self.tell(&message::answer(&request.id, Ok(result)));
        }
    }

    fn run(&mut self, request: Request) {
        let outcome = match Method::of(&request.method, request.params) {
            Ok(Method::Short(method)) => method(&self.context),
            Ok(Method::Long(method)) => match self.begin(&request.id, method) {
                Ok(()) => return,
                Err(failure) => Err(failure),
            },
            Err(failure) => Err(failure),
        };
        self.tell(&message::answer(&request.id, outcome));
    }

    /// Runs a long operation in a thread of its own.
    fn begin(&mut self, id: &Value, method: Long) -> Result<(), Failure> {
        self.look_after_operation();
        if self.operation.is_some() {
            let what = "this connection has a long operation under way; cancel it or wait";
            return Err(Error::new(Code::Busy, what).into());
        }
        let shared = Arc::new(Shared::default());
        let (own, context) = (Arc::clone(&shared), Arc::clone(&self.context));
        let (outlet, stopping) = (Arc::clone(&self.outlet), Arc::clone(&self.stopping));
        let number = id.clone();
        let work = move || {
            let mut progress = |done, total| {
                own.done.store(done, Ordering::Relaxed);
                own.total.store(total, Ordering::Relaxed);
                !own.cancelled.load(Ordering::Acquire)
                    && !stopping.load(Ordering::Acquire)
                    && !outlet.is_broken()
            };
            let outcome = method(&context, &mut progress);
            outlet.send_answer(&message::answer(&number, outcome), &own.answered);
        };
        let thread = thread::Builder::new().name("control work".into()).spawn(work);
        let thread = thread.map_err(|error| Failure::from(Error::from(error)))?;
        self.operation = Some(Operation { id: id.clone(), shared, thread, told: (0, 0) });
        Ok(())
    }

    fn tell(&self, value: &Value) {
        self.outlet.send(value);
    }
}
