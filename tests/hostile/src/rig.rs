//! A host in memory with one hostile step and one neighbour: real admission, engine, gates, runtime and signatures.
//!
//! INVARIANT: nothing is skipped: contracts are checked, asks are granted by a policy, components are admitted.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use aim_core::{
    access::SignedDowngrade,
    class::Class,
    contract::{NodeContract, NodeDocument},
    digest::Digest,
    gate::CodexVersion,
    id::{EnvelopeId, ExecutionId, RunId, RunPins, TraceId},
    join::inputs_digest,
    leaf::SigningMode,
    limits::Limits,
    name::{NodeId, StepName, TenantId},
    plan::{Plan, bindings},
    quarantine::Approver,
    time::Timestamp,
    traffic::TrafficLimits,
    witness::{AttemptPredicate, EngineRecord, HostRecord},
};
use aim_engine::{AllocatorPreference, Cancel, Engine, EngineProfile};
use aim_ports::{
    PortError, PortFault,
    artifact::ArtifactStore,
    compiler::{CompileRequest, Compiler},
    folder::SnapshotFile,
    schema::{Schema, SchemaCompiler, SchemaError},
    signer::SigningCore as _,
};
use aim_runtime::{
    accepted::accepted_in,
    admission::{AdmissionError, Admitted, Node, Request, SignedCodex, admit},
    attempt::RunFacts,
    execute::{Job, RunReport, execute},
    host::{Host, HostParts},
    inputs::{Given, Inputs},
    judge::GateRules,
    ledger::Ledger,
    progress::Watcher,
    services::Contents,
};
use aim_testkit::{
    CoreSigner, CountingEntropy, FixedPolicy, MemoryArtifacts, MemoryFolder, MemoryLog, SimClock,
};
use aim_trust::{
    codex::CodexTrust,
    key::{KeyRole, KeySet, SecretKey},
    signing::KeysSigningCore,
    verify::{Report, VerifyOptions, verify_log},
};
use serde_json::{Value, json};

use crate::component::{guest, repository};

pub(crate) static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(EngineProfile::default(), AllocatorPreference::default()).expect("an engine")
});

/// The secret keys' bytes: canaries that must be found nowhere.
pub(crate) const SECRETS: [[u8; 32]; 2] = [
    *b"canary: the step key, 32 bytes..",
    *b"canary: the log key, 32 bytes...",
];

/// Native code in this process; kept in the build folder by what it was made from, since each test is a process of its own.
#[derive(Debug)]
struct InProcess;

/// Native code of a component under this profile.
pub(crate) fn native_code(component: &[u8]) -> Result<Vec<u8>, PortError> {
    let profile = EngineProfile::default();
    let key = Digest::derive(
        "test-native-code",
        &[profile.fingerprint().as_bytes(), component],
    );
    let folder = repository("target/native-code");
    let path = folder.join(key.hex());
    if let Ok(code) = std::fs::read(&path) {
        return Ok(code);
    }
    let code = aim_engine::compile(profile, component)
        .map_err(|error| PortError::new(PortFault::Corrupt, "compile", error.to_string()))?;
    std::fs::create_dir_all(&folder).unwrap();
    let file = tempfile::NamedTempFile::new_in(&folder).unwrap();
    std::fs::write(file.path(), &code).unwrap();
    file.persist(path).unwrap();
    Ok(code)
}

impl Compiler for InProcess {
    fn native_code(&mut self, request: &CompileRequest<'_>) -> Result<Vec<u8>, PortError> {
        native_code(request.component)
    }
}

/// No contract of these tests has a schema.
#[derive(Debug)]
struct NoSchemas;

impl SchemaCompiler for NoSchemas {
    fn compile(&self, _schema: &[u8]) -> Result<Arc<dyn Schema>, SchemaError> {
        panic!("no contract of these tests has a schema")
    }
}

/// A checked contract with `more` over the least one.
pub(crate) fn contract(node: &str, more: &Value) -> Result<NodeContract, String> {
    let mut document = json!({
        "kind": "compute",
        "node_id": node,
        "version": "0.1.0",
        "component": { "path": "component.wasm" },
    });
    let fields = document.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    let document: NodeDocument =
        serde_json::from_value(document).map_err(|error| error.to_string())?;
    document
        .check(&Limits::CEILING)
        .map_err(|faults| format!("{faults:?}"))
}

