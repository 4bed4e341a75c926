//! After an attempt: what follows is decided by core, and done here, live or as it is read back from the log.
//!
//! INVARIANT: reading back makes the same decisions as living through it, and writes nothing.

use std::sync::Arc;

use aim_core::{
    condition,
    digest::Digest,
    json,
    name::StepName,
    outcome::{Abstention, DeniedBy, Fault, Outcome},
    plan::{Exhausted, Node, OnFail, Silence, Step},
    question::{Answer, NoteKind, Question, question_id},
    recovery::{Allowance, AttemptEnd, Next, is_node_failure, next, trigger},
    stateflow::State,
    verdict::Disposition,
    witness::StepState,
};
use serde_json::Value;

use super::{Execution, slot::NodeEnd};
use crate::{
    attempt::{Accepted, Held},
    progress::Progress,
    unit::Unit,
};

/// A question that is about to be asked.
pub(super) struct Asking {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) held: Vec<Held>,
    pub(super) bodies: Vec<Digest>,
}

impl Execution {
    /// Takes the end of an attempt and does what follows.
    pub(super) fn follow(&mut self, index: usize, end: NodeEnd) {
        let Some((node, step)) = self.node_and_step(index) else {
            return;
        };
        self.give_back(index, end.used);
        self.record_breaker(index, &node, &end);
        self.moved(index, |machine, at| {
            machine.ended(&end.outcome, end.released.is_some(), at)
        });
        self.check_soft(index, &step);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.witnesses.push(end.witness);
            if self.is_watched {
                slot.statements.push(Arc::clone(&end.statement));
            }
            slot.outcome = Some(end.outcome.clone());
            slot.fault = end.fault.clone();
        }
        // The rules of a plan are about its own steps, and no probe is one.
        let rule = trigger(&end.outcome)
            .filter(|_| step.probe.is_none())
            .and_then(|on| self.plan.rule(on, &step.name))
            .cloned();
        let (attempts_max, is_repeatable) = self.tries(&node, &step, &end.outcome);
        let mends = self.slots.get(index).map_or(0, |slot| slot.mends);
        let mends_max = State::Repair.rule().map_or(0, |rule| rule.retries);
        let allowed = Allowance {
            attempts_max,
            is_repeatable,
            has_fallback: step.fallback.is_some(),
            rule: rule.as_ref().map(|rule| rule.action),
            was_mended: mends >= mends_max,
        };
        let attempt = AttemptEnd {
            outcome: &end.outcome,
            disposition: end.disposition,
            is_released: end.released.is_some(),
            number: end.number,
        };
        let next = match next(&attempt, &allowed) {
            // What was cut off by a cancel is due again when the run is resumed.
            _ if end.outcome == Outcome::Cancelled && self.is_replaying => Next::Settle,
            next => next,
        };
        if let Some(slot) = self.slots.get_mut(index) {
            slot.is_spent = attempt.is_spent(&allowed);
        }
        self.carry_on(index, &step, next, end, rule.as_ref());
    }

    fn carry_on(
        &mut self,
        index: usize,
        step: &Step,
        next: Next,
        end: NodeEnd,
        rule: Option<&OnFail>,
    ) {
        let is_another_try = matches!(next, Next::Retry | Next::Repair | Next::Degrade);
        if is_another_try && let Some(to) = self.smaller(index, step) {
            return self.go_to(index, Some(to), end);
        }
        match next {
            Next::Settle => self.settle_end(index, end),
            Next::Abort => {
                self.enders.insert(index);
                self.settle_end(index, end);
                self.stop();
            }
            Next::Quarantine => self.keep_aside(index, end),
            Next::Abstain => self.settle(index, StepState::Abstained),
            Next::Retry => self.retry(index, step, end.number),
            Next::Repair | Next::Degrade => self.mend(index, next, &end, rule),
            // Nobody stands in for a step that stands in: a rule for every step would lead it to itself.
            Next::Reroute if step.is_standby => self.settle_end(index, end),
            Next::Reroute => {
                let to = (end.reroute.clone())
                    .or_else(|| rule.and_then(|rule| rule.target.clone()))
                    .or_else(|| step.fallback.clone());
                self.go_to(index, to, end);
            }
            Next::Ask => self.ask_about(index, end),
        }
    }

    /// Lets a standby step answer, where there is one.
    fn go_to(&mut self, index: usize, to: Option<StepName>, end: NodeEnd) {
        match to.and_then(|to| Some((*self.standby.get(&to)?, to))) {
            None => self.settle_end(index, end),
            Some((standby, to)) => self.reroute(index, standby, to),
        }
    }

    pub(super) fn node_and_step(&self, index: usize) -> Option<(Node, Step)> {
        let node = self.nodes.get(index)?.clone();
        let step = self.plan.steps().get(node.step)?.clone();
        Some((node, step))
    }

    fn record_breaker(&mut self, index: usize, node: &Node, end: &NodeEnd) {
        // An attempt that the breaker itself has stopped says nothing new about the node.
        if end
            .fault
            .as_ref()
            .is_some_and(|fault| fault.code == "ACL-R106")
        {
            return;
        }
        let now = self.host.clock.now();
        let Some(Some(own)) = self.circuit_of.get(node.step) else {
            return;
        };
        let mut changed = None;
        // Every breaker of the node hears of it; the step's own is the one that is noted.
        for (key, circuit) in (self.circuits.iter_mut()).filter(|(key, _)| key.0 == own.0) {
            let state = circuit.record(is_node_failure(&end.outcome), now);
            changed = if key == own { state } else { changed };
        }
        if let Some(state) = changed {
            self.note(index, NoteKind::Breaker(state));
        }
    }

    /// How often the step may be tried, and whether that does no harm. What may have happened already is repeated only where
    /// twice is the same as once; that a failure may be tried again does not say so.
    fn tries(&self, node: &Node, step: &Step, outcome: &Outcome) -> (u32, bool) {
        let Some(unit) = self.units.get(node.step) else {
            return (1, false);
        };
        let is_idempotent = unit.is_idempotent;
        let is_unknown = matches!(outcome, Outcome::Indeterminate(_));
        match step.retries {
            None if is_unknown => (unit.contract.retry.attempts_max, is_idempotent),
            Some(retries) if is_unknown => (retries.max_attempts, is_idempotent),
            // The operator's contract says so itself.
            None => (unit.contract.retry.attempts_max, true),
            Some(retries) => {
                let is_repeatable = is_idempotent || !has_effects(unit) || retries.repeats_effects;
                (retries.max_attempts, is_repeatable)
            }
        }
    }

    fn ask_about(&mut self, index: usize, end: NodeEnd) {
        let Some((node, step)) = self.node_and_step(index) else {
            return;
        };
        let id = question_id(self.facts.execution, &node.path, end.number);
        if self.cancel.is_cancelled() && !self.answers.contains_key(&id) {
            // Nobody can answer about a run that somebody has stopped.
            return self.settle_end(index, end);
        }
        let asking = Asking {
            id,
            text: question(&node, &step, &end),
            held: end.gates,
            bodies: end.bodies,
        };
        let Some((answer, witness)) = self.answers.get(&asking.id).cloned() else {
            return self.ask(index, asking);
        };
        let (id, held) = (asking.id.clone(), asking.held.clone());
        self.note_question(index, &step, asking);
        if !answer.is_consent() {
            self.ended_by(index, &format!("answer {witness}"), "a person answered no");
            if let Some(slot) = self.slots.get_mut(index) {
                slot.outcome = Some(Outcome::Denied(DeniedBy::Gate));
                slot.fault = Some(Fault {
                    code: "ACL-R107".to_owned(),
                    message: format!("a person answered no to {id}"),
                });
            }
            return self.settle(index, StepState::Failed);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            if let Answer::Value(value) = &answer {
                slot.labels.insert("answer".to_owned(), value.clone());
            }
            let accepted = slot.accepted.get_or_insert_with(Accepted::default);
            accepted.extend(held, witness);
        }
        if self.hold(index) {
            self.schedule.wake(index);
        }
    }

    /// Writes a question down, where nobody has.
    fn note_question(&mut self, index: usize, step: &Step, asking: Asking) {
        let question = Question {
            bodies: asking.bodies,
            gates: asking.held.into_iter().map(|held| held.gate).collect(),
            id: asking.id,
            silence: self.plan.silence(step),
            text: asking.text.chars().take(2_000).collect(),
        };
        self.note(index, NoteKind::Asked(question));
    }

    /// Asks a person: the run waits, or the step abstains, as the plan says.
    pub(super) fn ask(&mut self, index: usize, asking: Asking) {
        let Some((_, step)) = self.node_and_step(index) else {
            return;
        };
        let silence = self.plan.silence(&step);
        let id = asking.id.clone();
        self.note_question(index, &step, asking);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.open_question = Some(id);
        }
        match silence {
            Silence::Wait => {
                self.schedule.park(index);
                // People take their time.
                self.forget(index);
                self.told(index, StepState::Waiting);
            }
            Silence::Abstain => {
                if let Some(slot) = self.slots.get_mut(index)
                    && slot.outcome.is_none()
                {
                    slot.outcome = Some(Outcome::Abstained(Abstention::Evidence));
                }
                self.settle(index, StepState::Abstained);
            }
        }
    }

    pub(super) fn settle_end(&mut self, index: usize, end: NodeEnd) {
        let state = state_of(&end);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.released = end.released;
        }
        self.settle(index, state);
        if end.outcome == Outcome::Cancelled {
            self.stop();
        }
    }

    /// Gives a node its final state, and everything that follows from it.
    pub(super) fn settle(&mut self, index: usize, state: StepState) {
        if state != StepState::Completed {
            self.close(index);
        }
        let mut skipped = self.schedule.settle(index, state);
        skipped.retain(|one| *one != index);
        self.told(index, state);
        self.flow_result(index, state);
        self.answer_origins(index);
        for node in skipped {
            self.leave_pool(node);
            self.told(node, StepState::Skipped);
            self.flow_result(node, StepState::Skipped);
            self.answer_origins(node);
        }
    }

    /// Starts nothing more.
    pub(super) fn stop(&mut self) {
        for node in self.schedule.stop() {
            self.ended_by(node, "host", "the run was stopped");
            self.close(node);
            self.told(node, StepState::Skipped);
        }
        self.timers.clear();
    }

    pub(super) fn told(&self, index: usize, state: StepState) {
        let Some(node) = self.nodes.get(index) else {
            return;
        };
        let step = node.path.clone();
        let spared = (state == StepState::Skipped).then(|| self.spared(node));
        self.watcher.notice(match spared.flatten() {
            Some(why) => Progress::Spared { step, why },
            None => Progress::Settled {
                step,
                state,
                is_resumed: self.is_replaying,
            },
        });
    }

    /// Why a skipped node is none that something is missing of; `None` where something it requires did not complete.
    fn spared(&self, node: &Node) -> Option<&'static str> {
        let has_result = |flow: usize| matches!(self.flow_ends.get(flow), Some(Some(_)));
        if (node.round).is_some_and(|(flow, _)| has_result(flow)) {
            return Some("an earlier round has the result");
        }
        let step = self.plan.steps().get(node.step)?;
        step.is_standby.then_some("no step needed it to stand in")
    }

    /// When a round of a flow has a result: is it the last one?
    fn flow_result(&mut self, index: usize, state: StepState) {
        let Some((flow, round)) = self.nodes.get(index).and_then(|node| node.round) else {
            return;
        };
        let Some(nodes) = self.flows.get(flow).cloned() else {
            return;
        };
        let is_over = self.flow_done.contains(&flow);
        if is_over || !nodes.results.contains(&index) {
            return;
        }
        let Some(parts) = self.plan.flows().get(flow).cloned() else {
            return;
        };
        let is_met = match state {
            StepState::Completed if self.holds(index, &parts.until.condition) => true,
            StepState::Completed if round < parts.max_iter => return,
            StepState::Completed => parts.on_exhausted == Exhausted::Release,
            _ => false,
        };
        self.flow_done.insert(flow);
        if is_met {
            if let Some(end) = self.flow_ends.get_mut(flow) {
                *end = Some(index);
            }
        } else if state == StepState::Completed
            && let Some(slot) = self.slots.get_mut(index)
        {
            slot.state = Some(StepState::Abstained);
            slot.outcome = Some(Outcome::Abstained(Abstention::Evidence));
            let fault = Fault {
                code: "ACL-R105".to_owned(),
                message: format!(
                    "flow `{}` ended without `{}`",
                    parts.name, parts.until.source
                ),
            };
            slot.fault = Some(fault.clone());
            if let Some(node) = self.nodes.get(index) {
                let step = node.path.clone();
                self.watcher.notice(Progress::Exhausted { step, fault });
            }
        }
        for skipped in self.schedule.decide(nodes.group, is_met) {
            self.told(skipped, StepState::Skipped);
        }
        let later = usize::try_from(round).unwrap_or(usize::MAX);
        for node in nodes.rounds.iter().skip(later).flatten() {
            if self.schedule.state(*node) == Some(StepState::Pending) {
                self.settle(*node, StepState::Skipped);
            }
        }
    }

    fn holds(&self, index: usize, condition: &condition::Condition) -> bool {
        let emissions = (self.slots.get(index))
            .and_then(|slot| slot.released.as_ref())
            .map(|released| released.emissions.as_slice());
        let output: Option<Value> = match emissions {
            Some([only]) => json::parse(&only.body).ok(),
            _ => None,
        };
        condition::holds(condition, output.as_ref()).unwrap_or(false)
    }
}

