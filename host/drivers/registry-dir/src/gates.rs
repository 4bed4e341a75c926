//! `[gates]` of `aim.toml`: which gates every step passes, who signs their codexes, what their scores must reach, how risks
//! are composed, and what is kept aside for whom.
//!
//! INVARIANT: every number only asks for more; no key takes a gate away.

use std::{collections::BTreeMap, path::PathBuf};

use aim_core::{
    contract::{ContractRule, authored::AuthoredFloors},
    digest::decode_hex,
    gate::{CodexVersion, floor::Floors},
    kappa::composite::{Borders, CompositeRule, Weights},
    name::NodeId,
    quarantine::{Approver, QuarantineRules},
};
use serde::{Deserialize, Serialize};

/// The gates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthoredGates {
    /// The ethical gate's node.
    pub ethical: String,
    /// Further gates that every step passes, by node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// The file of the public keys that codexes are signed with. Without it no codex is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub codex_keys: Option<String>,
    /// No codex below this version is accepted: `<major>.<minor>.<patch>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codex_least: Option<String>,
    /// What every ethical score must reach, over the codexes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floors: Option<AuthoredFloors>,
    /// How several risks make one outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kappa: Option<AuthoredComposite>,
    /// Keep outputs aside that people may release, instead of dropping them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<AuthoredQuarantine>,
    /// Who may answer about what is kept aside, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub approvers: BTreeMap<String, AuthoredApprover>,
}

/// A rule for composing risks; every number in parts per million.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthoredComposite {
    /// Up to this risk an attempt proceeds.
    #[schemars(range(max = 1_000_000))]
    pub low_ppm: u32,
    /// Up to this risk it goes on with less.
    #[schemars(range(max = 1_000_000))]
    pub mid_ppm: u32,
    /// Up to this risk another step answers; above, a person.
    #[schemars(range(max = 1_000_000))]
    pub high_ppm: u32,
    /// How far below `low_ppm` a risk must be to leave `degrade`.
    #[serde(default)]
    #[schemars(range(max = 1_000_000))]
    pub hysteresis_ppm: u32,
    /// How much each risk weighs: `budget`, `context`, `policy`, `retrieval`, `uncertainty`. What is absent is left out.
    pub weights: BTreeMap<RiskName, u32>,
}

/// A risk by name.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum RiskName {
    /// Share of the limits that is used up.
    Budget,
    /// Share of the items that gates can't read.
    Context,
    /// How far the gates' scores are from full.
    Policy,
    /// Share of the sources that speak against the output.
    Retrieval,
    /// How unsure the step is.
    Uncertainty,
}

/// What is kept aside, and what it takes to release it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthoredQuarantine {
    /// Least time between the two approvals, in milliseconds; 600000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
    /// How long an approval counts, in milliseconds; 86400000 when absent, and at most that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400_000))]
    pub ttl_ms: Option<u64>,
}

/// A person who may answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthoredApprover {
    /// What they answer for; two answers need two roles.
    #[schemars(length(min = 1, max = 64))]
    pub role: String,
    /// Who they are to the host, as `actor` in witnesses: `uid:<number>`.
    #[schemars(length(min = 1, max = 128))]
    pub actor: String,
    /// Their public key, 64 hex digits.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub key: String,
}

/// The gates of a deployment that came through every rule.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DeploymentGates {
    /// Further gates that every step passes.
    pub also: Vec<NodeId>,
    /// The file of the keys that codexes are signed with.
    pub codex_keys: Option<PathBuf>,
    /// No codex below it is accepted.
    pub codex_least: Option<CodexVersion>,
    /// What every score must reach.
    pub floors: Floors,
    /// How risks are composed.
    pub composite: Option<CompositeRule>,
    /// What it takes to release what is kept aside; `None` when nothing is.
    pub quarantine: Option<QuarantineRules>,
    /// Who may answer.
    pub approvers: Vec<Approver>,
}

