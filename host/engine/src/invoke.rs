//! One envelope, one fresh instance, one report.
//!
//! The guest runs on this task until it answers, traps or is stopped. Three things stop it from outside: the tick (while it
//! computes), the outer wall clock and cancellation (while the host waits for it).
//!
//! INVARIANT: the store is dropped at the end of the call whatever happened; nothing of it is used for another call.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aim_core::{
    access::{Capability, Wallet},
    admission::World,
    digest::Digest,
    envelope::{ArtifactRef, Emission},
    gate::{Decision, GateRequest, Phase},
    limits::Limits,
    outcome::{DeniedBy, Failure, Fault, LimitKind, Outcome},
    pool::Amount,
    time::Timestamp,
    transcript::{CallVerdict, Transcript},
};
use wasmtime::{
    Store,
    component::{ComponentExportIndex, ComponentNamedList, Lift, Lower},
};

use crate::{
    call::{
        Cancel, Codex, GateFault, GateReport, Refusal, StepCall, StepContext, StepEnd, StepReport,
    },
    convert,
    deadline::Ticker,
    guest::{Guest, Permits, Purse, Setup},
    load::{LinkedGate, LinkedStep, Loaded},
    resources::{Held, StagedEffects},
    store::{CANCEL_GRACE, arm},
    trap::{cancelled, classify, fault, limit},
    wit,
};

pub(crate) type HandleParams = (wit::Envelope,);
pub(crate) type HandleResults = (Result<Vec<wit::Emission>, wit::StepError>,);
pub(crate) type JudgeParams = (wit::Request,);
pub(crate) type JudgeResults = (Result<wit::Decision, wit::Fault>,);
pub(crate) type PrepareParams = (Vec<u8>, wit::Phase);
pub(crate) type PrepareResults = (Result<Vec<u8>, wit::Fault>,);

/// Bytes that a gate may make of its codex at most; a codex itself has no more.
const PREPARED_BYTES_MAX: usize = 1024 * 1024;

/// What came of running a guest: its answer, or its outcome.
type Ran<R> = Result<R, (Outcome, Fault)>;

impl LinkedStep {
    /// Handles one envelope in a fresh instance. Needs a tokio runtime with its timer.
    pub async fn invoke(&self, call: StepCall) -> StepReport {
        let started = Instant::now();
        let StepCall {
            envelope,
            context,
            grant,
            terms,
            clock,
            limits,
            budget,
            services,
            folders,
            resources,
            playback,
            cancel,
        } = call;
        let too_long = exceeds(envelope.body.len(), limits.payload_bytes_max);
        let setup = Setup {
            limits,
            permits: Permits::of(&grant),
            purse: Some(Arc::new(Mutex::new(Purse {
                wallet: Wallet::mint(&grant, &terms),
                clock,
                meter: budget.meter(),
                overrun: None,
            }))),
            context,
            services: Some(services),
            folders,
            cancel,
            deadline: deadline_of(started, &limits),
            inputs: envelope.artifacts.clone(),
            codex: Arc::default(),
            prepared: Arc::default(),
            held: Held::of(&grant, &resources, &limits),
            playback,
            endpoints: grant.endpoints().collect(),
            secrets: (grant.scope_of(Capability::Secrets))
                .map(str::to_owned)
                .collect(),
        };
        let mut store = match arm(self.shared(), setup) {
            Ok(store) => store,
            Err(error) => return unarmed(crate::error::shown(&error), started),
        };
        let ran = if too_long {
            Err(limit(LimitKind::Payload))
        } else {
            let params = (convert::envelope_to_guest(envelope),);
            let handled =
                run::<HandleParams, HandleResults>(&self.0, self.0.function, store, params).await;
            let Some((kept, ran)) = handled else {
                return unarmed(BROKEN.to_owned(), started);
            };
            store = kept;
            ran
        };
        let fuel_used = limits
            .fuel_max
            .saturating_sub(store.get_fuel().unwrap_or(0));
        let mut guest = store.into_data();
        guest.settle();
        let end = match ran {
            Ok((Ok(emissions),)) => answered(emissions, &guest),
            Ok((Err(error),)) => StepEnd::Refused(refused(error, &guest.transcript)),
            Err((outcome, fault)) => StepEnd::Ended(outcome, fault),
        };
        report(guest, end, fuel_used, started)
    }
}

