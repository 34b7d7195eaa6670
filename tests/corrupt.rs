//! Damage and malice: flipped bits, cut files, and structures that lie with right checksums.
//! Errors are fine and so is the truth; wrong bytes, panics and endless loops are not.

mod support;

use std::sync::Arc;

use aetherflow::base::Code;
use aetherflow::base::limits::{CLUSTER, MAX_FILE, RUN};
use aetherflow::commit::state::Counters;
use aetherflow::fs::path::Last;
use aetherflow::fs::{ROOT, View};
use aetherflow::map::Map;
use aetherflow::storage::Storage;
use aetherflow::storage::mem::MemStorage;
use aetherflow::tree::{Key, item, node};
use aetherflow::vat::{Kind, Record};
use support::forge::Forge;
use support::model::{Dump, dump};
use support::sample::{Sample, exercise, sample, sample_options};
use support::walk;

fn look(storage: &Arc<MemStorage>) -> Result<Dump, String> {
    let storage = Arc::clone(storage) as Arc<dyn Storage>;
    let map = Map::open_on(storage, None, false, &sample_options())
        .map_err(|error| format!("{error:?}"))?;
    map.read(dump)
}

fn flip(storage: &MemStorage, offset: u64, bit: u32) {
    let mut byte = [0];
    storage.read_at(offset, &mut byte).unwrap();
    storage.write_at(offset, &[byte[0] ^ 1 << bit]).unwrap();
}

#[test]
fn flipped_bits_of_clusters_are_seen_or_do_not_matter() {
    let sample = sample();
    let forge = Forge::new(&sample.file);
    assert_eq!(look(&forge.storage).as_ref(), Ok(&sample.dump));
    let mut seen = 0;
    for cluster in 0..forge.geometry.clusters() {
        let kind = if cluster < u64::from(forge.geometry.vat_pages()) {
            None
        } else {
            Some(forge.record(cluster).kind)
        };
        // What somebody reads must be noticed: a page of the table, a node, file data.
        let matters = !matches!(kind, Some(Kind::Free | Kind::Parity | Kind::Superblock));
        let step = if matters { 397 } else { 6007 };
        for bit in ((cluster as usize * 31 % step)..CLUSTER * 8).step_by(step) {
            let byte = bit / 8;
            let offset = forge.geometry.run_offset(cluster, byte / RUN) + (byte % RUN) as u64;
            flip(&forge.storage, offset, bit as u32 % 8);
            match look(&forge.storage) {
                Err(_) => seen += 1,
                Ok(found) => {
                    assert!(!matters, "cluster {cluster} ({kind:?}), bit {bit}: nobody noticed");
                    assert!(found == sample.dump, "cluster {cluster} ({kind:?}), bit {bit}");
                }
            }
            flip(&forge.storage, offset, bit as u32 % 8);
        }
    }
    assert!(seen > 500, "{seen}");
}

#[test]
fn flipped_bits_of_the_skeleton_are_seen_or_do_not_matter() {
    let sample = sample();
    let forge = Forge::new(&sample.file);
    let mut pixels = vec![false; sample.file.len()];
    for cluster in 0..forge.geometry.clusters() {
        for row in 0..CLUSTER / RUN {
            let at = forge.geometry.run_offset(cluster, row) as usize;
            pixels[at..at + RUN].fill(true);
        }
    }
    for offset in (0..sample.file.len()).filter(|&offset| !pixels[offset]) {
        for bit in [0, 3, 7] {
            flip(&forge.storage, offset as u64, bit);
            if let Ok(found) = look(&forge.storage) {
                assert!(found == sample.dump, "byte {offset}, bit {bit}");
            }
            flip(&forge.storage, offset as u64, bit);
        }
    }
}