impl AuthoredGates {
    /// Checks everything that needs no file; `add` takes each fault with its place.
    pub(crate) fn check(
        &self,
        add: &mut impl FnMut(ContractRule, String, String),
    ) -> DeploymentGates {
        let mut also = Vec::new();
        for (index, text) in self.also.iter().enumerate() {
            match NodeId::parse(text) {
                Ok(node) => also.push(node),
                Err(error) => add(
                    ContractRule::Name,
                    format!("/gates/also/{index}"),
                    error.to_string(),
                ),
            }
        }
        let least = self.codex_least.as_deref().map(CodexVersion::parse);
        if let Some(Err(error)) = &least {
            add(
                ContractRule::Value,
                "/gates/codex_least".to_owned(),
                error.to_string(),
            );
        }
        if let Some(name) = self.floors.and_then(|floors| floors.above_one()) {
            let message = format!("`{name}` must be at most 1000000");
            add(
                ContractRule::Limit,
                format!("/gates/floors/{name}"),
                message,
            );
        }
        let composite = self.kappa.as_ref().map(AuthoredComposite::rule);
        if let Some(Err(error)) = &composite {
            add(
                ContractRule::Value,
                "/gates/kappa".to_owned(),
                error.to_string(),
            );
        }
        DeploymentGates {
            also,
            codex_keys: None,
            codex_least: least.and_then(Result::ok),
            floors: self
                .floors
                .map(|floors| floors.floors())
                .unwrap_or_default(),
            composite: composite.and_then(Result::ok),
            quarantine: self.quarantine.as_ref().map(|written| written.rules(add)),
            approvers: self.approvers(add),
        }
    }

    fn approvers(&self, add: &mut impl FnMut(ContractRule, String, String)) -> Vec<Approver> {
        let mut approvers: Vec<Approver> = Vec::new();
        for (name, written) in &self.approvers {
            let at = format!("/gates/approvers/{name}/key");
            if decode_hex::<32>(&written.key).is_none() {
                add(
                    ContractRule::Value,
                    at,
                    "a key is 64 lower-case hex digits".to_owned(),
                );
            } else if approvers.iter().any(|other| other.key == written.key) {
                add(ContractRule::Value, at, "one key has one owner".to_owned());
            }
            approvers.push(Approver {
                actor: written.actor.clone(),
                key: written.key.clone(),
                name: name.clone(),
                role: written.role.clone(),
            });
        }
        approvers
    }
}

impl AuthoredComposite {
    fn rule(&self) -> Result<CompositeRule, aim_core::kappa::composite::CompositeRuleError> {
        let weight = |name| self.weights.get(&name).copied().unwrap_or(0);
        let borders = Borders {
            low_ppm: self.low_ppm,
            mid_ppm: self.mid_ppm,
            high_ppm: self.high_ppm,
            hysteresis_ppm: self.hysteresis_ppm,
        };
        let weights = Weights {
            budget: weight(RiskName::Budget),
            context: weight(RiskName::Context),
            policy: weight(RiskName::Policy),
            retrieval: weight(RiskName::Retrieval),
            uncertainty: weight(RiskName::Uncertainty),
        };
        CompositeRule::new(borders, weights)
    }
}

impl AuthoredQuarantine {
    fn rules(&self, add: &mut impl FnMut(ContractRule, String, String)) -> QuarantineRules {
        let usual = QuarantineRules::DEFAULT;
        let rules = QuarantineRules {
            interval_ms_min: self.interval_ms.unwrap_or(usual.interval_ms_min),
            ttl_ms_max: self.ttl_ms.unwrap_or(usual.ttl_ms_max),
        };
        if rules.ttl_ms_max == 0 || rules.ttl_ms_max > usual.ttl_ms_max {
            let message = "an approval counts from 1 ms to a day".to_owned();
            add(
                ContractRule::Limit,
                "/gates/quarantine/ttl_ms".to_owned(),
                message,
            );
        }
        if rules.interval_ms_min >= rules.ttl_ms_max {
            let message = "the first approval would be void before the second may come".to_owned();
            add(
                ContractRule::Limit,
                "/gates/quarantine/interval_ms".to_owned(),
                message,
            );
        }
        rules
    }
}
