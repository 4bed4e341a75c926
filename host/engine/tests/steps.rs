//! What a step gets from every interface of ours, and what is written down about it.

use aim_core::{
    access::{Capability, Mode},
    claims::{CLAIMS_MAX, Relation},
    digest::Digest,
    outcome::{DeniedBy, Failure, Outcome},
    transcript::{CallVerdict, Transcript},
};
use aim_engine::{Cancel, Refusal, StepEnd};
use serde_json::{Value, json};

use crate::support::{Try, answer, artifact, asks_without_folder, step, with_artifact_mode};

async fn called(calls: &Value) -> (Value, aim_engine::StepReport) {
    let step = step("conformance-functions", &asks_without_folder());
    let report = Try::new("batch", calls).on(&step).await;
    (answer(&report), report)
}

fn call(name: &str, with: Value) -> Value {
    json!({ "call": name, "with": with })
}

#[tokio::test]
async fn context_and_budget_tell_what_the_host_set() {
    let names = [
        "run-id",
        "step-name",
        "role",
        "attempt",
        "tenant",
        "actor",
        "correlation-id",
        "causation-id",
        "traceparent",
        "seed",
        "plan",
        "component",
    ];
    let calls: Vec<Value> = names
        .iter()
        .map(|name| call(&format!("aim:host/context.{name}"), json!({})))
        .chain([
            call("aim:host/context.label", json!({ "key": "colour" })),
            call("aim:host/context.label", json!({ "key": "none" })),
            call("aim:host/budget.calls", json!({})),
            call("aim:host/budget.tokens", json!({})),
            call("aim:host/budget.cost-micros", json!({})),
            call("aim:host/budget.is-cancelled", json!({})),
        ])
        .collect();
    let (answers, report) = called(&json!(calls)).await;
    let values: Vec<&Value> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| &answer["ok"])
        .collect();
    let expected = json!([
        "run_1",
        "step",
        "tester",
        2,
        "global",
        "actor",
        "env_1",
        null,
        "00-1-1-01",
        7,
        Digest::of(b"plan").to_string(),
        Digest::of(b"component").to_string(),
        "blue",
        null,
        3,
        null,
        5,
        false
    ]);
    assert_eq!(json!(values), expected);
    assert_eq!(report.transcript.records().len(), 18);
    assert!(
        report
            .transcript
            .records()
            .iter()
            .all(|r| r.verdict == CallVerdict::Ok)
    );
    assert_eq!(
        report.transcript.records()[0].function,
        "aim:host/context.run-id"
    );
}

#[tokio::test]
async fn the_same_call_gives_the_same_fuel_and_transcript_and_another_seed_another() {
    let step = step("conformance-functions", &asks_without_folder());
    let calls = json!([
        call("aim:host/context.seed", json!({})),
        call("aim:host/budget.fuel", json!({})),
        call(
            "aim:log/log.write",
            json!({ "level": "info", "message": "m", "fields": [] })
        ),
    ]);
    let one = Try::new("batch", &calls).on(&step).await;
    let two = Try::new("batch", &calls).on(&step).await;
    assert_eq!(one.fuel_used, two.fuel_used);
    assert_eq!(one.end, two.end);
    assert_eq!(one.transcript.digest(), two.transcript.digest());
    let mut other = Try::new("batch", &calls);
    other.seed = 8;
    let other = other.on(&step).await;
    assert_ne!(one.transcript.digest(), other.transcript.digest());
}

