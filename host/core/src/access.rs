//! What a contract asks, what policy is asked about it, and the grant that comes out: ask ∩ policy, each ask whole or not at all.
//!
//! INVARIANT: a grant holds only asks of its contract; nothing at run time can add one.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    contract::Autonomy,
    digest::Digest,
    http::HttpScope,
    name::{NodeId, StepName, TenantId},
};

mod approval;
mod decided;
mod dial;
mod effect;
mod matcher;
mod resource;
mod rollback;
mod smallest;
mod token;
mod written;

pub use approval::{
    RecordedApproval, SignedUseApproval, USE_APPROVAL_KIND, UseApproval, UseApprovalError,
};
pub use decided::{DECISIONS_KEPT_MAX, DecisionCache};
pub use dial::{DialRule, RefusedDial};
pub use effect::{Effect, EffectRow, Tool, effect_rows, undeclared};
pub use matcher::GrantMatcher;
pub use resource::{ADDRESS, Fact, Resource, ResourceKind};
pub use rollback::{
    AcceptedVersions, Candidate, DOWNGRADE_KIND, Downgrade, RollbackError, SignedDowngrade,
};
pub use smallest::{smallest_permit, smallest_unless};
pub use token::{
    Branch, CapToken, SpendError, SplitError, TokenClaims, TokenLimits, TokenRecord, Wallet,
    WalletTerms, undivided,
};
pub use written::{UnknownRequestError, WrittenRequest};

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
    /// `wasi:filesystem`: folders, read as snapshots pinned by digest, written as staged changes.
    Filesystem,
    /// `wasi:clocks`: virtual time, or the machine's.
    Clocks,
    /// `wasi:random`: numbers that follow from the seed, or the machine's.
    Random,
    /// `wasi:cli`: arguments, environment and input as the contract writes them, output into the step's log.
    Cli,
    /// `wasi:config`: named values.
    Config,
    /// `wasi:keyvalue`: buckets of the tenant and the node, written as staged changes.
    Keyvalue,
    /// `aim:model/complete`: model calls; linked, and denied on every call.
    Model,
    /// `wasi:http/outgoing-handler`: requests to named endpoints; an immediate effect.
    Http,
    /// `aim:secret/handles`: named secrets that host calls may use and the guest never reads.
    Secrets,
    /// `aim:gate/codex`: the rules a gate judges by; for gates only.
    Codex,
}

impl Capability {
    /// Every capability, in the order of the table in the documentation.
    pub const ALL: [Self; 16] = [
        Self::Context,
        Self::Budget,
        Self::Attest,
        Self::Consult,
        Self::Log,
        Self::Artifact,
        Self::Filesystem,
        Self::Clocks,
        Self::Random,
        Self::Cli,
        Self::Config,
        Self::Keyvalue,
        Self::Model,
        Self::Http,
        Self::Secrets,
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
            Self::Clocks => "clocks",
            Self::Random => "random",
            Self::Cli => "cli",
            Self::Config => "config",
            Self::Keyvalue => "keyvalue",
            Self::Model => "model",
            Self::Http => "http",
            Self::Secrets => "secrets",
            Self::Codex => "codex",
        }
    }

    /// True when nothing that uses it this way can be seen outside the step's own witness: granted without a policy.
    #[must_use]
    pub const fn is_effect_free(self, mode: Option<Mode>) -> bool {
        match self {
            Self::Context | Self::Budget | Self::Attest | Self::Consult | Self::Log | Self::Cli => {
                true
            }
            Self::Clocks | Self::Random => matches!(mode, Some(Mode::Virtual)),
            Self::Artifact
            | Self::Filesystem
            | Self::Config
            | Self::Keyvalue
            | Self::Model
            | Self::Http
            | Self::Secrets
            | Self::Codex => false,
        }
    }

    /// True when its interfaces hand out streams or polls, so that `wasi:io` follows from it.
    #[must_use]
    pub const fn uses_io(self) -> bool {
        matches!(
            self,
            Self::Filesystem | Self::Clocks | Self::Cli | Self::Http
        )
    }

    /// What kind of thing an ask for it names.
    #[must_use]
    pub const fn resource_kind(self) -> ResourceKind {
        match self {
            Self::Filesystem => ResourceKind::Folder,
            Self::Keyvalue => ResourceKind::Bucket,
            Self::Config => ResourceKind::Key,
            Self::Http => ResourceKind::Endpoint,
            Self::Secrets => ResourceKind::Secret,
            Self::Context
            | Self::Budget
            | Self::Attest
            | Self::Consult
            | Self::Log
            | Self::Artifact
            | Self::Clocks
            | Self::Random
            | Self::Cli
            | Self::Model
            | Self::Codex => ResourceKind::Host,
        }
    }

    /// The capability of that name; `None` for any other text.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|capability| capability.name() == name)
    }

    /// The modes that an ask may name; empty where there is only one way to use it.
    #[must_use]
    pub const fn modes(self) -> &'static [Mode] {
        match self {
            Self::Artifact => &[Mode::Read, Mode::Put],
            Self::Filesystem | Self::Keyvalue => &[Mode::Read, Mode::Write],
            Self::Clocks | Self::Random => &[Mode::Virtual, Mode::Real],
            Self::Http => &[Mode::Request, Mode::Special],
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
    /// Stages changes.
    Write,
    /// A deterministic stand-in, the same on every run with the same pins.
    Virtual,
    /// The machine's own; every answer is recorded, so that a replay can give it again.
    Real,
    /// Sends requests.
    Request,
    /// Sends them to addresses out of the special ranges: private, loopback, link-local and so on.
    Special,
}

