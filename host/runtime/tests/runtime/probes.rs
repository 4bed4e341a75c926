//! Probes: injected into the plan, run through the same door as every step, and recorded when they are off.

use aim_core::{
    name::NodeId,
    plan::{ProbeId, ProbeSwitch},
    witness::StepState,
};
use aim_runtime::admission::AdmissionError;
use serde_json::json;

use crate::rig::Rig;

const PLAN: &str = "PLAN p:\n  QUIP \"Two hands clap.\"\n  BUDGET tokens=2, time=10m, tools=2\n  ROLE a: custom(node=\"echo\")\n  STEP s:\n    ASSIGN a: \"x\"\n    BUDGET tokens=1, time=30s, tools=1\n  STEP t:\n    ASSIGN a: \"x\"\n    REQUIRES s\n    BUDGET tokens=1, time=30s, tools=1\n";

fn node() -> NodeId {
    NodeId::parse("probe").unwrap()
}

/// Two echoes, watched by the shipped probes.
fn watched() -> Rig {
    watched_by_all(Rig::new(PLAN).node("echo", "conformance-echo", json!({})))
}

/// The same deployment with every probe on.
pub(crate) fn watched_by_all(rig: Rig) -> Rig {
    let mut rig = rig.node(
        "probe",
        "probe-invariants",
        json!({ "world": "aim:step/probe@0.1.0" }),
    );
    rig.probes = ProbeSwitch::all(&node());
    rig.plan = aim_acl::with_probes(rig.plan.clone(), &rig.probes).unwrap();
    rig
}

#[test]
fn every_probe_of_a_plan_runs_after_it_and_holds_and_has_its_witness() {
    let rig = watched();
    let steps = rig.plan.steps();
    assert_eq!(steps.len(), 2 + ProbeId::ALL.len());
    let terminals: Vec<&str> = rig
        .plan
        .terminals()
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(terminals, ["t"], "a probe takes no result away");
    let report = rig.run(&[("word", "hello")]).unwrap();
    assert_eq!(report.exit.code(), 0);
    for step in &report.steps {
        assert_eq!(
            step.state,
            StepState::Completed,
            "{}: {:?}",
            step.path,
            step.fault
        );
    }
    let attempts = rig.attempts();
    for id in ProbeId::ALL {
        let name = id.step().unwrap();
        let own = attempts
            .iter()
            .find(|attempt| attempt.step == name)
            .unwrap();
        assert_eq!(own.envelope.operation, id.word());
        assert!(
            own.gates.iter().any(|gate| gate.gate == "ethical"),
            "{name} is gated too"
        );
    }
    // Compiling twice gives the same plan; injecting twice adds nothing.
    let twice = aim_acl::with_probes(rig.plan.clone(), &rig.probes).unwrap();
    assert_eq!(twice, rig.plan);
}

/// Control: with `missing_probes` answering nothing, the first plan is admitted and this fails (seen).
#[test]
fn a_plan_without_a_probe_that_is_on_is_refused_and_what_is_off_is_in_the_lock() {
    let mut rig = Rig::new(PLAN)
        .node("echo", "conformance-echo", json!({}))
        .node(
            "probe",
            "probe-invariants",
            json!({ "world": "aim:step/probe@0.1.0" }),
        );
    rig.probes = ProbeSwitch::all(&node());
    let error = rig.admit().unwrap_err();
    assert!(matches!(error, AdmissionError::NoProbe(_)));
    assert_eq!(error.code(), "AIM-A048");
    rig.probes = ProbeSwitch::default();
    let off = rig.admit().unwrap().lock().probes.clone();
    assert_eq!(off.off.len(), ProbeId::ALL.len());
    let on = watched().admit().unwrap().lock().probes.clone();
    assert!(on.off.is_empty());
    assert_ne!(on.policy, off.policy);
}

#[test]
fn a_step_is_no_probe_and_a_probe_no_step() {
    let rig = Rig::new(PLAN).node(
        "echo",
        "conformance-echo",
        json!({ "world": "aim:step/probe@0.1.0" }),
    );
    assert_eq!(rig.admit().unwrap_err().code(), "AIM-A043");
    let mut rig = Rig::new(PLAN)
        .node("echo", "conformance-echo", json!({}))
        .node("probe", "probe-invariants", json!({}));
    rig.probes = ProbeSwitch::all(&node());
    rig.plan = aim_acl::with_probes(rig.plan.clone(), &rig.probes).unwrap();
    assert_eq!(rig.admit().unwrap_err().code(), "AIM-A043");
}

/// What a plan asks of all its steps it can not ask of probes: they claim no confidence, and would all abstain.
///
/// Control: with the plan's kappa taken for probes too in `Unit::new`, none of them completes and this fails (seen).
#[test]
fn a_plans_kappa_and_rules_are_not_about_probes() {
    const SURE: &str = "pipeline \"sure\" {\n  header { quip: \"Two hands clap.\", kappa: 0.5, risk: critical }\n  \
        role a: custom { node: \"player\" }\n  step s: a { }\n  \
        policy rewrite { on low_confidence => abort; on step_fail => escalate }\n}\n";
    let asks = json!({ "asks": [{ "capability": "attest" }, { "capability": "budget" }, { "capability": "context" }] });
    let rig = watched_by_all(Rig::new(SURE).node("player", "conformance-player", asks));
    let report = rig
        .run(&[("script", "{\"s\": {\"confidence\": 990000}}")])
        .unwrap();
    assert_eq!(report.exit.code(), 0);
    let states: Vec<StepState> = report.steps.iter().map(|step| step.state).collect();
    assert_eq!(states, vec![StepState::Completed; 1 + ProbeId::ALL.len()]);
}
