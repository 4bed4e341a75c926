//! Immediate effects through the whole host: judged, intent, done, outcome, witness; and what a restart makes of them.
//!
//! INVARIANT: what the other side saw is counted, and every log verifies at the end of its case.

use std::sync::Arc;

use aim_core::{
    effect::EffectEnd,
    frame::FrameBody,
    http::HttpResponse,
    name::StepName,
    outcome::{Abstention, Exit, Failure, LimitKind, Outcome, Trap},
    plan::{Plan, PlanBudget, PlanParts, PoolPolicy, SoftBackoff, SoftBudget, StepId},
    pool::Prices,
    secret::Secret,
    stateflow::State,
    verdict::Verdict,
    witness::StepState,
};
use aim_ports::http::{HttpCall, HttpFault, HttpFaultKind, HttpStage};
use aim_runtime::admission::AdmissionError;
use aim_runtime::outside::{Outside, SecretBinding, SecretBook};
use aim_testkit::{AppendFault, TestHttp};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::rig::Rig;

const PLAN: &str = r#"
PLAN calls v1.0:
  QUIP "Nobody ever regretted a letter that was not sent."
  ROLE a: custom(node="http")
  STEP one:
    ASSIGN a: "send it"
    BUDGET tokens=1, time=30s, tools=1
"#;

const CANARY: &str = "canary-0123456789";

fn asks() -> Value {
    json!([
        { "capability": "http", "modes": ["request"], "scope": ["POST https://api.example:443/v1/"] },
        { "capability": "secrets", "scope": ["api-token"] },
    ])
}

fn rig(http: &TestHttp, more: Value) -> Rig {
    let mut fields = json!({ "asks": asks(), "adapt": "std-0.2.12" });
    fields
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let mut rig = Rig::new(PLAN).node("http", "conformance-http", fields);
    let secret = Secret::parse(Zeroizing::new(CANARY.as_bytes().to_vec())).unwrap();
    let binding = SecretBinding {
        secret,
        endpoints: ["https://api.example:443".to_owned()].into(),
        headers: ["authorization".to_owned()].into(),
    };
    let book = SecretBook([("api-token".to_owned(), binding)].into());
    rig.outside = Outside::new(Some(Arc::new(http.clone())), book, 2);
    rig
}

fn post(more: Value) -> String {
    let mut request = json!({
        "method": "POST", "scheme": "https", "authority": "api.example", "path": "/v1/pay", "body": "one coin",
    });
    request
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    request.to_string()
}

fn hello() -> TestHttp {
    TestHttp::new(|_: &HttpCall| {
        Ok(HttpResponse {
            status: 201,
            headers: vec![],
            body: b"paid".to_vec(),
        })
    })
}

fn fails(kind: HttpFaultKind, stage: HttpStage) -> TestHttp {
    TestHttp::new(move |_: &HttpCall| Err(HttpFault { kind, stage }))
}

/// Kinds of the frames about effects, in order.
fn frames(rig: &Rig) -> Vec<&'static str> {
    let bytes = rig.log.bytes();
    let mut found = Vec::new();
    for block in aim_core::frame::scan(&bytes, aim_core::frame::ChainPosition::START) {
        for frame in block.unwrap().frames() {
            match frame.body {
                FrameBody::Intent(_) => found.push("intent"),
                FrameBody::EffectOutcome(_) => found.push("outcome"),
                FrameBody::Witness(_) => found.push("witness"),
                _ => {}
            }
        }
    }
    found
}

