//! A person's answer to a question of a run: what they sign, and what the log states about it.
//!
//! ```text
//! question --give--> what is signed --(the person's key)--> envelope --submission--> one leaf of the log
//! ```
//! INVARIANT: no key is seen here, and an answer that its signature or the list of approvers refuses is never written down.

use aim_core::{
    digest::{Digest, Sha256},
    leaf::LeafKind,
    plan::StepPath,
    quarantine::Approver,
    question::{ANSWER_KIND, ANSWER_PREDICATE, Answer, AnswerPredicate, GivenAnswer, Question},
    witness::{Statement, Subject},
};
use aim_trust::approval::{self, ApprovalError};

use crate::{commit::Submission, host::Host, ledger::Execution};

/// What `approver` signs who gives `answer` to a question of the node at `path`, now.
#[must_use]
pub fn give(
    host: &Host,
    execution: &Execution,
    (path, question): (&StepPath, &Question),
    (approver, answer): (&Approver, Answer),
) -> GivenAnswer {
    GivenAnswer {
        answer,
        approver: approver.clone(),
        asked: question.digest(),
        at: host.clock.now(),
        execution: execution.start.execution,
        origin: host.facts.origin.clone(),
        path: path.clone(),
        question: question.id.clone(),
        run: execution.start.run,
    }
}

/// What is written down about an answer that came as the text of its envelope, from the account `actor`.
///
/// # Errors
/// [`ApprovalError`] when none of `approvers` has signed it, or when it is about another execution.
pub fn submission(
    host: &Host,
    execution: &Execution,
    (approval, actor): (String, String),
    approvers: &[Approver],
) -> Result<Submission, ApprovalError> {
    let given: GivenAnswer = approval::verify(&approval, approvers)?;
    let start = &execution.start;
    if given.execution != start.execution || given.origin != host.facts.origin {
        return Err(ApprovalError::Form);
    }
    let predicate = AnswerPredicate {
        actor,
        approval,
        execution: start.execution,
        host: host.facts.host.clone(),
        kind: ANSWER_KIND.to_owned(),
        origin: host.facts.origin.clone(),
        tenant: start.tenant.clone(),
        trace: start.trace,
    };
    let id = given.question.as_bytes();
    let subject = Subject::new("question", Digest::of(id), Sha256::of(id));
    let payload = Statement::new(ANSWER_PREDICATE, vec![subject], predicate).payload();
    Ok(Submission::witness(LeafKind::Answer, payload, Vec::new()))
}
