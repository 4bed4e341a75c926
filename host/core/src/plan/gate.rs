//! Gates that a plan writes itself: what they judge, when, and what the host does when they object.
//!
//! INVARIANT: a gate always says what happens when it does not hold, and it can not say that nothing happens.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use serde::{Deserialize, Serialize};

use crate::{
    condition::{Condition, ConditionError},
    name::StepName,
    verdict::{Disposition, Severity, Verdict},
};

/// A gate of a step or of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// What is judged.
    pub check: Check,
    /// The gate's name, unique in its step and among the plan's own gates.
    pub name: StepName,
    /// What the host does when it does not hold: the first answer whose condition holds. The last one has none.
    pub on_fail: Vec<OnFail>,
    /// On which side of the step it stands.
    #[serde(default, skip_serializing_if = "GatePhase::is_egress")]
    pub phase: GatePhase,
    /// `warn` exactly when every answer of `on_fail` is `warn`.
    pub severity: Severity,
    /// The gate is asked only when this holds; one that nobody can judge is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Clause>,
}

/// A condition and its spelling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// What is asked.
    pub condition: Condition,
    /// The condition as the plan wrote it; parses to `condition`.
    pub source: String,
}

impl Clause {
    /// Reads a clause from its spelling.
    ///
    /// # Errors
    /// [`ConditionError`] with the place.
    pub fn parse(source: &str) -> Result<Self, ConditionError> {
        Ok(Self {
            condition: Condition::parse(source)?,
            source: source.into(),
        })
    }

    /// True when the spelling says what the condition is.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        Condition::parse(&self.source).as_ref() == Ok(&self.condition)
    }
}

/// On which side of a step a gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatePhase {
    /// Before the step runs, over its envelope.
    Ingress,
    /// After it ran, over what wants to leave.
    #[default]
    Egress,
}

impl GatePhase {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks with a reference"
    )]
    fn is_egress(&self) -> bool {
        *self == Self::Egress
    }
}

/// What a gate judges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Check {
    /// One condition.
    Condition(Clause),
    /// Several conditions, and what the step must say about itself.
    Rules(Rules),
    /// A judge of a known kind.
    Judge(JudgeCheck),
}

/// Conditions that must hold, conditions that must not, and claims that must be there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// What the step must have attested.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub emit: BTreeSet<Emit>,
    /// None of them may hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forbid: Vec<Clause>,
    /// All of them must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<Clause>,
}

/// Something that a step says about its own work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Emit {
    /// A retrieval score: the field `rs` of the output.
    Rs,
    /// Its confidence.
    Uq,
    /// A witness; the host always writes one.
    Vif,
}

/// A judge of a known kind and what it is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeCheck {
    /// What it is given, by the judge's own names: steps of the plan.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<StepName, StepName>,
    /// True when doubt counts as an objection.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub is_strict: bool,
    /// Which judge.
    pub kind: JudgeKind,
    /// The document that it judges by, as the plan calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The least score that passes, in parts per million, where the kind has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_ppm: Option<u32>,
}

/// Judges by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JudgeKind {
    /// Differences to an earlier output.
    Diff,
    /// A person.
    Hitl,
    /// Code, documentation, tests and traces agree.
    Parity,
    /// A policy document.
    Policy,
    /// Every claim leads to a source.
    Provenance,
    /// The contract's schemas.
    Schema,
    /// Claimed confidence.
    Uq,
}

impl JudgeKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Diff,
        Self::Hitl,
        Self::Parity,
        Self::Policy,
        Self::Provenance,
        Self::Schema,
        Self::Uq,
    ];

    /// The kind as plans write it, in lower case.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Diff => "diff",
            Self::Hitl => "hitl",
            Self::Parity => "parity",
            Self::Policy => "policy",
            Self::Provenance => "provenance",
            Self::Schema => "schema",
            Self::Uq => "uq",
        }
    }

    /// True when this host has something that judges the kind. A plan with any other kind is refused: a gate that nobody
    /// evaluates would be one that passes.
    #[must_use]
    pub const fn has_evaluator(self) -> bool {
        matches!(self, Self::Schema | Self::Uq)
    }
}

