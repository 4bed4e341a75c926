//! `wasi:http` and secrets as a guest sees them, and attacks through them.
//!
//! INVARIANT: what reaches the services is counted; a request that must not be sent is shown not to have been.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aim_core::{
    access::{Ask, Capability, Mode},
    http::HttpResponse,
    outcome::{LimitKind, Outcome},
    transcript::CallVerdict,
};
use aim_engine::{LinkedStep, StepEnd, StepReport};
use aim_ports::{
    effect::{EffectAnswer, EffectCall, EffectFault, EffectRequest},
    http::{HttpFault, HttpFaultKind, HttpStage},
};
use serde_json::{Value, json};
use std::sync::LazyLock;

use crate::support::{Try, answer, ask, asks_without_folder, step};

static HTTP: LazyLock<LinkedStep> = LazyLock::new(|| step("conformance-http", &asks()));
static HOSTILE: LazyLock<LinkedStep> = LazyLock::new(|| step("hostile-http", &asks()));

/// What steps may use besides the project's own interfaces.
fn asks() -> Vec<Ask> {
    let mut asks = asks_without_folder();
    let endpoints = [
        "GET https://api.example:443/v1/",
        "POST https://api.example:443/v1/",
    ];
    asks.push(ask(Capability::Http, &[Mode::Request], &endpoints));
    asks.push(ask(Capability::Secrets, &[], &["api-token"]));
    asks
}

fn ok(body: &[u8]) -> Result<EffectAnswer, EffectFault> {
    Ok(EffectAnswer::Http(HttpResponse {
        status: 200,
        headers: vec![("x-answer".to_owned(), b"yes".to_vec())],
        body: body.to_vec(),
    }))
}

/// Runs the requests of `body` against services that answer with `act`.
fn run_with(
    change: impl FnOnce(Try) -> Try,
    operation: &str,
    body: &Value,
    act: impl Fn(&EffectCall) -> Result<EffectAnswer, EffectFault> + Send + Sync + 'static,
    on: &LinkedStep,
) -> (StepReport, usize) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let mut one = Try::new(operation, body);
    one.asks = asks();
    one.calls = 1_000;
    one.act = Some(Arc::new(move |call: EffectCall| {
        counter.fetch_add(1, Ordering::SeqCst);
        act(&call)
    }));
    let one = change(one);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let report = runtime.block_on(one.on(on));
    (report, sent.load(Ordering::SeqCst))
}

fn run(body: &Value) -> (StepReport, usize) {
    let echo = |call: &EffectCall| {
        let EffectRequest::Http { request, .. } = &call.request else {
            return Err(EffectFault::Unavailable);
        };
        ok(&request.body)
    };
    run_with(|one| one, "send", body, echo, &HTTP)
}

fn request(path: &str) -> Value {
    json!({ "method": "GET", "scheme": "https", "authority": "api.example", "path": path })
}

/// Negative control: with answers not recorded, this fails.
#[test]
fn a_request_within_its_scope_is_sent_and_its_answer_is_recorded_whole() {
    for order in ["early", "late"] {
        let mut body = request("/v1/items?q=1");
        body["method"] = json!("POST");
        body["body"] = json!("some text");
        body["order"] = json!(order);
        body["headers"] = json!([["X-One", "1"]]);
        body["timeout_ms"] = json!(50);
        let (report, sent) = run(&body);
        let got = answer(&report);
        assert_eq!(got[0]["status"], 200, "{got}");
        assert_eq!(got[0]["body"], "some text");
        assert_eq!(got[0]["headers"], json!([["x-answer", "yes"]]));
        assert_eq!((sent, report.immediate), (1, 1), "{order}");
        let calls: Vec<_> = report.transcript.records().iter().collect();
        assert_eq!(calls.len(), 1, "building a request is no call of its own");
        assert_eq!(calls[0].function, "wasi:http/outgoing-handler.handle");
        let kept = &report.transcript.payloads()[&calls[0].response.digest];
        assert_eq!(HttpResponse::decode(kept).unwrap().body, b"some text");
        assert!(report.immediate_bytes > 9);
    }
}

// Negative control: with the look for a scope taken out of `ready`, every one of these is sent and this fails.
#[test]
fn what_no_scope_allows_is_denied_and_never_reaches_the_services() {
    for (key, value) in [
        ("path", "/v2/items"),
        ("path", "/"),
        ("path", "/v1evil"),
        ("method", "DELETE"),
        ("method", "CONNECT"),
        ("scheme", "http"),
        ("authority", "evil.example"),
        ("authority", "api.example:8443"),
        ("authority", "127.0.0.1"),
    ] {
        let mut body = request("/v1/items");
        body[key] = json!(value);
        let (report, sent) = run(&body);
        let got = answer(&report);
        let error = got[0]["err"].as_str().unwrap();
        assert!(
            error.contains("HttpRequestDenied"),
            "{key}={value}: {error}"
        );
        assert_eq!(sent, 0, "{key}={value}");
        assert_eq!(report.denials, 1, "{key}={value}");
        let verdicts: Vec<CallVerdict> = report
            .transcript
            .records()
            .iter()
            .map(|call| call.verdict)
            .collect();
        assert_eq!(verdicts, [CallVerdict::Denied], "{key}={value}");
    }
}

