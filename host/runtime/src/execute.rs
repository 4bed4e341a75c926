//! A plan's execution: which step runs when, with what, and what the run comes to.
//!
//! INVARIANT: what a run exits with follows from the plan's witness; the plan's witness lists every step, run or not.

use std::{collections::BTreeMap, sync::Arc};

use aim_core::{
    attempt::Position,
    digest::{Digest, Sha256},
    event::ExecutionStart,
    frame::FrameKind,
    id::SpanId,
    join::{Consumer, Delivery, join, root},
    leaf::LeafKind,
    name::StepName,
    outcome::{Exit, Failure, Fault, Outcome},
    plan::{Lock, Plan},
    schedule::{Requirement, Schedule},
    time::Timestamp,
    verdict::Disposition,
    witness::{PLAN_PREDICATE, PlanPredicate, Statement, StepState, StepSummary, Subject},
};
use aim_engine::Cancel;
use aim_ports::PortError;
use tokio::task::JoinSet;

use crate::{
    attempt::{AttemptError, Concluded, RunFacts, Summary, Task, run_attempt},
    commit::{CommitError, Submission},
    host::Host,
    inputs::Inputs,
    progress::{Progress, Watcher},
    reach::Reach,
    record::LOG_BLOB_BYTES_MAX,
    resume::{DoneEnd, ReleasedStep, Resumed},
    services::Contents,
    unit::Unit,
};

/// Steps that run at the same time at most.
const CONCURRENT_STEPS_MAX: usize = 5;

/// One execution to carry out.
#[derive(Debug)]
pub struct Job {
    /// What all attempts share.
    pub facts: RunFacts,
    /// From 1.
    pub number: u32,
    /// The plan.
    pub plan: Plan,
    /// What it was resolved to.
    pub lock: Lock,
    /// One unit for each step, in plan order.
    pub units: Vec<Unit>,
    /// The named inputs.
    pub inputs: Inputs,
    /// What an interrupted try has done; `None` starts anew.
    pub resumed: Option<Resumed>,
    /// Small artifacts at hand.
    pub contents: Arc<Contents>,
}

/// What became of a run.
#[derive(Debug)]
pub struct RunReport {
    /// How the process should exit.
    pub exit: Exit,
    /// Every step, in plan order.
    pub steps: Vec<StepReport>,
    /// Where the plan's witness is.
    pub position: Position,
}

/// What became of a step.
#[derive(Debug)]
pub struct StepReport {
    /// The step.
    pub step: StepName,
    /// Its final state.
    pub state: StepState,
    /// True when the exit depends on it.
    pub is_required: bool,
    /// How its last attempt ended; absent when it never ran.
    pub outcome: Option<Outcome>,
    /// Why it did not complete.
    pub fault: Option<Fault>,
    /// What it released.
    pub released: Option<ReleasedStep>,
}

