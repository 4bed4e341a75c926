//! A gate answers within its caps or not at all.

use aim_core::{
    digest::Digest,
    gate::{GateRequest, Phase},
    limits::Limits,
    outcome::{LimitKind, Outcome, Trap},
    verdict::Verdict,
};
use aim_engine::{Codex, GateFault, GateReport};

use crate::support::gate;

fn request() -> GateRequest {
    GateRequest {
        phase: Phase::Egress,
        plan: "plan".to_owned(),
        step: "step".to_owned(),
        role: "role".to_owned(),
        effects: vec![],
        items: vec![],
        impact: None,
        doubt: None,
        quip: None,
        prior: Some(Verdict::Pass),
        context: vec![],
    }
}

async fn judged(codex: &str) -> GateReport {
    let gate = gate("gate-hostile");
    gate.judge(&request(), &Codex::new(codex.as_bytes()), Limits::GATE)
        .await
}

/// Negative control: with the codex comparison of `convert::decision_from_guest` removed this is a `pass` (seen).
#[tokio::test]
async fn a_gate_that_claims_another_codex_gives_no_decision() {
    let report = judged("no-digest").await;
    assert!(
        matches!(report.result, Err(GateFault::Codex(_))),
        "{:?}",
        report.result
    );
}

#[tokio::test]
async fn a_gate_that_traps_loops_or_eats_memory_gives_no_decision_and_says_why() {
    let outcome = async |codex: &str| match judged(codex).await.result {
        Err(GateFault::Ended(outcome, _)) => outcome,
        other => panic!("{other:?}"),
    };
    assert_eq!(outcome("trap").await, Outcome::Trapped(Trap::Unreachable));
    assert_eq!(outcome("allocate").await, Outcome::Limit(LimitKind::Memory));
    let looped = outcome("loop").await;
    let limits = [LimitKind::Fuel, LimitKind::Deadline].map(Outcome::Limit);
    assert!(limits.contains(&looped), "{looped:?}");
}

#[tokio::test]
async fn a_fault_is_no_decision() {
    for codex in ["fault", "unknown", ""] {
        let report = judged(codex).await;
        assert!(
            matches!(report.result, Err(GateFault::Answered(_))),
            "{codex}"
        );
    }
}

/// Negative control: with ratios above one let pass, this fails.
#[tokio::test]
async fn ratios_above_one_are_malformed() {
    let report = judged("over-one").await;
    assert!(
        matches!(report.result, Err(GateFault::Malformed(_))),
        "{:?}",
        report.result
    );
}

#[tokio::test]
async fn every_verdict_comes_through_with_the_true_codex_digest() {
    for (codex, verdict) in [
        ("pass", Verdict::Pass),
        ("warn", Verdict::Warn),
        ("abstain", Verdict::Abstain),
        ("fail", Verdict::Fail),
    ] {
        let report = judged(codex).await;
        let decision = report.result.unwrap();
        assert_eq!(decision.verdict, verdict);
        assert_eq!(
            decision.codex_digest,
            Digest::of(codex.as_bytes()).to_string()
        );
        assert!(report.fuel_used > 0);
    }
}

#[tokio::test]
async fn the_shipped_gate_without_a_codex_gives_no_decision() {
    let gate = gate("gate-mcel");
    let report = gate.judge(&request(), &Codex::new([]), Limits::GATE).await;
    assert!(report.result.is_err(), "{:?}", report.result);
}
