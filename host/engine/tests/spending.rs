//! One case for each place in the doors that spends a token: taken out, its case fails.
//!
//! INVARIANT: each case wants just more than its token is good for, through the one place that it is about.
//!
//! Negative control: with one `spend`, `take` or `draw` at a time answering that it was paid, the case of that place fails;
//! the places that have their cases in `tokens` and `steps` fail there.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aim_core::{
    access::{Ask, Capability, Mode},
    http::HttpResponse,
    outcome::{LimitKind, Outcome},
};
use aim_engine::{Resources, Snapshot, StepEnd, StepReport};
use aim_ports::effect::{EffectAnswer, EffectCall};
use serde_json::{Value, json};

use crate::support::{Try, answer, artifact, ask, asks_without_folder, step, with_artifact_mode};

fn limited(
    asks: &[Ask],
    capability: Capability,
    (calls, bytes): (Option<u32>, Option<u64>),
) -> Vec<Ask> {
    let mut asks = asks.to_vec();
    for one in asks.iter_mut().filter(|one| one.capability == capability) {
        (one.calls_max, one.bytes_max) = (calls, bytes);
    }
    asks
}

/// Calls of the project's own interfaces under these asks, with one artifact at hand.
async fn batch(asks: &[Ask], calls: &[(&str, Value)]) -> StepReport {
    let calls = calls.iter();
    let calls: Value = calls
        .map(|(function, with)| json!({ "call": function, "with": with }))
        .collect();
    let mut one = Try::new("batch", &calls);
    one.asks = asks.to_vec();
    one.inputs = vec![artifact(b"four")];
    one.on(&step("conformance-functions", asks)).await
}

/// An operation of the guest that a standard library made.
async fn std(asks: &[Ask], operation: &str, body: Value) -> StepReport {
    let mut one = Try::new(operation, &body);
    one.asks = asks.to_vec();
    let snapshot = || Snapshot::new([("a.txt".to_owned(), b"alpha".to_vec())]);
    one.folders = BTreeMap::from([("data".to_owned(), snapshot())]);
    one.resources = Resources {
        writable: BTreeMap::from([("out".to_owned(), snapshot())]),
        ..Resources::default()
    };
    one.on(&step("conformance-std", asks)).await
}

fn rule(answers: &Value, index: usize) -> &Value {
    &answers[index]["err"]["denied"]["rule"]
}

fn is_stopped(report: &StepReport, by: LimitKind) -> bool {
    matches!(&report.end, StepEnd::Ended(Outcome::Limit(kind), _) if *kind == by)
}

#[tokio::test]
async fn artifacts_are_read_made_and_appended_to_as_their_tokens_say() {
    let (input, _) = artifact(b"four");
    let read = || {
        let with = json!({ "digest": input.digest.to_string(), "offset-bytes": 0, "len-bytes": 4 });
        ("aim:artifact/store.read", with)
    };
    let asks = limited(
        &with_artifact_mode(Mode::Read),
        Capability::Artifact,
        (Some(1), None),
    );
    let answers = answer(&batch(&asks, &[read(), read()]).await);
    assert_eq!(answers[0]["ok"], "four", "{answers}");
    assert_eq!(rule(&answers, 1), "token.calls", "{answers}");

    let create = || {
        let with = json!({ "media-type": "text/plain" });
        ("aim:artifact/store.writer.create", with)
    };
    let puts = with_artifact_mode(Mode::Put);
    let asks = limited(&puts, Capability::Artifact, (Some(1), None));
    let answers = answer(&batch(&asks, &[create(), create()]).await);
    assert_eq!(rule(&answers, 1), "token.calls", "{answers}");

    let with = json!({ "media-type": "text/plain", "chunks": ["abc", "d"] });
    let append = ("aim:artifact/store.writer.append", with);
    let asks = limited(&puts, Capability::Artifact, (None, Some(3)));
    let answers = answer(&batch(&asks, &[append]).await);
    assert_eq!(rule(&answers, 0), "token.bytes", "{answers}");
}

#[tokio::test]
async fn labels_are_looked_up_as_often_as_their_token_says() {
    let label = || ("aim:host/context.label", json!({ "key": "k" }));
    let asks = asks_without_folder();
    let asks = limited(&asks, Capability::Context, (Some(1), None));
    let report = batch(&asks, &[label()]).await;
    assert!(
        matches!(report.end, StepEnd::Answered(_)),
        "{:?}",
        report.end
    );
    let report = batch(&asks, &[label(), label()]).await;
    assert!(
        is_stopped(&report, LimitKind::HostCalls),
        "{:?}",
        report.end
    );
}

