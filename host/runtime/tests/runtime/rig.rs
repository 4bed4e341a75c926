//! A host in memory: real guests, gates and signatures; the log, the store and the clock are doubles.
//!
//! INVARIANT: nothing is skipped: contracts are checked, asks are granted by a policy, components are admitted.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex},
};

use aim_core::{
    access::{SignedDowngrade, SignedUseApproval},
    class::Class,
    contract::{NodeContract, NodeDocument},
    digest::{Digest, encode_hex},
    gate::CodexVersion,
    id::{EnvelopeId, ExecutionId, RunId, RunPins, TraceId},
    join::inputs_digest,
    leaf::SigningMode,
    limits::Limits,
    name::{NodeId, StepName, TenantId},
    plan::{Plan, bindings},
    quarantine::Approver,
    stateflow::State,
    time::Timestamp,
    traffic::TrafficLimits,
    witness::{AttemptPredicate, EngineRecord, HostRecord},
};
use aim_engine::{AllocatorPreference, Cancel, Engine, EngineProfile};
use aim_ports::{
    PortError, PortFault,
    artifact::ArtifactStore,
    compiler::{CompileRequest, Compiler},
    policy::Policy,
    schema::{Schema, SchemaCompiler, SchemaError},
};
use aim_runtime::{
    accepted::accepted_in,
    admission::{AdmissionError, Admitted, Node, Request, SignedCodex, admit},
    attempt::RunFacts,
    execute::{ExecuteError, Job, RunReport, Timer, execute},
    host::{Host, HostParts, OpenError},
    inputs::{Given, Inputs},
    judge::GateRules,
    ledger::Ledger,
    outside::Outside,
    progress::Unwatched,
    resume::{Payloads, resume},
    services::Contents,
};
use aim_testkit::{
    CoreSigner, CountingEntropy, FixedPolicy, MemoryArtifacts, MemoryFolder, MemoryLog, SimClock,
};
use aim_trust::{
    codex::CodexTrust,
    key::{KeyRole, KeySet, SecretKey},
    signing::KeysSigningCore,
    use_approval::UseApprovals,
    verify::{Report, VerifyOptions, verify_log},
};
use serde_json::{Value, json};

mod people;
mod replays;
mod timers;

pub(crate) use people::person;
use timers::{CutOff, Hasty, SimTimer};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(EngineProfile::default(), AllocatorPreference::default()).expect("an engine")
});

/// Native code by component, so that a component is compiled once for all tests.
static CODE: LazyLock<Mutex<BTreeMap<Digest, Vec<u8>>>> = LazyLock::new(Mutex::default);

/// Compiles in this process.
#[derive(Debug)]
pub(crate) struct InProcess;

impl Compiler for InProcess {
    fn native_code(&mut self, request: &CompileRequest<'_>) -> Result<Vec<u8>, PortError> {
        let digest = Digest::of(request.component);
        if let Some(code) = CODE.lock().unwrap().get(&digest) {
            return Ok(code.clone());
        }
        let code = aim_engine::compile(EngineProfile::default(), request.component)
            .map_err(|error| PortError::new(PortFault::Corrupt, "compile", error.to_string()))?;
        CODE.lock().unwrap().insert(digest, code.clone());
        Ok(code)
    }
}

/// One schema keyword is enough here: `required`, as a list of keys.
#[derive(Debug)]
struct RequiredKeys(Vec<String>);

impl SchemaCompiler for RequiredKeys {
    fn compile(&self, schema: &[u8]) -> Result<Arc<dyn Schema>, SchemaError> {
        let schema: Value = serde_json::from_slice(schema).unwrap();
        let keys = schema["required"].as_array().unwrap();
        Ok(Arc::new(Self(
            keys.iter()
                .map(|key| key.as_str().unwrap().to_owned())
                .collect(),
        )))
    }
}

impl Schema for RequiredKeys {
    fn check(&self, body: &[u8]) -> Result<(), Vec<aim_ports::schema::SchemaFault>> {
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let missing = self.0.iter().filter(|key| body.get(key).is_none());
        let faults: Vec<_> = missing
            .map(|key| aim_ports::schema::SchemaFault {
                kind: aim_ports::schema::SchemaFaultKind::MissingKey,
                field: format!("/{key}"),
                message: "is required".to_owned(),
            })
            .collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }
}

