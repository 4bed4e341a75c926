//! Steps that a fan-out or a reduce names and nobody declares.
//!
//! INVARIANT: an implied step has nothing that the step it comes from does not have, its author is told of it, and the
//! strict profile has none.

use alloc::{collections::BTreeMap, format, vec::Vec};
use core::ops::Range;

use aim_core::name::StepName;

use crate::{
    Profile,
    ast::{Assign, Ast, Reducer, Spanned, Step},
    codes,
    diagnostic::{Diagnostic, Faults},
};

/// A name that nobody declares, in the shard where it stands.
struct Wanted {
    shard: usize,
    name: Spanned<StepName>,
    from: StepName,
    is_adjudicator: bool,
}

/// The tree with a step for each name that is implied; `None` when every name is declared.
///
/// Names are looked at in source order, so one may lead on from another. A name that is close to a declared one is no new step but a slip, and is left to whoever resolves names.
pub(super) fn implied(ast: &Ast, profile: Profile, faults: &mut Faults) -> Option<Ast> {
    let declared: BTreeMap<&StepName, &Step> = (ast.steps())
        .filter_map(|step| Some((&step.name.as_ref()?.value, step)))
        .collect();
    let mut made: BTreeMap<StepName, Step> = BTreeMap::new();
    let mut with = None;
    let mut all: Vec<Wanted> = wanted(ast).collect();
    all.sort_by_key(|wanted| wanted.name.span.start);
    for wanted in all {
        let name = &wanted.name.value;
        if declared.contains_key(name) || made.contains_key(name) {
            continue;
        }
        let others = declared.keys().filter(|known| ***known != wanted.from);
        let known = others.map(|name| name.as_str());
        if crate::suggest::closest(name.as_str(), known).is_some() {
            continue;
        }
        let from = (declared.get(&wanted.from).copied()).or_else(|| made.get(&wanted.from));
        let Some(step) = from.and_then(|from| step(from, &wanted)) else {
            continue;
        };
        report(&wanted, profile, faults);
        let with = with.get_or_insert_with(|| ast.clone());
        place(with, wanted.shard, &step);
        made.insert(name.clone(), step);
    }
    with
}

/// What fan-outs and reduces lead to.
fn wanted(ast: &Ast) -> impl Iterator<Item = Wanted> {
    let shards = || ast.shards.iter().enumerate();
    let fanouts = shards().flat_map(|(shard, of)| {
        of.fanouts.iter().map(move |fanout| Wanted {
            shard,
            name: fanout.to.clone(),
            from: fanout.from.value.clone(),
            is_adjudicator: false,
        })
    });
    let reduces = shards().flat_map(|(shard, of)| {
        of.reduces.iter().map(move |reduce| Wanted {
            shard,
            name: reduce.to.clone(),
            from: reduce.from.value.clone(),
            is_adjudicator: reduce
                .using
                .as_ref()
                .is_some_and(|using| using.value == Reducer::AdjudicateVerifier),
        })
    });
    fanouts.chain(reduces)
}

/// Instances are done as the step that they come from; so is what takes their one output, unless a verifier has to judge.
fn step(from: &Step, wanted: &Wanted) -> Option<Step> {
    let span = wanted.name.span.clone();
    let role = if wanted.is_adjudicator {
        StepName::parse("verifier").ok()?
    } else {
        from.assign.as_ref()?.role.as_ref()?.value.clone()
    };
    let bare = Step {
        name: Some(wanted.name.clone()),
        span: span.clone(),
        assign: Some(Assign {
            role: Some(Spanned::new(role, span.clone())),
            description: None,
            span,
        }),
        budget: from.budget.clone(),
        ..Step::default()
    };
    if wanted.is_adjudicator {
        return Some(bare);
    }
    Some(Step {
        slice: from.slice.clone(),
        time: from.time.clone(),
        model: from.model.clone(),
        tools: from.tools.clone(),
        pins: from.pins.clone(),
        policy: from.policy.clone(),
        effects: from.effects.clone(),
        kappa: from.kappa.clone(),
        ..bare
    })
}

fn report(wanted: &Wanted, profile: Profile, faults: &mut Faults) {
    let span: Range<usize> = wanted.name.span.clone();
    let name = &wanted.name.value;
    let role = if wanted.is_adjudicator {
        "a verifier".into()
    } else {
        format!("done as `{}` is", wanted.from)
    };
    let message = format!("step `{name}` is only implied: {role}");
    let fault = match profile {
        Profile::Strict => Diagnostic::error(codes::IMPLIED_STEP, span, message),
        Profile::Lenient => Diagnostic::warning(codes::IMPLIED_STEP, span, message),
    };
    faults.push(fault.help(format!("declare it: `step {name}: <Role> {{ }}`")));
}

/// Puts a step where its name stands in the source.
fn place(ast: &mut Ast, shard: usize, step: &Step) {
    let Some(shard) = ast.shards.get_mut(shard) else {
        return;
    };
    let behind = (shard.steps.iter()).position(|known| known.span.start > step.span.start);
    shard
        .steps
        .insert(behind.unwrap_or(shard.steps.len()), step.clone());
}
