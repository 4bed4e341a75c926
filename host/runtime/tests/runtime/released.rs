//! Outputs that gates held back and that people let go: the plan waits for them, goes on with exactly what was kept, once,
//! and believes nothing in the log that is not signed for.

use aim_core::{
    digest::{Digest, Sha256, encode_hex},
    leaf::LeafKind,
    name::StepName,
    outcome::Exit,
    plan::{Action, Clause, Gate, Plan, PlanParts},
    quarantine::{
        ANSWER_KIND, Answer, AnswerPredicate, Approval, Approver, Case, RELEASE_KIND,
        ReleasePredicate,
    },
    time::Timestamp,
    verdict::Disposition,
    witness::{AttemptPredicate, PlanPredicate, Statement, StepState, Subject},
};
use aim_runtime::{aside, commit::Submission, execute::RunReport};
use aim_testkit::AppendFault;
use aim_trust::{
    approval,
    key::{KeyRole, SecretKey},
};
use serde::Serialize;
use serde_json::json;

use crate::rig::Rig;

const INPUTS: &[(&str, &str)] = &[("word", "hello")];
const TWO: &str = "PLAN p:\n  QUIP \"Two hands clap.\"\n  ROLE a: custom(node=\"echo\")\n  STEP s:\n    ASSIGN a: \"x\"\n  STEP next:\n    ASSIGN a: \"x\"\n    REQUIRES s\n";

/// `s` is held by a condition of the plan that asks for quarantine, and `next` needs it.
fn held() -> Rig {
    let mut rig = Rig::new(TWO).node("echo", "conformance-echo", json!({}));
    change(&mut rig, |parts| {
        let clause = Clause::parse("output.word.size_bytes > 100").unwrap();
        let name = StepName::parse("long").unwrap();
        parts.steps[0]
            .gates
            .push(Gate::over(name, clause, Action::Quarantine));
    });
    rig.rules.is_quarantining = true;
    rig
}

fn change(rig: &mut Rig, change: impl FnOnce(&mut PlanParts)) {
    let mut parts = rig.plan.clone().into_parts();
    change(&mut parts);
    rig.plan = Plan::check(parts).unwrap();
}

fn secret(seed: u8) -> SecretKey {
    SecretKey::from_bytes(KeyRole::Approver, &[seed; 32])
}

fn approver(seed: u8, role: &str) -> Approver {
    Approver {
        actor: format!("uid:{seed}"),
        key: encode_hex(&secret(seed).public_bytes()),
        name: format!("person{seed}"),
        role: role.to_owned(),
    }
}

/// The only attempt that is kept aside, with its witness.
fn case(rig: &Rig) -> (Digest, AttemptPredicate) {
    let ledger = rig.ledger();
    let mut kept = (ledger.entries().iter())
        .filter_map(|entry| Some((entry.witness, aside::kept_aside(entry)?.clone())));
    let found = kept.next().unwrap();
    assert!(kept.next().is_none());
    found
}

fn commit(rig: &Rig, kind: LeafKind, predicate: impl Serialize) -> Digest {
    let (host, _) = rig.open().unwrap();
    let subject = Subject::new("witness", Digest::of(b"w"), Sha256::of(b"w"));
    let payload = Statement::new(kind.predicate_type(), vec![subject], predicate).payload();
    let witness = Digest::of(&payload);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let submission = Submission::witness(kind, payload, Vec::new());
    runtime.block_on(host.committer.commit(submission)).unwrap();
    host.committer.close().unwrap();
    witness
}

fn answers(rig: &Rig, approver: &Approver, key: &SecretKey, answer: Answer, token: Digest) {
    let (witness, _) = case(rig);
    let approval = Approval {
        answer,
        approver: approver.clone(),
        at: Timestamp::from_millis(1_700_000_000_000),
        token,
    };
    let predicate = AnswerPredicate {
        approval: approval::sign(&approval, key),
        kind: ANSWER_KIND.to_owned(),
        origin: "aim.test/rig/1".to_owned(),
        witness,
    };
    commit(rig, LeafKind::Answer, predicate);
}

fn token(rig: &Rig) -> Digest {
    let (witness, attempt) = case(rig);
    Case::of(witness, &attempt.actor, &attempt.gates).token()
}

fn release(rig: &Rig, approvers: Vec<Approver>) -> ReleasePredicate {
    let (witness, attempt) = case(rig);
    ReleasePredicate {
        approvers,
        kind: RELEASE_KIND.to_owned(),
        origin: "aim.test/rig/1".to_owned(),
        outputs: attempt.outputs.iter().map(|output| output.body).collect(),
        released_at: Timestamp::from_millis(1_700_000_000_000),
        token: token(rig),
        witness,
    }
}