impl Mode {
    /// The word used in contracts and policy.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Put => "put",
            Self::Write => "write",
            Self::Virtual => "virtual",
            Self::Real => "real",
            Self::Request => "request",
            Self::Special => "special",
        }
    }
}

/// One ask of a contract: a capability, how it is used and on what. Finite, so it can be granted whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// For `cli`: the arguments exactly as the guest gets them; by convention the first is the program's name.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub arguments: Vec<String>,
    /// Bytes that it is good for in one attempt, where that is less than the step's own limits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes_max: Option<u64>,
    /// Calls that it is good for in one attempt, where that is less than the step's own limits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub calls_max: Option<u32>,
    /// What is asked for.
    pub capability: Capability,
    /// For `cli`: the environment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub environment: BTreeMap<String, String>,
    /// The ways it is used; empty for capabilities without modes.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub modes: BTreeSet<Mode>,
    /// The names of what it is used on, of the capability's resource kind; empty where there is only the host.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub scope: BTreeSet<String>,
    /// For `cli`: what standard input gives; at its end from the start when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stdin: Option<String>,
    /// Milliseconds from the start of an attempt that it is good for, where that is less than the attempt's deadline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub time_ms_max: Option<u64>,
    /// For `config`: values that the contract gives itself, by key; the deployment gives the others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub values: BTreeMap<String, String>,
}

impl Ask {
    /// An ask for a capability without modes and scope.
    #[must_use]
    pub const fn plain(capability: Capability) -> Self {
        Self {
            arguments: Vec::new(),
            bytes_max: None,
            calls_max: None,
            capability,
            environment: BTreeMap::new(),
            modes: BTreeSet::new(),
            scope: BTreeSet::new(),
            stdin: None,
            values: BTreeMap::new(),
            time_ms_max: None,
        }
    }

    /// True when no way of using it needs a policy.
    #[must_use]
    pub fn is_effect_free(&self) -> bool {
        let has_own_values = self.capability == Capability::Config
            && self.scope.iter().all(|key| self.values.contains_key(key));
        let uses = self.uses();
        let is_harmless = |mode: Option<Mode>| self.capability.is_effect_free(mode);
        has_own_values || uses.into_iter().all(|(mode, _)| is_harmless(mode))
    }

