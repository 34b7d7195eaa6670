//! The format document says what the code does: its tables hold the constants of the code, and
//! its worked example is a map made here.

use std::fmt::Write;
use std::sync::Arc;

use aetherflow::base::Result;
use aetherflow::base::checksum::crc32;
use aetherflow::base::env::{Clock, Entropy, Timestamp};
use aetherflow::base::limits::{
    CLUSTER, MAX_FRAME, MAX_NAME, MAX_PATH, MAX_RAW_EXTENT, MAX_REFERENCES, MAX_XATTR_VALUE,
};
use aetherflow::commit::state::MAX_LEVEL;
use aetherflow::commit::superblock::{MAGIC, Superblock};
use aetherflow::commit::{Root, State};
use aetherflow::container::Geometry;
use aetherflow::fs::ops::Owner;
use aetherflow::fs::{Inode, ROOT, Settings};
use aetherflow::map::{Map, Options};
use aetherflow::tree::{item, node};
use aetherflow::vat::{Kind, Record, page as table};

const DOCUMENT: &str = include_str!("../docs/FORMAT.md");

#[track_caller]
fn says(text: &str) {
    assert!(DOCUMENT.contains(text), "docs/FORMAT.md does not say: {text}");
}

/// With commas between groups of three digits, as the document writes numbers.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[test]
fn limits_and_sizes_are_the_ones_of_the_code() {
    says(&format!("| name of an entry or an attribute | {MAX_NAME} bytes |"));
    says(&format!("| target of a link | {} bytes |", grouped(MAX_PATH)));
    says(&format!("| value of an attribute | {} bytes |", grouped(MAX_XATTR_VALUE)));
    says(&format!("| references on an extent or node | {} |", grouped(MAX_REFERENCES as usize)));
    says(&format!("| raw extent | {} bytes |", grouped(MAX_RAW_EXTENT)));
    says(&format!("| frame | {} bytes of content |", grouped(MAX_FRAME)));
    says(&format!("| item | {} bytes |", node::MAX_ITEM));
    says(&format!("| levels of a tree | {} |", MAX_LEVEL + 1));
    says(&format!("at most {} of them. A child", node::FANOUT));
    says(&format!("| 96 | {} bytes | the state |", State::SIZE));
    says(&format!("| 8 | {} bytes | root of the tree of files", Root::SIZE));
    says(&format!("mod {}` of page", table::RECORDS));
    assert_eq!(MAGIC, *b"AFLOWSB\x03");
}

#[test]
fn kinds_have_the_numbers_of_the_code() {
    for (kind, name) in [
        (Kind::Free, "free"),
        (Kind::Node, "node"),
        (Kind::Raw, "raw"),
        (Kind::Zstd, "zstd"),
        (Kind::Tail, "tail"),
        (Kind::Parity, "parity"),
        (Kind::Superblock, "superblock"),
    ] {
        says(&format!("| {} | {name} |", kind as u8));
    }
    for (kind, row) in [
        (item::INODE, "files | inode"),
        (item::ENTRY, "files | directory entries"),
        (item::XATTR, "files | extended attributes"),
        (item::SYMLINK, "files | piece of a link's target"),
        (item::PIECE, "files | piece of an attribute's value"),
        (item::DATA, "files | stretch of file data"),
        (item::ORPHAN, "files, object 0 | orphan, empty"),
        (item::SNAPSHOT, "catalog, object 0 | snapshot"),
        (item::SETTING, "catalog, object 0 | piece of the settings"),
    ] {
        says(&format!("| {kind} | {row} |"));
    }
    let record = Record { crc: 1, kind: Kind::Zstd, references: 5, heat: 7 };
    let word = u64::from_le_bytes(record.to_bytes());
    assert_eq!((word >> 32 & 0xf_ffff, word >> 52 & 15, word >> 56), (5, 3, 7));
    let inode = Inode::new(0o100_644, 0, 0, Timestamp::default(), 1);
    says(&format!("**Inode** ({} bytes and the name)", inode.encode().len()));
}

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp { seconds: 1_700_000_000, nanos: 0 }
    }
}

impl Entropy for Fixed {
    fn fill(&self, buf: &mut [u8]) -> Result<()> {
        buf.fill(0x5a);
        Ok(())
    }
}

/// Lines of 16 bytes that are not all zero.
fn dump(out: &mut String, title: &str, bytes: &[u8]) {
    let _ = writeln!(out, "{title}");
    for (at, line) in bytes.chunks(16).enumerate().filter(|(_, line)| line.iter().any(|&b| b != 0))
    {
        let hex: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = writeln!(out, "{:03x}  {}", at * 16, hex.join(" "));
    }
}

#[test]
fn the_worked_example_is_a_real_map() {
    let options = Options {
        width: Some(256),
        settings: Settings { parity: false, label: b"example".to_vec(), ..Settings::default() },
        uuid: Some(*b"0123456789abcdef"),
        entropy: Arc::new(Fixed),
        ..Options::with_clock(Arc::new(Fixed))
    };
    let map = Map::create(&options).unwrap();
    map.write(|fs| {
        let owner = Owner { uid: 1000, gid: 1000 };
        let ino = fs.make(ROOT, b"hello", 0o100_644, owner, 0).unwrap();
        fs.write(ino, 0, b"hello\n").unwrap();
    });
    let bytes = map.to_png().unwrap();
    let geometry = Geometry::new(256, 1).unwrap();
    let page = |cluster: u64| {
        let mut page = [0; CLUSTER];
        for (row, out) in page.chunks_exact_mut(128).enumerate() {
            let at = geometry.run_offset(cluster, row) as usize;
            out.copy_from_slice(&bytes[at..at + 128]);
        }
        page
    };
    let newest = [geometry.superblock_a(), geometry.superblock_b()]
        .map(u64::from)
        .into_iter()
        .max_by_key(|&slot| Superblock::decode(&page(slot), slot).unwrap().unwrap().sequence)
        .unwrap();
    let superblock = Superblock::decode(&page(newest), newest).unwrap().unwrap();
    let root = superblock.state.head.cluster;
    let mut text = String::new();
    let _ = writeln!(text, "seed {:08x}", crc32(b"0123456789abcdef"));
    dump(&mut text, &format!("superblock, cluster {newest}"), &page(newest));
    dump(&mut text, "page of the table, cluster 0", &page(0));
    dump(&mut text, &format!("root node of the head, cluster {root}"), &page(root));
    assert!(DOCUMENT.contains(&text), "the example in docs/FORMAT.md should be:\n{text}");
}

#[test]
fn the_recovery_page_names_every_kind_of_problem() {
    let page = include_str!("../docs/RECOVERY.md");
    for (kind, severity) in aetherflow::check::KINDS {
        let row = format!("| `{kind}` | {} |", severity.name());
        assert!(page.contains(&row), "docs/RECOVERY.md does not say: {row}");
    }
    let rows = page.lines().filter(|line| line.starts_with("| `") && !line.contains(".rs"));
    assert!(rows.count() >= aetherflow::check::KINDS.len());
}
