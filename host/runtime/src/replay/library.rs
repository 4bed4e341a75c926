//! What attempts were pinned to, found by digest, and made ready to run again.
//!
//! A replay asks nobody what a step may use: the grant is in the witness. It links the recorded component under exactly that
//! grant, and what does not link is not run.
//!
//! INVARIANT: everything here is found by the digest of its own bytes; a name is never enough.

use std::{collections::BTreeMap, sync::Arc};

use aim_core::{
    access::{Ask, Capability, Grant},
    adapter::Profile,
    admission::{AdmissionRequest, Linkage, World, admit},
    class::Class,
    contract::NodeContract,
    digest::Digest,
    gate::{Decision, GateKind, GateRecord, GateRequest, Phase, floor::Floors},
    name::NodeId,
    plan::Step,
    replay::Difference,
    witness::AttemptPredicate,
};
use aim_engine::{Engine, EngineProfile, LinkedStep, Snapshot, VerifiedNativeCode, inspect};
use aim_ports::{
    PortError,
    compiler::{CompileRequest, Compiler},
    schema::{Schema, SchemaCompiler, SchemaError},
};
use async_trait::async_trait;

use super::{Missing, case::Past};
use crate::{
    judge::{ComponentJudge, Gate, GateRules, Judge},
    unit::{Unit, UnitParts},
};

/// Components, contracts and codexes by digest.
#[derive(Debug, Default)]
pub struct Library {
    components: BTreeMap<Digest, Component>,
    contracts: BTreeMap<Digest, Contract>,
    codexes: BTreeMap<Digest, Arc<[u8]>>,
    rules: GateRules,
}

#[derive(Debug)]
struct Component {
    bytes: Vec<u8>,
    /// Compiled; or why it can not be.
    native: Option<Result<Arc<[u8]>, String>>,
}

#[derive(Debug)]
struct Contract {
    contract: NodeContract,
    input: Option<Arc<dyn Schema>>,
    output: Option<Arc<dyn Schema>>,
}

/// Why something can not be put into a library.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A contract's schema can not be used.
    #[error("contract of `{node}`: {error}")]
    Schema {
        /// The node.
        node: NodeId,
        /// What is wrong.
        error: SchemaError,
    },
}

impl LibraryError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "AIM-A045"
    }
}

impl Library {
    /// An empty library of a deployment with these rules.
    #[must_use]
    pub fn new(rules: GateRules) -> Self {
        Self {
            rules,
            ..Self::default()
        }
    }

    /// Adds a component, and tells its digest.
    pub fn add_component(&mut self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        let component = Component {
            bytes,
            native: None,
        };
        self.components.entry(digest).or_insert(component);
        digest
    }

    /// Adds a gate's rules.
    pub fn add_codex(&mut self, document: &[u8]) {
        self.codexes.insert(Digest::of(document), document.into());
    }

    /// Adds a node's contract.
    ///
    /// # Errors
    /// [`LibraryError::Schema`].
    pub fn add_contract(
        &mut self,
        contract: &NodeContract,
        schemas: &dyn SchemaCompiler,
    ) -> Result<(), LibraryError> {
        let compiled = |schema: Option<&serde_json::Value>| {
            let compiled = schema.map(|schema| schemas.compile(schema.to_string().as_bytes()));
            compiled.transpose().map_err(|error| LibraryError::Schema {
                node: contract.node_id.clone(),
                error,
            })
        };
        let entry = Contract {
            input: compiled(contract.input.as_ref())?,
            output: compiled(contract.output.as_ref())?,
            contract: contract.clone(),
        };
        self.contracts.insert(contract.digest(), entry);
        Ok(())
    }

    /// Compiles the components of `wanted` that are here and not compiled yet. What does not compile is missing, with the
    /// reason.
    pub fn compile(
        &mut self,
        wanted: impl Iterator<Item = Digest>,
        compiler: &mut dyn Compiler,
        profile: EngineProfile,
    ) {
        let fingerprint = profile.fingerprint();
        for digest in wanted {
            let Some(component) = self.components.get_mut(&digest) else {
                continue;
            };
            let bytes = &component.bytes;
            component.native.get_or_insert_with(|| {
                let request = CompileRequest {
                    component: bytes,
                    profile: &fingerprint,
                };
                let made = compiler.native_code(&request);
                made.map(Into::into)
                    .map_err(|error: PortError| error.to_string())
            });
        }
    }

