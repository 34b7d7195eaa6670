//! The PNG bytes round the pixels of a live map, and the sums over them.
//!
//! All of it is a function of the geometry but for the band CRCs and the Adler-32. PNG's own
//! integers are big-endian (PNG, section 7.1); the length of a stored block is little-endian
//! (RFC 1951, section 3.2.4).

use super::geometry::{BLOCK_HEAD, CHUNK_HEAD, Geometry, HEADER, TRAILER};
use crate::base::checksum::crc32;
use crate::base::limits::TILE;
use crate::base::{Code, Error, Result};

/// PNG signature (PNG, section 5.2).
pub const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// The Adler-32 modulus (RFC 1950, section 9).
pub const ADLER_BASE: u64 = 65_521;
/// The IEND chunk: always these twelve bytes.
pub const IEND: [u8; 12] = *b"\0\0\0\0IEND\xae\x42\x60\x82";
/// Bytes from the start of the file that [`read_header`] looks at: signature and IHDR chunk.
pub const IHDR_END: usize = 33;

/// What a PNG's IHDR says, unchecked but for its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageHeader {
    pub width: u32,
    pub height: u32,
    pub depth: u8,
    pub color_type: u8,
    pub interlace: u8,
}

/// A whole chunk: length, type, data, CRC over type and data.
pub fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(12 + data.len());
    bytes.extend_from_slice(&(data.len() as u32).to_be_bytes());
    bytes.extend_from_slice(kind);
    bytes.extend_from_slice(data);
    let crc = crc32(&bytes[4..]);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes
}

/// Signature, IHDR and the IDAT chunk with the zlib header: the first [`HEADER`] bytes.
pub fn header(geometry: Geometry) -> Vec<u8> {
    let mut bytes = ihdr(geometry);
    bytes.extend_from_slice(&zlib_header_chunk());
    debug_assert_eq!(bytes.len() as u64, HEADER);
    bytes
}

/// Signature and IHDR: 8 bits per channel, RGBA, not interlaced.
pub fn ihdr(geometry: Geometry) -> Vec<u8> {
    let mut data = [0; 13];
    data[..4].copy_from_slice(&geometry.width().to_be_bytes());
    data[4..8].copy_from_slice(&geometry.height().to_be_bytes());
    data[8..].copy_from_slice(&[8, 6, 0, 0, 0]);
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend_from_slice(&chunk(b"IHDR", &data));
    bytes
}

/// The IDAT chunk with the two bytes of a zlib header: deflate, 32 KiB window, no dictionary.
pub fn zlib_header_chunk() -> Vec<u8> {
    chunk(b"IDAT", &[0x78, 0x01])
}

/// The last [`TRAILER`] bytes: the IDAT chunk with the final empty stored block and the Adler-32,
/// then IEND.
pub fn trailer(adler: u32) -> Vec<u8> {
    let mut data = [1, 0, 0, 0xff, 0xff, 0, 0, 0, 0];
    data[5..].copy_from_slice(&adler.to_be_bytes());
    let mut bytes = chunk(b"IDAT", &data);
    bytes.extend_from_slice(&IEND);
    debug_assert_eq!(bytes.len() as u64, TRAILER);
    bytes
}

/// Whether 33 bytes are a trailer, whatever the Adler-32 in it.
pub fn is_trailer(bytes: &[u8]) -> bool {
    bytes.len() == TRAILER as usize
        && bytes[..13] == *b"\0\0\0\x09IDAT\x01\0\0\xff\xff"
        && bytes[21..] == IEND
}

/// Reads signature and IHDR.
///
/// # Errors
/// `NotAMap` when the signature is not PNG's, `Corrupt` when the IHDR chunk is damaged.
pub fn read_header(bytes: &[u8; IHDR_END]) -> Result<ImageHeader> {
    if bytes[..8] != SIGNATURE {
        return Err(Error::new(Code::NotAMap, "not a PNG: the signature is missing"));
    }
    let be =
        |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    if be(8) != 13 || bytes[12..16] != *b"IHDR" {
        return Err(Error::corrupt("the first chunk is not an IHDR of 13 bytes").at_offset(8));
    }
    let (stored, computed) = (be(29), crc32(&bytes[12..29]));
    if stored != computed {
        let text = format!("IHDR checksum mismatch: expected {stored:08x}, found {computed:08x}");
        return Err(Error::corrupt(text).at_offset(29));
    }
    Ok(ImageHeader {
        width: be(16),
        height: be(20),
        depth: bytes[24],
        color_type: bytes[25],
        interlace: bytes[28],
    })
}

