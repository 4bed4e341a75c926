//! What an interrupted execution has already done, read back from its log.
//!
//! INVARIANT: a step with a durable end is never run again; what it released is taken from the evidence, digests checked.
//! An answer counts only with the signature of somebody whom the deployment lists.

use std::{collections::BTreeMap, sync::Arc};

use aim_core::{
    digest::Digest,
    effect::EffectEnd,
    envelope::Emission,
    id::{EnvelopeId, SpanId},
    name::StepName,
    outcome::Outcome,
    plan::StepPath,
    pool::Amount,
    quarantine::Approver,
    question::{Answer, NoteKind},
    witness::AttemptPredicate,
};
use aim_ports::{artifact::ArtifactStore, log::LogReader};

use crate::{
    aside::{self, CaseEnd},
    execute::{NodeEnd, bodies, holding},
    ledger::{Askable, Entry, Execution, Ledger, LedgerError},
    services::Contents,
};

/// Why an execution can not be resumed.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The log can not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An output that was released is gone.
    #[error(
        "output {digest} of step `{step}` is neither in the log nor in the artifact store: {detail}"
    )]
    OutputLost {
        /// The step.
        step: StepName,
        /// The output.
        digest: Digest,
        /// What the store said.
        detail: String,
    },
}

/// What a step released, and where it came from.
#[derive(Debug, Clone)]
pub struct ReleasedStep {
    /// The envelope it handled.
    pub handled: EnvelopeId,
    /// The span of the attempt.
    pub span: SpanId,
    /// What was released.
    pub emissions: Vec<Emission>,
}

/// One attempt that has ended, read back.
#[derive(Debug, Clone)]
pub struct PastAttempt {
    pub(crate) end: NodeEnd,
    /// True when a cancel cut it off before the world noticed anything.
    pub(crate) is_interruption: bool,
}

/// Everything an interrupted execution has done, by node.
#[derive(Debug, Clone, Default)]
pub struct Resumed {
    pub(crate) attempts: BTreeMap<StepPath, Vec<PastAttempt>>,
    /// Answers by question, with the digest of each statement.
    pub(crate) answers: BTreeMap<String, (Answer, Digest)>,
    /// What was written down between attempts and is not decided again, by node.
    pub(crate) notes: BTreeMap<StepPath, Vec<NoteKind>>,
    /// What people said about outputs that are kept aside, by the witness of the attempt.
    pub(crate) cases: BTreeMap<Digest, PastCase>,
}

/// What people said about the outputs of an attempt that were kept aside.
#[derive(Debug, Clone)]
pub(crate) enum PastCase {
    /// Two released them.
    Released {
        /// The outputs.
        step: ReleasedStep,
        /// Digest of the statement of the release.
        witness: Digest,
    },
    /// One said no.
    Rejected {
        /// Their name in the deployment.
        by: String,
    },
}

/// Where payloads are found.
#[derive(Debug, Clone, Copy)]
pub struct Payloads<'a> {
    /// The log, for small ones.
    pub ledger: &'a Ledger,
    /// Reads the log.
    pub reader: &'a dyn LogReader,
    /// The store, for large ones.
    pub store: &'a dyn ArtifactStore,
}

impl Payloads<'_> {
    /// Finds the bytes of `digest`, checked.
    ///
    /// # Errors
    /// A sentence saying where it is not.
    pub fn find(&self, digest: Digest) -> Result<Vec<u8>, String> {
        if let Some(bytes) = self
            .ledger
            .blob(self.reader, digest)
            .map_err(|error| error.to_string())?
        {
            return Ok(bytes);
        }
        self.store.read(digest).map_err(|error| error.to_string())
    }
}