    /// Every use that the ask stands for: each mode on each name. Never empty.
    #[must_use]
    pub fn uses(&self) -> Vec<(Option<Mode>, Resource)> {
        let kind = self.capability.resource_kind();
        let resources: Vec<Resource> = if self.scope.is_empty() {
            alloc::vec![Resource::host()]
        } else {
            let named = self.scope.iter();
            named
                .map(|name| Resource::new(kind, name.clone()))
                .collect()
        };
        let modes: Vec<Option<Mode>> = if self.modes.is_empty() {
            alloc::vec![None]
        } else {
            self.modes.iter().copied().map(Some).collect()
        };
        let of_mode = |mode: Option<Mode>| {
            let resources = resources.clone();
            resources.into_iter().map(move |resource| (mode, resource))
        };
        modes.into_iter().flat_map(of_mode).collect()
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.capability.name())?;
        for (index, name) in self.scope.iter().enumerate() {
            let before = if index == 0 { " of " } else { ", " };
            write!(f, "{before}`{}`", name.escape_debug())?;
        }
        for (index, mode) in self.modes.iter().enumerate() {
            let before = if index == 0 { " (" } else { ", " };
            write!(f, "{before}{}", mode.word())?;
        }
        f.write_str(if self.modes.is_empty() { "" } else { ")" })
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
    /// What it is used on.
    pub resource: Resource,
    /// How far the contract lets the step go by itself.
    pub autonomy: Autonomy,
    /// Facts that are known at this moment only, by name: empty at admission.
    pub facts: Vec<(&'static str, Fact)>,
}

impl AccessRequest {
    /// The action's name in policy: `artifact.put`, `log`.
    #[must_use]
    pub fn action(&self) -> String {
        action_name(self.capability, self.mode)
    }
}

/// The action's name in policy: `artifact.put`, `log`.
#[must_use]
pub fn action_name(capability: Capability, mode: Option<Mode>) -> String {
    let name = capability.name();
    match mode {
        None => String::from(name),
        Some(mode) => alloc::format!("{name}.{}", mode.word()),
    }
}

/// Who asks: everything about a request that is the same for all uses of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
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
    /// How far the contract lets the step go by itself.
    pub autonomy: Autonomy,
}

impl Asker {
    /// The question about one use, as it is put at admission.
    #[must_use]
    pub fn request(&self, wanted: &Use) -> AccessRequest {
        AccessRequest {
            component: self.component,
            node: self.node.clone(),
            plan: self.plan.clone(),
            step: self.step.clone(),
            tenant: self.tenant.clone(),
            capability: wanted.capability,
            mode: wanted.mode,
            resource: wanted.resource.clone(),
            autonomy: self.autonomy,
            facts: Vec::new(),
        }
    }

    /// The questions about everything that `asks` stand for, in order.
    #[must_use]
    pub fn requests(&self, asks: &[Ask]) -> Vec<AccessRequest> {
        let of_ask = |ask: &Ask| {
            let capability = ask.capability;
            let uses = ask.uses().into_iter();
            uses.map(move |(mode, resource)| Use {
                capability,
                mode,
                resource,
            })
            .collect::<Vec<Use>>()
        };
        let uses = asks.iter().flat_map(of_ask);
        uses.map(|wanted| self.request(&wanted)).collect()
    }
}

/// The policy's answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessDecision {
    /// True only when a rule permits and none forbids.
    pub is_permitted: bool,
    /// Ids of the rules that decided; empty when nothing matched.
    pub rules: Vec<String>,
    /// True when it is not permitted as it stands, and would be once a person approves it: every rule that permits wants
    /// that, and none forbids.
    pub is_approvable: bool,
}

/// An ask that policy refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedAsk {
    /// The ask.
    pub ask: Ask,
    /// Rules that forbade it; empty when no rule permitted it.
    pub rules: Vec<String>,
}

