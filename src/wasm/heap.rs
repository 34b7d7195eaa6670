//! The allocator of a wasm instance: the one the standard library uses there, grown in steps of
//! 4 MiB instead of 64 KiB.
//!
//! A growth is a call to the host that costs about 0.2 ms however little is asked for (measured
//! in Node 20), and makes JavaScript renew its views of the memory; growing by 64 KiB took a
//! tenth of the time of writing small files. Memory that is not touched costs address space only.

#![allow(unsafe_code)]

use core::arch::wasm32;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;

use dlmalloc::{Allocator, Dlmalloc};

const WASM_PAGE: usize = 64 << 10;
/// Wasm pages that a growth takes at least.
const STEP: usize = 64;

struct Pages;

// SAFETY: `alloc` hands out memory that `memory_grow` has just added and that nobody else has;
// nothing is ever taken back, so all other calls decline.
unsafe impl Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let pages = size.div_ceil(WASM_PAGE).next_multiple_of(STEP);
        let mut taken = pages;
        let mut before = wasm32::memory_grow::<0>(taken);
        if before == usize::MAX {
            // Near the limit of the address space: what is needed and no more.
            taken = size.div_ceil(WASM_PAGE);
            before = wasm32::memory_grow::<0>(taken);
        }
        if before == usize::MAX {
            return (std::ptr::null_mut(), 0, 0);
        }
        ((before * WASM_PAGE) as *mut u8, taken * WASM_PAGE, 0)
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        std::ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        WASM_PAGE
    }
}

struct Heap(UnsafeCell<Dlmalloc<Pages>>);

// SAFETY: the module is built without threads, so there is only one.
unsafe impl Sync for Heap {}

// SAFETY: every call goes to one allocator with the layout it was made for, and none of its
// calls can lead back here.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those the allocator asks for.
        unsafe { (*self.0.get()).malloc(layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those the allocator asks for.
        unsafe { (*self.0.get()).calloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those the allocator asks for.
        unsafe { (*self.0.get()).free(ptr, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promises are those the allocator asks for.
        unsafe { (*self.0.get()).realloc(ptr, layout.size(), layout.align(), size) }
    }
}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(Dlmalloc::new_with_allocator(Pages)));
