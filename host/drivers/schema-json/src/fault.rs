//! From the validator's errors to the port's faults: one per key, worded for people, without values of the body.
//!
//! INVARIANT: no text of the body but the names of its keys gets into a message, and no raw control character at all.

use aim_ports::schema::{SchemaFault, SchemaFaultKind};
use jsonschema::{ValidationError, error::ValidationErrorKind};
use serde_json::Value;

use crate::{pointer, pointer_to};

/// Characters of a message.
const MESSAGE_CHARS_MAX: usize = 300;

/// The faults that one error stands for.
pub(crate) fn faults(error: &ValidationError<'_>) -> Vec<SchemaFault> {
    let at = pointer(error.instance_path());
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => unexpected
            .iter()
            .map(|key| SchemaFault {
                kind: SchemaFaultKind::UnknownKey,
                field: pointer_to(&at, key),
                message: format!("the key `{}` is not known here", shown(key)),
            })
            .collect(),
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            vec![SchemaFault {
                kind: SchemaFaultKind::MissingKey,
                field: pointer_to(&at, key),
                message: format!("the key `{}` is missing", shown(key)),
            }]
        }
        kind => vec![SchemaFault {
            kind: SchemaFaultKind::Value,
            field: at,
            message: wanted(kind).unwrap_or_else(|| shown(&error.masked().to_string())),
        }],
    }
}

/// What the schema wants, where that can be said better than the validator does.
fn wanted(kind: &ValidationErrorKind) -> Option<String> {
    Some(match kind {
        ValidationErrorKind::Constant { expected_value } => {
            format!("must be {}", shown(&expected_value.to_string()))
        }
        ValidationErrorKind::Enum { options } => {
            let words: Vec<String> = options
                .as_array()?
                .iter()
                .map(|option| match option {
                    Value::String(word) => format!("`{}`", shown(word)),
                    other => shown(&other.to_string()),
                })
                .collect();
            shown(&format!("must be one of {}", words.join(", ")))
        }
        ValidationErrorKind::Pattern { pattern } => {
            format!("must match `{}`", shown(pattern))
        }
        ValidationErrorKind::Minimum { limit } => format!("must be at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("must be at most {limit}"),
        ValidationErrorKind::MinLength { limit } => {
            format!("must have at least {limit} characters")
        }
        ValidationErrorKind::MaxLength { limit } => format!("must have at most {limit} characters"),
        ValidationErrorKind::MinItems { limit } => format!("must have at least {limit} items"),
        ValidationErrorKind::MaxItems { limit } => format!("must have at most {limit} items"),
        ValidationErrorKind::AnyOf { .. } => "has none of the allowed forms".to_owned(),
        ValidationErrorKind::OneOfNotValid { .. } => "has none of the allowed forms".to_owned(),
        ValidationErrorKind::FalseSchema => "is not allowed here".to_owned(),
        _ => return None,
    })
}

/// Short and harmless.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == MESSAGE_CHARS_MAX {
            out.push_str("...");
            break;
        }
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}
