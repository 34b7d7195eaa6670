use std::sync::Barrier;

use super::*;
use crate::base::env::Timestamp;

/// A directory of its own, removed with everything in it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir();
        let path = unique(&path.join(format!("aetherflow-lock-{name}")));
        fs::create_dir_all(&path).unwrap();
        Place(path)
    }
    fn map(&self) -> PathBuf {
        self.0.join("map.rts.png")
    }
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn take(place: &Place) -> Result<LockFile> {
    LockFile::acquire(&place.map(), "test", "rw", Some("/run/x.sock"))
}

fn leave(place: &Place, change: impl FnOnce(&mut LockOwner)) -> LockOwner {
    let mut owner = LockOwner::current("other", "rw", None);
    change(&mut owner);
    fs::write(lock_path(&place.map()), owner.to_json()).unwrap();
    owner
}

#[test]
fn one_holder_at_a_time() {
    let place = Place::new("one");
    assert_eq!(LockFile::owner_of(&place.map()).unwrap(), None);
    let lock = take(&place).unwrap();
    assert!(lock.is_held());
    assert_eq!(place.names(), ["map.rts.png-lock"]);
    let owner = LockFile::owner_of(&place.map()).unwrap().unwrap();
    assert_eq!(&owner, lock.owner());
    assert_eq!(owner.socket.as_deref(), Some("/run/x.sock"));
    let error = take(&place).unwrap_err();
    assert_eq!(error.code(), Code::Locked);
    let process = format!("process {} (test)", std::process::id());
    assert!(error.message().contains(&process), "{error}");
    assert!(error.message().contains(&owner.since), "{error}");
    drop(lock);
    assert!(place.names().is_empty());
    take(&place).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn stale_locks_are_taken_over() {
    let place = Place::new("stale");
    leave(&place, |owner| owner.boot_id = Some("another boot".to_owned()));
    drop(take(&place).unwrap());
    leave(&place, |owner| owner.started = owner.started.map(|ticks| ticks + 1));
    drop(take(&place).unwrap());
    // Above the largest process number there is.
    leave(&place, |owner| owner.pid = 0x7fff_fff0);
    assert_eq!(LockFile::owner_of(&place.map()).unwrap(), None);
    drop(take(&place).unwrap());
    // A child that has ended, not yet waited for.
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let pid = child.id();
    while process_state(&pid.to_string()).is_some_and(|(state, _)| state != b'Z') {
        std::thread::sleep(Duration::from_millis(2));
    }
    leave(&place, |owner| (owner.pid, owner.started) = (pid, None));
    drop(take(&place).unwrap());
    child.wait().unwrap();
    assert!(place.names().is_empty());
}

#[test]
fn what_cannot_be_judged_counts_as_held() {
    let place = Place::new("held");
    leave(&place, |owner| owner.host.push_str("-elsewhere"));
    assert_eq!(take(&place).unwrap_err().code(), Code::Locked);
    leave(&place, |owner| (owner.started, owner.boot_id) = (None, None));
    assert_eq!(take(&place).unwrap_err().code(), Code::Locked);
    fs::write(lock_path(&place.map()), b"{\"pid\":").unwrap();
    assert_eq!(take(&place).unwrap_err().code(), Code::Locked);
    assert_eq!(LockFile::owner_of(&place.map()).unwrap(), None);
}

#[test]
fn an_old_file_without_an_owner_is_a_leftover() {
    let place = Place::new("leftover");
    for content in [&b""[..], b"{}", b"{\"pid\":0,\"host\":\"x\"}", b"\xff\x00"] {
        let path = lock_path(&place.map());
        fs::write(&path, content).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - UNREADABLE_AGE * 2).unwrap();
        drop(file);
        drop(take(&place).unwrap());
    }
}

#[test]
fn only_the_judged_file_is_taken_away() {
    let place = Place::new("judged");
    let path = lock_path(&place.map());
    let stale = leave(&place, |owner| owner.boot_id = Some("another boot".to_owned()));
    let live = leave(&place, |_| {});
    // Another process took over between the look and the move.
    let error = take_away(&path, stale.to_json().as_bytes()).unwrap_err();
    assert_eq!(error.code(), Code::Locked);
    assert_eq!(fs::read(&path).unwrap(), live.to_json().as_bytes());
    assert_eq!(place.names(), ["map.rts.png-lock"]);
    take_away(&path, live.to_json().as_bytes()).unwrap();
    take_away(&path, b"nothing there").unwrap();
}

#[test]
fn a_lock_that_is_not_ours_any_more_is_left_alone() {
    let place = Place::new("other");
    let lock = take(&place).unwrap();
    let other = leave(&place, |_| {});
    assert!(!lock.is_held());
    drop(lock);
    assert_eq!(fs::read(lock_path(&place.map())).unwrap(), other.to_json().as_bytes());
}

#[cfg(target_os = "linux")]
#[test]
fn many_takers_of_a_stale_lock_and_one_winner() {
    for round in 0..20 {
        let place = Place::new("race");
        leave(&place, |owner| owner.boot_id = Some(format!("boot {round}")));
        let barrier = Barrier::new(6);
        let held: Vec<_> = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..6)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        take(&place).ok()
                    })
                })
                .collect();
            takers.into_iter().filter_map(|taker| taker.join().unwrap()).collect()
        });
        assert_eq!(held.len(), 1, "round {round}");
        assert_eq!(place.names(), ["map.rts.png-lock"]);
    }
}

#[test]
fn times_and_process_states_are_read_right() {
    let at = |seconds, nanos| rfc3339(Timestamp { seconds, nanos });
    assert_eq!(at(0, 0), "1970-01-01T00:00:00.000000000Z");
    assert_eq!(at(951_782_400, 5), "2000-02-29T00:00:00.000000005Z");
    assert_eq!(at(1_767_225_599, 999_999_999), "2025-12-31T23:59:59.999999999Z");
    assert_eq!(at(-1, 0), "1969-12-31T23:59:59.000000000Z");
    let stat = b"7 (a) b) (c) S 1 7 7 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2\n";
    assert_eq!(parse_stat(stat), Some((b'S', 98765)));
    for end in 0..stat.len() - 12 {
        assert_eq!(parse_stat(&stat[..end]), None);
    }
}
