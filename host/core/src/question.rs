//! What a run writes down between attempts: retries that are due, breakers, standby steps, and questions to people with
//! their answers.
//!
//! Notes are frames without a leaf: they carry a run over a restart and prove nothing. An answer is a statement with a leaf:
//! it lets something go that a gate has held. What is in it is signed by the person who gave it.
//!
//! INVARIANT: an answer names one question of one execution as it was asked, and fits no other.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    id::{ExecutionId, RunId, TraceId},
    name::{StepName, TenantId},
    plan::{Silence, SoftBackoff, StepPath},
    quarantine::Approver,
    recovery::BreakerState,
    stateflow::{Settled, State},
    time::Timestamp,
    witness::HostRecord,
};

/// Predicate type of a person's answer.
pub const ANSWER_PREDICATE: &str = "urn:aim:predicate:answer:v1";
/// The kind word inside the predicate of an answer to a question.
pub const ANSWER_KIND: &str = "question-answer";
/// Predicate type of what the person signs.
pub const GIVEN_PREDICATE: &str = "urn:aim:predicate:given-answer:v1";

/// One thing that happened between attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Host's claim.
    pub at: Timestamp,
    /// The execution.
    pub execution: ExecutionId,
    /// The node that it is about.
    pub path: StepPath,
    /// What happened.
    pub what: NoteKind,
}

/// What happened between attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NoteKind {
    /// A standby step has answered in its place.
    Answered(StepName),
    /// A person is asked.
    Asked(Question),
    /// The breaker of the node's component changed its state.
    Breaker(BreakerState),
    /// It is tried again at once, and told this beside its envelope.
    Mended(BTreeMap<String, String>),
    /// Another try is due.
    RetryScheduled(Retry),
    /// A standby step answers instead.
    Rerouted(StepName),
    /// It will not complete.
    Settled(Settled),
    /// More of a budget is used than the plan's soft mark.
    SoftBudget(SoftMark),
    /// A state has lasted too long, and its fallback has fired.
    TimedOut(State),
}

impl NoteKind {
    /// The event that the note is shown as.
    #[must_use]
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::Answered(_) => "step.answered",
            Self::Asked(_) => "question.asked",
            Self::Breaker(_) => "breaker.changed",
            Self::Mended(_) => "step.mended",
            Self::RetryScheduled(_) => "retry.scheduled",
            Self::Rerouted(_) => "step.rerouted",
            Self::Settled(_) => "step.settled",
            Self::SoftBudget(_) => "budget.soft_exceeded",
            Self::TimedOut(_) => "state.timed_out",
        }
    }

    /// True when both tell of the same: a run that is resumed does not write it down twice.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Asked(one), Self::Asked(another)) => one.id == another.id,
            (Self::RetryScheduled(one), Self::RetryScheduled(another)) => {
                one.attempt_no == another.attempt_no
            }
            (Self::SoftBudget(one), Self::SoftBudget(another)) => one.part == another.part,
            _ => self == other,
        }
    }

    /// What the note says beside its kind, for people.
    #[must_use]
    pub fn says(&self) -> String {
        match self {
            Self::Answered(step) | Self::Rerouted(step) => step.as_str().into(),
            Self::Asked(question) => question.id.clone(),
            Self::Breaker(state) => state.word().into(),
            Self::Mended(told) => {
                let told: Vec<String> = told.iter().map(|(k, v)| format!("{k}={v}")).collect();
                told.join(" ")
            }
            Self::RetryScheduled(retry) => {
                format!("try {} after {} ms", retry.attempt_no, retry.wait_ms)
            }
            Self::Settled(settled) => (settled.meta.as_ref()).map_or_else(String::new, |meta| {
                format!("{}: {}", meta.override_by, meta.reason)
            }),
            Self::SoftBudget(mark) => format!(
                "{} of {} used, the soft mark is {}: {}",
                mark.used,
                mark.part,
                mark.mark,
                mark.backoff.word()
            ),
            Self::TimedOut(state) => state.word().into(),
        }
    }
}

/// A soft mark that was crossed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftMark {
    /// What the plan wants to be done with less.
    pub backoff: SoftBackoff,
    /// The mark, in the part's unit.
    pub mark: u64,
    /// Which part of the budget.
    pub part: String,
    /// What the step has used of it, all tries together.
    pub used: u64,
}

/// Another try that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Number of the try that is due.
    pub attempt_no: u32,
    /// Not before.
    pub due_at: Timestamp,
    /// How long was to be waited, in milliseconds.
    pub wait_ms: u64,
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Digests of the outputs that wait for the answer, in order; a yes lets these go and no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bodies: Vec<Digest>,
    /// The gates that asked for it; empty when the plan asks before the step runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<String>,
    /// What an answer names: `q_` and 16 hex digits.
    pub id: String,
    /// What happens while nobody has answered.
    pub silence: Silence,
    /// What is asked.
    pub text: String,
}

impl Question {
    /// The digest over everything that is asked: the text, the gates, and the outputs that wait.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // Plain data with string keys only: serialisation has no failure to report.
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        Digest::derive("question-asked", &[&bytes])
    }
}

