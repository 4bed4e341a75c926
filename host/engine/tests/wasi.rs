//! Standard-library guests: granted folders as snapshots, everything else by the adapter table.

use std::collections::BTreeMap;

use aim_core::{
    outcome::{Failure, LimitKind, Outcome, Trap},
    transcript::CallVerdict,
};
use aim_engine::{LinkedStep, LogLevel, Snapshot, StepEnd, StepReport};
use serde_json::{Value, json};

use crate::support::{Try, all_asks, answer, asks_without_folder, step};

async fn adapted(operation: &str, body: Value) -> StepReport {
    let step = step("conformance-std", &asks_without_folder());
    Try::new(operation, &body).on(&step).await
}

async fn granted(step: &LinkedStep, operation: &str, path: &str) -> StepReport {
    let mut attempt = Try::new(operation, &json!({ "path": path }));
    let file = |path: &str, body: &str| (path.to_owned(), body.as_bytes().to_vec());
    let snapshot = Snapshot::new([file("a.txt", "alpha"), file("logs/b.txt", "beta")]);
    attempt.folders = BTreeMap::from([("data".to_owned(), snapshot)]);
    attempt.on(step).await
}

/// Negative control: with another answer than `read-only` in `Node::writable`, this fails.
#[tokio::test]
async fn a_granted_folder_is_read_only_and_recorded_with_its_digests() {
    let step = step("conformance-std", &all_asks());
    let report = granted(&step, "read-file", "/data/logs/b.txt").await;
    assert_eq!(answer(&report), json!({ "ok": "beta" }));
    let opened: Vec<_> = report
        .transcript
        .records()
        .iter()
        .filter(|record| record.function.contains("open-at"))
        .collect();
    assert!(
        opened
            .iter()
            .any(|record| record.verdict == CallVerdict::Ok),
        "{opened:?}"
    );
    let listed = granted(&step, "list-folder", "/data").await;
    assert_eq!(answer(&listed), json!({ "ok": ["a.txt", "logs"] }));
    for operation in ["write-file", "remove-file"] {
        let report = granted(&step, operation, "/data/a.txt").await;
        assert_eq!(
            answer(&report)["err"]["kind"],
            "ReadOnlyFilesystem",
            "{operation}"
        );
    }
}

/// Negative control: with `..` at the root let pass, this fails.
#[tokio::test]
async fn paths_out_of_a_granted_folder_lead_nowhere() {
    let step = step("conformance-std", &all_asks());
    for path in [
        "/data/../etc/passwd",
        "/etc/passwd",
        "../x",
        "/data/logs/../../x",
        "/data/../a.txt",
        "/data/logs/../../a.txt",
        "/data/none",
    ] {
        let report = granted(&step, "read-file", path).await;
        assert!(
            answer(&report)["err"].is_object(),
            "{path}: {:?}",
            report.end
        );
    }
}

#[tokio::test]
async fn without_a_grant_there_is_no_folder_at_all() {
    for path in ["/", "/data", "."] {
        let report = adapted("list-folder", json!({ "path": path })).await;
        assert!(answer(&report)["err"].is_object(), "{path}");
    }
}

/// Negative control: with the host's environment in the answer, this fails.
#[tokio::test]
async fn environment_arguments_and_stdin_are_empty() {
    assert_eq!(
        answer(&adapted("vars", json!({})).await),
        json!({ "ok": [] })
    );
    assert_eq!(
        answer(&adapted("args", json!({})).await),
        json!({ "ok": [] })
    );
    assert_eq!(
        answer(&adapted("stdin", json!({})).await),
        json!({ "ok": "" })
    );
}

/// Negative control: with another instant than the pinned one, this fails.
#[tokio::test]
async fn clocks_are_virtual_and_the_same_every_time() {
    let wall = answer(&adapted("system-time", json!({})).await);
    assert_eq!(wall["ok"]["seconds"], 1_700_000_000);
    let one = answer(&adapted("instant", json!({})).await);
    assert_eq!(one, answer(&adapted("instant", json!({})).await));
    assert_eq!(one["ok"]["goes-back"], false);
}

