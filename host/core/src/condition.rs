//! The closed language of plan gates: one path into a step's output, at most one comparison with one literal.
//!
//! There is nothing to call, nothing to bind and nothing to loop over, so a condition needs no sandbox of its own.
//! Conjunction is several gates. What a path means is fixed: `output` is the JSON body of the step's only emission,
//! `input` that of its envelope.
//!
//! INVARIANT: judging never panics, never improves on doubt (missing, mismatched and absent are `error`), and a reason
//! names paths and types but never repeats a value of the output, because reasons outlive redaction.

use alloc::{string::String, vec::Vec};
use core::fmt;

use serde::{Deserialize, Serialize};

mod decimal;
mod evaluate;
mod parse;

pub use decimal::Decimal;
pub use evaluate::{EvaluateError, Judgement, evaluate, holds};
pub use parse::{ConditionError, ConditionErrorKind};

/// The most fields that a path may have.
pub const FIELDS_MAX: usize = 16;
/// The most bytes that a condition may have.
pub const SOURCE_BYTES_MAX: usize = 1024;

/// A parsed condition: `output.<field>[.<field>...]` or `input.<field>...`, alone or compared with a literal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The comparison; without one the value at the path is asked for its truth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comparison: Option<Comparison>,
    /// Field names below the root, outermost first; never empty.
    path: Vec<String>,
    /// What the path leads into.
    #[serde(default, skip_serializing_if = "Root::is_output")]
    root: Root,
}

/// What a condition's path leads into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Root {
    /// The body of the step's envelope.
    Input,
    /// The body of the step's only emission.
    #[default]
    Output,
}

impl Root {
    /// The root as it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks with a reference"
    )]
    fn is_output(&self) -> bool {
        *self == Self::Output
    }
}

/// An operator and what the value is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// The right-hand side.
    pub literal: Literal,
    /// The operator.
    pub operator: Operator,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operator {
    /// Equal.
    #[serde(rename = "==")]
    Equal,
    /// Greater or equal; numbers only.
    #[serde(rename = ">=")]
    AtLeast,
    /// Greater; numbers only.
    #[serde(rename = ">")]
    Above,
    /// Less or equal; numbers only.
    #[serde(rename = "<=")]
    AtMost,
    /// Less; numbers only.
    #[serde(rename = "<")]
    Below,
    /// Not equal.
    #[serde(rename = "!=")]
    NotEqual,
}

/// The right-hand side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Literal {
    /// `true` or `false`, however the plan capitalised it.
    Boolean(bool),
    /// An exact decimal.
    Number(Decimal),
    /// A quoted text.
    Text(String),
}

impl Condition {
    /// Returns what the path leads into.
    #[must_use]
    pub const fn root(&self) -> Root {
        self.root
    }

    /// Returns the field names below the root, outermost first.
    #[must_use]
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// Returns the comparison; `None` asks the value for its truth.
    #[must_use]
    pub const fn comparison(&self) -> Option<&Comparison> {
        self.comparison.as_ref()
    }
}

impl Operator {
    /// The operator as it is written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::AtLeast => ">=",
            Self::Above => ">",
            Self::AtMost => "<=",
            Self::Below => "<",
            Self::NotEqual => "!=",
        }
    }

    /// True for the operators that need an order, which only numbers have.
    #[must_use]
    pub const fn orders(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

impl Literal {
    /// The type's word in messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
        }
    }
}

/// Writes the canonical spelling, which parses to the same condition.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root.word())?;
        for field in &self.path {
            write!(f, ".{field}")?;
        }
        match &self.comparison {
            None => Ok(()),
            Some(Comparison { literal, operator }) => {
                write!(f, " {} {literal}", operator.symbol())
            }
        }
    }
}

/// Writes the literal as a plan would.
impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(text) => {
                f.write_str("\"")?;
                for c in text.chars() {
                    if matches!(c, '"' | '\\') {
                        f.write_str("\\")?;
                    }
                    write!(f, "{c}")?;
                }
                f.write_str("\"")
            }
        }
    }
}

#[cfg(test)]
mod tests;
