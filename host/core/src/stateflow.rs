//! The state machine of a step: eight states, eleven transitions, one event each, and a table that says what holds in each.
//!
//! The machine decides nothing about the world: it is told what happened and says where that leads. Every transition
//! follows from a durable frame, so replaying a step's events gives the same state.
//!
//! INVARIANT: an event that a state does not know changes nothing, and a terminal state is left by an override only, and not
//! even by that where the machine runs forward only.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

mod fact;

pub use fact::{Settled, ending};

/// Partial verdicts that are tried again when nothing else is said.
pub const RETRIES_MAX: u32 = 3;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Nothing was asked of it.
    Idle,
    /// It waits for what it requires, or for room.
    Scheduled,
    /// An attempt is under way.
    Executing,
    /// The attempt has answered and the gates are asked.
    Evaluating,
    /// Another attempt is due after a wait.
    Retry,
    /// What went wrong is mended, or another step answers.
    Repair,
    /// Its outputs were released.
    TerminatedSuccess,
    /// It will not complete.
    TerminatedFail,
}

/// What happened to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Event {
    /// The plan that it belongs to was taken in.
    ObjectiveIngress,
    /// Its first attempt began.
    RunDispatched,
    /// An attempt answered.
    ExecutionComplete,
    /// An attempt did not answer.
    ExecutionError,
    /// Every gate let the answer go.
    VerdictPass,
    /// It may be tried again.
    VerdictPartial,
    /// It may not.
    VerdictFail,
    /// The next attempt began.
    RetryDispatched,
    /// There were as many tries as there may be.
    RetryLimitExceeded,
    /// It was mended; an attempt begins.
    RepairComplete,
    /// It could not be mended.
    RepairAbort,
    /// Somebody put it into another state.
    OverrideEvent,
}

/// How long a state may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lasts {
    /// The step's own time budget, and so many milliseconds more for waiting at the host and for gates on the way in.
    Budget(u64),
    /// So many milliseconds.
    For(u64),
    /// Something else ends it.
    Open,
}

impl Lasts {
    /// The most milliseconds, for a step with a time budget of `budget_ms`; `None` where something else ends the state.
    #[must_use]
    pub const fn ms(self, budget_ms: u64) -> Option<u64> {
        match self {
            Self::Budget(more) => Some(budget_ms.saturating_add(more)),
            Self::For(ms) => Some(ms),
            Self::Open => None,
        }
    }
}

/// What holds in a state, and what fires when it has lasted too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateRule {
    /// The state.
    pub state: State,
    /// What must be true to enter it.
    pub entry: &'static str,
    /// How long it may last. Only the time counts in which somebody runs the plan, and none while a person is asked.
    pub lasts: Lasts,
    /// How often a plan that says nothing itself may enter it again without success; 0 for once.
    pub retries: u32,
    /// What fires when the time is up.
    pub fallback: Option<Event>,
    /// The event that is written when it is entered.
    pub emits: &'static str,
}

