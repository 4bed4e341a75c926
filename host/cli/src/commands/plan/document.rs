//! What `plan` shows, as one document.
//!
//! INVARIANT: it holds what a run would resolve to and nothing that a run would not use.

use std::collections::{BTreeMap, BTreeSet};

use aim_core::{
    access::{Capability, Mode},
    adapter::Profile,
    class::Class,
    digest::Digest,
    name::NodeId,
    plan::{
        Budget, Check, Effect, Gate, GatePhase, Import, InputSource, PlanBudget, Probe, ProbePin,
        Require, Step, expand,
    },
};
use aim_ports::policy::Policy as _;
use aim_runtime::admission::{
    AdmissionError, Permit, RefusedLoad, Resolution, ResolvedGate, ResolvedStep,
};
use serde::Serialize;

use crate::{commands::run::prepare::Prepared, render::lines::word};

/// A plan as it would run.
#[derive(Debug, Serialize)]
pub(crate) struct PlanDocument<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) budget: Option<PlanBudget>,
    pub(super) gates: Vec<GateLine>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) imports: BTreeMap<&'a str, &'a Import>,
    /// What the run has to be given: folders that are read, and inputs that steps name.
    pub(super) inputs: BTreeSet<String>,
    /// Digest of the lock; absent while something is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lock: Option<Digest>,
    pub(super) name: &'a str,
    pub(super) plan: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<Digest>,
    pub(super) probes: ProbePin,
    pub(super) refused: Vec<RefusedLine>,
    pub(super) result: Vec<&'a str>,
    pub(super) steps: Vec<StepLine<'a>>,
    pub(super) tenant: &'a str,
}

/// A gate component that judges steps.
#[derive(Debug, Serialize)]
pub(crate) struct GateLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) codex: Option<Digest>,
    pub(super) component: Digest,
    pub(super) node: NodeId,
    pub(super) version: String,
}

/// A step, in the order in which steps run.
#[derive(Debug, Serialize)]
pub(crate) struct StepLine<'a> {
    pub(super) budget: &'a Budget,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) effects: &'a BTreeSet<Effect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fallback: Option<&'a str>,
    /// Gate components, in the order in which they are asked on both sides.
    pub(super) gates: Vec<NodeId>,
    /// How many times it runs at most, all instances and rounds counted.
    pub(super) instances: usize,
    pub(super) is_required: bool,
    pub(super) is_standby: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) node: Option<NodeLine>,
    pub(super) plan_gates: Vec<PlanGateLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) probe: Option<&'a Probe>,
    pub(super) requires: &'a [Require],
    pub(super) role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shard: Option<&'a str>,
    pub(super) step: &'a str,
}

/// What does a step and what it may use; absent for a step that is refused.
#[derive(Debug, Serialize)]
pub(crate) struct NodeLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) adapt: Option<Profile>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) approvals: BTreeSet<Digest>,
    #[serde(skip_serializing_if = "Class::is_standard")]
    pub(super) class: Class,
    pub(super) component: Digest,
    pub(super) contract: Digest,
    pub(super) grants: Vec<GrantLine>,
    pub(super) id: NodeId,
    pub(super) version: String,
}

/// A granted use and what granted it.
#[derive(Debug, Serialize)]
pub(crate) struct GrantLine {
    pub(super) is_approved: bool,
    /// Empty for what needs no rule.
    pub(super) rules: Vec<String>,
    #[serde(rename = "use")]
    pub(super) wanted: String,
}

/// A gate that the plan itself writes.
#[derive(Debug, Serialize)]
pub(crate) struct PlanGateLine {
    pub(super) check: String,
    pub(super) name: String,
    pub(super) on_fail: Vec<String>,
    pub(super) phase: GatePhase,
    pub(super) severity: String,
}

/// Something that would be refused.
#[derive(Debug, Serialize)]
pub(crate) struct RefusedLine {
    pub(super) code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) component: Option<Digest>,
    pub(super) help: String,
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) node: Option<NodeId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) step: Option<String>,
}

impl<'a> PlanDocument<'a> {
    /// Puts it together.
    pub(crate) fn of(prepared: &'a Prepared, resolution: &Resolution<'a>) -> Self {
        let plan = &prepared.plan;
        let mut instances: BTreeMap<usize, usize> = BTreeMap::new();
        for node in expand(plan).nodes {
            *instances.entry(node.step).or_default() += 1;
        }
        let terminals: Vec<&str> = plan.terminals().map(|step| step.name.as_str()).collect();
        let step = |(index, step): (usize, &'a Step)| {
            let resolved = resolution.steps().iter();
            let resolved = resolved.clone().find(|one| one.step.name == step.name);
            let is_terminal = terminals.contains(&step.name.as_str());
            let shared = if is_terminal { plan.gates() } else { &[] };
            StepLine {
                gates: judges(prepared, step),
                instances: instances.get(&index).copied().unwrap_or_default(),
                node: resolved.map(node_line),
                plan_gates: step.gates.iter().chain(shared).map(plan_gate).collect(),
                ..step_line(step)
            }
        };
        Self {
            budget: plan.budget(),
            gates: resolution.gates().iter().map(gate_line).collect(),
            imports: (plan.imports().iter())
                .map(|(alias, import)| (alias.as_str(), import))
                .collect(),
            inputs: inputs(plan.steps(), resolution.steps()),
            lock: resolution.lock().map(|lock| lock.digest()),
            name: plan.name().as_str(),
            plan: plan.digest(),
            policy: prepared.policy.as_ref().map(|policy| policy.digest()),
            probes: prepared.probes.pin(),
            refused: resolution.faults().iter().flat_map(refused).collect(),
            steps: plan.steps().iter().enumerate().map(step).collect(),
            result: terminals.clone(),
            tenant: prepared.tenant.as_str(),
        }
    }
}

