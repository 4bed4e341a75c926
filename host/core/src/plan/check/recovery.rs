//! Checks on what happens when a step does not complete.
//!
//! INVARIANT: every count and every wait is bounded, and a standby step is only reached where the plan says so.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use super::{PlanFault, gates::target_fault, owner, text};
use crate::{
    name::StepName,
    plan::{ATTEMPTS_MAX, Action, BACKOFF_MS_MAX, Breaker, PlanParts, Retries, SoftBackoff, Step},
};

const PPM: u32 = 1_000_000;

pub(super) fn check(parts: &PlanParts, faults: &mut Vec<PlanFault>) {
    for step in &parts.steps {
        let fault = |reason| PlanFault::Recovery {
            owner: owner(step),
            reason,
        };
        let found = [
            step.retries.as_ref().and_then(retries_fault),
            step.breaker.as_ref().and_then(breaker_fault),
            standby_fault(step, parts),
            fallback_fault(step, parts),
            smaller_fault(step),
            (step.kappa_ppm.is_some_and(|ppm| ppm > PPM)).then_some("kappa is at most 1"),
        ];
        faults.extend(found.into_iter().flatten().map(fault));
        if let Some(question) = step.hitl.as_ref().and_then(|hitl| hitl.question.as_ref()) {
            text(|| owner(step), question, faults);
        }
    }
    rules(parts, faults);
}

fn retries_fault(retries: &Retries) -> Option<&'static str> {
    let is_bounded = (1..=ATTEMPTS_MAX).contains(&retries.max_attempts)
        && retries.base_ms <= retries.max_ms
        && retries.max_ms <= BACKOFF_MS_MAX
        && (100..=1_000).contains(&retries.factor_percent)
        && retries.jitter_percent <= 100;
    (!is_bounded).then_some(
        "retries are 1 to 10 attempts, waits up to an hour that do not shrink, factors 1 to 10, jitter up to 100 %",
    )
}

fn breaker_fault(breaker: &Breaker) -> Option<&'static str> {
    let is_bounded = (1..=1_000).contains(&breaker.failures)
        && (1..=24 * BACKOFF_MS_MAX).contains(&breaker.cooldown_ms);
    (!is_bounded).then_some("a breaker opens after 1 to 1000 failures, for at most a day")
}

/// Going on with a smaller model means another step, and there has to be one.
fn smaller_fault(step: &Step) -> Option<&'static str> {
    let soft = step.budget.soft?;
    let is_nowhere = soft.backoff == SoftBackoff::RouteSmallerModel && step.fallback.is_none();
    is_nowhere.then_some("`route_smaller_model` goes to the step's fallback, and it has none")
}

/// A standby step is led to, and nobody waits for it: whoever waits for the step that it stands for gets its output.
fn standby_fault(step: &Step, parts: &PlanParts) -> Option<&'static str> {
    if !step.is_standby {
        return None;
    }
    if parts
        .steps
        .iter()
        .any(|other| other.requires.iter().any(|edge| edge.step == step.name))
    {
        return Some("nobody can require a standby step");
    }
    let answers = step.gates.iter().flat_map(|gate| &gate.on_fail);
    let mut targets = answers.filter_map(|answer| answer.target.as_ref());
    if step.fanout.is_some() || step.fallback.is_some() || targets.next().is_some() {
        return Some("a standby step runs once and has no fallback of its own");
    }
    (!is_led_to(&step.name, parts)).then_some("nothing leads to this standby step")
}

fn is_led_to(name: &StepName, parts: &PlanParts) -> bool {
    let of_steps = parts.steps.iter().any(|step| {
        let answers = step.gates.iter().flat_map(|gate| &gate.on_fail);
        step.fallback.as_ref() == Some(name)
            || answers
                .into_iter()
                .any(|one| one.target.as_ref() == Some(name))
    });
    let answers = parts.gates.iter().flat_map(|gate| &gate.on_fail);
    of_steps
        || answers
            .into_iter()
            .any(|one| one.target.as_ref() == Some(name))
        || parts
            .rules
            .iter()
            .any(|rule| rule.then.target.as_ref() == Some(name))
}

fn fallback_fault(step: &Step, parts: &PlanParts) -> Option<&'static str> {
    let fallback = step.fallback.as_ref()?;
    let is_standby = |other: &Step| other.name == *fallback && other.is_standby;
    if !parts.steps.iter().any(is_standby) {
        return Some("a fallback is a standby step of the plan");
    }
    (step.fanout.is_some()).then_some("a step that runs several times has no fallback")
}

fn rules(parts: &PlanParts, faults: &mut Vec<PlanFault>) {
    let has_step = |name: &StepName| parts.steps.iter().any(|step| step.name == *name);
    let mut fault = |reason| {
        let owner: String = "a rule of the plan".to_owned();
        faults.push(PlanFault::Recovery { owner, reason });
    };
    if parts.kappa_ppm.is_some_and(|ppm| ppm > PPM) {
        fault("kappa is at most 1");
    }
    for rule in &parts.rules {
        if rule.then.condition.is_some() {
            fault("there is no output that a rule could ask about");
        }
        if matches!(rule.then.action, Action::Retry | Action::Warn) {
            fault(
                "a rule can not retry, which `retries` are for, nor warn, for there is nothing to let go",
            );
        }
        if !rule.steps.iter().all(has_step) {
            fault("it names a step that the plan does not have");
        }
        if let Some(reason) = target_fault(rule.then.action, rule.then.target.as_ref(), parts) {
            fault(reason);
        }
    }
    for value in parts
        .rules
        .iter()
        .flat_map(|rule| rule.then.message.iter().chain(rule.then.options.values()))
    {
        text(|| "a rule of the plan".to_owned(), value, faults);
    }
}
