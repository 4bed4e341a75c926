//! From what a source says to what it means: names resolved, defaults written out, steps in their one order.
//!
//! INVARIANT: a plan leaves here only when no error was found, and it has then passed `aim_core`'s own checks as well.

use alloc::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::ops::Range;

use aim_core::{
    name::{NodeId, StepName},
    plan::{self, BUILTIN_ROLES, LanguageVersion, NODE_PARAM, Plan, PlanParts, StepId},
};

use crate::{
    Profile,
    ast::{Ast, Gate, Role, Spanned, Step},
    codes,
    diagnostic::{Diagnostic, Faults},
};

mod budget;
mod graph;

/// Turns a tree into a plan; `None` when the source has errors, found here or before.
pub(crate) fn lower(ast: &Ast, profile: Profile, faults: &mut Faults) -> Option<Plan> {
    let language_version = language_version(ast, faults);
    let roles = roles(ast, faults);
    let gates = gates(&ast.gates, &BTreeMap::new(), faults);
    let plan_gates = names_of(&ast.gates);
    let graph = graph::resolve(&ast.steps, faults);
    let budgets = budget::budgets(ast, profile, faults);
    let mut steps = Vec::with_capacity(ast.steps.len());
    for (index, (step, budget)) in ast.steps.iter().zip(budgets).enumerate() {
        let gates = gates_of(step, &plan_gates, faults);
        if let Some((name, role, description)) = names(step, &roles, ast, faults) {
            let id = StepId::new(u32::try_from(index + 1).unwrap_or(u32::MAX));
            steps.push(plan::Step {
                budget,
                gates,
                is_required: graph.is_required(index),
                requires: graph.requires(index, &ast.steps),
                ..plan::Step::new(id, name, role, &description)
            });
        }
    }
    if ast.steps.is_empty() && ast.header.is_some() {
        let span = ast
            .header
            .as_ref()
            .map_or(0..0, |header| header.span.clone());
        let fault = Diagnostic::error(codes::INCOMPLETE, span, "the plan has no step");
        faults.push(fault.help("begin a step with `STEP <name>:`"));
    }
    unused_roles(ast, faults);
    if faults.has_errors() {
        return None;
    }
    let mut slots: Vec<Option<plan::Step>> = steps.into_iter().map(Some).collect();
    let ordered = graph
        .order
        .iter()
        .filter_map(|index| slots.get_mut(*index)?.take());
    let parts = PlanParts {
        budget: ast.budget.as_ref().map(budget::of_plan),
        gates,
        language_version,
        quip: ast.quip.as_ref().map(|quip| quip.value.clone()),
        steps: ordered.collect(),
        roles: used_roles(&roles, ast),
        ..PlanParts::new(ast.header.as_ref()?.name.as_ref()?.value.clone())
    };
    checked(parts, faults)
}

/// Holds the result against the checks that guard every plan. A fault here is a gap in this crate: it is reported, not hidden.
fn checked(parts: PlanParts, faults: &mut Faults) -> Option<Plan> {
    match Plan::check(parts) {
        Ok(plan) => Some(plan),
        Err(error) => {
            let fault = Diagnostic::error(codes::BAD_IR, 0..0, error.to_string());
            faults.push(
                fault.help("this is a fault of the compiler; please report it with the plan"),
            );
            None
        }
    }
}

fn language_version(ast: &Ast, faults: &mut Faults) -> LanguageVersion {
    let written = ast
        .header
        .as_ref()
        .and_then(|header| header.version.as_ref());
    if let Some(Spanned { value, span }) = written
        && !value.is_known()
    {
        let message = format!("language version {value} is not known");
        let help = format!(
            "this compiler reads versions up to v{}",
            LanguageVersion::CURRENT
        );
        faults.push(Diagnostic::error(codes::UNKNOWN_VERSION, span.clone(), message).help(help));
    }
    written.map_or(LanguageVersion::CURRENT, |written| written.value)
}

pub(crate) fn duplicate(what: &str, name: &Spanned<StepName>, first: &Range<usize>) -> Diagnostic {
    let message = format!("{what} `{}` appears twice", name.value);
    Diagnostic::error(codes::DUPLICATE, name.span.clone(), message)
        .help("rename one of the two")
        .label(first.clone(), "first here")
}

/// Declared roles by name; those that are built in are found without an entry here.
fn roles<'a>(ast: &'a Ast, faults: &mut Faults) -> BTreeMap<&'a StepName, &'a Role> {
    let mut roles = BTreeMap::new();
    for role in &ast.roles {
        check_params(role, faults);
        match roles.entry(&role.name.value) {
            Entry::Vacant(entry) => {
                entry.insert(role);
            }
            Entry::Occupied(first) => {
                faults.push(duplicate("role", &role.name, &first.get().name.span));
            }
        }
    }
    roles
}

fn check_params(role: &Role, faults: &mut Faults) {
    let mut seen: BTreeMap<&StepName, &Range<usize>> = BTreeMap::new();
    for (key, value) in &role.params {
        if let Some(first) = seen.insert(&key.value, &key.span) {
            let message = format!("parameter `{}` is given twice", key.value);
            let fault = Diagnostic::error(codes::BAD_PARAMETER, key.span.clone(), message);
            faults.push(
                fault
                    .help("keep one of the two")
                    .label(first.clone(), "first here"),
            );
        }
        if key.value.as_str() == NODE_PARAM
            && let Err(error) = NodeId::parse(&value.value)
        {
            let fault =
                Diagnostic::error(codes::BAD_PARAMETER, value.span.clone(), error.to_string());
            faults.push(fault.help("`node` names the contract that does the role's steps"));
        }
    }
}