impl LinkedGate {
    /// Judges one request by `codex` in a fresh instance. Needs a tokio runtime with its timer.
    ///
    /// A fault of any kind is the caller's `error` verdict; it never releases anything.
    pub async fn judge(&self, request: &GateRequest, codex: &Codex, limits: Limits) -> GateReport {
        let payloads = request.items.iter().flat_map(|item| &item.payload);
        if exceeds(payloads.map(Vec::len).sum(), limits.payload_bytes_max) {
            let (outcome, fault) = limit(LimitKind::Payload);
            return unasked(GateFault::Ended(outcome, fault));
        }
        let store = match arm(self.shared(), gate_setup(codex, limits)) {
            Ok(store) => store,
            Err(error) => return unjudged(crate::error::shown(&error)),
        };
        let params = (convert::request_to_guest(request, codex.digest),);
        let function = self.0.function;
        let Some((store, ran)) =
            run::<JudgeParams, JudgeResults>(&self.0, function, store, params).await
        else {
            return unjudged(BROKEN.to_owned());
        };
        let fuel_used = limits
            .fuel_max
            .saturating_sub(store.get_fuel().unwrap_or(0));
        let result = judged(ran, codex.digest);
        GateReport { result, fuel_used }
    }

    /// What the gate makes of `codex` for a phase, in a fresh instance; `None` for a gate that reads the document at every
    /// request. Needs a tokio runtime with its timer.
    ///
    /// # Errors
    /// [`GateFault`]; nothing may be judged then.
    pub async fn prepare(
        &self,
        codex: &Codex,
        phase: Phase,
        limits: Limits,
    ) -> Option<Result<Arc<[u8]>, GateFault>> {
        let function = self.0.prepare?;
        let broken = |why| Some(Err(GateFault::Ended(Outcome::Bug, fault("AIM-R001", why))));
        let store = match arm(self.shared(), gate_setup(codex, limits)) {
            Ok(store) => store,
            Err(error) => return broken(crate::error::shown(&error)),
        };
        let params = (codex.bytes.to_vec(), convert::phase_to_guest(phase));
        let ran = run::<PrepareParams, PrepareResults>(&self.0, function, store, params).await;
        Some(match ran {
            None => return broken(BROKEN.to_owned()),
            Some((_, Ok((Ok(bytes),)))) if bytes.len() > PREPARED_BYTES_MAX => Err(
                GateFault::Malformed("what it prepared has more than 1 MiB".to_owned()),
            ),
            Some((_, Ok((Ok(bytes),)))) => Ok(Arc::from(bytes)),
            Some((_, Ok((Err(fault),)))) => {
                Err(GateFault::Answered(convert::fault_from_guest(&fault)))
            }
            Some((_, Err((outcome, fault)))) => Err(GateFault::Ended(outcome, fault)),
        })
    }
}

/// What a gate's instance has: its codex, and nothing else.
fn gate_setup(codex: &Codex, limits: Limits) -> Setup {
    Setup {
        limits,
        permits: Permits {
            artifact_read: false,
            artifact_put: false,
        },
        purse: None,
        context: Arc::clone(&GATE_CONTEXT),
        services: None,
        folders: Arc::clone(&NO_FOLDERS),
        cancel: Cancel::new(),
        deadline: deadline_of(Instant::now(), &limits),
        inputs: Vec::new(),
        codex: Arc::clone(&codex.bytes),
        prepared: Arc::clone(&codex.prepared),
        held: Held::default(),
        playback: None,
        endpoints: Vec::new(),
        secrets: BTreeSet::new(),
    }
}

/// The report of a gate that our own fault kept from answering.
fn unjudged(why: String) -> GateReport {
    unasked(GateFault::Ended(Outcome::Bug, fault("AIM-R001", why)))
}

fn unasked(fault: GateFault) -> GateReport {
    GateReport {
        result: Err(fault),
        fuel_used: 0,
    }
}

