//! What a run leaves behind when everything goes well, and when it is refused before it begins.

use aim_core::{
    event::EventPhase,
    leaf::{LeafKind, SigningMode},
    outcome::{Exit, Failure, Outcome},
    verdict::Verdict,
    witness::StepState,
};
use aim_runtime::admission::AdmissionError;
use serde_json::{Value, json};

use crate::rig::Rig;

/// Two steps in a row and one beside them, all of them echoes.
const CHAIN: &str = r#"
PLAN chain v1.0:
  QUIP "An echo never had an idea of its own."
  ROLE a: custom(node="echo")
  STEP one:
    ASSIGN a: "say it"
  STEP two:
    ASSIGN a: "say it again"
    REQUIRES one
  STEP three:
    ASSIGN a: "say both"
    REQUIRES one, two
"#;

pub(crate) fn chain() -> Rig {
    Rig::new(CHAIN).node("echo", "conformance-echo", json!({}))
}

#[test]
fn every_attempt_leaves_exactly_one_witness_and_the_plan_one_more() {
    for mode in [SigningMode::Each, SigningMode::Batch] {
        let mut rig = chain();
        rig.mode = mode;
        let report = rig.run(&[("word", "hello")]).unwrap();
        assert_eq!(report.exit, Exit::Ok);
        let kinds: Vec<LeafKind> = rig
            .ledger()
            .entries()
            .iter()
            .map(|entry| entry.leaf.kind)
            .collect();
        let attempt = LeafKind::Attempt;
        assert_eq!(
            kinds,
            [LeafKind::Epoch, attempt, attempt, attempt, LeafKind::Plan]
        );
        let verified = rig.verify();
        assert!(verified.authenticated, "{verified:?}");
        assert_eq!((verified.witnesses, verified.size), (5, 5));
    }
}

#[test]
fn a_step_gets_what_its_requirements_released_in_their_order() {
    let rig = chain();
    let report = rig.run(&[("word", "hello")]).unwrap();
    let body = |step: usize| {
        let released = report.steps[step].released.as_ref().unwrap();
        String::from_utf8(released.emissions[0].body.clone()).unwrap()
    };
    let root: Value = serde_json::from_str(&body(0)).unwrap();
    assert_eq!(root["word"]["value"], "hello");
    assert_eq!(body(1), body(0));
    assert_eq!(
        body(2),
        format!("{{\"one\":{},\"two\":{}}}", body(0), body(1))
    );
    let (one, two) = (rig.attempt("one"), rig.attempt("two"));
    assert_eq!(
        two.envelope.id, one.outputs[0].envelope,
        "identity is the host's"
    );
    assert_eq!(two.envelope.causation, Some(one.envelope.id));
    assert_eq!(two.parent_span, Some(one.span));
    assert_eq!(two.correlation, one.envelope.id);
}

#[test]
fn the_same_question_gives_the_same_ids_and_outputs_in_another_log() {
    let (first, second) = (chain(), chain());
    first.run(&[("word", "hello")]).unwrap();
    second.run(&[("word", "hello")]).unwrap();
    let outputs = |rig: &Rig| -> Vec<_> {
        let mut found: Vec<_> = rig
            .attempts()
            .into_iter()
            .map(|one| (one.step, one.run, one.outputs))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    };
    assert_eq!(outputs(&first), outputs(&second));
}

#[test]
fn events_follow_the_reference_sequence_with_one_trace() {
    let rig = chain();
    rig.run(&[]).unwrap();
    let events = rig.ledger().events();
    let kinds: Vec<&str> = events.iter().map(|e| e.event_type.as_str()).collect();
    let gates = ["gate.schema_validated", "gate.policy_validated"];
    // The run is taken in, and each of its three steps; then the first is dispatched, runs, is judged and delivered.
    let taken = [
        "intent.received",
        "step.scheduled",
        "step.scheduled",
        "step.scheduled",
    ];
    let begun = ["dataplane.dispatched", "step.started"];
    assert_eq!(kinds[..8], [&taken[..], &begun, &gates].concat());
    let end = kinds
        .iter()
        .position(|kind| *kind == "artifact.delivered")
        .unwrap();
    assert_eq!(
        kinds[end..end + 3],
        ["artifact.delivered", "step.evaluating", "step.completed"]
    );
    let milestones: Vec<&str> = (kinds[..=end].iter().copied())
        .filter(|kind| !kind.starts_with("step.") && *kind != "gate.ethical_passed")
        .collect();
    let reference = [
        &["intent.received", "dataplane.dispatched"][..],
        &gates,
        &gates,
        &["artifact.delivered"],
    ];
    assert_eq!(
        milestones,
        reference.concat(),
        "in, and on the way out again"
    );
    let delivered = events
        .iter()
        .filter(|event| event.event_type == "artifact.delivered");
    assert_eq!(delivered.count(), 3);
    let trace = events[0].trace_id;
    assert!(
        events
            .iter()
            .all(|event| event.trace_id == trace && event.actor == "tester")
    );
    let gate = events
        .iter()
        .find(|event| event.phase == EventPhase::Gate)
        .unwrap();
    assert!(gate.attributes.contains_key("gate_id"));
    let mut judged = events.iter().filter(|one| one.phase == EventPhase::Gate);
    assert!(judged.all(|one| one.attributes.contains_key("policy_digest")));
    let ethical = (events.iter()).find(|one| one.event_type == "gate.ethical_passed");
    let ethical = &ethical.unwrap().attributes;
    let attempt = rig.attempt(&ethical["step"]);
    let record = attempt.gates.iter().find(|one| one.gate == "ethical");
    let codex = record.unwrap().codex.unwrap().to_string();
    assert_eq!(
        ethical["policy_digest"], codex,
        "the rules that it judged by"
    );
    assert!(ethical["metrics"].starts_with("ethical_score="));
    assert_eq!(
        rig.ledger().events(),
        events,
        "events are the same at every reading"
    );
}

