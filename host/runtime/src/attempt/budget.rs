//! An attempt's part of the plan's budget: what it may use, whose overrun an end is, what it has used.
//!
//! INVARIANT: an attempt gets the smaller of its contract's limits and its share of the plan, and its witness says which ended it.

use aim_core::{
    limits::Limits,
    outcome::{Fault, LimitKind, Outcome},
    pool::Amount,
};
use aim_engine::{PlanBudget, StepEnd, StepReport};

use super::Task;
use crate::{around::Around, unit::Unit};

/// The task's share of the plan, at the operator's prices.
pub(super) fn plan(around: &Around<'_>, unit: &Unit, task: &Task) -> PlanBudget {
    PlanBudget {
        calls: Some(task.share.tools),
        tokens: Some(task.share.tokens),
        cost_micros: (unit.step.budget.cost_micros).map(|_| task.share.cost_micros),
        prices: around.prices(),
    }
}

/// The contract's limits, with no more time than the plan leaves.
pub(super) fn limits(unit: &Unit, task: &Task) -> Limits {
    let mut limits = unit.limits;
    limits.deadline_ms_max = limits.deadline_ms_max.min(task.share.time_ms);
    limits
}

/// Time that a plan's budget has ended is the plan's overrun, not the contract's.
pub(super) fn of_budget(unit: &Unit, task: &Task, end: StepEnd) -> StepEnd {
    match end {
        StepEnd::Ended(Outcome::Limit(LimitKind::Deadline), fault)
            if task.share.time_ms < unit.contract.limits.deadline_ms_max =>
        {
            let fault = Fault {
                code: "ACL-R101".to_owned(),
                message: format!(
                    "the plan's budget of {} ms is used up: {}",
                    task.share.time_ms, fault.message
                ),
            };
            StepEnd::Ended(Outcome::Limit(LimitKind::Deadline), fault)
        }
        StepEnd::Ended(
            outcome @ Outcome::Limit(LimitKind::Tokens | LimitKind::Tools | LimitKind::Cost),
            fault,
        ) => {
            let fault = Fault {
                code: "ACL-R101".to_owned(),
                message: format!("the plan's budget is used up: {}", fault.message),
            };
            StepEnd::Ended(outcome, fault)
        }
        other => other,
    }
}

/// What an attempt used of the plan's budget: what its witness says.
pub(super) fn used(report: &StepReport) -> Amount {
    Amount {
        time_ms: report.wall_ms,
        ..report.spent
    }
}
