//! The steps of an imported plan in the place of the step that stood for its call.
//!
//! INVARIANT: nothing of the imported plan keeps a name of its own, so two calls never meet.

use alloc::{borrow::ToOwned, collections::BTreeMap, format, string::String, vec::Vec};

use aim_core::{
    name::StepName,
    plan::{
        self, Check, Exhausted, Gate, InputSource, OnFail, PlanParts, Require, Role, Rule, Step,
        StepId,
    },
};

use super::imported::{Call, prefixed};

type Why = String;

/// Replaces the step of `call`.
pub(super) fn inline(call: &Call, parts: &mut PlanParts) -> Result<(), Why> {
    let Some(imported) = &call.plan else {
        return Ok(());
    };
    let alias = &call.flow.name.value;
    let results: Vec<&Step> = imported.terminals().collect();
    let [result] = results.as_slice() else {
        return Err(format!("has {} results, and a call has one", results.len()));
    };
    let result = prefixed(alias, &result.name)?;
    let inner = imported.clone().into_parts();
    if call.is_repeated() && !inner.flows.is_empty() {
        return Err("repeats steps itself, and rounds do not hold rounds".to_owned());
    }
    check_header(&inner, parts)?;
    let at = parts.steps.iter().position(|step| step.name == *alias);
    let Some(at) = at else { return Ok(()) };
    let stand_in = parts.steps.remove(at);
    if stand_in.fanout.is_some() {
        return Err("is fanned out, and a call runs once; fan out inside of it".to_owned());
    }
    let renamed = Renamed {
        alias,
        roles: roles(alias, &inner, parts)?,
    };
    let mut steps: Vec<Step> = Vec::with_capacity(inner.steps.len());
    for step in &inner.steps {
        steps.push(renamed.step(step, &inner, &stand_in)?);
    }
    let gates: Vec<Gate> = (inner.gates.iter())
        .map(|gate| renamed.gate(gate))
        .collect::<Result<_, Why>>()?;
    for step in steps.iter_mut().filter(|step| step.name == result) {
        for mut gate in gates.iter().chain(&stand_in.gates).cloned() {
            if step.gates.iter().any(|one| one.name == gate.name) {
                gate.name = prefixed(alias, &gate.name)?;
            }
            step.gates.push(gate);
        }
    }
    let names: Vec<StepName> = steps.iter().map(|step| step.name.clone()).collect();
    meant(parts, alias, &result, &names)?;
    take_rest(&renamed, inner, parts, &names)?;
    if call.is_repeated() {
        let until = call.until().ok_or("has no end")?;
        let rounds = call.flow.max_iter.as_ref().map_or(1, |max| max.value);
        parts.flows.push(plan::Flow {
            max_iter: u32::try_from(rounds).unwrap_or(u32::MAX),
            name: alias.clone(),
            on_exhausted: if call.flow.releases {
                Exhausted::Release
            } else {
                Exhausted::Abstain
            },
            result,
            steps: names,
            until,
        });
    }
    parts.steps.extend(steps);
    Ok(())
}

/// What the importing plan and the imported one both hold still must be the same thing.
fn check_header(inner: &PlanParts, parts: &mut PlanParts) -> Result<(), Why> {
    let (own, imported) = (&mut parts.header, &inner.header);
    if imported.snapshot.is_some() && imported.snapshot != own.snapshot {
        return Err("reads another snapshot than the plan that calls it".to_owned());
    }
    if imported.seed.is_some() && imported.seed != own.seed {
        return Err("has another seed than the plan that calls it".to_owned());
    }
    own.risk = own.risk.max(imported.risk);
    Ok(())
}

/// The imported roles: one that is the same in both plans keeps its name.
fn roles(
    alias: &StepName,
    inner: &PlanParts,
    parts: &mut PlanParts,
) -> Result<BTreeMap<StepName, StepName>, Why> {
    let mut names = BTreeMap::new();
    for (name, role) in &inner.roles {
        let is_plain = role.params.is_empty() && role.kind == *name;
        let own: &Role = parts.roles.get(name).unwrap_or(role);
        let kept = if is_plain && own == role {
            name.clone()
        } else {
            prefixed(alias, name)?
        };
        parts.roles.insert(kept.clone(), role.clone());
        names.insert(name.clone(), kept);
    }
    Ok(names)
}