fn is_builtin(name: &StepName) -> bool {
    BUILTIN_ROLES.contains(&name.as_str())
}

fn role_names(ast: &Ast) -> impl Iterator<Item = &Spanned<StepName>> {
    ast.steps
        .iter()
        .filter_map(|step| step.assign.as_ref()?.role.as_ref())
}

/// The declared roles, and an explicit entry for every built-in one that a step uses.
fn used_roles(declared: &BTreeMap<&StepName, &Role>, ast: &Ast) -> BTreeMap<StepName, plan::Role> {
    let mut roles: BTreeMap<StepName, plan::Role> = BTreeMap::new();
    for (name, role) in declared {
        let params = role
            .params
            .iter()
            .map(|(key, value)| (key.value.clone(), value.value.clone()));
        if let Some(kind) = &role.kind {
            let role = plan::Role {
                kind: kind.value.clone(),
                params: params.collect(),
            };
            roles.insert((*name).clone(), role);
        }
    }
    for used in role_names(ast).filter(|used| is_builtin(&used.value)) {
        roles
            .entry(used.value.clone())
            .or_insert_with(|| plan::Role {
                kind: used.value.clone(),
                params: BTreeMap::new(),
            });
    }
    roles
}

fn unused_roles(ast: &Ast, faults: &mut Faults) {
    let used: BTreeSet<&StepName> = role_names(ast).map(|name| &name.value).collect();
    for role in ast
        .roles
        .iter()
        .filter(|role| !used.contains(&role.name.value))
    {
        let message = format!("role `{}` is not used by any step", role.name.value);
        let fault = Diagnostic::warning(codes::UNUSED_ROLE, role.name.span.clone(), message);
        faults.push(fault.help("assign it to a step or remove it"));
    }
}

/// A step's name, role and description, or reports of what is missing.
fn names(
    step: &Step,
    roles: &BTreeMap<&StepName, &Role>,
    ast: &Ast,
    faults: &mut Faults,
) -> Option<(StepName, StepName, String)> {
    let Some(assign) = &step.assign else {
        let named = step
            .name
            .as_ref()
            .map_or_else(String::new, |name| format!(" `{}`", name.value));
        let message = format!("step{named} has no ASSIGN");
        let fault = Diagnostic::error(codes::INCOMPLETE, step.span.clone(), message);
        faults.push(fault.help("say who does what: `ASSIGN <role>: \"<description>\"`"));
        return None;
    };
    let role = assign.role.as_ref()?;
    if !roles.contains_key(&role.value) && !is_builtin(&role.value) {
        let known = ast
            .roles
            .iter()
            .map(|role| role.name.value.as_str())
            .chain(BUILTIN_ROLES);
        let close = faults.suggest(role.value.as_str(), known);
        let help =
            close.unwrap_or_else(|| format!("declare it: `ROLE {}: <kind>(...)`", role.value));
        let message = format!("role `{}` is not declared", role.value);
        faults
            .push(Diagnostic::error(codes::UNDECLARED_ROLE, role.span.clone(), message).help(help));
    }
    let description = assign.description.as_ref()?.value.clone();
    Some((
        step.name.as_ref()?.value.clone(),
        role.value.clone(),
        description,
    ))
}

type GateNames<'a> = BTreeMap<&'a StepName, &'a Range<usize>>;

fn names_of(gates: &[Gate]) -> GateNames<'_> {
    let names = gates.iter().filter_map(|gate| gate.name.as_ref());
    names.map(|name| (&name.value, &name.span)).collect()
}

fn gates_of(step: &Step, plan_gates: &GateNames<'_>, faults: &mut Faults) -> Vec<plan::Gate> {
    gates(&step.gates, plan_gates, faults)
}

/// Gates of one owner; a name may stand once among them and not among the plan's own.
fn gates(gates: &[Gate], taken: &GateNames<'_>, faults: &mut Faults) -> Vec<plan::Gate> {
    let mut seen = taken.clone();
    let mut lowered = Vec::new();
    for gate in gates {
        if let Some(name) = &gate.name
            && let Some(first) = seen.insert(&name.value, &name.span)
        {
            faults.push(duplicate("gate", name, first));
        }
        if !gate.has_check {
            let fault = Diagnostic::error(
                codes::INCOMPLETE,
                gate.span.clone(),
                "the gate has no condition",
            );
            faults.push(fault.help("write it after the colon or as `CHECK <condition>` below"));
        }
        let on_fail = gate
            .on_fail
            .as_ref()
            .map_or(Some(plan::Action::default()), |action| action.value);
        if let (Some(name), Some(check), Some(on_fail)) = (&gate.name, &gate.check, on_fail) {
            let clause = plan::Clause {
                condition: check.value.condition.clone(),
                source: check.value.source.clone(),
            };
            lowered.push(plan::Gate::over(name.value.clone(), clause, on_fail));
        }
    }
    lowered
}
