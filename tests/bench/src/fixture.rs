//! What all measurements share: one plan of one step, its units, one payload, and hosts to run them on.
//!
//! INVARIANT: every case has the same component, payload, contract and limits.

use std::{path::Path, sync::Arc};

use aim_clock_system::{SystemClock, SystemEntropy};
use aim_core::{
    access::{Ask, Capability, Grant},
    admission::{AdmissionRequest, Linkage, World, admit},
    class::Class,
    contract::{NodeContract, NodeDocument},
    digest::Digest,
    envelope::Envelope,
    gate::{Decision, Doubt, GateRequest, Phase, floor::Floors},
    id::{EnvelopeId, ExecutionId, RunId, RunPins, TraceId},
    limits::Limits,
    name::{StepName, TenantId},
    plan::{Plan, Step},
    time::Timestamp,
    traffic::TrafficLimits,
    verdict::Verdict,
    witness::{EngineRecord, HostRecord},
};
use aim_engine::{
    AllocatorPreference, Codex, Engine, EngineProfile, LinkedGate, VerifiedNativeCode, inspect,
};
use aim_log_file::{FileLogReader, FileLogWriter};
use aim_runtime::{
    attempt::RunFacts,
    effects::WritableFolders,
    host::{Host, HostParts},
    judge::{ComponentJudge, Gate, GateRules, Judge},
    unit::{Unit, UnitParts},
};
use aim_signer_process::{SideCommand, SignerProcess};
use aim_store_dir::DirArtifactStore;
use aim_trust::{
    key::{KeyRole, SecretKey},
    signing::KeysSigningCore,
};
use async_trait::async_trait;

use crate::{
    Result,
    case::{Case, Gates, Storage},
    memory::{MemoryLog, NearSigner},
    places::Places,
};

/// The plan; also what the cold start runs.
pub(crate) const PLAN: &str = "\
PLAN bench v1.0:
ROLE parrot: custom(node=\"bench.echo\")
STEP echo:
  ASSIGN parrot: \"Give back what came in\"
  BUDGET tokens=1, time=30s, tools=1
";
/// The step's node contract.
pub(crate) const ECHO_CONTRACT: &str = r#"{
  "kind": "compute", "node_id": "bench.echo", "version": "0.1.0",
  "component": { "path": "conformance-echo.wasm" }
}"#;
const PAYLOAD_BYTES: usize = 1024;

/// A judge that is part of the host: it passes everything and costs nothing but the asking.
#[derive(Debug)]
struct Passes;

#[async_trait]
impl Judge for Passes {
    async fn judge(&self, _request: &GateRequest) -> std::result::Result<Decision, String> {
        Ok(Decision {
            verdict: Verdict::Pass,
            ethical_score: 1_000_000,
            doubt: Doubt::default(),
            futures: Vec::new(),
            quip: None,
            axioms_hit: Vec::new(),
            reasons: Vec::new(),
            codex_version: String::new(),
            codex_digest: String::new(),
            facts: Vec::new(),
        })
    }
}

/// Everything that is made once.
pub(crate) struct Fixture {
    /// Where things are.
    pub(crate) places: Places,
    /// The engine.
    pub(crate) engine: Engine,
    /// The step's bytes.
    pub(crate) step_bytes: Vec<u8>,
    /// The gate's bytes.
    pub(crate) gate_bytes: Vec<u8>,
    /// The rules that it judges by.
    pub(crate) codex: Arc<[u8]>,
    /// What the step may use.
    pub(crate) grant: Grant,
    /// What all attempts share.
    pub(crate) run: Arc<RunFacts>,
    built_in: Arc<Unit>,
    ethical: Arc<Unit>,
}

/// A host and what has to stay as long as it runs.
pub(crate) struct Opened {
    /// The host.
    pub(crate) host: Arc<Host>,
    /// The signer's process, where it is another one.
    pub(crate) signer: Option<u32>,
    _folder: Option<tempfile::TempDir>,
}

impl Fixture {
    /// Reads, compiles, admits and links.
    pub(crate) fn load(places: &Places) -> Result<Self> {
        let step_bytes = read(&places.guests.join("conformance-echo.wasm"))?;
        let gate_bytes = read(&places.guests.join("gate-mcel.wasm"))?;
        let codex: Arc<[u8]> = read(&places.codex)?.into();
        let engine = Engine::new(EngineProfile::default(), AllocatorPreference::default())?;
        let plan = aim_acl::compile(PLAN, aim_acl::Profile::Strict)
            .map_err(|faults| format!("the plan does not compile: {faults:?}"))?
            .plan;
        let contract: NodeDocument = serde_json::from_str(ECHO_CONTRACT)?;
        let contract = contract
            .check(&Limits::CEILING)
            .map_err(|faults| format!("the contract is faulty: {faults:?}"))?;
        let grant = Grant {
            asks: Vec::new(),
            policy: None,
        };
        let passes = Gate {
            id: "bench.passes".to_owned(),
            component: None,
            codex: None,
            codex_version: None,
            floors: Floors::default(),
            judge: Arc::new(Passes),
        };
        let judge = component_gate(&engine, &gate_bytes, &codex)?;
        let step = plan.steps().first().ok_or("the plan has no step")?;
        let unit = |ethical| unit(&engine, &step_bytes, step, &contract, &grant, ethical);
        Ok(Self {
            built_in: Arc::new(unit(passes)?),
            ethical: Arc::new(unit(judge)?),
            run: Arc::new(run_facts(&plan)?),
            places: places.clone(),
            engine,
            step_bytes,
            gate_bytes,
            codex,
            grant,
        })
    }

