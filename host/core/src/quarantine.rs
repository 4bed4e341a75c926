//! What is kept aside until two people release it: cases, approvals, and when two approvals are enough (spec 1.11, two-key).
//!
//! ```text
//! open --approve (ethics)--> one key --approve (another role, later)--> released
//!   \--------------------------- reject (one is enough) ------------------> rejected
//! ```
//! An approval names a *token*, which is made from the witness of the attempt and from what its gates said, so it can't be
//! moved to another attempt or survive another judgement.
//!
//! INVARIANT: who ran an attempt never releases it, one key never counts twice, and what is closed stays closed.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    gate::{GateKind, GateRecord, Phase},
    time::Timestamp,
    verdict::Verdict,
};

/// The kind word inside an answer's predicate.
pub const ANSWER_KIND: &str = "quarantine-answer";
/// The kind word inside the predicate that records a release.
pub const RELEASE_KIND: &str = "quarantine-release";
/// Predicate type of what an approver signs.
pub const APPROVAL_PREDICATE: &str = "urn:aim:predicate:approval:v1";

/// What it takes to release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuarantineRules {
    /// Least time between two approvals, in milliseconds.
    pub interval_ms_min: u64,
    /// How long an approval counts, in milliseconds.
    pub ttl_ms_max: u64,
}

impl QuarantineRules {
    /// Ten minutes apart, and a day to find the second person.
    pub const DEFAULT: Self = Self {
        interval_ms_min: 600_000,
        ttl_ms_max: 86_400_000,
    };
}

/// An attempt whose outputs are kept aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Who ran it.
    pub ran_by: String,
    /// Digest over what the gates said.
    pub risk: Digest,
    /// Digest of the attempt's witness.
    pub witness: Digest,
}

impl Case {
    /// The case of an attempt.
    #[must_use]
    pub fn of(witness: Digest, ran_by: &str, gates: &[GateRecord]) -> Self {
        Self {
            ran_by: ran_by.into(),
            risk: risk_of(gates),
            witness,
        }
    }

    /// What an approval has to name.
    #[must_use]
    pub fn token(&self) -> Digest {
        Digest::derive(
            "quarantine-token",
            &[self.witness.as_bytes(), self.risk.as_bytes()],
        )
    }
}

/// The digest over everything that the gates of an attempt said.
#[must_use]
pub fn risk_of(gates: &[GateRecord]) -> Digest {
    // Plain data with string keys only: serialisation has no failure to report.
    let bytes = serde_json::to_vec(gates).unwrap_or_default();
    Digest::derive("quarantine-risk", &[&bytes])
}

/// True when people may release what gates held back: a gate, a condition or kappa was unsure or objected on the way out,
/// and nobody said what can't be lifted. An axiom, a schema, the policy and a gate without an answer can't.
#[must_use]
pub fn may_be_released_by_people(gates: &[GateRecord]) -> bool {
    let held = gates
        .iter()
        .any(|record| record.phase == Phase::Egress && !record.verdict.releases());
    held && gates.iter().all(can_be_lifted)
}

fn can_be_lifted(record: &GateRecord) -> bool {
    if record.verdict.releases() {
        return true;
    }
    let names_axiom = record
        .decision
        .as_ref()
        .is_some_and(|decision| !decision.axioms_hit.is_empty());
    let is_soft = matches!(
        record.kind,
        GateKind::Component | GateKind::Condition | GateKind::Kappa
    );
    is_soft && !names_axiom && record.phase == Phase::Egress && record.verdict != Verdict::Error
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// Who they are to the host, as `actor` in witnesses.
    pub actor: String,
    /// Their public key, as 64 hex digits.
    pub key: String,
    /// Their name in the deployment.
    pub name: String,
    /// What they answer for.
    pub role: String,
}

/// What an approver says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It may leave.
    Approve,
    /// It may not.
    Reject,
}

/// One answer; what the approver signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// What.
    pub answer: Answer,
    /// Who.
    pub approver: Approver,
    /// When, as the host claims.
    pub at: Timestamp,
    /// About what: the case's token.
    pub token: Digest,
}

/// What is stated in the log about one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnswerPredicate {
    /// The approver's own signed statement, as the exact text of its DSSE envelope.
    pub approval: String,
    /// Always [`ANSWER_KIND`].
    pub kind: String,
    /// The log this statement belongs to.
    pub origin: String,
    /// Digest of the witness that it is about.
    pub witness: Digest,
}

/// What is stated in the log about a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleasePredicate {
    /// Who released it: two approvers.
    pub approvers: Vec<Approver>,
    /// Always [`RELEASE_KIND`].
    pub kind: String,
    /// The log this statement belongs to.
    pub origin: String,
    /// Digests of the outputs' bodies that were released.
    pub outputs: Vec<Digest>,
    /// Host's claim.
    pub released_at: Timestamp,
    /// What the approvals named.
    pub token: Digest,
    /// Digest of the witness of the attempt.
    pub witness: Digest,
}

/// How a case stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nobody's answer counts.
    Open,
    /// One approval counts.
    OneKey(Approver),
    /// Two approvals count.
    Released(Approver, Approver),
    /// Somebody said no.
    Rejected(Approver),
}

impl Standing {
    /// The word in output.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::OneKey(_) => "one key",
            Self::Released(..) => "released",
            Self::Rejected(_) => "rejected",
        }
    }
}

