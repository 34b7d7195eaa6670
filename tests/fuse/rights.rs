//! Owners, modes, access control lists and extended attributes, also as somebody else.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{
    Access, AtFlags, CWD, Gid, Mode, OFlags, Uid, XattrFlags, accessat, chownat, getxattr,
    lgetxattr, listxattr, lsetxattr, mkdirat, openat, removexattr, setxattr,
};
use rustix::io::Errno;
use rustix::process::umask;

use crate::ground::{Ground, reference};
use crate::process::{ALICE, BOB, as_user};
use crate::runner::{Done, Needs, SHORT, Test};

const fn as_root(name: &'static str, body: fn(&Ground) -> Done) -> Test {
    Test { name, needs: Needs::Users, seconds: SHORT, body }
}

pub static TESTS: [Test; 9] = [
    as_root("modes_are_enforced", modes_are_enforced),
    as_root("umask_and_modes", umask_and_modes),
    as_root("setgid_directories", setgid_directories),
    as_root("sticky_directories", sticky_directories),
    as_root("set_id_bits_are_cleared", set_id_bits_are_cleared),
    as_root("changing_owners", changing_owners),
    as_root("acl_of_a_file", acl_of_a_file),
    as_root("default_acl_is_inherited", default_acl_is_inherited),
    as_root("extended_attributes", extended_attributes),
];

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn chmod(path: &Path, bits: u32) -> std::io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(bits))
}

fn chown(path: &Path, owner: Option<u32>, group: Option<u32>) -> rustix::io::Result<()> {
    let (owner, group) = (owner.map(Uid::from_raw), group.map(Gid::from_raw));
    chownat(CWD, path, owner, group, AtFlags::SYMLINK_NOFOLLOW)
}

fn refused<T>(result: std::io::Result<T>) -> Option<Errno> {
    result.err().and_then(|error| Errno::from_io_error(&error))
}

fn modes_are_enforced(ground: &Ground) -> Done {
    let mounted = ground.mount();
    chmod(&mounted.point, 0o755).unwrap();
    let (file, folder) = (mounted.path("file"), mounted.path("folder"));
    fs::write(&file, "secret").unwrap();
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("inner"), "x").unwrap();
    chown(&file, Some(ALICE.0), Some(BOB.1)).unwrap();
    chmod(&file, 0o640).unwrap();
    let read = |user, groups: &[u32]| as_user(user, groups, || refused(fs::read(&file)));
    let write = |user| as_user(user, &[], || refused(OpenOptions::new().write(true).open(&file)));
    assert_eq!(read(ALICE, &[]), None);
    assert_eq!(read(BOB, &[]), None, "through the group");
    assert_eq!(read((777, 777), &[]), Some(Errno::ACCESS));
    assert_eq!(read((777, 777), &[BOB.1]), None, "through a further group");
    assert_eq!((write(ALICE), write(BOB)), (None, Some(Errno::ACCESS)));
    // A folder without x hides what is in it; without r it does not list.
    chmod(&folder, 0o744).unwrap();
    let inner = folder.join("inner");
    as_user(BOB, &[], || {
        assert_eq!(refused(fs::read(&inner)), Some(Errno::ACCESS));
        assert_eq!(refused(fs::write(mounted.path("new"), "x")), Some(Errno::ACCESS));
        assert_eq!(refused(fs::remove_file(&file)), Some(Errno::ACCESS));
        let access = |wanted| accessat(CWD, &file, wanted, AtFlags::empty());
        assert_eq!(access(Access::READ_OK), Ok(()));
        assert_eq!(access(Access::WRITE_OK), Err(Errno::ACCESS));
    });
    chmod(&folder, 0o711).unwrap();
    as_user(BOB, &[], || {
        assert_eq!(refused(fs::read_dir(&folder)), Some(Errno::ACCESS));
        assert_eq!(fs::read(&inner).unwrap(), b"x");
    });
    mounted.finish();
    Done::Passed
}

