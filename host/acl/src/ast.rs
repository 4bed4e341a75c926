//! What a source says, before anybody asked whether it makes sense. Every surface form parses to this.
//!
//! INVARIANT: every span lies inside the source that the tree was parsed from; a part that could not be understood is
//! absent here and present among the diagnostics.

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use aim_core::{
    condition::Condition,
    name::StepName,
    plan::{Action, LanguageVersion},
};

/// A value and the bytes that said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its bytes in the source.
    pub span: Range<usize>,
}

/// A whole source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ast {
    /// The header; absent when the source has none.
    pub header: Option<Header>,
    /// The plan's analogy.
    pub quip: Option<Spanned<String>>,
    /// What all steps together may use.
    pub budget: Option<Budget>,
    /// Conditions on the plan's result.
    pub gates: Vec<Gate>,
    /// Declared roles.
    pub roles: Vec<Role>,
    /// Steps in source order.
    pub steps: Vec<Step>,
}

/// `PLAN name v1.0:`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The plan's name.
    pub name: Option<Spanned<StepName>>,
    /// The language version, where one is written.
    pub version: Option<Spanned<LanguageVersion>>,
    /// The whole statement.
    pub span: Range<usize>,
}

/// `ROLE name: kind(key=value, ...)`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The role's name.
    pub name: Spanned<StepName>,
    /// Its kind.
    pub kind: Option<Spanned<StepName>>,
    /// Its parameters in source order, without quotes.
    pub params: Vec<(Spanned<StepName>, Spanned<String>)>,
}

/// `STEP name:` and the statements below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The step's name.
    pub name: Option<Spanned<StepName>>,
    /// The header statement.
    pub span: Range<usize>,
    /// Who does it.
    pub assign: Option<Assign>,
    /// What it waits for.
    pub requires: Vec<Require>,
    /// What it may use.
    pub budget: Option<Budget>,
    /// Conditions on its output.
    pub gates: Vec<Gate>,
}

/// `ASSIGN role: "description"`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assign {
    /// The role.
    pub role: Option<Spanned<StepName>>,
    /// What is to be done.
    pub description: Option<Spanned<String>>,
    /// The whole statement.
    pub span: Range<usize>,
}

/// One name of `REQUIRES a, b?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Require {
    /// The step that is waited for.
    pub step: Spanned<StepName>,
    /// Whether a question mark follows.
    pub is_optional: bool,
}

/// `BUDGET tokens=N, time=Ns, tools=N`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The whole statement.
    pub span: Range<usize>,
    /// Model tokens.
    pub tokens: Option<u64>,
    /// Wall time in milliseconds.
    pub time_ms: Option<u64>,
    /// Tool calls.
    pub tools: Option<u64>,
    /// True when a part could not be understood, so that a missing one means nothing.
    pub is_faulty: bool,
}

/// `GATE name: condition`, or `GATE name:` with `CHECK condition`; either with `ON_FAIL action`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The gate's name.
    pub name: Option<Spanned<StepName>>,
    /// The header statement.
    pub span: Range<usize>,
    /// What is asked; absent when it is missing or could not be understood.
    pub check: Option<Spanned<Check>>,
    /// True once a condition was written, understood or not.
    pub has_check: bool,
    /// What happens when it does not hold, where that is written.
    pub on_fail: Option<Spanned<Option<Action>>>,
}

/// A condition and its spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The parsed condition.
    pub condition: Condition,
    /// The text as written, tabs as blanks.
    pub source: String,
}
