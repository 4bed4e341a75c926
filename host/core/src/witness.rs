//! The statement about one attempt, one plan, one refused load or one log: what is signed.
//!
//! Shape: in-toto Statement v1 (<https://in-toto.io/Statement/v1>) with our own predicates. Fields are declared in sorted
//! order and hold integers and strings only, so that plain serialisation is already the canonical form (RFC 8785).
//!
//! INVARIANT: everything outside `guestClaims` is written by the host.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    access::{Grant, RefusedAsk, TokenRecord},
    claims::GuestClaims,
    digest::{Digest, Sha256},
    effect::EffectRecord,
    envelope::{ArtifactRef, Target},
    gate::GateRecord,
    id::{AttemptId, EnvelopeId, ExecutionId, RunId, SpanId, TraceId},
    kappa::{Criticality, Escalation, composite::CompositeRecord, demand::Bands},
    name::{NodeId, StepName, TenantId},
    outcome::{Fault, Outcome},
    plan::StepPath,
    staged::StagedRecord,
    time::Timestamp,
    verdict::{Disposition, Verdict},
};

/// The statement type that every witness carries.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// Predicate type of an attempt's witness.
pub const ATTEMPT_PREDICATE: &str = "urn:aim:predicate:attempt:v1";
/// Predicate type of a plan's witness.
pub const PLAN_PREDICATE: &str = "urn:aim:predicate:plan:v1";
/// Predicate type of a component that was refused at admission.
pub const DENIED_LOAD_PREDICATE: &str = "urn:aim:predicate:denied-load:v1";
/// Predicate type of the first leaf of a log.
pub const EPOCH_PREDICATE: &str = "urn:aim:predicate:epoch:v1";

/// An in-toto Statement v1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement<P> {
    /// Always [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What is stated.
    pub predicate: P,
    /// Which predicate it is.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What it is stated about; never empty.
    pub subject: Vec<Subject>,
}

impl<P> Statement<P> {
    /// Wraps a predicate.
    #[must_use]
    pub fn new(predicate_type: &str, subject: Vec<Subject>, predicate: P) -> Self {
        Self {
            statement_type: STATEMENT_TYPE.into(),
            predicate,
            predicate_type: predicate_type.into(),
            subject,
        }
    }
}

impl<P: Serialize> Statement<P> {
    /// The exact bytes that are signed.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        // Plain data with string keys only: serialisation has no failure to report.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// One thing that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Both digests; a verifier of ours wants both to match.
    pub digest: SubjectDigest,
    /// `input`, `output/<i>` or `artifact/<i>`.
    pub name: String,
}

/// Both digests of one content, as bare hex (in-toto `DigestSet`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectDigest {
    /// 64 hex digits.
    pub blake3: String,
    /// 64 hex digits.
    pub sha256: String,
}

impl Subject {
    /// Names a content by both of its digests.
    #[must_use]
    pub fn new(name: impl Into<String>, blake3: Digest, sha256: Sha256) -> Self {
        Self {
            digest: SubjectDigest {
                blake3: blake3.hex(),
                sha256: sha256.hex(),
            },
            name: name.into(),
        }
    }
}

