//! Files: opening, reading, writing, mapping, and files without a name.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, openat, utimensat};
use rustix::io::Errno;
use serde_json::json;

use crate::ground::{Ground, Mounted, reference};
use crate::mapping::Mapping;
use crate::runner::{Done, Needs, SHORT, Test};

const fn on_any(name: &'static str, body: fn(&Ground) -> Done) -> Test {
    Test { name, needs: Needs::Files, seconds: SHORT, body }
}

pub static TESTS: [Test; 14] = [
    on_any("append_goes_to_the_end", append_goes_to_the_end),
    on_any("appends_of_many_do_not_overlap", appends_of_many_do_not_overlap),
    on_any("direct_io", direct_io),
    on_any("temporary_files_without_a_name", temporary_files_without_a_name),
    on_any("unlinked_files_live_while_open", unlinked_files_live_while_open),
    on_any("open_flags", open_flags),
    on_any("times_to_the_nanosecond", times_to_the_nanosecond),
    on_any("times_change_when_they_must", times_change_when_they_must),
    on_any("mapped_writes_are_seen", mapped_writes_are_seen),
    on_any("mapped_and_plain_io_agree", mapped_and_plain_io_agree),
    on_any("truncate_and_grow", truncate_and_grow),
    on_any("big_and_far", big_and_far),
    on_any("special_names", special_names),
    Test {
        name: "unlinked_files_are_freed_after_a_kill",
        needs: Needs::Mount,
        seconds: SHORT,
        body: unlinked_files_are_freed_after_a_kill,
    },
];

fn append_goes_to_the_end(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let path = mounted.path("log");
    let open = || OpenOptions::new().append(true).create(true).read(true).open(&path).unwrap();
    let (mut one, mut two) = (open(), open());
    one.write_all(b"one ").unwrap();
    two.write_all(b"two ").unwrap();
    one.seek(SeekFrom::Start(0)).unwrap();
    one.write_all(b"three").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"one two three");
    // Linux appends with pwrite, too, whatever its offset.
    two.write_at(b"!", 0).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"one two three!");
    drop((one, two));
    mounted.remount();
    assert_eq!(fs::read(mounted.path("log")).unwrap(), b"one two three!");
    mounted.finish();
    Done::Passed
}

fn appends_of_many_do_not_overlap(ground: &Ground) -> Done {
    const LINES: usize = 200;
    const WRITERS: usize = 6;
    let mounted = ground.mount();
    let path = mounted.path("log");
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let path = &path;
            scope.spawn(move || {
                let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
                for line in 0..LINES {
                    let text = format!("{writer} {line} {}\n", "x".repeat(line));
                    assert_eq!(file.write(text.as_bytes()).unwrap(), text.len());
                }
            });
        }
    });
    let text = fs::read_to_string(&path).unwrap();
    let mut next = [0; WRITERS];
    for line in text.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let (writer, number): (usize, usize) =
            (fields[0].parse().unwrap(), fields[1].parse().unwrap());
        assert_eq!((number, fields[2].len()), (next[writer], number), "{line}");
        next[writer] += 1;
    }
    assert_eq!(next, [LINES; WRITERS]);
    mounted.finish();
    Done::Passed
}

/// A part of a vector that starts at an address of the alignment direct reading and writing asks.
fn aligned(room: &mut Vec<u8>, length: usize) -> &mut [u8] {
    const ALIGNMENT: usize = 4096;
    room.resize(length + ALIGNMENT, 0);
    let start = room.as_ptr().align_offset(ALIGNMENT);
    &mut room[start..start + length]
}

