//! What a method found, or why it would rather not say.
//! INVARIANT: a finding cites at least one line of the selection that it was given.

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::log::{Component, Log};
use crate::select::Picked;
use crate::time::as_text;

/// A line by its place, with what must be true of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// The file.
    pub file: Log,
    /// The line's number, from 1.
    pub line: u32,
    /// When it was written.
    #[serde(with = "as_text")]
    pub time: u64,
    /// BLAKE3 of the masked line.
    pub digest: String,
}

/// What one method says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The method.
    pub method: String,
    /// What broke; absent when the method sees a fault that it can't name.
    pub cause: Option<Cause>,
    /// Where it broke.
    pub component: Option<Component>,
    /// The first sign of it.
    #[serde(with = "as_text")]
    pub onset: u64,
    /// How exact the clock behind `onset` is, in milliseconds.
    pub resolution_ms: u64,
    /// How sure, in parts per million.
    pub confidence_ppm: u32,
    /// What was seen, in one sentence.
    pub why: String,
    /// The lines that show it, causes first.
    pub cited: Vec<Citation>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abstains {
    /// The reason, for people.
    pub reason: String,
    /// How sure the best answer would have been, in parts per million.
    pub confidence_ppm: u32,
}

impl Abstains {
    /// No answer at all.
    #[must_use]
    pub fn because(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            confidence_ppm: 0,
        }
    }
}

impl Citation {
    /// Cites a picked line.
    #[must_use]
    pub fn of(picked: &Picked) -> Self {
        Self {
            file: picked.file,
            line: picked.line,
            time: picked.time,
            digest: picked.digest.clone(),
        }
    }
}
