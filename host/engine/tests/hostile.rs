//! Attacks end as the limit, trap or refusal that they are, and leave the neighbour alone.

use aim_core::{
    admission::World,
    limits::Limits,
    outcome::{Failure, LimitKind, Outcome, Trap},
};
use aim_engine::{EngineProfile, StepEnd, StepReport, VerifiedNativeCode};
use serde_json::json;

use crate::support::{
    ENGINE, Try, admitted, all_asks, answer, artifact, asks_without_folder, guest, step, step_of,
};

async fn attack(operation: &str, limits: impl FnOnce(&mut Limits)) -> StepReport {
    let step = step("hostile", &asks_without_folder());
    Try::new(operation, &json!({}))
        .with_limits(limits)
        .on(&step)
        .await
}

fn outcome(report: &StepReport) -> Outcome {
    match &report.end {
        StepEnd::Ended(outcome, _) => outcome.clone(),
        other => panic!("{other:?}"),
    }
}

/// G1. Negative control: without `set_fuel` in `store::arm` no guest runs at all, and the next test ends on fuel (seen).
#[tokio::test]
async fn an_endless_loop_ends_on_fuel_with_the_same_count_every_time() {
    let fuel = |limits: &mut Limits| limits.fuel_max = 5_000_000;
    let one = attack("g1-infinite-loop", fuel).await;
    let two = attack("g1-infinite-loop", fuel).await;
    assert_eq!(outcome(&one), Outcome::Limit(LimitKind::Fuel));
    assert_eq!((one.fuel_used, two.fuel_used), (5_000_000, 5_000_000));
}

/// G1. Two protections stand behind this: the tick's own check and the outer clock.
/// Negative control: with neither the check of `store::on_tick` nor the outer sleep of `invoke::run`, this fails.
#[tokio::test]
async fn an_endless_loop_ends_on_the_deadline() {
    let report = attack("g1-infinite-loop", |limits| {
        limits.deadline_ms_max = 20;
        limits.fuel_max = u64::MAX / 2;
    })
    .await;
    assert_eq!(outcome(&report), Outcome::Limit(LimitKind::Deadline));
}

/// G2.
/// Negative control: with fuel set after the instantiation, this fails.
#[tokio::test]
async fn a_loop_in_the_start_function_ends_on_fuel() {
    let step = step("hostile-g2-start-loop", &[]);
    let report = Try::new("x", &json!({}))
        .with_limits(|limits| limits.fuel_max = 1_000_000)
        .on(&step)
        .await;
    assert_eq!(outcome(&report), Outcome::Limit(LimitKind::Fuel));
}

/// G6. Negative control: with `memory_growing` always true the guest gets all of its slot, one gibibyte (seen).
#[tokio::test]
async fn memory_ends_at_the_limit_and_growth_is_refused_not_trapped() {
    for operation in ["g6-memory-grow-once", "g6-memory-grow-pages"] {
        let report = attack(operation, |limits| limits.memory_bytes_max = 8 << 20).await;
        let answer = answer(&report);
        let after = answer["after"].as_u64().unwrap();
        assert!(after * 65_536 <= 8 << 20, "{answer}");
        assert!(report.memory_peak_bytes <= 8 << 20);
    }
}

/// G10.
/// Negative control: with the arm for a full stack taken out of `trap::trapped`, this fails.
#[tokio::test]
async fn endless_recursion_ends_the_stack() {
    let report = attack("g10-recursion", |_| {}).await;
    assert_eq!(outcome(&report), Outcome::Trapped(Trap::StackOverflow));
}

/// G12.
#[tokio::test]
async fn a_list_that_claims_more_than_there_is_costs_nothing() {
    for name in ["hostile-g12-huge-list", "hostile-g12-huge-body"] {
        let step = step(name, &[]);
        let report = Try::new("x", &json!({})).on(&step).await;
        let allowed = [
            Outcome::Trapped(Trap::Abi),
            Outcome::Trapped(Trap::OutOfBounds),
            Outcome::Limit(LimitKind::HostCallBytes),
        ];
        assert!(
            allowed.contains(&outcome(&report)),
            "{name}: {:?}",
            report.end
        );
    }
}

/// G17. Negative control: with `set_max_capacity` and `set_max_component_handles` left out all 100 000 are made (seen).
#[tokio::test]
async fn resource_handles_end_at_the_limit_and_dropping_gives_them_back() {
    let report = attack("g17-resource-flood", |limits| limits.handles_max = 100).await;
    assert_eq!(outcome(&report), Outcome::Limit(LimitKind::Handles));
    let report = attack("g17-resource-drop", |limits| limits.handles_max = 100).await;
    assert_eq!(answer(&report)["made"], 10_000);
}

