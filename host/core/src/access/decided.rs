//! Decisions of policy that are kept for a while, and when one is stale.
//!
//! INVARIANT: a decision is given again only for an equal request under the policy that made it; when the policy's digest
//! changes, everything kept is forgotten and policy is asked anew.

use alloc::{collections::BTreeMap, format, string::String};

use super::{AccessDecision, AccessRequest, Fact};
use crate::digest::Digest;

/// The most decisions that are kept; past that, all are forgotten.
pub const DECISIONS_KEPT_MAX: usize = 1024;

/// Decisions by request, of one policy.
#[derive(Debug, Default)]
pub struct DecisionCache {
    policy: Option<Digest>,
    kept: BTreeMap<Digest, AccessDecision>,
}

impl DecisionCache {
    /// The decision about `request` under the policy with this digest: kept, or made by `decide`.
    pub fn decide(
        &mut self,
        policy: Digest,
        request: &AccessRequest,
        decide: impl FnOnce(&AccessRequest) -> AccessDecision,
    ) -> AccessDecision {
        if self.policy != Some(policy) {
            self.kept.clear();
            self.policy = Some(policy);
        }
        let key = request.digest();
        if let Some(decision) = self.kept.get(&key) {
            return decision.clone();
        }
        let decision = decide(request);
        if self.kept.len() >= DECISIONS_KEPT_MAX {
            self.kept.clear();
        }
        self.kept.insert(key, decision.clone());
        decision
    }

    /// How many decisions are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// True when none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

impl AccessRequest {
    /// Digest of the whole question, facts included.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let action = self.action();
        let mut facts = String::new();
        for (name, fact) in &self.facts {
            // Debug forms of facts are quoted and differ where facts do.
            facts.push_str(&match fact {
                Fact::Text(text) => format!("{name}=t{text:?};"),
                Fact::Number(number) => format!("{name}=n{number};"),
                Fact::Flag(flag) => format!("{name}=f{flag};"),
                Fact::Address(address) => format!("{name}=a{address};"),
            });
        }
        Digest::derive(
            "access-request",
            &[
                self.component.as_bytes(),
                self.node.as_str().as_bytes(),
                self.plan.as_str().as_bytes(),
                self.step.as_str().as_bytes(),
                self.tenant.as_str().as_bytes(),
                self.autonomy.word().as_bytes(),
                action.as_bytes(),
                self.resource.kind.entity().as_bytes(),
                self.resource.name.as_bytes(),
                facts.as_bytes(),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::{Capability, Mode, Resource},
        contract::Autonomy,
        name::{NodeId, StepName, TenantId},
    };
    use alloc::{string::ToString, vec};
    use core::net::{IpAddr, Ipv4Addr};

    fn request() -> AccessRequest {
        AccessRequest {
            component: Digest::of(b"component"),
            node: NodeId::parse("node").unwrap(),
            plan: StepName::parse("plan").unwrap(),
            step: StepName::parse("step").unwrap(),
            tenant: TenantId::parse("global").unwrap(),
            capability: Capability::Artifact,
            mode: Some(Mode::Read),
            resource: Resource::host(),
            autonomy: Autonomy::ReadOnly,
            facts: vec![],
        }
    }

    fn answer(is_permitted: bool) -> AccessDecision {
        AccessDecision {
            is_permitted,
            rules: vec!["rule".to_string()],
            is_approvable: false,
        }
    }

    /// P10: an allow outlives neither its policy nor its question. With the comparison of digests taken out of `decide`,
    /// the second policy is never asked and this fails.
    #[test]
    fn a_stale_allow_is_asked_again() {
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let mut cache = DecisionCache::default();
        assert!(cache.decide(old, &request(), |_| answer(true)).is_permitted);
        let kept = cache.decide(old, &request(), |_| answer(false));
        assert!(
            kept.is_permitted,
            "one policy is asked once for one question"
        );
        assert!(
            !cache
                .decide(new, &request(), |_| answer(false))
                .is_permitted
        );
        assert!(
            !cache
                .decide(old, &request(), |_| answer(false))
                .is_permitted
        );
    }

    #[test]
    fn an_answer_is_for_its_own_question_only() {
        let policy = Digest::of(b"policy");
        let mut cache = DecisionCache::default();
        cache.decide(policy, &request(), |_| answer(true));
        let local = Fact::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let others = [
            AccessRequest {
                mode: Some(Mode::Put),
                ..request()
            },
            AccessRequest {
                step: StepName::parse("step2").unwrap(),
                ..request()
            },
            AccessRequest {
                facts: vec![("address", local)],
                ..request()
            },
            AccessRequest {
                facts: vec![("address", Fact::Text("127.0.0.1".to_string()))],
                ..request()
            },
            AccessRequest {
                autonomy: Autonomy::Propose,
                ..request()
            },
        ];
        for other in others {
            let decision = cache.decide(policy, &other, |_| answer(false));
            assert!(!decision.is_permitted, "{other:?}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut cache = DecisionCache::default();
        for number in 0..3000 {
            let facts = vec![("number", Fact::Number(number))];
            let asked = AccessRequest { facts, ..request() };
            cache.decide(Digest::of(b"policy"), &asked, |_| answer(true));
            assert!(cache.len() <= DECISIONS_KEPT_MAX && !cache.is_empty());
        }
    }
}
