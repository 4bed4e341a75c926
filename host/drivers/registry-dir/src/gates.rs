//! `[gates]` of `aim.toml`: which gates every step passes, who signs their codexes, what their scores must reach, how risks
//! are composed, and what is kept aside for whom.
//!
//! INVARIANT: every number only asks for more; no key takes a gate away.

use std::{collections::BTreeMap, path::PathBuf};

use aim_core::{
    claims::RATIO_ONE,
    contract::{ContractRule, authored::AuthoredFloors},
    digest::{Digest, decode_hex},
    gate::{CodexVersion, floor::Floors},
    kappa::{
        ThresholdSet, TrackRecord,
        composite::{Borders, CompositeRule, CompositeRuleError, Weights},
        demand::{Bands, ConfidenceRules},
    },
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
    /// What confidences are held against, and where their bands begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<AuthoredConfidence>,
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
    /// How much each risk weighs.
    pub weights: AuthoredWeights,
}

/// What confidences are held against; every number in parts per million.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthoredConfidence {
    /// The table of thresholds for contracts that say how much depends on a node: `usual` (the default) or `strict`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<ThresholdSet>,
    /// From this confidence on a claim is in band A; 900000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub a_ppm: Option<u32>,
    /// From this confidence on a claim is in band B; 700000 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub b_ppm: Option<u32>,
    /// How well past claims fitted what came of them, by node. It moves thresholds; it lowers no number of a contract.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub records: BTreeMap<String, AuthoredTrackRecord>,
}

/// What was measured of a node's past claims, as `aimctl gate record` writes it; `ece_ppm` or `accuracy_ppm` at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthoredTrackRecord {
    /// Share of past answers that were right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub accuracy_ppm: Option<u32>,
    /// How many past answers that is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub cases: Option<u64>,
    /// Digest of those answers, `blake3:<64 hex digits>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", regex(pattern = r"^blake3:[0-9a-f]{64}$"))]
    pub digest: Option<Digest>,
    /// Expected calibration error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub ece_ppm: Option<u32>,
    /// The worst tenth's distance of confidence and accuracy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub mce_ppm: Option<u32>,
}

/// How much each risk weighs, in parts per million; what is absent is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthoredWeights {
    /// Share of the limits that is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub budget: Option<u32>,
    /// Share of the items that gates can't read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub context: Option<u32>,
    /// How far the gates' scores are from full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub policy: Option<u32>,
    /// Share of the sources that speak against the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub retrieval: Option<u32>,
    /// How unsure the step is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub uncertainty: Option<u32>,
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
    /// What confidences are held against.
    pub confidence: ConfidenceRules,
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
        // A number above one is the schema's to refuse, at its own place.
        if let Some(Err(error)) = &composite
            && !matches!(error, CompositeRuleError::AboveOne(_))
        {
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
            confidence: (self.confidence.as_ref())
                .map(|written| written.rules(add))
                .unwrap_or_default(),
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
    fn rule(&self) -> Result<CompositeRule, CompositeRuleError> {
        let written = self.weights;
        let borders = Borders {
            low_ppm: self.low_ppm,
            mid_ppm: self.mid_ppm,
            high_ppm: self.high_ppm,
            hysteresis_ppm: self.hysteresis_ppm,
        };
        let weights = Weights {
            budget: written.budget.unwrap_or(0),
            context: written.context.unwrap_or(0),
            policy: written.policy.unwrap_or(0),
            retrieval: written.retrieval.unwrap_or(0),
            uncertainty: written.uncertainty.unwrap_or(0),
        };
        CompositeRule::new(borders, weights)
    }
}

impl AuthoredConfidence {
    fn rules(&self, add: &mut impl FnMut(ContractRule, String, String)) -> ConfidenceRules {
        let usual = Bands::default();
        let bands = Bands {
            a_ppm: self.a_ppm.unwrap_or(usual.a_ppm),
            b_ppm: self.b_ppm.unwrap_or(usual.b_ppm),
        };
        if bands.a_ppm <= RATIO_ONE && !bands.are_in_order() {
            add(
                ContractRule::Value,
                "/gates/confidence".to_owned(),
                format!(
                    "bands must fall from A to B, and `a_ppm` is {}, `b_ppm` is {}",
                    bands.a_ppm, bands.b_ppm
                ),
            );
        }
        let mut records = BTreeMap::new();
        for (name, written) in &self.records {
            let at = format!("/gates/confidence/records/{name}");
            written.check(&at, add);
            match NodeId::parse(name) {
                Ok(node) => drop(records.insert(
                    node,
                    TrackRecord {
                        accuracy_ppm: written.accuracy_ppm,
                        cases: written.cases,
                        digest: written.digest,
                        ece_ppm: written.ece_ppm,
                        mce_ppm: written.mce_ppm,
                    },
                )),
                Err(error) => add(ContractRule::Name, at, error.to_string()),
            }
        }
        ConfidenceRules {
            bands,
            records,
            set: self.table.unwrap_or_default(),
        }
    }
}

/// A node's track record as a table of the deployment file.
#[must_use]
pub fn record_text(node: &NodeId, record: &TrackRecord) -> String {
    // A node id in quotes is a key of TOML whatever it is made of, and digits and digests are values of it.
    let mut text = format!("\n[gates.confidence.records.\"{node}\"]\n");
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!("{name} = {value}\n"));
        }
    };
    line(
        "accuracy_ppm",
        record.accuracy_ppm.map(|ppm| ppm.to_string()),
    );
    line("cases", record.cases.map(|cases| cases.to_string()));
    line(
        "digest",
        record.digest.map(|digest| format!("\"{digest}\"")),
    );
    line("ece_ppm", record.ece_ppm.map(|ppm| ppm.to_string()));
    line("mce_ppm", record.mce_ppm.map(|ppm| ppm.to_string()));
    text
}

impl AuthoredTrackRecord {
    fn check(self, at: &str, add: &mut impl FnMut(ContractRule, String, String)) {
        let named = [
            ("accuracy_ppm", self.accuracy_ppm),
            ("ece_ppm", self.ece_ppm),
            ("mce_ppm", self.mce_ppm),
        ];
        for (name, value) in named {
            if value.is_some_and(|value| value > RATIO_ONE) {
                let message = format!("`{name}` must be at most 1000000");
                add(ContractRule::Limit, format!("{at}/{name}"), message);
            }
        }
        if self.cases == Some(0) {
            let message = "a track record of no cases says nothing".to_owned();
            add(ContractRule::Limit, format!("{at}/cases"), message);
        }
        if self.accuracy_ppm.is_none() && self.ece_ppm.is_none() {
            let message = "a track record without a number says nothing".to_owned();
            add(ContractRule::Value, at.to_owned(), message);
        }
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
        } else if rules.interval_ms_min >= rules.ttl_ms_max {
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
