//! Components and what guests answer: bytes that a guest's memory holds, lifted by the engine.
//!
//! INVARIANT: whatever a guest answers, its attempt ends typed, and never as the host's own bug.

use std::sync::{Arc, LazyLock};

use aim_core::{
    access::{Ask, Capability, Grant, TokenLimits, WalletTerms},
    adapter::Profile,
    admission::{AdmissionRequest, Linkage, World, admit},
    digest::Digest,
    envelope::Envelope,
    gate::{GateRequest, Phase},
    id::{AttemptId, EnvelopeId},
    limits::Limits,
    outcome::Outcome,
    time::Timestamp,
};
use aim_engine::{
    AllocatorPreference, Cancel, Codex, Engine, EngineProfile, GateFault, GateReport, LinkedGate,
    LinkedStep, PlanBudget, Resources, StepCall, StepContext, StepEnd, VerifiedNativeCode, inspect,
};
use aim_ports::{PortError, PortFault, services::StepServices};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(EngineProfile::default(), AllocatorPreference::default()).expect("an engine")
});

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().expect("a runtime")
});

fn guest(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/../../target/guests/{name}.wasm",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{path}: {error}; run `cargo xtask guests` first"))
}

fn linkage(bytes: &[u8], world: World) -> Option<Linkage> {
    let asks: Vec<Ask> = Capability::ALL.into_iter().map(Ask::plain).collect();
    let grant = Grant {
        asks: asks.clone(),
        policy: None,
    };
    let request = AdmissionRequest {
        world,
        asks: &asks,
        grant: &grant,
        adapt: Some(Profile::Std),
        class: aim_core::class::Class::Standard,
    };
    let inspection = inspect(bytes).ok()?;
    admit(&inspection, &request).ok()
}

/// A component, up to its admission. What is admitted binds its imports and nothing else.
pub(crate) fn component(bytes: &[u8]) {
    for world in [World::Step, World::Gate] {
        let Some(linkage) = linkage(bytes, world) else {
            continue;
        };
        let inspection = inspect(bytes).expect("what was admitted was read");
        assert_eq!(linkage.bindings().len(), inspection.imports.len());
        assert_eq!(linkage.component(), Digest::of(bytes));
    }
}

fn native(bytes: &[u8]) -> VerifiedNativeCode {
    VerifiedNativeCode::compiled_here(EngineProfile::default(), bytes).expect("native code")
}

fn gate(name: &str) -> LinkedGate {
    let bytes = guest(name);
    let linkage = linkage(&bytes, World::Gate).expect("an admitted gate");
    ENGINE.load_gate(native(&bytes), &linkage).expect("a gate")
}

fn judged(gate: &LinkedGate, codex: &[u8]) -> GateReport {
    let request = GateRequest {
        phase: Phase::Egress,
        plan: "plan".to_owned(),
        step: "step".to_owned(),
        role: "role".to_owned(),
        effects: vec![],
        items: vec![],
        impact: None,
        doubt: None,
        quip: Some("a quip".to_owned()),
        prior: None,
        context: vec![],
    };
    let limits = Limits {
        fuel_max: 50_000_000,
        ..Limits::GATE
    };
    let document = Codex::new(codex);
    let prepared = RUNTIME.block_on(gate.prepare(&document, request.phase, limits));
    let given = match prepared {
        None => document,
        Some(Ok(prepared)) => document.with_prepared(prepared),
        // What can not be prepared is judged by nothing; the gate must not take nothing for rules.
        Some(Err(GateFault::Ended(Outcome::Bug, fault))) => panic!("the host's own bug: {fault:?}"),
        Some(Err(_)) => document,
    };
    let report = RUNTIME.block_on(gate.judge(&request, &given, limits));
    if let Err(GateFault::Ended(Outcome::Bug, fault)) = &report.result {
        panic!("the host's own bug: {fault:?}");
    }
    if let Ok(decision) = &report.result {
        assert_eq!(decision.codex_digest, Digest::of(codex).to_string());
        let texts = decision.reasons.iter().chain(&decision.axioms_hit);
        for text in texts.chain(&decision.quip) {
            assert!(
                !text.chars().any(char::is_control) && text.len() < 1_024,
                "{text:?}"
            );
        }
    }
    report
}

