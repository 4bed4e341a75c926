//! One step: everything it says about itself, as the IR has it.
//!
//! INVARIANT: edges, budget and gates are filled in by whoever knows the whole plan; everything else is here.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
};

use aim_core::plan::{
    self, ATTEMPTS_MAX, BACKOFF_MS_MAX, InputSource, Retries, SelectorIndex, StepId, TimeSlice,
};

use super::{Steps, ppm, recovery, roles::Roles};
use crate::{
    ast::{Ast, Breaker, Input, Moment, Pins, Selector, Source, Stakes, Step},
    codes,
    diagnostic::{Diagnostic, Faults},
    instant::instant,
};

/// Turns a step into its IR; `None` when something that it needs is missing, which is reported.
pub(super) fn lower(
    steps: &Steps<'_>,
    index: usize,
    id: StepId,
    roles: &Roles<'_>,
    faults: &mut Faults,
) -> Option<plan::Step> {
    let (shard, step) = *steps.all.get(index)?;
    let (name, assign) = (step.name.as_ref()?, step.assign.as_ref()?);
    let role = roles.find(&assign.role.as_ref()?.value)?;
    let description = assign
        .description
        .as_ref()
        .map_or_else(|| name.value.to_string(), |text| text.value.clone());
    let mut lowered = plan::Step {
        breaker: step.breaker.as_ref().map(breaker),
        criticality: step.criticality.as_ref().map(|stakes| match stakes.value {
            Stakes::LowStakes => plan::Criticality::LowStakes,
            Stakes::Routine => plan::Criticality::Routine,
            Stakes::Important => plan::Criticality::Important,
            Stakes::Critical => plan::Criticality::Critical,
        }),
        effects: step
            .effects
            .iter()
            .map(|effect| recovery::effect(effect.value))
            .collect(),
        fallback: step.fallback.as_ref().map(|name| name.value.clone()),
        hitl: step.question.as_ref().map(|question| plan::Hitl {
            question: Some(question.value.clone()),
            silence: plan::Silence::default(),
        }),
        inputs: inputs(step, faults),
        is_idempotent: step.idempotent.as_ref().map(|one| one.value),
        kappa_ppm: step.kappa.as_ref().map(|kappa| ppm(&kappa.value)),
        model: step.model.as_ref().map(|model| model.value.clone()),
        pins: step.pins.as_ref().map(pins).unwrap_or_default(),
        policy: step.policy.as_ref().map(|policy| policy.value.clone()),
        shard: shard.name.as_ref().map(|name| name.value.clone()),
        slice: step.time.as_ref().and_then(|time| slice(&time.value)),
        tools: step.tools.iter().map(|tool| tool.value.clone()).collect(),
        ..plan::Step::new(id, name.value.clone(), role, &description)
    };
    if lowered.model.is_none() {
        lowered.model = lowered.pins.model.clone();
    }
    Some(lowered)
}

fn breaker(breaker: &Breaker) -> plan::Breaker {
    let default = plan::Breaker::DEFAULT;
    plan::Breaker {
        cooldown_ms: breaker
            .cooldown_ms
            .as_ref()
            .map_or(default.cooldown_ms, |one| one.value),
        failures: (breaker.failures.as_ref()).map_or(default.failures, |one| {
            u32::try_from(one.value).unwrap_or(u32::MAX)
        }),
    }
}

/// The pins of a step or of the header.
pub(super) fn pins(pins: &Pins) -> plan::Pins {
    let text =
        |pin: &Option<crate::ast::Spanned<String>>| pin.as_ref().map(|pin| pin.value.clone());
    plan::Pins {
        index: text(&pins.index),
        model: text(&pins.model),
        seed: pins.seed.as_ref().map(|seed| seed.value),
        tool: text(&pins.tool),
    }
}

/// The header's pins hold for every step that needs such a pin and has none of its own.
pub(super) fn pin(ast: &Ast, step: &mut plan::Step) {
    let Some(common) = ast.settings.pins.as_ref().map(pins) else {
        return;
    };
    let is_reader = (step.inputs.values()).any(|input| matches!(input, InputSource::Selector(_)));
    let own = &mut step.pins;
    if step.model.is_some() {
        own.model = own.model.take().or(common.model);
        own.seed = own.seed.or(common.seed);
    }
    if !step.tools.is_empty() {
        own.tool = own.tool.take().or(common.tool);
    }
    if is_reader {
        own.index = own.index.take().or(common.index);
    }
}