/// Why an execution could not be brought to its end. The host stops; what is durable can be resumed.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// An attempt could not be concluded.
    #[error(transparent)]
    Attempt(#[from] AttemptError),
    /// Evidence of the run could not be made durable.
    #[error("committing the run: {0}")]
    Commit(#[from] CommitError),
    /// An input could not be made durable.
    #[error("storing an input: {0}")]
    Store(#[from] PortError),
    /// A task of the host ended by itself: our bug.
    #[error("a task of the host ended unexpectedly: {0}")]
    Bug(String),
}

/// What one step has come to during the execution.
#[derive(Debug, Default)]
struct Slot {
    witnesses: Vec<Digest>,
    outcome: Option<Outcome>,
    fault: Option<Fault>,
    released: Option<ReleasedStep>,
}

/// All attempts of one step, to its settled end.
struct StepEnd {
    index: usize,
    witnesses: Vec<Digest>,
    concluded: Concluded,
    span: SpanId,
}

struct Execution {
    host: Arc<Host>,
    facts: Arc<RunFacts>,
    units: Arc<Vec<Unit>>,
    plan: Plan,
    inputs: Inputs,
    contents: Arc<Contents>,
    watcher: Arc<dyn Watcher>,
    cancel: Cancel,
    schedule: Schedule,
    reaches: Vec<Reach>,
    slots: Vec<Slot>,
    started_at: Timestamp,
}

/// Carries out a job.
///
/// # Errors
/// [`ExecuteError`] when evidence or payloads can not be made durable.
pub async fn execute(
    host: Arc<Host>,
    job: Job,
    watcher: Arc<dyn Watcher>,
    cancel: Cancel,
) -> Result<RunReport, ExecuteError> {
    let started_at = host.clock.now();
    let lock = job.lock.digest();
    for (digest, bytes) in job.inputs.contents() {
        job.contents.keep(*digest, Arc::clone(bytes));
    }
    match &job.resumed {
        None => start(&host, &job, started_at).await?,
        Some(_) => store_inputs(&host, &job.inputs)?,
    }
    let requires = requirements(&job.plan);
    let mut execution = Execution {
        host,
        facts: Arc::new(job.facts),
        units: Arc::new(job.units),
        slots: (0..requires.len()).map(|_| Slot::default()).collect(),
        reaches: Reach::of_plan(&requires),
        schedule: Schedule::new(requires),
        plan: job.plan,
        inputs: job.inputs,
        contents: job.contents,
        watcher,
        cancel,
        started_at,
    };
    execution.take_resumed(job.resumed.unwrap_or_default());
    execution.run().await?;
    execution.conclude(lock).await
}

fn requirements(plan: &Plan) -> Vec<Vec<Requirement>> {
    let place: BTreeMap<&StepName, usize> = plan
        .steps()
        .iter()
        .enumerate()
        .map(|(index, step)| (&step.name, index))
        .collect();
    let of_step = |step: &aim_core::plan::Step| {
        let requires = step.requires.iter();
        requires
            .map(|require| Requirement {
                // A checked plan names known steps only; an unknown one would never become ready.
                step: place.get(&require.step).copied().unwrap_or(usize::MAX),
                is_optional: require.is_optional,
            })
            .collect()
    };
    plan.steps().iter().map(of_step).collect()
}

/// Makes the beginning of an execution durable, with everything that is needed to do it again.
async fn start(host: &Host, job: &Job, started_at: Timestamp) -> Result<(), ExecuteError> {
    store_inputs(host, &job.inputs)?;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap_or_default();
    let start = ExecutionStart {
        actor: job.facts.actor.clone(),
        execution: job.facts.execution,
        inputs: (job.inputs.by_name().iter())
            .map(|(name, input)| (name.to_string(), input.artifact.clone()))
            .collect(),
        lock: text(job.lock.to_json()),
        number: job.number,
        plan: text(job.plan.to_json()),
        plan_name: job.plan.name().clone(),
        run: job.facts.run,
        seed: job.facts.seed,
        started_at,
        tenant: job.facts.tenant.clone(),
        trace: job.facts.trace,
    };
    // Plain data with string keys only: serialisation has no failure to report.
    let frame = serde_json::to_vec(&start).unwrap_or_default();
    let small = job.inputs.contents().iter();
    let small = small.filter(|(_, bytes)| bytes.len() <= LOG_BLOB_BYTES_MAX);
    let blobs = small
        .map(|(digest, bytes)| (*digest, Arc::clone(bytes)))
        .collect();
    let submission = Submission::frame(FrameKind::ExecutionStart, frame, blobs);
    host.committer.commit(submission).await?;
    Ok(())
}

fn store_inputs(host: &Host, inputs: &Inputs) -> Result<(), PortError> {
    for (digest, bytes) in inputs.contents() {
        if bytes.len() > LOG_BLOB_BYTES_MAX && !host.store.contains(*digest) {
            host.store.write(bytes)?;
        }
    }
    Ok(())
}

impl Execution {
    /// Settles what an interrupted try has already ended.
    fn take_resumed(&mut self, resumed: Resumed) {
        let order: Vec<StepName> = self
            .plan
            .steps()
            .iter()
            .map(|step| step.name.clone())
            .collect();
        let mut done = resumed.0;
        for (index, step) in order.into_iter().enumerate() {
            let Some(done) = done.remove(&step) else {
                continue;
            };
            if let Some(slot) = self.slots.get_mut(index) {
                slot.witnesses = done.witnesses;
            }
            if let Some(end) = done.end {
                let state = state_of(&end.outcome, end.disposition, end.released.is_some());
                self.settle(index, end, state, true);
            }
        }
    }

    fn settle(&mut self, index: usize, end: DoneEnd, state: StepState, is_resumed: bool) {
        let before = self.schedule.states().to_vec();
        self.schedule.settle(index, state);
        if end.disposition == Disposition::Abort || end.outcome == Outcome::Cancelled {
            self.schedule.stop();
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.outcome = Some(end.outcome);
            slot.fault = end.fault;
            slot.released = end.released;
        }
        let after = self.schedule.states().to_vec();
        for (place, (old, new)) in before.into_iter().zip(after).enumerate() {
            if old != new
                && let Some(step) = self.plan.steps().get(place)
            {
                let step = step.name.clone();
                self.watcher.notice(Progress::Settled {
                    step,
                    state: new,
                    is_resumed,
                });
            }
        }
    }

    async fn run(&mut self) -> Result<(), ExecuteError> {
        let mut running: JoinSet<Result<StepEnd, AttemptError>> = JoinSet::new();
        loop {
            if self.cancel.is_cancelled() {
                self.schedule.stop();
            }
            for index in self.schedule.ready() {
                if running.len() >= CONCURRENT_STEPS_MAX {
                    break;
                }
                self.schedule.start(index);
                running.spawn(self.step(index));
            }
            let Some(joined) = running.join_next().await else {
                return Ok(());
            };
            let end = joined.map_err(|error| ExecuteError::Bug(error.to_string()))??;
            self.take(end);
        }
    }

    fn take(&mut self, end: StepEnd) {
        let Summary {
            outcome,
            fault,
            disposition,
            ..
        } = end.concluded.summary;
        let handled = end.concluded.handled;
        let released = end.concluded.release.ok().map(|released| ReleasedStep {
            handled,
            span: end.span,
            emissions: released.into_emissions(),
        });
        if let Some(slot) = self.slots.get_mut(end.index) {
            slot.witnesses.extend(end.witnesses);
        }
        let state = state_of(&outcome, disposition, released.is_some());
        self.settle(
            end.index,
            DoneEnd {
                outcome,
                fault,
                released,
                disposition,
            },
            state,
            false,
        );
    }

    /// The future that carries one step to its settled end.
    fn step(&self, index: usize) -> impl Future<Output = Result<StepEnd, AttemptError>> + use<> {
        let (host, facts, units) = (
            Arc::clone(&self.host),
            Arc::clone(&self.facts),
            Arc::clone(&self.units),
        );
        let (contents, watcher) = (Arc::clone(&self.contents), Arc::clone(&self.watcher));
        let cancel = self.cancel.clone();
        let task = self.task(index);
        async move {
            let Some(unit) = units.get(index) else {
                let fault = aim_ports::PortFault::NotFound;
                return Err(PortError::new(fault, "step", "no unit was admitted for it").into());
            };
            let stage = Stage {
                host: &host,
                unit,
                facts: &facts,
                contents: &contents,
            };
            stage.to_the_end(index, task, &*watcher, &cancel).await
        }
    }

    fn task(&self, index: usize) -> Task {
        let attempt_no = self.slots.get(index).map_or(0, |slot| slot.witnesses.len());
        let (envelope, parent_span) = self.envelope(index);
        Task {
            attempt_no: u32::try_from(attempt_no)
                .unwrap_or(u32::MAX)
                .saturating_add(1),
            envelope,
            parent_span,
            is_first_of_plan: index == 0,
            reach: self.reaches.get(index).copied().unwrap_or(Reach::ALONE),
        }
    }

    fn envelope(&self, index: usize) -> (aim_core::envelope::Envelope, Option<SpanId>) {
        let facts = &self.facts;
        let requires = self
            .plan
            .steps()
            .get(index)
            .map(|step| step.requires.as_slice())
            .unwrap_or_default();
        let Some(step) = self
            .plan
            .steps()
            .get(index)
            .filter(|_| !requires.is_empty())
        else {
            let tenant = facts.tenant.as_str();
            return (
                root(facts.run, tenant, &facts.actor, self.inputs.by_name()),
                None,
            );
        };
        let slots: Vec<(&StepName, Option<&ReleasedStep>)> = requires
            .iter()
            .map(|require| (&require.step, self.released(&require.step)))
            .collect();
        let deliveries: Vec<Delivery<'_>> = slots
            .iter()
            .map(|(step, released)| Delivery {
                step,
                handled: released.map_or(facts.correlation, |released| released.handled),
                emissions: released.map_or(&[], |released| released.emissions.as_slice()),
            })
            .collect();
        let consumer = Consumer {
            run: facts.run,
            correlation: facts.correlation,
            step: &step.name,
        };
        let parent = slots
            .iter()
            .find_map(|(_, released)| released.map(|one| one.span));
        (join(consumer, &deliveries), parent)
    }

    fn released(&self, step: &StepName) -> Option<&ReleasedStep> {
        let place = self
            .plan
            .steps()
            .iter()
            .position(|candidate| candidate.name == *step)?;
        self.slots.get(place)?.released.as_ref()
    }

    /// Commits the plan's witness and says what the run comes to.
    async fn conclude(self, lock: Digest) -> Result<RunReport, ExecuteError> {
        let exit = self.exit();
        let facts = &self.facts;
        let predicate = PlanPredicate {
            actor: facts.actor.clone(),
            ended_at: self.host.clock.now(),
            execution: facts.execution,
            exit_code: exit.code(),
            host: self.host.facts.host.clone(),
            inputs: (self.inputs.by_name().iter())
                .map(|(name, input)| (name.to_string(), input.artifact.digest))
                .collect(),
            lock,
            origin: self.host.facts.origin.clone(),
            plan: facts.plan,
            plan_name: facts.plan_name.clone(),
            run: facts.run,
            started_at: self.started_at,
            steps: self.summaries(),
            tenant: facts.tenant.clone(),
            trace: facts.trace,
        };
        let ir = self.plan.to_json();
        let subject = Subject::new("plan", facts.plan, Sha256::of(&ir));
        let payload = Statement::new(PLAN_PREDICATE, vec![subject], predicate).payload();
        let submission = Submission::witness(LeafKind::Plan, payload, Vec::new());
        let position = self.host.committer.commit_witness(submission).await?;
        Ok(RunReport {
            exit,
            steps: self.reports(),
            position,
        })
    }

    fn exit(&self) -> Exit {
        let states = self.schedule.states().iter().zip(&self.slots);
        let steps = self.plan.steps().iter().zip(states);
        let required = steps.filter(|(step, _)| step.is_required);
        let mut exits: Vec<Exit> = required
            .map(|(_, (state, slot))| match (state, &slot.outcome) {
                (StepState::Waiting, _) => Exit::Waiting,
                (_, Some(outcome)) => outcome.exit(),
                // Never run: what kept it from running is required as well and counts itself.
                (_, None) => Exit::Ok,
            })
            .collect();
        if self.cancel.is_cancelled() {
            exits.push(Exit::Interrupted);
        }
        Exit::worst(exits)
    }

    fn summaries(&self) -> Vec<StepSummary> {
        let states = self.schedule.states().iter().zip(&self.slots);
        (self.plan.steps().iter().zip(states))
            .map(|(step, (state, slot))| StepSummary {
                attempts: slot.witnesses.clone(),
                is_required: step.is_required,
                outcome: slot.outcome.clone(),
                state: *state,
                step: step.name.clone(),
            })
            .collect()
    }

    fn reports(self) -> Vec<StepReport> {
        let states = self.schedule.states().to_vec();
        let steps = self.plan.into_parts().steps;
        (steps.into_iter().zip(states).zip(self.slots))
            .map(|((step, state), slot)| StepReport {
                step: step.name,
                state,
                is_required: step.is_required,
                outcome: slot.outcome,
                fault: slot.fault,
                released: slot.released,
            })
            .collect()
    }
}

/// What the attempts of one step share.
struct Stage<'a> {
    host: &'a Host,
    unit: &'a Unit,
    facts: &'a RunFacts,
    contents: &'a Arc<Contents>,
}

impl Stage<'_> {
    /// Tries until the end is final. Every try has its own witness.
    async fn to_the_end(
        &self,
        index: usize,
        mut task: Task,
        watcher: &dyn Watcher,
        cancel: &Cancel,
    ) -> Result<StepEnd, AttemptError> {
        let retry = self.unit.contract.retry;
        let mut witnesses = Vec::new();
        // BOUND: attempts_max, which a contract can not set above ten.
        loop {
            let (number, parent_span) = (task.attempt_no, task.parent_span);
            let (is_first_of_plan, reach) = (task.is_first_of_plan, task.reach);
            let envelope = task.envelope.clone();
            let step = self.unit.step.name.clone();
            watcher.notice(Progress::Started {
                step,
                attempt_no: number,
            });
            let concluded = run_attempt(
                self.host,
                self.unit,
                self.facts,
                self.contents,
                task,
                cancel,
            )
            .await?;
            watcher.notice(ended(&self.unit.step.name, number, &concluded.summary));
            witnesses.push(concluded.summary.position.witness);
            let is_transient = concluded.summary.outcome == Outcome::Failed(Failure::Transient);
            if !is_transient || number >= retry.attempts_max || cancel.is_cancelled() {
                let span = SpanId::of(concluded.attempt);
                return Ok(StepEnd {
                    index,
                    witnesses,
                    concluded,
                    span,
                });
            }
            tokio::time::sleep(std::time::Duration::from_millis(retry.backoff_ms)).await;
            let attempt_no = number.saturating_add(1);
            task = Task {
                attempt_no,
                envelope,
                parent_span,
                is_first_of_plan,
                reach,
            };
        }
    }
}

fn ended(step: &StepName, attempt_no: u32, summary: &Summary) -> Progress {
    Progress::Ended {
        step: step.clone(),
        attempt_no,
        outcome: summary.outcome.clone(),
        fault: summary.fault.clone(),
        verdict: summary.verdict,
        remarks: summary.remarks.clone(),
        output: summary.output,
        took: summary.took,
        fuel_used: summary.fuel_used,
    }
}

/// The state that an end gives its step.
const fn state_of(outcome: &Outcome, disposition: Disposition, is_released: bool) -> StepState {
    match (outcome, disposition) {
        (_, Disposition::Escalate) => StepState::Waiting,
        (Outcome::Completed, _) if is_released => StepState::Completed,
        (Outcome::Abstained(_), _) => StepState::Abstained,
        (Outcome::Indeterminate(_), _) => StepState::Waiting,
        _ => StepState::Failed,
    }
}
