//! Cases: a policy, a request and the verdict that somebody expects, as rows of a TOML file.
//!
//! ```toml
//! [policies.logs]
//! text = '@id("logs") permit(principal, action == Aim::Action::"log", resource);'
//!
//! [[case]]
//! name = "anybody may log"
//! policy = ["logs"]
//! request = { action = "log", plan = "triage", step = "ingest", node = "ingest", component = "blake3:...", tenant = "global" }
//! verdict = "allow"
//! ```
//!
//! INVARIANT: a case without a policy that loads is denied, and so is one whose request does not exist; a verdict is never
//! taken from the file.

use std::{collections::BTreeMap, fmt};

use aim_core::access::{AccessDecision, WrittenRequest};
use aim_ports::policy::Policy as _;
use serde::Deserialize;

use crate::{CedarPolicy, PolicySource};

/// What a policy says to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseVerdict {
    /// Allowed.
    Allow,
    /// Allowed once a person approves.
    Approve,
    /// Denied.
    Deny,
}

impl CaseVerdict {
    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }

    /// The verdict of a decision.
    #[must_use]
    pub const fn of(decision: &AccessDecision) -> Self {
        match (decision.is_permitted, decision.is_approvable) {
            (true, _) => Self::Allow,
            (false, true) => Self::Approve,
            (false, false) => Self::Deny,
        }
    }
}

impl fmt::Display for CaseVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The policies of the file that are taken together, in this order; the one that is tested when absent.
    pub policy: Option<Vec<String>>,
    /// The request.
    pub request: WrittenRequest,
    /// The verdict that is expected.
    pub verdict: CaseVerdict,
    /// The rules that are expected to decide; not looked at when absent.
    pub rules: Option<Vec<String>>,
    /// The code of the first fault that is expected when the policy does not load; when absent, it has to load.
    pub code: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedPolicy {
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    policies: BTreeMap<String, NamedPolicy>,
    /// Filled into every request where it says nothing.
    #[serde(default)]
    request: WrittenRequest,
    #[serde(default)]
    case: Vec<Case>,
}

/// A file of cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cases {
    policies: BTreeMap<String, PolicySource>,
    cases: Vec<Case>,
}

/// Why a file holds no cases.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CasesError {
    /// It is no TOML of that shape.
    #[error("the cases can't be read: {0}")]
    Shape(String),
    /// It holds no case.
    #[error("the file holds no case: add a `[[case]]`")]
    Empty,
    /// A case takes a policy that is not in the file.
    #[error("case `{case}` takes the policy `{policy}`, which the file does not hold")]
    NoPolicy {
        /// The case.
        case: String,
        /// The name.
        policy: String,
    },
    /// A case takes the tested policy and there is none.
    #[error(
        "case `{0}` names no policy, and none is tested: give it `policy` or the command `--policy`"
    )]
    NoneTested(String),
}

impl CasesError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "AIM-P010"
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        "see docs/guides/policy.md for the shape of a file of cases".to_owned()
    }
}

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseResult {
    /// The case's name.
    pub name: String,
    /// The verdict that was expected.
    pub expected: CaseVerdict,
    /// The verdict.
    pub verdict: CaseVerdict,
    /// The rules that decided.
    pub rules: Vec<String>,
    /// Why the policy or the request was not taken, with its code.
    pub refusal: Option<(String, String)>,
    /// What differs from what the case says; empty when nothing does.
    pub differs: Vec<String>,
}

