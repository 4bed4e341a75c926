//! What is done with a judged end: outputs stored before its witness; changes published, and the caller told, after it.
//!
//! INVARIANT: nothing that the attempt staged leaves it before its witness is durable.

use std::{sync::Arc, time::Duration};

use aim_core::{
    attempt::{Ended, Position},
    digest::Digest,
    id::AttemptId,
    pool::Amount,
    verdict::Verdict,
};
use aim_ports::PortError;

use super::{AttemptError, Concluded, RunFacts, Summary, budget, done::Done};
use crate::{host::Host, record, services::Contents, unit::Unit};

pub(super) async fn store_large(host: &Host, done: &Done) -> Result<(), PortError> {
    let large = record::large_contents(done);
    if large.is_empty() {
        return Ok(());
    }
    let store = Arc::clone(&host.store);
    let written = tokio::task::spawn_blocking(move || {
        large
            .iter()
            .try_for_each(|bytes| store.write(bytes).map(drop))
    });
    written.await.unwrap_or_else(|error| {
        let fault = aim_ports::PortFault::FailStop;
        Err(PortError::new(
            fault,
            "writing an artifact",
            error.to_string(),
        ))
    })
}

/// Brings what the attempt has staged to where it belongs, once its witness is durable.
pub(super) async fn apply(
    host: &Host,
    of: (&Unit, &RunFacts),
    done: &Done,
    witness: Digest,
) -> Result<(), AttemptError> {
    let Some(report) = done.report.as_ref().filter(|_| done.ended.is_releasable()) else {
        return Ok(());
    };
    let applied = host.effects.apply(host, of, &report.effects, witness);
    applied.await.map(drop).map_err(AttemptError::Publish)
}

/// Keeps what the gates said for the next time that they are asked about the step.
pub(super) fn note_verdicts(host: &Host, (unit, run): (&Unit, &RunFacts), done: &Done) {
    let outcome = done.composite.as_ref().map(|record| record.outcome);
    let step = &unit.step.name;
    host.history
        .note(run.run, step, done.ended.gates(), outcome);
}

pub(super) fn conclude(
    attempt: AttemptId,
    done: Done,
    contents: &Contents,
    position: Position,
    took: Duration,
) -> Concluded {
    let summary = Summary {
        outcome: done.ended.outcome().clone(),
        fault: done.ended.fault().cloned(),
        verdict: done.ended.verdict(),
        remarks: remarks(&done.ended),
        bodies: done.bodies,
        holding: crate::execute::holding(done.ended.gates()),
        reroute: done.reroute,
        options: done.options,
        used: done
            .report
            .as_ref()
            .map_or_else(Amount::default, budget::used),
        position,
        disposition: done.disposition,
        took,
        fuel_used: done.report.as_ref().map_or(0, |report| report.fuel_used),
    };
    if done.ended.is_releasable() {
        for staged in done.report.into_iter().flat_map(|report| report.staged) {
            if staged.bytes.len() <= record::LOG_BLOB_BYTES_MAX {
                contents.keep(staged.reference.digest, staged.bytes);
            }
        }
    }
    let handled = done.ended.envelope().id;
    Concluded {
        attempt,
        handled,
        release: done.ended.witness(position).release(),
        summary,
        statement: Arc::default(),
    }
}

/// What gates said that did not simply pass, each reason once.
fn remarks(ended: &Ended) -> Vec<String> {
    let mut remarks: Vec<String> = Vec::new();
    let notable = ended
        .gates()
        .iter()
        .filter(|record| record.verdict > Verdict::Pass);
    for reason in notable.flat_map(|record| &record.reasons) {
        if !remarks.contains(reason) {
            remarks.push(reason.clone());
        }
    }
    remarks
}
