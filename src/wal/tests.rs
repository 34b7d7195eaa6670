use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::frame::{HEADER, MAX_INTENTS, MAX_PAYLOAD, MAX_ROOT};
use super::*;
use crate::base::limits::CLUSTER;
use crate::base::{Code, Error, Result};
use crate::storage::Storage;

const SALT: Salt = *b"0123456789abcdef";
const OTHER: Salt = *b"fedcba9876543210";

/// The log's medium in these tests: a vector, and a count of the calls that cost a flush.
#[derive(Default)]
struct Disk {
    bytes: Mutex<Vec<u8>>,
    writes: Mutex<Vec<(u64, usize)>>,
}

impl Disk {
    fn of(bytes: Vec<u8>) -> Disk {
        Disk { bytes: Mutex::new(bytes), writes: Mutex::default() }
    }
}

impl Storage for Disk {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let bytes = self.bytes.lock().unwrap();
        let range = offset as usize..offset as usize + buf.len();
        let found = bytes.get(range).ok_or_else(|| Error::new(Code::Truncated, "short"))?;
        buf.copy_from_slice(found);
        Ok(())
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut bytes = self.bytes.lock().unwrap();
        let end = offset as usize + data.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset as usize..end].copy_from_slice(data);
        self.writes.lock().unwrap().push((offset, data.len()));
        Ok(())
    }
    fn sync(&self) -> Result<()> {
        Ok(())
    }
    fn len(&self) -> Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }
    fn set_len(&self, len: u64) -> Result<()> {
        self.bytes.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }
}

/// xorshift64*: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
    fn page(&mut self) -> [u8; CLUSTER] {
        std::array::from_fn(|_| self.next() as u8)
    }
}

/// What a replay makes of a log: the state an engine would have.
#[derive(Clone, Debug, Default, PartialEq)]
struct State {
    pages: BTreeMap<u64, [u8; CLUSTER]>,
    intents: Vec<Intent>,
    sheets: Vec<u32>,
    roots: Vec<Vec<u8>>,
    uncommitted_intents: Vec<Intent>,
    uncommitted_sheets: Vec<u32>,
}

fn replayed(disk: &dyn Storage, salt: &Salt) -> Result<(State, Replayed)> {
    let mut state = State::default();
    let found = replay(disk, salt, &mut |delivery, record| {
        match (delivery, record) {
            (Delivery::Committed, Record::Page(delta)) => {
                if delta.base == Base::Logged && !state.pages.contains_key(&delta.cluster) {
                    return Err(Error::corrupt("no base"));
                }
                delta.apply(state.pages.entry(delta.cluster).or_insert([0xee; CLUSTER]));
            }
            (Delivery::Committed, Record::Intents(intents)) => state.intents.extend(intents.iter()),
            (Delivery::Committed, Record::Grow(sheets)) => state.sheets.push(sheets),
            (Delivery::Committed, Record::Root(root)) => state.roots.push(root.to_vec()),
            (Delivery::Uncommitted, Record::Intents(intents)) => {
                state.uncommitted_intents.extend(intents.iter());
            }
            (Delivery::Uncommitted, Record::Grow(sheets)) => state.uncommitted_sheets.push(sheets),
            (Delivery::Uncommitted, other) => panic!("uncommitted {other:?} delivered"),
        }
        Ok(())
    })?;
    Ok((state, found))
}

fn intent(band: u32) -> Intent {
    Intent { band, s1: band as u16 ^ 0x55, s2: (band >> 3) as u16 }
}

fn log_on(disk: &Arc<Disk>) -> LogFile {
    LogFile::new(disk.clone()).unwrap()
}

fn flush(writer: &mut LogWriter, file: &LogFile) {
    if let Some(pending) = writer.take() {
        file.append(&pending).unwrap();
        file.sync().unwrap();
        assert_eq!(pending.end.offset, writer.len());
    }
}

