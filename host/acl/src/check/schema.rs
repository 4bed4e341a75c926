//! Whether what one step gives can be what the next one takes: a comparison of two JSON Schemas, as far as it goes.
//!
//! INVARIANT: "never" is only said when no value of the producer's schema meets the consumer's; keywords that are not
//! compared make the answer "maybe", and the depth is bounded.

use alloc::{
    borrow::ToOwned,
    collections::BTreeSet,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use serde_json::{Map, Value};

const DEPTH_MAX: usize = 16;
/// Keywords that say nothing about values, and those that are compared.
const KNOWN: [&str; 20] = [
    "$schema",
    "$id",
    "title",
    "description",
    "default",
    "examples",
    "$comment",
    "deprecated",
    "readOnly",
    "writeOnly",
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "const",
    "minimum",
    "maximum",
    "format",
];
const TYPES: [&str; 7] = [
    "null", "boolean", "object", "array", "string", "number", "integer",
];

/// How two schemas fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// Every value of the producer is one of the consumer.
    Always,
    /// Can not be decided, or some values fit and some do not: why.
    Maybe(String),
    /// No value of the producer is one of the consumer: why.
    Never(String),
}

/// Compares the schema of what is given with the schema of what is taken. An absent schema says nothing.
#[must_use]
pub fn fits(given: Option<&Value>, taken: Option<&Value>) -> Fit {
    compare(
        given.unwrap_or(&Value::Bool(true)),
        taken.unwrap_or(&Value::Bool(true)),
        "the body",
        0,
    )
}

fn compare(given: &Value, taken: &Value, at: &str, depth: usize) -> Fit {
    let taken = match taken {
        Value::Bool(true) => return Fit::Always,
        Value::Bool(false) => return Fit::Never(format!("{at} may not be there at all")),
        Value::Object(taken) if taken.is_empty() => return Fit::Always,
        Value::Object(taken) => taken,
        _ => return Fit::Maybe(format!("{at} has no schema that can be read")),
    };
    let given = match given {
        Value::Object(given) => given,
        Value::Bool(false) => return Fit::Always,
        _ => return Fit::Maybe(format!("{at} is not described by the step that gives it")),
    };
    if depth >= DEPTH_MAX {
        return Fit::Maybe(format!("{at} is nested too deeply to compare"));
    }
    let mut found = types(given, taken, at);
    if !matches!(found, Fit::Never(_)) {
        found = found
            .and(values(given, taken, at))
            .and(numbers(given, taken, at))
            .and(members(given, taken, at, depth))
            .and(items(given, taken, at, depth));
    }
    let strange = taken.keys().find(|key| !KNOWN.contains(&key.as_str()));
    match strange {
        Some(key) => found.and(Fit::Maybe(format!(
            "`{}` of {at} is not compared",
            key.escape_default()
        ))),
        None => found,
    }
}

impl Fit {
    /// The worse of two answers; of two equal ones the first.
    fn and(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Never(_), _) | (_, Self::Always) => self,
            (_, Self::Never(_)) | (Self::Always, _) => other,
            _ => self,
        }
    }
}

/// The types that a schema names or that its values have; `None` when it leaves them open.
fn type_set(schema: &Map<String, Value>) -> Option<BTreeSet<&str>> {
    let named = match schema.get("type") {
        Some(Value::String(one)) => Some([one.as_str()].into()),
        Some(Value::Array(many)) => many.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let listed =
        || constants(schema).map(|values| values.iter().map(|value| kind(value)).collect());
    named.or_else(listed).map(|mut set: BTreeSet<&str>| {
        set.retain(|name| TYPES.contains(name));
        set
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(number) if number.is_u64() || number.is_i64() => "integer",
        Value::Number(_) => "number",
    }
}

fn constants(schema: &Map<String, Value>) -> Option<Vec<&Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(only), _) => Some([only].into()),
        (None, Some(Value::Array(values))) => Some(values.iter().collect()),
        _ => None,
    }
}

