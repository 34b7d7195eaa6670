//! Reading the packed form: any cluster, without inflating the picture.
//!
//! A reader takes the last 56 bytes (the tail and IEND), which say where the index is, then the
//! index, then the bands it wants. The index is a private ancillary chunk that is not safe to
//! copy (`afIX`: PNG, section 5.4), because an editor that changes the pixels makes it wrong. It
//! is untrusted: every number in it is checked against the file's length before use, and every
//! band's CRC and exact size before its bytes are believed.

use std::sync::Arc;

use super::band_cache::{self, BandCache};
use super::geometry::{Geometry, HEADER};
use super::live::read_geometry;
use super::runs::{self, Tile};
use super::segment;
use super::skeleton::{self, IEND};
use super::{Clusters, check_band};
use crate::base::bytes::{Put, Reader};
use crate::base::cache::CacheFigures;
use crate::base::checksum::crc32;
use crate::base::limits::CLUSTER;
use crate::base::{Code, Error, Result};
use crate::storage::Storage;
use crate::storage::mem::gather_rows;

/// Type of the index chunks: ancillary, private, valid, not safe to copy.
pub const INDEX_CHUNK: [u8; 4] = *b"afIX";
/// Version of the index.
const VERSION: u16 = 1;
const KIND_PART: u8 = 0;
const KIND_TAIL: u8 = 1;
/// Bytes of a part in front of its entries.
const PART_HEAD: usize = 28;
/// Bytes of one entry: offset (48 bits) and length (32 bits) of a band's segment.
const ENTRY: usize = 10;
/// Entries in one part at most: 5 MB, well under the 8,000,000 bytes some readers stop at.
const PART_ENTRIES: u32 = 500_000;
/// Bytes of the tail's data.
const TAIL_DATA: usize = 32;
/// Bytes from the start of the tail chunk to the end of the file.
pub const TAIL_LEN: u64 = (12 + TAIL_DATA + IEND.len()) as u64;

/// The index chunks for bands with these segment lengths.
pub(super) fn index_parts(geometry: Geometry, lengths: &[u32]) -> Vec<Vec<u8>> {
    let parts = part_count(geometry);
    let mut offset = HEADER + 8;
    lengths
        .chunks(PART_ENTRIES as usize)
        .enumerate()
        .map(|(part, lengths)| {
            let mut data = Vec::with_capacity(PART_HEAD + lengths.len() * ENTRY);
            put_head(&mut data, KIND_PART, geometry);
            data.put_u32(part as u32);
            data.put_u32(parts);
            data.put_u32(part as u32 * PART_ENTRIES);
            data.put_u32(lengths.len() as u32);
            for &len in lengths {
                data.put(&offset.to_le_bytes()[..6]);
                data.put_u32(len);
                offset += u64::from(len) + 12;
            }
            skeleton::chunk(&INDEX_CHUNK, &data)
        })
        .collect()
}

/// The tail chunk: where the index is.
pub(super) fn tail(geometry: Geometry, index_offset: u64, index_len: u64) -> Vec<u8> {
    let mut data = Vec::with_capacity(TAIL_DATA);
    put_head(&mut data, KIND_TAIL, geometry);
    data.put_u32(part_count(geometry));
    data.put_u64(index_offset);
    data.put_u64(index_len);
    skeleton::chunk(&INDEX_CHUNK, &data)
}

fn put_head(data: &mut Vec<u8>, kind: u8, geometry: Geometry) {
    data.put_u16(VERSION);
    data.put_u8(kind);
    data.put_u8(0);
    data.put_u32(geometry.width());
    data.put_u32(geometry.sheets());
}

fn part_count(geometry: Geometry) -> u32 {
    geometry.bands().div_ceil(PART_ENTRIES)
}

fn index_len(geometry: Geometry) -> u64 {
    u64::from(part_count(geometry)) * (12 + PART_HEAD as u64)
        + u64::from(geometry.bands()) * ENTRY as u64
}