#[test]
fn an_empty_file_is_an_empty_log() {
    for bytes in [vec![], vec![0; 10], vec![0; 100_000], vec![0xff; 5000]] {
        let (state, found) = replayed(&Disk::of(bytes), &SALT).unwrap();
        assert_eq!(state, State::default());
        assert_eq!(found.end, LogPosition::default());
        assert_eq!((found.transactions, found.ending), (0, Ending::Clean));
    }
    let mut writer = LogWriter::new(SALT, LogPosition::default());
    assert!(writer.is_empty() && !writer.has_pending() && writer.take().is_none());
}

#[test]
fn random_transactions_come_back_as_written() {
    let mut random = Random(7);
    for round in 0..6 {
        let disk = Arc::new(Disk::default());
        let file = log_on(&disk);
        let mut writer = LogWriter::new(SALT, LogPosition::default());
        let mut model = State::default();
        for transaction in 0..40u32 {
            for _ in 0..random.below(12) {
                let cluster = random.next() % 20;
                let known = model.pages.get(&cluster).copied();
                let mut page = known.unwrap_or([0; CLUSTER]);
                match random.below(4) {
                    0 => page = random.page(),
                    1 => page.fill(random.next() as u8),
                    _ => {
                        for _ in 0..random.below(30) {
                            let at = random.below(CLUSTER - 40);
                            let end = at + random.below(40);
                            page[at..end].fill(random.next() as u8);
                        }
                    }
                }
                writer.page(cluster, known.as_ref(), &page);
                model.pages.insert(cluster, page);
            }
            if random.below(3) == 0 {
                let intents: Vec<_> = (0..random.below(50) as u32).map(intent).collect();
                writer.intents(&intents);
                model.intents.extend(&intents);
            }
            if random.below(5) == 0 {
                writer.grow(transaction);
                model.sheets.push(transaction);
            }
            let root = vec![transaction as u8; random.below(MAX_ROOT + 1)];
            writer.commit(&root).unwrap();
            model.roots.push(root);
            if random.below(3) == 0 {
                flush(&mut writer, &file);
            }
        }
        flush(&mut writer, &file);
        let (state, found) = replayed(&*disk, &SALT).unwrap();
        assert!(state == model, "round {round}");
        assert_eq!((found.transactions, found.ending), (40, Ending::Clean));
        assert_eq!(found.committed, found.end);
        assert_eq!(found.end.offset, writer.len());
    }
}

#[test]
fn a_transaction_larger_than_a_frame_spans_frames() {
    let mut random = Random(9);
    let disk = Arc::new(Disk::default());
    let mut writer = LogWriter::new(SALT, LogPosition::default());
    let pages: Vec<_> = (0..700u64).map(|_| random.page()).collect();
    for (cluster, page) in pages.iter().enumerate() {
        writer.page(cluster as u64, None, page);
    }
    let intents: Vec<_> = (0..MAX_INTENTS as u32 * 2 + 5).map(intent).collect();
    writer.intents(&intents);
    let file = log_on(&disk);
    flush(&mut writer, &file);
    let (state, found) = replayed(&*disk, &SALT).unwrap();
    assert!(state.pages.is_empty(), "pages without their commit");
    assert_eq!(state.uncommitted_intents, intents);
    assert_eq!((found.transactions, found.committed), (0, LogPosition::default()));
    assert!(found.end.sequence >= 3 && found.end.offset > 2 * MAX_PAYLOAD as u64);
    writer.commit(b"root").unwrap();
    flush(&mut writer, &file);
    let (state, found) = replayed(&*disk, &SALT).unwrap();
    assert_eq!(state.pages.len(), 700);
    assert!(
        pages.iter().enumerate().all(|(cluster, page)| state.pages[&(cluster as u64)] == *page)
    );
    assert_eq!((state.roots, found.transactions), (vec![b"root".to_vec()], 1));
    assert_eq!(state.intents, intents);
}

