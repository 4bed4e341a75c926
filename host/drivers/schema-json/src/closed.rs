//! Refuses schemas that reach outside themselves, speak another draft or go around in a circle.
//!
//! A circle is a chain of references and in-place applicators (`allOf`, `not`, `if` ...) that comes back to where it was
//! without going one step into the body: it would never end. Recursion through `properties` or `items` is fine, because
//! a body has an end.
//!
//! INVARIANT: every reference in an accepted schema starts with `#` and can be followed inside the document; anchors,
//! dynamic references and `$id`, which could make `#` mean something else, are not supported.

use std::collections::BTreeSet;

use aim_ports::schema::SchemaError;
use serde_json::Value;

use crate::{fault::shown, pointer_to};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Subschemas that may apply to one place of a body; a few references to each other can multiply beyond any use.
const STEPS_MAX: usize = 2_000;

/// Keywords whose value is one schema for the same place of the body.
pub(crate) const IN_PLACE: [&str; 4] = ["not", "if", "then", "else"];
/// Keywords whose value is a list of schemas for the same place of the body.
pub(crate) const IN_PLACE_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// Walks the whole document.
pub(crate) fn check(root: &Value) -> Result<(), SchemaError> {
    if !root.is_object() && !root.is_boolean() {
        return Err(refusal("", "a schema is an object, `true` or `false`"));
    }
    check_references(root, "")?;
    check_circles(root, root, "")
}

fn refusal(field: &str, detail: impl Into<String>) -> SchemaError {
    SchemaError {
        field: field.to_owned(),
        detail: detail.into(),
    }
}

fn check_references(value: &Value, at: &str) -> Result<(), SchemaError> {
    // BOUND: the parser limits nesting.
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_references(item, &format!("{at}/{index}"))?;
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                check_keyword(key, item, &pointer_to(at, key))?;
                check_references(item, &pointer_to(at, key))?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Only text is judged: a property that happens to be called `$ref` has a schema, not text.
fn check_keyword(key: &str, value: &Value, at: &str) -> Result<(), SchemaError> {
    let Value::String(text) = value else {
        return Ok(());
    };
    match key {
        "$schema" if text.trim_end_matches('#') != DRAFT => Err(refusal(
            at,
            format!("only draft 2020-12 is supported: `{DRAFT}`"),
        )),
        "$ref" if text != "#" && !text.starts_with("#/") => Err(refusal(
            at,
            "a reference is a pointer into this document, as in `#/$defs/name`",
        )),
        "$id" | "$anchor" | "$dynamicRef" | "$dynamicAnchor" | "$recursiveRef" => Err(refusal(
            at,
            format!("`{key}` is not supported; point with `#/$defs/name`"),
        )),
        _ => Ok(()),
    }
}

fn check_circles(root: &Value, value: &Value, at: &str) -> Result<(), SchemaError> {
    // BOUND: one walk per reference, each of at most STEPS_MAX steps.
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check_circles(root, item, &format!("{at}/{index}"))?;
            }
        }
        Value::Object(map) => {
            if map.get("$ref").is_some_and(Value::is_string) {
                let mut walk = Walk {
                    root,
                    start: at,
                    path: BTreeSet::new(),
                    steps: 0,
                };
                walk.follow(value)?;
            }
            for (key, item) in map {
                check_circles(root, item, &pointer_to(at, key))?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// One walk over everything that applies to the same place of the body.
struct Walk<'a> {
    root: &'a Value,
    start: &'a str,
    /// The references on the way here.
    path: BTreeSet<&'a str>,
    steps: usize,
}

impl<'a> Walk<'a> {
    fn follow(&mut self, schema: &'a Value) -> Result<(), SchemaError> {
        let Value::Object(map) = schema else {
            return Ok(());
        };
        self.steps += 1;
        if self.steps > STEPS_MAX {
            let detail = format!("more than {STEPS_MAX} subschemas apply to one place");
            return Err(refusal(self.start, detail));
        }
        if let Some(Value::String(reference)) = map.get("$ref") {
            self.follow_reference(reference)?;
        }
        for inner in IN_PLACE.iter().filter_map(|key| map.get(*key)) {
            self.follow(inner)?;
        }
        let lists = IN_PLACE_LISTS
            .iter()
            .filter_map(|key| map.get(*key)?.as_array());
        for inner in lists.flatten() {
            self.follow(inner)?;
        }
        let dependents = map.get("dependentSchemas").and_then(Value::as_object);
        for inner in dependents.into_iter().flat_map(|map| map.values()) {
            self.follow(inner)?;
        }
        Ok(())
    }

    fn follow_reference(&mut self, reference: &'a str) -> Result<(), SchemaError> {
        if !self.path.insert(reference) {
            let detail = format!("`{}` leads back to itself", shown(reference));
            return Err(refusal(self.start, detail));
        }
        let target = reference
            .strip_prefix('#')
            .and_then(|to| self.root.pointer(to));
        let Some(target) = target else {
            let detail = format!("`{}` is not in this document", shown(reference));
            return Err(refusal(self.start, detail));
        };
        self.follow(target)?;
        self.path.remove(reference);
        Ok(())
    }
}
