//! Mount points, as the kernel lists them in `/proc/self/mountinfo` (proc(5)).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::mount::UnmountFlags;

/// How long to try what is only busy for a moment.
const PATIENCE: Duration = Duration::from_secs(1);

/// The type the kernel shows for our mounts.
pub const TYPE: &str = "fuse.aetherflow";

/// One of our mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The map, as it was given.
    pub map: PathBuf,
    pub point: PathBuf,
    /// `major:minor` of the mount's device.
    pub device: String,
    /// Options of the mount itself, separated by commas.
    pub options: String,
}

/// All mounted maps, in the order they were mounted.
///
/// # Errors
/// When the kernel's list cannot be read.
pub fn list() -> io::Result<Vec<Mount>> {
    let bytes = fs::read("/proc/self/mountinfo")?;
    Ok(bytes.split(|&byte| byte == b'\n').filter_map(parse).collect())
}

/// The topmost of our mounts at a mount point.
///
/// # Errors
/// As [`list`].
pub fn at(point: &Path) -> io::Result<Option<Mount>> {
    Ok(list()?.into_iter().rfind(|mount| mount.point == point))
}

/// `id parent device root point options [tags…] - type source superoptions`
fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let device = fields.nth(2)?;
    let point = fields.nth(1)?;
    let options = fields.next()?;
    let mut behind = fields.skip_while(|field| *field != b"-").skip(1);
    if behind.next()? != TYPE.as_bytes() {
        return None;
    }
    Some(Mount {
        map: unescape(behind.next()?),
        point: unescape(point),
        device: String::from_utf8_lossy(device).into_owned(),
        options: String::from_utf8_lossy(options).into_owned(),
    })
}

/// Blanks and the like stand as `\` and three octal digits.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, behind)) = rest.split_first() {
        let code = behind.get(..3).filter(|_| byte == b'\\').and_then(|digits| {
            let text = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(text, 8).ok()
        });
        match code {
            Some(code) => {
                bytes.push(code);
                rest = &behind[3..];
            }
            None => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// A path made absolute without following its last component, which may not answer any more.
///
/// # Errors
/// When the directory it stands in cannot be resolved.
pub fn absolute(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok(parent.canonicalize()?.join(name)),
        _ => Ok(path),
    }
}

/// Whether a mount point answers. The kernel says ENOTCONN where the serving process is gone; it
/// is asked for what it does not keep, since attributes it would tell for a dead mount as well.
pub fn answers(point: &Path) -> bool {
    use rustix::io::Errno;
    !matches!(rustix::fs::statvfs(point), Err(Errno::NOTCONN | Errno::CONNABORTED))
}

/// Unmounts, at once or (`lazy`) when its last user is gone.
///
/// # Errors
/// `ResourceBusy` while it is in use; `PermissionDenied` where neither we nor `fusermount3` may.
pub fn unmount(point: &Path, lazy: bool) -> io::Result<()> {
    let flags = if lazy { UnmountFlags::DETACH } else { UnmountFlags::empty() };
    match rustix::mount::unmount(point, flags) {
        Err(rustix::io::Errno::PERM) => through_helper(point, lazy),
        result => result.map_err(io::Error::from),
    }
}

/// Users without the right to unmount have the setuid helper of FUSE.
fn through_helper(point: &Path, lazy: bool) -> io::Result<()> {
    let mut command = std::process::Command::new("fusermount3");
    command.arg(if lazy { "-uz" } else { "-u" }).arg("--").arg(point);
    let output = command.output().map_err(|error| {
        let reason =
            format!("only root may unmount without fusermount3, which does not run: {error}");
        io::Error::new(io::ErrorKind::PermissionDenied, reason)
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let kind = if said.contains("busy") {
        io::ErrorKind::ResourceBusy
    } else {
        io::ErrorKind::PermissionDenied
    };
    Err(io::Error::new(kind, said))
}

/// Makes a mount read-only, or writable again.
///
/// # Errors
/// `ResourceBusy` while files are open for writing; `PermissionDenied` for others than root.
pub fn remount(point: &Path, read_only: bool) -> io::Result<()> {
    use rustix::mount::MountFlags;
    let kept = MountFlags::NODEV | MountFlags::NOSUID | MountFlags::NOATIME;
    let flags = if read_only { kept | MountFlags::RDONLY } else { kept };
    // A file that was removed and closed a moment ago is still on its way out of the kernel.
    let since = Instant::now();
    loop {
        match rustix::mount::mount_remount(point, flags, c"") {
            Err(rustix::io::Errno::BUSY) if since.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            result => return result.map_err(io::Error::from),
        }
    }
}

/// Processes that keep a mount in use, as `pid (name)`: by working directory, root, program, open
/// file or mapping below its mount point. As far as we may look.
pub fn users(point: &Path) -> Vec<String> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let mut users = Vec::new();
    for process in processes.flatten() {
        let name = process.file_name();
        if !name.as_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let base = process.path();
        if uses(&base, point) {
            let program = fs::read_to_string(base.join("comm")).unwrap_or_default();
            users.push(format!("{} ({})", name.to_string_lossy(), program.trim()));
        }
    }
    users
}

fn uses(process: &Path, point: &Path) -> bool {
    let below = |link: PathBuf| fs::read_link(link).is_ok_and(|target| target.starts_with(point));
    if ["cwd", "root", "exe"].iter().any(|link| below(process.join(link))) {
        return true;
    }
    ["fd", "map_files"].iter().any(|folder| {
        fs::read_dir(process.join(folder))
            .is_ok_and(|entries| entries.flatten().any(|entry| below(entry.path())))
    })
}

/// Lets the kernel read far ahead on a mount; its default suits disks, not round trips.
pub fn read_ahead(mount: &Mount, bytes: usize) {
    let path = format!("/sys/class/bdi/{}/read_ahead_kb", mount.device);
    if let Err(error) = fs::write(&path, (bytes >> 10).to_string()) {
        log::info!("read-ahead stays as it is: {path}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let line = b"36 35 0:52 / /mnt/my\\040map rw,nosuid,nodev shared:1 - fuse.aetherflow \
                     /srv/a\\134b.rts.png rw,user_id=0";
        let mount = parse(line).unwrap();
        assert_eq!(mount.point, Path::new("/mnt/my map"));
        assert_eq!(mount.map, Path::new("/srv/a\\b.rts.png"));
        assert_eq!((mount.device.as_str(), mount.options.as_str()), ("0:52", "rw,nosuid,nodev"));
    }

    #[test]
    fn other_lines_are_passed_over() {
        for line in [&b""[..], b"36 35 0:52 / /mnt rw - ext4 /dev/sda rw", b"1 2 3 4", b"a - b c"] {
            assert_eq!(parse(line), None);
        }
    }
}
