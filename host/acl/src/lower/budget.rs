//! Budgets: explicit in the IR, whatever the source left out.
//!
//! INVARIANT: a default is never applied without a word: it is a warning in the lenient profile and an error in the strict.

use alloc::{format, string::String, vec::Vec};

use aim_core::plan::{Budget, PlanBudget, PoolPolicy, SoftBackoff, SoftBudget};

use super::{Steps, ppm, topology::Ties};
use crate::{
    Profile,
    ast::{self, Amount, Ast, Backoff, Form, Pool, Slot, Step},
    codes,
    diagnostic::{Diagnostic, Faults, Fix},
};

/// What all steps together may use.
pub(super) fn of_plan(budget: &ast::Budget) -> PlanBudget {
    let max = |part: Option<Amount>| part.map(|part| part.max);
    PlanBudget {
        cost_micros: max(budget.cost_micros),
        headroom_ppm: budget.headroom.as_ref().map(|factor| ppm(&factor.value)),
        pool: budget
            .pool
            .as_ref()
            .map_or_else(PoolPolicy::default, |pool| match pool.value {
                Pool::Greedy => PoolPolicy::Greedy,
                Pool::Fair => PoolPolicy::Fair,
                Pool::Priority => PoolPolicy::Priority,
                Pool::Adaptive => PoolPolicy::Adaptive,
            }),
        time_ms: max(budget.time_ms),
        tokens: max(budget.tokens),
        tools: max(budget.tools),
    }
}

/// The budget of every step, and whether the plan's own and those of the shards can hold them.
pub(super) fn budgets(
    ast: &Ast,
    steps: &Steps<'_>,
    ties: &Ties,
    profile: Profile,
    faults: &mut Faults,
) -> Vec<Budget> {
    let budgets: Vec<Budget> = steps
        .all
        .iter()
        .map(|(_, step)| of_step(step, ast.form, profile, faults))
        .collect();
    let with_times = || {
        budgets
            .iter()
            .enumerate()
            .map(|(index, budget)| (*budget, ties.times(index)))
    };
    if let Some(budget) = &ast.budget {
        if budget.backoff.is_some()
            || [
                budget.tokens,
                budget.time_ms,
                budget.tools,
                budget.cost_micros,
            ]
            .iter()
            .flatten()
            .any(|part| part.soft.is_some())
        {
            let fault = Diagnostic::error(
                codes::BAD_BUDGET,
                budget.span.clone(),
                "only a step has soft amounts and a way to save",
            );
            faults.push(fault.help("write `{ max: <n> soft: <n> }` in the budgets of steps"));
        }
        let all: Vec<(Budget, u64)> = with_times().collect();
        for (part, sum, cap) in of_plan(budget).exceeded_by(&all) {
            let unit = if part == "time" { " ms" } else { "" };
            let message =
                format!("the steps need {sum}{unit} of {part}, the plan allows {cap}{unit}");
            let fault = Diagnostic::error(codes::INFEASIBLE, budget.span.clone(), message);
            faults.push(fault.help("raise the plan's budget or lower those of its steps"));
        }
    }
    pools(ast, steps, with_times().collect(), faults);
    budgets
}

/// Holds the steps of each shard against its pools.
fn pools(ast: &Ast, steps: &Steps<'_>, budgets: Vec<(Budget, u64)>, faults: &mut Faults) {
    for shard in &ast.shards {
        let Some(caps) = &shard.caps else { continue };
        let own = || {
            steps
                .all
                .iter()
                .zip(&budgets)
                .filter(|((of, _), _)| core::ptr::eq(*of, shard))
        };
        let sum = |part: fn(&Budget) -> u64| {
            own().fold(0_u64, |sum, (_, (budget, times))| {
                sum.saturating_add(part(budget).saturating_mul(*times))
            })
        };
        let pools = [
            (
                "tokens",
                "token_pool",
                caps.token_pool.as_ref(),
                sum(|budget| budget.tokens),
            ),
            (
                "time",
                "wall_ms_pool",
                caps.wall_ms_pool.as_ref(),
                sum(|budget| budget.time_ms),
            ),
        ];
        for (part, pool, cap, sum) in pools {
            if let Some(cap) = cap.filter(|cap| sum > cap.value) {
                let message = format!(
                    "the steps of the shard need {sum} of {part}, its `{pool}` holds {}",
                    cap.value
                );
                let fault = Diagnostic::error(codes::INFEASIBLE, cap.span.clone(), message);
                faults.push(fault.help("raise the pool or lower the budgets of its steps"));
            }
        }
    }
}

fn of_step(step: &Step, form: Form, profile: Profile, faults: &mut Faults) -> Budget {
    let default = Budget::DEFAULT;
    let Some(budget) = &step.budget else {
        let what = format!("no {}", word(form));
        missing(step, step.span.clone(), &what, form, profile, faults);
        return default;
    };
    let names = match form {
        Form::Lines => ["tokens", "time", "tools"],
        Form::Braces | Form::Yaml => ["tokens", "wall_ms", "calls"],
    };
    let parts = [budget.tokens, budget.time_ms, budget.tools];
    let unsaid: Vec<&str> = names
        .iter()
        .zip(&parts)
        .filter(|(_, value)| value.is_none())
        .map(|(part, _)| *part)
        .collect();
    if !unsaid.is_empty() && !budget.is_faulty {
        let what = format!("no {} in its {}", unsaid.join(" and no "), word(form));
        missing(step, budget.span.clone(), &what, form, profile, faults);
    }
    if let Some(only) = budget
        .pool
        .as_ref()
        .map(|one| &one.span)
        .or(budget.headroom.as_ref().map(|one| &one.span))
    {
        let fault = Diagnostic::error(
            codes::BAD_BUDGET,
            only.clone(),
            "only a plan's budget is shared",
        );
        faults.push(fault.help("write `pool` and `headroom` in the header's `budgets`"));
    }
    let max = |part: Option<Amount>, default: u64| part.map_or(default, |part| part.max);
    Budget {
        cost_micros: budget.cost_micros.map(|part| part.max),
        soft: soft(budget, faults),
        time_ms: max(budget.time_ms, default.time_ms),
        tokens: max(budget.tokens, default.tokens),
        tools: max(budget.tools, default.tools),
    }
}

