//! From a plan and a deployment's nodes to admitted components: everything about a run that is decided before a guest runs.
//!
//! Bytes are read once by whoever calls; digest, inspection and compilation here use that one buffer.
//!
//! INVARIANT: nothing is loaded unless everything is admitted; a refusal names every mismatch of every component at once.

mod approved;
mod error;
mod ready;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aim_core::{
    access::{AccessDecision, Ask, Asker, Capability, Grant, Mode, RefusedAsk, Use, grant},
    adapter::Profile,
    admission::{AdmissionRequest, Linkage, Reason, World, admit as admit_component},
    class::Class,
    contract::NodeContract,
    digest::Digest,
    limits::Limits,
    name::{NodeId, StepName, TenantId},
    plan::{GatePin, LOCK_VERSION, Lock, Plan, Step, StepPin},
    witness::{MonitorRecord, WouldDeny},
};
use aim_engine::{EngineProfile, inspect};
use aim_ports::{
    compiler::{CompileRequest, Compiler},
    policy::Policy,
    schema::{Schema, SchemaCompiler},
};

use aim_trust::{
    codex::{self, CodexTrust, VerifiedCodex},
    use_approval::UseApprovals,
};

use crate::judge::GateRules;
use approved::Waits;

pub use error::{AdmissionError, ReadyError, RefusedLoad, RefusedReason};

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
    pub policy: Option<&'a dyn Policy>,
    /// A policy on trial: it is asked about what was granted, its refusals are counted, and nothing is done about them.
    pub monitor: Option<&'a dyn Policy>,
    /// Whose run it is.
    pub tenant: &'a TenantId,
    /// Compiles what is not in the cache.
    pub compiler: &'a mut dyn Compiler,
    /// The engine profile that code is compiled for.
    pub profile: EngineProfile,
    /// Compiles the contracts' schemas.
    pub schemas: &'a dyn SchemaCompiler,
    /// Configuration values of the deployment, by key.
    pub config: &'a BTreeMap<String, String>,
    /// Names of the deployment's folders that steps may be granted to change.
    pub folders: &'a BTreeSet<String>,
    /// Approvals for what policy permits only once a person agrees.
    pub approvals: UseApprovals<'a>,
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
    approvals: BTreeSet<Digest>,
    monitor: Option<MonitorRecord>,
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
}

/// Admits a plan.
///
/// # Errors
/// [`AdmissionError`]; nothing was loaded then and no guest instruction ran.
pub fn admit(request: Request<'_>) -> Result<Admitted, AdmissionError> {
    let gate_nodes = gate_nodes(&request)?;
    let mut refused = Vec::new();
    let mut cleared_steps = Vec::new();
    for step in request.plan.steps() {
        let (node_id, node) = bound(&request, step)?;
        match clear_step(&request, step, node) {
            Ok(cleared) => cleared_steps.push((step, node_id, node, cleared)),
            Err(refusal) => refused.push(*refusal),
        }
    }
    let cleared_gates = clear_gates(request.nodes, &gate_nodes, &mut refused)?;
    if !refused.is_empty() {
        return Err(AdmissionError::Refused(refused));
    }
    let mut code = CodeSource {
        fingerprint: request.profile.fingerprint(),
        made: BTreeMap::new(),
    };
    let mut steps = Vec::with_capacity(cleared_steps.len());
    for (step, node_id, node, cleared) in cleared_steps {
        let Cleared {
            grant,
            linkage,
            approvals,
        } = cleared;
        let native = code.native(request.compiler, &node_id, node)?;
        steps.push(AdmittedStep {
            step: step.clone(),
            contract: node.contract.clone(),
            config: Arc::new(config_of(&request, &grant)),
            monitor: monitor(&request, step, node, &grant),
            grant,
            approvals,
            component: AdmittedComponent { native, linkage },
            input: schema(request.schemas, &node_id, node.contract.input.as_ref())?,
            output: schema(request.schemas, &node_id, node.contract.output.as_ref())?,
            node: node_id,
        });
    }
    let mut gates = BTreeMap::new();
    for (id, node, linkage) in cleared_gates {
        let codex = verified_codex(&request.codex_trust, id, node)?;
        let native = code.native(request.compiler, id, node)?;
        let component = AdmittedComponent { native, linkage };
        let limits = gate_limits(&node.contract.limits);
        gates.insert(
            id.clone(),
            AdmittedGate {
                component,
                codex,
                limits,
            },
        );
    }
    let lock = lock(&request, &code.fingerprint, &steps, &gates);
    Ok(Admitted {
        steps,
        gates,
        ethical: request.ethical.clone(),
        also: request.also.to_vec(),
        rules: request.rules,
        plan: request.plan.clone(),
        lock,
    })
}