/// The table: one row for each state.
pub const TABLE: [StateRule; 8] = [
    StateRule {
        state: State::Idle,
        entry: "the plan is known and nothing was asked of the step",
        lasts: Lasts::Open,
        retries: 0,
        fallback: None,
        emits: "step.idle",
    },
    StateRule {
        state: State::Scheduled,
        entry: "the execution's beginning is durable",
        lasts: Lasts::Open,
        retries: 0,
        fallback: None,
        emits: "step.scheduled",
    },
    StateRule {
        state: State::Executing,
        entry: "requirements are met, budget and breaker let it, ingress gates are asked",
        lasts: Lasts::Budget(300_000),
        retries: 0,
        fallback: Some(Event::ExecutionError),
        emits: "step.started",
    },
    StateRule {
        state: State::Evaluating,
        entry: "the attempt has answered",
        lasts: Lasts::For(60_000),
        retries: 0,
        fallback: Some(Event::VerdictFail),
        emits: "step.evaluating",
    },
    StateRule {
        state: State::Retry,
        entry: "the witness of a transient failure is durable, and so is the time of the next try",
        lasts: Lasts::For(7_200_000),
        retries: RETRIES_MAX,
        fallback: Some(Event::RetryLimitExceeded),
        emits: "step.retrying",
    },
    StateRule {
        state: State::Repair,
        entry: "the witness of an attempt that did not answer is durable",
        lasts: Lasts::For(7_200_000),
        retries: 1,
        fallback: Some(Event::RepairAbort),
        emits: "step.repairing",
    },
    StateRule {
        state: State::TerminatedSuccess,
        entry: "the witness of a completed attempt is durable and its verdict releases",
        lasts: Lasts::Open,
        retries: 0,
        fallback: None,
        emits: "step.completed",
    },
    StateRule {
        state: State::TerminatedFail,
        entry: "no further attempt may be made",
        lasts: Lasts::Open,
        retries: 0,
        fallback: None,
        emits: "step.failed",
    },
];

impl State {
    /// True when nothing but an override leads out of it.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::TerminatedSuccess | Self::TerminatedFail)
    }

    /// The state as it is written in evidence.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Idle => "IDLE",
            Self::Scheduled => "SCHEDULED",
            Self::Executing => "EXECUTING",
            Self::Evaluating => "EVALUATING",
            Self::Retry => "RETRY",
            Self::Repair => "REPAIR",
            Self::TerminatedSuccess => "TERMINATED_SUCCESS",
            Self::TerminatedFail => "TERMINATED_FAIL",
        }
    }

    /// The state's row in the table.
    #[must_use]
    pub fn rule(self) -> Option<&'static StateRule> {
        TABLE.iter().find(|rule| rule.state == self)
    }
}

impl Event {
    /// The event as it is written in evidence.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ObjectiveIngress => "OBJECTIVE_INGRESS",
            Self::RunDispatched => "RUN_DISPATCHED",
            Self::ExecutionComplete => "EXECUTION_COMPLETE",
            Self::ExecutionError => "EXECUTION_ERROR",
            Self::VerdictPass => "VERDICT_PASS",
            Self::VerdictPartial => "VERDICT_PARTIAL",
            Self::VerdictFail => "VERDICT_FAIL",
            Self::RetryDispatched => "RETRY_DISPATCHED",
            Self::RetryLimitExceeded => "RETRY_LIMIT_EXCEEDED",
            Self::RepairComplete => "REPAIR_COMPLETE",
            Self::RepairAbort => "REPAIR_ABORT",
            Self::OverrideEvent => "OVERRIDE_EVENT",
        }
    }
}

/// Where an event leads; `None` when the state does not know it.
#[must_use]
pub const fn transition(state: State, event: Event) -> Option<State> {
    Some(match (state, event) {
        (State::Idle, Event::ObjectiveIngress) => State::Scheduled,
        (State::Scheduled, Event::RunDispatched)
        | (State::Retry, Event::RetryDispatched)
        | (State::Repair, Event::RepairComplete) => State::Executing,
        (State::Executing, Event::ExecutionComplete) => State::Evaluating,
        (State::Executing, Event::ExecutionError) => State::Repair,
        (State::Evaluating, Event::VerdictPass) => State::TerminatedSuccess,
        (State::Evaluating, Event::VerdictPartial) => State::Retry,
        (State::Evaluating, Event::VerdictFail)
        | (State::Retry, Event::RetryLimitExceeded)
        | (State::Repair, Event::RepairAbort) => State::TerminatedFail,
        _ => return None,
    })
}

/// One transition that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// What happened.
    pub event: Event,
    /// Where the machine stood.
    pub from_state: State,
    /// Who did it and why, for an override.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Override>,
    /// Host's claim.
    pub timestamp: Timestamp,
    /// Where it stands now.
    pub to_state: State,
}

