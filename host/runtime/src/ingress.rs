//! What is asked about an envelope before its step sees it.
//!
//! INVARIANT: identity and tenant are the run's, whatever the payload says.

use aim_core::{
    attempt::{Ended, Received, Screened},
    digest::Digest,
    envelope::{Envelope, Target},
    gate::{GateKind, GateRecord, GateRequest, Item, Phase},
    verdict::{Severity, Verdict},
};
use aim_ports::schema::{Schema, SchemaFault};

use crate::{attempt::RunFacts, unit::Unit};

/// The context fact that asks the ethical gate to judge the plan's analogy; given once a plan.
pub(crate) const PLAN_QUIP_FACT: &str = "plan-quip";

/// The request that every ingress gate is asked with.
pub(crate) fn request(
    unit: &Unit,
    run: &RunFacts,
    envelope: &Envelope,
    body: Digest,
    is_first_of_plan: bool,
) -> GateRequest {
    let context = if is_first_of_plan {
        vec![(PLAN_QUIP_FACT.to_owned(), b"judge".to_vec())]
    } else {
        Vec::new()
    };
    GateRequest {
        phase: Phase::Ingress,
        plan: run.plan_name.to_string(),
        step: unit.step.name.to_string(),
        role: unit.step.role.to_string(),
        effects: unit.effects.clone(),
        items: vec![Item {
            target: Target::Node(unit.contract.node_id.to_string()),
            action: envelope.operation.clone(),
            media_type: envelope.media_type.clone(),
            artifacts: envelope.artifacts.clone(),
            payload_digest: body,
            payload: (!unit.contract.is_payload_opaque).then(|| envelope.body.clone()),
        }],
        impact: None,
        doubt: None,
        quip: run.quip.clone(),
        prior: None,
        context,
    }
}

/// Asks the built-in gates: schema, then policy.
pub(crate) fn screen(
    received: Received,
    unit: &Unit,
    run: &RunFacts,
    request: Digest,
) -> Result<Screened, Ended> {
    let schema = check_schema(unit.input.as_deref(), &[&received.envelope().body]);
    let records = vec![
        builtin(GateKind::Schema, Phase::Ingress, request, schema),
        builtin(
            GateKind::Policy,
            Phase::Ingress,
            request,
            check_tenant(unit, run),
        ),
    ];
    received.screen(records)
}

/// The record of a built-in gate: pass without objections, else fail.
pub(crate) fn builtin(
    kind: GateKind,
    phase: Phase,
    request: Digest,
    objections: Vec<String>,
) -> GateRecord {
    let name = match kind {
        GateKind::Schema => "schema",
        GateKind::Policy => "policy",
        GateKind::Kappa => "kappa",
        GateKind::Condition => "condition",
        GateKind::Component => "component",
    };
    let verdict = if objections.is_empty() {
        Verdict::Pass
    } else {
        Verdict::Fail
    };
    GateRecord {
        codex: None,
        codex_version: None,
        component: None,
        decision: None,
        gate: name.to_owned(),
        kind,
        phase,
        prior: None,
        reasons: objections,
        request,
        severity: Severity::Block,
        verdict,
    }
}

/// Objections of a schema to bodies; none without a schema.
pub(crate) fn check_schema(schema: Option<&dyn Schema>, bodies: &[&[u8]]) -> Vec<String> {
    let Some(schema) = schema else {
        return Vec::new();
    };
    let faults = bodies
        .iter()
        .filter_map(|body| schema.check(body).err())
        .flatten();
    faults.take(16).map(|fault| describe(&fault)).collect()
}

fn describe(fault: &SchemaFault) -> String {
    if fault.field.is_empty() {
        return fault.message.clone();
    }
    format!("{}: {}", fault.field, fault.message)
}

fn check_tenant(unit: &Unit, run: &RunFacts) -> Vec<String> {
    if unit.contract.tenant_scope.admits(&run.tenant) {
        return Vec::new();
    }
    vec![format!(
        "node `{}` does not serve tenant `{}`",
        unit.contract.node_id, run.tenant
    )]
}
