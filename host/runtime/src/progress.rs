//! Who watches a run: told what happens as it happens, never asked.
//!
//! INVARIANT: a watcher can not change or delay a run; what it is told of an attempt's end is already durable.

use std::{fmt::Debug, time::Duration};

use aim_core::{
    digest::Digest,
    outcome::{Fault, Outcome},
    plan::StepPath,
    verdict::Verdict,
    witness::StepState,
};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// An attempt begins.
    Started {
        /// The step.
        step: StepPath,
        /// From 1.
        attempt_no: u32,
    },
    /// An attempt is over and its witness is durable.
    Ended {
        /// The step.
        step: StepPath,
        /// From 1.
        attempt_no: u32,
        /// How it ended.
        outcome: Outcome,
        /// Why it did not complete.
        fault: Option<Fault>,
        /// The worst verdict.
        verdict: Verdict,
        /// What gates said that is worth a look.
        remarks: Vec<String>,
        /// The first output's digest.
        output: Option<Digest>,
        /// How long it took.
        took: Duration,
        /// Fuel that was used.
        fuel_used: u64,
    },
    /// What a step has released does not count as its result: the rounds of its flow are over without their condition.
    Exhausted {
        /// The step.
        step: StepPath,
        /// Which flow, and what it waited for.
        fault: Fault,
    },
    /// A step is skipped because the plan can do without it.
    Spared {
        /// The step.
        step: StepPath,
        /// Why nobody needs it.
        why: &'static str,
    },
    /// A step got its final state.
    Settled {
        /// The step.
        step: StepPath,
        /// The state.
        state: StepState,
        /// True when the outcome was taken from an earlier, interrupted try.
        is_resumed: bool,
    },
}

/// Watches.
pub trait Watcher: Debug + Send + Sync {
    /// Is told.
    fn notice(&self, progress: Progress);
}

/// Watches and says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watcher for Unwatched {
    fn notice(&self, _: Progress) {}
}
