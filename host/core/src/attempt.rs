//! One attempt of one step, as a chain of types: `Received -> Screened -> Cleared -> Ran -> Ended -> Witnessed -> Released`.
//!
//! ```text
//! Received --screen--> Screened --clear--> Cleared --run--> Ran --judge--> Ended --witness--> Witnessed --release--> Released
//!     \                   \                    \                             ^
//!      \___________________\____________________\___________ end early ______/
//! ```
//! Each is made only by its predecessor, so that skipping a gate, a witness or a commit does not compile. The chain decides;
//! the runtime asks gates, runs the guest and commits between two links.
//!
//! INVARIANT: a [`Released`] exists only for an attempt whose witness is durable, whose outcome is completed and whose
//! verdict releases.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    digest::Digest,
    envelope::{Emission, Envelope},
    gate::{GateKind, GateRecord, Phase},
    outcome::{Abstention, DeniedBy, Failure, Fault, Outcome},
    verdict::Verdict,
};

/// An envelope that has reached the door of its step.
#[derive(Debug)]
pub struct Received {
    envelope: Envelope,
}

/// Schema and grant were checked.
#[derive(Debug)]
pub struct Screened {
    envelope: Envelope,
    gates: Vec<GateRecord>,
    /// What was judged; the gates must have judged the same.
    request: Digest,
}

/// Every ingress gate let it pass: the guest may see it.
#[derive(Debug)]
pub struct Cleared {
    envelope: Envelope,
    gates: Vec<GateRecord>,
}

/// The guest has ended, one way or another; nothing has been judged on the way out yet.
#[derive(Debug)]
pub struct Ran {
    envelope: Envelope,
    gates: Vec<GateRecord>,
    end: RunEnd,
}

/// How the guest's run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// It answered with emissions.
    Answered(Vec<Emission>),
    /// It did not: why, and a fault for people.
    Stopped(Outcome, Fault),
}

/// The attempt is over and its outcome is fixed.
#[derive(Debug)]
pub struct Ended {
    envelope: Envelope,
    gates: Vec<GateRecord>,
    emissions: Vec<Emission>,
    outcome: Outcome,
    fault: Option<Fault>,
}

/// The witness of the attempt is durable.
#[derive(Debug)]
pub struct Witnessed {
    ended: Ended,
    position: Position,
}

/// What may leave the step.
#[derive(Debug)]
pub struct Released {
    emissions: Vec<Emission>,
    position: Position,
}

/// Where a durable witness is. Made by the commit thread, after the log's sync has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Leaf index in the log's tree.
    pub index: u64,
    /// Frame sequence in the log.
    pub sequence: u64,
    /// Digest of the exact statement bytes.
    pub witness: Digest,
}

impl Received {
    /// Takes an envelope in.
    #[must_use]
    pub const fn new(envelope: Envelope) -> Self {
        Self { envelope }
    }

    /// The envelope.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Goes on when schema and policy let it; an empty set of records is a denial.
    ///
    /// # Errors
    /// [`Ended`] with the outcome that the worst record gives.
    pub fn screen(self, records: Vec<GateRecord>) -> Result<Screened, Ended> {
        let has = |kind| {
            records
                .iter()
                .any(|record: &GateRecord| record.kind == kind)
        };
        let complete = has(GateKind::Schema) && has(GateKind::Policy);
        let request = records.first().map(|record| record.request);
        let verdict = worst(&records, Phase::Ingress, request);
        if let Some(request) = request.filter(|_| complete && verdict.releases()) {
            return Ok(Screened {
                envelope: self.envelope,
                gates: records,
                request,
            });
        }
        Err(Ended::refused(self.envelope, records, Vec::new(), verdict))
    }

    /// Ends the attempt before anything was asked.
    #[must_use]
    pub fn stop(self, outcome: Outcome, fault: Fault) -> Ended {
        Ended::stopped(self.envelope, Vec::new(), outcome, fault)
    }
}

impl Screened {
    /// The envelope.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Goes on when the ingress gates let it; an empty set of records is a denial, and so is a record about another request
    /// than the one that was screened.
    ///
    /// # Errors
    /// [`Ended`] with the outcome that the worst record gives.
    pub fn clear(self, records: Vec<GateRecord>) -> Result<Cleared, Ended> {
        let has_component = records
            .iter()
            .any(|record| record.kind == GateKind::Component);
        let verdict = worst(&records, Phase::Ingress, Some(self.request));
        let gates = joined(self.gates, records);
        if has_component && verdict.releases() {
            return Ok(Cleared {
                envelope: self.envelope,
                gates,
            });
        }
        let verdict = if has_component {
            verdict
        } else {
            Verdict::Error
        };
        Err(Ended::refused(self.envelope, gates, Vec::new(), verdict))
    }
}

impl Cleared {
    /// The envelope, for the guest.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Takes the guest's end.
    #[must_use]
    pub fn run(self, end: RunEnd) -> Ran {
        Ran {
            envelope: self.envelope,
            gates: self.gates,
            end,
        }
    }
}

impl Ran {
    /// The envelope that was handled.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// What wants to leave; `None` when the guest did not answer.
    #[must_use]
    pub fn emissions(&self) -> Option<&[Emission]> {
        match &self.end {
            RunEnd::Answered(emissions) => Some(emissions),
            RunEnd::Stopped(..) => None,
        }
    }

