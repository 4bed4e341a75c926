//! One attempt, driven through core's chain: screened, cleared, run, judged, witnessed, released.
//!
//! INVARIANT: whatever happens after an envelope was received, exactly one witness is committed, or the host stops.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aim_core::{
    access::Capability,
    attempt::{Position, Received, Released, Witnessed},
    digest::Digest,
    effect::indeterminate,
    envelope::Envelope,
    id::{AttemptId, EnvelopeId, ExecutionId, RunId, SpanId, TraceId},
    name::{StepName, TenantId},
    outcome::{Fault, LimitKind, Outcome},
    plan::StepPath,
    pool::Amount,
    stateflow::State,
    time::Timestamp,
    traffic::memory_bytes,
    verdict::{Disposition, Verdict},
};
use aim_engine::Cancel;
use aim_ports::PortError;

use crate::{
    around::Around,
    commit::CommitError,
    effects::documents,
    execute::{RealTimer, Timer},
    history::Scope,
    host::Host,
    outside::{DeskParts, EffectDesk},
    reach::Reach,
    record::{self, Facts},
    services::{Asking, Contents},
    traffic::Place,
    unit::Unit,
};

mod accepted;
mod budget;
mod done;
mod drive;
mod settle;

pub(crate) use accepted::ANSWERED;
pub use accepted::{Accepted, Held};
pub(crate) use done::Done;
pub(crate) use drive::{drive, take_envelope};
use settle::{apply, conclude, note_verdicts, store_large};

/// What all attempts of one execution share.
#[derive(Debug, Clone)]
pub struct RunFacts {
    /// The pinned question.
    pub run: RunId,
    /// The try of it.
    pub execution: ExecutionId,
    /// The execution's trace.
    pub trace: TraceId,
    /// Digest of the plan IR.
    pub plan: Digest,
    /// The plan's name.
    pub plan_name: StepName,
    /// The plan's analogy.
    pub quip: Option<String>,
    /// Whose run it is.
    pub tenant: TenantId,
    /// Who asked.
    pub actor: String,
    /// Seed of virtual randomness.
    pub seed: u64,
    /// The root envelope's id.
    pub correlation: EnvelopeId,
    /// What virtual wall clocks show.
    pub pinned_time: Timestamp,
}

/// One try of one step.
#[derive(Debug)]
pub struct Task {
    /// From 1.
    pub attempt_no: u32,
    /// Where the node stands.
    pub path: StepPath,
    /// What the step is given.
    pub envelope: Envelope,
    /// Span of the attempt that emitted it.
    pub parent_span: Option<SpanId>,
    /// True for the first step of the plan, where the plan's analogy is judged.
    pub is_first_of_plan: bool,
    /// Where in the plan the step is.
    pub reach: Reach,
    /// What the step is told beside its envelope.
    pub labels: BTreeMap<String, String>,
    /// What was taken from the plan's budget for it.
    pub share: Amount,
    /// Ends the attempt before anything is asked.
    pub stop: Option<(Outcome, Fault)>,
    /// What a person has let go.
    pub accepted: Option<Accepted>,
    /// Says when a state has lasted too long.
    pub timer: Arc<dyn Timer>,
}

impl Task {
    /// The first attempt of a step that stands alone, with its whole budget.
    #[must_use]
    pub fn first(unit: &Unit, envelope: Envelope) -> Self {
        Self {
            attempt_no: 1,
            path: StepPath::from(&unit.step.name),
            envelope,
            parent_span: None,
            is_first_of_plan: false,
            labels: BTreeMap::new(),
            reach: Reach::ALONE,
            share: Amount::whole(&unit.step.budget),
            stop: None,
            accepted: None,
            timer: Arc::new(RealTimer),
        }
    }
}

/// An attempt whose witness is durable.
#[derive(Debug)]
pub struct Concluded {
    /// Which attempt it was.
    pub attempt: AttemptId,
    /// The envelope that was handled.
    pub handled: EnvelopeId,
    /// What may leave; or the attempt itself, where nothing may.
    pub release: Result<Released, Witnessed>,
    /// How it ended, for people.
    pub summary: Summary,
    /// The exact statement that its witness signs.
    pub statement: Arc<[u8]>,
}