/// Who put a step into another state, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Who.
    pub override_by: String,
    /// Why.
    pub reason: String,
}

/// Why an event changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateflowError {
    /// The state does not know the event.
    #[error("a step in state {from:?} can not take {event:?}; nothing was changed")]
    Illegal {
        /// Where the machine stands.
        from: State,
        /// What was said to have happened.
        event: Event,
    },
    /// A terminal state of a machine that runs forward only.
    #[error("a step that has ended can not be put into {0:?}; start the run again with `--again`")]
    Forward(State),
    /// Back to the beginning is not somewhere one can be put.
    #[error("a step can not be put back to IDLE; start the run again with `--again`")]
    Idle,
}

impl StateflowError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "AIM-R070"
    }
}

/// The machine of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stateflow {
    /// Partial verdicts since the last pass.
    attempts: u32,
    history: Vec<Transition>,
    is_forward_only: bool,
    /// As many partial verdicts end the step.
    max_retries: u32,
    state: State,
}

impl Stateflow {
    /// A machine that nothing has happened to. `max_retries` below 1 counts as 1.
    #[must_use]
    pub const fn new(max_retries: u32, is_forward_only: bool) -> Self {
        Self {
            attempts: 0,
            history: Vec::new(),
            is_forward_only,
            max_retries: if max_retries == 0 { 1 } else { max_retries },
            state: State::Idle,
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Partial verdicts since the last pass.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Every transition, in order.
    #[must_use]
    pub fn history(&self) -> &[Transition] {
        &self.history
    }

    /// Takes an event. The partial verdict that reaches the limit ends the step at once and is kept as
    /// `RETRY_LIMIT_EXCEEDED`.
    ///
    /// # Errors
    /// [`StateflowError::Illegal`]; nothing was changed.
    pub fn take(&mut self, event: Event, at: Timestamp) -> Result<Transition, StateflowError> {
        let illegal = StateflowError::Illegal {
            from: self.state,
            event,
        };
        let mut to = transition(self.state, event).ok_or(illegal)?;
        let mut written = event;
        match event {
            Event::VerdictPartial => {
                self.attempts = self.attempts.saturating_add(1);
                if self.attempts >= self.max_retries {
                    to = State::TerminatedFail;
                    written = Event::RetryLimitExceeded;
                }
            }
            Event::VerdictPass => self.attempts = 0,
            _ => {}
        }
        Ok(self.go(written, to, at, None))
    }

    /// Puts the machine into `to`.
    ///
    /// # Errors
    /// [`StateflowError`] for `IDLE`, and for leaving a terminal state where the machine runs forward only.
    pub fn put(
        &mut self,
        to: State,
        meta: Override,
        at: Timestamp,
    ) -> Result<Transition, StateflowError> {
        if to == State::Idle {
            return Err(StateflowError::Idle);
        }
        if self.is_forward_only && self.state.is_terminal() {
            return Err(StateflowError::Forward(to));
        }
        Ok(self.go(Event::OverrideEvent, to, at, Some(meta)))
    }

    /// Fires what the table says for a state that began at `since` and has lasted too long for a step with a time budget of
    /// `budget_ms`; `None` when it has not.
    pub fn time_out(
        &mut self,
        since: Timestamp,
        at: Timestamp,
        budget_ms: u64,
    ) -> Option<Transition> {
        let rule = self.state.rule()?;
        let lasted = at.millis().saturating_sub(since.millis());
        if lasted < rule.lasts.ms(budget_ms)? {
            return None;
        }
        self.take(rule.fallback?, at).ok()
    }

    fn go(&mut self, event: Event, to: State, at: Timestamp, meta: Option<Override>) -> Transition {
        let from = core::mem::replace(&mut self.state, to);
        let transition = Transition {
            event,
            from_state: from,
            meta,
            timestamp: at,
            to_state: to,
        };
        self.history.push(transition.clone());
        transition
    }
}

#[cfg(test)]
mod tests;