#[test]
fn cut_files_are_refused_or_whole() {
    let sample = sample();
    let lengths = (0..sample.file.len()).step_by(1009).chain(0..80);
    let end = sample.file.len() - 60..sample.file.len();
    for length in lengths.chain(end) {
        let storage = Arc::new(MemStorage::from_bytes(&sample.file[..length]));
        if let Ok(found) = look(&storage) {
            assert!(found == sample.dump, "{length} bytes");
            assert!(length + 60 >= sample.file.len(), "{length} bytes");
        }
        let _ = Map::open(sample.file[..length].to_vec(), &sample_options());
    }
}

#[test]
fn one_superblock_is_enough_and_none_is_not() {
    let sample = sample();
    let forge = Forge::new(&sample.file);
    for slot in forge.slots() {
        let kept = forge.read(slot);
        forge.write(slot, &[0x55; CLUSTER]);
        assert_eq!(look(&forge.storage).as_ref(), Ok(&sample.dump), "without slot {slot}");
        forge.write(slot, &kept);
    }
    for slot in forge.slots() {
        forge.write(slot, &[0; CLUSTER]);
    }
    let storage = Arc::clone(&forge.storage) as Arc<dyn Storage>;
    let error = Map::open_on(storage, None, false, &sample_options()).err().unwrap();
    assert!(matches!(error.code(), Code::NotAMap | Code::Corrupt), "{error:?}");
}

fn open_code(forge: &Forge, writable: bool) -> Option<Code> {
    let storage = Arc::clone(&forge.storage) as Arc<dyn Storage>;
    Map::open_on(storage, None, writable, &sample_options()).err().map(|error| error.code())
}

#[test]
fn what_is_not_known_is_refused() {
    let sample = sample();
    let forge = Forge::new(&sample.file);
    forge.superblocks(|superblock| superblock.incompatible |= 1 << 40);
    assert_eq!(open_code(&forge, false), Some(Code::Feature));
    let forge = Forge::new(&sample.file);
    forge.superblocks(|superblock| superblock.read_only_compatible |= 1 << 40);
    assert_eq!(open_code(&forge, false), None);
    assert_eq!(open_code(&forge, true), Some(Code::Feature));
    let forge = Forge::new(&sample.file);
    forge.superblocks(|superblock| superblock.compatible |= 1 << 40);
    assert_eq!(open_code(&forge, true), None);
    // A later version, behind the magic: read version, write version.
    for (at, writable, expected) in
        [(8, false, Some(Code::Version)), (10, false, None), (10, true, Some(Code::Feature))]
    {
        let forge = Forge::new(&sample.file);
        for slot in forge.slots() {
            let mut page = forge.read(slot);
            page[at] += 1;
            let crc = aetherflow::base::checksum::crc32(&page[..CLUSTER - 4]);
            page[CLUSTER - 4..].copy_from_slice(&crc.to_le_bytes());
            forge.write(slot, &page);
        }
        assert_eq!(open_code(&forge, writable), expected, "byte {at}");
    }
}

/// Decodes the picture, lets `change` have it, and encodes it again as another tool would.
fn resave(file: &[u8], change: impl FnOnce(u32, u32, Vec<u8>) -> (u32, u32, Vec<u8>)) -> Vec<u8> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let (width, height, pixels) = change(info.width, info.height, pixels);
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    out
}

#[test]
fn saved_again_is_whole_and_resized_is_not() {
    let sample = sample();
    let again = resave(&sample.file, |width, height, pixels| (width, height, pixels));
    let map = Map::open(again, &sample_options()).unwrap();
    assert_eq!(map.read(dump).as_ref(), Ok(&sample.dump));
    let half = resave(&sample.file, |width, height, pixels| {
        let rows = pixels.chunks_exact(4 * width as usize).step_by(2);
        let pixels = rows.flat_map(|row| row.chunks_exact(4).step_by(2).flatten().copied());
        (width / 2, height / 2, pixels.collect())
    });
    let error = Map::open(half, &sample_options()).err().unwrap();
    assert!(matches!(error.code(), Code::Resized | Code::NotAMap), "{error:?}");
    let lossy = resave(&sample.file, |width, height, mut pixels| {
        pixels.iter_mut().for_each(|byte| *byte &= 0xfe);
        (width, height, pixels)
    });
    let opened = Map::open(lossy, &sample_options());
    assert!(opened.is_err() || opened.unwrap().read(dump).is_err());
}

