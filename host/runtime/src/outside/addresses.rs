//! Policy's word on resolved addresses, asked at the moment of dialling and only where its rules can tell addresses apart.
//!
//! The grant was made without an address. Here the policy that made it is asked once for each address of each granted
//! endpoint, and so is the policy on trial, whose answers are counted and never obeyed.
//!
//! INVARIANT: an address that policy refuses is never dialled, and the refusal is in the record of the request.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aim_core::{
    access::{ADDRESS, Asker, DecisionCache, DialRule, Grant, RefusedDial, Resource},
    digest::Digest,
    gate::{GateKind, GateRecord, Phase},
    http::HttpScope,
    verdict::{Severity, Verdict},
    witness::WouldDeny,
};
use aim_ports::{http::AddressJudge, policy::Policy};

/// What one step's requests are held against when they are about to be dialled.
#[derive(Debug)]
pub struct Addresses {
    rule: DialRule,
    enforced: Option<Asked>,
    trial: Option<Asked>,
}

/// A policy whose rules read addresses, and what it answered so far.
#[derive(Debug)]
struct Asked {
    policy: Arc<dyn Policy>,
    kept: Mutex<DecisionCache>,
}

impl Asked {
    fn of(policy: Option<&Arc<dyn Policy>>) -> Option<Self> {
        let policy = policy.filter(|policy| policy.depends_on(ADDRESS))?;
        Some(Self {
            policy: Arc::clone(policy),
            kept: Mutex::default(),
        })
    }

    fn kept(&self) -> MutexGuard<'_, DecisionCache> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Addresses {
    /// Of a step under `grant`; `None` when no policy has a rule that reads addresses, or no request is granted.
    #[must_use]
    pub fn of(
        asker: Asker,
        grant: &Grant,
        policy: Option<&Arc<dyn Policy>>,
        trial: Option<&Arc<dyn Policy>>,
    ) -> Option<Arc<Self>> {
        let (enforced, trial) = (Asked::of(policy), Asked::of(trial));
        if enforced.is_none() && trial.is_none() {
            return None;
        }
        let rule = DialRule::of(asker, grant)?;
        Some(Arc::new(Self {
            rule,
            enforced,
            trial,
        }))
    }

    /// The judge of one request that `scope` allows.
    pub(crate) fn judge(self: &Arc<Self>, scope: &HttpScope) -> Arc<DialJudge> {
        Arc::new(DialJudge {
            resource: self.rule.granted(scope).cloned(),
            addresses: Arc::clone(self),
            found: Mutex::default(),
        })
    }
}

/// Judges the addresses of one request, and remembers what it refused.
#[derive(Debug)]
pub(crate) struct DialJudge {
    addresses: Arc<Addresses>,
    /// The granted endpoint; without one nothing may be dialled.
    resource: Option<Resource>,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    refused: Vec<RefusedDial>,
    would: BTreeSet<RefusedDial>,
}

impl DialJudge {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rule that a denial cites, and the record of it; `None` when nothing was refused.
    pub(crate) fn refusal(&self, request: Digest) -> Option<(String, GateRecord)> {
        let found = self.found();
        let first = found.refused.first()?;
        let rules = found.refused.iter().map(RefusedDial::rule);
        let places = found.refused.iter().map(ToString::to_string);
        let mut reasons: Vec<String> = Vec::new();
        for reason in rules.chain(places) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        let record = GateRecord {
            codex: None,
            codex_version: None,
            component: None,
            decision: None,
            gate: "policy".to_owned(),
            kind: GateKind::Policy,
            phase: Phase::Effect,
            prior: None,
            reasons,
            request,
            severity: Severity::Block,
            verdict: Verdict::Fail,
        };
        Some((first.rule(), record))
    }

    /// What the policy on trial would have refused of this request.
    pub(crate) fn would_deny(&self) -> BTreeSet<RefusedDial> {
        std::mem::take(&mut self.found().would)
    }
}

impl AddressJudge for DialJudge {
    fn permits(&self, address: IpAddr) -> bool {
        let Some(resource) = &self.resource else {
            return false;
        };
        let Addresses {
            rule,
            enforced,
            trial,
        } = &*self.addresses;
        let refused = enforced.as_ref().and_then(|asked| {
            let policy = &asked.policy;
            let ask = |request: &_| policy.decide(request);
            rule.refusal((resource, address), &mut asked.kept(), policy.digest(), ask)
        });
        if let Some(refused) = refused {
            self.found().refused.push(refused);
            return false;
        }
        let would = trial.as_ref().and_then(|asked| {
            let policy = &asked.policy;
            let ask = |request: &_| policy.decide(request);
            rule.trial((resource, address), &mut asked.kept(), policy.digest(), ask)
        });
        self.found().would.extend(would);
        true
    }
}

/// What a policy on trial would have refused of an attempt's requests, with how many of them.
#[derive(Debug, Default)]
pub(crate) struct WouldDenied(BTreeMap<(String, Resource, Vec<String>), u64>);

impl WouldDenied {
    /// Counts one request.
    pub(crate) fn add(&mut self, refused: BTreeSet<RefusedDial>) {
        let uses: BTreeSet<_> = (refused.into_iter())
            .map(|one| (one.action, one.resource, one.rules))
            .collect();
        for one in uses {
            *self.0.entry(one).or_default() += 1;
        }
    }

    /// As a witness lists it.
    pub(crate) fn listed(&self) -> Vec<WouldDeny> {
        let listed = self.0.iter();
        listed
            .map(|((action, resource, rules), calls)| WouldDeny {
                action: action.clone(),
                calls: *calls,
                resource: format!("{}/{}", resource.kind.entity(), resource.name),
                rules: rules.clone(),
            })
            .collect()
    }
}
