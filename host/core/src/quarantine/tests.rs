//! Two people release, one rejects, and each refusal has its reason.
//!
//! Negative controls: with `check` answering `Ok` the tests of token, self-approval and age fail; with the comparisons taken
//! out of `second` those of key, role and interval fail.

use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};

use super::{
    Answer, AnswerError, Approval, Approver, Case, QuarantineRules, Standing,
    may_be_released_by_people, standing, take,
};
use crate::{
    digest::Digest,
    gate::{Decision, Doubt, GateKind, GateRecord, Phase},
    time::Timestamp,
    verdict::{Severity, Verdict},
};

const RULES: QuarantineRules = QuarantineRules::DEFAULT;
const MINUTE: u64 = 60_000;

fn case() -> Case {
    Case::of(Digest::of(b"witness"), "uid:1000", &[])
}

fn by(name: &str, role: &str, minute: u64) -> Approval {
    Approval {
        answer: Answer::Approve,
        approver: Approver {
            actor: ["uid:", name].concat(),
            key: Digest::of(name.as_bytes()).hex(),
            name: name.to_string(),
            role: role.to_string(),
        },
        at: Timestamp::from_millis(minute * MINUTE),
        token: case().token(),
    }
}

fn no(name: &str, minute: u64) -> Approval {
    Approval {
        answer: Answer::Reject,
        ..by(name, "ethics", minute)
    }
}

fn try_on(case: &Case, taken: &[Approval], next: &Approval) -> Result<Standing, AnswerError> {
    take(case, taken, next, next.at, &RULES)
}

fn name_of(standing: &Standing) -> Vec<String> {
    match standing {
        Standing::Open => vec![],
        Standing::OneKey(one) | Standing::Rejected(one) => vec![one.name.clone()],
        Standing::Released(one, other) => vec![one.name.clone(), other.name.clone()],
    }
}

#[test]
fn two_people_of_two_roles_release_what_one_can_not() {
    let first = by("ann", "ethics", 0);
    let one = try_on(&case(), &[], &first).unwrap();
    assert!(matches!(one, Standing::OneKey(_)), "a single key can't");
    let two = try_on(&case(), &[first], &by("ben", "operations", 10)).unwrap();
    assert!(matches!(two, Standing::Released(..)));
    assert_eq!(name_of(&two), ["ann", "ben"]);
}

#[test]
fn an_approval_for_another_attempt_or_another_judgement_does_not_count() {
    let approval = by("ann", "ethics", 0);
    let other_attempt = Case::of(Digest::of(b"other"), "uid:1000", &[]);
    assert_eq!(
        try_on(&other_attempt, &[], &approval),
        Err(AnswerError::Token)
    );
    let other_judgement = Case::of(Digest::of(b"witness"), "uid:1000", &[record()]);
    assert_eq!(
        try_on(&other_judgement, &[], &approval),
        Err(AnswerError::Token)
    );
}

#[test]
fn whoever_ran_it_can_not_release_it_but_may_reject_it() {
    let own = Case {
        ran_by: "uid:ann".to_string(),
        ..case()
    };
    let refused = try_on(&own, &[], &by("ann", "ethics", 0));
    assert_eq!(refused, Err(AnswerError::SelfApproval("ann".to_string())));
    let second = try_on(
        &own,
        &[by("ben", "operations", 0)],
        &by("ann", "ethics", 20),
    );
    assert_eq!(second, Err(AnswerError::SelfApproval("ann".to_string())));
    assert!(matches!(
        try_on(&own, &[], &no("ann", 0)),
        Ok(Standing::Rejected(_))
    ));
}

#[test]
fn one_key_counts_once_and_so_does_one_role_or_person() {
    let first = [by("ann", "ethics", 0)];
    let same = try_on(&case(), &first, &by("ann", "operations", 20));
    assert_eq!(same, Err(AnswerError::SameKey("ann".to_string())));
    let mut two_keys = by("ann2", "operations", 20);
    two_keys.approver.actor = "uid:ann".to_string();
    assert_eq!(
        try_on(&case(), &first, &two_keys),
        Err(AnswerError::SameKey("ann2".to_string()))
    );
    let role = try_on(&case(), &first, &by("ben", "ethics", 20));
    assert_eq!(role, Err(AnswerError::SameRole("ethics".to_string())));
}

