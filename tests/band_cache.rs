//! The cache of bands beside writes: what it holds is what the file holds.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use aetherflow::base::Result;
use aetherflow::container::{Clusters, Geometry, Live};
use aetherflow::storage::Storage;
use aetherflow::storage::mem::MemStorage;

/// Memory that is read and written like a disk, and can hold a write back.
struct Gated {
    inner: MemStorage,
    armed: AtomicBool,
    open: Mutex<bool>,
    changed: Condvar,
    /// Reads longer than this are counted while the gate is armed.
    band: usize,
    long_reads: AtomicUsize,
    waiting: AtomicBool,
}

impl Storage for Gated {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let result = self.inner.read_at(offset, buf);
        if self.armed.load(Ordering::SeqCst) && buf.len() > self.band {
            self.long_reads.fetch_add(1, Ordering::SeqCst);
        }
        result
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        if self.armed.load(Ordering::SeqCst) {
            self.waiting.store(true, Ordering::SeqCst);
            let open = self.open.lock().unwrap();
            drop(self.changed.wait_while(open, |open| !*open).unwrap());
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

/// Four clusters that follow each other on the curve and lie in two bands.
const LENGTH: usize = 4 * 4096;

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

#[test]
fn a_read_that_meets_a_write_leaves_no_old_band_in_the_cache() {
    let geometry = Geometry::new(256, 1).unwrap();
    let storage = Arc::new(Gated {
        inner: MemStorage::new(),
        armed: AtomicBool::new(false),
        open: Mutex::new(false),
        changed: Condvar::new(),
        band: geometry.band_len(),
        long_reads: AtomicUsize::new(0),
        waiting: AtomicBool::new(false),
    });
    let live =
        Live::create(Arc::clone(&storage) as Arc<dyn Storage>, 256, 1).unwrap().with_cache(8 << 20);
    let lies_in_two = |&first: &u64| {
        let bands: Vec<u32> = (first..first + 4).map(|at| geometry.band_of(at)).collect();
        bands.iter().max().unwrap() - bands.iter().min().unwrap() == 1
    };
    let first = (8..56).step_by(4).find(lies_in_two).unwrap();
    live.declare(&[(first, 4)]).unwrap();
    live.write_run(first, &[b'a'; LENGTH]).unwrap();
    live.drop_cache();
    storage.armed.store(true, Ordering::SeqCst);
    std::thread::scope(|scope| {
        scope.spawn(|| live.write_run(first, &[b'b'; LENGTH]).unwrap());
        until(|| storage.waiting.load(Ordering::SeqCst));
        let before = storage.long_reads.load(Ordering::SeqCst);
        // Reads the old bytes, and then waits for the lock that the writer has.
        scope.spawn(|| live.read_run(first, &mut [0; LENGTH]).unwrap());
        until(|| storage.long_reads.load(Ordering::SeqCst) > before);
        storage.armed.store(false, Ordering::SeqCst);
        *storage.open.lock().unwrap() = true;
        storage.changed.notify_all();
    });
    let mut bytes = [0; LENGTH];
    live.read_run(first, &mut bytes).unwrap();
    assert!(bytes.iter().all(|&byte| byte == b'b'));
}
