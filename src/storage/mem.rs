//! Growable memory as a [`Storage`].
//!
//! Memory comes in chunks of 1 MiB that exist only once something non-zero was written to them,
//! so a sparse picture costs what it holds. One read-write lock guards the chunk list: readers
//! share it, and a reader or writer that has many rows to copy takes it once
//! ([`MemStorage::reader`], [`MemStorage::writer`]).

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Storage;
use crate::base::{Code, Error, Result};

/// Bytes per chunk, a power of two.
const CHUNK: usize = 1 << 20;
/// Largest length in bytes: keeps the chunk list itself (8 to 16 bytes per MiB) in bounds.
const MAX_LENGTH: u64 = 1 << 44;

/// A byte container in memory. Never written ranges read as zero and cost nothing.
#[derive(Default)]
pub struct MemStorage {
    state: RwLock<Chunks>,
}

#[derive(Default)]
struct Chunks {
    /// `None` and missing entries are all zero.
    list: Vec<Option<Box<[u8]>>>,
    len: u64,
}

/// Shared access to the bytes, for copying many rows under one lock.
pub struct MemReader<'a>(RwLockReadGuard<'a, Chunks>);

/// Exclusive access to the bytes, for copying many rows under one lock.
pub struct MemWriter<'a>(RwLockWriteGuard<'a, Chunks>);

/// Rows of equal length at equal distances: `rows` rows of `row_len` bytes, `stride` bytes from
/// one row's start to the next, the first at `offset`.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    pub offset: u64,
    pub stride: usize,
    pub row_len: usize,
    pub rows: usize,
}

impl Rows {
    fn end(&self) -> Option<u64> {
        let last = (self.stride as u64).checked_mul(self.rows.saturating_sub(1) as u64)?;
        self.offset.checked_add(last)?.checked_add(self.row_len as u64)
    }

    /// How many of the rows from the one at `at` on lie wholly inside its chunk (0 when that
    /// row itself straddles two chunks), at most `left`.
    #[inline]
    fn within_chunk(&self, at: u64, left: usize) -> usize {
        let inside = at as usize & (CHUNK - 1);
        if inside + self.row_len > CHUNK {
            return 0;
        }
        left.min((CHUNK - inside - self.row_len) / self.stride.max(1) + 1)
    }
}

fn past_end(offset: u64, wanted: u64, len: u64) -> Error {
    Error::new(Code::Truncated, format!("read of {wanted} bytes passes the end at byte {len}"))
        .at_offset(offset)
}

impl Chunks {
    fn check_range(&self, offset: u64, end: Option<u64>) -> Result<()> {
        match end {
            Some(end) if end <= self.len => Ok(()),
            _ => Err(past_end(offset, end.unwrap_or(u64::MAX).saturating_sub(offset), self.len)),
        }
    }

    #[inline]
    fn chunk(&self, at: u64) -> Option<&[u8]> {
        self.list.get((at / CHUNK as u64) as usize)?.as_deref()
    }

    /// The chunk holding `at`, made if it does not exist.
    fn chunk_mut(&mut self, at: u64) -> Result<&mut [u8]> {
        let index = (at / CHUNK as u64) as usize;
        if index >= self.list.len() {
            let more = index + 1 - self.list.len();
            self.list.try_reserve(more).map_err(|_| out_of_memory())?;
            self.list.resize_with(index + 1, || None);
        }
        Ok(self.list[index].get_or_insert_with(|| vec![0; CHUNK].into_boxed_slice()))
    }

    fn read(&self, offset: u64, buf: &mut [u8]) {
        let mut at = offset;
        let mut rest = buf;
        while !rest.is_empty() {
            let inside = at as usize & (CHUNK - 1);
            let n = rest.len().min(CHUNK - inside);
            let (now, later) = rest.split_at_mut(n);
            match self.chunk(at) {
                Some(chunk) => now.copy_from_slice(&chunk[inside..inside + n]),
                None => now.fill(0),
            }
            at += n as u64;
            rest = later;
        }
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        self.ensure_len(offset, Some(offset.saturating_add(data.len() as u64)))?;
        let mut at = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let inside = at as usize & (CHUNK - 1);
            let (now, later) = rest.split_at(rest.len().min(CHUNK - inside));
            // Zeros over a chunk that does not exist change nothing.
            if self.chunk(at).is_some() || !is_zero(now) {
                self.chunk_mut(at)?[inside..inside + now.len()].copy_from_slice(now);
            }
            at += now.len() as u64;
            rest = later;
        }
        Ok(())
    }

    fn ensure_len(&mut self, offset: u64, end: Option<u64>) -> Result<()> {
        match end {
            Some(end) if end <= MAX_LENGTH => {
                self.len = self.len.max(end);
                Ok(())
            }
            _ => Err(out_of_memory().at_offset(offset)),
        }
    }
}

