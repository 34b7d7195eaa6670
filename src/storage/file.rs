//! A native file as a [`Storage`], by positional I/O.
//!
//! No memory map: a full disk or a bad sector must be an error, not a signal. Files stay sparse:
//! nothing is allocated ahead of writing. Every error names the path.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::Storage;
use crate::base::{Code, Error, Result};

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Reading only; writes answer `ReadOnly`.
    Read,
    /// Reading and writing an existing file.
    Write,
    /// Making a new file; `Exists` when there is one.
    CreateNew,
}

/// A file, read and written at offsets.
pub struct FileStorage {
    file: File,
    path: PathBuf,
    writable: bool,
    /// The length changed since the last sync, so the next one must cover the metadata.
    resized: AtomicBool,
}

impl FileStorage {
    /// Opens `path`.
    ///
    /// # Errors
    /// `NotFound`, `Exists`, `Access`, `IsDirectory`, `ReadOnly` or `Io`, each with the path.
    pub fn open(path: &Path, mode: Mode) -> Result<FileStorage> {
        let mut options = OpenOptions::new();
        options.read(true).write(mode != Mode::Read).create_new(mode == Mode::CreateNew);
        let file = options.open(path).map_err(|error| describe(error, path))?;
        // Opening a directory for reading succeeds on Unix; nothing after it would.
        if file.metadata().map_err(|error| describe(error, path))?.is_dir() {
            return Err(Error::new(Code::IsDirectory, "is a directory").at_path(path_bytes(path)));
        }
        Ok(FileStorage {
            file,
            path: path.to_path_buf(),
            writable: mode != Mode::Read,
            // A new file's directory entry and length are not durable yet.
            resized: AtomicBool::new(mode == Mode::CreateNew),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn check_writable(&self) -> Result<()> {
        if self.writable {
            return Ok(());
        }
        let error = Error::new(Code::ReadOnly, "the file was opened for reading only");
        Err(error.at_path(path_bytes(&self.path)))
    }

    fn io(&self, error: std::io::Error) -> Error {
        describe(error, &self.path)
    }
}

fn path_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

fn describe(error: std::io::Error, path: &Path) -> Error {
    Error::from(error).at_path(path_bytes(path))
}

#[cfg(unix)]
fn read_exact_at(file: &File, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

#[cfg(unix)]
fn write_all_at(file: &File, data: &[u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, data, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buf: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !buf.is_empty() {
        match file.seek_read(buf, offset) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                buf = &mut buf[n..];
                offset += n as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(windows)]
fn write_all_at(file: &File, mut data: &[u8], mut offset: u64) -> std::io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !data.is_empty() {
        match file.seek_write(data, offset) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                data = &data[n..];
                offset += n as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Storage for FileStorage {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        // The kernel's offsets are signed; a larger one is past any end.
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > i64::MAX as u64) {
            let error = Error::new(Code::Truncated, "read past the end").at_offset(offset);
            return Err(error.at_path(path_bytes(&self.path)));
        }
        read_exact_at(&self.file, buf, offset).map_err(|error| self.io(error).at_offset(offset))
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.check_writable()?;
        // A write past the end may grow the file, which only the whole-file sync makes durable;
        // fdatasync does so too where it follows POSIX, so no length is asked for here.
        write_all_at(&self.file, data, offset).map_err(|error| self.io(error).at_offset(offset))
    }

    fn sync(&self) -> Result<()> {
        if !self.writable {
            return Ok(());
        }
        if self.resized.swap(false, Ordering::AcqRel) {
            self.file.sync_all().map_err(|error| self.io(error))
        } else {
            self.file.sync_data().map_err(|error| self.io(error))
        }
    }

    fn len(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(|error| self.io(error))?.len())
    }

    #[cfg(target_os = "linux")]
    fn will_need(&self, offset: u64, len: u64) {
        let len = std::num::NonZeroU64::new(len);
        if offset <= i64::MAX as u64 && len.is_some() {
            // A hint: where it does not work, nothing is lost but time.
            let _ = rustix::fs::fadvise(&self.file, offset, len, rustix::fs::Advice::WillNeed);
        }
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.check_writable()?;
        self.resized.store(true, Ordering::Release);
        self.file.set_len(len).map_err(|error| self.io(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("aetherflow-file-{}-{name}", std::process::id()))
    }

    #[test]
    fn reads_writes_and_names_the_path_in_errors() {
        let path = scratch("basic");
        let _ = std::fs::remove_file(&path);
        let missing = FileStorage::open(&path, Mode::Read).map(|_| ()).unwrap_err();
        assert_eq!(missing.code(), Code::NotFound);
        assert_eq!(missing.path(), Some(path_bytes(&path)));

        let file = FileStorage::open(&path, Mode::CreateNew).unwrap();
        file.set_len(100).unwrap();
        file.write_at(98, b"abcd").unwrap();
        file.sync().unwrap();
        assert_eq!(file.len().unwrap(), 102);
        let mut buf = [1; 6];
        file.read_at(96, &mut buf).unwrap();
        assert_eq!(&buf, b"\0\0abcd");
        assert_eq!(file.read_at(97, &mut buf).unwrap_err().code(), Code::Truncated);
        assert_eq!(file.read_at(u64::MAX, &mut buf).unwrap_err().code(), Code::Truncated);
        let again = FileStorage::open(&path, Mode::CreateNew).map(|_| ()).unwrap_err();
        assert_eq!(again.code(), Code::Exists);

        let reader = FileStorage::open(&path, Mode::Read).unwrap();
        assert_eq!(reader.write_at(0, b"x").unwrap_err().code(), Code::ReadOnly);
        assert_eq!(reader.set_len(0).unwrap_err().code(), Code::ReadOnly);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_directory_is_refused() {
        let error = FileStorage::open(&std::env::temp_dir(), Mode::Read).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), Code::IsDirectory);
    }
}
