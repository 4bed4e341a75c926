//! Gates as they are written: a condition in line form, a block on one side of a step or a typed gate in brace form.
//!
//! INVARIANT: one shape holds all three, so nothing after the parser asks which form a gate came from.

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use aim_core::{
    condition::{Condition, Decimal},
    name::StepName,
};

use super::{Emit, GateType, Input, Spanned};

/// Something that is asked before a step is given or gives anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gate {
    /// The gate's name.
    pub name: Option<Spanned<StepName>>,
    /// The header statement, or the whole block.
    pub span: Range<usize>,
    /// Where it stands.
    pub place: GatePlace,
    /// The gate is asked only when this holds.
    pub when: Option<Spanned<Check>>,
    /// What is asked, in source order; a clause that could not be understood is absent.
    pub clauses: Vec<Clause>,
    /// True once a condition was written, understood or not.
    pub has_check: bool,
    /// What the step must attest.
    pub emits: Vec<Spanned<Emit>>,
    /// What happens when it does not hold, first match first; empty where nothing is written.
    pub on_fail: Vec<Reaction>,
    /// What a typed gate is given.
    pub inputs: Vec<Input>,
    /// The imported policy that a typed gate judges by.
    pub policy: Option<Spanned<StepName>>,
    /// Whether a typed gate takes doubt for an objection.
    pub strict: Option<Spanned<bool>>,
    /// The least score that passes a typed gate.
    pub min: Option<Spanned<Decimal>>,
}

/// Where a gate stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum GatePlace {
    /// Before anything leaves the step.
    #[default]
    Egress,
    /// Before the step is given anything.
    Ingress,
    /// Beside the steps of a shard, with a type.
    Typed(Spanned<GateType>),
}

/// `require <condition>`, or `forbid <condition>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// True for `forbid`.
    pub is_forbid: bool,
    /// The condition.
    pub check: Spanned<Check>,
}

/// A condition and its spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The parsed condition.
    pub condition: Condition,
    /// The text as written, tabs as blanks.
    pub source: String,
}

/// One line of `on_fail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// `if (<condition>)`.
    pub when: Option<Spanned<Check>>,
    /// What is done; absent when it could not be understood.
    pub action: Spanned<Option<Action>>,
}

/// What happens when a gate does not hold, or a rule applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ends the run.
    Abort(Option<String>),
    /// Asks a person: `escalate` or `hitl`.
    Escalate(Option<String>),
    /// Marks the output for review.
    Warn,
    /// Tries again, so many times in all.
    Retry(Option<u64>),
    /// Another step answers instead, because this one failed.
    Fallback(StepName),
    /// Another step answers instead, because the gate sends it there.
    Reroute(StepName),
    /// Goes on with less, and is told how.
    Degrade(Vec<(StepName, String)>),
    /// Tries the step's repair.
    Repair,
    /// Keeps the output aside.
    Quarantine,
    /// Says nothing rather than something wrong.
    Abstain(Option<String>),
}

impl Action {
    /// The word that begins it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Abort(_) => "abort",
            Self::Escalate(_) => "escalate",
            Self::Warn => "warn",
            Self::Retry(_) => "retry",
            Self::Fallback(_) => "fallback",
            Self::Reroute(_) => "reroute",
            Self::Degrade(_) => "degrade",
            Self::Repair => "repair",
            Self::Quarantine => "quarantine",
            Self::Abstain(_) => "abstain",
        }
    }
}
