//! What lies below the map runs full, fails, or is cut off.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::Advice;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use serde_json::json;

use crate::faulty::{Fault, FaultyDisk};
use crate::ground::{Ground, Mounted, create_map, is_running, run_helper};
use crate::random::Random;
use crate::runner::{Done, Needs, Test, skip};

const fn as_root(name: &'static str, body: fn(&Ground) -> Done) -> Test {
    Test { name, needs: Needs::MountAsRoot, seconds: 90, body }
}

pub static TESTS: [Test; 6] = [
    as_root("full_disk_below", full_disk_below),
    as_root("full_disk_below_many_small_files", full_disk_below_many_small_files),
    as_root("failing_writes_below", failing_writes_below),
    as_root("failing_sync_below", failing_sync_below),
    as_root("failing_reads_below", failing_reads_below),
    as_root("map_cut_off_while_mounted", map_cut_off_while_mounted),
];

/// A filesystem in memory of a fixed size.
struct Small<'p>(&'p Path);

impl Small<'_> {
    fn mount(path: &Path, megabytes: u32) -> Small<'_> {
        let options = std::ffi::CString::new(format!("size={megabytes}m")).unwrap();
        mount("aetherflow-test", path, "tmpfs", MountFlags::empty(), &*options).unwrap();
        Small(path)
    }

    fn grow(&self, megabytes: u32) {
        mount_remount(self.0, MountFlags::empty(), format!("size={megabytes}m")).unwrap();
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = unmount(self.0, UnmountFlags::DETACH);
    }
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()?;
    File::open(path.parent().unwrap())?.sync_all()
}

fn errno(error: &io::Error) -> Option<Errno> {
    Errno::from_io_error(error)
}

