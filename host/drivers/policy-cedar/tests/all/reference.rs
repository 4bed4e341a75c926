//! A second implementation of policy, short enough to be read: rules as plain data, and what they mean.
//!
//! INVARIANT: nothing here is shared with the driver; where the two differ, one of them is wrong.

use aim_core::access::{AccessRequest, Capability, Mode, ResourceKind};

/// A condition on a request.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    Tenant(&'static str),
    Plan(&'static str),
    Node(&'static str),
    NodeStartsWith(&'static str),
    Autonomy(&'static str),
    /// Fails when the plan is this one, and holds for every other.
    FailsFor(&'static str),
    Not(Box<Self>),
    Both(Box<Self>, Box<Self>),
    Either(Box<Self>, Box<Self>),
}

/// What a rule is about.
#[derive(Debug, Clone)]
pub(crate) enum About {
    Anything,
    Kind(ResourceKind),
    One(ResourceKind, &'static str),
}

/// One rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) is_forbid: bool,
    pub(crate) wants_approval: bool,
    pub(crate) step: Option<(&'static str, &'static str)>,
    /// Any action when empty.
    pub(crate) actions: Vec<(Capability, Option<Mode>)>,
    pub(crate) about: About,
    pub(crate) when: Option<Condition>,
    pub(crate) unless: Option<Condition>,
}

/// What the rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow,
    Approve,
    Deny,
}

/// A mistake that the model can be given, to see that the comparison finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    PermitWins,
    LastRuleWins,
    FailedRuleIsSkipped,
    NamesFoldCase,
    UnlessIsWhen,
    ApprovalIsNothing,
}

/// A rule that fails has no answer.
struct Failed;

/// Decides a request: the verdict and the names of the rules that made it, sorted.
pub(crate) fn decide(
    rules: &[Rule],
    request: &AccessRequest,
    flaw: Flaw,
) -> (Verdict, Vec<String>) {
    let mut failed = Vec::new();
    let mut permits: Vec<&Rule> = Vec::new();
    let mut forbids: Vec<&Rule> = Vec::new();
    for rule in rules {
        match rule.applies(request, flaw) {
            Err(Failed) if flaw == Flaw::FailedRuleIsSkipped => {}
            Err(Failed) => failed.push(rule.name.clone()),
            Ok(false) => {}
            Ok(true) if rule.is_forbid => forbids.push(rule),
            Ok(true) => permits.push(rule),
        }
    }
    if flaw == Flaw::LastRuleWins {
        let last = rules
            .iter()
            .rev()
            .find(|rule| matches!(rule.applies(request, flaw), Ok(true)));
        forbids.retain(|rule| last.is_some_and(|last| last.name == rule.name));
    }
    if flaw == Flaw::PermitWins && !permits.is_empty() {
        forbids.clear();
    }
    let names = |rules: &[&Rule]| {
        let mut names: Vec<String> = rules.iter().map(|rule| rule.name.clone()).collect();
        names.sort();
        names
    };
    if !failed.is_empty() {
        failed.sort();
        return (Verdict::Deny, failed);
    }
    if !forbids.is_empty() {
        return (Verdict::Deny, names(&forbids));
    }
    let is_open = permits.iter().any(|rule| !rule.wants_approval);
    let verdict = match (
        permits.is_empty(),
        is_open || flaw == Flaw::ApprovalIsNothing,
    ) {
        (true, _) => Verdict::Deny,
        (false, true) => Verdict::Allow,
        (false, false) => Verdict::Approve,
    };
    (verdict, names(&permits))
}

impl Rule {
    fn applies(&self, request: &AccessRequest, flaw: Flaw) -> Result<bool, Failed> {
        let is_step = self.step.is_none_or(|(plan, step)| {
            request.plan.as_str() == plan && request.step.as_str() == step
        });
        let use_ = (request.capability, request.mode);
        let is_action = self.actions.is_empty() || self.actions.contains(&use_);
        let is_same = |name: &str| match flaw {
            Flaw::NamesFoldCase => request.resource.name.eq_ignore_ascii_case(name),
            _ => request.resource.name == name,
        };
        let is_about = match self.about {
            About::Anything => true,
            About::Kind(kind) => request.resource.kind == kind,
            About::One(kind, name) => request.resource.kind == kind && is_same(name),
        };
        if !(is_step && is_action && is_about) {
            return Ok(false);
        }
        if let Some(when) = &self.when
            && !when.holds(request)?
        {
            return Ok(false);
        }
        match &self.unless {
            None => Ok(true),
            Some(unless) => Ok(unless.holds(request)? == (flaw == Flaw::UnlessIsWhen)),
        }
    }
}

impl Condition {
    fn holds(&self, request: &AccessRequest) -> Result<bool, Failed> {
        Ok(match self {
            Self::Tenant(tenant) => request.tenant.as_str() == *tenant,
            Self::Plan(plan) => request.plan.as_str() == *plan,
            Self::Node(node) => request.node.as_str() == *node,
            Self::NodeStartsWith(start) => request.node.as_str().starts_with(start),
            Self::Autonomy(level) => request.autonomy.word() == *level,
            Self::FailsFor(plan) if request.plan.as_str() == *plan => return Err(Failed),
            Self::FailsFor(_) => true,
            Self::Not(inner) => !inner.holds(request)?,
            Self::Both(left, right) => left.holds(request)? && right.holds(request)?,
            Self::Either(left, right) => left.holds(request)? || right.holds(request)?,
        })
    }
}
