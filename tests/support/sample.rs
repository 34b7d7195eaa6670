//! A small map with a bit of everything in it, and doing to a map whatever can be done.

use aetherflow::base::limits::MAX_FILE;
use aetherflow::fs::ops::Rename;
use aetherflow::fs::path::Last;
use aetherflow::fs::xattr::SetAttribute;
use aetherflow::fs::{Compression, FileType, Fs, ROOT, View};
use aetherflow::map::Options;

use super::drive::{Drive, OWNER};
use super::model::Dump;
use super::{noise, options, text};

const DIRECTORY: u32 = 0o040_755;

pub fn sample_options() -> Options {
    options(40, Compression::All)
}

/// A small map with everything in it, as a file: 0 is the map, then inode numbers by name.
pub struct Sample {
    pub file: Vec<u8>,
    pub dump: Dump,
    pub folder: u64,
    pub inner: u64,
    pub noisy: u64,
    pub packed: u64,
    pub link: u64,
}

pub fn sample() -> Sample {
    let mut drive = Drive::new(40, Compression::All);
    let folder = drive.directory(ROOT, "folder").unwrap();
    let inner = drive.directory(folder, "inner").unwrap();
    let noisy = drive.put(ROOT, "noisy", &noise(1, 9000)).unwrap();
    let packed = drive.put(ROOT, "packed", &text(2, 5000)).unwrap();
    for index in 0..24 {
        drive.put(inner, &format!("inline{index}"), &noise(index, 400)).unwrap();
    }
    drive.symlink(ROOT, "link", b"folder/other").unwrap();
    drive.symlink(folder, "other", b"../link").unwrap();
    drive.xattr(folder, "user.long", &noise(5, 2000)).unwrap();
    drive.snapshot("before").unwrap();
    drive.write(noisy, 4096, b"changed").unwrap();
    drive.close().unwrap();
    let ino = |id| drive.ino(id);
    let link = drive.map.read(|fs| fs.lookup(View::Head, ROOT, b"link")).unwrap().unwrap().0;
    Sample {
        dump: drive.model.dump(),
        folder: ino(folder),
        inner: ino(inner),
        noisy: ino(noisy),
        packed: ino(packed),
        link,
        file: drive.disk.files()[0].clone(),
    }
}

/// Does what can be done with a filesystem, whatever it holds. Bounded by itself: it is the
/// engine that must not loop.
pub fn exercise(fs: &mut Fs) {
    let mut waiting = vec![ROOT];
    let mut met = std::collections::BTreeSet::new();
    let mut views = vec![View::Head];
    views.extend(fs.snapshots().into_iter().flatten().take(8).map(|snapshot| snapshot.view()));
    for &view in &views {
        met.clear();
        waiting.push(ROOT);
        while let Some(ino) = waiting.pop() {
            if !met.insert(ino) || met.len() > 500 {
                continue;
            }
            let _ = fs.read_directory(view, ino, 0, &mut |entry, _| {
                waiting.push(entry.ino);
                waiting.len() < 5000
            });
            let Ok(inode) = fs.stat(view, ino) else { continue };
            let mut buf = vec![0; 5000];
            for offset in [0, 4090, inode.size / 2, inode.size.saturating_sub(10), MAX_FILE - 1] {
                let _ = fs.read(view, ino, offset, &mut buf);
            }
            let _ = fs.read_link(view, ino);
            let _ = fs.path_of(view, ino);
            let _ = fs.directory_path(view, ino);
            for name in fs.attributes(view, ino).unwrap_or_default() {
                let _ = fs.attribute(view, ino, &name);
            }
        }
    }
    for path in [&b"link"[..], b"folder/other", b"folder/inner/..", b"folder/inner/inline0"] {
        let _ = fs.resolve(View::Head, ROOT, path, Last::Follow);
    }
    let _ = fs.snapshots();
    if fs.store().is_read_only() {
        return;
    }
    for ino in met {
        if fs.stat(View::Head, ino).is_ok_and(|inode| inode.is_regular()) {
            let _ = fs.write(ino, 3000, &noise(ino, 2500));
            let _ = fs.seek_hole(View::Head, ino, 0);
            let _ = fs.fallocate(ino, 3, 100, 5000);
            let _ = fs.clone_range(ino, 0, ino, 1 << 20, 4096);
            let _ = fs.compress_file(ino, 1);
            let _ = fs.truncate(ino, 1000);
        } else {
            let _ = fs.make(ino, b"fresh", DIRECTORY, OWNER, 0);
            let _ = fs.rename(ino, b"inner", ROOT, b"moved", Rename::Replace);
        }
        let _ = fs.set_attributes(ino, Default::default());
        let _ = fs.set_attribute(ino, b"x", b"y", SetAttribute::Either);
    }
    let _ = fs.create_snapshot(b"another", b"");
    let _ = fs.restore_snapshot(b"before");
    let _ = fs.delete_snapshot(b"before");
    let _ = fs.delete_snapshot(b"another");
    for name in [&b"noisy"[..], b"packed", b"link", b"folder"] {
        if let Ok(Some((_, file_type))) = fs.lookup(View::Head, ROOT, name) {
            let _ = match file_type {
                FileType::Directory => fs.remove_directory(ROOT, name),
                _ => fs.unlink(ROOT, name),
            };
        }
    }
    let _ = fs.close();
}
