//! The command line of `aetherflow-fuse`, and of mount(8) when it calls us as its helper.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use lexopt::{Arg, Parser, ValueExt};

use super::options::Options;

pub const HELP: &str = "\
aetherflow-fuse: mounts an AetherFlow map (map.rts.png) as a filesystem

  aetherflow-fuse mount MAP DIR [-o OPTION,...] [--daemon] [--log FILE] [--json]
  aetherflow-fuse unmount DIR|MAP [--lazy] [--json]
  aetherflow-fuse status [DIR|MAP] [--json]

mount    serves MAP at DIR until it is unmounted or gets SIGTERM or SIGINT.
           --daemon     returns once the mount is usable and serves it in the background
           --log FILE   appends messages to FILE instead of writing them to standard error
unmount  unmounts and waits until the map is closed. Cleans up a mount whose process died.
           --lazy       detaches at once; the map is closed when its last user is gone
status   lists mounted maps, or tells about one.
--json   one JSON object on standard output, for programs.

Options of a mount (-o), as in fstab:
  ro                  read-only
  allow_other         other users may use it too; allow_root: only root besides you
  uid=N, gid=N        everything belongs to this user, this group
  sync                each operation is durable before it returns
  dev, suid           device nodes, set-user-id programs (default: nodev, nosuid); noexec
  cache_size=SIZE     memory for all caches and buffers (default 64M)
  commit=SECONDS      everything is durable at most so long after it was written (default 5)
  threads=N           threads that serve requests
  snapshot=NAME       shows this snapshot, read-only
  remount             with ro or rw: changes a mount that is there
  nomaintenance       leaves idle time alone: no reading over of all data, no recompression

As the helper of mount(8), under the name mount.fuse.aetherflow:
  mount -t fuse.aetherflow MAP DIR -o OPTION,...

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 6 the map or the directory is in use.
";

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    Version,
    Mount(Mount),
    Unmount { target: PathBuf, lazy: bool, json: bool },
    Status { target: Option<PathBuf>, json: bool },
}

/// A mount that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    pub map: PathBuf,
    pub point: PathBuf,
    pub options: Options,
    /// The options as they were given, for a process that is to do the same.
    pub raw_options: Vec<OsString>,
    pub daemon: bool,
    pub log: Option<PathBuf>,
    pub json: bool,
    /// Started by ourselves to serve in the background.
    pub child: bool,
}

/// Reads the command line, the program's own name included.
///
/// # Errors
/// A sentence about what is wrong with it.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut arguments = arguments.into_iter();
    let program = arguments.next().unwrap_or_default();
    let name = Path::new(&program).file_name().unwrap_or(OsStr::new(""));
    let parser = Parser::from_args(arguments);
    if name.as_bytes().starts_with(b"mount.") {
        helper(parser).map(Command::Mount)
    } else {
        ordinary(parser)
    }
}

fn ordinary(mut parser: Parser) -> Result<Command, String> {
    let mut words: Vec<OsString> = Vec::new();
    let mut options = Options::default();
    let (mut daemon, mut json, mut lazy, mut child) = (false, false, false, false);
    let (mut raw_options, mut log) = (Vec::new(), None);
    while let Some(argument) = parser.next().map_err(said)? {
        match argument {
            Arg::Value(word) => words.push(word),
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            Arg::Short('o') | Arg::Long("options") => {
                let list = value(&mut parser)?;
                options.add(&list)?;
                raw_options.extend([OsString::from("-o"), OsString::from(list)]);
            }
            Arg::Long("daemon") => daemon = true,
            Arg::Long("serve-in-background") => child = true,
            Arg::Long("log") => log = Some(PathBuf::from(parser.value().map_err(said)?)),
            Arg::Long("json") => json = true,
            Arg::Long("lazy") => lazy = true,
            other => return Err(said(other.unexpected())),
        }
    }
    let mut words = words.into_iter();
    let command = words.next().ok_or("what is to be done: mount, unmount or status?")?;
    let mut path = |what: &str| {
        words.next().map(PathBuf::from).ok_or_else(|| format!("which {what}? One is missing"))
    };
    let parsed = match command.to_str() {
        Some("mount") => {
            if lazy {
                return Err("--lazy is for unmount".to_owned());
            }
            let (map, point) = (path("map")?, path("directory")?);
            Command::Mount(Mount { map, point, options, raw_options, daemon, log, json, child })
        }
        _ if daemon || !raw_options.is_empty() || child || log.is_some() => {
            return Err("-o, --daemon and --log are for mount".to_owned());
        }
        Some("unmount" | "umount") => {
            Command::Unmount { target: path("mount point or map")?, lazy, json }
        }
        Some("status") if lazy => return Err("--lazy is for unmount".to_owned()),
        Some("status") => Command::Status { target: path("").ok(), json },
        _ => {
            let command = command.to_string_lossy();
            return Err(format!("no command '{command}'; there are mount, unmount and status"));
        }
    };
    match words.next() {
        Some(word) => Err(format!("what is '{}' for? It is one too many", word.to_string_lossy())),
        None => Ok(parsed),
    }
}