fn inputs(step: &Step, faults: &mut Faults) -> BTreeMap<aim_core::name::StepName, InputSource> {
    let mut inputs = BTreeMap::new();
    for Input { name, value } in &step.inputs {
        let source = match &value.value {
            Source::Step(step) => InputSource::Step(step.clone()),
            Source::Run(name) => InputSource::Run(name.clone()),
            Source::Trace => InputSource::All,
            Source::Memory(path) => InputSource::Selector(selector(path)),
            Source::Text(_) | Source::Number(_) | Source::Boolean(_) => {
                InputSource::Literal(super::topology::text(value))
            }
        };
        if inputs.insert(name.value.clone(), source).is_some() {
            let message = format!("input `{}` is given twice", name.value);
            let fault = Diagnostic::error(codes::DUPLICATE, name.span.clone(), message);
            faults.push(fault.help("keep one of the two"));
        }
    }
    if let Some(slice) = &step.slice
        && let Ok(name) = aim_core::name::StepName::parse("slice")
        && inputs
            .insert(name, InputSource::Selector(selector(&slice.value)))
            .is_some()
    {
        let fault = Diagnostic::error(
            codes::DUPLICATE,
            slice.span.clone(),
            "input `slice` is given twice",
        );
        faults.push(
            fault.help("`slice: <selector>` is the input of that name; rename the other one"),
        );
    }
    inputs
}

/// An input of the run and a step that is waited for stand side by side in what the step is given, so they have two names.
pub(super) fn names(steps: &Steps<'_>, index: usize, step: &plan::Step, faults: &mut Faults) {
    let Some((_, written)) = steps.all.get(index) else {
        return;
    };
    for Input { name, value } in &written.inputs {
        let is_required = |edge: &plan::Require| edge.step == name.value;
        if !matches!(value.value, Source::Run(_)) || !step.requires.iter().any(is_required) {
            continue;
        }
        let message = format!(
            "input `{}` has the name of a step that is waited for",
            name.value
        );
        let fault = Diagnostic::error(codes::DUPLICATE, name.span.clone(), message);
        faults.push(fault.help("give the input another name"));
    }
}

fn selector(selector: &Selector) -> plan::Selector {
    plan::Selector {
        index: if selector.is_graph {
            SelectorIndex::Seg
        } else {
            SelectorIndex::Hhni
        },
        path: selector.path.clone(),
    }
}

fn slice(moment: &Moment) -> Option<TimeSlice> {
    match moment {
        Moment::AsOf(text) => Some(TimeSlice::AsOf(instant(text)?)),
        Moment::Window(from, to) => Some(TimeSlice::Window(instant(from)?, instant(to)?)),
    }
}

/// What the step says, else the tries that a gate or a rule asks for.
pub(super) fn retries(step: &Step, asked: Option<u32>, faults: &mut Faults) -> Option<Retries> {
    let default = Retries::DEFAULT;
    let Some(written) = &step.retries else {
        return asked.map(|max_attempts| Retries {
            max_attempts,
            ..default
        });
    };
    let attempts = written
        .max_attempts
        .as_ref()
        .map_or(u64::from(default.max_attempts), |one| one.value);
    let base_ms = written
        .backoff_ms
        .as_ref()
        .map_or(default.base_ms, |one| one.value);
    if attempts > u64::from(ATTEMPTS_MAX) || base_ms > BACKOFF_MS_MAX {
        let message = format!(
            "retries are at most {ATTEMPTS_MAX} attempts with waits of at most {BACKOFF_MS_MAX} ms"
        );
        let fault = Diagnostic::error(codes::BAD_VALUE, written.span.clone(), message);
        faults.push(fault.help("write smaller numbers"));
    }
    Some(Retries {
        base_ms,
        max_attempts: u32::try_from(attempts).unwrap_or(ATTEMPTS_MAX),
        max_ms: default.max_ms.max(base_ms),
        ..default
    })
}
