//! Answers of people inside of statements: each is signed by the person who gave it, about what the statement says.
//!
//! The host's signature around an answer says when it came, never that somebody gave it.
//!
//! INVARIANT: an answer that is not signed by the key it names, or says something else than the statement around it, is a
//! fault; keys of people that the reader brought are the only ones that count, when there are any.

use alloc::string::String;

use aim_core::{
    digest::Digest,
    id::ExecutionId,
    quarantine::{self, Approval, Approver},
    question::{self, GivenAnswer},
    witness::Statement,
};
use serde::Deserialize;

use super::FaultKind;
use crate::{
    approval::{ApprovalError, public_key, verify_own},
    key::{KeyRole, KeySet},
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

/// Judges the answer inside of a statement of the log `origin`.
pub(super) fn judge(statement: &[u8], keys: &KeySet, origin: &str) -> Result<Giver, FaultKind> {
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
        // Approvals of uses name their giver and not the key; the lock of a run says which of them counted.
        Some(_) => return Ok(Giver::Known),
    };
    giver(&approver, keys)
}

fn giver(approver: &Approver, keys: &KeySet) -> Result<Giver, FaultKind> {
    if keys.of_role(KeyRole::Approver).next().is_none() {
        return Ok(Giver::Stranger);
    }
    let key = public_key(approver).map_err(fault)?;
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
