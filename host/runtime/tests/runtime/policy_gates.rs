//! The catalogue of attacks by and on gates, each by its code: whatever a gate does, nothing is released without an answer
//! that is about exactly what would leave.

use std::{sync::Arc, time::Duration};

use aim_core::{
    digest::Digest,
    gate::{Decision, Doubt, GateRequest, Phase, floor::Floors},
    id::{RunId, RunPins},
    kappa::composite::{Borders, CompositeRule, KappaOutcome, Weights},
    name::StepName,
    outcome::{DeniedBy, Exit, Outcome},
    plan::{self, Action, Clause, Plan, Retries},
    verdict::{Disposition, Verdict},
    witness::{AttemptPredicate, StepState},
};
use aim_runtime::{
    admission::{AdmissionError, SignedCodex},
    history::{GateHistory, Scope},
    judge::{Gate, GateRules, Judge, ask_all},
    turnstile::Turnstile,
};
use serde_json::json;

use crate::rig::{Rig, codex, gate_key};

const ONE: &str = "PLAN p:\n  QUIP \"One hand claps.\"\n  ROLE a: custom(node=\"echo\")\n  STEP s:\n    ASSIGN a: \"x\"\n";
const HELLO: &[(&str, &str)] = &[("word", "hello")];

fn judged_by(codex: &str) -> Rig {
    let mut rig = Rig::new(ONE).node("echo", "conformance-echo", json!({}));
    rig.gate("gate-hostile", codex.as_bytes().to_vec());
    rig
}

fn assert_denied_unrun(rig: &Rig, what: &str) -> AttemptPredicate {
    assert_eq!(rig.run(HELLO).unwrap().exit, Exit::Denied, "{what}");
    let attempt = rig.attempt("s");
    assert_eq!(attempt.outcome, Outcome::Denied(DeniedBy::Gate), "{what}");
    assert!(!attempt.released && attempt.outputs.is_empty(), "{what}");
    assert_eq!(attempt.host_calls.calls, 0, "{what}: the guest never ran");
    attempt
}

// Negative control: with `decision_from_guest` taking ratios and digests as they come, `over-one` and `no-digest` complete.
#[test]
fn p3_a_malformed_answer_denies() {
    for answer in ["huge-reason", "over-one", "no-digest", "maybe", ""] {
        let attempt = assert_denied_unrun(&judged_by(answer), answer);
        assert_eq!(attempt.verdict, Verdict::Error, "{answer}");
    }
    for component in ["hostile-p3-verdict", "hostile-p3-neither"] {
        let mut rig = judged_by("pass");
        rig.gate(component, b"pass".to_vec());
        let attempt = assert_denied_unrun(&rig, component);
        assert_eq!(attempt.verdict, Verdict::Error, "{component}");
    }
}

#[test]
fn p3_what_a_gate_says_at_length_is_cut() {
    for (answer, count) in [("long-reason", 1), ("many-reasons", 16)] {
        let rig = judged_by(answer);
        assert_eq!(rig.run(HELLO).unwrap().exit, Exit::Ok);
        let attempt = rig.attempt("s");
        let judged = attempt.gates.iter().find(|gate| gate.gate == "ethical");
        let reasons = &judged.unwrap().reasons;
        assert_eq!(reasons.len(), count, "{answer}");
        assert!(reasons.iter().all(|reason| reason.len() <= 512), "{answer}");
    }
}

// Negative control: none needed in code, there is no way back from a gate to a payload; the gate says that it tried.
#[test]
fn p6_a_gate_that_alters_what_it_judges_changes_nothing_that_is_forwarded() {
    let altered = judged_by("alter");
    let honest = judged_by("pass");
    for rig in [&altered, &honest] {
        assert_eq!(rig.run(HELLO).unwrap().exit, Exit::Ok);
    }
    let (altered, honest) = (altered.attempt("s"), honest.attempt("s"));
    assert_eq!(altered.envelope.body, honest.envelope.body);
    assert_eq!(altered.outputs[0].body, honest.outputs[0].body);
    assert_eq!(altered.outputs[0].target, honest.outputs[0].target);
    let requests = |attempt: &AttemptPredicate| -> Vec<Digest> {
        attempt.gates.iter().map(|gate| gate.request).collect()
    };
    assert_eq!(requests(&altered), requests(&honest), "before is after");
    let mut tried = altered
        .gates
        .iter()
        .filter_map(|gate| gate.decision.as_ref());
    let fact = ("altered".to_owned(), "1".to_owned());
    assert!(tried.all(|decision| decision.facts == [fact.clone()]));
}

