//! Whether a file is a picture every decoder accepts.

use aetherflow::base::checksum::crc32;

/// Checks every chunk's CRC, that the pixel data inflates with the right Adler-32 (which the
/// `png` crate ignores), that it has the size IHDR says, and that the `png` crate agrees.
pub fn check_strict(bytes: &[u8]) -> Result<(), String> {
    let signature = b"\x89PNG\r\n\x1a\n";
    if bytes.len() < 57 || bytes[..8] != signature[..] {
        return Err("no signature".into());
    }
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut at = 8;
    let mut pixels = Vec::new();
    let mut size = (0, 0);
    loop {
        if at + 12 > bytes.len() {
            return Err(format!("the file ends inside a chunk at {at}"));
        }
        let length = word(at) as usize;
        if length > bytes.len() - at - 12 {
            return Err(format!("a chunk at {at} passes the end"));
        }
        let kind = &bytes[at + 4..at + 8];
        let end = at + 8 + length;
        if crc32(&bytes[at + 4..end]) != word(end) {
            return Err(format!("wrong CRC of {} at {at}", String::from_utf8_lossy(kind)));
        }
        match kind {
            b"IHDR" => size = (word(at + 8) as usize, word(at + 12) as usize),
            b"IDAT" => pixels.extend_from_slice(&bytes[at + 8..end]),
            b"IEND" if end + 4 == bytes.len() => break,
            b"IEND" => return Err("bytes behind IEND".into()),
            _ => {}
        }
        at = end + 4;
    }
    let rows = miniz_oxide::inflate::decompress_to_vec_zlib(&pixels)
        .map_err(|error| format!("the pixel data does not inflate: {:?}", error.status))?;
    let a = rows.iter().fold((1u32, 0u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    let stored = u32::from_be_bytes(pixels[pixels.len() - 4..].try_into().unwrap());
    if a.1 << 16 | a.0 != stored {
        return Err("wrong Adler-32".into());
    }
    if rows.len() != size.1 * (1 + 4 * size.0) {
        return Err("the pixel data has another size than IHDR says".into());
    }
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
        .read_info()
        .map_err(|error| error.to_string())?;
    let mut decoded = vec![0; reader.output_buffer_size().ok_or("too large")?];
    reader.next_frame(&mut decoded).map_err(|error| error.to_string())?;
    reader.finish().map_err(|error| error.to_string())
}