/// Checks a chunk's frame (length, type, CRC); gives its data.
fn chunk_data(bytes: &[u8], offset: u64) -> Result<&[u8]> {
    let fail = |what: &str| Error::corrupt(format!("packed index: {what}")).at_offset(offset);
    let len = bytes.len().checked_sub(12).ok_or_else(|| fail("a chunk is too short"))?;
    if bytes[..4] != (len as u32).to_be_bytes() || bytes[4..8] != INDEX_CHUNK {
        return Err(fail("not the chunk that must be here"));
    }
    if bytes[8 + len..] != crc32(&bytes[4..8 + len]).to_be_bytes() {
        return Err(fail("checksum mismatch"));
    }
    Ok(&bytes[8..8 + len])
}

fn check_head(reader: &mut Reader<'_>, kind: u8, geometry: Geometry) -> Result<()> {
    let version = reader.u16()?;
    if version != VERSION {
        let text = format!("packed index: version {version}, this reader knows {VERSION}");
        return Err(Error::new(Code::Version, text));
    }
    let found = (reader.u8()?, reader.u8()?, reader.u32()?, reader.u32()?);
    if found != (kind, 0, geometry.width(), geometry.sheets()) {
        return Err(Error::corrupt("packed index: it does not belong to this picture"));
    }
    Ok(())
}

/// Whether the file ends with the tail of a packed map.
pub(super) fn has_tail(storage: &dyn Storage) -> Result<bool> {
    let len = storage.len()?;
    if len < HEADER + TAIL_LEN {
        return Ok(false);
    }
    let mut bytes = [0; TAIL_LEN as usize];
    storage.read_at(len - TAIL_LEN, &mut bytes)?;
    Ok(bytes[..4] == (TAIL_DATA as u32).to_be_bytes()
        && bytes[4..8] == INDEX_CHUNK
        && bytes[12 + TAIL_DATA..] == IEND)
}

/// A packed map, read-only.
pub struct Packed {
    storage: Arc<dyn Storage>,
    geometry: Geometry,
    /// (file offset, length) of each band's segment.
    bands: Vec<(u64, u32)>,
    /// Rows of inflated bands.
    cache: BandCache,
}

impl Packed {
    /// Opens a packed map; inflated bands are kept up to `cache_bytes`.
    ///
    /// # Errors
    /// `NotAMap`, `Truncated`, `Resized` for what is no packed map; `Version` for a newer index;
    /// `Corrupt` for an index that does not fit the file.
    pub fn open(storage: Arc<dyn Storage>, cache_bytes: usize) -> Result<Packed> {
        let geometry = read_geometry(&*storage)?;
        let len = storage.len()?;
        if len < HEADER + TAIL_LEN {
            return Err(Error::new(Code::Truncated, "too short for a packed map").at_offset(len));
        }
        let tail_at = len - TAIL_LEN;
        let mut bytes = [0; TAIL_LEN as usize];
        storage.read_at(tail_at, &mut bytes)?;
        if bytes[12 + TAIL_DATA..] != IEND || bytes[4..8] != INDEX_CHUNK {
            let text = "the packed map does not end with its index; it is cut off or re-saved";
            return Err(Error::new(Code::Truncated, text).at_offset(tail_at));
        }
        let mut reader = Reader::new(chunk_data(&bytes[..12 + TAIL_DATA], tail_at)?);
        check_head(&mut reader, KIND_TAIL, geometry)?;
        let (parts, at, index) = (reader.u32()?, reader.u64()?, reader.u64()?);
        // The index has one size for a geometry and ends at the tail: this bounds the number of
        // bands, and with it all that is allocated below, by the file's length.
        let fits = at >= HEADER && at.checked_add(index) == Some(tail_at);
        if parts != part_count(geometry) || index != index_len(geometry) || !fits {
            return Err(Error::corrupt("packed index: it does not fit the file").at_offset(tail_at));
        }
        let bands = read_index(&*storage, geometry, at)?;
        Ok(Packed {
            storage,
            geometry,
            bands,
            cache: band_cache::new(cache_bytes, geometry.band_rows_len()),
        })
    }

