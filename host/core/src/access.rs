//! What a contract asks, what policy is asked about it, and the grant that comes out: ask ∩ policy, each ask whole or not at all.
//!
//! INVARIANT: a grant holds only asks of its contract; nothing at run time can add one.

use alloc::{collections::BTreeSet, string::String, vec::Vec};
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    name::{NodeId, StepName, TenantId},
};

/// A named set of interfaces that is asked for and granted together; `crate::capability` holds the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// `aim:host/context`: who asks and where it runs.
    Context,
    /// `aim:host/budget`: what is left.
    Budget,
    /// `aim:witness/attest`: claims of the guest.
    Attest,
    /// `aim:gate/consult`: ask the gates before acting.
    Consult,
    /// `aim:log/log`: structured logs.
    Log,
    /// `aim:artifact/store`: content-addressed bytes.
    Artifact,
    /// `wasi:filesystem`: one folder, as a read-only snapshot pinned by digest.
    Filesystem,
    /// `aim:gate/codex`: the rules a gate judges by; for gates only.
    Codex,
}

impl Capability {
    /// Every capability, in the order of the table in the documentation.
    pub const ALL: [Self; 8] = [
        Self::Context,
        Self::Budget,
        Self::Attest,
        Self::Consult,
        Self::Log,
        Self::Artifact,
        Self::Filesystem,
        Self::Codex,
    ];

    /// The name used in contracts, policy and evidence.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Budget => "budget",
            Self::Attest => "attest",
            Self::Consult => "consult",
            Self::Log => "log",
            Self::Artifact => "artifact",
            Self::Filesystem => "filesystem",
            Self::Codex => "codex",
        }
    }

    /// True when nothing that uses it can be seen outside the step's own witness: granted without a policy.
    #[must_use]
    pub const fn is_effect_free(self) -> bool {
        match self {
            Self::Context | Self::Budget | Self::Attest | Self::Consult | Self::Log => true,
            Self::Artifact | Self::Filesystem | Self::Codex => false,
        }
    }

    /// The modes that an ask may name; empty where there is only one way to use it.
    #[must_use]
    pub const fn modes(self) -> &'static [Mode] {
        match self {
            Self::Artifact => &[Mode::Read, Mode::Put],
            Self::Filesystem => &[Mode::Read],
            _ => &[],
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a capability is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Reads.
    Read,
    /// Stages new content.
    Put,
}

impl Mode {
    /// The word used in contracts and policy.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Put => "put",
        }
    }
}

/// One ask of a contract: a capability, how it is used and on what. Finite, so it can be granted whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What is asked for.
    pub capability: Capability,
    /// The run input that is mounted; for `filesystem` only, and required there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub folder: Option<String>,
    /// The ways it is used; empty for capabilities without modes.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub modes: BTreeSet<Mode>,
}

impl Ask {
    /// An ask for a capability without modes and scope.
    #[must_use]
    pub const fn plain(capability: Capability) -> Self {
        Self {
            capability,
            folder: None,
            modes: BTreeSet::new(),
        }
    }
}

/// One question to the operator's policy: may this step of this plan use this capability this way on this resource?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRequest {
    /// The component that asks.
    pub component: Digest,
    /// Its contract's node.
    pub node: NodeId,
    /// The plan's name.
    pub plan: StepName,
    /// The step in the plan.
    pub step: StepName,
    /// The tenant of the run.
    pub tenant: TenantId,
    /// What is asked for.
    pub capability: Capability,
    /// One way of using it; `None` for capabilities without modes.
    pub mode: Option<Mode>,
    /// The folder, for `filesystem`.
    pub folder: Option<String>,
}

/// The policy's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessDecision {
    /// True only when a rule permits and none forbids.
    pub is_permitted: bool,
    /// Ids of the rules that decided; empty when nothing matched.
    pub rules: Vec<String>,
}

