//! What a plan would run with: nodes, grants, linkage, codexes, schemas and the lock, without a line of native code.
//!
//! INVARIANT: every fault is found in one pass, and a lock exists only where there is none.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aim_core::{
    access::Grant,
    admission::Linkage,
    digest::Digest,
    limits::Limits,
    name::NodeId,
    plan::{CompilerPin, GatePin, LOCK_VERSION, Lock, Plan, ProbeId, Step, StepPin, wit_versions},
    witness::MonitorRecord,
};
use aim_ports::schema::{Schema, SchemaCompiler};
use aim_trust::codex::{self, CodexTrust};

use super::{
    AdmissionError, AdmittedCodex, Node, RefusedLoad, Request,
    clear::{Permit, addresses, asks_for_codex, clear_gate, clear_step, config_of, monitor},
};
use crate::outside::Addresses;

/// A plan resolved against a deployment. Nothing of it was compiled and nothing has run.
#[derive(Debug)]
pub struct Resolution<'a> {
    pub(super) request: Request<'a>,
    pub(super) faults: Vec<AdmissionError>,
    pub(super) steps: Vec<ResolvedStep<'a>>,
    pub(super) gates: Vec<ResolvedGate<'a>>,
}

/// A step that may run.
#[derive(Debug)]
pub struct ResolvedStep<'a> {
    /// As the plan has it.
    pub step: &'a Step,
    /// The node that does it.
    pub id: NodeId,
    /// The node's contract and component.
    pub node: &'a Node,
    /// What it may use.
    pub grant: Grant,
    /// What granted each use, in the grant's order.
    pub permits: Vec<Permit>,
    /// What it is linked to.
    pub linkage: Linkage,
    /// The approvals that its grant took.
    pub approvals: BTreeSet<Digest>,
    pub(super) monitor: Option<MonitorRecord>,
    pub(super) addresses: Option<Arc<Addresses>>,
    pub(super) config: Arc<BTreeMap<String, String>>,
    pub(super) input: Option<Arc<dyn Schema>>,
    pub(super) output: Option<Arc<dyn Schema>>,
}

/// A gate that may judge.
#[derive(Debug)]
pub struct ResolvedGate<'a> {
    /// Its node.
    pub id: &'a NodeId,
    /// The node's contract and component.
    pub node: &'a Node,
    /// What it is linked to.
    pub linkage: Linkage,
    /// Its limits: the host's for gates, or the contract's where they are tighter.
    pub limits: Limits,
    /// The approvals by which it may be an older version.
    pub(super) approvals: BTreeSet<Digest>,
    pub(super) codex: Option<AdmittedCodex>,
}

impl ResolvedGate<'_> {
    /// Digest of the codex that it judges by; `None` for a gate without one.
    #[must_use]
    pub fn codex(&self) -> Option<Digest> {
        self.codex.as_ref().map(|(_, codex)| codex.digest())
    }
}

/// Resolves a plan: everything about a run that is decided before a guest is compiled.
#[must_use]
pub fn resolve(request: Request<'_>) -> Resolution<'_> {
    let mut faults = Vec::new();
    let bound = bound_steps(&request, &mut faults);
    let gates = gate_nodes(&request, &bound, &mut faults);
    faults.extend(missing_probes(&request));
    let mut refused = Vec::new();
    let mut late = Vec::new();
    let mut steps = Vec::with_capacity(bound.len());
    for (step, id, node) in bound {
        steps.extend(resolved_step(
            &request,
            (step, id, node),
            &mut refused,
            &mut late,
        ));
    }
    let mut resolved_gates = Vec::with_capacity(gates.len());
    for (id, node) in gates {
        resolved_gates.extend(resolved_gate(&request, (id, node), &mut refused, &mut late));
    }
    if !refused.is_empty() {
        faults.push(AdmissionError::Refused(refused));
    }
    faults.extend(late);
    Resolution {
        request,
        faults,
        steps,
        gates: resolved_gates,
    }
}

/// Probes that the policy has on and the plan does not have: nothing runs unwatched because a compiler was left out.
fn missing_probes(request: &Request<'_>) -> Vec<AdmissionError> {
    let has = |id: ProbeId| {
        let mut probes = request.plan.steps().iter();
        probes.any(|step| {
            step.probe
                .as_ref()
                .is_some_and(|probe| probe.id == id.word())
        })
    };
    let on = request.probes.on().filter(|(id, _)| !has(*id));
    on.map(|(id, _)| AdmissionError::NoProbe(id)).collect()
}

type Bound<'a> = (&'a Step, NodeId, &'a Node);

/// Every step with the node that does it.
fn bound_steps<'a>(request: &Request<'a>, faults: &mut Vec<AdmissionError>) -> Vec<Bound<'a>> {
    let mut bound = Vec::with_capacity(request.plan.steps().len());
    for step in request.plan.steps() {
        match bound_step(request, step) {
            Ok((id, node)) => bound.push((step, id, node)),
            Err(fault) => faults.push(fault),
        }
    }
    bound
}

