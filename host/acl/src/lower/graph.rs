//! Which step waits for which, in what order they stand, and what is wrong with that.
//!
//! INVARIANT: the order is the one of `aim_core::plan::order`; this file only finds the places to complain about.

use alloc::{collections::BTreeMap, format, vec::Vec};
use core::ops::Range;

use aim_core::{
    name::StepName,
    plan::{self, Order},
};

use super::{
    Steps, duplicate, required_by_others,
    topology::{Tied, Ties},
};
use crate::{
    ast::{Require, Source, Step},
    codes,
    diagnostic::{Diagnostic, Faults},
};

/// How many steps of a cycle are named.
const CYCLE_SHOWN: usize = 8;

/// One edge: what a step waits for.
#[derive(Clone)]
pub(crate) struct Edge {
    pub(crate) to: usize,
    pub(crate) span: Range<usize>,
    pub(crate) is_optional: bool,
    is_pairwise: bool,
    pub(crate) reduce: Option<plan::Reduce>,
}

/// The resolved edges of a plan.
pub(crate) struct Graph {
    /// Step indices in plan order.
    pub(crate) order: Vec<usize>,
    /// Per step: what it waits for, in source order.
    pub(crate) edges: Vec<Vec<Edge>>,
    /// Per step: `None` when nobody requires it, else whether somebody needs it.
    needed: Vec<Option<bool>>,
}

impl Graph {
    /// False when the step has dependents and all of them require it with `?`.
    pub(super) fn is_required(&self, index: usize) -> bool {
        self.needed.get(index).copied().flatten().unwrap_or(true)
    }

    /// True when nobody requires the step.
    pub(super) fn is_last(&self, index: usize) -> bool {
        self.needed.get(index).copied().flatten().is_none()
    }

    /// What the step waits for.
    pub(super) fn requires(&self, index: usize, steps: &Steps<'_>) -> Vec<plan::Require> {
        let edges = self.edges.get(index).into_iter().flatten();
        let lowered = edges.filter_map(|edge| {
            let (_, step) = steps.all.get(edge.to)?;
            Some(plan::Require {
                is_optional: edge.is_optional,
                is_pairwise: edge.is_pairwise,
                reduce: edge.reduce,
                step: step.name.as_ref()?.value.clone(),
            })
        });
        lowered.collect()
    }
}

/// Resolves everything that makes a step wait.
pub(super) fn resolve(steps: &Steps<'_>, ties: &Ties, faults: &mut Faults) -> Graph {
    let mut edges: Vec<Vec<Edge>> = Vec::with_capacity(steps.all.len());
    for (index, (_, step)) in steps.all.iter().enumerate() {
        let mut own = required(index, step, steps, faults);
        from_inputs(index, step, steps, &mut own, faults);
        edges.push(own);
    }
    for ((from, to), tied) in &ties.edges {
        tie(*from, *to, tied, steps, &mut edges, faults);
    }
    after_all(steps, &mut edges);
    let mut needed = alloc::vec![None; steps.all.len()];
    for edge in edges.iter().flatten() {
        if let Some(needed) = needed.get_mut(edge.to) {
            *needed = Some(needed.unwrap_or(false) || !edge.is_optional);
        }
    }
    let targets: Vec<Vec<usize>> = edges
        .iter()
        .map(|edges| edges.iter().map(|edge| edge.to).collect())
        .collect();
    let Order { nodes, cycles } = plan::order(&targets);
    for cycle in cycles {
        faults.extend(cycle_fault(&cycle, steps, &edges));
    }
    Graph {
        order: nodes,
        edges,
        needed,
    }
}

/// The edges of `REQUIRES` and `depends`.
fn required(index: usize, step: &Step, steps: &Steps<'_>, faults: &mut Faults) -> Vec<Edge> {
    let mut seen = BTreeMap::new();
    let mut edges = Vec::with_capacity(step.requires.len());
    for Require {
        step: required,
        is_optional,
    } in &step.requires
    {
        if let Some(first) = seen.insert(&required.value, &required.span) {
            faults.push(duplicate("requirement", required, first).help("keep one of the two"));
            continue;
        }
        if is_self(step, &required.value) {
            let message = format!("step `{}` requires itself", required.value);
            let fault = Diagnostic::error(codes::SELF_DEPENDENCY, required.span.clone(), message);
            faults.push(fault.help("remove it from what the step requires"));
            continue;
        }
        match steps.places.get(&required.value) {
            Some(to) if *to != index => edges.push(Edge {
                to: *to,
                span: required.span.clone(),
                is_optional: *is_optional,
                is_pairwise: false,
                reduce: None,
            }),
            Some(_) => {}
            None => {
                let known = steps.places.keys().map(|name| name.as_str());
                let help = faults.suggest(required.value.as_str(), known);
                let help = help.unwrap_or_else(|| "a plan has no other steps than its own".into());
                let message = format!("there is no step `{}`", required.value);
                faults.push(
                    Diagnostic::error(codes::UNKNOWN_STEP, required.span.clone(), message)
                        .help(help),
                );
            }
        }
    }
    edges
}

fn is_self(step: &Step, name: &StepName) -> bool {
    step.name.as_ref().is_some_and(|own| own.value == *name)
}

