//! Which form of a map a file is, from a few reads.

use super::geometry::{Geometry, HEADER};
use super::live::{probe_widths, read_image_header};
use super::{packed, skeleton};
use crate::base::{Code, Result};
use crate::storage::Storage;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A live map; the sheet count is what its IHDR says. When IHDR is damaged but a superblock
    /// was found, the geometry is what the file's length allows.
    Live(Geometry),
    /// A packed map: open it with [`super::Packed::open`].
    Packed,
    /// A PNG in neither form: saved by another tool, or never a map. See [`super::foreign`].
    Foreign,
}

/// Tells the forms apart. Does not promise that the rest of the file is whole.
///
/// # Errors
/// `NotAMap` for what is not a PNG (or empty), `Truncated` for less than the smallest PNG,
/// `Corrupt` for a damaged IHDR with no superblock to be found, `Io`.
pub fn detect(storage: &dyn Storage) -> Result<Form> {
    let header = match read_image_header(storage) {
        Ok(header) => header,
        Err(error) => {
            let damaged = matches!(error.code(), Code::Corrupt | Code::NotAMap);
            return match probe_widths(storage)?.first() {
                Some(&geometry) if damaged => Ok(Form::Live(geometry)),
                _ => Err(error),
            };
        }
    };
    let Ok(geometry) = header.geometry() else { return Ok(Form::Foreign) };
    if !header.is_map_format() {
        return Ok(Form::Foreign);
    }
    if packed::has_tail(storage)? {
        return Ok(Form::Packed);
    }
    let mut start = [0; HEADER as usize + 13];
    if storage.len()? < start.len() as u64 {
        return Ok(Form::Foreign);
    }
    storage.read_at(0, &mut start)?;
    let (first, band) = (&start[skeleton::IHDR_END..], &start[HEADER as usize..]);
    let zlib_header = first[..14] == skeleton::zlib_header_chunk()[..];
    let band_header = band[..8] == skeleton::chunk_head(geometry)
        && band[8..] == skeleton::block_head(geometry, 0);
    if zlib_header && band_header {
        return Ok(Form::Live(geometry));
    }
    // A live map whose first headers a crash or a bad sector took still has its superblock.
    let probed = probe_widths(storage)?;
    match probed.iter().find(|probed| probed.width() == geometry.width()) {
        Some(_) => Ok(Form::Live(geometry)),
        None => Ok(Form::Foreign),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::live::{Live, SUPERBLOCK_MAGIC};
    use super::super::pack::{Edits, pack};
    use super::*;
    use crate::storage::mem::MemStorage;

    #[test]
    fn the_forms_are_told_apart() {
        let storage = Arc::new(MemStorage::new());
        let live = Live::create(storage.clone(), 256, 2).unwrap();
        let mut block = vec![0; 4096];
        block[..8].copy_from_slice(&SUPERBLOCK_MAGIC);
        live.declare(&[(1, 1)]).unwrap();
        live.write_run(1, &block).unwrap();
        live.seal().unwrap();
        assert_eq!(detect(&*storage).unwrap(), Form::Live(live.geometry()));
        let mut bytes = Vec::new();
        let mut out = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        pack(&live, Edits::NONE, &mut out, &mut |_, _| Ok(())).unwrap();
        assert_eq!(detect(&MemStorage::from_bytes(&bytes)).unwrap(), Form::Packed);
        // Cut off, a packed map is a picture of which some rows can be decoded.
        bytes.pop();
        assert_eq!(detect(&MemStorage::from_bytes(&bytes)).unwrap(), Form::Foreign);

        for damaged in [0, 20, 30, 40, 50] {
            let copy = MemStorage::from_bytes(&storage.to_vec().unwrap());
            copy.write_at(damaged, &[0x77]).unwrap();
            assert_eq!(detect(&copy).unwrap(), Form::Live(live.geometry()), "byte {damaged}");
        }
    }

    #[test]
    fn what_is_no_map_says_why() {
        let code = |bytes: &[u8]| detect(&MemStorage::from_bytes(bytes)).unwrap_err().code();
        assert_eq!(code(b""), Code::NotAMap);
        assert_eq!(code(b"GIF89a"), Code::NotAMap);
        assert_eq!(code(&[b'x'; 9000]), Code::NotAMap);
        assert_eq!(code(&skeleton::SIGNATURE), Code::Truncated);
        let mut header = skeleton::ihdr(Geometry::new(256, 1).unwrap());
        header.resize(56, 0);
        assert_eq!(code(&header), Code::Truncated);
        header.resize(5000, 0);
        assert_eq!(detect(&MemStorage::from_bytes(&header)).unwrap(), Form::Foreign);
        header[20] = 9;
        assert_eq!(code(&header), Code::Corrupt);
    }
}