impl ImageHeader {
    /// The geometry of a map with this header, when it can be one.
    ///
    /// # Errors
    /// `Resized` when the dimensions or the pixel format are not a map's.
    pub fn geometry(&self) -> Result<Geometry> {
        let sheets = self.height.checked_div(self.width).unwrap_or(0);
        let whole = self.width > 0 && self.height.is_multiple_of(self.width);
        match Geometry::new(self.width, sheets) {
            Ok(geometry) if whole => Ok(geometry),
            _ => Err(Error::new(
                Code::Resized,
                format!(
                    "the picture is {} x {} pixels, a map is a power of two from 256 to 8192 wide \
                     and a multiple of that high: this picture was never a map, or it was resized, \
                     and the data of a resized picture cannot be read",
                    self.width, self.height
                ),
            )),
        }
    }

    /// Whether the pixel format is the one of maps: RGBA, 8 bits, not interlaced.
    pub fn is_map_format(&self) -> bool {
        (self.depth, self.color_type, self.interlace) == (8, 6, 0)
    }
}

/// Writes a band's chunk header, block headers and filter bytes into `band`, the bytes of its
/// whole chunk. Pixels and CRC stay.
pub fn put_band_headers(geometry: Geometry, band: &mut [u8]) {
    band[..CHUNK_HEAD].copy_from_slice(&chunk_head(geometry));
    for block in 0..geometry.blocks() {
        let row = block * geometry.block_rows();
        let at = geometry.row_offset(row) - BLOCK_HEAD;
        band[at..at + BLOCK_HEAD].copy_from_slice(&block_head(geometry, block));
    }
    for row in 0..TILE as usize {
        band[geometry.row_offset(row)] = 0;
    }
}

/// Length and type of a band's chunk.
pub fn chunk_head(geometry: Geometry) -> [u8; CHUNK_HEAD] {
    let mut head = *b"\0\0\0\0IDAT";
    head[..4].copy_from_slice(&(geometry.band_data_len() as u32).to_be_bytes());
    head
}

/// Header of stored block `block` of a band: not final, length, its complement.
pub fn block_head(geometry: Geometry, block: usize) -> [u8; BLOCK_HEAD] {
    let rows = geometry.block_rows().min(TILE as usize - block * geometry.block_rows());
    let len = (rows * geometry.row_len()) as u16;
    let [low, high] = len.to_le_bytes();
    [0, low, high, !low, !high]
}

/// Sets the CRC of a band whose headers and pixels are in place.
pub fn put_band_crc(band: &mut [u8]) -> u32 {
    let end = band.len() - 4;
    let crc = crc32(&band[4..end]);
    band[end..].copy_from_slice(&crc.to_be_bytes());
    crc
}

/// Byte ranges, inside a band's chunk, of the rows of each stored block.
pub fn block_ranges(geometry: Geometry) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..geometry.blocks()).map(move |block| {
        let row = block * geometry.block_rows();
        let rows = geometry.block_rows().min(TILE as usize - row);
        let at = geometry.row_offset(row);
        at..at + rows * geometry.row_len()
    })
}

/// The two sums of a band's row bytes that make up its part of the picture's Adler-32, both
/// modulo 65521.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sums {
    /// Sum of the bytes.
    pub s1: u16,
    /// Sum of the bytes, each times its distance to the end of the band (the last byte once).
    pub s2: u16,
}

/// The sums over row bytes given piece by piece.
pub struct Summer(simd_adler32::Adler32);

impl Default for Summer {
    fn default() -> Self {
        // Adler-32 without the 1 it starts from is exactly the two sums.
        Summer(simd_adler32::Adler32::from_checksum(0))
    }
}

impl Summer {
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    pub fn finish(&self) -> Sums {
        let sum = self.0.finish();
        Sums { s1: sum as u16, s2: (sum >> 16) as u16 }
    }
}

/// The sums of a band given as the bytes of its whole chunk.
pub fn band_sums(geometry: Geometry, band: &[u8]) -> Sums {
    let mut summer = Summer::default();
    for range in block_ranges(geometry) {
        summer.add(&band[range]);
    }
    summer.finish()
}

/// The sums of a picture's bands, weighted by place: Adler-32 of the picture without the 1 it
/// starts from. Lets one band change without reading the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub s1: u16,
    pub s2: u16,
}

