//! Tests of the chain of types.

use alloc::{string::ToString, vec, vec::Vec};

use super::*;
use crate::{envelope::Target, id::EnvelopeId, verdict::Severity};

fn envelope() -> Envelope {
    let id = EnvelopeId::ingress("global", "actor", "test", "1");
    Envelope {
        id,
        correlation: id,
        causation: None,
        operation: "do".to_string(),
        media_type: "text/plain".to_string(),
        artifacts: vec![],
        body: b"in".to_vec(),
    }
}

fn record(kind: GateKind, phase: Phase, verdict: Verdict) -> GateRecord {
    GateRecord {
        codex: None,
        codex_version: None,
        component: None,
        decision: None,
        gate: "g".to_string(),
        kind,
        phase,
        prior: None,
        reasons: vec!["because".to_string()],
        request: Digest::of(b"request"),
        severity: Severity::Block,
        verdict,
    }
}

fn screened() -> Screened {
    let records = [GateKind::Schema, GateKind::Policy]
        .map(|kind| record(kind, Phase::Ingress, Verdict::Pass));
    Received::new(envelope()).screen(records.to_vec()).unwrap()
}

fn cleared() -> Cleared {
    screened()
        .clear(vec![record(
            GateKind::Component,
            Phase::Ingress,
            Verdict::Pass,
        )])
        .unwrap()
}

fn emission() -> Emission {
    Emission {
        target: Target::Next,
        operation: "done".to_string(),
        media_type: "text/plain".to_string(),
        artifacts: vec![],
        body: b"out".to_vec(),
    }
}

fn egress(verdict: Verdict) -> Vec<GateRecord> {
    vec![
        record(GateKind::Schema, Phase::Egress, Verdict::Pass),
        record(GateKind::Component, Phase::Egress, verdict),
    ]
}

fn position() -> Position {
    Position {
        index: 1,
        sequence: 2,
        witness: Digest::of(b"w"),
    }
}

#[test]
fn a_clean_attempt_releases_what_the_guest_emitted() {
    let ended = cleared()
        .run(RunEnd::Answered(vec![emission()]))
        .judge(egress(Verdict::Pass));
    assert_eq!(ended.outcome(), &Outcome::Completed);
    let released = ended.witness(position()).release().unwrap();
    assert_eq!(released.into_emissions(), [emission()]);
}

// Negative control: with `clear` going on without a component's record, this fails.
#[test]
fn p4_an_absent_gate_is_a_denial_on_both_sides() {
    let ended = Received::new(envelope()).screen(vec![]).unwrap_err();
    assert_eq!(ended.outcome(), &Outcome::Denied(DeniedBy::Gate));
    let ended = screened().clear(vec![]).unwrap_err();
    assert_eq!(ended.outcome(), &Outcome::Denied(DeniedBy::Gate));
    let ended = cleared()
        .run(RunEnd::Answered(vec![emission()]))
        .judge(vec![]);
    assert_eq!(ended.outcome(), &Outcome::Denied(DeniedBy::Gate));
    assert!(ended.witness(position()).release().is_err());
}

#[test]
fn a_record_of_another_phase_does_not_vouch() {
    let stale = vec![record(GateKind::Component, Phase::Egress, Verdict::Pass)];
    assert!(screened().clear(stale).is_err());
    let stale = egress(Verdict::Pass)
        .into_iter()
        .map(|record| GateRecord {
            phase: Phase::Ingress,
            ..record
        })
        .collect();
    let ended = cleared()
        .run(RunEnd::Answered(vec![emission()]))
        .judge(stale);
    assert!(!ended.is_releasable());
}

#[test]
fn each_verdict_has_its_outcome_and_only_pass_and_warn_release() {
    let outcomes = [
        (Verdict::Pass, Outcome::Completed),
        (Verdict::Warn, Outcome::Completed),
        (Verdict::Abstain, Outcome::Abstained(Abstention::Kappa)),
        (Verdict::Fail, Outcome::Denied(DeniedBy::Gate)),
        (Verdict::Error, Outcome::Denied(DeniedBy::Gate)),
    ];
    for (verdict, outcome) in outcomes {
        let ended = cleared()
            .run(RunEnd::Answered(vec![emission()]))
            .judge(egress(verdict));
        assert_eq!(ended.outcome(), &outcome);
        assert_eq!(
            ended.witness(position()).release().is_ok(),
            verdict.releases()
        );
    }
}