// Negative control: with the last verdict of a set in place of the worst, this fails.
#[test]
fn p7_a_gate_behind_one_that_alters_judges_the_original() {
    let secret = "postgres://app:Harbor-Lantern-59@db-1:5432/shop";
    let rig = Rig::new(ONE)
        .node("echo", "conformance-echo", json!({}))
        .also("alters", "gate-hostile", b"alter");
    assert_eq!(rig.run(&[("word", secret)]).unwrap().exit, Exit::Denied);
    let attempt = rig.attempt("s");
    let mut ethical = attempt.gates.iter().filter(|one| one.gate == "ethical");
    assert!(ethical.any(|one| one.verdict == Verdict::Fail));
    let egress = attempt
        .gates
        .iter()
        .filter(|one| one.phase == Phase::Egress);
    let mut requests: Vec<Digest> = egress.map(|one| one.request).collect();
    requests.dedup();
    assert_eq!(requests.len(), 1, "all judged one request");
}

// Negative control: with the last verdict of a set in place of the worst, or with the result of the append ignored, this fails.
#[test]
fn p8_a_run_a_repeated_run_and_a_resumed_run_all_pass_the_gates() {
    let plan = format!("{ONE}  STEP t:\n    ASSIGN a: \"x\"\n    REQUIRES s\n");
    let rig = |codex: &str| {
        let mut rig = Rig::new(&plan).node("echo", "conformance-echo", json!({}));
        rig.gate("gate-hostile", codex.as_bytes().to_vec());
        rig
    };
    let run = rig("fail");
    assert_eq!(run.run(HELLO).unwrap().exit, Exit::Denied);
    assert_eq!(run.run(HELLO).unwrap().exit, Exit::Denied, "once more");
    let resumed = rig("fail");
    resumed
        .log
        .fail_append(2, aim_testkit::AppendFault::FailStop { kept_bytes: 0 });
    assert!(
        resumed.run(HELLO).is_err(),
        "the disk failed at the first witness"
    );
    assert_eq!(resumed.run(HELLO).unwrap().exit, Exit::Denied, "resumed");
    for rig in [&run, &resumed] {
        assert!(rig.attempts().iter().all(|attempt| !attempt.released));
        assert!(
            rig.attempts()
                .iter()
                .all(|attempt| attempt.host_calls.calls == 0)
        );
    }
}

// Negative control: with the codex left out of the lock, both attempts are of one run (seen).
#[test]
fn p10_a_changed_codex_or_changed_rules_are_another_question_and_judged_anew() {
    let mut rig = judged_by("pass");
    assert_eq!(rig.run(HELLO).unwrap().exit, Exit::Ok);
    rig.gate("gate-hostile", b"fail".to_vec());
    assert_eq!(rig.run(HELLO).unwrap().exit, Exit::Denied);
    let attempts = rig.attempts();
    assert_eq!(attempts.len(), 2);
    assert_ne!(attempts[0].run, attempts[1].run);
    assert_ne!(attempts[0].gates[2].codex, attempts[1].gates[2].codex);
    let before = judged_by("pass");
    let mut after = judged_by("pass");
    after.rules.floors.kappa_ppm = 1;
    let lock = |rig: &Rig| rig.admit().unwrap().lock().digest();
    assert_ne!(lock(&before), lock(&after));
}