fn assert_content(mounted: &Mounted, expected: &BTreeMap<String, Vec<u8>>) {
    for (name, content) in expected {
        let found = fs::read(mounted.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(found == *content, "{name}: {} bytes, not those written", found.len());
    }
}

/// Noise, which no compression makes smaller.
fn noise(random: &mut Random, length: usize) -> Vec<u8> {
    (0..length / 8).flat_map(|_| random.word().to_le_bytes()).collect()
}

/// Fills the disk with files of a size until something is refused, then gives it room again.
fn fill(ground: &Ground, size: usize) {
    const MEGABYTES: u32 = 24;
    let disk = ground.make("disk");
    let small = Small::mount(&disk, MEGABYTES);
    let map = disk.join("map.rts.png");
    create_map(&map);
    let mut mounted = ground.mount_map(&map, "");
    let mut random = ground.random();
    let mut synced = BTreeMap::new();
    let mut refusal = None;
    for number in 0..(2 << 20) * MEGABYTES as usize / size {
        let name = format!("file {number}");
        let content = noise(&mut random, size);
        match write_synced(&mounted.path(&name), &content) {
            Ok(()) => drop(synced.insert(name, content)),
            Err(error) => {
                refusal = Some(error);
                break;
            }
        }
    }
    let refusal = refusal.expect("a full disk refuses something");
    println!("after {} files of {size} bytes: {refusal}", synced.len());
    let refused = errno(&refusal);
    let is_known = matches!(refused, Some(Errno::NOSPC | Errno::ROFS | Errno::IO | Errno::DQUOT));
    assert!(is_known, "{refusal}");
    assert!(synced.len() * size > (MEGABYTES as usize) << 18, "hardly anything went in");
    let status = mounted.status();
    if refused != Some(Errno::NOSPC) {
        assert_eq!(status["state"], json!("degraded"), "{status:#}");
        assert!(status["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{status:#}");
    }
    assert_content(&mounted, &synced);
    // Trying on changes nothing for the better or the worse.
    for number in 0..5 {
        drop(write_synced(&mounted.path(&format!("further {number}")), &noise(&mut random, size)));
    }
    assert_content(&mounted, &synced);
    if status["state"] == json!("read-write") {
        // Removing files makes room without any change below.
        let names: Vec<String> = synced.keys().take(synced.len() / 2).cloned().collect();
        for name in names {
            fs::remove_file(mounted.path(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            synced.remove(&name);
        }
        drop(mounted.client().try_call("sync", &json!({})));
        assert_content(&mounted, &synced);
    }
    small.grow(MEGABYTES * 3);
    end(&mut mounted);
    mounted.mount();
    assert_eq!(mounted.status()["state"], json!("read-write"));
    assert_content(&mounted, &synced);
    let content = noise(&mut random, size);
    write_synced(&mounted.path("after"), &content).unwrap();
    synced.insert("after".to_owned(), content);
    mounted.remount();
    assert_content(&mounted, &synced);
    mounted.finish();
}

/// Unmounts a map that may not be able to close well; the process must be gone all the same.
fn end(mounted: &mut Mounted) {
    let ended = run_helper(&["unmount", &mounted.point.to_string_lossy()]);
    println!("unmount: {:?} {}{}", ended.code(), ended.stdout, ended.stderr);
    mounted.wait_for_end(Duration::from_secs(20));
}

fn full_disk_below(ground: &Ground) -> Done {
    fill(ground, 700_000);
    Done::Passed
}

fn full_disk_below_many_small_files(ground: &Ground) -> Done {
    fill(ground, 16_000);
    Done::Passed
}

/// A map on a disk that can fail, with something synced in it.
fn on_faulty_disk(
    ground: &Ground,
    synced: &mut BTreeMap<String, Vec<u8>>,
) -> Option<(FaultyDisk, Mounted)> {
    let (folder, point) = (ground.make("below"), ground.make("disk"));
    create_map(&folder.join("map.rts.png"));
    let disk = FaultyDisk::mount(&folder, &point).ok()?;
    let mounted = ground.mount_map(&disk.point.join("map.rts.png"), "");
    let mut random = ground.random();
    for number in 0..20 {
        let length = 1 + random.index(300_000);
        let content = random.bytes(length);
        let name = format!("file {number}");
        write_synced(&mounted.path(&name), &content).unwrap();
        synced.insert(name, content);
    }
    Some((disk, mounted))
}

const NO_DISK: &str = "a disk that fails on command cannot be mounted here";

fn failing(ground: &Ground, fault: Fault) -> Done {
    let mut synced = BTreeMap::new();
    let Some((disk, mut mounted)) = on_faulty_disk(ground, &mut synced) else {
        return skip(NO_DISK);
    };
    let mut random = ground.random();
    disk.set(fault);
    let lost = random.bytes(500_000);
    let refused = write_synced(&mounted.path("lost"), &lost).expect_err("a sync that fails");
    println!("{fault:?}: {refused}");
    assert!(matches!(errno(&refused), Some(Errno::IO | Errno::ROFS)), "{refused}");
    let status = mounted.status();
    assert_eq!(status["state"], json!("degraded"), "{status:#}");
    let reason = status["reason"].as_str().unwrap_or_default();
    assert!(reason.len() > 10, "the reason is a sentence: {status:#}");
    let listed = run_helper(&["status", &mounted.point.to_string_lossy(), "--json"]);
    assert!(listed.stdout.contains("degraded"), "{}", listed.stdout);
    // Nothing pretends to be written any more; everything that was is read.
    let refused = write_synced(&mounted.path("more"), b"x").expect_err("a degraded map");
    assert!(matches!(errno(&refused), Some(Errno::ROFS | Errno::IO)), "{refused}");
    let refused = fs::create_dir(mounted.path("folder")).expect_err("a degraded map");
    assert!(matches!(errno(&refused), Some(Errno::ROFS | Errno::IO)), "{refused}");
    assert_content(&mounted, &synced);
    disk.set(Fault::None);
    assert_content(&mounted, &synced);
    end(&mut mounted);
    mounted.mount();
    assert_eq!(mounted.status()["state"], json!("read-write"));
    assert_content(&mounted, &synced);
    write_synced(&mounted.path("after"), &lost).unwrap();
    synced.insert("after".to_owned(), lost);
    mounted.remount();
    assert_content(&mounted, &synced);
    mounted.finish();
    drop(disk);
    Done::Passed
}

fn failing_writes_below(ground: &Ground) -> Done {
    failing(ground, Fault::Writes)
}

fn failing_sync_below(ground: &Ground) -> Done {
    failing(ground, Fault::Syncs)
}

/// Empties the caches of the helper and of the kernel for what lies in the mount.
fn drop_caches(mounted: &Mounted, names: &BTreeMap<String, Vec<u8>>) {
    mounted.call("checkpoint", &json!({}));
    mounted.call("cache", &json!({"drop": true}));
    for name in names.keys() {
        let file = File::open(mounted.path(name)).unwrap();
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).unwrap();
    }
}

/// Reads give what was written, or an error; never anything else. Returns how many failed.
fn failures(mounted: &Mounted, expected: &BTreeMap<String, Vec<u8>>) -> usize {
    let mut failed = 0;
    for (name, content) in expected {
        let read = File::open(mounted.path(name)).and_then(|mut file| {
            let mut found = Vec::new();
            file.read_to_end(&mut found).map(|_| found)
        });
        match read {
            Ok(found) => assert!(found == *content, "{name}: wrong bytes instead of an error"),
            Err(error) => {
                assert_eq!(errno(&error), Some(Errno::IO), "{name}: {error}");
                failed += 1;
            }
        }
    }
    failed
}

fn failing_reads_below(ground: &Ground) -> Done {
    let mut synced = BTreeMap::new();
    let Some((disk, mounted)) = on_faulty_disk(ground, &mut synced) else {
        return skip(NO_DISK);
    };
    drop_caches(&mounted, &synced);
    disk.set(Fault::Reads);
    let failed = failures(&mounted, &synced);
    println!("{failed} of {} files cannot be read", synced.len());
    assert!(failed > 0, "nothing was read from the disk");
    disk.set(Fault::None);
    // Once it can be read again it is read again: no error is kept.
    assert_content(&mounted, &synced);
    mounted.finish();
    drop(disk);
    Done::Passed
}

fn map_cut_off_while_mounted(ground: &Ground) -> Done {
    let mut mounted = ground.mount_with("");
    let mut random = ground.random();
    let mut synced = BTreeMap::new();
    for number in 0..30 {
        let length = 1 + random.index(600_000);
        let content = noise(&mut random, length.next_multiple_of(8));
        let name = format!("file {number}");
        write_synced(&mounted.path(&name), &content).unwrap();
        synced.insert(name, content);
    }
    drop_caches(&mounted, &synced);
    let whole = fs::read(&mounted.map).unwrap();
    let file = OpenOptions::new().write(true).open(&mounted.map).unwrap();
    file.set_len(whole.len() as u64 / 4).unwrap();
    let failed = failures(&mounted, &synced);
    println!("{failed} of {} files cannot be read", synced.len());
    assert!(failed > 0, "three quarters are gone and nothing failed");
    assert!(is_running(mounted.pid), "the helper has died of it");
    // Writing may be refused; it must not kill either.
    println!("writing: {:?}", write_synced(&mounted.path("new"), b"x"));
    assert!(is_running(mounted.pid), "the helper has died of it");
    assert!(mounted.status()["state"].is_string());
    end(&mut mounted);
    assert!(mounted.line().is_none());
    // The file as it was, with whatever log is left, is a map again or says why not.
    drop(file);
    let file = OpenOptions::new().write(true).open(&mounted.map).unwrap();
    file.write_all_at(&whole, 0).unwrap();
    drop(file);
    let ended = mounted.try_mount();
    if ended.status.success() {
        assert_eq!(failures(&mounted, &synced), 0);
    } else {
        println!("mounting the restored file: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.contains("map"), "{}", ended.stderr);
    }
    Done::Passed
}
