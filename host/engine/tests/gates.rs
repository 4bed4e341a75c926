//! A gate answers within its caps or not at all.

use aim_core::{
    digest::Digest,
    envelope::Target,
    gate::{GateRequest, Item, Phase},
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

/// A result of so many bytes.
fn item(len: usize) -> Item {
    let payload = vec![b'x'; len];
    Item {
        target: Target::Next,
        action: String::new(),
        media_type: "text/plain".to_owned(),
        artifacts: Vec::new(),
        payload_digest: Digest::of(&payload),
        payload: Some(payload),
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

/// Control: with the look at the payloads' bytes left out of `judge`, the gate passes both and this fails (seen).
#[tokio::test]
async fn a_gate_is_not_asked_about_more_than_it_may_take_in() {
    let gate = gate("gate-hostile");
    let codex = Codex::new(b"pass".as_slice());
    let limits = Limits {
        payload_bytes_max: 10,
        ..Limits::GATE
    };
    let mut request = request();
    request.items = vec![item(4), item(6)];
    let report = gate.judge(&request, &codex, limits).await;
    assert_eq!(report.result.unwrap().verdict, Verdict::Pass);
    request.items = vec![item(5), item(6)];
    let report = gate.judge(&request, &codex, limits).await;
    assert!(
        matches!(
            report.result,
            Err(GateFault::Ended(Outcome::Limit(LimitKind::Payload), _))
        ),
        "{:?}",
        report.result
    );
    assert_eq!(report.fuel_used, 0);
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
    let empty = Codex::new([]);
    let prepared = gate.prepare(&empty, Phase::Egress, Limits::GATE).await;
    assert!(
        matches!(prepared, Some(Err(GateFault::Answered(_)))),
        "{prepared:?}"
    );
    let report = gate.judge(&request(), &empty, Limits::GATE).await;
    assert!(report.result.is_err(), "{:?}", report.result);
}

/// What a gate makes of its codex follows from document and phase, and is good for that phase only.
#[tokio::test]
async fn the_shipped_gate_judges_by_what_it_prepared_for_the_very_phase() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../contracts/codex/default.json"
    );
    let codex = Codex::new(std::fs::read(path).unwrap());
    let gate = gate("gate-mcel");
    let prepare = async |phase| {
        let prepared = gate.prepare(&codex, phase, Limits::GATE).await;
        prepared.unwrap().unwrap()
    };
    let egress = prepare(Phase::Egress).await;
    assert_eq!(egress, prepare(Phase::Egress).await);
    let given = codex.with_prepared(std::sync::Arc::clone(&egress));
    let decision = gate.judge(&request(), &given, Limits::GATE).await.result;
    let decision = decision.unwrap();
    assert_eq!(decision.verdict, Verdict::Pass);
    assert_eq!(decision.codex_digest, codex.digest().to_string());
    let ingress = codex.with_prepared(prepare(Phase::Ingress).await);
    let report = gate.judge(&request(), &ingress, Limits::GATE).await;
    assert!(report.result.is_err(), "prepared for another phase");
    for length in [0, 4, 127, 128, egress.len() / 2, egress.len() - 1] {
        let cut = codex.with_prepared(egress[..length].into());
        let report = gate.judge(&request(), &cut, Limits::GATE).await;
        assert!(
            matches!(report.result, Err(GateFault::Answered(_))),
            "{length}: {:?}",
            report.result
        );
    }
}

#[tokio::test]
async fn a_gate_that_prepares_nothing_reads_its_codex_at_every_request() {
    let gate = gate("gate-hostile");
    let codex = Codex::new(*b"pass");
    let prepared = gate.prepare(&codex, Phase::Egress, Limits::GATE).await;
    assert!(prepared.is_none());
}

/// Reading the codex is under the limits of judging, and what comes of it has a size.
#[tokio::test]
async fn a_gate_that_misbehaves_while_it_prepares_has_nothing_to_judge_by() {
    let gate = gate("gate-preparing");
    let prepare = async |codex: &str| {
        let codex = Codex::new(codex.as_bytes());
        gate.prepare(&codex, Phase::Egress, Limits::GATE)
            .await
            .unwrap()
    };
    assert_eq!(*prepare("fine").await.unwrap(), *b"fine");
    let ended = async |codex: &str| match prepare(codex).await {
        Err(GateFault::Ended(outcome, _)) => outcome,
        other => panic!("{codex}: {other:?}"),
    };
    let looped = ended("loop").await;
    let limits = [LimitKind::Fuel, LimitKind::Deadline].map(Outcome::Limit);
    assert!(limits.contains(&looped), "{looped:?}");
    assert_eq!(ended("allocate").await, Outcome::Limit(LimitKind::Memory));
    assert_eq!(ended("trap").await, Outcome::Trapped(Trap::Unreachable));
    assert!(prepare("large").await.is_err());
    assert!(matches!(prepare("").await, Err(GateFault::Answered(_))));
}
