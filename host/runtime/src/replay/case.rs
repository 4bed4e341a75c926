//! What a log says about one execution, and how the envelopes of its nodes are made from it again.
//!
//! INVARIANT: an envelope is used only when it is the recorded one to the byte; what an attempt was given is never guessed.

use std::{collections::BTreeMap, sync::Arc};

use aim_core::{
    digest::Digest,
    envelope::Envelope,
    event::ExecutionStart,
    gate::GateKind,
    id::{RunId, RunPins},
    join::{FOLDER_MEDIA_TYPE, inputs_digest},
    name::StepName,
    plan::{Expanded, InputFault, Lock, Node, Plan, Probe, StepPath, expand},
    pool::Amount,
    question::{Answer, NoteKind, question_id},
    time::Timestamp,
    verdict::Verdict,
    witness::{AttemptPredicate, Statement},
};
use aim_ports::{artifact::ArtifactStore, folder::SnapshotFile, log::LogReader};

use super::Missing;
use crate::{
    attempt::{ANSWERED, Accepted, RunFacts, Task},
    effects::{BucketState, Namespace, rebuild},
    execute::{Outputs, RealTimer, Records, Seen, Sources, holding},
    inputs::{Given, Inputs, listed},
    ledger::{EntryBody, Execution, Ledger},
    reach::Reach,
    resume::{Payloads, ReleasedStep, released},
    services::Contents,
};

/// Where recorded bytes are found.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The log, for small ones.
    pub ledger: Arc<Ledger>,
    /// Reads the log.
    pub reader: Arc<dyn LogReader>,
    /// The store, for large ones.
    pub store: Arc<dyn ArtifactStore>,
}

impl Evidence {
    fn payloads(&self) -> Payloads<'_> {
        Payloads {
            ledger: &self.ledger,
            reader: &*self.reader,
            store: &*self.store,
        }
    }

    /// The bytes of `digest`, checked; `None` when they are nowhere.
    pub(super) fn find(&self, digest: Digest) -> Option<Vec<u8>> {
        let bytes = self.payloads().find(digest).ok()?;
        (Digest::of(&bytes) == digest).then_some(bytes)
    }

    /// Every bucket as it was before the frame `sequence`.
    pub(super) fn buckets(&self, sequence: u64) -> BTreeMap<Namespace, Arc<BucketState>> {
        rebuild(self.payloads(), sequence)
    }
}

/// One attempt as its witness tells it.
#[derive(Debug, Clone)]
pub(crate) struct ToldAttempt {
    pub(crate) statement: Statement<AttemptPredicate>,
    pub(crate) witness: Digest,
    /// The witness's frame.
    pub(crate) sequence: u64,
}

impl ToldAttempt {
    /// Where its node stands.
    pub(crate) fn path(&self) -> StepPath {
        let attempt = &self.statement.predicate;
        (attempt.path.clone()).unwrap_or_else(|| StepPath::from(&attempt.step))
    }
}

/// One execution as the log tells it.
#[derive(Debug, Clone)]
pub struct Case {
    start: ExecutionStart,
    attempts: Vec<ToldAttempt>,
    /// Every answer that was signed, by question; which one counted is in the gate records of the attempt after it.
    answers: BTreeMap<String, Vec<(Answer, Digest)>>,
    /// Which standby step answered in the place of which node.
    rerouted: Vec<(StepPath, StepName)>,
    /// Attempts whose outputs people have released later, by witness, with the frame of the release.
    released: BTreeMap<Digest, u64>,
    evidence: Evidence,
}

/// Why a log's execution can not be read for a replay.
#[derive(Debug, thiserror::Error)]
#[error("witness {witness} is no attempt statement that this version reads: {detail}")]
pub struct CaseError {
    witness: Digest,
    detail: String,
}

impl CaseError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "AIM-E021"
    }
}

impl Case {
    /// What the log of `evidence` says about `execution`.
    ///
    /// # Errors
    /// [`CaseError`].
    pub fn new(evidence: Evidence, execution: &Execution) -> Result<Self, CaseError> {
        let ledger = &evidence.ledger;
        let mut attempts = Vec::new();
        for (entry, _) in ledger.attempts_of(execution) {
            let statement =
                serde_json::from_slice(&entry.statement).map_err(|error| CaseError {
                    witness: entry.witness,
                    detail: error.to_string(),
                })?;
            attempts.push(ToldAttempt {
                statement,
                witness: entry.witness,
                sequence: entry.sequence,
            });
        }
        let mut answers: BTreeMap<String, Vec<(Answer, Digest)>> = BTreeMap::new();
        for (given, witness) in ledger.answers_of(execution) {
            let of_question = answers.entry(given.question.clone()).or_default();
            of_question.push((given.answer.clone(), witness));
        }
        let released = ledger
            .entries()
            .iter()
            .filter_map(|entry| match &entry.body {
                EntryBody::Release(release) => Some((release.witness, entry.sequence)),
                _ => None,
            });
        Ok(Self {
            released: released.collect(),
            start: execution.start.clone(),
            answers,
            rerouted: rerouted(ledger, execution, &attempts),
            attempts,
            evidence,
        })
    }

