//! The operator's policy: one question, one answer.

use core::fmt::Debug;

use aim_core::{
    access::{AccessDecision, AccessRequest},
    digest::Digest,
};

/// A loaded and validated policy. Deciding is pure and total: unknown is denied.
pub trait Policy: Debug + Send + Sync {
    /// Digest over all of the policy's sources.
    fn digest(&self) -> Digest;

    /// True when some rule can decide differently once the fact of that name is known, so that this policy has to be asked
    /// again then. It may be true without need, never false.
    fn depends_on(&self, fact: &str) -> bool;

    /// Decides one request.
    fn decide(&self, request: &AccessRequest) -> AccessDecision;
}
