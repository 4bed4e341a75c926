//! Checks on shards, fan-out, reduction and flows: everything finite, everything countable.
//!
//! INVARIANT: a checked plan never becomes more than [`STEPS_MAX`] nodes.

use alloc::{
    borrow::ToOwned,
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

use super::{PlanFault, duplicate, owner, text};
use crate::{
    name::StepName,
    plan::{Fanout, Flow, INTEGER_MAX, PlanParts, ReduceMethod, Require, STEPS_MAX, Step},
};

pub(super) fn check(parts: &PlanParts, faults: &mut Vec<PlanFault>) {
    shards(parts, faults);
    let steps: BTreeMap<&StepName, &Step> =
        parts.steps.iter().map(|step| (&step.name, step)).collect();
    for step in &parts.steps {
        let fault = |reason| PlanFault::Parallel {
            owner: owner(step),
            reason,
        };
        if let Some(range) = &step.fanout {
            if range.first > range.last {
                faults.push(fault("a range's first number is not above its last"));
            }
            for value in range.options.values() {
                text(|| owner(step), value, faults);
            }
        }
        let edges = step.requires.iter();
        faults.extend(
            edges
                .filter_map(|edge| edge_fault(edge, step, parts, *steps.get(&edge.step)?))
                .map(fault),
        );
        if step.requires.len() > 1 && step.requires.iter().any(reduces) {
            faults.push(fault(
                "a step that takes a reduced output requires nothing else",
            ));
        }
    }
    flows(parts, &steps, faults);
    count(parts, faults);
}

/// Adjudication hands over every candidate, so it goes together with other requirements.
fn reduces(edge: &Require) -> bool {
    (edge.reduce).is_some_and(|reduce| reduce.method != ReduceMethod::Adjudicate)
}

fn shards(parts: &PlanParts, faults: &mut Vec<PlanFault>) {
    for (name, caps) in &parts.shards {
        for (part, value) in caps.parts() {
            if value.is_some_and(|value| !(1..=INTEGER_MAX).contains(&value)) {
                let owner = format!("shard `{name}`");
                faults.push(PlanFault::Budget { owner, part });
            }
        }
    }
    for step in &parts.steps {
        if let Some(shard) = &step.shard
            && !parts.shards.contains_key(shard)
        {
            faults.push(PlanFault::Unknown {
                step: step.name.clone(),
                what: "shard",
                name: shard.clone(),
            });
        }
    }
}

fn edge_fault(
    edge: &Require,
    step: &Step,
    parts: &PlanParts,
    required: &Step,
) -> Option<&'static str> {
    let range = |fanout: &Option<Fanout>| fanout.as_ref().map(|one| (one.first, one.last));
    if edge.is_pairwise && (step.fanout.is_none() || range(&step.fanout) != range(&required.fanout))
    {
        return Some("instances go in pairs only when both ranges are the same");
    }
    let reduce = edge.reduce?;
    if required.fanout.is_none() || edge.is_pairwise {
        return Some("only the outputs of several instances can be reduced");
    }
    if (reduce.quorum).is_some_and(|least| least == 0 || u64::from(least) > required.instances()) {
        return Some("a quorum is 1 to the number of instances");
    }
    let is_verifier =
        (parts.roles.get(&step.role)).is_some_and(|role| role.kind.as_str() == "verifier");
    (reduce.method == ReduceMethod::Adjudicate && !is_verifier && step.role.as_str() != "verifier")
        .then_some("only a verifier can adjudicate")
}

fn flows(parts: &PlanParts, steps: &BTreeMap<&StepName, &Step>, faults: &mut Vec<PlanFault>) {
    let mut names = BTreeSet::new();
    let mut members = BTreeSet::new();
    for flow in &parts.flows {
        let owner = format!("flow `{}`", flow.name);
        if !names.insert(&flow.name) {
            faults.push(duplicate("flow", format!("{}", flow.name)));
        }
        if !flow.steps.iter().all(|name| members.insert(name)) {
            let reason = "a step stands in one flow, once";
            faults.push(PlanFault::Parallel {
                owner: owner.clone(),
                reason,
            });
        }
        text(|| owner.clone(), &flow.until.source, faults);
        if let Some(reason) = flow_fault(flow, parts, steps) {
            faults.push(PlanFault::Parallel { owner, reason });
        }
    }
}

fn flow_fault(
    flow: &Flow,
    parts: &PlanParts,
    steps: &BTreeMap<&StepName, &Step>,
) -> Option<&'static str> {
    let inside: BTreeSet<&StepName> = flow.steps.iter().collect();
    let result = steps
        .get(&flow.result)
        .filter(|_| inside.contains(&flow.result));
    if flow.max_iter == 0 {
        return Some("`max_iter` is at least 1");
    }
    if flow.steps.iter().any(|name| !steps.contains_key(name)) {
        return Some("it names a step that the plan does not have");
    }
    if result.is_none_or(|result| result.fanout.is_some()) {
        return Some("its result is one of its steps, and not one that runs several times a round");
    }
    if !flow.until.is_consistent() || flow.until.condition.root() != crate::condition::Root::Output
    {
        return Some("`until` asks about `output`, and its condition and source agree");
    }
    let members = || flow.steps.iter().filter_map(|name| steps.get(name));
    if members().any(|step| step.is_standby || step.probe.is_some() || step.fallback.is_some()) {
        return Some("standby steps, probes and steps with a fallback do not take part");
    }
    let leaks = (parts.steps.iter())
        .filter(|step| !inside.contains(&step.name) && step.probe.is_none())
        .flat_map(|step| &step.requires)
        .any(|edge| inside.contains(&edge.step) && edge.step != flow.result);
    leaks.then_some("only its result can be required from outside")
}

/// How many rounds each step may run, for those in a flow.
pub(super) fn rounds(parts: &PlanParts) -> BTreeMap<&StepName, u64> {
    let of_flow = |flow: &'_ Flow| u64::from(flow.max_iter);
    (parts.flows.iter())
        .flat_map(|flow| flow.steps.iter().map(move |name| (name, of_flow(flow))))
        .collect()
}

fn count(parts: &PlanParts, faults: &mut Vec<PlanFault>) {
    let rounds = rounds(parts);
    let nodes = parts.steps.iter().fold(0_u64, |sum, step| {
        let rounds = rounds.get(&step.name).copied().unwrap_or(1);
        sum.saturating_add(step.instances().saturating_mul(rounds))
    });
    if nodes > STEPS_MAX as u64 {
        let owner: String = "the plan".to_owned();
        let reason = "fan-out and flows make more than 10000 steps of it";
        faults.push(PlanFault::Parallel { owner, reason });
    }
}
