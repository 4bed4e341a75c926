//! An admitted step, ready to run: contract, grant, linked component, schemas and the gates it has to pass.
//!
//! INVARIANT: a unit without an ethical gate can not be made, so no step can run ungated.

use std::{collections::BTreeMap, sync::Arc};

use aim_core::{
    access::Grant,
    contract::NodeContract,
    digest::Digest,
    kappa::{
        composite::CompositeRule,
        demand::{Bands, Threshold},
    },
    limits::Limits,
    plan::{self, RiskClass, Step},
    witness::MonitorRecord,
};
use aim_engine::{LinkedStep, Snapshot};
use aim_ports::schema::Schema;

use crate::{
    judge::{Gate, GateRules},
    outside::Addresses,
};

/// What a unit is made of.
#[derive(Debug)]
pub struct UnitParts {
    /// The step, as the plan has it.
    pub step: Step,
    /// The node's contract.
    pub contract: NodeContract,
    /// The component that was admitted.
    pub component: Digest,
    /// What it may use.
    pub grant: Grant,
    /// The component, linked under exactly that grant.
    pub linked: LinkedStep,
    /// Compiled schema of the envelope's body.
    pub input: Option<Arc<dyn Schema>>,
    /// Compiled schema of each emission's body.
    pub output: Option<Arc<dyn Schema>>,
    /// The ethical gate of the deployment: asked first, on both sides.
    pub ethical: Gate,
    /// Further gates of plan and contract.
    pub gates: Vec<Gate>,
    /// Conditions of the plan that the step's output must meet besides its own.
    pub plan_gates: Vec<plan::Gate>,
    /// Confidence that the plan asks of steps that say nothing themselves, in parts per million.
    pub plan_kappa_ppm: Option<u32>,
    /// How much harm a wrong answer of the plan may do: raises what is asked of steps of which confidence is asked.
    pub plan_risk: Option<RiskClass>,
    /// What the deployment wants of gates and after them.
    pub rules: GateRules,
    /// Granted folders, by mount name.
    pub folders: BTreeMap<String, Snapshot>,
    /// Configuration values that the deployment gives, by key.
    pub config: Arc<BTreeMap<String, String>>,
    /// What policy is asked when an address is about to be dialled.
    pub addresses: Option<Arc<Addresses>>,
    /// What the policy on trial would refuse of the grant, with no calls counted yet.
    pub monitor: Option<MonitorRecord>,
}

/// A step that may run.
#[derive(Debug)]
pub struct Unit {
    pub(crate) step: Step,
    pub(crate) contract: NodeContract,
    pub(crate) contract_digest: Digest,
    /// Whether doing it twice is the same as doing it once: as the plan says, else the contract.
    pub(crate) is_idempotent: bool,
    pub(crate) component: Digest,
    pub(crate) grant: Arc<Grant>,
    pub(crate) effects: Vec<String>,
    pub(crate) limits: Limits,
    pub(crate) linked: LinkedStep,
    pub(crate) input: Option<Arc<dyn Schema>>,
    pub(crate) output: Option<Arc<dyn Schema>>,
    pub(crate) gates: Vec<Gate>,
    pub(crate) conditions: Vec<plan::Gate>,
    pub(crate) composite: Option<CompositeRule>,
    /// The confidence that is needed; `None` when nothing asks for one.
    pub(crate) threshold: Option<Threshold>,
    pub(crate) bands: Bands,
    pub(crate) is_quarantining: bool,
    pub(crate) folders: Arc<BTreeMap<String, Snapshot>>,
    pub(crate) folder_digests: BTreeMap<String, Digest>,
    pub(crate) config: Arc<BTreeMap<String, String>>,
    pub(crate) addresses: Option<Arc<Addresses>>,
    pub(crate) monitor: Option<MonitorRecord>,
}

impl Unit {
    /// Puts a unit together. The smallest of contract limits and plan budget wins.
    #[must_use]
    pub fn new(parts: UnitParts) -> Self {
        let floors = parts.rules.floors.over(parts.contract.ethics);
        let mut gates: Vec<Gate> = Vec::new();
        for mut gate in std::iter::once(parts.ethical).chain(parts.gates) {
            gate.floors = gate.floors.over(floors);
            // Asking the same gate twice changes nothing but the cost.
            if gates.iter().all(|known| known.id != gate.id) {
                gates.push(gate);
            }
        }
        let mut limits = parts.contract.limits;
        limits.deadline_ms_max = limits.deadline_ms_max.min(parts.step.budget.time_ms);
        let confidence = &parts.rules.confidence;
        // A probe is the deployment's: what the plan asks of all its steps, it asks of those that it has itself.
        let is_plans = parts.step.probe.is_none();
        let of_all = parts.plan_kappa_ppm.filter(|_| is_plans);
        let of_plan = parts.step.kappa_ppm.or(of_all);
        let written = [parts.contract.kappa_ppm, of_plan];
        let own = parts.contract.criticality.max(parts.step.criticality);
        let is_asked = own.is_some() || written.iter().any(Option::is_some);
        let criticality = match parts.plan_risk {
            Some(risk) if is_asked && is_plans => own.max(Some(risk.criticality())),
            _ => own,
        };
        let threshold = confidence.threshold(&parts.contract.node_id, written, criticality);
        let mut conditions = parts.step.gates.clone();
        conditions.extend(parts.plan_gates);
        let folder_digests = parts
            .folders
            .iter()
            .map(|(name, folder)| (name.clone(), folder.digest()))
            .collect();
        Self {
            contract_digest: parts.contract.digest(),
            is_idempotent: (parts.step.is_idempotent).unwrap_or(parts.contract.is_idempotent),
            effects: effects(&parts.grant),
            grant: Arc::new(parts.grant),
            step: parts.step,
            contract: parts.contract,
            component: parts.component,
            limits,
            linked: parts.linked,
            input: parts.input,
            output: parts.output,
            gates,
            conditions,
            composite: parts.rules.composite,
            threshold,
            bands: confidence.bands,
            is_quarantining: parts.rules.is_quarantining,
            folders: Arc::new(parts.folders),
            folder_digests,
            config: parts.config,
            addresses: parts.addresses,
            monitor: parts.monitor,
        }
    }

    /// The step, as the plan has it.
    #[must_use]
    pub const fn step(&self) -> &Step {
        &self.step
    }
}

/// Granted capabilities with their modes, as gates see them.
fn effects(grant: &Grant) -> Vec<String> {
    let mut effects: Vec<String> = grant
        .asks
        .iter()
        .flat_map(|ask| {
            let name = ask.capability.name();
            if ask.modes.is_empty() {
                vec![name.to_owned()]
            } else {
                ask.modes
                    .iter()
                    .map(|mode| format!("{name}.{}", mode.word()))
                    .collect()
            }
        })
        .collect();
    effects.dedup();
    effects
}
