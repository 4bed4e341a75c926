//! Which invariants are watched in every plan, by which nodes, and which are switched off.
//!
//! INVARIANT: every probe is either on with a node or off, and both are part of the digest that a run records.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use serde::{Deserialize, Serialize};

use super::canonical;
use crate::{
    digest::Digest,
    name::{NodeId, StepName},
};

macro_rules! probes {
    ($($(#[doc = $doc:literal])* $name:ident $id:literal,)*) => {
        /// An invariant that is held against the record of a run.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ProbeId {
            $($(#[doc = $doc])* #[serde(rename = $id)] $name,)*
        }

        impl ProbeId {
            /// Every probe, by id.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The id, as plans and evidence write it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }
        }
    };
}

probes! {
    /// Budgets and limits were charged, and never beyond their caps.
    BudgetHonest "probe.apoe.budget_honest",
    /// Nothing left a step that was less sure than asked.
    KappaEffective "probe.apoe.kappa_effective",
    /// The plan that runs is the one that its own bytes give again.
    PlanDeterminism "probe.apoe.plan_determinism",
    /// Equal envelopes, components and host calls gave equal outputs.
    ReplayFidelity "probe.apoe.replay_fidelity",
    /// One digest stands for one content.
    AtomHashStable "probe.cmc.atom_hash_stable",
    /// Every step saw the same state of what was mounted as a snapshot.
    SnapshotReversible "probe.cmc.snapshot_reversible",
    /// The ethical gate has judged both sides of every attempt.
    GatePresent "probe.mcel.gate_present",
    /// Code, contract, checks and trace are there for every attempt.
    Parity "probe.sdfcvf.parity",
    /// Nothing was known before what it follows from had ended.
    AsOf "probe.seg.asof",
    /// No output is said to be supported and contradicted by the same source.
    Contradiction "probe.seg.contradiction",
    /// The record names exactly the witnesses that are there.
    ExportIntegrity "probe.seg.export_integrity",
    /// Every attempt has its witness, and every cause is in the record.
    ChainComplete "probe.vif.chain_complete",
    /// Claimed confidence agrees with what came of it.
    EceWithin "probe.vif.ece_within",
    /// Every witness is the digest of its statement.
    WitnessIntegrity "probe.vif.witness_integrity",
}

impl ProbeId {
    /// The probe of that id; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|id| id.word() == text)
    }

    /// The name of its step: the id with `_` for `.`.
    #[must_use]
    pub fn step(self) -> Option<StepName> {
        StepName::parse(&self.word().replace('.', "_")).ok()
    }
}

/// The deployment's policy on probes: which node does each one that is on. All others are off.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProbeSwitch {
    on: BTreeMap<ProbeId, NodeId>,
}

impl ProbeSwitch {
    /// The probes that are on, each with its node.
    #[must_use]
    pub const fn new(on: BTreeMap<ProbeId, NodeId>) -> Self {
        Self { on }
    }

    /// Every probe, done by one node.
    #[must_use]
    pub fn all(node: &NodeId) -> Self {
        let on = ProbeId::ALL.iter().map(|id| (*id, node.clone()));
        Self { on: on.collect() }
    }

    /// The probes that are on, by id.
    pub fn on(&self) -> impl Iterator<Item = (ProbeId, &NodeId)> {
        self.on.iter().map(|(id, node)| (*id, node))
    }

    /// What a lock, and with it the start of every run, says about it.
    #[must_use]
    pub fn pin(&self) -> ProbePin {
        let is_off = |id: &ProbeId| !self.on.contains_key(id);
        ProbePin {
            off: ProbeId::ALL.iter().copied().filter(is_off).collect(),
            policy: Digest::derive("probe-switch", &[&canonical(self)]),
        }
    }
}

/// The policy on probes as a lock keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbePin {
    /// Probes that are switched off.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub off: BTreeSet<ProbeId>,
    /// Digest of the policy: which probes are on, and the node of each.
    pub policy: Digest,
}

/// What a probe is given about a run: what the host recorded, and nothing that a guest could have written there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observation {
    /// Ended attempts in plan order.
    pub attempts: Vec<ObservedAttempt>,
    /// The plan's digest, and the digest of what its own bytes give when they are read again.
    pub compiled: [Digest; 2],
    /// The gate that every step has to pass.
    pub ethical: String,
    /// Digest of the lock.
    pub lock: Digest,
    /// Attempts that are left out because the record would be too large.
    pub omitted: usize,
    /// The invariant that is asked about.
    pub probe: String,
    /// Every node of the plan but the probes, in plan order.
    pub steps: Vec<ObservedStep>,
}

/// An attempt as its witness states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObservedAttempt {
    /// The exact statement.
    pub statement: String,
    /// The witness's id as the log has it.
    pub witness: Digest,
}

/// A node of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObservedStep {
    /// True when its output left it, or that of the standby step which answered in its place.
    pub is_released: bool,
    /// Where it stands.
    pub path: String,
    /// Witnesses of its attempts, in order.
    pub witnesses: Vec<Digest>,
}

impl Observation {
    /// The most bytes of statements that a record holds.
    pub const STATEMENT_BYTES_MAX: usize = 512 * 1024;

    /// Returns the canonical JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        canonical(self)
    }
}
