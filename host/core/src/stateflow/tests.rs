//! Every transition that exists and every one that does not, overrides, retry limits and timeouts.

use alloc::{string::ToString, vec, vec::Vec};

use super::*;

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
        let Some(timeout) = rule.timeout_ms else {
            assert_eq!(machine.time_out(at(0), at(u64::MAX)), None, "{rule:?}");
            continue;
        };
        assert_eq!(machine.time_out(at(10), at(9 + timeout)), None);
        assert_eq!(machine.state(), rule.state);
        let made = machine.time_out(at(10), at(10 + timeout)).unwrap();
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

#[test]
fn ends_lead_where_the_outcome_table_says() {
    use crate::outcome::{Abstention, DeniedBy, LimitKind, Trap};
    use Event::*;
    let ends = [
        (
            Outcome::Completed,
            true,
            vec![ExecutionComplete, VerdictPass],
        ),
        (
            Outcome::Abstained(Abstention::Kappa),
            false,
            vec![ExecutionComplete, VerdictFail],
        ),
        (
            Outcome::Denied(DeniedBy::Gate),
            false,
            vec![ExecutionComplete, VerdictFail],
        ),
        (
            Outcome::Failed(Failure::Transient),
            false,
            vec![ExecutionComplete, VerdictFail],
        ),
        (
            Outcome::Failed(Failure::Permanent),
            false,
            vec![ExecutionError, RepairAbort],
        ),
        (
            Outcome::Trapped(Trap::Other),
            false,
            vec![ExecutionError, RepairAbort],
        ),
        (
            Outcome::Limit(LimitKind::Deadline),
            false,
            vec![ExecutionError, RepairAbort],
        ),
        (
            Outcome::Indeterminate(1),
            false,
            vec![ExecutionError, RepairAbort],
        ),
        (Outcome::Cancelled, false, vec![OverrideEvent]),
        (Outcome::Bug, false, vec![ExecutionError, RepairAbort]),
    ];
    for (outcome, is_released, events) in ends {
        assert_eq!(
            of_end(&outcome, is_released, false, false),
            events,
            "{outcome:?}"
        );
    }
    let partial = of_end(&Outcome::Failed(Failure::Transient), false, true, false);
    assert_eq!(partial, [ExecutionComplete, VerdictPartial]);
    let mended = of_end(&Outcome::Failed(Failure::Permanent), false, false, true);
    assert_eq!(mended, [ExecutionError, RepairComplete]);
}