#[test]
fn schema_and_policy_refusals_are_told_apart() {
    let records = vec![
        record(GateKind::Schema, Phase::Ingress, Verdict::Fail),
        record(GateKind::Policy, Phase::Ingress, Verdict::Pass),
    ];
    let ended = Received::new(envelope()).screen(records).unwrap_err();
    assert_eq!(ended.outcome(), &Outcome::Failed(Failure::InvalidInput));
    let records = vec![
        record(GateKind::Schema, Phase::Ingress, Verdict::Pass),
        record(GateKind::Policy, Phase::Ingress, Verdict::Fail),
    ];
    let ended = Received::new(envelope()).screen(records).unwrap_err();
    assert_eq!(ended.outcome(), &Outcome::Denied(DeniedBy::Policy));
    assert_eq!(
        ended.fault().unwrap().message,
        "gate `g` says fail: because"
    );
}

#[test]
fn a_stopped_guest_keeps_its_outcome_whatever_gates_say() {
    let fault = Fault {
        code: "AIM-R101".to_string(),
        message: "trapped".to_string(),
    };
    let stopped = RunEnd::Stopped(Outcome::Bug, fault.clone());
    let ended = cleared().run(stopped).judge(egress(Verdict::Pass));
    assert_eq!(
        (ended.outcome(), ended.fault()),
        (&Outcome::Bug, Some(&fault))
    );
    assert!(ended.witness(position()).release().is_err());
}

// Negative control: with the comparison of requests taken out of `worst`, both lines let the envelope through.
#[test]
fn p9_a_decision_about_another_request_clears_nothing() {
    let mut other = record(GateKind::Component, Phase::Ingress, Verdict::Pass);
    other.request = Digest::of(b"another request");
    let ended = screened().clear(vec![other]).unwrap_err();
    assert_eq!(*ended.outcome(), Outcome::Denied(DeniedBy::Gate));
    let mut mixed = vec![
        record(GateKind::Schema, Phase::Egress, Verdict::Pass),
        record(GateKind::Component, Phase::Egress, Verdict::Pass),
    ];
    mixed[1].request = Digest::of(b"another request");
    let ended = cleared()
        .run(RunEnd::Answered(vec![emission()]))
        .judge(mixed);
    assert!(!ended.is_releasable());
}

// Negative control: with `has_component` not asked about in `clear`, what schema and policy have passed is cleared.
#[test]
fn what_no_component_has_judged_is_not_cleared_whoever_else_has() {
    let others = [
        GateKind::Schema,
        GateKind::Policy,
        GateKind::Condition,
        GateKind::Kappa,
    ];
    let others = others.map(|kind| record(kind, Phase::Ingress, Verdict::Pass));
    let ended = screened().clear(others.to_vec()).unwrap_err();
    assert_eq!(ended.outcome(), &Outcome::Denied(DeniedBy::Gate));
    let judge = record(GateKind::Component, Phase::Ingress, Verdict::Pass);
    let all = others.into_iter().chain([judge]).collect();
    assert!(screened().clear(all).is_ok());
}

#[test]
fn gates_in_any_order_and_any_number_give_the_verdict_of_the_worst() {
    let all = [
        Verdict::Pass,
        Verdict::Warn,
        Verdict::Abstain,
        Verdict::Fail,
        Verdict::Error,
    ];
    // BOUND: 5^4 sets of up to four gates, each turned through all of its rotations and once doubled.
    for number in 0..625_usize {
        let picks: Vec<Verdict> = (0..4_u32)
            .map(|place| all[(number / 5_usize.pow(place)) % 5])
            .collect();
        let verdict = |set: &[Verdict]| {
            let component =
                |verdict: &Verdict| record(GateKind::Component, Phase::Ingress, *verdict);
            match screened().clear(set.iter().map(component).collect()) {
                Ok(cleared) => Verdict::worst(cleared.gates.iter().map(|gate| gate.verdict)),
                Err(ended) => ended.verdict(),
            }
        };
        let expected = picks.iter().copied().max().unwrap();
        let mut turned = picks.clone();
        for _ in 0..4 {
            turned.rotate_left(1);
            assert_eq!(verdict(&turned), expected);
            let mut doubled = turned.clone();
            doubled.extend_from_slice(&picks);
            assert_eq!(verdict(&doubled), expected);
        }
        turned.reverse();
        assert_eq!(verdict(&turned), expected);
    }
}