/// How an attempt ended, for people and for the schedule.
#[derive(Debug, Clone)]
pub struct Summary {
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not complete.
    pub fault: Option<Fault>,
    /// The worst verdict.
    pub verdict: Verdict,
    /// Reasons of gates that did not simply pass.
    pub remarks: Vec<String>,
    /// Digests of what it wanted to let go, in order.
    pub bodies: Vec<Digest>,
    /// Gates that held it.
    pub holding: Vec<Held>,
    /// The standby step that the plan sends it to.
    pub reroute: Option<StepName>,
    /// What the answer of the gate that holds it wants the next try to be told.
    pub options: BTreeMap<StepName, String>,
    /// What it used of the plan's budget.
    pub used: Amount,
    /// Where the witness is.
    pub position: Position,
    /// What the host does after the verdict; `Release` for nothing more than it says.
    pub disposition: Disposition,
    /// How long it took.
    pub took: Duration,
    /// Fuel that was used.
    pub fuel_used: u64,
}

/// Why an attempt could not be brought to its end. The host stops.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// The evidence could not be made durable.
    #[error("committing the witness: {0}")]
    Commit(#[from] CommitError),
    /// An output could not be made durable.
    #[error("storing an output: {0}")]
    Store(#[from] PortError),
    /// Committed changes could not be brought to their folder; they are when the host opens again.
    #[error("publishing what was committed: {0}")]
    Publish(PortError),
}

/// Stops one attempt: with its run, or because its state has lasted too long.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    cancel: Cancel,
    is_late: AtomicBool,
}

impl Watch {
    /// What a cancelled attempt ends as, when it was this attempt that took too long and not the run that was stopped.
    fn late(&self, state: State) -> Option<(Outcome, Fault)> {
        self.is_late.load(Ordering::Acquire).then(|| {
            let fault = Fault {
                code: LATE.to_owned(),
                message: format!(
                    "the step was {} for longer than its table allows",
                    state.word()
                ),
            };
            (Outcome::Limit(LimitKind::Deadline), fault)
        })
    }
}

/// The code of a state that has lasted too long.
pub(crate) const LATE: &str = "AIM-R073";

/// Where the attempt's effects are judged and written down.
fn desk(host: &Host, unit: &Unit, run: &RunFacts, attempt: AttemptId) -> EffectDesk {
    let scope = Scope {
        history: Arc::clone(&host.history),
        run: run.run,
        step: unit.step.name.clone(),
        turnstile: host.turnstile.clone(),
    };
    let left = &host.unwitnessed;
    let priors = left.priors.get(&attempt).cloned().unwrap_or_default();
    let answers = if priors.is_empty() {
        BTreeMap::new()
    } else {
        left.answers.clone()
    };
    EffectDesk::new(DeskParts {
        execution: run.execution,
        attempt,
        outside: host.outside.clone(),
        addresses: unit.addresses.clone(),
        commit: host.committer.handle(),
        store: Arc::clone(&host.store),
        asking: Asking::new(unit, run.plan_name.as_str(), &scope),
        is_idempotent: unit.is_idempotent,
        is_opaque: unit.contract.is_payload_opaque,
        secrets: (unit.grant.scope_of(Capability::Secrets))
            .map(str::to_owned)
            .collect(),
        priors,
        answers,
    })
}

/// Runs one attempt to its durable end. It is stopped with its run, and when it executes for longer than its state may last:
/// the engine counts the guest's own time, this clock counts whatever it waits for as well.
///
/// # Errors
/// [`AttemptError`] when evidence or outputs can not be made durable; nothing was released then.
pub async fn run_attempt(
    host: &Host,
    unit: &Unit,
    run: &RunFacts,
    contents: &Arc<Contents>,
    task: Task,
    cancel: &Cancel,
) -> Result<Concluded, AttemptError> {
    let watch = Watch::default();
    let timer = Arc::clone(&task.timer);
    let most = lasts(State::Executing, unit);
    let attempt = attempt(host, unit, run, contents, task, &watch);
    tokio::pin!(attempt);
    let late = async {
        timer.lasts(State::Executing, most).await;
        watch.is_late.store(true, Ordering::Release);
    };
    tokio::select! {
        biased;
        concluded = &mut attempt => return concluded,
        () = cancel.wait() => {}
        () = late => {}
    }
    watch.cancel.cancel();
    attempt.await
}