/// `mount.TYPE SPEC DIR [-sfnvw] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]`, as mount(8) calls its
/// helpers.
fn helper(mut parser: Parser) -> Result<Mount, String> {
    let mut words: Vec<OsString> = Vec::new();
    let mut lists = Vec::new();
    while let Some(argument) = parser.next().map_err(said)? {
        match argument {
            Arg::Value(word) => words.push(word),
            Arg::Short('o') => lists.push(value(&mut parser)?),
            Arg::Short('t' | 'N') => drop(parser.value().map_err(said)?),
            Arg::Short('r') => lists.push("ro".to_owned()),
            Arg::Short('s' | 'f' | 'n' | 'v' | 'w') => {}
            other => return Err(said(other.unexpected())),
        }
    }
    let mut options = Options::default();
    let mut raw_options = Vec::new();
    for list in lists {
        options.add(&list)?;
        raw_options.extend([OsString::from("-o"), OsString::from(list)]);
    }
    match <[OsString; 2]>::try_from(words) {
        Ok([map, point]) => Ok(Mount {
            map: map.into(),
            point: point.into(),
            options,
            raw_options,
            daemon: true,
            log: None,
            json: false,
            child: false,
        }),
        Err(_) => Err("mount(8) gives a map and a directory".to_owned()),
    }
}

fn value(parser: &mut Parser) -> Result<String, String> {
    parser.value().map_err(said)?.string().map_err(said)
}

fn said(error: lexopt::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn commands_are_read() {
        let Ok(Command::Mount(mount)) =
            parsed("aetherflow-fuse mount a.png /mnt -o ro,uid=3 --daemon")
        else {
            panic!("no mount");
        };
        assert!(mount.daemon && mount.options.read_only && mount.options.uid == Some(3));
        assert_eq!((mount.map.to_str(), mount.point.to_str()), (Some("a.png"), Some("/mnt")));
        assert_eq!(
            parsed("x unmount /mnt --lazy"),
            Ok(Command::Unmount { target: "/mnt".into(), lazy: true, json: false })
        );
        assert_eq!(parsed("x status --json"), Ok(Command::Status { target: None, json: true }));
    }

    #[test]
    fn mount_calls_its_helper() {
        let line = "/sbin/mount.fuse.aetherflow a.png /mnt -s -n -o rw,ro -t fuse.aetherflow";
        let Ok(Command::Mount(mount)) = parsed(line) else { panic!("no mount") };
        assert!(mount.daemon && mount.options.read_only);
    }

    #[test]
    fn wrong_usage_is_explained() {
        for (line, word) in [
            ("x", "mount, unmount or status"),
            ("x fly", "fly"),
            ("x mount a", "directory"),
            ("x mount a b c", "'c'"),
            ("x unmount a --daemon", "for mount"),
            ("x mount a b -o nonsense", "nonsense"),
            ("x mount a b --nonsense", "nonsense"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(word), "{line}: {error}");
        }
    }
}
