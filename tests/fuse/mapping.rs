//! A file in memory. The one place of the tests with unsafe code: no library maps a file without.
#![allow(unsafe_code)]

use std::fs::File;
use std::ptr::null_mut;

use rustix::mm::{MapFlags, MsyncFlags, ProtFlags, mmap, msync, munmap};

/// A shared, writable mapping of the first bytes of a file.
pub struct Mapping {
    start: *mut u8,
    length: usize,
}

impl Mapping {
    /// The file must be at least so long for as long as the mapping is used.
    pub fn new(file: &File, length: usize) -> Mapping {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory of ours.
        let start = unsafe { mmap(null_mut(), length, protection, MapFlags::SHARED, file, 0) };
        Mapping { start: start.expect("the file is mapped").cast(), length }
    }

    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.length);
        // SAFETY: the range was just checked to lie within the mapping, which lives as long as
        // `self`, and no reference into it is ever given out.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(offset), bytes.len());
        }
    }

    pub fn read(&self, offset: usize, length: usize) -> Vec<u8> {
        assert!(offset + length <= self.length);
        let mut bytes = vec![0; length];
        // SAFETY: as in `write`.
        unsafe {
            std::ptr::copy_nonoverlapping(self.start.add(offset), bytes.as_mut_ptr(), length);
        }
        bytes
    }

    pub fn sync(&self) {
        // SAFETY: the whole mapping, which is ours.
        unsafe { msync(self.start.cast(), self.length, MsyncFlags::SYNC) }.expect("msync");
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` and is used by nobody after this.
        let _ = unsafe { munmap(self.start.cast(), self.length) };
    }
}