fn types(given: &Map<String, Value>, taken: &Map<String, Value>, at: &str) -> Fit {
    let Some(taken) = type_set(taken) else {
        return Fit::Always;
    };
    let Some(given) = type_set(given) else {
        return Fit::Maybe(format!("the type of {at} is left open"));
    };
    let accepts =
        |name: &str| taken.contains(name) || (name == "integer" && taken.contains("number"));
    let overlaps = |name: &str| accepts(name) || (name == "number" && taken.contains("integer"));
    let names = |set: &BTreeSet<&str>| {
        set.iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
            .join(" or ")
    };
    if given.iter().all(|name| accepts(name)) {
        Fit::Always
    } else if given.iter().any(|name| overlaps(name)) {
        Fit::Maybe(format!(
            "{at} is {}, and {} is taken",
            names(&given),
            names(&taken)
        ))
    } else {
        Fit::Never(format!(
            "{at} is {}, and {} is taken",
            names(&given),
            names(&taken)
        ))
    }
}

fn values(given: &Map<String, Value>, taken: &Map<String, Value>, at: &str) -> Fit {
    let Some(taken) = constants(taken) else {
        return Fit::Always;
    };
    let Some(given) = constants(given) else {
        return Fit::Maybe(format!(
            "{at} may have other values than those that are taken"
        ));
    };
    let count = given.iter().filter(|value| taken.contains(value)).count();
    match count {
        0 => Fit::Never(format!("no value of {at} is one that is taken")),
        count if count == given.len() => Fit::Always,
        _ => Fit::Maybe(format!("some values of {at} are not taken")),
    }
}

fn numbers(given: &Map<String, Value>, taken: &Map<String, Value>, at: &str) -> Fit {
    let bound = |schema: &Map<String, Value>, key: &str| schema.get(key).and_then(Value::as_f64);
    let (low, high) = (bound(taken, "minimum"), bound(taken, "maximum"));
    if low.is_none() && high.is_none() {
        return Fit::Always;
    }
    let (least, most) = (bound(given, "minimum"), bound(given, "maximum"));
    let is_below = most.zip(low).is_some_and(|(most, low)| most < low);
    let is_above = least.zip(high).is_some_and(|(least, high)| least > high);
    // Bounds say something about numbers only.
    let is_number = type_set(given)
        .is_some_and(|set| set.iter().all(|name| matches!(*name, "number" | "integer")));
    if is_number && (is_below || is_above) {
        return Fit::Never(format!("no number of {at} lies where it is taken"));
    }
    let holds_low = low.is_none_or(|low| least.is_some_and(|least| least >= low));
    let holds_high = high.is_none_or(|high| most.is_some_and(|most| most <= high));
    if holds_low && holds_high {
        Fit::Always
    } else {
        Fit::Maybe(format!("{at} may lie outside the bounds that are taken"))
    }
}

fn members(given: &Map<String, Value>, taken: &Map<String, Value>, at: &str, depth: usize) -> Fit {
    let is_object =
        |schema| type_set(schema).is_some_and(|set| set.len() == 1 && set.contains("object"));
    let certain = is_object(given);
    let empty = Map::new();
    let properties = |schema: &Map<String, Value>| match schema.get("properties") {
        Some(Value::Object(properties)) => properties.clone(),
        _ => empty.clone(),
    };
    let (gives, takes) = (properties(given), properties(taken));
    let promised = required(given);
    let is_closed = given.get("additionalProperties") == Some(&Value::Bool(false));
    let mut found = Fit::Always;
    for name in required(taken) {
        let shown = name.escape_default();
        if promised.contains(&name) {
            continue;
        }
        let is_never = certain && is_closed && !gives.contains_key(&name);
        let why = format!("`{shown}` of {at} is needed and not promised");
        found = found.and(if is_never {
            Fit::Never(why)
        } else {
            Fit::Maybe(why)
        });
    }
    for (name, schema) in &gives {
        let place = format!("`{}` of {at}", name.escape_default());
        let answer = match takes.get(name) {
            Some(wanted) => compare(schema, wanted, &place, depth + 1),
            None => match taken.get("additionalProperties") {
                Some(Value::Bool(false)) => Fit::Never(format!("{place} is not taken")),
                Some(extra) => compare(schema, extra, &place, depth + 1),
                None => Fit::Always,
            },
        };
        // A member that may be absent decides nothing by itself.
        let is_sure = certain && promised.contains(name);
        found = found.and(match answer {
            Fit::Never(why) if !is_sure => Fit::Maybe(why),
            other => other,
        });
    }
    let is_open = !is_closed
        && taken
            .get("additionalProperties")
            .is_some_and(|extra| *extra != Value::Bool(true));
    if is_open {
        found.and(Fit::Maybe(format!(
            "{at} may have members that are not taken"
        )))
    } else {
        found
    }
}

