//! G3: a loop whose work hides in the host: each turn costs the guest a few instructions and the host a call.

use aim_sdk::budget;
use aim_sdk::serde_json::{Value, json};

/// Calls so often; answers only when nothing stopped it.
pub(crate) fn run(times: u64) -> Value {
    let mut last = None;
    for _ in 0..times {
        last = budget::fuel();
    }
    json!({ "calls": times, "fuel-left": last })
}
