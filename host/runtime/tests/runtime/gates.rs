//! Gates that misbehave, and gates that do their work: the effect is not there, the reason is on record.

use aim_core::{
    digest::Digest,
    outcome::{DeniedBy, Exit, Outcome},
    verdict::Verdict,
    witness::StepState,
};
use serde_json::json;

use crate::rig::Rig;

const ONE: &str = "PLAN p:\n  QUIP \"One hand claps.\"\n  ROLE a: custom(node=\"echo\")\n  STEP s:\n    ASSIGN a: \"x\"\n";

fn judged_by(codex: &str) -> Rig {
    let mut rig = Rig::new(ONE).node("echo", "conformance-echo", json!({}));
    rig.gate("gate-hostile", codex.as_bytes().to_vec());
    rig
}

fn denied(codex: &str) {
    let rig = judged_by(codex);
    let report = rig.run(&[("word", "hello")]).unwrap();
    assert_eq!(report.exit, Exit::Denied, "codex `{codex}`");
    let attempt = rig.attempt("s");
    assert_eq!(attempt.outcome, Outcome::Denied(DeniedBy::Gate));
    assert_eq!(attempt.verdict, Verdict::Error);
    assert!(!attempt.released && attempt.outputs.is_empty());
    let used = attempt
        .budgets
        .iter()
        .map(|budget| budget.used)
        .sum::<u64>();
    assert_eq!(used, 0, "the guest never ran");
    let reasons: Vec<&String> = attempt
        .gates
        .iter()
        .flat_map(|gate| &gate.reasons)
        .collect();
    assert!(!reasons.is_empty(), "the reason is on record");
    assert!(rig.verify().authenticated);
}

// Negative control for all four: with a gate that gives no answer taken for `pass` in `Gate::ask`, each of them completes (seen).
#[test]
fn p1_a_gate_that_traps_denies() {
    denied("trap");
}

#[test]
fn p2_a_gate_that_loops_denies() {
    denied("loop");
}

#[test]
fn p5_a_gate_out_of_memory_denies() {
    denied("allocate");
}

#[test]
fn p4_a_gate_without_a_codex_is_never_run_and_nothing_is() {
    let mut rig = judged_by("pass");
    rig.gate("gate-mcel", Vec::new());
    let report = rig.run(&[]).unwrap();
    assert_eq!(report.exit, Exit::Denied);
}

#[test]
fn a_gate_that_passes_everything_lets_it_through() {
    let rig = judged_by("pass");
    assert_eq!(rig.run(&[("word", "hello")]).unwrap().exit, Exit::Ok);
}

// Negative control: with a pass put in place of the egress gates' answers, the step completes and the credential lies in the log (seen).
#[test]
fn a_credential_is_stopped_at_the_door_and_never_stored() {
    let plan = "PLAN p:\n  QUIP \"Loose lips.\"\n  ROLE a: custom(node=\"echo\")\n  STEP s:\n    ASSIGN a: \"x\"\n";
    let rig = Rig::new(plan).node("echo", "conformance-echo", json!({}));
    let secret = "postgres://app:Harbor-Lantern-59@db-1:5432/shop";
    let report = rig.run(&[("word", secret)]).unwrap();
    assert_eq!(report.exit, Exit::Denied);
    let attempt = rig.attempt("s");
    assert_eq!(attempt.outcome, Outcome::Denied(DeniedBy::Gate));
    let hit = attempt
        .gates
        .iter()
        .filter_map(|gate| gate.decision.as_ref());
    assert!(
        hit.flat_map(|decision| &decision.axioms_hit)
            .next()
            .is_some(),
        "the axiom is named"
    );
    let ledger = rig.ledger();
    for output in &attempt.outputs {
        let stored = ledger.blob(&rig.log.reader(), output.body).unwrap();
        assert_eq!(stored, None, "a denied output is known by its digest only");
    }
}

#[test]
fn a_plan_without_a_quip_is_marked_for_review_once() {
    let plan = ONE.replace("  QUIP \"One hand claps.\"\n", "");
    let rig = Rig::new(&plan).node("echo", "conformance-echo", json!({}));
    let report = rig.run(&[("word", "hello")]).unwrap();
    assert_eq!(report.exit, Exit::Ok, "a warning releases");
    let attempt = rig.attempt("s");
    assert_eq!(attempt.verdict, Verdict::Warn);
    let warned = attempt
        .gates
        .iter()
        .filter(|gate| gate.verdict == Verdict::Warn);
    assert_eq!(warned.count(), 1, "judged once, at the plan's door");
}

fn with_condition(gate: &str) -> Rig {
    let plan = format!("{ONE}{gate}  STEP next:\n    ASSIGN a: \"x\"\n    REQUIRES s\n");
    Rig::new(&plan).node("echo", "conformance-echo", json!({}))
}

#[test]
fn a_condition_that_does_not_hold_ends_the_run() {
    let rig = with_condition("    GATE big: output.word.size_bytes > 100\n");
    let report = rig.run(&[("word", "hello")]).unwrap();
    assert_eq!(report.exit, Exit::Denied);
    assert_eq!(report.steps[1].state, StepState::Skipped);
    let rig = with_condition("    GATE small: output.word.size_bytes < 100\n");
    assert_eq!(rig.run(&[("word", "hello")]).unwrap().exit, Exit::Ok);
}

#[test]
fn a_condition_that_nobody_can_judge_is_a_denial() {
    let rig = with_condition("    GATE odd: output.nothing.there > 100\n");
    let report = rig.run(&[("word", "hello")]).unwrap();
    assert_eq!(report.exit, Exit::Denied);
    assert_eq!(rig.attempt("s").verdict, Verdict::Error);
}

#[test]
fn on_fail_warn_releases_and_escalate_waits_for_a_person() {
    let warn = "    GATE big:\n      CHECK output.word.size_bytes > 100\n      ON_FAIL warn\n";
    let rig = with_condition(warn);
    assert_eq!(rig.run(&[("word", "hello")]).unwrap().exit, Exit::Ok);
    assert_eq!(rig.attempt("s").verdict, Verdict::Warn);
    let rig = with_condition(&warn.replace("warn", "escalate"));
    let report = rig.run(&[("word", "hello")]).unwrap();
    assert_eq!(report.exit, Exit::Waiting);
    assert_eq!(report.steps[0].state, StepState::Waiting);
}

#[test]
fn a_decision_is_bound_to_the_digests_of_what_was_judged() {
    let rig = Rig::new(ONE).node("echo", "conformance-echo", json!({}));
    rig.run(&[("word", "hello")]).unwrap();
    let attempt = rig.attempt("s");
    let requests: Vec<Digest> = attempt.gates.iter().map(|gate| gate.request).collect();
    assert!(requests.iter().all(|request| *request != Digest::of(b"")));
    let (ingress, egress) = (requests[0], *requests.last().unwrap());
    assert_ne!(ingress, egress, "each side judged something else");
    let other = Rig::new(ONE).node("echo", "conformance-echo", json!({}));
    other.run(&[("word", "hullo")]).unwrap();
    assert_ne!(
        other.attempt("s").gates[0].request,
        ingress,
        "another payload, another binding"
    );
}
