//! Why a request is decided as it is, and the smallest change that would allow it.
//!
//! INVARIANT: an explanation is made by the same evaluation as the decision; a change that is named really allows the
//! request, which a test holds it to.

use aim_core::access::{AccessDecision, AccessRequest, smallest_permit, smallest_unless};
use aim_ports::policy::Policy as _;
use cedar_policy::{Effect, PolicyId, PolicySet};

use crate::{CedarPolicy, compile};

/// A rule and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRef {
    /// Its name.
    pub name: String,
    /// The file, as it is called in the policy.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// True for `forbid`.
    pub is_forbid: bool,
    /// True for a `permit` that counts only once a person approved.
    pub wants_approval: bool,
}

/// The smallest change that would allow a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// None: it is allowed.
    Nothing,
    /// A person has to approve it.
    Approve,
    /// This rule has to be added.
    Add(String),
    /// These rules have to make an exception, and this rule has to be added where nothing else permits.
    Except {
        /// The rules that forbid.
        rules: Vec<RuleRef>,
        /// The clause that each of them needs.
        clause: String,
        /// The rule to add; absent when some rule permits already.
        add: Option<String>,
    },
    /// These rules fail when they are evaluated, and a rule that fails denies.
    Repair(Vec<RuleRef>),
    /// Nothing: the request is about something that does not exist for this host.
    Impossible,
}

/// Why a request is decided as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub decision: AccessDecision,
    /// Rules that permit it, whatever else forbids it.
    pub permits: Vec<RuleRef>,
    /// Rules that forbid it.
    pub forbids: Vec<RuleRef>,
    /// The smallest change that would allow it.
    pub change: Change,
}

impl CedarPolicy {
    /// Every rule, in the order of files and lines.
    #[must_use]
    pub fn rules(&self) -> Vec<RuleRef> {
        let mut rules: Vec<RuleRef> = self.places.keys().map(|name| self.rule(name)).collect();
        rules.sort_by(|a, b| (&a.file, a.line, &a.name).cmp(&(&b.file, b.line, &b.name)));
        rules
    }

    /// The rule of that name; for a name that is no rule's, one without a place.
    #[must_use]
    pub fn rule(&self, name: &str) -> RuleRef {
        let place = self.places.get(name);
        let rule = self.rules.policy(&PolicyId::new(name));
        RuleRef {
            name: name.to_owned(),
            file: place.map(|place| place.file.clone()).unwrap_or_default(),
            line: place.map_or(0, |place| place.line),
            is_forbid: rule.is_some_and(|rule| rule.effect() == Effect::Forbid),
            wants_approval: rule.is_some_and(|rule| rule.annotation(compile::APPROVAL).is_some()),
        }
    }

    /// Explains one decision.
    #[must_use]
    pub fn explain(&self, asked: &AccessRequest) -> Explanation {
        let decision = self.decide(asked);
        let Some((request, entities)) = self.request(asked) else {
            return Explanation {
                decision,
                permits: Vec::new(),
                forbids: Vec::new(),
                change: Change::Impossible,
            };
        };
        let of_effect = |effect| {
            let rules = self.rules.policies().filter(|rule| rule.effect() == effect);
            PolicySet::from_policies(rules.cloned()).unwrap_or_default()
        };
        let named = |names: Vec<String>| -> Vec<RuleRef> {
            names.iter().map(|name| self.rule(name)).collect()
        };
        let permits = self.evaluate(&of_effect(Effect::Permit), &request, &entities);
        let forbids = self.evaluate(&of_effect(Effect::Forbid), &request, &entities);
        let failed: Vec<String> = permits.failed.into_iter().chain(forbids.failed).collect();
        let permits = named(permits.deciding);
        let forbids = named(forbids.deciding);
        let is_open = permits.iter().any(|rule| !rule.wants_approval);
        let add = (!is_open).then(|| smallest_permit(asked, false));
        let change = if decision.is_permitted {
            Change::Nothing
        } else if !failed.is_empty() {
            Change::Repair(named(failed))
        } else if !forbids.is_empty() {
            Change::Except {
                rules: forbids.clone(),
                clause: smallest_unless(asked),
                add,
            }
        } else if decision.is_approvable {
            Change::Approve
        } else {
            Change::Add(smallest_permit(asked, false))
        };
        Explanation {
            decision,
            permits,
            forbids,
            change,
        }
    }
}
