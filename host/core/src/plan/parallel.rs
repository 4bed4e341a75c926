//! More than one at a time, and more than once: shards, fan-out, reduction and bounded flow.
//!
//! INVARIANT: every range is finite and written out, so a plan's steps can be counted before any of them runs.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::Clause;
use crate::name::StepName;

/// What the steps of a shard share; an absent part is not capped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// Steps of the shard that run at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// Model tokens of all attempts of its steps together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_pool: Option<u64>,
    /// Milliseconds of all attempts of its steps together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ms_pool: Option<u64>,
}

impl Caps {
    /// Returns the parts by the names that plans use.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, Option<u64>); 3] {
        [
            ("max_parallel", self.max_parallel.map(u64::from)),
            ("token_pool", self.token_pool),
            ("wall_ms_pool", self.wall_ms_pool),
        ]
    }
}

/// A step that runs once for each number of a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fanout {
    /// The first number.
    pub first: u32,
    /// The last number, inclusive; not below the first.
    pub last: u32,
    /// What every instance is told, by name, beside its number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<StepName, String>,
}

impl Fanout {
    /// How many instances there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        u64::from(self.last.saturating_sub(self.first)).saturating_add(1)
    }
}

/// How the outputs of a step's instances become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reduce {
    /// The method.
    pub method: ReduceMethod,
    /// How many instances must have completed; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u32>,
    /// What happens when no answer has more than half of the votes.
    #[serde(default, skip_serializing_if = "Tie::is_default")]
    pub tie: Tie,
}

/// How candidates become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReduceMethod {
    /// The step itself, a verifier, is given all candidates and decides.
    Adjudicate,
    /// The candidate with the greatest number `rs` goes on (`maxRS`); of equal ones the first.
    Merge,
    /// The mean of the candidates' numbers `score` goes on (`mean`).
    Score,
    /// The answer that more than half of the candidates gave goes on (`majority`).
    Vote,
}

impl ReduceMethod {
    /// The method as it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Adjudicate => "adjudicate",
            Self::Merge => "merge",
            Self::Score => "score",
            Self::Vote => "vote",
        }
    }
}

/// What happens when no answer has more than half of the votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tie {
    /// Nobody is sure: the step abstains.
    #[default]
    Abstain,
    /// The most frequent answer goes on; of equally frequent ones the one given first.
    First,
}

impl Tie {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks with a reference"
    )]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Steps that are done over, each round with the result of the last one, until a condition holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Rounds at most, from 1.
    pub max_iter: u32,
    /// The flow's name.
    pub name: StepName,
    /// What the last round's result is when the condition never held.
    #[serde(default, skip_serializing_if = "Exhausted::is_default")]
    pub on_exhausted: Exhausted,
    /// The step whose output is the flow's result: the only one that steps outside may require.
    pub result: StepName,
    /// The steps of one round, in plan order. Those that require none of the others are given the last round's result.
    pub steps: Vec<StepName>,
    /// The flow ends after the first round whose result meets it.
    pub until: Clause,
}

/// What becomes of a flow whose condition never held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exhausted {
    /// Nobody is sure enough: what depends on it does not run.
    #[default]
    Abstain,
    /// The last round's result goes on.
    Release,
}

impl Exhausted {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks with a reference"
    )]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
