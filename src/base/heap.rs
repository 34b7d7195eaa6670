//! The heap of a wasm instance grows by a call to its host that costs about 0.2 ms however
//! little is asked for (measured in Node 20), and every growth makes JavaScript renew its views.
//! So it is grown ahead, in large steps, where much memory is about to be used.

/// Makes sure that the next `bytes` of allocations need no growth. Memory that is not touched
/// costs nothing but address space. Natively the allocator sees to this itself.
pub fn reserve(bytes: usize) {
    if cfg!(target_arch = "wasm32") {
        // Taken and given back at once: the allocator keeps what it got from the host.
        drop(std::hint::black_box(Vec::<u8>::with_capacity(bytes)));
    }
}