    /// The run.
    #[must_use]
    pub const fn run(&self) -> RunId {
        self.start.run
    }

    /// How it began.
    #[must_use]
    pub const fn start(&self) -> &ExecutionStart {
        &self.start
    }

    /// Every component that its attempts and their gates were, of `step` or of all.
    pub fn components(&self, step: Option<&StepName>) -> impl Iterator<Item = Digest> {
        let told = self.attempts.iter().map(|told| &told.statement.predicate);
        let told = told.filter(move |one| step.is_none_or(|step| *step == one.step));
        told.flat_map(|one| {
            let gates = one.gates.iter().filter_map(|gate| gate.component);
            std::iter::once(one.component).chain(gates)
        })
    }

    pub(super) fn attempts(&self) -> &[ToldAttempt] {
        &self.attempts
    }

    pub(super) const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// An answer that let the attempt pass a gate, by its record, and that is not here.
    pub(super) fn unheard(&self, attempt: &AttemptPredicate) -> Option<Missing> {
        let is_here = |cited: &str| {
            let mut known = self.answers.values().flatten();
            known.any(|(_, witness)| witness.to_string() == cited)
        };
        let passed = attempt.gates.iter();
        let passed = passed.filter(|gate| gate.verdict == Verdict::Warn);
        let mut cited = passed.filter_map(|gate| gate.reasons.last()?.strip_prefix(ANSWERED));
        let answer = cited.find(|cited| !is_here(cited))?;
        Some(Missing::record(format!("answer {answer}")))
    }

    /// What people have let go of earlier attempts of the same node.
    fn accepted(&self, told: &ToldAttempt) -> Option<Accepted> {
        let attempt = &told.statement.predicate;
        let path = told.path();
        let mut accepted = Accepted::default();
        for number in 1..attempt.attempt_no {
            let id = question_id(attempt.execution, &path, number);
            let answered = self.answers.get(&id).and_then(|all| counted(all, attempt));
            let mut attempts = self.attempts.iter();
            let held = attempts
                .find(|one| one.statement.predicate.attempt_no == number && one.path() == path);
            if let Some(((answer, witness), held)) = answered.zip(held)
                && answer.is_consent()
            {
                accepted.extend(holding(&held.statement.predicate.gates), *witness);
            }
        }
        (!accepted.held.is_empty()).then_some(accepted)
    }
}

/// Which standby step answered in the place of which node: the plan's witness says so, and before there is one what was written
/// down on the way.
fn rerouted(
    ledger: &Ledger,
    execution: &Execution,
    attempts: &[ToldAttempt],
) -> Vec<(StepPath, StepName)> {
    let notes = execution.notes.iter().map(|noted| &noted.note);
    let noted = notes.filter_map(|note| match &note.what {
        NoteKind::Rerouted(to) => Some((note.path.clone(), to.clone())),
        _ => None,
    });
    let sent = attempts.iter().filter_map(|told| {
        let to = told.statement.predicate.reroute.as_ref()?;
        Some((told.path(), to.clone()))
    });
    let steps = ledger.plan_of(execution);
    let steps = steps.into_iter().flat_map(|(_, plan)| &plan.steps);
    let answered = steps.filter_map(|step| {
        let path = (step.path.clone()).unwrap_or_else(|| StepPath::from(&step.step));
        Some((path, step.answered_by.clone()?))
    });
    answered.chain(noted).chain(sent).collect()
}

/// The answer that an attempt's gate records cite; the first, where they cite none.
fn counted<'a>(
    answers: &'a [(Answer, Digest)],
    attempt: &AttemptPredicate,
) -> Option<&'a (Answer, Digest)> {
    let is_cited = |witness: &Digest| {
        let words = witness.to_string();
        let mut reasons = attempt.gates.iter().flat_map(|gate| &gate.reasons);
        reasons.any(|reason| reason.ends_with(&words))
    };
    let mut cited = answers.iter();
    cited
        .find(|(_, witness)| is_cited(witness))
        .or_else(|| answers.first())
}

