//! A map that some other program saved: the layout is gone, the pixels are not.
//!
//! Decodes any PNG row by row and writes the rows into a fresh live map. Colour types that say
//! the same pixels in fewer bytes (palette, grey, RGB with or without a transparent colour, 16
//! bits that repeat 8) are expanded; they are exact or refused. Whether the pixels *are* a map is
//! for the engine to say, by its superblock and checksums.

use std::io::{BufRead, Read, Seek, SeekFrom};
use std::sync::Arc;

use png::{BitDepth, ColorType, DecodingError, Transformations};

use super::Live;
use super::geometry::Geometry;
use super::live::read_image_header;
use crate::base::limits::TILE;
use crate::base::{Code, Error, Result};
use crate::storage::Storage;
use crate::storage::mem::is_zero;

/// What the decoder may allocate beside a row, in bytes.
const DECODER_LIMIT: usize = 64 << 20;
/// Largest interlaced picture, in bytes of pixels: those come in no order that could be streamed.
const INTERLACED_LIMIT: usize = 1 << 30;

/// A decoded picture.
pub struct Imported {
    /// The rows, as a sealed live map.
    pub live: Live,
    /// Pixel rows that could be decoded; those behind are zero.
    pub rows_recovered: u32,
    /// Pixel rows the picture should have.
    pub rows: u32,
}

impl Imported {
    /// Whether the picture was whole.
    pub fn is_complete(&self) -> bool {
        self.rows_recovered == self.rows
    }
}

/// Decodes the PNG in `source` into a live map in `target`, which is cut to it.
///
/// A picture that ends early or is damaged gives the rows before the damage.
///
/// # Errors
/// `NotAMap`, `Corrupt` or `Truncated` when not even IHDR can be read; `Resized` when the
/// dimensions or the pixels cannot be those of a map; `TooBig` for an interlaced picture past
/// 1 GiB; else what the storages or `progress` (rows done, rows in all) say.
pub fn import(
    source: &dyn Storage,
    target: Arc<dyn Storage>,
    progress: &mut super::pack::Progress<'_>,
) -> Result<Imported> {
    // Refused here, before the decoder allocates anything by what IHDR says.
    let geometry = read_image_header(source)?.geometry()?;
    // Deflate makes at most 1032 bytes of one, so a picture far larger than its file is a lie or
    // cut off before anything worth having.
    if geometry.picture_len() / 1032 > source.len()? {
        let text = format!(
            "the file has {} bytes, too few for its {} x {} pixels",
            source.len()?,
            geometry.width(),
            geometry.height()
        );
        return Err(Error::new(Code::Truncated, text));
    }
    let mut decoder = png::Decoder::new_with_limits(
        StorageReader { storage: source, len: source.len()?, at: 0, buf: Vec::new(), from: 0 },
        png::Limits { bytes: DECODER_LIMIT },
    );
    decoder.set_transformations(Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    // The engine has checksums of its own, for every cluster; a wrong one here must not keep the
    // good rows from it.
    decoder.ignore_checksums(true);
    let mut reader = decoder.read_info().map_err(describe)?;
    let format = Format::of(reader.output_color_type())?;
    let live = Live::create(target, geometry.width(), geometry.sheets())?;
    let mut sink = Sink { live: &live, geometry, band: Vec::new(), rows: 0 };
    if reader.info().interlaced {
        read_interlaced(&mut reader, geometry, format, &mut sink)?;
    } else {
        while let Ok(Some(row)) = reader.next_row() {
            sink.push(format, row.data())?;
            progress(sink.rows, geometry.height())?;
            if sink.rows == geometry.height() {
                break;
            }
        }
    }
    let rows_recovered = sink.rows;
    sink.finish()?;
    live.seal()?;
    live.mark_clean();
    Ok(Imported { live, rows_recovered, rows: geometry.height() })
}

fn read_interlaced(
    reader: &mut png::Reader<StorageReader<'_>>,
    geometry: Geometry,
    format: Format,
    sink: &mut Sink<'_>,
) -> Result<()> {
    let size = reader.output_buffer_size().filter(|&size| size <= INTERLACED_LIMIT);
    let too_big = || Error::new(Code::TooBig, "an interlaced picture of more than 1 GiB");
    let size = size.ok_or_else(too_big)?;
    let mut pixels = Vec::new();
    pixels.try_reserve_exact(size).map_err(|_| too_big())?;
    pixels.resize(size, 0);
    // An early end of an interlaced picture leaves pixels missing everywhere: no row is whole.
    reader.next_frame(&mut pixels).map_err(describe)?;
    for row in pixels.chunks_exact(size / geometry.height() as usize) {
        sink.push(format, row)?;
    }
    Ok(())
}

fn describe(error: DecodingError) -> Error {
    let code = match &error {
        DecodingError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            Code::Truncated
        }
        DecodingError::IoError(_) => Code::Io,
        DecodingError::LimitsExceeded => Code::TooBig,
        _ => Code::Corrupt,
    };
    Error::new(code, format!("the picture cannot be decoded: {error}"))
}

