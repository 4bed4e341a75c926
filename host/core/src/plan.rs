//! The plan IR: what a `.acl` source means once everything implicit has been written out.
//!
//! A [`Plan`] comes from a compiler or from bytes, and both go through the same checks, because the IR is a trust
//! boundary: whoever holds a `Plan` knows that it is acyclic, that every name in it leads somewhere and that its steps
//! stand in their one order. Its canonical JSON is what is hashed, stored and pinned.
//!
//! ```text
//! .acl text --aim-acl--> PlanParts --Plan::check--> Plan --to_json--> bytes --from_json--> the same Plan
//! ```
//!
//! INVARIANT: equal plans have equal bytes: structs declare their fields in sorted order, maps are ordered, numbers are
//! integers below 2^53, and bytes in any other spelling are refused.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{condition::Condition, digest::Digest, name::StepName, verdict::Severity};

mod binding;
mod check;
mod lock;
mod order;
mod written;

pub use binding::{NODE_PARAM, Unbound, UnboundReason, bindings};
pub use check::{PlanError, PlanFault, text_fault};
pub use lock::{GatePin, LOCK_VERSION, Lock, LockError, StepPin};
pub use order::{Order, cycles, order};
pub use written::{LanguageVersion, StepId, WrittenFormError};

/// The version of the IR's shape that this host reads and writes.
pub const IR_VERSION: u32 = 1;
/// The most steps that a plan may have.
pub const STEPS_MAX: usize = 10_000;
/// The most bytes that a serialised plan may have.
pub const IR_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The largest integer in a plan: every JSON reader represents it exactly.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// The role names that every plan has without declaring them; each is its own kind.
pub const BUILTIN_ROLES: [&str; 8] = [
    "planner",
    "retriever",
    "reasoner",
    "verifier",
    "builder",
    "critic",
    "operator",
    "witness",
];

/// A checked plan. Made by [`Plan::check`] or [`Plan::from_json`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan(PlanParts);

/// The fields of a plan before they are checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanParts {
    /// What all steps together may use; absent when the plan sets no cap of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<PlanBudget>,
    /// Conditions on the plan's result: each is asked of the output of every terminal step.
    pub gates: Vec<Gate>,
    /// Always [`IR_VERSION`].
    pub ir_version: u32,
    /// The version of the language that the source was written in.
    pub language_version: LanguageVersion,
    /// The plan's name.
    pub name: StepName,
    /// The plan's analogy, judged once a plan by the ethical gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quip: Option<String>,
    /// Declared roles, and the built-in ones that steps use.
    pub roles: BTreeMap<StepName, Role>,
    /// Steps in plan order: see [`order()`].
    pub steps: Vec<Step>,
}

/// Who does a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// What the deployment file maps to a node when the role names none itself.
    pub kind: StepName,
    /// Parameters as they were written, without quotes.
    pub params: BTreeMap<StepName, String>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What the step may use; always explicit.
    pub budget: Budget,
    /// What the step is asked to do, in the plan's words.
    pub description: String,
    /// Conditions on the step's own output, in source order.
    pub gates: Vec<Gate>,
    /// `s1` for the first step of the source, and so on.
    pub id: StepId,
    /// False when the run may succeed without it: the step has dependents and all of them require it with `?`.
    pub is_required: bool,
    /// The step's name, unique in the plan.
    pub name: StepName,
    /// What the step waits for, in the order in which it receives their outputs.
    pub requires: Vec<Require>,
    /// The role that does it; a key of the plan's roles.
    pub role: StepName,
}

/// One edge of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Require {
    /// True for `REQUIRES x?`: the dependent runs even if `x` abstained or was skipped.
    pub is_optional: bool,
    /// The step that is waited for.
    pub step: StepName,
}

/// What one step may use. All are inclusive maxima and greater than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Wall time in milliseconds.
    pub time_ms: u64,
    /// Model tokens.
    pub tokens: u64,
    /// Tool calls.
    pub tools: u64,
}

/// What all steps together may use; an absent part is not capped by the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanBudget {
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

/// A named condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// What is asked.
    pub condition: Condition,
    /// The gate's name, unique in its step and among the plan's own gates.
    pub name: StepName,
    /// What the host does when the condition does not hold.
    pub on_fail: OnFail,
    /// `warn` exactly when `on_fail` is warn.
    pub severity: Severity,
    /// The condition as the plan wrote it; parses to `condition`.
    pub source: String,
}

/// What the host does when a condition does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFail {
    /// The step is denied and the run ends.
    #[default]
    Abort,
    /// The step is held for a person.
    Escalate,
    /// The objection becomes a warning and the output is marked for review.
    Warn,
}

impl Plan {
    /// Checks the parts of a plan.
    ///
    /// # Errors
    /// [`PlanError`] with every fault that was found.
    pub fn check(parts: PlanParts) -> Result<Self, PlanError> {
        let faults = check::faults(&parts);
        if faults.is_empty() {
            Ok(Self(parts))
        } else {
            Err(PlanError { faults })
        }
    }

