//! The runtime events of a log: a projection, made by driving the same machines that the executor drives.
//!
//! INVARIANT: events follow from frames alone and are the same at every reading; what a frame says that fits no state of its
//! node's machine makes no transition.

use std::collections::BTreeMap;

use aim_core::{
    digest::Digest,
    event::{self, FrameOrigin, RuntimeEvent},
    id::ExecutionId,
    plan::{Plan, StepPath, expand},
    stateflow::{Event, Stateflow, StateflowError, Transition},
    time::Timestamp,
    witness::AttemptPredicate,
};

use super::{Entry, EntryBody, Execution, Ledger, Noted};

type Machines = BTreeMap<StepPath, Stateflow>;
type Placed = Vec<(u64, Vec<RuntimeEvent>)>;

/// What happened to an execution, frame by frame.
enum Frame<'a> {
    Entry(u64, &'a EntryBody),
    Note(&'a Noted),
}

impl Frame<'_> {
    const fn sequence(&self) -> u64 {
        match self {
            Self::Entry(sequence, _) => *sequence,
            Self::Note(noted) => noted.sequence,
        }
    }
}

impl Ledger {
    /// The runtime events of everything that was read, in order.
    #[must_use]
    pub fn events(&self) -> Vec<RuntimeEvent> {
        self.events_from(0, None)
    }

    /// The runtime events of frame `first` and everything behind it, in order; of one execution, or of all. Only executions
    /// to which something was added there are looked at.
    #[must_use]
    pub fn events_from(&self, first: u64, only: Option<ExecutionId>) -> Vec<RuntimeEvent> {
        let mut events = Placed::new();
        let is_wanted = |id: ExecutionId| only.is_none_or(|only| only == id);
        let executions = self.executions.iter();
        for execution in executions.filter(|one| is_wanted(one.start.execution)) {
            if self.newest(execution) >= first {
                self.of_execution(execution, &mut events);
            }
        }
        let old = self.entries.partition_point(|entry| entry.sequence < first);
        let new = self.entries.get(old..).unwrap_or_default();
        for entry in new.iter().filter(|_| only.is_none()) {
            if let EntryBody::DeniedLoad(denied) = &entry.body {
                let of_entry = event::of_denied_load(self.at(entry.sequence), denied);
                events.push((entry.sequence, of_entry));
            }
        }
        events.retain(|(sequence, _)| *sequence >= first);
        // Stable: events of one frame keep their order.
        events.sort_by_key(|(sequence, _)| *sequence);
        events
            .into_iter()
            .flat_map(|(_, of_frame)| of_frame)
            .collect()
    }

    /// The newest frame that makes an event of this execution.
    fn newest(&self, execution: &Execution) -> u64 {
        let last = |indices: &[usize]| {
            let entry = indices.last().and_then(|index| self.entries.get(*index));
            entry.map_or(0, |entry| entry.sequence)
        };
        let noted = execution.notes.last().map_or(0, |noted| noted.sequence);
        let ended = last(execution.end.as_slice());
        let told = last(&execution.attempts).max(last(&execution.answers));
        let released = self.releases(execution).map(|entry| entry.sequence).max();
        [execution.sequence, noted, ended, told]
            .into_iter()
            .chain(released)
            .fold(0, u64::max)
    }

    /// Releases of what attempts of this execution kept aside.
    fn releases<'a>(&'a self, execution: &'a Execution) -> impl Iterator<Item = &'a Entry> {
        let attempts = self.attempts_of(execution);
        let about = attempts.flat_map(|(entry, _)| self.about(entry.witness));
        about.filter(|entry| matches!(entry.body, EntryBody::Release(_)))
    }

