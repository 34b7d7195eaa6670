//! Live over memory, live over a file and a plain list of clusters must agree; a sealed file must
//! be a strict PNG.

use std::sync::Arc;

use super::*;
use crate::storage::mem::MemStorage;

/// Memory that hides that it is memory, so that the positional path is taken.
pub(crate) struct Positional(pub MemStorage);

impl Storage for Positional {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.0.read_at(offset, buf)
    }
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.0.write_at(offset, data)
    }
    fn sync(&self) -> Result<()> {
        Ok(())
    }
    fn len(&self) -> Result<u64> {
        self.0.len()
    }
    fn set_len(&self, len: u64) -> Result<()> {
        self.0.set_len(len)
    }
}

pub(crate) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(len).collect()
    }
}

/// Reads `bytes` as the strictest PNG reader would: every chunk, every CRC, the zlib stream with
/// its Adler-32, and nothing behind the end. Gives the rows.
fn strict_rows(bytes: &[u8]) -> Vec<u8> {
    assert_eq!(bytes[..8], skeleton::SIGNATURE);
    let (mut at, mut stream, mut kinds) = (8, Vec::new(), Vec::new());
    while at < bytes.len() {
        let len = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let data = &bytes[at + 8..at + 8 + len];
        let crc = u32::from_be_bytes(bytes[at + 8 + len..at + 12 + len].try_into().unwrap());
        assert_eq!(crc, crate::base::checksum::crc32(&bytes[at + 4..at + 8 + len]), "chunk {at}");
        kinds.push(bytes[at + 4..at + 8].to_vec());
        if &bytes[at + 4..at + 8] == b"IDAT" {
            stream.extend_from_slice(data);
        }
        at += 12 + len;
    }
    assert_eq!(at, bytes.len());
    assert_eq!(kinds.first().unwrap(), b"IHDR");
    assert_eq!(kinds.last().unwrap(), b"IEND");
    miniz_oxide::inflate::decompress_to_vec_zlib(&stream).expect("a valid zlib stream")
}

/// Seals and checks the file against the model, cluster by cluster, through the decoded rows.
fn check_sealed(live: &Live, model: &[Vec<u8>]) {
    live.seal().unwrap();
    let len = live.storage().len().unwrap();
    let mut bytes = vec![0; len as usize];
    live.storage().read_at(0, &mut bytes).unwrap();
    let geometry = live.geometry();
    assert_eq!(len, geometry.file_len());
    let rows = strict_rows(&bytes);
    assert_eq!(rows.len() as u64, geometry.picture_len());
    assert_eq!(model.len() as u64, geometry.clusters());
    for (cluster, want) in model.iter().enumerate() {
        let (band, column) = geometry.tile(cluster as u64);
        for row in 0..32 {
            let line = &rows[(band as usize * 32 + row) * geometry.row_len()..];
            assert_eq!(line[0], 0);
            let found = &line[1 + column as usize * 128..][..128];
            assert!(found == &want[row * 128..][..128], "cluster {cluster}, row {row}");
        }
    }
    let header: [u8; IHDR_END] = bytes[..IHDR_END].try_into().unwrap();
    assert_eq!(skeleton::read_header(&header).unwrap().geometry().unwrap(), geometry);
}

fn write(live: &Live, first: u64, data: &[u8]) {
    live.declare(&[(first, (data.len() / CLUSTER) as u32)]).unwrap();
    live.write_run(first, data).unwrap();
}

fn run_within(geometry: Geometry, random: &mut Random) -> (u64, usize) {
    let first = random.below(geometry.clusters());
    let left = u64::from(geometry.sheet_clusters() - geometry.index_in_sheet(first));
    let longest = [1, 1, 4, 70, u64::from(geometry.sheet_clusters())][random.below(5) as usize];
    (first, 1 + random.below(longest.min(left)) as usize)
}

