//! Runtime events: the canonical thread of a run, projected from the log's frames.
//!
//! INVARIANT: an event follows from one durable frame and is the same at every replay; events are never written beside it.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{
    access::TokenRecord,
    digest::Digest,
    gate::{GateKind, GateRecord},
    id::{EventId, ExecutionId, RunId, SpanId, TraceId},
    name::{StepName, TenantId},
    plan::StepPath,
    quarantine::ReleasePredicate,
    question::{Answer, AnswerPredicate, GivenAnswer, Note},
    stateflow::{State, Transition},
    time::Timestamp,
    verdict::Verdict,
    witness::{AttemptPredicate, DeniedLoadPredicate, PlanPredicate},
};

/// Version of the event schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContractVersion {
    /// The first and default one.
    #[default]
    V1,
    /// Reserved for the next; readers accept it.
    V2,
}

/// Which part of the runtime an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventPhase {
    /// Routing, scheduling, arbitration.
    ControlPlane,
    /// Steps at work.
    DataPlane,
    /// Checks.
    Gate,
}

/// One state change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeEvent {
    /// Derived from the log's origin and the frame's sequence.
    pub event_id: EventId,
    /// The execution's trace.
    pub trace_id: TraceId,
    /// The attempt's span, or the execution's root span.
    pub span_id: SpanId,
    /// The span of the attempt that caused this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent_span_id: Option<SpanId>,
    /// Who asked; never empty.
    #[serde(deserialize_with = "some_text")]
    pub actor: String,
    /// What was asked: the plan's name; never empty.
    #[serde(deserialize_with = "some_text")]
    pub intent: String,
    /// The artifact or output it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub artifact_id: Option<String>,
    /// What happened; never empty.
    #[serde(deserialize_with = "some_text")]
    pub event_type: String,
    /// Version of this schema.
    #[serde(default)]
    pub schema_version: ContractVersion,
    /// Host's claim.
    pub timestamp: Timestamp,
    /// Which part of the runtime.
    pub phase: EventPhase,
    /// Details, as text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub attributes: BTreeMap<String, String>,
}

/// Text that says something.
fn some_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Err(de::Error::custom("the text is empty"));
    }
    Ok(text)
}

/// What opens an execution in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionStart {
    /// Who asked.
    pub actor: String,
    /// The execution.
    pub execution: ExecutionId,
    /// Named inputs: digest and media type, in name order.
    pub inputs: BTreeMap<String, crate::envelope::ArtifactRef>,
    /// The lock's canonical JSON, as text.
    pub lock: String,
    /// From 1.
    pub number: u32,
    /// The plan IR's canonical JSON, as text.
    pub plan: String,
    /// The plan's name.
    pub plan_name: StepName,
    /// The pinned question.
    pub run: RunId,
    /// The seed of virtual randomness.
    pub seed: u64,
    /// Host's claim.
    pub started_at: Timestamp,
    /// Whose run it is.
    pub tenant: TenantId,
    /// The execution's trace.
    pub trace: TraceId,
}

/// Which frame events are projected from.
#[derive(Debug, Clone, Copy)]
pub struct FrameOrigin<'a> {
    /// The log's origin line.
    pub origin: &'a str,
    /// The frame's sequence.
    pub sequence: u64,
}

/// The events of a run being taken in: its own, and one for each node that its plan has.
#[must_use]
pub fn of_start(
    frame: FrameOrigin<'_>,
    start: &ExecutionStart,
    nodes: &[(StepPath, Transition)],
) -> Vec<RuntimeEvent> {
    let thread = Thread::of_run(
        frame,
        (start.trace, start.execution),
        &start.actor,
        &start.plan_name,
    );
    let mut attributes = BTreeMap::new();
    attributes.insert("run".to_string(), start.run.to_string());
    attributes.insert("execution".to_string(), start.execution.to_string());
    let kind = ("intent.received".to_string(), EventPhase::ControlPlane);
    let mut kinds = alloc::vec![(kind, start.started_at, attributes)];
    kinds.extend(
        nodes
            .iter()
            .map(|(path, made)| of_transition(path.as_str(), made)),
    );
    thread.events(kinds)
}

