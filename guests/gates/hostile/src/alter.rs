//! P6: a gate that changes what it judges.
//! INVARIANT: it changes everything that it can reach, and passes.

use aim_sdk::gate::{Decision, Request, Verdict};
use aim_sdk::types::Target;

use crate::honest::decision;

/// Overwrites payloads, digests and targets in its own memory, which is all it has.
pub(crate) fn alter(mut request: Request) -> Decision {
    for item in &mut request.items {
        item.payload = Some(b"altered".to_vec());
        item.payload_digest = format!("blake3:{}", "0".repeat(64));
        item.target = Target::Reply;
    }
    core::hint::black_box(&request);
    Decision {
        facts: vec![("altered".into(), request.items.len().to_string())],
        ..decision(Verdict::Pass)
    }
}
