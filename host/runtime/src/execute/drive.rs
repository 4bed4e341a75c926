//! The loop that runs nodes: start what is due, take what ends, wait for what is due later.
//!
//! INVARIANT: a decision is durable before anything follows from it: notes are committed before the next attempt starts.

use std::sync::Arc;

use aim_core::{
    digest::Digest, frame::FrameKind, id::SpanId, verdict::Verdict, witness::StepState,
};
use tokio::task::JoinSet;

use super::{ExecuteError, Execution, slot::NodeEnd};
use crate::{
    attempt::{AttemptError, Concluded, Held, Task, run_attempt},
    commit::Submission,
    progress::Progress,
    resume::{PastAttempt, ReleasedStep, Resumed},
};

type Running = JoinSet<Result<(usize, u32, Concluded), AttemptError>>;

impl Execution {
    /// Goes through what an interrupted try has done, in plan order.
    pub(super) fn take_resumed(&mut self, mut resumed: Resumed) {
        self.answers = std::mem::take(&mut resumed.answers);
        self.past = std::mem::take(&mut resumed.notes);
        self.cases = std::mem::take(&mut resumed.cases);
        self.is_replaying = true;
        for index in 0..self.nodes.len() {
            let Some(path) = self.nodes.get(index).map(|node| node.path.clone()) else {
                continue;
            };
            for past in resumed.attempts.remove(&path).unwrap_or_default() {
                self.relive(index, past);
            }
            self.relive_timeout(index, &path);
        }
        self.is_replaying = false;
    }

    fn relive(&mut self, index: usize, past: PastAttempt) {
        self.timers.retain(|(_, node)| *node != index);
        self.schedule.start(index);
        self.leave_pool(index);
        self.moved(index, |machine, at| machine.dispatched(at));
        if past.is_interruption {
            self.moved(index, |machine, at| {
                machine.ended(&past.end.outcome, false, at)
            });
            // An interruption of the run is no answer of the step: it is due again.
            if let Some(slot) = self.slots.get_mut(index) {
                slot.witnesses.push(past.end.witness);
                if self.is_watched {
                    slot.statements.push(past.end.statement);
                }
            }
            if self.schedule.hold(index) {
                self.schedule.wake(index);
            }
            return;
        }
        self.follow(index, past.end);
    }

    /// Runs until nothing runs and nothing is due.
    pub(super) async fn run(&mut self) -> Result<(), ExecuteError> {
        let mut running: Running = JoinSet::new();
        // BOUND: every turn starts, ends or wakes an attempt, and attempts are bounded by the plan.
        loop {
            if self.cancel.is_cancelled() {
                self.stop();
            }
            // What sends a node on stands in the log before what it does next: an attempt commits on its own, and could be first.
            self.write_notes().await?;
            self.start_due(&mut running);
            self.write_notes().await?;
            if let Some(fault) = self.fault.take() {
                return Err(fault.into());
            }
            let lasting = self.lasting();
            let due = self.timers.first().copied();
            if running.is_empty() && due.is_none() {
                return Ok(());
            }
            let timer = Arc::clone(&self.timer);
            let clock = Arc::clone(&self.host.clock);
            tokio::select! {
                biased;
                () = async { match lasting {
                    Some((state, most, _)) => timer.lasts(state, most).await,
                    None => std::future::pending().await,
                } } => if let Some((state, _, index)) = lasting {
                    self.lasted(index, state);
                },
                Some(joined) = running.join_next() => {
                    let (index, number, concluded) =
                        joined.map_err(|error| ExecuteError::Bug(error.to_string()))??;
                    self.take(index, number, concluded);
                }
                () = async { match due {
                    Some((due, _)) => timer.until(due, &*clock).await,
                    None => std::future::pending().await,
                } } => self.wake_due(),
                () = self.cancel.wait(), if !self.cancel.is_cancelled() => {}
            }
        }
    }

