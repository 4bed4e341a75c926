//! G4: waits inside of the host, where neither fuel nor an epoch ends anything.

use std::time::{Duration, Instant};

use aim_sdk::serde_json::{Value, json};
use wasip2::clocks::monotonic_clock;

/// Sleeps through the standard library.
pub(crate) fn sleep(ms: u64) -> Value {
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(ms));
    json!({ "slept-ms": u64::try_from(start.elapsed().as_millis()).ok() })
}

/// Reads a byte that may never come.
pub(crate) fn stdin() -> Value {
    let mut byte = [0_u8];
    let read = std::io::Read::read(&mut std::io::stdin(), &mut byte);
    json!({ "read": read.ok() })
}

/// Blocks on a pollable of its own.
pub(crate) fn poll(ms: u64) -> Value {
    monotonic_clock::subscribe_duration(ms.saturating_mul(1_000_000)).block();
    json!({ "polled-ms": ms })
}