fn direct_io(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let path = mounted.path("direct");
    let flags = OFlags::DIRECT.bits().cast_signed();
    let open = |path: &Path| {
        OpenOptions::new().read(true).write(true).create(true).custom_flags(flags).open(path)
    };
    let Ok(file) = open(&path) else {
        assert!(reference().is_some(), "O_DIRECT is refused");
        return crate::runner::skip("the reference knows no O_DIRECT");
    };
    let bytes = ground.random().bytes(64 << 10);
    let (mut out, mut back) = (Vec::new(), Vec::new());
    aligned(&mut out, bytes.len()).copy_from_slice(&bytes);
    file.write_all_at(aligned(&mut out, bytes.len()), 4096).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 4096 + bytes.len() as u64);
    // What is written directly is seen through the cache, and the other way round.
    assert_eq!(fs::read(&path).unwrap()[4096..], bytes);
    let plain = OpenOptions::new().write(true).open(&path).unwrap();
    plain.write_all_at(b"through the cache", 4096 + 100).unwrap();
    let read = aligned(&mut back, 4096);
    file.read_exact_at(read, 4096).unwrap();
    assert_eq!(&read[100..117], b"through the cache");
    assert_eq!(read[..100], bytes[..100]);
    // The tail of a file whose length is no multiple of anything.
    plain.set_len(4096 + 5000).unwrap();
    let tail = aligned(&mut back, 8192);
    assert_eq!(file.read_at(tail, 8192).unwrap(), 4096 + 5000 - 8192);
    assert_eq!(tail[..904], bytes[4096..5000]);
    drop((file, plain));
    mounted.remount();
    let file = open(&mounted.path("direct")).unwrap();
    let tail = aligned(&mut back, 8192);
    assert_eq!(file.read_at(tail, 8192).unwrap(), 904);
    assert_eq!(tail[..904], bytes[4096..5000]);
    drop(file);
    mounted.finish();
    Done::Passed
}

/// FUSE has a request for it since 7.37; where the helper's library does not speak it, the
/// documented answer is EOPNOTSUPP, on which programs fall back to a name they unlink.
fn temporary_files_without_a_name(ground: &Ground) -> Done {
    let mounted = ground.mount();
    let made = openat(CWD, &mounted.point, OFlags::TMPFILE | OFlags::RDWR, Mode::RUSR);
    match made {
        Err(error) => assert_eq!(error, Errno::OPNOTSUPP),
        Ok(file) => {
            let mut file = File::from(file);
            file.write_all(b"no name").unwrap();
            file.rewind().unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(text, "no name");
            assert_eq!(fs::read_dir(&mounted.point).unwrap().count(), 0);
        }
    }
    mounted.finish();
    Done::Passed
}

fn unlinked_files_live_while_open(ground: &Ground) -> Done {
    let mounted = ground.mount();
    let path = mounted.path("gone");
    let bytes = ground.random().bytes(300_000);
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    file.write_all(&bytes).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(!path.exists());
    assert_eq!(file.metadata().unwrap().nlink(), 0);
    // A new file under the name has nothing to do with the old one.
    fs::write(&path, b"new").unwrap();
    file.write_all(b"more").unwrap();
    file.sync_all().unwrap();
    file.set_len(200_000).unwrap();
    let mut back = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut back).unwrap();
    assert_eq!(back, bytes[..200_000]);
    assert_eq!(fs::read(&path).unwrap(), b"new");
    // Renaming over an open file leaves it readable as well.
    let old = File::open(&path).unwrap();
    fs::write(mounted.path("other"), b"other").unwrap();
    fs::rename(mounted.path("other"), &path).unwrap();
    let mut text = String::new();
    (&old).read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), old.metadata().unwrap().nlink()), ("new", 0));
    // A directory that was removed while open is empty and takes nothing.
    fs::create_dir(mounted.path("folder")).unwrap();
    let folder = File::open(mounted.path("folder")).unwrap();
    fs::remove_dir(mounted.path("folder")).unwrap();
    let refused = openat(&folder, "x", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR);
    assert_eq!(refused.unwrap_err(), Errno::NOENT);
    drop((file, old, folder));
    mounted.finish();
    Done::Passed
}