#[test]
fn an_effect_has_its_intent_before_it_and_its_outcome_before_the_witness_that_lists_both() {
    let http = hello();
    let rig = rig(&http, json!({}));
    let report = rig.run(&[("request", &post(json!({})))]).unwrap();
    assert_eq!(report.exit, Exit::Ok);
    assert_eq!(
        frames(&rig),
        ["witness", "intent", "outcome", "witness", "witness"]
    );
    let attempt = rig.attempt("one");
    let [effect] = attempt.effects.as_slice() else {
        panic!("{:?}", attempt.effects);
    };
    assert_eq!((effect.end, effect.tries), (EffectEnd::Done, 1));
    assert_eq!(effect.target, "POST https://api.example:443/v1/pay");
    let judged: Vec<&str> = effect.gates.iter().map(|gate| gate.gate.as_str()).collect();
    assert_eq!(judged, ["grant", "ethical"]);
    let sent = http.sent();
    assert_eq!(sent.len(), 1);
    assert!(
        sent[0].judge.is_none(),
        "a policy that reads no address is not asked about one"
    );
    let key = sent[0]
        .headers
        .iter()
        .find(|(name, _)| name == "idempotency-key");
    assert_eq!(key.unwrap().1.expose(), effect.key.to_string().as_bytes());
    assert_eq!(attempt.host_calls.calls, 1);
    let verified = rig.verify();
    assert!(verified.authenticated, "{:?}", verified.faults);
}

// Negative control: with the look at the verdict taken out of `Inner::act`, the request is sent and this fails.
#[test]
fn a_gate_that_objects_in_phase_effect_keeps_the_request_at_home() {
    let http = hello();
    let mut rig = rig(&http, json!({}));
    rig.gate("gate-hostile", b"fail-effect".to_vec());
    rig.run(&[("request", &post(json!({})))]).unwrap();
    assert!(http.sent().is_empty());
    let attempt = rig.attempt("one");
    let effect = &attempt.effects[0];
    assert_eq!((effect.end, effect.intent), (EffectEnd::Denied, None));
    assert_eq!(effect.fault.as_deref(), Some("gate ethical"));
    assert_eq!(effect.gates[1].phase, aim_core::gate::Phase::Effect);
    assert_eq!(attempt.host_calls.denials.len(), 1);
    assert!(rig.verify().authenticated);
}

