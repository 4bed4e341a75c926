//! G10: recursion until the stack ends, the guest's own in memory or the engine's.

use aim_sdk::serde_json::{Value, json};

/// Never returns.
pub(crate) fn run() -> Value {
    json!(deeper(1))
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "it is the attack")]
fn deeper(depth: u64) -> u64 {
    core::hint::black_box(deeper(core::hint::black_box(depth).wrapping_add(1))).wrapping_add(depth)
}
