//! The JSON Schemas of what people write, generated from the types that read it.
//!
//! They are committed under `contracts/schemas` so that editors and other tools can use them; a test holds the files against
//! what is generated here.
//!
//! INVARIANT: a document that a schema refuses is refused by the loader too.

use aim_core::contract::{NodeDocument, RuntimeHostDocument};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

use crate::deployment::AuthoredDeployment;

/// Every schema: its name under `contracts/schemas`, and its text as it is committed.
#[must_use]
pub fn schemas() -> Vec<(&'static str, String)> {
    ["node", "runtime-host", "deployment"]
        .into_iter()
        .map(|name| (name, schema_of(name)))
        .collect()
}

pub(crate) fn schema_of(name: &str) -> String {
    let (title, schema) = match name {
        "node" => ("Node contract", generate::<NodeDocument>()),
        "runtime-host" => ("Runtime host contract", generate::<RuntimeHostDocument>()),
        "deployment" => ("Deployment (aim.toml)", generate::<AuthoredDeployment>()),
        // An unknown name gets the schema that nothing fits.
        _ => return "false".to_owned(),
    };
    let mut root = Map::new();
    if let Value::Object(map) = schema {
        root = map;
    }
    root.insert("title".to_owned(), Value::String(title.to_owned()));
    let mut text = serde_json::to_string_pretty(&sorted(Value::Object(root))).unwrap_or_default();
    text.push('\n');
    text
}

fn generate<T: JsonSchema>() -> Value {
    let generator = SchemaGenerator::new(SchemaSettings::draft2020_12());
    let mut value = generator.into_root_schema_for::<T>().to_value();
    tidy(&mut value);
    value
}

/// Makes the derived schemas say what the loader does: an absent key is not `null`, a list of words is an `enum`, and a
/// number's width in memory is nobody's business.
fn tidy(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(map) => {
            map.values_mut().for_each(tidy);
            drop_null(map);
            fold_words(map);
            fold_single(map);
            if map
                .get("type")
                .is_some_and(|kind| kind == "integer" || kind == "number")
            {
                map.remove("format");
            }
        }
        _ => {}
    }
}

/// `"type": ["string", "null"]` and `anyOf: [x, null]` come from `Option`.
fn drop_null(map: &mut Map<String, Value>) {
    if let Some(Value::Array(kinds)) = map.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(options)) = map.get_mut("anyOf") {
        options.retain(|option| option.get("type").is_none_or(|kind| kind != "null"));
    }
    if map.get("default").is_some_and(Value::is_null) {
        map.remove("default");
    }
}

/// `oneOf` over single words with a description each becomes one `enum`, so that a fault can list the words.
fn fold_words(map: &mut Map<String, Value>) {
    let Some(Value::Array(options)) = map.get("oneOf") else {
        return;
    };
    let mut words = Vec::new();
    for option in options {
        match (option.get("const"), option.get("enum")) {
            (Some(word), _) => words.push(word.clone()),
            (None, Some(Value::Array(more))) => words.extend(more.iter().cloned()),
            _ => return,
        }
    }
    map.remove("oneOf");
    map.insert("type".to_owned(), Value::String("string".to_owned()));
    map.insert("enum".to_owned(), Value::Array(words));
}

/// `anyOf` with one member left is that member.
fn fold_single(map: &mut Map<String, Value>) {
    let Some(Value::Array(options)) = map.get("anyOf") else {
        return;
    };
    let [Value::Object(only)] = options.as_slice() else {
        return;
    };
    let only = only.clone();
    map.remove("anyOf");
    for (key, value) in only {
        map.entry(key).or_insert(value);
    }
}

/// With keys sorted, whatever features `serde_json` was built with.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Object(map) => {
            let ordered: std::collections::BTreeMap<String, Value> = map.into_iter().collect();
            ordered
                .into_iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect::<Map<String, Value>>()
                .into()
        }
        scalar => scalar,
    }
}

#[cfg(test)]
mod tests;