fn umask_and_modes(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let before = umask(Mode::from_raw_mode(0o027));
    let make = |name: &str, bits| {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
        drop(openat(CWD, mounted.path(name), flags, Mode::from_raw_mode(bits)).unwrap());
    };
    make("file", 0o666);
    make("program", 0o777);
    // Opened for writing although nobody may: the creator can.
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR;
    let mut closed = File::from(openat(CWD, mounted.path("closed"), flags, Mode::empty()).unwrap());
    closed.write_all(b"x").unwrap();
    mkdirat(CWD, mounted.path("folder"), Mode::from_raw_mode(0o777)).unwrap();
    umask(Mode::empty());
    make("open", 0o666);
    umask(before);
    drop(closed);
    for _ in 0..2 {
        let modes =
            ["file", "program", "folder", "open", "closed"].map(|name| mode(&mounted.path(name)));
        assert_eq!(modes, [0o640, 0o750, 0o750, 0o666, 0], "{modes:?}");
        mounted.remount();
    }
    chmod(&mounted.path("file"), 0o7531).unwrap();
    assert_eq!(mode(&mounted.path("file")), 0o7531);
    mounted.finish();
    Done::Passed
}

fn setgid_directories(ground: &Ground) -> Done {
    let mounted = ground.mount();
    let folder = mounted.path("shared");
    fs::create_dir(&folder).unwrap();
    chown(&folder, Some(0), Some(BOB.1)).unwrap();
    chmod(&folder, 0o2777).unwrap();
    as_user(ALICE, &[], || {
        fs::write(folder.join("file"), "x").unwrap();
        fs::create_dir(folder.join("below")).unwrap();
        std::os::unix::fs::symlink("x", folder.join("link")).unwrap();
    });
    for name in ["file", "below", "link"] {
        let about = fs::symlink_metadata(folder.join(name)).unwrap();
        assert_eq!((about.uid(), about.gid()), (ALICE.0, BOB.1), "{name}");
    }
    assert_eq!(mode(&folder.join("below")) & 0o2000, 0o2000, "folders pass the bit on");
    assert_eq!(mode(&folder.join("file")) & 0o2000, 0);
    // Somebody outside the group cannot make a set-group-id program of it.
    as_user(ALICE, &[], || chmod(&folder.join("file"), 0o2755).unwrap());
    assert_eq!(mode(&folder.join("file")), 0o755);
    mounted.finish();
    Done::Passed
}

fn sticky_directories(ground: &Ground) -> Done {
    let mounted = ground.mount();
    let folder = mounted.path("tmp");
    fs::create_dir(&folder).unwrap();
    chmod(&folder, 0o1777).unwrap();
    as_user(ALICE, &[], || {
        fs::write(folder.join("hers"), "x").unwrap();
        fs::create_dir(folder.join("folder")).unwrap();
    });
    as_user(BOB, &[], || {
        fs::write(folder.join("his"), "y").unwrap();
        assert_eq!(refused(fs::remove_file(folder.join("hers"))), Some(Errno::PERM));
        assert_eq!(refused(fs::remove_dir(folder.join("folder"))), Some(Errno::PERM));
        let moved = fs::rename(folder.join("hers"), folder.join("mine"));
        assert_eq!(refused(moved), Some(Errno::PERM));
        let over = fs::rename(folder.join("his"), folder.join("hers"));
        assert_eq!(refused(over), Some(Errno::PERM));
        fs::remove_file(folder.join("his")).unwrap();
    });
    as_user(ALICE, &[], || fs::remove_file(folder.join("hers")).unwrap());
    mounted.finish();
    Done::Passed
}

fn set_id_bits_are_cleared(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let path = mounted.path("program");
    let reset = || {
        chown(&path, Some(ALICE.0), Some(ALICE.1)).unwrap();
        chmod(&path, 0o6777).unwrap();
        assert_eq!(mode(&path), 0o6777);
    };
    fs::write(&path, "0123456789").unwrap();
    reset();
    as_user(BOB, &[], || {
        let mut file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all(b"x").unwrap();
    });
    assert_eq!(mode(&path), 0o777, "a write by another user");
    reset();
    as_user(BOB, &[], || {
        OpenOptions::new().write(true).open(&path).unwrap().set_len(5).unwrap();
    });
    assert_eq!(mode(&path), 0o777, "a truncation by another user");
    reset();
    as_user(BOB, &[], || drop(File::create(&path).unwrap()));
    assert_eq!(mode(&path), 0o777, "opening with truncation by another user");
    reset();
    OpenOptions::new().write(true).open(&path).unwrap().write_all(b"x").unwrap();
    assert_eq!(mode(&path), 0o6777, "root keeps them");
    chown(&path, Some(BOB.0), None).unwrap();
    assert_eq!(mode(&path), 0o777, "a change of owner");
    // Group-id without group-x was the mark of mandatory locking and stays.
    chmod(&path, 0o2767).unwrap();
    chown(&path, Some(ALICE.0), None).unwrap();
    assert_eq!(mode(&path), 0o2767);
    // Privileges of a file go with the bits.
    let capability: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    match setxattr(&path, "security.capability", &capability, XattrFlags::empty()) {
        Ok(()) => {
            OpenOptions::new().append(true).open(&path).unwrap().write_all(b"x").unwrap();
            let left = getxattr(&path, "security.capability", &mut [0; 64]);
            assert_eq!(left, Err(Errno::NODATA), "a write takes capabilities away");
        }
        Err(error) => assert_eq!(error, Errno::OPNOTSUPP),
    }
    mounted.remount();
    assert_eq!(mode(&mounted.path("program")), 0o2767);
    mounted.finish();
    Done::Passed
}