fn bound_step<'a>(
    request: &Request<'a>,
    step: &Step,
) -> Result<(NodeId, &'a Node), AdmissionError> {
    let unbound = || AdmissionError::Unbound(step.name.clone());
    let id = request.bindings.get(&step.name).ok_or_else(unbound)?;
    let node = request
        .nodes
        .get(id)
        .ok_or_else(|| AdmissionError::NoNode(id.clone()))?;
    if node.contract.component().is_none() {
        return Err(AdmissionError::NoComponent(id.clone()));
    }
    if node.contract.is_gate() {
        return Err(AdmissionError::WrongKind {
            node: id.clone(),
            is: "a gate",
            wanted: "a step",
        });
    }
    if node.contract.is_probe() != step.probe.is_some() {
        let (is, wanted) = if node.contract.is_probe() {
            ("a probe", "a step")
        } else {
            ("a step", "a probe")
        };
        return Err(AdmissionError::WrongKind {
            node: id.clone(),
            is,
            wanted,
        });
    }
    Ok((id.clone(), node))
}

/// Every gate of the run, each once: the deployment's, and those that contracts add.
fn gate_nodes<'a>(
    request: &Request<'a>,
    bound: &[Bound<'a>],
    faults: &mut Vec<AdmissionError>,
) -> Vec<(&'a NodeId, &'a Node)> {
    let mut ids: BTreeSet<&NodeId> = request.also.iter().collect();
    ids.insert(request.ethical);
    ids.extend(bound.iter().flat_map(|(_, _, node)| &node.contract.gates));
    let mut gates = Vec::with_capacity(ids.len());
    for id in ids {
        match request.nodes.get_key_value(id) {
            None => faults.push(AdmissionError::NoNode(id.clone())),
            Some((_, node)) if !node.contract.is_gate() => {
                faults.push(AdmissionError::WrongKind {
                    node: id.clone(),
                    is: "a step",
                    wanted: "a gate",
                });
            }
            Some(gate) => gates.push(gate),
        }
    }
    gates
}

fn resolved_step<'a>(
    request: &Request<'a>,
    (step, id, node): Bound<'a>,
    refused: &mut Vec<RefusedLoad>,
    faults: &mut Vec<AdmissionError>,
) -> Option<ResolvedStep<'a>> {
    let mut kept = |result| kept(result, faults);
    let input = kept(schema(request.schemas, &id, node.contract.input.as_ref()));
    let output = kept(schema(request.schemas, &id, node.contract.output.as_ref()));
    let cleared = match clear_step(request, step, node) {
        Ok(cleared) => cleared,
        Err(refusal) => {
            refused.push(*refusal);
            return None;
        }
    };
    Some(ResolvedStep {
        config: Arc::new(config_of(request, &cleared.grant)),
        monitor: monitor(request, step, node, &cleared.grant),
        addresses: addresses(request, step, node, &cleared.grant),
        grant: cleared.grant,
        permits: cleared.permits,
        linkage: cleared.linkage,
        approvals: cleared.approvals,
        input: input?,
        output: output?,
        step,
        id,
        node,
    })
}

fn resolved_gate<'a>(
    request: &Request<'a>,
    (id, node): (&'a NodeId, &'a Node),
    refused: &mut Vec<RefusedLoad>,
    faults: &mut Vec<AdmissionError>,
) -> Option<ResolvedGate<'a>> {
    let codex = kept(verified_codex(&request.codex_trust, id, node), faults);
    match clear_gate(request, node) {
        Ok((linkage, approvals)) => Some(ResolvedGate {
            limits: node.contract.limits,
            codex: codex?,
            approvals,
            id,
            node,
            linkage,
        }),
        Err(refusal) => {
            refused.push(*refusal);
            None
        }
    }
}

/// The value, or nothing and a fault more.
fn kept<T>(result: Result<T, AdmissionError>, faults: &mut Vec<AdmissionError>) -> Option<T> {
    result.map_err(|fault| faults.push(fault)).ok()
}