/// Derives the id of the question that follows attempt `number` of the node at `path`; 0 is the one before the first.
#[must_use]
pub fn question_id(execution: ExecutionId, path: &StepPath, number: u32) -> String {
    let parts = [
        execution.as_bytes().as_slice(),
        path.as_str().as_bytes(),
        &number.to_le_bytes(),
    ];
    let mut id = String::from("q_");
    id.extend(Digest::derive("question", &parts).hex().chars().take(16));
    id
}

/// One answer; what the person signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GivenAnswer {
    /// What they said.
    pub answer: Answer,
    /// Who.
    pub approver: Approver,
    /// Digest of the question as it was asked.
    pub asked: Digest,
    /// When, as the host claims.
    pub at: Timestamp,
    /// The execution that waits.
    pub execution: ExecutionId,
    /// The log that the execution is in.
    pub origin: String,
    /// The node that waits.
    pub path: StepPath,
    /// The question's id.
    pub question: String,
    /// The pinned question of the run.
    pub run: RunId,
}

impl GivenAnswer {
    /// True when it answers exactly this question of the node at `path` of `execution`.
    #[must_use]
    pub fn fits(&self, execution: ExecutionId, path: &StepPath, question: &Question) -> bool {
        self.execution == execution
            && self.path == *path
            && self.question == question.id
            && self.asked == question.digest()
    }
}

/// What is stated in the log about a person's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnswerPredicate {
    /// From which account it was written down, as the system knows it.
    pub actor: String,
    /// The person's own signed statement of a [`GivenAnswer`], as the exact text of its DSSE envelope.
    pub approval: String,
    /// The execution that waits.
    pub execution: ExecutionId,
    /// The host.
    pub host: HostRecord,
    /// Always [`ANSWER_KIND`].
    pub kind: String,
    /// The log this statement belongs to.
    pub origin: String,
    /// Whose run it is.
    pub tenant: TenantId,
    /// The execution's trace.
    pub trace: TraceId,
}

/// What a person said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Answer {
    /// It may not go on.
    No,
    /// It may go on, with this value.
    Value(String),
    /// It may go on.
    Yes,
}

impl Answer {
    /// Reads what a person typed: `yes`, `no`, or a value.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text {
            "yes" => Self::Yes,
            "no" => Self::No,
            value => Self::Value(value.into()),
        }
    }

    /// What they said, as it is typed.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::No => "no",
            Self::Value(value) => value,
            Self::Yes => "yes",
        }
    }

    /// True when the step may go on.
    #[must_use]
    pub const fn is_consent(&self) -> bool {
        !matches!(self, Self::No)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::RunPins, leaf::LeafKind};

    fn run() -> RunId {
        RunId::of(&RunPins {
            plan: Digest::of(b"p"),
            lock: Digest::of(b"l"),
            inputs: Digest::of(b"i"),
            tenant: "global",
            seed: 0,
        })
    }

    /// Control: without the number in the id, the second question has the first one's answer and this fails.
    #[test]
    fn every_question_has_an_id_of_its_own() {
        let run = run();
        let execution = |number| ExecutionId::of("log", run, number);
        let path = |text| StepPath::parse(text).unwrap();
        let ids = [
            question_id(execution(1), &path("a"), 0),
            question_id(execution(1), &path("a"), 1),
            question_id(execution(2), &path("a"), 0),
            question_id(execution(1), &path("a[1]"), 0),
        ];
        for (place, id) in ids.iter().enumerate() {
            assert_eq!(id.len(), 18);
            assert!(!ids[..place].contains(id));
        }
        assert_eq!(ANSWER_PREDICATE, LeafKind::Answer.predicate_type());
    }

    fn question() -> Question {
        Question {
            bodies: [Digest::of(b"body")].into(),
            gates: ["long".into()].into(),
            id: "q_0123456789abcdef".into(),
            silence: Silence::Wait,
            text: "May it?".into(),
        }
    }

    /// Control: with `asked` left out of `fits`, a question that was changed after the answer keeps it, and this fails (seen).
    #[test]
    fn an_answer_fits_nothing_but_the_question_as_it_was_asked() {
        let run = run();
        let (execution, path) = (
            ExecutionId::of("log", run, 1),
            StepPath::parse("a").unwrap(),
        );
        let given = GivenAnswer {
            answer: Answer::Yes,
            approver: Approver {
                actor: "uid:1".into(),
                key: "00".into(),
                name: "ann".into(),
                role: "operations".into(),
            },
            asked: question().digest(),
            at: Timestamp::from_millis(0),
            execution,
            origin: "log".into(),
            path: path.clone(),
            question: question().id,
            run,
        };
        assert!(given.fits(execution, &path, &question()));
        let other = StepPath::parse("b").unwrap();
        assert!(!given.fits(execution, &other, &question()));
        assert!(!given.fits(ExecutionId::of("log", run, 2), &path, &question()));
        for change in [
            |one: &mut Question| one.text.push('!'),
            |one: &mut Question| one.bodies = Vec::new(),
            |one: &mut Question| one.gates = Vec::new(),
            |one: &mut Question| one.silence = Silence::Abstain,
            |one: &mut Question| one.id.push('0'),
        ] {
            let mut changed = question();
            change(&mut changed);
            assert!(!given.fits(execution, &path, &changed));
        }
    }

    #[test]
    fn anything_but_no_is_consent() {
        assert!(Answer::of("yes").is_consent() && Answer::of("42").is_consent());
        assert!(!Answer::of("no").is_consent());
    }
}