impl Cases {
    /// Reads a file of cases.
    ///
    /// # Errors
    /// [`CasesError`]; a case is never left out.
    pub fn parse(text: &str) -> Result<Self, CasesError> {
        let document: Document =
            toml::from_str(text).map_err(|error| CasesError::Shape(error.to_string()))?;
        if document.case.is_empty() {
            return Err(CasesError::Empty);
        }
        let policies: BTreeMap<String, PolicySource> = document
            .policies
            .into_iter()
            .map(|(name, NamedPolicy { text })| {
                let source = PolicySource {
                    name: name.clone(),
                    text,
                };
                (name, source)
            })
            .collect();
        let base = document.request;
        let mut cases = document.case;
        for case in &mut cases {
            for policy in case.policy.iter().flatten() {
                if !policies.contains_key(policy) {
                    return Err(CasesError::NoPolicy {
                        case: case.name.clone(),
                        policy: policy.clone(),
                    });
                }
            }
            fill(&mut case.request, &base);
        }
        Ok(Self { policies, cases })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// True when there is none; a file that was read has at least one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// Decides every case, in order. `tested` is the policy for those that name none.
    ///
    /// # Errors
    /// [`CasesError::NoneTested`].
    pub fn run(&self, tested: Option<&CedarPolicy>) -> Result<Vec<CaseResult>, CasesError> {
        self.cases
            .iter()
            .map(|case| self.one(case, tested))
            .collect()
    }

    fn one(&self, case: &Case, tested: Option<&CedarPolicy>) -> Result<CaseResult, CasesError> {
        let Some(names) = &case.policy else {
            let none = || CasesError::NoneTested(case.name.clone());
            return Ok(decided(case, tested.ok_or_else(none)?));
        };
        let mut sources: Vec<PolicySource> = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let Some(source) = self.policies.get(name) else {
                continue;
            };
            let is_again = names.iter().take(index).any(|before| before == name);
            // A file taken twice is another file with the same rules.
            let name = if is_again {
                format!("{name}-{index}")
            } else {
                name.clone()
            };
            sources.push(PolicySource {
                name,
                text: source.text.clone(),
            });
        }
        Ok(match CedarPolicy::compile(&sources) {
            Ok(policy) => decided(case, &policy),
            Err(error) => result(
                case,
                CaseVerdict::Deny,
                Vec::new(),
                Some((error.code(), error.to_string())),
            ),
        })
    }
}

fn decided(case: &Case, policy: &CedarPolicy) -> CaseResult {
    match case.request.request() {
        Ok(request) => {
            let decision = policy.decide(&request);
            result(case, CaseVerdict::of(&decision), decision.rules, None)
        }
        // A request that can't exist is denied whatever the policy says; it is no fault of the policy.
        Err(unknown) => CaseResult {
            refusal: Some((unknown.code().to_owned(), unknown.to_string())),
            ..result(case, CaseVerdict::Deny, Vec::new(), None)
        },
    }
}

fn result(
    case: &Case,
    verdict: CaseVerdict,
    rules: Vec<String>,
    refusal: Option<(&str, String)>,
) -> CaseResult {
    let mut differs = Vec::new();
    if verdict != case.verdict {
        differs.push(format!("expected {}, is {verdict}", case.verdict));
    }
    let code = refusal.as_ref().map(|(code, _)| *code);
    if code != case.code.as_deref() {
        let word = |code: Option<&str>| code.unwrap_or("a policy that loads").to_owned();
        differs.push(format!(
            "expected {}, is {}",
            word(case.code.as_deref()),
            word(code)
        ));
    }
    if let Some(expected) = case.rules.as_ref().filter(|expected| **expected != rules) {
        differs.push(format!("expected the rules {expected:?}, are {rules:?}"));
    }
    CaseResult {
        name: case.name.clone(),
        expected: case.verdict,
        verdict,
        rules,
        refusal: refusal.map(|(code, message)| (code.to_owned(), message)),
        differs,
    }
}

/// Fills what a request leaves out. An empty text stands for something that is left out on purpose.
fn fill(request: &mut WrittenRequest, base: &WrittenRequest) {
    let fields = [
        (&mut request.action, &base.action),
        (&mut request.address, &base.address),
        (&mut request.autonomy, &base.autonomy),
        (&mut request.component, &base.component),
        (&mut request.kind, &base.kind),
        (&mut request.node, &base.node),
        (&mut request.plan, &base.plan),
        (&mut request.resource, &base.resource),
        (&mut request.step, &base.step),
        (&mut request.tenant, &base.tenant),
    ];
    for (field, base) in fields {
        match field.as_deref() {
            Some("") => *field = None,
            None => field.clone_from(base),
            Some(_) => {}
        }
    }
}
