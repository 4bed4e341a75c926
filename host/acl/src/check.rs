//! What can be known about a plan without running it, beyond its own names.
//!
//! INVARIANT: a check says no only to what can not be right; what it can not decide it says as a warning.

use alloc::{collections::BTreeSet, format};

use crate::{
    ast::{Ast, Source},
    codes,
    diagnostic::{Diagnostic, Faults},
    lower::{Steps, check_rule_names},
};

pub(crate) mod contracts;
pub(crate) mod coverage;
mod schema;

pub use schema::{Fit, fits};

/// Names of policies, run inputs, gates and steps that lead nowhere.
pub(crate) fn references(ast: &Ast, steps: &Steps<'_>, faults: &mut Faults) {
    policies(ast, faults);
    run_inputs(ast, faults);
    check_rule_names(ast, steps, faults);
}

fn policies(ast: &Ast, faults: &mut Faults) {
    let of_gates = ast
        .shards
        .iter()
        .flat_map(|shard| &shard.gates)
        .filter_map(|gate| gate.policy.as_ref());
    let of_steps = ast.steps().filter_map(|step| step.policy.as_ref());
    for policy in of_gates.chain(of_steps).chain(&ast.settings.policy) {
        let is_there = ast
            .imports
            .iter()
            .any(|import| !import.is_flow && import.name.value == policy.value);
        if !is_there {
            let message = format!("policy `{}` is not imported", policy.value);
            let fault = Diagnostic::error(codes::UNKNOWN_REFERENCE, policy.span.clone(), message);
            faults.push(fault.help(format!(
                "write `import policy \"<file>.aclp\" as {}` above the pipeline",
                policy.value
            )));
        }
    }
}

/// Inputs of the run are only known where the header declares them.
fn run_inputs(ast: &Ast, faults: &mut Faults) {
    let declared: BTreeSet<&str> = ast
        .settings
        .inputs
        .iter()
        .map(|(name, _)| name.value.as_str())
        .collect();
    if declared.is_empty() {
        return;
    }
    for input in ast.steps().flat_map(|step| &step.inputs) {
        let Source::Run(name) = &input.value.value else {
            continue;
        };
        if !declared.contains(name.as_str()) {
            let help = faults.suggest(name.as_str(), declared.iter().copied());
            let help = help.unwrap_or_else(|| "declare it in the header's `inputs`".into());
            let message = format!("the run has no input `{name}`");
            faults.push(
                Diagnostic::error(codes::UNKNOWN_REFERENCE, input.value.span.clone(), message)
                    .help(help),
            );
        }
    }
}
