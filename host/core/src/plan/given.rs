//! The run's inputs as a plan declares them: their types, and what is wrong with those that are given.
//!
//! INVARIANT: once a plan declares inputs, a run has exactly those, each of its type.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{InputSource, Plan};
use crate::{json, name::StepName};

/// The type of a run's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputType {
    /// Anything.
    Any,
    /// A JSON array.
    Array,
    /// Bytes or a folder.
    Artifact,
    /// `true` or `false`.
    Boolean,
    /// Bytes or a folder that speak for something; whoever reads them looks at their witness.
    Evidence,
    /// A JSON number.
    Number,
    /// A JSON object.
    Object,
    /// UTF-8 text.
    String,
}

impl InputType {
    /// The type as plans write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Array => "array",
            Self::Artifact => "artifact",
            Self::Boolean => "boolean",
            Self::Evidence => "evidence",
            Self::Number => "number",
            Self::Object => "object",
            Self::String => "string",
        }
    }

    /// True when `given` is of the type.
    #[must_use]
    pub fn holds(self, given: GivenInput<'_>) -> bool {
        let GivenInput::Bytes(bytes) = given else {
            return matches!(self, Self::Any | Self::Artifact | Self::Evidence);
        };
        let is = |test: fn(&Value) -> bool| json::parse(bytes).is_ok_and(|value| test(&value));
        match self {
            Self::Any | Self::Artifact | Self::Evidence => true,
            Self::Array => is(Value::is_array),
            Self::Boolean => is(Value::is_boolean),
            Self::Number => is(Value::is_number),
            Self::Object => is(Value::is_object),
            Self::String => core::str::from_utf8(bytes).is_ok(),
        }
    }
}

/// One input of a run, as its types see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenInput<'a> {
    /// A value's or a file's bytes.
    Bytes(&'a [u8]),
    /// A folder.
    Folder,
}

/// What is wrong with a run's inputs. Names them; shows nothing of what is in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputFault {
    /// The plan declares it and nobody gave it.
    #[error("input `{name}` is missing; the plan declares it as {}", expected.word())]
    Missing {
        /// The input.
        name: StepName,
        /// Its type.
        expected: InputType,
    },
    /// It is not of its type.
    #[error("input `{name}` is not of the type {} that the plan declares", expected.word())]
    Mistyped {
        /// The input.
        name: StepName,
        /// Its type.
        expected: InputType,
    },
    /// A step names it and nobody gave it.
    #[error("input `{name}` is missing; step `{step}` is to be given it")]
    Unanswered {
        /// The input.
        name: StepName,
        /// The first step that names it.
        step: StepName,
    },
    /// The plan declares inputs, and this is none of them.
    #[error("input `{name}` is none that the plan declares")]
    Undeclared {
        /// The input.
        name: StepName,
    },
}

impl InputFault {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "AIM-C050"
    }
}

impl Plan {
    /// Every fault of a run's inputs: those that the header declares in name order, or those that steps name in plan order
    /// where it declares none.
    #[must_use]
    pub fn input_faults(&self, given: &BTreeMap<&StepName, GivenInput<'_>>) -> Vec<InputFault> {
        let header = self.header();
        if header.inputs.is_empty() {
            return self.unanswered(given);
        }
        let declared = header.inputs.iter().filter_map(|(name, expected)| {
            let (name, expected) = (name.clone(), *expected);
            match given.get(&name) {
                None => Some(InputFault::Missing { name, expected }),
                Some(given) if !expected.holds(*given) => {
                    Some(InputFault::Mistyped { name, expected })
                }
                Some(_) => None,
            }
        });
        let others = given.keys();
        let others = others.filter(|name| !header.inputs.contains_key(**name));
        let others = others.map(|name| InputFault::Undeclared {
            name: (*name).clone(),
        });
        declared.chain(others).collect()
    }

    /// What steps name and nobody gave, each once: a step that names inputs is given those and no others, never less.
    fn unanswered(&self, given: &BTreeMap<&StepName, GivenInput<'_>>) -> Vec<InputFault> {
        let mut seen = BTreeSet::new();
        let sources = self.steps().iter().flat_map(|step| {
            let named = step.inputs.values();
            named.map(move |source| (&step.name, source))
        });
        let missing = sources.filter_map(|(step, source)| match source {
            InputSource::Run(name) if !given.contains_key(name) && seen.insert(name) => {
                Some(InputFault::Unanswered {
                    name: name.clone(),
                    step: step.clone(),
                })
            }
            _ => None,
        });
        missing.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Texts = &'static [&'static [u8]];

    #[test]
    fn every_type_takes_its_own_and_refuses_others() {
        const OBJECT: &[u8] = b"{\"a\":1}";
        let rows: [(InputType, Texts, Texts); 8] = [
            (InputType::Any, &[b"x", b"\xff"], &[]),
            (InputType::Artifact, &[b"", b"\xff"], &[]),
            (InputType::Evidence, &[b"", b"\xff"], &[]),
            (InputType::Array, &[b" [1, 2]"], &[b"[1", OBJECT, b"x"]),
            (
                InputType::Boolean,
                &[b"true", b"false\n"],
                &[b"True", b"1", b""],
            ),
            (
                InputType::Number,
                &[b"3", b"-1.5e3"],
                &[b"three", b"0x3", b"NaN", b"", b"1 2"],
            ),
            (
                InputType::Object,
                &[OBJECT],
                &[b"[]", b"{\"a\":1,\"a\":2}", b"{}{}"],
            ),
            (InputType::String, &[b"", b"\xc3\xa4"], &[b"\xff"]),
        ];
        for (kind, good, bad) in rows {
            for bytes in good {
                assert!(kind.holds(GivenInput::Bytes(bytes)), "{kind:?} {bytes:?}");
            }
            for bytes in bad {
                assert!(!kind.holds(GivenInput::Bytes(bytes)), "{kind:?} {bytes:?}");
            }
            let takes_folder = matches!(
                kind,
                InputType::Any | InputType::Artifact | InputType::Evidence
            );
            assert_eq!(kind.holds(GivenInput::Folder), takes_folder, "{kind:?}");
            let word = serde_json::to_value(kind).unwrap();
            assert_eq!(word, Value::from(kind.word()));
        }
    }
}
