//! Instants as people write them: to the second or to the millisecond, always in UTC.
//!
//! INVARIANT: a text that names no day of the calendar is no instant.

use alloc::format;

use aim_core::time::Timestamp;

/// Reads `2025-01-31T00:00:00Z` or `2025-01-31T00:00:00.000Z`.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).or_else(|| {
        let seconds = text
            .strip_suffix('Z')
            .filter(|seconds| !seconds.contains('.'))?;
        Timestamp::parse(&format!("{seconds}.000Z"))
    })
}