    fn native(&self, digest: Digest) -> Result<(&[u8], VerifiedNativeCode), Missing> {
        let missing = |why: &str| Missing::pin(format!("component {digest}{why}"));
        let component = self.components.get(&digest).ok_or_else(|| missing(""))?;
        match &component.native {
            Some(Ok(native)) => {
                let native = VerifiedNativeCode::assume_verified(native.to_vec());
                Ok((&component.bytes, native))
            }
            Some(Err(why)) => Err(missing(&format!(", which does not compile: {why}"))),
            None => Err(missing(", which was not compiled")),
        }
    }
}

/// Links components for one execution; each gate once.
#[derive(Debug)]
pub(super) struct Loader<'a> {
    library: &'a Library,
    engine: &'a Engine,
    gates: BTreeMap<(String, Option<Digest>, Option<Digest>), Gate>,
}

/// How a step is linked.
struct Terms<'a> {
    world: World,
    asks: &'a [Ask],
    grant: &'a Grant,
    adapt: Option<Profile>,
    class: Class,
}

impl<'a> Loader<'a> {
    pub(super) const fn new(library: &'a Library, engine: &'a Engine) -> Self {
        Self {
            library,
            engine,
            gates: BTreeMap::new(),
        }
    }

    /// The recorded attempt's step, with its own component.
    pub(super) fn unit(
        &mut self,
        past: &Past,
        recorded: &AttemptPredicate,
    ) -> Result<Unit, Vec<Missing>> {
        match self.other(past, recorded, recorded.component)? {
            Ok(unit) => Ok(unit),
            Err(refused) => Err(vec![Missing::pin(format!(
                "a linkable component {}: {}",
                recorded.component, refused.replayed
            ))]),
        }
    }

    /// The recorded attempt's step with another component. `Err` inside: the component is not admitted under its grant.
    pub(super) fn other(
        &mut self,
        past: &Past,
        recorded: &AttemptPredicate,
        component: Digest,
    ) -> Result<Result<Unit, Difference>, Vec<Missing>> {
        let mut missing = Vec::new();
        let library = self.library;
        let contract = library.contracts.get(&recorded.contract);
        if contract.is_none() {
            let what = format!("contract {} of `{}`", recorded.contract, recorded.node);
            missing.push(Missing::pin(what));
        }
        if past.lock.gate_rules != library.rules.digest() {
            missing.push(Missing::pin(
                "the deployment's rules about gates, as they were",
            ));
        }
        let pin = past.lock.steps.get(&recorded.step);
        let step = past.plan.step(&recorded.step);
        let native = library
            .native(component)
            .map_err(|one| missing.push(one))
            .ok();
        let gates = self.gates(past, recorded, &mut missing);
        let folders = folders(past, recorded, &mut missing);
        let (Some(contract), Some(pin), Some(step), Some((bytes, native))) =
            (contract, pin, step, native)
        else {
            if missing.is_empty() {
                missing.push(Missing::record(format!(
                    "step `{}` in the lock",
                    recorded.step
                )));
            }
            return Err(missing);
        };
        if !missing.is_empty() {
            return Err(missing);
        }
        let terms = Terms {
            world: World::Step,
            asks: &contract.contract.asks,
            grant: &recorded.grant,
            adapt: pin.adapt,
            class: pin.class,
        };
        let loaded = linkage(bytes, &terms).and_then(|linkage| {
            let loaded = self.engine.load_step(native, &linkage);
            loaded.map_err(|error| error.to_string())
        });
        let linked = match loaded {
            Ok(linked) => linked,
            Err(why) => return Ok(Err(not_admitted(&why))),
        };
        let unit = UnitOf {
            past,
            recorded,
            contract,
            step,
            rules: &library.rules,
        };
        Ok(Ok(unit.made(linked, gates, folders)))
    }

    /// The gates that the attempt passed, in the order in which they were asked.
    fn gates(
        &mut self,
        past: &Past,
        recorded: &AttemptPredicate,
        missing: &mut Vec<Missing>,
    ) -> Vec<Gate> {
        let asked = recorded.gates.iter();
        let asked =
            asked.filter(|one| one.phase == Phase::Ingress && one.kind == GateKind::Component);
        let mut gates = Vec::new();
        for record in asked {
            match self.gate(past, record) {
                Ok(gate) => gates.push(gate),
                Err(one) => missing.push(one),
            }
        }
        gates
    }

