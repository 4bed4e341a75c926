//! What happens when a step does not complete: retries, circuit breakers, rules, and questions to people.
//!
//! INVARIANT: nothing is tried without end: every count and every wait has a maximum.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::OnFail;
use crate::{name::StepName, stateflow::RETRIES_MAX};

/// The most tries that a plan may give a step.
pub const ATTEMPTS_MAX: u32 = 10;
/// The longest wait between two tries, in milliseconds.
pub const BACKOFF_MS_MAX: u64 = 3_600_000;

/// How often a transient failure is tried again, and after which wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retries {
    /// Wait before the second try, in milliseconds.
    pub base_ms: u64,
    /// Each further wait is this many percent of the one before; 200 doubles it.
    pub factor_percent: u32,
    /// How many percent of a wait may be taken off it by chance; 0 takes nothing.
    pub jitter_percent: u32,
    /// Tries in all, from 1.
    pub max_attempts: u32,
    /// No wait is longer, in milliseconds.
    pub max_ms: u64,
    /// True when a step that is not idempotent is tried again as well.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub repeats_effects: bool,
}

impl Retries {
    /// 3 tries, 1 s doubling up to 30 s, a tenth of jitter, nothing repeated that is not idempotent.
    pub const DEFAULT: Self = Self {
        base_ms: 1_000,
        factor_percent: 200,
        jitter_percent: 10,
        max_attempts: RETRIES_MAX,
        max_ms: 30_000,
        repeats_effects: false,
    };
}

/// When a node that keeps failing is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// How long nothing is tried once it is open, in milliseconds.
    pub cooldown_ms: u64,
    /// Failures in a row that open it.
    pub failures: u32,
}

impl Breaker {
    /// Opens after 5 failures, for 60 s.
    pub const DEFAULT: Self = Self {
        cooldown_ms: 60_000,
        failures: 5,
    };
}

/// A rule of the plan: what the host does when something other than a gate keeps a step from completing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// When it applies.
    pub on: Trigger,
    /// The steps that it is for; every step when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepName>,
    /// What is done; without a condition, for there is no output to judge.
    pub then: OnFail,
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The step failed for good, or trapped.
    Failed,
    /// Claimed confidence is below kappa.
    LowConfidence,
    /// A budget ran out.
    OverBudget,
    /// The operator's policy or the grant refused a call that the step could not do without.
    PolicyViolation,
}

impl Trigger {
    /// The trigger as it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::LowConfidence => "low_confidence",
            Self::OverBudget => "over_budget",
            Self::PolicyViolation => "policy_violation",
        }
    }
}

/// A question to a person that a step always has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hitl {
    /// What is asked; the step's description when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// What happens while nobody has answered; what the plan says when it is the default.
    #[serde(default, skip_serializing_if = "Silence::is_default")]
    pub silence: Silence,
}

/// What a run does while a question is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Silence {
    /// The step abstains and the run ends without it; a later answer counts for a new execution.
    Abstain,
    /// The run waits and goes on with the answer.
    #[default]
    Wait,
}

impl Silence {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks with a reference"
    )]
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