#[test]
fn a_lying_header_is_refused_or_seen_through() {
    let sample = sample();
    for (at, value) in [
        (16, u32::MAX),
        (16, 0),
        (16, 512),
        (16, 300),
        (16, 1 << 30),
        (20, 0),
        (20, u32::MAX),
        (20, 0x7fff_ff00),
        (20, 512),
        (20, 128),
    ] {
        for fixed in [true, false] {
            let mut file = sample.file.clone();
            file[at..at + 4].copy_from_slice(&value.to_be_bytes());
            if fixed {
                let crc = aetherflow::base::checksum::crc32(&file[12..29]);
                file[29..33].copy_from_slice(&crc.to_be_bytes());
            }
            if let Ok(found) = look(&Arc::new(MemStorage::from_bytes(&file))) {
                assert!(found == sample.dump, "{value} at {at}");
            }
            if let Ok(map) = Map::open(file, &sample_options()) {
                assert!(map.read(dump).is_ok_and(|found| found == sample.dump), "{value} at {at}");
            }
        }
    }
}

/// Applies a lie to the sample and uses what comes of it, read-only and for writing.
fn lie(what: &str, forge: impl Fn(&Forge, &Sample)) -> bool {
    let sample = sample();
    let forged = Forge::new(&sample.file);
    forge(&forged, &sample);
    let seen = look(&forged.storage);
    let refused = seen.is_err();
    for writable in [false, true] {
        let bytes = forged.storage.to_vec().unwrap();
        let storage: Arc<dyn Storage> = Arc::new(MemStorage::from_vec(bytes));
        if let Ok(map) = Map::open_on(storage, None, writable, &sample_options()) {
            if !writable {
                let problems = map.read(walk::problems);
                let verified = map.read(|fs| walk::verified(fs, true));
                let same = seen.as_ref().is_ok_and(|seen| *seen == sample.dump);
                assert!(same || !verified.is_empty(), "{what}: not noticed by verify");
                assert!(refused || same || !problems.is_empty(), "{what}: not noticed");
            }
            map.write(exercise);
        }
    }
    refused
}

#[test]
fn lies_in_nodes() {
    // (what, change of the root of the head tree)
    type Change = fn(&mut [u8; CLUSTER], u64);
    let changes: [(&str, Change); 13] = [
        ("a child is its parent", |page, own| page[48..56].copy_from_slice(&own.to_le_bytes())),
        ("a child past the end", |page, _| {
            page[48..56].copy_from_slice(&(1u64 << 47).to_le_bytes());
        }),
        ("a child no cluster has", |page, _| page[48..56].fill(0xff)),
        ("a child in the table", |page, _| page[48..56].fill(0)),
        ("a superblock as a child", |page, _| page[48..56].copy_from_slice(&1u64.to_le_bytes())),
        ("the same child twice", |page, _| page.copy_within(48..56, 72)),
        ("another level", |page, _| page[6] = 2),
        ("a leaf that is none", |page, _| page[6] = 0),
        ("an impossible level", |page, _| page[6] = 200),
        ("too many slots", |page, _| page[24..26].fill(0xff)),
        ("no slots", |page, _| page[24..26].fill(0)),
        ("another magic", |page, _| page[4] ^= 1),
        ("keys out of order", |page, _| page[56..72].fill(0)),
    ];
    for (what, change) in changes {
        let refused = lie(what, |forge, _| {
            let root = forge.head();
            assert_eq!(root.level, 1, "the sample's tree should have two levels");
            forge.node(root.cluster, |page| change(page, root.cluster));
        });
        assert!(refused, "{what}");
    }
    let leaves: [(&str, Change); 5] = [
        ("a value behind the page", |page, _| page[48..50].copy_from_slice(&4095u16.to_le_bytes())),
        ("a value in the header", |page, _| page[48..50].fill(0)),
        ("a value too long", |page, _| page[50..52].fill(0xff)),
        ("a heap in the slots", |page, _| page[26..28].copy_from_slice(&40u16.to_le_bytes())),
        ("dead bytes that live", |page, _| page[28..30].fill(0x0f)),
    ];
    for (what, change) in leaves {
        let refused = lie(what, |forge, _| {
            let (leaf, _) = forge.find(forge.head(), Key::MIN).unwrap();
            forge.node(leaf, |page| change(page, leaf));
        });
        assert!(refused, "{what}");
    }
}