/// One reader takes the first of two equal keys, another the last: a gate that took either could be passed with the other.
/// Control: with the plain reader of `serde_json` in `conditions::readable`, the second run completed and this failed.
#[test]
fn a_body_in_which_a_key_stands_twice_passes_no_gate() {
    let plan = "PLAN p:\n  ROLE a: custom(node=\"echo\")\n  STEP s:\n    ASSIGN a: \"x\"\n    GATE safe: output.word.value.leaks == false\n";
    let run = |word: &str| {
        let rig = Rig::new(plan).node("echo", "conformance-echo", json!({}));
        let exit = rig.run(&[("word", word)]).unwrap().exit;
        let gates = rig.attempt("s").gates;
        let safe = gates.iter().find(|one| one.gate == "safe");
        (exit, safe.unwrap().verdict)
    };
    let clear = run("{\"leaks\":false}");
    assert_eq!(clear, (Exit::Ok, Verdict::Pass));
    let ambiguous = run("{\"leaks\":true,\"leaks\":false}");
    assert_eq!(ambiguous, (Exit::Denied, Verdict::Error));
}

#[test]
fn a_body_that_breaks_the_contract_never_reaches_the_guest() {
    let plan = "PLAN p:\n  ROLE a: custom(node=\"strict\")\n  STEP s:\n    ASSIGN a: \"x\"\n";
    let rig = Rig::new(plan).node(
        "strict",
        "conformance-echo",
        json!({ "input": { "required": ["needed"] } }),
    );
    let report = rig.run(&[]).unwrap();
    assert_eq!(report.exit, Exit::Failed);
    let attempt = rig.attempt("s");
    assert_eq!(attempt.outcome, Outcome::Failed(Failure::InvalidInput));
    assert_eq!(attempt.host_calls.calls, 0);
    assert!(
        attempt.budgets.iter().all(|budget| budget.used == 0),
        "no guest instruction ran"
    );
    assert!(!attempt.released);
    assert!(rig.verify().authenticated);
}

#[test]
fn confidence_below_kappa_abstains_and_dependents_are_skipped() {
    let plan = "PLAN p:\n  ROLE a: custom(node=\"unsure\")\n  ROLE b: custom(node=\"echo\")\n\
                  STEP s:\n    ASSIGN a: \"x\"\n  STEP after:\n    ASSIGN b: \"x\"\n    REQUIRES s\n";
    let rig = Rig::new(plan)
        .node(
            "unsure",
            "conformance-echo",
            json!({ "kappa_ppm": 700_000 }),
        )
        .node("echo", "conformance-echo", json!({}));
    let report = rig.run(&[]).unwrap();
    assert_eq!(report.exit, Exit::Abstained);
    let states: Vec<StepState> = report.steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [StepState::Abstained, StepState::Skipped]);
    assert_eq!(
        rig.attempts().len(),
        1,
        "a skipped step has no attempt and no witness"
    );
}

/// Negative control: with `admit` not collecting the faults of imports, this fails.
#[test]
fn l1_what_the_contract_does_not_ask_for_is_refused_with_every_reason() {
    let plan = "PLAN p:\n  ROLE a: custom(node=\"l1\")\n  STEP s:\n    ASSIGN a: \"x\"\n";
    let rig = Rig::new(plan).node("l1", "hostile-l1-undeclared", json!({}));
    let Err(AdmissionError::Refused(refused)) = rig.admit() else {
        panic!("was admitted")
    };
    assert_eq!(refused.len(), 1);
    assert!(
        refused[0]
            .reasons
            .iter()
            .any(|reason| reason.code == "AIM-A001"),
        "{refused:?}"
    );
}

// Negative control: with the refused asks not added to the reasons, the component is admitted with less than it asks for (seen).
#[test]
fn without_a_policy_nothing_with_an_effect_is_granted() {
    let asks = json!({ "asks": [{ "capability": "artifact", "modes": ["put"] }] });
    let plan = "PLAN p:\n  ROLE a: custom(node=\"putter\")\n  STEP s:\n    ASSIGN a: \"x\"\n";
    let mut rig = Rig::new(plan).node("putter", "conformance-echo", asks);
    assert!(rig.admit().is_ok());
    rig.policy = None;
    let Err(AdmissionError::Refused(refused)) = rig.admit() else {
        panic!("was admitted")
    };
    assert!(
        refused[0].reasons.iter().all(|reason| reason.is_denial),
        "{refused:?}"
    );
}
