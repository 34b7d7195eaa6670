//! Locks between processes: whole files, ranges, waiting, and locks of the dead.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, fcntl_lock, flock};
use rustix::io::Errno;

use crate::ground::Ground;
use crate::process::{has, succeed};
use crate::runner::{Done, Needs, SHORT, Test, skip};

const fn on_any(name: &'static str, body: fn(&Ground) -> Done) -> Test {
    Test { name, needs: Needs::Files, seconds: SHORT, body }
}

pub static TESTS: [Test; 3] = [
    on_any("flock_between_processes", flock_between_processes),
    on_any("record_locks_between_processes", record_locks_between_processes),
    on_any("record_locks_of_ranges", record_locks_of_ranges),
];

type Lock = fn(&File, FlockOperation) -> rustix::io::Result<()>;

fn whole(file: &File, operation: FlockOperation) -> rustix::io::Result<()> {
    flock(file, operation)
}

fn record(file: &File, operation: FlockOperation) -> rustix::io::Result<()> {
    fcntl_lock(file, operation)
}

fn lock_of(name: &str) -> Lock {
    if name == "flock" { whole } else { record }
}

fn open(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap()
}

/// What the other process does: takes the lock, says so, and holds it until told to end.
pub fn helper(kind: &str, arguments: &[&str]) -> ExitCode {
    let [path, mode] = arguments else { return ExitCode::from(2) };
    let file = open(Path::new(path));
    let operation = match *mode {
        "shared" => FlockOperation::LockShared,
        _ => FlockOperation::LockExclusive,
    };
    lock_of(kind)(&file, operation).expect("the other process takes the lock");
    println!("locked");
    drop(std::io::stdin().read(&mut [0]));
    ExitCode::SUCCESS
}

/// Another process that holds a lock.
struct Holder(Child);

impl Holder {
    fn new(kind: &str, path: &Path, mode: &str) -> Holder {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--help-a-test", kind])
            .arg(path)
            .arg(mode)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "locked\n");
        Holder(child)
    }

    /// Lets it end in peace, which lets the lock go.
    fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn between_processes(ground: &Ground, kind: &str) {
    let mounted = ground.mount();
    let path = mounted.path("file");
    let lock = lock_of(kind);
    let file = open(&path);
    let is_busy = |operation| {
        let error = lock(&file, operation).unwrap_err();
        assert!(matches!(error, Errno::AGAIN | Errno::ACCESS), "{error}");
    };
    let free = || lock(&file, FlockOperation::Unlock).unwrap();
    let holder = Holder::new(kind, &path, "exclusive");
    is_busy(FlockOperation::NonBlockingLockExclusive);
    is_busy(FlockOperation::NonBlockingLockShared);
    holder.end();
    lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    free();
    let holder = Holder::new(kind, &path, "shared");
    lock(&file, FlockOperation::NonBlockingLockShared).unwrap();
    is_busy(FlockOperation::NonBlockingLockExclusive);
    free();
    holder.kill();
    lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    free();
    // Waiting ends when the lock comes free, not before.
    let holder = Holder::new(kind, &path, "exclusive");
    let (tell, told) = mpsc::channel();
    let waiter = thread::spawn({
        let path = path.clone();
        move || {
            let file = open(&path);
            lock(&file, FlockOperation::LockExclusive).unwrap();
            tell.send(()).unwrap();
        }
    });
    assert!(told.recv_timeout(Duration::from_millis(200)).is_err(), "granted while held");
    // Other work on the mount goes on meanwhile.
    std::fs::write(mounted.path("other"), "x").unwrap();
    holder.end();
    told.recv_timeout(Duration::from_secs(10)).expect("the lock is granted in the end");
    waiter.join().unwrap();
    if kind == "flock" {
        // Two descriptors of one process are two owners.
        let other = open(&path);
        lock(&file, FlockOperation::LockExclusive).unwrap();
        let refused = lock(&other, FlockOperation::NonBlockingLockExclusive);
        assert_eq!(refused, Err(Errno::AGAIN));
        drop(file);
        lock(&other, FlockOperation::NonBlockingLockExclusive).unwrap();
    }
    mounted.finish();
}

fn flock_between_processes(ground: &Ground) -> Done {
    between_processes(ground, "flock");
    Done::Passed
}

fn record_locks_between_processes(ground: &Ground) -> Done {
    between_processes(ground, "record");
    Done::Passed
}

/// Python, since the safe interfaces of Rust lock whole files only.
fn record_locks_of_ranges(ground: &Ground) -> Done {
    const SCRIPT: &str = r"
import fcntl, os, sys, struct
path = sys.argv[1]
file = open(path, 'w+b')
file.write(b'x' * 100)
file.flush()
fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 20)
child = os.fork()
if child == 0:
    other = open(path, 'r+b')
    def free(length, start, how=fcntl.LOCK_EX):
        try:
            fcntl.lockf(other, how | fcntl.LOCK_NB, length, start)
            return True
        except OSError:
            return False
    def owner(start, length):
        asked = struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, start, length, 0)
        kind, _, start, length, pid = struct.unpack('hhqqi4x', fcntl.fcntl(other, fcntl.F_GETLK, asked))
        return kind, start, length, pid
    assert free(20, 0), 'before the range'
    assert free(10, 30), 'behind the range'
    assert not free(1, 20), 'its first byte'
    assert not free(1, 29), 'its last byte'
    assert not free(100, 0), 'around it'
    assert not free(5, 22, fcntl.LOCK_SH), 'reading in it'
    assert owner(0, 0)[:3] == (fcntl.F_WRLCK, 20, 10), owner(0, 0)
    assert owner(0, 0)[3] == os.getppid(), owner(0, 0)
    assert owner(40, 5)[0] == fcntl.F_UNLCK
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
# Letting the middle go leaves two ranges; closing any descriptor lets all go.
fcntl.lockf(file, fcntl.LOCK_UN, 4, 23)
def tried(start):
    child = os.fork()
    if child == 0:
        other = open(path, 'r+b')
        try:
            fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, start)
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0
assert [tried(at) for at in (21, 22, 23, 26, 27, 29)] == [False, False, True, True, False, False]
open(path).close()
assert tried(21)
";
    if !has("python3") {
        return skip("python3 is not installed");
    }
    let mounted = ground.mount();
    let mut command = Command::new("python3");
    succeed(command.args(["-c", SCRIPT]).arg(mounted.path("file")), 30);
    mounted.finish();
    Done::Passed
}
