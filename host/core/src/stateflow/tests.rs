//! Every transition that exists and every one that does not, overrides, retry limits and timeouts.

use alloc::{collections::BTreeMap, string::ToString, vec::Vec};

use super::*;
use crate::{outcome::Outcome, question::NoteKind};

const EVENTS: [Event; 11] = [
    Event::ObjectiveIngress,
    Event::RunDispatched,
    Event::ExecutionComplete,
    Event::ExecutionError,
    Event::VerdictPass,
    Event::VerdictPartial,
    Event::VerdictFail,
    Event::RetryDispatched,
    Event::RetryLimitExceeded,
    Event::RepairComplete,
    Event::RepairAbort,
];

const BUDGET_MS: u64 = 5_000;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn meta() -> Override {
    Override {
        override_by: "ops".to_string(),
        reason: "drill".to_string(),
    }
}

fn driven(max_retries: u32, events: &[Event]) -> Stateflow {
    let mut machine = Stateflow::new(max_retries, false);
    for event in events {
        machine.take(*event, at(0)).unwrap();
    }
    machine
}

/// Control: with a twelfth arm in `transition`, this fails.
#[test]
fn there_are_exactly_eleven_transitions_and_everything_else_changes_nothing() {
    let expected = [
        (State::Idle, Event::ObjectiveIngress, State::Scheduled),
        (State::Scheduled, Event::RunDispatched, State::Executing),
        (
            State::Executing,
            Event::ExecutionComplete,
            State::Evaluating,
        ),
        (State::Executing, Event::ExecutionError, State::Repair),
        (
            State::Evaluating,
            Event::VerdictPass,
            State::TerminatedSuccess,
        ),
        (State::Evaluating, Event::VerdictPartial, State::Retry),
        (State::Evaluating, Event::VerdictFail, State::TerminatedFail),
        (State::Retry, Event::RetryDispatched, State::Executing),
        (
            State::Retry,
            Event::RetryLimitExceeded,
            State::TerminatedFail,
        ),
        (State::Repair, Event::RepairComplete, State::Executing),
        (State::Repair, Event::RepairAbort, State::TerminatedFail),
    ];
    let mut found = Vec::new();
    for rule in TABLE {
        for event in EVENTS.into_iter().chain([Event::OverrideEvent]) {
            let mut machine = Stateflow::new(3, false);
            machine.state = rule.state;
            let before = machine.clone();
            match machine.take(event, at(1)) {
                Ok(made) => {
                    assert_eq!((made.from_state, made.event), (rule.state, event));
                    found.push((rule.state, event, made.to_state));
                    assert_eq!(machine.history().len(), 1, "one event for each transition");
                }
                Err(error) => {
                    assert_eq!(machine, before, "{error}");
                    assert_eq!(error.code(), "AIM-R070");
                }
            }
        }
    }
    found.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// Control: with `>` in place of `>=` in `take`, this fails.
#[test]
fn the_partial_verdict_that_reaches_the_limit_ends_the_step() {
    let to_verdict = [
        Event::ObjectiveIngress,
        Event::RunDispatched,
        Event::ExecutionComplete,
    ];
    let mut once = driven(1, &to_verdict);
    let made = once.take(Event::VerdictPartial, at(0)).unwrap();
    assert_eq!(
        (made.event, made.to_state),
        (Event::RetryLimitExceeded, State::TerminatedFail)
    );
    let mut machine = driven(3, &to_verdict);
    for tries in 1..3 {
        machine.take(Event::VerdictPartial, at(0)).unwrap();
        assert_eq!((machine.state(), machine.attempts()), (State::Retry, tries));
        machine.take(Event::RetryDispatched, at(0)).unwrap();
        assert_eq!(machine.attempts(), tries, "dispatching does not forget");
        machine.take(Event::ExecutionComplete, at(0)).unwrap();
    }
    let mut passed = machine.clone();
    machine.take(Event::VerdictPartial, at(0)).unwrap();
    assert_eq!(machine.state(), State::TerminatedFail);
    assert_eq!(
        machine.history().last().unwrap().event,
        Event::RetryLimitExceeded
    );
    passed.take(Event::VerdictPass, at(0)).unwrap();
    assert_eq!(
        (passed.state(), passed.attempts()),
        (State::TerminatedSuccess, 0)
    );
}

#[test]
fn an_override_goes_anywhere_but_back_to_the_beginning_and_keeps_who_and_why() {
    for rule in TABLE {
        let mut machine = Stateflow::new(3, false);
        let made = machine.put(rule.state, meta(), at(5));
        match rule.state {
            State::Idle => assert_eq!(made, Err(StateflowError::Idle)),
            to => {
                let made = made.unwrap();
                assert_eq!((made.event, made.to_state), (Event::OverrideEvent, to));
                assert_eq!(made.meta, Some(meta()));
            }
        }
    }
    let mut ended = Stateflow::new(3, true);
    ended.put(State::TerminatedFail, meta(), at(0)).unwrap();
    let refused = ended.put(State::Executing, meta(), at(0));
    assert_eq!(refused, Err(StateflowError::Forward(State::Executing)));
    assert_eq!(ended.state(), State::TerminatedFail);
    let mut back = Stateflow::new(3, false);
    back.put(State::TerminatedFail, meta(), at(0)).unwrap();
    assert!(back.put(State::Scheduled, meta(), at(0)).is_ok());
}

/// Control: with the comparison in `time_out` left out, the first half fails; with the fallback not taken, the second.
#[test]
fn a_state_that_lasts_too_long_fires_its_fallback_and_not_before() {
    for rule in TABLE {
        let mut machine = Stateflow::new(3, false);
        machine.state = rule.state;
        let Some(timeout) = rule.lasts.ms(BUDGET_MS) else {
            assert_eq!(
                machine.time_out(at(0), at(u64::MAX), BUDGET_MS),
                None,
                "{rule:?}"
            );
            continue;
        };
        assert_eq!(machine.time_out(at(10), at(9 + timeout), BUDGET_MS), None);
        assert_eq!(machine.state(), rule.state);
        let made = machine
            .time_out(at(10), at(10 + timeout), BUDGET_MS)
            .unwrap();
        assert_eq!(Some(made.event), rule.fallback);
        assert_ne!(machine.state(), rule.state);
    }
}

#[test]
fn replaying_the_history_gives_the_same_state() {
    let events = [
        Event::ObjectiveIngress,
        Event::RunDispatched,
        Event::ExecutionError,
        Event::RepairComplete,
        Event::ExecutionComplete,
        Event::VerdictPartial,
        Event::RetryDispatched,
        Event::ExecutionComplete,
        Event::VerdictPass,
    ];
    let machine = driven(3, &events);
    let written: Vec<Event> = machine.history().iter().map(|one| one.event).collect();
    assert_eq!(written, events);
    assert_eq!(driven(3, &written), machine);
    let json = serde_json::to_vec(&machine).unwrap();
    assert_eq!(serde_json::from_slice::<Stateflow>(&json).unwrap(), machine);
}

fn words(made: &[Transition]) -> Vec<&'static str> {
    made.iter().map(|one| one.event.word()).collect()
}