/// Reads back what `execution` has done, and what `approvers` have answered. Small artifacts go to `contents`, where later
/// steps find them.
///
/// # Errors
/// [`ResumeError`].
pub fn resume(
    payloads: Payloads<'_>,
    execution: &Execution,
    approvers: &[Approver],
    contents: &Contents,
) -> Result<Resumed, ResumeError> {
    let mut resumed = Resumed::default();
    for (entry, attempt) in payloads.ledger.attempts_of(execution) {
        let path = (attempt.path.clone()).unwrap_or_else(|| StepPath::from(&attempt.step));
        let end = end_of(payloads, entry, attempt, contents)?;
        // Cancelled is an interruption of the run, not an answer of the step; but what the world has noticed is not done
        // again by another attempt.
        let had_effect = (attempt.effects.iter())
            .any(|effect| matches!(effect.end, EffectEnd::Done | EffectEnd::Unknown));
        let is_interruption = attempt.outcome == Outcome::Cancelled && !had_effect;
        let attempts = resumed.attempts.entry(path).or_default();
        attempts.push(PastAttempt {
            end,
            is_interruption,
        });
    }
    resumed.cases = cases_of(payloads, execution, contents)?;
    for noted in &execution.notes {
        let notes = resumed.notes.entry(noted.note.path.clone()).or_default();
        notes.push(noted.note.what.clone());
    }
    let ledger = payloads.ledger;
    for asked in ledger.questions_of(execution) {
        // The first answer counts: whoever comes later does not take it back.
        let mut answers = ledger.answers_to(execution, asked, Askable::Only(approvers));
        if let Some((given, witness)) = answers.next() {
            let id = given.question.clone();
            let answer = (given.answer.clone(), witness);
            resumed.answers.entry(id).or_insert(answer);
        }
    }
    Ok(resumed)
}

/// What became of everything that the execution has kept aside.
fn cases_of(
    payloads: Payloads<'_>,
    execution: &Execution,
    contents: &Contents,
) -> Result<BTreeMap<Digest, PastCase>, ResumeError> {
    let mut cases = BTreeMap::new();
    for (entry, attempt) in payloads.ledger.attempts_of(execution) {
        let case = match aside::end_of(payloads.ledger, entry) {
            None => continue,
            Some(CaseEnd::Released { witness, .. }) => PastCase::Released {
                step: released(payloads, attempt, contents)?,
                witness,
            },
            Some(CaseEnd::Rejected { approver, .. }) => PastCase::Rejected { by: approver.name },
        };
        cases.insert(entry.witness, case);
    }
    Ok(cases)
}

fn end_of(
    payloads: Payloads<'_>,
    entry: &Entry,
    attempt: &AttemptPredicate,
    contents: &Contents,
) -> Result<NodeEnd, ResumeError> {
    let released = if attempt.released {
        Some(released(payloads, attempt, contents)?)
    } else {
        None
    };
    let used = |name: &str| {
        let found = attempt.budgets.iter().find(|one| one.name == name);
        found.map_or(0, |one| one.used)
    };
    Ok(NodeEnd {
        number: attempt.attempt_no,
        witness: entry.witness,
        statement: entry.statement.as_slice().into(),
        outcome: attempt.outcome.clone(),
        fault: attempt.fault.clone(),
        disposition: attempt.disposition,
        reroute: attempt.reroute.clone(),
        options: attempt.options.clone(),
        released,
        bodies: bodies(attempt),
        gates: holding(&attempt.gates),
        used: Amount {
            tokens: used("tokens"),
            time_ms: used("time_ms"),
            tools: used("tools"),
            cost_micros: used("cost_micros"),
        },
    })
}

/// What `attempt` has released.
pub(crate) fn released(
    payloads: Payloads<'_>,
    attempt: &AttemptPredicate,
    contents: &Contents,
) -> Result<ReleasedStep, ResumeError> {
    let mut emissions = Vec::with_capacity(attempt.outputs.len());
    for output in &attempt.outputs {
        for artifact in &output.artifacts {
            if let Ok(Some(bytes)) = payloads.ledger.blob(payloads.reader, artifact.digest) {
                contents.keep(artifact.digest, Arc::from(bytes));
            }
        }
        let body = payloads
            .find(output.body)
            .map_err(|detail| ResumeError::OutputLost {
                step: attempt.step.clone(),
                digest: output.body,
                detail,
            })?;
        emissions.push(Emission {
            target: output.target.clone(),
            operation: output.operation.clone(),
            media_type: output.media_type.clone(),
            artifacts: output.artifacts.clone(),
            body,
        });
    }
    Ok(ReleasedStep {
        handled: attempt.envelope.id,
        span: attempt.span,
        emissions,
    })
}
