//! The lock file beside a map: one writer at a time, across processes and programs.
//!
//! `docs/FORMAT.md`, "The lock file", gives its content; the JavaScript side implements the same.
//! Rules:
//! - The file appears under its name with its content, or not at all.
//! - A lock is taken over only when its owner is known to be gone. Where that cannot be known
//!   (another host, a system that does not say), the owner counts as alive.
//! - Nobody removes a file that is not, byte for byte, the one that was judged.

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::base::env::{Clock, SystemClock, rfc3339};
use crate::base::{Code, Error, Result};

/// Appended to the map's path.
pub const SUFFIX: &str = "-lock";
/// Appended to the lock file's path while a stale one is being removed.
const TAKEOVER_SUFFIX: &str = ".takeover";
/// Largest lock file anybody reads.
const MAX_BYTES: u64 = 64 << 10;
/// A file that holds no lock, such as one whose writer died while writing it, is gone by then.
const UNREADABLE_AGE: Duration = Duration::from_secs(10);
/// Turns of taking, each lost to another process, before giving up.
const ATTEMPTS: u32 = 32;
const PAUSE: Duration = Duration::from_millis(10);

/// Who holds a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockOwner {
    pub pid: u32,
    pub host: String,
    /// Changes with every boot; `None` where the system has none.
    pub boot_id: Option<String>,
    /// When the process started, in clock ticks since the boot; `None` where unknown.
    pub started: Option<u64>,
    pub program: String,
    /// What the owner does with the map: "rw" for a writer.
    pub mode: String,
    /// Path of the owner's control socket.
    pub socket: Option<String>,
    /// When the lock was taken, RFC 3339.
    pub since: String,
}

impl LockOwner {
    /// This process, from now on.
    fn current(program: &str, mode: &str, socket: Option<&str>) -> LockOwner {
        LockOwner {
            pid: std::process::id(),
            host: host_name(),
            boot_id: boot_id(),
            started: process_state("self").map(|(_, started)| started),
            program: program.to_owned(),
            mode: mode.to_owned(),
            socket: socket.map(str::to_owned),
            since: rfc3339(SystemClock.now()),
        }
    }

    fn to_json(&self) -> String {
        let object = json!({
            "pid": self.pid,
            "host": self.host,
            "boot_id": self.boot_id,
            "started": self.started,
            "program": self.program,
            "mode": self.mode,
            "socket": self.socket,
            "since": self.since,
        });
        format!("{object}\n")
    }

    /// The owner a lock file names, or `None` where it names none. Unknown members are ignored.
    fn from_json(bytes: &[u8]) -> Option<LockOwner> {
        let object: Value = serde_json::from_slice(bytes).ok()?;
        let text = |name: &str| object[name].as_str().map(str::to_owned);
        Some(LockOwner {
            pid: u32::try_from(object["pid"].as_u64()?).ok().filter(|&pid| pid > 0)?,
            host: text("host")?,
            boot_id: text("boot_id"),
            started: object["started"].as_u64(),
            program: text("program").unwrap_or_default(),
            mode: text("mode").unwrap_or_default(),
            socket: text("socket"),
            since: text("since").unwrap_or_default(),
        })
    }

    /// Whether the owner is known to be gone: another boot of this host, no such process, or
    /// another process under its number.
    pub fn is_gone(&self) -> bool {
        if self.host != host_name() {
            return false;
        }
        if let (Some(then), Some(now)) = (&self.boot_id, boot_id())
            && *then != now
        {
            return true;
        }
        if !process_exists(self.pid) {
            return true;
        }
        match (process_state(&self.pid.to_string()), self.started) {
            // A zombie holds nothing any more.
            (Some((b'Z' | b'X', _)), _) => true,
            (Some((_, now)), Some(then)) => now != then,
            _ => false,
        }
    }