/// The key that signs codexes here.
fn gate_key() -> SecretKey {
    SecretKey::from_bytes(KeyRole::Gate, b"canary: the gate key, 32 bytes..")
}

/// A codex with its signature.
fn signed(document: Vec<u8>) -> SignedCodex {
    let version = CodexVersion::parse("1.0.0").unwrap();
    let signature = aim_trust::codex::sign(&document, version, &gate_key());
    SignedCodex {
        document,
        signature: Some(signature.into_bytes()),
    }
}

/// A deployment in memory.
pub(crate) struct Rig {
    pub(crate) log: MemoryLog,
    pub(crate) store: Arc<MemoryArtifacts>,
    pub(crate) downgrades: Vec<SignedDowngrade>,
    pub(crate) approvers: Vec<Approver>,
    /// Folders that steps may change, by name.
    pub(crate) folders: BTreeMap<String, MemoryFolder>,
    /// Folders that a run is given to read, by the input's name.
    pub(crate) given: BTreeMap<StepName, Vec<SnapshotFile>>,
    nodes: BTreeMap<NodeId, Node>,
}

impl Rig {
    /// The shipped ethical gate and an echo, the neighbour of whatever is added.
    pub(crate) fn new() -> Self {
        let mut rig = Self {
            log: MemoryLog::default(),
            store: Arc::default(),
            downgrades: Vec::new(),
            approvers: Vec::new(),
            folders: BTreeMap::new(),
            given: BTreeMap::new(),
            nodes: BTreeMap::new(),
        };
        let gate = json!({ "world": "aim:step/gate@0.1.0", "asks": [{ "capability": "codex" }], "codex": "codex.json" });
        let codex = std::fs::read(repository("contracts/codex/default.json")).unwrap();
        rig.add("ethical", guest("gate-mcel"), &gate, Some(codex));
        rig.add("echo", guest("conformance-echo"), &json!({}), None);
        rig
    }

    pub(crate) fn add(
        &mut self,
        id: &str,
        component: Vec<u8>,
        more: &Value,
        codex: Option<Vec<u8>>,
    ) {
        let node = Node {
            contract: contract(id, more).unwrap(),
            component,
            codex: codex.map(signed),
            class: Class::Standard,
        };
        self.nodes.insert(NodeId::parse(id).unwrap(), node);
    }

    pub(crate) fn admit(&self, plan: &Plan) -> Result<Admitted, AdmissionError> {
        let hex = aim_core::digest::encode_hex(&gate_key().public_bytes());
        let keys = KeySet::parse(&format!("aim-keys v1\ngate {hex}\n")).unwrap();
        admit(
            Request {
                plan,
                bindings: &bindings(plan, &BTreeMap::new()).unwrap(),
                nodes: &self.nodes,
                ethical: &NodeId::parse("ethical").unwrap(),
                also: &[],
                accepted: &accepted_in(&self.log.reader()),
                approvals: aim_trust::use_approval::UseApprovals {
                    downgrades: &self.downgrades,
                    approvers: &self.approvers,
                    ..aim_trust::use_approval::UseApprovals::NONE
                },
                codex_trust: CodexTrust {
                    keys: Some(&keys),
                    least: None,
                },
                rules: GateRules::default(),
                policy: Some(Arc::new(FixedPolicy::Permit)),
                monitor: None,
                own_policies: &BTreeMap::new(),
                tenant: &TenantId::parse("global").unwrap(),
                profile: EngineProfile::default(),
                probes: &aim_core::plan::ProbeSwitch::default(),
                schemas: &NoSchemas,
                config: &BTreeMap::new(),
                folders: &self.folders.keys().cloned().collect(),
            },
            &mut InProcess,
        )
    }

    fn core() -> KeysSigningCore {
        let [step, log] = SECRETS;
        let step = SecretKey::from_bytes(KeyRole::Step, &step);
        KeysSigningCore::new(step, SecretKey::from_bytes(KeyRole::Log, &log)).unwrap()
    }

