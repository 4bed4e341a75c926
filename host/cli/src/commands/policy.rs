//! `policy`: validating, trying, explaining, comparing and writing operator policies.
//!
//! INVARIANT: nothing here runs a guest, and only `approve` writes: a signed answer that changes what runs are granted.

mod approve;
mod asked;
mod check;
mod compare;
mod explain;
mod suggest;
mod test;

use std::path::Path;

use aim_core::access::WrittenRequest;
use aim_policy_cedar::{CedarPolicy, Change, Explanation, RuleRef};
use serde::Serialize;

use crate::{
    commands::run::{compile_policy, load_error},
    error::CliError,
    render::lines::Lines,
};

pub(crate) use approve::approve;
pub(crate) use check::check;
pub(crate) use compare::diff;
pub(crate) use explain::explain;
pub(crate) use suggest::suggest;
pub(crate) use test::test;

/// Reads and compiles a policy.
///
/// # Errors
/// Exit 6 when it is not there, 2 with every fault when it is no policy.
pub(crate) fn load(path: &Path) -> Result<CedarPolicy, CliError> {
    let files = aim_registry_dir::read_policy(path).map_err(|error| load_error(&error))?;
    compile_policy(files)
}

/// A rule as documents show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownRule {
    name: String,
    file: String,
    line: usize,
    effect: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    wants_approval: bool,
}

impl From<&RuleRef> for ShownRule {
    fn from(rule: &RuleRef) -> Self {
        Self {
            name: rule.name.clone(),
            file: rule.file.clone(),
            line: rule.line,
            effect: if rule.is_forbid { "forbid" } else { "permit" },
            wants_approval: rule.wants_approval,
        }
    }
}

impl ShownRule {
    /// `name (file:line)`.
    pub(crate) fn text(&self) -> String {
        let approval = if self.wants_approval {
            ", once a person approves"
        } else {
            ""
        };
        format!("{} ({}:{}){approval}", self.name, self.file, self.line)
    }
}

/// An explanation as documents show it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownExplanation {
    request: WrittenRequest,
    verdict: &'static str,
    permits: Vec<ShownRule>,
    forbids: Vec<ShownRule>,
    change: ShownChange,
}

/// The smallest change.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownChange {
    /// `nothing`, `approve`, `add`, `except`, `repair` or `impossible`.
    kind: &'static str,
    /// A rule to add.
    #[serde(skip_serializing_if = "Option::is_none")]
    add: Option<String>,
    /// A clause for rules that forbid.
    #[serde(skip_serializing_if = "Option::is_none")]
    clause: Option<String>,
    /// The rules that are meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<ShownRule>,
}

impl ShownExplanation {
    pub(crate) fn new(request: WrittenRequest, explanation: &Explanation) -> Self {
        let shown = |rules: &[RuleRef]| rules.iter().map(ShownRule::from).collect::<Vec<_>>();
        let (kind, add, clause, rules) = match &explanation.change {
            Change::Nothing => ("nothing", None, None, Vec::new()),
            Change::Approve => ("approve", None, None, shown(&explanation.permits)),
            Change::Add(rule) => ("add", Some(rule.clone()), None, Vec::new()),
            Change::Except { rules, clause, add } => {
                ("except", add.clone(), Some(clause.clone()), shown(rules))
            }
            Change::Repair(rules) => ("repair", None, None, shown(rules)),
            Change::Impossible => ("impossible", None, None, Vec::new()),
        };
        Self {
            request,
            verdict: aim_policy_cedar::cases::CaseVerdict::of(&explanation.decision).word(),
            permits: shown(&explanation.permits),
            forbids: shown(&explanation.forbids),
            change: ShownChange {
                kind,
                add,
                clause,
                rules,
            },
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut lines = Lines::new(9);
        lines.add("verdict", self.verdict);
        for rule in &self.permits {
            lines.add("permits", rule.text());
        }
        for rule in &self.forbids {
            lines.add("forbids", rule.text());
        }
        if self.permits.is_empty() && self.forbids.is_empty() {
            lines.add(
                "rules",
                "none is about it, and what no rule permits is denied",
            );
        }
        let what = match self.change.kind {
            "nothing" => "none is needed",
            "approve" => {
                "the rules that permit it want a person's approval (`aimctl policy approve`); until there is one it is denied"
            }
            "add" => "add this rule:",
            "except" => "add this clause to each rule that forbids:",
            "repair" => "repair the rules that fail when they are evaluated",
            _ => "none: this host knows no such request",
        };
        lines.add("change", what);
        for rule in self
            .change
            .rules
            .iter()
            .filter(|_| self.change.kind == "repair")
        {
            lines.add("", rule.text());
        }
        for line in self.change.clause.iter().flat_map(|clause| clause.lines()) {
            lines.add("", format!("  {line}"));
        }
        if self.change.kind == "except" && self.change.add.is_some() {
            lines.add("", "and add this rule:");
        }
        for line in self.change.add.iter().flat_map(|rule| rule.lines()) {
            lines.add("", format!("  {line}"));
        }
        lines.into_text()
    }
}