/// Two people approve, and the release is written down.
fn let_go(rig: &Rig) -> Digest {
    let (ann, ben) = (approver(1, "ethics"), approver(2, "operations"));
    answers(rig, &ann, &secret(1), Answer::Approve, token(rig));
    answers(rig, &ben, &secret(2), Answer::Approve, token(rig));
    commit(rig, LeafKind::Admin, release(rig, vec![ann, ben]))
}

fn states(report: &RunReport) -> Vec<StepState> {
    report.steps.iter().map(|step| step.state).collect()
}

fn attempts_of(rig: &Rig, step: &str) -> usize {
    let attempts = rig.attempts();
    attempts
        .iter()
        .filter(|one| one.step.as_str() == step)
        .count()
}

fn assert_waits(rig: &Rig, what: &str) {
    let report = rig.run(INPUTS).unwrap();
    assert_eq!(report.exit, Exit::Waiting, "{what}");
    assert_eq!(
        states(&report),
        [StepState::Waiting, StepState::Pending],
        "{what}"
    );
    assert_eq!(report.steps[0].case, Some(case(rig).0), "{what}");
    assert!(report.position.is_none(), "{what}: no witness of an end");
    assert_eq!(
        (attempts_of(rig, "s"), attempts_of(rig, "next")),
        (1, 0),
        "{what}"
    );
}

fn plan_witness(rig: &Rig) -> PlanPredicate {
    let ledger = rig.ledger();
    let execution = ledger.executions().last().unwrap();
    ledger.plan_of(execution).unwrap().1.clone()
}

// Negative control: with `keep_aside` settling every case, the first assertion fails; with `cases` left empty in
// `take_resumed`, the run still waits after the release (both seen).
#[test]
fn a_plan_waits_for_two_people_and_goes_on_with_exactly_what_was_kept() {
    let rig = held();
    assert_waits(&rig, "fresh");
    assert_waits(&rig, "run again without an answer");
    let (_, attempt) = case(&rig);
    assert_eq!(attempt.disposition, Disposition::Quarantine);
    let released_by = let_go(&rig);
    let report = rig.run(INPUTS).unwrap();
    assert_eq!(report.exit, Exit::Ok);
    assert_eq!(states(&report), [StepState::Completed; 2]);
    assert_eq!(attempts_of(&rig, "s"), 1, "the step did not run again");
    let next = rig.attempt("next");
    let kept = attempt.outputs[0].body;
    let given: serde_json::Value = serde_json::from_slice(
        &rig.ledger()
            .blob(&rig.log.reader(), next.outputs[0].body)
            .unwrap()
            .unwrap(),
    )
    .unwrap();
    assert!(given.to_string().contains("word"), "{given}");
    assert_eq!(next.envelope.body, kept, "byte for byte what was kept");
    assert_eq!(next.envelope.causation, Some(attempt.envelope.id));
    let summary = &plan_witness(&rig).steps[0];
    assert_eq!(summary.released_by, Some(released_by));
    assert_eq!(plan_witness(&rig).steps[1].released_by, None);
    assert_eq!(rig.standings(), ["equal"; 2], "kept aside, then released");
    assert!(rig.verify().authenticated);
    let events = rig.ledger().events();
    let kinds: Vec<&str> = events.iter().map(|one| one.event_type.as_str()).collect();
    let at = |kind| kinds.iter().position(|one| *one == kind).unwrap();
    assert!(at("step.withheld") < at("quarantine.released"), "{kinds:?}");
    assert!(
        at("quarantine.released") < at("artifact.delivered"),
        "{kinds:?}"
    );
}

// Negative control: with `is_backed` always true, the first row goes on (seen).
#[test]
fn a_release_that_two_people_have_not_signed_for_lets_nothing_go() {
    let (ann, ben) = (approver(1, "ethics"), approver(2, "operations"));
    let both = || vec![approver(1, "ethics"), approver(2, "operations")];
    type Forge<'a> = &'a dyn Fn(&Rig);
    let nobody: Forge<'_> = &|rig| {
        commit(rig, LeafKind::Admin, release(rig, both()));
    };
    let one: Forge<'_> = &|rig| {
        answers(rig, &ann, &secret(1), Answer::Approve, token(rig));
        commit(rig, LeafKind::Admin, release(rig, both()));
    };
    let other_case: Forge<'_> = &|rig| {
        for (who, seed) in [(&ann, 1), (&ben, 2)] {
            answers(
                rig,
                who,
                &secret(seed),
                Answer::Approve,
                Digest::of(b"other"),
            );
        }
        commit(rig, LeafKind::Admin, release(rig, both()));
    };
    let other_outputs: Forge<'_> = &|rig| {
        for (who, seed) in [(&ann, 1), (&ben, 2)] {
            answers(rig, who, &secret(seed), Answer::Approve, token(rig));
        }
        let outputs = vec![Digest::of(b"something else")];
        let release = ReleasePredicate {
            outputs,
            ..release(rig, both())
        };
        commit(rig, LeafKind::Admin, release);
    };
    let before: Forge<'_> = &|rig| {
        commit(rig, LeafKind::Admin, release(rig, both()));
        for (who, seed) in [(&ann, 1), (&ben, 2)] {
            answers(rig, who, &secret(seed), Answer::Approve, token(rig));
        }
    };
    for (what, forge) in [
        ("no approval", nobody),
        ("one approval", one),
        ("approvals of another case", other_case),
        ("a release of other outputs", other_outputs),
        ("a release before its approvals", before),
    ] {
        let rig = held();
        rig.run(INPUTS).unwrap();
        forge(&rig);
        assert_waits(&rig, what);
    }
}

