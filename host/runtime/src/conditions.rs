//! The plan's own gates, asked of one attempt.
//!
//! INVARIANT: what ends the run weighs more than what holds one step, whatever the order of the gates.

use std::collections::BTreeMap;

use aim_core::{
    digest::Digest,
    envelope::{Emission, Envelope},
    gate::{GateKind, GateRecord, Phase},
    join::is_json,
    json,
    name::StepName,
    plan::{self, GatePhase, OnFail, Subject},
    verdict::{Disposition, Verdict},
};
use serde_json::Value;

use crate::{attempt::Accepted, ingress::builtin, unit::Unit};

/// What the plan's gates decided on one side of a step.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) records: Vec<GateRecord>,
    /// The gate that weighs most among those that do not hold, with the answer that was taken.
    pub(crate) objection: Option<Objection>,
}

/// A gate of the plan that does not hold.
#[derive(Debug, Clone)]
pub(crate) struct Objection {
    pub(crate) disposition: Disposition,
    pub(crate) answer: Option<OnFail>,
}

impl Conditions {
    /// What the host does; `Release` when all hold.
    pub(crate) fn disposition(&self) -> Disposition {
        (self.objection.as_ref()).map_or(Disposition::Release, |one| one.disposition)
    }

    /// The standby step that the plan sends it to.
    pub(crate) fn reroute(&self) -> Option<StepName> {
        self.objection.as_ref()?.answer.as_ref()?.target.clone()
    }

    /// What the answer wants the next try to be told.
    pub(crate) fn options(&self) -> BTreeMap<StepName, String> {
        let answer = self.objection.as_ref().and_then(|one| one.answer.as_ref());
        answer.map_or_else(BTreeMap::new, |answer| answer.options.clone())
    }
}

/// Asks the plan's gates on the way in.
pub(crate) fn ingress(
    unit: &Unit,
    envelope: &Envelope,
    accepted: Option<&Accepted>,
    request: Digest,
) -> Conditions {
    let input = || readable(&envelope.media_type, &envelope.body);
    let subject = |input| Subject {
        input,
        has_schema: unit.input.is_some(),
        ..Subject::default()
    };
    let gates = || of_phase(unit, GatePhase::Ingress);
    if gates().next().is_none() {
        return Conditions::default();
    }
    let input = input();
    let subject = subject(input.as_ref());
    ask(gates(), &subject, accepted, (Phase::Ingress, request))
}

/// Asks the plan's gates on the way out.
pub(crate) fn egress(
    unit: &Unit,
    (envelope, emissions): (&Envelope, &[Emission]),
    confidence_ppm: Option<u32>,
    accepted: Option<&Accepted>,
    request: Digest,
) -> Conditions {
    let gates = || of_phase(unit, GatePhase::Egress);
    if gates().next().is_none() {
        return Conditions::default();
    }
    let reads_input = gates()
        .flat_map(plan::Gate::clauses)
        .any(|clause| clause.condition.root() == aim_core::condition::Root::Input);
    let input = reads_input
        .then(|| readable(&envelope.media_type, &envelope.body))
        .flatten();
    let output = match emissions {
        [only] => readable(&only.media_type, &only.body),
        _ => None,
    };
    let subject = Subject {
        input: input.as_ref(),
        output: output.as_ref(),
        confidence_ppm,
        has_schema: unit.output.is_some(),
    };
    ask(gates(), &subject, accepted, (Phase::Egress, request))
}

fn of_phase(unit: &Unit, phase: GatePhase) -> impl Iterator<Item = &plan::Gate> {
    (unit.conditions.iter()).filter(move |gate| gate.phase == phase)
}

/// The body as everybody reads it; `None`, which is an error of every condition, for one that is no JSON or ambiguous.
fn readable(media_type: &str, body: &[u8]) -> Option<Value> {
    is_json(media_type)
        .then(|| json::parse(body).ok())
        .flatten()
}

fn ask<'a>(
    gates: impl Iterator<Item = &'a plan::Gate>,
    subject: &Subject<'_>,
    accepted: Option<&Accepted>,
    (phase, request): (Phase, Digest),
) -> Conditions {
    let mut conditions = Conditions::default();
    for gate in gates {
        let Some(answer) = plan::judge(gate, subject) else {
            continue;
        };
        let name = gate.name.as_str();
        if answer.disposition == Disposition::Escalate
            && let Some(yes) = accepted.and_then(|yes| yes.covers(name, request))
        {
            let mut reasons = answer.reasons;
            reasons.push(yes);
            conditions.records.push(GateRecord {
                gate: gate.name.to_string(),
                verdict: Verdict::Warn,
                ..builtin(GateKind::Condition, phase, request, reasons)
            });
            continue;
        }
        let severity = (answer.answer).map_or(gate.severity, |one| one.action.severity());
        conditions.records.push(GateRecord {
            gate: gate.name.to_string(),
            severity,
            verdict: answer.verdict.with_severity(severity),
            ..builtin(GateKind::Condition, phase, request, answer.reasons)
        });
        let weighs_more = answer.disposition > conditions.disposition();
        if weighs_more || (conditions.objection.is_none() && answer.verdict == Verdict::Fail) {
            conditions.objection = Some(Objection {
                disposition: answer.disposition,
                answer: answer.answer.cloned(),
            });
        }
    }
    conditions
}
