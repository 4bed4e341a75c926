//! The end of an execution: what it exits with, and the plan's witness.
//!
//! INVARIANT: what a run exits with follows from the plan's witness; the plan's witness lists every node, run or not.

use aim_core::{
    digest::{Digest, Sha256},
    leaf::LeafKind,
    outcome::{Exit, Outcome},
    plan::{Plan, expand},
    witness::{PLAN_PREDICATE, PlanPredicate, Statement, StepState, StepSummary, Subject},
};

use super::{ExecuteError, Execution, RunReport, StepReport};
use crate::{
    commit::Submission,
    host::Host,
    ledger::{Execution as Begun, Ledger},
};

/// The plan witness of an execution that nobody carries on: what it has done, cancelled. `None` when its plan can not be read.
#[must_use]
pub fn abandoned(host: &Host, ledger: &Ledger, execution: &Begun) -> Option<Vec<u8>> {
    let start = &execution.start;
    let plan = Plan::from_json(start.plan.as_bytes()).ok()?;
    let attempts: Vec<_> = ledger.attempts_of(execution).collect();
    let nodes = expand(&plan).nodes;
    let steps = nodes.into_iter().filter_map(|node| {
        let step = plan.steps().get(node.step)?;
        let is_plain = node.path.as_str() == step.name.as_str();
        let path = (!is_plain).then_some(node.path);
        let own = || {
            let all = attempts.iter();
            all.filter(|(_, one)| one.step == step.name && one.path == path)
        };
        let last = own().next_back().map(|(_, attempt)| attempt);
        let state = match last {
            Some(attempt) if attempt.released => StepState::Completed,
            Some(_) => StepState::Failed,
            None => StepState::Skipped,
        };
        Some(StepSummary {
            answered_by: None,
            attempts: own().map(|(entry, _)| entry.witness).collect(),
            is_required: step.is_required,
            outcome: last.map(|attempt| attempt.outcome.clone()),
            state,
            step: step.name.clone(),
            path,
            released_by: None,
        })
    });
    let predicate = PlanPredicate {
        actor: start.actor.clone(),
        ended_at: host.clock.now(),
        execution: start.execution,
        exit_code: Exit::Interrupted.code(),
        host: host.facts.host.clone(),
        inputs: (start.inputs.iter())
            .map(|(name, input)| (name.clone(), input.digest))
            .collect(),
        lock: Digest::of(start.lock.as_bytes()),
        origin: host.facts.origin.clone(),
        plan: plan.digest(),
        plan_name: start.plan_name.clone(),
        run: start.run,
        started_at: start.started_at,
        steps: steps.collect(),
        tenant: start.tenant.clone(),
        trace: start.trace,
    };
    let subject = Subject::new("plan", plan.digest(), Sha256::of(start.plan.as_bytes()));
    Some(Statement::new(PLAN_PREDICATE, vec![subject], predicate).payload())
}

impl Execution {
    /// Commits the plan's witness and says what the run comes to. A run that waits for a person has no end yet, and no witness.
    pub(super) async fn conclude(mut self) -> Result<RunReport, ExecuteError> {
        self.write_notes().await?;
        let exit = self.exit();
        if self.is_waiting() {
            return Ok(RunReport {
                exit,
                steps: self.reports(),
                position: None,
            });
        }
        let facts = &self.facts;
        let predicate = PlanPredicate {
            actor: facts.actor.clone(),
            ended_at: self.host.clock.now(),
            execution: facts.execution,
            exit_code: exit.code(),
            host: self.host.facts.host.clone(),
            inputs: (self.inputs.by_name().iter())
                .map(|(name, input)| (name.to_string(), input.artifact.digest))
                .collect(),
            lock: self.lock,
            origin: self.host.facts.origin.clone(),
            plan: facts.plan,
            plan_name: facts.plan_name.clone(),
            run: facts.run,
            started_at: self.started_at,
            steps: self.summaries(),
            tenant: facts.tenant.clone(),
            trace: facts.trace,
        };
        let ir = self.plan.to_json();
        let subject = Subject::new("plan", facts.plan, Sha256::of(&ir));
        let payload = Statement::new(PLAN_PREDICATE, vec![subject], predicate).payload();
        let submission = Submission::witness(LeafKind::Plan, payload, Vec::new());
        let position = self.host.committer.commit_witness(submission).await?;
        Ok(RunReport {
            exit,
            steps: self.reports(),
            position: Some(position),
        })
    }

