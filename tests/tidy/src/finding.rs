//! One broken rule at one place, and the assertion that there is none.
//!
//! INVARIANT: a failing rule prints every finding, not just the first.

use std::fmt;

/// What a rule reports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// A path, a path with a line, or the name of a crate.
    pub(crate) place: String,
    /// What is wrong there and what to do about it.
    pub(crate) says: String,
}

impl Finding {
    pub(crate) fn new(place: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            says: says.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.says)
    }
}

/// Fails with the whole list when a rule found something.
#[track_caller]
pub(crate) fn assert_none(mut findings: Vec<Finding>) {
    findings.sort();
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} found:\n{}",
        lines.len(),
        lines.join("\n")
    );
}

/// Fails unless some finding is about `place` and speaks of `word`: the shape of every negative control.
#[track_caller]
pub(crate) fn assert_found(findings: &[Finding], place: &str, word: &str) {
    let hit = findings
        .iter()
        .any(|f| f.place.contains(place) && f.says.contains(word));
    assert!(hit, "nothing about `{word}` at `{place}` in {findings:#?}");
}