impl<'a> Resolution<'a> {
    /// Everything that is in the way, in the order in which a run names it; a run names only the first.
    #[must_use]
    pub fn faults(&self) -> &[AdmissionError] {
        &self.faults
    }

    /// The steps that may run, in plan order; those that are refused are among the faults.
    #[must_use]
    pub fn steps(&self) -> &[ResolvedStep<'a>] {
        &self.steps
    }

    /// The gates that may judge, by node.
    #[must_use]
    pub fn gates(&self) -> &[ResolvedGate<'a>] {
        &self.gates
    }

    /// Every digest that the run's result depends on besides its inputs; `None` while something is in the way.
    #[must_use]
    pub fn lock(&self) -> Option<Lock> {
        if !self.faults.is_empty() {
            return None;
        }
        let request = &self.request;
        let none = || Digest::derive("no-policy", &[]);
        Some(Lock {
            compiler: CompilerPin {
                language: request.plan.language_version(),
                schema: request.plan.schema_version(),
                version: aim_acl::COMPILER_VERSION.to_owned(),
            },
            imports: (request.plan.imports().iter())
                .map(|(alias, import)| (alias.clone(), import.digest))
                .collect(),
            engine_profile: Digest::of(request.profile.fingerprint().as_bytes()),
            gate_rules: request.rules.digest(),
            gates: (self.gates.iter())
                .map(|gate| (gate.id.clone(), gate_pin(gate)))
                .collect(),
            lock_version: LOCK_VERSION,
            plan: request.plan.digest(),
            policy: (request.policy.as_ref()).map_or_else(none, |policy| policy.digest()),
            probes: request.probes.pin(),
            steps: (self.steps.iter())
                .map(|step| (step.step.name.clone(), step_pin(request.plan, step)))
                .collect(),
        })
    }
}

fn gate_pin(gate: &ResolvedGate<'_>) -> GatePin {
    GatePin {
        approvals: gate.approvals.clone(),
        version: gate.node.contract.version.clone(),
        codex: gate.codex(),
        component: gate.linkage.component(),
        contract: gate.node.contract.digest(),
        adapt: gate.linkage.adapt(),
        wit: wit_versions(&gate.linkage),
    }
}

fn step_pin(plan: &Plan, step: &ResolvedStep<'_>) -> StepPin {
    let role = plan.roles().get(&step.step.role);
    let params = role.iter().flat_map(|role| &role.params);
    let mut of_role = params.filter(|(name, _)| name.as_str() == "model");
    StepPin {
        adapt: step.linkage.adapt(),
        approvals: step.approvals.clone(),
        class: step.linkage.class(),
        component: step.linkage.component(),
        config: config_digest(&step.config),
        contract: step.node.contract.digest(),
        model: (step.step.model.clone()).or_else(|| of_role.next().map(|(_, model)| model.clone())),
        node: step.id.clone(),
        pins: step.step.pins.clone(),
        tools: step.step.tools.clone(),
        version: step.node.contract.version.clone(),
        wit: wit_versions(&step.linkage),
    }
}

/// A gate's codex, checked; `None` for a gate that asks for none.
fn verified_codex(
    trust: &CodexTrust<'_>,
    id: &NodeId,
    node: &Node,
) -> Result<Option<AdmittedCodex>, AdmissionError> {
    if !asks_for_codex(node) {
        return Ok(None);
    }
    let signed = node.codex.as_ref();
    let signed = signed.ok_or_else(|| AdmissionError::NoCodex(id.clone()))?;
    let verified = codex::verify(&signed.document, signed.signature.as_deref(), trust);
    let verified = verified.map_err(|error| AdmissionError::Codex {
        node: id.clone(),
        error,
    })?;
    Ok(Some((signed.document.as_slice().into(), verified)))
}

fn schema(
    schemas: &dyn SchemaCompiler,
    node: &NodeId,
    schema: Option<&serde_json::Value>,
) -> Result<Option<Arc<dyn Schema>>, AdmissionError> {
    let Some(schema) = schema else {
        return Ok(None);
    };
    schemas
        .compile(schema.to_string().as_bytes())
        .map(Some)
        .map_err(|error| AdmissionError::Schema {
            node: node.clone(),
            error,
        })
}

/// Digest of the values that the deployment gives; `None` when it gives none.
fn config_digest(config: &BTreeMap<String, String>) -> Option<Digest> {
    let parts: Vec<&[u8]> = (config.iter())
        .flat_map(|(key, value)| [key.as_bytes(), value.as_bytes()])
        .collect();
    (!parts.is_empty()).then(|| Digest::derive("config-values", &parts))
}