    fn state(&self, index: usize) -> StepState {
        let scheduled = self.schedule.state(index).unwrap_or(StepState::Pending);
        self.slots
            .get(index)
            .map_or(scheduled, |slot| slot.state(scheduled))
    }

    fn is_required(&self, index: usize) -> bool {
        let step = self
            .nodes
            .get(index)
            .and_then(|node| self.plan.steps().get(node.step));
        self.enders.contains(&index)
            || (step.is_some_and(|step| step.is_required) && !self.is_forgiven(index))
    }

    /// True for an instance that failed where everybody who waits for it has enough of the others.
    fn is_forgiven(&self, index: usize) -> bool {
        if self
            .nodes
            .get(index)
            .is_none_or(|node| node.instance.is_none())
        {
            return false;
        }
        let consumers = self
            .nodes
            .iter()
            .enumerate()
            .filter_map(|(consumer, node)| {
                let source = node
                    .sources
                    .iter()
                    .find(|source| source.nodes.contains(&index))?;
                Some((consumer, source.least))
            });
        let mut any = false;
        for (consumer, least) in consumers {
            any = true;
            if least.is_none() || self.state(consumer) == StepState::Skipped {
                return false;
            }
        }
        any
    }

    fn exit(&self) -> Exit {
        let mut exits: Vec<Exit> = (self.slots.iter().enumerate())
            .filter(|(index, _)| self.is_required(*index))
            .map(|(index, slot)| match (self.state(index), &slot.outcome) {
                (StepState::Waiting, _) => Exit::Waiting,
                // A gate held what the step answered, and the plan did not let it go.
                (StepState::Abstained, Some(Outcome::Completed)) => Exit::Abstained,
                (_, Some(outcome)) => outcome.exit(),
                // Never run: what kept it from running is required as well and counts itself.
                (_, None) => Exit::Ok,
            })
            .collect();
        if self.cancel.is_cancelled() {
            exits.push(Exit::Interrupted);
        }
        Exit::worst(exits)
    }

    fn summaries(&self) -> Vec<StepSummary> {
        let nodes = self.nodes.iter().zip(&self.slots).enumerate();
        nodes
            .filter_map(|(index, (node, slot))| {
                let step = self.plan.steps().get(node.step)?;
                Some(StepSummary {
                    answered_by: slot.answered_by.clone(),
                    attempts: slot.witnesses.clone(),
                    is_required: self.is_required(index),
                    outcome: slot.outcome.clone(),
                    path: (node.path.as_str() != step.name.as_str()).then(|| node.path.clone()),
                    released_by: slot.released_by,
                    state: self.state(index),
                    step: step.name.clone(),
                })
            })
            .collect()
    }

    fn reports(self) -> Vec<StepReport> {
        let facts: Vec<(StepState, bool)> = (0..self.nodes.len())
            .map(|index| (self.state(index), self.is_required(index)))
            .collect();
        let steps = self.plan.steps();
        (self.nodes.into_iter().zip(facts).zip(self.slots))
            .filter_map(|((node, (state, is_required)), slot)| {
                Some(StepReport {
                    step: steps.get(node.step)?.name.clone(),
                    path: node.path,
                    state,
                    is_required,
                    outcome: slot.outcome,
                    fault: slot.fault,
                    question: slot.open_question,
                    case: slot.case,
                    released: slot.released,
                    transitions: slot.machine.history().to_vec(),
                })
            })
            .collect()
    }
}