#[test]
fn lies_about_extents() {
    for (what, first) in [
        ("a node", None),
        ("the table", Some(0u64)),
        ("a superblock", Some(1)),
        ("the end", Some(63)),
        ("far away", Some((1 << 48) - 1)),
        ("beyond", Some(u64::MAX)),
    ] {
        let refused = lie(what, |forge, sample| {
            let first = first.unwrap_or(forge.head().cluster);
            forge.item(sample.noisy, item::DATA, |value| {
                assert!(value[0] < 2, "the file should have an extent");
                value[9..17].copy_from_slice(&first.to_le_bytes());
            });
        });
        assert!(refused, "an extent in {what}");
    }
    for (what, at, bytes) in [
        ("a length of nothing", 1, [0u8; 8].to_vec()),
        ("a gigantic length", 1, vec![0xff; 8]),
        ("too many clusters", 17, vec![0xff; 2]),
        ("a gigantic frame", 19, vec![0xff; 4]),
        ("a gigantic offset", 27, vec![0xff; 4]),
        ("an unknown type", 0, vec![9]),
        ("another type", 0, vec![1]),
    ] {
        lie(what, |forge, sample| {
            for ino in [sample.noisy, sample.packed] {
                forge.item(ino, item::DATA, |value| {
                    value[at..at + bytes.len()].copy_from_slice(&bytes);
                });
            }
        });
    }
}

#[test]
fn lies_in_the_table() {
    for (what, change) in [
        ("no references", (|record| record.references = 0) as fn(&mut Record)),
        ("as many references as fit", |record| record.references = (1 << 20) - 1),
        ("a node", |record| record.kind = Kind::Node),
        ("free", |record| *record = Record::FREE),
        ("parity", |record| record.kind = Kind::Parity),
        ("a tail", |record| record.kind = Kind::Tail),
        ("one reference more", |record| record.references += 1),
    ] {
        for of_node in [false, true] {
            lie(what, |forge, sample| {
                let mut cluster = forge.head().cluster;
                if !of_node {
                    forge.item(sample.noisy, item::DATA, |value| {
                        cluster = u64::from_le_bytes(value[9..17].try_into().unwrap());
                    });
                }
                let mut record = forge.record(cluster);
                if of_node && record.kind == Kind::Node && what == "a node" {
                    record.kind = Kind::Raw;
                }
                change(&mut record);
                if of_node && what == "a node" {
                    record.kind = Kind::Raw;
                }
                forge.set_record(cluster, record);
            });
        }
    }
    assert!(lie("a kind nobody knows", |forge, _| {
        forge.raw_record(forge.head().cluster, |bytes| bytes[6] |= 0xf0);
    }));
}

#[test]
fn lies_in_the_state() {
    for (what, change) in [
        ("all used", (|state| state.used = u64::MAX) as fn(&mut aetherflow::commit::State)),
        ("none used", |state| state.used = 0),
        ("the last number", |state| state.next_object = 1 << 56),
        ("the last generation", |state| state.generation = u64::MAX),
        ("an old generation", |state| state.generation = 0),
        ("no sheets", |state| state.sheets = 0),
        ("many sheets", |state| state.sheets = 1 << 23),
        ("all sheets", |state| state.sheets = u32::MAX),
        ("a root elsewhere", |state| state.head.cluster = (1 << 48) - 1),
        ("a root in the table", |state| state.head.cluster = 64),
        ("no root", |state| state.head.cluster = 0),
        ("a high root", |state| state.head.level = 12),
        ("one tree twice", |state| state.catalog = state.head),
        ("counters", |state| {
            let all = u64::MAX;
            let counters =
                Counters { files: all, directories: all, symlinks: all, others: all, bytes: all };
            state.head.counters = counters;
        }),
    ] {
        lie(what, |forge, _| forge.superblocks(|superblock| change(&mut superblock.state)));
    }
    lie("the last sequence number", |forge, _| {
        forge.superblocks(|superblock| superblock.sequence = u64::MAX);
    });
    lie("another width", |forge, _| forge.superblocks(|superblock| superblock.width = 512));
}