/// A real file that vanishes with its last handle.
#[cfg(unix)]
fn scratch_file() -> Arc<dyn Storage> {
    use std::sync::atomic::AtomicU32;

    use crate::storage::file::{FileStorage, Mode};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name =
        format!("aetherflow-live-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let file = FileStorage::open(&path, Mode::CreateNew).unwrap();
    std::fs::remove_file(&path).unwrap();
    Arc::new(file)
}

#[cfg(not(unix))]
fn scratch_file() -> Arc<dyn Storage> {
    Arc::new(Positional(MemStorage::new()))
}

fn storages() -> Vec<(&'static str, Arc<dyn Storage>, usize)> {
    vec![
        ("file", scratch_file(), 1 << 20),
        ("memory", Arc::new(MemStorage::new()), 0),
        ("positional, cached", Arc::new(Positional(MemStorage::new())), 4 << 20),
        ("positional, small cache", Arc::new(Positional(MemStorage::new())), 70_000),
        ("positional, uncached", Arc::new(Positional(MemStorage::new())), 0),
    ]
}

#[test]
fn all_storages_agree_with_a_plain_list() {
    for width in [256, 512, 1024] {
        let lives: Vec<_> = storages()
            .into_iter()
            .map(|(name, storage, cache)| {
                (name, Live::create(storage, width, 1).unwrap().with_cache(cache))
            })
            .collect();
        let mut random = Random(u64::from(width));
        let mut model = vec![vec![0; CLUSTER]; lives[0].1.geometry().clusters() as usize];
        for step in 0..120 {
            let geometry = lives[0].1.geometry();
            let (first, count) = run_within(geometry, &mut random);
            match random.below(10) {
                0..5 => {
                    let data = random.bytes(count * CLUSTER);
                    for (at, cluster) in data.chunks_exact(CLUSTER).enumerate() {
                        model[first as usize + at].copy_from_slice(cluster);
                    }
                    for (_, live) in &lives {
                        write(live, first, &data);
                    }
                }
                5..8 => {
                    let want = model[first as usize..first as usize + count].concat();
                    for (name, live) in &lives {
                        let mut buf = vec![1; want.len()];
                        live.read_run(first, &mut buf).unwrap();
                        assert!(buf == want, "{name}, width {width}, step {step}");
                    }
                }
                8 if width == 256 && geometry.sheets() < 4 => {
                    let more = (geometry.sheet_clusters()) as usize;
                    model.resize(model.len() + more, vec![0; CLUSTER]);
                    lives.iter().for_each(|(_, live)| live.grow(1).unwrap());
                }
                _ => {
                    let sums: Vec<_> = lives
                        .iter()
                        .map(|(_, live)| {
                            live.seal().unwrap();
                            live.mark_clean();
                            live.totals_without(&[1, 3]).unwrap()
                        })
                        .collect();
                    assert!(sums.iter().all(|sum| *sum == sums[0]));
                }
            }
        }
        for (_, live) in &lives {
            check_sealed(live, &model);
        }
    }
}

#[test]
fn a_new_map_is_sealed_at_every_width() {
    for width in [256, 512, 1024, 2048] {
        let storage = Arc::new(MemStorage::new());
        let live = Live::create(storage.clone(), width, 1).unwrap();
        let rows = strict_rows(&storage.to_vec().unwrap());
        assert!(rows.iter().all(|&byte| byte == 0));
        assert_eq!(rows.len() as u64, live.geometry().picture_len());
    }
}

#[test]
fn wide_pictures_move_tile_rows_and_stay_right() {
    // Wide enough for the row by row paths. Only one cached and one uncached: these are large.
    for (_, storage, cache) in storages().into_iter().skip(2).step_by(2) {
        let live = Live::create(storage, 4096, 1).unwrap().with_cache(cache);
        let mut random = Random(7);
        let data = random.bytes(6 * CLUSTER);
        for first in [0, 5000, 16378] {
            write(&live, first, &data);
            let mut buf = vec![0; data.len()];
            live.read_run(first, &mut buf).unwrap();
            assert!(buf == data);
        }
        let totals = live.totals_without(&[]).unwrap();
        live.rebuild_skeleton().unwrap();
        assert_eq!(live.totals_without(&[]).unwrap(), totals);
    }
}

#[test]
fn declare_names_each_band_once_between_checkpoints() {
    let live = Live::create(Arc::new(MemStorage::new()), 256, 1).unwrap();
    let band = live.geometry().band_of(0);
    let first = live.declare(&[(0, 1)]).unwrap();
    assert_eq!(first, [BandSums { band, s1: 0, s2: 0 }]);
    live.write_run(0, &[1; CLUSTER]).unwrap();
    assert_eq!(live.declare(&[(0, 1)]).unwrap(), []);
    live.seal().unwrap();
    live.mark_clean();
    let again = live.declare(&[(0, 64)]).unwrap();
    assert_eq!(again.len(), 8);
    assert_eq!(again[0].s1, 4096);
    assert_eq!(live.declare(&[(60, 5)]).unwrap_err().code(), Code::Invalid);
}

#[test]
fn totals_come_back_without_reading_the_picture() {
    let storage = Arc::new(MemStorage::new());
    let live = Live::create(storage.clone(), 512, 1).unwrap();
    let mut random = Random(3);
    let mut model = vec![vec![0; CLUSTER]; 256];
    for at in [0_usize, 17, 100, 255] {
        model[at] = random.bytes(CLUSTER);
        write(&live, at as u64, &model[at]);
    }
    let excluded = [live.geometry().band_of(0), live.geometry().band_of(128)];
    let totals = live.totals_without(&excluded).unwrap();
    // The superblock that stores the totals changes an excluded band after they were taken.
    model[0] = random.bytes(CLUSTER);
    write(&live, 0, &model[0]);
    live.seal().unwrap();

    let again = Live::open(storage).unwrap();
    again.set_sheets(1).unwrap();
    again.set_totals_without(&excluded, totals).unwrap();
    model[200] = random.bytes(CLUSTER);
    write(&again, 200, &model[200]);
    check_sealed(&again, &model);
}

#[test]
fn recovery_after_a_crash_gives_a_valid_picture() {
    for seed in 0..12 {
        for positional in [false, true] {
            crash_and_recover(seed, positional);
        }
    }
}

fn crash_and_recover(seed: u64, positional: bool) {
    let mut random = Random(seed);
    let storage: Arc<dyn Storage> = match positional {
        true => Arc::new(Positional(MemStorage::new())),
        false => Arc::new(MemStorage::new()),
    };
    let live = Live::create(storage.clone(), 256, 1).unwrap();
    let mut model = vec![vec![0; CLUSTER]; 64];
    let mut touched = Vec::new();
    let mut put = |live: &Live, model: &mut Vec<Vec<u8>>, touched: &mut Vec<BandSums>, n| {
        for _ in 0..n {
            let cluster = random.below(live.geometry().clusters());
            model[cluster as usize] = random.bytes(CLUSTER);
            touched.extend(live.declare(&[(cluster, 1)]).unwrap());
            live.write_run(cluster, &model[cluster as usize]).unwrap();
        }
    };
    put(&live, &mut model, &mut touched, 5);
    let excluded = [live.geometry().band_of(1), live.geometry().band_of(32)];
    let totals = live.totals_without(&excluded).unwrap();
    live.seal().unwrap();
    live.mark_clean();
    touched.clear();

    put(&live, &mut model, &mut touched, 4);
    let sheets = if seed.is_multiple_of(3) { 1 } else { 3 };
    if sheets > 1 {
        live.grow(2).unwrap();
        model.resize(192, vec![0; CLUSTER]);
        put(&live, &mut model, &mut touched, 4);
    }
    if seed % 4 == 1 {
        // The crash may also come between a seal and the checkpoint that follows it.
        live.seal().unwrap();
        put(&live, &mut model, &mut touched, 2);
    }
    drop(live);
    if seed.is_multiple_of(2) {
        // The crash lost the skeleton of a touched band.
        let at = Geometry::new(256, sheets).unwrap().band_offset(touched[0].band);
        storage.write_at(at, &[0; 13]).unwrap();
    }
    let live = Live::open(storage).unwrap();
    let recovery =
        Recovery { sheets, skeleton_from_sheet: 1, totals, excluded: &excluded, touched: &touched };
    live.recover(recovery).unwrap();
    check_sealed(&live, &model);
    let found = live.totals_without(&[]).unwrap();
    live.rebuild_skeleton().unwrap();
    assert_eq!(live.totals_without(&[]).unwrap(), found);
}

#[test]
fn recovery_restores_a_lost_growth_and_clears_an_old_trailer() {
    let storage = Arc::new(MemStorage::new());
    let live = Live::create(storage.clone(), 256, 1).unwrap();
    let totals = live.totals_without(&[]).unwrap();
    let base = Recovery { sheets: 2, skeleton_from_sheet: 1, totals, excluded: &[], touched: &[] };
    // The log says two sheets, the file still ends with the trailer of one.
    live.recover(base).unwrap();
    check_sealed(&live, &vec![vec![0; CLUSTER]; 128]);

    let outside = [BandSums { band: 16, s1: 0, s2: 0 }];
    let error = live.recover(Recovery { touched: &outside, ..base }).unwrap_err();
    assert_eq!(error.code(), Code::Corrupt);
    let error = live.recover(Recovery { sheets: 1, skeleton_from_sheet: 2, ..base }).unwrap_err();
    assert_eq!(error.code(), Code::Corrupt);
    storage.set_len(1000).unwrap();
    assert_eq!(live.recover(base).unwrap_err().code(), Code::Truncated);
}

#[test]
fn a_skeleton_is_rebuilt_from_pixels_alone() {
    let storage = Arc::new(MemStorage::new());
    let live = Live::create(storage.clone(), 256, 2).unwrap();
    let mut random = Random(99);
    let model: Vec<_> = (0..128).map(|_| random.bytes(CLUSTER)).collect();
    write(&live, 0, &model[..64].concat());
    write(&live, 64, &model[64..].concat());
    let geometry = live.geometry();
    for band in 0..geometry.bands() {
        for row in (0..32).step_by(5) {
            let at = geometry.band_offset(band) + geometry.row_offset(row) as u64;
            storage.write_at(at, &[0x55]).unwrap();
        }
        storage.write_at(geometry.band_offset(band), &[9; 13]).unwrap();
    }
    storage.set_len(geometry.trailer_offset()).unwrap();
    let again = Live::open_as(storage, geometry).unwrap();
    again.rebuild_skeleton().unwrap();
    check_sealed(&again, &model);
    // A seal that does not know the sums rebuilds by itself.
    let again = Live::open_as(again.storage().clone(), geometry).unwrap();
    assert_eq!(again.totals_without(&[]).unwrap_err().code(), Code::Invalid);
    check_sealed(&again, &model);
}

#[test]
fn hostile_files_are_refused_with_the_right_code() {
    let code = |bytes: &[u8]| {
        Live::open(Arc::new(MemStorage::from_bytes(bytes))).map(|_| ()).unwrap_err().code()
    };
    assert_eq!(code(b""), Code::NotAMap);
    assert_eq!(code(b"hello, this is text and not a picture"), Code::NotAMap);
    assert_eq!(code(b"\x89PN"), Code::Truncated);
    let storage = Arc::new(MemStorage::new());
    Live::create(storage.clone(), 256, 2).unwrap();
    let good = storage.to_vec().unwrap();
    assert_eq!(code(&good[..40]), Code::Truncated);
    assert_eq!(code(&good[..good.len() / 3]), Code::Truncated);
    let mut bytes = good.clone();
    bytes[19] = 7;
    assert_eq!(code(&bytes), Code::Corrupt);
    let big = Geometry::new(8192, 262_143).unwrap();
    assert_eq!(code(&[skeleton::header(big), vec![0; 99]].concat()), Code::Truncated);

    let live = Live::open(Arc::new(MemStorage::from_bytes(&good[..good.len() * 2 / 3]))).unwrap();
    let error = live.set_sheets(2).unwrap_err();
    assert_eq!(error.code(), Code::Truncated);
    assert!(error.message().contains(&good.len().to_string()), "{error}");
}

#[test]
fn a_map_with_a_damaged_header_is_found_by_its_superblock() {
    for width in [256, 1024] {
        let storage = Arc::new(MemStorage::new());
        let live = Live::create(storage.clone(), width, 3).unwrap();
        let mut block = vec![0; CLUSTER];
        block[..8].copy_from_slice(&SUPERBLOCK_MAGIC);
        write(&live, live.geometry().superblock_a().into(), &block);
        live.seal().unwrap();
        storage.write_at(0, &[0xee; 33]).unwrap();
        assert_eq!(probe_widths(&*storage).unwrap(), [live.geometry()]);
    }
    assert_eq!(probe_widths(&MemStorage::from_bytes(b"short")).unwrap(), []);
}

#[test]
fn many_threads_read_and_write_at_once() {
    for (_, storage, cache) in storages() {
        let live = Live::create(storage, 256, 1).unwrap().with_cache(cache);
        live.declare(&[(0, 64)]).unwrap();
        std::thread::scope(|scope| {
            for lane in 0..4_u64 {
                let live = &live;
                scope.spawn(move || {
                    let mut buf = vec![0; CLUSTER];
                    for round in 0..40_u8 {
                        for cluster in (lane..64).step_by(4) {
                            live.write_run(cluster, &[round ^ cluster as u8; CLUSTER]).unwrap();
                            live.read_run(cluster, &mut buf).unwrap();
                            assert!(buf.iter().all(|&byte| byte == round ^ cluster as u8));
                        }
                        if lane == 0 {
                            live.seal().unwrap();
                        }
                    }
                });
            }
        });
        let model: Vec<_> = (0..64).map(|cluster| vec![39 ^ cluster as u8; CLUSTER]).collect();
        check_sealed(&live, &model);
    }
}
