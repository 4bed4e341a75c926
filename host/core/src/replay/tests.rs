//! What counts as a difference, field by field.

use alloc::{borrow::ToOwned, boxed::Box, vec, vec::Vec};

use super::*;
use crate::{
    outcome::{DeniedBy, Fault},
    transcript::CallVerdict,
    verdict::{Disposition, Verdict},
    witness::{ATTEMPT_PREDICATE, tests::attempt},
};

fn calls() -> Transcript {
    let mut transcript = Transcript::default();
    transcript.push("a/b.one", CallVerdict::Ok, b"1".to_vec(), b"2".to_vec());
    transcript.push("a/b.two", CallVerdict::Ok, b"3".to_vec(), b"4".to_vec());
    transcript.count_adapter_calls("w/c.get", 2);
    transcript
}

fn compared(
    change: impl FnOnce(&mut AttemptPredicate),
    again: &Transcript,
    likeness: Likeness,
) -> Vec<String> {
    let mut other = attempt();
    change(&mut other);
    let stated = |predicate| Statement::new(ATTEMPT_PREDICATE, vec![], predicate);
    let (one, other) = (stated(attempt()), stated(other));
    let recorded = calls();
    let found = differences(
        Told {
            statement: &one,
            transcript: &recorded,
        },
        Told {
            statement: &other,
            transcript: again,
        },
        likeness,
    );
    found.into_iter().map(|one| one.field).collect()
}

const SAME: Likeness = Likeness {
    is_same_component: true,
    is_cut: false,
};

#[test]
fn times_host_and_configuration_are_no_difference() {
    let change = |one: &mut AttemptPredicate| {
        one.started_at = Timestamp::from_millis(77);
        one.ended_at = Timestamp::from_millis(78);
        one.host.version = "2".to_owned();
        one.config = Digest::of(b"another");
        one.tokens[0].claims.exp = Timestamp::from_millis(79);
    };
    assert_eq!(compared(change, &calls(), SAME), Vec::<String>::new());
}

type Change = Box<dyn Fn(&mut AttemptPredicate)>;

/// Control: with any one of the comparisons taken out, its row fails (expected).
#[test]
fn every_field_that_can_differ_is_named() {
    let rows: Vec<(&str, Change)> = vec![
        (
            "envelope body",
            Box::new(|one| one.envelope.body = Digest::of(b"z")),
        ),
        (
            "gate ",
            Box::new(|one| one.gates[0].verdict = Verdict::Error),
        ),
        ("gates asked", Box::new(|one| one.gates.clear())),
        ("effect of call", Box::new(|one| one.effects.clear())),
        (
            "outcome",
            Box::new(|one| one.outcome = Outcome::Denied(DeniedBy::Gate)),
        ),
        ("fault", Box::new(|one| one.fault = None)),
        ("verdict", Box::new(|one| one.verdict = Verdict::Fail)),
        ("released", Box::new(|one| one.released = true)),
        (
            "disposition",
            Box::new(|one| one.disposition = Disposition::Abort),
        ),
        (
            "reroute",
            Box::new(|one| one.reroute = StepName::parse("x").ok()),
        ),
        ("outputs", Box::new(|one| one.outputs.clear())),
        (
            "output 0 body",
            Box::new(|one| one.outputs[0].body = Digest::of(b"z")),
        ),
        (
            "output 0 media type",
            Box::new(|one| one.outputs[0].media_type.push('z')),
        ),
        (
            "output 0 operation",
            Box::new(|one| one.outputs[0].operation.push('z')),
        ),
        (
            "output 0 artifacts",
            Box::new(|one| one.outputs[0].artifacts.clear()),
        ),
        ("claims", Box::new(|one| one.guest_claims = None)),
        ("kappa", Box::new(|one| one.kappa = None)),
        (
            "logs",
            Box::new(|one| one.host_calls.logs = Some(Digest::of(b"z"))),
        ),
        (
            "log bytes dropped",
            Box::new(|one| one.host_calls.log_bytes_dropped += 1),
        ),
        ("tokens", Box::new(|one| one.tokens[0].used.calls += 1)),
    ];
    for (field, change) in rows {
        let found = compared(|one| change(one), &calls(), SAME);
        assert!(
            found.iter().any(|one| one.starts_with(field)),
            "{field}: {found:?}"
        );
    }
}