struct Renamed<'a> {
    alias: &'a StepName,
    roles: BTreeMap<StepName, StepName>,
}

impl Renamed<'_> {
    fn name(&self, name: &StepName) -> Result<StepName, Why> {
        prefixed(self.alias, name)
    }

    fn maybe(&self, name: Option<&StepName>) -> Result<Option<StepName>, Why> {
        name.map(|name| self.name(name)).transpose()
    }

    fn step(&self, step: &Step, inner: &PlanParts, stand_in: &Step) -> Result<Step, Why> {
        let is_first = step.requires.is_empty() && !step.is_standby;
        let requires = if is_first {
            stand_in.requires.clone()
        } else {
            let edges = step.requires.iter().map(|edge| {
                let step = self.name(&edge.step)?;
                Ok(Require {
                    step,
                    ..edge.clone()
                })
            });
            edges.collect::<Result<Vec<Require>, Why>>()?
        };
        let mut inputs = BTreeMap::new();
        for (name, source) in &step.inputs {
            let source = match source {
                InputSource::Step(from) => InputSource::Step(self.name(from)?),
                other => other.clone(),
            };
            inputs.insert(name.clone(), source);
        }
        let policy = step.policy.as_ref().or(inner.header.policy.as_ref());
        let role = self.roles.get(&step.role).unwrap_or(&step.role);
        let shard = self.maybe(step.shard.as_ref())?;
        Ok(Step {
            fallback: self.maybe(step.fallback.as_ref())?,
            gates: (step.gates.iter())
                .map(|gate| self.gate(gate))
                .collect::<Result<_, Why>>()?,
            inputs,
            kappa_ppm: step.kappa_ppm.or(inner.kappa_ppm),
            name: self.name(&step.name)?,
            policy: self.maybe(policy)?,
            requires,
            role: role.clone(),
            shard: shard.or_else(|| stand_in.shard.clone()),
            // Where the call stands among the steps of the source, and then its own place.
            id: StepId::new(stand_in.id.number()),
            ..step.clone()
        })
    }

    fn gate(&self, gate: &Gate) -> Result<Gate, Why> {
        let mut gate = gate.clone();
        for answer in &mut gate.on_fail {
            *answer = self.answer(answer)?;
        }
        if let Check::Judge(judge) = &mut gate.check {
            for about in judge.inputs.values_mut() {
                *about = self.name(about)?;
            }
        }
        Ok(gate)
    }

    fn answer(&self, answer: &OnFail) -> Result<OnFail, Why> {
        Ok(OnFail {
            target: self.maybe(answer.target.as_ref())?,
            ..answer.clone()
        })
    }
}

/// Whoever names the call means its result; rules and flows about it are about all its steps.
fn meant(
    parts: &mut PlanParts,
    alias: &StepName,
    result: &StepName,
    names: &[StepName],
) -> Result<(), Why> {
    let all = |list: &mut Vec<StepName>| {
        if let Some(at) = list.iter().position(|name| name == alias) {
            list.splice(at..=at, names.iter().cloned());
        }
    };
    for step in &mut parts.steps {
        if step.fallback.as_ref() == Some(alias) {
            return Err("is a fallback, and only a step stands in for a step".to_owned());
        }
        for edge in step.requires.iter_mut().filter(|edge| edge.step == *alias) {
            edge.step = result.clone();
        }
        for source in step.inputs.values_mut() {
            if matches!(source, InputSource::Step(name) if name == alias) {
                *source = InputSource::Step(result.clone());
            }
        }
        for gate in &mut step.gates {
            if let Check::Judge(judge) = &mut gate.check {
                let about = judge.inputs.values_mut();
                about
                    .filter(|name| *name == alias)
                    .for_each(|name| *name = result.clone());
            }
        }
    }
    for rule in &mut parts.rules {
        all(&mut rule.steps);
    }
    for flow in &mut parts.flows {
        all(&mut flow.steps);
        if flow.result == *alias {
            flow.result = result.clone();
        }
    }
    Ok(())
}

