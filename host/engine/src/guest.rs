//! What a store holds for its one guest: limits, grant, staged results and everything that goes into the report.
//!
//! INVARIANT: one `Guest` serves one attempt and is never handed to another.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use aim_core::{
    access::{Capability, Grant, Mode, Wallet},
    adapter,
    claims::GuestClaims,
    digest::Digest,
    envelope::ArtifactRef,
    http::HttpScope,
    limits::Limits,
    outcome::LimitKind,
    pool::Meter,
    transcript::Transcript,
};
use aim_ports::{clock::Clock, services::StepServices};
use wasmtime::component::ResourceTable;

use crate::{
    call::{Cancel, LogLevel, LogLine, StagedArtifact, StepContext},
    clock::VirtualClock,
    folder::Snapshot,
    lane::LongMark,
    limiter::Limiter,
    resources::Held,
    room::Room,
    text::neutralise,
};

/// Why the host stopped a guest. Travels through the engine as an error and comes out typed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// A limit.
    #[error("limit reached: {0:?}")]
    Limit(LimitKind),
    /// The guest asked to end.
    #[error("guest exited with code {0}")]
    Exit(u8),
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The guest wanted something done before its instance was whole.
    #[error("host call during instantiation")]
    TooEarly,
    /// Nobody knows whether this host call was done.
    #[error("the end of host call {0} is unknown")]
    Indeterminate(u32),
}

impl Stop {
    /// As an error that the engine carries out of the guest.
    pub(crate) fn error(self) -> wasmtime::Error {
        wasmtime::Error::new(self)
    }
}

/// The grant's answers that are asked on every call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permits {
    pub(crate) artifact_read: bool,
    pub(crate) artifact_put: bool,
}

impl Permits {
    pub(crate) fn of(grant: &Grant) -> Self {
        Self {
            artifact_read: grant.permits(Capability::Artifact, Some(Mode::Read)),
            artifact_put: grant.permits(Capability::Artifact, Some(Mode::Put)),
        }
    }
}

/// The tokens of an attempt and the clock that they expire by.
#[derive(Debug)]
pub(crate) struct Purse {
    pub(crate) wallet: Wallet,
    pub(crate) clock: Arc<dyn Clock>,
    /// The plan's budget; whatever spends a token is charged here too.
    pub(crate) meter: Meter,
    /// The part of the budget that a call would have exceeded: the attempt ends before that call has an answer.
    pub(crate) overrun: Option<LimitKind>,
}

/// The same tokens, for the door and for the streams that it opened.
pub(crate) type SharedPurse = Arc<Mutex<Purse>>;

/// Why a use is not covered, until the call that wanted it is recorded.
#[derive(Debug)]
pub(crate) struct Uncovered {
    /// The rule that the denial names.
    pub(crate) rule: String,
    /// What was wanted, and what there is.
    pub(crate) target: String,
}

/// Log lines within a byte budget.
#[derive(Debug)]
pub(crate) struct LogBuffer {
    lines: Vec<LogLine>,
    left_bytes: usize,
    dropped_bytes: u64,
}

impl LogBuffer {
    fn new(limits: &Limits) -> Self {
        Self {
            lines: Vec::new(),
            left_bytes: usize::try_from(limits.log_bytes_max).unwrap_or(usize::MAX),
            dropped_bytes: 0,
        }
    }

    /// Keeps what fits and counts the rest, in bytes as the guest gave them.
    pub(crate) fn push(
        &mut self,
        level: LogLevel,
        source: &'static str,
        message: &str,
        fields: &[(String, String)],
    ) {
        let given = message.len()
            + fields
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>();
        if self.left_bytes == 0 {
            self.dropped_bytes = self.dropped_bytes.saturating_add(given as u64);
            return;
        }
        let mut take = |text: &str| {
            let shown = neutralise(text, self.left_bytes);
            self.left_bytes = self.left_bytes.saturating_sub(shown.len().max(1));
            shown
        };
        let message = take(message);
        let fields: Vec<(String, String)> = fields
            .iter()
            .map(|(name, value)| (take(name), take(value)))
            .collect();
        if self.left_bytes == 0 {
            let kept = message.len()
                + fields
                    .iter()
                    .map(|(name, value)| name.len() + value.len())
                    .sum::<usize>();
            let lost = given.saturating_sub(kept) as u64;
            self.dropped_bytes = self.dropped_bytes.saturating_add(lost);
        }
        self.lines.push(LogLine {
            level,
            source,
            message,
            fields,
        });
    }

