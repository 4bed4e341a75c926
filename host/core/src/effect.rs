//! Immediate effects: what the world notices while an attempt runs. Judged, then an intent, then done, then an outcome.
//!
//! ```text
//! host call -> scope -> gates (phase effect) -> intent durable -> done -> outcome durable -> answer to the guest
//! ```
//! What a restart finds decides: an outcome is recalled, an intent without one is never repeated unless the contract says
//! that doing it twice is the same as doing it once.
//!
//! INVARIANT: neither frame holds a payload or a secret, only digests; equal intents have equal bytes.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    gate::GateRecord,
    id::{AttemptId, EffectKey, ExecutionId},
    outcome::{Failure, Fault, Outcome},
};

/// What kind of thing the world notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EffectKind {
    /// A request to a server.
    Http,
    /// A statement on a database.
    Sql,
    /// A call of a model.
    Model,
}

/// The frame that is durable before an effect is begun. Fields are in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectIntent {
    /// The interface function.
    pub action: String,
    /// The attempt.
    pub attempt: AttemptId,
    /// Index of the host call in the attempt.
    pub call: u32,
    /// The try of the run.
    pub execution: ExecutionId,
    /// What the other side can tell a repetition by.
    pub key: EffectKey,
    /// What kind of effect it is.
    pub kind: EffectKind,
    /// Digest of the request's encoding.
    pub request: Digest,
    /// What it is done to, for people; never a query, a payload or a secret.
    pub target: String,
}

impl EffectIntent {
    /// The frame's body.
    #[must_use]
    pub fn to_frame(&self) -> Vec<u8> {
        // Plain data with string keys only: serialisation has no failure to report.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Digest of the frame's body: what an outcome names.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_frame())
    }
}

/// How an effect ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectEnd {
    /// Refused by a gate: there is no intent.
    Denied,
    /// It was done and answered.
    Done,
    /// It was certainly not done.
    NotDone,
    /// It was begun and nobody knows whether it was done.
    Unknown,
}

impl EffectEnd {
    /// The word in evidence.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Done => "done",
            Self::NotDone => "not-done",
            Self::Unknown => "unknown",
        }
    }
}

/// The frame that is durable before a guest sees an effect's answer. Fields are in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectOutcome {
    /// The attempt.
    pub attempt: AttemptId,
    /// Index of the host call in the attempt.
    pub call: u32,
    /// How it ended; never `denied`.
    pub end: EffectEnd,
    /// Why it was not done or not answered: a stable word, never the other side's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fault: Option<String>,
    /// Digest of the intent's frame.
    pub intent: Digest,
    /// Digest of the answer's encoding, where there is one that the guest may see.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response: Option<Digest>,
    /// Length of that encoding.
    pub response_bytes: u64,
}

impl EffectOutcome {
    /// The frame's body.
    #[must_use]
    pub fn to_frame(&self) -> Vec<u8> {
        // Plain data with string keys only: serialisation has no failure to report.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// One effect as the attempt's witness lists it. Fields are in the order of their written names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EffectRecord {
    /// The interface function.
    pub action: String,
    /// Index of the host call in the attempt.
    pub call: u32,
    /// How it ended.
    pub end: EffectEnd,
    /// Why it was not done or not answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fault: Option<String>,
    /// The decisions on it; empty for what an interrupted try of the attempt left.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub gates: Vec<GateRecord>,
    /// Digest of the intent's frame; absent when it was denied.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub intent: Option<Digest>,
    /// What the other side can tell a repetition by.
    pub key: EffectKey,
    /// What kind of effect it is.
    pub kind: EffectKind,
    /// Digest of the outcome's frame; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Digest>,
    /// Digest of the request's encoding.
    pub request: Digest,
    /// Digest of the answer's encoding.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response: Option<Digest>,
    /// Length of that encoding.
    pub response_bytes: u64,
    /// What it was done to.
    pub target: String,
    /// How often it was begun: 1, or more where an interrupted try was repeated with the same key.
    pub tries: u32,
}

/// What an earlier, interrupted try of the same attempt has left about one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prior {
    /// Its intent.
    pub intent: EffectIntent,
    /// Its outcome; absent when the host ended before it was known.
    pub outcome: Option<EffectOutcome>,
    /// How many intents there are.
    pub tries: u32,
}

impl Prior {
    /// True when nobody knows whether it was done.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.outcome
            .as_ref()
            .is_none_or(|outcome| outcome.end == EffectEnd::Unknown)
    }
}

/// What to do about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Course<'a> {
    /// It is new: intent, then do it.
    Begin,
    /// It may have been done, and doing it twice is the same: a new intent with the same key, then do it.
    Repeat {
        /// How many intents there are already.
        tries: u32,
    },
    /// It was done: answer what was answered.
    Recall(&'a EffectOutcome),
    /// Nobody knows, or the guest asks for something else than before: stop.
    Stop,
}

/// Decides about a call whose request has the digest `request`.
#[must_use]
pub fn course(prior: Option<&Prior>, request: Digest, is_idempotent: bool) -> Course<'_> {
    let Some(prior) = prior else {
        return Course::Begin;
    };
    if prior.intent.request != request {
        return Course::Stop;
    }
    match &prior.outcome {
        Some(outcome) if outcome.end == EffectEnd::Done => Course::Recall(outcome),
        // Certainly not done: the same call is begun again.
        Some(outcome) if outcome.end == EffectEnd::NotDone => Course::Repeat { tries: prior.tries },
        _ if is_idempotent => Course::Repeat { tries: prior.tries },
        _ => Course::Stop,
    }
}

/// The first call of an interrupted attempt that must not be run into again; `None` when the attempt may start.
#[must_use]
pub fn stuck(priors: &[Prior], is_idempotent: bool) -> Option<u32> {
    if is_idempotent {
        return None;
    }
    priors
        .iter()
        .filter(|prior| prior.is_open())
        .map(|prior| prior.intent.call)
        .min()
}

/// The outcome and fault of an attempt that can not go on because of call `call`.
#[must_use]
pub fn indeterminate(call: u32) -> (Outcome, Fault) {
    let message = format!(
        "host call {call} was begun and its end is unknown; find out whether it was done, then run with --again or let the step be"
    );
    let fault = Fault {
        code: "AIM-N020".to_owned(),
        message,
    };
    (Outcome::Indeterminate(call), fault)
}

/// What the effects of an attempt make of its end; `None` where the end stands.
///
/// A guest that answers in spite of an unknown end has dealt with it. One that doesn't leaves the world in a state that
/// nobody knows. A transient failure after an effect was done would do it again, so it is final, unless the contract says
/// that doing it twice is the same.
#[must_use]
pub fn settle(
    outcome: &Outcome,
    effects: &[EffectRecord],
    is_idempotent: bool,
) -> Option<(Outcome, Fault)> {
    if is_idempotent || *outcome == Outcome::Completed {
        return None;
    }
    let first = |end: EffectEnd| effects.iter().find(|effect| effect.end == end);
    if let Some(effect) = first(EffectEnd::Unknown) {
        return Some(indeterminate(effect.call));
    }
    let done = first(EffectEnd::Done)?;
    if *outcome != Outcome::Failed(Failure::Transient) {
        return None;
    }
    let fault = Fault {
        code: "AIM-N021".to_string(),
        message: format!(
            "the step failed after host call {} had its effect, and its contract is not `idempotent`: it is not tried again",
            done.call
        ),
    };
    Some((Outcome::Failed(Failure::Permanent), fault))
}

#[cfg(test)]
mod tests;
