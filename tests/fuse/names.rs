//! Names: renaming, links, special files.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net::UnixListener;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, linkat, makedev, mkdirat, mknodat, openat,
    renameat_with,
};
use rustix::io::Errno;

use crate::ground::{Ground, Mounted};
use crate::runner::{Done, Needs, SHORT, Test};

const fn on_any(name: &'static str, body: fn(&Ground) -> Done) -> Test {
    Test { name, needs: Needs::Files, seconds: SHORT, body }
}

pub static TESTS: [Test; 8] = [
    on_any("rename_over", rename_over),
    on_any("rename_noreplace", rename_noreplace),
    on_any("rename_exchange", rename_exchange),
    on_any("rename_refusals", rename_refusals),
    on_any("hard_links", hard_links),
    on_any("symbolic_links", symbolic_links),
    on_any("names_and_paths_too_long", names_and_paths_too_long),
    Test { name: "special_files", needs: Needs::Users, seconds: SHORT, body: special_files },
];

fn rename(mounted: &Mounted, from: &str, to: &str, flags: RenameFlags) -> rustix::io::Result<()> {
    renameat_with(CWD, mounted.path(from), CWD, mounted.path(to), flags)
}

fn read(mounted: &Mounted, name: &str) -> String {
    fs::read_to_string(mounted.path(name)).unwrap()
}