/// Negative control: with no look at the segments of a path, or with numbers let pass as names, this fails.
#[test]
fn a_target_that_two_readers_could_understand_differently_is_no_target() {
    for (key, value) in [
        ("path", "/v1/../admin"),
        ("path", "/v1/%2e%2e/admin"),
        ("path", "/v1//admin"),
        ("path", "/v1\\..\\admin"),
        ("path", "/v1/a%2fb"),
        ("path", "/v1/a#fragment"),
        ("authority", "user@api.example"),
        ("authority", "api.example@evil.example"),
        ("authority", "api.example:443:80"),
        ("authority", "0x7f.1"),
    ] {
        let mut body = request("/v1/items");
        body[key] = json!(value);
        let (report, sent) = run(&body);
        let got = answer(&report);
        let error = got[0]["err"].as_str().unwrap();
        assert!(error.contains("HttpRequestUriInvalid"), "{value}: {error}");
        assert_eq!(sent, 0, "{value}");
    }
}

/// Negative control: with no list of headers that the host sets, this fails.
#[test]
fn a_guest_sets_no_header_that_is_the_hosts_and_no_more_than_there_may_be() {
    let (report, _) = run_with(|one| one, "fields", &json!({}), |_| ok(b""), &HTTP);
    assert_eq!(
        answer(&report),
        json!({
            "append": ["ok", "ok"],
            "forbidden": ["forbidden", "forbidden", "forbidden", "forbidden"],
            "split": "invalid-syntax",
            "name": "invalid-syntax",
            "kept": 2,
            "deleted": "ok",
            "has": false,
            "listed": 1,
            "refused": "forbidden",
            "flooded": 98,
            "immutable": "immutable",
        })
    );
}

#[test]
fn faults_of_the_other_side_are_typed_and_denials_of_gates_are_denials() {
    let http = |kind, stage| Err(EffectFault::Http(HttpFault { kind, stage }));
    let cases: [(Result<EffectAnswer, EffectFault>, &str, CallVerdict); 5] = [
        (
            Err(EffectFault::Denied("gate ethical".to_owned())),
            "HttpRequestDenied",
            CallVerdict::Denied,
        ),
        (
            http(HttpFaultKind::Address, HttpStage::NotSent),
            "DestinationIpProhibited",
            CallVerdict::Error,
        ),
        (
            http(HttpFaultKind::Timeout, HttpStage::Sent),
            "HttpResponseTimeout",
            CallVerdict::Error,
        ),
        (
            http(HttpFaultKind::BodySize, HttpStage::Answered),
            "HttpResponseBodySize",
            CallVerdict::Error,
        ),
        (Err(EffectFault::Withheld), "AIM-N012", CallVerdict::Error),
    ];
    for (answered, wanted, verdict) in cases {
        let (report, _) = run_with(
            |one| one,
            "send",
            &request("/v1/items"),
            move |_| answered.clone(),
            &HTTP,
        );
        let got = answer(&report);
        let error = got[0]["err"].as_str().unwrap().to_owned();
        assert!(
            error.to_lowercase().contains(&wanted.to_lowercase()),
            "{wanted}: {error}"
        );
        assert_eq!(report.transcript.records()[0].verdict, verdict, "{wanted}");
    }
}

/// Negative control: with an unknown end told to the guest as an error, this fails.
#[test]
fn an_unknown_end_stops_the_guest() {
    let (report, _) = run_with(
        |one| one,
        "send",
        &request("/v1/items"),
        |call| Err(EffectFault::Indeterminate(call.call)),
        &HTTP,
    );
    assert!(
        matches!(&report.end, StepEnd::Ended(Outcome::Indeterminate(0), _)),
        "{:?}",
        report.end
    );
}

/// Negative control: with every name of a secret granted, and no token taken, this fails.
#[test]
fn secrets_are_names_and_placeholders_and_an_ungranted_one_is_denied() {
    let (report, _) = run_with(|one| one, "names", &json!({}), |_| ok(b""), &HTTP);
    assert_eq!(answer(&report), json!(["api-token"]));
    let (report, _) = run_with(|one| one, "placeholder", &json!({}), |_| ok(b""), &HTTP);
    assert!(answer(&report).as_str().unwrap().contains("Denied"));
    assert_eq!(report.denials, 1);
    let mut body = request("/v1/items");
    body["secret"] = json!(["authorization", "Bearer ", "api-token"]);
    let seen = |call: &EffectCall| {
        let EffectRequest::Http { request, .. } = &call.request else {
            return Err(EffectFault::Unavailable);
        };
        let (_, value) = &request.headers[0];
        assert_eq!(value, b"Bearer {{secret:api-token}}");
        ok(b"")
    };
    let (report, sent) = run_with(|one| one, "send", &body, seen, &HTTP);
    assert_eq!(
        (answer(&report)[0]["status"].clone(), sent),
        (json!(200), 1)
    );
}

