//! G21: one enormous line, or lines without end.

use aim_sdk::log;
use aim_sdk::serde_json::{Value, json};

/// One line of so many bytes.
pub(crate) fn one_line(bytes: u64) -> Value {
    let line = "A".repeat(usize::try_from(bytes).unwrap_or(usize::MAX));
    log::info(&line, &[]);
    json!({ "bytes": line.len() })
}

/// So many lines of so many bytes.
pub(crate) fn many_lines(times: u64, bytes: u64) -> Value {
    let line = "A".repeat(usize::try_from(bytes).unwrap_or(usize::MAX));
    for _ in 0..times {
        log::info(&line, &[]);
    }
    json!({ "lines": times })
}