/// What is stated about one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttemptPredicate {
    /// Who asked, as the transport authenticated it.
    pub actor: String,
    /// The attempt.
    pub attempt: AttemptId,
    /// From 1.
    pub attempt_no: u32,
    /// Folders that it may read and change: the manifest of what each held when the attempt began.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub bases: BTreeMap<String, Digest>,
    /// What was used of each budget and limit.
    pub budgets: Vec<BudgetUse>,
    /// The component that ran.
    pub component: Digest,
    /// What all risks together came to, where the deployment has a rule for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub composite: Option<CompositeRecord>,
    /// Digest of the effective configuration: deployment, ceilings, engine profile.
    pub config: Digest,
    /// Digest of the node contract.
    pub contract: Digest,
    /// The conversation.
    pub correlation: EnvelopeId,
    /// What the host did after the verdict, where it is more than to release or not.
    #[serde(skip_serializing_if = "Disposition::is_release", default)]
    pub disposition: Disposition,
    /// What the world noticed or was kept from noticing, in the order of the calls.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub effects: Vec<EffectRecord>,
    /// Host's claim.
    pub ended_at: Timestamp,
    /// The engine.
    pub engine: EngineRecord,
    /// What went in.
    pub envelope: EnvelopeRecord,
    /// The try of the run.
    pub execution: ExecutionId,
    /// Why it did not complete.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fault: Option<Fault>,
    /// Granted folders by name: the digest of the snapshot that was mounted.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub folders: BTreeMap<String, Digest>,
    /// Every decision, in the order they were made.
    pub gates: Vec<GateRecord>,
    /// What the step could use.
    pub grant: Grant,
    /// What the guest says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub guest_claims: Option<GuestClaims>,
    /// The host.
    pub host: HostRecord,
    /// What the guest asked of the host.
    pub host_calls: HostCallRecord,
    /// Claimed confidence against the threshold, where the contract has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kappa: Option<KappaRecord>,
    /// What the policy that is only tried out would have refused; absent when none is tried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<MonitorRecord>,
    /// The node contract's id.
    pub node: NodeId,
    /// What the answer of the gate that holds it wants the next try to be told.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub options: BTreeMap<StepName, String>,
    /// The log this statement belongs to.
    pub origin: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What would leave or left the step, in order.
    pub outputs: Vec<OutputRecord>,
    /// Span of the attempt that emitted the envelope.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent_span: Option<SpanId>,
    /// Where the attempt's node stands, for an instance of a fan-out or a round of a flow; else the step's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<StepPath>,
    /// Digest of the plan IR.
    pub plan: Digest,
    /// True when the outputs left the step.
    pub released: bool,
    /// The standby step that the plan sends it to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reroute: Option<StepName>,
    /// The step's role in the plan.
    pub role: String,
    /// The pinned question.
    pub run: RunId,
    /// The attempt's span.
    pub span: SpanId,
    /// What it staged in buckets and folders: committed with this statement when the outputs left, else dropped.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub staged: Vec<StagedRecord>,
    /// Host's claim.
    pub started_at: Timestamp,
    /// The step's name in the plan.
    pub step: StepName,
    /// Whose run it is.
    pub tenant: TenantId,
    /// Capability tokens that something was done with: what they say, what was spent, and by which host calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<TokenRecord>,
    /// The execution's trace.
    pub trace: TraceId,
    /// The worst verdict of all gates that were asked.
    pub verdict: Verdict,
}

/// What was used of one budget or limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetUse {
    /// The most there was.
    pub cap: u64,
    /// Its name with its unit.
    pub name: String,
    /// The plan's soft mark below it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft: Option<u64>,
    /// What was used.
    pub used: u64,
}

/// The envelope, without its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvelopeRecord {
    /// Artifacts that came along.
    pub artifacts: Vec<ArtifactRef>,
    /// BLAKE3 of the body.
    pub body: Digest,
    /// Size of the body.
    pub body_bytes: u64,
    /// Absent at the root.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub causation: Option<EnvelopeId>,
    /// The envelope's id.
    pub id: EnvelopeId,
    /// Media type of the body.
    pub media_type: String,
    /// What was asked.
    pub operation: String,
}

/// One emission, without its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutputRecord {
    /// Artifacts that go along.
    pub artifacts: Vec<ArtifactRef>,
    /// BLAKE3 of the body.
    pub body: Digest,
    /// Size of the body.
    pub body_bytes: u64,
    /// The id it gets on the way out.
    pub envelope: EnvelopeId,
    /// Media type of the body.
    pub media_type: String,
    /// What it asks or says.
    pub operation: String,
    /// Where it goes.
    pub target: Target,
}

/// The host as it stood when the attempt ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostRecord {
    /// How far the signing keys were out of reach: `same-uid`, `landlock` or `separate-uid`.
    pub isolation: String,
    /// The host's version.
    pub version: String,
}

/// The engine as it stood when the attempt ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EngineRecord {
    /// How instances get their memory: `pooling` or `on-demand`.
    pub allocator: String,
    /// Digest of the engine profile: version, compiler, every setting.
    pub profile: Digest,
}

/// What the guest asked of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostCallRecord {
    /// Calls that adapters answered, by function.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub adapters: BTreeMap<String, u64>,
    /// Calls that were permitted, charged and recorded.
    pub calls: u64,
    /// Calls that were denied, in order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub denials: Vec<DeniedCall>,
    /// Log bytes that were dropped because the log budget was used up.
    pub log_bytes_dropped: u64,
    /// Digest of the kept log lines, when there are any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub logs: Option<Digest>,
    /// Digest of the transcript.
    pub transcript: Digest,
}

/// One denied host call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeniedCall {
    /// The interface function.
    pub action: String,
    /// Index of the call within the attempt.
    pub call: u32,
    /// The rule that denied it.
    pub rule: String,
    /// What it was about.
    pub target: String,
}

/// What a policy that is tried out beside the enforced one would have changed. It is counted, never obeyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonitorRecord {
    /// Digest of that policy.
    pub policy: Digest,
    /// Granted uses that it would have refused, in the order of the grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub would_deny: Vec<WouldDeny>,
}