fn changing_owners(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let path = mounted.path("file");
    fs::write(&path, "x").unwrap();
    chown(&path, Some(ALICE.0), Some(ALICE.1)).unwrap();
    as_user(ALICE, &[BOB.1], || {
        assert_eq!(chown(&path, Some(BOB.0), None), Err(Errno::PERM));
        assert_eq!(chown(&path, None, Some(777)), Err(Errno::PERM));
        chown(&path, None, Some(BOB.1)).unwrap();
        chmod(&path, 0o604).unwrap();
    });
    as_user(BOB, &[], || {
        assert_eq!(refused(chmod(&path, 0o777)), Some(Errno::PERM));
        assert!(File::open(&path).is_err(), "the group has no rights");
        assert_eq!(chown(&path, Some(BOB.0), None), Err(Errno::PERM));
    });
    std::os::unix::fs::symlink("file", mounted.path("link")).unwrap();
    chown(&mounted.path("link"), Some(5), Some(6)).unwrap();
    // The largest numbers that are not "unchanged".
    fs::write(mounted.path("far"), "x").unwrap();
    chown(&mounted.path("far"), Some(u32::MAX - 1), Some(u32::MAX - 1)).unwrap();
    mounted.remount();
    let owner = |name: &str| {
        let about = fs::symlink_metadata(mounted.path(name)).unwrap();
        (about.uid(), about.gid())
    };
    assert_eq!(owner("file"), (ALICE.0, BOB.1));
    assert_eq!(owner("link"), (5, 6));
    assert_eq!(owner("far"), (u32::MAX - 1, u32::MAX - 1));
    assert_eq!(mode(&mounted.path("file")), 0o604);
    mounted.finish();
    Done::Passed
}

const ACCESS_ACL: &str = "system.posix_acl_access";
const DEFAULT_ACL: &str = "system.posix_acl_default";

/// Tags of entries in the kernel's form.
const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OWNER: u16 = 0x04;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;
const NOBODY: u32 = u32::MAX;

/// The kernel's form of a list of (tag, rights, who).
fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, who) in entries {
        bytes.extend_from_slice(&tag.to_le_bytes());
        bytes.extend_from_slice(&rights.to_le_bytes());
        bytes.extend_from_slice(&who.to_le_bytes());
    }
    bytes
}

fn attribute(path: &Path, name: &str) -> rustix::io::Result<Vec<u8>> {
    let mut room = vec![0; 65_536];
    let length = getxattr(path, name, &mut room)?;
    room.truncate(length);
    Ok(room)
}