/// A codex, given to the shipped gate. What it can not read gives no decision that passes.
pub(crate) fn codex(bytes: &[u8]) {
    static GATE: LazyLock<LinkedGate> = LazyLock::new(|| gate("gate-mcel"));
    let report = judged(&GATE, bytes);
    if serde_json::from_slice::<serde_json::Value>(bytes).is_err() {
        assert!(report.result.is_err(), "a decision by a codex that is none");
    }
}

/// A gate's answer: the bytes lie in its memory where the answer should.
pub(crate) fn decision(bytes: &[u8]) {
    static GATE: LazyLock<LinkedGate> = LazyLock::new(|| gate("fuzz-decision"));
    judged(&GATE, bytes);
}

fn terms(limits: &Limits) -> WalletTerms {
    WalletTerms {
        attempt: AttemptId::from_bytes([1; 16]),
        branch: None,
        subject: "plan/step".to_owned(),
        audience: "test".to_owned(),
        starts_at: Timestamp::from_millis(0),
        time_ms_max: limits.deadline_ms_max,
        limits: TokenLimits::of(limits),
    }
}

/// A clock that stands still: a target depends on its bytes alone.
#[derive(Debug)]
struct Still;

impl aim_ports::clock::Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn elapsed(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

/// Nothing is there and nobody answers.
#[derive(Debug)]
struct NoServices;

#[async_trait::async_trait]
impl StepServices for NoServices {
    async fn read_artifact(&self, _digest: Digest) -> Result<Arc<[u8]>, PortError> {
        Err(PortError::new(PortFault::NotFound, "read", "nothing"))
    }

    async fn consult(
        &self,
        _: String,
        _: String,
        _: Vec<u8>,
    ) -> Result<aim_core::gate::Decision, PortError> {
        Err(PortError::new(PortFault::Unavailable, "consult", "nobody"))
    }

    async fn act(
        &self,
        _: aim_ports::effect::EffectCall,
    ) -> Result<aim_ports::effect::EffectAnswer, aim_ports::effect::EffectFault> {
        Err(aim_ports::effect::EffectFault::Unavailable)
    }
}

static CONTEXT: LazyLock<Arc<StepContext>> = LazyLock::new(|| {
    Arc::new(StepContext {
        run: "run".to_owned(),
        step: "step".to_owned(),
        role: "role".to_owned(),
        attempt: 1,
        tenant: "global".to_owned(),
        actor: "actor".to_owned(),
        correlation: "correlation".to_owned(),
        causation: None,
        traceparent: "trace".to_owned(),
        labels: std::collections::BTreeMap::new(),
        plan: Digest::of(b"plan"),
        component: Digest::of(b"component"),
        seed: 7,
        pinned_time: Timestamp::from_millis(0),
    })
});

/// A step's answer: the bytes lie in its memory where the answer should.
pub(crate) fn answer(bytes: &[u8]) {
    static STEP: LazyLock<LinkedStep> = LazyLock::new(|| {
        let bytes = guest("fuzz-answer");
        let linkage = linkage(&bytes, World::Step).expect("an admitted step");
        ENGINE.load_step(native(&bytes), &linkage).expect("a step")
    });
    let id = EnvelopeId::ingress("global", "actor", "fuzz", "answer");
    let call = StepCall {
        envelope: Envelope {
            id,
            correlation: id,
            causation: None,
            operation: "x".to_owned(),
            media_type: "application/octet-stream".to_owned(),
            artifacts: vec![],
            body: bytes.to_vec(),
        },
        context: Arc::clone(&CONTEXT),
        grant: Arc::new(Grant {
            asks: vec![],
            policy: None,
        }),
        terms: terms(&Limits::DEFAULT),
        clock: Arc::new(Still),
        limits: Limits::DEFAULT,
        budget: PlanBudget::default(),
        services: Arc::new(NoServices),
        folders: Arc::default(),
        playback: None,
        resources: Resources::default(),
        cancel: Cancel::new(),
    };
    let report = RUNTIME.block_on(STEP.invoke(call));
    match report.end {
        StepEnd::Ended(Outcome::Bug, fault) => panic!("the host's own bug: {fault:?}"),
        StepEnd::Answered(emissions) => {
            for emission in emissions {
                assert!(emission.operation.len() <= 256 && emission.media_type.len() <= 256);
            }
        }
        StepEnd::Ended(..) | StepEnd::Refused(_) => {}
    }
}
