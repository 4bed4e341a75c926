//! What a probe is given: the record of the run so far, made by the host from what is durable.
//!
//! INVARIANT: nothing of another probe is in the record, so probes that run side by side are given the same.

use std::sync::Arc;

use aim_core::{
    envelope::Envelope,
    id::EnvelopeId,
    plan::{Node, Observation, ObservedAttempt, ObservedStep, Plan, Probe},
};

use super::{Execution, envelope::Given};

/// Media type of a record.
const MEDIA_TYPE: &str = "application/json";

impl Execution {
    /// The envelope of a probe's node.
    pub(super) fn observed(&self, node: &Node, probe: &Probe) -> Given {
        let correlation = self.facts.correlation;
        let producer = format!("{}#record", node.path);
        Given {
            envelope: Envelope {
                id: EnvelopeId::emitted(self.facts.run, &producer, 0),
                correlation,
                causation: Some(correlation),
                operation: probe.id.clone(),
                media_type: MEDIA_TYPE.to_owned(),
                artifacts: Vec::new(),
                body: self.observation(probe).to_json(),
            },
            parent_span: None,
            stop: None,
        }
    }

    fn observation(&self, probe: &Probe) -> Observation {
        let mut attempts = Vec::new();
        let (mut omitted, mut taken) = (0_usize, 0_usize);
        let mut steps = Vec::with_capacity(self.nodes.len());
        for (index, (node, slot)) in self.nodes.iter().zip(&self.slots).enumerate() {
            let step = self.plan.steps().get(node.step);
            if step.is_none_or(|step| step.probe.is_some()) {
                continue;
            }
            for (witness, statement) in slot.witnesses.iter().zip(&slot.statements) {
                taken = taken.saturating_add(statement.len());
                if taken > Observation::STATEMENT_BYTES_MAX {
                    omitted += 1;
                    continue;
                }
                attempts.push(ObservedAttempt {
                    statement: text(statement),
                    witness: *witness,
                });
            }
            let scheduled = self.schedule.state(index);
            steps.push(ObservedStep {
                path: node.path.to_string(),
                state: slot.state(scheduled.unwrap_or(aim_core::witness::StepState::Pending)),
                witnesses: slot.witnesses.clone(),
            });
        }
        let read = Plan::from_json(&self.plan.to_json());
        let gates = self.units.first().and_then(|unit| unit.gates.first());
        Observation {
            attempts,
            compiled: [
                self.facts.plan,
                read.map_or(self.lock, |plan| plan.digest()),
            ],
            ethical: gates.map(|gate| gate.id.clone()).unwrap_or_default(),
            lock: self.lock,
            omitted,
            probe: probe.id.clone(),
            steps,
        }
    }
}

/// A statement is JSON, and so is text.
fn text(statement: &Arc<[u8]>) -> String {
    String::from_utf8_lossy(statement).into_owned()
}
