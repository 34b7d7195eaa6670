//! The options behind `-o`, as mount(8) and fstab(5) write them.

use std::time::Duration;

use crate::base::limits::DEFAULT_CACHE;

/// Who besides the user that mounts may use the mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    #[default]
    Owner,
    /// `allow_root`
    Root,
    /// `allow_other`
    Everybody,
}

/// How a map is to be mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub read_only: bool,
    pub access: Access,
    /// Everything belongs to this user.
    pub uid: Option<u32>,
    /// Everything belongs to this group.
    pub gid: Option<u32>,
    /// Each operation is durable before it returns.
    pub sync: bool,
    pub devices: bool,
    pub set_uid: bool,
    pub no_exec: bool,
    /// Budget of all caches and buffers, in bytes.
    pub cache: usize,
    /// Threads that serve requests; by the number of processors where `None`.
    pub threads: Option<usize>,
    /// At most so long after it was written everything is durable.
    pub commit: Duration,
    /// Idle time is used to read everything once in a while, and to compress what is cold.
    pub maintenance: bool,
    /// Changes a mount that is there already to be read-only or not.
    pub remount: bool,
    /// Shows a snapshot instead of the present, read-only.
    pub snapshot: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            read_only: false,
            access: Access::Owner,
            uid: None,
            gid: None,
            sync: false,
            devices: false,
            set_uid: false,
            no_exec: false,
            cache: DEFAULT_CACHE,
            threads: None,
            commit: Duration::from_secs(5),
            maintenance: true,
            remount: false,
            snapshot: None,
        }
    }
}

/// Smallest cache that still holds a band of the widest picture and its parts.
const MIN_CACHE: usize = 8 << 20;

/// What mount(8) and fstab(5) pass on, and what has no effect here.
const IGNORED: &[&str] = &[
    "defaults",
    "default_permissions",
    "auto",
    "noauto",
    "user",
    "nouser",
    "users",
    "owner",
    "group",
    "nofail",
    "_netdev",
    "async",
    "rw",
    "exec",
    "nodev",
    "nosuid",
    "atime",
    "noatime",
    "relatime",
    "norelatime",
    "strictatime",
    "lazytime",
    "nolazytime",
    "diratime",
    "nodiratime",
    "nonempty",
    "auto_unmount",
    "silent",
    "loud",
];

impl Options {
    /// Adds the options of one `-o`, separated by commas; a later one stands above an earlier.
    ///
    /// # Errors
    /// A sentence that names the option that is unknown or has an unusable value.
    pub fn add(&mut self, list: &str) -> Result<(), String> {
        list.split(',').filter(|option| !option.is_empty()).try_for_each(|option| self.one(option))
    }