impl Totals {
    /// Adds the sums of one band.
    pub fn add(&mut self, geometry: Geometry, band: u32, sums: Sums) {
        let behind = geometry.bytes_behind(band) % ADLER_BASE;
        let s1 = u64::from(self.s1) + u64::from(sums.s1);
        let s2 = u64::from(self.s2) + u64::from(sums.s2) + u64::from(sums.s1) * behind;
        self.s1 = (s1 % ADLER_BASE) as u16;
        self.s2 = (s2 % ADLER_BASE) as u16;
    }

    /// Takes the sums of one band out, as if it were all zero.
    pub fn remove(&mut self, geometry: Geometry, band: u32, sums: Sums) {
        let minus = |sum: u16| ((ADLER_BASE - u64::from(sum) % ADLER_BASE) % ADLER_BASE) as u16;
        self.add(geometry, band, Sums { s1: minus(sums.s1), s2: minus(sums.s2) });
    }

    /// The totals after zero bytes were appended.
    pub fn append_zeros(&mut self, bytes: u64) {
        let s2 = u64::from(self.s2) + bytes % ADLER_BASE * u64::from(self.s1);
        self.s2 = (s2 % ADLER_BASE) as u16;
    }

    /// The picture's Adler-32 (RFC 1950, section 8.2).
    pub fn adler(self, geometry: Geometry) -> u32 {
        let a = (u64::from(self.s1) + 1) % ADLER_BASE;
        let b = (u64::from(self.s2) + geometry.picture_len() % ADLER_BASE) % ADLER_BASE;
        (b as u32) << 16 | a as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_trailer_are_the_documented_bytes() {
        let geometry = Geometry::new(256, 1).unwrap();
        let bytes = header(geometry);
        assert_eq!(bytes[..16], *b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR");
        assert_eq!(bytes[16..29], [0, 0, 1, 0, 0, 0, 1, 0, 8, 6, 0, 0, 0]);
        assert_eq!(bytes[29..33], [0x5c, 0x72, 0xa8, 0x66]);
        assert_eq!(bytes[33..43], *b"\0\0\0\x02IDAT\x78\x01");
        let read = read_header(bytes[..IHDR_END].try_into().unwrap()).unwrap();
        assert_eq!(read.geometry().unwrap(), geometry);
        assert!(read.is_map_format());
        assert!(is_trailer(&trailer(0x1234_5678)));
        assert_eq!(trailer(1).len() as u64, TRAILER);
    }

    #[test]
    fn damaged_headers_are_told_apart() {
        let good: [u8; IHDR_END] = ihdr(Geometry::new(512, 3).unwrap()).try_into().unwrap();
        let mut bytes = good;
        bytes[0] = 0;
        assert_eq!(read_header(&bytes).unwrap_err().code(), Code::NotAMap);
        for at in 8..IHDR_END {
            let mut bytes = good;
            bytes[at] ^= 0x40;
            assert_eq!(read_header(&bytes).unwrap_err().code(), Code::Corrupt, "byte {at}");
        }
        for (width, height) in [(300, 300), (256, 257), (0, 0), (256, 0), (u32::MAX, u32::MAX)] {
            let header = ImageHeader { width, height, depth: 8, color_type: 6, interlace: 0 };
            assert_eq!(header.geometry().unwrap_err().code(), Code::Resized);
        }
    }

    #[test]
    fn totals_equal_adler_of_the_whole_picture() {
        for width in [256, 512, 1024] {
            let mut geometry = Geometry::new(width, 1).unwrap();
            let rows = geometry.band_rows_len();
            let mut picture = vec![0; geometry.picture_len() as usize];
            let mut totals = Totals::default();
            for band in [0, 3, geometry.bands() - 1] {
                let bytes = &mut picture[band as usize * rows..][..rows];
                for (at, byte) in bytes.iter_mut().enumerate() {
                    *byte = (at * 31 + band as usize + at / 7) as u8 | 0x80;
                }
                let mut summer = Summer::default();
                summer.add(bytes);
                totals.add(geometry, band, summer.finish());
                totals.remove(geometry, band, summer.finish());
                totals.add(geometry, band, summer.finish());
            }
            assert_eq!(totals.adler(geometry), simd_adler32::adler32(&&picture[..]));
            totals.append_zeros(geometry.picture_len());
            geometry = geometry.with_sheets(2).unwrap();
            picture.resize(geometry.picture_len() as usize, 0);
            assert_eq!(totals.adler(geometry), simd_adler32::adler32(&&picture[..]));
        }
    }
}
