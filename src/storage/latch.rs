//! The first failed write is final.
//!
//! After a write, a resize or a sync has failed nobody knows what the medium holds, so
//! [`Latched`] refuses everything that would build on it until the map is opened again. Reads go
//! on: what was readable stays readable.

use std::sync::OnceLock;

use super::Storage;
use super::mem::MemStorage;
use crate::base::{Code, Error, Result};

/// A storage that turns `Poisoned` at its first failed write, resize or sync.
pub struct Latched<S> {
    inner: S,
    first: OnceLock<Error>,
}

impl<S: Storage> Latched<S> {
    pub fn new(inner: S) -> Latched<S> {
        Latched { inner, first: OnceLock::new() }
    }

    /// The error that closed the latch.
    pub fn first_error(&self) -> Option<&Error> {
        self.first.get()
    }

    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn guard(&self, operation: impl FnOnce(&S) -> Result<()>) -> Result<()> {
        if let Some(first) = self.first.get() {
            return Err(Error::new(
                Code::Poisoned,
                format!("an earlier write failed ({first}); open the map again to go on"),
            ));
        }
        operation(&self.inner).inspect_err(|error| {
            // Losing the race to another failed write is fine: that one was the first.
            let _ = self.first.set(error.clone());
        })
    }
}

impl<S: Storage> Storage for Latched<S> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.inner.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.guard(|inner| inner.write_at(offset, data))
    }

    fn sync(&self) -> Result<()> {
        self.guard(Storage::sync)
    }

    fn len(&self) -> Result<u64> {
        self.inner.len()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.guard(|inner| inner.set_len(len))
    }

    /// Plain memory cannot fail but for want of space, and then says so at each write; the fast
    /// path may go round the latch.
    fn as_memory(&self) -> Option<&MemStorage> {
        self.inner.as_memory()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    struct Failing {
        inner: MemStorage,
        fail: AtomicBool,
    }

    impl Storage for Failing {
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
            self.inner.read_at(offset, buf)
        }
        fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
            if self.fail.load(Ordering::Relaxed) {
                return Err(Error::new(Code::NoSpace, "disk full"));
            }
            self.inner.write_at(offset, data)
        }
        fn sync(&self) -> Result<()> {
            Ok(())
        }
        fn len(&self) -> Result<u64> {
            self.inner.len()
        }
        fn set_len(&self, len: u64) -> Result<()> {
            self.inner.set_len(len)
        }
    }

    #[test]
    fn the_first_failure_closes_writes_and_leaves_reads() {
        let storage =
            Latched::new(Failing { inner: MemStorage::new(), fail: AtomicBool::new(false) });
        storage.write_at(0, b"good").unwrap();
        storage.inner().fail.store(true, Ordering::Relaxed);
        assert_eq!(storage.write_at(4, b"bad").unwrap_err().code(), Code::NoSpace);
        storage.inner().fail.store(false, Ordering::Relaxed);
        for error in [
            storage.write_at(4, b"late").unwrap_err(),
            storage.sync().unwrap_err(),
            storage.set_len(0).unwrap_err(),
        ] {
            assert_eq!(error.code(), Code::Poisoned);
            assert!(error.message().contains("disk full"));
        }
        let mut buf = [0; 4];
        storage.read_at(0, &mut buf).unwrap();
        assert_eq!(&buf, b"good");
    }
}
