//! What a plan says about its data: pins, inputs, slices of time, imports, effects, probes.
//!
//! INVARIANT: everything that an answer may depend on is either named here by content or comes with the run's inputs.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::InputType;
use crate::{digest::Digest, kappa::Criticality, name::StepName, time::Timestamp};

/// What the whole plan is asked against.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The run's inputs with their types; empty when the plan says nothing about them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<StepName, InputType>,
    /// True when the plan claims to give the same answer every time; every pin must be there then.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub is_deterministic: bool,
    /// The policy that the plan names, by an import's alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<StepName>,
    /// How much harm a wrong answer may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<RiskClass>,
    /// Seed of virtual randomness; the run's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The snapshot of memory that is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
}

impl Header {
    /// True when it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How much harm a wrong answer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RiskClass {
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// It can not be undone.
    Critical,
}

impl RiskClass {
    /// The least that depends on a step of such a plan.
    #[must_use]
    pub const fn criticality(self) -> Criticality {
        match self {
            Self::Low => Criticality::LowStakes,
            Self::Medium => Criticality::Routine,
            Self::High => Criticality::Important,
            Self::Critical => Criticality::Critical,
        }
    }
}

/// What a step's answer may depend on, held still.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// Version of the index that is searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// The exact model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Seed of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The exact tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}

impl Pins {
    /// True when nothing is pinned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where one named input of a step comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum InputSource {
    /// The whole trace so far: the outputs of every step before it.
    All,
    /// A value that stands in the plan.
    Literal(String),
    /// A named input of the run.
    Run(StepName),
    /// A path into an index.
    Selector(Selector),
    /// The output of a step; one of `requires`.
    Step(StepName),
}

/// A path into an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// Which index.
    pub index: SelectorIndex,
    /// The path in it.
    pub path: String,
}

/// Which index a selector leads into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SelectorIndex {
    /// The hierarchical index of memory.
    #[serde(rename = "HHNI")]
    Hhni,
    /// The evidence graph.
    #[serde(rename = "SEG")]
    Seg,
}

impl SelectorIndex {
    /// The index as plans write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hhni => "HHNI",
            Self::Seg => "SEG",
        }
    }
}

/// The time that a step's sources are read at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TimeSlice {
    /// As of one instant.
    AsOf(Timestamp),
    /// From the first instant up to the second, exclusive; the second is later.
    Window(Timestamp, Timestamp),
}

/// Another document that the plan is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// BLAKE3 of its exact bytes.
    pub digest: Digest,
    /// What it is.
    pub kind: ImportKind,
    /// Where it was found, as the plan writes it.
    pub path: String,
}

/// What an imported document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImportKind {
    /// A plan whose steps take part.
    Flow,
    /// Rules.
    Policy,
}

/// What a step says it does to the world. It needs a grant all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Effect {
    /// Queries a database.
    #[serde(rename = "db.query")]
    DbQuery,
    /// Reads files.
    #[serde(rename = "fs.read")]
    FsRead,
    /// Writes files.
    #[serde(rename = "fs.write")]
    FsWrite,
    /// Sends mail.
    #[serde(rename = "mail.send")]
    MailSend,
    /// Reads from the network.
    #[serde(rename = "net.read")]
    NetRead,
    /// Writes to the network.
    #[serde(rename = "net.write")]
    NetWrite,
    /// Starts processes.
    #[serde(rename = "proc.exec")]
    ProcExec,
    /// Reads secrets.
    #[serde(rename = "secrets.read")]
    SecretsRead,
    /// Writes to the evidence graph.
    #[serde(rename = "seg.write")]
    SegWrite,
}

impl Effect {
    /// Every effect.
    pub const ALL: [Self; 9] = [
        Self::DbQuery,
        Self::FsRead,
        Self::FsWrite,
        Self::MailSend,
        Self::NetRead,
        Self::NetWrite,
        Self::ProcExec,
        Self::SecretsRead,
        Self::SegWrite,
    ];

    /// The effect as plans write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::DbQuery => "db.query",
            Self::FsRead => "fs.read",
            Self::FsWrite => "fs.write",
            Self::MailSend => "mail.send",
            Self::NetRead => "net.read",
            Self::NetWrite => "net.write",
            Self::ProcExec => "proc.exec",
            Self::SecretsRead => "secrets.read",
            Self::SegWrite => "seg.write",
        }
    }
}

/// What makes a step synthetic: the compiler put it there to watch others, and its node is of world `probe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The invariant that is held against what it sees, such as `probe.vif.chain_complete`.
    pub id: String,
    /// The steps that it watches, all of `requires`.
    pub observes: Vec<StepName>,
}
