//! Every family of host calls, replayed in a world that has changed since: the record answers, not the world.
//!
//! INVARIANT: each case makes the calls that it is about, and they are counted.

use std::{collections::BTreeMap, time::Duration};

use aim_core::{digest::Digest, outcome::Exit};
use aim_runtime::{
    outside::Outside,
    replay::{Replay, Standing},
};
use serde_json::{Value, json};

use crate::rig::Rig;

const WORK: &str = r#"
PLAN work v1.0:
  QUIP "What was said then is said again."
  ROLE a: custom(node="work")
  STEP work:
    ASSIGN a: "do it"
"#;

/// A guest that calls any function of the host by name.
fn caller() -> Rig {
    let asks = json!([
        { "capability": "artifact", "modes": ["read", "put"] },
        { "capability": "attest" }, { "capability": "budget" }, { "capability": "consult" },
        { "capability": "context" }, { "capability": "log" },
    ]);
    Rig::new(WORK).node("work", "conformance-functions", json!({ "asks": asks }))
}

/// What the world is when the run is replayed: another day, another deployment, nothing in the store, nothing outside.
fn changed(mut rig: Rig) -> Rig {
    rig.clock.advance(Duration::from_secs(86_400));
    rig.config = BTreeMap::from([("region".to_owned(), "us".to_owned())]);
    for folder in rig.folders.values() {
        folder.put("new-since.txt", b"new");
    }
    rig.store = std::sync::Arc::default();
    rig.outside = Outside::nothing();
    rig.policy = None;
    rig
}

fn equal(rig: &Rig, about: &str) -> Replay {
    let mut replays = rig.replay();
    assert_eq!(replays.len(), 1, "{about}");
    assert_eq!(replays[0].standing, Standing::Equal, "{about}");
    replays.remove(0)
}

/// Calls of the only attempt that begin with `interface`.
fn calls(rig: &Rig, interface: &str) -> usize {
    let replays = rig.replay();
    let digest = replays[0].recorded.host_calls.transcript;
    let ledger = rig.ledger();
    let bytes = ledger.blob(&rig.log.reader(), digest).unwrap().unwrap();
    let transcript = aim_core::transcript::Transcript::decode(&bytes).unwrap();
    let records = transcript.records().iter();
    records
        .filter(|record| record.function.starts_with(interface))
        .count()
}

fn calling(interface: &str, functions: &[&str]) -> Value {
    let calls = functions
        .iter()
        .map(|function| json!({ "call": format!("{interface}.{function}"), "with": {} }));
    Value::Array(calls.collect())
}

const CONTEXT: [&str; 12] = [
    "run-id",
    "step-name",
    "role",
    "attempt",
    "tenant",
    "actor",
    "correlation-id",
    "causation-id",
    "traceparent",
    "plan",
    "component",
    "seed",
];

fn families() -> Vec<(&'static str, Value)> {
    let budget = [
        "fuel",
        "calls",
        "tokens",
        "cost-micros",
        "wall-ms",
        "is-cancelled",
    ];
    let consult = |action: &str| {
        json!({ "call": "aim:gate/consult.check",
            "with": { "action": action, "target": "world", "payload": "weigh this" } })
    };
    let read = json!({ "call": "aim:artifact/store.read",
        "with": { "digest": Digest::of(b"hello").to_string(), "offset-bytes": 0, "len-bytes": 9 } });
    let put = json!({ "call": "aim:artifact/store.put", "with": { "media-type": "text/plain", "body": "kept" } });
    let label = json!({ "call": "aim:host/context.label", "with": { "key": "mood" } });
    let claim =
        json!({ "call": "aim:witness/attest.claim", "with": { "kind": "note", "body": "{}" } });
    let written = json!({ "call": "aim:log/log.write",
        "with": { "level": "info", "message": "seen", "fields": {} } });
    vec![
        ("aim:host/context", calling("aim:host/context", &CONTEXT)),
        ("aim:host/context.label", json!([label])),
        ("aim:host/budget", calling("aim:host/budget", &budget)),
        (
            "aim:gate/consult",
            json!([consult("publish"), consult("delete")]),
        ),
        ("aim:artifact/store", json!([put, read])),
        ("aim:witness/attest", json!([claim])),
        ("aim:log/log", json!([written])),
    ]
}

#[test]
fn what_the_host_told_then_is_told_again_in_another_world() {
    for (interface, list) in families() {
        let rig = caller();
        let report = rig
            .run(&[("calls", &list.to_string()), ("word", "hello")])
            .unwrap();
        assert_eq!(report.exit, Exit::Ok, "{interface}: {:?}", report.steps);
        let rig = changed(rig);
        equal(&rig, interface);
        assert_eq!(
            calls(&rig, interface),
            list.as_array().unwrap().len(),
            "{interface}"
        );
    }
}

fn std_guest(asks: Value) -> Rig {
    let more = json!({ "asks": asks, "adapt": "std-0.2.12" });
    Rig::new(WORK).node("work", "conformance-std", more)
}

/// Control: with the record left out of `poll` and `ready`, both waits are over in the replay, and this fails (seen).
#[test]
fn which_of_several_real_waits_was_over_is_told_by_the_record() {
    let rig = std_guest(json!([{ "capability": "clocks", "modes": ["real"] }]));
    let call = json!({ "operation": "race" }).to_string();
    let report = rig.run(&[("call", &call)]).unwrap();
    let released = report.steps[0].released.as_ref().unwrap();
    let answer: Value = serde_json::from_slice(&released.emissions[0].body).unwrap();
    assert_eq!(answer["ok"], json!({ "late": false, "over": [0] }));
    let rig = changed(rig);
    equal(&rig, "race");
    assert_eq!(calls(&rig, "wasi:io/poll."), 2);
    // Virtual waits are made again and not written down.
    let rig = std_guest(json!([{ "capability": "clocks", "modes": ["virtual"] }]));
    rig.run(&[("call", &call)]).unwrap();
    equal(&rig, "virtual race");
    assert_eq!(calls(&rig, "wasi:io/poll."), 0);
}

/// The deployment gave the values then; now it gives others, and the replay asks neither.
/// Control: with the values not taken from the record, there are none, and this fails (seen).
#[test]
fn configuration_of_the_deployment_is_answered_by_the_record() {
    let asks = json!([
        { "capability": "config", "scope": ["region"] },
        { "capability": "keyvalue", "modes": ["read"], "scope": ["state"] },
    ]);
    let mut rig = Rig::new(WORK).node("work", "conformance-state", json!({ "asks": asks }));
    rig.config = BTreeMap::from([("region".to_owned(), "eu".to_owned())]);
    let list = json!([{ "do": "config", "key": "region" }, { "do": "config-all" }]);
    let report = rig.run(&[("calls", &list.to_string())]).unwrap();
    assert_eq!(report.exit, Exit::Ok, "{:?}", report.steps);
    let rig = changed(rig);
    equal(&rig, "config");
    assert_eq!(calls(&rig, "wasi:config/store"), 2);
}
