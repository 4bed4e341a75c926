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
    attempt::{Cleared, Ended, Position, Received, Released, RunEnd, Witnessed},
    digest::Digest,
    effect::{EffectRecord, indeterminate, settle},
    envelope::Envelope,
    gate::{GateRecord, asks_for_a_person},
    id::{AttemptId, EnvelopeId, ExecutionId, RunId, SpanId, TraceId},
    kappa::composite::CompositeRecord,
    limits::Limits,
    name::{StepName, TenantId},
    outcome::{Failure, Fault, LimitKind, Outcome},
    plan::StepPath,
    pool::Amount,
    quarantine::may_be_released_by_people,
    stateflow::State,
    time::Timestamp,
    verdict::{Disposition, Verdict},
    witness::KappaRecord,
};
use aim_engine::{Cancel, PlanBudget, Resources, StepCall, StepContext, StepEnd, StepReport};
use aim_ports::PortError;

use crate::{
    around::Around,
    commit::CommitError,
    conditions,
    effects::{Base, bases, documents},
    egress::{self, Outgoing},
    execute::{RealTimer, Timer},
    history::Scope,
    host::Host,
    ingress,
    judge::{REASONS_MAX, ask_all},
    outside::{DeskParts, EffectDesk},
    reach::Reach,
    record::{self, Facts},
    services::{Asking, Contents},
    tokens,
    traffic::Place,
    unit::Unit,
};

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

/// What a gate was asked when it held a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The gate, by name.
    pub gate: String,
    /// Digest of the request: exactly what was judged.
    pub request: Digest,
}

/// What people have said yes to: which gates may be passed by what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// The gates that held the step, each with exactly what it judged and the digest of the answer's statement; anything else
    /// is held again.
    pub held: Vec<(Held, Digest)>,
}

impl Accepted {
    /// Adds an answer to those that people have given before.
    pub fn extend(&mut self, held: Vec<Held>, witness: Digest) {
        self.held.extend(held.into_iter().map(|one| (one, witness)));
    }

    /// The answer that lets exactly this request pass `gate`, in words; `None` when there is none.
    #[must_use]
    pub fn covers(&self, gate: &str, request: Digest) -> Option<String> {
        let mut held = self.held.iter();
        let (_, witness) = held.find(|(one, _)| one.gate == gate && one.request == request)?;
        Some(format!("a person answered yes: {witness}"))
    }

