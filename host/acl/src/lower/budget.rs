//! Budgets: explicit in the IR, whatever the source left out.
//!
//! INVARIANT: a default is never applied without a word: it is a warning in the lenient profile and an error in the strict.

use alloc::{format, string::String, vec::Vec};

use aim_core::plan::{Budget, PlanBudget, PoolPolicy};

use crate::{
    Profile,
    ast::{self, Ast, Step},
    codes,
    diagnostic::{Diagnostic, Faults},
};

/// What all steps together may use.
pub(super) const fn of_plan(budget: &ast::Budget) -> PlanBudget {
    PlanBudget {
        time_ms: budget.time_ms,
        tokens: budget.tokens,
        tools: budget.tools,
        cost_micros: None,
        headroom_ppm: None,
        pool: PoolPolicy::Greedy,
    }
}

/// The budget of every step, and whether the plan's own can hold them.
pub(super) fn budgets(ast: &Ast, profile: Profile, faults: &mut Faults) -> Vec<Budget> {
    let budgets: Vec<Budget> = (ast.steps.iter())
        .map(|step| of_step(step, profile, faults))
        .collect();
    let once: Vec<(Budget, u64)> = budgets.iter().map(|budget| (*budget, 1)).collect();
    if let Some(budget) = &ast.budget {
        for (part, sum, cap) in of_plan(budget).exceeded_by(&once) {
            let unit = if part == "time" { " ms" } else { "" };
            let message =
                format!("the steps need {sum}{unit} of {part}, the plan allows {cap}{unit}");
            let fault = Diagnostic::error(codes::INFEASIBLE, budget.span.clone(), message);
            faults.push(fault.help("raise the plan's budget or lower those of its steps"));
        }
    }
    budgets
}

fn of_step(step: &Step, profile: Profile, faults: &mut Faults) -> Budget {
    let default = Budget::DEFAULT;
    let Some(budget) = &step.budget else {
        missing(step, step.span.clone(), "no BUDGET", profile, faults);
        return default;
    };
    let parts = [
        ("tokens", budget.tokens),
        ("time", budget.time_ms),
        ("tools", budget.tools),
    ];
    let unsaid: Vec<&str> = parts
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(part, _)| *part)
        .collect();
    if !unsaid.is_empty() && !budget.is_faulty {
        let what = format!("no {} in its BUDGET", unsaid.join(" and no "));
        missing(step, budget.span.clone(), &what, profile, faults);
    }
    Budget {
        time_ms: budget.time_ms.unwrap_or(default.time_ms),
        tokens: budget.tokens.unwrap_or(default.tokens),
        tools: budget.tools.unwrap_or(default.tools),
        ..default
    }
}

fn missing(
    step: &Step,
    span: core::ops::Range<usize>,
    what: &str,
    profile: Profile,
    faults: &mut Faults,
) {
    let named = step
        .name
        .as_ref()
        .map_or_else(String::new, |name| format!(" `{}`", name.value));
    let message = format!("step{named} has {what}");
    let form = "BUDGET tokens=10000, time=300s, tools=10";
    faults.push(match profile {
        Profile::Strict => Diagnostic::error(codes::NO_BUDGET, span, message).help(format!(
            "the strict profile wants all three parts, such as `{form}`"
        )),
        Profile::Lenient => Diagnostic::warning(codes::NO_BUDGET, span, message)
            .help(format!("the defaults are used: `{form}`")),
    });
}
