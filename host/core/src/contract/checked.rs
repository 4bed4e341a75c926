//! Contracts as the host uses them: every name parsed, every default filled in, every rule held.
//!
//! INVARIANT: the facts are reached through `Deref` only, so a contract that was checked stays as it was checked. One that is
//! read back from its canonical form was checked when its digest was taken; whoever reads it holds it against that digest.

mod node;
mod runtime_host;
#[cfg(test)]
mod tests;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};
use core::ops::Deref;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Autonomy, EffectType, HandlerFamily, NodeKind, World};
use crate::{
    access::Ask,
    digest::Digest,
    gate::floor::Floors,
    kappa::Criticality,
    limits::Limits,
    name::{NodeId, TenantId},
};

/// A node contract that came through every rule. Made by [`super::NodeDocument::check`], or read back from what one wrote.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct NodeContract(NodeFacts);

/// What a node contract says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeFacts {
    /// What kind of node it is.
    pub kind: NodeKind,
    /// The node's id.
    pub node_id: NodeId,
    /// The contract's version.
    pub version: String,
    /// Whose envelopes it takes.
    pub tenant_scope: TenantScope,
    /// What people keep in it; the host reads none of it, yet it takes part in the digest.
    pub metadata: BTreeMap<String, Value>,
    /// Who does the work.
    pub implementation: Implementation,
    /// What is asked for: sorted, each capability and folder once.
    pub asks: Vec<Ask>,
    /// JSON Schema of the envelope's body; any body is fine when absent.
    pub input: Option<Value>,
    /// JSON Schema of each emission's body; any body is fine when absent.
    pub output: Option<Value>,
    /// Limits of one attempt, all of them.
    pub limits: Limits,
    /// How often a transient failure is tried again.
    pub retry: Retry,
    /// Gates to pass besides those of the deployment and the plan.
    pub gates: BTreeSet<NodeId>,
    /// True when doing it twice is the same as doing it once.
    pub is_idempotent: bool,
    /// How far it may go by itself.
    pub autonomy: Autonomy,
    /// True when gates see digests of payloads instead of their bytes.
    pub is_payload_opaque: bool,
    /// Confidence below which the step abstains, in parts per million.
    pub kappa_ppm: Option<u32>,
    /// How much depends on it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub criticality: Option<Criticality>,
    /// What every ethical score must reach.
    pub ethics: Floors,
}

/// Who does a node's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Implementation {
    /// A component.
    Component(ComponentRef),
    /// The host's SQL handler.
    Db(DbEffect),
    /// The host's HTTP handler.
    Http(HttpEffect),
    /// A handler that the runtime host supplies; `effect_type: local`, or nothing said at all.
    Host,
}

/// Which component, for which world, with which adapters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentRef {
    /// The file as written: relative, not yet resolved.
    pub path: Option<String>,
    /// The digest that its bytes must have.
    pub digest: Option<Digest>,
    /// The world it is built for.
    pub world: World,
    /// The toolchain profile whose unavoidable imports are adapted.
    pub adapt: Option<String>,
    /// For gates: the file with the rules, as written.
    pub codex: Option<String>,
}

/// One SQL statement with bound parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbEffect {
    /// Name of the operator's connection.
    pub connection: String,
    /// The statement.
    pub sql: String,
    /// Where each parameter comes from.
    pub params: BTreeMap<String, String>,
}

/// One HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpEffect {
    /// The address with places for parameters.
    pub url_template: String,
    /// The method.
    pub method: String,
    /// Headers to send.
    pub headers: BTreeMap<String, String>,
}

/// How often a transient failure is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub attempts_max: u32,
    /// Time before the next attempt in milliseconds.
    pub backoff_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts_max: 1,
            backoff_ms: 0,
        }
    }
}

/// Whose envelopes are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantScope {
    /// Every tenant's.
    Global,
    /// Those of these tenants.
    Tenants(BTreeSet<TenantId>),
}

impl TenantScope {
    /// True when envelopes of `tenant` are taken.
    #[must_use]
    pub fn admits(&self, tenant: &TenantId) -> bool {
        match self {
            Self::Global => true,
            Self::Tenants(tenants) => tenants.contains(tenant),
        }
    }
}

impl Deref for NodeContract {
    type Target = NodeFacts;

    fn deref(&self) -> &NodeFacts {
        &self.0
    }
}

impl NodeContract {
    /// Digest of the canonical form: defaults filled in, keys sorted. How the document was laid out takes no part.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::derive("contract", &[&self.canonical()])
    }

    /// The canonical form, which [`Self::digest`] is taken of: JSON with defaults filled in and keys sorted.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        canonical_of(&self.0)
    }

    /// Reads what [`Self::canonical`] wrote; `None` for anything else. It is as good as the digest that it is held against: no
    /// rule is checked again.
    #[must_use]
    pub fn from_canonical(bytes: &[u8]) -> Option<Self> {
        let read = Self(serde_json::from_slice(bytes).ok()?);
        (read.canonical() == bytes).then_some(read)
    }

    /// `<version>:<first 12 hex digits of the digest>`, for display.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.version, self.digest())
    }

    /// The component, if one does the work.
    #[must_use]
    pub const fn component(&self) -> Option<&ComponentRef> {
        match &self.0.implementation {
            Implementation::Component(component) => Some(component),
            _ => None,
        }
    }

    /// True when the node judges others.
    #[must_use]
    pub fn is_gate(&self) -> bool {
        self.component()
            .is_some_and(|component| component.world == World::Gate)
    }

    /// True when the node watches others.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.component()
            .is_some_and(|component| component.world == World::Probe)
    }
}

impl Implementation {
    /// Which part of the host does the work; `None` for components and for nodes that say nothing.
    #[must_use]
    pub const fn effect_type(&self) -> Option<EffectType> {
        match self {
            Self::Db(_) => Some(EffectType::Db),
            Self::Http(_) => Some(EffectType::Http),
            Self::Component(_) | Self::Host => None,
        }
    }
}

/// A runtime host's contract that came through every rule. Made by [`super::RuntimeHostDocument::check`] only.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct RuntimeHostContract(RuntimeHostFacts);

/// What a runtime host's contract says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuntimeHostFacts {
    /// The host's id.
    pub node_id: NodeId,
    /// The contract's version.
    pub version: String,
    /// Whose envelopes it takes.
    pub tenant_scope: TenantScope,
    /// What people keep in it.
    pub metadata: BTreeMap<String, Value>,
    /// Patterns of command topics.
    pub cmd_topics: BTreeSet<String>,
    /// Handler families it serves.
    pub families: BTreeSet<HandlerFamily>,
    /// Nodes it runs.
    pub node_ids: BTreeSet<NodeId>,
}

impl Deref for RuntimeHostContract {
    type Target = RuntimeHostFacts;

    fn deref(&self) -> &RuntimeHostFacts {
        &self.0
    }
}

impl RuntimeHostContract {
    /// Digest of the canonical form.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::derive("runtime-host-contract", &[&canonical_of(&self.0)])
    }

    /// `<version>:<first 12 hex digits of the digest>`, for display.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.version, self.digest())
    }
}

fn fingerprint(version: &str, digest: Digest) -> String {
    let hex = digest.hex();
    format!("{version}:{}", hex.get(..12).unwrap_or(&hex))
}

fn canonical_of(facts: &impl Serialize) -> Vec<u8> {
    // Plain data with string keys only: serialisation has no failure to report.
    let value = serde_json::to_value(facts).unwrap_or_default();
    crate::canonical::bytes(&value)
}