#[tokio::test]
async fn a_sleep_takes_no_time_and_shows_on_the_virtual_clock() {
    let report = adapted("sleep", json!({ "ms": 20_000 })).await;
    let slept = answer(&report)["ok"]["slept-ms"].as_u64().unwrap();
    assert!((20_000..20_010).contains(&slept), "{slept}");
}

/// G4. Negative control: with the comparison in `VirtualClock::sleep_until` removed the guest sleeps an hour at once and
/// answers (seen).
#[tokio::test]
async fn a_sleep_past_the_deadline_ends_on_the_deadline() {
    let step = step("hostile-std", &asks_without_folder());
    for operation in ["g4-sleep", "g4-poll"] {
        let report = Try::new(operation, &json!({})).on(&step).await;
        let StepEnd::Ended(outcome, _) = &report.end else {
            panic!("{operation}: {:?}", report.end);
        };
        assert_eq!(*outcome, Outcome::Limit(LimitKind::Deadline), "{operation}");
    }
    let report = Try::new("g4-stdin", &json!({})).on(&step).await;
    assert!(
        matches!(report.end, StepEnd::Answered(_)),
        "{:?}",
        report.end
    );
}

/// Negative control: with no count in `adapter::enter`, or with no seed in the stream of random bytes, this fails.
#[tokio::test]
async fn random_numbers_follow_the_seed_and_are_counted() {
    let step = step("conformance-std", &asks_without_folder());
    let one = Try::new("random", &json!({})).on(&step).await;
    let two = Try::new("random", &json!({})).on(&step).await;
    assert_eq!(answer(&one), answer(&two));
    let mut other = Try::new("random", &json!({}));
    other.seed = 8;
    assert_ne!(answer(&one), answer(&other.on(&step).await));
    let counted = one
        .adapter_calls()
        .keys()
        .any(|name| name.starts_with("wasi:random/"));
    assert!(counted, "{:?}", one.adapter_calls());
}

/// Negative control: with `text::neutralise` handing text through, this fails.
#[tokio::test]
async fn what_is_printed_becomes_neutralised_log_lines() {
    let report = adapted("stderr", json!({ "text": "one\u{1b}[2J\ntwo\n" })).await;
    let lines: Vec<(&str, LogLevel, &str)> = report
        .logs
        .iter()
        .map(|line| (line.source, line.level, line.message.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            ("stderr", LogLevel::Warn, "one\\u{1b}[2J"),
            ("stderr", LogLevel::Warn, "two")
        ]
    );
}

/// Negative control: with an exit taken for our own fault, this fails.
#[tokio::test]
async fn exit_is_an_end_with_a_code_and_never_a_crash() {
    let ended = async |code: i64| match adapted("exit", json!({ "code": code })).await.end {
        StepEnd::Ended(outcome, _) => outcome,
        other => panic!("{other:?}"),
    };
    assert_eq!(ended(0).await, Outcome::Failed(Failure::Permanent));
    assert_eq!(ended(3).await, Outcome::Trapped(Trap::Exit));
}

/// G22: on the engine's own output stream every empty write would keep memory; ours keeps nothing and the guest ends on
/// its fuel. The bound here is the number of bytes in the report.
/// Negative control: with a byte kept for every empty write, this fails.
#[tokio::test]
async fn empty_writes_leave_nothing_behind() {
    let step = step("hostile-std", &asks_without_folder());
    let report = Try::new("g22-empty-writes", &json!({ "times": 200_000 }))
        .with_limits(|limits| limits.fuel_max = 2_000_000_000)
        .on(&step)
        .await;
    assert!(report.logs.is_empty());
    assert_eq!(report.log_dropped_bytes, 0);
}
