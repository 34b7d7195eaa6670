//! Unmounting from outside, and telling what is mounted.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::mounts::{self, Mount};
use crate::base::{Code, Error, Result};
use crate::control::Client;
use crate::storage::lockfile::{LockFile, LockOwner};

/// How long closing a map may take before it is reported as still running.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was unmounted.
pub(super) struct Gone {
    mount: Mount,
    /// The process that served it had died before.
    was_dead: bool,
    /// It is detached and ends with its last user.
    in_use: bool,
}

impl Gone {
    pub(super) fn said(&self, json: bool) -> String {
        let (map, point) = (self.mount.map.display(), self.mount.point.display());
        if json {
            let object = json!({
                "map": self.mount.map.to_string_lossy(),
                "mountPoint": self.mount.point.to_string_lossy(),
                "wasDead": self.was_dead,
                "inUse": self.in_use,
            });
            format!("{object}\n")
        } else if self.was_dead {
            format!(
                "detached {point}: the process that served it was gone\n\
                 {map} is recovered the next time it is opened\n"
            )
        } else if self.in_use {
            format!("detached {point}; {map} is closed when its last user is gone\n")
        } else {
            format!("unmounted {map} from {point}\n")
        }
    }
}

/// The mount that a mount point or a map names.
fn find(target: &Path) -> Result<Mount> {
    let named =
        |error: io::Error| Error::from(error).at_path(target.as_os_str().as_encoded_bytes());
    let point = mounts::absolute(target).map_err(named)?;
    let list = mounts::list().map_err(named)?;
    let map = target.canonicalize().ok();
    let is_meant = |mount: &&Mount| {
        mount.point == point
            || map.as_ref().is_some_and(|map| mount.map == *map || mount.point == *map)
    };
    list.iter().rfind(is_meant).cloned().ok_or_else(|| {
        Error::new(Code::NotFound, "no map is mounted there, and it is no mounted map")
            .at_path(target.as_os_str().as_encoded_bytes())
    })
}

fn holder(mount: &Mount) -> Option<LockOwner> {
    LockFile::owner_of(&mount.map).ok().flatten()
}

/// Unmounts, and waits until the map is closed.
///
/// # Errors
/// `NotFound` when nothing is mounted there; `Busy` naming who uses it; `Access`.
pub(super) fn unmount(target: &Path, lazy: bool) -> Result<Gone> {
    let mount = find(target)?;
    // Standing in it ourselves would keep it in use.
    std::env::set_current_dir("/").map_err(Error::from)?;
    let bytes = mount.point.as_os_str().as_encoded_bytes();
    let was_dead = !mounts::answers(&mount.point);
    let owner = holder(&mount).filter(|_| !was_dead);
    // Afterwards nobody can tell any more.
    let mut in_use = lazy && !was_dead && !mounts::users(&mount.point).is_empty();
    mounts::unmount(&mount.point, lazy || was_dead).map_err(|error| match error.kind() {
        io::ErrorKind::ResourceBusy => {
            let users = mounts::users(&mount.point);
            let who = match users.len() {
                0 => "processes we may not look into".to_owned(),
                _ => users.join(", "),
            };
            Error::new(Code::Busy, format!("in use by {who}; --lazy detaches it nevertheless"))
                .at_path(bytes)
        }
        _ => Error::from(error).at_path(bytes),
    })?;
    if let Some(owner) = owner.filter(|_| !in_use) {
        match wait_until_closed(&mount, &owner) {
            // Users we may not look into.
            Err(_) if lazy => in_use = true,
            result => result?,
        }
    }
    Ok(Gone { mount, was_dead, in_use })
}

fn wait_until_closed(mount: &Mount, owner: &LockOwner) -> Result<()> {
    let since = Instant::now();
    let mut told = false;
    while holder(mount).is_some_and(|now| now.pid == owner.pid) {
        if since.elapsed() > PATIENCE {
            let sentence = format!("process {} has not closed the map yet", owner.pid);
            let error = Error::new(Code::Busy, sentence);
            return Err(error.at_path(mount.map.as_os_str().as_encoded_bytes()));
        }
        if !told && since.elapsed() > Duration::from_secs(2) {
            eprintln!("aetherflow-fuse: waiting until {} is closed", mount.map.display());
            told = true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Tells about all mounts, or about one.
///
/// # Errors
/// `NotFound` when a named one is not mounted.
pub(super) fn status(target: Option<&Path>, json: bool) -> Result<String> {
    let list = match target {
        Some(target) => vec![find(target)?],
        None => mounts::list().map_err(Error::from)?,
    };
    let facts: Vec<Value> = list.iter().map(tell).collect();
    if json {
        return Ok(format!("{}\n", json!({ "mounts": facts })));
    }
    if facts.is_empty() {
        return Ok("no map is mounted\n".to_owned());
    }
    Ok(facts.iter().map(paragraph).collect::<Vec<_>>().join("\n"))
}

/// What is known about a mount; of one that is served, what its process says.
fn tell(mount: &Mount) -> Value {
    let owner = holder(mount);
    let mut facts = json!({
        "map": mount.map.to_string_lossy(),
        "mountPoint": mount.point.to_string_lossy(),
        "pid": owner.as_ref().map(|owner| owner.pid),
        "since": owner.as_ref().map(|owner| owner.since.clone()),
        "socket": owner.as_ref().and_then(|owner| owner.socket.clone()),
        "mountOptions": mount.options,
        "state": if mounts::answers(&mount.point) { "read-write" } else { "dead" },
        "reason": null,
    });
    if facts["state"] == "dead" {
        facts["reason"] = json!("the process that served it is gone; unmount, or mount again");
        return facts;
    }
    if mount.options.split(',').any(|option| option == "ro") {
        facts["state"] = json!("read-only");
    }
    let socket = owner.and_then(|owner| owner.socket).map(PathBuf::from);
    if let Some(said) = socket.and_then(|socket| ask(&socket)) {
        for (name, value) in said {
            facts[name] = value;
        }
    }
    facts
}

/// What the process itself says, if it answers at once.
fn ask(socket: &Path) -> Option<serde_json::Map<String, Value>> {
    let mut client = Client::connect(socket).ok()?;
    client.set_timeout(Some(Duration::from_secs(5))).ok()?;
    match client.call("status", &json!({}), &mut |_, _| true).ok()? {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

fn paragraph(facts: &Value) -> String {
    let text = |name: &str| facts[name].as_str().unwrap_or_default().to_owned();
    let mut lines = format!("{}\n", text("mountPoint"));
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "  {name:<10} {value}");
        }
    };
    row("map", text("map"));
    row("state", text("state"));
    row("because", text("reason"));
    row("process", facts["pid"].as_u64().map(|pid| pid.to_string()).unwrap_or_default());
    row("since", text("since"));
    row("options", facts["options"].as_str().map_or_else(|| text("mountOptions"), str::to_owned));
    lines
}
