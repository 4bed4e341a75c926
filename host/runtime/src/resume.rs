//! What an interrupted execution has already done, read back from its log.
//!
//! INVARIANT: a step with a durable end is never run again; what it released is taken from the evidence, digests checked.

use std::{collections::BTreeMap, sync::Arc};

use aim_core::{
    digest::Digest,
    effect::EffectEnd,
    envelope::Emission,
    gate::GateKind,
    id::{EnvelopeId, SpanId},
    name::StepName,
    outcome::{Failure, Fault, Outcome},
    verdict::{Disposition, Verdict},
    witness::AttemptPredicate,
};
use aim_ports::{artifact::ArtifactStore, log::LogReader};

use crate::{
    ledger::{Execution, Ledger, LedgerError},
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

/// What one step has done so far.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Digests of its witnesses, in order.
    pub witnesses: Vec<Digest>,
    /// How it ended for good; absent when another attempt is due.
    pub end: Option<DoneEnd>,
}

/// How a step ended for good.
#[derive(Debug, Clone)]
pub struct DoneEnd {
    /// The last attempt's outcome.
    pub outcome: Outcome,
    /// Why it did not complete.
    pub fault: Option<Fault>,
    /// What it released; absent when nothing was.
    pub released: Option<ReleasedStep>,
    /// What a condition of the plan asked the host to do.
    pub disposition: Disposition,
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

/// Everything an interrupted execution has done, by step.
#[derive(Debug, Clone, Default)]
pub struct Resumed(pub BTreeMap<StepName, Done>);

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

/// Reads back what `execution` has done. Small artifacts go to `contents`, where later steps find them.
///
/// # Errors
/// [`ResumeError`].
pub fn resume(
    payloads: Payloads<'_>,
    execution: &Execution,
    attempts_max: &dyn Fn(&StepName) -> u32,
    contents: &Contents,
) -> Result<Resumed, ResumeError> {
    let mut resumed = Resumed::default();
    for (entry, attempt) in payloads.ledger.attempts_of(execution) {
        let done = resumed.0.entry(attempt.step.clone()).or_default();
        done.witnesses.push(entry.witness);
        let may_retry = attempt.outcome == Outcome::Failed(Failure::Transient)
            && attempt.attempt_no < attempts_max(&attempt.step);
        // Cancelled is an interruption of the run, not an answer of the step; but what the world has noticed is not done
        // again by another attempt.
        let had_effect = (attempt.effects.iter())
            .any(|effect| matches!(effect.end, EffectEnd::Done | EffectEnd::Unknown));
        let was_interrupted = attempt.outcome == Outcome::Cancelled && !had_effect;
        done.end = if may_retry || was_interrupted {
            None
        } else {
            Some(end_of(payloads, attempt, contents)?)
        };
    }
    Ok(resumed)
}

fn end_of(
    payloads: Payloads<'_>,
    attempt: &AttemptPredicate,
    contents: &Contents,
) -> Result<DoneEnd, ResumeError> {
    let released = if attempt.released {
        Some(released(payloads, attempt, contents)?)
    } else {
        None
    };
    Ok(DoneEnd {
        outcome: attempt.outcome.clone(),
        fault: attempt.fault.clone(),
        released,
        disposition: if attempt.disposition.is_release() {
            disposition_of(attempt)
        } else {
            attempt.disposition
        },
    })
}

/// What a condition asked the host to do follows from its record: only `escalate` abstains and only `abort` objects.
fn disposition_of(attempt: &AttemptPredicate) -> Disposition {
    let conditions = attempt
        .gates
        .iter()
        .filter(|record| record.kind == GateKind::Condition);
    match Verdict::worst(
        conditions
            .map(|record| record.verdict)
            .chain([Verdict::Pass]),
    ) {
        Verdict::Pass | Verdict::Warn => Disposition::Release,
        Verdict::Abstain => Disposition::Escalate,
        Verdict::Fail | Verdict::Error => Disposition::Abort,
    }
}

fn released(
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