/// G21.
/// Negative control: with a log buffer that never runs out, this fails.
#[tokio::test]
async fn a_flood_of_logs_is_cut_and_counted() {
    let report = attack("g21-log-lines", |limits| {
        limits.host_calls_max = 5_000;
        limits.log_bytes_max = 10_000;
    })
    .await;
    assert_eq!(outcome(&report), Outcome::Limit(LimitKind::HostCalls));
    let kept: usize = report.logs.iter().map(|line| line.message.len()).sum();
    assert!(kept <= 10_100, "{kept}");
    assert!(
        report.log_dropped_bytes > 5_000_000,
        "{}",
        report.log_dropped_bytes
    );
    let report = attack("g21-log-line", |_| {}).await;
    let allowed = [LimitKind::HostCallBytes, LimitKind::Memory].map(Outcome::Limit);
    assert!(allowed.contains(&outcome(&report)), "{:?}", report.end);
}

/// G3: the same flood ends on fuel when calls are not the limit.
/// Negative control: with no `door::charge` in `door::begin`, this fails.
#[tokio::test]
async fn host_calls_cost_fuel() {
    let report = attack("g21-log-lines", |limits| limits.fuel_max = 20_000_000).await;
    assert_eq!(outcome(&report), Outcome::Limit(LimitKind::Fuel));
    assert!(report.transcript.records().len() < 5_000);
}

/// G24: a trapped store is gone; the step answers the next envelope from a fresh instance.
/// Negative control: with a trap remembered by the step, this fails.
#[tokio::test]
async fn after_a_trap_the_next_envelope_gets_a_fresh_instance() {
    let step = step("hostile", &asks_without_folder());
    let trapped = Try::new("g24-trap", &json!({})).on(&step).await;
    assert_eq!(outcome(&trapped), Outcome::Trapped(Trap::Unreachable));
    let next = Try::new("s1-terminal-escapes", &json!({})).on(&step).await;
    assert_eq!(answer(&next)["lines"], 8);
}

/// S1.
/// Negative control: with `text::neutralise` handing text through, this fails.
#[tokio::test]
async fn logged_escapes_are_visible_text() {
    let report = attack("s1-terminal-escapes", |_| {}).await;
    assert_eq!(report.logs.len(), 8);
    for line in &report.logs {
        let mut all = line.message.clone();
        for (name, value) in &line.fields {
            all.push_str(name);
            all.push_str(value);
        }
        assert!(!all.chars().any(char::is_control), "{all:?}");
        for hidden in ['\u{202e}', '\u{2066}', '\u{2028}', '\u{200f}'] {
            assert!(!all.contains(hidden), "{all:?}");
        }
    }
    assert!(report.logs[0].message.contains("\\u{1b}[31mred"));
}

/// L1, L2, L4.
/// Negative control: with `admit` not collecting the faults of imports, this fails.
#[test]
fn what_is_not_declared_or_has_another_version_is_refused_by_its_exact_name() {
    for (name, codes) in [
        ("hostile-l1-undeclared", &["AIM-A001", "AIM-A003"][..]),
        ("hostile-l2-log-version", &["AIM-A004"]),
        ("hostile-l2-wasi-version", &["AIM-A004"]),
        ("hostile-l4-sockets", &["AIM-A006"]),
        ("hostile-l4-environment", &["AIM-A001"]),
        ("hostile-l4-http", &["AIM-A001"]),
    ] {
        let bytes = guest(name);
        let asks = if name.starts_with("hostile-l1") || name == "hostile-l4-http" {
            vec![]
        } else {
            all_asks()
        };
        let faults = admitted(&bytes, World::Step, &asks, None).expect_err(name);
        assert!(!faults.is_empty());
        for fault in &faults {
            assert!(
                codes.contains(&fault.code()),
                "{name}: {fault} {}",
                fault.code()
            );
        }
    }
}

