//! Imported flows: the steps of another document, put where they are called, under names that begin with the alias.
//!
//! ```text
//! import flow "check.acl" as c ... flow c(draft, max_iter=2)
//!    steps look, judge of check.acl  ->  c_look (after draft), c_judge; whoever names `c` means its result, c_judge
//! ```
//! A call stands for one step while the plan around it is lowered; then the imported plan's steps take its place.
//!
//! INVARIANT: an imported flow is compiled on its own before anything of it is taken, so nesting is finite and has no cycle.

use alloc::{borrow::ToOwned, collections::BTreeMap, format, string::String, vec::Vec};

use aim_core::{
    name::StepName,
    plan::{self, Clause, InputSource, Plan, PlanParts},
};

use super::{Gates, Steps, gates::clause_of, lower_within, splice};
use crate::{
    Context, NodeFacts, Resolver,
    ast::{Amount, Assign, Ast, Budget, Flow, Require, Spanned, Step},
    codes,
    diagnostic::{Diagnostic, Faults, Position, Severity},
    parse,
};

/// How deep flows may import flows.
pub(super) const FLOW_DEPTH_MAX: usize = 8;

/// What `until` asks when a call with several rounds does not say.
const UNTIL: &str = "output.done";

/// A call of an imported flow.
pub(super) struct Call {
    pub(super) flow: Flow,
    shard: usize,
    /// `None` when the flow could not be taken, which is reported.
    pub(super) plan: Option<Plan>,
}

/// A resolver that answers for files only: contracts are compared once, in the plan that calls.
struct Files<'a>(&'a dyn Resolver);

impl Resolver for Files<'_> {
    fn import(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.import(path)
    }

    fn node(&self, _plan: &Plan, _step: &plan::Step) -> Option<NodeFacts> {
        None
    }
}

/// Compiles every imported flow that is called. `trail` holds the paths of the flows that this source was imported by.
pub(super) fn calls(
    ast: &Ast,
    context: &Context<'_>,
    trail: &[String],
    faults: &mut Faults,
) -> Vec<Call> {
    let mut calls = Vec::new();
    for (shard, flow) in (ast.shards.iter().enumerate())
        .flat_map(|(index, shard)| shard.flows.iter().map(move |flow| (index, flow)))
    {
        let mut imports = ast.imports.iter();
        let import = imports.find(|one| one.is_flow && one.name.value == flow.name.value);
        let Some(import) = import else { continue };
        let plan = compiled(&import.path.value, context, trail).map_err(|why| {
            let message = why.map(|why| format!("the imported flow `{}` {why}", flow.name.value));
            let fault =
                message.map(|m| Diagnostic::error(codes::BAD_IMPORT, flow.name.span.clone(), m));
            faults.extend(fault.map(|fault| {
                fault.help("an imported flow is a plan of its own: `aimctl lint` it first")
            }));
        });
        calls.push(Call {
            flow: flow.clone(),
            shard,
            plan: plan.ok(),
        });
    }
    undeclared(ast, &calls, faults);
    calls
}

/// Notes the calls whose flow asks something of its own result.
pub(super) fn cover(calls: &[Call], steps: &Steps<'_>, gates: &mut Gates) {
    for call in calls.iter().filter(|call| call.is_covered()) {
        gates.cover(steps.places.get(&call.flow.name.value).copied());
    }
}

/// The plan of a flow, or why it can not be had; `Err(None)` when that is reported at the import.
fn compiled(
    path: &String,
    context: &Context<'_>,
    trail: &[String],
) -> Result<Plan, Option<String>> {
    if trail.contains(path) {
        let way: Vec<&str> = trail.iter().map(String::as_str).collect();
        return Err(Some(format!(
            "imports itself: {} -> {path}",
            way.join(" -> ")
        )));
    }
    if trail.len() >= FLOW_DEPTH_MAX {
        return Err(Some(format!(
            "lies more than {FLOW_DEPTH_MAX} imports deep"
        )));
    }
    let bytes = context.resolver.import(path).map_err(|_| None)?;
    let source = String::from_utf8(bytes).map_err(|_| Some("is no UTF-8".to_owned()))?;
    let trail: Vec<String> = trail.iter().chain([path]).cloned().collect();
    let files = Files(context.resolver);
    let inner = Context {
        profile: context.profile,
        resolver: &files,
    };
    let mut faults = Faults::default();
    let ast = parse::parse(&source, &mut faults);
    let plan = lower_within(&ast, &inner, &trail, &mut faults);
    plan.ok_or_else(|| {
        let found = faults.into_sorted(&source);
        let errors = found.iter().filter(|one| one.severity == Severity::Error);
        let first = errors.clone().next().map(|one| {
            let place = Position::of(&source, one.span.start);
            format!(
                "{path}:{}:{}: {} {}",
                place.line, place.column, one.code, one.message
            )
        });
        let more = match errors.count() {
            0 | 1 => String::new(),
            more => format!(", and {} more", more - 1),
        };
        Some(format!(
            "does not compile: {}{more}",
            first.unwrap_or_default()
        ))
    })
}

