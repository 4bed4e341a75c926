//! What a gate is asked, what it answers, and how that is kept in a witness.
//!
//! INVARIANT: a record is bound to the digest of exactly what was judged; it can not be moved to another request.

pub mod floor;
mod rules;
mod version;

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    envelope::{ArtifactRef, Target},
    verdict::{Severity, Verdict},
};

pub use self::{
    rules::GateRules,
    version::{CodexVersion, CodexVersionError},
};

/// When a gate is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before the step sees the envelope.
    Ingress,
    /// Before an immediate effect is done.
    Effect,
    /// Before anything leaves the step.
    Egress,
    /// The step asks about something it intends to do.
    Consult,
}

/// How much a step doubts, by kind, in parts per million; higher is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Doubt {
    /// It may fall on the wrong people.
    pub distributional: u32,
    /// It may not know.
    pub epistemic: u32,
    /// It may not be right to do.
    pub moral: u32,
    /// What nobody thought of.
    pub unknown_unknown: u32,
}

/// One thing that would pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it would go.
    pub target: Target,
    /// What it asks or says: an operation or an interface function.
    pub action: String,
    /// Media type of the payload.
    pub media_type: String,
    /// Artifacts that go along.
    pub artifacts: Vec<ArtifactRef>,
    /// BLAKE3 of the payload.
    pub payload_digest: Digest,
    /// The exact bytes, unless the contract calls them opaque.
    pub payload: Option<Vec<u8>>,
}

/// What is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateRequest {
    /// When.
    pub phase: Phase,
    /// The plan's name.
    pub plan: String,
    /// The step's name.
    pub step: String,
    /// The step's role.
    pub role: String,
    /// Capabilities that were granted to the step.
    pub effects: Vec<String>,
    /// Everything that would pass, in one request.
    pub items: Vec<Item>,
    /// What the step says its output may do.
    pub impact: Option<String>,
    /// What the step doubts.
    pub doubt: Option<Doubt>,
    /// The plan's or step's analogy.
    pub quip: Option<String>,
    /// This gate's last verdict in this run.
    pub prior: Option<Verdict>,
    /// Facts that the host chose for this gate.
    pub context: Vec<(String, Vec<u8>)>,
}

impl GateRequest {
    /// The digest that binds a decision to this request: every field takes part, payloads by digest. Only `prior` does not: it is
    /// the gate's own past and no part of what is judged, and it stands in the record beside the digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut fields = Fields::default();
        let phase = match self.phase {
            Phase::Ingress => "ingress",
            Phase::Effect => "effect",
            Phase::Egress => "egress",
            Phase::Consult => "consult",
        };
        fields
            .text(phase)
            .text(&self.plan)
            .text(&self.step)
            .text(&self.role);
        fields.count(self.effects.len());
        self.effects.iter().for_each(|effect| {
            fields.text(effect);
        });
        fields.count(self.items.len());
        self.items.iter().for_each(|item| fields.item(item));
        fields
            .option(self.impact.as_deref())
            .option(self.quip.as_deref());
        match self.doubt {
            None => fields.count(0),
            Some(doubt) => {
                fields.count(1);
                for part in [
                    doubt.epistemic,
                    doubt.moral,
                    doubt.distributional,
                    doubt.unknown_unknown,
                ] {
                    fields.bytes(&part.to_le_bytes());
                }
            }
        }
        fields.count(self.context.len());
        for (name, value) in &self.context {
            fields.text(name).bytes(value);
        }
        Digest::derive("gate-request", &[&fields.0])
    }
}

/// Length-prefixed fields, so that no two requests share a preimage.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0
            .extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn option(&mut self, text: Option<&str>) -> &mut Self {
        self.count(usize::from(text.is_some()));
        self.text(text.unwrap_or_default())
    }

    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&(count as u64).to_le_bytes());
    }

    fn item(&mut self, item: &Item) {
        let (to, name) = match &item.target {
            Target::Next => ("next", ""),
            Target::Port(name) => ("port", name.as_str()),
            Target::Reply => ("reply", ""),
            Target::Node(name) => ("node", name.as_str()),
        };
        self.text(to)
            .text(name)
            .text(&item.action)
            .text(&item.media_type);
        self.count(item.artifacts.len());
        for artifact in &item.artifacts {
            self.bytes(artifact.digest.as_bytes())
                .text(&artifact.media_type)
                .bytes(&artifact.size_bytes.to_le_bytes());
        }
        self.bytes(item.payload_digest.as_bytes());
    }
}

