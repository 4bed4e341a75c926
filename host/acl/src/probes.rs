//! The compiler's last pass: the probes that the deployment's policy has on, as steps of their own after what they watch.
//!
//! A probe watches the plan's terminal steps, so it runs once everything before them has settled, and it waits for each with
//! `?`: it looks at runs that failed as well. It never keeps anything from running, and nothing but the policy leaves it out.
//!
//! INVARIANT: the steps that a plan has by itself stay as they are, in their order, with their ids.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use aim_core::{
    name::{NodeId, StepName},
    plan::{
        Budget, NODE_PARAM, Plan, PlanError, Probe, ProbeId, ProbeSwitch, Require, Role, Step,
        StepId,
    },
};

use crate::lower::order_steps;

/// The kind of a probe's role.
const KIND: &str = "probe";

/// What a probe may use; it has no model and no tools, and does not count against the plan's budget.
const BUDGET: Budget = Budget {
    cost_micros: None,
    soft: None,
    time_ms: 10_000,
    tokens: 1,
    tools: 1,
};

/// Adds a step for each probe that is on and not there yet.
///
/// # Errors
/// [`PlanError`] when a step or role of the plan has a probe's name, or the plan grows too large.
pub fn with_probes(plan: Plan, switch: &ProbeSwitch) -> Result<Plan, PlanError> {
    let has = |id: ProbeId| {
        let mut probes = plan.steps().iter().filter_map(|step| step.probe.as_ref());
        probes.any(|probe| probe.id == id.word())
    };
    let missing: Vec<(ProbeId, NodeId)> = (switch.on())
        .filter(|(id, _)| !has(*id))
        .map(|(id, node)| (id, node.clone()))
        .collect();
    if missing.is_empty() {
        return Ok(plan);
    }
    let watched: Vec<StepName> = plan.terminals().map(|step| step.name.clone()).collect();
    let mut parts = plan.into_parts();
    let mut roles: BTreeMap<NodeId, StepName> = BTreeMap::new();
    for (id, node) in missing {
        let Some(name) = id.step() else { continue };
        let role = match roles.get(&node) {
            Some(role) => role.clone(),
            None => {
                let Some((role, kind)) = role_name(roles.len(), &parts.roles) else {
                    continue;
                };
                let params = StepName::parse(NODE_PARAM)
                    .map(|param| BTreeMap::from([(param, node.to_string())]))
                    .unwrap_or_default();
                parts.roles.insert(role.clone(), Role { kind, params });
                roles.insert(node, role.clone());
                role
            }
        };
        let number = u32::try_from(parts.steps.len().saturating_add(1)).unwrap_or(u32::MAX);
        let requires = watched.iter().map(|step| Require {
            is_optional: true,
            ..Require::on(step.clone())
        });
        parts.steps.push(Step {
            budget: BUDGET,
            is_required: false,
            probe: Some(Probe {
                id: id.word().to_string(),
                observes: watched.clone(),
            }),
            requires: requires.collect(),
            ..Step::new(StepId::new(number), name, role, "does the invariant hold?")
        });
    }
    order_steps(&mut parts);
    Plan::check(parts)
}

/// `probe`, or `probe_2` and so on: a name that no role of the plan has.
fn role_name(taken: usize, roles: &BTreeMap<StepName, Role>) -> Option<(StepName, StepName)> {
    let kind = StepName::parse(KIND).ok()?;
    // BOUND: a plan has finitely many roles, so a number is free.
    for number in taken + 1..=taken + roles.len() + 1 {
        let text: String = if number == 1 {
            KIND.to_string()
        } else {
            format!("{KIND}_{number}")
        };
        let name = StepName::parse(&text).ok()?;
        if !roles.contains_key(&name) {
            return Some((name, kind));
        }
    }
    None
}