#[test]
fn a_secret_reaches_the_endpoint_that_it_is_bound_to_and_nothing_that_is_kept() {
    let http = hello();
    let rig = rig(&http, json!({}));
    let request = post(json!({ "secret": ["authorization", "Bearer ", "api-token"] }));
    assert_eq!(rig.run(&[("request", &request)]).unwrap().exit, Exit::Ok);
    let sent = http.sent();
    let (_, value) = sent[0]
        .headers
        .iter()
        .find(|(name, _)| name == "authorization")
        .unwrap();
    assert_eq!(value.expose(), format!("Bearer {CANARY}").as_bytes());
    let bytes = rig.log.bytes();
    assert!(!has(&bytes, CANARY), "the log holds the secret");
    assert!(has(&bytes, "{{secret:api-token}}") || has(&bytes, "api-token"));
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

// Negative control: with `is_echoed` answering no, the log holds the secret and this fails.
#[test]
fn s3_an_answer_that_echoes_the_secret_is_withheld_and_kept_nowhere() {
    for echo in [
        CANARY.to_owned(),
        "Y2FuYXJ5LTAxMjM0NTY3ODk".to_owned(),
        "63616e6172792d30313233343536373839".to_owned(),
        "c&#97;nary-0123456789".to_owned(),
        "canary%2D0123456789".to_owned(),
        "compressed".to_owned(),
    ] {
        let body = format!("you sent {echo}");
        let how = if echo == "compressed" {
            "gzip"
        } else {
            "identity"
        };
        let http = TestHttp::new(move |_: &HttpCall| {
            Ok(HttpResponse {
                status: 200,
                headers: vec![("content-encoding".to_owned(), how.into())],
                body: body.clone().into_bytes(),
            })
        });
        let rig = rig(&http, json!({}));
        let request = post(json!({ "secret": ["authorization", "", "api-token"] }));
        assert_eq!(rig.run(&[("request", &request)]).unwrap().exit, Exit::Ok);
        let attempt = rig.attempt("one");
        assert_eq!(attempt.effects[0].fault.as_deref(), Some("answer-withheld"));
        assert_eq!(attempt.effects[0].end, EffectEnd::Done);
        let bytes = rig.log.bytes();
        assert!(!has(&bytes, &echo), "{echo}");
        assert!(rig.verify().authenticated);
    }
}

/// One way in which a request with a secret can fail.
struct Failing {
    name: &'static str,
    http: TestHttp,
    /// What the contract says besides.
    contract: Value,
    /// What the request says besides.
    request: Value,
    gate: Option<&'static [u8]>,
    /// Where it matters that the secret was out before the step ended, how it must end.
    ends: Option<Outcome>,
}

fn of(name: &'static str, http: TestHttp) -> Failing {
    Failing {
        name,
        http,
        contract: json!({}),
        request: json!({}),
        gate: None,
        ends: None,
    }
}

/// Steps that end badly once the secret was sent.
fn ending() -> [Failing; 3] {
    let row = |name, fails: &str, contract, outcome| Failing {
        request: json!({ "fail": fails }),
        contract,
        ends: Some(outcome),
        ..of(name, hello())
    };
    let limits = |fuel: u64, deadline_ms: u64| json!({ "limits": { "fuel_max": fuel, "deadline_ms_max": deadline_ms } });
    [
        row(
            "trap",
            "trap",
            json!({}),
            Outcome::Trapped(Trap::Unreachable),
        ),
        row(
            "no end",
            "spin",
            limits(100_000_000, 600_000),
            Outcome::Limit(LimitKind::Fuel),
        ),
        row(
            "too late",
            "spin",
            // Late enough for the request before it, on any machine.
            limits(1_000_000_000_000, 4_000),
            Outcome::Limit(LimitKind::Deadline),
        ),
    ]
}

fn failing() -> Vec<Failing> {
    let kinds = [
        ("name", HttpFaultKind::Name, HttpStage::NotSent),
        ("address", HttpFaultKind::Address, HttpStage::NotSent),
        ("denied", HttpFaultKind::Denied, HttpStage::NotSent),
        ("refused", HttpFaultKind::Refused, HttpStage::NotSent),
        (
            "slow dial",
            HttpFaultKind::ConnectTimeout,
            HttpStage::NotSent,
        ),
        (
            "certificate",
            HttpFaultKind::Certificate,
            HttpStage::NotSent,
        ),
        ("tls", HttpFaultKind::Tls, HttpStage::NotSent),
        ("cut", HttpFaultKind::Cut, HttpStage::Sent),
        ("protocol", HttpFaultKind::Protocol, HttpStage::Sent),
        ("timeout", HttpFaultKind::Timeout, HttpStage::Sent),
        ("head", HttpFaultKind::HeadSize, HttpStage::Sent),
        ("body", HttpFaultKind::BodySize, HttpStage::Answered),
        ("cut answer", HttpFaultKind::Cut, HttpStage::Answered),
        (
            "unsupported",
            HttpFaultKind::Unsupported,
            HttpStage::NotSent,
        ),
    ];
    let mut all: Vec<Failing> = kinds
        .map(|(name, kind, stage)| of(name, fails(kind, stage)))
        .into();
    all.push(Failing {
        request: json!({ "path": "/v2/pay" }),
        ..of("target", hello())
    });
    all.push(Failing {
        request: json!({ "secret": ["x-debug", "", "api-token"] }),
        ..of("header", hello())
    });
    all.push(Failing {
        gate: Some(b"fail-effect"),
        ..of("gate", hello())
    });
    all.push(Failing {
        request: json!({ "fail": "transient" }),
        ..of("failing step", hello())
    });
    all.extend(ending());
    all.push(Failing {
        contract: json!({ "limits": { "effect_bytes_max": 150 } }),
        ..of("limit", hello())
    });
    all.push(of(
        "panicking client",
        TestHttp::new(|_: &HttpCall| panic!("a bug")),
    ));
    all
}

// Negative control: with the filled headers written into the intent's target, the first row that sends anything fails (seen).
// What the guest wrote holds no secret: its headers written there leave this green.
#[test]
fn s3_the_canary_is_in_no_error_no_log_no_transcript_and_no_debug_form_whatever_goes_wrong() {
    for one in failing() {
        let name = one.name;
        let mut rig = rig(&one.http, one.contract);
        if let Some(gate) = one.gate {
            rig.gate("gate-hostile", gate.to_vec());
        }
        let mut fields = json!({ "secret": ["authorization", "Bearer ", "api-token"] });
        fields
            .as_object_mut()
            .unwrap()
            .extend(one.request.as_object().unwrap().clone());
        let report = rig.run(&[("request", &post(fields))]);
        let attempts = rig.attempts();
        assert!(!attempts.is_empty(), "{name}: there is a witness");
        if let Some(ends) = one.ends {
            assert_eq!(attempts[0].outcome, ends, "{name}");
            assert_eq!(one.http.sent().len(), 1, "{name}: the secret was out");
        }
        let shown = format!(
            "{report:?} {attempts:?} {:?} {:?} {:?}",
            rig.outside,
            one.http.sent(),
            rig.verify()
        );
        let known = Secret::parse(Zeroizing::new(CANARY.as_bytes().to_vec())).unwrap();
        assert!(!known.appears_in(shown.as_bytes()), "{name}: {shown}");
        assert!(!known.appears_in(&rig.log.bytes()), "{name}: the log");
        if let Ok(report) = &report {
            for released in report
                .steps
                .iter()
                .filter_map(|step| step.released.as_ref())
            {
                for emission in &released.emissions {
                    assert!(!known.appears_in(&emission.body), "{name}: the output");
                }
            }
        }
    }
}

#[test]
fn a_secret_for_another_header_is_denied_before_any_gate_sees_it() {
    let http = hello();
    let rig = rig(&http, json!({}));
    let request = post(json!({ "secret": ["x-debug", "", "api-token"] }));
    assert_eq!(rig.run(&[("request", &request)]).unwrap().exit, Exit::Ok);
    assert!(http.sent().is_empty());
    let attempt = rig.attempt("one");
    let effect = &attempt.effects[0];
    assert_eq!(effect.end, EffectEnd::Denied);
    assert_eq!(effect.fault.as_deref(), Some("secrets.header"));
    assert_eq!(effect.gates.len(), 1);
    assert_eq!(effect.gates[0].verdict, Verdict::Fail);
    assert_eq!(frames(&rig), ["witness", "witness", "witness"], "no intent");
    assert_eq!(attempt.host_calls.denials.len(), 1);
}

// Negative control: with `settle` left out of `finish`, the outcome stays failed(transient) and this fails.
#[test]
fn an_unknown_end_in_an_attempt_that_fails_makes_it_indeterminate() {
    let cut = fails(HttpFaultKind::Cut, HttpStage::Sent);
    let failing = post(json!({ "fail": "transient" }));
    let once = rig(&cut, json!({ "retry": { "attempts_max": 3 } }));
    let report = once.run(&[("request", &failing)]).unwrap();
    assert_eq!(report.exit, Exit::Waiting);
    assert_eq!(once.attempt("one").outcome, Outcome::Indeterminate(0));
    assert_eq!(cut.sent().len(), 1, "not tried again");
    assert!(once.verify().authenticated);
    let cut = fails(HttpFaultKind::Cut, HttpStage::Sent);
    let again = rig(
        &cut,
        json!({ "idempotent": true, "retry": { "attempts_max": 3 } }),
    );
    again.run(&[("request", &failing)]).unwrap();
    assert_eq!(cut.sent().len(), 3, "twice is the same as once");
}

#[test]
fn a_transient_failure_after_a_done_effect_is_final_unless_twice_is_the_same() {
    let failing = post(json!({ "fail": "transient" }));
    let http = hello();
    let once = rig(&http, json!({ "retry": { "attempts_max": 3 } }));
    once.run(&[("request", &failing)]).unwrap();
    assert_eq!(http.sent().len(), 1);
    let attempt = once.attempt("one");
    assert_eq!(attempt.outcome, Outcome::Failed(Failure::Permanent));
    assert_eq!(attempt.fault.unwrap().code, "AIM-N021");
    let http = fails(HttpFaultKind::Address, HttpStage::NotSent);
    let free = rig(&http, json!({ "retry": { "attempts_max": 3 } }));
    free.run(&[("request", &failing)]).unwrap();
    assert_eq!(
        http.sent().len(),
        3,
        "what was certainly not done may be tried again"
    );
}

/// Runs once with a host whose sync fails at `append`: 2 is the intent, 3 the outcome, 4 the witness.
fn crash_at(rig: &Rig, append: u64, request: &str) {
    let fault = AppendFault::FailStop { kept_bytes: 0 };
    rig.log.fail_append(append, fault);
    assert!(rig.run(&[("request", request)]).is_err(), "the host stops");
}

// Negative control: with `stuck` answering none, the request is sent a second time and this fails.
#[test]
fn after_a_crash_between_intent_and_outcome_the_request_is_not_sent_again() {
    let http = hello();
    let rig = rig(&http, json!({}));
    let request = post(json!({}));
    crash_at(&rig, 3, &request);
    let report = rig.run(&[("request", &request)]).unwrap();
    assert_eq!(report.exit, Exit::Waiting);
    assert_eq!(http.sent().len(), 1);
    let attempt = rig.attempt("one");
    assert_eq!(attempt.outcome, Outcome::Indeterminate(0));
    assert_eq!(attempt.effects[0].end, EffectEnd::Unknown);
    assert_eq!(attempt.fault.unwrap().code, "AIM-N020");
    assert_eq!(rig.standings(), ["not-run"], "indeterminate");
    assert_eq!(http.sent().len(), 1, "a replay sends nothing");
    let verified = rig.verify();
    assert_eq!(verified.fault_count, 0, "{:?}", verified.faults);
}

#[test]
fn an_idempotent_contract_repeats_what_is_open_with_the_same_key() {
    let http = hello();
    let rig = rig(&http, json!({ "idempotent": true }));
    let request = post(json!({}));
    crash_at(&rig, 3, &request);
    let report = rig.run(&[("request", &request)]).unwrap();
    assert_eq!(report.exit, Exit::Ok);
    let keys: Vec<Vec<u8>> = http
        .sent()
        .iter()
        .map(|call| {
            let key = call
                .headers
                .iter()
                .find(|(name, _)| name == "idempotency-key");
            key.unwrap().1.expose().to_vec()
        })
        .collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    assert_eq!(rig.attempt("one").effects[0].tries, 2);
    let verified = rig.verify();
    assert_eq!(verified.fault_count, 0, "{:?}", verified.faults);
}

#[test]
fn after_a_crash_behind_the_outcome_the_answer_is_recalled_and_not_asked_for_again() {
    let http = hello();
    let rig = rig(&http, json!({}));
    let request = post(json!({}));
    crash_at(&rig, 4, &request);
    let report = rig.run(&[("request", &request)]).unwrap();
    assert_eq!(report.exit, Exit::Ok);
    assert_eq!(http.sent().len(), 1, "the answer is in the log");
    assert_eq!(rig.standings(), ["equal"], "killed behind the outcome");
    let released = report.steps[0].released.as_ref().unwrap();
    let body: Value = serde_json::from_slice(&released.emissions[0].body).unwrap();
    assert_eq!(body[0]["body"], "paid");
    let verified = rig.verify();
    assert_eq!(verified.fault_count, 0, "{:?}", verified.faults);
}

/// Negative control: with `charge_budget` left out of `pay_call`, all three are sent and this fails (seen).
#[test]
fn a_call_past_the_plans_budget_is_not_made_and_ends_the_step() {
    let three = Value::Array(vec![serde_json::from_str(&post(json!({}))).unwrap(); 3]);
    let prices = Prices {
        http: 400,
        ..Prices::default()
    };
    for (tools, cost_micros, sent, kind) in [
        (2, None, 2, Some(LimitKind::Tools)),
        (9, Some(900), 2, Some(LimitKind::Cost)),
        (3, Some(1_200), 3, None),
    ] {
        let http = hello();
        let mut rig = rig(&http, json!({}));
        rig.outside = rig.outside.clone().priced(prices);
        let mut parts = rig.plan.clone().into_parts();
        parts.steps[0].budget.tools = tools;
        parts.steps[0].budget.cost_micros = cost_micros;
        rig.plan = Plan::check(parts).unwrap();
        let report = rig.run(&[("request", &three.to_string())]).unwrap();
        assert_eq!(http.sent().len(), sent, "{kind:?}");
        let attempt = rig.attempt("one");
        let used = |name: &str| {
            let found = attempt.budgets.iter().find(|one| one.name == name);
            found.map(|one| one.used)
        };
        let calls = u64::try_from(sent).unwrap();
        assert_eq!(used("tools"), Some(calls), "{kind:?}");
        assert_eq!(used("cost_micros"), Some(calls * 400), "{kind:?}");
        match kind {
            None => assert_eq!(report.exit, Exit::Ok),
            Some(kind) => {
                assert_eq!(report.exit, Exit::Limit);
                assert_eq!(attempt.outcome, Outcome::Limit(kind));
                assert_eq!(attempt.fault.as_ref().unwrap().code, "ACL-R101");
                assert_eq!(report.steps[0].state, StepState::Abstained);
            }
        }
        assert_eq!(rig.standings(), ["equal"], "out of budget: {kind:?}");
        assert!(rig.verify().authenticated);
    }
}

/// A step that fails after its call and may do it again: each try makes one call.
fn trying_thrice(http: &TestHttp, change: impl FnOnce(&mut PlanParts)) -> Rig {
    let more = json!({ "idempotent": true, "retry": { "attempts_max": 3 } });
    let mut rig = rig(http, more);
    let mut parts = rig.plan.clone().into_parts();
    change(&mut parts);
    rig.plan = Plan::check(parts).unwrap();
    rig
}

/// Negative control: with nothing given back by `give_back`, the second try has nothing to spend; with all of it given back,
/// the third has something: this fails either way (seen).
#[test]
fn what_earlier_tries_have_used_of_the_plans_pool_is_gone_for_later_ones() {
    let failing = post(json!({ "fail": "transient" }));
    for pool in [PoolPolicy::Greedy, PoolPolicy::Fair, PoolPolicy::Adaptive] {
        let http = hello();
        let rig = trying_thrice(&http, |parts| {
            // More than one try uses, so that there is something to give back.
            parts.steps[0].budget.tools = 2;
            parts.budget = Some(PlanBudget {
                tools: Some(2),
                pool,
                ..PlanBudget::default()
            });
        });
        let report = rig.run(&[("request", &failing)]).unwrap();
        assert_eq!(http.sent().len(), 2, "{pool:?}");
        let attempts = rig.attempts();
        let last = attempts.last().unwrap();
        assert_eq!(attempts.len(), 3, "{pool:?}: the third has its witness");
        assert_eq!(last.outcome, Outcome::Abstained(Abstention::Budget));
        assert_eq!(last.fault.as_ref().unwrap().code, "ACL-R101");
        assert_eq!(last.host_calls.calls, 0);
        assert_eq!(report.exit, Exit::Abstained);
        assert!(rig.verify().authenticated);
    }
}

/// Negative control: with `check_soft` left out of `follow`, there is no event and this fails (seen).
#[test]
fn past_a_soft_mark_a_smaller_model_goes_on_and_there_is_an_event() {
    let failing = post(json!({ "fail": "transient" }));
    let http = hello();
    let rig = trying_thrice(&http, |parts| {
        let step = &mut parts.steps[0];
        step.budget.tools = 3;
        step.budget.soft = Some(SoftBudget {
            backoff: SoftBackoff::RouteSmallerModel,
            cost_micros: None,
            time_ms: None,
            tokens: None,
            tools: Some(1),
        });
        let mut spare = step.clone();
        spare.budget.soft = None;
        spare.name = StepName::parse("small").unwrap();
        spare.id = StepId::new(2);
        (spare.is_standby, spare.is_required) = (true, false);
        step.fallback = Some(spare.name.clone());
        parts.steps.push(spare);
    });
    rig.run(&[("request", &failing)]).unwrap();
    let attempts = rig.attempts();
    let tries = |step: &str| {
        let own = attempts.iter().filter(|one| one.step.as_str() == step);
        own.count()
    };
    assert_eq!((tries("one"), tries("small")), (2, 3));
    let events = rig.ledger().events().into_iter();
    let crossed: Vec<_> = events
        .filter(|event| event.event_type == "budget.soft_exceeded")
        .collect();
    assert_eq!(crossed.len(), 1, "once, when it is crossed");
    assert!(crossed[0].attributes["says"].contains("2 of tools used, the soft mark is 1"));
}

/// The request takes longer than the step may execute. Negative control: with `late` left out of `run_attempt`, the
/// attempt counts as cut off by an interruption (seen).
#[test]
fn a_step_that_executes_for_longer_than_the_table_allows_is_stopped() {
    let http = TestHttp::new(|_: &HttpCall| {
        std::thread::sleep(std::time::Duration::from_secs(3));
        Ok(HttpResponse {
            status: 200,
            headers: vec![],
            body: Vec::new(),
        })
    });
    let rig = rig(&http, json!({ "idempotent": true }));
    let many = Value::Array(vec![serde_json::from_str(&post(json!({}))).unwrap(); 1]);
    let report = rig
        .run_hasty(&[("request", &many.to_string())], State::Executing)
        .unwrap();
    assert_eq!(report.exit, Exit::Limit);
    let attempt = rig.attempt("one");
    assert_eq!(attempt.outcome, Outcome::Limit(LimitKind::Deadline));
    assert_eq!(attempt.fault.unwrap().code, "AIM-R073");
    assert_eq!(rig.standings(), ["equal"], "timed out, as far as both go");
    assert!(rig.verify().authenticated);
}

/// The plan says what the contract does not: then it counts for what is repeated too.
///
/// Control: with the contract alone asked in `Unit::new`, the request is not sent again and this fails (seen).
#[test]
fn a_step_that_its_plan_calls_idempotent_repeats_what_is_open() {
    let http = hello();
    let mut rig = rig(&http, json!({}));
    let mut parts = rig.plan.clone().into_parts();
    parts.steps[0].is_idempotent = Some(true);
    rig.plan = Plan::check(parts).unwrap();
    let request = post(json!({}));
    crash_at(&rig, 3, &request);
    let report = rig.run(&[("request", &request)]).unwrap();
    assert_eq!(report.exit, Exit::Ok);
    assert_eq!(http.sent().len(), 2);
    assert_eq!(rig.attempt("one").effects[0].tries, 2);
}

/// Control: with `steady::check` left out of `clear_step`, the plan is admitted and this fails (seen).
#[test]
fn a_plan_that_claims_to_be_deterministic_is_granted_no_other_machine() {
    let http = hello();
    let mut rig = rig(&http, json!({}));
    assert!(rig.admit().is_ok());
    let mut parts = rig.plan.clone().into_parts();
    parts.header.is_deterministic = true;
    rig.plan = Plan::check(parts).unwrap();
    let Err(AdmissionError::Refused(refused)) = rig.admit() else {
        panic!("it was admitted");
    };
    let codes: Vec<&str> = refused[0].reasons.iter().map(|one| one.code).collect();
    assert_eq!(codes, ["AIM-R075"]);
}
