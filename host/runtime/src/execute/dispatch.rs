//! Before an attempt: is a person asked first, is the breaker closed, is there budget, what is the step told?
//!
//! INVARIANT: an attempt that may not begin still has its witness: it is stopped before the guest's door, not left out.

use std::sync::Arc;

use aim_core::{
    outcome::{Abstention, DeniedBy, Failure, Fault, Outcome},
    plan::{InputSource, NODE_PARAM, Plan, Step, TimeSlice},
    pool::{Amount, OverBudget},
    question::{Answer, question_id},
};

use super::{Execution, envelope::Given, follow::Asking};
use crate::{attempt::Task, reach::Reach};

impl Execution {
    /// The task of a node's next attempt; `None` when a person has to answer first.
    pub(super) fn task(&mut self, index: usize) -> Option<Task> {
        let node = self.nodes.get(index)?.clone();
        let step = self.plan.steps().get(node.step)?.clone();
        let number = self.slots.get(index)?.next_attempt();
        let Given {
            envelope,
            parent_span,
            mut stop,
        } = self.given(&node);
        let mut labels = self.labels(index, &step);
        if step.hitl.is_some() {
            match self.asked_before(index, &step) {
                None => return None,
                Some(Answer::No) => stop = stop.or_else(|| Some(refused_by_a_person())),
                Some(Answer::Value(value)) => drop(labels.insert("answer".to_owned(), value)),
                Some(Answer::Yes) => {}
            }
        }
        if stop.is_none() {
            stop = self.breaker_stop(node.step);
        }
        let share = match self.take_budget(index, node.step) {
            Ok(share) => share,
            Err(over) => {
                stop = stop.or_else(|| Some(over_budget(&over)));
                Amount::default()
            }
        };
        let slot = self.slots.get_mut(index)?;
        slot.taken = share;
        Some(Task {
            attempt_no: number,
            path: node.path,
            envelope,
            parent_span,
            is_first_of_plan: index == 0,
            labels,
            reach: self.reaches.get(node.step).copied().unwrap_or(Reach::ALONE),
            share,
            stop,
            accepted: slot.accepted.clone(),
            timer: Arc::clone(&self.timer),
        })
    }

    /// The answer to the question that a plan always asks before the step; asks it when nobody has.
    fn asked_before(&mut self, index: usize, step: &Step) -> Option<Answer> {
        let path = self.nodes.get(index)?.path.clone();
        let id = question_id(self.facts.execution, &path, 0);
        if let Some((answer, _)) = self.answers.get(&id) {
            return Some(answer.clone());
        }
        let text = step.hitl.as_ref().and_then(|hitl| hitl.question.clone());
        self.ask(
            index,
            Asking {
                id,
                text: text.unwrap_or_else(|| step.description.clone()),
                held: Vec::new(),
                bodies: Vec::new(),
            },
        );
        None
    }

    fn breaker_stop(&mut self, step: usize) -> Option<(Outcome, Fault)> {
        let now = self.host.clock.now();
        let circuit = self
            .circuits
            .get_mut(self.circuit_of.get(step)?.as_ref()?)?;
        if circuit.admits(now) {
            return None;
        }
        let message = "the node has kept failing and is left alone for a while".to_owned();
        let fault = Fault {
            code: "ACL-R106".to_owned(),
            message,
        };
        Some((Outcome::Failed(Failure::Transient), fault))
    }

    /// Takes the step's budget from the plan's and its shard's pools; less, where less is left.
    fn take_budget(&mut self, index: usize, step: usize) -> Result<Amount, OverBudget> {
        let Some((step, slot)) = (self.plan.steps().get(step)).zip(self.slots.get_mut(index))
        else {
            return Ok(Amount::default());
        };
        // Probes are the deployment's, and take nothing from the plan.
        if step.probe.is_some() {
            return Ok(Amount::whole(&step.budget));
        }
        let is_first = !std::mem::replace(&mut slot.has_left, true);
        let share = self.pool.offer(&step.budget, slot.used, is_first);
        if is_first {
            self.pool.leave();
        }
        let shard = step
            .shard
            .as_ref()
            .and_then(|shard| self.shard_pools.get_mut(shard));
        let mut share = share?;
        if let Some(shard) = shard {
            share = share.min(shard.offer(&step.budget)?);
            shard.charge(share)?;
        }
        self.pool.charge(share)?;
        Ok(share)
    }

