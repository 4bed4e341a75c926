//! G21: answers without end: so many emissions of so many bytes.

use aim_sdk::Emission;

/// The emissions.
pub(crate) fn run(times: u64, bytes: u64) -> Vec<Emission> {
    let body = vec![b'1'; usize::try_from(bytes).unwrap_or(usize::MAX)];
    (0..times)
        .map(|_| Emission::next("flood", "application/json", body.clone()))
        .collect()
}