fn unlinked_files_are_freed_after_a_kill(ground: &Ground) -> Done {
    const SIZE: usize = 6 << 20;
    let mut mounted = ground.mount();
    let mut random = ground.random();
    let words: Vec<u8> = (0..SIZE / 8).flat_map(|_| random.word().to_le_bytes()).collect();
    let used = |mounted: &Mounted| {
        mounted.call("checkpoint", &json!({}));
        mounted.call("info", &json!({}))["clustersUsed"].as_u64().expect("clustersUsed")
    };
    let before = used(&mounted);
    let mut file = File::create(mounted.path("gone")).unwrap();
    file.write_all(&words).unwrap();
    file.sync_all().unwrap();
    fs::remove_file(mounted.path("gone")).unwrap();
    // The name is gone for good; the bytes stay for the one who has the file open.
    File::open(&mounted.point).unwrap().sync_all().unwrap();
    file.sync_all().unwrap();
    let held = used(&mounted);
    assert!(held >= before + SIZE as u64 / 4096, "{before} clusters, {held} with the open file");
    mounted.kill();
    drop(file);
    mounted.mount();
    assert_eq!(fs::read_dir(&mounted.point).unwrap().count(), 0);
    let after = used(&mounted);
    // The map has grown, and with it its own tables and parity.
    let rest = (held - before) / 4;
    assert!(after < before + rest, "{before} used clusters, {held}, then {after}");
    mounted.finish();
    Done::Passed
}

fn open_flags(ground: &Ground) -> Done {
    let mounted = ground.mount();
    let path = mounted.path("file");
    let open = |flags: OFlags| openat(CWD, &path, flags, Mode::from_raw_mode(0o644));
    assert_eq!(open(OFlags::RDONLY).unwrap_err(), Errno::NOENT);
    drop(open(OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY).unwrap());
    assert_eq!(open(OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY).unwrap_err(), Errno::EXIST);
    assert_eq!(open(OFlags::DIRECTORY).unwrap_err(), Errno::NOTDIR);
    fs::write(&path, b"0123456789").unwrap();
    drop(open(OFlags::TRUNC | OFlags::WRONLY).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    let read_only = File::from(open(OFlags::RDONLY).unwrap());
    assert_eq!(
        (&read_only).write(b"x").unwrap_err().raw_os_error(),
        Some(Errno::BADF.raw_os_error())
    );
    drop(read_only);
    std::os::unix::fs::symlink(&path, mounted.path("link")).unwrap();
    let link = mounted.path("link");
    let refused = openat(CWD, &link, OFlags::NOFOLLOW | OFlags::RDONLY, Mode::empty());
    assert_eq!(refused.unwrap_err(), Errno::LOOP);
    let write_folder = openat(CWD, &mounted.point, OFlags::WRONLY, Mode::empty());
    assert_eq!(write_folder.unwrap_err(), Errno::ISDIR);
    assert_eq!(
        fs::read(&mounted.point).unwrap_err().raw_os_error(),
        Some(Errno::ISDIR.raw_os_error())
    );
    // Synchronous writing is writing.
    for flags in [OFlags::SYNC, OFlags::DSYNC] {
        let file = File::from(open(flags | OFlags::WRONLY).unwrap());
        file.write_all_at(b"synced", 3).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"\0\0\0synced");
    }
    mounted.finish();
    Done::Passed
}

