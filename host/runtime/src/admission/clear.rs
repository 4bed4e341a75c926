//! What one component may use and be linked to: asks against policy, imports against the grant, size against the class.
//!
//! INVARIANT: every reason of a refusal is collected; an ask that policy refuses stops the load even where nothing uses it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aim_core::{
    access::{AccessDecision, Ask, Asker, Capability, Grant, Mode, RefusedAsk, Use, grant},
    adapter::Profile,
    admission::{AdmissionRequest, Linkage, Reason, World, admit as admit_component},
    digest::Digest,
    plan::Step,
    witness::{MonitorRecord, WouldDeny},
};
use aim_engine::inspect;

use super::{
    Node, RefusedLoad, RefusedReason, Request, approved::Waits, declared, own, rollback, soft,
    steady,
};
use crate::outside::Addresses;

/// What a step may use and be linked to, and the approvals that it took.
pub(super) struct Cleared {
    pub(super) grant: Grant,
    pub(super) linkage: Linkage,
    pub(super) approvals: BTreeSet<Digest>,
    pub(super) permits: Vec<Permit>,
}

/// What a gate is linked to, and the approvals that it took.
pub(super) type ClearedGate = (Linkage, BTreeSet<Digest>);

/// A use that was granted, and what granted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// The use.
    pub wanted: Use,
    /// The rules of the policy that permit it, in its own order; empty for what needs none.
    pub rules: Vec<String>,
    /// True when it also took a person's approval.
    pub is_approved: bool,
}

/// Grants and links one step, or names everything that is in the way.
pub(super) fn clear_step(
    request: &Request<'_>,
    step: &Step,
    node: &Node,
) -> Result<Cleared, Box<RefusedLoad>> {
    let component = Digest::of(&node.component);
    let asker = asker(request, step, node, component);
    let mut waits = Waits::new(request.approvals);
    let mut permits = Vec::new();
    let (granted, mut refused_asks) = grant(
        &node.contract.asks,
        request.policy.as_ref().map(|policy| policy.digest()),
        |ask, mode, resource| {
            let wanted = Use {
                capability: ask.capability,
                mode,
                resource: resource.clone(),
            };
            let asked = asker.request(&wanted);
            let none = AccessDecision::default();
            let decision = (request.policy.as_ref()).map_or(none, |policy| policy.decide(&asked));
            let settled = waits.settle(decision, &asked, (ask, &wanted));
            if settled.is_permitted {
                permits.push(Permit {
                    is_approved: settled.is_approvable,
                    rules: settled.rules.clone(),
                    wanted,
                });
            }
            settled
        },
    );
    let (granted, own_refused) =
        own::lessen(request, step, granted, |wanted| asker.request(wanted));
    let result = link(node, World::Step, &node.contract.asks, &granted);
    let mut reasons = result.as_ref().err().cloned().unwrap_or_default();
    let unused = refused_asks.iter();
    let unused = unused.filter(|one| result.is_ok() && !waits.asks.contains(&one.ask));
    // An ask that policy refuses stops the load even when the component would not use it: it would run with less than its
    // contract says.
    reasons.extend(unused.map(refused_reason));
    reasons.extend(own_refused.iter().map(own::reason));
    reasons.extend(missing(request, &granted));
    reasons.extend(declared::check(request, step, node, &granted));
    reasons.extend(steady::check(request, step, &granted));
    reasons.extend((result.as_ref().ok()).and_then(|linkage| soft::check(step, linkage)));
    reasons.extend(waits.reasons);
    match rollback::check(request, node) {
        Ok(approvals) => waits.counted.extend(approvals),
        Err(reason) => reasons.push(*reason),
    }
    match result {
        Ok(linkage) if reasons.is_empty() => Ok(Cleared {
            permits: permits_of(&granted, permits),
            grant: granted,
            linkage,
            approvals: waits.counted,
        }),
        _ => {
            refused_asks.extend(own_refused);
            Err(Box::new(RefusedLoad {
                step: Some(step.name.clone()),
                node: node.contract.node_id.clone(),
                component,
                reasons,
                refused_asks,
            }))
        }
    }
}