    fn one(&mut self, option: &str) -> Result<(), String> {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option, None),
        };
        let number = |what: &str| -> Result<u32, String> {
            let value = value.unwrap_or_default();
            value.parse().map_err(|_| format!("{name}={value}: {what} is a number"))
        };
        match (name, value) {
            ("ro", None) => self.read_only = true,
            ("rw", None) => self.read_only = false,
            ("allow_other", None) => self.access = Access::Everybody,
            ("allow_root", None) => self.access = Access::Root,
            ("uid", Some(_)) => self.uid = Some(number("a user id")?),
            ("gid", Some(_)) => self.gid = Some(number("a group id")?),
            ("remount", None) => self.remount = true,
            ("sync", None) => self.sync = true,
            ("async", None) => self.sync = false,
            ("dev", None) => self.devices = true,
            ("nodev", None) => self.devices = false,
            ("suid", None) => self.set_uid = true,
            ("nosuid", None) => self.set_uid = false,
            ("exec", None) => self.no_exec = false,
            ("noexec", None) => self.no_exec = true,
            ("maintenance", None) => self.maintenance = true,
            ("nomaintenance", None) => self.maintenance = false,
            ("cache_size", Some(value)) => self.cache = cache_size(value)?,
            ("threads", Some(_)) => {
                let threads = number("a number of threads")?;
                if !(1..=64).contains(&threads) {
                    return Err(format!("threads={threads}: 1 to 64 threads can serve a mount"));
                }
                self.threads = Some(threads as usize);
            }
            ("commit", Some(_)) => {
                let seconds = number("a number of seconds")?;
                if !(1..=3600).contains(&seconds) {
                    return Err(format!("commit={seconds}: 1 to 3600 seconds"));
                }
                self.commit = Duration::from_secs(u64::from(seconds));
            }
            ("snapshot", Some("")) => return Err("snapshot= needs a name".to_owned()),
            ("snapshot", Some(value)) => self.snapshot = Some(value.to_owned()),
            // What the kernel shows of a mount, and mount(8) gives back when it remounts.
            (
                "fsname" | "subtype" | "comment" | "user_id" | "group_id" | "rootmode" | "fd"
                | "max_read" | "blksize",
                _,
            ) => {}
            (name, None) if IGNORED.contains(&name) || name.starts_with("x-") => {}
            (name, Some(_)) if name.starts_with("x-") => {}
            _ => {
                return Err(format!(
                    "unknown mount option '{option}'; 'aetherflow-fuse --help' lists them"
                ));
            }
        }
        Ok(())
    }

    /// Whether the kernel is to check permissions. Where root alone may use the mount there is
    /// nothing to check, and the kernel need not ask for a directory's mode after every change
    /// in it.
    pub fn checks_permissions(&self) -> bool {
        self.access != Access::Owner || !rustix::process::geteuid().is_root()
    }

    /// The options that differ from what is usual, as one line for people.
    pub fn summary(&self) -> String {
        let mut parts = vec![if self.read_only { "ro" } else { "rw" }.to_owned()];
        match self.access {
            Access::Owner => {}
            Access::Root => parts.push("allow_root".to_owned()),
            Access::Everybody => parts.push("allow_other".to_owned()),
        }
        let flags = [
            (self.sync, "sync"),
            (self.devices, "dev"),
            (self.set_uid, "suid"),
            (self.no_exec, "noexec"),
            (!self.maintenance, "nomaintenance"),
        ];
        parts.extend(flags.iter().filter(|(set, _)| *set).map(|(_, name)| (*name).to_owned()));
        parts.extend(self.uid.map(|uid| format!("uid={uid}")));
        parts.extend(self.gid.map(|gid| format!("gid={gid}")));
        parts.extend(self.snapshot.as_ref().map(|name| format!("snapshot={name}")));
        parts.push(format!("cache_size={}", self.cache));
        parts.push(format!("commit={}", self.commit.as_secs()));
        parts.join(",")
    }
}

/// A number of bytes with an optional K, M, G or T (powers of 1024).
fn cache_size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return Err(format!("cache_size={text}: a size such as 64M or 1G")),
    };
    let bytes = digits
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| format!("cache_size={text}: a size such as 64M or 1G"))?;
    if bytes < MIN_CACHE {
        return Err(format!("cache_size={text}: at least 8M"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(list: &str) -> Result<Options, String> {
        let mut options = Options::default();
        options.add(list).map(|()| options)
    }

    #[test]
    fn options_are_read_and_later_ones_win() {
        let options = parsed("rw,allow_other,uid=5,gid=6,cache_size=128M,ro,commit=1").unwrap();
        assert!(options.read_only);
        assert_eq!(options.access, Access::Everybody);
        assert_eq!((options.uid, options.gid), (Some(5), Some(6)));
        assert_eq!(options.cache, 128 << 20);
        assert_eq!(options.commit, Duration::from_secs(1));
        assert!(!parsed("ro,rw").unwrap().read_only);
    }

    #[test]
    fn what_fstab_adds_is_accepted() {
        let list = "defaults,noauto,nofail,x-systemd.automount,x-gvfs-name=a,_netdev,relatime";
        assert_eq!(parsed(list).unwrap(), Options::default());
    }

    #[test]
    fn unusable_options_are_named() {
        for (list, word) in [
            ("frobnicate", "frobnicate"),
            ("uid=me", "uid=me"),
            ("cache_size=12Q", "12Q"),
            ("cache_size=1M", "at least"),
            ("threads=0", "threads"),
            ("commit=0", "commit"),
            ("snapshot=", "snapshot"),
            ("ro=1", "ro=1"),
        ] {
            assert!(parsed(list).unwrap_err().contains(word), "{list}");
        }
    }
}
