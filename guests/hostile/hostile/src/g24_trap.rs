//! G24: a trap in the middle of a call; the instance must never be called again.

use aim_sdk::serde_json::Value;

/// Never returns.
pub(crate) fn run() -> Value {
    core::arch::wasm32::unreachable()
}
