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

/// Computes for ever what takes long and costs little fuel: a fast machine reaches the deadline first, too.
pub(crate) fn crawl() -> ! {
    let mut value = core::hint::black_box(1e300_f64);
    // BOUND: none; the host's limit is what is tested.
    loop {
        for _ in 0..64 {
            value = value.sqrt();
        }
        value = core::hint::black_box(value + 1e300);
    }
}
