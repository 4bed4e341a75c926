//! The records and variants of our WIT packages as the engine reads and writes them; `convert` turns them into core's.
//!
//! INVARIANT: shapes are checked against the component when it is loaded, so a difference is a refusal, never a trap.

use wasmtime::component::{ComponentType, Lift, Lower};

/// `aim:types/types.artifact-ref`.
#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(record)]
pub(crate) struct ArtifactRef {
    pub(crate) digest: String,
    #[component(name = "media-type")]
    pub(crate) media_type: String,
    #[component(name = "size-bytes")]
    pub(crate) size_bytes: u64,
}

/// `aim:types/types.envelope`.
#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(crate) struct Envelope {
    pub(crate) id: String,
    pub(crate) operation: String,
    #[component(name = "media-type")]
    pub(crate) media_type: String,
    pub(crate) artifacts: Vec<ArtifactRef>,
    pub(crate) body: Vec<u8>,
}

/// `aim:types/types.target`.
#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(variant)]
pub(crate) enum Target {
    #[component(name = "next")]
    Next,
    #[component(name = "port")]
    Port(String),
    #[component(name = "reply")]
    Reply,
    #[component(name = "node")]
    Node(String),
}

/// `aim:types/types.emission`.
#[derive(ComponentType, Lift, Debug, Clone)]
#[component(record)]
pub(crate) struct Emission {
    pub(crate) target: Target,
    pub(crate) operation: String,
    #[component(name = "media-type")]
    pub(crate) media_type: String,
    pub(crate) artifacts: Vec<ArtifactRef>,
    pub(crate) body: Vec<u8>,
}

/// `aim:types/types.denial`.
#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(record)]
pub(crate) struct Denial {
    pub(crate) rule: String,
    pub(crate) action: String,
    pub(crate) target: String,
    #[component(name = "call-index")]
    pub(crate) call_index: u32,
}

/// `aim:types/types.fault`.
#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(record)]
pub(crate) struct Fault {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// `aim:types/types.error`.
#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(variant)]
pub(crate) enum HostError {
    #[component(name = "denied")]
    Denied(Denial),
    #[component(name = "not-found")]
    NotFound(String),
    #[component(name = "invalid-argument")]
    InvalidArgument(String),
    #[component(name = "exhausted")]
    Exhausted(String),
    #[component(name = "timeout")]
    Timeout,
    #[component(name = "cancelled")]
    Cancelled,
    #[component(name = "conflict")]
    Conflict(String),
    #[component(name = "unavailable")]
    Unavailable(String),
    #[component(name = "other")]
    Other(Fault),
}

/// `aim:types/types.confidence`.
#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(record)]
pub(crate) struct Confidence {
    pub(crate) score: u32,
    pub(crate) method: String,
}

/// `aim:types/types.doubt`.
#[derive(ComponentType, Lift, Lower, Debug, Clone, Copy)]
#[component(record)]
pub(crate) struct Doubt {
    pub(crate) epistemic: u32,
    pub(crate) moral: u32,
    pub(crate) distributional: u32,
    #[component(name = "unknown-unknown")]
    pub(crate) unknown_unknown: u32,
}

/// `aim:types/types.abstention`.
#[derive(ComponentType, Lift, Debug, Clone)]
#[component(record)]
pub(crate) struct Abstention {
    pub(crate) reason: String,
    pub(crate) confidence: Confidence,
}

/// `aim:types/types.step-error`.
#[derive(ComponentType, Lift, Debug, Clone)]
#[component(variant)]
pub(crate) enum StepError {
    #[component(name = "permanent")]
    Permanent(Fault),
    #[component(name = "transient")]
    Transient(Fault),
    #[component(name = "invalid-input")]
    InvalidInput(Fault),
    #[component(name = "abstain")]
    Abstain(Abstention),
    #[component(name = "denied")]
    Denied(Denial),
}

/// `aim:witness/attest.relation`.
#[derive(ComponentType, Lift, Debug, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "lifting makes the cases by their number")]
pub(crate) enum Relation {
    #[component(name = "derives-from")]
    DerivesFrom,
    #[component(name = "supports")]
    Supports,
    #[component(name = "contradicts")]
    Contradicts,
    #[component(name = "cites")]
    Cites,
}

/// `aim:log/log.level`.
#[derive(ComponentType, Lift, Debug, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "lifting makes the cases by their number")]
pub(crate) enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

/// `aim:gate/types.phase`.
#[derive(ComponentType, Lower, Debug, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Phase {
    #[component(name = "ingress")]
    Ingress,
    #[component(name = "effect")]
    Effect,
    #[component(name = "egress")]
    Egress,
    #[component(name = "consult")]
    Consult,
}

/// `aim:gate/types.verdict`.
#[derive(ComponentType, Lift, Lower, Debug, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Verdict {
    #[component(name = "pass")]
    Pass,
    #[component(name = "warn")]
    Warn,
    #[component(name = "abstain")]
    Abstain,
    #[component(name = "fail")]
    Fail,
}

/// `aim:gate/types.item`.
#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(crate) struct Item {
    pub(crate) target: Target,
    pub(crate) action: String,
    #[component(name = "media-type")]
    pub(crate) media_type: String,
    pub(crate) artifacts: Vec<ArtifactRef>,
    #[component(name = "payload-digest")]
    pub(crate) payload_digest: String,
    pub(crate) payload: Option<Vec<u8>>,
}

/// `aim:gate/types.request`.
#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(crate) struct Request {
    pub(crate) phase: Phase,
    pub(crate) plan: String,
    pub(crate) step: String,
    pub(crate) role: String,
    pub(crate) effects: Vec<String>,
    pub(crate) items: Vec<Item>,
    pub(crate) impact: Option<String>,
    pub(crate) doubt: Option<Doubt>,
    pub(crate) quip: Option<String>,
    pub(crate) prior: Option<Verdict>,
    pub(crate) context: Vec<(String, Vec<u8>)>,
}

/// `aim:gate/types.consequence`.
#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(record)]
pub(crate) struct Consequence {
    pub(crate) horizon: String,
    pub(crate) metric: String,
    pub(crate) value: i64,
}

/// `aim:gate/types.decision`.
#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(record)]
pub(crate) struct Decision {
    pub(crate) verdict: Verdict,
    #[component(name = "ethical-score")]
    pub(crate) ethical_score: u32,
    pub(crate) doubt: Doubt,
    pub(crate) futures: Vec<Consequence>,
    pub(crate) quip: Option<String>,
    #[component(name = "axioms-hit")]
    pub(crate) axioms_hit: Vec<String>,
    pub(crate) reasons: Vec<String>,
    #[component(name = "codex-version")]
    pub(crate) codex_version: String,
    #[component(name = "codex-digest")]
    pub(crate) codex_digest: String,
    pub(crate) facts: Vec<(String, String)>,
}
