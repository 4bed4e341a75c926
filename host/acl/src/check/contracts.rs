//! A plan beside the contracts of the nodes that do its steps: types across edges, effects, separation of duties.
//!
//! INVARIANT: a node that is not known here makes no fault here; whoever runs the plan refuses what has no node.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};
use core::ops::Range;

use aim_core::{
    access,
    name::StepName,
    plan::{Effect, InputSource, NODE_PARAM, Plan, Step},
};
use serde_json::Value;

use super::{Fit, fits};
use crate::{
    Context, NodeFacts, codes,
    diagnostic::{Diagnostic, Faults},
    lower::Steps,
};

/// Holds the plan against what the context knows of its nodes. Of a plan that is not whole, because something else is wrong
/// with it, only that is said which what is missing can't have caused.
pub(crate) fn check(
    plan: &Plan,
    steps: &Steps<'_>,
    context: &Context<'_>,
    is_whole: bool,
    faults: &mut Faults,
) {
    let mut nodes: BTreeMap<&StepName, Option<NodeFacts>> = BTreeMap::new();
    for step in plan.steps() {
        nodes.insert(&step.name, context.resolver.node(plan, step));
    }
    let known = |step: &Step| nodes.get(&step.name).and_then(Option::as_ref);
    let by_name: BTreeMap<&StepName, &Step> =
        plan.steps().iter().map(|step| (&step.name, step)).collect();
    for step in plan.steps() {
        let place = |name: &StepName| place(steps, name);
        if let Some(facts) = known(step) {
            effects(step, facts, steps, faults);
            if is_whole && plan.declares_effects() {
                undeclared(step, facts, steps, faults);
            }
            if facts.is_deaf {
                told_to_nobody(plan, step, facts, steps, faults);
            }
            if is_whole {
                types(step, facts, &by_name, &known, steps, faults);
            }
        }
        duties(plan, step, &by_name, &known, &place(&step.name), faults);
    }
}

fn place(steps: &Steps<'_>, name: &StepName) -> Range<usize> {
    steps.place_of(name.as_str()).unwrap_or(0..0)
}

fn effects(step: &Step, facts: &NodeFacts, steps: &Steps<'_>, faults: &mut Faults) {
    let written = steps
        .places
        .get(&step.name)
        .and_then(|index| steps.all.get(*index));
    let span_of = |effect: Effect| {
        let found = written.and_then(|(_, step)| {
            step.effects
                .iter()
                .find(|one| one.value.word() == effect.word())
        });
        found.map_or_else(|| place(steps, &step.name), |one| one.span.clone())
    };
    for effect in &step.effects {
        let (why, help) = if !facts.asked.contains(effect) {
            let why = format!(
                "the contract of `{}` does not ask for `{}`",
                facts.node,
                effect.word()
            );
            (why, asks_for(*effect))
        } else if !facts.granted.contains(effect) {
            let why = format!(
                "the policy does not grant `{}` to `{}`",
                effect.word(),
                facts.node
            );
            (
                why,
                String::from("remove the effect, or let the operator's policy grant it"),
            )
        } else {
            continue;
        };
        faults.push(Diagnostic::error(codes::UNGRANTED_EFFECT, span_of(*effect), why).help(help));
    }
}

/// Effects that the node is granted and the step does not own up to.
fn undeclared(step: &Step, facts: &NodeFacts, steps: &Steps<'_>, faults: &mut Faults) {
    let granted = || facts.granted.intersection(&facts.asked);
    let whole: BTreeSet<&str> = granted().map(|effect| effect.word()).collect();
    let whole: Vec<&str> = whole.into_iter().collect();
    for effect in granted().filter(|effect| !step.effects.contains(*effect)) {
        let uses = facts.uses.get(effect).into_iter().flatten();
        let uses: Vec<String> = uses.map(|used| format!("`{used}`")).collect();
        let does = if uses.is_empty() {
            String::new()
        } else {
            format!(" for {}", uses.join(" and "))
        };
        let why = format!(
            "`{}` is granted `{}`{does}, and the step does not declare it",
            facts.node,
            effect.word()
        );
        let span = place(steps, &step.name);
        faults.push(
            Diagnostic::error(codes::UNDECLARED_EFFECT, span, why).help(format!(
                "write `effects: [{}]` in the step, or take the ask out of the contract",
                whole.join(", ")
            )),
        );
    }
}