/// L2. The linker alone would have taken it: same interface, other patch version.
/// Negative control: with no comparison in `load::check_bound`, or with no comparison of worlds in `Engine::load` this
/// fails.
#[test]
fn native_code_of_another_component_is_refused_even_when_it_would_link() {
    let admitted_bytes = guest("conformance-echo");
    let linkage = admitted(&admitted_bytes, World::Step, &[], None).unwrap();
    let other = guest("conformance-functions");
    let native = VerifiedNativeCode::compiled_here(EngineProfile::Wasi02, &other).unwrap();
    let error = ENGINE.load_step(native, &linkage).unwrap_err();
    assert_eq!(error.code(), "AIM-A034");
    let gate = VerifiedNativeCode::compiled_here(EngineProfile::Wasi02, &admitted_bytes).unwrap();
    assert_eq!(
        ENGINE.load_gate(gate, &linkage).unwrap_err().code(),
        "AIM-A033"
    );
    let garbage = VerifiedNativeCode::assume_verified(b"no native code".to_vec());
    assert_eq!(
        ENGINE.load_step(garbage, &linkage).unwrap_err().code(),
        "AIM-A032"
    );
}

/// G28: what one guest wrote into a recycled slot, the next can not read.
#[tokio::test]
async fn a_recycled_slot_is_all_zero() {
    let step = step("hostile", &asks_without_folder());
    for _ in 0..200 {
        let report = Try::new("g6-memory-grow-pages", &json!({ "times": 8 }))
            .on(&step)
            .await;
        assert_eq!(answer(&report)["got"], 8);
    }
    let probe = crate::proposals::zero_probe();
    let probe = step_of(&probe, &[]);
    for _ in 0..50 {
        let report = Try::new("x", &json!({})).on(&probe).await;
        assert!(
            matches!(report.end, StepEnd::Answered(_)),
            "{:?}",
            report.end
        );
    }
}

/// A hostile step next to a good one: the good one completes every envelope with the right answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbour_of_a_hostile_step_completes_its_envelopes() {
    let hostile = step("hostile", &asks_without_folder());
    let echo = step("conformance-echo", &[]);
    let attack = tokio::spawn(async move {
        Try::new("g1-infinite-loop", &json!({}))
            .with_limits(|limits| {
                limits.deadline_ms_max = 200;
                limits.fuel_max = u64::MAX / 2;
            })
            .on(&hostile)
            .await
    });
    for turn in 0..50 {
        let report = Try::new("echo", &json!({ "turn": turn })).on(&echo).await;
        assert!(
            matches!(report.end, StepEnd::Answered(_)),
            "{:?}",
            report.end
        );
    }
    assert_eq!(
        outcome(&attack.await.unwrap()),
        Outcome::Limit(LimitKind::Deadline)
    );
}

/// Negative control: with no look at the size of the envelope in `invoke`, this fails.
#[tokio::test]
async fn an_envelope_above_the_payload_limit_never_reaches_the_guest() {
    let echo = step("conformance-echo", &[]);
    let report = Try::new("echo", &json!("0123456789"))
        .with_limits(|limits| limits.payload_bytes_max = 8)
        .on(&echo)
        .await;
    assert_eq!(outcome(&report), Outcome::Limit(LimitKind::Payload));
    assert_eq!(report.fuel_used, 0);
}

/// The step that gets an emission may read what comes along. A digest that a guest has heard of (of another tenant's
/// artifact, from a witness, or guessed) is no key to it.
/// Negative control: with every reference taken for one that `holds`, all of these are passed on (seen).
#[tokio::test]
async fn a_step_passes_on_no_artifact_but_those_that_it_put_or_was_given() {
    let (given, bytes) = artifact(b"mine");
    let digest = given.digest.to_string();
    let told = async |body: serde_json::Value, has_it: bool| {
        let step = step("hostile", &asks_without_folder());
        let mut attempt = Try::new("borrowed-artifact", &body);
        if has_it {
            attempt.inputs = vec![(given.clone(), bytes.clone())];
        }
        attempt.on(&step).await
    };
    let report = told(json!({ "digest": digest, "bytes": 4 }), true).await;
    assert!(
        matches!(report.end, StepEnd::Answered(_)),
        "{:?}",
        report.end
    );
    for (body, has_it) in [
        (json!({ "digest": digest, "bytes": 4 }), false),
        (json!({ "digest": digest, "bytes": 5 }), true),
        (
            json!({ "digest": artifact(b"theirs").0.digest.to_string(), "bytes": 6 }),
            true,
        ),
    ] {
        let report = told(body.clone(), has_it).await;
        let StepEnd::Ended(outcome, fault) = report.end else {
            panic!("{body}: {:?}", report.end);
        };
        assert_eq!(outcome, Outcome::Failed(Failure::Permanent), "{body}");
        assert_eq!(fault.code, "AIM-R016", "{body}");
    }
}