// Negative control: without the comparison in `Gate::judged` the second run completes (seen).
#[test]
fn p10_a_codex_older_than_one_that_has_judged_in_the_log_denies() {
    let mut rig = judged_by("pass");
    rig.codex_version("1.2.0");
    assert_eq!(rig.run(HELLO).unwrap().exit, Exit::Ok);
    rig.gate("gate-hostile", b"pass and more".to_vec());
    rig.codex_version("1.1.0");
    assert_eq!(rig.run(HELLO).unwrap().exit, Exit::Denied);
    let last = rig.attempts().pop().unwrap();
    assert_eq!(last.verdict, Verdict::Error);
    let reasons: Vec<&String> = last.gates.iter().flat_map(|gate| &gate.reasons).collect();
    assert!(
        reasons.iter().any(|reason| reason.contains("AIM-G016")),
        "{reasons:?}"
    );
    rig.codex_version("1.2.0");
    assert_eq!(
        rig.run(HELLO).unwrap().exit,
        Exit::Ok,
        "the newer one again"
    );
}

/// What a step is told that asks the gates about an action, and what becomes of the step.
fn consulted(codex: &str) -> (Exit, AttemptPredicate, Option<String>) {
    let wants = ["context", "budget", "attest", "consult", "log"];
    let mut asks: Vec<serde_json::Value> = (wants.iter())
        .map(|name| json!({ "capability": name }))
        .collect();
    asks.push(json!({ "capability": "artifact", "modes": ["read", "put"] }));
    let mut rig = Rig::new(ONE).node("echo", "hostile", json!({ "asks": asks }));
    rig.gate("gate-hostile", codex.as_bytes().to_vec());
    let report = rig.run(&[("attack", "s5-host-errors")]).unwrap();
    let released = report.steps[0].released.as_ref();
    let said = released.map(|released| {
        let body: serde_json::Value = serde_json::from_slice(&released.emissions[0].body).unwrap();
        let said = body["said"].as_array().unwrap();
        said.last().unwrap().as_str().unwrap().to_owned()
    });
    (report.exit, rig.attempt("s"), said)
}

// Negative control: with `consult` answering `pass` whatever the gates say, the second part fails (seen).
#[test]
fn p8_asking_first_is_no_way_around_a_gate_and_no_answer_is_no_yes() {
    // A yes beforehand lets nothing out: the output is judged all the same.
    let (exit, attempt, said) = consulted("fail-egress");
    assert_eq!((exit, said), (Exit::Denied, None));
    assert!(attempt.host_calls.calls > 0, "it ran and asked");
    assert!(!attempt.released);
    let egress =
        |one: &&aim_core::gate::GateRecord| one.phase == Phase::Egress && one.gate == "ethical";
    let judged = attempt.gates.iter().find(egress).unwrap();
    assert_eq!(judged.verdict, Verdict::Fail);
    // An objection is told, and stands in the witness as a denied call.
    let denied = |attempt: &AttemptPredicate| attempt.host_calls.denials.len();
    let (_, yes, said_yes) = consulted("pass");
    let (exit, no, said_no) = consulted("fail-consult");
    assert_eq!(exit, Exit::Ok, "advice ends nothing");
    assert!(said_yes.unwrap().contains("Pass"));
    assert!(said_no.unwrap().contains("Fail"));
    assert_eq!(denied(&no), denied(&yes) + 1);
    // A gate that dies over the question has not agreed.
    let (exit, _, said) = consulted("trap-consult");
    let said = said.unwrap();
    assert_eq!(exit, Exit::Ok);
    assert!(said.starts_with("Err") && !said.contains("Pass"), "{said}");
}

/// Two steps, of which the first is done when the disk fails.
fn interrupted() -> Rig {
    let plan = format!("{ONE}  STEP t:\n    ASSIGN a: \"x\"\n    REQUIRES s\n");
    let mut rig = Rig::new(&plan).node("echo", "conformance-echo", json!({}));
    rig.gate("gate-hostile", b"pass".to_vec());
    rig.log
        .fail_append(3, aim_testkit::AppendFault::FailStop { kept_bytes: 0 });
    assert!(rig.run(HELLO).is_err());
    let done = rig.attempts();
    assert_eq!((done.len(), done[0].step.as_str()), (1, "s"));
    rig
}

