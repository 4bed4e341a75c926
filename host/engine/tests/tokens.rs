//! Every granted capability pays with its token: calls, bytes and time, each to a denial or an end.
//!
//! INVARIANT: what a token does not cover has no effect, and its refusal is in the record and in the token's account.

use std::{collections::BTreeMap, time::Duration};

use aim_core::{
    access::{Ask, Capability, Mode},
    outcome::{LimitKind, Outcome},
    transcript::{CallVerdict, Fields},
};
use aim_engine::{Resources, Snapshot, StepEnd, StepReport};
use serde_json::{Value, json};

use crate::support::{Try, answer, ask, step};

const NONE: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(3600);

/// Runs an operation of a guest under these asks, late when the tokens should have expired.
async fn run(
    guest: &str,
    asks: &[Ask],
    operation: &str,
    body: Value,
    late: Duration,
) -> StepReport {
    let step = step(guest, asks);
    let mut attempt = Try::new(operation, &body);
    attempt.asks = asks.to_vec();
    let snapshot = || Snapshot::new([("a.txt".to_owned(), b"alpha".to_vec())]);
    attempt.folders = BTreeMap::from([("data".to_owned(), snapshot())]);
    attempt.resources = Resources {
        writable: BTreeMap::from([("out".to_owned(), snapshot())]),
        ..Resources::default()
    };
    attempt.clock.advance(late);
    attempt.on(&step).await
}

fn with(mut ask: Ask, calls: Option<u32>, bytes: Option<u64>) -> Ask {
    (ask.calls_max, ask.bytes_max) = (calls, bytes);
    ask
}

/// The rules of recorded denials, in order.
fn rules(report: &StepReport) -> Vec<String> {
    let records = report.transcript.records().iter();
    records
        .filter(|record| record.verdict == CallVerdict::Denied)
        .map(|record| {
            let payload = &report.transcript.payloads()[&record.response.digest];
            let fields = Fields::read(payload).unwrap();
            String::from_utf8(fields[1].to_vec()).unwrap()
        })
        .collect()
}

fn ended(report: &StepReport) -> &Outcome {
    match &report.end {
        StepEnd::Ended(outcome, _) => outcome,
        end => panic!("{end:?}"),
    }
}

fn functions(guest_calls: &[(&str, Value)]) -> Value {
    let calls = guest_calls.iter();
    calls
        .map(|(function, arguments)| json!({ "call": function, "with": arguments }))
        .collect()
}

/// Negative control: with buckets never paid for, this fails.
#[tokio::test]
async fn a_bucket_is_read_and_written_as_often_as_its_tokens_say() {
    let asks = [
        with(
            ask(Capability::Keyvalue, &[Mode::Read, Mode::Write], &["state"]),
            Some(1),
            None,
        ),
        ask(Capability::Config, &[], &["tier"]),
    ];
    let calls = json!([
        { "do": "set", "bucket": "state", "key": "a", "value": "1" },
        { "do": "set", "bucket": "state", "key": "b", "value": "1" },
        { "do": "get", "bucket": "state", "key": "a" },
        { "do": "exists", "bucket": "state", "key": "a" },
        { "do": "delete", "bucket": "state", "key": "a" },
        { "do": "get", "bucket": "other", "key": "a" },
    ]);
    let report = run("conformance-state", &asks, "calls", calls.clone(), NONE).await;
    let denied = json!({ "err": "access-denied" });
    assert_eq!(
        answer(&report),
        json!([{ "ok": null }, denied, { "ok": "1" }, denied, denied, denied])
    );
    assert_eq!(report.effects.buckets[0].changes.len(), 1);
    assert_eq!(
        rules(&report),
        ["token.calls", "token.calls", "token.calls", "keyvalue.read"]
    );
    let refused: Vec<u32> = report.tokens.iter().map(|token| token.refused).collect();
    assert_eq!(refused, [1, 2]);
    let late = run("conformance-state", &asks, "calls", calls, LONG).await;
    assert!(late.effects.is_empty());
    assert_eq!(rules(&late)[..5], ["token.expired"; 5].map(str::to_owned));
}

