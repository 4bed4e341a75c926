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
    let ends = ends(ledger);
    let entries = execution.attempts.iter();
    entries
        .filter_map(|index| ledger.entries().get(*index))
        .filter(|entry| !ends.contains_key(&entry.witness))
        .filter_map(|entry| Some((entry, kept_aside(entry)?)))
        .collect()
}

/// How every case of the log ended that has an end, by the witness of its attempt.
#[must_use]
pub fn ends(ledger: &Ledger) -> BTreeMap<Digest, CaseEnd> {
    let mut cases: BTreeMap<Digest, (&AttemptPredicate, Vec<Approval>)> = BTreeMap::new();
    let mut ends = BTreeMap::new();
    for entry in ledger.entries() {
        if let Some(attempt) = kept_aside(entry) {
            cases.insert(entry.witness, (attempt, Vec::new()));
        }
        match &entry.body {
            EntryBody::Approval(answer) => {
                let Some((attempt, taken)) = cases.get_mut(&answer.witness) else {
                    continue;
                };
                let Ok(given) = approval::verify_own::<Approval>(&answer.approval) else {
                    continue;
                };
                let case = Case::of(answer.witness, &attempt.actor, &attempt.gates);
                if given.token != case.token() {
                    continue;
                }
                if given.answer == Answer::Reject {
                    let rejected = CaseEnd::Rejected {
                        witness: entry.witness,
                        approver: given.approver.clone(),
                    };
                    ends.entry(answer.witness).or_insert(rejected);
                }
                taken.push(given);
            }
            EntryBody::Release(release) => {
                let Some((attempt, taken)) = cases.get(&release.witness) else {
                    continue;
                };
                if is_backed(release, attempt, taken) {
                    let released = CaseEnd::Released {
                        witness: entry.witness,
                        approvers: release.approvers.clone(),
                    };
                    ends.entry(release.witness).or_insert(released);
                }
            }
            _ => {}
        }
    }
    ends
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