// Negative control: with `check_vouched` left out of opening, the host opens over the forged answer (seen).
#[test]
fn a_log_with_an_approval_that_another_key_has_signed_is_used_no_more() {
    let rig = held();
    rig.run(INPUTS).unwrap();
    let (ann, ben) = (approver(1, "ethics"), approver(2, "operations"));
    answers(&rig, &ann, &secret(1), Answer::Approve, token(&rig));
    answers(&rig, &ben, &secret(1), Answer::Approve, token(&rig));
    let refused = rig.open().unwrap_err();
    assert_eq!(refused.code(), "AIM-E025");
    assert!(refused.to_string().contains("AIM-E016"), "{refused}");
}

// Negative control: with a rejection passed over in `ends`, the run waits on (seen).
#[test]
fn one_rejection_ends_the_step_for_good() {
    let rig = held();
    rig.run(INPUTS).unwrap();
    answers(
        &rig,
        &approver(1, "ethics"),
        &secret(1),
        Answer::Reject,
        token(&rig),
    );
    // Whoever releases it afterwards comes too late.
    let_go(&rig);
    let report = rig.run(INPUTS).unwrap();
    assert_eq!(report.exit, Exit::Denied);
    assert_eq!(states(&report), [StepState::Failed, StepState::Skipped]);
    let fault = report.steps[0].fault.as_ref().unwrap();
    assert_eq!(fault.code, "AIM-G031");
    assert!(fault.message.contains("person1"), "{}", fault.message);
    assert_eq!(attempts_of(&rig, "next"), 0);
    assert!(rig.verify().authenticated);
}

// Negative control: with nothing in `resumed.attempts`, the step runs a second time (seen).
#[test]
fn a_host_that_dies_on_the_way_on_never_hands_it_on_twice() {
    for number in 1..6 {
        let rig = held();
        rig.run(INPUTS).unwrap();
        let_go(&rig);
        rig.log
            .fail_append(number, AppendFault::FailStop { kept_bytes: 0 });
        if rig.run(INPUTS).is_err() {
            assert_eq!(rig.run(INPUTS).unwrap().exit, Exit::Ok, "append {number}");
        }
        assert_eq!(attempts_of(&rig, "s"), 1, "append {number}");
        assert_eq!(attempts_of(&rig, "next"), 1, "append {number}");
        assert!(rig.verify().authenticated, "append {number}");
    }
}

// Negative control: without the arm that turns such a disposition back, the bytes are kept and the run waits (seen).
#[test]
fn what_people_may_not_lift_is_not_kept_for_them_even_where_the_plan_asks_for_quarantine() {
    let secret = "postgres://app:Harbor-Lantern-59@db-1:5432/shop";
    let rig = held();
    let report = rig.run(&[("word", secret)]).unwrap();
    assert_eq!(report.exit, Exit::Denied);
    let attempt = rig.attempt("s");
    assert_eq!(attempt.disposition, Disposition::Release);
    let ledger = rig.ledger();
    let stored = ledger.blob(&rig.log.reader(), attempt.outputs[0].body);
    assert_eq!(stored.unwrap(), None);
    assert!(
        ledger
            .entries()
            .iter()
            .all(|one| aside::kept_aside(one).is_none())
    );
}

// Negative control: with `keep_aside` waiting whatever the deployment says, the run waits (seen).
#[test]
fn without_quarantine_in_the_deployment_nobody_is_waited_for() {
    let mut rig = held();
    rig.rules.is_quarantining = false;
    let report = rig.run(INPUTS).unwrap();
    assert_eq!(report.exit, Exit::Denied);
    assert_eq!(states(&report), [StepState::Failed, StepState::Skipped]);
    assert!(report.position.is_some());
}
