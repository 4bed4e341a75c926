//! What a run came to, for whoever asked: the released outputs of the nodes that nobody in the plan requires.
//!
//! INVARIANT: nothing that was not released is a result; every instance of a fan-out has its own, and of a flow only the round
//! that ended it has one.

use std::collections::{BTreeMap, BTreeSet};

use aim_core::{
    digest::Digest,
    name::StepName,
    plan::{Node, Plan, StepPath, expand},
    witness::{AttemptPredicate, StepState, StepSummary},
};

use crate::ledger::{Execution, Ledger};

/// One result.
#[derive(Debug, Clone, Copy)]
pub struct PlanOutput<'a> {
    /// The step.
    pub step: &'a StepName,
    /// Its instance, where it is fanned out.
    pub instance: Option<u32>,
    /// The attempt whose outputs these are; of a standby step, where one answered.
    pub attempt: &'a AttemptPredicate,
}

impl PlanOutput<'_> {
    /// A name that no other result of the run has.
    #[must_use]
    pub fn name(&self) -> String {
        match self.instance {
            Some(number) => format!("{}-{number}", self.step),
            None => self.step.to_string(),
        }
    }
}

/// Every result of an execution that has ended, in plan order; none for one that has not.
#[must_use]
pub fn results<'a>(ledger: &'a Ledger, execution: &'a Execution) -> Vec<PlanOutput<'a>> {
    let ended = ledger.plan_of(execution);
    let plan = Plan::from_json(execution.start.plan.as_bytes());
    let (Some((_, ended)), Ok(plan)) = (ended, plan) else {
        return Vec::new();
    };
    let found = Found {
        nodes: expand(&plan).nodes,
        by_path: ended.steps.iter().map(|one| (path(one), one)).collect(),
        attempts: (ledger.attempts_of(execution))
            .map(|(entry, attempt)| (entry.witness, attempt))
            .collect(),
    };
    let terminals: BTreeSet<&StepName> = plan.terminals().map(|step| &step.name).collect();
    let outputs = found.nodes.iter().filter_map(|node| found.of(node));
    outputs
        .filter(|output| terminals.contains(output.step))
        .collect()
}

fn path(summary: &StepSummary) -> StepPath {
    let path = summary.path.clone();
    path.unwrap_or_else(|| StepPath::from(&summary.step))
}

struct Found<'a> {
    nodes: Vec<Node>,
    by_path: BTreeMap<StepPath, &'a StepSummary>,
    attempts: BTreeMap<Digest, &'a AttemptPredicate>,
}

impl<'a> Found<'a> {
    fn of(&self, node: &Node) -> Option<PlanOutput<'a>> {
        let summary = *self.by_path.get(&node.path)?;
        if summary.state != StepState::Completed || self.has_later_round(node) {
            return None;
        }
        let answered = match &summary.answered_by {
            Some(standby) => self.by_path.get(&StepPath::from(standby))?,
            None => summary,
        };
        Some(PlanOutput {
            step: &summary.step,
            instance: node.instance,
            attempt: self.attempts.get(answered.attempts.last()?)?,
        })
    }

    /// True when the flow went on behind this round.
    fn has_later_round(&self, node: &Node) -> bool {
        let Some((flow, round)) = node.round else {
            return false;
        };
        let is_later = |other: &&Node| {
            other.step == node.step
                && other.instance == node.instance
                && other
                    .round
                    .is_some_and(|(own, number)| own == flow && number > round)
        };
        let later = self.nodes.iter().filter(is_later);
        let mut later = later.filter_map(|other| self.by_path.get(&other.path));
        later.any(|one| !matches!(one.state, StepState::Skipped | StepState::Pending))
    }
}
