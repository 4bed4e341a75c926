//! What a step says about its own result. The host records it as the step's claim, apart from what the host saw.
//! INVARIANT: nothing said here changes what the step is allowed to do.

use serde::Serialize;

use crate::bindings::imports::aim::witness::attest as host;
use crate::types::{ArtifactRef, Confidence, Doubt, HostError, ratio};

pub use host::Relation;

/// States a fact as JSON under a kind such as `https://example.org/kinds/row-count`; returns the claim's number.
///
/// # Errors
/// `invalid-argument` for a bad kind, a value that is not JSON, or one over 4 KiB; `exhausted` past 64 claims.
pub fn claim<T: Serialize + ?Sized>(kind: &str, value: &T) -> Result<u32, HostError> {
    let body = serde_json::to_string(value)
        .map_err(|error| HostError::InvalidArgument(error.to_string()))?;
    claim_text(kind, &body)
}

/// [`claim`] with a body that is JSON text already.
///
/// # Errors
/// As [`claim`].
pub fn claim_text(kind: &str, body: &str) -> Result<u32, HostError> {
    host::claim(kind, body)
}

/// Names a source of the output.
///
/// # Errors
/// `not-found` when the step never received or read that artifact.
pub fn cite(source: &ArtifactRef, relation: Relation) -> Result<u32, HostError> {
    host::cite(source, relation)
}

/// Says how sure the step is, between 0 and 1, and by which method. The last call counts.
///
/// # Errors
/// As any host call.
pub fn confidence(score: f64, method: &str) -> Result<(), HostError> {
    confidence_exact(&Confidence {
        score: ratio(score),
        method: method.into(),
    })
}

/// [`confidence`] in parts per million, as the host takes it.
///
/// # Errors
/// `invalid-argument` above 1_000_000.
pub fn confidence_exact(confidence: &Confidence) -> Result<(), HostError> {
    host::set_confidence(confidence)
}

/// Says what the step doubts. The last call counts.
///
/// # Errors
/// `invalid-argument` above 1_000_000.
pub fn doubt(doubt: Doubt) -> Result<(), HostError> {
    host::set_doubt(doubt)
}

/// Says what the output may do to people or systems.
///
/// # Errors
/// As any host call.
pub fn impact(impact: &str) -> Result<(), HostError> {
    host::declare_impact(impact)
}

/// Gives the analogy or quip that the ethical gate looks for. The last call counts.
///
/// # Errors
/// As any host call.
pub fn quip(quip: &str) -> Result<(), HostError> {
    host::set_quip(quip)
}