    /// The storage below.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// Where a band's IDAT data lies in the file: (offset, length). For fetching ahead; its CRC
    /// is the four bytes behind it.
    pub fn segment(&self, band: u32) -> Option<(u64, u32)> {
        self.bands.get(band as usize).copied()
    }

    /// The rows of a band, from the cache or inflated.
    fn rows(&self, band: u32) -> Result<Arc<Vec<u8>>> {
        if let Some(rows) = self.cache.get(band) {
            return Ok(rows);
        }
        let mut rows = vec![0; self.geometry.band_rows_len()];
        self.inflate(band, &mut rows)?;
        let rows = Arc::new(rows);
        self.cache.put(band, Arc::clone(&rows));
        Ok(rows)
    }

    fn inflate(&self, band: u32, rows: &mut [u8]) -> Result<()> {
        let (offset, len) = self.bands[band as usize];
        let mut bytes = vec![0; len as usize + 8];
        // The chunk's type is in front of the segment and its CRC behind it.
        self.storage.read_at(offset - 4, &mut bytes)?;
        let crc = bytes.split_off(len as usize + 4);
        if bytes[..4] != *b"IDAT" || crc != crc32(&bytes).to_be_bytes() {
            let text = format!("band {band} of the packed picture has a wrong checksum");
            return Err(Error::corrupt(text).at_offset(offset));
        }
        bytes.drain(..4);
        segment::decode(&mut bytes, rows).map_err(|error| error.at_offset(offset))?;
        if rows.iter().step_by(self.geometry.row_len()).any(|&filter| filter != 0) {
            return Err(Error::corrupt(format!("band {band} has a filtered row")).at_offset(offset));
        }
        Ok(())
    }
}

fn read_index(storage: &dyn Storage, geometry: Geometry, at: u64) -> Result<Vec<(u64, u32)>> {
    let mut bands = Vec::with_capacity(geometry.bands() as usize);
    let longest = segment::longest(geometry) as u32;
    let mut offset = at;
    for part in 0..part_count(geometry) {
        let first = part * PART_ENTRIES;
        let count = PART_ENTRIES.min(geometry.bands() - first);
        let mut bytes = vec![0; 12 + PART_HEAD + count as usize * ENTRY];
        storage.read_at(offset, &mut bytes)?;
        let mut reader = Reader::new(chunk_data(&bytes, offset)?);
        check_head(&mut reader, KIND_PART, geometry)?;
        let found = (reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?);
        if found != (part, part_count(geometry), first, count) {
            return Err(Error::corrupt("packed index: a part is out of place").at_offset(offset));
        }
        for band in first..first + count {
            let mut wide = [0; 8];
            wide[..6].copy_from_slice(reader.take(6)?);
            let (start, len) = (u64::from_le_bytes(wide), reader.u32()?);
            // Offsets have 48 bits and lengths are bounded, so this sum cannot overflow.
            if start < HEADER + 8 || len > longest || start + u64::from(len) + 4 > at {
                let text = format!("packed index: band {band} lies outside the picture");
                return Err(Error::corrupt(text).at_offset(offset));
            }
            bands.push((start, len));
        }
        offset += bytes.len() as u64;
    }
    Ok(bands)
}

impl Clusters for Packed {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read_run(&self, first: u64, buf: &mut [u8]) -> Result<()> {
        self.geometry.check_buffer(first, buf.len())?;
        let mut tiles: Vec<Tile<&mut [u8]>> =
            runs::tiles(self.geometry, first, buf.chunks_exact_mut(CLUSTER)).collect();
        runs::sort(&mut tiles);
        for group in tiles.chunk_by_mut(|a, b| a.band == b.band) {
            let rows = self.rows(group[0].band)?;
            for tile in group {
                let place = runs::plain_rows(self.geometry, tile.column);
                gather_rows(&rows[place.offset as usize..], place, tile.bytes);
            }
        }
        Ok(())
    }