/// Three transactions and a tail without commit; small, so that every bit can be tried. Frames end
/// in bytes that are not zero, so that a frame cut short never equals itself behind zeros.
fn small_log() -> (Vec<u8>, Vec<u64>) {
    let disk = Arc::new(Disk::default());
    let file = log_on(&disk);
    let mut writer = LogWriter::new(SALT, LogPosition::default());
    let mut page = [0; CLUSTER];
    let mut before = None;
    let mut commits = Vec::new();
    for turn in 0..3u8 {
        page[usize::from(turn) * 100..][..10].fill(turn + 1);
        writer.intents(&[intent(u32::from(turn))]);
        writer.page(5, before.as_ref(), &page);
        before = Some(page);
        writer.grow(u32::from(turn) + 1);
        writer.commit(&[turn + 1; 8]).unwrap();
        commits.push(writer.len());
    }
    writer.intents(&[intent(77)]);
    writer.grow(0x0909_0909);
    flush(&mut writer, &file);
    let mut bytes = disk.bytes.lock().unwrap().clone();
    bytes.truncate(writer.len() as usize);
    (bytes, commits)
}

#[test]
fn every_prefix_replays_the_transactions_it_holds() {
    let (bytes, commits) = small_log();
    let (whole, found) = replayed(&Disk::of(bytes.clone()), &SALT).unwrap();
    assert_eq!(whole.uncommitted_intents, [intent(77)]);
    assert_eq!(whole.uncommitted_sheets, [0x0909_0909]);
    assert_eq!(found.committed.offset, commits[2]);
    assert!(found.end.offset > commits[2]);
    for cut in 0..bytes.len() {
        let held = commits.iter().filter(|&&end| end <= cut as u64).count();
        // As a short file, and as a file whose last bytes never arrived.
        let mut zeroed = bytes[..cut].to_vec();
        let short = replayed(&Disk::of(zeroed.clone()), &SALT).unwrap();
        zeroed.resize(bytes.len() + 100, 0);
        let unarrived = replayed(&Disk::of(zeroed), &SALT).unwrap();
        for (state, found) in [short, unarrived] {
            assert_eq!(found.transactions, held as u64, "cut at {cut}");
            assert_eq!(state.roots, whole.roots[..held]);
            assert_eq!(state.sheets, whole.sheets[..held]);
            assert_eq!(state.intents, whole.intents[..held]);
            assert!(state.uncommitted_intents.is_empty());
            assert_eq!(found.committed.offset, if held == 0 { 0 } else { commits[held - 1] });
        }
    }
}

#[test]
fn no_flipped_bit_delivers_a_changed_record() {
    let (bytes, commits) = small_log();
    let (whole, _) = replayed(&Disk::of(bytes.clone()), &SALT).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (state, found) = replayed(&Disk::of(damaged), &SALT).unwrap();
        let held = commits.iter().filter(|&&end| end <= bit as u64 / 8).count();
        assert_eq!(found.transactions, held as u64, "bit {bit}");
        assert_eq!(state.roots, whole.roots[..held]);
        assert_eq!(state.sheets, whole.sheets[..held]);
        assert_eq!(state.intents, whole.intents[..held]);
        assert_eq!(state.pages.is_empty(), held == 0);
        if held < 3 {
            assert!(matches!(found.ending, Ending::Interrupted { .. }), "bit {bit}");
        }
        assert!(state.uncommitted_intents.is_empty() && state.uncommitted_sheets.is_empty());
    }
}

#[test]
fn endings_are_told_apart() {
    let (bytes, commits) = small_log();
    let torn = bytes[..commits[2] as usize - 1].to_vec();
    assert_eq!(replayed(&Disk::of(torn), &SALT).unwrap().1.ending, Ending::Torn);
    let mut hole = bytes.clone();
    hole[..commits[0] as usize].fill(0);
    let at = commits[0];
    assert_eq!(replayed(&Disk::of(hole), &SALT).unwrap().1.ending, Ending::Interrupted { at });
    let foreign = replayed(&Disk::of(bytes), &OTHER).unwrap();
    assert_eq!((foreign.0, foreign.1.ending), (State::default(), Ending::Clean));
}