/// What statements of this rig say about its engine.
fn engine_record() -> EngineRecord {
    EngineRecord {
        allocator: "test".to_owned(),
        profile: Digest::of(b"profile"),
    }
}

/// The bytes of a built guest.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/../../target/guests/{name}.wasm",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{path}: {error}; run `cargo xtask guests` first"))
}

/// The shipped codex.
pub(crate) fn codex() -> Vec<u8> {
    let path = format!(
        "{}/../../contracts/codex/default.json",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(path).unwrap()
}

/// A checked contract with `more` over the least one.
fn contract(node: &str, component: &str, more: Value) -> NodeContract {
    let mut document = json!({
        "kind": "compute",
        "node_id": node,
        "version": "0.1.0",
        "component": { "path": format!("{component}.wasm") },
    });
    let fields = document.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    let document: NodeDocument = serde_json::from_value(document).unwrap();
    document.check(&Limits::CEILING).unwrap()
}

/// A deployment in memory.
pub(crate) struct Rig {
    pub(crate) log: MemoryLog,
    pub(crate) store: Arc<MemoryArtifacts>,
    pub(crate) policy: Option<FixedPolicy>,
    pub(crate) monitor: Option<FixedPolicy>,
    pub(crate) own_policies: BTreeMap<StepName, Arc<dyn Policy>>,
    pub(crate) mode: SigningMode,
    pub(crate) outside: Outside,
    pub(crate) clock: SimClock,
    pub(crate) traffic: TrafficLimits,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) folders: BTreeMap<String, MemoryFolder>,
    pub(crate) rules: GateRules,
    pub(crate) approvals: Vec<SignedUseApproval>,
    pub(crate) downgrades: Vec<SignedDowngrade>,
    pub(crate) tenant: TenantId,
    pub(crate) approvers: Vec<Approver>,
    pub(crate) probes: aim_core::plan::ProbeSwitch,
    also: Vec<NodeId>,
    pub(crate) plan: Plan,
    nodes: BTreeMap<NodeId, Node>,
}

/// The key that signs codexes here.
pub(crate) fn gate_key() -> SecretKey {
    SecretKey::from_bytes(KeyRole::Gate, &[3; 32])
}

/// A codex with its signature.
pub(crate) fn signed(document: Vec<u8>, version: &str) -> SignedCodex {
    let version = CodexVersion::parse(version).unwrap();
    let signature = aim_trust::codex::sign(&document, version, &gate_key());
    SignedCodex {
        document,
        signature: Some(signature.into_bytes()),
    }
}

impl Rig {
    /// A plan over the shipped ethical gate.
    pub(crate) fn new(plan: &str) -> Self {
        let plan = aim_acl::compile(plan, aim_acl::Profile::Lenient)
            .unwrap()
            .plan;
        let mut rig = Self {
            log: MemoryLog::default(),
            store: Arc::default(),
            policy: Some(FixedPolicy::Permit),
            monitor: None,
            own_policies: BTreeMap::new(),
            mode: SigningMode::Each,
            outside: Outside::nothing(),
            clock: SimClock::at(Timestamp::from_millis(1_700_000_000_000)),
            traffic: TrafficLimits::DEFAULT,
            config: BTreeMap::new(),
            folders: BTreeMap::new(),
            rules: GateRules::default(),
            approvals: Vec::new(),
            downgrades: Vec::new(),
            tenant: TenantId::parse("global").unwrap(),
            approvers: Vec::new(),
            probes: aim_core::plan::ProbeSwitch::default(),
            also: Vec::new(),
            plan,
            nodes: BTreeMap::new(),
        };
        rig.gate("gate-mcel", codex());
        rig
    }