    /// Makes a warning of what gates have left to a person, where this is the answer. An objection and an error stay.
    pub(crate) fn lift(&self, records: &mut [GateRecord]) {
        for record in records {
            if record.verdict == Verdict::Abstain
                && let Some(reason) = self.covers(&record.gate, record.request)
            {
                record.verdict = Verdict::Warn;
                record.reasons.truncate(REASONS_MAX.saturating_sub(1));
                record.reasons.push(reason);
            }
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

/// The judged end of an attempt, before it is written down.
pub(crate) struct Done {
    pub(crate) ended: Ended,
    pub(crate) report: Option<StepReport>,
    pub(crate) bodies: Vec<Digest>,
    pub(crate) kappa: Option<KappaRecord>,
    pub(crate) composite: Option<CompositeRecord>,
    pub(crate) disposition: Disposition,
    pub(crate) effects: Vec<EffectRecord>,
    pub(crate) reroute: Option<StepName>,
    pub(crate) options: BTreeMap<StepName, String>,
    /// What the writable folders held that it could read.
    pub(crate) bases: Vec<Base>,
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

impl Done {
    /// True when outputs are stored: they will be released, or people may still release them.
    pub(crate) fn is_kept(&self) -> bool {
        self.ended.is_releasable() || self.disposition == Disposition::Quarantine
    }

    fn early(ended: Ended) -> Self {
        let disposition = if asks_for_a_person(ended.gates()) {
            Disposition::Escalate
        } else {
            Disposition::Release
        };
        Self {
            ended,
            report: None,
            bodies: Vec::new(),
            kappa: None,
            composite: None,
            disposition,
            effects: Vec::new(),
            reroute: None,
            bases: Vec::new(),
            options: BTreeMap::new(),
        }
    }
}

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
        is_idempotent: unit.contract.is_idempotent,
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

/// Brings what the attempt has staged to where it belongs, once its witness is durable.
async fn apply(
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
fn note_verdicts(host: &Host, (unit, run): (&Unit, &RunFacts), done: &Done) {
    let outcome = done.composite.as_ref().map(|record| record.outcome);
    let step = &unit.step.name;
    host.history
        .note(run.run, step, done.ended.gates(), outcome);
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
        place = host.door.enter(&run.tenant, unit.limits.memory_bytes_max) => {
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

/// Moves the envelope out, so that its body is never copied on the way to the guest's door.
pub(crate) fn take_envelope(task: &mut Task) -> Envelope {
    let empty = Envelope {
        id: task.envelope.id,
        correlation: task.envelope.correlation,
        causation: None,
        operation: String::new(),
        media_type: String::new(),
        artifacts: Vec::new(),
        body: Vec::new(),
    };
    std::mem::replace(&mut task.envelope, empty)
}

/// From the envelope to the judged end: the one loop, for attempts that count and for replays of them.
pub(crate) async fn drive(
    around: &Around<'_>,
    unit: &Unit,
    run: &RunFacts,
    task: &Task,
    (attempt, envelope, body): (AttemptId, Envelope, Digest),
    watch: &Watch,
) -> Done {
    if let Some((outcome, fault)) = task.reach.too_deep(&unit.limits) {
        return Done::early(Received::new(envelope).stop(outcome, fault));
    }
    let request = ingress::request(unit, run, &envelope, body, task.is_first_of_plan);
    let digest = request.digest();
    let screened = match ingress::screen(Received::new(envelope), unit, run, digest) {
        Ok(screened) => screened,
        Err(ended) => return Done::early(ended),
    };
    let scope = around.scope(unit, run);
    let accepted = task.accepted.as_ref();
    let conditions = conditions::ingress(unit, screened.envelope(), accepted, digest);
    let (disposition, reroute) = (conditions.disposition(), conditions.reroute());
    let options = conditions.options();
    let mut records = ask_all(&unit.gates, request, digest, &scope).await;
    records.extend(conditions.records);
    if let Some(accepted) = accepted {
        accepted.lift(&mut records);
    }
    let cleared = match screened.clear(records) {
        Ok(cleared) => cleared,
        Err(ended) => {
            let early = Done::early(ended);
            return Done {
                disposition: early.disposition.max(disposition),
                reroute,
                options,
                ..early
            };
        }
    };
    let resources = match around.resources(unit, run).await {
        Ok(resources) => resources,
        Err(error) => return Done::early(unavailable(cleared, &error)),
    };
    let bases = bases(unit, &resources);
    let about = (&cleared, &scope, resources);
    let call = call(around, unit, run, (task, attempt), about, &watch.cancel);
    let mut report = unit.linked.invoke(call).await;
    if let StepEnd::Ended(Outcome::Cancelled, _) = &report.end
        && let Some((outcome, fault)) = watch.late(State::Executing)
    {
        report.end = StepEnd::Ended(outcome, fault);
    }
    let effects = around.close().await;
    let done = finish((unit, task), run, cleared, report, (&scope, &effects)).await;
    Done { bases, ..done }
}

/// What the step needs can not be read now; nothing of it ran.
fn unavailable(cleared: Cleared, error: &PortError) -> Ended {
    let fault = Fault {
        code: "AIM-S004".to_owned(),
        message: error.to_string(),
    };
    let end = RunEnd::Stopped(Outcome::Failed(Failure::Transient), fault);
    cleared.run(end).judge(Vec::new())
}

fn call(
    around: &Around<'_>,
    unit: &Unit,
    run: &RunFacts,
    (task, attempt): (&Task, AttemptId),
    (cleared, scope, resources): (&Cleared, &Scope, Resources),
    cancel: &Cancel,
) -> StepCall {
    let envelope = cleared.envelope().clone();
    let span = SpanId::of(attempt).to_string();
    let short_span = span.get(..16).unwrap_or_default();
    let clock = around.clock();
    StepCall {
        context: Arc::new(StepContext {
            run: run.run.to_string(),
            step: unit.step.name.to_string(),
            role: unit.step.role.to_string(),
            attempt: task.attempt_no,
            tenant: run.tenant.to_string(),
            actor: run.actor.clone(),
            correlation: envelope.correlation.to_string(),
            causation: envelope.causation.map(|id| id.to_string()),
            traceparent: format!("00-{}-{short_span}-01", run.trace),
            labels: task.labels.clone(),
            plan: run.plan,
            component: unit.component,
            seed: run.seed,
            pinned_time: run.pinned_time,
        }),
        envelope,
        grant: Arc::clone(&unit.grant),
        terms: tokens::terms((around.origin(), clock.now()), unit, run, task),
        clock,
        limits: limits(unit, task),
        budget: PlanBudget {
            calls: Some(task.share.tools),
            tokens: Some(task.share.tokens),
            cost_micros: (unit.step.budget.cost_micros).map(|_| task.share.cost_micros),
            prices: around.prices(),
        },
        services: around.services(unit, run, scope),
        folders: Arc::clone(&unit.folders),
        playback: around.playback(),
        resources,
        cancel: cancel.clone(),
    }
}

/// The contract's limits, with no more time than the plan leaves.
fn limits(unit: &Unit, task: &Task) -> Limits {
    let mut limits = unit.limits;
    limits.deadline_ms_max = limits.deadline_ms_max.min(task.share.time_ms);
    limits
}

/// Time that a plan's budget has ended is the plan's overrun, not the contract's.
fn of_budget(unit: &Unit, task: &Task, end: StepEnd) -> StepEnd {
    match end {
        StepEnd::Ended(Outcome::Limit(LimitKind::Deadline), fault)
            if task.share.time_ms < unit.contract.limits.deadline_ms_max =>
        {
            let fault = Fault {
                code: "ACL-R101".to_owned(),
                message: format!(
                    "the plan's budget of {} ms is used up: {}",
                    task.share.time_ms, fault.message
                ),
            };
            StepEnd::Ended(Outcome::Limit(LimitKind::Deadline), fault)
        }
        StepEnd::Ended(
            outcome @ Outcome::Limit(LimitKind::Tokens | LimitKind::Tools | LimitKind::Cost),
            fault,
        ) => {
            let fault = Fault {
                code: "ACL-R101".to_owned(),
                message: format!("the plan's budget is used up: {}", fault.message),
            };
            StepEnd::Ended(outcome, fault)
        }
        other => other,
    }
}

async fn finish(
    (unit, task): (&Unit, &Task),
    run: &RunFacts,
    cleared: Cleared,
    mut report: StepReport,
    (scope, effects): (&Scope, &[EffectRecord]),
) -> Done {
    let end = std::mem::replace(&mut report.end, StepEnd::Answered(Vec::new()));
    let end = match of_budget(unit, task, end).into_run_end() {
        RunEnd::Stopped(outcome, fault) => {
            let settled = settle(&outcome, effects, unit.contract.is_idempotent);
            let (outcome, fault) = settled.unwrap_or((outcome, fault));
            RunEnd::Stopped(outcome, fault)
        }
        answered @ RunEnd::Answered(_) => answered,
    };
    let ran = cleared.run(task.reach.limited(end, &unit.limits));
    let bodies: Vec<Digest> = ran
        .emissions()
        .unwrap_or_default()
        .iter()
        .map(|emission| Digest::of(&emission.body))
        .collect();
    let judged = match ran.emissions() {
        Some(emissions) => {
            let outgoing = Outgoing {
                emissions,
                bodies: &bodies,
                staged: &report.staged,
                effects: &report.effects,
                claims: &report.claims,
                budget_ppm: egress::budget_ppm(unit, &report),
            };
            let about = (ran.envelope(), &outgoing);
            let most = lasts(State::Evaluating, unit);
            tokio::select! {
                biased;
                judged = egress::judge(unit, run, about, (scope, task.accepted.as_ref())) => judged,
                () = task.timer.lasts(State::Evaluating, most) => egress::Judged::late(),
            }
        }
        None => egress::Judged::nothing(),
    };
    let ended = ran.judge(judged.records);
    let disposition = match may_be_kept_aside(&ended, &report) {
        true if unit.is_quarantining && judged.disposition != Disposition::Abort => {
            Disposition::Quarantine
        }
        // What people may not release is not kept for them, whatever the plan says.
        false if judged.disposition == Disposition::Quarantine => Disposition::Release,
        _ if asks_for_a_person(ended.gates()) => judged.disposition.max(Disposition::Escalate),
        _ => judged.disposition,
    };
    Done {
        disposition,
        ended,
        report: Some(report),
        bodies,
        kappa: judged.kappa,
        composite: judged.composite,
        effects: Vec::new(),
        reroute: judged.reroute,
        bases: Vec::new(),
        options: judged.options,
    }
}

/// True when people may release all that the attempt would let go. What it has staged in buckets and folders can't be handed
/// on later: others may have changed them by then.
fn may_be_kept_aside(ended: &Ended, report: &StepReport) -> bool {
    !ended.is_releasable()
        && !ended.emissions().is_empty()
        && report.effects.buckets.is_empty()
        && report.effects.folders.is_empty()
        && may_be_released_by_people(ended.gates())
}

async fn store_large(host: &Host, done: &Done) -> Result<(), PortError> {
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

fn conclude(
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
        used: done.report.as_ref().map_or_else(Amount::default, used),
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

/// What an attempt used of the plan's budget: what its witness says.
fn used(report: &StepReport) -> Amount {
    Amount {
        time_ms: report.wall_ms,
        ..report.spent
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
