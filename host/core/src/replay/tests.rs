//! What counts as a difference, field by field.

use alloc::{borrow::ToOwned, boxed::Box, vec, vec::Vec};

use super::*;
use crate::{
    claims::GuestClaims,
    digest::Sha256,
    envelope::Target,
    id::EnvelopeId,
    kappa::composite::{Borders, CompositeRecord, KappaOutcome, Risks},
    outcome::{DeniedBy, Fault},
    staged::{StagedKind, StagedRecord},
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
type Row = (&'static str, Change);

fn row(field: &'static str, change: impl Fn(&mut AttemptPredicate) + 'static) -> Row {
    (field, Box::new(change))
}

fn changed() -> Digest {
    Digest::of(b"changed")
}

fn rows_before_the_end() -> Vec<Row> {
    vec![
        row("envelope body", |one| one.envelope.body = changed()),
        row("envelope id", |one| {
            one.envelope.id = EnvelopeId::emitted(one.run, "other", 1);
        }),
        row("gate ethical egress", |one| one.gates[0].gate.push('z')),
        row("gate ethical egress component", |one| {
            one.gates[0].component = None
        }),
        row("gate ethical egress codex", |one| one.gates[0].codex = None),
        row("gate ethical egress request", |one| {
            one.gates[0].request = changed();
        }),
        row("gate ethical egress verdict", |one| {
            one.gates[0].verdict = Verdict::Error;
        }),
        row("gate ethical egress reasons", |one| {
            one.gates[0].reasons.clear()
        }),
        row("gate ethical egress decision", |one| {
            one.gates[0].decision = None
        }),
        row("gates asked", |one| one.gates.clear()),
        row("effect of call 1", |one| one.effects.clear()),
        row("effect of call 1 request", |one| {
            one.effects[0].request = changed();
        }),
        row("effect of call 1 gate ethical egress verdict", |one| {
            one.effects[0].gates[0].verdict = Verdict::Error;
        }),
        row("effect of call 1 gates asked", |one| {
            one.effects[0].gates.clear()
        }),
    ]
}

fn rows_of_the_end() -> Vec<Row> {
    vec![
        row("outcome", |one| {
            one.outcome = Outcome::Denied(DeniedBy::Gate)
        }),
        row("fault", |one| one.fault = None),
        row("fault message", |one| {
            let fault = one.fault.as_mut().unwrap();
            fault.message.push('z');
        }),
        row("verdict", |one| one.verdict = Verdict::Fail),
        row("released", |one| one.released = true),
        row("disposition", |one| one.disposition = Disposition::Abort),
        row("reroute", |one| one.reroute = StepName::parse("x").ok()),
        row("kappa", |one| one.kappa = None),
        row("composite", |one| one.composite = Some(composite())),
        row("fuel", |one| one.budgets[0].used += 1),
        row("memory_bytes", |one| {
            one.budgets[0].name = "memory_bytes".to_owned();
        }),
        row("logs", |one| one.host_calls.logs = Some(changed())),
        row("log bytes dropped", |one| {
            one.host_calls.log_bytes_dropped += 1;
        }),
        row("tokens", |one| one.tokens[0].used.calls += 1),
    ]
}

fn rows_of_what_came_out() -> Vec<Row> {
    fn said(one: &mut AttemptPredicate) -> &mut GuestClaims {
        one.guest_claims.as_mut().unwrap()
    }
    vec![
        row("outputs", |one| one.outputs.clear()),
        row("output 0 body", |one| one.outputs[0].body = changed()),
        row("output 0 media type", |one| {
            one.outputs[0].media_type.push('z')
        }),
        row("output 0 operation", |one| {
            one.outputs[0].operation.push('z')
        }),
        row("output 0 target", |one| {
            one.outputs[0].target = Target::Reply
        }),
        row("output 0 artifacts", |one| one.outputs[0].artifacts.clear()),
        row("output 0 envelope", |one| {
            one.outputs[0].envelope = EnvelopeId::emitted(one.run, "other", 1);
        }),
        row("staged changes", |one| one.staged.push(staged(1))),
        row("claims", |one| said(one).claims.clear()),
        row("citations", |one| said(one).citations.clear()),
        row("confidence", |one| said(one).confidence = None),
        row("doubt", |one| said(one).doubt = None),
        row("impact", |one| said(one).impact = None),
        row("quip", |one| said(one).quip = None),
    ]
}

fn staged(changes: u64) -> StagedRecord {
    StagedRecord {
        bytes: 1,
        changes,
        document: Digest::of(b"changes"),
        kind: StagedKind::Bucket,
        name: "state".to_owned(),
    }
}

fn composite() -> CompositeRecord {
    CompositeRecord {
        borders: Borders {
            low_ppm: 1,
            mid_ppm: 2,
            high_ppm: 3,
            hysteresis_ppm: 0,
        },
        outcome: KappaOutcome::Hitl,
        policy: Digest::of(b"rule"),
        prior: None,
        risk_ppm: 4,
        risks: Risks::default(),
    }
}

/// Control: with the difference of any one of these fields not added, its row fails (each of them seen).
#[test]
fn every_field_that_can_differ_is_named() {
    let rows = [
        rows_before_the_end(),
        rows_of_the_end(),
        rows_of_what_came_out(),
    ];
    for (field, change) in rows.into_iter().flatten() {
        let found = compared(|one| change(one), &calls(), SAME);
        assert!(found.iter().any(|one| one == field), "{field}: {found:?}");
    }
}

/// Control: with the difference of any one of the three not added, its line here fails (each of them seen).
#[test]
fn staged_contents_artifacts_and_what_risks_came_to_are_compared_as_well() {
    let told = |subjects: Vec<Subject>, changes| {
        let mut predicate = attempt();
        predicate.staged.push(staged(changes));
        Statement::new(ATTEMPT_PREDICATE, subjects, predicate)
    };
    let transcript = calls();
    let with = |statement| Told {
        statement,
        transcript: &transcript,
    };
    let one = told(vec![], 1);
    let other = told(vec![], 2);
    let found = differences(with(&one), with(&other), SAME);
    assert_eq!(found[0].field, "staged in state");
    let artifact = Subject::new("artifact/0", changed(), Sha256::of(b"changed"));
    let other = told(vec![artifact], 1);
    let found = differences(with(&one), with(&other), SAME);
    assert_eq!(found[0].field, "artifacts");
    let other = Likeness {
        is_same_component: false,
        is_cut: false,
    };
    let found = compared(|one| one.composite = Some(composite()), &calls(), other);
    assert_eq!(found, ["composite outcome"]);
}

/// Control: with the difference of any one of these fields not added, its line fails (each of them seen).
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
