//! What a restart does about effects, and what effects make of an attempt's end.

use alloc::{borrow::ToOwned, vec};

use super::*;
use crate::{
    id::{RunId, RunPins},
    outcome::LimitKind,
};

fn intent(call: u32) -> EffectIntent {
    let run = RunId::of(&RunPins {
        plan: Digest::of(b"plan"),
        lock: Digest::of(b"lock"),
        inputs: Digest::of(b"inputs"),
        tenant: "global",
        seed: 0,
    });
    let execution = ExecutionId::of("log", run, 1);
    let attempt = AttemptId::of(execution, "step", 1);
    EffectIntent {
        action: "wasi:http/outgoing-handler.handle".to_owned(),
        attempt,
        call,
        execution,
        key: EffectKey::of(attempt, call),
        kind: EffectKind::Http,
        request: Digest::of(b"request"),
        target: "POST https://api.example:443/v1".to_owned(),
    }
}

fn prior(end: Option<EffectEnd>) -> Prior {
    let intent = intent(3);
    let outcome = end.map(|end| EffectOutcome {
        attempt: intent.attempt,
        call: intent.call,
        end,
        fault: None,
        intent: intent.digest(),
        response: None,
        response_bytes: 0,
    });
    Prior {
        intent,
        outcome,
        tries: 1,
    }
}

fn record(call: u32, end: EffectEnd) -> EffectRecord {
    let intent = intent(call);
    EffectRecord {
        action: intent.action.clone(),
        call,
        end,
        fault: None,
        gates: vec![],
        intent: Some(intent.digest()),
        key: intent.key,
        kind: intent.kind,
        outcome: None,
        request: intent.request,
        response: None,
        response_bytes: 0,
        target: intent.target,
        tries: 1,
    }
}

// Negative control: with `Repeat` for what is open, whatever the contract says, this fails.
#[test]
fn what_is_open_is_repeated_only_where_twice_is_the_same_as_once() {
    let request = Digest::of(b"request");
    for open in [prior(None), prior(Some(EffectEnd::Unknown))] {
        assert_eq!(course(Some(&open), request, false), Course::Stop);
        assert_eq!(
            course(Some(&open), request, true),
            Course::Repeat { tries: 1 }
        );
        assert_eq!(stuck(core::slice::from_ref(&open), false), Some(3));
        assert_eq!(stuck(&[open], true), None);
    }
    assert_eq!(course(None, request, false), Course::Begin);
}

#[test]
fn what_was_done_is_recalled_and_what_was_not_is_begun_again() {
    let request = Digest::of(b"request");
    let done = prior(Some(EffectEnd::Done));
    for is_idempotent in [true, false] {
        assert!(matches!(
            course(Some(&done), request, is_idempotent),
            Course::Recall(_)
        ));
        assert_eq!(stuck(core::slice::from_ref(&done), is_idempotent), None);
        let not_done = prior(Some(EffectEnd::NotDone));
        assert_eq!(
            course(Some(&not_done), request, is_idempotent),
            Course::Repeat { tries: 1 }
        );
    }
}

#[test]
fn another_request_under_the_same_call_stops() {
    let other = Digest::of(b"other");
    for end in [None, Some(EffectEnd::Done), Some(EffectEnd::NotDone)] {
        assert_eq!(course(Some(&prior(end)), other, true), Course::Stop);
    }
}

#[test]
fn the_key_follows_from_attempt_and_call_alone() {
    let one = intent(3);
    assert_eq!(one.key, EffectKey::of(one.attempt, 3));
    assert_ne!(one.key, EffectKey::of(one.attempt, 4));
    let next = AttemptId::of(one.execution, "step", 2);
    assert_ne!(one.key, EffectKey::of(next, 3));
}

#[test]
fn an_unknown_end_makes_a_failed_attempt_indeterminate_and_a_done_one_makes_it_final() {
    let unknown = [record(1, EffectEnd::Done), record(4, EffectEnd::Unknown)];
    let done = [record(1, EffectEnd::Done)];
    let none = [record(1, EffectEnd::NotDone), record(2, EffectEnd::Denied)];
    let outcome = |outcome: Outcome, effects: &[EffectRecord], is_idempotent| {
        settle(&outcome, effects, is_idempotent).map(|(outcome, _)| outcome)
    };
    let transient = Outcome::Failed(Failure::Transient);
    let deadline = Outcome::Limit(LimitKind::Deadline);
    for end in [transient.clone(), deadline.clone(), Outcome::Cancelled] {
        assert_eq!(
            outcome(end.clone(), &unknown, false),
            Some(Outcome::Indeterminate(4))
        );
        assert_eq!(outcome(end.clone(), &unknown, true), None);
        assert_eq!(outcome(end, &none, false), None);
    }
    assert_eq!(
        outcome(transient, &done, false),
        Some(Outcome::Failed(Failure::Permanent))
    );
    assert_eq!(outcome(deadline, &done, false), None);
    assert_eq!(outcome(Outcome::Completed, &unknown, false), None);
}

#[test]
fn frames_are_canonical_and_read_back() {
    let intent = intent(3);
    let read: EffectIntent = serde_json::from_slice(&intent.to_frame()).unwrap();
    assert_eq!(read, intent);
    let outcome = prior(Some(EffectEnd::Done)).outcome.unwrap();
    let read: EffectOutcome = serde_json::from_slice(&outcome.to_frame()).unwrap();
    assert_eq!(read, outcome);
    for frame in [intent.to_frame(), outcome.to_frame()] {
        let value: serde_json::Value = serde_json::from_slice(&frame).unwrap();
        assert_eq!(crate::canonical::bytes(&value), frame);
    }
}