// Negative control: with the codex left out of the lock, the run of the second row does not replay to what it was; with the
// policy left out, the last row goes on where the other policy had stopped (both seen).
#[test]
fn p10_what_an_interrupted_run_was_allowed_is_not_carried_over_to_another_codex_or_policy() {
    type Change<'a> = &'a dyn Fn(&mut Rig);
    let nothing: Change<'_> = &|_| {};
    let codex: Change<'_> = &|rig| rig.gate("gate-hostile", b"pass anew".to_vec());
    let stricter: Change<'_> = &|rig| rig.gate("gate-hostile", b"fail".to_vec());
    let policy: Change<'_> = &|rig| rig.policy = None;
    for (what, change, attempts, exit) in [
        ("nothing", nothing, 2, Exit::Ok),
        ("another codex", codex, 3, Exit::Ok),
        ("a stricter codex", stricter, 2, Exit::Denied),
        ("another policy", policy, 3, Exit::Ok),
    ] {
        let mut rig = interrupted();
        change(&mut rig);
        assert_eq!(rig.run(HELLO).unwrap().exit, exit, "{what}");
        let made = rig.attempts();
        assert_eq!(made.len(), attempts, "{what}");
        let is_new = what != "nothing";
        assert_eq!(made[0].run != made[1].run, is_new, "{what}");
        assert_eq!(made[1].step.as_str() == "s", is_new, "{what}");
        let by = |attempt: &AttemptPredicate| {
            let codex: Vec<_> = attempt.gates.iter().map(|gate| gate.codex).collect();
            (codex, attempt.grant.policy)
        };
        assert_eq!(by(&made[0]) != by(&made[1]), is_new, "{what}: on record");
        assert!(rig.verify().authenticated, "{what}");
    }
}

// Negative control: with the last verdict of a set in place of the worst, this fails.
#[test]
fn p11_sets_of_gates_give_the_verdict_of_the_worst_in_any_order() {
    let orders = [
        ["pass", "warn", "fail"],
        ["fail", "pass", "warn"],
        ["warn", "fail", "pass"],
        ["warn", "warn", "fail"],
    ];
    for words in orders {
        let mut rig = judged_by(words[0]);
        rig = rig
            .also("second", "gate-hostile", words[1].as_bytes())
            .also("third", "gate-hostile", words[2].as_bytes());
        let attempt = assert_denied_unrun(&rig, &words.join(" "));
        assert_eq!(attempt.verdict, Verdict::Fail);
        assert_eq!(attempt.gates.len(), 5, "schema, policy and three gates");
    }
    let rig = judged_by("pass").also("second", "gate-hostile", b"warn");
    assert_eq!(rig.run(HELLO).unwrap().exit, Exit::Ok);
    assert_eq!(rig.attempt("s").verdict, Verdict::Warn);
}

/// Passes after a pause, and counts nothing.
#[derive(Debug)]
struct Slow;

#[async_trait::async_trait]
impl Judge for Slow {
    async fn judge(&self, _request: &GateRequest) -> Result<Decision, String> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(Decision {
            axioms_hit: vec![],
            codex_digest: String::new(),
            codex_version: String::new(),
            doubt: Doubt::default(),
            ethical_score: 1_000_000,
            facts: vec![],
            futures: vec![],
            quip: None,
            reasons: vec![],
            verdict: Verdict::Pass,
        })
    }
}

fn request() -> GateRequest {
    GateRequest {
        phase: Phase::Egress,
        plan: "p".to_owned(),
        step: "s".to_owned(),
        role: "r".to_owned(),
        effects: vec![],
        items: vec![],
        impact: None,
        doubt: None,
        quip: None,
        prior: None,
        context: vec![],
    }
}