    fn at(&self, sequence: u64) -> FrameOrigin<'_> {
        FrameOrigin {
            origin: &self.origin,
            sequence,
        }
    }

    fn of_execution(&self, execution: &Execution, events: &mut Placed) {
        let start = &execution.start;
        let mut machines = Machines::new();
        let taken = taken_in(execution, &mut machines);
        let of_start = event::of_start(self.at(execution.sequence), start, &taken);
        events.push((execution.sequence, of_start));
        for frame in self.frames(execution) {
            let sequence = frame.sequence();
            let at = self.at(sequence);
            let of_frame = match frame {
                Frame::Note(noted) => {
                    let note = &noted.note;
                    let machine = machine(&mut machines, &note.path, start.started_at);
                    let made = machine.noted(&note.what, note.at).unwrap_or_default();
                    event::of_note(at, start, note, &made)
                }
                Frame::Entry(_, EntryBody::Attempt(attempt)) => {
                    let own = StepPath::from(&attempt.step);
                    let path = attempt.path.as_ref().unwrap_or(&own);
                    let machine = machine(&mut machines, path, start.started_at);
                    let made = attempted(machine, attempt).unwrap_or_default();
                    event::of_attempt(at, &start.plan_name, attempt, &made)
                }
                Frame::Entry(_, EntryBody::Plan(plan)) => event::of_plan(at, plan),
                Frame::Entry(_, EntryBody::Answer(answered)) => {
                    let given = answered.given.iter();
                    let events = given.flat_map(|given| {
                        event::of_answer(at, &start.plan_name, (&answered.predicate, given))
                    });
                    events.collect()
                }
                Frame::Entry(_, EntryBody::Release(release)) => {
                    let attempt = self.attempt_of(execution, release.witness);
                    attempt.map_or_else(Vec::new, |attempt| {
                        let own = StepPath::from(&attempt.step);
                        let path = attempt.path.as_ref().unwrap_or(&own);
                        let machine = machine(&mut machines, path, start.started_at);
                        let made = machine.let_go(release.released_at).unwrap_or_default();
                        event::of_release(at, &start.plan_name, attempt, release, &made)
                    })
                }
                Frame::Entry(..) => Vec::new(),
            };
            events.push((sequence, of_frame));
        }
    }

    /// The attempt of an execution that has this witness.
    fn attempt_of<'a>(
        &'a self,
        execution: &'a Execution,
        witness: Digest,
    ) -> Option<&'a AttemptPredicate> {
        let mut attempts = self.attempts_of(execution);
        let found = attempts.find(|(entry, _)| entry.witness == witness);
        found.map(|(_, attempt)| attempt)
    }

    /// Everything that the log says about an execution after its beginning, in order.
    fn frames<'a>(&'a self, execution: &'a Execution) -> Vec<Frame<'a>> {
        let entries = (execution.attempts.iter())
            .chain(&execution.answers)
            .chain(&execution.end);
        let entries = entries.filter_map(|index| {
            let entry = self.entries.get(*index)?;
            Some(Frame::Entry(entry.sequence, &entry.body))
        });
        let releases = self.releases(execution);
        let releases = releases.map(|entry| Frame::Entry(entry.sequence, &entry.body));
        let mut frames: Vec<Frame<'_>> = entries
            .chain(releases)
            .chain(execution.notes.iter().map(Frame::Note))
            .collect();
        frames.sort_by_key(Frame::sequence);
        frames
    }
}

/// One machine for each node of the plan, taken in with it.
fn taken_in(execution: &Execution, machines: &mut Machines) -> Vec<(StepPath, Transition)> {
    let at = execution.start.started_at;
    // A plan that this version can not read has no nodes to tell of.
    let Ok(plan) = Plan::from_json(execution.start.plan.as_bytes()) else {
        return Vec::new();
    };
    let mut taken = Vec::new();
    for node in expand(&plan).nodes {
        let mut machine = Stateflow::new(u32::MAX, false);
        if let Ok(made) = machine.take(Event::ObjectiveIngress, at) {
            taken.push((node.path.clone(), made));
        }
        machines.insert(node.path, machine);
    }
    taken
}

fn machine<'a>(machines: &'a mut Machines, path: &StepPath, at: Timestamp) -> &'a mut Stateflow {
    machines.entry(path.clone()).or_insert_with(|| {
        let mut machine = Stateflow::new(u32::MAX, false);
        // The machine is new, so it knows this event.
        drop(machine.take(Event::ObjectiveIngress, at));
        machine
    })
}

fn attempted(
    machine: &mut Stateflow,
    attempt: &AttemptPredicate,
) -> Result<Vec<Transition>, StateflowError> {
    let mut made = machine.dispatched(attempt.started_at)?;
    made.extend(machine.ended(&attempt.outcome, attempt.released, attempt.ended_at)?);
    Ok(made)
}