    /// Ends the attempt. `records` are the egress decisions; they are needed for an answer (an empty set, or one without a
    /// schema and a component record, is a denial) and kept for anything else.
    #[must_use]
    pub fn judge(self, records: Vec<GateRecord>) -> Ended {
        match self.end {
            RunEnd::Stopped(outcome, fault) => {
                Ended::stopped(self.envelope, joined(self.gates, records), outcome, fault)
            }
            RunEnd::Answered(emissions) => {
                let has = |kind| {
                    records
                        .iter()
                        .any(|record: &GateRecord| record.kind == kind)
                };
                let complete = has(GateKind::Schema) && has(GateKind::Component);
                let verdict = if complete {
                    let request = records.first().map(|record| record.request);
                    worst(&records, Phase::Egress, request)
                } else {
                    Verdict::Error
                };
                let gates = joined(self.gates, records);
                if verdict.releases() {
                    return Ended {
                        envelope: self.envelope,
                        gates,
                        emissions,
                        outcome: Outcome::Completed,
                        fault: None,
                    };
                }
                Ended::refused(self.envelope, gates, emissions, verdict)
            }
        }
    }
}

impl Ended {
    fn stopped(envelope: Envelope, gates: Vec<GateRecord>, outcome: Outcome, fault: Fault) -> Self {
        Self {
            envelope,
            gates,
            emissions: Vec::new(),
            outcome,
            fault: Some(fault),
        }
    }

    fn refused(
        envelope: Envelope,
        gates: Vec<GateRecord>,
        emissions: Vec<Emission>,
        verdict: Verdict,
    ) -> Self {
        let (outcome, fault) = refusal(&gates, verdict);
        Self {
            envelope,
            gates,
            emissions,
            outcome,
            fault: Some(fault),
        }
    }

    /// The envelope that was handled.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Every decision, in order.
    #[must_use]
    pub fn gates(&self) -> &[GateRecord] {
        &self.gates
    }

    /// What would leave the step. Recorded for any outcome, released for one only.
    #[must_use]
    pub fn emissions(&self) -> &[Emission] {
        &self.emissions
    }

    /// How it ended.
    #[must_use]
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Why it did not complete.
    #[must_use]
    pub const fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// The worst verdict of all gates that were asked.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        Verdict::worst(self.gates.iter().map(|record| record.verdict))
    }

    /// True when the outputs will leave the step once the witness is durable.
    #[must_use]
    pub fn is_releasable(&self) -> bool {
        self.outcome == Outcome::Completed && self.verdict().releases()
    }

    /// Takes the proof that the witness is durable.
    #[must_use]
    pub const fn witness(self, position: Position) -> Witnessed {
        Witnessed {
            ended: self,
            position,
        }
    }
}

impl Witnessed {
    /// The attempt.
    #[must_use]
    pub const fn ended(&self) -> &Ended {
        &self.ended
    }

    /// Where the witness is.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Lets the emissions go.
    ///
    /// # Errors
    /// Gives itself back when the attempt did not complete or a verdict does not release.
    pub fn release(self) -> Result<Released, Self> {
        if self.ended.is_releasable() {
            return Ok(Released {
                emissions: self.ended.emissions,
                position: self.position,
            });
        }
        Err(self)
    }
}

impl Released {
    /// What left the step.
    #[must_use]
    pub fn emissions(&self) -> &[Emission] {
        &self.emissions
    }

    /// Takes what left the step.
    #[must_use]
    pub fn into_emissions(self) -> Vec<Emission> {
        self.emissions
    }

    /// Where the witness is.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }
}

fn worst(records: &[GateRecord], phase: Phase, request: Option<Digest>) -> Verdict {
    // A record of another phase or about another request does not belong here: it can not vouch for this one.
    Verdict::worst(records.iter().map(|record| {
        if record.phase == phase && Some(record.request) == request {
            record.verdict
        } else {
            Verdict::Error
        }
    }))
}

fn joined(mut first: Vec<GateRecord>, second: Vec<GateRecord>) -> Vec<GateRecord> {
    first.extend(second);
    first
}

/// The outcome of a verdict that does not release: who refused, told apart by the kind of the worst gate. What the policy
/// refuses is the policy's refusal, also where the composite of all risks refuses it after that.
fn refusal(gates: &[GateRecord], verdict: Verdict) -> (Outcome, Fault) {
    let worst = || {
        gates
            .iter()
            .rev()
            .filter(|record| record.verdict == verdict)
    };
    let policy = worst().find(|record| record.kind == GateKind::Policy);
    let Some(record) = policy.or_else(|| worst().next()) else {
        let message = "no gate was asked, and an empty set of gates is a denial".to_string();
        return (
            Outcome::Denied(DeniedBy::Gate),
            Fault {
                code: "AIM-G001".to_string(),
                message,
            },
        );
    };
    let outcome = match (record.kind, record.phase, verdict) {
        (GateKind::Policy, ..) => Outcome::Denied(DeniedBy::Policy),
        (GateKind::Schema, Phase::Ingress, Verdict::Fail) => Outcome::Failed(Failure::InvalidInput),
        (GateKind::Schema, _, Verdict::Fail) => Outcome::Failed(Failure::Permanent),
        (_, _, Verdict::Abstain) => Outcome::Abstained(Abstention::Kappa),
        _ => Outcome::Denied(DeniedBy::Gate),
    };
    let code = match record.kind {
        GateKind::Schema => "AIM-G002",
        GateKind::Policy => "AIM-G003",
        GateKind::Component | GateKind::Condition => "AIM-G004",
        GateKind::Kappa => "AIM-G005",
    };
    let mut message = alloc::format!("gate `{}` says {}", record.gate, verdict.word());
    for (index, reason) in record.reasons.iter().take(3).enumerate() {
        message.push_str(if index == 0 { ": " } else { "; " });
        message.push_str(reason);
    }
    (
        outcome,
        Fault {
            code: String::from(code),
            message,
        },
    )
}

#[cfg(test)]
mod tests;