// Negative control: with the bound taken out of `Turnstile::enter`, all hundred pass.
#[test]
fn p16_a_flood_of_requests_is_denied_beyond_the_bound_of_the_queue() {
    let digest = Digest::of(b"x");
    let pins = RunPins {
        plan: digest,
        lock: digest,
        inputs: digest,
        tenant: "t",
        seed: 0,
    };
    let scope = Scope {
        history: Arc::new(GateHistory::default()),
        run: RunId::of(&pins),
        step: StepName::parse("s").unwrap(),
        turnstile: Turnstile::new(1, 4),
    };
    let gates = Arc::new([Gate {
        id: "slow".to_owned(),
        component: None,
        codex: None,
        codex_version: None,
        floors: Floors::default(),
        judge: Arc::new(Slow),
    }]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let verdicts = runtime.block_on(async {
        let asked: Vec<_> = (0..100)
            .map(|_| {
                let (gates, scope) = (Arc::clone(&gates), scope.clone());
                tokio::spawn(async move { ask_all(&*gates, request(), digest, &scope).await })
            })
            .collect();
        let mut verdicts = Vec::new();
        for one in asked {
            verdicts.push(one.await.unwrap()[0].verdict);
        }
        verdicts
    });
    let passed = verdicts
        .iter()
        .filter(|verdict| **verdict == Verdict::Pass)
        .count();
    let denied = verdicts
        .iter()
        .filter(|verdict| **verdict == Verdict::Error)
        .count();
    assert_eq!(
        (passed, denied),
        (5, 95),
        "one judged, four waited, the rest was turned away"
    );
}

// Two protections stand behind one another: the world has no place for the log, and a gate is granted its codex alone. Negative
// control: with `World::allows` always true the refusal is another one, AIM-A001, and this fails (taken). The
// twin: without the import, the same gate is admitted by every other test here.
#[test]
fn p17_a_gate_that_imports_anything_but_its_codex_is_refused_at_load() {
    let mut rig = judged_by("pass");
    rig.gate("gate-leaky", b"pass".to_vec());
    let Err(AdmissionError::Refused(refused)) = rig.admit() else {
        panic!("a gate with an import was admitted");
    };
    let reasons = refused[0].reasons.iter();
    let found: Vec<(&str, &str)> = reasons
        .map(|reason| (reason.code, reason.message.as_str()))
        .collect();
    let is_of_the_world = |(code, message): &(&str, &str)| {
        *code == "AIM-A008" && message.starts_with("`aim:log/log@")
    };
    assert!(found.iter().any(is_of_the_world), "{found:?}");
}

// Negative control: see `aim_trust::codex`; with a codex admitted that is not the one that was signed, this fails.
#[test]
fn a_codex_that_nobody_vouches_for_admits_nothing() {
    let document = codex();
    let foreign = aim_trust::key::SecretKey::from_bytes(aim_trust::key::KeyRole::Gate, &[9; 32]);
    let version = aim_core::gate::CodexVersion::parse("1.0.0").unwrap();
    let foreign = aim_trust::codex::sign(&document, version, &foreign).into_bytes();
    let changed = aim_trust::codex::sign(b"{}", version, &gate_key()).into_bytes();
    for (signature, code) in [
        (None, "AIM-G010"),
        (Some(foreign), "AIM-G013"),
        (Some(changed), "AIM-G014"),
    ] {
        let mut rig = judged_by("pass");
        rig.codex(SignedCodex {
            document: document.clone(),
            signature,
        });
        assert_eq!(rig.admit().unwrap_err().code(), code);
    }
}

/// Whole score of the hostile gate: what it is told to say.
fn scored(score: u32) -> Rig {
    judged_by(&format!("score {score}"))
}

#[test]
fn a_score_below_the_operators_floor_waits_for_a_person_whatever_the_gate_says() {
    let mut rig = scored(599_999);
    rig.rules.floors.kappa_ppm = 600_000;
    assert_eq!(rig.run(HELLO).unwrap().exit, Exit::Waiting);
    let attempt = rig.attempt("s");
    assert_eq!(
        (attempt.verdict, attempt.disposition),
        (Verdict::Abstain, Disposition::Escalate)
    );
    let mut rig = scored(600_000);
    rig.rules.floors.kappa_ppm = 600_000;
    rig.rules.floors.review_below_ppm = 700_000;
    assert_eq!(rig.run(HELLO).unwrap().exit, Exit::Ok);
    assert_eq!(rig.attempt("s").verdict, Verdict::Warn);
}

// Negative control: with `GateHistory::of` reading nothing, the fact is `none` the second time too.
#[test]
fn a_gate_is_told_its_last_verdict_in_the_same_scope_and_needs_more_to_get_out_of_doubt() {
    let rig = judged_by("prior");
    let facts = |rig: &Rig| -> Vec<String> {
        rig.run(HELLO).unwrap();
        let last = rig.attempts().pop().unwrap();
        let decisions = last.gates.iter().filter_map(|gate| gate.decision.as_ref());
        decisions
            .map(|decision| decision.facts[0].1.clone())
            .collect()
    };
    assert_eq!(
        facts(&rig),
        ["none", "none"],
        "ingress and egress, asked for the first time"
    );
    assert_eq!(
        facts(&rig),
        ["pass", "pass"],
        "another execution of the same run, after a restart"
    );
    let mut doubtful = scored(599_999);
    doubtful.rules.floors = Floors {
        hysteresis_ppm: 50_000,
        kappa_ppm: 600_000,
        review_below_ppm: 0,
    };
    assert_eq!(doubtful.run(HELLO).unwrap().exit, Exit::Waiting);
    let record = |rig: &Rig| rig.attempts().pop().unwrap().gates.pop().unwrap();
    assert_eq!(record(&doubtful).prior, None);
    // A person's yes has the step tried again; the gate still doubts, and what it judged may pass.
    doubtful.answer("yes");
    doubtful.run(HELLO).unwrap();
    let attempt = &doubtful.attempts()[1];
    let again = attempt
        .gates
        .iter()
        .find(|gate| gate.gate == "ethical")
        .unwrap();
    assert_eq!(again.verdict, Verdict::Warn);
    assert_eq!(again.prior, Some(Verdict::Abstain));
    assert!(
        again.reasons.iter().any(|reason| reason.contains("650000")),
        "{:?}",
        again.reasons
    );
}

// Negative control: with `history.note` left out of `run_attempt`, every try is told `none`.
#[test]
fn a_gate_is_told_its_last_verdict_at_the_next_try_of_the_same_execution() {
    let mut rig = judged_by("prior");
    let mut parts = rig.plan.clone().into_parts();
    let clause = Clause::parse("output.word.size_bytes > 100").unwrap();
    let name = StepName::parse("long").unwrap();
    parts.steps[0]
        .gates
        .push(plan::Gate::over(name, clause, Action::Retry));
    parts.steps[0].retries = Some(Retries {
        base_ms: 1,
        factor_percent: 100,
        jitter_percent: 0,
        max_attempts: 2,
        max_ms: 1,
        repeats_effects: false,
    });
    rig.plan = Plan::check(parts).unwrap();
    rig.run(HELLO).unwrap();
    let told: Vec<Vec<String>> = (rig.attempts().iter())
        .map(|attempt| {
            let decisions = attempt
                .gates
                .iter()
                .filter_map(|gate| gate.decision.as_ref());
            decisions.map(|one| one.facts[0].1.clone()).collect()
        })
        .collect();
    assert_eq!(told, [["none", "none"], ["pass", "pass"]]);
}

fn composite(low_ppm: u32, mid_ppm: u32, high_ppm: u32) -> GateRules {
    let borders = Borders {
        low_ppm,
        mid_ppm,
        high_ppm,
        hysteresis_ppm: 0,
    };
    let weights = Weights {
        budget: 0,
        context: 0,
        policy: 1_000_000,
        retrieval: 0,
        uncertainty: 0,
    };
    GateRules {
        composite: Some(CompositeRule::new(borders, weights).unwrap()),
        ..GateRules::default()
    }
}

#[test]
fn the_composite_of_all_risks_decides_how_a_step_goes_on_and_is_recorded() {
    // The gate's score is 0.6, so the risk is 0.4.
    let rows = [
        (
            composite(400_000, 500_000, 600_000),
            KappaOutcome::Proceed,
            Exit::Ok,
        ),
        (
            composite(300_000, 400_000, 600_000),
            KappaOutcome::Degrade,
            Exit::Ok,
        ),
        (
            composite(100_000, 200_000, 400_000),
            KappaOutcome::Reroute,
            Exit::Abstained,
        ),
        (
            composite(100_000, 200_000, 300_000),
            KappaOutcome::Hitl,
            Exit::Waiting,
        ),
    ];
    for (rules, outcome, exit) in rows {
        let mut rig = scored(600_000);
        let digest = rules.composite.as_ref().unwrap().digest();
        rig.rules = rules;
        assert_eq!(rig.run(HELLO).unwrap().exit, exit, "{outcome:?}");
        let attempt = rig.attempt("s");
        let record = attempt.composite.unwrap();
        assert_eq!(
            (record.outcome, record.risk_ppm, record.policy),
            (outcome, 400_000, digest)
        );
        assert_eq!(attempt.disposition, outcome.disposition());
    }
}

#[test]
fn an_axiom_aborts_whatever_the_composite_of_risks_says() {
    let secret = "postgres://app:Harbor-Lantern-59@db-1:5432/shop";
    let mut rig = Rig::new(ONE).node("echo", "conformance-echo", json!({}));
    rig.rules = composite(900_000, 950_000, 990_000);
    rig.rules.is_quarantining = true;
    let report = rig.run(&[("word", secret)]).unwrap();
    assert_eq!(report.exit, Exit::Denied);
    let attempt = rig.attempt("s");
    assert_eq!(attempt.composite.unwrap().outcome, KappaOutcome::Abort);
    assert_eq!(
        attempt.disposition,
        Disposition::Abort,
        "and nothing is kept aside"
    );
    let stored = rig
        .ledger()
        .blob(&rig.log.reader(), attempt.outputs[0].body)
        .unwrap();
    assert_eq!(stored, None);
}

// Negative control: with `submission` keeping outputs of released attempts only, the small output isn't there; with `is_kept`
// answering so, the large one; with either keeping all, what isn't to be kept is there (all seen).
#[test]
fn what_people_may_release_is_kept_aside_and_not_released() {
    let mut rig = scored(100_000);
    // Held by the composite, on the way out: a floor would hold the envelope before the guest ran.
    rig.rules.composite = composite(100_000, 200_000, 300_000).composite;
    rig.rules.is_quarantining = true;
    let report = rig.run(HELLO).unwrap();
    assert_ne!(report.exit, Exit::Ok);
    assert_ne!(report.steps[0].state, StepState::Completed);
    let attempt = rig.attempt("s");
    assert_eq!(
        (attempt.disposition, attempt.released),
        (Disposition::Quarantine, false)
    );
    let kept = rig
        .ledger()
        .blob(&rig.log.reader(), attempt.outputs[0].body)
        .unwrap();
    assert!(kept.is_some(), "the bytes are kept under their digest");
    assert!(rig.verify().authenticated);
    // As much as is given in the envelope itself, so that the echo of it is more than the log takes.
    let large = "x".repeat(64 * 1024);
    rig.run(&[("word", &large)]).unwrap();
    let body = rig.attempts().pop().unwrap().outputs[0].body;
    assert!(
        rig.store.digests().contains(&body),
        "too large for the log, and kept all the same"
    );
    let mut without = scored(100_000);
    without.rules = GateRules {
        is_quarantining: false,
        ..rig.rules.clone()
    };
    without.run(HELLO).unwrap();
    let dropped = without.attempt("s");
    let stored = without
        .ledger()
        .blob(&without.log.reader(), dropped.outputs[0].body)
        .unwrap();
    assert_eq!(stored, None, "without quarantine only the digest is left");
}
