//! What one node has come to during an execution.
//!
//! INVARIANT: a slot knows every witness of its node, in the order of the attempts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aim_core::{
    digest::Digest,
    name::StepName,
    outcome::{Fault, Outcome},
    pool::Amount,
    stateflow::{Event, Override, Stateflow},
    time::Timestamp,
    verdict::Disposition,
    witness::StepState,
};

use crate::{
    attempt::{Accepted, Held},
    resume::ReleasedStep,
};

/// How an attempt ended, live or read back.
#[derive(Debug, Clone)]
pub(crate) struct NodeEnd {
    pub(crate) number: u32,
    pub(crate) witness: Digest,
    pub(crate) outcome: Outcome,
    pub(crate) fault: Option<Fault>,
    pub(crate) disposition: Disposition,
    pub(crate) reroute: Option<StepName>,
    /// What the answer of the gate that holds it wants the next try to be told.
    pub(crate) options: BTreeMap<StepName, String>,
    pub(crate) released: Option<ReleasedStep>,
    /// Digests of what it wanted to let go.
    pub(crate) bodies: Vec<Digest>,
    /// Gates that held it.
    pub(crate) gates: Vec<Held>,
    pub(crate) used: Amount,
    /// The exact statement of its witness.
    pub(crate) statement: Arc<[u8]>,
}

/// One node.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Where it stands: the one machine that its attempts and decisions drive.
    pub(crate) machine: Stateflow,
    /// When its state will have lasted too long.
    pub(crate) lasts_until: Option<Timestamp>,
    /// Who ends it, where somebody does.
    pub(crate) ended_by: Option<Override>,
    /// True when its last try would have been tried again.
    pub(crate) is_spent: bool,
    /// True once it shares the plan's pool with nobody who waits.
    pub(crate) has_left: bool,
    /// What all its tries have used.
    pub(crate) used: Amount,
    pub(crate) witnesses: Vec<Digest>,
    /// The statements of the witnesses, where probes ask for them.
    pub(crate) statements: Vec<Arc<[u8]>>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) fault: Option<Fault>,
    pub(crate) released: Option<ReleasedStep>,
    /// Replaces the schedule's state where a flow's result is not taken.
    pub(crate) state: Option<StepState>,
    /// What further attempts are told.
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) mends: u32,
    pub(crate) accepted: Option<Accepted>,
    /// Questions that were asked and not answered.
    pub(crate) open_question: Option<String>,
    pub(crate) answered_by: Option<StepName>,
    /// The attempt whose outputs are kept aside and nobody has answered about, by its witness.
    pub(crate) case: Option<Digest>,
    /// Digest of the statement by which people released what gates had held.
    pub(crate) released_by: Option<Digest>,
    /// What was taken from pools for the attempt that runs.
    pub(crate) taken: Amount,
}

impl Slot {
    /// A node that was taken in with its plan.
    pub(crate) fn new(at: Timestamp) -> Self {
        let mut machine = Stateflow::new(u32::MAX, false);
        // The machine is new, so it knows this event.
        drop(machine.take(Event::ObjectiveIngress, at));
        Self {
            statements: Vec::new(),
            machine,
            lasts_until: None,
            ended_by: None,
            is_spent: false,
            has_left: false,
            used: Amount::default(),
            witnesses: Vec::new(),
            outcome: None,
            fault: None,
            released: None,
            state: None,
            labels: BTreeMap::new(),
            mends: 0,
            accepted: None,
            open_question: None,
            answered_by: None,
            case: None,
            released_by: None,
            taken: Amount::default(),
        }
    }

    /// The number of the next attempt.
    pub(crate) fn next_attempt(&self) -> u32 {
        u32::try_from(self.witnesses.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1)
    }

    /// The state to report, given what the schedule says.
    pub(crate) fn state(&self, scheduled: StepState) -> StepState {
        match (self.state, scheduled) {
            (Some(state), _) => state,
            // It did run: what was cut off is no step that was never needed.
            (None, StepState::Skipped) if !self.witnesses.is_empty() => StepState::Failed,
            (None, scheduled) => scheduled,
        }
    }
}

/// Nodes that wait for a standby node.
pub(crate) type Origins = BTreeMap<usize, BTreeSet<usize>>;
