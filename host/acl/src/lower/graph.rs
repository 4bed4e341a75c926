//! Which step waits for which, in what order they stand, and what is wrong with that.
//!
//! INVARIANT: the order is the one of `aim_core::plan::order`; this file only finds the places to complain about.

use alloc::{
    collections::{BTreeMap, btree_map::Entry},
    format,
    string::String,
    vec::Vec,
};

use aim_core::{
    name::StepName,
    plan::{self, Order},
};

use super::duplicate;
use crate::{
    ast::{Require, Step},
    codes,
    diagnostic::{Diagnostic, Faults},
};

/// How many steps of a cycle are named.
const CYCLE_SHOWN: usize = 8;

/// The resolved edges of a plan.
pub(super) struct Graph {
    /// Step indices in plan order.
    pub(super) order: Vec<usize>,
    /// Per step: the index that each requirement leads to and whether it is optional, in source order.
    edges: Vec<Vec<(usize, bool)>>,
    /// Per step: `None` when nobody requires it, else whether somebody needs it.
    needed: Vec<Option<bool>>,
}

impl Graph {
    /// False when the step has dependents and all of them require it with `?`.
    pub(super) fn is_required(&self, index: usize) -> bool {
        self.needed.get(index).copied().flatten().unwrap_or(true)
    }

    /// What the step waits for.
    pub(super) fn requires(&self, index: usize, steps: &[Step]) -> Vec<plan::Require> {
        let edges = self.edges.get(index).into_iter().flatten();
        edges
            .filter_map(|(to, is_optional)| {
                let step = steps.get(*to)?.name.as_ref()?.value.clone();
                Some(plan::Require {
                    is_optional: *is_optional,
                    ..plan::Require::on(step)
                })
            })
            .collect()
    }
}

/// Resolves every `REQUIRES`.
pub(super) fn resolve(steps: &[Step], faults: &mut Faults) -> Graph {
    let places = places(steps, faults);
    let mut edges = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        edges.push(edges_of(index, step, &places, faults));
    }
    let mut needed = alloc::vec![None; steps.len()];
    for (to, is_optional) in edges.iter().flatten() {
        if let Some(needed) = needed.get_mut(*to) {
            *needed = Some(needed.unwrap_or(false) || !is_optional);
        }
    }
    let targets: Vec<Vec<usize>> = edges
        .iter()
        .map(|edges| edges.iter().map(|(to, _)| *to).collect())
        .collect();
    let Order { nodes, cycles } = plan::order(&targets);
    for cycle in cycles {
        faults.extend(cycle_fault(&cycle, steps, &edges));
    }
    for edges in edges.iter().zip(steps) {
        faults.extend(coverage(edges.1, edges.0, steps));
    }
    Graph {
        order: nodes,
        edges,
        needed,
    }
}

fn places<'a>(steps: &'a [Step], faults: &mut Faults) -> BTreeMap<&'a StepName, usize> {
    let mut places = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        let Some(name) = &step.name else { continue };
        match places.entry(&name.value) {
            Entry::Vacant(entry) => {
                entry.insert(index);
            }
            Entry::Occupied(first) => {
                let first = steps.get(*first.get()).and_then(|step| step.name.as_ref());
                let first = first.map_or(0..0, |first| first.span.clone());
                faults.push(duplicate("step", name, &first));
            }
        }
    }
    places
}

fn edges_of(
    index: usize,
    step: &Step,
    places: &BTreeMap<&StepName, usize>,
    faults: &mut Faults,
) -> Vec<(usize, bool)> {
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
        let is_self = step
            .name
            .as_ref()
            .is_some_and(|name| name.value == required.value);
        match places.get(&required.value) {
            _ if is_self => {
                let message = format!("step `{}` requires itself", required.value);
                let fault =
                    Diagnostic::error(codes::SELF_DEPENDENCY, required.span.clone(), message);
                faults.push(fault.help("remove it from REQUIRES"));
            }
            Some(to) if *to != index => edges.push((*to, *is_optional)),
            Some(_) => {}
            None => {
                let known = places.keys().map(|name| name.as_str());
                let help = faults.suggest(required.value.as_str(), known);
                let help = help
                    .unwrap_or_else(|| "a plan has no other steps than its own STEP lines".into());
                let message = format!("there is no step `{}`", required.value);
                let fault = Diagnostic::error(codes::UNKNOWN_STEP, required.span.clone(), message);
                faults.push(fault.help(help));
            }
        }
    }
    edges
}

fn name_of(steps: &[Step], index: usize) -> &str {
    let name = steps.get(index).and_then(|step| step.name.as_ref());
    name.map_or("", |name| name.value.as_str())
}

fn cycle_fault(
    cycle: &[usize],
    steps: &[Step],
    edges: &[Vec<(usize, bool)>],
) -> Option<Diagnostic> {
    let mut path: Vec<&str> = cycle
        .iter()
        .take(CYCLE_SHOWN)
        .map(|at| name_of(steps, *at))
        .collect();
    if cycle.len() > CYCLE_SHOWN {
        path.push("...");
    }
    path.push(name_of(steps, *cycle.first()?));
    let message = format!("steps wait for one another: {}", path.join(" -> "));
    let next = cycle.iter().cycle().skip(1);
    let mut places = cycle.iter().zip(next).filter_map(|(from, to)| {
        // Edges and requirements differ in number once one is faulty, so the place is found by name.
        let is_edge = edges.get(*from)?.iter().any(|(target, _)| target == to);
        let name = is_edge.then(|| name_of(steps, *to))?;
        let require = steps
            .get(*from)?
            .requires
            .iter()
            .find(|r| r.step.value.as_str() == name)?;
        Some((
            require.step.span.clone(),
            format!("`{}` waits for `{name}`", name_of(steps, *from)),
        ))
    });
    let (span, text) = places.next()?;
    let fault = Diagnostic::error(codes::CYCLE, span.clone(), message).label(span, text);
    let fault = places
        .take(CYCLE_SHOWN)
        .fold(fault, |fault, (span, text)| fault.label(span, text));
    Some(fault.help("remove one of these requirements"))
}

/// Warns where outputs meet that no condition has looked at: the ethical gate judges them, but not the plan's own terms.
fn coverage(step: &Step, edges: &[(usize, bool)], steps: &[Step]) -> Option<Diagnostic> {
    if edges.len() < 2 {
        return None;
    }
    let ungated = edges
        .iter()
        .filter(|(to, _)| steps.get(*to).is_some_and(|step| step.gates.is_empty()));
    let names: Vec<String> = ungated
        .map(|(to, _)| format!("`{}`", name_of(steps, *to)))
        .collect();
    if names.is_empty() {
        return None;
    }
    let shown = names.get(..CYCLE_SHOWN).map_or_else(
        || names.join(", "),
        |some| format!("{}, ...", some.join(", ")),
    );
    let span = step
        .requires
        .first()
        .map_or_else(|| step.span.clone(), |first| first.step.span.clone());
    let message = format!("outputs are merged without a gate of the plan on {shown}");
    let fault = Diagnostic::warning(codes::GATE_COVERAGE, span, message);
    Some(fault.help("give each merged step a GATE, so that a bad branch stops before the merge"))
}