    /// The step with the gates of a case.
    pub(crate) fn unit(&self, gates: Gates) -> Arc<Unit> {
        Arc::clone(match gates {
            Gates::BuiltIn => &self.built_in,
            Gates::Ethical => &self.ethical,
        })
    }

    /// Another step of the same plan, behind the ethical gate; it is granted all that its contract asks for.
    pub(crate) fn unit_of(&self, guest: &str, contract: &NodeContract) -> Result<Unit> {
        let bytes = read(&self.places.guests.join(format!("{guest}.wasm")))?;
        let judge = component_gate(&self.engine, &self.gate_bytes, &self.codex)?;
        let step = self.ethical.step();
        let grant = Grant {
            asks: contract.asks.clone(),
            policy: None,
        };
        unit(&self.engine, &bytes, step, contract, &grant, judge)
    }

    /// The message.
    pub(crate) fn envelope(&self) -> Envelope {
        Envelope {
            id: EnvelopeId::emitted(self.run.run, "bench", 0),
            correlation: self.run.correlation,
            causation: None,
            operation: "echo".to_owned(),
            media_type: "application/json".to_owned(),
            artifacts: Vec::new(),
            body: payload(),
        }
    }

    /// A host with a fresh log, as a case wants it.
    pub(crate) fn open(&self, case: Case) -> Result<Opened> {
        match case.storage {
            Storage::Memory => self.open_in_memory(case, &MemoryLog::default()),
            Storage::Durable => self.open_on_disk(case),
        }
    }

    /// A host on a log in memory that the caller keeps.
    pub(crate) fn open_in_memory(&self, case: Case, log: &MemoryLog) -> Result<Opened> {
        let folder = self.places.temporary()?;
        let (host, _) = Host::open(HostParts {
            reader: Arc::new(log.clone()),
            writer: Box::new(log.clone()),
            signer: Box::new(NearSigner::new(signing_core()?)),
            ..self.parts(case, folder.path())?
        })?;
        Ok(Opened {
            host: Arc::new(host),
            signer: None,
            _folder: Some(folder),
        })
    }

    fn open_on_disk(&self, case: Case) -> Result<Opened> {
        let folder = self.places.temporary()?;
        let data = folder.path().join("data");
        let signer = self.spawn_signer(&folder.path().join("keys"))?;
        let id = signer.id();
        let writer = FileLogWriter::open(&data, "aim-bench")?;
        let (host, _) = Host::open(HostParts {
            reader: Arc::new(FileLogReader::open(&data)?),
            writer: Box::new(writer),
            signer: Box::new(signer),
            ..self.parts(case, &data)?
        })?;
        Ok(Opened {
            host: Arc::new(host),
            signer: id,
            _folder: Some(folder),
        })
    }

    /// The signer process with keys of its own.
    pub(crate) fn spawn_signer(&self, keys: &Path) -> Result<SignerProcess> {
        let arguments = [
            "signer".into(),
            "--keys".into(),
            keys.as_os_str().to_owned(),
        ];
        let command = SideCommand::new(&self.places.aimctl, arguments);
        Ok(SignerProcess::spawn(&command)?)
    }

