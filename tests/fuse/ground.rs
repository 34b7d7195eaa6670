//! The ground of one test: its folder, its maps and where they are mounted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aetherflow::check::{VerifyOptions, verify};
use aetherflow::map::{Map, Options};
use aetherflow::storage::Storage;
use aetherflow::storage::file::{FileStorage, Mode};
use rustix::mount::UnmountFlags;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::client::Client;
use crate::process::{Ended, MountLine, is_root, mounts, run};
use crate::random::{Random, mix, seed};

/// The folder to run in instead of on a mount, if any.
pub fn reference() -> Option<PathBuf> {
    std::env::var_os("AETHERFLOW_TEST_REFERENCE").map(PathBuf::from)
}

/// The program under test.
pub fn helper() -> PathBuf {
    let built = option_env!("CARGO_BIN_EXE_aetherflow-fuse").map(PathBuf::from);
    let chosen = std::env::var_os("AETHERFLOW_FUSE").map(PathBuf::from);
    chosen.or(built).expect("AETHERFLOW_FUSE names the program to test")
}

/// What mount(8) runs for maps.
const FOR_MOUNT: &str = "/sbin/mount.fuse.aetherflow";

/// The program under test where mount(8) looks for it, for as long as the tests run.
pub struct Installed(());

impl Installed {
    /// `None` where somebody else's is there, or where we may not.
    pub fn new() -> Option<Installed> {
        let left_behind = fs::read_link(FOR_MOUNT).is_ok_and(|target| !target.exists());
        if left_behind {
            drop(fs::remove_file(FOR_MOUNT));
        }
        if !is_installed() {
            std::os::unix::fs::symlink(helper(), FOR_MOUNT).ok()?;
        }
        Some(Installed(()))
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        drop(fs::remove_file(FOR_MOUNT));
    }
}

/// Whether mount(8) finds the program under test.
pub fn is_installed() -> bool {
    fs::read_link(FOR_MOUNT).is_ok_and(|target| target == helper())
}

/// How long the helper may take for anything.
const HELPER: Duration = Duration::from_secs(30);

pub fn run_helper(arguments: &[&str]) -> Ended {
    run(Command::new(helper()).args(arguments), HELPER)
}

pub struct Ground {
    folder: PathBuf,
    mounted: AtomicU32,
}

impl Ground {
    pub fn new(folder: &Path) -> Ground {
        Ground { folder: folder.to_owned(), mounted: AtomicU32::new(0) }
    }

    /// A path in the folder of this test, which lies on the machine's own filesystem.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A new folder there.
    pub fn make(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Random values that differ from test to test.
    pub fn random(&self) -> Random {
        let name = self.folder.file_name().unwrap_or_default().as_encoded_bytes();
        Random::new(name.iter().fold(seed(), |sum, &byte| mix(sum ^ u64::from(byte))))
    }

    /// A new map, mounted for everybody.
    pub fn mount(&self) -> Mounted {
        self.mount_with(if is_root() { "allow_other,dev,suid" } else { "" })
    }

    /// A new map, mounted with options.
    pub fn mount_with(&self, options: &str) -> Mounted {
        let number = self.mounted.fetch_add(1, Ordering::Relaxed);
        let map = self.path(&format!("{number}.map.rts.png"));
        if reference().is_none() {
            create_map(&map);
        }
        self.mount_map(&map, options)
    }

    /// Mounts a map that is there already.
    pub fn mount_map(&self, map: &Path, options: &str) -> Mounted {
        let number = self.mounted.fetch_add(1, Ordering::Relaxed);
        let mut point = self.path(&format!("{number}.mnt"));
        if let Some(reference) = reference() {
            let name = self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            point = reference.join(format!("{}-{name}-{number}", std::process::id()));
        }
        fs::create_dir_all(&point).unwrap();
        let mut mounted = Mounted {
            map: map.to_owned(),
            log: self.path(&format!("{number}.daemon.log")),
            point,
            options: options.to_owned(),
            pid: 0,
            socket: PathBuf::new(),
        };
        mounted.mount();
        mounted
    }
}

/// Makes an empty map.
pub fn create_map(path: &Path) {
    let storage = FileStorage::open(path, Mode::CreateNew).unwrap();
    let map = Map::create_on(Arc::new(storage), None, &Options::default()).unwrap();
    map.close().unwrap();
}

/// Checks a map that nobody has open, as deeply as can be.
pub fn verify_deep(path: &Path) {
    assert!(!path.with_file_name(beside(path, "-lock")).exists(), "the map is still locked");
    let storage: Arc<dyn Storage> = Arc::new(FileStorage::open(path, Mode::Read).unwrap());
    let map = Map::open_on(storage, None, false, &Options::default()).unwrap();
    let report = map.read(|fs| verify(fs, VerifyOptions { deep: true }, &mut |_, _| true));
    let report = report.unwrap();
    assert!(report.is_ok(), "{}: {:#?}", path.display(), report.problems);
}

/// The name of a file that lies beside a map.
pub fn beside(map: &Path, suffix: &str) -> String {
    format!("{}{suffix}", map.file_name().unwrap_or_default().to_string_lossy())
}

/// A mounted map. However the test ends, it is unmounted and its process is gone.
pub struct Mounted {
    pub map: PathBuf,
    pub point: PathBuf,
    pub options: String,
    pub pid: u32,
    pub socket: PathBuf,
    log: PathBuf,
}

impl Mounted {
    pub fn path(&self, name: &str) -> PathBuf {
        self.point.join(name)
    }

