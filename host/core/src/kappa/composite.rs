//! Several risks, one outcome: the worst weighted risk decides how an attempt goes on.
//!
//! ```text
//! risk 0 ...... low ....... mid ........ high ...... 1        a hard violation, whatever the risk
//!       proceed  |  degrade  |  reroute   |  ask a person      abort
//! ```
//! A border belongs to the better side, as for risk bands.
//!
//! INVARIANT: one more risk never makes the outcome better; a risk that has weight and was not measured counts as certain.

use serde::{Deserialize, Serialize};

use crate::{
    claims::RATIO_ONE,
    digest::Digest,
    verdict::{Disposition, Verdict},
};

/// What may speak against going on, each in parts per million; higher is worse. `None` was not measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risks {
    /// Share of the budget that is used up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub budget: Option<u32>,
    /// How much of the context is missing or can not be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub context: Option<u32>,
    /// How far the gates' scores are from full.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policy: Option<u32>,
    /// How weakly the output is supported by what was retrieved.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retrieval: Option<u32>,
    /// How unsure the step is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uncertainty: Option<u32>,
}

/// How much each risk weighs, in parts per million; zero leaves it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Of the budget.
    pub budget: u32,
    /// Of the context.
    pub context: u32,
    /// Of the gates' scores.
    pub policy: u32,
    /// Of the support.
    pub retrieval: u32,
    /// Of the uncertainty.
    pub uncertainty: u32,
}

/// The borders between outcomes, and what it takes to leave `degrade` again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Borders {
    /// Up to here the attempt proceeds.
    pub low_ppm: u32,
    /// Up to here it goes on with less.
    pub mid_ppm: u32,
    /// Up to here another step answers; above, a person.
    pub high_ppm: u32,
    /// How far below `low_ppm` a risk must be to leave `degrade`.
    pub hysteresis_ppm: u32,
}

/// A rule for composing risks, whole and checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenRule")]
pub struct CompositeRule {
    borders: Borders,
    weights: Weights,
}

/// A rule as it is written, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    borders: Borders,
    weights: Weights,
}

impl TryFrom<WrittenRule> for CompositeRule {
    type Error = CompositeRuleError;

    fn try_from(written: WrittenRule) -> Result<Self, CompositeRuleError> {
        Self::new(written.borders, written.weights)
    }
}

/// Why a rule is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompositeRuleError {
    /// The borders are not in order.
    #[error("the borders must rise: low {low_ppm}, mid {mid_ppm}, high {high_ppm}")]
    Order {
        /// The first border.
        low_ppm: u32,
        /// The second.
        mid_ppm: u32,
        /// The third.
        high_ppm: u32,
    },
    /// A number is above one.
    #[error("`{0}` is above 1000000")]
    AboveOne(&'static str),
    /// Nothing weighs anything.
    #[error("every weight is zero, so nothing would ever be asked")]
    NoWeight,
}

impl CompositeRuleError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "AIM-G020"
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        "write borders from 0 to 1000000 that rise, and at least one weight above 0"
    }
}

/// How an attempt goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KappaOutcome {
    /// As planned.
    Proceed,
    /// With less, and marked for review.
    Degrade,
    /// Another step answers instead.
    Reroute,
    /// A person is asked.
    Hitl,
    /// Not at all.
    Abort,
}

/// What a composite decision is kept as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompositeRecord {
    /// The borders that counted.
    pub borders: Borders,
    /// What follows.
    pub outcome: KappaOutcome,
    /// Digest of the rule.
    pub policy: Digest,
    /// The outcome before this one in the same scope, when there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prior: Option<KappaOutcome>,
    /// The worst weighted risk, in parts per million.
    pub risk_ppm: u32,
    /// What was measured.
    pub risks: Risks,
}