/// How long a state of the unit's step may last.
fn lasts(state: State, unit: &Unit) -> Duration {
    let rule = state.rule();
    let most = rule.and_then(|rule| rule.lasts.ms(unit.step.budget.time_ms));
    most.map_or(Duration::MAX, Duration::from_millis)
}

async fn attempt(
    host: &Host,
    unit: &Unit,
    run: &RunFacts,
    contents: &Arc<Contents>,
    mut task: Task,
    watch: &Watch,
) -> Result<Concluded, AttemptError> {
    let started_at = host.clock.now();
    let began = host.clock.elapsed();
    let attempt = AttemptId::of(run.execution, task.path.as_str(), task.attempt_no);
    let body = Digest::of(&task.envelope.body);
    let envelope = take_envelope(&mut task);
    let turn = host.effects.turn(unit, run).await;
    let desk = Arc::new(desk(host, unit, run, attempt));
    // Running into an effect that may have happened could do it twice.
    let stop = task.stop.take().or_else(|| desk.stuck().map(indeterminate));
    let place = match stop {
        Some(stop) => Err(stop),
        None => take_place(host, unit, run, watch).await,
    };
    let mut done = match place {
        Ok(_place) => {
            let given = (attempt, envelope, body);
            let around = Around::live(host, contents, &desk);
            drive(&around, unit, run, &task, given, watch).await
        }
        Err((outcome, fault)) => Done::early(Received::new(envelope).stop(outcome, fault)),
    };
    // Nothing is begun behind this point; what was is in the list, for an attempt that ended early as well.
    done.effects = desk.close().await;
    store_large(host, &done).await?;
    let documents = (done.report.as_ref()).map_or_else(Vec::new, |r| documents(&r.effects));
    let facts = Facts {
        documents: &documents,
        host: &host.facts,
        unit,
        run,
        task: &task,
        attempt,
        ended: &done.ended,
        body,
        bodies: &done.bodies,
        report: done.report.as_ref(),
        kappa: done.kappa.clone(),
        composite: done.composite.clone(),
        disposition: done.disposition,
        effects: &done.effects,
        would_deny: &desk.would_deny(),
        reroute: done.reroute.clone(),
        bases: &done.bases,
        options: done.options.clone(),
        started_at,
        ended_at: host.clock.now(),
    };
    let submission = record::submission(&facts);
    let statement: Arc<[u8]> = submission.statement().into();
    let position = host.committer.commit_witness(submission).await?;
    note_verdicts(host, (unit, run), &done);
    apply(host, (unit, run), &done, position.witness).await?;
    drop(turn);
    let took = host.clock.elapsed().saturating_sub(began);
    Ok(Concluded {
        statement,
        ..conclude(attempt, done, contents, position, took)
    })
}

/// Waits until the host has room for the attempt, by the memory that its limits allow.
async fn take_place(
    host: &Host,
    unit: &Unit,
    run: &RunFacts,
    watch: &Watch,
) -> Result<Place, (Outcome, Fault)> {
    let ended = |outcome, code: &str, message: String| {
        let code = code.to_owned();
        (outcome, Fault { code, message })
    };
    tokio::select! {
        biased;
        place = host.door.enter(&run.tenant, memory_bytes(&unit.limits, &unit.grant)) => {
            place.map_err(|busy| {
                ended(Outcome::Limit(LimitKind::Concurrency), busy.code(), busy.to_string())
            })
        }
        () = watch.cancel.wait() => {
            let message = "cancelled while it waited for a place".to_owned();
            let cancelled = ended(Outcome::Cancelled, "AIM-R062", message);
            Err(watch.late(State::Executing).unwrap_or(cancelled))
        }
    }
}