fn times_to_the_nanosecond(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let cases = [(1_234_567_890, 123_456_789), (0, 1), (-1, 999_999_999), (4_102_444_800, 7)];
    let name = |number: usize| format!("file {number}");
    for (number, &(seconds, nanos)) in cases.iter().enumerate() {
        let path = mounted.path(&name(number));
        fs::write(&path, b"x").unwrap();
        let time = Timespec { tv_sec: seconds, tv_nsec: nanos };
        let times = Timestamps { last_access: time, last_modification: time };
        utimensat(CWD, &path, &times, AtFlags::empty()).unwrap();
    }
    for round in 0..2 {
        for (number, &(seconds, nanos)) in cases.iter().enumerate() {
            let about = fs::metadata(mounted.path(&name(number))).unwrap();
            assert_eq!((about.mtime(), about.mtime_nsec()), (seconds, nanos), "round {round}");
            assert_eq!((about.atime(), about.atime_nsec()), (seconds, nanos), "round {round}");
        }
        mounted.remount();
    }
    // A link has times of its own.
    std::os::unix::fs::symlink("nowhere", mounted.path("link")).unwrap();
    let time = Timespec { tv_sec: 99, tv_nsec: 98 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, mounted.path("link"), &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    let about = fs::symlink_metadata(mounted.path("link")).unwrap();
    assert_eq!((about.mtime(), about.mtime_nsec()), (99, 98));
    mounted.finish();
    Done::Passed
}

fn times_change_when_they_must(ground: &Ground) -> Done {
    let mounted = ground.mount();
    let path = mounted.path("file");
    let now = SystemTime::now();
    fs::write(&path, b"x").unwrap();
    let made = fs::metadata(&path).unwrap();
    let age = made.modified().unwrap().duration_since(now);
    let late = age.as_ref().is_ok_and(|age| *age > Duration::from_secs(5));
    let early = age.is_err_and(|error| error.duration() > Duration::from_secs(1));
    assert!(!late && !early, "modified at {:?}, made at {now:?}", made.modified());
    let stamp = |about: &fs::Metadata| (about.mtime(), about.mtime_nsec());
    let changed = |about: &fs::Metadata| (about.ctime(), about.ctime_nsec());
    let pause = || thread::sleep(Duration::from_millis(15));
    pause();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let moded = fs::metadata(&path).unwrap();
    assert_eq!(stamp(&moded), stamp(&made));
    assert!(changed(&moded) > changed(&made), "chmod changes ctime");
    pause();
    fs::write(&path, b"longer").unwrap();
    let written = fs::metadata(&path).unwrap();
    assert!(stamp(&written) > stamp(&made), "a write changes mtime");
    pause();
    fs::hard_link(&path, mounted.path("second")).unwrap();
    let linked = fs::metadata(&path).unwrap();
    assert!(changed(&linked) > changed(&written), "a link changes ctime");
    let folder = fs::metadata(&mounted.point).unwrap();
    pause();
    fs::remove_file(mounted.path("second")).unwrap();
    assert!(stamp(&fs::metadata(&mounted.point).unwrap()) > stamp(&folder), "unlink in a folder");
    mounted.finish();
    Done::Passed
}

fn mapped_writes_are_seen(ground: &Ground) -> Done {
    const LENGTH: usize = 3 * 4096 + 100;
    let mut mounted = ground.mount();
    let path = mounted.path("mapped");
    let bytes = ground.random().bytes(LENGTH);
    fs::write(&path, &bytes).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut mapping = Mapping::new(&file, LENGTH);
    assert_eq!(mapping.read(0, LENGTH), bytes);
    mapping.write(4090, b"written through memory");
    let mut expected = bytes;
    expected[4090..4112].copy_from_slice(b"written through memory");
    assert_eq!(fs::read(&path).unwrap(), expected, "reading sees it at once");
    file.write_all_at(b"by a call", 8000).unwrap();
    expected[8000..8009].copy_from_slice(b"by a call");
    assert_eq!(mapping.read(0, LENGTH), expected, "the mapping sees a write");
    mapping.sync();
    mapping.write(LENGTH - 3, b"end");
    expected[LENGTH - 3..].copy_from_slice(b"end");
    // Neither the file nor the mapping is synced: unmounting must write it.
    drop((mapping, file));
    mounted.remount();
    assert_eq!(fs::read(mounted.path("mapped")).unwrap(), expected);
    mounted.finish();
    Done::Passed
}

fn mapped_and_plain_io_agree(ground: &Ground) -> Done {
    const LENGTH: usize = 256 << 10;
    let mut mounted = ground.mount();
    let path = mounted.path("both");
    let mut random = ground.random();
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    file.set_len(LENGTH as u64).unwrap();
    let mut model = vec![0; LENGTH];
    let mut mapping = Mapping::new(&file, LENGTH);
    for turn in 0..400 {
        let bytes = random.bytes(1 + random.clone().index(9000));
        let start = random.index(LENGTH - bytes.len());
        model[start..start + bytes.len()].copy_from_slice(&bytes);
        if random.one_in(2) {
            mapping.write(start, &bytes);
        } else {
            file.write_all_at(&bytes, start as u64).unwrap();
        }
        match random.below(12) {
            0 => file.sync_data().unwrap(),
            1 => mapping.sync(),
            2 => rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap(),
            _ => {}
        }
        let from = random.index(LENGTH - 5000);
        let mut back = vec![0; 5000];
        file.read_exact_at(&mut back, from as u64).unwrap();
        assert_eq!(back, model[from..from + 5000], "read in turn {turn}");
        assert_eq!(mapping.read(from, 5000), model[from..from + 5000], "mapping in turn {turn}");
    }
    drop((mapping, file));
    mounted.remount();
    assert_eq!(fs::read(mounted.path("both")).unwrap(), model);
    mounted.finish();
    Done::Passed
}

fn truncate_and_grow(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let path = mounted.path("file");
    let bytes = ground.random().bytes(400_000);
    fs::write(&path, &bytes).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut expected = bytes;
    // What was cut off must not come back when the file grows again.
    for (cut, grown) in [(399_999, 400_001), (131_072, 300_000), (100, 5000), (0, 10_000)] {
        file.set_len(cut).unwrap();
        file.set_len(grown).unwrap();
        expected.truncate(cut as usize);
        expected.resize(grown as usize, 0);
        assert_eq!(fs::read(&path).unwrap(), expected, "cut to {cut}, grown to {grown}");
        file.write_all_at(b"tail", grown).unwrap();
        expected.extend_from_slice(b"tail");
        assert_eq!(fs::read(&path).unwrap(), expected);
        file.sync_all().unwrap();
    }
    // A mapping sees zeros behind the end that was cut.
    file.write_all_at(&[7; 4096], 0).unwrap();
    file.set_len(100).unwrap();
    let mapping = Mapping::new(&file, 4096);
    assert_eq!(mapping.read(100, 3996), vec![0; 3996]);
    drop((mapping, file));
    mounted.remount();
    assert_eq!(fs::read(mounted.path("file")).unwrap(), [7; 100]);
    mounted.finish();
    Done::Passed
}

fn big_and_far(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let path = mounted.path("far");
    let far = 5 << 40;
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    file.write_all_at(b"far out", far).unwrap();
    let about = file.metadata().unwrap();
    assert_eq!(about.len(), far + 7);
    assert!(about.blocks() < 1000, "{} blocks for seven bytes", about.blocks());
    let mut back = [1; 100];
    file.read_exact_at(&mut back, far - 93).unwrap();
    assert_eq!(&back[93..], b"far out");
    assert_eq!(back[..93], [0; 93]);
    assert_eq!(file.read_at(&mut back, far + 7).unwrap(), 0);
    let beyond = file.write_at(b"x", i64::MAX as u64).unwrap_err().raw_os_error();
    assert!(
        beyond == Some(Errno::FBIG.raw_os_error()) || beyond == Some(Errno::INVAL.raw_os_error())
    );
    drop(file);
    mounted.remount();
    let file = File::open(mounted.path("far")).unwrap();
    file.read_exact_at(&mut back[..7], far).unwrap();
    assert_eq!(&back[..7], b"far out");
    drop(file);
    mounted.finish();
    Done::Passed
}

fn special_names(ground: &Ground) -> Done {
    use std::os::unix::ffi::OsStrExt;
    let mut mounted = ground.mount();
    let long = "l".repeat(255);
    let names: [&[u8]; 8] = [
        b"blank in it",
        b"new\nline",
        b"\xff\xfe not UTF-8",
        b"\x01\x7f",
        "gr\u{fc}n".as_bytes(),
        b"...",
        b"\\",
        long.as_bytes(),
    ];
    for name in names {
        let path = mounted.point.join(std::ffi::OsStr::from_bytes(name));
        fs::write(&path, name).unwrap();
    }
    mounted.remount();
    let mut found: Vec<Vec<u8>> = Vec::new();
    for entry in fs::read_dir(&mounted.point).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(fs::read(entry.path()).unwrap(), entry.file_name().as_bytes());
        found.push(entry.file_name().as_bytes().to_vec());
    }
    let mut expected: Vec<Vec<u8>> = names.iter().map(|name| name.to_vec()).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    mounted.finish();
    Done::Passed
}
