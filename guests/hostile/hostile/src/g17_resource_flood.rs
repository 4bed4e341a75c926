//! G17: resource handles in a loop, kept or dropped at once. Dropping must give the handle back.

use aim_sdk::artifact::Writer;
use aim_sdk::serde_json::{Value, json};

/// Keeps every handle until the host refuses one.
pub(crate) fn keep(times: u64) -> Value {
    let mut kept = Vec::new();
    for _ in 0..times {
        match Writer::create("application/octet-stream") {
            Ok(writer) => kept.push(writer),
            Err(error) => return json!({ "made": kept.len(), "refused": format!("{error:?}") }),
        }
    }
    json!({ "made": kept.len(), "refused": null })
}

/// Drops every handle before the next.
pub(crate) fn drop_each(times: u64) -> Value {
    for made in 0..times {
        if let Err(error) = Writer::create("application/octet-stream") {
            return json!({ "made": made, "refused": format!("{error:?}") });
        }
    }
    json!({ "made": times, "refused": null })
}
