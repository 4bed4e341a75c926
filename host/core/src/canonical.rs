//! Canonical JSON of a value: compact, keys sorted (RFC 8785 for the integers and strings that we use).
//!
//! INVARIANT: equal values have equal bytes, however `serde_json` was built and whatever order a document had.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A value that is written with sorted keys. Sorting is done here, because whether a map of `serde_json` keeps keys
/// sorted depends on a feature that any crate of a build can switch on.
struct Sorted<'a>(&'a Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // BOUND: values come from documents whose depth the reader limits.
        match self.0 {
            Value::Array(items) => serializer.collect_seq(items.iter().map(Sorted)),
            Value::Object(map) => {
                let sorted: BTreeMap<&String, &Value> = map.iter().collect();
                serializer.collect_map(sorted.into_iter().map(|(key, item)| (key, Sorted(item))))
            }
            scalar => scalar.serialize(serializer),
        }
    }
}

/// Writes a value with sorted keys; for `#[serde(serialize_with)]`.
pub(crate) fn serialize<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    Sorted(value).serialize(serializer)
}

/// The bytes of a value.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    // A value always serialises.
    serde_json::to_vec(&Sorted(value)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_at_every_depth_and_lists_keep_their_order() {
        let value: Value = serde_json::from_str(r#"{"b":[{"z":1,"a":2},0],"a":null}"#).unwrap();
        assert_eq!(bytes(&value), br#"{"a":null,"b":[{"a":2,"z":1},0]}"#);
    }
}
