//! After an attempt: what follows is decided by core, and done here, live or as it is read back from the log.
//!
//! INVARIANT: reading back makes the same decisions as living through it, and writes nothing.

use aim_core::{
    condition,
    digest::Digest,
    outcome::{Abstention, DeniedBy, Fault, Outcome},
    plan::{Exhausted, Node, OnFail, Retries, Silence, Step},
    question::{Answer, Note, NoteKind, Question, Retry, question_id},
    recovery::{Allowance, AttemptEnd, Next, backoff_ms, is_node_failure, next, trigger},
    time::Timestamp,
    verdict::Disposition,
    witness::StepState,
};
use serde_json::Value;

use super::{Execution, slot::NodeEnd};
use crate::{attempt::Accepted, progress::Progress, unit::Unit};

/// A question that is about to be asked.
pub(super) struct Asking {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) gates: Vec<String>,
    pub(super) bodies: Vec<Digest>,
}

impl Execution {
    /// Takes the end of an attempt and does what follows.
    pub(super) fn follow(&mut self, index: usize, end: NodeEnd) {
        let Some((node, step)) = self.node_and_step(index) else {
            return;
        };
        self.give_back(index, end.used);
        self.record_breaker(&node, &end);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.witnesses.push(end.witness);
            slot.outcome = Some(end.outcome.clone());
            slot.fault = end.fault.clone();
        }
        let rule = trigger(&end.outcome)
            .and_then(|on| self.plan.rule(on, &step.name))
            .cloned();
        let (attempts_max, is_repeatable) = self.tries(&node, &step, &end.outcome);
        let slot_mended = self.slots.get(index).is_some_and(|slot| slot.was_mended);
        let allowed = Allowance {
            attempts_max,
            is_repeatable,
            has_fallback: step.fallback.is_some(),
            rule: rule.as_ref().map(|rule| rule.action),
            was_mended: slot_mended,
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
        match next {
            Next::Settle => self.settle_end(index, end),
            Next::Abort => {
                self.settle_end(index, end);
                self.stop();
            }
            Next::Quarantine => self.keep_aside(index, end),
            Next::Abstain => self.settle(index, StepState::Abstained),
            Next::Retry => self.retry(index, step, end.number),
            Next::Repair | Next::Degrade => self.mend(index, next, &end, rule),
            Next::Reroute => {
                let to = (end.reroute.clone())
                    .or_else(|| rule.and_then(|rule| rule.target.clone()))
                    .or_else(|| step.fallback.clone());
                match to.and_then(|to| Some((*self.standby.get(&to)?, to))) {
                    None => self.settle_end(index, end),
                    Some((standby, to)) => self.reroute(index, standby, to),
                }
            }
            Next::Ask => self.ask_about(index, end),
        }
    }

    fn node_and_step(&self, index: usize) -> Option<(Node, Step)> {
        let node = self.nodes.get(index)?.clone();
        let step = self.plan.steps().get(node.step)?.clone();
        Some((node, step))
    }

    fn record_breaker(&mut self, node: &Node, end: &NodeEnd) {
        // An attempt that the breaker itself has stopped says nothing new about the node.
        if end
            .fault
            .as_ref()
            .is_some_and(|fault| fault.code == "ACL-R106")
        {
            return;
        }
        let now = self.host.clock.now();
        let circuit = (self.circuit_of.get(node.step))
            .and_then(Option::as_ref)
            .and_then(|id| self.circuits.get_mut(id));
        let changed = circuit.and_then(|one| one.record(is_node_failure(&end.outcome), now));
        if let Some(state) = changed {
            self.note(node, NoteKind::Breaker(state));
        }
    }

