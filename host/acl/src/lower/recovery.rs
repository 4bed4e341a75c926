//! What is done when a step does not complete: actions, rules, standby steps, questions to people.
//!
//! INVARIANT: a step that something leads to instead of another one is a standby step, and only such a step is.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use aim_core::{
    name::StepName,
    plan::{self, OnFail, Retries, Trigger},
};

use super::{Steps, step};
use crate::{
    ast::{Action, Ast, Effect, Rule, RuleEvent, Spanned, Subject},
    codes,
    diagnostic::{Diagnostic, Faults},
};

/// An action as the IR has it.
pub(super) fn on_fail(action: &Action) -> OnFail {
    let (kind, message) = match action {
        Action::Abort(message) => (plan::Action::Abort, message.clone()),
        Action::Escalate(message) => (plan::Action::Escalate, message.clone()),
        Action::Abstain(message) => (plan::Action::Abstain, message.clone()),
        Action::Warn => (plan::Action::Warn, None),
        Action::Retry(_) => (plan::Action::Retry, None),
        Action::Fallback(_) => (plan::Action::Fallback, None),
        Action::Reroute(_) => (plan::Action::Reroute, None),
        Action::Degrade(_) => (plan::Action::Degrade, None),
        Action::Repair => (plan::Action::Repair, None),
        Action::Quarantine => (plan::Action::Quarantine, None),
    };
    OnFail {
        message,
        options: match action {
            Action::Degrade(options) => options.iter().cloned().collect(),
            _ => BTreeMap::new(),
        },
        target: target(action).cloned(),
        ..OnFail::always(kind)
    }
}

/// The tries in all that an action asks for; `None` for one that does not try again.
pub(super) fn tries(action: &Action) -> Option<u32> {
    match action {
        Action::Retry(times) => Some(times.map_or(Retries::DEFAULT.max_attempts, |times| {
            u32::try_from(times).unwrap_or(u32::MAX)
        })),
        _ => None,
    }
}

fn target(action: &Action) -> Option<&StepName> {
    match action {
        Action::Fallback(step) | Action::Reroute(step) => Some(step),
        _ => None,
    }
}

/// Every action of a tree, with its place.
fn actions(ast: &Ast) -> impl Iterator<Item = &Spanned<Option<Action>>> {
    let shards = || ast.shards.iter();
    let steps = ast.steps().flat_map(|step| &step.gates);
    let gates = ast
        .gates
        .iter()
        .chain(steps)
        .chain(shards().flat_map(|shard| &shard.gates));
    let rules = shards()
        .flat_map(|shard| &shard.rules)
        .flat_map(|rules| &rules.rules);
    let of_rules = rules.filter_map(|rule| match rule {
        Rule::On { action, .. } => Some(action),
        Rule::RequireHitl(_) => None,
    });
    gates
        .flat_map(|gate| gate.on_fail.iter().map(|reaction| &reaction.action))
        .chain(of_rules)
}

/// The steps that others are rerouted to.
pub(super) fn standby(ast: &Ast, steps: &Steps<'_>, faults: &mut Faults) -> BTreeSet<usize> {
    let mut standby = BTreeSet::new();
    for action in actions(ast) {
        if let Some(name) = action.value.as_ref().and_then(target) {
            standby.extend(steps.find(name, &action.span, faults));
        }
    }
    for step in ast.steps() {
        if let Some(name) = &step.fallback {
            standby.extend(steps.find(&name.value, &name.span, faults));
        }
    }
    standby
}

/// The action that the rules have for a gate that says nothing itself.
pub(super) fn for_gate<'a>(ast: &'a Ast, gate: &StepName) -> Option<&'a Action> {
    let rules = ast
        .shards
        .iter()
        .flat_map(|shard| &shard.rules)
        .flat_map(|rules| &rules.rules);
    rules.into_iter().find_map(|rule| match rule {
        Rule::On {
            event:
                Spanned {
                    value: RuleEvent::GateFail(name),
                    ..
                },
            action,
        } if name.as_ref().is_none_or(|name| name == gate) => action.value.as_ref(),
        _ => None,
    })
}