/// The events of something that was decided between two attempts.
#[must_use]
pub fn of_note(
    frame: FrameOrigin<'_>,
    start: &ExecutionStart,
    note: &Note,
    made: &[Transition],
) -> Vec<RuntimeEvent> {
    let thread = Thread::of_run(
        frame,
        (start.trace, start.execution),
        &start.actor,
        &start.plan_name,
    );
    let attributes = BTreeMap::from([
        ("step".to_string(), note.path.to_string()),
        ("says".to_string(), note.what.says()),
    ]);
    let kind = (note.what.event_type().to_string(), EventPhase::ControlPlane);
    let mut kinds = alloc::vec![(kind, note.at, attributes)];
    kinds.extend(
        made.iter()
            .map(|one| of_transition(note.path.as_str(), one)),
    );
    thread.events(kinds)
}

/// The event of a person's answer.
#[must_use]
pub fn of_answer(
    frame: FrameOrigin<'_>,
    plan_name: &StepName,
    (answer, given): (&AnswerPredicate, &GivenAnswer),
) -> Vec<RuntimeEvent> {
    let thread = Thread::of_run(
        frame,
        (answer.trace, answer.execution),
        &answer.actor,
        plan_name,
    );
    let word = match given.answer {
        Answer::No => "no",
        Answer::Value(_) => "value",
        Answer::Yes => "yes",
    };
    let attributes = BTreeMap::from([
        ("step".to_string(), given.path.to_string()),
        ("says".to_string(), format!("{} {word}", given.question)),
        ("by".to_string(), given.approver.name.clone()),
    ]);
    let kind = ("question.answered".to_string(), EventPhase::ControlPlane);
    thread.events(alloc::vec![(kind, given.at, attributes)])
}

/// An event before it has its place in a frame: its type and phase, its time, its details.
type Kind = ((String, EventPhase), Timestamp, BTreeMap<String, String>);

/// One transition of a node's machine; the table says what it is called.
fn of_transition(path: &str, made: &Transition) -> Kind {
    let emits = made
        .to_state
        .rule()
        .map_or("step.unknown", |rule| rule.emits);
    let phase = match made.to_state {
        State::Executing => EventPhase::DataPlane,
        _ => EventPhase::ControlPlane,
    };
    let mut attributes = BTreeMap::from([
        ("step".to_string(), path.to_string()),
        ("event".to_string(), made.event.word().to_string()),
        ("from".to_string(), made.from_state.word().to_string()),
        ("to".to_string(), made.to_state.word().to_string()),
    ]);
    if let Some(meta) = &made.meta {
        attributes.insert("override_by".to_string(), meta.override_by.clone());
        attributes.insert("reason".to_string(), meta.reason.clone());
    }
    ((emits.to_string(), phase), made.timestamp, attributes)
}

/// The events of one attempt: dispatched, one per token that was refused for a call, one per gate decision, then delivered
/// or not; and in between the transitions of its node's machine that it made.
#[must_use]
pub fn of_attempt(
    frame: FrameOrigin<'_>,
    plan_name: &StepName,
    attempt: &AttemptPredicate,
    made: &[Transition],
) -> Vec<RuntimeEvent> {
    let thread = Thread::of_attempt(frame, plan_name, attempt);
    let step = || BTreeMap::from([("step".to_string(), node_of(attempt).to_string())]);
    let mut kinds = Vec::new();
    let dispatched = ("dataplane.dispatched".to_string(), EventPhase::DataPlane);
    kinds.push((dispatched, attempt.started_at, step()));
    let path = node_of(attempt);
    let (begun, ended): (Vec<&Transition>, Vec<&Transition>) =
        made.iter().partition(|one| !one.is_end());
    kinds.extend(begun.into_iter().map(|one| of_transition(path, one)));
    for token in attempt.tokens.iter().filter(|token| token.refused > 0) {
        let mut attributes = step();
        attributes.extend(token_attributes(token));
        let kind = ("token.denied".to_string(), EventPhase::DataPlane);
        kinds.push((kind, attempt.ended_at, attributes));
    }
    for record in &attempt.gates {
        let mut attributes = step();
        attributes.extend(gate_attributes(record, attempt));
        kinds.push((
            (gate_event(record), EventPhase::Gate),
            attempt.ended_at,
            attributes,
        ));
    }
    let mut attributes = step();
    attributes.insert("outcome".to_string(), attempt.outcome.word().to_string());
    let end = if attempt.released {
        "artifact.delivered"
    } else {
        "step.withheld"
    };
    kinds.push((
        (end.to_string(), EventPhase::ControlPlane),
        attempt.ended_at,
        attributes,
    ));
    let mut events = thread.events(kinds);
    if let Some(event) = events.last_mut() {
        name_outputs(event, attempt);
    }
    let next = u32::try_from(events.len()).unwrap_or(u32::MAX);
    let ended = ended.into_iter().map(|one| of_transition(path, one));
    events.extend(
        (next..)
            .zip(ended)
            .map(|(index, kind)| thread.of_kind(index, kind)),
    );
    events
}