    /// Reads canonical JSON and checks the plan in it. White space after the document is ignored.
    ///
    /// # Errors
    /// [`PlanError`] when the bytes are too many, no plan, a faulty plan, or a plan in another spelling.
    pub fn from_json(bytes: &[u8]) -> Result<Self, PlanError> {
        let bytes = bytes.trim_ascii_end();
        if bytes.len() > IR_BYTES_MAX {
            return Err(PlanFault::TooLarge.into());
        }
        let parts: PlanParts = serde_json::from_slice(bytes).map_err(check::malformed)?;
        let plan = Self::check(parts)?;
        if plan.to_json() == bytes {
            Ok(plan)
        } else {
            Err(PlanFault::NotCanonical.into())
        }
    }

    /// Returns the canonical JSON: the bytes that are hashed, stored and pinned.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        canonical(&self.0)
    }

    /// Returns the content hash: BLAKE3 of the canonical JSON.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_json())
    }

    /// Returns the plan's name.
    #[must_use]
    pub const fn name(&self) -> &StepName {
        &self.0.name
    }

    /// Returns the language version of the source.
    #[must_use]
    pub const fn language_version(&self) -> LanguageVersion {
        self.0.language_version
    }

    /// Returns the roles by name.
    #[must_use]
    pub const fn roles(&self) -> &BTreeMap<StepName, Role> {
        &self.0.roles
    }

    /// Returns the steps in plan order: every step stands after all that it requires.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0.steps
    }

    /// Returns the step of that name.
    #[must_use]
    pub fn step(&self, name: &StepName) -> Option<&Step> {
        self.0.steps.iter().find(|step| step.name == *name)
    }

    /// Returns the conditions on the plan's result.
    #[must_use]
    pub fn gates(&self) -> &[Gate] {
        &self.0.gates
    }

    /// Returns what all steps together may use.
    #[must_use]
    pub const fn budget(&self) -> Option<PlanBudget> {
        self.0.budget
    }

    /// Returns the plan's analogy.
    #[must_use]
    pub fn quip(&self) -> Option<&str> {
        self.0.quip.as_deref()
    }

    /// Returns the terminal steps, in plan order: nobody requires them and their outputs are the plan's result.
    pub fn terminals(&self) -> impl Iterator<Item = &Step> {
        let required: alloc::collections::BTreeSet<&StepName> = (self.0.steps.iter())
            .flat_map(|step| step.requires.iter().map(|require| &require.step))
            .collect();
        (self.0.steps.iter()).filter(move |step| !required.contains(&step.name))
    }

    /// Returns the fields, for whoever wants to change and check them again.
    #[must_use]
    pub fn into_parts(self) -> PlanParts {
        self.0
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Deserialises with all checks but the one on spelling, which only bytes can have.
impl<'de> Deserialize<'de> for Plan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::check(PlanParts::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Serialises one of this module's types: none holds a map with other than string keys, a float or a custom failure,
/// so there is no error to report.
fn canonical<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

impl Budget {
    /// What a step gets in the lenient profile when it says nothing: 300 s, 10 000 tokens, 10 tools.
    pub const DEFAULT: Self = Self {
        time_ms: 300_000,
        tokens: 10_000,
        tools: 10,
    };

    /// Returns the parts by the names that plans use, time in milliseconds.
    #[must_use]
    pub const fn parts(&self) -> [(&'static str, u64); 3] {
        [
            ("tokens", self.tokens),
            ("time", self.time_ms),
            ("tools", self.tools),
        ]
    }
}

impl PlanBudget {
    /// Returns the parts by the names that plans use, time in milliseconds.
    #[must_use]
    pub const fn parts(&self) -> [(&'static str, Option<u64>); 3] {
        [
            ("tokens", self.tokens),
            ("time", self.time_ms),
            ("tools", self.tools),
        ]
    }

    /// Returns `(part, sum over the steps, cap)` for every part whose sum is above its cap.
    #[must_use]
    pub fn exceeded_by(&self, steps: &[Budget]) -> Vec<(&'static str, u64, u64)> {
        let sum = |part: usize| {
            steps.iter().fold(0_u64, |sum, budget| {
                let value = budget.parts().get(part).map_or(0, |(_, value)| *value);
                sum.saturating_add(value)
            })
        };
        (self.parts().into_iter().enumerate())
            .filter_map(|(part, (name, cap))| Some((name, sum(part), cap?)))
            .filter(|(_, sum, cap)| sum > cap)
            .collect()
    }
}

impl OnFail {
    /// The action as it is written, in lower case.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Escalate => "escalate",
            Self::Warn => "warn",
        }
    }

    /// The severity that goes with the action.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::Warn => Severity::Warn,
            Self::Abort | Self::Escalate => Severity::Block,
        }
    }
}

#[cfg(test)]
mod tests;