/// What a contract asks for to have an effect.
fn asks_for(effect: Effect) -> String {
    let known = access::Effect::ALL
        .iter()
        .find(|known| known.word() == effect.word());
    let uses: Vec<String> = (known.into_iter().flat_map(|known| known.uses()))
        .map(|row| match row.mode {
            Some(mode) => format!("`{}.{}`", row.capability.name(), mode.word()),
            None => format!("`{}`", row.capability.name()),
        })
        .collect();
    if uses.is_empty() {
        return "remove the effect: nothing that a contract can ask for has it".into();
    }
    format!(
        "remove the effect, or ask in the contract for what has it: {}",
        uses.join(" or ")
    )
}

/// What the plan tells a step by labels, and its node can not read.
fn told_to_nobody(
    plan: &Plan,
    step: &Step,
    facts: &NodeFacts,
    steps: &Steps<'_>,
    faults: &mut Faults,
) {
    let params = plan.roles().get(&step.role).map(|role| &role.params);
    let params = params.into_iter().flatten();
    let params = params.filter(|(name, _)| name.as_str() != NODE_PARAM);
    let values = step
        .inputs
        .iter()
        .filter(|(_, source)| matches!(source, InputSource::Literal(_) | InputSource::Selector(_)));
    let options = step.fanout.iter().flat_map(|fanout| fanout.options.keys());
    let mut told: Vec<String> = (params.map(|(name, _)| format!("`role.{name}`")))
        .chain(values.map(|(name, _)| format!("`input.{name}`")))
        .chain(options.map(|name| format!("`fanout.{name}`")))
        .collect();
    told.extend(step.model.iter().map(|_| "`model`".into()));
    told.extend(step.tools.first().map(|_| "`tools`".into()));
    told.extend(step.slice.map(|_| "`slice`".into()));
    if told.is_empty() {
        return;
    }
    let message = format!(
        "`{}` is told {}, and `{}` can read no label",
        step.name,
        told.join(", "),
        facts.node
    );
    let span = place(steps, &step.name);
    faults.push(Diagnostic::warning(codes::TOLD_TO_NOBODY, span, message).help(
        "have the component look the labels up and its contract ask for `context`, or take out what nobody hears",
    ));
}

/// The schema of what a step is given: the emission of the only step that it requires, else an object with one member for each
/// of them and for each input of the run that it names.
fn given(step: &Step, outputs: &BTreeMap<&StepName, Option<&Value>>) -> Option<Value> {
    let is_plain = step.requires.iter().all(|edge| edge.reduce.is_none());
    if step.requires.is_empty() || !is_plain {
        return None;
    }
    let inputs = step.inputs.iter();
    let named = inputs.filter(|(_, source)| matches!(source, InputSource::Run(_)));
    let named: Vec<&StepName> = named.map(|(name, _)| name).collect();
    if let ([only], true) = (step.requires.as_slice(), named.is_empty()) {
        return outputs.get(&only.step).copied().flatten().cloned();
    }
    let mut properties = serde_json::Map::new();
    let mut required = Vec::new();
    for edge in &step.requires {
        let schema = outputs.get(&edge.step).copied().flatten();
        let schema = schema
            .filter(|_| !edge.is_optional)
            .cloned()
            .unwrap_or(Value::Bool(true));
        properties.insert(String::from(edge.step.as_str()), schema);
        required.push(Value::String(String::from(edge.step.as_str())));
    }
    for name in named {
        properties.insert(String::from(name.as_str()), Value::Bool(true));
        required.push(Value::String(String::from(name.as_str())));
    }
    let mut object = serde_json::Map::new();
    object.insert("type".into(), Value::String("object".into()));
    object.insert("properties".into(), Value::Object(properties));
    object.insert("required".into(), Value::Array(required));
    object.insert("additionalProperties".into(), Value::Bool(false));
    Some(Value::Object(object))
}