/// The events of two people releasing what the gates of an attempt had held: released, then delivered.
#[must_use]
pub fn of_release(
    frame: FrameOrigin<'_>,
    plan_name: &StepName,
    attempt: &AttemptPredicate,
    release: &ReleasePredicate,
    made: &[Transition],
) -> Vec<RuntimeEvent> {
    let thread = Thread::of_attempt(frame, plan_name, attempt);
    let step = || BTreeMap::from([("step".to_string(), node_of(attempt).to_string())]);
    let names = release.approvers.iter().map(|one| one.name.as_str());
    let names: Vec<&str> = names.collect();
    let mut by = step();
    by.insert("approvers".to_string(), names.join(" "));
    let kinds = [
        ("quarantine.released", EventPhase::Gate, by),
        ("artifact.delivered", EventPhase::ControlPlane, step()),
    ];
    let artifact = attempt
        .outputs
        .first()
        .map(|output| output.body.to_string());
    let transitions = made.iter().map(|one| of_transition(node_of(attempt), one));
    let transitions = (2..).zip(transitions);
    let transitions = transitions.map(|(index, kind)| thread.of_kind(index, kind));
    (0..)
        .zip(kinds)
        .map(|(index, (kind, phase, attributes))| RuntimeEvent {
            artifact_id: artifact.clone(),
            ..thread.event(
                index,
                (kind.to_string(), phase),
                release.released_at,
                attributes,
            )
        })
        .chain(transitions)
        .collect()
}

/// Where the attempt's node stands in its plan.
fn node_of(attempt: &AttemptPredicate) -> &str {
    (attempt.path.as_ref()).map_or(attempt.step.as_str(), StepPath::as_str)
}

/// Says what an attempt put out.
fn name_outputs(event: &mut RuntimeEvent, attempt: &AttemptPredicate) {
    let Some(output) = attempt.outputs.first() else {
        return;
    };
    event.artifact_id = Some(output.body.to_string());
    let artifacts = attempt.outputs.iter().flat_map(|output| &output.artifacts);
    let artifacts: Vec<String> = artifacts.map(|one| one.digest.to_string()).collect();
    if !artifacts.is_empty() {
        let artifacts = artifacts.join(" ");
        event.attributes.insert("artifacts".to_string(), artifacts);
    }
}

/// The event of a run that is over.
#[must_use]
pub fn of_plan(frame: FrameOrigin<'_>, plan: &PlanPredicate) -> Vec<RuntimeEvent> {
    let thread = Thread::of_run(
        frame,
        (plan.trace, plan.execution),
        &plan.actor,
        &plan.plan_name,
    );
    let mut attributes = BTreeMap::new();
    attributes.insert("exit_code".to_string(), plan.exit_code.to_string());
    let kind = ("run.completed".to_string(), EventPhase::ControlPlane);
    alloc::vec![thread.event(0, kind, plan.ended_at, attributes)]
}

