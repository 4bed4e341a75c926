//! An attempt's surroundings as its record has them.
//!
//! INVARIANT: whatever the machine would answer by itself comes from the transcript, and an answer that is gone is named before
//! anything runs.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aim_core::{
    capability::{Replay, replay_of},
    digest::Digest,
    time::Timestamp,
    transcript::{CallVerdict, Fields, Transcript},
    witness::AttemptPredicate,
};
use aim_engine::Resources;
use aim_ports::clock::Clock;

use super::{
    Missing,
    case::{Case, Evidence, ToldAttempt},
    played::PlayedServices,
    state,
};
use crate::{
    history::{GateHistory, Scope},
    turnstile::Turnstile,
    unit::Unit,
};

const LABEL: &str = "aim:host/context.label";
const CONFIG_GET: &str = "wasi:config/store.get";
const CONFIG_ALL: &str = "wasi:config/store.get-all";

/// What a recorded attempt found around it.
#[derive(Debug)]
pub struct Recorded {
    pub(crate) scope: Scope,
    pub(crate) origin: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) resources: Resources,
    pub(crate) services: Arc<PlayedServices>,
    pub(crate) transcript: Arc<Transcript>,
}

impl Recorded {
    pub(super) fn of(
        case: &Case,
        told: &ToldAttempt,
        unit: &Unit,
        transcript: &Arc<Transcript>,
    ) -> Result<Self, Vec<Missing>> {
        let recorded = &told.statement.predicate;
        let scope = Scope {
            history: Arc::new(GateHistory::as_told(recorded)),
            run: recorded.run,
            step: recorded.step.clone(),
            turnstile: Turnstile::default(),
        };
        let resources = Resources {
            config: Arc::new(config(transcript)),
            buckets: state::buckets(case, told),
            writable: state::folders(case.evidence(), recorded, transcript)?,
            clock: None,
            entropy: None,
        };
        let services = PlayedServices::new(case, recorded, (unit, &scope), transcript)?;
        Ok(Self {
            scope,
            origin: recorded.origin.clone(),
            clock: Arc::new(Still(recorded.started_at)),
            resources,
            services: Arc::new(services),
            transcript: Arc::clone(transcript),
        })
    }
}

/// A clock that shows when the attempt began, for ever: tokens do not expire in a replay.
#[derive(Debug)]
struct Still(Timestamp);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

/// The attempt's host calls, with every answer that is still there. An answer that a replay can not do without, and that is
/// not there, is an error.
pub(super) fn transcript(
    evidence: &Evidence,
    recorded: &AttemptPredicate,
) -> Result<Transcript, Vec<Missing>> {
    let calls = &recorded.host_calls;
    if calls.calls == 0 {
        // Without calls there is nothing but counts, and these stand in the witness.
        let mut transcript = Transcript::default();
        for (function, count) in &calls.adapters {
            transcript.count_adapter_calls(function, *count);
        }
        return Ok(transcript);
    }
    let gone = || {
        vec![Missing::payload(format!(
            "{}, the transcript",
            calls.transcript
        ))]
    };
    let bytes = evidence.find(calls.transcript).ok_or_else(gone)?;
    let mut transcript = Transcript::decode(&bytes).map_err(|_| gone())?;
    let mut missing = Vec::new();
    let records = transcript.records().to_vec();
    for record in records {
        let digest = record.response.digest;
        if record.response.len_bytes == 0 {
            continue;
        }
        match evidence.find(digest) {
            Some(bytes) => drop(transcript.restore(bytes)),
            None if is_needed(&record.function, record.verdict) => {
                missing.push(Missing::payload(format!(
                    "{digest}, the answer to call {} ({})",
                    record.index, record.function
                )))
            }
            None => {}
        }
        // What was asked is needed only where the answer is found by it.
        if [LABEL, CONFIG_GET].contains(&&*record.function)
            && let Some(bytes) = evidence.find(record.request.digest)
        {
            transcript.restore(bytes);
        }
    }
    if missing.is_empty() {
        Ok(transcript)
    } else {
        Err(missing)
    }
}

/// True when the record is the only place where the answer is.
pub(super) fn is_needed(function: &str, verdict: CallVerdict) -> bool {
    verdict == CallVerdict::Ok && replay_of(function) == Some(Replay::Recorded)
}

/// Answers of `function` that were given, with what was asked.
fn answers<'a>(
    transcript: &'a Transcript,
    function: &'a str,
) -> impl Iterator<Item = (Vec<&'a [u8]>, Vec<&'a [u8]>)> {
    let records = transcript.records().iter();
    let given =
        records.filter(move |one| one.function == function && one.verdict == CallVerdict::Ok);
    given.filter_map(|record| {
        let fields = |digest: &Digest| match transcript.payloads().get(digest) {
            Some(bytes) => Fields::read(bytes),
            None => Some(Vec::new()),
        };
        Some((
            fields(&record.request.digest)?,
            fields(&record.response.digest)?,
        ))
    })
}

fn text(field: &[u8]) -> Option<String> {
    String::from_utf8(field.to_vec()).ok()
}

/// The text of an optional field, as transcripts write it.
fn optional(fields: &[&[u8]]) -> Option<String> {
    match fields {
        [flag, value] if **flag == 1_u64.to_le_bytes() => text(value),
        _ => None,
    }
}

/// What the step was told by labels that it asked for.
pub(super) fn labels(transcript: &Transcript) -> BTreeMap<String, String> {
    let asked = answers(transcript, LABEL);
    let told = asked.filter_map(|(request, response)| {
        let [key] = request.as_slice() else {
            return None;
        };
        Some((text(key)?, optional(&response)?))
    });
    told.collect()
}

/// The configuration values that it was given.
fn config(transcript: &Transcript) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (request, response) in answers(transcript, CONFIG_GET) {
        if let [key] = request.as_slice()
            && let (Some(key), Some(value)) = (text(key), optional(&response))
        {
            values.insert(key, value);
        }
    }
    for (_, response) in answers(transcript, CONFIG_ALL) {
        for pair in response.chunks_exact(2) {
            if let [key, value] = pair
                && let (Some(key), Some(value)) = (text(key), text(value))
            {
                values.insert(key, value);
            }
        }
    }
    values
}
