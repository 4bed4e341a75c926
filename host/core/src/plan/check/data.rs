//! Checks on what a plan says about its data.
//!
//! INVARIANT: a plan that claims determinism pins everything that this host knows an answer can depend on.

use alloc::{borrow::ToOwned, collections::BTreeSet, format, vec::Vec};

use super::{PlanFault, owner, text};
use crate::{
    name::StepName,
    plan::{ImportKind, InputSource, PlanParts, SelectorIndex, Step, TimeSlice},
};

pub(super) fn check(parts: &PlanParts, faults: &mut Vec<PlanFault>) {
    if let Some(snapshot) = &parts.header.snapshot {
        text(|| "the snapshot".to_owned(), snapshot, faults);
    }
    for (alias, import) in &parts.imports {
        text(
            || format!("the path of import `{alias}`"),
            &import.path,
            faults,
        );
    }
    let policies = parts.steps.iter().filter_map(|step| step.policy.as_ref());
    for alias in policies.chain(&parts.header.policy) {
        let kind = parts.imports.get(alias).map(|import| import.kind);
        if kind != Some(ImportKind::Policy) {
            faults.push(PlanFault::Data {
                owner: format!("policy `{alias}`"),
                reason: "no policy is imported under that name",
            });
        }
    }
    for step in &parts.steps {
        let pins = [&step.pins.index, &step.pins.model, &step.pins.tool];
        let texts = pins.into_iter().chain([&step.model]).flatten();
        for value in texts.chain(&step.tools) {
            text(|| owner(step), value, faults);
        }
        let found = [slice_fault(step), probe_fault(step), inputs_fault(step)];
        faults.extend(found.into_iter().flatten().map(|reason| PlanFault::Data {
            owner: owner(step),
            reason,
        }));
        for value in step.inputs.values() {
            match value {
                InputSource::Literal(value) => text(|| owner(step), value, faults),
                InputSource::Selector(selector) => text(|| owner(step), &selector.path, faults),
                InputSource::All | InputSource::Run(_) | InputSource::Step(_) => {}
            }
        }
        if parts.header.is_deterministic {
            faults.extend(missing_pins(step, parts).map(|pin| PlanFault::Pin {
                step: step.name.clone(),
                pin,
            }));
        }
    }
}

fn slice_fault(step: &Step) -> Option<&'static str> {
    match step.slice {
        Some(TimeSlice::Window(from, until)) if from >= until => {
            Some("a window ends after it begins")
        }
        _ => None,
    }
}

fn inputs_fault(step: &Step) -> Option<&'static str> {
    let required: BTreeSet<&StepName> = step.requires.iter().map(|edge| &edge.step).collect();
    let is_stray = |source: &InputSource| match source {
        InputSource::Step(name) => !required.contains(name),
        _ => false,
    };
    (step.inputs.values().any(is_stray))
        .then_some("an input comes from a step that is not required")
}

fn probe_fault(step: &Step) -> Option<&'static str> {
    let probe = step.probe.as_ref()?;
    let is_id = !probe.id.is_empty()
        && probe.id.len() <= 128
        && probe
            .id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._".contains(&b));
    let required: BTreeSet<&StepName> = step.requires.iter().map(|edge| &edge.step).collect();
    if !is_id {
        return Some("a probe's id is 1 to 128 of `a-z 0-9 . _`");
    }
    if probe.observes.is_empty() || !probe.observes.iter().all(|name| required.contains(name)) {
        return Some("a probe requires the steps that it observes, at least one");
    }
    (step.is_standby || step.fanout.is_some())
        .then_some("a probe runs once, after what it observes")
}

fn missing_pins<'a>(step: &'a Step, parts: &'a PlanParts) -> impl Iterator<Item = &'static str> {
    let reads = |index: SelectorIndex| {
        (step.inputs.values())
            .any(|source| matches!(source, InputSource::Selector(one) if one.index == index))
    };
    let has_seed = parts.header.seed.is_some() || step.pins.seed.is_some();
    let missing = [
        (step.model.is_some() && step.pins.model.is_none(), "model"),
        (step.model.is_some() && !has_seed, "seed"),
        (!step.tools.is_empty() && step.pins.tool.is_none(), "tool"),
        (
            reads(SelectorIndex::Hhni) && step.pins.index.is_none(),
            "index",
        ),
        (
            (reads(SelectorIndex::Hhni) || reads(SelectorIndex::Seg))
                && parts.header.snapshot.is_none(),
            "snapshot",
        ),
    ];
    missing
        .into_iter()
        .filter(|(is_missing, _)| *is_missing)
        .map(|(_, pin)| pin)
}