#[tokio::test]
async fn requests_and_secrets_are_as_many_as_their_tokens_say() {
    let mut all = asks_without_folder();
    let endpoint = "GET https://api.example:443/v1/";
    all.push(ask(Capability::Http, &[Mode::Request], &[endpoint]));
    all.push(ask(Capability::Secrets, &[], &["api-token"]));
    let on = step("conformance-http", &all);
    let request =
        json!({ "method": "GET", "scheme": "https", "authority": "api.example", "path": "/v1/a" });
    let mut secret = request.clone();
    secret["secret"] = json!(["authorization", "Bearer ", "api-token"]);
    for (capability, body) in [
        (Capability::Http, json!([request, request])),
        (Capability::Secrets, json!([secret, secret])),
    ] {
        let sent = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&sent);
        let mut one = Try::new("send", &body);
        one.asks = limited(&all, capability, (Some(1), None));
        one.act = Some(Arc::new(move |_: EffectCall| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(EffectAnswer::Http(HttpResponse {
                status: 200,
                headers: Vec::new(),
                body: Vec::new(),
            }))
        }));
        let report = one.on(&on).await;
        assert_eq!(sent.load(Ordering::SeqCst), 1, "{capability}");
        assert_eq!(report.denials, 1, "{capability}");
        assert!(
            report.tokens.iter().any(|token| token.refused == 1),
            "{capability}"
        );
    }
}

#[tokio::test]
async fn folders_are_changed_and_listed_as_their_tokens_say() {
    let base = [
        ask(Capability::Filesystem, &[Mode::Read], &["data"]),
        ask(Capability::Filesystem, &[Mode::Read, Mode::Write], &["out"]),
    ];
    let remove = json!({ "path": "/out/a.txt" });
    let report = std(&base, "remove-file", remove.clone()).await;
    assert_eq!(answer(&report), json!({ "ok": null }));
    assert!(!report.effects.is_empty());
    let none = limited(&base, Capability::Filesystem, (Some(0), None));
    let report = std(&none, "remove-file", remove).await;
    assert!(answer(&report)["err"].is_object(), "{}", answer(&report));
    assert!(report.effects.is_empty(), "nothing is removed unpaid");

    let list = json!({ "path": "/data" });
    let report = std(&base, "list-folder", list.clone()).await;
    assert!(answer(&report)["ok"].is_array(), "{}", answer(&report));
    let little = limited(&base, Capability::Filesystem, (None, Some(2)));
    let report = std(&little, "list-folder", list).await;
    assert!(answer(&report)["ok"].is_null(), "{}", answer(&report));
    let refused = report.transcript.records().iter();
    let refused: Vec<&str> = refused
        .filter(|record| record.verdict == aim_core::transcript::CallVerdict::Denied)
        .map(|record| record.function.as_ref())
        .collect();
    assert!(
        refused
            .iter()
            .any(|function| function.contains("directory")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn standard_streams_and_waits_cost_their_tokens() {
    let base = [
        Ask::plain(Capability::Cli),
        ask(Capability::Clocks, &[Mode::Virtual], &[]),
        ask(Capability::Random, &[Mode::Virtual], &[]),
    ];
    // A wait is measured by the guest: the time before, the wait itself, the time after.
    for (capability, operation, body, calls) in [
        (Capability::Cli, "stdin", json!({}), 0),
        (
            Capability::Cli,
            "stdout",
            json!({ "text": "0123456789" }),
            0,
        ),
        (Capability::Clocks, "sleep", json!({ "ms": 1 }), 2),
    ] {
        let report = std(&base, operation, body.clone()).await;
        assert!(
            matches!(report.end, StepEnd::Answered(_)),
            "{operation}: {:?}",
            report.end
        );
        let few = limited(&base, capability, (Some(calls), None));
        let report = std(&few, operation, body).await;
        assert!(
            is_stopped(&report, LimitKind::HostCalls),
            "{operation}: {:?}",
            report.end
        );
    }
    let body = json!({ "text": "0123456789" });
    let report = std(&base, "stdout", body.clone()).await;
    assert!(!report.logs.is_empty());
    let little = limited(&base, Capability::Cli, (None, Some(3)));
    let report = std(&little, "stdout", body).await;
    assert!(report.logs.is_empty(), "{:?}", report.logs);
    assert!(report.log_dropped_bytes >= 10);
}