impl CompositeRule {
    /// Takes a rule.
    ///
    /// # Errors
    /// [`CompositeRuleError`] for borders that do not rise, numbers above one, and a rule that weighs nothing.
    pub fn new(borders: Borders, weights: Weights) -> Result<Self, CompositeRuleError> {
        let named = [
            ("high_ppm", borders.high_ppm),
            ("hysteresis_ppm", borders.hysteresis_ppm),
            ("budget", weights.budget),
            ("context", weights.context),
            ("policy", weights.policy),
            ("retrieval", weights.retrieval),
            ("uncertainty", weights.uncertainty),
        ];
        if let Some((name, _)) = named.into_iter().find(|(_, value)| *value > RATIO_ONE) {
            return Err(CompositeRuleError::AboveOne(name));
        }
        let Borders {
            low_ppm,
            mid_ppm,
            high_ppm,
            ..
        } = borders;
        if !(low_ppm < mid_ppm && mid_ppm < high_ppm) {
            return Err(CompositeRuleError::Order {
                low_ppm,
                mid_ppm,
                high_ppm,
            });
        }
        if named.iter().skip(2).all(|(_, weight)| *weight == 0) {
            return Err(CompositeRuleError::NoWeight);
        }
        Ok(Self { borders, weights })
    }

    /// The digest that decisions name the rule by.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // Integers under fixed names: serialisation has no failure to report.
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        Digest::derive("kappa-rule", &[&bytes])
    }

    /// The worst weighted risk, in parts per million. A risk above one counts as one.
    #[must_use]
    pub fn risk_ppm(&self, risks: &Risks) -> u32 {
        let Weights {
            budget,
            context,
            policy,
            retrieval,
            uncertainty,
        } = self.weights;
        [
            (budget, risks.budget),
            (context, risks.context),
            (policy, risks.policy),
            (retrieval, risks.retrieval),
            (uncertainty, risks.uncertainty),
        ]
        .into_iter()
        .map(|(weight, risk)| weighted(weight, risk))
        .max()
        .unwrap_or(RATIO_ONE)
    }

    /// Decides. A hard violation aborts whatever else is known; `prior` is the last outcome in the same scope.
    #[must_use]
    pub fn decide(
        &self,
        risks: Risks,
        has_hard_violation: bool,
        prior: Option<KappaOutcome>,
    ) -> CompositeRecord {
        let risk_ppm = self.risk_ppm(&risks);
        let outcome = if has_hard_violation {
            KappaOutcome::Abort
        } else {
            self.outcome(risk_ppm, prior)
        };
        CompositeRecord {
            borders: self.borders,
            outcome,
            policy: self.digest(),
            prior,
            risk_ppm,
            risks,
        }
    }

    /// Getting worse is never delayed; only leaving `degrade` for the better needs more than crossing the border.
    fn outcome(&self, risk_ppm: u32, prior: Option<KappaOutcome>) -> KappaOutcome {
        let borders = &self.borders;
        let low_ppm = if prior == Some(KappaOutcome::Degrade) {
            borders.low_ppm.checked_sub(borders.hysteresis_ppm)
        } else {
            Some(borders.low_ppm)
        };
        if low_ppm.is_some_and(|low_ppm| risk_ppm <= low_ppm) {
            KappaOutcome::Proceed
        } else if risk_ppm <= borders.mid_ppm {
            KappaOutcome::Degrade
        } else if risk_ppm <= borders.high_ppm {
            KappaOutcome::Reroute
        } else {
            KappaOutcome::Hitl
        }
    }
}

/// Both are at most one, so the product is too.
fn weighted(weight: u32, risk: Option<u32>) -> u32 {
    let risk = risk.unwrap_or(RATIO_ONE).min(RATIO_ONE);
    let product = u64::from(weight) * u64::from(risk) / u64::from(RATIO_ONE);
    u32::try_from(product).unwrap_or(RATIO_ONE)
}

impl KappaOutcome {
    /// The word in evidence and output.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Proceed => "proceed",
            Self::Degrade => "degrade",
            Self::Reroute => "reroute",
            Self::Hitl => "hitl",
            Self::Abort => "abort",
        }
    }

    /// What the host does then.
    #[must_use]
    pub const fn disposition(self) -> Disposition {
        match self {
            Self::Proceed => Disposition::Release,
            Self::Degrade => Disposition::Degrade,
            Self::Reroute => Disposition::Reroute,
            Self::Hitl => Disposition::Escalate,
            Self::Abort => Disposition::Abort,
        }
    }

    /// What it says as a gate: only proceeding and degrading release.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Proceed => Verdict::Pass,
            Self::Degrade => Verdict::Warn,
            Self::Reroute | Self::Hitl => Verdict::Abstain,
            Self::Abort => Verdict::Fail,
        }
    }
}
