//! A policy with one answer for everything.
//!
//! INVARIANT: the answer does not depend on the question.

use aim_core::{
    access::{AccessDecision, AccessRequest},
    digest::Digest,
};
use aim_ports::policy::Policy;

/// Permits all or denies all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FixedPolicy {
    /// Every request is permitted by the rule `test-permits`.
    Permit,
    /// Every request is denied by the rule `test-forbids`.
    Deny,
}

impl Policy for FixedPolicy {
    fn digest(&self) -> Digest {
        Digest::derive("test-policy", &[self.rule().as_bytes()])
    }

    fn depends_on(&self, _fact: &str) -> bool {
        false
    }

    fn decide(&self, _request: &AccessRequest) -> AccessDecision {
        AccessDecision {
            is_permitted: *self == Self::Permit,
            rules: vec![self.rule().to_owned()],
            is_approvable: false,
        }
    }
}

impl FixedPolicy {
    const fn rule(self) -> &'static str {
        match self {
            Self::Permit => "test-permits",
            Self::Deny => "test-forbids",
        }
    }
}