    fn locked(&self, path: &Path) -> Error {
        let message = format!(
            "the map is in use by process {} ({}) on {} since {}",
            self.pid, self.program, self.host, self.since
        );
        Error::new(Code::Locked, message).at_path(path.as_os_str().as_encoded_bytes())
    }
}

/// A held lock; letting it go removes the file.
#[derive(Debug)]
pub struct LockFile {
    path: PathBuf,
    content: Vec<u8>,
    owner: LockOwner,
}

impl LockFile {
    /// Takes the lock of the map at `map`. `socket` is where the owner listens for commands.
    ///
    /// # Errors
    /// `Locked`, naming the owner, while another process holds it; `Access`, `ReadOnly`, `NoSpace`
    /// or `Io` when the file cannot be made.
    pub fn acquire(
        map: &Path,
        program: &str,
        mode: &str,
        socket: Option<&str>,
    ) -> Result<LockFile> {
        let path = lock_path(map);
        let owner = LockOwner::current(program, mode, socket);
        let content = owner.to_json().into_bytes();
        for attempt in 0..ATTEMPTS {
            if create(&path, &content)? {
                return Ok(LockFile { path, content, owner });
            }
            match judge(&path)? {
                Judgement::Absent => {}
                Judgement::Held(owner) => return Err(owner.locked(&path)),
                Judgement::Gone(_) => take_over(&path, &content)?,
                // Its writer may be about to finish.
                Judgement::Unreadable if attempt + 1 < ATTEMPTS => std::thread::sleep(PAUSE),
                Judgement::Unreadable => break,
            }
        }
        let message = "the map's lock file is being changed by other processes";
        Err(Error::new(Code::Locked, message).at_path(path.as_os_str().as_encoded_bytes()))
    }

    /// Who holds the map at `map` now; `None` where nobody does, or nobody alive.
    ///
    /// # Errors
    /// `Access` or `Io` when the file cannot be read.
    pub fn owner_of(map: &Path) -> Result<Option<LockOwner>> {
        match judge(&lock_path(map))? {
            Judgement::Held(owner) => Ok(Some(owner)),
            _ => Ok(None),
        }
    }

    /// Whether the file is still this lock. Not so when somebody removed it by hand.
    pub fn is_held(&self) -> bool {
        read(&self.path).is_ok_and(|found| found.as_ref() == Some(&self.content))
    }