/// One granted use that a policy on trial would have refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WouldDeny {
    /// The action: `artifact.put`.
    pub action: String,
    /// Host calls that were made with it and would not have been.
    pub calls: u64,
    /// What it is on: `Folder/logs`.
    pub resource: String,
    /// Rules that forbid it; empty when none permits it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
}

/// Claimed confidence against a threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KappaRecord {
    /// What was needed before the node's track record moved it, in parts per million; absent when nothing did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub adapted_from_ppm: Option<u32>,
    /// A from 900 000, B from 700 000, C below, in parts per million, unless the deployment sets other borders.
    pub band: Band,
    /// What the guest claims, in parts per million; absent when it claims nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub confidence_ppm: Option<u32>,
    /// How much depends on the node, where its contract says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub criticality: Option<Criticality>,
    /// Why a person should look at it; absent when nobody needs to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub escalation: Option<Escalation>,
    /// What is needed, in parts per million.
    pub threshold_ppm: u32,
}

/// A confidence band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Band {
    /// 0.90 and above.
    A,
    /// 0.70 and above.
    B,
    /// Below 0.70.
    C,
}

impl Band {
    /// The band of a confidence in parts per million.
    #[must_use]
    pub fn of(confidence_ppm: u32) -> Self {
        Bands::default().of(confidence_ppm)
    }
}

/// What is stated about one execution of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanPredicate {
    /// Who asked.
    pub actor: String,
    /// Host's claim.
    pub ended_at: Timestamp,
    /// The execution.
    pub execution: ExecutionId,
    /// The exit code of the run.
    pub exit_code: u8,
    /// The host.
    pub host: HostRecord,
    /// Named inputs by digest.
    pub inputs: BTreeMap<String, Digest>,
    /// Digest of the lock.
    pub lock: Digest,
    /// The log this statement belongs to.
    pub origin: String,
    /// Digest of the plan IR.
    pub plan: Digest,
    /// The plan's name.
    pub plan_name: StepName,
    /// The pinned question.
    pub run: RunId,
    /// Host's claim.
    pub started_at: Timestamp,
    /// Every step of the plan, in plan order.
    pub steps: Vec<StepSummary>,
    /// Whose run it is.
    pub tenant: TenantId,
    /// The execution's trace.
    pub trace: TraceId,
}

/// One step in a plan's witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepSummary {
    /// The standby step whose output stands for this one's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answered_by: Option<StepName>,
    /// Digests of the witnesses of its attempts, in order; empty when it never ran.
    pub attempts: Vec<Digest>,
    /// True when the run's exit code depends on it.
    pub is_required: bool,
    /// How its last attempt ended; absent when it never ran.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Outcome>,
    /// Where its node stands, for an instance of a fan-out or a round of a flow.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<StepPath>,
    /// Digest of the statement by which two people released what its gates had held.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub released_by: Option<Digest>,
    /// Its final state.
    pub state: StepState,
    /// Its name.
    pub step: StepName,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// Not yet ready.
    Pending,
    /// An attempt is under way.
    Running,
    /// Its outputs were released.
    Completed,
    /// It will not complete.
    Failed,
    /// Never run, because something it requires did not complete.
    Skipped,
    /// Nobody was sure enough.
    Abstained,
    /// A person must decide.
    Waiting,
}

/// What is stated about a component that was not admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeniedLoadPredicate {
    /// Who asked.
    pub actor: String,
    /// The component's digest, where its bytes could be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub component: Option<Digest>,
    /// The host.
    pub host: HostRecord,
    /// The node contract's id.
    pub node: NodeId,
    /// The log this statement belongs to.
    pub origin: String,
    /// The plan that it was to be loaded for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<StepName>,
    /// Digest of the policy that was asked; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
    /// Host's claim.
    pub refused_at: Timestamp,
    /// Asks that policy refused.
    pub refused_asks: Vec<RefusedAsk>,
    /// Every reason: code and sentence.
    pub reasons: Vec<Fault>,
    /// The step that wanted it; absent for a gate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub step: Option<StepName>,
    /// Whose run it was.
    pub tenant: TenantId,
}

/// What is stated in the first leaf of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EpochPredicate {
    /// Host's claim.
    pub created_at: Timestamp,
    /// The host.
    pub host: HostRecord,
    /// Public keys by role, as 64 hex digits.
    pub keys: BTreeMap<String, String>,
    /// The log this statement opens.
    pub origin: String,
}

#[cfg(test)]
pub(crate) mod tests;