fn rename_over(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    fs::write(mounted.path("old"), "old").unwrap();
    fs::write(mounted.path("new"), "new").unwrap();
    let kept = File::open(mounted.path("old")).unwrap();
    let number = fs::metadata(mounted.path("new")).unwrap().ino();
    fs::rename(mounted.path("new"), mounted.path("old")).unwrap();
    assert!(!mounted.path("new").exists());
    assert_eq!(read(&mounted, "old"), "new");
    assert_eq!(fs::metadata(mounted.path("old")).unwrap().ino(), number);
    let mut text = String::new();
    (&kept).read_to_string(&mut text).unwrap();
    assert_eq!(text, "old");
    // A folder over an empty one.
    fs::create_dir_all(mounted.path("folder/inner")).unwrap();
    fs::write(mounted.path("folder/inner/file"), "deep").unwrap();
    fs::create_dir(mounted.path("empty")).unwrap();
    fs::rename(mounted.path("folder"), mounted.path("empty")).unwrap();
    assert_eq!(read(&mounted, "empty/inner/file"), "deep");
    // A file that is open keeps its place in a folder that moves.
    let file = File::open(mounted.path("empty/inner/file")).unwrap();
    let folder = File::open(mounted.path("empty/inner")).unwrap();
    fs::rename(mounted.path("empty/inner"), mounted.path("outer")).unwrap();
    let mut text = String::new();
    (&file).read_to_string(&mut text).unwrap();
    assert_eq!(text, "deep");
    drop(openat(&folder, "another", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap());
    assert!(mounted.path("outer/another").exists());
    let above = fs::metadata(mounted.path("outer/..")).unwrap().ino();
    assert_eq!(above, fs::metadata(&mounted.point).unwrap().ino(), ".. follows the move");
    assert_eq!(fs::metadata(&mounted.point).unwrap().nlink(), 4, "two folders below");
    // Renaming onto a hard link of itself does nothing.
    fs::hard_link(mounted.path("old"), mounted.path("twin")).unwrap();
    fs::rename(mounted.path("old"), mounted.path("twin")).unwrap();
    assert!(mounted.path("old").exists() && mounted.path("twin").exists());
    drop((kept, file, folder));
    mounted.remount();
    assert_eq!(read(&mounted, "outer/file"), "deep");
    assert_eq!(read(&mounted, "twin"), "new");
    mounted.finish();
    Done::Passed
}

fn rename_noreplace(ground: &Ground) -> Done {
    let mounted = ground.mount();
    fs::write(mounted.path("a"), "a").unwrap();
    fs::write(mounted.path("b"), "b").unwrap();
    let refused = rename(&mounted, "a", "b", RenameFlags::NOREPLACE);
    assert_eq!(refused.unwrap_err(), Errno::EXIST);
    assert_eq!((read(&mounted, "a").as_str(), read(&mounted, "b").as_str()), ("a", "b"));
    rename(&mounted, "a", "c", RenameFlags::NOREPLACE).unwrap();
    assert_eq!(read(&mounted, "c"), "a");
    assert!(!mounted.path("a").exists());
    mounted.finish();
    Done::Passed
}

fn rename_exchange(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    fs::write(mounted.path("file"), "file").unwrap();
    fs::create_dir_all(mounted.path("one/folder")).unwrap();
    fs::write(mounted.path("one/folder/inner"), "inner").unwrap();
    rename(&mounted, "file", "one/folder", RenameFlags::EXCHANGE).unwrap();
    assert_eq!(read(&mounted, "one/folder"), "file");
    assert_eq!(read(&mounted, "file/inner"), "inner");
    assert_eq!(fs::metadata(mounted.path("one")).unwrap().nlink(), 2);
    assert_eq!(
        fs::metadata(mounted.path("file/..")).unwrap().ino(),
        fs::metadata(&mounted.point).unwrap().ino()
    );
    let missing = rename(&mounted, "file", "nowhere", RenameFlags::EXCHANGE);
    assert_eq!(missing.unwrap_err(), Errno::NOENT);
    let both = RenameFlags::EXCHANGE | RenameFlags::NOREPLACE;
    assert_eq!(rename(&mounted, "file", "one/folder", both).unwrap_err(), Errno::INVAL);
    let into_itself = rename(&mounted, "one", "one/folder", RenameFlags::EXCHANGE);
    assert_eq!(into_itself.unwrap_err(), Errno::INVAL);
    mounted.remount();
    assert_eq!(read(&mounted, "one/folder"), "file");
    assert_eq!(read(&mounted, "file/inner"), "inner");
    mounted.finish();
    Done::Passed
}

fn rename_refusals(ground: &Ground) -> Done {
    let mounted = ground.mount();
    fs::create_dir_all(mounted.path("folder/inner")).unwrap();
    fs::create_dir_all(mounted.path("full/x")).unwrap();
    fs::write(mounted.path("file"), "x").unwrap();
    let errno = |from, to| rename(&mounted, from, to, RenameFlags::empty()).unwrap_err();
    assert_eq!(errno("folder", "folder/inner/below"), Errno::INVAL);
    assert_eq!(errno("folder", "file"), Errno::NOTDIR);
    assert_eq!(errno("file", "folder"), Errno::ISDIR);
    assert_eq!(errno("folder", "full"), Errno::NOTEMPTY);
    assert_eq!(errno("nothing", "file"), Errno::NOENT);
    assert_eq!(errno("file", "nowhere/file"), Errno::NOENT);
    assert_eq!(errno("file", "file/below"), Errno::NOTDIR);
    let across = fs::rename(mounted.path("file"), ground.path("file"));
    assert_eq!(across.unwrap_err().raw_os_error(), Some(Errno::XDEV.raw_os_error()));
    assert_eq!(read(&mounted, "file"), "x");
    mounted.finish();
    Done::Passed
}

fn hard_links(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    fs::create_dir(mounted.path("folder")).unwrap();
    fs::write(mounted.path("one"), "shared").unwrap();
    fs::hard_link(mounted.path("one"), mounted.path("folder/two")).unwrap();
    fs::hard_link(mounted.path("folder/two"), mounted.path("three")).unwrap();
    fs::write(mounted.path("three"), "changed").unwrap();
    for name in ["one", "folder/two", "three"] {
        let about = fs::metadata(mounted.path(name)).unwrap();
        assert_eq!((about.nlink(), read(&mounted, name).as_str()), (3, "changed"), "{name}");
    }
    let link = |from: &str, to: &str| {
        linkat(CWD, mounted.path(from), CWD, mounted.path(to), AtFlags::empty())
    };
    assert_eq!(link("one", "three").unwrap_err(), Errno::EXIST);
    assert_eq!(link("folder", "folder2").unwrap_err(), Errno::PERM);
    assert_eq!(link("nothing", "x").unwrap_err(), Errno::NOENT);
    // A link to a symbolic link is a link to the link.
    symlink("one", mounted.path("soft")).unwrap();
    link("soft", "soft twin").unwrap();
    assert_eq!(fs::read_link(mounted.path("soft twin")).unwrap().as_os_str(), "one");
    fs::remove_file(mounted.path("one")).unwrap();
    assert_eq!(fs::metadata(mounted.path("three")).unwrap().nlink(), 2);
    mounted.remount();
    let (two, three) = (mounted.path("folder/two"), mounted.path("three"));
    assert_eq!(fs::metadata(&two).unwrap().ino(), fs::metadata(&three).unwrap().ino());
    assert_eq!(fs::metadata(&two).unwrap().nlink(), 2);
    // Many names for one file.
    for number in 0..1000 {
        fs::hard_link(&two, mounted.path(&format!("folder/link {number}"))).unwrap();
    }
    assert_eq!(fs::metadata(&two).unwrap().nlink(), 1002);
    mounted.finish();
    Done::Passed
}

fn symbolic_links(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let long = "t".repeat(4095);
    symlink(&long, mounted.path("long")).unwrap();
    symlink("b", mounted.path("a")).unwrap();
    symlink("a", mounted.path("b")).unwrap();
    symlink("self/x", mounted.path("self")).unwrap();
    fs::create_dir_all(mounted.path("real/below")).unwrap();
    fs::write(mounted.path("real/below/file"), "found").unwrap();
    symlink("real/below/../below", mounted.path("way")).unwrap();
    for name in ["a", "b", "self"] {
        let error = fs::metadata(mounted.path(name)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::LOOP.raw_os_error()), "{name}");
    }
    // Forty are followed, no more.
    for number in 0..45 {
        let target = if number == 0 { "real".to_owned() } else { format!("chain{}", number - 1) };
        symlink(target, mounted.path(&format!("chain{number}"))).unwrap();
    }
    assert!(fs::metadata(mounted.path("chain38")).unwrap().is_dir());
    let error = fs::metadata(mounted.path("chain44")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(Errno::LOOP.raw_os_error()));
    mounted.remount();
    assert_eq!(fs::read_link(mounted.path("long")).unwrap().as_os_str(), long.as_str());
    let about = fs::symlink_metadata(mounted.path("long")).unwrap();
    assert_eq!((about.len(), about.mode() & 0o7777), (4095, 0o777));
    assert_eq!(read(&mounted, "way/file"), "found");
    mounted.finish();
    Done::Passed
}

