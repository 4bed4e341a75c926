//! Claimed confidence against what is needed: by how much depends on a node, by what was measured of it, by plan and contract.

use aim_core::{
    kappa::{Criticality, Escalation, ThresholdSet, TrackRecord},
    name::NodeId,
    outcome::Exit,
    plan::{Plan, RiskClass},
};
use serde_json::json;

use crate::rig::Rig;

const INPUTS: &[(&str, &str)] = &[("word", "hello")];

/// What a contract that says how much depends on a node does to a claim of 0.9.
/// Negative control: with the criticality not given to `threshold`, there is no record of kappa (seen).
#[test]
fn a_claim_is_held_against_how_much_depends_on_the_node() {
    let (completed, abstained) = (Exit::Ok, Exit::Abstained);
    for (criticality, strict, record, threshold, escalation, exit) in [
        ("routine", false, None, 700_000, None, completed),
        (
            "important",
            false,
            None,
            850_000,
            Some(Escalation::NarrowPass),
            completed,
        ),
        (
            "critical",
            false,
            None,
            950_000,
            Some(Escalation::BelowThreshold),
            abstained,
        ),
        (
            "important",
            true,
            None,
            900_000,
            Some(Escalation::NarrowPass),
            completed,
        ),
        ("routine", false, Some(600_000), 800_000, None, completed),
        (
            "important",
            false,
            Some(600_000),
            950_000,
            Some(Escalation::BelowThreshold),
            abstained,
        ),
    ] {
        let mut rig = confident(criticality);
        if strict {
            rig.rules.confidence.set = ThresholdSet::Strict;
        }
        if let Some(accuracy) = record {
            let record = TrackRecord {
                accuracy_ppm: Some(accuracy),
                ..TrackRecord::default()
            };
            let node = NodeId::parse("sure").unwrap();
            rig.rules.confidence.records.insert(node, record);
        }
        assert_eq!(
            rig.run(INPUTS).unwrap().exit,
            exit,
            "{criticality} {strict}"
        );
        let kappa = rig.attempt("s").kappa.unwrap();
        assert_eq!(kappa.threshold_ppm, threshold, "{criticality} {strict}");
        assert_eq!(kappa.escalation, escalation, "{criticality} {strict}");
        assert_eq!(kappa.criticality, Criticality::parse(criticality));
        assert_eq!(kappa.adapted_from_ppm.is_some(), record.is_some());
        assert_eq!(kappa.confidence_ppm, Some(900_000));
        // Only where the record is what stands between the claim and a pass.
        let attempt = rig.attempt("s");
        let mut reasons = attempt.gates.iter().flat_map(|gate| &gate.reasons);
        let is_told = reasons.any(|reason| reason.starts_with("ACL-R118: 850000 ppm would do"));
        assert_eq!(is_told, record.is_some() && exit == abstained);
    }
}

/// A plan may ask for more confidence than the contract, never for less.
/// Negative control: with the plan's number in place of the table, the first row completes; with the plan's number left out, the
/// second needs too little (both seen).
#[test]
fn a_plan_can_not_lower_what_a_contract_needs() {
    for (plan_ppm, exit, threshold) in [
        (Some(100_000), Exit::Abstained, 950_000),
        (Some(990_000), Exit::Abstained, 990_000),
    ] {
        let mut rig = confident("critical");
        let mut parts = rig.plan.clone().into_parts();
        parts.steps[0].kappa_ppm = plan_ppm;
        rig.plan = Plan::check(parts).unwrap();
        assert_eq!(rig.run(INPUTS).unwrap().exit, exit);
        assert_eq!(rig.attempt("s").kappa.unwrap().threshold_ppm, threshold);
    }
}

/// Of 0.9: enough for what is routine, not for a plan in which a mistake can not be undone. A step of which nobody asks a
/// confidence is not asked for one by the plan's risk either.
/// Negative control: with `plan_risk` left out of `Unit::new`, the second row completed and this failed.
#[test]
fn a_plans_risk_is_the_least_that_depends_on_the_steps_of_which_confidence_is_asked() {
    for (criticality, kappa_ppm, risk, threshold, exit) in [
        (
            Some("routine"),
            None,
            RiskClass::Low,
            Some(700_000),
            Exit::Ok,
        ),
        (
            Some("routine"),
            None,
            RiskClass::Critical,
            Some(950_000),
            Exit::Abstained,
        ),
        (None, Some(10_000), RiskClass::High, Some(850_000), Exit::Ok),
        (
            None,
            Some(10_000),
            RiskClass::Critical,
            Some(950_000),
            Exit::Abstained,
        ),
        (None, None, RiskClass::Critical, None, Exit::Ok),
    ] {
        let mut rig = confident(criticality);
        let mut parts = rig.plan.clone().into_parts();
        parts.steps[0].kappa_ppm = kappa_ppm;
        parts.header.risk = Some(risk);
        rig.plan = Plan::check(parts).unwrap();
        assert_eq!(
            rig.run(INPUTS).unwrap().exit,
            exit,
            "{criticality:?} {risk:?}"
        );
        let record = rig.attempt("s").kappa;
        assert_eq!(
            record.map(|kappa| kappa.threshold_ppm),
            threshold,
            "{risk:?}"
        );
    }
}

fn confident<'a>(criticality: impl Into<Option<&'a str>>) -> Rig {
    let plan = "PLAN p:\n  QUIP \"One hand claps.\"\n  ROLE a: custom(node=\"sure\")\n  STEP s:\n    ASSIGN a: \"x\"\n";
    let mut contract = json!({ "asks": [{ "capability": "attest" }] });
    if let Some(criticality) = criticality.into() {
        contract["criticality"] = criticality.into();
    }
    Rig::new(plan).node("sure", "conformance-sure", contract)
}