fn begun() -> Stateflow {
    driven(3, &[Event::ObjectiveIngress])
}

/// Where an attempt's end leads, and by which event the step ends when nothing more is tried.
#[test]
fn ends_lead_where_the_outcome_table_says() {
    use crate::outcome::{Abstention, DeniedBy, Failure, LimitKind, Trap};
    let (answer, error) = ("EXECUTION_COMPLETE", "EXECUTION_ERROR");
    for (outcome, end, last) in [
        (
            Outcome::Abstained(Abstention::Kappa),
            answer,
            Event::VerdictFail,
        ),
        (Outcome::Denied(DeniedBy::Gate), answer, Event::VerdictFail),
        (
            Outcome::Failed(Failure::Transient),
            answer,
            Event::VerdictFail,
        ),
        (
            Outcome::Failed(Failure::Permanent),
            error,
            Event::RepairAbort,
        ),
        (Outcome::Trapped(Trap::Other), error, Event::RepairAbort),
        (
            Outcome::Limit(LimitKind::Deadline),
            error,
            Event::RepairAbort,
        ),
        (Outcome::Indeterminate(1), error, Event::RepairAbort),
        (Outcome::Bug, error, Event::RepairAbort),
    ] {
        let mut machine = begun();
        assert_eq!(
            words(&machine.dispatched(at(1)).unwrap()),
            ["RUN_DISPATCHED"]
        );
        let made = machine.ended(&outcome, false, at(2)).unwrap();
        assert_eq!(words(&made), [end], "{outcome:?}");
        let event = ending(machine.state(), false).unwrap();
        assert_eq!(event, last, "{outcome:?}");
        let settled = NoteKind::Settled(Settled { event, meta: None });
        machine.noted(&settled, at(3)).unwrap();
        assert_eq!(machine.state(), State::TerminatedFail, "{outcome:?}");
        assert_eq!(ending(machine.state(), false), None);
    }
    let mut released = begun();
    released.dispatched(at(1)).unwrap();
    let made = released.ended(&Outcome::Completed, true, at(2)).unwrap();
    assert_eq!(words(&made), ["EXECUTION_COMPLETE", "VERDICT_PASS"]);
    let mut cut = begun();
    cut.dispatched(at(1)).unwrap();
    assert_eq!(
        words(&cut.ended(&Outcome::Cancelled, false, at(2)).unwrap()),
        ["OVERRIDE_EVENT"]
    );
    assert_eq!(
        words(&cut.dispatched(at(3)).unwrap()),
        ["OVERRIDE_EVENT", "RUN_DISPATCHED"]
    );
}