/// One answer to a gate that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnFail {
    /// What the host does.
    pub action: Action,
    /// The answer is taken only when this holds; one that nobody can judge is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Clause>,
    /// What people are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What a degraded attempt is told, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<StepName, String>,
    /// The standby step that answers instead; exactly with [`Action::Fallback`] and [`Action::Reroute`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<StepName>,
}

impl OnFail {
    /// An answer without anything beside its action.
    #[must_use]
    pub const fn always(action: Action) -> Self {
        Self {
            action,
            condition: None,
            message: None,
            options: BTreeMap::new(),
            target: None,
        }
    }
}

/// What the host does when a gate does not hold or a rule of the plan applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The step is denied and the run ends.
    #[default]
    Abort,
    /// The step abstains; what depends on it does not run.
    Abstain,
    /// The step is tried once more with less.
    Degrade,
    /// The step is held for a person.
    Escalate,
    /// A standby step answers instead, because the step failed.
    Fallback,
    /// What wanted to leave is kept aside.
    Quarantine,
    /// The step is tried once more and told what was wrong.
    Repair,
    /// A standby step answers instead, because the gate sends it there.
    Reroute,
    /// The step is tried again, within its retries.
    Retry,
    /// The objection becomes a warning and the output is marked for review.
    Warn,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 10] = [
        Self::Abort,
        Self::Abstain,
        Self::Degrade,
        Self::Escalate,
        Self::Fallback,
        Self::Quarantine,
        Self::Repair,
        Self::Reroute,
        Self::Retry,
        Self::Warn,
    ];

    /// The action as it is written, in lower case.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Abstain => "abstain",
            Self::Degrade => "degrade",
            Self::Escalate => "escalate",
            Self::Fallback => "fallback",
            Self::Quarantine => "quarantine",
            Self::Repair => "repair",
            Self::Reroute => "reroute",
            Self::Retry => "retry",
            Self::Warn => "warn",
        }
    }

    /// True when the action names the step that answers instead.
    #[must_use]
    pub const fn has_target(self) -> bool {
        matches!(self, Self::Fallback | Self::Reroute)
    }

    /// The severity that goes with the action.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::Warn => Severity::Warn,
            _ => Severity::Block,
        }
    }

    /// What a gate that does not hold says, before severity, and what the host then does.
    #[must_use]
    pub const fn effect(self) -> (Verdict, Disposition) {
        match self {
            Self::Abort => (Verdict::Fail, Disposition::Abort),
            Self::Abstain => (Verdict::Abstain, Disposition::Release),
            Self::Degrade => (Verdict::Fail, Disposition::Degrade),
            Self::Escalate => (Verdict::Abstain, Disposition::Escalate),
            Self::Fallback | Self::Reroute => (Verdict::Fail, Disposition::Reroute),
            Self::Quarantine => (Verdict::Fail, Disposition::Quarantine),
            Self::Repair => (Verdict::Fail, Disposition::Repair),
            Self::Retry => (Verdict::Fail, Disposition::Retry),
            Self::Warn => (Verdict::Fail, Disposition::Release),
        }
    }
}

impl Gate {
    /// A gate over one condition with one answer, on the way out.
    #[must_use]
    pub fn over(name: StepName, clause: Clause, action: Action) -> Self {
        Self {
            check: Check::Condition(clause),
            name,
            on_fail: Vec::from([OnFail::always(action)]),
            phase: GatePhase::Egress,
            severity: action.severity(),
            when: None,
        }
    }

    /// The severity that the answers give the gate.
    #[must_use]
    pub fn severity_of(on_fail: &[OnFail]) -> Severity {
        if on_fail.iter().all(|answer| answer.action == Action::Warn) {
            Severity::Warn
        } else {
            Severity::Block
        }
    }

    /// Every clause of the gate.
    pub fn clauses(&self) -> impl Iterator<Item = &Clause> {
        let (one, rules) = match &self.check {
            Check::Condition(clause) => (Some(clause), None),
            Check::Rules(rules) => (None, Some(rules)),
            Check::Judge(_) => (None, None),
        };
        let of_rules = rules
            .into_iter()
            .flat_map(|rules| rules.require.iter().chain(&rules.forbid));
        let answers = self.on_fail.iter().filter_map(|one| one.condition.as_ref());
        one.into_iter()
            .chain(of_rules)
            .chain(answers)
            .chain(&self.when)
    }
}