    pub(crate) fn count_dropped(&mut self, bytes: u64) {
        self.dropped_bytes = self.dropped_bytes.saturating_add(bytes);
    }

    pub(crate) fn finish(self) -> (Vec<LogLine>, u64) {
        (self.lines, self.dropped_bytes)
    }
}

/// What a guest writes to stdout or stderr: bounded, and empty writes leave no trace.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) bytes: Vec<u8>,
    pub(crate) left_bytes: usize,
    pub(crate) dropped_bytes: u64,
}

/// A sink that the guest's streams share with the store.
pub(crate) type SharedSink = Arc<Mutex<Sink>>;

/// The data of one store.
pub(crate) struct Guest {
    pub(crate) table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) limits: Limits,
    pub(crate) permits: Permits,
    /// Capability tokens, with the time that they expire by. A gate has none.
    pub(crate) purse: Option<SharedPurse>,
    /// Set by the door when a token does not cover a call; taken by the record of that call.
    pub(crate) uncovered: Option<Uncovered>,
    pub(crate) context: Arc<StepContext>,
    pub(crate) services: Option<Arc<dyn StepServices>>,
    pub(crate) folders: Arc<BTreeMap<String, Snapshot>>,
    pub(crate) cancel: Cancel,
    pub(crate) cancelled_at: Option<Instant>,
    pub(crate) ticks: u32,
    pub(crate) is_long: LongMark,
    /// True once the instance is whole: until then calls may tell the guest something and do nothing.
    pub(crate) is_whole: bool,
    pub(crate) deadline: Instant,
    pub(crate) transcript: Transcript,
    pub(crate) payload_left_bytes: u64,
    pub(crate) denials: u32,
    pub(crate) inputs: Vec<ArtifactRef>,
    pub(crate) opened: BTreeMap<Digest, Arc<[u8]>>,
    pub(crate) staged: Vec<StagedArtifact>,
    pub(crate) staged_bytes: u64,
    pub(crate) claims: GuestClaims,
    pub(crate) log: LogBuffer,
    pub(crate) stdout: Option<SharedSink>,
    pub(crate) stderr: Option<SharedSink>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) random: Option<blake3::OutputReader>,
    pub(crate) random_left_bytes: u64,
    pub(crate) adapter_counts: Vec<u64>,
    pub(crate) codex: Arc<[u8]>,
    pub(crate) prepared: Arc<[u8]>,
    pub(crate) held: Held,
    /// The calls of an earlier try, which answer in place of this machine.
    pub(crate) playback: Option<Arc<Transcript>>,
    pub(crate) endpoints: Vec<HttpScope>,
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) effects: u32,
    pub(crate) effect_left_bytes: u64,
    /// What bodies of requests may still hold together.
    pub(crate) body_room: Room,
}

/// What a guest is set up with.
pub(crate) struct Setup {
    pub(crate) limits: Limits,
    pub(crate) permits: Permits,
    /// Capability tokens, with the time that they expire by. A gate has none.
    pub(crate) purse: Option<SharedPurse>,
    pub(crate) context: Arc<StepContext>,
    pub(crate) services: Option<Arc<dyn StepServices>>,
    pub(crate) folders: Arc<BTreeMap<String, Snapshot>>,
    pub(crate) cancel: Cancel,
    pub(crate) deadline: Instant,
    pub(crate) inputs: Vec<ArtifactRef>,
    pub(crate) codex: Arc<[u8]>,
    pub(crate) prepared: Arc<[u8]>,
    pub(crate) held: Held,
    pub(crate) playback: Option<Arc<Transcript>>,
    pub(crate) endpoints: Vec<HttpScope>,
    pub(crate) secrets: BTreeSet<String>,
}