/// One permit for each granted use. Without a policy nobody was asked, and nothing needed a rule.
fn permits_of(granted: &Grant, decided: Vec<Permit>) -> Vec<Permit> {
    let by_use: BTreeMap<Use, Permit> = (decided.into_iter())
        .map(|permit| (permit.wanted.clone(), permit))
        .collect();
    let of = |wanted: Use| {
        by_use.get(&wanted).cloned().unwrap_or(Permit {
            wanted,
            rules: Vec::new(),
            is_approved: false,
        })
    };
    granted.uses().map(of).collect()
}

/// The deployment's values for what a grant names and its contract does not give itself.
pub(super) fn config_of(request: &Request<'_>, grant: &Grant) -> BTreeMap<String, String> {
    let asks = grant.asks_for(Capability::Config);
    let keys = asks.flat_map(|ask| {
        let keys = ask.scope.iter();
        keys.filter(|key| !ask.values.contains_key(*key))
    });
    let given = keys.filter_map(|key| request.config.get_key_value(key));
    given
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// What is granted and the deployment does not have.
fn missing(request: &Request<'_>, grant: &Grant) -> Vec<RefusedReason> {
    let reason = |code, message: String, help: &str| RefusedReason {
        code,
        message,
        help: help.to_owned(),
        is_denial: false,
    };
    let mut reasons = Vec::new();
    for ask in &grant.asks {
        for name in &ask.scope {
            match ask.capability {
                Capability::Config
                    if !ask.values.contains_key(name) && !request.config.contains_key(name) =>
                {
                    reasons.push(reason(
                        "AIM-S002",
                        format!("nobody gives the configuration value `{name}`"),
                        "give it under `[config]` in aim.toml, or under `values` in the ask",
                    ));
                }
                Capability::Filesystem
                    if ask.modes.contains(&Mode::Write) && !request.folders.contains(name) =>
                {
                    reasons.push(reason(
                        "AIM-S003",
                        format!("the deployment has no folder `{name}` to write to"),
                        "name it under `[folders]` in aim.toml",
                    ));
                }
                _ => {}
            }
        }
    }
    reasons
}

/// What the policy on trial would have refused of what was granted. It never grants: only granted uses are asked about.
pub(super) fn monitor(
    request: &Request<'_>,
    step: &Step,
    node: &Node,
    granted: &Grant,
) -> Option<MonitorRecord> {
    let policy = request.monitor.as_ref()?;
    let asker = asker(request, step, node, Digest::of(&node.component));
    let refused = granted.uses().filter_map(|wanted| {
        let asked = asker.request(&wanted);
        let decision = policy.decide(&asked);
        (!decision.is_permitted).then(|| WouldDeny {
            action: asked.action(),
            calls: 0,
            resource: format!("{}/{}", wanted.resource.kind.entity(), wanted.resource.name),
            rules: decision.rules,
        })
    });
    Some(MonitorRecord {
        policy: policy.digest(),
        would_deny: refused.collect(),
    })
}

/// What both policies are asked once addresses are known.
pub(super) fn addresses(
    request: &Request<'_>,
    step: &Step,
    node: &Node,
    granted: &Grant,
) -> Option<Arc<Addresses>> {
    let asker = asker(request, step, node, Digest::of(&node.component));
    Addresses::of(
        asker,
        granted,
        own::with_own(request, step).as_ref(),
        request.monitor.as_ref(),
    )
}

fn asker(request: &Request<'_>, step: &Step, node: &Node, component: Digest) -> Asker {
    Asker {
        component,
        node: node.contract.node_id.clone(),
        plan: request.plan.name().clone(),
        step: step.name.clone(),
        tenant: request.tenant.clone(),
        autonomy: node.contract.autonomy,
    }
}

fn refused_reason(refused: &RefusedAsk) -> RefusedReason {
    let name = refused.ask.capability.name();
    let by = if refused.rules.is_empty() {
        "no rule permits it".to_owned()
    } else {
        format!("forbidden by {}", refused.rules.join(", "))
    };
    RefusedReason {
        code: "AIM-A002",
        message: format!("`{name}` is asked for and not granted: {by}"),
        help: "change the operator's policy, or take the ask out of the contract".to_owned(),
        is_denial: true,
    }
}

/// A gate is given the codex, if it asks for one, and nothing else; the operator named both in the deployment.
pub(super) fn clear_gate(
    request: &Request<'_>,
    node: &Node,
) -> Result<ClearedGate, Box<RefusedLoad>> {
    let asks: Vec<Ask> = asks_for_codex(node)
        .then(|| Ask::plain(Capability::Codex))
        .into_iter()
        .collect();
    let granted = Grant {
        asks: asks.clone(),
        policy: None,
    };
    let linked = link(node, World::Gate, &asks, &granted);
    let allowed = rollback::check(request, node);
    let reasons = match (linked, allowed) {
        (Ok(linkage), Ok(approvals)) => return Ok((linkage, approvals)),
        (linked, allowed) => {
            let mut reasons = linked.err().unwrap_or_default();
            reasons.extend(allowed.err().map(|reason| *reason));
            reasons
        }
    };
    Err(Box::new(RefusedLoad {
        step: None,
        node: node.contract.node_id.clone(),
        component: Digest::of(&node.component),
        reasons,
        refused_asks: Vec::new(),
    }))
}

fn link(
    node: &Node,
    world: World,
    asks: &[Ask],
    granted: &Grant,
) -> Result<Linkage, Vec<RefusedReason>> {
    check_size(node)?;
    let inspection = inspect(&node.component).map_err(|error| {
        vec![RefusedReason {
            code: error.code(),
            message: error.to_string(),
            help: error.help(),
            is_denial: false,
        }]
    })?;
    let named = node
        .contract
        .component()
        .and_then(|component| component.adapt.as_deref());
    let adapt = named.and_then(Profile::parse);
    if let (Some(name), None) = (named, adapt) {
        return Err(vec![RefusedReason {
            code: "AIM-A007",
            message: format!("`{name}` is no toolchain profile"),
            help: "name a profile of docs/formats/contract.md under `adapt`".to_owned(),
            is_denial: false,
        }]);
    }
    let request = AdmissionRequest {
        world,
        asks,
        grant: granted,
        adapt,
        class: node.class,
    };
    admit_component(&inspection, &request).map_err(|mismatches| {
        let reason = |mismatch: aim_core::admission::Mismatch| RefusedReason {
            code: mismatch.code(),
            message: mismatch.to_string(),
            help: mismatch.help(),
            is_denial: mismatch.is_denial(),
        };
        mismatches.into_iter().map(reason).collect()
    })
}

/// The file's size alone can refuse it: nothing larger than its class is even read through.
fn check_size(node: &Node) -> Result<(), Vec<RefusedReason>> {
    let (size, max) = (
        node.component.len() as u64,
        node.class.shape().size_bytes_max,
    );
    if size <= max {
        return Ok(());
    }
    Err(vec![RefusedReason {
        code: Reason::TooBig.code(),
        message: format!(
            "`{}` has a component of {size} bytes, more than the {max} of the {} class",
            node.contract.node_id,
            node.class.word()
        ),
        help: format!(
            "the operator can give it the room: `big = [\"{}\"]` under `[operator]` in aim.toml",
            node.contract.node_id
        ),
        is_denial: false,
    }])
}

pub(super) fn asks_for_codex(node: &Node) -> bool {
    let mut asks = node.contract.asks.iter();
    asks.any(|ask| ask.capability == Capability::Codex)
}
