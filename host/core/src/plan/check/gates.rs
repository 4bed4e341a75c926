//! Checks on gates: consistent, answerable, and judged by something that exists.
//!
//! INVARIANT: a gate of a kind without an evaluator never gets into a plan, so none can pass by being unknown.

use alloc::{collections::BTreeSet, format, string::ToString, vec::Vec};

use super::{PlanFault, duplicate, text};
use crate::{
    condition::Root,
    name::StepName,
    plan::{Action, Check, Gate, GatePhase, JudgeKind, PlanParts, Rules, Step},
};

/// The most answers, clauses or inputs that one gate may have.
const PARTS_MAX: usize = 64;

pub(super) fn of_plan(parts: &PlanParts, faults: &mut Vec<PlanFault>) {
    let mut names = BTreeSet::new();
    for plan_gate in &parts.gates {
        gate(plan_gate, "", parts, faults);
        if plan_gate.phase == GatePhase::Ingress {
            let reason = "a gate of the plan stands on the way out";
            faults.push(PlanFault::Gate(plan_gate.name.to_string(), reason));
        }
        if !names.insert(&plan_gate.name) {
            faults.push(duplicate("plan gate", plan_gate.name.to_string()));
        }
    }
}

pub(super) fn of_step(step: &Step, parts: &PlanParts, faults: &mut Vec<PlanFault>) {
    let plan_gates: BTreeSet<&StepName> = parts.gates.iter().map(|gate| &gate.name).collect();
    let owner = format!("{}.", step.name);
    let mut names = BTreeSet::new();
    for step_gate in &step.gates {
        gate(step_gate, &owner, parts, faults);
        if !names.insert(&step_gate.name) || plan_gates.contains(&step_gate.name) {
            faults.push(duplicate("gate", format!("{owner}{}", step_gate.name)));
        }
    }
}

fn gate(gate: &Gate, owner: &str, parts: &PlanParts, faults: &mut Vec<PlanFault>) {
    let name = || format!("{owner}{}", gate.name);
    if let Some(reason) = contradiction(gate, parts) {
        faults.push(PlanFault::Gate(name(), reason));
    }
    if let Check::Judge(judge) = &gate.check
        && !judge.kind.has_evaluator()
    {
        faults.push(PlanFault::NoEvaluator {
            gate: name(),
            kind: judge.kind.word(),
        });
    }
    let shown = || format!("gate `{}`", name());
    for clause in gate.clauses() {
        text(shown, &clause.source, faults);
    }
    for answer in &gate.on_fail {
        let texts = answer.message.iter().chain(answer.options.values());
        texts.for_each(|value| text(shown, value, faults));
    }
}

/// The first thing about a gate that does not fit together.
fn contradiction(gate: &Gate, parts: &PlanParts) -> Option<&'static str> {
    let has_step = |name: &StepName| parts.steps.iter().any(|step| step.name == *name);
    if gate.clauses().any(|clause| !clause.is_consistent()) {
        return Some("a condition and its source must agree");
    }
    let reads_output = |clause: &crate::plan::Clause| clause.condition.root() == Root::Output;
    if gate.phase == GatePhase::Ingress && gate.clauses().any(reads_output) {
        return Some("a gate on the way in can only ask about `input`");
    }
    if gate.severity != Gate::severity_of(&gate.on_fail) {
        return Some("severity is `warn` exactly when every answer is");
    }
    match &gate.check {
        Check::Rules(rules) if *rules == Rules::default() => {
            return Some("it has no rule");
        }
        Check::Rules(rules) if !rules.emit.is_empty() && gate.phase == GatePhase::Ingress => {
            return Some("nothing is attested on the way in");
        }
        Check::Judge(judge) if judge.kind == JudgeKind::Uq && judge.threshold_ppm.is_none() => {
            return Some("it has no threshold");
        }
        Check::Judge(judge) if judge.threshold_ppm.is_some_and(|ppm| ppm > 1_000_000) => {
            return Some("its threshold is at most 1");
        }
        Check::Judge(judge) if judge.kind == JudgeKind::Uq && gate.phase == GatePhase::Ingress => {
            return Some("nothing is claimed on the way in");
        }
        Check::Judge(judge) if judge.inputs.values().any(|step| !has_step(step)) => {
            return Some("it names a step that the plan does not have");
        }
        _ => {}
    }
    answers(gate, parts)
}

fn answers(gate: &Gate, parts: &PlanParts) -> Option<&'static str> {
    let Some((last, before)) = gate.on_fail.split_last() else {
        return Some("it has no answer for when it does not hold");
    };
    if last.condition.is_some() || before.iter().any(|one| one.condition.is_none()) {
        return Some("the last answer and no other stands without a condition");
    }
    if gate.on_fail.len() > PARTS_MAX || gate.clauses().count() > PARTS_MAX {
        return Some("it has more than 64 clauses or answers");
    }
    gate.on_fail
        .iter()
        .find_map(|one| target_fault(one.action, one.target.as_ref(), parts))
}

/// What is wrong with the target of an answer.
pub(super) fn target_fault(
    action: Action,
    target: Option<&StepName>,
    parts: &PlanParts,
) -> Option<&'static str> {
    let Some(target) = target else {
        return action
            .has_target()
            .then_some("`fallback` and `reroute` name the step that answers instead");
    };
    if !action.has_target() {
        return Some("only `fallback` and `reroute` name another step");
    }
    let is_standby = parts
        .steps
        .iter()
        .any(|s| s.name == *target && s.is_standby);
    (!is_standby).then_some("the step that answers instead must be a standby step of the plan")
}