/// The tree with one step in the place of each call; `None` when nothing is called.
pub(super) fn placed(ast: &Ast, calls: &[Call]) -> Option<Ast> {
    if calls.is_empty() {
        return None;
    }
    let mut placed = ast.clone();
    for call in calls {
        let Some(shard) = placed.shards.get_mut(call.shard) else {
            continue;
        };
        shard.flows.retain(|flow| flow.span != call.flow.span);
        let mut steps = shard.steps.iter();
        let behind = steps.position(|step| step.span.start > call.flow.span.start);
        let at = behind.unwrap_or(shard.steps.len());
        shard.steps.insert(at, call.step());
    }
    Some(placed)
}

impl Call {
    /// What stands for the call: a step that waits for what the flow works on and may use what all its steps may.
    fn step(&self) -> Step {
        let span = self.flow.span.clone();
        let role = StepName::parse("operator").ok();
        let requires = self.flow.on.iter().map(|step| Require {
            step: step.clone(),
            is_optional: false,
        });
        Step {
            name: Some(self.flow.name.clone()),
            span: span.clone(),
            extent: span.clone(),
            assign: Some(Assign {
                role: role.map(|role| Spanned::new(role, span.clone())),
                description: Some(Spanned::new("an imported flow".to_owned(), span.clone())),
                span: span.clone(),
            }),
            requires: requires.collect(),
            budget: Some(self.budget()),
            ..Step::default()
        }
    }

    fn rounds(&self) -> u64 {
        self.flow.max_iter.as_ref().map_or(1, |max| max.value)
    }

    /// True when the call repeats: then its rounds end as those of any flow do.
    pub(super) fn is_repeated(&self) -> bool {
        self.rounds() > 1 || self.flow.until.is_some()
    }

    /// The sum over steps, instances and rounds.
    fn budget(&self) -> Budget {
        let steps = self.plan.iter().flat_map(Plan::steps);
        let flows = self.plan.iter().flat_map(Plan::flows);
        let mut inner: BTreeMap<&StepName, u64> = BTreeMap::new();
        for flow in flows {
            inner.extend(
                flow.steps
                    .iter()
                    .map(|name| (name, u64::from(flow.max_iter))),
            );
        }
        let (mut tokens, mut time_ms, mut tools, mut cost) = (0_u64, 0_u64, 0_u64, None);
        for step in steps {
            let times = inner.get(&step.name).copied().unwrap_or(1);
            let times = times
                .saturating_mul(step.instances())
                .saturating_mul(self.rounds());
            let sum = |sum: u64, one: u64| sum.saturating_add(one.saturating_mul(times));
            tokens = sum(tokens, step.budget.tokens);
            time_ms = sum(time_ms, step.budget.time_ms);
            tools = sum(tools, step.budget.tools);
            cost = match step.budget.cost_micros {
                None => cost,
                Some(one) => Some(sum(cost.unwrap_or(0), one)),
            };
        }
        let amount = |value: u64| Some(Amount::hard(value.clamp(1, plan::INTEGER_MAX)));
        Budget {
            span: self.flow.span.clone(),
            tokens: amount(tokens),
            time_ms: amount(time_ms),
            tools: amount(tools),
            cost_micros: cost.and_then(amount),
            ..Budget::default()
        }
    }

    /// True when the flow itself asks something of its result.
    pub(super) fn is_covered(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| {
            let is_egress = |gate: &plan::Gate| gate.phase == plan::GatePhase::Egress;
            let mut results = plan.terminals();
            plan.gates().iter().any(is_egress) || results.all(|one| one.gates.iter().any(is_egress))
        })
    }

    /// The condition that ends the rounds.
    pub(super) fn until(&self) -> Option<Clause> {
        match &self.flow.until {
            Some(check) => Some(clause_of(check)),
            None => Clause::parse(UNTIL).ok(),
        }
    }
}

/// Puts the steps of every call into its place.
pub(super) fn inline(calls: &[Call], parts: &mut PlanParts, faults: &mut Faults) {
    for call in calls {
        if let Err(why) = splice::inline(call, parts) {
            let message = format!("the imported flow `{}` {}", call.flow.name.value, why);
            let fault = Diagnostic::error(codes::BAD_IMPORT, call.flow.span.clone(), message);
            faults.push(fault.help("see what an imported flow can be in docs/formats/acl.md"));
        }
    }
    if !calls.is_empty() {
        splice::reorder(parts);
    }
}

/// Inputs of the run that an imported flow names and the header does not declare.
fn undeclared(ast: &Ast, calls: &[Call], faults: &mut Faults) {
    let declared = &ast.settings.inputs;
    if declared.is_empty() {
        return;
    }
    for call in calls {
        let steps = call.plan.iter().flat_map(Plan::steps);
        let named = steps.flat_map(|step| step.inputs.values());
        let missing = named.filter_map(|source| match source {
            InputSource::Run(name) => Some(name),
            _ => None,
        });
        for name in missing.filter(|name| declared.iter().all(|(one, _)| one.value != **name)) {
            let message = format!(
                "the imported flow `{}` is given the run's input `{name}`, and the header declares none",
                call.flow.name.value
            );
            let span = call.flow.name.span.clone();
            faults.push(
                Diagnostic::error(codes::UNKNOWN_REFERENCE, span, message)
                    .help("declare it in the header's `inputs`"),
            );
        }
    }
}

/// The name that something of an imported flow has in the plan that calls it.
pub(super) fn prefixed(alias: &StepName, name: &StepName) -> Result<StepName, String> {
    let text = format!("{alias}_{name}");
    StepName::parse(&text).map_err(|error| format!("has a step that can not be named: {error}"))
}