#[test]
fn calls_are_compared_up_to_the_first_that_differs() {
    let mut other = Transcript::default();
    other.push("a/b.one", CallVerdict::Ok, b"1".to_vec(), b"other".to_vec());
    other.push("a/b.three", CallVerdict::Ok, Vec::new(), Vec::new());
    assert_eq!(compared(|_| {}, &other, SAME), ["call 0 response"]);
    let mut other = Transcript::default();
    other.push("a/b.one", CallVerdict::Ok, b"x".to_vec(), b"2".to_vec());
    assert_eq!(compared(|_| {}, &other, SAME), ["call 0 request"]);
    let mut other = Transcript::default();
    other.push("a/b.one", CallVerdict::Denied, b"1".to_vec(), b"2".to_vec());
    assert_eq!(compared(|_| {}, &other, SAME), ["call 0 verdict"]);
    let mut other = calls();
    other.push("a/b.three", CallVerdict::Ok, Vec::new(), Vec::new());
    assert_eq!(compared(|_| {}, &other, SAME), ["call 2 function"]);
    let mut other = calls();
    other.count_adapter_calls("w/c.get", 1);
    other.count_adapter_calls("w/c.new", 1);
    let found = compared(|_| {}, &other, SAME);
    assert_eq!(found, ["adapter w/c.get", "adapter w/c.new"]);
}

/// What time cut short tells how far it came; one call less or more is no difference, another call is one.
#[test]
fn a_record_that_was_cut_is_compared_as_far_as_it_goes() {
    let cut = Likeness {
        is_same_component: true,
        is_cut: true,
    };
    let mut longer = calls();
    longer.push("a/b.three", CallVerdict::Ok, Vec::new(), Vec::new());
    let ended = |one: &mut AttemptPredicate| {
        one.outcome = Outcome::Completed;
        one.fault = None;
        one.outputs.clear();
    };
    assert_eq!(compared(ended, &longer, cut), Vec::<String>::new());
    assert_eq!(
        compared(ended, &Transcript::default(), cut),
        Vec::<String>::new()
    );
    let mut other = Transcript::default();
    other.push("a/b.other", CallVerdict::Ok, Vec::new(), Vec::new());
    assert_eq!(compared(ended, &other, cut), ["call 0 function"]);
}

#[test]
fn what_a_person_the_clock_or_a_budget_ended_is_cut_and_what_the_guest_met_by_itself_is_not() {
    let ended = |outcome: Outcome, code: &str| AttemptPredicate {
        outcome,
        fault: Some(Fault {
            code: code.to_owned(),
            message: String::new(),
        }),
        ..attempt()
    };
    assert!(is_cut(&ended(Outcome::Cancelled, "AIM-R012")));
    assert!(is_cut(&ended(Outcome::Limit(LimitKind::Tools), "ACL-R101")));
    assert!(is_cut(&ended(
        Outcome::Limit(LimitKind::Deadline),
        "AIM-R073"
    )));
    assert!(!is_cut(&ended(Outcome::Limit(LimitKind::Fuel), "AIM-R010")));
}

#[test]
fn another_component_may_take_other_fuel_and_say_it_in_other_words() {
    let change = |one: &mut AttemptPredicate| {
        one.budgets[0].name = "fuel".to_owned();
        one.fault = Some(Fault {
            message: "otherwise".to_owned(),
            ..attempt().fault.unwrap()
        });
    };
    let other = Likeness {
        is_same_component: false,
        is_cut: false,
    };
    assert_eq!(compared(change, &calls(), other), Vec::<String>::new());
    assert!(compared(change, &calls(), SAME).contains(&"fault message".to_owned()));
}

#[test]
fn sides_and_lists_have_bounds() {
    let change = |one: &mut AttemptPredicate| {
        one.outputs[0].operation = "x".repeat(5_000);
    };
    let mut other = attempt();
    change(&mut other);
    let stated = |predicate| Statement::new(ATTEMPT_PREDICATE, vec![], predicate);
    let (one, other) = (stated(attempt()), stated(other));
    let transcript = calls();
    let told = |statement| Told {
        statement,
        transcript: &transcript,
    };
    let found = differences(told(&one), told(&other), SAME);
    assert!(
        found
            .iter()
            .all(|one| one.replayed.chars().count() <= SIDE_CHARS_MAX)
    );
    assert_eq!(
        DIAGNOSTIC_PREDICATE,
        crate::leaf::LeafKind::Diagnostic.predicate_type()
    );
}
