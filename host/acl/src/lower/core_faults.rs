//! What `aim_core` says about a plan, said at the place in the source.
//!
//! INVARIANT: every fault of core becomes an error of the source; one that no author can cause is called a compiler's.

use alloc::string::{String, ToString as _};
use core::ops::Range;

use aim_core::plan::{Caps, InputSource, Plan, PlanFault, PlanParts};

use super::Steps;
use crate::{
    ast::{Ast, GatePlace},
    codes::{self, Code},
    diagnostic::{Diagnostic, Faults},
};

/// Holds the result against the checks that guard every plan. Of a plan that is not whole, because something else is wrong
/// with it, only missing pins are said: whatever else core finds may follow from that.
///
/// What is returned for a plan with faults is the part of it that nothing is wrong with, to be looked at further.
pub(super) fn checked(
    mut parts: PlanParts,
    ast: &Ast,
    steps: &Steps<'_>,
    is_whole: bool,
    faults: &mut Faults,
) -> Option<Plan> {
    let kept = parts.clone();
    if !is_whole {
        strip(&mut parts);
    }
    let error = match Plan::check(parts) {
        Ok(plan) => return Some(plan),
        Err(error) => error,
    };
    let is_said = |fault: &&PlanFault| is_whole || matches!(fault, PlanFault::Pin { .. });
    for fault in error.faults.iter().filter(is_said) {
        let (code, owner, help) = explained(fault);
        let span = place(&owner, ast, steps);
        faults.push(Diagnostic::error(code, span, fault.to_string()).help(help));
    }
    parts = kept;
    strip(&mut parts);
    parts.header.is_deterministic = false;
    Plan::check(parts).ok()
}

/// Takes out of a plan that is not whole what other faults may be about, so that the rest of it can still be looked at.
fn strip(parts: &mut PlanParts) {
    parts.budget = None;
    parts.flows.clear();
    parts.gates.clear();
    parts.rules.clear();
    parts.header.policy = None;
    for caps in parts.shards.values_mut() {
        *caps = Caps::default();
    }
    for step in &mut parts.steps {
        step.policy = None;
        step.fallback = None;
        step.gates.clear();
        let required = &step.requires;
        step.inputs.retain(|_, input| match input {
            InputSource::Step(from) => required.iter().any(|edge| edge.step == *from),
            _ => true,
        });
    }
}

fn explained(fault: &PlanFault) -> (Code, String, &'static str) {
    match fault {
        PlanFault::Parallel { owner, .. } => (
            codes::BAD_TOPOLOGY,
            owner.clone(),
            "see how fan-out, reduce, flow and shards fit together in docs/formats/acl.md",
        ),
        PlanFault::Recovery { owner, .. } => (
            codes::BAD_RECOVERY,
            owner.clone(),
            "see what can stand in for a step in docs/formats/acl.md",
        ),
        PlanFault::Data { owner, .. } => (
            codes::BAD_VALUE,
            owner.clone(),
            "see what a step can be given in docs/formats/acl.md",
        ),
        PlanFault::Gate(name, _) => (
            codes::BAD_GATE,
            name.clone(),
            "see what a gate can say in docs/formats/acl.md",
        ),
        PlanFault::NoEvaluator { gate, .. } => (
            codes::NO_EVALUATOR,
            gate.clone(),
            "a gate that nobody evaluates would be one that passes",
        ),
        PlanFault::Pin { step, .. } => (
            codes::MISSING_PINS,
            alloc::format!("step `{step}`"),
            "pin it, or leave `deterministic` out: a plan that claims equal answers holds still what they depend on",
        ),
        PlanFault::Infeasible { .. } => (
            codes::INFEASIBLE,
            String::new(),
            "raise the plan's budget or lower those of its steps",
        ),
        _ => (
            codes::BAD_IR,
            String::new(),
            "this is a fault of the compiler; please report it with the plan",
        ),
    }
}

/// The place of `step `x``, `flow `f``, `shard `s``, a gate `x.g` or `g`; else the header.
fn place(owner: &str, ast: &Ast, steps: &Steps<'_>) -> Range<usize> {
    let quoted = owner.split('`').nth(1).unwrap_or_default();
    let header = || {
        ast.header
            .as_ref()
            .map_or(0..0, |header| header.span.clone())
    };
    let of_step = |name: &str| steps.place_of(name);
    let (step, gate) = owner.split_once('.').unwrap_or(("", owner));
    let found = if owner.starts_with("step `") {
        of_step(quoted)
    } else if owner.starts_with("flow `") {
        let mut flows = ast.shards.iter().flat_map(|shard| &shard.flows);
        flows
            .find(|flow| flow.name.value.as_str() == quoted)
            .map(|flow| flow.span.clone())
    } else if owner.contains('`') || owner.contains(' ') {
        let rules = ast.shards.iter().flat_map(|shard| &shard.rules).next();
        rules
            .map(|rules| rules.span.clone())
            .filter(|_| owner.contains("rule"))
    } else {
        gate_place(step, gate, ast).or_else(|| of_step(step))
    };
    found.unwrap_or_else(header)
}

fn gate_place(step: &str, gate: &str, ast: &Ast) -> Option<Range<usize>> {
    let own = ast.steps().filter(|one| {
        one.name
            .as_ref()
            .is_some_and(|name| name.value.as_str() == step)
    });
    let typed = ast.shards.iter().flat_map(|shard| &shard.gates);
    let mut all = own
        .flat_map(|one| &one.gates)
        .chain(typed)
        .chain(&ast.gates);
    let is_named = |name: &str, place: &GatePlace| match place {
        GatePlace::Ingress => name.is_empty() && gate.starts_with("ingress"),
        _ => name.is_empty() && gate.starts_with("egress"),
    };
    all.find(|one| {
        let name = one.name.as_ref().map_or("", |name| name.value.as_str());
        name == gate || is_named(name, &one.place)
    })
    .map(|one| one.span.clone())
}
