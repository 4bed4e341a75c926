//! A plan's execution: which node runs when, with what, and what the run comes to.
//!
//! ```text
//! expand -> take_resumed (read back) -> drive: [ dispatch -> run_attempt -> follow ]* -> conclude
//! ```
//! Decisions are core's (`schedule`, `recovery`, `reduce`, `pool`); this folder carries them out.
//!
//! INVARIANT: every path goes through [`run_attempt`](crate::attempt::run_attempt): there is one loop.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aim_core::{
    attempt::Position,
    digest::Digest,
    event::ExecutionStart,
    frame::FrameKind,
    leaf::LeafKind,
    name::{NodeId, StepName},
    outcome::{Exit, Fault, Outcome},
    plan::{Expanded, FlowNodes, Lock, Node, Plan, StepPath, expand},
    pool::{Left, Pool},
    question::{Answer, Note, NoteKind},
    recovery::Circuit,
    schedule::Schedule,
    stateflow::{StateflowError, Transition},
    time::Timestamp,
    witness::StepState,
};
use aim_engine::Cancel;
use aim_ports::PortError;
use aim_trust::use_approval::{Counted, Noted};

use crate::{
    attempt::{AttemptError, RunFacts},
    commit::{CommitError, Submission},
    host::Host,
    inputs::Inputs,
    progress::Watcher,
    reach::Reach,
    record::LOG_BLOB_BYTES_MAX,
    resume::{PastCase, ReleasedStep, Resumed},
    services::Contents,
    unit::Unit,
};

mod aside;
mod conclude;
mod dispatch;
mod drive;
mod envelope;
mod follow;
mod mend;
mod observe;
mod slot;
mod state;
mod timer;

pub use conclude::abandoned;
pub use timer::{RealTimer, Timer};

pub(crate) use drive::{bodies, holding};
pub(crate) use envelope::{Outputs, Sources};
pub(crate) use observe::{Records, Seen};
pub(crate) use slot::NodeEnd;
use slot::{Origins, Slot};

/// Nodes that run at the same time at most.
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
    /// The approvals that the lock names.
    pub approvals: Vec<Counted>,
    /// One unit for each step, in plan order.
    pub units: Vec<Unit>,
    /// The named inputs.
    pub inputs: Inputs,
    /// What an interrupted try has done; `None` starts anew.
    pub resumed: Option<Resumed>,
    /// Small artifacts at hand.
    pub contents: Arc<Contents>,
    /// Waits for retries.
    pub timer: Arc<dyn Timer>,
}

/// What became of a run.
#[derive(Debug)]
pub struct RunReport {
    /// How the process should exit.
    pub exit: Exit,
    /// Every node, in plan order.
    pub steps: Vec<StepReport>,
    /// Where the plan's witness is; absent while the run waits for a person.
    pub position: Option<Position>,
}