/// Negative control: with buckets never paid for, this fails.
#[tokio::test]
async fn a_bucket_takes_no_more_bytes_than_its_token_has() {
    let asks = [
        with(
            ask(Capability::Keyvalue, &[Mode::Read, Mode::Write], &["state"]),
            None,
            Some(8),
        ),
        ask(Capability::Config, &[], &["tier"]),
    ];
    let calls = json!([
        { "do": "set", "bucket": "state", "key": "a", "value": "x", "times": 8 },
        { "do": "set", "bucket": "state", "key": "a", "value": "x", "times": 7 },
        { "do": "get", "bucket": "state", "key": "a" },
        { "do": "get", "bucket": "state", "key": "a" },
        { "do": "increment", "bucket": "state", "key": "n" },
    ]);
    let report = run("conformance-state", &asks, "calls", calls, NONE).await;
    let denied = json!({ "err": "access-denied" });
    let answers = answer(&report);
    assert_eq!(answers[0], denied);
    assert_eq!(answers[2], json!({ "ok": "xxxxxxx" }));
    assert_eq!((&answers[3], &answers[4]), (&denied, &denied));
    assert_eq!(rules(&report), ["token.bytes"; 3]);
}

/// Negative control: with configuration never paid for, this fails.
#[tokio::test]
async fn configuration_is_read_as_often_as_its_tokens_say() {
    let mut config = ask(Capability::Config, &[], &["tier"]);
    config.values = BTreeMap::from([("tier".to_owned(), "gold".to_owned())]);
    let asks = [
        with(config, Some(1), None),
        ask(Capability::Keyvalue, &[Mode::Read], &["state"]),
    ];
    let calls = json!([
        { "do": "config", "key": "tier" },
        { "do": "config", "key": "tier" },
        { "do": "config-all" },
    ]);
    let report = run("conformance-state", &asks, "calls", calls, NONE).await;
    assert_eq!(
        answer(&report),
        json!([{ "ok": "gold" }, { "err": "config" }, { "err": "config" }])
    );
    assert_eq!(rules(&report), ["token.calls"; 2]);
    assert_eq!(report.denials, 2);
}

fn files(calls: Option<u32>, bytes: Option<u64>) -> Vec<Ask> {
    vec![
        with(
            ask(Capability::Filesystem, &[Mode::Read], &["data"]),
            calls,
            bytes,
        ),
        with(
            ask(Capability::Filesystem, &[Mode::Read, Mode::Write], &["out"]),
            calls,
            bytes,
        ),
    ]
}

/// Negative control: with files never paid for, this fails.
#[tokio::test]
async fn files_cost_the_bytes_that_are_read_and_written_however_they_go() {
    let read = json!({ "path": "/data/a.txt" });
    let write = json!({ "path": "/out/n", "text": "0123456789" });
    let enough = files(None, Some(64));
    let report = run("conformance-std", &enough, "read-file", read.clone(), NONE).await;
    assert_eq!(answer(&report), json!({ "ok": "alpha" }));
    let report = run(
        "conformance-std",
        &enough,
        "write-file",
        write.clone(),
        NONE,
    )
    .await;
    assert_eq!(answer(&report), json!({ "ok": null }));
    let little = files(None, Some(6));
    let report = run("conformance-std", &little, "read-file", read.clone(), NONE).await;
    assert!(answer(&report)["err"].is_object(), "{}", answer(&report));
    assert!(report.tokens.iter().any(|token| token.refused > 0));
    let report = run(
        "conformance-std",
        &little,
        "write-file",
        write.clone(),
        NONE,
    )
    .await;
    assert!(answer(&report)["err"].is_object(), "{}", answer(&report));
    let late = run("conformance-std", &enough, "write-file", write, LONG).await;
    assert!(answer(&late)["err"].is_object());
    assert!(
        late.effects.is_empty(),
        "nothing is made by an expired token"
    );
    assert_eq!(rules(&late)[0], "token.expired");
    let none = files(Some(0), None);
    let report = run("conformance-std", &none, "read-file", read, NONE).await;
    assert_eq!(rules(&report)[0], "token.calls");
}