    /// Replaces the ethical gate.
    pub(crate) fn gate(&mut self, component: &str, codex: Vec<u8>) {
        let more = json!({ "world": "aim:step/gate@0.1.0", "asks": [{ "capability": "codex" }], "codex": "codex.json" });
        let contract = contract("ethical", component, more);
        let node = Node {
            contract,
            component: guest(component),
            codex: Some(signed(codex, "1.0.0")),
            class: Class::Standard,
        };
        self.nodes.insert(NodeId::parse("ethical").unwrap(), node);
    }

    /// Adds a gate that every step passes besides the ethical one.
    pub(crate) fn also(mut self, id: &str, component: &str, codex: &[u8]) -> Self {
        let more = json!({ "world": "aim:step/gate@0.1.0", "asks": [{ "capability": "codex" }], "codex": "codex.json" });
        let node = Node {
            contract: contract(id, component, more),
            component: guest(component),
            codex: Some(signed(codex.to_vec(), "1.0.0")),
            class: Class::Standard,
        };
        self.nodes.insert(NodeId::parse(id).unwrap(), node);
        self.also.push(NodeId::parse(id).unwrap());
        self
    }

    /// Gives the ethical gate another codex.
    pub(crate) fn codex(&mut self, codex: SignedCodex) {
        let node = self.nodes.get_mut(&NodeId::parse("ethical").unwrap());
        node.unwrap().codex = Some(codex);
    }

    /// Signs the ethical gate's codex under another version.
    pub(crate) fn codex_version(&mut self, version: &str) {
        let node = self
            .nodes
            .get_mut(&NodeId::parse("ethical").unwrap())
            .unwrap();
        let document = node.codex.take().unwrap().document;
        node.codex = Some(signed(document, version));
    }

    /// Gives the ethical gate's contract another version.
    pub(crate) fn gate_version(&mut self, version: &str) {
        let node = self.nodes.get_mut(&NodeId::parse("ethical").unwrap());
        let more = json!({ "world": "aim:step/gate@0.1.0", "asks": [{ "capability": "codex" }], "codex": "codex.json",
            "version": version });
        node.unwrap().contract = contract("ethical", "gate-mcel", more);
    }

    /// A node's bytes, to be changed.
    pub(crate) fn component(&mut self, id: &str) -> &mut Vec<u8> {
        let node = self.nodes.get_mut(&NodeId::parse(id).unwrap());
        &mut node.unwrap().component
    }

    /// Adds a node.
    pub(crate) fn node(mut self, id: &str, component: &str, more: Value) -> Self {
        let contract = contract(id, component, more);
        let node = Node {
            contract,
            component: guest(component),
            codex: None,
            class: Class::Standard,
        };
        self.nodes.insert(NodeId::parse(id).unwrap(), node);
        self
    }

    pub(crate) fn admit(&self) -> Result<Admitted, AdmissionError> {
        let (policy, monitor) = (self.policy, self.monitor);
        let hex = encode_hex(&gate_key().public_bytes());
        let keys = KeySet::parse(&format!("aim-keys v1\ngate {hex}\n")).unwrap();
        admit(
            Request {
                accepted: &accepted_in(&self.log.reader()),
                approvals: UseApprovals {
                    given: &self.approvals,
                    downgrades: &self.downgrades,
                    approvers: &self.approvers,
                    now: Timestamp::from_millis(1_000),
                },
                plan: &self.plan,
                bindings: &bindings(&self.plan, &BTreeMap::new()).unwrap(),
                nodes: &self.nodes,
                ethical: &NodeId::parse("ethical").unwrap(),
                also: &self.also,
                codex_trust: CodexTrust {
                    keys: Some(&keys),
                    least: None,
                },
                rules: self.rules.clone(),
                policy: policy.map(|policy| Arc::new(policy) as _),
                own_policies: &self.own_policies,
                monitor: monitor.map(|policy| Arc::new(policy) as _),
                tenant: &self.tenant,
                profile: EngineProfile::default(),
                probes: &self.probes,
                schemas: &RequiredKeys(Vec::new()),
                config: &self.config,
                folders: &self.folders.keys().cloned().collect(),
            },
            &mut InProcess,
        )
    }