fn acl_of_a_file(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let path = mounted.path("file");
    fs::write(&path, "text").unwrap();
    chmod(&path, 0o600).unwrap();
    let list = acl(&[
        (OWNER, 6, NOBODY),
        (USER, 4, ALICE.0),
        (GROUP_OWNER, 0, NOBODY),
        (MASK, 4, NOBODY),
        (OTHER, 0, NOBODY),
    ]);
    match setxattr(&path, ACCESS_ACL, &list, XattrFlags::empty()) {
        Err(Errno::OPNOTSUPP) if reference().is_some() => {
            return crate::runner::skip("the reference has no access control lists");
        }
        done => done.unwrap(),
    }
    for round in 0..2 {
        let path = mounted.path("file");
        assert_eq!(attribute(&path, ACCESS_ACL).unwrap(), list, "round {round}");
        assert_eq!(mode(&path), 0o640, "the group's bits show the mask");
        as_user(ALICE, &[], || {
            assert_eq!(fs::read(&path).unwrap(), b"text");
            assert_eq!(refused(fs::write(&path, "x")), Some(Errno::ACCESS));
        });
        as_user(BOB, &[], || assert_eq!(refused(fs::read(&path)), Some(Errno::ACCESS)));
        mounted.remount();
    }
    let path = mounted.path("file");
    // chmod changes the mask, and with it what Alice may.
    chmod(&path, 0o600).unwrap();
    as_user(ALICE, &[], || assert_eq!(refused(fs::read(&path)), Some(Errno::ACCESS)));
    let masked = attribute(&path, ACCESS_ACL).unwrap();
    assert_eq!(masked[28..36], acl(&[(MASK, 0, NOBODY)])[4..]);
    // A list that says no more than a mode is no list.
    let plain = acl(&[(OWNER, 6, NOBODY), (GROUP_OWNER, 4, NOBODY), (OTHER, 4, NOBODY)]);
    setxattr(&path, ACCESS_ACL, &plain, XattrFlags::empty()).unwrap();
    assert_eq!(attribute(&path, ACCESS_ACL), Err(Errno::NODATA));
    assert_eq!(mode(&path), 0o644);
    // Nonsense is refused; a default list belongs to folders; setting one is the owner's.
    let refuse =
        |bytes: &[u8]| setxattr(&path, ACCESS_ACL, bytes, XattrFlags::empty()).unwrap_err();
    assert_eq!(refuse(&acl(&[(USER, 4, ALICE.0)])), Errno::INVAL);
    assert!(matches!(refuse(b"junk"), Errno::INVAL | Errno::OPNOTSUPP));
    let on_file = setxattr(&path, DEFAULT_ACL, &list, XattrFlags::empty());
    assert!(matches!(on_file, Err(Errno::ACCESS | Errno::PERM | Errno::OPNOTSUPP)));
    as_user(ALICE, &[], || {
        let foreign = setxattr(&path, ACCESS_ACL, &list, XattrFlags::empty());
        assert_eq!(foreign, Err(Errno::PERM));
    });
    mounted.finish();
    Done::Passed
}

fn default_acl_is_inherited(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let folder = mounted.path("folder");
    fs::create_dir(&folder).unwrap();
    chmod(&folder, 0o777).unwrap();
    let list = acl(&[
        (OWNER, 7, NOBODY),
        (USER, 7, ALICE.0),
        (GROUP_OWNER, 5, NOBODY),
        (MASK, 7, NOBODY),
        (OTHER, 0, NOBODY),
    ]);
    match setxattr(&folder, DEFAULT_ACL, &list, XattrFlags::empty()) {
        Err(Errno::OPNOTSUPP) if reference().is_some() => {
            return crate::runner::skip("the reference has no access control lists");
        }
        done => done.unwrap(),
    }
    let before = umask(Mode::from_raw_mode(0o077));
    as_user(BOB, &[], || {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
        let path = folder.join("file");
        drop(openat(CWD, path, flags, Mode::from_raw_mode(0o660)).unwrap());
        mkdirat(CWD, folder.join("below"), Mode::from_raw_mode(0o775)).unwrap();
    });
    umask(before);
    for round in 0..2 {
        let folder = mounted.path("folder");
        let file = folder.join("file");
        // The list takes the umask's place; the asked mode narrows mask and others.
        let expected = acl(&[
            (OWNER, 6, NOBODY),
            (USER, 7, ALICE.0),
            (GROUP_OWNER, 5, NOBODY),
            (MASK, 6, NOBODY),
            (OTHER, 0, NOBODY),
        ]);
        assert_eq!(attribute(&file, ACCESS_ACL).unwrap(), expected, "round {round}");
        assert_eq!(attribute(&file, DEFAULT_ACL), Err(Errno::NODATA));
        assert_eq!(mode(&file), 0o660);
        assert_eq!(attribute(&folder.join("below"), DEFAULT_ACL).unwrap(), list);
        assert_eq!(attribute(&folder.join("below"), ACCESS_ACL).unwrap(), list);
        assert_eq!(mode(&folder.join("below")), 0o770);
        as_user(ALICE, &[], || {
            fs::write(&file, "hers, too").unwrap();
            fs::write(folder.join(format!("below/{round}")), "x").unwrap();
        });
        as_user((777, 777), &[], || assert_eq!(refused(fs::read(&file)), Some(Errno::ACCESS)));
        mounted.remount();
    }
    removexattr(mounted.path("folder"), DEFAULT_ACL).unwrap();
    fs::write(mounted.path("folder/plain"), "x").unwrap();
    assert_eq!(attribute(&mounted.path("folder/plain"), ACCESS_ACL), Err(Errno::NODATA));
    mounted.finish();
    Done::Passed
}

