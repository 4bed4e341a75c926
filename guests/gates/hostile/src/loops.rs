//! P2: a gate that never ends.
//! INVARIANT: it never returns.

/// Counts for ever.
pub(crate) fn spin() -> ! {
    let mut turns = 0_u64;
    // BOUND: none; the host's limit is what is tested.
    loop {
        turns = core::hint::black_box(turns.wrapping_add(1));
    }
}