#[test]
fn what_is_decided_between_attempts_leads_to_the_next_one() {
    let transient = Outcome::Failed(crate::outcome::Failure::Transient);
    let trapped = Outcome::Trapped(crate::outcome::Trap::Other);
    let retry = NoteKind::RetryScheduled(crate::question::Retry {
        attempt_no: 2,
        due_at: at(9),
        wait_ms: 1,
    });
    let mended = NoteKind::Mended(BTreeMap::new());
    for (outcome, note, partial, next) in [
        (
            &transient,
            &retry,
            &["VERDICT_PARTIAL"][..],
            "RETRY_DISPATCHED",
        ),
        (
            &transient,
            &mended,
            &["VERDICT_PARTIAL"][..],
            "RETRY_DISPATCHED",
        ),
        (&trapped, &mended, &[][..], "REPAIR_COMPLETE"),
    ] {
        let mut machine = begun();
        machine.dispatched(at(1)).unwrap();
        machine.ended(outcome, false, at(2)).unwrap();
        assert_eq!(words(&machine.noted(note, at(3)).unwrap()), partial);
        assert_eq!(words(&machine.dispatched(at(4)).unwrap()), [next]);
        assert_eq!(machine.state(), State::Executing);
        assert!(machine.dispatched(at(5)).is_err(), "one attempt at a time");
    }
}

/// Control: without the try that a mended step is given in `noted`, the second half ends in TERMINATED_FAIL and this fails
/// (seen).
#[test]
fn the_last_try_ends_by_the_limit_and_a_mended_one_is_not_counted() {
    let mut machine = driven(1, &[Event::ObjectiveIngress]);
    let transient = Outcome::Failed(crate::outcome::Failure::Transient);
    machine.dispatched(at(1)).unwrap();
    machine.ended(&transient, false, at(2)).unwrap();
    let event = ending(machine.state(), true).unwrap();
    let mut ended = machine.clone();
    let made = ended
        .noted(&NoteKind::Settled(Settled { event, meta: None }), at(3))
        .unwrap();
    assert_eq!(words(&made), ["RETRY_LIMIT_EXCEEDED"]);
    machine
        .noted(&NoteKind::Mended(BTreeMap::new()), at(3))
        .unwrap();
    assert_eq!(machine.state(), State::Retry);
}

#[test]
fn another_step_answers_for_one_that_is_mended_and_time_ends_one_that_nobody_mends() {
    for outcome in [
        Outcome::Trapped(crate::outcome::Trap::Other),
        Outcome::Denied(crate::outcome::DeniedBy::Gate),
    ] {
        let spare = crate::name::StepName::parse("spare").unwrap();
        let mut machine = begun();
        machine.dispatched(at(1)).unwrap();
        machine.ended(&outcome, false, at(2)).unwrap();
        machine
            .noted(&NoteKind::Rerouted(spare.clone()), at(3))
            .unwrap();
        let state = machine.state();
        let mut late = machine.clone();
        assert_eq!(
            late.noted(&NoteKind::TimedOut(State::Executing), at(4))
                .unwrap(),
            []
        );
        late.noted(&NoteKind::TimedOut(state), at(4)).unwrap();
        assert_eq!(late.state(), State::TerminatedFail);
        let made = machine.noted(&NoteKind::Answered(spare), at(4)).unwrap();
        assert_eq!(words(&made)[1..], ["EXECUTION_COMPLETE", "VERDICT_PASS"]);
        assert_eq!(machine.state(), State::TerminatedSuccess);
    }
}