    fn secrets() -> [SecretKey; 2] {
        [(KeyRole::Step, 1), (KeyRole::Log, 2)]
            .map(|(role, seed)| SecretKey::from_bytes(role, &[seed; 32]))
    }

    /// Opens the host over whatever the log holds, as after a restart. The signer remembers nothing, as after a loss of its
    /// state: what it knows is tested with the signer itself.
    pub(crate) fn open(&self) -> Result<(Host, Ledger), OpenError> {
        let [step, log] = Self::secrets();
        let core = KeysSigningCore::new(step, log).unwrap();
        self.open_with(Box::new(CoreSigner::new(core)))
    }

    pub(crate) fn open_with(
        &self,
        signer: Box<dyn aim_ports::signer::Signer>,
    ) -> Result<(Host, Ledger), OpenError> {
        self.open_through(Arc::new(self.log.reader()), signer)
    }

    pub(crate) fn open_through(
        &self,
        reader: Arc<dyn aim_ports::log::LogReader>,
        signer: Box<dyn aim_ports::signer::Signer>,
    ) -> Result<(Host, Ledger), OpenError> {
        Host::open(HostParts {
            reader,
            writer: Box::new(self.log.writer().unwrap()),
            signer,
            store: Arc::clone(&self.store) as Arc<dyn ArtifactStore>,
            clock: Arc::new(self.clock.clone()),
            traffic: self.traffic,
            entropy: Arc::new(CountingEntropy::default()),
            folders: (self.folders.iter())
                .map(|(name, folder)| (name.clone(), Arc::new(folder.clone()) as _))
                .collect(),
            outside: self.outside.clone(),
            mode: self.mode,
            new_origin: "aim.test/rig/1".to_owned(),
            host: HostRecord {
                isolation: "same-uid".to_owned(),
                version: "test".to_owned(),
            },
            engine: engine_record(),
            config: Digest::of(b"config"),
        })
    }

    pub(crate) fn core() -> KeysSigningCore {
        let [step, log] = Self::secrets();
        KeysSigningCore::new(step, log).unwrap()
    }

    /// Runs the plan with text inputs: anew, or what an interrupted try has left.
    pub(crate) fn run(&self, inputs: &[(&str, &str)]) -> Result<RunReport, ExecuteError> {
        self.run_with(inputs, Cancel::new())
    }

    /// As [`Self::run`], and `cancel` stops it.
    pub(crate) fn run_with(
        &self,
        inputs: &[(&str, &str)],
        cancel: Cancel,
    ) -> Result<RunReport, ExecuteError> {
        self.run_until(inputs, cancel, Arc::new(SimTimer(self.clock.clone())))
    }

    /// As [`Self::run`]; the first wait between two tries is cut off by a cancel.
    pub(crate) fn run_cancelled_in_wait(
        &self,
        inputs: &[(&str, &str)],
        cancel: Cancel,
    ) -> Result<RunReport, ExecuteError> {
        self.run_until(inputs, cancel.clone(), Arc::new(CutOff(cancel)))
    }

    /// As [`Self::run`]; `state` lasts too long wherever a step comes to it.
    pub(crate) fn run_hasty(
        &self,
        inputs: &[(&str, &str)],
        state: State,
    ) -> Result<RunReport, ExecuteError> {
        let timer = Arc::new(Hasty(state, self.clock.clone()));
        self.run_until(inputs, Cancel::new(), timer)
    }

    fn run_until(
        &self,
        inputs: &[(&str, &str)],
        cancel: Cancel,
        timer: Arc<dyn Timer>,
    ) -> Result<RunReport, ExecuteError> {
        let (host, ledger) = self.open().unwrap();
        let result = self.run_by(host, &ledger, inputs, (cancel, timer));
        let (host, result) = result;
        // The last checkpoint can not be published after a fail-stop; the log is what counts then.
        drop(Arc::into_inner(host).unwrap().committer.close());
        if result.is_ok() {
            self.assert_replays();
        }
        result
    }

    /// Runs the plan on a host that is open already.
    pub(crate) fn run_on(
        &self,
        host: Host,
        ledger: &Ledger,
        inputs: &[(&str, &str)],
    ) -> (Arc<Host>, Result<RunReport, ExecuteError>) {
        let timer = Arc::new(SimTimer(self.clock.clone()));
        self.run_by(host, ledger, inputs, (Cancel::new(), timer))
    }

