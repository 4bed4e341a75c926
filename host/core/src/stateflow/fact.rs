//! What durable frames mean for the machine of a step: a witness, a note, the beginning of an execution.
//!
//! The executor drives its machines with these functions, and events are projected from the log with the same ones: that is
//! why both tell the same story.
//!
//! INVARIANT: a frame moves a machine along the table's transitions only; what doesn't fit is an error and changes nothing.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{Event, Override, State, Stateflow, StateflowError, Transition};
use crate::{
    outcome::{Failure, Outcome},
    question::NoteKind,
    time::Timestamp,
};

/// That a step will not complete, and by which event that became clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settled {
    /// What happened.
    pub event: Event,
    /// Who ended it and why, where somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Override>,
}

/// The event that ends a machine which stands in `state`; `None` where there is nothing to end. `is_spent` says that the step
/// would be tried again if there were tries left.
#[must_use]
pub const fn ending(state: State, is_spent: bool) -> Option<Event> {
    match state {
        State::Evaluating if is_spent => Some(Event::RetryLimitExceeded),
        State::Evaluating => Some(Event::VerdictFail),
        State::Retry => Some(Event::RetryLimitExceeded),
        State::Repair => Some(Event::RepairAbort),
        State::Idle
        | State::Scheduled
        | State::Executing
        | State::TerminatedSuccess
        | State::TerminatedFail => None,
    }
}

/// True when the attempt came to an answer that gates could judge, or that a gate or the host gave in its place.
const fn has_answer(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Completed
            | Outcome::Abstained(_)
            | Outcome::Denied(_)
            | Outcome::Failed(Failure::Transient)
    )
}

impl Stateflow {
    /// An attempt begins. A step that a cancel of an interrupted run has ended is put back first.
    ///
    /// # Errors
    /// [`StateflowError`] where an attempt is under way already; nothing was changed.
    pub fn dispatched(&mut self, at: Timestamp) -> Result<Vec<Transition>, StateflowError> {
        let event = match self.state() {
            State::Retry => Event::RetryDispatched,
            State::Repair => Event::RepairComplete,
            State::TerminatedFail => {
                let meta = Override {
                    override_by: "host".to_owned(),
                    reason: "an interrupted run is resumed".to_owned(),
                };
                let back = self.put(State::Scheduled, meta, at)?;
                return Ok(Vec::from([back, self.take(Event::RunDispatched, at)?]));
            }
            _ => Event::RunDispatched,
        };
        Ok(Vec::from([self.take(event, at)?]))
    }

    /// An attempt has ended and its witness is durable. What follows where nothing was released is decided later.
    ///
    /// # Errors
    /// [`StateflowError`] where no attempt is under way; nothing was changed.
    pub fn ended(
        &mut self,
        outcome: &Outcome,
        is_released: bool,
        at: Timestamp,
    ) -> Result<Vec<Transition>, StateflowError> {
        if *outcome == Outcome::Cancelled {
            let meta = Override {
                override_by: "host".to_owned(),
                reason: "the run was stopped".to_owned(),
            };
            return Ok(Vec::from([self.put(State::TerminatedFail, meta, at)?]));
        }
        if !has_answer(outcome) {
            return Ok(Vec::from([self.take(Event::ExecutionError, at)?]));
        }
        let mut made = Vec::from([self.take(Event::ExecutionComplete, at)?]);
        if is_released {
            made.push(self.take(Event::VerdictPass, at)?);
        }
        Ok(made)
    }

    /// Something was decided between two attempts, and that is durable.
    ///
    /// # Errors
    /// [`StateflowError`] where the state does not know it; nothing was changed.
    pub fn noted(
        &mut self,
        what: &NoteKind,
        at: Timestamp,
    ) -> Result<Vec<Transition>, StateflowError> {
        match what {
            NoteKind::RetryScheduled(_) => self.partial(at),
            // One more try, which the plan's retries don't count: a person, a repair or another step may still help.
            NoteKind::Asked(_) | NoteKind::Mended(_) | NoteKind::Rerouted(_) => {
                self.max_retries = self.max_retries.saturating_add(1);
                self.partial(at)
            }
            NoteKind::Answered(_) => self.answered(at),
            NoteKind::TimedOut(state) => {
                let event = state.rule().and_then(|rule| rule.fallback);
                let event = event.filter(|_| self.state() == *state);
                event.map_or(Ok(Vec::new()), |event| {
                    Ok(Vec::from([self.take(event, at)?]))
                })
            }
            NoteKind::Settled(settled) => self.settled(settled, at),
            NoteKind::Breaker(_) | NoteKind::SoftBudget(_) => Ok(Vec::new()),
        }
    }

    /// People have let go what gates had held and the host had kept aside.
    ///
    /// # Errors
    /// [`StateflowError`] where nothing is held; nothing was changed.
    pub fn let_go(&mut self, at: Timestamp) -> Result<Vec<Transition>, StateflowError> {
        Ok(Vec::from([self.take(Event::VerdictPass, at)?]))
    }

    fn partial(&mut self, at: Timestamp) -> Result<Vec<Transition>, StateflowError> {
        match self.state() {
            State::Evaluating => Ok(Vec::from([self.take(Event::VerdictPartial, at)?])),
            // It was asked about before its first attempt, or is being mended already.
            _ => Ok(Vec::new()),
        }
    }

    /// Another step has answered in its place.
    fn answered(&mut self, at: Timestamp) -> Result<Vec<Transition>, StateflowError> {
        let mut made = self.dispatched(at)?;
        made.push(self.take(Event::ExecutionComplete, at)?);
        made.push(self.take(Event::VerdictPass, at)?);
        Ok(made)
    }

    fn settled(
        &mut self,
        settled: &Settled,
        at: Timestamp,
    ) -> Result<Vec<Transition>, StateflowError> {
        let made = match (&settled.meta, settled.event) {
            (Some(meta), Event::OverrideEvent) => self.put(State::TerminatedFail, meta.clone(), at),
            // The partial verdict that reaches the limit.
            (_, Event::RetryLimitExceeded) if self.state() == State::Evaluating => {
                self.max_retries = self.attempts().saturating_add(1);
                self.take(Event::VerdictPartial, at)
            }
            (_, event) => self.take(event, at),
        }?;
        Ok(Vec::from([made]))
    }
}

impl Transition {
    /// True for what happens when an attempt is over, and not when it begins.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        !matches!(
            (self.event, self.to_state),
            (
                Event::RunDispatched | Event::RetryDispatched | Event::RepairComplete,
                _
            ) | (Event::OverrideEvent, State::Scheduled)
        )
    }

    /// The transition in words: `VERDICT_PASS EVALUATING -> TERMINATED_SUCCESS`.
    #[must_use]
    pub fn says(&self) -> String {
        alloc::format!(
            "{} {} -> {}",
            self.event.word(),
            self.from_state.word(),
            self.to_state.word()
        )
    }
}
