//! Every limit: its value, its ceiling, and an attack that ends on it.
//!
//! INVARIANT: a limit that is added to the struct and to none of these tables fails a test here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aim_core::{
    contract::NodeDocument,
    limits::Limits,
    outcome::{LimitKind, Outcome},
    witness::{ATTEMPT_PREDICATE, Statement},
};
use aim_engine::Cancel;
use aim_runtime::progress::Unwatched;
use serde_json::{Value, json};

use crate::{
    case::Case,
    component::{edited, guest, replaced, repository},
    rig::{Rig, contract},
};

/// Name, default, gates' own, ceiling.
const VALUES: [(&str, u64, u64, u64); 28] = [
    ("memory_bytes_max", 64 << 20, 16 << 20, 1 << 30),
    ("table_elements_max", 10_000, 10_000, 100_000),
    ("instances_max", 64, 64, 64),
    ("memories_max", 4, 4, 4),
    ("tables_max", 16, 16, 16),
    ("handles_max", 1_000, 1_000, 10_000),
    ("fuel_max", 20_000_000_000, 2_000_000_000, 1_000_000_000_000),
    ("deadline_ms_max", 30_000, 10_000, 3_600_000),
    ("host_calls_max", 100_000, 1_000, 10_000_000),
    ("host_call_bytes_max", 1_088 << 10, 1 << 20, 16 << 20),
    ("log_bytes_max", 64 << 10, 64 << 10, 1 << 20),
    ("payload_bytes_max", 1 << 20, 16 << 20, 16 << 20),
    ("emissions_max", 256, 256, 10_000),
    ("artifacts_max", 64, 64, 1_024),
    ("artifact_bytes_max", 64 << 20, 64 << 20, 1 << 30),
    ("random_bytes_max", 64 << 10, 64 << 10, 1 << 20),
    ("reentry_max", 1, 1, 1),
    ("hops_max", 64, 64, 1_024),
    ("fan_out_max", 1_024, 1_024, 100_000),
    ("effects_max", 16, 16, 1_000),
    ("effect_bytes_max", 4 << 20, 4 << 20, 64 << 20),
    ("effect_ms_max", 10_000, 10_000, 600_000),
    ("kv_keys_max", 4_096, 4_096, 65_536),
    ("kv_value_bytes_max", 256 << 10, 256 << 10, 1 << 20),
    ("kv_bytes_max", 16 << 20, 16 << 20, 256 << 20),
    ("files_max", 1_024, 1_024, 65_536),
    ("file_bytes_max", 32 << 20, 32 << 20, 256 << 20),
    ("folder_bytes_max", 64 << 20, 64 << 20, 1 << 30),
];

fn of(limits: Limits) -> BTreeMap<String, u64> {
    let value = serde_json::to_value(limits).unwrap();
    let fields = value.as_object().unwrap().iter();
    fields
        .map(|(name, value)| (name.clone(), value.as_u64().unwrap()))
        .collect()
}

#[test]
fn every_limit_has_the_value_that_is_documented() {
    let (default, gate, ceiling) = (of(Limits::DEFAULT), of(Limits::GATE), of(Limits::CEILING));
    for (name, in_default, in_gate, in_ceiling) in VALUES {
        let found = (default[name], gate[name], ceiling[name]);
        assert_eq!(found, (in_default, in_gate, in_ceiling), "{name}");
    }
    assert_eq!(default.len(), VALUES.len(), "a limit has no row here");
}

/// Negative control: with no comparison with the ceiling in `Limits::faults_under`, this fails.
#[test]
fn no_contract_goes_past_a_ceiling_and_no_default_past_a_lowered_one() {
    for (name, default, _, ceiling) in VALUES {
        let limits = |value: u64| json!({ "limits": { name: value } });
        let error = contract("n", &limits(ceiling + 1)).unwrap_err();
        assert!(error.contains(name), "{error}");
        assert!(contract("n", &limits(0)).is_err(), "{name} of nothing");
        assert!(
            contract("n", &limits(ceiling)).is_ok(),
            "{name} at its ceiling"
        );
        let mut lowered = serde_json::to_value(Limits::CEILING).unwrap();
        lowered[name] = json!(1);
        let ceiling: Limits = serde_json::from_value(lowered).unwrap();
        let document: NodeDocument = serde_json::from_value(json!({
            "kind": "compute", "node_id": "n", "version": "0.1.0", "component": { "path": "c.wasm" }
        }))
        .unwrap();
        let checked = document.check(&ceiling).unwrap();
        assert_eq!(of(checked.limits)[name], 1.min(default), "{name}");
    }
}