/// Imports, shards, flows and rules of the imported plan.
fn take_rest(
    renamed: &Renamed<'_>,
    inner: PlanParts,
    parts: &mut PlanParts,
    names: &[StepName],
) -> Result<(), Why> {
    for (alias, import) in inner.imports {
        parts.imports.insert(renamed.name(&alias)?, import);
    }
    for (shard, caps) in inner.shards {
        parts.shards.insert(renamed.name(&shard)?, caps);
    }
    let list = |list: &[StepName]| {
        let names = list.iter().map(|name| renamed.name(name));
        names.collect::<Result<Vec<StepName>, Why>>()
    };
    for flow in inner.flows {
        parts.flows.push(plan::Flow {
            name: renamed.name(&flow.name)?,
            result: renamed.name(&flow.result)?,
            steps: list(&flow.steps)?,
            ..flow
        });
    }
    for rule in inner.rules {
        let steps = if rule.steps.is_empty() {
            names.to_vec()
        } else {
            list(&rule.steps)?
        };
        let then = renamed.answer(&rule.then)?;
        parts.rules.push(Rule {
            steps,
            then,
            ..rule
        });
    }
    Ok(())
}

/// Numbers the steps anew, in source order with each call's steps where it stands, and puts them and the flows in plan order.
pub(super) fn reorder(parts: &mut PlanParts) {
    // Stable: the steps of one call share its number and keep their own order.
    parts.steps.sort_by_key(|step| step.id);
    for (step, number) in parts.steps.iter_mut().zip(1_u32..) {
        step.id = StepId::new(number);
    }
    order_steps(parts);
    mark_required(&mut parts.steps);
    let place = |name: &StepName| parts.steps.iter().position(|step| step.name == *name);
    for flow in &mut parts.flows {
        flow.steps.sort_by_key(&place);
    }
    parts
        .flows
        .sort_by_key(|flow| flow.steps.first().and_then(place));
    let used: Vec<StepName> = parts.steps.iter().map(|step| step.role.clone()).collect();
    // The role of the stand-in, unless somebody has it.
    let is_used = |name: &StepName, role: &Role| {
        used.contains(name) || role.kind != *name || !role.params.is_empty()
    };
    parts.roles.retain(|name, role| is_used(name, role));
}

/// Puts steps in plan order by their ids.
pub(crate) fn order_steps(parts: &mut PlanParts) {
    parts.steps.sort_by_key(|step| step.id);
    let places: BTreeMap<StepName, usize> = (parts.steps.iter().enumerate())
        .map(|(place, step)| (step.name.clone(), place))
        .collect();
    let graph: Vec<Vec<usize>> = (parts.steps.iter())
        .map(|step| {
            let edges = step.requires.iter();
            edges
                .filter_map(|edge| places.get(&edge.step).copied())
                .collect()
        })
        .collect();
    let mut slots: Vec<Option<Step>> = core::mem::take(&mut parts.steps)
        .into_iter()
        .map(Some)
        .collect();
    let order = plan::order(&graph).nodes;
    parts.steps = (order.into_iter())
        .filter_map(|place| slots.get_mut(place)?.take())
        .collect();
}

fn mark_required(steps: &mut [Step]) {
    let mut needed: BTreeMap<StepName, bool> = BTreeMap::new();
    for edge in steps.iter().flat_map(|step| &step.requires) {
        *needed.entry(edge.step.clone()).or_insert(false) |= !edge.is_optional;
    }
    for step in steps {
        let is_needed = needed.get(&step.name).copied().unwrap_or(true);
        step.is_required = !step.is_standby && is_needed;
    }
}