    fn gate(&mut self, past: &Past, record: &GateRecord) -> Result<Gate, Missing> {
        let key = (record.gate.clone(), record.component, record.codex);
        if let Some(gate) = self.gates.get(&key) {
            return Ok(gate.clone());
        }
        let library = self.library;
        let pin = |what: String| Missing::pin(format!("{what} of gate `{}`", record.gate));
        let component = record
            .component
            .ok_or_else(|| pin("the component".to_owned()))?;
        let (bytes, native) = library.native(component)?;
        let codex = match record.codex {
            None => Arc::default(),
            Some(digest) => {
                let codex = library.codexes.get(&digest).map(Arc::clone);
                codex.ok_or_else(|| pin(format!("codex {digest}")))?
            }
        };
        let node = NodeId::parse(&record.gate).ok();
        let locked = node.and_then(|node| past.lock.gates.get(&node));
        let locked = locked.ok_or_else(|| pin("the pin".to_owned()))?;
        let asks: Vec<Ask> = (record.codex.map(|_| Ask::plain(Capability::Codex)))
            .into_iter()
            .collect();
        let grant = Grant {
            asks: asks.clone(),
            policy: None,
        };
        let terms = Terms {
            world: World::Gate,
            asks: &asks,
            grant: &grant,
            adapt: locked.adapt,
            class: Class::Standard,
        };
        let linked = linkage(bytes, &terms).and_then(|linkage| {
            let loaded = self.engine.load_gate(native, &linkage);
            loaded.map_err(|error| error.to_string())
        });
        let linked = linked.map_err(|why| pin(format!("a linkable component ({why})")))?;
        let contract = library.contracts.get(&locked.contract);
        let contract = contract.ok_or_else(|| pin(format!("contract {}", locked.contract)))?;
        let limits = contract.contract.limits;
        let gate = Gate {
            id: record.gate.clone(),
            component: record.component,
            codex: record.codex,
            codex_version: record.codex_version,
            floors: Floors::default(),
            judge: Arc::new(ComponentJudge::new(linked, codex, limits)),
        };
        self.gates.insert(key, gate.clone());
        Ok(gate)
    }
}

/// What a unit is made of, besides what is loaded.
struct UnitOf<'a> {
    past: &'a Past,
    recorded: &'a AttemptPredicate,
    contract: &'a Contract,
    step: &'a Step,
    rules: &'a GateRules,
}

impl UnitOf<'_> {
    fn made(
        self,
        linked: LinkedStep,
        gates: Vec<Gate>,
        folders: BTreeMap<String, Snapshot>,
    ) -> Unit {
        let Self {
            past,
            recorded,
            contract,
            step,
            rules,
        } = self;
        let is_terminal = past.plan.terminals().any(|one| one.name == step.name);
        let mut gates = gates.into_iter();
        Unit::new(UnitParts {
            step: step.clone(),
            contract: contract.contract.clone(),
            component: recorded.component,
            grant: recorded.grant.clone(),
            linked,
            input: contract.input.clone(),
            output: contract.output.clone(),
            ethical: gates.next().unwrap_or_else(nobody),
            gates: gates.collect(),
            plan_gates: past.plan.result_gates(step, is_terminal),
            plan_kappa_ppm: past.plan.kappa_ppm(step),
            plan_risk: past.plan.header().risk,
            rules: rules.clone(),
            folders,
            config: Arc::default(),
            addresses: None,
            monitor: recorded.monitor.clone(),
        })
    }
}

/// The read-only folders that the step was given.
fn folders(
    past: &Past,
    recorded: &AttemptPredicate,
    missing: &mut Vec<Missing>,
) -> BTreeMap<String, Snapshot> {
    let mut folders = BTreeMap::new();
    for (name, digest) in &recorded.folders {
        match past.inputs.folders().get(name) {
            Some(folder) if folder.digest() == *digest => {
                folders.insert(name.clone(), folder.clone());
            }
            _ => missing.push(Missing::payload(format!("{digest} of folder `{name}`"))),
        }
    }
    folders
}

fn linkage(component: &[u8], terms: &Terms<'_>) -> Result<Linkage, String> {
    let inspection = inspect(component).map_err(|error| error.to_string())?;
    let request = AdmissionRequest {
        world: terms.world,
        asks: terms.asks,
        grant: terms.grant,
        adapt: terms.adapt,
        class: terms.class,
    };
    admit(&inspection, &request).map_err(|mismatches| {
        let reasons: Vec<String> = mismatches.iter().map(ToString::to_string).collect();
        reasons.join("; ")
    })
}

fn not_admitted(why: &str) -> Difference {
    Difference {
        field: "admission".to_owned(),
        recorded: "admitted".to_owned(),
        replayed: format!("refused: {why}"),
    }
}

/// Stands where an attempt ended before a gate was asked.
fn nobody() -> Gate {
    Gate {
        id: "nobody".to_owned(),
        component: None,
        codex: None,
        codex_version: None,
        floors: Floors::default(),
        judge: Arc::new(Nobody),
    }
}

#[derive(Debug)]
struct Nobody;

#[async_trait]
impl Judge for Nobody {
    async fn judge(&self, _: &GateRequest) -> Result<Decision, String> {
        Err("no gate was asked then".to_owned())
    }
}