    fn start_due(&mut self, running: &mut Running) {
        while let Some(index) = self.schedule.next() {
            self.schedule.start(index);
            // Without a task a person has been asked, and the node is parked or settled.
            if let Some(task) = self.task(index) {
                self.moved(index, |machine, at| machine.dispatched(at));
                running.spawn(self.attempt(index, task));
            }
        }
    }

    fn wake_due(&mut self) {
        let now = self.host.clock.now();
        while let Some((due, index)) = self.timers.first().copied()
            && due <= now
        {
            self.timers.remove(&(due, index));
            self.schedule.wake(index);
        }
    }

    /// The future that carries one attempt to its durable end.
    fn attempt(
        &self,
        index: usize,
        task: Task,
    ) -> impl Future<Output = Result<(usize, u32, Concluded), AttemptError>> + use<> {
        let (host, facts, units) = (
            Arc::clone(&self.host),
            Arc::clone(&self.facts),
            Arc::clone(&self.units),
        );
        let (contents, watcher) = (Arc::clone(&self.contents), Arc::clone(&self.watcher));
        let cancel = self.cancel.clone();
        let step = self.nodes.get(index).map_or(usize::MAX, |node| node.step);
        async move {
            let Some(unit) = units.get(step) else {
                let fault = aim_ports::PortFault::NotFound;
                let what = "no unit was admitted for it";
                return Err(aim_ports::PortError::new(fault, "step", what).into());
            };
            let (path, number) = (task.path.clone(), task.attempt_no);
            watcher.notice(Progress::Started {
                step: path.clone(),
                attempt_no: number,
            });
            let concluded = run_attempt(&host, unit, &facts, &contents, task, &cancel).await?;
            let summary = &concluded.summary;
            watcher.notice(Progress::Ended {
                step: path,
                attempt_no: number,
                outcome: summary.outcome.clone(),
                fault: summary.fault.clone(),
                verdict: summary.verdict,
                remarks: summary.remarks.clone(),
                output: summary.bodies.first().copied(),
                took: summary.took,
                fuel_used: summary.fuel_used,
            });
            Ok((index, number, concluded))
        }
    }

    fn take(&mut self, index: usize, number: u32, concluded: Concluded) {
        let span = SpanId::of(concluded.attempt);
        let summary = concluded.summary;
        let handled = concluded.handled;
        let statement = concluded.statement;
        let released = concluded.release.ok().map(|released| ReleasedStep {
            handled,
            span,
            emissions: released.into_emissions(),
        });
        let end = NodeEnd {
            number,
            witness: summary.position.witness,
            outcome: summary.outcome,
            fault: summary.fault,
            disposition: summary.disposition,
            reroute: summary.reroute,
            options: summary.options,
            released,
            bodies: summary.bodies,
            gates: summary.holding,
            used: summary.used,
            statement,
        };
        self.follow(index, end);
    }

    /// Makes durable what was decided since the last time.
    pub(super) async fn write_notes(&mut self) -> Result<(), ExecuteError> {
        for note in std::mem::take(&mut self.notes) {
            // Plain data with string keys only: serialisation has no failure to report.
            let body = serde_json::to_vec(&note).unwrap_or_default();
            let submission = Submission::frame(FrameKind::EventNote, body, Vec::new());
            self.host.committer.commit(submission).await?;
        }
        Ok(())
    }

    /// True when a question is open that the plan waits for.
    pub(super) fn is_waiting(&self) -> bool {
        self.schedule.states().contains(&StepState::Waiting) && !self.cancel.is_cancelled()
    }
}

/// What an attempt's record says about the gates that held it.
pub(crate) fn holding(gates: &[aim_core::gate::GateRecord]) -> Vec<Held> {
    (gates.iter())
        .filter(|record| record.verdict > Verdict::Warn)
        .map(|record| Held {
            gate: record.gate.clone(),
            request: record.request,
        })
        .collect()
}

/// The digests of what an attempt wanted to let go.
pub(crate) fn bodies(attempt: &aim_core::witness::AttemptPredicate) -> Vec<Digest> {
    attempt.outputs.iter().map(|output| output.body).collect()
}
