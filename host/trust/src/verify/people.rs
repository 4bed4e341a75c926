//! Answers of people inside of statements: each is signed by the person who gave it, about what the statement says.
//!
//! The host's signature around an answer says when it came, never that somebody gave it.
//!
//! An approval of a use is given beforehand, and counts for executions whose lock names it: each of these is to have it in the log.
//!
//! INVARIANT: an answer that is not signed by the key it names, or says something else than the statement around it, is a
//! fault; keys of people that the reader brought are the only ones that count, when there are any.

use alloc::{borrow::Cow, collections::BTreeMap, string::String, vec::Vec};

use aim_core::{
    digest::Digest,
    id::ExecutionId,
    quarantine::{self, Approval},
    question::{self, GivenAnswer},
    witness::Statement,
};
use serde::Deserialize;

use super::FaultKind;
use crate::{
    approval::{ApprovalError, public_key, verify_own},
    key::{KeyRole, KeySet, PublicKey},
    use_approval::{Recorded, recorded},
};

/// Who gave an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Giver {
    /// Somebody whose key the reader knows; or the answer is of a kind that carries no key to know.
    Known,
    /// Somebody whose key is only in the answer itself.
    Stranger,
}

/// What is read of the statement around an answer.
#[derive(Deserialize)]
struct Around {
    #[serde(default)]
    approval: serde_json::Value,
    #[serde(default)]
    execution: Option<ExecutionId>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    witness: Option<Digest>,
}

/// An answer that somebody has signed.
#[derive(Debug)]
pub(super) struct Judged {
    /// Who.
    pub(super) giver: Giver,
    /// The approval and the execution that it counted for, for one that counted.
    pub(super) approval: Option<(ExecutionId, Digest)>,
}

/// Judges the answer inside of a statement of the log `origin`.
pub(super) fn judge(statement: &[u8], keys: &KeySet, origin: &str) -> Result<Judged, FaultKind> {
    let read: Statement<Around> = serde_json::from_slice(statement)
        .map_err(|error| FaultKind::Statement(alloc::format!("{error}")))?;
    let around = read.predicate;
    let envelope = around.approval.as_str().unwrap_or_default();
    let approver = match around.kind.as_deref() {
        None => return Err(FaultKind::Answer("nobody has signed it")),
        Some(question::ANSWER_KIND) => {
            let given: GivenAnswer = verify_own(envelope).map_err(fault)?;
            if Some(given.execution) != around.execution || given.origin != origin {
                return Err(FaultKind::Answer("it was given to something else"));
            }
            given.approver
        }
        Some(quarantine::ANSWER_KIND) => {
            let given: Approval = verify_own(envelope).map_err(fault)?;
            if around.witness.is_none() {
                return Err(FaultKind::Answer("it is about nothing"));
            }
            given.approver
        }
        Some(kind) => return judge_approval(recorded(kind, statement), keys),
    };
    let key = public_key(&approver).map_err(fault)?;
    Ok(Judged {
        giver: giver(&key, keys)?,
        approval: None,
    })
}

fn judge_approval(
    recorded: Option<Result<Recorded, ApprovalError>>,
    keys: &KeySet,
) -> Result<Judged, FaultKind> {
    let Some(recorded) = recorded else {
        // What this version only carries.
        return Ok(Judged {
            giver: Giver::Known,
            approval: None,
        });
    };
    let recorded = recorded.map_err(fault)?;
    let digest = recorded.digest;
    Ok(Judged {
        giver: giver(&recorded.key, keys)?,
        approval: recorded.execution.map(|execution| (execution, digest)),
    })
}

fn giver(key: &PublicKey, keys: &KeySet) -> Result<Giver, FaultKind> {
    if keys.of_role(KeyRole::Approver).next().is_none() {
        return Ok(Giver::Stranger);
    }
    if keys.holds(KeyRole::Approver, key.as_bytes()) {
        Ok(Giver::Known)
    } else {
        Err(FaultKind::Answer(
            "no approver's key of the reader's is the giver's",
        ))
    }
}

const fn fault(error: ApprovalError) -> FaultKind {
    FaultKind::Answer(match error {
        ApprovalError::Unknown => "its giver's key is no key",
        ApprovalError::Signature => "the person it names has not signed it as it is",
        ApprovalError::Form => "it can not be read",
    })
}

/// The few fields of an execution's beginning that say which approvals it took.
#[derive(Deserialize)]
struct Began<'a> {
    execution: ExecutionId,
    #[serde(borrow)]
    lock: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Pinned {
    gates: BTreeMap<String, Pin>,
    steps: BTreeMap<String, Pin>,
}

#[derive(Deserialize)]
struct Pin {
    #[serde(default)]
    approvals: Vec<Digest>,
}

/// The approvals that an execution took, by what its beginning says.
pub(super) fn needed(start: &[u8]) -> Result<Vec<(ExecutionId, Digest)>, FaultKind> {
    let unreadable = |_| FaultKind::Answer("nobody can read what the run began with");
    let began: Began<'_> = serde_json::from_slice(start).map_err(unreadable)?;
    let pinned: Pinned = serde_json::from_str(&began.lock).map_err(unreadable)?;
    let pins = pinned.steps.into_values().chain(pinned.gates.into_values());
    Ok(pins
        .flat_map(|pin| pin.approvals)
        .map(|digest| (began.execution, digest))
        .collect())
}