/// What a gate is told about where it runs: nothing that differs between runs.
static GATE_CONTEXT: LazyLock<Arc<StepContext>> = LazyLock::new(|| {
    Arc::new(StepContext {
        run: String::new(),
        step: String::new(),
        role: World::Gate.word().to_owned(),
        attempt: 1,
        tenant: String::new(),
        actor: String::new(),
        correlation: String::new(),
        causation: None,
        traceparent: String::new(),
        labels: BTreeMap::new(),
        plan: Digest::from_bytes([0; 32]),
        component: Digest::from_bytes([0; 32]),
        seed: 0,
        pinned_time: Timestamp::from_millis(0),
    })
});

static NO_FOLDERS: LazyLock<Arc<BTreeMap<String, crate::folder::Snapshot>>> =
    LazyLock::new(Arc::default);

fn judged(ran: Ran<JudgeResults>, codex: Digest) -> Result<Decision, GateFault> {
    match ran {
        Ok((Ok(decision),)) => convert::decision_from_guest(decision, codex),
        Ok((Err(fault),)) => Err(GateFault::Answered(convert::fault_from_guest(&fault))),
        Err((outcome, fault)) => Err(GateFault::Ended(outcome, fault)),
    }
}

/// The latest instant that a limit can name; deadlines are at most an hour away.
fn deadline_of(started: Instant, limits: &Limits) -> Instant {
    let deadline = Duration::from_millis(limits.deadline_ms_max);
    started.checked_add(deadline).unwrap_or(started)
}

/// Instantiates and calls, under everything that can stop it. `None` when the host itself broke.
async fn run<P, R>(
    loaded: &Arc<Loaded>,
    function: ComponentExportIndex,
    store: Store<Guest>,
    params: P,
) -> Option<(Store<Guest>, Ran<R>)>
where
    P: ComponentNamedList + Lower + Send + Sync + 'static,
    R: ComponentNamedList + Lift + Send + Sync + 'static,
{
    let mark = store.data().is_long.clone();
    let owned = Arc::clone(loaded);
    let work = async move {
        let mut store = store;
        let ran = run_here::<P, R>(&owned, function, &mut store, params).await;
        (store, ran)
    };
    loaded.shared.slow_lane.drive(&mark, work).await
}

async fn run_here<P, R>(
    loaded: &Loaded,
    function: ComponentExportIndex,
    store: &mut Store<Guest>,
    params: P,
) -> Ran<R>
where
    P: ComponentNamedList + Lower + Send + Sync + 'static,
    R: ComponentNamedList + Lift + Send + Sync + 'static,
{
    let _running = match Ticker::run(&loaded.shared) {
        Ok(running) => running,
        Err(error) => return Err((Outcome::Bug, fault(error.code(), error.to_string()))),
    };
    let deadline = store.data().deadline;
    let clock = Arc::clone(&store.data().clock);
    let cancel = store.data().cancel.clone();
    let result = {
        let call = async {
            let instance = loaded.pre.instantiate_async(&mut *store).await?;
            store.data_mut().is_whole = true;
            let function = instance.get_typed_func::<P, R>(&mut *store, &function)?;
            function.call_async(&mut *store, params).await
        };
        tokio::select! {
            biased;
            result = call => result,
            () = clock.overslept() => return Err(limit(LimitKind::Deadline)),
            () = tokio::time::sleep_until(deadline.into()) => {
                return Err(limit(LimitKind::Deadline));
            }
            () = patience(&cancel) => return Err(cancelled()),
        }
    };
    result.map_err(|error| classify(&error, store.data()))
}

async fn patience(cancel: &Cancel) {
    cancel.wait().await;
    tokio::time::sleep(CANCEL_GRACE).await;
}

fn exceeds(len: usize, max: u32) -> bool {
    len as u64 > u64::from(max)
}

