//! What a host does when more is asked of it than it has room for: wait, in bounds, then refuse with a witness.

use std::sync::Arc;

use aim_core::{
    name::TenantId,
    outcome::{Exit, LimitKind, Outcome},
    traffic::TrafficLimits,
};
use serde_json::json;

use crate::rig::Rig;

const BESIDE: &str = r#"
PLAN beside v1.0:
  QUIP "Three guests, one chair."
  ROLE a: custom(node="echo")
  STEP one:
    ASSIGN a: "say it"
  STEP two:
    ASSIGN a: "say it"
  STEP three:
    ASSIGN a: "say it"
"#;

fn beside(traffic: TrafficLimits) -> Rig {
    let mut rig = Rig::new(BESIDE).node("echo", "conformance-echo", json!({}));
    rig.traffic = traffic;
    rig
}

#[test]
fn attempts_wait_for_a_place_and_all_of_them_run() {
    let rig = beside(TrafficLimits {
        attempts_max: 1,
        ..TrafficLimits::DEFAULT
    });
    let report = rig.run(&[("word", "hello")]).unwrap();
    assert_eq!(report.exit, Exit::Ok);
    assert_eq!(rig.attempts().len(), 3);
}

/// Control: with the place taken and the refusal ignored in `take_place`, all three complete and this fails.
#[test]
fn past_the_bound_an_attempt_is_refused_and_leaves_its_witness() {
    let rig = beside(TrafficLimits {
        attempts_max: 1,
        waiting_max: 1,
        ..TrafficLimits::DEFAULT
    });
    let (host, ledger) = rig.open().unwrap();
    let tenant = TenantId::parse("other").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let running = runtime.block_on(host.door.enter(&tenant, 1)).unwrap();
    let door = host.door.clone();
    let waiting = runtime.spawn(async move { door.enter(&tenant, 1).await.map(drop) });
    while host.door.counts() != (1, 1) {
        std::thread::yield_now();
    }
    let (host, report) = rig.run_on(host, &ledger, &[("word", "hello")]);
    assert_eq!(report.unwrap().exit, Exit::Limit);
    drop(running);
    runtime.block_on(waiting).unwrap().unwrap();
    drop(Arc::into_inner(host).unwrap().committer.close());
    let refused = rig.attempts();
    assert!(!refused.is_empty());
    for attempt in refused {
        assert_eq!(attempt.outcome, Outcome::Limit(LimitKind::Concurrency));
        assert_eq!(attempt.fault.unwrap().code, "AIM-R060");
        assert_eq!(attempt.outputs, []);
    }
    assert!(rig.verify().authenticated);
}

#[test]
fn an_attempt_that_could_never_fit_does_not_wait() {
    let rig = beside(TrafficLimits {
        memory_bytes_max: 1024 * 1024,
        ..TrafficLimits::DEFAULT
    });
    let report = rig.run(&[("word", "hello")]).unwrap();
    assert_eq!(report.exit, Exit::Limit);
    let codes: Vec<String> = (rig.attempts().into_iter())
        .map(|attempt| attempt.fault.unwrap().code)
        .collect();
    assert!(
        !codes.is_empty() && codes.iter().all(|code| code == "AIM-R061"),
        "{codes:?}"
    );
}

/// Control: with the guest's memory alone given to the door, the one that puts artifacts ran and this failed.
#[test]
fn what_an_attempt_may_stage_counts_as_much_as_its_own_memory() {
    let exit = |contract| {
        let mut rig = Rig::new(BESIDE).node("echo", "conformance-echo", contract);
        rig.traffic.memory_bytes_max = 100 * 1024 * 1024;
        rig.run(&[("word", "hello")]).unwrap().exit
    };
    let puts = |most: u64| {
        json!({
            "asks": [{ "capability": "artifact", "modes": ["put"] }],
            "limits": { "artifact_bytes_max": most },
        })
    };
    assert_eq!(exit(json!({})), Exit::Ok, "64 MiB");
    assert_eq!(exit(puts(16 * 1024 * 1024)), Exit::Ok, "80 MiB");
    assert_eq!(exit(puts(64 * 1024 * 1024)), Exit::Limit, "128 MiB");
}