/// The rules that are not about gates.
pub(super) fn rules(ast: &Ast) -> Vec<plan::Rule> {
    let rules = ast
        .shards
        .iter()
        .flat_map(|shard| &shard.rules)
        .flat_map(|rules| &rules.rules);
    let lowered = rules.filter_map(|rule| {
        let Rule::On { event, action } = rule else {
            return None;
        };
        let (on, name) = match &event.value {
            RuleEvent::GateFail(_) => return None,
            RuleEvent::StepFail(name) => (Trigger::Failed, name),
            RuleEvent::OverBudget(name) => (Trigger::OverBudget, name),
            RuleEvent::LowConfidence(name) => (Trigger::LowConfidence, name),
            RuleEvent::PolicyViolation(name) => (Trigger::PolicyViolation, name),
        };
        Some(plan::Rule {
            on,
            steps: name.iter().cloned().collect(),
            then: on_fail(action.value.as_ref()?),
        })
    });
    lowered.collect()
}

/// Gives a step the tries and the question that gates and rules ask for.
pub(super) fn complete(
    ast: &Ast,
    (steps, index): (&Steps<'_>, usize),
    lowered: &mut plan::Step,
    tries: Option<u32>,
    faults: &mut Faults,
) {
    if let Some((_, step)) = steps.all.get(index) {
        lowered.retries = step::retries(step, tries, faults);
    }
    questions(ast, lowered);
}

/// Gives a step the question that `require HITL for` asks for.
fn questions(ast: &Ast, step: &mut plan::Step) {
    let rules = ast
        .shards
        .iter()
        .flat_map(|shard| &shard.rules)
        .flat_map(|rules| &rules.rules);
    let subjects = rules.into_iter().filter_map(|rule| match rule {
        Rule::RequireHitl(subjects) => Some(subjects),
        Rule::On { .. } => None,
    });
    let is_meant = subjects.flatten().any(|subject| match &subject.value {
        Subject::All => true,
        Subject::Step(name) => *name == step.name,
        Subject::Effect(effect) => step.effects.contains(&self::effect(*effect)),
    });
    if is_meant && step.hitl.is_none() {
        step.hitl = Some(plan::Hitl {
            question: None,
            silence: plan::Silence::default(),
        });
    }
}

/// An effect as the IR has it.
pub(super) fn effect(effect: Effect) -> plan::Effect {
    match effect {
        Effect::NetRead => plan::Effect::NetRead,
        Effect::NetWrite => plan::Effect::NetWrite,
        Effect::FsRead => plan::Effect::FsRead,
        Effect::FsWrite => plan::Effect::FsWrite,
        Effect::ProcExec => plan::Effect::ProcExec,
        Effect::SecretsRead => plan::Effect::SecretsRead,
        Effect::MailSend => plan::Effect::MailSend,
        Effect::DbQuery => plan::Effect::DbQuery,
        Effect::SegWrite => plan::Effect::SegWrite,
    }
}

/// Names in rules that lead nowhere.
pub(crate) fn check_names(ast: &Ast, steps: &Steps<'_>, faults: &mut Faults) {
    let gates: BTreeSet<&StepName> = (ast.gates.iter())
        .chain(ast.shards.iter().flat_map(|shard| &shard.gates))
        .chain(ast.steps().flat_map(|step| &step.gates))
        .filter_map(|gate| gate.name.as_ref())
        .map(|name| &name.value)
        .collect();
    for rule in ast
        .shards
        .iter()
        .flat_map(|shard| &shard.rules)
        .flat_map(|rules| &rules.rules)
    {
        match rule {
            Rule::On { event, .. } => match &event.value {
                RuleEvent::GateFail(Some(name)) if !gates.contains(name) => {
                    let message = alloc::format!("there is no gate `{name}`");
                    let help =
                        faults.suggest(name.as_str(), gates.iter().map(|name| name.as_str()));
                    let help = help.unwrap_or_else(|| {
                        "name a gate of this plan, or write `gate_fail` for all".into()
                    });
                    let fault =
                        Diagnostic::error(codes::UNKNOWN_REFERENCE, event.span.clone(), message);
                    faults.push(fault.help(help));
                }
                RuleEvent::StepFail(Some(name))
                | RuleEvent::OverBudget(Some(name))
                | RuleEvent::LowConfidence(Some(name))
                | RuleEvent::PolicyViolation(Some(name)) => {
                    steps.find(name, &event.span, faults);
                }
                _ => {}
            },
            Rule::RequireHitl(subjects) => {
                for subject in subjects {
                    if let Subject::Step(name) = &subject.value {
                        steps.find(name, &subject.span, faults);
                    }
                }
            }
        }
    }
}