/// What became of a node.
#[derive(Debug)]
pub struct StepReport {
    /// The step.
    pub step: StepName,
    /// Where the node stands: the step's name, with instance and round where there are several.
    pub path: StepPath,
    /// Its state.
    pub state: StepState,
    /// True when the exit depends on it.
    pub is_required: bool,
    /// How its last attempt ended; absent when it never ran.
    pub outcome: Option<Outcome>,
    /// Why it did not complete.
    pub fault: Option<Fault>,
    /// The question that nobody has answered yet.
    pub question: Option<String>,
    /// The attempt whose outputs are kept aside until people have answered, by its witness.
    pub case: Option<Digest>,
    /// What it released.
    pub released: Option<ReleasedStep>,
    /// Every transition of its machine, in order.
    pub transitions: Vec<Transition>,
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
    /// A step was said to have done what its state does not allow: our bug.
    #[error(transparent)]
    Stateflow(#[from] StateflowError),
    /// A task of the host ended by itself: our bug.
    #[error("a task of the host ended unexpectedly: {0}")]
    Bug(String),
}

struct Execution {
    host: Arc<Host>,
    facts: Arc<RunFacts>,
    units: Arc<Vec<Unit>>,
    plan: Plan,
    lock: Digest,
    inputs: Inputs,
    contents: Arc<Contents>,
    watcher: Arc<dyn Watcher>,
    cancel: Cancel,
    timer: Arc<dyn Timer>,
    started_at: Timestamp,
    nodes: Vec<Node>,
    reaches: Vec<Reach>,
    flows: Vec<FlowNodes>,
    standby: BTreeMap<StepName, usize>,
    schedule: Schedule,
    slots: Vec<Slot>,
    /// Who waits for which standby node.
    origins: Origins,
    /// The node that ended each flow.
    flow_ends: Vec<Option<usize>>,
    flow_done: BTreeSet<usize>,
    /// Nodes whose end was the end of the run: it could not do without them, whatever their step says.
    enders: BTreeSet<usize>,
    /// Held nodes and when they are due.
    timers: BTreeSet<(Timestamp, usize)>,
    pool: Pool,
    /// When a held node's state will have lasted too long.
    lasting: BTreeSet<(Timestamp, usize)>,
    shard_pools: BTreeMap<StepName, Left>,
    circuits: BTreeMap<CircuitKey, Circuit>,
    /// The breaker of each step's node.
    circuit_of: Vec<Option<CircuitKey>>,
    notes: Vec<Note>,
    answers: BTreeMap<String, (Answer, Digest)>,
    /// What an interrupted try of the run has written down, and this one has not come to yet.
    past: BTreeMap<StepPath, Vec<NoteKind>>,
    /// What people said about what is kept aside, by the witness of the attempt.
    cases: BTreeMap<Digest, PastCase>,
    /// A machine was told something that its state does not know: our bug.
    fault: Option<StateflowError>,
    is_replaying: bool,
    /// True when the plan has probes, which are given the statements of its attempts.
    is_watched: bool,
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
    for (digest, bytes) in job.inputs.contents() {
        job.contents.keep(*digest, Arc::clone(bytes));
    }
    match &job.resumed {
        None => start(&host, &job, started_at).await?,
        Some(_) => store_inputs(&host, &job.inputs)?,
    }
    let mut job = job;
    let resumed = job.resumed.take().unwrap_or_default();
    let mut execution = Execution::new(host, job, watcher, cancel, started_at);
    execution.take_resumed(resumed);
    execution.run().await?;
    execution.conclude().await
}

impl Execution {
    fn new(
        host: Arc<Host>,
        job: Job,
        watcher: Arc<dyn Watcher>,
        cancel: Cancel,
        started_at: Timestamp,
    ) -> Self {
        let Expanded {
            nodes,
            specs,
            groups,
            parallel_max,
            flows,
            standby,
            ..
        } = expand(&job.plan);
        let reaches = Reach::of_plan(&job.plan);
        let (circuits, circuit_of) = circuits(&job.plan, &job.units);
        let pools = job.plan.shards().iter();
        let is_watched = job.plan.steps().iter().any(|step| step.probe.is_some());
        Self {
            lock: job.lock.digest(),
            schedule: Schedule::new(&specs, &groups, parallel_max, CONCURRENT_STEPS_MAX),
            slots: nodes.iter().map(|_| Slot::new(started_at)).collect(),
            flow_ends: vec![None; flows.len()],
            pool: Pool::new(
                job.plan.budget().unwrap_or_default(),
                sharing(&job.plan, &nodes),
            ),
            shard_pools: pools
                .map(|(name, caps)| (name.clone(), Left::of_shard(*caps)))
                .collect(),
            circuits,
            circuit_of,
            reaches,
            nodes,
            flows,
            standby,
            host,
            facts: Arc::new(job.facts),
            units: Arc::new(job.units),
            plan: job.plan,
            inputs: job.inputs,
            contents: job.contents,
            timer: job.timer,
            watcher,
            cancel,
            started_at,
            origins: Origins::new(),
            flow_done: BTreeSet::new(),
            enders: BTreeSet::new(),
            timers: BTreeSet::new(),
            notes: Vec::new(),
            answers: BTreeMap::new(),
            past: BTreeMap::new(),
            cases: BTreeMap::new(),
            fault: None,
            lasting: BTreeSet::new(),
            is_replaying: false,
            is_watched,
        }
    }
}

/// How many nodes share the plan's pool. Probes are the deployment's and take nothing from it.
fn sharing(plan: &Plan, nodes: &[Node]) -> usize {
    let steps = plan.steps();
    let is_own = |node: &&Node| {
        steps
            .get(node.step)
            .is_some_and(|step| step.probe.is_none())
    };
    nodes.iter().filter(is_own).count()
}

/// A node, and what its breaker is set to: failures, and milliseconds of rest.
type CircuitKey = (NodeId, u32, u64);

type Circuits = (BTreeMap<CircuitKey, Circuit>, Vec<Option<CircuitKey>>);

/// One breaker for each node and each setting of it that a step has.
fn circuits(plan: &Plan, units: &[Unit]) -> Circuits {
    let mut circuits = BTreeMap::new();
    let mut of = Vec::with_capacity(units.len());
    for (step, unit) in plan.steps().iter().zip(units) {
        let node = unit.contract.node_id.clone();
        of.push(step.breaker.map(|settings| {
            let key = (node, settings.failures, settings.cooldown_ms);
            let circuit = circuits.entry(key.clone());
            circuit.or_insert_with(|| Circuit::new(settings));
            key
        }));
    }
    (circuits, of)
}

/// Makes the beginning of an execution durable, with everything that is needed to do it again.
async fn start(host: &Host, job: &Job, started_at: Timestamp) -> Result<(), ExecuteError> {
    store_inputs(host, &job.inputs)?;
    write_approvals(host, job, started_at).await?;
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

/// Whose leave the execution needed is durable before it begins, so that no log has one without the other.
async fn write_approvals(
    host: &Host,
    job: &Job,
    started_at: Timestamp,
) -> Result<(), ExecuteError> {
    for approval in &job.approvals {
        let statement = approval.statement(&Noted {
            actor: &job.facts.actor,
            at: started_at,
            execution: Some(job.facts.execution),
            origin: &host.facts.origin,
        });
        let submission = Submission::witness(LeafKind::Answer, statement, Vec::new());
        host.committer.commit_witness(submission).await?;
    }
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