    /// Gives back what an attempt has not used.
    pub(super) fn give_back(&mut self, index: usize, used: Amount) {
        let step = self
            .nodes
            .get(index)
            .and_then(|node| self.plan.steps().get(node.step));
        let shard = step.and_then(|step| step.shard.clone());
        if step.is_some_and(|step| step.probe.is_some()) {
            return;
        }
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        slot.used = slot.used.plus(used);
        let unused = std::mem::take(&mut slot.taken).without(used);
        self.pool.give_back(unused);
        if let Some(pool) = shard.and_then(|shard| self.shard_pools.get_mut(&shard)) {
            pool.give_back(unused);
        }
    }

    /// What the step is told beside its envelope.
    fn labels(&self, index: usize, step: &Step) -> std::collections::BTreeMap<String, String> {
        let mut labels = self
            .slots
            .get(index)
            .map(|slot| slot.labels.clone())
            .unwrap_or_default();
        let node = self.nodes.get(index);
        let mut say = |name: String, value: String| {
            labels.entry(name).or_insert(value);
        };
        if let Some(number) = node.and_then(|node| node.instance) {
            say("instance".to_owned(), number.to_string());
        }
        if let Some((_, round)) = node.and_then(|node| node.round) {
            say("round".to_owned(), round.to_string());
        }
        for (name, value) in step.fanout.iter().flat_map(|fanout| &fanout.options) {
            say(format!("fanout.{name}"), value.clone());
        }
        for (name, source) in &step.inputs {
            match source {
                InputSource::Step(step) => say(format!("input.{name}"), step.to_string()),
                InputSource::All => say(format!("input.{name}"), "ALL".to_owned()),
                InputSource::Literal(value) => say(format!("input.{name}"), value.clone()),
                InputSource::Selector(one) => {
                    say(
                        format!("input.{name}"),
                        format!("{}:{}", one.index.word(), one.path),
                    );
                }
                InputSource::Run(_) => {}
            }
        }
        for (name, value) in told(&self.plan, step) {
            say(name, value);
        }
        match step.slice {
            Some(TimeSlice::AsOf(at)) => say("slice".to_owned(), at.to_string()),
            Some(TimeSlice::Window(from, until)) => {
                say("slice".to_owned(), format!("{from}..{until}"))
            }
            None => {}
        }
        if let Some(soft) = step.budget.soft {
            say("soft.backoff".to_owned(), soft.backoff.word().to_owned());
            for (part, value) in soft.parts() {
                if let Some(value) = value {
                    say(format!("soft.{part}"), value.to_string());
                }
            }
        }
        labels
    }
}

/// What the plan says of the step and its role, for the step itself. A probe is told nothing but what it observes.
fn told(plan: &Plan, step: &Step) -> Vec<(String, String)> {
    if step.probe.is_some() {
        return Vec::new();
    }
    let mut told = vec![("does".to_owned(), step.description.clone())];
    let params = plan.roles().get(&step.role).map(|role| &role.params);
    for (name, value) in params.into_iter().flatten() {
        if name.as_str() != NODE_PARAM {
            told.push((format!("role.{name}"), value.clone()));
        }
    }
    if !step.tools.is_empty() {
        told.push(("tools".to_owned(), step.tools.join(", ")));
    }
    let pins = &step.pins;
    let seed = pins.seed.map(|seed| seed.to_string());
    let said = [
        ("model", &step.model),
        ("snapshot", &plan.header().snapshot),
        ("pin.index", &pins.index),
        ("pin.model", &pins.model),
        ("pin.seed", &seed),
        ("pin.tool", &pins.tool),
    ];
    let said = said.into_iter();
    told.extend(said.filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))));
    told
}

fn over_budget(over: &OverBudget) -> (Outcome, Fault) {
    let fault = Fault {
        code: over.code().to_owned(),
        message: format!("the plan's budget is used up: {over}"),
    };
    (Outcome::Abstained(Abstention::Budget), fault)
}

fn refused_by_a_person() -> (Outcome, Fault) {
    let fault = Fault {
        code: "ACL-R107".to_owned(),
        message: "a person was asked and answered no".to_owned(),
    };
    (Outcome::Denied(DeniedBy::Gate), fault)
}