fn types<'a>(
    step: &Step,
    facts: &NodeFacts,
    by_name: &BTreeMap<&StepName, &'a Step>,
    known: &impl Fn(&'a Step) -> Option<&'a NodeFacts>,
    steps: &Steps<'_>,
    faults: &mut Faults,
) {
    let Some(taken) = &facts.input else { return };
    let mut outputs = BTreeMap::new();
    for edge in &step.requires {
        let producer = by_name.get(&edge.step).copied();
        let runs_once =
            producer.is_some_and(|producer| producer.fanout.is_none()) || edge.is_pairwise;
        let output = producer
            .filter(|_| runs_once)
            .and_then(known)
            .and_then(|facts| facts.output.as_ref());
        outputs.insert(&edge.step, output);
    }
    if outputs.values().all(Option::is_none) {
        return;
    }
    let Some(given) = given(step, &outputs) else {
        return;
    };
    let names: Vec<&str> = step
        .requires
        .iter()
        .map(|edge| edge.step.as_str())
        .collect();
    let who = format!("`{}` takes from `{}`", step.name, names.join("`, `"));
    let span = place(steps, &step.name);
    match fits(Some(&given), Some(taken)) {
        Fit::Always => {}
        Fit::Maybe(why) => {
            let fault = Diagnostic::warning(codes::UNDECIDED_TYPES, span, format!("{who}: {why}"));
            faults.push(fault.help("say more in the output schema of one contract, or less in the input schema of the other"));
        }
        Fit::Never(why) => {
            let fault = Diagnostic::error(
                codes::TYPE_MISMATCH,
                span,
                format!("{who}, and that can not fit: {why}"),
            );
            faults.push(fault.help("put a step between them that turns one into the other, or correct a contract's schema"));
        }
    }
}

/// Kinds that judge what others made.
const JUDGES: [&str; 2] = ["critic", "verifier"];

fn duties<'a>(
    plan: &'a Plan,
    step: &'a Step,
    by_name: &BTreeMap<&StepName, &'a Step>,
    known: &impl Fn(&'a Step) -> Option<&'a NodeFacts>,
    span: &Range<usize>,
    faults: &mut Faults,
) {
    let kind = |step: &Step| {
        plan.roles()
            .get(&step.role)
            .map_or("", |role| role.kind.as_str())
    };
    if !JUDGES.contains(&kind(step)) {
        return;
    }
    let mut open: Vec<&StepName> = step.requires.iter().map(|edge| &edge.step).collect();
    let mut seen: BTreeSet<&StepName> = BTreeSet::new();
    // BOUND: every step is looked at once. Judges are looked through: they judge the same proposal.
    while let Some(name) = open.pop() {
        let Some(proposer) = by_name.get(name).copied().filter(|_| seen.insert(name)) else {
            continue;
        };
        if JUDGES.contains(&kind(proposer)) {
            open.extend(proposer.requires.iter().map(|edge| &edge.step));
            continue;
        }
        let same = if let Some(model) =
            models(plan, step).find(|model| models(plan, proposer).any(|own| own == *model))
        {
            format!("the model `{}`", model.escape_default())
        } else if let (Some(judge), Some(own)) = (known(step), known(proposer))
            && (judge.component.is_some() && judge.component == own.component)
        {
            format!("the component of `{}`", own.node)
        } else if let (Some(judge), Some(own)) = (node(plan, step), node(plan, proposer))
            && judge == own
        {
            format!("the node `{}`", own.escape_default())
        } else {
            continue;
        };
        let message = format!(
            "`{}` judges what `{}` made, and both are {same}",
            step.name, proposer.name
        );
        let fault = Diagnostic::error(codes::SAME_JUDGE, span.clone(), message);
        faults.push(fault.help(
            "let a critic or verifier be another model or component than the step that it judges",
        ));
    }
}

fn models<'a>(plan: &'a Plan, step: &'a Step) -> impl Iterator<Item = &'a str> {
    let param = plan
        .roles()
        .get(&step.role)
        .and_then(|role| param(role, "model"));
    [step.model.as_deref(), step.pins.model.as_deref(), param]
        .into_iter()
        .flatten()
}

fn node<'a>(plan: &'a Plan, step: &Step) -> Option<&'a str> {
    plan.roles()
        .get(&step.role)
        .and_then(|role| param(role, NODE_PARAM))
}

fn param<'a>(role: &'a aim_core::plan::Role, name: &str) -> Option<&'a str> {
    let found = role.params.iter().find(|(param, _)| param.as_str() == name);
    found.map(|(_, value)| value.as_str())
}
