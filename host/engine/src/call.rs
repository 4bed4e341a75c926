//! What goes into an attempt and what comes out of it.
//!
//! INVARIANT: a report is complete whatever the end was: transcript, claims, logs and counters survive a trap or a limit.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use aim_core::{
    access::{Grant, TokenRecord, WalletTerms},
    attempt::RunEnd,
    claims::{Confidence, GuestClaims},
    digest::Digest,
    envelope::{ArtifactRef, Emission, Envelope},
    gate::Decision,
    limits::Limits,
    outcome::{Abstention, DeniedBy, Failure, Fault, Outcome},
    pool::{Amount, Meter, Prices},
    time::Timestamp,
    transcript::Transcript,
};
use aim_ports::{clock::Clock, services::StepServices};
use tokio::sync::Notify;

use crate::{
    folder::Snapshot,
    resources::{Resources, StagedEffects},
};

/// Tells a running attempt to stop: first politely, then by ending it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<CancelState>);

#[derive(Debug, Default)]
struct CancelState {
    flag: AtomicBool,
    notify: Notify,
}

impl Cancel {
    /// Not cancelled yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks every attempt that holds a clone to stop.
    pub fn cancel(&self) {
        self.0.flag.store(true, Ordering::Release);
        self.0.notify.notify_waiters();
    }

    /// True once [`Cancel::cancel`] was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.flag.load(Ordering::Acquire)
    }

    /// Returns once cancelled.
    pub async fn wait(&self) {
        let notified = self.0.notify.notified();
        tokio::pin!(notified);
        // Registered before the flag is read, so that no call in between is missed.
        notified.as_mut().enable();
        if !self.is_cancelled() {
            notified.await;
        }
    }
}

/// What a step may know about where it runs, behind `aim:host/context`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepContext {
    /// The run's id.
    pub run: String,
    /// The step's name in the plan.
    pub step: String,
    /// The step's role.
    pub role: String,
    /// Which try of the step this is, from 1.
    pub attempt: u32,
    /// The tenant.
    pub tenant: String,
    /// Who asked, as the transport authenticated it.
    pub actor: String,
    /// The root envelope's id.
    pub correlation: String,
    /// The envelope whose handling emitted this one.
    pub causation: Option<String>,
    /// W3C trace context.
    pub traceparent: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Digest of the plan.
    pub plan: Digest,
    /// Digest of the component.
    pub component: Digest,
    /// The run's seed.
    pub seed: u64,
    /// What the wall clock shows: an instant from the run's pins, so that it is the same on every try.
    pub pinned_time: Timestamp,
}

/// What the plan leaves to this step; absent where the plan set none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlanBudget {
    /// Tool calls.
    pub calls: Option<u64>,
    /// Model tokens.
    pub tokens: Option<u64>,
    /// Cost in millionths of the plan's currency.
    pub cost_micros: Option<u64>,
    /// What calls cost.
    pub prices: Prices,
}

impl PlanBudget {
    pub(crate) const fn meter(self) -> Meter {
        Meter::new(self.calls, self.tokens, self.cost_micros, self.prices)
    }
}

/// One attempt.
#[derive(Debug, Clone)]
pub struct StepCall {
    /// The message.
    pub envelope: Envelope,
    /// What the step may know.
    pub context: Arc<StepContext>,
    /// What it may use.
    pub grant: Arc<Grant>,
    /// Under which terms its capability tokens are minted.
    pub terms: WalletTerms,
    /// The time that tokens expire by.
    pub clock: Arc<dyn Clock>,
    /// Its limits.
    pub limits: Limits,
    /// What the plan leaves to it.
    pub budget: PlanBudget,
    /// The host's side of artifacts and gates.
    pub services: Arc<dyn StepServices>,
    /// Granted folders by mount name; mounted at `/<name>`.
    pub folders: Arc<BTreeMap<String, Snapshot>>,
    /// What else its grant may name.
    pub resources: Resources,
    /// The host calls of an earlier try of the same attempt: what this machine would answer by its own clocks, budgets and
    /// chance is answered from there instead. `None` for an attempt that counts.
    pub playback: Option<Arc<Transcript>>,
    /// Stops it.
    pub cancel: Cancel,
}

/// A typed answer that is not a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Trying again would fail again.
    Permanent(Fault),
    /// Trying again may succeed.
    Transient(Fault),
    /// The envelope does not satisfy the contract.
    InvalidInput(Fault),
    /// Not sure enough to answer.
    Abstain {
        /// Why.
        reason: String,
        /// How sure.
        confidence: Confidence,
    },
    /// A host call that the step could not do without was denied.
    Denied {
        /// What the guest says about it.
        denial: Denial,
        /// Who refused; absent when the transcript holds no such denial, and then it is a failure of the step.
        by: Option<DeniedBy>,
    },
}

/// A refusal of one host call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The rule.
    pub rule: String,
    /// The interface function.
    pub action: String,
    /// What it was on.
    pub target: String,
    /// Index of the host call in the attempt.
    pub call_index: u32,
}

/// How the guest's run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepEnd {
    /// It answered.
    Answered(Vec<Emission>),
    /// It answered that it has no result.
    Refused(Refusal),
    /// It did not answer.
    Ended(Outcome, Fault),
}

