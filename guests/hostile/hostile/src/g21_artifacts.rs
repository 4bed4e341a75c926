//! G21: artifacts without end, each another one.

use aim_sdk::artifact;
use aim_sdk::serde_json::{Value, json};

/// Puts so many artifacts of so many bytes; answers how many were taken and what refused the rest.
pub(crate) fn run(times: u64, bytes: u64) -> Value {
    let mut body = vec![0_u8; usize::try_from(bytes).unwrap_or(usize::MAX).max(8)];
    for put in 0..times {
        for (slot, byte) in body.iter_mut().zip(put.to_le_bytes()) {
            *slot = byte;
        }
        if let Err(error) = artifact::put("application/octet-stream", &body) {
            return json!({ "put": put, "refused": format!("{error:?}") });
        }
    }
    json!({ "put": times, "refused": null })
}