fn required(schema: &Map<String, Value>) -> BTreeSet<String> {
    let Some(Value::Array(names)) = schema.get("required") else {
        return BTreeSet::new();
    };
    names
        .iter()
        .filter_map(|name| Some(name.as_str()?.to_string()))
        .collect()
}

fn items(given: &Map<String, Value>, taken: &Map<String, Value>, at: &str, depth: usize) -> Fit {
    let Some(wanted) = taken.get("items") else {
        return Fit::Always;
    };
    let open = Value::Bool(true);
    let given = given.get("items").unwrap_or(&open);
    // An empty list has no items that could be wrong.
    match compare(given, wanted, &format!("an item of {at}"), depth + 1) {
        Fit::Never(why) => Fit::Maybe(why),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(given: &str, taken: &str) -> &'static str {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        match fits(Some(&parse(given)), Some(&parse(taken))) {
            Fit::Always => "always",
            Fit::Maybe(_) => "maybe",
            Fit::Never(_) => "never",
        }
    }

    /// Control: with types left out of the comparison, the third line is no longer `never` (seen).
    #[test]
    fn types_members_and_values_are_compared() {
        for (given, taken, wanted) in [
            (r#"{"type":"integer"}"#, r#"{"type":"number"}"#, "always"),
            (r#"{"type":"number"}"#, r#"{"type":"integer"}"#, "maybe"),
            (r#"{"type":"string"}"#, r#"{"type":"object"}"#, "never"),
            (
                r#"{"type":["string","null"]}"#,
                r#"{"type":"string"}"#,
                "maybe",
            ),
            (r#"{"const":3}"#, r#"{"enum":[1,2]}"#, "never"),
            (r#"{"enum":[1,2]}"#, r#"{"enum":[2,3]}"#, "maybe"),
            (
                r#"{"type":"number","maximum":1}"#,
                r#"{"type":"number","minimum":2}"#,
                "never",
            ),
            (
                r#"{"type":"number","minimum":2}"#,
                r#"{"type":"number","minimum":1}"#,
                "always",
            ),
            (
                r#"{"type":"array","items":{"type":"string"}}"#,
                r#"{"type":"array","items":{"type":"number"}}"#,
                "maybe",
            ),
            (
                r#"{"type":"string"}"#,
                r#"{"type":"string","pattern":"a"}"#,
                "maybe",
            ),
            ("true", r#"{"type":"string"}"#, "maybe"),
            (r#"{"type":"string"}"#, "{}", "always"),
            ("{}", "false", "never"),
        ] {
            assert_eq!(answer(given, taken), wanted, "{given} -> {taken}");
        }
    }

    #[test]
    fn a_needed_member_is_promised_open_or_impossible() {
        let taken = r#"{"type":"object","required":["a"],"properties":{"a":{"type":"number"}}}"#;
        for (given, wanted) in [
            (
                r#"{"type":"object","required":["a"],"properties":{"a":{"type":"integer"}}}"#,
                "always",
            ),
            (
                r#"{"type":"object","properties":{"a":{"type":"number"}}}"#,
                "maybe",
            ),
            (
                r#"{"type":"object","properties":{"b":{}},"additionalProperties":false}"#,
                "never",
            ),
            (
                r#"{"type":"object","required":["a"],"properties":{"a":{"type":"string"}}}"#,
                "never",
            ),
        ] {
            assert_eq!(answer(given, taken), wanted, "{given}");
        }
    }

    #[test]
    fn a_schema_that_holds_itself_deeply_is_answered() {
        let mut deep = Value::Bool(false);
        for _ in 0..100 {
            deep = serde_json::json!({ "type": "array", "items": deep });
        }
        assert!(matches!(fits(Some(&deep), Some(&deep)), Fit::Maybe(_)));
    }
}