    fn read_band(&self, band: u32, rows: &mut [u8]) -> Result<()> {
        check_band(self.geometry, band, rows.len())?;
        self.inflate(band, rows)
    }

    fn cache_figures(&self) -> CacheFigures {
        self.cache.figures()
    }

    fn drop_cache(&self) {
        self.cache.clear();
    }

    fn set_cache_budget(&self, bytes: usize) {
        self.cache.set_budget(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::live::Live;
    use super::super::live::tests::Random;
    use super::super::pack::{Edits, pack, unpack};
    use super::*;
    use crate::storage::mem::MemStorage;

    fn sample(width: u32, seed: u64) -> Live {
        let live = Live::create(Arc::new(MemStorage::new()), width, 2).unwrap();
        let mut random = Random(seed);
        for _ in 0..20 {
            let cluster = random.below(live.geometry().clusters());
            let mut data = random.bytes(CLUSTER);
            match random.below(3) {
                0 => data[random.below(4096) as usize..].fill(0),
                1 => data.iter_mut().for_each(|byte| *byte &= 7),
                _ => {}
            }
            live.declare(&[(cluster, 1)]).unwrap();
            live.write_run(cluster, &data).unwrap();
        }
        live
    }

    fn packed_bytes(live: &Live, edits: Edits<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        let len = pack(live, edits, &mut out, &mut |_, _| Ok(())).unwrap();
        assert_eq!(len, bytes.len() as u64);
        bytes
    }

    fn open(bytes: &[u8]) -> Result<Packed> {
        Packed::open(Arc::new(MemStorage::from_bytes(bytes)), 100_000)
    }

    fn same(a: &dyn Clusters, b: &dyn Clusters) {
        let (mut left, mut right) = (vec![0; CLUSTER], vec![1; CLUSTER]);
        assert_eq!(a.geometry(), b.geometry());
        for cluster in 0..a.cluster_count() {
            a.read_run(cluster, &mut left).unwrap();
            b.read_run(cluster, &mut right).unwrap();
            assert!(left == right, "cluster {cluster}");
        }
    }

    #[test]
    fn a_packed_map_reads_like_its_source_and_unpacks_to_it() {
        for width in [256, 512] {
            let live = sample(width, 5);
            let bytes = packed_bytes(&live, Edits::NONE);
            let packed = open(&bytes).unwrap();
            same(&live, &packed);
            let mut run = vec![0; 16 * CLUSTER];
            let mut want = run.clone();
            packed.read_run(16, &mut run).unwrap();
            live.read_run(16, &mut want).unwrap();
            assert!(run == want);
            let target = Arc::new(MemStorage::new());
            let again = unpack(&packed, target.clone(), &mut |_, _| Ok(())).unwrap();
            same(&live, &again);
            live.seal().unwrap();
            let mut original = vec![0; live.geometry().file_len() as usize];
            live.storage().read_at(0, &mut original).unwrap();
            assert!(target.to_vec().unwrap() == original);
            assert_eq!(packed_bytes(&again, Edits::NONE), bytes);
        }
    }

    #[test]
    fn edits_blank_and_replace_clusters() {
        let live = sample(256, 6);
        let replacement = vec![0x42; CLUSTER];
        let edits = Edits { blank: &|cluster| cluster >= 5, replace: &[(7, &replacement)] };
        let packed = open(&packed_bytes(&live, edits)).unwrap();
        let (mut found, mut want) = (vec![0; CLUSTER], vec![0; CLUSTER]);
        for cluster in 0..packed.cluster_count() {
            packed.read_run(cluster, &mut found).unwrap();
            match cluster {
                7 => want.fill(0x42),
                5.. => want.fill(0),
                _ => live.read_run(cluster, &mut want).unwrap(),
            }
            assert!(found == want, "cluster {cluster}");
        }
        let outside = Edits { replace: &[(128, &replacement)], ..Edits::NONE };
        let error = pack(&live, outside, &mut |_| Ok(()), &mut |_, _| Ok(())).unwrap_err();
        assert_eq!(error.code(), Code::Invalid);
    }

    #[test]
    fn a_cancelled_pack_says_so() {
        let live = sample(256, 7);
        let mut stop = |done, _| match done {
            3 => Err(Error::new(Code::Cancelled, "enough")),
            _ => Ok(()),
        };
        let error = pack(&live, Edits::NONE, &mut |_| Ok(()), &mut stop).unwrap_err();
        assert_eq!(error.code(), Code::Cancelled);
    }

    #[test]
    fn damage_is_found_and_never_panics() {
        let live = sample(256, 8);
        let good = packed_bytes(&live, Edits::NONE);
        let mut random = Random(9);
        for _ in 0..400 {
            let mut bytes = good.clone();
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << random.below(8);
            let Ok(packed) = open(&bytes) else { continue };
            let mut buf = vec![0; 64 * CLUSTER];
            let outcome = packed.read_run(0, &mut buf).and(packed.read_run(64, &mut buf));
            // Bytes outside the index and the segments (zlib header, Adler-32) are not read.
            if let Ok(()) = outcome {
                same(&live, &packed);
            }
        }
        for len in [0, 30, 50, 100, good.len() / 2, good.len() - 1] {
            assert!(open(&good[..len]).is_err());
        }
    }

    #[test]
    fn a_lying_index_is_refused() {
        let live = sample(256, 10);
        let good = packed_bytes(&live, Edits::NONE);
        let geometry = live.geometry();
        let index_at = good.len() - TAIL_LEN as usize - index_len(geometry) as usize;
        let reseal = |bytes: &mut [u8], at: usize| {
            let len = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
            let crc = crc32(&bytes[at + 4..at + 8 + len]).to_be_bytes();
            bytes[at + 8 + len..at + 12 + len].copy_from_slice(&crc);
        };
        let tail_at = good.len() - TAIL_LEN as usize;
        for (chunk, field) in [
            (index_at, 0),
            (index_at, 2),
            (index_at, 4),
            (index_at, 8),
            (index_at, 12),
            (index_at, 16),
            (index_at, 20),
            (index_at, 24),
            (index_at, PART_HEAD + 5),
            (index_at, PART_HEAD + 9),
            (tail_at, 0),
            (tail_at, 4),
            (tail_at, 8),
            (tail_at, 12),
            (tail_at, 16),
            (tail_at, 23),
            (tail_at, 24),
            (tail_at, 31),
        ] {
            let mut bytes = good.clone();
            bytes[chunk + 8 + field] ^= 0x81;
            reseal(&mut bytes, chunk);
            let error = open(&bytes).map(|_| ()).unwrap_err();
            assert!(matches!(error.code(), Code::Corrupt | Code::Version), "{field}: {error}");
        }
        // An entry that points into another band inflates, but never past its limits.
        let mut bytes = good.clone();
        bytes[index_at + 8 + PART_HEAD] += 1;
        reseal(&mut bytes, index_at);
        let packed = open(&bytes).unwrap();
        assert!(packed.read_band(0, &mut vec![0; geometry.band_rows_len()]).is_err());
    }

    #[test]
    fn the_chunk_name_carries_the_right_bits() {
        let lower = INDEX_CHUNK.map(|letter| letter.is_ascii_lowercase());
        // Ancillary, private, reserved bit as it must be, not safe to copy.
        assert_eq!(lower, [true, true, false, false]);
        assert!(PART_HEAD + PART_ENTRIES as usize * ENTRY < 8_000_000);
    }
}
