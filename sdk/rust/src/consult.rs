//! Asking the gates before acting.
//! INVARIANT: an answer here never widens the grant.

use crate::gate::{Decision, Verdict};
use crate::types::HostError;

/// Judges an intended action on a target.
///
/// # Errors
/// `timeout`, `unavailable`; treat both as a denial.
pub fn check(action: &str, target: &str, payload: &[u8]) -> Result<Decision, HostError> {
    crate::bindings::imports::aim::gate::consult::check(action, target, payload)
}

/// True when the gates would let the action pass. A gate that can not be asked does not.
#[must_use]
pub fn is_clear(action: &str, target: &str, payload: &[u8]) -> bool {
    check(action, target, payload)
        .is_ok_and(|decision| matches!(decision.verdict, Verdict::Pass | Verdict::Warn))
}
