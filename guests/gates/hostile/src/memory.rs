//! P5: a gate that eats memory.
//! INVARIANT: it never returns.

/// Allocates until the memory limit ends it.
pub(crate) fn allocate() -> ! {
    let mut kept = Vec::new();
    // BOUND: none; the host's limit is what is tested.
    loop {
        kept.push(vec![1_u8; 1 << 20]);
        core::hint::black_box(&kept);
    }
}