/// What every attempt of the execution is made from.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) plan: Plan,
    pub(super) lock: Lock,
    pub(super) inputs: Inputs,
    facts: RunFacts,
    expanded: Expanded,
    reaches: Vec<Reach>,
}

impl Past {
    pub(super) fn new(case: &Case, pinned_time: Timestamp) -> Result<Self, Vec<Missing>> {
        let start = &case.start;
        let broken = |what: &str| vec![Missing::record(format!("{what} of the run"))];
        let plan = Plan::from_json(start.plan.as_bytes()).map_err(|_| broken("the plan"))?;
        let lock = Lock::from_json(start.lock.as_bytes()).map_err(|_| broken("the lock"))?;
        let inputs = inputs(case, &plan)?;
        let pins = RunPins {
            plan: plan.digest(),
            lock: lock.digest(),
            inputs: inputs_digest(inputs.by_name()),
            tenant: start.tenant.as_str(),
            seed: start.seed,
        };
        // The beginning of an execution is no statement; the run's id, which every statement carries, vouches for it.
        if RunId::of(&pins) != start.run {
            return Err(broken("plan, lock, inputs, tenant and seed"));
        }
        let correlation = case.attempts.first();
        let correlation = correlation.map(|told| told.statement.predicate.correlation);
        let facts = RunFacts {
            run: start.run,
            execution: start.execution,
            trace: start.trace,
            plan: plan.digest(),
            plan_name: start.plan_name.clone(),
            quip: plan.quip().map(str::to_owned),
            tenant: start.tenant.clone(),
            actor: start.actor.clone(),
            seed: start.seed,
            correlation: correlation.ok_or_else(|| broken("any attempt"))?,
            pinned_time,
        };
        Ok(Self {
            reaches: Reach::of_plan(&plan),
            expanded: expand(&plan),
            plan,
            lock,
            inputs,
            facts,
        })
    }

    /// What all attempts share, as `recorded` has it.
    pub(super) fn facts(&self, recorded: &AttemptPredicate) -> RunFacts {
        RunFacts {
            correlation: recorded.correlation,
            ..self.facts.clone()
        }
    }

    /// What a probe was given: the record as it was before it.
    fn record(
        &self,
        case: &Case,
        told: &ToldAttempt,
        (node, probe): (&Node, &Probe),
        (facts, outputs): (&RunFacts, &Released<'_>),
    ) -> Envelope {
        let nodes = &self.expanded.nodes;
        let ethical = told.statement.predicate.gates.iter();
        let ethical = ethical.filter(|gate| gate.kind == GateKind::Component);
        let records = Records {
            facts,
            plan: &self.plan,
            lock: self.lock.digest(),
            ethical: ethical
                .map(|gate| gate.gate.clone())
                .next()
                .unwrap_or_default(),
            nodes,
        };
        let before = case
            .attempts
            .iter()
            .filter(|one| one.sequence < told.sequence);
        let mut by_path: BTreeMap<StepPath, Vec<(Digest, String)>> = BTreeMap::new();
        for one in before {
            let text = String::from_utf8(one.statement.payload()).unwrap_or_default();
            by_path
                .entry(one.path())
                .or_default()
                .push((one.witness, text));
        }
        records.envelope(node, probe, |index| Seen {
            is_released: outputs.released(index).is_some(),
            attempts: nodes
                .get(index)
                .and_then(|node| by_path.get(&node.path).cloned())
                .unwrap_or_default(),
        })
    }

    /// The recorded attempt as a task, with the envelope made again.
    pub(super) fn task(&self, case: &Case, told: &ToldAttempt) -> Result<Task, Vec<Missing>> {
        let recorded = &told.statement.predicate;
        let path = told.path();
        let nodes = &self.expanded.nodes;
        let index = nodes.iter().position(|node| node.path == path);
        let found = index.and_then(|index| Some((index, nodes.get(index)?)));
        let (index, node) =
            found.ok_or_else(|| vec![Missing::record(format!("node `{path}` in the plan"))])?;
        let step = self.plan.steps().get(node.step);
        let step =
            step.ok_or_else(|| vec![Missing::record(format!("step `{}`", recorded.step))])?;
        let outputs = Released::before(self, case, told.sequence);
        let facts = self.facts(recorded);
        let sources = Sources {
            facts: &facts,
            inputs: &self.inputs,
            steps: self.plan.steps(),
            nodes,
            outputs: &outputs,
        };
        let envelope = match &step.probe {
            Some(probe) => self.record(case, told, (node, probe), (&facts, &outputs)),
            None => sources.given(node).envelope,
        };
        let (body, written) = (Digest::of(&envelope.body), &recorded.envelope);
        if body != written.body
            || envelope.id != written.id
            || envelope.artifacts != written.artifacts
        {
            let mut missing = outputs.missing;
            if missing.is_empty() {
                missing.push(Missing::record(format!(
                    "envelope {} as it was",
                    written.body
                )));
            }
            return Err(missing);
        }
        Ok(Task {
            attempt_no: recorded.attempt_no,
            path,
            envelope,
            parent_span: recorded.parent_span,
            is_first_of_plan: index == 0,
            reach: self.reaches.get(node.step).copied().unwrap_or(Reach::ALONE),
            labels: BTreeMap::new(),
            share: Amount::whole(&step.budget),
            stop: None,
            accepted: case.accepted(told),
            timer: Arc::new(RealTimer),
        })
    }
}

/// What nodes had released before a frame.
#[derive(Debug)]
struct Released<'a> {
    nodes: BTreeMap<usize, ReleasedStep>,
    expanded: &'a Expanded,
    missing: Vec<Missing>,
}