/// A simulated consequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consequence {
    /// When it would show.
    pub horizon: String,
    /// What is measured.
    pub metric: String,
    /// How much, in the metric's own unit.
    pub value: i64,
}

/// The answer of an ethical gate: verdict, score, doubt, futures, quip, and the rules it judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Axioms that were hit.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub axioms_hit: Vec<String>,
    /// Digest of the codex, as the gate saw it.
    pub codex_digest: String,
    /// Version of the codex.
    pub codex_version: String,
    /// What the gate doubts.
    pub doubt: Doubt,
    /// Parts per million; higher is better.
    pub ethical_score: u32,
    /// Anything else the gate wants on record.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub facts: Vec<(String, String)>,
    /// What it expects.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub futures: Vec<Consequence>,
    /// The quip it judged, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub quip: Option<String>,
    /// Why, for people.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub reasons: Vec<String>,
    /// The verdict.
    pub verdict: Verdict,
}

/// What kind of gate judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateKind {
    /// The contract's JSON Schemas.
    Schema,
    /// The grant that the operator's policy allowed.
    Policy,
    /// A gate component with a codex.
    Component,
    /// A plan's own condition.
    Condition,
    /// Claimed confidence against kappa.
    Kappa,
}

/// One decision as it is kept in a witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateRecord {
    /// The codex's digest or the gate component's, whichever the gate judged by; absent for built-in gates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub codex: Option<Digest>,
    /// The version that the codex was signed with; absent without one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub codex_version: Option<CodexVersion>,
    /// The gate component's digest; absent for built-in gates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub component: Option<Digest>,
    /// The whole answer of an ethical gate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decision: Option<Decision>,
    /// The gate's id, unique in the plan.
    pub gate: String,
    /// What kind of gate it is.
    pub kind: GateKind,
    /// When it was asked.
    pub phase: Phase,
    /// This gate's last verdict in the same scope, as the gate was told; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prior: Option<Verdict>,
    /// Why, for people; at most 16 of at most 512 bytes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub reasons: Vec<String>,
    /// Digest of what was judged.
    pub request: Digest,
    /// How much an objection weighs.
    pub severity: Severity,
    /// The verdict after severity.
    pub verdict: Verdict,
}

/// True when gate components leave it to a person: nobody objects, no answer is missing, and at least one abstains.
#[must_use]
pub fn asks_for_a_person(records: &[GateRecord]) -> bool {
    let worst = Verdict::worst(records.iter().map(|record| record.verdict));
    let abstains = |record: &GateRecord| {
        record.kind == GateKind::Component && record.verdict == Verdict::Abstain
    };
    worst == Verdict::Abstain && records.iter().any(abstains)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec};

    fn request() -> GateRequest {
        GateRequest {
            phase: Phase::Egress,
            plan: "p".to_string(),
            step: "s".to_string(),
            role: "r".to_string(),
            effects: vec!["log".to_string()],
            items: vec![Item {
                target: Target::Next,
                action: "a".to_string(),
                media_type: "text/plain".to_string(),
                artifacts: vec![],
                payload_digest: Digest::of(b"x"),
                payload: Some(b"x".to_vec()),
            }],
            impact: None,
            doubt: None,
            quip: None,
            prior: None,
            context: vec![],
        }
    }

    #[test]
    fn every_field_takes_part_in_the_binding() {
        let base = request().digest();
        let mut others = vec![
            GateRequest {
                phase: Phase::Ingress,
                ..request()
            },
            GateRequest {
                step: "t".to_string(),
                ..request()
            },
            GateRequest {
                effects: vec![],
                ..request()
            },
            GateRequest {
                impact: Some(String::new()),
                ..request()
            },
            GateRequest {
                quip: Some("q".to_string()),
                ..request()
            },
            GateRequest {
                doubt: Some(Doubt::default()),
                ..request()
            },
            GateRequest {
                context: vec![("k".to_string(), vec![])],
                ..request()
            },
        ];
        let mut moved = request();
        moved.items[0].payload_digest = Digest::of(b"y");
        others.push(moved);
        for other in others {
            assert_ne!(other.digest(), base, "{other:?}");
        }
        assert_eq!(request().digest(), base);
        let told = GateRequest {
            prior: Some(Verdict::Pass),
            ..request()
        };
        assert_eq!(told.digest(), base, "the past is no part of what is judged");
    }
}