/// Links every gate, or notes why it is refused.
fn clear_gates<'a>(
    nodes: &'a BTreeMap<NodeId, Node>,
    ids: &'a BTreeSet<NodeId>,
    refused: &mut Vec<RefusedLoad>,
) -> Result<Vec<(&'a NodeId, &'a Node, Linkage)>, AdmissionError> {
    let mut cleared = Vec::new();
    for id in ids {
        let node = nodes
            .get(id)
            .ok_or_else(|| AdmissionError::NoNode(id.clone()))?;
        match clear_gate(node) {
            Ok(linkage) => cleared.push((id, node, linkage)),
            Err(refusal) => refused.push(*refusal),
        }
    }
    Ok(cleared)
}

/// Every gate of the run, each once: the deployment's, and those that contracts add.
fn gate_nodes(request: &Request<'_>) -> Result<BTreeSet<NodeId>, AdmissionError> {
    let mut ids = BTreeSet::from([request.ethical.clone()]);
    ids.extend(request.also.iter().cloned());
    for step in request.plan.steps() {
        let (_, node) = bound(request, step)?;
        ids.extend(node.contract.gates.iter().cloned());
    }
    for id in &ids {
        let node = request
            .nodes
            .get(id)
            .ok_or_else(|| AdmissionError::NoNode(id.clone()))?;
        if !node.contract.is_gate() {
            return Err(AdmissionError::WrongKind {
                node: id.clone(),
                is: "a step",
                wanted: "a gate",
            });
        }
    }
    Ok(ids)
}

fn bound<'a>(request: &Request<'a>, step: &Step) -> Result<(NodeId, &'a Node), AdmissionError> {
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
    Ok((id.clone(), node))
}

/// What a step may use and be linked to, and the approvals that it took.
struct Cleared {
    grant: Grant,
    linkage: Linkage,
    approvals: BTreeSet<Digest>,
}

/// Grants and links one step, or names everything that is in the way.
fn clear_step(
    request: &Request<'_>,
    step: &Step,
    node: &Node,
) -> Result<Cleared, Box<RefusedLoad>> {
    let component = Digest::of(&node.component);
    let asker = asker(request, step, node, component);
    let mut waits = Waits::new(request.approvals);
    let (granted, refused_asks) = grant(
        &node.contract.asks,
        request.policy.map(Policy::digest),
        |ask, mode, resource| {
            let wanted = Use {
                capability: ask.capability,
                mode,
                resource: resource.clone(),
            };
            let asked = asker.request(&wanted);
            let none = AccessDecision::default();
            let decision = request.policy.map_or(none, |policy| policy.decide(&asked));
            waits.settle(decision, &asked, (ask, &wanted))
        },
    );
    let result = link(node, World::Step, &node.contract.asks, &granted);
    let mut reasons = result.as_ref().err().cloned().unwrap_or_default();
    let unused = refused_asks.iter();
    let unused = unused.filter(|one| result.is_ok() && !waits.asks.contains(&one.ask));
    // An ask that policy refuses stops the load even when the component would not use it: it would run with less than its
    // contract says.
    reasons.extend(unused.map(refused_reason));
    reasons.extend(missing(request, &granted));
    reasons.extend(waits.reasons);
    match result {
        Ok(linkage) if reasons.is_empty() => Ok(Cleared {
            grant: granted,
            linkage,
            approvals: waits.counted,
        }),
        _ => Err(Box::new(RefusedLoad {
            step: Some(step.name.clone()),
            node: node.contract.node_id.clone(),
            component,
            reasons,
            refused_asks,
        })),
    }
}

