//! Uses that policy permits once a person agrees: looked up among the approvals, and told from what is denied for good.
//!
//! INVARIANT: only a decision that is approvable is looked up, so what a rule forbids stays refused whatever is signed.

use std::collections::BTreeSet;

use aim_core::{
    access::{AccessDecision, AccessRequest, Ask, Use},
    digest::Digest,
};
use aim_trust::use_approval::UseApprovals;

use super::RefusedReason;

/// The approvals that one step took, and what it still waits for.
pub(super) struct Waits<'a> {
    approvals: UseApprovals<'a>,
    /// Approvals that counted.
    pub(super) counted: BTreeSet<Digest>,
    /// Asks that wait; their reasons are here.
    pub(super) asks: Vec<Ask>,
    /// Why others did not.
    pub(super) reasons: Vec<RefusedReason>,
}

impl<'a> Waits<'a> {
    pub(super) const fn new(approvals: UseApprovals<'a>) -> Self {
        Self {
            approvals,
            counted: BTreeSet::new(),
            asks: Vec::new(),
            reasons: Vec::new(),
        }
    }

    /// The decision with a person's answer taken in.
    pub(super) fn settle(
        &mut self,
        decision: AccessDecision,
        asked: &AccessRequest,
        (ask, wanted): (&Ask, &Use),
    ) -> AccessDecision {
        if decision.is_permitted || !decision.is_approvable {
            return decision;
        }
        match self.approvals.find(asked) {
            Ok(digest) => {
                self.counted.insert(digest);
                AccessDecision {
                    is_permitted: true,
                    ..decision
                }
            }
            Err(error) => {
                self.asks.push(ask.clone());
                self.reasons.push(RefusedReason {
                    code: error.code(),
                    message: format!("`{wanted}` is permitted once a person approves: {error}"),
                    help: error.help().to_owned(),
                    is_denial: true,
                });
                decision
            }
        }
    }
}
