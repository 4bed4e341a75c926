//! Plans whose steps play the parts of a script: reductions, breakers, kappa, the composite of risks, and gates that never end.
//!
//! INVARIANT: every step is a real component; what the script makes it do is what any component could do.

use aim_core::{
    frame::FrameKind,
    kappa::{
        Escalation,
        composite::{Borders, CompositeRule, KappaOutcome, Weights},
    },
    name::StepName,
    outcome::{Abstention, DeniedBy, Exit, Outcome},
    plan::{Plan, StepPath},
    question::{Note, NoteKind},
    recovery::BreakerState,
    stateflow::{Event, Settled, State},
    verdict::{Disposition, Verdict},
    witness::StepState,
};
use aim_runtime::{commit::Submission, execute::RunReport};
use serde_json::{Value, json};

use crate::rig::Rig;

/// A plan of the brace form; `a` is the player, and `judge` an echo: who judges is another component than whom it judges.
pub(crate) fn rig(body: &str) -> Rig {
    rig_with(body, json!({}))
}

/// As [`rig`], with more in the player's contract.
pub(crate) fn rig_with(body: &str, more: Value) -> Rig {
    let plan = format!(
        "pipeline \"played\" {{\n  header {{ quip: \"All the world is a stage, and it has a fire exit.\" }}\n  \
         role a: custom {{ node: \"player\" }}\n  role judge: verifier {{ node: \"echo\" }}\n{body}\n}}\n"
    );
    let mut contract = json!({
        "asks": [{ "capability": "attest" }, { "capability": "budget" }, { "capability": "context" }],
    });
    let fields = contract.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    Rig::new(&plan)
        .node("player", "conformance-player", contract)
        .node("echo", "conformance-echo", json!({}))
}

/// Runs the plan with this script.
pub(crate) fn play(rig: &Rig, script: &Value) -> RunReport {
    rig.run(&[("script", &script.to_string())]).unwrap()
}

/// What a step released, as JSON.
pub(crate) fn said(report: &RunReport, path: &str) -> Value {
    let step = report.steps.iter().find(|one| one.path.as_str() == path);
    let released = step.unwrap().released.as_ref().unwrap();
    serde_json::from_slice(&released.emissions[0].body).unwrap()
}

fn states(report: &RunReport) -> Vec<StepState> {
    report.steps.iter().map(|step| step.state).collect()
}

fn fanned(using: &str, last: &str) -> Rig {
    rig(&format!(
        "  step first: a {{}}\n  step each: a {{}}\n  step last: judge {{ {last} }}\n  fanout first -> each[1..3]\n  reduce each[1..3] -> last using {using}\n"
    ))
}

/// Control: with `reduce` taking the first candidate whatever the method, this fails (seen).
#[test]
fn what_instances_say_becomes_one_as_the_plan_says() {
    for (using, parts, expected) in [
        (
            "score=mean",
            [
                json!({"score": 0.1}),
                json!({"score": 0.2}),
                json!({"score": 0.6}),
            ],
            json!({"count": 3, "score": 0.3}),
        ),
        (
            "merge=maxRS",
            [
                json!({"rs": 0.1, "who": 1}),
                json!({"rs": 0.7, "who": 2}),
                json!({"rs": 0.7, "who": 3}),
            ],
            json!({"rs": 0.7, "who": 2}),
        ),
        (
            "vote=majority",
            [
                json!({"vote": "no"}),
                json!({"vote": "yes", "who": 2}),
                json!({"vote": "yes", "who": 3}),
            ],
            json!({"vote": "yes", "who": 2}),
        ),
        (
            "adjudicate=verifier",
            [json!({"says": 1}), json!({"says": 2}), json!({"says": 3})],
            json!({"each": [{"says": 1}, {"says": 2}, {"says": 3}]}),
        ),
    ] {
        let rig = fanned(using, "");
        let [one, two, three] = parts;
        let report = play(
            &rig,
            &json!({"each#1": {"emit": one}, "each#2": {"emit": two}, "each#3": {"emit": three}}),
        );
        assert_eq!(report.exit, Exit::Ok, "{using}");
        assert_eq!(unscripted(said(&report, "last")), expected, "{using}");
        assert!(rig.verify().authenticated, "{using}");
    }
}

