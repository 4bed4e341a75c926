//! From a plan and a deployment's nodes to admitted components: everything about a run that is decided before a guest runs.
//!
//! Bytes are read once by whoever calls; digest, inspection and compilation here use that one buffer.
//!
//! INVARIANT: nothing is loaded unless everything is admitted; a refusal names every mismatch of every component at once.

mod approved;
mod clear;
mod compile;
mod declared;
mod error;
mod own;
mod ready;
mod resolve;
mod rollback;
mod soft;
mod steady;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aim_core::{
    access::{AcceptedVersions, Grant},
    admission::Linkage,
    class::Class,
    contract::NodeContract,
    limits::Limits,
    name::{NodeId, StepName, TenantId},
    plan::{Lock, Plan, ProbeSwitch, Step},
    witness::MonitorRecord,
};
use aim_engine::EngineProfile;
use aim_ports::{
    compiler::Compiler,
    policy::Policy,
    schema::{Schema, SchemaCompiler},
};
use aim_trust::{
    codex::{CodexTrust, VerifiedCodex},
    use_approval::{Counted, UseApprovals},
};

use crate::{judge::GateRules, outside::Addresses};

pub use clear::Permit;
pub use error::{AdmissionError, ReadyError, RefusedLoad, RefusedReason};
pub use resolve::{Resolution, ResolvedGate, ResolvedStep, resolve};

/// One node as the registry gave it.
#[derive(Debug)]
pub struct Node {
    /// Its contract.
    pub contract: NodeContract,
    /// Its component's bytes, read once.
    pub component: Vec<u8>,
    /// For gates: the rules it judges by.
    pub codex: Option<SignedCodex>,
    /// How large the component may be: the operator's choice.
    pub class: Class,
}

/// A codex as it was read, with what lies beside it.
#[derive(Debug, Clone)]
pub struct SignedCodex {
    /// The document.
    pub document: Vec<u8>,
    /// Its signature file; `None` when there is none.
    pub signature: Option<Vec<u8>>,
}

/// What is admitted, and who decides.
#[derive(Debug)]
pub struct Request<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Which node does which step.
    pub bindings: &'a BTreeMap<StepName, NodeId>,
    /// Every node that is bound, and every gate.
    pub nodes: &'a BTreeMap<NodeId, Node>,
    /// The gate that every step passes.
    pub ethical: &'a NodeId,
    /// Further gates that every step passes.
    pub also: &'a [NodeId],
    /// Who may sign codexes, and how old they may be.
    pub codex_trust: CodexTrust<'a>,
    /// What the deployment wants of gates, and after them.
    pub rules: GateRules,
    /// The operator's policy; without one only effect-free capabilities are granted.
    pub policy: Option<Arc<dyn Policy>>,
    /// A policy on trial: it is asked about what was granted, its refusals are counted, and nothing is done about them.
    pub monitor: Option<Arc<dyn Policy>>,
    /// The policies that the plan imports, by alias: they take away from what `policy` grants to the steps that they are for.
    pub own_policies: &'a BTreeMap<StepName, Arc<dyn Policy>>,
    /// Whose run it is.
    pub tenant: &'a TenantId,
    /// The engine profile that code is compiled for.
    pub profile: EngineProfile,
    /// Compiles the contracts' schemas.
    pub schemas: &'a dyn SchemaCompiler,
    /// Configuration values of the deployment, by key.
    pub config: &'a BTreeMap<String, String>,
    /// Names of the deployment's folders that steps may be granted to change.
    pub folders: &'a BTreeSet<String>,
    /// Which probes every plan has to have, and who does them.
    pub probes: &'a ProbeSwitch,
    /// Approvals for what policy permits only once a person agrees.
    pub approvals: UseApprovals<'a>,
    /// The versions that the log has accepted, of which no node may be older ([`crate::accepted`]).
    pub accepted: &'a AcceptedVersions,
}

/// Native code and what it may be linked to.
#[derive(Debug)]
struct AdmittedComponent {
    native: Arc<[u8]>,
    linkage: Linkage,
}

#[derive(Debug)]
struct AdmittedStep {
    step: Step,
    node: NodeId,
    contract: NodeContract,
    grant: Grant,
    monitor: Option<MonitorRecord>,
    addresses: Option<Arc<Addresses>>,
    component: AdmittedComponent,
    config: Arc<BTreeMap<String, String>>,
    input: Option<Arc<dyn Schema>>,
    output: Option<Arc<dyn Schema>>,
}

/// A codex's bytes, and what was verified about them.
type AdmittedCodex = (Arc<[u8]>, VerifiedCodex);

#[derive(Debug)]
struct AdmittedGate {
    component: AdmittedComponent,
    codex: Option<AdmittedCodex>,
    limits: Limits,
}

/// Everything that a run may load.
#[derive(Debug)]
pub struct Admitted {
    steps: Vec<AdmittedStep>,
    gates: BTreeMap<NodeId, AdmittedGate>,
    ethical: NodeId,
    also: Vec<NodeId>,
    rules: GateRules,
    plan: Plan,
    lock: Lock,
    approvals: Vec<Counted>,
}

/// Admits a plan: [`resolve`], then compilation of what is not in the compiler's cache.
///
/// # Errors
/// [`AdmissionError`]; nothing was loaded then and no guest instruction ran.
pub fn admit(
    request: Request<'_>,
    compiler: &mut dyn Compiler,
) -> Result<Admitted, AdmissionError> {
    resolve(request).compile(compiler)
}
