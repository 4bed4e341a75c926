//! Identities: every one is derived from what it identifies, none is random, and no guest can set one.
//!
//! INVARIANT: nothing in this file reads a clock or a random source; equal inputs give equal ids.

use alloc::{format, string::String};
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::digest::{Digest, decode_hex, encode_hex};

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Takes the bytes of an id that was derived elsewhere.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// Returns the raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// Reads the written form; `None` for anything else.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                decode_hex(text.strip_prefix($prefix)?).map(Self)
            }

            /// Returns the prefix and the first 8 hex digits, for display only.
            #[must_use]
            pub fn short(&self) -> String {
                let mut text = format!("{self}");
                text.truncate($prefix.len() + 8);
                text
            }

            fn derive(kind: &str, parts: &[&[u8]]) -> Self {
                let digest = Digest::derive(kind, parts);
                let mut bytes = [0_u8; $bytes];
                bytes.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                f.write_str(&encode_hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text)
                    .ok_or_else(|| de::Error::custom(concat!("not a ", stringify!($name))))
            }
        }
    };
}

id_type!(
    /// A pinned question: plan IR, lock, named input digests, tenant and seed.
    RunId, 16, "run_"
);
id_type!(
    /// One try of a run.
    ExecutionId, 16, "exe_"
);
id_type!(
    /// One try of one step.
    AttemptId, 16, "att_"
);
id_type!(
    /// One message.
    EnvelopeId, 16, "env_"
);
id_type!(
    /// One execution's trace: 32 hex digits.
    TraceId, 16, ""
);
id_type!(
    /// One attempt's span: 32 hex digits; OTLP takes the first 16.
    SpanId, 16, ""
);
id_type!(
    /// One immediate effect: what the other side can tell a repetition by.
    EffectKey, 16, "idk_"
);
id_type!(
    /// One state change: derived from the log's origin and the frame's sequence.
    EventId, 16, "evt_"
);

id_type!(
    /// One capability token.
    CapId, 16, "cap_"
);

/// What a run id is derived from.
#[derive(Debug, Clone, Copy)]
pub struct RunPins<'a> {
    /// Digest of the plan IR.
    pub plan: Digest,
    /// Digest of the lock: component, contract, policy and codex digests.
    pub lock: Digest,
    /// Digest over the named inputs.
    pub inputs: Digest,
    /// The tenant that asks.
    pub tenant: &'a str,
    /// The seed of virtual randomness.
    pub seed: u64,
}

impl RunId {
    /// Derives the id of a pinned question: no clock, no host in it.
    #[must_use]
    pub fn of(pins: &RunPins<'_>) -> Self {
        Self::derive(
            "run",
            &[
                pins.plan.as_bytes(),
                pins.lock.as_bytes(),
                pins.inputs.as_bytes(),
                pins.tenant.as_bytes(),
                &pins.seed.to_le_bytes(),
            ],
        )
    }
}

impl ExecutionId {
    /// Derives the id of try `number` (from 1) of `run` in the log `origin`.
    #[must_use]
    pub fn of(origin: &str, run: RunId, number: u32) -> Self {
        Self::derive(
            "execution",
            &[origin.as_bytes(), run.as_bytes(), &number.to_le_bytes()],
        )
    }
}

impl AttemptId {
    /// Derives the id of try `number` (from 1) of the step at `path`.
    #[must_use]
    pub fn of(execution: ExecutionId, path: &str, number: u32) -> Self {
        Self::derive(
            "attempt",
            &[execution.as_bytes(), path.as_bytes(), &number.to_le_bytes()],
        )
    }
}

impl CapId {
    /// Derives the id of the `index`th token of an attempt, for one action on one resource.
    #[must_use]
    pub fn minted(attempt: AttemptId, index: u32, action: &str, resource: &str) -> Self {
        Self::derive(
            "capability",
            &[
                attempt.as_bytes(),
                &index.to_le_bytes(),
                action.as_bytes(),
                resource.as_bytes(),
            ],
        )
    }

    /// Derives the id of part `index` of a token that was split.
    #[must_use]
    pub fn part(self, index: u32) -> Self {
        Self::derive("capability-part", &[self.as_bytes(), &index.to_le_bytes()])
    }
}

impl EffectKey {
    /// Derives the key of host call `call` of an attempt.
    #[must_use]
    pub fn of(attempt: AttemptId, call: u32) -> Self {
        Self::derive("effect", &[attempt.as_bytes(), &call.to_le_bytes()])
    }
}

impl EnvelopeId {
    /// Derives the id of the `index`th emission of the step at `producer` (from 0).
    #[must_use]
    pub fn emitted(run: RunId, producer: &str, index: u32) -> Self {
        Self::derive(
            "envelope",
            &[run.as_bytes(), producer.as_bytes(), &index.to_le_bytes()],
        )
    }

    /// Derives the id of a message that enters from outside.
    #[must_use]
    pub fn ingress(tenant: &str, actor: &str, source: &str, external_id: &str) -> Self {
        Self::derive(
            "ingress",
            &[
                tenant.as_bytes(),
                actor.as_bytes(),
                source.as_bytes(),
                external_id.as_bytes(),
            ],
        )
    }
}

impl TraceId {
    /// Derives the trace of an execution.
    #[must_use]
    pub fn of(execution: ExecutionId) -> Self {
        Self::derive("trace", &[execution.as_bytes()])
    }
}

impl SpanId {
    /// Derives the span of an attempt.
    #[must_use]
    pub fn of(attempt: AttemptId) -> Self {
        Self::derive("span", &[attempt.as_bytes()])
    }
}

impl EventId {
    /// Derives the id of the `index`th event that follows from a frame.
    #[must_use]
    pub fn of(origin: &str, sequence: u64, index: u32) -> Self {
        Self::derive(
            "event",
            &[
                origin.as_bytes(),
                &sequence.to_le_bytes(),
                &index.to_le_bytes(),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins() -> RunPins<'static> {
        RunPins {
            plan: Digest::of(b"plan"),
            lock: Digest::of(b"lock"),
            inputs: Digest::of(b"inputs"),
            tenant: "global",
            seed: 7,
        }
    }

    #[test]
    fn the_same_question_has_the_same_id_and_any_other_pin_another() {
        let run = RunId::of(&pins());
        assert_eq!(run, RunId::of(&pins()));
        assert_ne!(run, RunId::of(&RunPins { seed: 8, ..pins() }));
        assert_ne!(
            run,
            RunId::of(&RunPins {
                tenant: "acme",
                ..pins()
            })
        );
        assert_ne!(
            run,
            RunId::of(&RunPins {
                lock: Digest::of(b"other"),
                ..pins()
            })
        );
    }

    #[test]
    fn tries_and_attempts_of_one_run_differ() {
        let run = RunId::of(&pins());
        let first = ExecutionId::of("log", run, 1);
        assert_ne!(first, ExecutionId::of("log", run, 2));
        assert_ne!(first, ExecutionId::of("other-log", run, 1));
        assert_ne!(AttemptId::of(first, "a", 1), AttemptId::of(first, "a", 2));
    }

    #[test]
    fn written_form_round_trips_and_prefixes_keep_kinds_apart() {
        let run = RunId::of(&pins());
        assert_eq!(RunId::parse(&format!("{run}")), Some(run));
        assert_eq!(ExecutionId::parse(&format!("{run}")), None);
    }
}
