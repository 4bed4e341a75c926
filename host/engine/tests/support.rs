//! Loads built guests and invokes them under a grant.
//!
//! INVARIANT: admission is never skipped; what a test grants is what its component gets.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use aim_core::{
    access::{Ask, Capability, Grant, Mode, TokenLimits, WalletTerms},
    adapter::Profile,
    admission::{AdmissionRequest, Linkage, Mismatch, World, admit},
    class::Class,
    digest::Digest,
    envelope::{ArtifactRef, Envelope},
    gate::{Decision, Doubt},
    id::{AttemptId, EnvelopeId},
    limits::Limits,
    time::Timestamp,
    verdict::Verdict,
};
use aim_engine::{
    AllocatorPreference, Cancel, Engine, EngineProfile, LinkedGate, LinkedStep, PlanBudget,
    Resources, Snapshot, StepCall, StepContext, StepEnd, StepReport, VerifiedNativeCode, inspect,
};
use aim_ports::{
    PortError, PortFault,
    effect::{EffectAnswer, EffectCall, EffectFault},
    services::StepServices,
};
use aim_testkit::SimClock;
use serde_json::Value;

pub(crate) static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(EngineProfile::Wasi02, AllocatorPreference::default()).expect("an engine")
});

/// The bytes of a built guest.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/../../target/guests/{name}.wasm",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{path}: {error}; run `cargo xtask guests` first"))
}

/// Every interface of the project itself, and the folder `data` to read.
pub(crate) fn all_asks() -> Vec<Ask> {
    use Capability::{Artifact, Attest, Budget, Consult, Context, Filesystem, Log};
    let mut asks: Vec<Ask> = [Context, Budget, Attest, Consult, Log]
        .into_iter()
        .map(Ask::plain)
        .collect();
    asks.push(ask(Artifact, &[Mode::Read, Mode::Put], &[]));
    asks.push(ask(Filesystem, &[Mode::Read], &["data"]));
    asks
}

/// An ask for `capability`.
pub(crate) fn ask(capability: Capability, modes: &[Mode], scope: &[&str]) -> Ask {
    Ask {
        modes: modes.iter().copied().collect(),
        scope: scope.iter().map(|name| (*name).to_owned()).collect(),
        ..Ask::plain(capability)
    }
}

/// All but the granted folder, so that `wasi:filesystem` is adapted where a guest imports it.
pub(crate) fn asks_without_folder() -> Vec<Ask> {
    let mut asks = all_asks();
    asks.retain(|ask| ask.capability != Capability::Filesystem);
    asks
}

pub(crate) fn grant_of(asks: &[Ask]) -> Grant {
    Grant {
        asks: asks.to_vec(),
        policy: Some(Digest::of(b"policy")),
    }
}

pub(crate) fn admitted(
    bytes: &[u8],
    world: World,
    asks: &[Ask],
    adapt: Option<Profile>,
) -> Result<Linkage, Vec<Mismatch>> {
    admitted_as(Class::Standard, bytes, world, asks, adapt)
}

pub(crate) fn admitted_as(
    class: Class,
    bytes: &[u8],
    world: World,
    asks: &[Ask],
    adapt: Option<Profile>,
) -> Result<Linkage, Vec<Mismatch>> {
    let inspection = inspect(bytes).expect("a component");
    let request = AdmissionRequest {
        world,
        asks,
        grant: &grant_of(asks),
        adapt,
        class,
    };
    admit(&inspection, &request)
}

pub(crate) fn step_of(bytes: &[u8], asks: &[Ask]) -> LinkedStep {
    let linkage = admitted(bytes, World::Step, asks, Some(Profile::Std)).expect("an admitted step");
    let native =
        VerifiedNativeCode::compiled_here(EngineProfile::Wasi02, bytes).expect("native code");
    ENGINE.load_step(native, &linkage).expect("a loaded step")
}

pub(crate) fn step(name: &str, asks: &[Ask]) -> LinkedStep {
    step_of(&guest(name), asks)
}

pub(crate) fn gate(name: &str) -> LinkedGate {
    let bytes = guest(name);
    let linkage = admitted(&bytes, World::Gate, &[], Some(Profile::Std)).expect("an admitted gate");
    let native =
        VerifiedNativeCode::compiled_here(EngineProfile::Wasi02, &bytes).expect("native code");
    ENGINE.load_gate(native, &linkage).expect("a loaded gate")
}

/// Answers effects.
pub(crate) type Act = dyn Fn(EffectCall) -> Result<EffectAnswer, EffectFault> + Send + Sync;