/// What a person is asked about the end of an attempt.
fn question(node: &Node, step: &Step, end: &NodeEnd) -> String {
    if let Outcome::Indeterminate(call) = &end.outcome {
        return format!(
            "the end of host call {call} of `{}` is not known; may the step be tried again?",
            node.path
        );
    }
    let gates: Vec<&str> = end.gates.iter().map(|held| held.gate.as_str()).collect();
    let holder = if gates.is_empty() {
        "a rule of the plan".to_owned()
    } else {
        gates.join(", ")
    };
    let why = end.fault.as_ref();
    let why = why.map_or(step.description.as_str(), |fault| fault.message.as_str());
    format!(
        "may `{}` go on although {holder} holds it? {why}",
        node.path
    )
}

/// True when the step may do something outside that can not be taken back.
fn has_effects(unit: &Unit) -> bool {
    unit.contract.kind == aim_core::contract::NodeKind::Effect
        || unit.step.effects.iter().any(|effect| {
            use aim_core::plan::Effect;
            matches!(
                effect,
                Effect::NetWrite
                    | Effect::MailSend
                    | Effect::ProcExec
                    | Effect::DbQuery
                    | Effect::SegWrite
            )
        })
}

/// The state that an end gives its step. What a plan's budget has ended abstains; what a contract's limit has ended failed.
fn state_of(end: &NodeEnd) -> StepState {
    let is_plan_budget = || {
        end.fault
            .as_ref()
            .is_some_and(|fault| fault.code == "ACL-R101")
    };
    match (&end.outcome, end.disposition) {
        (Outcome::Completed, _) if end.released.is_some() => StepState::Completed,
        (Outcome::Abstained(_), Disposition::Release) => StepState::Abstained,
        (Outcome::Limit(_), Disposition::Release) if is_plan_budget() => StepState::Abstained,
        _ => StepState::Failed,
    }
}
