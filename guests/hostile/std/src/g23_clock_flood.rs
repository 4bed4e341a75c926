//! G23: asks for the time, or sleeps for a nanosecond, over and over.

use aim_sdk::serde_json::{Value, json};
use wasip2::clocks::monotonic_clock;

/// So many readings.
pub(crate) fn read(times: u64) -> Value {
    let mut last = 0;
    for _ in 0..times {
        last = monotonic_clock::now();
    }
    json!({ "last": last })
}

/// So many sleeps of a nanosecond.
pub(crate) fn sleep(times: u64) -> Value {
    for _ in 0..times {
        monotonic_clock::subscribe_duration(1).block();
    }
    json!({ "slept": times })
}

/// Waits so often for one pollable that is ready already.
pub(crate) fn poll(times: u64) -> Value {
    let ready = monotonic_clock::subscribe_duration(0);
    for _ in 0..times {
        ready.block();
    }
    json!({ "polled": times })
}