/// An ask that policy refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedAsk {
    /// The ask.
    pub ask: Ask,
    /// Rules that forbade it; empty when no rule permitted it.
    pub rules: Vec<String>,
}

/// What a step may use: the asks that policy allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Grant {
    /// Granted asks, sorted, without duplicates.
    pub asks: Vec<Ask>,
    /// Digest of the policy that allowed them; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub policy: Option<Digest>,
}

impl Grant {
    /// True when `capability` is granted for `mode` (any mode when `None`).
    #[must_use]
    pub fn permits(&self, capability: Capability, mode: Option<Mode>) -> bool {
        self.asks.iter().any(|ask| {
            ask.capability == capability && mode.is_none_or(|mode| ask.modes.contains(&mode))
        })
    }

    /// The granted folders, in order.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.asks.iter().filter_map(|ask| ask.folder.as_deref())
    }

    /// Digest of the grant's canonical form.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // Plain data with string keys only: serialisation has no failure to report.
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        Digest::derive("grant", &[&bytes])
    }
}

/// Decides which asks are granted. Without a policy (`decide` is `None`) only effect-free capabilities are.
///
/// An ask with several modes is granted when each is permitted, else refused whole.
pub fn grant(
    asks: &[Ask],
    policy: Option<Digest>,
    mut decide: impl FnMut(&Ask, Option<Mode>) -> AccessDecision,
) -> (Grant, Vec<RefusedAsk>) {
    let mut granted = BTreeSet::new();
    let mut refused = Vec::new();
    for ask in asks {
        if policy.is_none() {
            if ask.capability.is_effect_free() {
                granted.insert(ask.clone());
            } else {
                refused.push(RefusedAsk {
                    ask: ask.clone(),
                    rules: Vec::new(),
                });
            }
            continue;
        }
        let modes: Vec<Option<Mode>> = if ask.modes.is_empty() {
            alloc::vec![None]
        } else {
            ask.modes.iter().copied().map(Some).collect()
        };
        let denial = modes
            .into_iter()
            .map(|mode| decide(ask, mode))
            .find(|d| !d.is_permitted);
        match denial {
            None => {
                granted.insert(ask.clone());
            }
            Some(decision) => {
                refused.push(RefusedAsk {
                    ask: ask.clone(),
                    rules: decision.rules,
                });
            }
        }
    }
    (
        Grant {
            asks: granted.into_iter().collect(),
            policy,
        },
        refused,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec};

    fn artifact(modes: &[Mode]) -> Ask {
        Ask {
            capability: Capability::Artifact,
            folder: None,
            modes: modes.iter().copied().collect(),
        }
    }

    #[test]
    fn without_a_policy_only_effect_free_capabilities_are_granted() {
        let asks: Vec<Ask> = Capability::ALL.into_iter().map(Ask::plain).collect();
        let (grant, refused) = grant(&asks, None, |_, _| AccessDecision {
            is_permitted: true,
            rules: vec![],
        });
        assert!(grant.asks.iter().all(|ask| ask.capability.is_effect_free()));
        assert_eq!(grant.asks.len() + refused.len(), asks.len());
        assert!(!grant.permits(Capability::Artifact, None));
    }

    #[test]
    fn an_ask_is_granted_whole_or_not_at_all() {
        let policy = Some(Digest::of(b"policy"));
        let only_read = |_: &Ask, mode: Option<Mode>| AccessDecision {
            is_permitted: mode == Some(Mode::Read),
            rules: vec!["no-put".to_string()],
        };
        let (granted, refused) = grant(&[artifact(&[Mode::Read, Mode::Put])], policy, only_read);
        assert!(granted.asks.is_empty());
        assert_eq!(refused[0].rules, ["no-put"]);
        let (granted, refused) = grant(&[artifact(&[Mode::Read])], policy, only_read);
        assert!(refused.is_empty());
        assert!(granted.permits(Capability::Artifact, Some(Mode::Read)));
        assert!(!granted.permits(Capability::Artifact, Some(Mode::Put)));
    }
}