/// How decoded samples become RGBA bytes.
#[derive(Clone, Copy)]
struct Format {
    color: ColorType,
    wide: bool,
}

impl Format {
    fn of((color, depth): (ColorType, BitDepth)) -> Result<Format> {
        match (color, depth) {
            (ColorType::Indexed, _) | (_, BitDepth::One | BitDepth::Two | BitDepth::Four) => {
                Err(Error::new(Code::Unsupported, "a pixel format the decoder did not expand"))
            }
            (color, depth) => Ok(Format { color, wide: depth == BitDepth::Sixteen }),
        }
    }

    /// Appends one row as RGBA.
    fn expand(self, row: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let mut narrow = Vec::new();
        let row = if self.wide {
            narrow.reserve_exact(row.len() / 2);
            for sample in row.chunks_exact(2) {
                // 8 bits become 16 by repeating them (PNG, section 13.12); nothing else is exact.
                if sample[0] != sample[1] {
                    let text = "the picture has 16-bit pixels that were never those of a map";
                    return Err(Error::new(Code::Resized, text));
                }
                narrow.push(sample[0]);
            }
            &narrow
        } else {
            row
        };
        match self.color {
            ColorType::Rgba => out.extend_from_slice(row),
            ColorType::Rgb => {
                row.chunks_exact(3).for_each(|p| out.extend_from_slice(&[p[0], p[1], p[2], 255]));
            }
            ColorType::GrayscaleAlpha => {
                row.chunks_exact(2).for_each(|p| out.extend_from_slice(&[p[0], p[0], p[0], p[1]]));
            }
            _ => row.iter().for_each(|&p| out.extend_from_slice(&[p, p, p, 255])),
        }
        Ok(())
    }
}

/// Collects rows into bands.
struct Sink<'a> {
    live: &'a Live,
    geometry: Geometry,
    band: Vec<u8>,
    rows: u32,
}

impl Sink<'_> {
    fn push(&mut self, format: Format, row: &[u8]) -> Result<()> {
        let start = self.band.len();
        self.band.push(0);
        format.expand(row, &mut self.band)?;
        if self.band.len() - start != self.geometry.row_len() {
            return Err(Error::corrupt("a decoded row has the wrong length"));
        }
        self.rows += 1;
        if self.rows.is_multiple_of(TILE) { self.write_band() } else { Ok(()) }
    }

    fn write_band(&mut self) -> Result<()> {
        self.band.resize(self.geometry.band_rows_len(), 0);
        if !is_zero(&self.band) {
            self.live.fill_band(self.rows.div_ceil(TILE) - 1, &self.band)?;
        }
        self.band.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        if self.band.is_empty() { Ok(()) } else { self.write_band() }
    }
}

/// A storage as the stream the decoder wants.
struct StorageReader<'a> {
    storage: &'a dyn Storage,
    len: u64,
    /// File offset behind `buf`.
    at: u64,
    buf: Vec<u8>,
    /// Bytes of `buf` already taken.
    from: usize,
}

impl Read for StorageReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let have = self.fill_buf()?;
        let n = have.len().min(out.len());
        out[..n].copy_from_slice(&have[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for StorageReader<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.from == self.buf.len() {
            let n = (self.len - self.at.min(self.len)).min(64 << 10) as usize;
            self.buf.resize(n, 0);
            self.from = 0;
            if let Err(error) = self.storage.read_at(self.at, &mut self.buf) {
                self.buf.clear();
                return Err(std::io::Error::other(error));
            }
            self.at += n as u64;
        }
        Ok(&self.buf[self.from..])
    }

    fn consume(&mut self, n: usize) {
        self.from = (self.from + n).min(self.buf.len());
    }
}

impl Seek for StorageReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let position = self.at - (self.buf.len() - self.from) as u64;
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => position.checked_add_signed(by),
        };
        self.at = target.ok_or(std::io::ErrorKind::InvalidInput)?;
        self.buf.clear();
        self.from = 0;
        Ok(self.at)
    }
}