/// The event of a component that was not admitted. It belongs to no execution, so its thread is its own.
#[must_use]
pub fn of_denied_load(frame: FrameOrigin<'_>, denied: &DeniedLoadPredicate) -> Vec<RuntimeEvent> {
    let own = EventId::of(frame.origin, frame.sequence, 0);
    let thread = Thread {
        frame,
        trace: TraceId::from_bytes(*own.as_bytes()),
        span: SpanId::from_bytes(*own.as_bytes()),
        parent: None,
        actor: &denied.actor,
        intent: denied.node.as_str(),
    };
    let mut attributes = BTreeMap::new();
    if let Some(step) = &denied.step {
        attributes.insert("step".to_string(), step.to_string());
    }
    let reasons: Vec<&str> = denied
        .reasons
        .iter()
        .map(|reason| reason.code.as_str())
        .collect();
    attributes.insert("violations".to_string(), reasons.join(" "));
    let kind = ("load.denied".to_string(), EventPhase::Gate);
    alloc::vec![thread.event(0, kind, denied.refused_at, attributes)]
}

/// The span that stands for an execution as a whole.
fn root_span(execution: ExecutionId) -> SpanId {
    SpanId::from_bytes(*execution.as_bytes())
}

/// `gate.schema_validated` and `gate.policy_validated` are the reference sequence's names for the two built-in gates that
/// pass; every other decision is `gate.<id>_passed`, `_failed` or `_error`.
fn gate_event(record: &GateRecord) -> String {
    match (record.kind, record.verdict) {
        (GateKind::Schema, Verdict::Pass) => "gate.schema_validated".to_string(),
        (GateKind::Policy, Verdict::Pass) => "gate.policy_validated".to_string(),
        (_, Verdict::Pass | Verdict::Warn) => format!("gate.{}_passed", record.gate),
        (_, Verdict::Abstain | Verdict::Fail) => format!("gate.{}_failed", record.gate),
        (_, Verdict::Error) => format!("gate.{}_error", record.gate),
    }
}

fn token_attributes(token: &TokenRecord) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("token".to_string(), token.claims.jti.to_string()),
        ("action".to_string(), token.claims.act.clone()),
        ("resource".to_string(), token.claims.res.clone()),
        ("violations".to_string(), token.refused.to_string()),
    ])
}

/// What a gate said, by which rules, and the numbers that it said it with.
fn gate_attributes(record: &GateRecord, attempt: &AttemptPredicate) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    attributes.insert("gate_id".to_string(), record.gate.clone());
    attributes.insert("verdict".to_string(), record.verdict.word().to_string());
    attributes.insert("request".to_string(), record.request.to_string());
    match record.verdict {
        Verdict::Abstain => drop(attributes.insert("reason".to_string(), "abstain".to_string())),
        Verdict::Warn => drop(attributes.insert("review".to_string(), "open".to_string())),
        _ => {}
    }
    if let Some(digest) = judged_by(record, attempt) {
        attributes.insert("policy_digest".to_string(), digest.to_string());
    }
    if let Some(metrics) = metrics(record, attempt) {
        attributes.insert("metrics".to_string(), metrics);
    }
    if !record.reasons.is_empty() {
        attributes.insert("violations".to_string(), record.reasons.join("; "));
    }
    attributes
}

/// The rules that a gate judged by: its codex, else the document that holds them.
fn judged_by(record: &GateRecord, attempt: &AttemptPredicate) -> Option<Digest> {
    match record.kind {
        GateKind::Component => record.codex.or(record.component),
        GateKind::Policy => attempt.grant.policy,
        GateKind::Schema => Some(attempt.contract),
        GateKind::Condition => Some(attempt.plan),
        GateKind::Kappa => Some(attempt.config),
    }
}

/// The numbers of a decision in parts per million; none for a gate that has none.
fn metrics(record: &GateRecord, attempt: &AttemptPredicate) -> Option<String> {
    if record.kind == GateKind::Kappa {
        let kappa = attempt.kappa.as_ref()?;
        let claimed = (kappa.confidence_ppm)
            .map_or_else(String::new, |claimed| format!("confidence={claimed} "));
        return Some(format!("{claimed}kappa={}", kappa.threshold_ppm));
    }
    let decision = record.decision.as_ref()?;
    let doubt = &decision.doubt;
    Some(format!(
        "ethical_score={} doubt_epistemic={} doubt_moral={} doubt_distributional={} doubt_unknown_unknown={}",
        decision.ethical_score,
        doubt.epistemic,
        doubt.moral,
        doubt.distributional,
        doubt.unknown_unknown
    ))
}

