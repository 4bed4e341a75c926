//! What steps may use: caps, the softer caps below them, and pools that steps share.
//!
//! INVARIANT: a cap is an inclusive maximum; a soft one is never above its hard one.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// What one step may use. All are inclusive maxima and greater than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Cost in millionths of the plan's currency; not capped when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
    /// What is done with less before a cap is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft: Option<SoftBudget>,
    /// Wall time in milliseconds.
    pub time_ms: u64,
    /// Model tokens.
    pub tokens: u64,
    /// Tool calls.
    pub tools: u64,
}

/// Softer caps: past one of them the step is told to go on with less. An absent part has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftBudget {
    /// What going on with less means.
    pub backoff: SoftBackoff,
    /// Millionths of the plan's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
    /// Milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// Model tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Tool calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<u64>,
}

/// How a step goes on with less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SoftBackoff {
    /// A smaller model answers.
    RouteSmallerModel,
    /// What goes in is summarised.
    Summarize,
    /// What goes in is cut.
    Truncate,
}

impl SoftBackoff {
    /// The word in plans and labels.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::RouteSmallerModel => "route_smaller_model",
            Self::Summarize => "summarize",
            Self::Truncate => "truncate",
        }
    }
}

/// What all steps together may use; an absent part is not capped by the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanBudget {
    /// Millionths of the plan's currency, summed over steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
    /// How much more than the steps' sum the caps must hold, in parts per million: 1 100 000 is a tenth more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headroom_ppm: Option<u32>,
    /// How what is left is shared among steps that are due.
    #[serde(default, skip_serializing_if = "PoolPolicy::is_default")]
    pub pool: PoolPolicy,
    /// Milliseconds, summed over steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// Model tokens, summed over steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Tool calls, summed over steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<u64>,
}

/// How a pool is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolPolicy {
    /// As [`Self::Fair`], and what finished steps left unused is shared among the rest.
    Adaptive,
    /// Every step that has not run yet keeps its equal share, at most its own budget.
    Fair,
    /// Who starts first takes its whole budget, as far as there is one.
    #[default]
    Greedy,
    /// As greedy, the most critical steps first.
    Priority,
}

impl PoolPolicy {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks with a reference"
    )]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Budget {
    /// What a step gets in the lenient profile when it says nothing: 300 s, 10 000 tokens, 10 tools, no cap on cost.
    pub const DEFAULT: Self = Self {
        cost_micros: None,
        soft: None,
        time_ms: 300_000,
        tokens: 10_000,
        tools: 10,
    };

    /// Returns the parts by the names that plans use, time in milliseconds, cost in millionths; `None` is not capped.
    #[must_use]
    pub const fn parts(&self) -> [(&'static str, Option<u64>); 4] {
        [
            ("tokens", Some(self.tokens)),
            ("time", Some(self.time_ms)),
            ("tools", Some(self.tools)),
            ("cost", self.cost_micros),
        ]
    }
}

impl SoftBudget {
    /// Returns the parts by the names and in the order of [`Budget::parts`].
    #[must_use]
    pub const fn parts(&self) -> [(&'static str, Option<u64>); 4] {
        [
            ("tokens", self.tokens),
            ("time", self.time_ms),
            ("tools", self.tools),
            ("cost", self.cost_micros),
        ]
    }
}

impl PlanBudget {
    /// Returns the parts by the names and in the order of [`Budget::parts`].
    #[must_use]
    pub const fn parts(&self) -> [(&'static str, Option<u64>); 4] {
        [
            ("tokens", self.tokens),
            ("time", self.time_ms),
            ("tools", self.tools),
            ("cost", self.cost_micros),
        ]
    }

    /// Returns `(part, sum over the steps with headroom, cap)` for every part whose sum is above its cap. `steps` holds
    /// each step's budget and how often it may run.
    #[must_use]
    pub fn exceeded_by(&self, steps: &[(Budget, u64)]) -> Vec<(&'static str, u64, u64)> {
        let headroom = u128::from(self.headroom_ppm.unwrap_or(1_000_000).max(1_000_000));
        let sum = |part: usize| {
            let sum = steps.iter().fold(0_u64, |sum, (budget, times)| {
                let value = budget.parts().get(part).and_then(|(_, value)| *value);
                sum.saturating_add(value.unwrap_or(0).saturating_mul(*times))
            });
            let with_headroom = (u128::from(sum) * headroom).div_ceil(1_000_000);
            u64::try_from(with_headroom).unwrap_or(u64::MAX)
        };
        (self.parts().into_iter().enumerate())
            .filter_map(|(part, (name, cap))| Some((name, sum(part), cap?)))
            .filter(|(_, sum, cap)| sum > cap)
            .collect()
    }
}