    /// How often the step may be tried, and whether that does no harm. What may have happened already is repeated only where
    /// twice is the same as once; that a failure may be tried again does not say so.
    fn tries(&self, node: &Node, step: &Step, outcome: &Outcome) -> (u32, bool) {
        let Some(unit) = self.units.get(node.step) else {
            return (1, false);
        };
        let is_idempotent = step.is_idempotent.unwrap_or(unit.contract.is_idempotent);
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

    fn retry(&mut self, index: usize, step: &Step, number: u32) {
        let Some((node, _)) = self.node_and_step(index) else {
            return;
        };
        let retries = step.retries.unwrap_or_else(|| {
            let wait = self
                .units
                .get(node.step)
                .map_or(0, |unit| unit.contract.retry.backoff_ms);
            Retries {
                base_ms: wait,
                factor_percent: 100,
                jitter_percent: 0,
                max_ms: wait,
                ..Retries::DEFAULT
            }
        });
        let attempt_no = number.saturating_add(1);
        let known = self.due.get(&(node.path.clone(), attempt_no)).copied();
        let due_at = known.unwrap_or_else(|| {
            let wait_ms = backoff_ms(&retries, number, self.draw(&node, number));
            let due_at =
                Timestamp::from_millis(self.host.clock.now().millis().saturating_add(wait_ms));
            let retry = Retry {
                attempt_no,
                due_at,
                wait_ms,
            };
            self.note(&node, NoteKind::RetryScheduled(retry));
            due_at
        });
        if self.schedule.hold(index) {
            self.timers.insert((due_at, index));
        }
    }

    /// A number by chance that is the same whenever it is asked for: it follows from the attempt's identity.
    fn draw(&self, node: &Node, number: u32) -> u64 {
        let parts = [
            self.facts.execution.as_bytes().as_slice(),
            node.path.as_str().as_bytes(),
            &number.to_le_bytes(),
        ];
        let digest = Digest::derive("jitter", &parts);
        let first = digest.as_bytes().first_chunk::<8>().copied();
        u64::from_le_bytes(first.unwrap_or_default())
    }

    fn mend(&mut self, index: usize, how: Next, end: &NodeEnd, rule: Option<&OnFail>) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.was_mended = true;
            let word = if how == Next::Repair {
                "repair"
            } else {
                "degrade"
            };
            let code = end.fault.as_ref().map_or("", |fault| fault.code.as_str());
            slot.labels.insert(word.to_owned(), code.to_owned());
            for (name, value) in rule.iter().flat_map(|rule| &rule.options) {
                slot.labels.insert(format!("degrade.{name}"), value.clone());
            }
        }
        if self.schedule.hold(index) {
            self.schedule.wake(index);
        }
    }

    fn reroute(&mut self, index: usize, standby: usize, to: aim_core::name::StepName) {
        if let Some((node, _)) = self.node_and_step(index) {
            self.note(&node, NoteKind::Rerouted(to));
        }
        if !self.schedule.hold(index) {
            return;
        }
        self.origins.entry(standby).or_default().insert(index);
        match self.schedule.state(standby) {
            Some(StepState::Pending | StepState::Running) => self.schedule.activate(standby),
            _ => self.answer_origins(standby),
        }
    }

    /// Gives what a standby node has come to to the nodes that wait for it.
    fn answer_origins(&mut self, standby: usize) {
        let origins = self.origins.remove(&standby).unwrap_or_default();
        let released = self
            .slots
            .get(standby)
            .and_then(|slot| slot.released.clone());
        let name = self.node_and_step(standby).map(|(_, step)| step.name);
        for origin in origins {
            let state = if released.is_some() {
                StepState::Completed
            } else {
                StepState::Failed
            };
            if let Some(slot) = self.slots.get_mut(origin)
                && released.is_some()
            {
                slot.released.clone_from(&released);
                slot.outcome = Some(Outcome::Completed);
                slot.fault = None;
                slot.answered_by.clone_from(&name);
            }
            self.settle(origin, state);
        }
    }

    fn ask_about(&mut self, index: usize, end: NodeEnd) {
        let Some((node, step)) = self.node_and_step(index) else {
            return;
        };
        let id = question_id(self.facts.execution, &node.path, end.number);
        let Some((answer, witness)) = self.answers.get(&id).cloned() else {
            let text = match &end.outcome {
                Outcome::Indeterminate(call) => format!(
                    "the end of host call {call} of `{}` is not known; may the step be tried again?",
                    node.path
                ),
                _ => format!(
                    "may `{}` go on although {} holds it? {}",
                    node.path,
                    if end.gates.is_empty() {
                        "a rule of the plan".to_owned()
                    } else {
                        end.gates.join(", ")
                    },
                    end.fault
                        .as_ref()
                        .map_or(step.description.as_str(), |fault| fault.message.as_str())
                ),
            };
            let asking = Asking {
                id,
                text,
                gates: end.gates,
                bodies: end.bodies,
            };
            return self.ask(index, asking);
        };
        if let Some(slot) = self.slots.get_mut(index) {
            if !answer.is_consent() {
                slot.outcome = Some(Outcome::Denied(DeniedBy::Gate));
                slot.fault = Some(Fault {
                    code: "ACL-R107".to_owned(),
                    message: format!("a person answered no to {id}"),
                });
                return self.settle(index, StepState::Failed);
            }
            if let Answer::Value(value) = &answer {
                slot.labels.insert("answer".to_owned(), value.clone());
            }
            slot.accepted = Some(Accepted {
                gates: end.gates,
                bodies: end.bodies,
                witness,
            });
        }
        if self.schedule.hold(index) {
            self.schedule.wake(index);
        }
    }

    /// Asks a person: the run waits, or the step abstains, as the plan says.
    pub(super) fn ask(&mut self, index: usize, asking: Asking) {
        let Some((node, step)) = self.node_and_step(index) else {
            return;
        };
        let silence = self.plan.silence(&step);
        let question = Question {
            bodies: asking.bodies,
            gates: asking.gates,
            id: asking.id.clone(),
            silence,
            text: asking.text.chars().take(2_000).collect(),
        };
        if !self.asked.contains(&asking.id) {
            self.note(&node, NoteKind::Asked(question));
            self.asked.insert(asking.id.clone());
        }
        if let Some(slot) = self.slots.get_mut(index) {
            slot.open_question = Some(asking.id);
        }
        match silence {
            Silence::Wait => {
                self.schedule.park(index);
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
        let state = state_of(&end.outcome, end.disposition, end.released.is_some());
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
        let mut skipped = self.schedule.settle(index, state);
        skipped.retain(|one| *one != index);
        self.told(index, state);
        self.flow_result(index, state);
        self.answer_origins(index);
        for node in skipped {
            self.told(node, StepState::Skipped);
            self.flow_result(node, StepState::Skipped);
            self.answer_origins(node);
        }
    }

    /// Starts nothing more.
    pub(super) fn stop(&mut self) {
        for node in self.schedule.stop() {
            self.told(node, StepState::Skipped);
        }
        self.timers.clear();
    }

    pub(super) fn told(&self, index: usize, state: StepState) {
        if let Some(node) = self.nodes.get(index) {
            self.watcher.notice(Progress::Settled {
                step: node.path.clone(),
                state,
                is_resumed: self.is_replaying,
            });
        }
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
            slot.fault = Some(Fault {
                code: "ACL-R105".to_owned(),
                message: format!(
                    "flow `{}` ended without `{}`",
                    parts.name, parts.until.source
                ),
            });
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
            Some([only]) => serde_json::from_slice(&only.body).ok(),
            _ => None,
        };
        condition::holds(condition, output.as_ref()).unwrap_or(false)
    }

    /// Keeps a note for the log. While reading back, what follows from the attempts needs none; a question or a wait that is
    /// not there yet was lost between an attempt and its note.
    fn note(&mut self, node: &Node, what: NoteKind) {
        let follows = matches!(what, NoteKind::Breaker(_) | NoteKind::Rerouted(_));
        if self.is_replaying && follows {
            return;
        }
        self.notes.push(Note {
            at: self.host.clock.now(),
            execution: self.facts.execution,
            path: node.path.clone(),
            what,
        });
    }
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

/// The state that an end gives its step.
const fn state_of(outcome: &Outcome, disposition: Disposition, is_released: bool) -> StepState {
    match (outcome, disposition) {
        (Outcome::Completed, _) if is_released => StepState::Completed,
        (Outcome::Abstained(_), Disposition::Release) => StepState::Abstained,
        _ => StepState::Failed,
    }
}