/// A step waits for the steps that it takes inputs from.
fn from_inputs(
    index: usize,
    step: &Step,
    steps: &Steps<'_>,
    edges: &mut Vec<Edge>,
    faults: &mut Faults,
) {
    for input in &step.inputs {
        let Source::Step(name) = &input.value.value else {
            continue;
        };
        let span = &input.value.span;
        if is_self(step, name) {
            let message = format!("step `{name}` takes an input from itself");
            let fault = Diagnostic::error(codes::SELF_DEPENDENCY, span.clone(), message);
            faults.push(fault.help("repeat a step with `flow <name>(<step>, max_iter=<n>)`"));
            continue;
        }
        let is_declared = step
            .requires
            .iter()
            .any(|require| require.step.value == *name);
        let Some(to) = steps
            .places
            .get(name)
            .copied()
            .filter(|_| !is_declared)
            .or_else(|| {
                if is_declared {
                    None
                } else {
                    steps.find(name, span, faults)
                }
            })
        else {
            continue;
        };
        if to != index && edges.iter().all(|edge| edge.to != to) {
            edges.push(Edge {
                to,
                span: span.clone(),
                is_optional: false,
                is_pairwise: false,
                reduce: None,
            });
        }
    }
}

/// Adds what a fan-out or reduce says to the edge between two steps, or the edge itself.
fn tie(
    from: usize,
    to: usize,
    tied: &Tied,
    steps: &Steps<'_>,
    edges: &mut [Vec<Edge>],
    faults: &mut Faults,
) {
    if from == to {
        let message = format!("step `{}` waits for itself", steps.name_of(to));
        let fault = Diagnostic::error(codes::SELF_DEPENDENCY, tied.span.clone(), message);
        return faults.push(fault.help("repeat a step with `flow <name>(<step>, max_iter=<n>)`"));
    }
    let Some(own) = edges.get_mut(to) else { return };
    let at = own.iter().position(|edge| edge.to == from);
    let edge = match at.and_then(|at| own.get_mut(at)) {
        Some(edge) => edge,
        None => {
            own.push(Edge {
                to: from,
                span: tied.span.clone(),
                is_optional: false,
                is_pairwise: false,
                reduce: None,
            });
            let Some(edge) = own.last_mut() else { return };
            edge
        }
    };
    edge.is_pairwise |= tied.is_pairwise;
    edge.reduce = tied.reduce.or(edge.reduce);
}

/// A step that takes the whole trace waits for every step that nobody else waits for.
fn after_all(steps: &Steps<'_>, edges: &mut [Vec<Edge>]) {
    let waits_for_all = |step: &Step| {
        step.inputs
            .iter()
            .any(|input| input.value.value == Source::Trace)
    };
    let watchers: Vec<usize> = (steps.all.iter().enumerate())
        .filter(|(_, (_, step))| waits_for_all(step))
        .map(|(index, _)| index)
        .collect();
    if watchers.is_empty() {
        return;
    }
    let has_dependents = required_by_others(edges);
    let standbys = named_as_standby(steps);
    for watcher in &watchers {
        let Some((_, step)) = steps.all.get(*watcher) else {
            continue;
        };
        let span = step
            .inputs
            .iter()
            .find(|input| input.value.value == Source::Trace);
        let span = span.map_or(0..0, |input| input.value.span.clone());
        for other in 0..steps.all.len() {
            let is_last = !has_dependents.contains(&other) && !watchers.contains(&other);
            if let Some(own) = edges.get_mut(*watcher)
                && is_last
                && !standbys.contains(&other)
                && own.iter().all(|edge| edge.to != other)
            {
                own.push(Edge {
                    to: other,
                    span: span.clone(),
                    is_optional: false,
                    is_pairwise: false,
                    reduce: None,
                });
            }
        }
    }
}

/// Steps that another step's fallback or gate leads to: nobody waits for them.
fn named_as_standby(steps: &Steps<'_>) -> Vec<usize> {
    use crate::ast::Action;
    let mut found = Vec::new();
    for (_, step) in &steps.all {
        let of_gates = step.gates.iter().flat_map(|gate| &gate.on_fail);
        let of_gates = of_gates.filter_map(|reaction| match &reaction.action.value {
            Some(Action::Fallback(name) | Action::Reroute(name)) => Some(name),
            _ => None,
        });
        let names = of_gates.chain(step.fallback.as_ref().map(|name| &name.value));
        found.extend(names.filter_map(|name| steps.places.get(name).copied()));
    }
    found
}

fn cycle_fault(cycle: &[usize], steps: &Steps<'_>, edges: &[Vec<Edge>]) -> Option<Diagnostic> {
    let mut path: Vec<&str> = cycle
        .iter()
        .take(CYCLE_SHOWN)
        .map(|at| steps.name_of(*at))
        .collect();
    if cycle.len() > CYCLE_SHOWN {
        path.push("...");
    }
    path.push(steps.name_of(*cycle.first()?));
    let message = format!("steps wait for one another: {}", path.join(" -> "));
    let next = cycle.iter().cycle().skip(1);
    let mut places = cycle.iter().zip(next).filter_map(|(from, to)| {
        let edge = edges.get(*from)?.iter().find(|edge| edge.to == *to)?;
        Some((
            edge.span.clone(),
            format!(
                "`{}` waits for `{}`",
                steps.name_of(*from),
                steps.name_of(*to)
            ),
        ))
    });
    let (span, text) = places.next()?;
    let fault = Diagnostic::error(codes::CYCLE, span.clone(), message).label(span, text);
    let fault = places
        .take(CYCLE_SHOWN)
        .fold(fault, |fault, (span, text)| fault.label(span, text));
    Some(fault.help("remove one of these requirements"))
}
