//! Reads arguments out of JSON.
//! INVARIANT: an argument that is missing or of another type is invalid input; nothing is guessed.

use aim_sdk::attest::Relation;
use aim_sdk::log::Level;
use aim_sdk::serde_json::Value;
use aim_sdk::{ArtifactRef, StepError};

fn missing(name: &str, kind: &str) -> StepError {
    StepError::invalid_input(format!("argument `{name}` must be {kind}"))
}

/// A text argument.
pub(crate) fn text(with: &Value, name: &str) -> Result<String, StepError> {
    with.get(name)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| missing(name, "text"))
}

/// A whole number argument.
pub(crate) fn number(with: &Value, name: &str) -> Result<u64, StepError> {
    with.get(name)
        .and_then(Value::as_u64)
        .ok_or_else(|| missing(name, "a whole number"))
}

/// A whole number argument of 32 bits.
pub(crate) fn number32(with: &Value, name: &str) -> Result<u32, StepError> {
    u32::try_from(number(with, name)?).map_err(|_| missing(name, "a number of 32 bits"))
}

/// A byte argument: text, or a list of numbers.
pub(crate) fn bytes(with: &Value, name: &str) -> Result<Vec<u8>, StepError> {
    match with.get(name) {
        Some(Value::String(text)) => Ok(text.clone().into_bytes()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_u64().and_then(|byte| u8::try_from(byte).ok()))
            .collect::<Option<Vec<u8>>>()
            .ok_or_else(|| missing(name, "a list of bytes")),
        _ => Err(missing(name, "text or a list of bytes")),
    }
}

/// A list argument of byte arguments.
pub(crate) fn chunks(with: &Value, name: &str) -> Result<Vec<Vec<u8>>, StepError> {
    let items = with
        .get(name)
        .and_then(Value::as_array)
        .ok_or_else(|| missing(name, "a list"))?;
    items
        .iter()
        .map(|item| bytes(&aim_sdk::serde_json::json!({ "item": item }), "item"))
        .collect()
}

/// An artifact reference argument, its members as in the WIT record.
pub(crate) fn artifact(with: &Value, name: &str) -> Result<ArtifactRef, StepError> {
    let value = with.get(name).ok_or_else(|| missing(name, "an artifact"))?;
    Ok(ArtifactRef {
        digest: text(value, "digest")?,
        media_type: text(value, "media-type")?,
        size_bytes: number(value, "size-bytes")?,
    })
}

/// A relation argument by its WIT name.
pub(crate) fn relation(with: &Value, name: &str) -> Result<Relation, StepError> {
    match text(with, name)?.as_str() {
        "derives-from" => Ok(Relation::DerivesFrom),
        "supports" => Ok(Relation::Supports),
        "contradicts" => Ok(Relation::Contradicts),
        "cites" => Ok(Relation::Cites),
        _ => Err(missing(name, "a relation")),
    }
}

/// A level argument by its WIT name.
pub(crate) fn level(with: &Value, name: &str) -> Result<Level, StepError> {
    match text(with, name)?.as_str() {
        "trace" => Ok(Level::Trace),
        "debug" => Ok(Level::Debug),
        "info" => Ok(Level::Info),
        "warn" => Ok(Level::Warn),
        "error" => Ok(Level::Error),
        _ => Err(missing(name, "a level")),
    }
}

/// Log fields: an object of texts, or a list of pairs where order or repetition matters.
pub(crate) fn fields(with: &Value, name: &str) -> Result<Vec<(String, String)>, StepError> {
    let not_fields = || missing(name, "an object of texts or a list of pairs of texts");
    match with.get(name) {
        None => Ok(Vec::new()),
        Some(Value::Object(members)) => members
            .iter()
            .map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(not_fields),
        Some(Value::Array(pairs)) => pairs
            .iter()
            .map(|pair| {
                Some((
                    pair.get(0)?.as_str()?.to_owned(),
                    pair.get(1)?.as_str()?.to_owned(),
                ))
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(not_fields),
        Some(_) => Err(not_fields()),
    }
}
