//! How much work a body is under its schema, counted before it is done.
//!
//! Subschemas that apply to one place are few, but a body has many places inside of one another: two references to the same
//! definition on every level double the work with each level, and a body of two hundred bytes keeps a validator for years.
//!
//! INVARIANT: the count is never below the number of times that a validator applies a subschema to a place, and counting ends
//! at [`VISITS_MAX`].

use serde_json::Value;

use crate::closed::{IN_PLACE, IN_PLACE_LISTS};

/// Subschemas that are applied to one body at most: a payload of a mebibyte holds half a million numbers.
const VISITS_MAX: u32 = 1_000_000;
/// Subschemas inside of one another, on their way into the body.
const DEPTH_MAX: usize = 1_000;

/// Keywords that apply one schema to each value of an object.
const EACH_VALUE: [&str; 2] = ["additionalProperties", "unevaluatedProperties"];
/// Keywords that apply one schema to each item of a list.
const EACH_ITEM: [&str; 3] = ["items", "contains", "unevaluatedItems"];
/// Keywords that look at what the others have applied, by doing it again.
const AGAIN: [&str; 2] = ["unevaluatedProperties", "unevaluatedItems"];

/// True when the work ends within bounds.
pub(crate) fn is_bounded(schema: &Value, body: &Value) -> bool {
    let mut count = Count {
        root: schema,
        left: VISITS_MAX,
    };
    count.apply(schema, body, 0).is_some()
}

struct Count<'a> {
    root: &'a Value,
    left: u32,
}

impl<'a> Count<'a> {
    /// Counts `schema` and everything that it applies to `body`; `None` when that is too much.
    fn apply(&mut self, schema: &'a Value, body: &Value, depth: usize) -> Option<()> {
        // BOUND: every call takes one of what is left.
        self.left = self.left.checked_sub(1)?;
        let depth = depth + 1;
        let Value::Object(map) = schema else {
            return Some(());
        };
        if depth > DEPTH_MAX {
            return None;
        }
        let times = 1 + usize::from(AGAIN.iter().any(|key| map.contains_key(*key)));
        for _ in 0..times {
            if let Some(Value::String(reference)) = map.get("$ref") {
                let target = reference
                    .strip_prefix('#')
                    .and_then(|to| self.root.pointer(to));
                self.apply(target?, body, depth)?;
            }
            self.each(IN_PLACE.iter().filter_map(|key| map.get(*key)), body, depth)?;
            let lists = IN_PLACE_LISTS
                .iter()
                .filter_map(|key| map.get(*key)?.as_array());
            self.each(lists.flatten(), body, depth)?;
            let dependents = map.get("dependentSchemas").and_then(Value::as_object);
            self.each(
                dependents.into_iter().flat_map(|map| map.values()),
                body,
                depth,
            )?;
        }
        match body {
            Value::Object(fields) => fields
                .iter()
                .try_for_each(|(name, value)| self.field(map, name, value, depth)),
            Value::Array(items) => (items.iter().enumerate())
                .try_for_each(|(index, item)| self.item(map, index, item, depth)),
            _ => Some(()),
        }
    }

    fn each(
        &mut self,
        mut schemas: impl Iterator<Item = &'a Value>,
        body: &Value,
        depth: usize,
    ) -> Option<()> {
        schemas.try_for_each(|schema| self.apply(schema, body, depth))
    }

    /// A pattern counts for every name: which ones fit is the validator's business.
    fn field(
        &mut self,
        map: &'a serde_json::Map<String, Value>,
        name: &str,
        value: &Value,
        depth: usize,
    ) -> Option<()> {
        let named = map.get("properties").and_then(|all| all.get(name));
        let patterns = map.get("patternProperties").and_then(Value::as_object);
        let patterns = patterns.into_iter().flat_map(|all| all.values());
        let others = EACH_VALUE.iter().filter_map(|key| map.get(*key));
        self.each(
            named.into_iter().chain(patterns).chain(others),
            value,
            depth,
        )?;
        self.each(map.get("propertyNames").into_iter(), &Value::Null, depth)
    }

    fn item(
        &mut self,
        map: &'a serde_json::Map<String, Value>,
        index: usize,
        item: &Value,
        depth: usize,
    ) -> Option<()> {
        let placed = map.get("prefixItems").and_then(|all| all.get(index));
        let others = EACH_ITEM.iter().filter_map(|key| map.get(*key));
        self.each(placed.into_iter().chain(others), item, depth)
    }
}