/// What all events of one frame share.
struct Thread<'a> {
    frame: FrameOrigin<'a>,
    trace: TraceId,
    span: SpanId,
    parent: Option<SpanId>,
    actor: &'a str,
    intent: &'a str,
}

impl<'a> Thread<'a> {
    /// What the events of a frame about a whole execution share.
    fn of_run(
        frame: FrameOrigin<'a>,
        (trace, execution): (TraceId, ExecutionId),
        actor: &'a str,
        plan_name: &'a StepName,
    ) -> Self {
        Self {
            frame,
            trace,
            span: root_span(execution),
            parent: None,
            actor,
            intent: plan_name.as_str(),
        }
    }

    /// What the events of a frame about `attempt` share.
    fn of_attempt(
        frame: FrameOrigin<'a>,
        plan_name: &'a StepName,
        attempt: &'a AttemptPredicate,
    ) -> Self {
        Self {
            frame,
            trace: attempt.trace,
            span: attempt.span,
            parent: attempt.parent_span.or(Some(root_span(attempt.execution))),
            actor: &attempt.actor,
            intent: plan_name.as_str(),
        }
    }

    fn events(&self, kinds: Vec<Kind>) -> Vec<RuntimeEvent> {
        (0..)
            .zip(kinds)
            .map(|(index, kind)| self.of_kind(index, kind))
            .collect()
    }

    fn of_kind(&self, index: u32, (kind, at, attributes): Kind) -> RuntimeEvent {
        self.event(index, kind, at, attributes)
    }

    fn event(
        &self,
        index: u32,
        (event_type, phase): (String, EventPhase),
        timestamp: Timestamp,
        attributes: BTreeMap<String, String>,
    ) -> RuntimeEvent {
        RuntimeEvent {
            event_id: EventId::of(self.frame.origin, self.frame.sequence, index),
            trace_id: self.trace,
            span_id: self.span,
            parent_span_id: self.parent,
            actor: self.actor.to_string(),
            intent: self.intent.to_string(),
            artifact_id: None,
            event_type,
            schema_version: ContractVersion::V1,
            timestamp,
            phase,
            attributes,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event() -> Value {
        json!({
            "event_id": format!("evt_{}", "0".repeat(32)),
            "trace_id": "1".repeat(32),
            "span_id": "2".repeat(32),
            "actor": "uid:0",
            "intent": "triage",
            "event_type": "intent.received",
            "timestamp": "2026-01-02T03:04:05.678Z",
            "phase": "control_plane",
        })
    }

    fn read(event: Value) -> Result<RuntimeEvent, serde_json::Error> {
        serde_json::from_value(event)
    }

    fn with(key: &str, value: Value) -> Value {
        let mut event = event();
        event[key] = value;
        event
    }

    /// Negative control: with `some_text` taken off, the three rows of empty text are read (seen).
    #[test]
    fn an_event_is_read_only_if_it_says_who_what_and_in_a_known_version() {
        assert_eq!(read(event()).unwrap().schema_version, ContractVersion::V1);
        for (version, expected) in [
            ("v1", Some(ContractVersion::V1)),
            ("v2", Some(ContractVersion::V2)),
            ("v3", None),
        ] {
            let found = read(with("schema_version", version.into())).ok();
            assert_eq!(
                found.map(|event| event.schema_version),
                expected,
                "{version}"
            );
        }
        for (key, wrong) in [
            ("actor", ""),
            ("intent", ""),
            ("event_type", ""),
            ("trace_id", ""),
            ("phase", "data"),
            ("vendor", "anything"),
        ] {
            assert!(read(with(key, wrong.into())).is_err(), "{key}: {wrong:?}");
        }
        for key in [
            "actor",
            "intent",
            "event_type",
            "trace_id",
            "span_id",
            "timestamp",
        ] {
            let mut without = event();
            without.as_object_mut().unwrap().remove(key);
            assert!(read(without).is_err(), "without {key}");
        }
    }
}