/// Why an answer does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is about something else.
    #[error("the approval is bound to another attempt, or to what other gates said")]
    Token,
    /// By whoever ran it.
    #[error("`{0}` ran the attempt and can not release it")]
    SelfApproval(String),
    /// By a key that has answered.
    #[error("the key of `{0}` has approved already, and one key counts once")]
    SameKey(String),
    /// By a role that has answered.
    #[error("the role `{0}` has approved already, and two roles are needed")]
    SameRole(String),
    /// Too early after the first.
    #[error("{wait_ms} ms must pass before the second approval")]
    TooSoon {
        /// How long to wait.
        wait_ms: u64,
    },
    /// Older than an approval may be, or from the future.
    #[error("the approval is too old, or from the future")]
    Expired,
    /// There is an answer for good.
    #[error("the case is {0} and stays so")]
    Closed(&'static str),
}

impl AnswerError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Token => "AIM-G021",
            Self::SelfApproval(_) => "AIM-G022",
            Self::SameKey(_) => "AIM-G023",
            Self::SameRole(_) => "AIM-G024",
            Self::TooSoon { .. } => "AIM-G025",
            Self::Expired => "AIM-G026",
            Self::Closed(_) => "AIM-G027",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Token => {
                "look at the case again with `aimctl quarantine show` and sign what it says now"
            }
            Self::SelfApproval(_) => {
                "ask somebody else; who asked for the run has no say in its release"
            }
            Self::SameKey(_) => "the second approval must come from another person",
            Self::SameRole(_) => "the second approval must come from another role",
            Self::TooSoon { .. } => {
                "wait; the pause is there so that two approvals are two thoughts"
            }
            Self::Expired => "approve anew; the clock of the host counts",
            Self::Closed(_) => "run the plan again with `--again` for another attempt",
        }
    }
}

/// Takes one more answer. `taken` are the earlier ones in the order of the log, each with a signature that was verified.
///
/// # Errors
/// [`AnswerError`]; nothing changes then.
pub fn take(
    case: &Case,
    taken: &[Approval],
    next: &Approval,
    now: Timestamp,
    rules: &QuarantineRules,
) -> Result<Standing, AnswerError> {
    let standing = standing(case, taken, now, rules);
    if let Standing::Released(..) | Standing::Rejected(_) = &standing {
        return Err(AnswerError::Closed(standing.word()));
    }
    check(case, next, now, rules)?;
    match (next.answer, standing) {
        (Answer::Reject, _) => Ok(Standing::Rejected(next.approver.clone())),
        (Answer::Approve, Standing::OneKey(first)) => {
            let first_at = last_at(case, taken, &first);
            second(&first, first_at, next, rules)
        }
        (Answer::Approve, _) => Ok(Standing::OneKey(next.approver.clone())),
    }
}

/// How a case stands after `taken`, at `now`. Answers that would have been refused don't count, whoever wrote them down.
#[must_use]
pub fn standing(
    case: &Case,
    taken: &[Approval],
    now: Timestamp,
    rules: &QuarantineRules,
) -> Standing {
    let mut first: Option<&Approval> = None;
    for approval in taken {
        if check(case, approval, approval.at, rules).is_err() {
            continue;
        }
        if approval.answer == Answer::Reject {
            return Standing::Rejected(approval.approver.clone());
        }
        let live = first.filter(|one| age_ms(one.at, approval.at) <= rules.ttl_ms_max);
        first = match live {
            None => Some(approval),
            Some(one) => match second(&one.approver, one.at, approval, rules) {
                Ok(released) => return released,
                Err(_) => Some(one),
            },
        };
    }
    match first.filter(|one| age_ms(one.at, now) <= rules.ttl_ms_max) {
        Some(one) => Standing::OneKey(one.approver.clone()),
        None => Standing::Open,
    }
}

/// What every answer must meet by itself.
fn check(
    case: &Case,
    next: &Approval,
    now: Timestamp,
    rules: &QuarantineRules,
) -> Result<(), AnswerError> {
    if next.token != case.token() {
        return Err(AnswerError::Token);
    }
    let is_future = next.at.millis() > now.millis();
    if is_future || age_ms(next.at, now) > rules.ttl_ms_max {
        return Err(AnswerError::Expired);
    }
    // Saying no to one's own attempt is nobody's loss.
    if next.answer == Answer::Approve && next.approver.actor == case.ran_by {
        return Err(AnswerError::SelfApproval(next.approver.name.clone()));
    }
    Ok(())
}

fn second(
    first: &Approver,
    first_at: Timestamp,
    next: &Approval,
    rules: &QuarantineRules,
) -> Result<Standing, AnswerError> {
    let approver = &next.approver;
    if approver.key == first.key || approver.actor == first.actor {
        return Err(AnswerError::SameKey(approver.name.clone()));
    }
    if approver.role == first.role {
        return Err(AnswerError::SameRole(approver.role.clone()));
    }
    let passed = age_ms(first_at, next.at);
    if passed < rules.interval_ms_min {
        return Err(AnswerError::TooSoon {
            wait_ms: rules.interval_ms_min.saturating_sub(passed),
        });
    }
    Ok(Standing::Released(first.clone(), approver.clone()))
}

/// When the approval that counts was given.
fn last_at(case: &Case, taken: &[Approval], approver: &Approver) -> Timestamp {
    let mut of_approver = taken.iter().rev();
    of_approver
        .find(|one| one.approver == *approver && one.token == case.token())
        .map_or(Timestamp::from_millis(0), |one| one.at)
}

/// Zero when the clock went back.
fn age_ms(from: Timestamp, to: Timestamp) -> u64 {
    to.millis().saturating_sub(from.millis())
}

#[cfg(test)]
mod tests;