/// The same without scripts.
fn unscripted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let own = members.into_iter().filter(|(name, _)| name != "script");
            own.map(|(name, value)| (name, unscripted(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(unscripted).collect(),
        other => other,
    }
}

#[test]
fn an_adjudicator_that_is_not_sure_abstains_and_nothing_goes_on() {
    let rig = fanned("adjudicate=verifier", "kappa: 0.5");
    let report = play(&rig, &json!({}));
    assert_eq!(report.exit, Exit::Abstained);
    assert_eq!(
        rig.attempt("last").outcome,
        Outcome::Abstained(Abstention::Kappa)
    );
}

/// The fault of each attempt of a step, in order.
fn faults(rig: &Rig, step: &str) -> Vec<String> {
    let attempts = rig.attempts().into_iter();
    let own = attempts.filter(|one| one.step.as_str() == step);
    own.map(|one| one.fault.map(|fault| fault.code).unwrap_or_default())
        .collect()
}

fn breakers(rig: &Rig) -> Vec<BreakerState> {
    let ledger = rig.ledger();
    let notes = ledger.executions().iter().flat_map(|one| &one.notes);
    notes
        .filter_map(|noted| match noted.note.what {
            NoteKind::Breaker(state) => Some(state),
            _ => None,
        })
        .collect()
}

/// Two failures open it for 45 s; tries come every 30 s. Open at 30: closed out at 60, let through at 90, open again until 135,
/// closed out at 120, let through at 150, and closed by a success.
///
/// Control: with `HalfOpen` admitting nobody, the fourth try is not made and this fails (seen).
#[test]
fn a_breaker_opens_lets_one_try_through_opens_again_and_closes() {
    let mut rig = rig(
        "  step s: a { retries: { max_attempts: 6 backoff_ms: 30000 } breaker: { failures: 2 cooldown_ms: 45000 } }\n",
    );
    let mut plan = rig.plan.clone().into_parts();
    let mut retries = plan.steps[0].retries.unwrap();
    (retries.factor_percent, retries.jitter_percent) = (100, 0);
    plan.steps[0].retries = Some(retries);
    rig.plan = Plan::check(plan).unwrap();
    let report = play(
        &rig,
        &json!({"s@6": {"emit": {"at": "last"}}, "s": {"fail": "transient"}}),
    );
    assert_eq!(
        faults(&rig, "s"),
        ["PLAY-T", "PLAY-T", "ACL-R106", "PLAY-T", "ACL-R106", ""]
    );
    assert_eq!(report.exit, Exit::Ok);
    assert_eq!(
        breakers(&rig),
        [BreakerState::Open, BreakerState::Open, BreakerState::Closed]
    );
    assert!(rig.verify().authenticated);
}

/// Control: with kappa's record left out of `judge`, both complete and this fails (seen).
#[test]
fn what_depends_on_a_step_below_its_kappa_does_not_run_and_the_escalation_is_on_record() {
    for (part, claimed) in [
        (json!({"confidence": 500_000}), Some(500_000)),
        (json!({}), None),
    ] {
        let rig = rig("  step s: a { kappa: 0.8 }\n  step next: a { depends s }\n");
        let report = play(&rig, &json!({"s": part, "*": {}}));
        assert_eq!(report.exit, Exit::Abstained, "{claimed:?}");
        assert_eq!(states(&report), [StepState::Abstained, StepState::Skipped]);
        let attempt = rig.attempt("s");
        let kappa = attempt.kappa.unwrap();
        assert_eq!(kappa.confidence_ppm, claimed);
        assert_eq!(kappa.escalation, Some(Escalation::BelowThreshold));
        assert_eq!(attempt.outcome, Outcome::Abstained(Abstention::Kappa));
        assert!(rig.attempts().iter().all(|one| one.step.as_str() != "next"));
    }
    let sure = rig("  step s: a { kappa: 0.8 }\n  step next: a { depends s }\n");
    let report = play(&sure, &json!({"s": {"confidence": 900_000}, "*": {}}));
    assert_eq!(
        report.exit,
        Exit::Ok,
        "the same plan, and a step that is sure"
    );
}

/// Control: with `when` left out of `ask`, the second run is denied and this fails.
#[test]
fn a_conditional_gate_is_asked_only_where_its_condition_holds() {
    for (emit, exit, asked) in [
        (json!({"public": true, "size": 1}), Exit::Denied, true),
        (json!({"public": false, "size": 1}), Exit::Ok, false),
        (json!({"public": true, "size": 101}), Exit::Ok, true),
        // What nobody can judge is asked, and then nobody can judge the gate either.
        (json!({"size": "1"}), Exit::Denied, true),
    ] {
        let rig = rig(
            "  step s: a { gate egress large when output.public { require output.size > 100; on_fail abort } }\n",
        );
        let report = play(&rig, &json!({"s": {"emit": emit}}));
        assert_eq!(report.exit, exit, "{emit}");
        let attempt = rig.attempt("s");
        let is_asked = attempt.gates.iter().any(|gate| gate.gate == "large");
        assert_eq!(is_asked, asked, "{emit}");
    }
}

/// Control: with the labels of `mend` left out, the second try is told nothing and this fails (seen).
#[test]
fn a_mended_try_is_told_what_was_wrong_and_may_complete() {
    for (action, names) in [
        ("repair", ["repair", "repair.reason", "repair.hint"]),
        (
            "degrade { hint: shorter }",
            ["degrade", "degrade.reason", "degrade.hint"],
        ),
    ] {
        let rig = rig(&format!(
            "  step s: a {{ gate egress fine {{ require output.fine == true; on_fail {action} }} }}\n"
        ));
        let report = play(
            &rig,
            &json!({
                "s@1": {"emit": {"fine": false}},
                "s@2": {"emit": {"fine": true}, "labels": names},
            }),
        );
        assert_eq!(report.exit, Exit::Ok, "{action}");
        let told = &said(&report, "s")["labels"];
        let [word, reason, hint] = names;
        assert_eq!(told[word], "AIM-G004", "{action}: the code");
        assert!(told[reason].as_str().unwrap().contains("fine"), "{told}");
        let hinted = told[hint].as_str();
        assert_eq!(hinted, (word == "degrade").then_some("shorter"), "{told}");
        assert_eq!(rig.attempts().len(), 2);
    }
}

/// Control: with the label of `task` left out, the step is told nothing and this fails (seen).
#[test]
fn a_persons_words_reach_the_step_that_asked_and_no_other() {
    let rig = rig("  step s: a { question: \"which one?\" }\n  step next: a { depends s }\n");
    let script = json!({"s": {"labels": ["answer"]}, "next": {"labels": ["answer"], "got": true}});
    assert_eq!(play(&rig, &script).exit, Exit::Waiting);
    rig.answer("the blue one");
    let report = play(&rig, &script);
    assert_eq!(report.exit, Exit::Ok);
    assert_eq!(said(&report, "s")["labels"]["answer"], "the blue one");
    assert_eq!(said(&report, "next")["labels"]["answer"], Value::Null);
}

fn composite(low_ppm: u32, mid_ppm: u32, high_ppm: u32) -> CompositeRule {
    let borders = Borders {
        low_ppm,
        mid_ppm,
        high_ppm,
        hysteresis_ppm: 0,
    };
    let weights = Weights {
        budget: 0,
        context: 0,
        policy: 0,
        retrieval: 0,
        uncertainty: 1_000_000,
    };
    CompositeRule::new(borders, weights).unwrap()
}

/// `s` with a standby step, and `next` that needs it. Uncertainty is the only risk: 0.4 for `s`, none for the others.
fn risky(low: u32, mid: u32, high: u32) -> (Rig, Value) {
    let mut rig =
        rig("  step s: a { fallback: spare }\n  step spare: a {}\n  step next: a { depends s }\n");
    rig.rules.composite = Some(composite(low, mid, high));
    let sure = |emit: Value| json!({"confidence": 1_000_000, "emit": emit, "got": true});
    let script = json!({
        "s": {"confidence": 600_000, "emit": {"by": "s"}},
        "spare": sure(json!({"by": "spare"})),
        "next": sure(json!({})),
    });
    (rig, script)
}

/// Control: with `Reroute` settling in `next`, `next` is skipped; with the standby's output not taken over, `next` gets that of
/// `s`: this fails either way (both seen).
#[test]
fn a_composite_that_says_reroute_has_the_standby_step_answer() {
    let (rig, script) = risky(100_000, 200_000, 400_000);
    let report = play(&rig, &script);
    let attempt = rig.attempt("s");
    assert_eq!(attempt.composite.unwrap().outcome, KappaOutcome::Reroute);
    assert_eq!(attempt.disposition, Disposition::Reroute);
    assert_eq!(report.exit, Exit::Ok);
    assert_eq!(said(&report, "next")["got"]["by"], "spare");
    let ledger = rig.ledger();
    let (_, plan) = ledger.plan_of(&ledger.executions()[0]).unwrap();
    let answered = plan.steps.iter().find(|one| one.step.as_str() == "s");
    assert_eq!(
        answered.unwrap().answered_by.as_ref().unwrap().as_str(),
        "spare"
    );
}

#[test]
fn a_composite_that_says_degrade_lets_it_go_marked_for_review() {
    let (rig, script) = risky(300_000, 400_000, 600_000);
    let report = play(&rig, &script);
    let attempt = rig.attempt("s");
    assert_eq!(attempt.composite.unwrap().outcome, KappaOutcome::Degrade);
    assert_eq!((attempt.verdict, attempt.released), (Verdict::Warn, true));
    assert_eq!(report.exit, Exit::Ok);
    assert_eq!(said(&report, "next")["got"]["by"], "s");
    assert!(
        rig.attempts()
            .iter()
            .all(|one| one.step.as_str() != "spare")
    );
}

#[test]
fn a_composite_that_wants_a_person_waits_and_goes_on_with_the_yes() {
    let (rig, script) = risky(100_000, 200_000, 300_000);
    let report = play(&rig, &script);
    assert_eq!(report.exit, Exit::Waiting);
    assert_eq!(
        rig.attempt("s").composite.unwrap().outcome,
        KappaOutcome::Hitl
    );
    rig.answer("yes");
    let report = play(&rig, &script);
    assert_eq!(report.exit, Exit::Ok);
    assert_eq!(said(&report, "next")["got"]["by"], "s");
}

/// An answer that goes where the plan has no edge is a hard violation, whatever the risk.
/// Control: with the violation left out of `compose`, the outcome is `proceed` and `other` runs; with the composite asked before the
/// policy in `refusal`, it is the gate that denies: this fails either way (both seen).
#[test]
fn a_composite_that_says_abort_ends_the_run() {
    let mut rig =
        rig("  step s: a {}\n  step next: a { depends s }\n  step other: a { depends s? }\n");
    rig.rules.composite = Some(composite(900_000, 950_000, 990_000));
    let sure = json!({"confidence": 1_000_000});
    let script =
        json!({"s": {"confidence": 1_000_000, "to": "reply"}, "next": sure, "other": sure});
    let report = play(&rig, &script);
    assert_eq!(report.exit, Exit::Denied);
    let attempt = rig.attempt("s");
    assert_eq!(attempt.composite.unwrap().outcome, KappaOutcome::Abort);
    assert_eq!(attempt.outcome, Outcome::Denied(DeniedBy::Policy));
    assert_eq!(attempt.disposition, Disposition::Abort);
    assert_eq!(
        states(&report),
        [StepState::Failed, StepState::Skipped, StepState::Skipped]
    );
}

/// The gate never answers on the way out; its own limit would end it too, but the state's time is up first.
/// Control: with the timer left out of `finish`, the reason is the gate's own limit and this fails (seen).
#[test]
fn a_step_that_is_evaluated_for_longer_than_the_table_allows_is_refused() {
    let mut rig = rig("  step s: a {}\n  step next: a { depends s }\n");
    rig.gate("gate-hostile", b"crawl-egress".to_vec());
    let script = json!({"*": {}}).to_string();
    let report = rig
        .run_hasty(&[("script", &script)], State::Evaluating)
        .unwrap();
    assert_eq!(report.exit, Exit::Denied);
    assert_eq!(states(&report), [StepState::Failed, StepState::Skipped]);
    let attempt = rig.attempt("s");
    assert_eq!(attempt.outcome, Outcome::Denied(DeniedBy::Gate));
    assert!(!attempt.released);
    let late = attempt.gates.last().unwrap();
    assert_eq!(
        (late.gate.as_str(), late.verdict),
        ("ethical", Verdict::Error)
    );
    assert!(late.reasons[0].contains("AIM-R073"), "{:?}", late.reasons);
    let events = rig.ledger().events();
    let of_step = events
        .iter()
        .filter(|event| event.attributes.get("step").is_some_and(|one| one == "s"));
    let last = of_step
        .filter_map(|event| event.attributes.get("event"))
        .next_back();
    assert_eq!(last.unwrap(), "VERDICT_FAIL", "what the table says");
    assert!(rig.verify().authenticated);
}

/// What each event tells of a transition, and nothing else.
fn transitions(rig: &Rig) -> Vec<(String, String)> {
    let events = rig.ledger().events().into_iter();
    events
        .filter_map(|event| {
            let told = event.attributes.get("event")?.clone();
            Some((event.attributes.get("step")?.clone(), told))
        })
        .collect()
}

/// Nothing in the log is believed that the machine of a step does not know: here, that a step ended which has completed.
/// Control: with `unwrap_or_default` in `of_execution` giving an override instead, a transition is told and this fails
/// (seen).
#[test]
fn a_transition_that_a_state_does_not_know_is_told_by_no_event() {
    let rig = rig("  step s: a {}\n");
    play(&rig, &json!({}));
    let told = transitions(&rig);
    let (host, ledger) = rig.open().unwrap();
    let start = &ledger.executions()[0].start;
    for event in [Event::RepairAbort, Event::VerdictFail, Event::RunDispatched] {
        let note = Note {
            at: start.started_at,
            execution: start.execution,
            path: StepPath::from(&StepName::parse("s").unwrap()),
            what: NoteKind::Settled(Settled { event, meta: None }),
        };
        let body = serde_json::to_vec(&note).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let submission = Submission::frame(FrameKind::EventNote, body, Vec::new());
        runtime.block_on(host.committer.commit(submission)).unwrap();
    }
    host.committer.close().unwrap();
    assert_eq!(
        rig.ledger().executions()[0].notes.len(),
        3,
        "they are there"
    );
    assert_eq!(transitions(&rig), told);
}

/// Control: with `told` in `dispatch.rs` empty, this fails (seen).
#[test]
fn a_step_is_told_what_the_plan_says_of_it() {
    let plan = "pipeline \"told\" {\n  header { quip: \"A map is not the walk.\", snapshot: \"snap-7\", pins: { tool: \"spell@1\" } }\n  \
                role a: custom { node: \"player\", k: 20, tone: \"dry\" }\n  \
                step first: a { }\n  \
                step s: a { does: \"say it plainly\", inputs: { notes: first, limit: 3 }, model: \"m1\", tools: [\"spell\", \"sum\"], \
                pins: { model: \"m1@2\", seed: 5 }, time: ASOF:2025-01-31T00:00:00Z }\n}\n";
    let contract = json!({ "asks": [{ "capability": "attest" }, { "capability": "budget" }, { "capability": "context" }] });
    let rig = Rig::new(plan).node("player", "conformance-player", contract);
    let expected = json!({
        "does": "say it plainly", "role.k": "20", "role.tone": "dry", "model": "m1", "tools": "spell, sum",
        "pin.model": "m1@2", "pin.seed": "5", "pin.tool": "spell@1", "snapshot": "snap-7",
        "input.notes": "first", "input.limit": "3", "slice": "2025-01-31T00:00:00.000Z", "role.node": null, "pin.index": null,
    });
    let names: Vec<&String> = expected.as_object().unwrap().keys().collect();
    let report = play(&rig, &json!({"s": {"labels": names}, "*": {}}));
    assert_eq!(report.exit, Exit::Ok);
    assert_eq!(said(&report, "s")["labels"], expected);
    assert_eq!(rig.standings(), ["equal", "equal"]);
}

/// Control: with `Gates::tries` answering nothing, each of these is tried once and this fails (seen).
#[test]
fn a_plans_own_gate_and_a_rule_about_gates_try_again_as_often_as_they_say() {
    for (gate, rule, tries) in [
        (
            "gate whole { require output.whole; on_fail retry(4) }",
            "",
            4,
        ),
        ("", "policy rewrite { on gate_fail => retry(2) }", 2),
    ] {
        let own = if gate.is_empty() {
            "gate egress whole { require output.whole }"
        } else {
            ""
        };
        let rig = rig(&format!("  {gate}\n  step s: a {{ {own} }}\n  {rule}\n"));
        let report = play(&rig, &json!({"s": {"emit": {"whole": false}}}));
        assert_eq!(report.exit, Exit::Denied, "{gate}{rule}");
        assert_eq!(rig.attempts().len(), tries, "{gate}{rule}");
    }
}

/// Control: with the gate put at the last of its steps only, the run completes and this fails (seen).
#[test]
fn a_typed_gate_judges_each_of_the_steps_that_it_is_given() {
    let body = "  shard \"main\" {\n    step left: a { }\n    step right: a { }\n    step last: a { depends left, right }\n    \
                gate sure: UQGate { inputs: { l: left, r: right }, min: 0.8 }\n  }\n";
    for (left, right, exit) in [
        (900_000, 900_000, Exit::Ok),
        (100_000, 900_000, Exit::Denied),
        (900_000, 100_000, Exit::Denied),
    ] {
        let script = json!({"left": {"confidence": left}, "right": {"confidence": right}, "*": {}});
        assert_eq!(play(&rig(body), &script).exit, exit, "{left} {right}");
    }
}

/// The second step's breaker opens after four failures of the node, three of which were the first one's; the first one's after five.
///
/// Control: with one breaker for each node, whatever it is set to, the second step is tried three times and this fails (seen).
#[test]
fn steps_with_breakers_of_other_numbers_have_other_breakers() {
    let retries = "retries: { max_attempts: 3 backoff_ms: 10 }";
    let rig = rig(&format!(
        "  step first: a {{ }}\n  \
         step s: a {{ depends first {retries} breaker: {{ failures: 5 cooldown_ms: 45000 }} }}\n  \
         step t: a {{ depends first, s? {retries} breaker: {{ failures: 4 cooldown_ms: 45000 }} }}\n"
    ));
    let report = play(&rig, &json!({"first": {}, "*": {"fail": "transient"}}));
    assert_eq!(report.exit, Exit::Failed);
    assert_eq!(faults(&rig, "s"), ["PLAY-T", "PLAY-T", "PLAY-T"]);
    assert_eq!(faults(&rig, "t"), ["PLAY-T", "ACL-R106", "ACL-R106"]);
}

/// Control: with `Plan::silence` asking the step's question alone, the run waits and this fails (seen).
#[test]
fn a_plan_that_does_not_wait_does_not_wait_for_a_steps_own_question_either() {
    for (silence, exit) in [("wait", Exit::Waiting), ("abstain", Exit::Abstained)] {
        let plan = format!(
            "pipeline \"quiet\" {{\n  header {{ quip: \"A bell without a rope.\", silence: {silence} }}\n  \
             role a: custom {{ node: \"player\" }}\n  step s: a {{ question: \"may I?\" }}\n}}\n"
        );
        let contract = json!({ "asks": [{ "capability": "attest" }, { "capability": "budget" }, { "capability": "context" }] });
        let rig = Rig::new(&plan).node("player", "conformance-player", contract);
        assert_eq!(play(&rig, &json!({})).exit, exit, "{silence}");
    }
}

/// Nobody requires `s` for sure, and its gate ends the run before `last` could say anything.
///
/// Control: with `enders` left out of `is_required`, the run exits with 0 and this fails (seen).
#[test]
fn a_run_that_an_optional_step_has_ended_is_no_success() {
    let rig =
        rig("  step s: a { gate egress g { require output.ok } }\n  step last: a { depends s? }\n");
    let report = play(&rig, &json!({"s": {"emit": {"ok": false}}, "*": {}}));
    assert_eq!(states(&report), [StepState::Failed, StepState::Skipped]);
    assert_eq!(report.exit, Exit::Denied);
    assert!(rig.verify().authenticated);
}

/// Control: with `result_gates` empty for standby steps, what `spare` says is the result and the run exits with 0 (seen).
#[test]
fn a_step_that_stands_in_meets_the_plans_own_gates() {
    for (led, ok, exit) in [
        ("fallback: spare", true, Exit::Ok),
        ("fallback: spare", false, Exit::Denied),
        ("", false, Exit::Denied),
    ] {
        let gate = if led.is_empty() {
            "on_fail fallback(spare)"
        } else {
            ""
        };
        let rig = rig(&format!(
            "  gate whole {{ require output.ok; {gate} }}\n  step s: a {{ {led} }}\n  step spare: a {{ }}\n"
        ));
        let s = if led.is_empty() {
            json!({"emit": {"ok": false}})
        } else {
            json!({"fail": "permanent"})
        };
        let report = play(&rig, &json!({"s": s, "spare": {"emit": {"ok": ok}}}));
        assert_eq!(report.exit, exit, "{led} {ok}");
        assert!(rig.verify().authenticated);
    }
}

/// Control: with the guard of `Next::Reroute` left out, `spare` is tried without end and this never comes back (seen, by hand).
#[test]
fn a_rule_for_every_step_does_not_lead_a_standby_step_to_itself() {
    let rig = rig(
        "  step s: a { }\n  step spare: a { }\n  policy rewrite { on step_fail => fallback(spare) }\n",
    );
    let report = play(&rig, &json!({"*": {"fail": "permanent"}}));
    assert_eq!(report.exit, Exit::Failed);
    assert_eq!(rig.attempts().len(), 2);
}