    /// Mounts, or fails; returns how the helper ended.
    pub fn try_mount(&mut self) -> Ended {
        let (map, point) = (self.map.to_string_lossy(), self.point.to_string_lossy());
        let log = self.log.to_string_lossy();
        let mut arguments = vec!["mount", &map, &point, "--daemon", "--json", "--log", &log];
        if !self.options.is_empty() {
            arguments.extend(["-o", &self.options]);
        }
        let ended = run_helper(&arguments);
        if ended.status.success() {
            let said: Value = serde_json::from_str(&ended.stdout).expect("mount --json");
            self.pid = said["pid"].as_u64().expect("the helper's process number") as u32;
            self.socket = said["socket"].as_str().expect("the control socket").into();
        }
        ended
    }

    pub fn mount(&mut self) {
        if reference().is_none() {
            let ended = self.try_mount();
            assert!(ended.status.success(), "mount: {}{}", ended.stdout, ended.stderr);
        }
    }

    /// The line of the kernel's table.
    pub fn line(&self) -> Option<MountLine> {
        mounts().into_iter().find(|mount| mount.point == self.point)
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.socket)
    }

    /// One call over the control socket.
    pub fn call(&self, method: &str, params: &Value) -> Value {
        self.client().call(method, params)
    }

    pub fn status(&self) -> Value {
        self.call("status", &json!({}))
    }

    pub fn unmount(&mut self) {
        if reference().is_some() {
            return;
        }
        let ended = run_helper(&["unmount", &self.point.to_string_lossy()]);
        assert!(ended.status.success(), "unmount: {}{}", ended.stdout, ended.stderr);
        self.wait_for_end(Duration::from_secs(20));
    }

    /// Waits for the mount and its process to be gone.
    pub fn wait_for_end(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.line().is_some() || is_running(self.pid) {
            assert!(Instant::now() < deadline, "the mount or its process is still there");
            thread::sleep(Duration::from_millis(5));
        }
        self.pid = 0;
    }

    /// Unmounts and mounts again.
    pub fn remount(&mut self) {
        self.unmount();
        self.mount();
    }

    /// Ends the helper in the middle of whatever it does.
    pub fn kill(&mut self) {
        send(self.pid, Signal::KILL);
        let deadline = Instant::now() + Duration::from_secs(20);
        while is_running(self.pid) {
            assert!(Instant::now() < deadline, "the helper outlives SIGKILL");
            thread::sleep(Duration::from_millis(1));
        }
        self.pid = 0;
    }

    /// Unmounts and checks that everything is as a clean end leaves it.
    pub fn finish(mut self) {
        if reference().is_some() {
            return;
        }
        self.unmount();
        for suffix in ["-wal", "-lock"] {
            let rest = self.map.with_file_name(beside(&self.map, suffix));
            assert!(!rest.exists(), "{} is left after unmounting", rest.display());
        }
        verify_deep(&self.map);
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if reference().is_some() {
            drop(fs::remove_dir_all(&self.point));
            return;
        }
        if self.pid != 0 && is_running(self.pid) {
            send(self.pid, Signal::KILL);
        }
        while self.line().is_some() {
            if rustix::mount::unmount(&*self.point, UnmountFlags::DETACH).is_err() {
                break;
            }
        }
    }
}

pub fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process number");
    let _ = kill_process(pid, signal);
}

/// Whether the process is there and no zombie.
pub fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}