fn out_of_memory() -> Error {
    Error::new(Code::NoSpace, format!("memory storage holds at most {MAX_LENGTH} bytes"))
}

/// Whether every byte is zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    // Whole lines first: the compiler turns the inner fold into vector code.
    let mut lines = bytes.chunks_exact(64);
    lines.by_ref().all(|line| line.iter().fold(0, |any, byte| any | byte) == 0)
        && lines.remainder().iter().all(|&byte| byte == 0)
}

impl MemReader<'_> {
    /// Copies the rows one after another into `out`, whose length must be `rows * row_len`.
    ///
    /// # Errors
    /// `Truncated` when a row passes the end.
    #[inline]
    pub fn gather(&self, rows: Rows, out: &mut [u8]) -> Result<()> {
        debug_assert_eq!(out.len(), rows.rows * rows.row_len);
        self.0.check_range(rows.offset, rows.end())?;
        let (mut at, mut done) = (rows.offset, 0);
        while done < rows.rows {
            let here = rows.within_chunk(at, rows.rows - done);
            let out = &mut out[done * rows.row_len..];
            if here == 0 {
                self.0.read(at, &mut out[..rows.row_len]);
            } else {
                let out = &mut out[..here * rows.row_len];
                match self.0.chunk(at) {
                    Some(chunk) => gather_rows(&chunk[at as usize & (CHUNK - 1)..], rows, out),
                    None => out.fill(0),
                }
            }
            done += here.max(1);
            at += (here.max(1) * rows.stride) as u64;
        }
        Ok(())
    }

    /// The bytes of a range that lies in one existing chunk; `None` when it does not, then
    /// [`Storage::read_at`] is the way.
    #[inline]
    pub fn slice(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let inside = offset as usize & (CHUNK - 1);
        if inside + len > CHUNK || offset.checked_add(len as u64)? > self.0.len {
            return None;
        }
        Some(&self.0.chunk(offset)?[inside..inside + len])
    }

    /// Fills `buf` from `offset`, like [`Storage::read_at`] but under this lock.
    ///
    /// # Errors
    /// `Truncated` when the range passes the end.
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.0.check_range(offset, offset.checked_add(buf.len() as u64))?;
        self.0.read(offset, buf);
        Ok(())
    }

    /// Whether the whole range was never written (reads as zero).
    pub fn is_absent(&self, offset: u64, len: usize) -> bool {
        let last = offset.saturating_add(len.saturating_sub(1) as u64) / CHUNK as u64;
        (offset / CHUNK as u64..=last).all(|index| self.0.chunk(index * CHUNK as u64).is_none())
    }
}

impl MemWriter<'_> {
    /// Copies `data`, `rows * row_len` bytes, out to the rows, growing the length as needed.
    ///
    /// # Errors
    /// `NoSpace` past the largest length.
    #[inline]
    pub fn scatter(&mut self, rows: Rows, data: &[u8]) -> Result<()> {
        debug_assert_eq!(data.len(), rows.rows * rows.row_len);
        self.0.ensure_len(rows.offset, rows.end())?;
        let (mut at, mut done) = (rows.offset, 0);
        while done < rows.rows {
            let here = rows.within_chunk(at, rows.rows - done);
            let data = &data[done * rows.row_len..];
            if here == 0 {
                self.0.write(at, &data[..rows.row_len])?;
            } else {
                let data = &data[..here * rows.row_len];
                if self.0.chunk(at).is_some() || !is_zero(data) {
                    let chunk = self.0.chunk_mut(at)?;
                    scatter_rows(&mut chunk[at as usize & (CHUNK - 1)..], rows, data);
                }
            }
            done += here.max(1);
            at += (here.max(1) * rows.stride) as u64;
        }
        Ok(())
    }

    /// The bytes of a range that lies in one existing chunk and before the end, to be changed in
    /// place; `None` when it does not, then [`MemWriter::write`] is the way.
    #[inline]
    pub fn slice_mut(&mut self, offset: u64, len: usize) -> Option<&mut [u8]> {
        let inside = offset as usize & (CHUNK - 1);
        if inside + len > CHUNK || offset.checked_add(len as u64)? > self.0.len {
            return None;
        }
        let chunk = self.0.list.get_mut((offset / CHUNK as u64) as usize)?.as_deref_mut()?;
        Some(&mut chunk[inside..inside + len])
    }

    /// Writes `data` at `offset`, like [`Storage::write_at`] but under this lock.
    ///
    /// # Errors
    /// `NoSpace` past the largest length.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        self.0.write(offset, data)
    }
}