/// Negative control: with no bound on claims, this fails.
#[tokio::test]
async fn claims_are_kept_apart_and_bounded() {
    let claim = |body: &str| {
        call(
            "aim:witness/attest.claim",
            json!({ "kind": "https://x/y", "body": body }),
        )
    };
    let (answers, report) = called(&json!([
        claim(r#"{"rows":3}"#),
        claim("1.5"),
        claim("not json"),
        call(
            "aim:witness/attest.set-confidence",
            json!({ "score": 800_000, "method": "count" })
        ),
        call(
            "aim:witness/attest.set-confidence",
            json!({ "score": 1_000_001, "method": "x" })
        ),
        call(
            "aim:witness/attest.set-doubt",
            json!({ "epistemic": 1, "moral": 2, "distributional": 3, "unknown-unknown": 4 })
        ),
        call(
            "aim:witness/attest.declare-impact",
            json!({ "impact": "none" })
        ),
        call("aim:witness/attest.set-quip", json!({ "quip": "a\u{1b}b" })),
    ]))
    .await;
    assert_eq!(answers[0]["ok"], 0);
    for refused in [1, 2, 4] {
        assert!(
            answers[refused]["err"]["invalid-argument"].is_string(),
            "{answers}"
        );
    }
    let claims = &report.claims;
    assert_eq!(claims.claims.len(), 1);
    assert_eq!(claims.claims[0].body, json!({ "rows": 3 }));
    assert_eq!(claims.confidence.as_ref().unwrap().score, 800_000);
    assert_eq!(claims.doubt.unwrap().unknown_unknown, 4);
    assert_eq!(claims.impact.as_deref(), Some("none"));
    let many: Vec<_> = (0..=CLAIMS_MAX).map(|_| claim("{}")).collect();
    let (answers, report) = called(&json!(many)).await;
    assert_eq!(report.claims.claims.len(), CLAIMS_MAX);
    assert_eq!(answers[CLAIMS_MAX]["err"]["exhausted"], "claims");
    assert_eq!(claims.quip.as_deref(), Some("a\\u{1b}b"));
}

/// Negative control: with any digest readable, this fails.
#[tokio::test]
async fn only_received_artifacts_can_be_read_or_cited() {
    let step = step("conformance-functions", &asks_without_folder());
    let (input, bytes) = artifact(b"hello world");
    let foreign = Digest::of(b"foreign").to_string();
    let source = |digest: &str| json!({ "source": { "digest": digest, "media-type": "t", "size-bytes": 1 }, "relation": "supports" });
    let read = |digest: &str| {
        call(
            "aim:artifact/store.read",
            json!({ "digest": digest, "offset-bytes": 6, "len-bytes": 100 }),
        )
    };
    let digest = input.digest.to_string();
    let mut attempt = Try::new(
        "batch",
        &json!([
            read(&digest),
            read(&foreign),
            call("aim:witness/attest.cite", source(&digest)),
            call("aim:witness/attest.cite", source(&foreign)),
        ]),
    );
    attempt.inputs = vec![(input, bytes)];
    let report = attempt.on(&step).await;
    let answers = answer(&report);
    assert!(
        answers[0]["ok"].is_string() || answers[0]["ok"].is_array(),
        "{answers}"
    );
    assert_eq!(answers[1]["err"]["denied"]["call-index"], 1, "{answers}");
    assert_eq!(answers[2]["ok"], 0);
    assert!(answers[3]["err"]["not-found"].is_string(), "{answers}");
    assert_eq!(report.denials, 1);
    assert_eq!(report.transcript.records()[1].verdict, CallVerdict::Denied);
    assert_eq!(report.claims.citations[0].relation, Relation::Supports);
}

/// Negative control: with neither a mode asked for nor a token taken, this fails; each alone is enough to refuse.
#[tokio::test]
async fn a_mode_that_is_not_granted_is_a_typed_denial_and_nothing_is_staged() {
    let put = call(
        "aim:artifact/store.put",
        json!({ "media-type": "text/plain", "body": "x" }),
    );
    for (mode, staged) in [(Mode::Read, 0), (Mode::Put, 1)] {
        let asks = with_artifact_mode(mode);
        let step = step("conformance-functions", &asks);
        let mut attempt = Try::new("batch", &json!([put]));
        attempt.asks = asks;
        let report = attempt.on(&step).await;
        let is_denied = answer(&report)[0]["err"]["denied"].is_object();
        assert_eq!((is_denied, report.staged.len()), (staged == 0, staged));
    }
}

/// Negative control: with artifacts never paid for, this fails.
#[tokio::test]
async fn a_token_that_is_used_up_or_expired_denies_the_call_and_is_counted() {
    let put = |body: &str| {
        call(
            "aim:artifact/store.put",
            json!({ "media-type": "text/plain", "body": body }),
        )
    };
    let calls = json!([put("four"), put("too long"), put("more"), put("x")]);
    let mut asks = with_artifact_mode(Mode::Put);
    for ask in asks
        .iter_mut()
        .filter(|ask| ask.capability == Capability::Artifact)
    {
        (ask.calls_max, ask.bytes_max) = (Some(2), Some(8));
    }
    let step = step("conformance-functions", &asks);
    let mut attempt = Try::new("batch", &calls);
    attempt.asks = asks.clone();
    let report = attempt.on(&step).await;
    let answers = answer(&report);
    assert_eq!(
        answers[1]["err"]["denied"]["rule"], "token.bytes",
        "{answers}"
    );
    assert_eq!(
        answers[3]["err"]["denied"]["rule"], "token.calls",
        "{answers}"
    );
    assert_eq!((report.staged.len(), report.denials), (2, 2));
    let token = &report.tokens[0];
    assert_eq!(
        (token.claims.act.as_str(), token.claims.res.as_str()),
        ("artifact.put", "Host/any")
    );
    assert_eq!(
        (token.used.calls, token.used.bytes, token.refused),
        (2, 8, 2)
    );
    assert_eq!(token.calls, [[0, 0], [2, 2]]);

    let mut late = Try::new("batch", &json!([put("x")]));
    late.asks = asks;
    late.clock.advance(std::time::Duration::from_secs(3600));
    let report = late.on(&step).await;
    assert_eq!(answer(&report)[0]["err"]["denied"]["rule"], "token.expired");
    assert!(report.staged.is_empty());
}

/// Negative control: with no count of artifacts, this fails.
#[tokio::test]
async fn what_is_put_is_staged_under_its_digest_and_within_its_limits() {
    let step = step("conformance-functions", &asks_without_folder());
    let put = |body: &str| {
        call(
            "aim:artifact/store.put",
            json!({ "media-type": "text/plain", "body": body }),
        )
    };
    let calls = json!([put("one"), put("one"), put("two"), put("three")]);
    let report = Try::new("batch", &calls)
        .with_limits(|limits| limits.artifacts_max = 2)
        .on(&step)
        .await;
    let answers = answer(&report);
    assert_eq!(answers[0]["ok"]["digest"], Digest::of(b"one").to_string());
    assert_eq!(answers[3]["err"]["exhausted"], "artifacts");
    let staged: Vec<&[u8]> = report.staged.iter().map(|staged| &*staged.bytes).collect();
    assert_eq!(staged, [b"one".as_slice(), b"two"]);
}

#[tokio::test]
async fn a_gate_that_objects_is_a_denial_in_the_transcript() {
    let check = |action: &str| {
        call(
            "aim:gate/consult.check",
            json!({ "action": action, "target": "t", "payload": "p" }),
        )
    };
    let (answers, report) = called(&json!([check("fine"), check("forbidden")])).await;
    assert_eq!(answers[0]["ok"]["verdict"], "pass", "{answers}");
    assert_eq!(answers[1]["ok"]["verdict"], "fail", "{answers}");
    let verdicts: Vec<CallVerdict> = report
        .transcript
        .records()
        .iter()
        .map(|record| record.verdict)
        .collect();
    assert_eq!(verdicts, [CallVerdict::Ok, CallVerdict::Denied]);
}

#[tokio::test]
async fn a_typed_refusal_comes_back_typed() {
    let step = step("conformance-functions", &asks_without_folder());
    let report = Try::new("no-such-call", &json!({})).on(&step).await;
    assert!(
        matches!(report.end, StepEnd::Refused(Refusal::InvalidInput(_))),
        "{:?}",
        report.end
    );
}

/// Negative control: with a denial believed without its record, this fails.
#[test]
fn a_denial_that_the_transcript_does_not_hold_is_a_failure_of_the_step() {
    let denial = aim_engine::Denial {
        rule: "r".to_owned(),
        action: "a".to_owned(),
        target: "t".to_owned(),
        call_index: 0,
    };
    let outcome = |by| {
        let end = StepEnd::Refused(Refusal::Denied {
            denial: denial.clone(),
            by,
        });
        match end.into_run_end() {
            aim_core::attempt::RunEnd::Stopped(outcome, _) => outcome,
            other @ aim_core::attempt::RunEnd::Answered(_) => panic!("{other:?}"),
        }
    };
    assert_eq!(outcome(None), Outcome::Failed(Failure::Permanent));
    assert_eq!(
        outcome(Some(DeniedBy::Gate)),
        Outcome::Denied(DeniedBy::Gate)
    );
}

#[tokio::test]
async fn transcripts_of_real_attempts_round_trip() {
    let (_, report) = called(&json!([call("aim:host/context.run-id", json!({}))])).await;
    let bytes = report.transcript.encode();
    let decoded = Transcript::decode(&bytes).unwrap();
    assert_eq!(decoded.digest(), report.transcript.digest());
}

/// Negative control: with nobody looking at the cancellation, this fails.
#[tokio::test]
async fn a_cancelled_guest_that_waits_in_the_host_is_ended() {
    let step = step("conformance-functions", &asks_without_folder());
    let hang = call(
        "aim:gate/consult.check",
        json!({ "action": "hang", "target": "", "payload": "" }),
    );
    let mut attempt = Try::new("batch", &json!([hang]));
    let cancel = Cancel::new();
    attempt.cancel = cancel.clone();
    cancel.cancel();
    let report = attempt.on(&step).await;
    assert!(
        matches!(report.end, StepEnd::Ended(Outcome::Cancelled, _)),
        "{:?}",
        report.end
    );
}