/// The deployment's values for what a grant names and its contract does not give itself.
fn config_of(request: &Request<'_>, grant: &Grant) -> BTreeMap<String, String> {
    let asks = grant.asks_for(Capability::Config);
    let keys = asks.flat_map(|ask| {
        let keys = ask.scope.iter();
        keys.filter(|key| !ask.values.contains_key(*key))
    });
    let given = keys.filter_map(|key| request.config.get_key_value(key));
    given
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// What is granted and the deployment does not have.
fn missing(request: &Request<'_>, grant: &Grant) -> Vec<RefusedReason> {
    let reason = |code, message: String, help: &str| RefusedReason {
        code,
        message,
        help: help.to_owned(),
        is_denial: false,
    };
    let mut reasons = Vec::new();
    for ask in &grant.asks {
        for name in &ask.scope {
            match ask.capability {
                Capability::Config
                    if !ask.values.contains_key(name) && !request.config.contains_key(name) =>
                {
                    reasons.push(reason(
                        "AIM-S002",
                        format!("nobody gives the configuration value `{name}`"),
                        "give it under `[config]` in aim.toml, or under `values` in the ask",
                    ));
                }
                Capability::Filesystem
                    if ask.modes.contains(&Mode::Write) && !request.folders.contains(name) =>
                {
                    reasons.push(reason(
                        "AIM-S003",
                        format!("the deployment has no folder `{name}` to write to"),
                        "name it under `[folders]` in aim.toml",
                    ));
                }
                _ => {}
            }
        }
    }
    reasons
}

/// What the policy on trial would have refused of what was granted. It never grants: only granted uses are asked about.
fn monitor(
    request: &Request<'_>,
    step: &Step,
    node: &Node,
    granted: &Grant,
) -> Option<MonitorRecord> {
    let policy = request.monitor?;
    let asker = asker(request, step, node, Digest::of(&node.component));
    let refused = granted.uses().filter_map(|wanted| {
        let asked = asker.request(&wanted);
        let decision = policy.decide(&asked);
        (!decision.is_permitted).then(|| WouldDeny {
            action: asked.action(),
            calls: 0,
            resource: format!("{}/{}", wanted.resource.kind.entity(), wanted.resource.name),
            rules: decision.rules,
        })
    });
    Some(MonitorRecord {
        policy: policy.digest(),
        would_deny: refused.collect(),
    })
}

fn asker(request: &Request<'_>, step: &Step, node: &Node, component: Digest) -> Asker {
    Asker {
        component,
        node: node.contract.node_id.clone(),
        plan: request.plan.name().clone(),
        step: step.name.clone(),
        tenant: request.tenant.clone(),
        autonomy: node.contract.autonomy,
    }
}

fn refused_reason(refused: &RefusedAsk) -> RefusedReason {
    let name = refused.ask.capability.name();
    let by = if refused.rules.is_empty() {
        "no rule permits it".to_owned()
    } else {
        format!("forbidden by {}", refused.rules.join(", "))
    };
    RefusedReason {
        code: "AIM-A002",
        message: format!("`{name}` is asked for and not granted: {by}"),
        help: "change the operator's policy, or take the ask out of the contract".to_owned(),
        is_denial: true,
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

fn asks_for_codex(node: &Node) -> bool {
    let mut asks = node.contract.asks.iter();
    asks.any(|ask| ask.capability == Capability::Codex)
}

/// A gate is given the codex, if it asks for one, and nothing else; the operator named both in the deployment.
fn clear_gate(node: &Node) -> Result<Linkage, Box<RefusedLoad>> {
    let asks: Vec<Ask> = asks_for_codex(node)
        .then(|| Ask::plain(Capability::Codex))
        .into_iter()
        .collect();
    let granted = Grant {
        asks: asks.clone(),
        policy: None,
    };
    link(node, World::Gate, &asks, &granted).map_err(|reasons| {
        Box::new(RefusedLoad {
            step: None,
            node: node.contract.node_id.clone(),
            component: Digest::of(&node.component),
            reasons,
            refused_asks: Vec::new(),
        })
    })
}

fn link(
    node: &Node,
    world: World,
    asks: &[Ask],
    granted: &Grant,
) -> Result<Linkage, Vec<RefusedReason>> {
    check_size(node)?;
    let inspection = inspect(&node.component).map_err(|error| {
        vec![RefusedReason {
            code: error.code(),
            message: error.to_string(),
            help: error.help(),
            is_denial: false,
        }]
    })?;
    let named = node
        .contract
        .component()
        .and_then(|component| component.adapt.as_deref());
    let adapt = named.and_then(Profile::parse);
    if let (Some(name), None) = (named, adapt) {
        return Err(vec![RefusedReason {
            code: "AIM-A007",
            message: format!("`{name}` is no toolchain profile"),
            help: "name a profile of docs/formats/contract.md under `adapt`".to_owned(),
            is_denial: false,
        }]);
    }
    let request = AdmissionRequest {
        world,
        asks,
        grant: granted,
        adapt,
        class: node.class,
    };
    admit_component(&inspection, &request).map_err(|mismatches| {
        let reason = |mismatch: aim_core::admission::Mismatch| RefusedReason {
            code: mismatch.code(),
            message: mismatch.to_string(),
            help: mismatch.help(),
            is_denial: mismatch.is_denial(),
        };
        mismatches.into_iter().map(reason).collect()
    })
}

/// The file's size alone can refuse it: nothing larger than its class is even read through.
fn check_size(node: &Node) -> Result<(), Vec<RefusedReason>> {
    let (size, max) = (
        node.component.len() as u64,
        node.class.shape().size_bytes_max,
    );
    if size <= max {
        return Ok(());
    }
    Err(vec![RefusedReason {
        code: Reason::TooBig.code(),
        message: format!(
            "`{}` has a component of {size} bytes, more than the {max} of the {} class",
            node.contract.node_id,
            node.class.word()
        ),
        help: format!(
            "the operator can give it the room: `big = [\"{}\"]` under `[operator]` in aim.toml",
            node.contract.node_id
        ),
        is_denial: false,
    }])
}

/// Native code by component digest, so that a component of several steps is compiled once.
struct CodeSource {
    fingerprint: String,
    made: BTreeMap<Digest, Arc<[u8]>>,
}

impl CodeSource {
    fn native(
        &mut self,
        compiler: &mut dyn Compiler,
        id: &NodeId,
        node: &Node,
    ) -> Result<Arc<[u8]>, AdmissionError> {
        let digest = Digest::of(&node.component);
        if let Some(native) = self.made.get(&digest) {
            return Ok(Arc::clone(native));
        }
        let request = CompileRequest {
            component: &node.component,
            profile: &self.fingerprint,
        };
        let native: Arc<[u8]> = compiler
            .native_code(&request)
            .map_err(|error| AdmissionError::Compile {
                node: id.clone(),
                error,
            })?
            .into();
        self.made.insert(digest, Arc::clone(&native));
        Ok(native)
    }
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

/// A gate's contract may tighten the limits of gates, never widen them.
fn gate_limits(contract: &Limits) -> Limits {
    let most = Limits::GATE;
    Limits {
        memory_bytes_max: contract.memory_bytes_max.min(most.memory_bytes_max),
        fuel_max: contract.fuel_max.min(most.fuel_max),
        deadline_ms_max: contract.deadline_ms_max.min(most.deadline_ms_max),
        ..most
    }
}

fn lock(
    request: &Request<'_>,
    fingerprint: &str,
    steps: &[AdmittedStep],
    gates: &BTreeMap<NodeId, AdmittedGate>,
) -> Lock {
    Lock {
        engine_profile: Digest::of(fingerprint.as_bytes()),
        gate_rules: request.rules.digest(),
        gates: gates
            .iter()
            .map(|(id, gate)| {
                let pin = GatePin {
                    codex: gate.codex.as_ref().map(|(_, codex)| codex.digest()),
                    component: gate.component.linkage.component(),
                    adapt: gate.component.linkage.adapt(),
                };
                (id.clone(), pin)
            })
            .collect(),
        lock_version: LOCK_VERSION,
        plan: request.plan.digest(),
        policy: request
            .policy
            .map_or_else(|| Digest::derive("no-policy", &[]), Policy::digest),
        steps: steps
            .iter()
            .map(|step| {
                let pin = StepPin {
                    adapt: step.component.linkage.adapt(),
                    approvals: step.approvals.clone(),
                    class: step.component.linkage.class(),
                    component: step.component.linkage.component(),
                    config: config_digest(&step.config),
                    contract: step.contract.digest(),
                    node: step.node.clone(),
                };
                (step.step.name.clone(), pin)
            })
            .collect(),
    }
}
