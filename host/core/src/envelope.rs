//! What travels: envelopes into a step, emissions out of it, artifacts beside both.
//!
//! INVARIANT: a guest makes emissions, never envelopes; identity and causality are the host's.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{digest::Digest, id::EnvelopeId};

/// Content-addressed bytes held by the host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactRef {
    /// BLAKE3 of the bytes.
    pub digest: Digest,
    /// What the bytes are.
    pub media_type: String,
    /// How many there are.
    pub size_bytes: u64,
}

/// The message that reaches a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Derived by the host; the same for the same run.
    pub id: EnvelopeId,
    /// The root envelope's id; copied by the host.
    pub correlation: EnvelopeId,
    /// The envelope whose handling emitted this one; absent at the root.
    pub causation: Option<EnvelopeId>,
    /// What is asked.
    pub operation: String,
    /// Media type of the body.
    pub media_type: String,
    /// Artifacts that came along, in order.
    pub artifacts: Vec<ArtifactRef>,
    /// The payload.
    pub body: Vec<u8>,
}

/// Where an emission goes. The host resolves it against the plan; an unknown target is a denial.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "kebab-case")]
pub enum Target {
    /// Every step that requires this one.
    Next,
    /// An output that the contract names.
    Port(String),
    /// Whoever sent the envelope.
    Reply,
    /// A node by its slug.
    Node(String),
}

/// What leaves a step, before the host gives it an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emission {
    /// Where it goes.
    pub target: Target,
    /// What it asks or says.
    pub operation: String,
    /// Media type of the body.
    pub media_type: String,
    /// Artifacts that go along.
    pub artifacts: Vec<ArtifactRef>,
    /// The payload.
    pub body: Vec<u8>,
}
