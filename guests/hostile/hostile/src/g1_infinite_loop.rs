//! G1: a loop without end and without calls.

use aim_sdk::serde_json::Value;

/// Never returns.
pub(crate) fn run() -> Value {
    let mut turns = 0_u64;
    loop {
        turns = core::hint::black_box(turns.wrapping_add(1));
    }
}
