//! What helps a node that did not complete: another try after a wait, a repaired one at once, or another step.
//!
//! INVARIANT: a wait, a repair and a reroute are noted before anything follows from them.

use std::collections::BTreeMap;

use aim_core::{
    digest::Digest,
    name::StepName,
    outcome::Outcome,
    plan::{Node, OnFail, Retries, Step},
    question::{NoteKind, Retry},
    recovery::{Next, backoff_ms},
    time::Timestamp,
    witness::StepState,
};

use super::{Execution, slot::NodeEnd};

/// Characters of a fault's message that a repaired try is told.
const REASON_CHARS_MAX: usize = 500;

impl Execution {
    pub(super) fn retry(&mut self, index: usize, step: &Step, number: u32) {
        let Some(node) = self.nodes.get(index).cloned() else {
            return;
        };
        let retries = step
            .retries
            .unwrap_or_else(|| self.contract_retries(node.step));
        let attempt_no = number.saturating_add(1);
        let wait_ms = backoff_ms(&retries, number, self.draw(&node, number));
        let due_at = self.known_due(&node.path, attempt_no).unwrap_or_else(|| {
            Timestamp::from_millis(self.host.clock.now().millis().saturating_add(wait_ms))
        });
        let retry = Retry {
            attempt_no,
            due_at,
            wait_ms,
        };
        self.note(index, NoteKind::RetryScheduled(retry));
        if self.hold(index) {
            self.timers.insert((due_at, index));
        }
    }

    /// What the operator's contract says where the plan says nothing: equal waits.
    fn contract_retries(&self, step: usize) -> Retries {
        let unit = self.units.get(step);
        let wait = unit.map_or(0, |unit| unit.contract.retry.backoff_ms);
        Retries {
            base_ms: wait,
            factor_percent: 100,
            jitter_percent: 0,
            max_ms: wait,
            ..Retries::DEFAULT
        }
    }

    /// A number by chance that is the same whenever it is asked for: it follows from the attempt's identity.
    fn draw(&self, node: &Node, number: u32) -> u64 {
        let parts = [
            self.facts.execution.as_bytes().as_slice(),
            node.path.as_str().as_bytes(),
            &number.to_le_bytes(),
        ];
        let digest = Digest::derive("jitter", &parts);
        let first = digest.as_bytes().first_chunk::<8>().copied();
        u64::from_le_bytes(first.unwrap_or_default())
    }

    /// Tries once more at once, and tells what was wrong and what to do with less.
    pub(super) fn mend(&mut self, index: usize, how: Next, end: &NodeEnd, rule: Option<&OnFail>) {
        let word = match how {
            Next::Repair => "repair",
            _ => "degrade",
        };
        let (code, message) = (end.fault.as_ref()).map_or(("", ""), |fault| {
            (fault.code.as_str(), fault.message.as_str())
        });
        let mut told = BTreeMap::from([(word.to_owned(), code.to_owned())]);
        let reason: String = message.chars().take(REASON_CHARS_MAX).collect();
        told.insert(format!("{word}.reason"), reason);
        let options = rule
            .iter()
            .flat_map(|rule| &rule.options)
            .chain(&end.options);
        for (name, value) in options {
            told.insert(format!("{word}.{name}"), value.clone());
        }
        self.note(index, NoteKind::Mended(told.clone()));
        if let Some(slot) = self.slots.get_mut(index) {
            slot.mends = slot.mends.saturating_add(1);
            slot.labels.extend(told);
        }
        if self.hold(index) {
            self.schedule.wake(index);
        }
    }

    pub(super) fn reroute(&mut self, index: usize, standby: usize, to: StepName) {
        self.note(index, NoteKind::Rerouted(to));
        if !self.hold(index) {
            return;
        }
        self.origins.entry(standby).or_default().insert(index);
        match self.schedule.state(standby) {
            Some(StepState::Pending | StepState::Running) => self.schedule.activate(standby),
            _ => self.answer_origins(standby),
        }
    }

    /// Takes a node out of the running ones until it is due again; false, and its machine closed, where nothing starts any
    /// more.
    pub(super) fn hold(&mut self, index: usize) -> bool {
        let is_held = self.schedule.hold(index);
        if !is_held {
            self.ended_by(index, "host", "the run was stopped");
            self.close(index);
        }
        is_held
    }

    /// Gives what a standby node has come to to the nodes that wait for it.
    pub(super) fn answer_origins(&mut self, standby: usize) {
        let Some(origins) = self.origins.remove(&standby) else {
            return;
        };
        let released = (self.slots.get(standby)).and_then(|slot| slot.released.clone());
        let name = self.node_and_step(standby).map(|(_, step)| step.name);
        for origin in origins {
            let Some((released, name)) = released.clone().zip(name.clone()) else {
                self.settle(origin, StepState::Failed);
                continue;
            };
            self.note(origin, NoteKind::Answered(name.clone()));
            if let Some(slot) = self.slots.get_mut(origin) {
                slot.released = Some(released);
                slot.outcome = Some(Outcome::Completed);
                slot.fault = None;
                slot.answered_by = Some(name);
            }
            self.settle(origin, StepState::Completed);
        }
    }
}
