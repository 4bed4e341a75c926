//! Asks a condition of an output.
//!
//! INVARIANT: every way of not knowing is an error with its own reason, and an error never releases.

use alloc::{
    format,
    string::{String, ToString},
};

use serde_json::Value;

use super::{Comparison, Condition, Decimal, Literal, Operator, Root};
use crate::verdict::Verdict;

/// Why a condition has no answer. No variant carries a value of the output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// The step emitted nothing, several emissions, or one that is not JSON.
    #[error("there is no output: the step must emit exactly one JSON body")]
    NoOutput,
    /// The step was given no JSON body.
    #[error("there is no input: what the step is given has no JSON body")]
    NoInput,
    /// A field of the path is absent.
    #[error("`{0}` is missing")]
    Missing(String),
    /// A field of the path lies inside something that is not an object.
    #[error("`{0}` is {1}, so it has no fields")]
    NotAnObject(String, &'static str),
    /// The value and the literal have different types.
    #[error("`{path}` is {found}, but is compared with a {wanted}")]
    Mismatch {
        /// The path as written.
        path: String,
        /// What the output has.
        found: &'static str,
        /// What the condition compares with.
        wanted: &'static str,
    },
    /// A number that no exact decimal within bounds denotes.
    #[error("`{0}` is not a finite number of reasonable size")]
    NotANumber(String),
}

/// What a condition says about an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// `pass` when the condition holds, `fail` when it does not, `error` when nobody can tell.
    pub verdict: Verdict,
    /// One sentence for people and evidence, without any value of the output.
    pub reason: String,
}

/// Judges an output. `output` is the JSON body of the step's only emission, `None` when there is no such body.
#[must_use]
pub fn evaluate(condition: &Condition, output: Option<&Value>) -> Judgement {
    match holds(condition, output) {
        Ok(true) => Judgement {
            verdict: Verdict::Pass,
            reason: format!("`{condition}` holds"),
        },
        Ok(false) => Judgement {
            verdict: Verdict::Fail,
            reason: format!("`{condition}` does not hold"),
        },
        Err(error) => Judgement {
            verdict: Verdict::Error,
            reason: error.to_string(),
        },
    }
}

/// Says whether the condition holds for an output.
///
/// # Errors
/// [`EvaluateError`] when there is no output, the path leads nowhere, or types differ.
pub fn holds(condition: &Condition, output: Option<&Value>) -> Result<bool, EvaluateError> {
    let mut value = output.ok_or(match condition.root() {
        Root::Input => EvaluateError::NoInput,
        Root::Output => EvaluateError::NoOutput,
    })?;
    let mut path = String::from(condition.root().word());
    for field in condition.path() {
        let Value::Object(fields) = value else {
            return Err(EvaluateError::NotAnObject(path, kind(value)));
        };
        path.push('.');
        path.push_str(field);
        let Some(next) = fields.get(field) else {
            return Err(EvaluateError::Missing(path));
        };
        value = next;
    }
    match condition.comparison() {
        None => is_true(value, path),
        Some(comparison) => compare(value, comparison, path),
    }
}

fn is_true(value: &Value, path: String) -> Result<bool, EvaluateError> {
    Ok(match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => !exact(number, path)?.is_zero(),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    })
}

fn compare(value: &Value, comparison: &Comparison, path: String) -> Result<bool, EvaluateError> {
    let Comparison { literal, operator } = comparison;
    let mismatch = |path| EvaluateError::Mismatch {
        path,
        found: kind(value),
        wanted: literal.kind(),
    };
    match (value, literal) {
        (Value::Number(number), Literal::Number(wanted)) => {
            Ok(ordered(*operator, &exact(number, path)?, wanted))
        }
        // A document that was not checked at its border could order text: that has no answer either.
        _ if operator.orders() => Err(mismatch(path)),
        (Value::Bool(found), Literal::Boolean(wanted)) => Ok(ordered(*operator, found, wanted)),
        (Value::String(found), Literal::Text(wanted)) => Ok(ordered(*operator, found, wanted)),
        _ => Err(mismatch(path)),
    }
}

fn ordered<T: Ord + ?Sized>(operator: Operator, found: &T, wanted: &T) -> bool {
    match operator {
        Operator::Equal => found == wanted,
        Operator::NotEqual => found != wanted,
        Operator::AtLeast => found >= wanted,
        Operator::Above => found > wanted,
        Operator::AtMost => found <= wanted,
        Operator::Below => found < wanted,
    }
}

/// The shortest decimal that denotes the number, which is what its author wrote for up to 17 digits.
fn exact(number: &serde_json::Number, path: String) -> Result<Decimal, EvaluateError> {
    Decimal::parse_json(&number.to_string()).ok_or(EvaluateError::NotANumber(path))
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