fn names_and_paths_too_long(ground: &Ground) -> Done {
    let mounted = ground.mount();
    let (fits, long) = ("n".repeat(255), "n".repeat(256));
    fs::write(mounted.path(&fits), "x").unwrap();
    let code = |result: std::io::Result<()>| result.unwrap_err().raw_os_error();
    let too_long = Some(Errno::NAMETOOLONG.raw_os_error());
    assert_eq!(code(fs::write(mounted.path(&long), "x")), too_long);
    assert_eq!(code(fs::create_dir(mounted.path(&long))), too_long);
    assert_eq!(code(symlink("x", mounted.path(&long))), too_long);
    assert_eq!(code(fs::rename(mounted.path(&fits), mounted.path(&long))), too_long);
    assert_eq!(code(fs::hard_link(mounted.path(&fits), mounted.path(&long))), too_long);
    assert_eq!(code(fs::metadata(mounted.path(&long)).map(drop)), too_long);
    assert_eq!(code(symlink("t".repeat(4096), mounted.path("target"))), too_long);
    // Deeper than a path can say, through descriptors.
    let mut folder = File::open(&mounted.point).unwrap();
    let name = "d".repeat(200);
    for _ in 0..40 {
        mkdirat(&folder, &*name, Mode::RWXU).unwrap();
        folder = openat(&folder, &*name, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty())
            .unwrap()
            .into();
    }
    drop(openat(&folder, "bottom", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap());
    assert!(openat(&folder, "bottom", OFlags::RDONLY, Mode::empty()).is_ok());
    drop(folder);
    mounted.finish();
    Done::Passed
}

fn special_files(ground: &Ground) -> Done {
    let mut mounted = ground.mount();
    let make = |name: &str, kind: FileType, device: u64| {
        mknodat(CWD, mounted.path(name), kind, Mode::from_raw_mode(0o640), device)
    };
    make("fifo", FileType::Fifo, 0).unwrap();
    make("null", FileType::CharacterDevice, makedev(1, 3)).unwrap();
    make("block", FileType::BlockDevice, makedev(259, 1_048_575)).unwrap();
    make("socket", FileType::Socket, 0).unwrap();
    make("plain", FileType::RegularFile, 0).unwrap();
    assert_eq!(make("fifo", FileType::Fifo, 0).unwrap_err(), Errno::EXIST);
    let listener = UnixListener::bind(mounted.path("listening")).unwrap();
    let caller = std::os::unix::net::UnixStream::connect(mounted.path("listening"));
    assert!(caller.is_ok(), "a socket on the mount takes calls");
    drop(listener);
    for _ in 0..2 {
        let about = |name: &str| fs::symlink_metadata(mounted.path(name)).unwrap();
        assert!(about("fifo").file_type().is_fifo());
        assert!(about("null").file_type().is_char_device());
        assert!(about("block").file_type().is_block_device());
        assert!(about("socket").file_type().is_socket());
        assert!(about("listening").file_type().is_socket());
        assert!(about("plain").file_type().is_file());
        assert_eq!(about("null").rdev(), makedev(1, 3));
        assert_eq!(about("block").rdev(), makedev(259, 1_048_575));
        mounted.remount();
    }
    // Mounted with `dev`, so the device works; and the pipe always does.
    assert_eq!(fs::read(mounted.path("null")).unwrap(), b"");
    let pipe = mounted.path("fifo");
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::write(pipe, b"through the pipe").unwrap()
    });
    assert_eq!(fs::read(&pipe).unwrap(), b"through the pipe");
    writer.join().unwrap();
    mounted.finish();
    Done::Passed
}