fn step_line(step: &Step) -> StepLine<'_> {
    StepLine {
        budget: &step.budget,
        effects: &step.effects,
        fallback: step.fallback.as_ref().map(|name| name.as_str()),
        gates: Vec::new(),
        instances: 0,
        is_required: step.is_required,
        is_standby: step.is_standby,
        node: None,
        plan_gates: Vec::new(),
        probe: step.probe.as_ref(),
        requires: &step.requires,
        role: step.role.as_str(),
        shard: step.shard.as_ref().map(|name| name.as_str()),
        step: step.name.as_str(),
    }
}

/// The gate components of a step, each once.
fn judges(prepared: &Prepared, step: &Step) -> Vec<NodeId> {
    let bound = prepared.bindings.get(&step.name);
    let node = bound.and_then(|id| prepared.nodes.get(id));
    let own = node.iter().flat_map(|node| &node.contract.gates);
    let all = std::iter::once(&prepared.ethical).chain(&prepared.also);
    let mut gates: Vec<NodeId> = Vec::new();
    for gate in all.chain(own) {
        if !gates.contains(gate) {
            gates.push(gate.clone());
        }
    }
    gates
}

fn node_line(step: &ResolvedStep<'_>) -> NodeLine {
    NodeLine {
        adapt: step.linkage.adapt(),
        approvals: step.approvals.clone(),
        class: step.linkage.class(),
        component: step.linkage.component(),
        contract: step.node.contract.digest(),
        grants: step.permits.iter().map(grant_line).collect(),
        id: step.id.clone(),
        version: step.node.contract.version.to_string(),
    }
}

fn grant_line(permit: &Permit) -> GrantLine {
    GrantLine {
        is_approved: permit.is_approved,
        rules: permit.rules.clone(),
        wanted: permit.wanted.to_string(),
    }
}

fn gate_line(gate: &ResolvedGate<'_>) -> GateLine {
    GateLine {
        codex: gate.codex(),
        component: gate.linkage.component(),
        node: gate.id.clone(),
        version: gate.node.contract.version.to_string(),
    }
}

fn plan_gate(gate: &Gate) -> PlanGateLine {
    let on_fail = gate.on_fail.iter().map(|answer| {
        let target = answer.target.as_ref();
        let to = target.map_or_else(String::new, |name| format!(" {name}"));
        let condition = answer.condition.as_ref();
        let when = condition.map_or_else(String::new, |clause| format!(" if {}", clause.source));
        format!("{}{to}{when}", answer.action.word())
    });
    PlanGateLine {
        check: check(&gate.check),
        name: gate.name.to_string(),
        on_fail: on_fail.collect(),
        phase: gate.phase,
        severity: word(&gate.severity),
    }
}

fn check(check: &Check) -> String {
    match check {
        Check::Condition(clause) => clause.source.clone(),
        Check::Judge(judge) => format!("{} judge", judge.kind.word()),
        Check::Rules(rules) => {
            let require = rules.require.iter();
            let require = require.map(|clause| format!("require {}", clause.source));
            let forbid = rules.forbid.iter();
            let forbid = forbid.map(|clause| format!("forbid {}", clause.source));
            let emit = rules.emit.iter().map(|one| format!("emit {}", word(one)));
            let all: Vec<String> = require.chain(forbid).chain(emit).collect();
            all.join("; ")
        }
    }
}

/// Names of the inputs that the run has to be given.
fn inputs(steps: &[Step], resolved: &[ResolvedStep<'_>]) -> BTreeSet<String> {
    let folders = resolved.iter().flat_map(|step| {
        let read = step.grant.asks_for(Capability::Filesystem);
        let read = read.filter(|ask| !ask.modes.contains(&Mode::Write));
        read.flat_map(|ask| ask.scope.iter().cloned())
    });
    let named = steps.iter().flat_map(|step| step.inputs.values());
    let named = named.filter_map(|source| match source {
        InputSource::Run(name) => Some(name.to_string()),
        _ => None,
    });
    folders.chain(named).collect()
}

fn refused(fault: &AdmissionError) -> Vec<RefusedLine> {
    match fault {
        AdmissionError::Refused(loads) => loads.iter().flat_map(refused_load).collect(),
        other => vec![RefusedLine {
            code: other.code().to_owned(),
            component: None,
            help: other.help(),
            message: other.to_string(),
            node: None,
            step: None,
        }],
    }
}

fn refused_load(load: &RefusedLoad) -> Vec<RefusedLine> {
    let reasons = load.reasons.iter();
    let line = |reason: &aim_runtime::admission::RefusedReason| RefusedLine {
        code: reason.code.to_owned(),
        component: Some(load.component),
        help: reason.help.clone(),
        message: reason.message.clone(),
        node: Some(load.node.clone()),
        step: load.step.as_ref().map(ToString::to_string),
    };
    reasons.map(line).collect()
}