/// Negative control: with `admit` not collecting the faults of imports, this fails.
#[test]
fn without_the_grant_the_component_is_not_linked() {
    let bytes = crate::support::guest("conformance-http");
    for missing in [Capability::Http, Capability::Secrets] {
        let mut asks: Vec<Ask> = asks();
        asks.retain(|ask| ask.capability != missing);
        let refused = crate::support::admitted(
            &bytes,
            aim_core::admission::World::Step,
            &asks,
            Some(aim_core::adapter::Profile::Std),
        );
        let faults = refused.expect_err("not linked");
        assert!(
            faults.iter().any(|fault| fault.code() == "AIM-A001"),
            "{missing}"
        );
    }
}

// Negative control: with a queue of writes instead of a buffer this grows with every write; here the body stays empty.
#[test]
fn empty_body_writes_keep_nothing() {
    let body = json!({ "times": 20_000 });
    let (report, sent) = run_with(|one| one, "http-empty-writes", &body, |_| ok(b""), &HOSTILE);
    assert_eq!(
        answer(&report),
        json!({ "written": 20_000, "finished": true })
    );
    assert_eq!(sent, 0);
}

// Negative control: with the bound taken out of `BodyStream::write` the guest writes all it wants and this fails.
#[test]
fn a_body_without_an_end_stops_at_the_limit_and_is_not_sent() {
    let small = |one: Try| one.with_limits(|limits| limits.effect_bytes_max = 64 * 1024);
    let body = json!({ "times": 100_000 });
    let (report, sent) = run_with(small, "http-endless-body", &body, |_| ok(b""), &HOSTILE);
    let got = answer(&report);
    assert_eq!(got["bytes"], 64 * 1024, "{got}");
    assert!(
        got["finished"].as_str().unwrap().contains("BodySize"),
        "{got}"
    );
    assert!(
        got["handled"].as_str().unwrap().contains("BodySize"),
        "{got}"
    );
    assert_eq!(sent, 0);
}

// All bodies together, as admission counts them.
// Negative control: without the look at the room in `BodyStream::write` all hundred are filled (seen).
#[test]
fn bodies_that_are_never_sent_stop_at_the_limit_together() {
    let small = |one: Try| one.with_limits(|limits| limits.effect_bytes_max = 256 * 1024);
    let body = json!({ "times": 100 });
    let (report, sent) = run_with(small, "http-hoard", &body, |_| ok(b""), &HOSTILE);
    assert_eq!(answer(&report), json!([4, 4]));
    assert_eq!(sent, 0);
}

// Negative control: with the count taken out of `begin` the guest sends a million requests and runs into its deadline.
#[test]
fn a_flood_of_requests_ends_at_the_limit_of_effects_or_bytes() {
    let few = |one: Try| one.with_limits(|limits| limits.effects_max = 5);
    let (report, sent) = run_with(few, "http-flood", &json!({}), |_| ok(b""), &HOSTILE);
    assert!(
        matches!(
            report.end,
            StepEnd::Ended(Outcome::Limit(LimitKind::Effects), _)
        ),
        "{:?}",
        report.end
    );
    assert_eq!(sent, 5);
    let little = |one: Try| one.with_limits(|limits| limits.effect_bytes_max = 2_000);
    let (report, sent) = run_with(
        little,
        "http-flood",
        &json!({}),
        |_| ok(&[b'x'; 400]),
        &HOSTILE,
    );
    assert!(
        matches!(
            report.end,
            StepEnd::Ended(Outcome::Limit(LimitKind::EffectBytes), _)
        ),
        "{:?}",
        report.end
    );
    assert!(sent < 5, "{sent}");
}

/// Negative control: with neither the check of `store::on_tick` nor the outer sleep of `invoke::run`, this fails.
#[test]
fn g4_a_guest_that_waits_for_an_answer_to_an_unfinished_request_ends_with_its_deadline() {
    let short = |one: Try| one.with_limits(|limits| limits.deadline_ms_max = 100);
    let (report, sent) = run_with(short, "http-unfinished", &json!({}), |_| ok(b""), &HOSTILE);
    assert!(
        matches!(
            report.end,
            StepEnd::Ended(Outcome::Limit(LimitKind::Deadline), _)
        ),
        "{:?}",
        report.end
    );
    assert_eq!(sent, 0);
}