/// Artifacts by digest, and gates that say `fail` to `forbidden` and `pass` to all else.
#[derive(Default)]
pub(crate) struct Services {
    pub(crate) artifacts: BTreeMap<Digest, Arc<[u8]>>,
    pub(crate) act: Option<Arc<Act>>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl StepServices for Services {
    async fn read_artifact(&self, digest: Digest) -> Result<Arc<[u8]>, PortError> {
        let missing = || PortError::new(PortFault::NotFound, digest.to_string(), "not there");
        self.artifacts.get(&digest).cloned().ok_or_else(missing)
    }

    async fn consult(
        &self,
        action: String,
        _target: String,
        _payload: Vec<u8>,
    ) -> Result<Decision, PortError> {
        if action == "hang" {
            std::future::pending::<()>().await;
        }
        let verdict = if action == "forbidden" {
            Verdict::Fail
        } else {
            Verdict::Pass
        };
        Ok(Decision {
            verdict,
            ethical_score: 900_000,
            doubt: Doubt::default(),
            futures: vec![],
            quip: None,
            axioms_hit: vec![],
            reasons: vec!["because".to_owned()],
            codex_version: "1".to_owned(),
            codex_digest: Digest::of(b"codex").to_string(),
            facts: vec![],
        })
    }

    async fn act(&self, call: EffectCall) -> Result<EffectAnswer, EffectFault> {
        match &self.act {
            Some(act) => act(call),
            None => std::future::pending().await,
        }
    }
}

/// What one test changes about a call.
pub(crate) struct Try {
    pub(crate) operation: String,
    pub(crate) body: Vec<u8>,
    pub(crate) asks: Vec<Ask>,
    pub(crate) limits: Limits,
    pub(crate) inputs: Vec<(ArtifactRef, Vec<u8>)>,
    pub(crate) folders: BTreeMap<String, Snapshot>,
    pub(crate) resources: Resources,
    pub(crate) seed: u64,
    pub(crate) cancel: Cancel,
    pub(crate) clock: SimClock,
    pub(crate) act: Option<Arc<Act>>,
    /// Calls that leave the host.
    pub(crate) calls: u64,
}

/// When attempts of tests start.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_000_000);

fn terms(limits: &Limits) -> WalletTerms {
    WalletTerms {
        attempt: AttemptId::from_bytes([1; 16]),
        branch: None,
        subject: "plan/step".to_owned(),
        audience: "test".to_owned(),
        starts_at: START,
        time_ms_max: limits.deadline_ms_max,
        limits: TokenLimits::of(limits),
    }
}

impl Try {
    pub(crate) fn new(operation: &str, body: &Value) -> Self {
        Self {
            operation: operation.to_owned(),
            body: serde_json::to_vec(body).unwrap(),
            asks: all_asks(),
            limits: Limits::DEFAULT,
            inputs: vec![],
            folders: BTreeMap::new(),
            resources: Resources::default(),
            seed: 7,
            cancel: Cancel::new(),
            clock: SimClock::at(START),
            act: None,
            calls: 3,
        }
    }

    pub(crate) fn with_limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    fn call(self) -> StepCall {
        let artifacts = self.inputs.iter().map(|(input, _)| input.clone()).collect();
        let services = Services {
            artifacts: self
                .inputs
                .into_iter()
                .map(|(input, bytes)| (input.digest, bytes.into()))
                .collect(),
            act: self.act,
        };
        StepCall {
            envelope: envelope(&self.operation, self.body, artifacts),
            context: Arc::new(context(self.seed)),
            grant: Arc::new(grant_of(&self.asks)),
            terms: terms(&self.limits),
            clock: Arc::new(self.clock),
            limits: self.limits,
            budget: PlanBudget {
                calls: Some(self.calls),
                tokens: None,
                cost_micros: Some(5),
                ..PlanBudget::default()
            },
            services: Arc::new(services),
            folders: Arc::new(self.folders),
            playback: None,
            resources: self.resources,
            cancel: self.cancel,
        }
    }

    /// Runs it.
    pub(crate) async fn on(self, step: &LinkedStep) -> StepReport {
        step.invoke(self.call()).await
    }
}

pub(crate) fn envelope(operation: &str, body: Vec<u8>, artifacts: Vec<ArtifactRef>) -> Envelope {
    let id = EnvelopeId::ingress("global", "actor", "test", operation);
    Envelope {
        id,
        correlation: id,
        causation: None,
        operation: operation.to_owned(),
        media_type: "application/json".to_owned(),
        artifacts,
        body,
    }
}

pub(crate) fn context(seed: u64) -> StepContext {
    StepContext {
        run: "run_1".to_owned(),
        step: "step".to_owned(),
        role: "tester".to_owned(),
        attempt: 2,
        tenant: "global".to_owned(),
        actor: "actor".to_owned(),
        correlation: "env_1".to_owned(),
        causation: None,
        traceparent: "00-1-1-01".to_owned(),
        labels: BTreeMap::from([("colour".to_owned(), "blue".to_owned())]),
        plan: Digest::of(b"plan"),
        component: Digest::of(b"component"),
        seed,
        pinned_time: Timestamp::from_millis(1_700_000_000_123),
    }
}

pub(crate) fn artifact(bytes: &[u8]) -> (ArtifactRef, Vec<u8>) {
    let reference = ArtifactRef {
        digest: Digest::of(bytes),
        media_type: "text/plain".to_owned(),
        size_bytes: bytes.len() as u64,
    };
    (reference, bytes.to_vec())
}

/// The JSON body of the only emission.
#[track_caller]
pub(crate) fn answer(report: &StepReport) -> Value {
    match &report.end {
        StepEnd::Answered(emissions) if emissions.len() == 1 => {
            serde_json::from_slice(&emissions[0].body).unwrap()
        }
        other => panic!("no single answer: {other:?}"),
    }
}

/// Asks without the modes of the artifact store but `mode`.
pub(crate) fn with_artifact_mode(mode: Mode) -> Vec<Ask> {
    let mut asks = asks_without_folder();
    for ask in &mut asks {
        ask.modes.retain(|of| *of == mode);
    }
    asks
}