fn answered(emissions: Vec<wit::Emission>, guest: &Guest) -> StepEnd {
    let limits = &guest.limits;
    let ended = |(outcome, fault)| StepEnd::Ended(outcome, fault);
    if exceeds(emissions.len(), limits.emissions_max) {
        return ended(limit(LimitKind::Emissions));
    }
    let too_long =
        |emission: &wit::Emission| exceeds(emission.body.len(), limits.payload_bytes_max);
    if emissions.iter().any(too_long) {
        return ended(limit(LimitKind::Payload));
    }
    if let Some(what) = emissions.iter().find_map(convert::odd_name) {
        let message = format!(
            "an emission's {what} has more than {} bytes or characters that nobody sees",
            convert::NAME_BYTES_MAX
        );
        return ended((
            Outcome::Failed(Failure::Permanent),
            fault("AIM-R016", message),
        ));
    }
    let emissions: Option<Vec<Emission>> = emissions
        .into_iter()
        .map(convert::emission_from_guest)
        .collect();
    match emissions {
        Some(emissions) if !holds(guest, &emissions) => ended((
            Outcome::Failed(Failure::Permanent),
            fault(
                "AIM-R016",
                "an emission refers to an artifact that the step neither put nor was given"
                    .to_owned(),
            ),
        )),
        Some(emissions) => StepEnd::Answered(emissions),
        None => ended((
            Outcome::Failed(Failure::Permanent),
            fault(
                "AIM-R016",
                "an emission refers to an artifact by something that is no digest".to_owned(),
            ),
        )),
    }
}

/// True when every artifact that goes along is one that the attempt put or was given, exactly as it was told of it. The next step
/// may read what comes along, so a digest that somebody has heard of must not be a key to what it stands for.
fn holds(guest: &Guest, emissions: &[Emission]) -> bool {
    let mut referred = emissions.iter().flat_map(|one| &one.artifacts).peekable();
    if referred.peek().is_none() {
        return true;
    }
    let staged = guest.staged.iter().map(|staged| &staged.reference);
    let held: HashSet<&ArtifactRef> = guest.inputs.iter().chain(staged).collect();
    referred.all(|artifact| held.contains(artifact))
}

/// The guest's refusal; its `denied` counts only when the transcript holds that denial.
fn refused(error: wit::StepError, transcript: &Transcript) -> Refusal {
    let refusal = convert::refusal_from_guest(error);
    let Refusal::Denied { denial, .. } = refusal else {
        return refusal;
    };
    let index = usize::try_from(denial.call_index).unwrap_or(usize::MAX);
    let record = transcript
        .records()
        .get(index)
        .filter(|record| record.verdict == CallVerdict::Denied);
    let by = record.map(|record| {
        if record.function == "aim:gate/consult.check" {
            DeniedBy::Gate
        } else {
            DeniedBy::Grant
        }
    });
    Refusal::Denied { denial, by }
}

fn wall_ms(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn report(guest: Guest, end: StepEnd, fuel_used: u64, started: Instant) -> StepReport {
    let spent = guest.meter().used();
    let (logs, log_dropped_bytes) = guest.log.finish();
    StepReport {
        end,
        spent,
        fuel_used,
        wall_ms: wall_ms(started),
        memory_peak_bytes: guest.limiter.memory_peak_bytes(),
        transcript: guest.transcript,
        claims: guest.claims,
        staged: guest.staged,
        immediate: guest.effects,
        immediate_bytes: (guest.limits.effect_bytes_max).saturating_sub(guest.effect_left_bytes),
        effects: guest.held.into_effects(),
        logs,
        log_dropped_bytes,
        denials: guest.denials,
        tokens: guest
            .purse
            .map(|purse| {
                let mut purse = purse.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut purse.wallet).settle()
            })
            .unwrap_or_default(),
    }
}

/// The host panicked while it drove a guest.
const BROKEN: &str = "the host broke while it ran a step";

/// The report of an attempt without a store: our own fault.
fn unarmed(why: String, started: Instant) -> StepReport {
    StepReport {
        end: StepEnd::Ended(Outcome::Bug, fault("AIM-R001", why)),
        spent: Amount::default(),
        fuel_used: 0,
        wall_ms: wall_ms(started),
        memory_peak_bytes: 0,
        transcript: Transcript::default(),
        claims: aim_core::claims::GuestClaims::default(),
        staged: Vec::new(),
        effects: StagedEffects::default(),
        immediate: 0,
        immediate_bytes: 0,
        logs: Vec::new(),
        log_dropped_bytes: 0,
        denials: 0,
        tokens: Vec::new(),
    }
}
