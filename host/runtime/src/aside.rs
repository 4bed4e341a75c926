//! What became of outputs that gates held back and that people may let go: read from the log, and believed only as far as
//! the answers in it are signed.
//!
//! INVARIANT: a release counts only with two approvals of this very case before it; one rejection is for good.

use std::collections::BTreeMap;

use aim_core::{
    digest::Digest,
    quarantine::{
        Answer, Approval, Approver, Case, QuarantineRules, ReleasePredicate, Standing,
        may_be_released_by_people, standing,
    },
    verdict::Disposition,
    witness::AttemptPredicate,
};
use aim_trust::approval;

use crate::{
    execute::bodies,
    ledger::{Entry, EntryBody, Execution, Ledger},
};

/// What people said about a case, once it is for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseEnd {
    /// Two people released it.
    Released {
        /// Digest of the statement of the release.
        witness: Digest,
        /// Who.
        approvers: Vec<Approver>,
    },
    /// Somebody said no.
    Rejected {
        /// Digest of the statement of the answer.
        witness: Digest,
        /// Who.
        approver: Approver,
    },
}

/// The attempt of an entry whose outputs are kept aside, if it is one that people may release.
#[must_use]
pub fn kept_aside(entry: &Entry) -> Option<&AttemptPredicate> {
    match &entry.body {
        EntryBody::Attempt(attempt)
            if attempt.disposition == Disposition::Quarantine
                && may_be_released_by_people(&attempt.gates) =>
        {
            Some(attempt)
        }
        _ => None,
    }
}

/// The cases of an execution that nobody has answered about for good, while the execution has no end.
#[must_use]
pub fn open<'a>(
    ledger: &'a Ledger,
    execution: &Execution,
) -> Vec<(&'a Entry, &'a AttemptPredicate)> {
    if execution.end.is_some() {
        return Vec::new();
    }
    let entries = execution.attempts.iter();
    entries
        .filter_map(|index| ledger.entries().get(*index))
        .filter_map(|entry| Some((entry, kept_aside(entry)?)))
        .filter(|(entry, _)| end_of(ledger, entry).is_none())
        .collect()
}

/// How every case of the log ended that has an end, by the witness of its attempt.
#[must_use]
pub fn ends(ledger: &Ledger) -> BTreeMap<Digest, CaseEnd> {
    let entries = ledger.entries().iter();
    entries
        .filter_map(|entry| Some((entry.witness, end_of(ledger, entry)?)))
        .collect()
}

/// How the case of an attempt ended, if it is one and has an end. Only what came after the attempt counts, and the first end
/// is for good.
#[must_use]
pub fn end_of(ledger: &Ledger, entry: &Entry) -> Option<CaseEnd> {
    let attempt = kept_aside(entry)?;
    let case = Case::of(entry.witness, &attempt.actor, &attempt.gates);
    let mut taken: Vec<Approval> = Vec::new();
    let later = ledger.about(entry.witness);
    for said in later.filter(|said| said.sequence > entry.sequence) {
        match &said.body {
            EntryBody::Approval(answer) => {
                let Ok(given) = approval::verify_own::<Approval>(&answer.approval) else {
                    continue;
                };
                if given.token != case.token() {
                    continue;
                }
                if given.answer == Answer::Reject {
                    return Some(CaseEnd::Rejected {
                        witness: said.witness,
                        approver: given.approver,
                    });
                }
                taken.push(given);
            }
            EntryBody::Release(release) if is_backed(release, attempt, &taken) => {
                return Some(CaseEnd::Released {
                    witness: said.witness,
                    approvers: release.approvers.clone(),
                });
            }
            _ => {}
        }
    }
    None
}

/// True when the release is about exactly this attempt, and two of those whom it names have approved, each with an own key
/// and role. How long apart was held against the deployment's rules when they answered.
fn is_backed(release: &ReleasePredicate, attempt: &AttemptPredicate, taken: &[Approval]) -> bool {
    let case = Case::of(release.witness, &attempt.actor, &attempt.gates);
    let named: Vec<Approval> = (taken.iter())
        .filter(|approval| release.approvers.contains(&approval.approver))
        .cloned()
        .collect();
    let rules = QuarantineRules {
        interval_ms_min: 0,
        ttl_ms_max: u64::MAX,
    };
    release.token == case.token()
        && release.outputs == bodies(attempt)
        && matches!(
            standing(&case, &named, release.released_at, &rules),
            Standing::Released(..)
        )
}