    fn open(&self) -> (Host, Ledger) {
        Host::open(HostParts {
            reader: Arc::new(self.log.reader()),
            writer: Box::new(self.log.writer().unwrap()),
            signer: Box::new(CoreSigner::new(Self::core())),
            store: Arc::clone(&self.store) as Arc<dyn ArtifactStore>,
            clock: Arc::new(SimClock::at(Timestamp::from_millis(1_700_000_000_000))),
            traffic: TrafficLimits::default(),
            entropy: Arc::new(CountingEntropy::default()),
            folders: (self.folders.iter())
                .map(|(name, folder)| (name.clone(), Arc::new(folder.clone()) as _))
                .collect(),
            outside: aim_runtime::outside::Outside::nothing(),
            mode: SigningMode::Each,
            new_origin: "aim.test/hostile/1".to_owned(),
            host: HostRecord {
                isolation: "same-uid".to_owned(),
                version: "test".to_owned(),
            },
            engine: EngineRecord {
                allocator: "test".to_owned(),
                profile: Digest::of(b"profile"),
            },
            config: Digest::of(b"config"),
        })
        .unwrap()
    }

    /// Runs a plan with one text as its input, to its end.
    pub(crate) fn run(
        &self,
        plan: &str,
        input: &str,
        watcher: Arc<dyn Watcher>,
        cancel: &Cancel,
    ) -> RunReport {
        let plan = aim_acl::compile(plan, aim_acl::Profile::Lenient)
            .unwrap()
            .plan;
        let attack = StepName::parse("attack").unwrap();
        let folders = self.given.iter();
        let mut given: BTreeMap<StepName, Given> = folders
            .map(|(name, files)| (name.clone(), Given::Folder(files.clone())))
            .collect();
        given.insert(attack, Given::Value(input.as_bytes().to_vec()));
        let inputs = Inputs::new(&plan, given).unwrap();
        let (host, ledger) = self.open();
        let admitted = self.admit(&plan).unwrap();
        let run = RunId::of(&RunPins {
            plan: plan.digest(),
            lock: admitted.lock().digest(),
            inputs: inputs_digest(inputs.by_name()),
            tenant: "global",
            seed: 0,
        });
        let number = ledger.executions_of(run).count();
        let number = u32::try_from(number).unwrap() + 1;
        let execution = ExecutionId::of(&host.facts.origin, run, number);
        let job = Job {
            facts: RunFacts {
                run,
                execution,
                trace: TraceId::of(execution),
                plan: plan.digest(),
                plan_name: plan.name().clone(),
                quip: plan.quip().map(str::to_owned),
                tenant: TenantId::parse("global").unwrap(),
                actor: "tester".to_owned(),
                seed: 0,
                correlation: EnvelopeId::ingress("global", "tester", "run", &run.to_string()),
                pinned_time: Timestamp::from_millis(0),
            },
            number,
            lock: admitted.lock().clone(),
            approvals: admitted.approvals().to_vec(),
            units: admitted.ready(&ENGINE, &inputs).unwrap(),
            plan,
            inputs,
            resumed: None,
            contents: Arc::new(Contents::default()),
            timer: Arc::new(aim_runtime::execute::RealTimer),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .unwrap();
        let host = Arc::new(host);
        let work = execute(Arc::clone(&host), job, watcher, cancel.clone());
        let report = runtime.block_on(work).unwrap();
        drop(runtime);
        Arc::into_inner(host).unwrap().committer.close().unwrap();
        report
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::read(&self.log.reader()).unwrap()
    }

    /// Every attempt of a step, in order.
    pub(crate) fn attempts(&self, step: &str) -> Vec<AttemptPredicate> {
        let ledger = self.ledger();
        let executions = ledger.executions().iter();
        let attempts = executions.flat_map(|execution| ledger.attempts_of(execution));
        attempts
            .map(|(_, attempt)| attempt.clone())
            .filter(|attempt| attempt.step.as_str() == step)
            .collect()
    }

    /// Verifies the log with the keys that signed it.
    pub(crate) fn verify(&self) -> Report {
        let keys = Self::core().public_keys();
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