    fn parts(&self, case: Case, store: &Path) -> Result<HostParts> {
        let log = MemoryLog::default();
        Ok(HostParts {
            reader: Arc::new(log.clone()),
            writer: Box::new(log),
            signer: Box::new(NearSigner::new(signing_core()?)),
            store: Arc::new(DirArtifactStore::new(store)),
            clock: Arc::new(SystemClock::start()),
            traffic: TrafficLimits::DEFAULT,
            entropy: Arc::new(SystemEntropy),
            folders: WritableFolders::new(),
            outside: aim_runtime::outside::Outside::nothing(),
            mode: case.signing,
            new_origin: "aim.local/0123456789abcdef/1".to_owned(),
            host: HostRecord {
                isolation: "landlock".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            engine: EngineRecord {
                allocator: self.engine.allocator().word().to_owned(),
                profile: Digest::of(self.engine.profile().fingerprint().as_bytes()),
            },
            config: Digest::of(b"bench"),
        })
    }
}

impl Opened {
    /// Ends the commit thread and removes what was written.
    pub(crate) fn close(self) -> Result<()> {
        let host = Arc::into_inner(self.host).ok_or("a task outlived its case")?;
        Ok(host.committer.close()?)
    }
}

/// Exactly 1 KiB of harmless JSON.
pub(crate) fn payload() -> Vec<u8> {
    let (head, tail) = (r#"{"text":""#, r#""}"#);
    let text = "a quiet morning on the river, reeds and light wind; ";
    let room = PAYLOAD_BYTES - head.len() - tail.len();
    let text: String = text.chars().cycle().take(room).collect();
    format!("{head}{text}{tail}").into_bytes()
}

/// Keys that are good for nothing else.
pub(crate) fn signing_core() -> Result<KeysSigningCore> {
    let step = SecretKey::from_bytes(KeyRole::Step, &[7; 32]);
    let log = SecretKey::from_bytes(KeyRole::Log, &[9; 32]);
    Ok(KeysSigningCore::new(step, log)?)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| format!("{}: {error}; run `cargo xtask bench`", path.display()).into())
}

fn linkage(bytes: &[u8], world: World, asks: &[Ask], grant: &Grant) -> Result<Linkage> {
    let request = AdmissionRequest {
        world,
        asks,
        grant,
        adapt: None,
        class: Class::Standard,
    };
    admit(&inspect(bytes)?, &request)
        .map_err(|mismatches| format!("a component is not admitted: {mismatches:?}").into())
}

/// A gate that may ask for its codex, admitted and loaded.
pub(crate) fn linked_gate(engine: &Engine, bytes: &[u8]) -> Result<LinkedGate> {
    let asks = [Ask::plain(Capability::Codex)];
    let grant = Grant {
        asks: asks.to_vec(),
        policy: None,
    };
    let linkage = linkage(bytes, World::Gate, &asks, &grant)?;
    let native = VerifiedNativeCode::compiled_here(engine.profile(), bytes)?;
    Ok(engine.load_gate(native, &linkage)?)
}

/// What a gate makes of its codex on the way in and on the way out; nothing for one that reads the document each time.
pub(crate) fn prepared(gate: &LinkedGate, codex: &Arc<[u8]>) -> Result<[Arc<[u8]>; 2]> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let codex = Codex::new(Arc::clone(codex));
    let make = |phase| -> Result<Arc<[u8]>> {
        match runtime.block_on(gate.prepare(&codex, phase, Limits::GATE)) {
            None => Ok(Arc::default()),
            Some(made) => Ok(made?),
        }
    };
    Ok([make(Phase::Ingress)?, make(Phase::Egress)?])
}

fn component_gate(engine: &Engine, bytes: &[u8], codex: &Arc<[u8]>) -> Result<Gate> {
    let linked = linked_gate(engine, bytes)?;
    Ok(Gate {
        id: "ethical-gate".to_owned(),
        component: Some(linked.component()),
        codex: Some(Digest::of(codex)),
        codex_version: None,
        floors: Floors::default(),
        judge: Arc::new(ComponentJudge::new(linked, Arc::clone(codex), Limits::GATE)),
    })
}

fn unit(
    engine: &Engine,
    bytes: &[u8],
    step: &Step,
    contract: &NodeContract,
    grant: &Grant,
    ethical: Gate,
) -> Result<Unit> {
    let linkage = linkage(bytes, World::Step, &grant.asks, grant)?;
    let native = VerifiedNativeCode::compiled_here(engine.profile(), bytes)?;
    Ok(Unit::new(UnitParts {
        addresses: None,
        step: step.clone(),
        contract: contract.clone(),
        component: linkage.component(),
        grant: grant.clone(),
        linked: engine.load_step(native, &linkage)?,
        input: None,
        output: None,
        ethical,
        gates: Vec::new(),
        plan_gates: Vec::new(),
        plan_kappa_ppm: None,
        plan_risk: None,
        rules: GateRules::default(),
        folders: std::collections::BTreeMap::new(),
        config: Arc::default(),
        monitor: None,
    }))
}

fn run_facts(plan: &Plan) -> Result<RunFacts> {
    let tenant = TenantId::parse("global")?;
    let run = RunId::of(&RunPins {
        plan: plan.digest(),
        lock: Digest::of(b"lock"),
        inputs: Digest::of(b"inputs"),
        tenant: tenant.as_str(),
        seed: 0,
    });
    let execution = ExecutionId::of("aim.local/0123456789abcdef/1", run, 1);
    Ok(RunFacts {
        run,
        execution,
        trace: TraceId::of(execution),
        plan: plan.digest(),
        plan_name: StepName::parse(plan.name().as_str())?,
        quip: None,
        correlation: EnvelopeId::ingress("global", "uid:0", "run", &run.to_string()),
        tenant,
        actor: "uid:0".to_owned(),
        seed: 0,
        pinned_time: Timestamp::from_millis(946_684_800_000),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_one_kibibyte_of_json() {
        assert_eq!(payload().len(), 1024);
        assert!(serde_json::from_slice::<serde_json::Value>(&payload()).is_ok());
    }
}