#[test]
fn lies_about_names_and_inodes() {
    // An entry: ino 8, type, length, name. An inode: see its module.
    lie("a directory in itself", |forge, sample| {
        forge.item(sample.inner, item::ENTRY, |value| {
            value[..8].copy_from_slice(&sample.folder.to_le_bytes());
            value[8] = 4;
        });
    });
    lie("the root in a directory", |forge, sample| {
        forge.item(sample.inner, item::ENTRY, |value| {
            value[..8].copy_from_slice(&ROOT.to_le_bytes());
            value[8] = 4;
        });
    });
    for parent in [2u64, 3, 0, (1 << 56) - 1, u64::MAX] {
        lie("a parent", |forge, sample| {
            for ino in [sample.folder, sample.inner] {
                forge.item(ino, item::INODE, |value| {
                    value[93..101].copy_from_slice(&parent.to_le_bytes());
                });
            }
        });
    }
    lie("parents in a circle", |forge, sample| {
        forge.item(sample.folder, item::INODE, |value| {
            value[93..101].copy_from_slice(&sample.inner.to_le_bytes());
        });
        forge.superblocks(|superblock| superblock.state.head.counters.directories = u64::MAX);
    });
    for (what, at, bytes) in [
        ("a gigantic size", 16, MAX_FILE.to_le_bytes().to_vec()),
        ("an impossible size", 16, vec![0xff; 8]),
        ("no size", 16, vec![0; 8]),
        ("allocated", 24, vec![0xff; 8]),
        ("links", 12, vec![0xff; 4]),
        ("no links", 12, vec![0; 4]),
        ("a time", 40, vec![0xff; 4]),
        ("a type", 0, vec![0xff; 4]),
        ("flags", 88, vec![0xff; 4]),
    ] {
        lie(what, |forge, sample| {
            for ino in [ROOT, sample.folder, sample.noisy, sample.packed, sample.link] {
                if what.contains("size") && ino != sample.noisy && ino != sample.link {
                    continue;
                }
                forge.item(ino, item::INODE, |value| {
                    value[at..at + bytes.len()].copy_from_slice(&bytes);
                });
            }
        });
    }
    lie("a name with a slash", |forge, sample| {
        forge.item(sample.inner, item::ENTRY, |value| value[10] = b'/');
    });
    lie("a name longer than its item", |forge, sample| {
        forge.item(sample.inner, item::ENTRY, |value| value[9] = 255);
    });
    lie("an attribute longer than it is", |forge, sample| {
        forge.item(sample.folder, item::XATTR, |value| {
            let length = value.len();
            value[length - 4..].copy_from_slice(&65_536u32.to_le_bytes());
        });
    });
}

#[test]
fn links_in_a_circle_end() {
    let sample = sample();
    let map = Map::open(sample.file, &sample_options()).unwrap();
    let error = map.read(|fs| fs.resolve(View::Head, ROOT, b"link", Last::Follow)).err().unwrap();
    assert_eq!(error.code(), Code::Loop);
}

/// A tree whose inner nodes all lead to the same leaf must not be walked 169^12 times.
#[test]
fn shared_children_do_not_multiply() {
    assert!(lie("one leaf everywhere", |forge, _| {
        let root = forge.head();
        forge.node(root.cluster, |page| {
            let child = node::child(page, 0);
            for index in 0..node::count(page) {
                let key = node::key(page, index);
                node::set_inner(page, index, key, child);
            }
        });
    }));
}