/// How many times one call's byte limit the kept payloads of an attempt may have in all.
const PAYLOAD_BUDGET_CALLS: u64 = 16;

impl Guest {
    pub(crate) fn new(setup: Setup) -> Self {
        let limits = setup.limits;
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(limits.handles_max).unwrap_or(usize::MAX));
        Self {
            table,
            limiter: Limiter::new(limits),
            permits: setup.permits,
            purse: setup.purse,
            uncovered: None,
            context: setup.context,
            services: setup.services,
            folders: setup.folders,
            cancel: setup.cancel,
            cancelled_at: None,
            ticks: 0,
            is_long: LongMark::default(),
            is_whole: false,
            deadline: setup.deadline,
            transcript: Transcript::default(),
            payload_left_bytes: u64::from(limits.host_call_bytes_max) * PAYLOAD_BUDGET_CALLS,
            denials: 0,
            inputs: setup.inputs,
            opened: BTreeMap::new(),
            staged: Vec::new(),
            staged_bytes: 0,
            claims: GuestClaims::default(),
            log: LogBuffer::new(&limits),
            stdout: None,
            stderr: None,
            clock: Arc::new(VirtualClock::new(limits.deadline_ms_max)),
            random: None,
            random_left_bytes: u64::from(limits.random_bytes_max),
            adapter_counts: Vec::new(),
            codex: setup.codex,
            prepared: setup.prepared,
            held: setup.held,
            playback: setup.playback,
            endpoints: setup.endpoints,
            secrets: setup.secrets,
            effects: 0,
            effect_left_bytes: limits.effect_bytes_max,
            body_room: Room::new(limits.effect_bytes_max),
            limits,
        }
    }

    /// What the plan leaves to the attempt. A gate has no budget.
    pub(crate) fn meter(&self) -> Meter {
        self.purse.as_ref().map_or_else(Meter::default, |purse| {
            purse.lock().unwrap_or_else(PoisonError::into_inner).meter
        })
    }

    /// Counts one call of the adapted function in row `row` of the table.
    pub(crate) fn count_adapter(&mut self, row: usize) {
        if self.adapter_counts.is_empty() {
            self.adapter_counts.resize(adapter::TABLE.len(), 0);
        }
        if let Some(count) = self.adapter_counts.get_mut(row) {
            *count = count.saturating_add(1);
        }
    }

    /// The sink behind stdout or stderr, made on first use.
    pub(crate) fn sink(&mut self, is_stderr: bool) -> SharedSink {
        let left_bytes = usize::try_from(self.limits.log_bytes_max).unwrap_or(usize::MAX);
        let slot = if is_stderr {
            &mut self.stderr
        } else {
            &mut self.stdout
        };
        let sink = slot.get_or_insert_with(|| {
            Arc::new(Mutex::new(Sink {
                bytes: Vec::new(),
                left_bytes,
                dropped_bytes: 0,
            }))
        });
        Arc::clone(sink)
    }

    /// Moves counts and streams to where the report takes them from.
    pub(crate) fn settle(&mut self) {
        for (row, count) in adapter::TABLE.iter().zip(&self.adapter_counts) {
            if *count > 0 {
                let function = format!("{}.{}", row.interface, row.function);
                self.transcript.count_adapter_calls(&function, *count);
            }
        }
        let sinks = [
            (self.stderr.take(), LogLevel::Warn, "stderr"),
            (self.stdout.take(), LogLevel::Debug, "stdout"),
        ];
        for (sink, level, source) in sinks {
            let Some(sink) = sink else { continue };
            let sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
            self.log.count_dropped(sink.dropped_bytes);
            for line in String::from_utf8_lossy(&sink.bytes).lines() {
                self.log.push(level, source, line, &[]);
            }
        }
    }
}