/// The length of a tile row is the common case: a copy of constant length is far cheaper.
const TILE_ROW: usize = crate::base::limits::RUN;

#[inline]
pub(crate) fn gather_rows(source: &[u8], rows: Rows, out: &mut [u8]) {
    if rows.row_len == TILE_ROW {
        for (index, row) in out.chunks_exact_mut(TILE_ROW).enumerate() {
            let at = index * rows.stride;
            row.copy_from_slice(&source[at..at + TILE_ROW]);
        }
    } else if rows.row_len > 0 {
        for (index, row) in out.chunks_exact_mut(rows.row_len).enumerate() {
            row.copy_from_slice(&source[index * rows.stride..][..rows.row_len]);
        }
    }
}

#[inline]
pub(crate) fn scatter_rows(target: &mut [u8], rows: Rows, data: &[u8]) {
    if rows.row_len == TILE_ROW {
        for (index, row) in data.chunks_exact(TILE_ROW).enumerate() {
            let at = index * rows.stride;
            target[at..at + TILE_ROW].copy_from_slice(row);
        }
    } else if rows.row_len > 0 {
        for (index, row) in data.chunks_exact(rows.row_len).enumerate() {
            target[index * rows.stride..][..rows.row_len].copy_from_slice(row);
        }
    }
}

impl MemStorage {
    /// Empty memory.
    pub fn new() -> MemStorage {
        MemStorage::default()
    }

