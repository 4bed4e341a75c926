//! What a probe is given: the record of the run so far, made by the host from what is durable, live or read back.
//!
//! INVARIANT: nothing of another probe is in the record, so probes that run side by side are given the same.

use aim_core::{
    digest::Digest,
    envelope::Envelope,
    id::EnvelopeId,
    plan::{Node, Observation, ObservedAttempt, ObservedStep, Plan, Probe},
};

use super::{Execution, envelope::Given};
use crate::attempt::RunFacts;

/// Media type of a record.
const MEDIA_TYPE: &str = "application/json";

/// What a node has come to.
pub(crate) struct Seen {
    /// True when its output left it.
    pub(crate) is_released: bool,
    /// Witness and exact statement of each attempt that has ended.
    pub(crate) attempts: Vec<(Digest, String)>,
}

/// What all records of a run share.
pub(crate) struct Records<'a> {
    pub(crate) facts: &'a RunFacts,
    pub(crate) plan: &'a Plan,
    pub(crate) lock: Digest,
    /// The gate that every step has to pass.
    pub(crate) ethical: String,
    pub(crate) nodes: &'a [Node],
}

impl Records<'_> {
    /// The envelope of a probe's node.
    pub(crate) fn envelope(
        &self,
        node: &Node,
        probe: &Probe,
        seen: impl Fn(usize) -> Seen,
    ) -> Envelope {
        let producer = format!("{}#record", node.path);
        Envelope {
            id: EnvelopeId::emitted(self.facts.run, &producer, 0),
            correlation: self.facts.correlation,
            causation: Some(self.facts.correlation),
            operation: probe.id.clone(),
            media_type: MEDIA_TYPE.to_owned(),
            artifacts: Vec::new(),
            body: self.observation(probe, seen).to_json(),
        }
    }

    fn observation(&self, probe: &Probe, seen: impl Fn(usize) -> Seen) -> Observation {
        let mut attempts = Vec::new();
        let (mut omitted, mut taken) = (0_usize, 0_usize);
        let mut steps = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let step = self.plan.steps().get(node.step);
            if step.is_none_or(|step| step.probe.is_some()) {
                continue;
            }
            let seen = seen(index);
            steps.push(ObservedStep {
                is_released: seen.is_released,
                path: node.path.to_string(),
                witnesses: seen.attempts.iter().map(|(witness, _)| *witness).collect(),
            });
            for (witness, statement) in seen.attempts {
                taken = taken.saturating_add(statement.len());
                if taken > Observation::STATEMENT_BYTES_MAX {
                    omitted += 1;
                    continue;
                }
                attempts.push(ObservedAttempt { statement, witness });
            }
        }
        let read = Plan::from_json(&self.plan.to_json());
        Observation {
            attempts,
            compiled: [
                self.facts.plan,
                read.map_or(self.lock, |plan| plan.digest()),
            ],
            ethical: self.ethical.clone(),
            lock: self.lock,
            omitted,
            probe: probe.id.clone(),
            steps,
        }
    }
}

impl Execution {
    /// What a probe's node is given.
    pub(super) fn observed(&self, node: &Node, probe: &Probe) -> Given {
        let gates = self.units.first().and_then(|unit| unit.gates.first());
        let records = Records {
            facts: &self.facts,
            plan: &self.plan,
            lock: self.lock,
            ethical: gates.map(|gate| gate.id.clone()).unwrap_or_default(),
            nodes: &self.nodes,
        };
        let seen = |index: usize| {
            let Some(slot) = self.slots.get(index) else {
                return Seen {
                    is_released: false,
                    attempts: Vec::new(),
                };
            };
            let statements = slot.statements.iter();
            let statements = statements.map(|one| String::from_utf8_lossy(one).into_owned());
            Seen {
                is_released: slot.released.is_some(),
                attempts: slot.witnesses.iter().copied().zip(statements).collect(),
            }
        };
        Given {
            envelope: records.envelope(node, probe, seen),
            parent_span: None,
            stop: None,
        }
    }
}