#[test]
fn the_second_approval_comes_ten_minutes_after_the_first_and_not_a_millisecond_before() {
    let first = [by("ann", "ethics", 0)];
    let mut early = by("ben", "operations", 10);
    early.at = Timestamp::from_millis(10 * MINUTE - 1);
    assert_eq!(
        try_on(&case(), &first, &early),
        Err(AnswerError::TooSoon { wait_ms: 1 })
    );
    assert!(try_on(&case(), &first, &by("ben", "operations", 10)).is_ok());
    let back = [by("ann", "ethics", 60)];
    let refused = try_on(&case(), &back, &by("ben", "operations", 0));
    assert!(
        matches!(refused, Err(AnswerError::TooSoon { .. })),
        "a clock that goes back gains nothing"
    );
}

#[test]
fn an_approval_counts_for_a_day() {
    let first = [by("ann", "ethics", 0)];
    let day = 24 * 60;
    assert!(matches!(
        try_on(&case(), &first, &by("ben", "operations", day)),
        Ok(Standing::Released(..))
    ));
    let late = try_on(&case(), &first, &by("ben", "operations", day + 1)).unwrap();
    assert_eq!(
        name_of(&late),
        ["ben"],
        "the first one is void, so this is a first one"
    );
    let old = take(
        &case(),
        &[],
        &first[0],
        Timestamp::from_millis((day + 1) * MINUTE),
        &RULES,
    );
    assert_eq!(old, Err(AnswerError::Expired));
    let future = take(
        &case(),
        &[],
        &by("ann", "ethics", 1),
        Timestamp::from_millis(0),
        &RULES,
    );
    assert_eq!(future, Err(AnswerError::Expired));
}

#[test]
fn what_is_closed_stays_closed() {
    let released = [by("ann", "ethics", 0), by("ben", "operations", 10)];
    for next in [by("eve", "security", 30), no("eve", 30)] {
        assert_eq!(
            try_on(&case(), &released, &next),
            Err(AnswerError::Closed("released"))
        );
    }
    let rejected = [by("ann", "ethics", 0), no("ben", 5)];
    assert_eq!(
        try_on(&case(), &rejected, &by("eve", "security", 30)),
        Err(AnswerError::Closed("rejected"))
    );
}

#[test]
fn answers_that_would_have_been_refused_do_not_count_whoever_wrote_them_down() {
    let at = Timestamp::from_millis(30 * MINUTE);
    let stand = |taken: &[Approval]| standing(&case(), taken, at, &RULES);
    let mut moved = by("ben", "operations", 20);
    moved.token = Digest::of(b"another token");
    let forged = [
        by("ann", "ethics", 0),
        moved,
        by("ann", "operations", 25),
        by("ben", "ethics", 26),
    ];
    assert_eq!(name_of(&stand(&forged)), ["ann"]);
    assert!(matches!(stand(&forged), Standing::OneKey(_)));
    assert_eq!(stand(&[]), Standing::Open);
}

fn record() -> GateRecord {
    GateRecord {
        codex: None,
        codex_version: None,
        component: None,
        decision: None,
        gate: "g".to_string(),
        kind: GateKind::Component,
        phase: Phase::Egress,
        prior: None,
        reasons: vec![],
        request: Digest::of(b"request"),
        severity: Severity::Block,
        verdict: Verdict::Abstain,
    }
}

fn axiom() -> GateRecord {
    GateRecord {
        decision: Some(Decision {
            axioms_hit: vec!["no-credentials-leave".to_string()],
            codex_digest: String::new(),
            codex_version: String::new(),
            doubt: Doubt::default(),
            ethical_score: 1_000_000,
            facts: vec![],
            futures: vec![],
            quip: None,
            reasons: vec![],
            verdict: Verdict::Fail,
        }),
        verdict: Verdict::Fail,
        ..record()
    }
}

#[test]
fn only_what_a_person_may_lift_is_kept_aside() {
    let with = |change: fn(&mut GateRecord)| {
        let mut changed = record();
        change(&mut changed);
        may_be_released_by_people(&[record(), changed])
    };
    assert!(with(|_| ()));
    assert!(with(|r| r.verdict = Verdict::Fail));
    assert!(with(|r| r.kind = GateKind::Kappa));
    assert!(with(|r| r.verdict = Verdict::Pass));
    assert!(
        !with(|r| r.verdict = Verdict::Error),
        "a gate without an answer"
    );
    assert!(!with(|r| r.kind = GateKind::Schema));
    assert!(!with(|r| r.kind = GateKind::Policy));
    assert!(!with(|r| r.phase = Phase::Ingress), "the guest never ran");
    assert!(!may_be_released_by_people(&[record(), axiom()]), "an axiom");
    let mut passed = record();
    passed.verdict = Verdict::Warn;
    assert!(!may_be_released_by_people(&[passed]), "nothing is held");
}
