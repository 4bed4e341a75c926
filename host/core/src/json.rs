//! JSON without ambiguity: one document, no key twice, nesting within the parser's limit.
//!
//! INVARIANT: what is accepted means the same to every reader; two readers can not see two different bodies.

use alloc::{string::String, vec::Vec};
use core::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// Why a text is no JSON that means one thing. Names a place, never a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// It stops before its end.
    #[error("the JSON ends too early (line {line}, column {column})")]
    Early {
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
    },
    /// Two readers could take two values for one key.
    #[error("a key stands twice in one object (line {line}, column {column})")]
    KeyTwice {
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
    },
    /// Something else is wrong with it.
    #[error("not JSON, or nested too deep (line {line}, column {column})")]
    Malformed {
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
    },
}

/// Parses exactly one JSON document.
///
/// # Errors
/// [`JsonError`] for anything that is no JSON, nested deeper than 127, followed by something, or has a key twice.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let strict = serde_json::from_slice::<Strict>(bytes);
    strict.map(|strict| strict.0).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        if error.is_eof() {
            JsonError::Early { line, column }
        } else if error.is_data() {
            JsonError::KeyTwice { line, column }
        } else {
            JsonError::Malformed { line, column }
        }
    })
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let Strict(value) = entries.next_value()?;
            if map.insert(key, value).is_some() {
                return Err(de::Error::custom("duplicate key"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Control: with the answer of `insert` ignored, the first two texts were taken and this failed.
    #[test]
    fn what_two_readers_could_read_in_two_ways_is_refused_at_every_depth() {
        for twice in [
            r#"{"leaks":true,"leaks":false}"#,
            r#"{"a":[{"b":1,"b":1}]}"#,
            "{\"a\":1,\"\\u0061\":1}",
        ] {
            let error = parse(twice.as_bytes()).unwrap_err();
            assert!(matches!(error, JsonError::KeyTwice { .. }), "{twice}");
        }
        let early = parse(b"{\"a\":").unwrap_err();
        assert!(matches!(early, JsonError::Early { line: 1, .. }));
        for bad in ["{} {}", "{}x", "nul", "{\"a\":1e999}", &"[".repeat(200)] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let value = parse(br#"{"a":{"b":1},"b":[0.5,-1,"x",null,true]}"#).unwrap();
        assert_eq!(value["b"][0], 0.5);
    }
}
