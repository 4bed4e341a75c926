//! What stands between steps in brace form: fan-out, reduce, flow, and the plan's own rules.
//!
//! INVARIANT: every range has both ends, so nothing here can repeat without a bound.

use alloc::vec::Vec;
use core::ops::Range;

use aim_core::name::StepName;

use super::{Action, Check, Effect, Reducer, Source, Spanned};

/// `[1..n]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The first instance.
    pub first: u64,
    /// The last instance, inclusive.
    pub last: u64,
}

/// `fanout a -> b[1..n] with opt=val`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FanOut {
    /// Where it starts.
    pub from: Spanned<StepName>,
    /// The range of where it starts, when instances are paired.
    pub from_bounds: Option<Spanned<Bounds>>,
    /// What runs several times.
    pub to: Spanned<StepName>,
    /// How many times.
    pub bounds: Option<Spanned<Bounds>>,
    /// Options.
    pub options: Vec<Opt>,
    /// The whole statement.
    pub span: Range<usize>,
}

/// `key=value`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opt {
    /// The key.
    pub name: Spanned<StepName>,
    /// The value: a text, a number, a boolean or a word.
    pub value: Spanned<Source>,
}

/// `reduce b[1..n] -> c using vote=majority`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reduce {
    /// What ran several times.
    pub from: Spanned<StepName>,
    /// How many times.
    pub bounds: Option<Spanned<Bounds>>,
    /// Who gets the one output.
    pub to: Spanned<StepName>,
    /// How several become one.
    pub using: Option<Spanned<Reducer>>,
    /// `quorum` and `tie`.
    pub options: Vec<Opt>,
    /// The whole statement.
    pub span: Range<usize>,
}

/// `flow f(x, max_iter=N) until <condition> else release`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// What is repeated: an imported flow or a step.
    pub name: Spanned<StepName>,
    /// What it works on.
    pub on: Vec<Spanned<StepName>>,
    /// How often at most.
    pub max_iter: Option<Spanned<u64>>,
    /// The round is the last one when this holds.
    pub until: Option<Spanned<Check>>,
    /// True for `else release`: the last round's result goes on although the condition never held.
    pub releases: bool,
    /// The whole statement.
    pub span: Range<usize>,
}

/// `policy rewrite { ... }`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// The rules in source order.
    pub rules: Vec<Rule>,
    /// The whole block.
    pub span: Range<usize>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// `on <event> => <action>`
    On {
        /// What happened.
        event: Spanned<RuleEvent>,
        /// What is done; absent when it could not be understood.
        action: Spanned<Option<Action>>,
    },
    /// `require HITL for a, b`
    RequireHitl(Vec<Spanned<Subject>>),
}

/// What a rule waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleEvent {
    /// A gate did not hold; absent name: any gate.
    GateFail(Option<StepName>),
    /// A step would exceed its budget; absent name: any step.
    OverBudget(Option<StepName>),
    /// A step failed; absent name: any step.
    StepFail(Option<StepName>),
    /// A step was not sure enough.
    LowConfidence(Option<StepName>),
    /// A policy or grant refused a call that a step could not do without.
    PolicyViolation(Option<StepName>),
}

/// What needs a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A step.
    Step(StepName),
    /// Every step with that effect.
    Effect(Effect),
    /// Everything: `*`.
    All,
}