/// What a budget is called in a form.
const fn word(form: Form) -> &'static str {
    match form {
        Form::Lines => "BUDGET",
        Form::Braces | Form::Yaml => "budget",
    }
}

fn soft(budget: &ast::Budget, faults: &mut Faults) -> Option<SoftBudget> {
    let soft = |part: Option<Amount>| part.and_then(|part| part.soft);
    let parts = [
        budget.tokens,
        budget.time_ms,
        budget.tools,
        budget.cost_micros,
    ]
    .map(soft);
    let Some(backoff) = &budget.backoff else {
        if parts.iter().any(Option::is_some) {
            let fault = Diagnostic::error(
                codes::BAD_BUDGET,
                budget.span.clone(),
                "a soft amount needs a way to save",
            );
            faults
                .push(fault.help("add `backoff: summarize`, `truncate` or `route_smaller_model`"));
        }
        return None;
    };
    if parts.iter().all(Option::is_none) {
        let fault = Diagnostic::error(
            codes::BAD_BUDGET,
            backoff.span.clone(),
            "`backoff` needs a soft amount to begin at",
        );
        faults.push(fault.help("write `tokens: { max: 2000 soft: 1500 }`"));
        return None;
    }
    let [tokens, time_ms, tools, cost_micros] = parts;
    Some(SoftBudget {
        backoff: match backoff.value {
            Backoff::Summarize => SoftBackoff::Summarize,
            Backoff::Truncate => SoftBackoff::Truncate,
            Backoff::RouteSmallerModel => SoftBackoff::RouteSmallerModel,
        },
        cost_micros,
        time_ms,
        tokens,
        tools,
    })
}

fn missing(
    step: &Step,
    span: core::ops::Range<usize>,
    what: &str,
    form: Form,
    profile: Profile,
    faults: &mut Faults,
) {
    let named = step
        .name
        .as_ref()
        .map_or_else(String::new, |name| format!(" `{}`", name.value));
    let message = format!("step{named} has {what}");
    let example = match form {
        Form::Lines => "BUDGET tokens=10000, time=300s, tools=10",
        Form::Braces => "budget: { tokens: 10k, wall_ms: 300000, calls: 10 }",
        Form::Yaml => "budget: {tokens: 10000, wall_ms: 300000, calls: 10}",
    };
    faults.push(match profile {
        Profile::Strict => Diagnostic::error(codes::NO_BUDGET, span, message).help(format!(
            "the strict profile wants all three parts, such as `{example}`"
        )),
        Profile::Lenient => Diagnostic::warning(codes::NO_BUDGET, span, message)
            .help(format!("the defaults are used: `{example}`"))
            .fix(fix(step, form)),
    });
}

/// The parts of a budget in a form: before the number, and the default.
const fn parts_of(form: Form) -> [(&'static str, &'static str); 3] {
    match form {
        Form::Lines => [("tokens=", "10000"), ("time=", "300s"), ("tools=", "10")],
        Form::Braces | Form::Yaml => [
            ("tokens: ", "10000"),
            ("wall_ms: ", "300000"),
            ("calls: ", "10"),
        ],
    }
}

/// Writes the defaults out where the source leaves them to the compiler, in the form of the source.
fn fix(step: &Step, form: Form) -> Option<Fix> {
    let budget = step.budget.as_ref();
    let said = budget.map_or([None; 3], |one| [one.tokens, one.time_ms, one.tools]);
    let unsaid: Vec<String> = (parts_of(form).iter().zip(said))
        .filter(|(_, said)| said.is_none())
        .map(|((name, default), _)| format!("{name}{default}"))
        .collect();
    let parts = unsaid.join(", ");
    let (at, text) = match (form, budget) {
        (Form::Lines, Some(budget)) => (budget.span.end, format!(", {parts}")),
        (Form::Lines, None) => (step.extent.end, format!("\n  BUDGET {parts}")),
        (Form::Braces, Some(budget)) => (budget.span.end.checked_sub(1)?, format!(", {parts} ")),
        (Form::Braces, None) => (
            step.extent.end.checked_sub(1)?,
            format!("\nbudget: {{ {parts} }}\n"),
        ),
        (Form::Yaml, Some(budget)) => {
            let Slot { at, lead } = budget.slot.as_ref()?;
            let entries = unsaid.iter().map(|part| format!("{lead}{part}"));
            (*at, entries.collect())
        }
        (Form::Yaml, None) => {
            let Slot { at, lead } = step.slot.as_ref()?;
            (*at, format!("{lead}budget: {{{parts}}}"))
        }
    };
    Some(Fix { at, text })
}