#[test]
fn a_reset_log_hides_the_old_one() {
    let (bytes, commits) = small_log();
    let disk = Arc::new(Disk::of(bytes));
    let file = log_on(&disk);
    let mut writer = LogWriter::new(SALT, LogPosition::default());
    writer.grow(1);
    writer.reset(OTHER);
    writer.commit(b"new").unwrap();
    flush(&mut writer, &file);
    let (state, found) = replayed(&*disk, &OTHER).unwrap();
    assert_eq!((state.roots, found.transactions), (vec![b"new".to_vec()], 1));
    assert!(writer.len() < commits[0]);
    assert_eq!(replayed(&*disk, &SALT).unwrap().0.roots.len(), 0);
}

#[test]
fn a_writer_goes_on_behind_the_last_commit() {
    let (bytes, commits) = small_log();
    let disk = Arc::new(Disk::of(bytes));
    let file = log_on(&disk);
    let (_, found) = replayed(&*disk, &SALT).unwrap();
    let mut writer = LogWriter::new(SALT, found.committed);
    assert_eq!(writer.len(), commits[2]);
    writer.commit(b"next").unwrap();
    flush(&mut writer, &file);
    let (state, found) = replayed(&*disk, &SALT).unwrap();
    assert_eq!(state.roots.last().unwrap(), b"next");
    assert_eq!(found.transactions, 4);
    assert!(state.uncommitted_sheets.is_empty());
}

#[test]
fn appends_seldom_change_the_length() {
    let disk = Arc::new(Disk::default());
    let file = log_on(&disk);
    let mut writer = LogWriter::new(SALT, LogPosition::default());
    let mut growths = 0;
    for turn in 0..2000u32 {
        writer.intents(&[intent(turn)]);
        writer.commit(&[0; 400]).unwrap();
        let before = file.allocated();
        disk.writes.lock().unwrap().clear();
        flush(&mut writer, &file);
        let writes = disk.writes.lock().unwrap().len();
        assert_eq!(writes, if file.allocated() == before { 1 } else { 2 });
        growths += writes - 1;
    }
    assert!(growths <= 8, "{growths} growths for {} bytes", writer.len());
    assert_eq!(file.allocated(), disk.len().unwrap());
    file.shrink_to(64 << 10).unwrap();
    assert_eq!((file.allocated(), disk.len().unwrap()), (64 << 10, 64 << 10));
}

#[test]
fn deltas_are_small() {
    let size = |base: Option<&[u8; CLUSTER]>, new: &[u8; CLUSTER]| {
        let mut writer = LogWriter::new(SALT, LogPosition::default());
        writer.page(1, base, new);
        writer.len() as usize
    };
    let old = Random(3).page();
    let mut new = old;
    assert_eq!(size(Some(&old), &new), 0);
    new[100] ^= 1;
    assert_eq!(size(Some(&old), &new), HEADER + 5 + 11 + 4 + 1);
    new[107] ^= 1;
    assert_eq!(size(Some(&old), &new), HEADER + 5 + 11 + 4 + 8);
    new[116] ^= 1;
    assert_eq!(size(Some(&old), &new), HEADER + 5 + 11 + 4 + 8 + 4 + 1);
    assert_eq!(size(None, &[0; CLUSTER]), HEADER + 5 + 11);
    assert_eq!(size(None, &old), HEADER + 5 + 11 + 4 + CLUSTER);
    // A page emptied again: the image of zeros is smaller than the difference.
    assert_eq!(size(Some(&old), &[0; CLUSTER]), HEADER + 5 + 11);
}

/// A frame with a right sum around any payload.
fn framed(payload: &[u8], flags: u32) -> Disk {
    let mut header =
        frame::Header { flags, sequence: 0, salt: SALT, length: payload.len() as u32, crc: 0 };
    header.crc = frame::frame_crc(0, &header.bytes(), payload);
    Disk::of([&header.bytes()[..], payload].concat())
}