/// An attack with one limit of its contract set low, and the end that it must come to.
type Attack = (&'static str, u64, fn() -> Case, LimitKind);

const ATTACKS: [Attack; 13] = [
    (
        "memory_bytes_max",
        65_536,
        || Case::hostile("g24-trap"),
        LimitKind::Memory,
    ),
    (
        "table_elements_max",
        1,
        || Case::of(with_tables()),
        LimitKind::Tables,
    ),
    (
        "instances_max",
        1,
        || Case::of(guest("hostile-g18-handles")),
        LimitKind::Instances,
    ),
    (
        "memories_max",
        3,
        || Case::of(guest("hostile-g6-many-memories")),
        LimitKind::Instances,
    ),
    (
        "tables_max",
        1,
        || Case::of(with_tables()),
        LimitKind::Instances,
    ),
    (
        "handles_max",
        10,
        || Case::hostile("g17-resource-flood times=20"),
        LimitKind::Handles,
    ),
    (
        "fuel_max",
        100_000,
        || Case::hostile("g1-infinite-loop"),
        LimitKind::Fuel,
    ),
    (
        "deadline_ms_max",
        30,
        || Case::hostile("g1-infinite-loop").limit("fuel_max", 1_000_000_000_000),
        LimitKind::Deadline,
    ),
    (
        "host_calls_max",
        10,
        || Case::hostile("g3-host-calls times=11"),
        LimitKind::HostCalls,
    ),
    (
        "host_call_bytes_max",
        4_096,
        || Case::hostile("g21-log-line bytes=5000"),
        LimitKind::HostCallBytes,
    ),
    (
        "payload_bytes_max",
        1_000,
        || Case::hostile("g21-emissions times=1 bytes=1001"),
        LimitKind::Payload,
    ),
    (
        "emissions_max",
        3,
        || Case::hostile("g21-emissions times=4"),
        LimitKind::Emissions,
    ),
    (
        "random_bytes_max",
        100,
        || Case::hostile_std("g20-random-flood times=1 bytes=101"),
        LimitKind::Random,
    ),
];

/// Limits that have a test of their own: what they stop is told to the guest, dropped and counted, or belongs to a plan.
const ELSEWHERE: [&str; 15] = [
    "effects_max",
    "effect_bytes_max",
    "effect_ms_max",
    "log_bytes_max",
    "artifacts_max",
    "artifact_bytes_max",
    "reentry_max",
    "hops_max",
    "fan_out_max",
    "kv_keys_max",
    "kv_value_bytes_max",
    "kv_bytes_max",
    "files_max",
    "file_bytes_max",
    "folder_bytes_max",
];

fn with_tables() -> Vec<u8> {
    edited("hostile-g8-table-grow", |text| {
        replaced(
            &text,
            "(table $wide 1 funcref)",
            "(table $wide 1 funcref) (table 1 funcref)",
        )
    })
}

/// Each attack completes, or ends on something else, when its own limit is not lowered: the limit is what stops it.
/// Negative controls: the tests of the attacks themselves.
#[test]
fn every_limit_stops_an_attack() {
    for (name, value, attack, kind) in ATTACKS {
        attack().limit(name, value).ends(&[Outcome::Limit(kind)]);
    }
    let covered: BTreeSet<&str> = ATTACKS
        .iter()
        .map(|(name, ..)| *name)
        .chain(ELSEWHERE)
        .collect();
    let all: BTreeSet<&str> = VALUES.iter().map(|(name, ..)| *name).collect();
    assert_eq!(covered, all, "a limit has no attack");
}

/// Negative control: with no sum of bytes, or with no count of artifacts, this fails.
#[test]
fn artifacts_end_by_number_and_by_bytes_and_the_guest_is_told() {
    for (limit, value, calls) in [("artifacts_max", 5, 6), ("artifact_bytes_max", 4_096, 5)] {
        let case = Case::hostile("g21-artifacts times=1000 bytes=1024").limit(limit, value);
        let attempt = case.ends(&[Outcome::Completed]);
        assert_eq!(attempt.host_calls.calls, calls, "{limit}");
    }
}

/// Negative control: with a log buffer that never runs out, this fails.
#[test]
fn logs_end_by_bytes_and_the_rest_is_counted() {
    let case = Case::hostile("g21-log-lines times=100 bytes=100").limit("log_bytes_max", 1_000);
    let attempt = case.ends(&[Outcome::Completed]);
    let dropped = attempt.host_calls.log_bytes_dropped;
    assert!((9_000..9_100).contains(&dropped), "{dropped}");
}

/// What a run leaves behind is what the fuzzer starts from: `AIM_BLESS=1` writes it anew.
#[test]
fn the_fuzzer_starts_from_what_a_real_run_leaves() {
    let rig = Rig::new();
    let plan = "PLAN p:\n  QUIP \"An echo.\"\n  ROLE a: custom(node=\"echo\")\n  STEP s:\n    ASSIGN a: \"x\"\n";
    rig.run(plan, "hello", Arc::new(Unwatched), &Cancel::new());
    let witness = Statement::new(ATTEMPT_PREDICATE, vec![], rig.attempts("s").remove(0));
    let compiled = aim_acl::compile(plan, aim_acl::Profile::Lenient).unwrap();
    let transcript = aim_core::transcript::Transcript::default();
    let seeds = [
        ("log/run", rig.log.bytes()),
        ("witness/attempt", witness.payload()),
        ("plan/one-step", compiled.plan.to_json()),
        ("transcript/empty", transcript.encode()),
    ];
    for (name, bytes) in seeds {
        let path = repository(&format!("tests/fuzz/corpus/{name}"));
        if std::env::var_os("AIM_BLESS").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        let kept = std::fs::read(&path).unwrap();
        assert!(
            !kept.is_empty() && kept.len() < 1 << 16,
            "{name}: {} bytes",
            kept.len()
        );
    }
    let kept = std::fs::read(repository("tests/fuzz/corpus/log/run")).unwrap();
    let report = aim_trust::verify::verify_log(
        &aim_trust::verify::SliceLog(&kept),
        &aim_trust::verify::VerifyOptions::default(),
    );
    assert!(report.unwrap().faults.is_empty(), "the kept log verifies");
}

fn outcome_of(step: &str, plan: &str, more: &Value) -> Option<Outcome> {
    let mut rig = Rig::new();
    rig.add("narrow", guest("conformance-echo"), more, None);
    let report = rig.run(plan, "x", Arc::new(Unwatched), &Cancel::new());
    let step = report.steps.iter().find(|one| one.step.as_str() == step);
    assert!(rig.verify().authenticated);
    step.unwrap().outcome.clone()
}

/// The third step of a chain is three steps away, its own included. Negative control: without `Reach::too_deep` in
/// `attempt::drive` it completes.
#[test]
fn an_envelope_that_has_come_too_far_is_not_handled() {
    let plan = "PLAN far:\n  QUIP \"A rumour travels.\"\n  ROLE a: custom(node=\"echo\")\n  ROLE n: custom(node=\"narrow\")\n  STEP one:\n    ASSIGN a: \"x\"\n  STEP two:\n    ASSIGN a: \"x\"\n    REQUIRES one\n  STEP three:\n    ASSIGN n: \"x\"\n    REQUIRES one, two\n";
    let three = |hops: u64| outcome_of("three", plan, &json!({ "limits": { "hops_max": hops } }));
    assert_eq!(three(2), Some(Outcome::Limit(LimitKind::Hops)));
    assert_eq!(three(3), Some(Outcome::Completed));
}

/// One emission to two steps is two deliveries. Negative control: without `Reach::limited` in `attempt::done` it
/// completes.
#[test]
fn an_answer_to_too_many_steps_is_not_delivered() {
    let plan = "PLAN wide:\n  QUIP \"A rumour travels.\"\n  ROLE a: custom(node=\"echo\")\n  ROLE n: custom(node=\"narrow\")\n  STEP one:\n    ASSIGN n: \"x\"\n  STEP two:\n    ASSIGN a: \"x\"\n    REQUIRES one\n  STEP three:\n    ASSIGN a: \"x\"\n    REQUIRES one\n";
    let one = |width: u64| outcome_of("one", plan, &json!({ "limits": { "fan_out_max": width } }));
    assert_eq!(one(1), Some(Outcome::Limit(LimitKind::FanOut)));
    assert_eq!(one(2), Some(Outcome::Completed));
}