/// One way of using one capability on one thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Use {
    /// The capability.
    pub capability: Capability,
    /// The way; `None` for capabilities without modes.
    pub mode: Option<Mode>,
    /// The thing.
    pub resource: Resource,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&action_name(self.capability, self.mode))?;
        if self.resource.kind.is_scoped() {
            write!(f, " on `{}`", self.resource.name.escape_debug())?;
        }
        Ok(())
    }
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

    /// The granted asks for one capability, in order.
    pub fn asks_for(&self, capability: Capability) -> impl Iterator<Item = &Ask> {
        let asks = self.asks.iter();
        asks.filter(move |ask| ask.capability == capability)
    }

    /// The granted folders, in order.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        self.scope_of(Capability::Filesystem)
    }

    /// Every granted use, in order: each ask, each mode, each name.
    pub fn uses(&self) -> impl Iterator<Item = Use> {
        self.asks.iter().flat_map(|ask| {
            let capability = ask.capability;
            let uses = ask.uses().into_iter();
            uses.map(move |(mode, resource)| Use {
                capability,
                mode,
                resource,
            })
        })
    }

    /// The granted names of one capability, in order.
    pub fn scope_of(&self, capability: Capability) -> impl Iterator<Item = &str> {
        let asks = self.asks.iter();
        asks.filter(move |ask| ask.capability == capability)
            .flat_map(|ask| ask.scope.iter().map(String::as_str))
    }

    /// The granted endpoints, in order. Networks count only where the ask has the mode for them.
    pub fn endpoints(&self) -> impl Iterator<Item = HttpScope> {
        let asks = self.asks.iter();
        let asks = asks
            .filter(|ask| ask.capability == Capability::Http && ask.modes.contains(&Mode::Request));
        asks.flat_map(|ask| {
            let is_special = ask.modes.contains(&Mode::Special);
            ask.scope.iter().filter_map(move |name| {
                let mut scope: HttpScope = name.parse().ok()?;
                if !is_special {
                    scope.networks.clear();
                }
                Some(scope)
            })
        })
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
/// An ask with several modes or names is granted when each mode is permitted on each name, else refused whole.
pub fn grant(
    asks: &[Ask],
    policy: Option<Digest>,
    mut decide: impl FnMut(&Ask, Option<Mode>, &Resource) -> AccessDecision,
) -> (Grant, Vec<RefusedAsk>) {
    let mut granted = BTreeSet::new();
    let mut refused = Vec::new();
    for ask in asks {
        if policy.is_none() {
            if ask.is_effect_free() {
                granted.insert(ask.clone());
            } else {
                refused.push(RefusedAsk {
                    ask: ask.clone(),
                    rules: Vec::new(),
                });
            }
            continue;
        }
        let denial = (ask.uses().iter())
            .map(|(mode, resource)| decide(ask, *mode, resource))
            .find(|decision| !decision.is_permitted);
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
            modes: modes.iter().copied().collect(),
            ..Ask::plain(Capability::Artifact)
        }
    }

    #[test]
    fn without_a_policy_only_effect_free_capabilities_are_granted() {
        let mut asks: Vec<Ask> = Vec::new();
        for capability in Capability::ALL {
            let modes = capability.modes();
            let with = |modes: &[Mode]| Ask {
                modes: modes.iter().copied().collect(),
                scope: ["x".to_string()].into(),
                ..Ask::plain(capability)
            };
            asks.extend(modes.iter().map(|mode| with(&[*mode])));
            asks.push(with(modes));
        }
        asks.sort();
        asks.dedup();
        let (grant, refused) = grant(&asks, None, |_, _, _| AccessDecision {
            is_permitted: true,
            ..AccessDecision::default()
        });
        assert!(grant.asks.iter().all(Ask::is_effect_free));
        assert!(grant.permits(Capability::Clocks, Some(Mode::Virtual)));
        assert!(!grant.permits(Capability::Clocks, Some(Mode::Real)));
        assert!(!grant.permits(Capability::Keyvalue, None));
        assert_eq!(grant.asks.len() + refused.len(), asks.len());
        assert!(!grant.permits(Capability::Artifact, None));
    }

    // Negative control: with `grant` content with one permitted use, this and the next one fail.
    #[test]
    fn an_ask_is_granted_whole_or_not_at_all() {
        let policy = Some(Digest::of(b"policy"));
        let only_read = |_: &Ask, mode: Option<Mode>, _: &Resource| AccessDecision {
            is_permitted: mode == Some(Mode::Read),
            rules: vec!["no-put".to_string()],
            is_approvable: false,
        };
        let (granted, refused) = grant(&[artifact(&[Mode::Read, Mode::Put])], policy, only_read);
        assert!(granted.asks.is_empty());
        assert_eq!(refused[0].rules, ["no-put"]);
        let (granted, refused) = grant(&[artifact(&[Mode::Read])], policy, only_read);
        assert!(refused.is_empty());
        assert!(granted.permits(Capability::Artifact, Some(Mode::Read)));
        assert!(!granted.permits(Capability::Artifact, Some(Mode::Put)));
    }

    #[test]
    fn an_ask_of_two_names_is_refused_whole_when_one_is() {
        let two = Ask {
            modes: [Mode::Read].into(),
            scope: ["logs".to_string(), "secrets".to_string()].into(),
            ..Ask::plain(Capability::Filesystem)
        };
        let policy = Some(Digest::of(b"policy"));
        let (granted, refused) = grant(&[two], policy, |_, _, resource| AccessDecision {
            is_permitted: resource.name == "logs",
            ..AccessDecision::default()
        });
        assert!(granted.asks.is_empty());
        assert_eq!(refused.len(), 1);
    }
}