#[test]
fn malformed_records_are_refused_before_anything_is_delivered() {
    let page = |cluster: u64, base: u8, ranges: &[(u16, u16)]| {
        let mut body = cluster.to_le_bytes().to_vec();
        body.push(base);
        body.extend((ranges.len() as u16).to_le_bytes());
        for (offset, length) in ranges {
            body.extend(offset.to_le_bytes());
            body.extend(length.to_le_bytes());
            body.resize(body.len() + usize::from(*length), 1);
        }
        record(1, &body)
    };
    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind][..], &(body.len() as u32).to_le_bytes(), body].concat()
    }
    let refused = |payload: Vec<u8>, flags, code| {
        let payload = [record(3, &[1, 0, 0, 0]), payload].concat();
        let error = replay(&framed(&payload, flags), &SALT, &mut |_, _| panic!("delivered"));
        assert_eq!(error.unwrap_err().code(), code, "{payload:?}");
    };
    assert!(replayed(&framed(&page(1, 0, &[(0, 4096)]), 0), &SALT).is_ok());
    assert!(replayed(&framed(&page(1, 0, &[(4095, 1)]), 0), &SALT).is_ok());
    for body in [
        page(1, 2, &[]),
        page(1 << 48, 0, &[]),
        page(1, 0, &[(4096, 1)]),
        page(1, 0, &[(1, 4096)]),
        page(1, 0, &[(0xffff, 0xffff)]),
        page(1, 0, &[(5, 0)]),
        page(1, 0, &[(10, 5), (14, 1)]),
        record(1, &[0; 10]),
        record(2, &[0xff; 4]),
        record(2, &[1, 0, 0, 0, 9]),
        record(2, &[0, 0, 0, 0, 9]),
        record(3, &[0; 3]),
        record(3, &[0; 5]),
        vec![1, 0xff, 0xff, 0xff, 0xff],
        vec![3, 4],
        record(4, b"root without the commit flag"),
    ] {
        refused(body, 0, Code::Corrupt);
    }
    refused(record(4, &[0; 4097]), 1, Code::Corrupt);
    refused([record(4, &[]), record(3, &[0; 4])].concat(), 1, Code::Corrupt);
    refused(Vec::new(), 1, Code::Corrupt);
    refused(record(9, &[]), 0, Code::Feature);
    // Flags nobody defined and a sequence out of place end the log.
    let (state, found) = replayed(&framed(&record(3, &[1, 0, 0, 0]), 2), &SALT).unwrap();
    assert_eq!((state, found.ending), (State::default(), Ending::Torn));
}

#[test]
fn random_payloads_never_panic() {
    let mut random = Random(11);
    for _ in 0..3000 {
        let mut payload: Vec<u8> = (0..random.below(80)).map(|_| random.next() as u8).collect();
        if payload.len() > 5 {
            payload[0] = 1 + random.below(4) as u8;
            let length = payload.len() as u32 - 5 - random.below(2) as u32;
            payload[1..5].copy_from_slice(&length.to_le_bytes());
        }
        let _ = replay(&framed(&payload, random.below(2) as u32), &SALT, &mut |_, record| {
            if let Record::Page(delta) = record {
                delta.apply(&mut [0; CLUSTER]);
            }
            Ok(())
        });
    }
}

#[test]
fn an_oversized_root_is_refused_and_the_transaction_stays_open() {
    let mut writer = LogWriter::new(SALT, LogPosition::default());
    writer.grow(2);
    assert_eq!(writer.commit(&[0; MAX_ROOT + 1]).unwrap_err().code(), Code::TooBig);
    writer.commit(&[0; MAX_ROOT]).unwrap();
    let disk = Arc::new(Disk::default());
    flush(&mut writer, &log_on(&disk));
    assert_eq!(replayed(&*disk, &SALT).unwrap().0.sheets, [2]);
}

/// The worked example of the format document.
#[test]
fn the_documented_example_is_what_the_writer_writes() {
    let mut writer = LogWriter::new(SALT, LogPosition::default());
    writer.grow(2);
    writer.commit(&[1]).unwrap();
    let bytes = writer.take().unwrap().bytes;
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex.join(" "),
        "41 46 57 4c 01 00 00 00 00 00 00 00 00 00 00 00 \
         30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 \
         0f 00 00 00 3e 5e e6 b0 \
         03 04 00 00 00 02 00 00 00 04 01 00 00 00 01"
    );
}