    pub fn owner(&self) -> &LockOwner {
        &self.owner
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if self.is_held() {
            // What cannot be removed is found stale by the next opener.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Where the lock file of the map at `map` stands.
pub fn lock_path(map: &Path) -> PathBuf {
    beside(map, SUFFIX)
}

enum Judgement {
    Absent,
    Held(LockOwner),
    /// Nobody holds it; these are its bytes.
    Gone(Vec<u8>),
    /// It names no owner, and is too young to be a leftover.
    Unreadable,
}

fn judge(path: &Path) -> Result<Judgement> {
    let Some(found) = read(path)? else { return Ok(Judgement::Absent) };
    if let Some(owner) = LockOwner::from_json(&found) {
        return Ok(if owner.is_gone() { Judgement::Gone(found) } else { Judgement::Held(owner) });
    }
    let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
    let age = changed.ok().and_then(|changed| SystemTime::now().duration_since(changed).ok());
    let leftover = age.is_some_and(|age| age >= UNREADABLE_AGE);
    Ok(if leftover { Judgement::Gone(found) } else { Judgement::Unreadable })
}

/// Puts `content` at `path` unless something is there; whether it did.
fn create(path: &Path, content: &[u8]) -> Result<bool> {
    let draft = unique(path);
    let written = fs::File::create_new(&draft).and_then(|mut file| file.write_all(content));
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    let created = match (linked, fs::remove_file(&draft)) {
        (Ok(()), _) => Ok(()),
        // Where drafts can be made but links cannot: the file appears, then its content.
        (Err(error), Ok(())) if error.kind() != ErrorKind::AlreadyExists => {
            fs::File::create_new(path).and_then(|mut file| {
                file.write_all(content).inspect_err(|_| {
                    let _ = fs::remove_file(path);
                })
            })
        }
        (Err(error), _) => Err(error),
    };
    match created {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(named(error, path)),
    }
}

/// Removes the lock at `path` if its owner is gone. Only the holder of a second lock, which
/// stands for a moment, may do so: otherwise the lock of one that took over earlier could be
/// taken away in its turn.
fn take_over(path: &Path, content: &[u8]) -> Result<()> {
    let guard = beside(path, TAKEOVER_SUFFIX);
    if create(&guard, content)? {
        let result = judge(path).and_then(|judgement| match judgement {
            Judgement::Gone(found) => take_away(path, &found),
            _ => Ok(()),
        });
        fs::remove_file(&guard).map_err(|error| named(error, &guard))?;
        return result;
    }
    match judge(&guard)? {
        Judgement::Gone(found) => take_away(&guard, &found)?,
        Judgement::Absent => {}
        Judgement::Held(_) | Judgement::Unreadable => std::thread::sleep(PAUSE),
    }
    Ok(())
}

/// Removes the file at `path` if it holds `expected`. It is moved aside first, since between
/// looking and removing another process may have taken it over; what turns out to be another
/// file is put back.
fn take_away(path: &Path, expected: &[u8]) -> Result<()> {
    let aside = unique(path);
    match fs::rename(path, &aside) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(named(error, path)),
    }
    let found = read(&aside)?.unwrap_or_default();
    if found == expected {
        return fs::remove_file(&aside).map_err(|error| named(error, path));
    }
    let restored = fs::hard_link(&aside, path);
    if restored.is_err() && fs::metadata(path).is_err() {
        // No links here; a rename could replace a newer lock, but there is none.
        fs::rename(&aside, path).map_err(|error| named(error, path))?;
    } else {
        let _ = fs::remove_file(&aside);
    }
    match LockOwner::from_json(&found) {
        Some(owner) => Err(owner.locked(path)),
        None => Ok(()),
    }
}

/// The bytes at `path`, `None` where there is no file.
fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let result = fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
    match result {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(named(error, path)),
    }
}

fn named(error: std::io::Error, path: &Path) -> Error {
    Error::from(error).at_path(path.as_os_str().as_encoded_bytes())
}

/// `path` with `suffix` at the end of its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// A name beside `path` that no other process and no other call uses.
fn unique(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemClock.now();
    let suffix = format!(".{}.{}.{}.{count}", std::process::id(), now.seconds, now.nanos);
    beside(path, &suffix)
}

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn host_name() -> String {
    line("/proc/sys/kernel/hostname")
        .or_else(|| line("/etc/hostname"))
        .or_else(|| std::env::var("COMPUTERNAME").ok())
        .or_else(|| std::env::var("HOSTNAME").ok())
        .unwrap_or_else(|| "localhost".to_owned())
}

fn boot_id() -> Option<String> {
    line("/proc/sys/kernel/random/boot_id")
}

/// State letter and start time of a process, where the system says (proc(5), fields 3 and 22).
fn process_state(pid: &str) -> Option<(u8, u64)> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(&stat)
}

fn parse_stat(stat: &[u8]) -> Option<(u8, u64)> {
    // The name in field 2 may hold anything; it ends at the last parenthesis.
    let name_end = stat.iter().rposition(|&byte| byte == b')')?;
    let mut fields = stat[name_end + 1..].split(u8::is_ascii_whitespace).filter(|f| !f.is_empty());
    let state = *fields.next()?.first()?;
    let started = std::str::from_utf8(fields.nth(18)?).ok()?.parse().ok()?;
    Some((state, started))
}

#[cfg(unix)]
fn process_exists(pid: u32) -> bool {
    use rustix::process::{Pid, test_kill_process};
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

#[cfg(not(unix))]
fn process_exists(_pid: u32) -> bool {
    true
}

#[cfg(test)]
#[path = "lockfile_tests.rs"]
mod tests;