impl<'a> Released<'a> {
    fn before(past: &'a Past, case: &Case, sequence: u64) -> Self {
        let contents = Contents::default();
        let nodes = &past.expanded.nodes;
        let place = |path: &StepPath| nodes.iter().position(|node| node.path == *path);
        let mut found = BTreeMap::new();
        let mut missing = Vec::new();
        for told in case.attempts.iter().filter(|told| told.sequence < sequence) {
            let attempt = &told.statement.predicate;
            let by_people = case.released.get(&told.witness);
            let is_released = attempt.released || by_people.is_some_and(|at| *at < sequence);
            let Some(index) = place(&told.path()).filter(|_| is_released) else {
                continue;
            };
            match released(case.evidence.payloads(), attempt, &contents) {
                Ok(released) => drop(found.insert(index, released)),
                Err(error) => missing.push(Missing::payload(error.to_string())),
            }
        }
        for (path, standby) in &case.rerouted {
            let standby = past.expanded.standby.get(standby);
            let stood_in = standby.and_then(|node| found.get(node)).cloned();
            if let (Some(index), Some(stood_in)) = (place(path), stood_in) {
                found.entry(index).or_insert(stood_in);
            }
        }
        Self {
            nodes: found,
            expanded: &past.expanded,
            missing,
        }
    }
}

impl Outputs for Released<'_> {
    fn released(&self, node: usize) -> Option<&ReleasedStep> {
        self.nodes.get(&node)
    }

    /// A flow ends with the round that meets its condition; no later one runs.
    fn flow_end(&self, flow: usize) -> Option<usize> {
        let results = self.expanded.flows.get(flow)?.results.iter().rev();
        results.copied().find(|node| self.nodes.contains_key(node))
    }
}

/// The inputs of the run, read back.
fn inputs(case: &Case, plan: &Plan) -> Result<Inputs, Vec<Missing>> {
    let mut given = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, artifact) in &case.start.inputs {
        let Ok(step) = StepName::parse(name) else {
            missing.push(Missing::record(format!("input `{name}`")));
            continue;
        };
        match input(
            case,
            artifact.digest,
            artifact.media_type == FOLDER_MEDIA_TYPE,
        ) {
            Ok(read) => drop(given.insert(step, read)),
            Err(digest) => {
                missing.push(Missing::payload(format!("{digest} of input `{name}`")));
            }
        }
    }
    if missing.is_empty() {
        let faults = |faults: Vec<InputFault>| {
            let faults = faults
                .iter()
                .map(|fault| Missing::record(fault.to_string()));
            faults.collect()
        };
        Inputs::new(plan, given).map_err(faults)
    } else {
        Err(missing)
    }
}

/// One input; the digest of what is not there.
fn input(case: &Case, digest: Digest, is_folder: bool) -> Result<Given, Digest> {
    let find = |digest| case.evidence.find(digest).ok_or(digest);
    let bytes = find(digest)?;
    if !is_folder {
        return Ok(Given::Value(bytes));
    }
    let files = listed(&bytes).ok_or(digest)?;
    let files = files.into_iter().map(|(path, digest, _)| {
        Ok(SnapshotFile {
            path,
            bytes: find(digest)?,
        })
    });
    files.collect::<Result<Vec<_>, _>>().map(Given::Folder)
}