impl StepEnd {
    /// The end as the attempt's chain takes it.
    #[must_use]
    pub fn into_run_end(self) -> RunEnd {
        let refusal = match self {
            Self::Answered(emissions) => return RunEnd::Answered(emissions),
            Self::Ended(outcome, fault) => return RunEnd::Stopped(outcome, fault),
            Self::Refused(refusal) => refusal,
        };
        let fault = |code: &str, message: String| Fault {
            code: code.to_owned(),
            message,
        };
        match refusal {
            Refusal::Permanent(fault) => {
                RunEnd::Stopped(Outcome::Failed(Failure::Permanent), fault)
            }
            Refusal::Transient(fault) => {
                RunEnd::Stopped(Outcome::Failed(Failure::Transient), fault)
            }
            Refusal::InvalidInput(fault) => {
                RunEnd::Stopped(Outcome::Failed(Failure::InvalidInput), fault)
            }
            Refusal::Abstain { reason, .. } => RunEnd::Stopped(
                Outcome::Abstained(Abstention::Kappa),
                fault("AIM-R020", reason),
            ),
            Refusal::Denied { denial, by } => {
                let outcome = by.map_or(Outcome::Failed(Failure::Permanent), Outcome::Denied);
                let message = format!(
                    "{} on `{}` was denied by `{}`",
                    denial.action, denial.target, denial.rule
                );
                RunEnd::Stopped(outcome, fault("AIM-R021", message))
            }
        }
    }
}

/// How loud a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Finest.
    Trace,
    /// For whoever debugs the step; stdout is kept at this level.
    Debug,
    /// Worth telling.
    Info,
    /// Worth a look; stderr is kept at this level.
    Warn,
    /// Went wrong.
    Error,
}

impl LogLevel {
    /// The level's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A log line, already neutralised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How loud.
    pub level: LogLevel,
    /// `log`, `stdout` or `stderr`.
    pub source: &'static str,
    /// The text.
    pub message: String,
    /// Named values.
    pub fields: Vec<(String, String)>,
}

/// An artifact that becomes visible to others only when the attempt's witness is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedArtifact {
    /// What the guest was told.
    pub reference: ArtifactRef,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

/// Everything about one attempt.
#[derive(Debug)]
pub struct StepReport {
    /// How it ended.
    pub end: StepEnd,
    /// What was used of the plan's budget: calls, tokens and cost; time is told apart.
    pub spent: Amount,
    /// Fuel that was used, host calls included.
    pub fuel_used: u64,
    /// Wall time in milliseconds; a claim of the host.
    pub wall_ms: u64,
    /// Most bytes over all memories at one time.
    pub memory_peak_bytes: u64,
    /// The host calls.
    pub transcript: Transcript,
    /// What the guest said about its output.
    pub claims: GuestClaims,
    /// Artifacts that it put.
    pub staged: Vec<StagedArtifact>,
    /// What it changed in buckets and folders.
    pub effects: StagedEffects,
    /// Immediate effects that it asked for and a scope allowed.
    pub immediate: u32,
    /// Bytes of their requests and answers.
    pub immediate_bytes: u64,
    /// Log lines within the budget.
    pub logs: Vec<LogLine>,
    /// Log bytes past the budget.
    pub log_dropped_bytes: u64,
    /// Host calls that were denied.
    pub denials: u32,
    /// Capability tokens that something was done with.
    pub tokens: Vec<TokenRecord>,
}

impl StepReport {
    /// How often each adapted function was called.
    #[must_use]
    pub const fn adapter_calls(&self) -> &BTreeMap<String, u64> {
        self.transcript.adapter_calls()
    }
}

/// The rules that a gate judges by, hashed once.
#[derive(Debug, Clone)]
pub struct Codex {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) digest: Digest,
    pub(crate) prepared: Arc<[u8]>,
}

impl Codex {
    /// Takes the document.
    #[must_use]
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        Self {
            bytes,
            digest,
            prepared: Arc::default(),
        }
    }

    /// The same document with what a gate has made of it for a phase ([`LinkedGate::prepare`](crate::LinkedGate::prepare)).
    #[must_use]
    pub fn with_prepared(&self, prepared: Arc<[u8]>) -> Self {
        Self {
            prepared,
            ..self.clone()
        }
    }

    /// BLAKE3 of the document.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

/// Why a gate gave no decision. The host's verdict is then `error`, which releases nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateFault {
    /// It trapped, ran into a limit or was stopped.
    #[error("gate ended without an answer ({}): {}", .0.word(), .1.message)]
    Ended(Outcome, Fault),
    /// It answered with a fault of its own.
    #[error("gate answered with a fault {}: {}", .0.code, .0.message)]
    Answered(Fault),
    /// Its answer breaks a rule.
    #[error("gate gave a malformed answer: {0}")]
    Malformed(String),
    /// It says that it judged by another codex.
    #[error("gate claims to have judged by another codex than it was given: {0}")]
    Codex(String),
}

impl GateFault {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Ended(..) => "AIM-R030",
            Self::Answered(_) => "AIM-R031",
            Self::Malformed(_) => "AIM-R032",
            Self::Codex(_) => "AIM-R033",
        }
    }
}

/// What a gate's call came to.
#[derive(Debug)]
pub struct GateReport {
    /// The decision, with the codex digest that the host gave, or why there is none.
    pub result: Result<Decision, GateFault>,
    /// Fuel that was used.
    pub fuel_used: u64,
}