/// Negative control: with lines never paid for, or with claims never paid for, this fails.
#[tokio::test]
async fn logs_claims_and_consultations_are_as_many_as_their_tokens_say() {
    let plain = |capability| with(Ask::plain(capability), Some(1), None);
    let asks = [Capability::Log, Capability::Consult, Capability::Attest].map(plain);
    let mut all = crate::support::asks_without_folder();
    all.retain(|one| asks.iter().all(|ask| ask.capability != one.capability));
    all.extend(asks);
    let line = || {
        let arguments = json!({ "level": "info", "message": "m", "fields": [] });
        ("aim:log/log.write", arguments)
    };
    let consult = || {
        let arguments = json!({ "action": "act", "target": "t", "payload": "p" });
        ("aim:gate/consult.check", arguments)
    };
    let quip = || ("aim:witness/attest.set-quip", json!({ "quip": "q" }));
    let calls = functions(&[line(), line(), consult(), consult(), quip(), quip()]);
    let report = run("conformance-functions", &all, "batch", calls, NONE).await;
    let answers = answer(&report);
    assert_eq!(rules(&report), ["token.calls"; 3], "{answers}");
    assert_eq!(report.logs.len(), 1);
    assert_eq!(answers[3]["err"]["denied"]["rule"], "token.calls");
    assert_eq!(answers[5]["err"]["denied"]["rule"], "token.calls");
}

/// A function without a way to say no ends the attempt instead.
/// Negative control: with clocks never paid for, or with random bytes never paid for, this fails.
#[tokio::test]
async fn functions_that_can_not_refuse_end_the_attempt() {
    let real = |capability| ask(capability, &[Mode::Virtual], &[]);
    let base = [
        Ask::plain(Capability::Cli),
        real(Capability::Clocks),
        real(Capability::Random),
    ];
    for (capability, operation) in [
        (Capability::Cli, "args"),
        (Capability::Clocks, "system-time"),
        (Capability::Random, "random"),
    ] {
        let limited = |one: &Ask| {
            let is_it = one.capability == capability;
            with(one.clone(), is_it.then_some(0), None)
        };
        let asks: Vec<Ask> = base.iter().map(limited).collect();
        let report = run("conformance-std", &asks, operation, json!({}), NONE).await;
        assert_eq!(
            *ended(&report),
            Outcome::Limit(LimitKind::HostCalls),
            "{capability}"
        );
        let brief = |one: &Ask| Ask {
            time_ms_max: (one.capability == capability).then_some(0),
            ..one.clone()
        };
        let asks: Vec<Ask> = base.iter().map(brief).collect();
        let late = Duration::from_millis(1);
        let late = run("conformance-std", &asks, operation, json!({}), late).await;
        assert_eq!(
            *ended(&late),
            Outcome::Limit(LimitKind::Deadline),
            "{capability}"
        );
    }
    for (capability, function) in [
        (Capability::Context, "aim:host/context.run-id"),
        (Capability::Budget, "aim:host/budget.fuel"),
    ] {
        let mut asks = crate::support::asks_without_folder();
        for one in asks.iter_mut().filter(|one| one.capability == capability) {
            one.calls_max = Some(1);
        }
        let calls = functions(&[(function, json!({})), (function, json!({}))]);
        let report = run("conformance-functions", &asks, "batch", calls, NONE).await;
        assert_eq!(
            *ended(&report),
            Outcome::Limit(LimitKind::HostCalls),
            "{capability}"
        );
    }
}
