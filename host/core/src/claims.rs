//! What a guest says about its own output. It goes into the witness under the guest's name and proves nothing but that.
//!
//! INVARIANT: numbers are integers, so that evidence has one spelling; nothing here is set by the host.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{envelope::ArtifactRef, gate::Doubt};

/// A ratio of one, in parts per million.
pub const RATIO_ONE: u32 = 1_000_000;

/// Most claims of one attempt, citations included.
pub const CLAIMS_MAX: usize = 64;

/// Most bytes of one claim's body.
pub const CLAIM_BYTES_MAX: usize = 4096;

/// Most bytes of a claim's kind, a confidence method, an impact or a quip.
pub const CLAIM_TEXT_BYTES_MAX: usize = 512;

/// A fact with its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The JSON document; integers only. Written with sorted keys.
    #[serde(serialize_with = "crate::canonical::serialize")]
    pub body: Value,
    /// What kind of fact it is, such as `https://example.org/kinds/row-count`.
    pub kind: String,
}

/// How a source bears on the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// The output was made from it.
    DerivesFrom,
    /// It speaks for the output.
    Supports,
    /// It speaks against the output.
    Contradicts,
    /// It is named.
    Cites,
}

/// A source of the output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Citation {
    /// How it bears on the output.
    pub relation: Relation,
    /// The artifact.
    pub source: ArtifactRef,
}

/// How sure a step is, and how it knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confidence {
    /// The method's name.
    pub method: String,
    /// Parts per million.
    pub score: u32,
}

/// Everything that one attempt said about its own output.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuestClaims {
    /// Sources, in the order of the calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub citations: Vec<Citation>,
    /// Facts, in the order of the calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Claim>,
    /// The last confidence that was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// The last doubt that was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// What the output may do to people or systems.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impact: Option<String>,
    /// The last analogy or quip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quip: Option<String>,
}

/// True when every number in `value` is an integer that survives any JSON reader (at most 2^53 in size).
#[must_use]
pub fn has_integers_only(value: &Value) -> bool {
    const LIMIT: u64 = 1 << 53;
    match value {
        Value::Number(number) => {
            number.as_u64().is_some_and(|n| n <= LIMIT)
                || number.as_i64().is_some_and(|n| n.unsigned_abs() <= LIMIT)
        }
        Value::Array(items) => items.iter().all(has_integers_only),
        Value::Object(fields) => fields.values().all(has_integers_only),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn fractions_and_numbers_past_two_to_the_fifty_third_are_no_integers() {
        for bad in [
            "0.5",
            "[1,2,1e3]",
            r#"{"a":{"b":9007199254740993}}"#,
            "-9007199254740993",
        ] {
            assert!(!has_integers_only(&parsed(bad)), "{bad}");
        }
        assert!(has_integers_only(&parsed(
            r#"{"a":[1,-2,9007199254740992,null,"0.5"]}"#
        )));
    }

    #[test]
    fn empty_claims_are_written_as_an_empty_object() {
        assert_eq!(
            serde_json::to_string(&GuestClaims::default()).unwrap(),
            "{}"
        );
    }
}
