//! The policies that a plan brings along: each can only take away from what the operator's allows.
//!
//! The plan's header names one for all steps, a step names one for itself; both count. They are Cedar under the same schema, pinned
//! by the digest of their bytes in the plan, and asked about nothing that the operator's policy has not granted before.
//!
//! INVARIANT: no answer of a plan's policy ever grants anything, and a policy that is named and not at hand refuses everything.

use std::sync::Arc;

use aim_core::{
    access::{AccessDecision, AccessRequest, Grant, RefusedAsk, Use, grant},
    digest::Digest,
    name::StepName,
    plan::Step,
};
use aim_ports::policy::Policy;

use super::{RefusedReason, Request};

/// Everything that a step is held to beside the operator's policy, by the names under which the plan imports it.
#[derive(Debug)]
struct Own<'a>(Vec<(&'a StepName, Option<&'a Arc<dyn Policy>>)>);

impl<'a> Own<'a> {
    fn of(request: &Request<'a>, step: &'a Step) -> Self {
        let header = request.plan.header().policy.as_ref();
        let mut named: Vec<&StepName> = header.into_iter().chain(&step.policy).collect();
        named.dedup();
        let at_hand = |alias| (alias, request.own_policies.get(alias));
        Self(named.into_iter().map(at_hand).collect())
    }

    /// The first refusal, with the policy's name before each of its rules; else a permit.
    fn decide(&self, asked: &AccessRequest) -> AccessDecision {
        for (alias, policy) in &self.0 {
            let none = AccessDecision::default();
            let decision = policy.map_or(none, |policy| policy.decide(asked));
            if !decision.is_permitted {
                return refusal(alias, decision);
            }
        }
        AccessDecision {
            is_permitted: true,
            ..AccessDecision::default()
        }
    }
}

fn refusal(alias: &StepName, decision: AccessDecision) -> AccessDecision {
    let mut rules: Vec<String> = (decision.rules.iter())
        .map(|rule| format!("{alias}: {rule}"))
        .collect();
    if rules.is_empty() {
        rules.push(format!("{alias}: no rule permits it"));
    }
    // A plan can not send anybody to ask a person for what the operator has granted already.
    AccessDecision {
        is_permitted: false,
        is_approvable: false,
        rules,
    }
}

/// What is left of a grant under the plan's own policies, and what they refuse.
pub(super) fn lessen(
    request: &Request<'_>,
    step: &Step,
    granted: Grant,
    asked: impl Fn(&Use) -> AccessRequest,
) -> (Grant, Vec<RefusedAsk>) {
    let own = Own::of(request, step);
    if own.0.is_empty() {
        return (granted, Vec::new());
    }
    let whose = Digest::derive("own-policies", &[]);
    let (left, refused) = grant(&granted.asks, Some(whose), |ask, mode, resource| {
        own.decide(&asked(&Use {
            capability: ask.capability,
            mode,
            resource: resource.clone(),
        }))
    });
    let left = Grant {
        policy: granted.policy,
        ..left
    };
    (left, refused)
}

/// Why a plan's own policy keeps a step from running.
pub(super) fn reason(refused: &RefusedAsk) -> RefusedReason {
    RefusedReason {
        code: "AIM-A002",
        message: format!(
            "`{}` is asked for and the plan's own policy refuses it: {}",
            refused.ask.capability.name(),
            refused.rules.join(", ")
        ),
        help: "change the policy that the plan imports, or take the ask out of the contract"
            .to_owned(),
        is_denial: true,
    }
}

/// The operator's policy and the plan's own as one, for what is only known while the step runs.
pub(super) fn with_own(request: &Request<'_>, step: &Step) -> Option<Arc<dyn Policy>> {
    let operators = request.policy.clone()?;
    let own = Own::of(request, step);
    if own.0.is_empty() {
        return Some(operators);
    }
    let own = own.0.into_iter();
    let own = own.map(|(alias, policy)| (alias.clone(), policy.cloned()));
    Some(Arc::new(Least {
        operators,
        own: own.collect(),
    }))
}

#[derive(Debug)]
struct Least {
    operators: Arc<dyn Policy>,
    own: Vec<(StepName, Option<Arc<dyn Policy>>)>,
}

impl Policy for Least {
    fn digest(&self) -> Digest {
        let own = self
            .own
            .iter()
            .map(|(_, policy)| policy.as_ref().map(|one| one.digest()));
        let mut bytes = self.operators.digest().as_bytes().to_vec();
        for digest in own {
            bytes.extend_from_slice(digest.unwrap_or(Digest::from_bytes([0; 32])).as_bytes());
        }
        Digest::derive("least-policy", &[&bytes])
    }

    fn depends_on(&self, fact: &str) -> bool {
        let mut own = self.own.iter();
        self.operators.depends_on(fact)
            || own.any(|(_, policy)| policy.as_ref().is_none_or(|one| one.depends_on(fact)))
    }

    fn decide(&self, request: &AccessRequest) -> AccessDecision {
        let first = self.operators.decide(request);
        if !first.is_permitted {
            return first;
        }
        let own = self
            .own
            .iter()
            .map(|(alias, policy)| (alias, policy.as_ref()));
        let second = Own(own.collect()).decide(request);
        if second.is_permitted { first } else { second }
    }
}