fn extended_attributes(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let path = mounted.path("file");
    fs::write(&path, "x").unwrap();
    chown(&path, Some(ALICE.0), Some(ALICE.1)).unwrap();
    chmod(&path, 0o644).unwrap();
    let set = |name: &str, value: &[u8], flags| setxattr(&path, name, value, flags);
    let any = XattrFlags::empty();
    set("user.text", b"value", any).unwrap();
    set("user.empty", b"", any).unwrap();
    set("user.bytes", b"\0\xff\n", any).unwrap();
    set("trusted.root", b"only", any).unwrap();
    assert_eq!(set("user.text", b"again", XattrFlags::CREATE), Err(Errno::EXIST));
    assert_eq!(set("user.new", b"x", XattrFlags::REPLACE), Err(Errno::NODATA));
    set("user.text", b"longer value", XattrFlags::REPLACE).unwrap();
    assert_eq!(removexattr(&path, "user.nothing"), Err(Errno::NODATA));
    assert_eq!(attribute(&path, "user.nothing"), Err(Errno::NODATA));
    assert_eq!(getxattr(&path, "user.text", &mut [0; 3]), Err(Errno::RANGE));
    assert_eq!(getxattr(&path, "user.text", &mut [0; 0]), Ok(12), "asking for the length");
    assert_eq!(set("nonsense", b"x", any), Err(Errno::OPNOTSUPP));
    let long = format!("user.{}", "n".repeat(251));
    assert_eq!(set(&long, b"x", any), Err(Errno::RANGE), "a name of 256 bytes");
    set(&long[..255], b"x", any).unwrap();
    assert_eq!(set("user.huge", &vec![1; 65_537], any), Err(Errno::TOOBIG));
    // The reference may hold less in one file; 64 KiB is what Linux allows.
    let big = ground.random().bytes(65_536);
    if reference().is_none() {
        set("user.big", &big, any).unwrap();
    }
    as_user(ALICE, &[], || {
        assert_eq!(set("trusted.mine", b"x", any), Err(Errno::PERM));
        let mut names = vec![0; 65_536];
        let length = listxattr(&path, &mut names).unwrap();
        let names = String::from_utf8_lossy(&names[..length]).into_owned();
        assert!(names.contains("user.text\0") && !names.contains("trusted."), "{names:?}");
    });
    as_user(BOB, &[], || {
        assert_eq!(set("user.text", b"x", any), Err(Errno::ACCESS));
        assert_eq!(attribute(&path, "user.text").unwrap(), b"longer value");
    });
    std::os::unix::fs::symlink("file", mounted.path("link")).unwrap();
    let on_link = lsetxattr(mounted.path("link"), "user.x", b"x", any);
    assert_eq!(on_link, Err(Errno::PERM), "user attributes are for files and folders");
    lsetxattr(mounted.path("link"), "trusted.x", b"on the link", any).unwrap();
    mounted.remount();
    let path = mounted.path("file");
    for (name, value) in [
        ("user.text", &b"longer value"[..]),
        ("user.empty", b""),
        ("user.bytes", b"\0\xff\n"),
        ("trusted.root", b"only"),
    ] {
        assert_eq!(attribute(&path, name).unwrap(), value, "{name}");
    }
    if reference().is_none() {
        assert_eq!(attribute(&path, "user.big").unwrap(), big);
    }
    let mut room = [0; 64];
    assert_eq!(lgetxattr(mounted.path("link"), "trusted.x", &mut room), Ok(11));
    removexattr(&path, "user.text").unwrap();
    assert_eq!(attribute(&path, "user.text"), Err(Errno::NODATA));
    // Many on one file, listed in one go.
    for number in 0..200 {
        let name = format!("user.number {number}");
        if setxattr(&path, &*name, b"some value", any).is_err() {
            assert!(reference().is_some(), "attribute {number} is refused");
            break;
        }
    }
    if reference().is_none() {
        let mut names = vec![0; 65_536];
        let length = listxattr(&path, &mut names).unwrap();
        let count = names[..length]
            .split(|&byte| byte == 0)
            .filter(|name| name.starts_with(b"user.number "))
            .count();
        assert_eq!(count, 200);
        assert_eq!(listxattr(&path, &mut names[..10]), Err(Errno::RANGE));
    }
    mounted.finish();
    Done::Passed
}