    /// Memory holding a copy of `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> MemStorage {
        let mut chunks = Chunks { list: Vec::new(), len: bytes.len() as u64 };
        for piece in bytes.chunks(CHUNK) {
            chunks.list.push((!is_zero(piece)).then(|| {
                let mut chunk = vec![0; CHUNK].into_boxed_slice();
                chunk[..piece.len()].copy_from_slice(piece);
                chunk
            }));
        }
        MemStorage { state: RwLock::new(chunks) }
    }

    /// Memory holding `bytes`.
    pub fn from_vec(bytes: Vec<u8>) -> MemStorage {
        MemStorage::from_bytes(&bytes)
    }

    /// A copy of everything.
    ///
    /// # Errors
    /// `NoSpace` when there is no memory for the copy.
    pub fn to_vec(&self) -> Result<Vec<u8>> {
        let guard = self.lock_read();
        let len = usize::try_from(guard.len).map_err(|_| out_of_memory())?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| out_of_memory())?;
        bytes.resize(len, 0);
        guard.read(0, &mut bytes);
        Ok(bytes)
    }

    /// Bytes of memory in use by chunks.
    pub fn allocated(&self) -> u64 {
        self.lock_read().list.iter().flatten().count() as u64 * CHUNK as u64
    }

    /// Shared access for many reads under one lock.
    #[inline]
    pub fn reader(&self) -> MemReader<'_> {
        MemReader(self.lock_read())
    }

    /// Exclusive access for many writes under one lock.
    #[inline]
    pub fn writer(&self) -> MemWriter<'_> {
        MemWriter(self.lock_write())
    }

    /// [`MemReader::gather`] under its own lock.
    ///
    /// # Errors
    /// `Truncated` when a row passes the end.
    pub fn gather(
        &self,
        offset: u64,
        stride: usize,
        row_len: usize,
        rows: usize,
        out: &mut [u8],
    ) -> Result<()> {
        self.reader().gather(Rows { offset, stride, row_len, rows }, out)
    }

    /// [`MemWriter::scatter`] under its own lock.
    ///
    /// # Errors
    /// `NoSpace` past the largest length.
    pub fn scatter(
        &self,
        offset: u64,
        stride: usize,
        row_len: usize,
        rows: usize,
        data: &[u8],
    ) -> Result<()> {
        self.writer().scatter(Rows { offset, stride, row_len, rows }, data)
    }

    // A panic in another holder leaves plain bytes behind, never a broken structure.
    fn lock_read(&self) -> RwLockReadGuard<'_, Chunks> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_write(&self) -> RwLockWriteGuard<'_, Chunks> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for MemStorage {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let guard = self.lock_read();
        guard.check_range(offset, offset.checked_add(buf.len() as u64))?;
        guard.read(offset, buf);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.lock_write().write(offset, data)
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.lock_read().len)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        if len > MAX_LENGTH {
            return Err(out_of_memory().at_offset(len));
        }
        let mut guard = self.lock_write();
        if len < guard.len {
            // What is cut off must read as zero when the length grows again.
            guard.list.truncate(len.div_ceil(CHUNK as u64) as usize);
            let inside = len as usize & (CHUNK - 1);
            if inside > 0
                && let Some(Some(chunk)) = guard.list.get_mut((len / CHUNK as u64) as usize)
            {
                chunk[inside..].fill(0);
            }
        }
        guard.len = len;
        Ok(())
    }

    fn as_memory(&self) -> Option<&MemStorage> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_chunks_read_as_zero_and_cost_nothing() {
        let storage = MemStorage::new();
        storage.set_len(1 << 40).unwrap();
        let mut buf = [7; 16];
        storage.read_at((1 << 40) - 16, &mut buf).unwrap();
        assert_eq!(buf, [0; 16]);
        storage.write_at(1 << 30, &[0; 5000]).unwrap();
        assert_eq!(storage.allocated(), 0);
        storage.write_at(CHUNK as u64 - 2, &[1, 2, 3, 4]).unwrap();
        assert_eq!(storage.allocated(), 2 * CHUNK as u64);
        let mut buf = [0; 6];
        storage.read_at(CHUNK as u64 - 3, &mut buf).unwrap();
        assert_eq!(buf, [0, 1, 2, 3, 4, 0]);
    }

    #[test]
    fn reading_past_the_end_is_truncated_and_huge_lengths_are_refused() {
        let storage = MemStorage::from_bytes(&[1, 2, 3]);
        let mut buf = [0; 2];
        assert_eq!(storage.read_at(2, &mut buf).unwrap_err().code(), Code::Truncated);
        assert_eq!(storage.read_at(u64::MAX, &mut buf).unwrap_err().code(), Code::Truncated);
        assert_eq!(storage.write_at(u64::MAX, &[1]).unwrap_err().code(), Code::NoSpace);
        assert_eq!(storage.set_len(u64::MAX).unwrap_err().code(), Code::NoSpace);
        assert_eq!(storage.to_vec().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_cut_and_regrown_tail_is_zero() {
        let storage = MemStorage::from_vec(vec![9; 100]);
        storage.set_len(10).unwrap();
        storage.set_len(20).unwrap();
        let mut want = vec![9; 10];
        want.resize(20, 0);
        assert_eq!(storage.to_vec().unwrap(), want);
    }

    #[test]
    fn rows_across_chunks_match_single_reads_and_writes() {
        let bytes: Vec<u8> = (0..3 * CHUNK).map(|i| (i * 7 + i / 251) as u8).collect();
        let storage = MemStorage::from_bytes(&bytes);
        for (offset, stride, row_len, rows) in
            [(5, 4097, 128, 500), (CHUNK - 64, 128, 128, 9), (100, 60_000, 33_000, 40)]
        {
            let mut out = vec![0; row_len * rows];
            storage.gather(offset as u64, stride, row_len, rows, &mut out).unwrap();
            for (index, row) in out.chunks(row_len).enumerate() {
                assert_eq!(row, &bytes[offset + index * stride..][..row_len]);
            }
            let copy = MemStorage::new();
            copy.set_len(bytes.len() as u64).unwrap();
            copy.scatter(offset as u64, stride, row_len, rows, &out).unwrap();
            let mut back = vec![0; out.len()];
            copy.gather(offset as u64, stride, row_len, rows, &mut back).unwrap();
            assert!(out == back);
        }
    }
}