    fn run_by(
        &self,
        host: Host,
        ledger: &Ledger,
        inputs: &[(&str, &str)],
        (cancel, timer): (Cancel, Arc<dyn Timer>),
    ) -> (Arc<Host>, Result<RunReport, ExecuteError>) {
        let inputs = given(&self.plan, inputs);
        let admitted = self.admit().unwrap();
        let contents = Arc::new(Contents::default());
        let run = RunId::of(&RunPins {
            plan: self.plan.digest(),
            lock: admitted.lock().digest(),
            inputs: inputs_digest(inputs.by_name()),
            tenant: self.tenant.as_str(),
            seed: 0,
        });
        let standing = ledger.executions_of(run).next_back();
        let (number, resumed) = match standing {
            Some(execution) if execution.end.is_none() => {
                let reader = self.log.reader();
                let payloads = Payloads {
                    ledger,
                    reader: &reader,
                    store: &*self.store,
                };
                let approvers = [person("ann", 1).0];
                let resumed = resume(payloads, execution, &approvers, &contents).unwrap();
                (execution.start.number, Some(resumed))
            }
            Some(execution) => (execution.start.number + 1, None),
            None => (1, None),
        };
        let execution = ExecutionId::of(&host.facts.origin, run, number);
        let job = Job {
            facts: RunFacts {
                run,
                execution,
                trace: TraceId::of(execution),
                plan: self.plan.digest(),
                plan_name: self.plan.name().clone(),
                quip: self.plan.quip().map(str::to_owned),
                tenant: self.tenant.clone(),
                actor: "tester".to_owned(),
                seed: 0,
                correlation: EnvelopeId::ingress("global", "tester", "run", &run.to_string()),
                pinned_time: Timestamp::from_millis(0),
            },
            number,
            plan: self.plan.clone(),
            lock: admitted.lock().clone(),
            approvals: admitted.approvals().to_vec(),
            units: admitted.ready(&ENGINE, &inputs).unwrap(),
            inputs,
            resumed,
            contents,
            timer,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .unwrap();
        let host = Arc::new(host);
        let watcher = Arc::new(Unwatched);
        let result = runtime.block_on(execute(Arc::clone(&host), job, watcher, cancel));
        drop(runtime);
        (host, result)
    }

    /// What the log says now.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::read(&self.log.reader()).unwrap()
    }

    /// Every attempt in the log, in order.
    pub(crate) fn attempts(&self) -> Vec<AttemptPredicate> {
        let ledger = self.ledger();
        let executions = ledger.executions();
        executions
            .iter()
            .flat_map(|execution| ledger.attempts_of(execution))
            .map(|(_, attempt)| attempt.clone())
            .collect()
    }

    /// The only attempt of a step.
    pub(crate) fn attempt(&self, step: &str) -> AttemptPredicate {
        let mut found = self.attempts();
        found.retain(|attempt| attempt.step.as_str() == step);
        assert_eq!(found.len(), 1, "attempts of {step}");
        found.remove(0)
    }

    /// Verifies the log with the keys that signed it.
    pub(crate) fn verify(&self) -> Report {
        let keys = aim_ports::signer::SigningCore::public_keys(&Self::core());
        let keys = KeySet::of(&keys).unwrap();
        let checkpoint = aim_ports::log::LogReader::checkpoint(&self.log.reader()).unwrap();
        let options = VerifyOptions {
            keys: Some(&keys),
            checkpoint: checkpoint.as_deref(),
            anchor: None,
            is_live: false,
        };
        verify_log(&self.log.reader(), &options).unwrap()
    }
}

fn given(plan: &Plan, inputs: &[(&str, &str)]) -> Inputs {
    let given = inputs.iter().map(|(name, value)| {
        (
            StepName::parse(name).unwrap(),
            Given::Value(value.as_bytes().to_vec()),
        )
    });
    Inputs::new(plan, given.collect()).unwrap()
}
