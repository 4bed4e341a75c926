//! The machine of each node: what moves it, what is written down about it, and what fires when a state lasts too long.
//!
//! INVARIANT: nothing moves a machine but a dispatch, the end of an attempt and a note; the first two are in the witness and
//! the third is in the log, so whoever reads the log moves the same machine in the same way.

use std::time::Duration;

use aim_core::{
    name::StepName,
    outcome::Fault,
    plan::{SoftBackoff, Step, StepPath},
    question::{Note, NoteKind, SoftMark},
    stateflow::{Override, Settled, State, Stateflow, StateflowError, Transition, ending},
    time::Timestamp,
    witness::StepState,
};

use super::Execution;
use crate::attempt::LATE;

impl Execution {
    /// Moves the machine of a node, and minds how long it may stay where it comes to.
    pub(super) fn moved(
        &mut self,
        index: usize,
        how: impl FnOnce(&mut Stateflow, Timestamp) -> Result<Vec<Transition>, StateflowError>,
    ) {
        let now = self.host.clock.now();
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        if let Err(error) = how(&mut slot.machine, now) {
            self.fault.get_or_insert(error);
            return;
        }
        self.mind(index, now);
    }

    /// A node that is held, and neither runs nor waits for a person, may stay in its state for as long as the table says.
    fn mind(&mut self, index: usize, now: Timestamp) {
        self.forget(index);
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let state = slot.machine.state();
        let is_held = matches!(state, State::Retry | State::Repair);
        // The step's own budget is for its attempts; a held node makes none.
        let most = state.rule().and_then(|rule| rule.lasts.ms(0));
        if let Some(most) = most.filter(|_| is_held) {
            let until = Timestamp::from_millis(now.millis().saturating_add(most));
            slot.lasts_until = Some(until);
            self.lasting.insert((until, index));
        }
    }

    /// The node's state lasts as long as it likes.
    pub(super) fn forget(&mut self, index: usize) {
        let until = (self.slots.get_mut(index)).and_then(|slot| slot.lasts_until.take());
        if let Some(until) = until {
            self.lasting.remove(&(until, index));
        }
    }

    /// The state that will have lasted too long first: which, in how long, and whose.
    pub(super) fn lasting(&self) -> Option<(State, Duration, usize)> {
        let (until, index) = self.lasting.first().copied()?;
        let now = self.host.clock.now();
        let left = until.millis().saturating_sub(now.millis());
        let state = self.slots.get(index)?.machine.state();
        Some((state, Duration::from_millis(left), index))
    }

    /// A held node's state has lasted too long: its fallback fires, and the step is over.
    pub(super) fn lasted(&mut self, index: usize, state: State) {
        self.forget(index);
        self.note(index, NoteKind::TimedOut(state));
        self.timers.retain(|(_, node)| *node != index);
        for origins in self.origins.values_mut() {
            origins.remove(&index);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.fault = Some(Fault {
                code: LATE.to_owned(),
                message: format!(
                    "the step was {} for longer than its table allows",
                    state.word()
                ),
            });
        }
        self.settle(index, StepState::Failed);
    }

    /// As [`Self::lasted`], where an interrupted try of the run has come to that.
    pub(super) fn relive_timeout(&mut self, index: usize, path: &StepPath) {
        let past = self.past.get(path).into_iter().flatten();
        let state = past.into_iter().find_map(|note| match note {
            NoteKind::TimedOut(state) => Some(*state),
            _ => None,
        });
        if let Some(state) = state {
            self.lasted(index, state);
        }
    }

    /// Keeps a note for the log, and does what it means to the node's machine. What an interrupted try of the run has written
    /// down is not written again; breakers follow from attempts.
    pub(super) fn note(&mut self, index: usize, what: NoteKind) {
        let Some(path) = self.nodes.get(index).map(|node| node.path.clone()) else {
            return;
        };
        self.moved(index, |machine, at| machine.noted(&what, at));
        if self.is_replaying && matches!(what, NoteKind::Breaker(_)) {
            return;
        }
        if let Some(past) = self.past.get_mut(&path)
            && let Some(place) = past.iter().position(|one| one.is_same(&what))
        {
            past.remove(place);
            return;
        }
        self.notes.push(Note {
            at: self.host.clock.now(),
            execution: self.facts.execution,
            path,
            what,
        });
    }

    /// When a try is due, as an interrupted try of the run has written down.
    pub(super) fn known_due(&self, path: &StepPath, attempt_no: u32) -> Option<Timestamp> {
        let past = self.past.get(path)?.iter();
        past.into_iter().find_map(|note| match note {
            NoteKind::RetryScheduled(retry) if retry.attempt_no == attempt_no => Some(retry.due_at),
            _ => None,
        })
    }

    /// Ends the machine of a node that will not complete.
    pub(super) fn close(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let Some(event) = ending(slot.machine.state(), slot.is_spent) else {
            return;
        };
        let settled = match slot.ended_by.take() {
            Some(meta) => Settled {
                event: aim_core::stateflow::Event::OverrideEvent,
                meta: Some(meta),
            },
            None => Settled { event, meta: None },
        };
        self.note(index, NoteKind::Settled(settled));
    }

    /// Says who ends a node, and why, before it is closed.
    pub(super) fn ended_by(&mut self, index: usize, by: &str, reason: &str) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.ended_by = Some(Override {
                override_by: by.to_owned(),
                reason: reason.to_owned(),
            });
        }
    }

    /// The node shares the plan's pool with nobody who waits.
    pub(super) fn leave_pool(&mut self, index: usize) {
        let step = (self.nodes.get(index)).and_then(|node| self.plan.steps().get(node.step));
        // A probe was never among those that share it.
        if step.is_none_or(|step| step.probe.is_some()) {
            return;
        }
        if let Some(slot) = self.slots.get_mut(index)
            && !std::mem::replace(&mut slot.has_left, true)
        {
            self.pool.leave();
        }
    }

    /// Notes every soft mark of the step's budget that its tries have crossed, and has further ones told.
    pub(super) fn check_soft(&mut self, index: usize, step: &Step) {
        let Some((soft, slot)) = step.budget.soft.zip(self.slots.get_mut(index)) else {
            return;
        };
        let used = slot.used.parts();
        let crossed = (soft.parts().into_iter().zip(used))
            .filter_map(|((part, mark), (_, used))| Some((part, mark?, used)))
            .filter(|(_, mark, used)| used > mark);
        let mut marks = Vec::new();
        for (part, mark, used) in crossed {
            let name = format!("soft.exceeded.{part}");
            if slot.labels.insert(name, used.to_string()).is_none() {
                slot.labels
                    .insert("backoff".to_owned(), soft.backoff.word().to_owned());
                marks.push(SoftMark {
                    backoff: soft.backoff,
                    mark,
                    part: part.to_owned(),
                    used,
                });
            }
        }
        for mark in marks {
            self.note(index, NoteKind::SoftBudget(mark));
        }
    }

    /// The standby step that goes on where the plan wants a smaller model once a soft mark is crossed.
    pub(super) fn smaller(&self, index: usize, step: &Step) -> Option<StepName> {
        let is_crossed = self.slots.get(index)?.labels.contains_key("backoff");
        let wants = step.budget.soft?.backoff == SoftBackoff::RouteSmallerModel;
        step.fallback.clone().filter(|_| is_crossed && wants)
    }
}
