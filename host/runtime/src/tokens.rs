//! Under which terms an attempt's capability tokens are minted.
//!
//! All instances of a step that runs in parallel branches mint the same tokens, under the number of the step's try, and each
//! keeps its own part. Which part that is follows from the plan alone, so it is the same after a resume and at a replay.
//!
//! INVARIANT: the parts of all instances together are never more than what one step was granted.

use aim_core::{
    access::{Branch, TokenLimits, WalletTerms},
    id::AttemptId,
    time::Timestamp,
};

use crate::{
    attempt::{RunFacts, Task},
    unit::Unit,
};

/// The terms for this attempt, which only the host of the log `audience` takes.
pub(crate) fn terms(
    (audience, starts_at): (&str, Timestamp),
    unit: &Unit,
    run: &RunFacts,
    task: &Task,
) -> WalletTerms {
    let (step, number) = task.path.instance();
    let branch = (unit.step.fanout.as_ref()).map(|fanout| Branch {
        // A path without a number would be no branch of a fan-out; the last part is as good as any.
        index: number.unwrap_or(fanout.last).saturating_sub(fanout.first),
        of: u32::try_from(fanout.count()).unwrap_or(u32::MAX),
    });
    let minted_for = if branch.is_some() {
        step
    } else {
        task.path.as_str()
    };
    WalletTerms {
        attempt: AttemptId::of(run.execution, minted_for, task.attempt_no),
        branch,
        subject: format!("{}/{step}", run.plan_name),
        audience: audience.to_owned(),
        starts_at,
        time_ms_max: unit.limits.deadline_ms_max,
        limits: TokenLimits::of(&unit.limits),
    }
}
