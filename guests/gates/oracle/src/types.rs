//! What the oracle is asked and what it answers, without a binding to any interface.
//! INVARIANT: a request borrows everything, so that judging copies no payload.

use alloc::{string::String, vec::Vec};

/// One, as a ratio: parts per million.
pub const RATIO_ONE: u32 = 1_000_000;

/// When it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before the step sees the envelope.
    Ingress,
    /// Before an immediate effect.
    Effect,
    /// Before anything leaves the step.
    Egress,
    /// The step asks about something it intends to do.
    Consult,
}

impl Phase {
    /// Its number in the compiled form.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Ingress => 0,
            Self::Effect => 1,
            Self::Egress => 2,
            Self::Consult => 3,
        }
    }
}

/// A verdict: MCEL's allow, flag, escalate and deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Allow.
    Pass,
    /// Flag for review.
    Warn,
    /// Escalate to a person.
    Abstain,
    /// Deny.
    Fail,
}

/// How much is doubted, by kind, in parts per million; higher is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Doubt {
    /// Knowing.
    pub epistemic: u32,
    /// Being right to do.
    pub moral: u32,
    /// Whom it falls on.
    pub distributional: u32,
    /// What nobody thought of.
    pub unknown_unknown: u32,
}

/// One thing that would pass.
#[derive(Debug, Clone)]
pub struct Item<'a> {
    /// Where it would go, as people read it: `` `next` ``, ``port `out` ``.
    pub place: String,
    /// The bytes; `None` when the host does not show them.
    pub payload: Option<&'a [u8]>,
}

/// What is judged.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// When.
    pub phase: Phase,
    /// What the step may do.
    pub effects: Vec<&'a str>,
    /// Everything that would pass.
    pub items: Vec<Item<'a>>,
    /// What the step says it may do to people or systems.
    pub impact: Option<&'a str>,
    /// What the step doubts.
    pub doubt: Option<Doubt>,
    /// The analogy.
    pub quip: Option<&'a str>,
    /// The last verdict in the same scope.
    pub prior: Option<Verdict>,
    /// Facts of the host.
    pub context: Vec<(&'a str, &'a [u8])>,
}

/// A simulated consequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consequence {
    /// When it would show.
    pub horizon: String,
    /// What is measured.
    pub metric: String,
    /// How much.
    pub value: i64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// Parts per million; higher is better.
    pub ethical_score: u32,
    /// What is doubted.
    pub doubt: Doubt,
    /// What is expected.
    pub futures: Vec<Consequence>,
    /// The quip that was judged.
    pub quip: Option<String>,
    /// Axioms that were hit.
    pub axioms_hit: Vec<String>,
    /// Why, for people.
    pub reasons: Vec<String>,
    /// Version of the codex.
    pub codex_version: String,
    /// What else is on record.
    pub facts: Vec<(String, String)>,
}
