//! G20: random bytes in a loop, a large piece each time.

use aim_sdk::serde_json::{Value, json};
use wasip2::random::random::get_random_bytes;

/// So many pieces of so many bytes.
pub(crate) fn run(times: u64, bytes: u64) -> Value {
    let mut sum = 0_u64;
    for _ in 0..times {
        sum = sum.wrapping_add(get_random_bytes(bytes).iter().copied().map(u64::from).sum());
    }
    json!({ "sum": sum })
}
