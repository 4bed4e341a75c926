//! What is asked before anything leaves a step: one request that holds all emissions, all artifacts and all claims.
//!
//! INVARIANT: whatever would leave is in the request, or the answer is a denial: nothing is too large to be judged unless
//! the contract says that its payloads are opaque.

use std::{collections::BTreeMap, sync::Arc};

use aim_core::{
    claims::{GuestClaims, RATIO_ONE, Relation},
    digest::Digest,
    envelope::{Emission, Envelope, Target},
    gate::{GateKind, GateRecord, GateRequest, Item, Phase},
    kappa::{
        Escalation,
        composite::{CompositeRecord, KappaOutcome, Risks},
    },
    name::StepName,
    staged::PathChangeKind,
    stateflow::State,
    verdict::{Disposition, Verdict},
    witness::KappaRecord,
};
use aim_engine::{StagedArtifact, StagedEffects, StepReport};

use crate::{
    attempt::{Accepted, LATE, RunFacts},
    conditions,
    history::Scope,
    ingress::{builtin, check_schema},
    judge::ask_all,
    unit::Unit,
};

/// What a step wants to let go.
pub(crate) struct Outgoing<'a> {
    pub(crate) emissions: &'a [Emission],
    /// BLAKE3 of each emission's body, in order.
    pub(crate) bodies: &'a [Digest],
    pub(crate) staged: &'a [StagedArtifact],
    pub(crate) effects: &'a StagedEffects,
    pub(crate) claims: &'a GuestClaims,
    /// Shares of limits that were used, in parts per million; only what is the same at every replay.
    pub(crate) budget_ppm: u32,
}

/// The largest share of a limit that an attempt used: fuel, host calls and memory, never time.
pub(crate) fn budget_ppm(unit: &Unit, report: &StepReport) -> u32 {
    let limits = &unit.limits;
    let calls = report.transcript.records().len() as u64;
    let share = |used: u64, most: u64| used.saturating_mul(u64::from(RATIO_ONE)) / most.max(1);
    let largest = share(report.fuel_used, limits.fuel_max)
        .max(share(calls, u64::from(limits.host_calls_max)))
        .max(share(report.memory_peak_bytes, limits.memory_bytes_max));
    u32::try_from(largest).unwrap_or(RATIO_ONE).min(RATIO_ONE)
}

/// A claim that its node's track record makes too little.
const MISCALIBRATED: &str = "ACL-R118";

/// Everything that was decided on the way out.
pub(crate) struct Judged {
    pub(crate) records: Vec<GateRecord>,
    pub(crate) kappa: Option<KappaRecord>,
    pub(crate) composite: Option<CompositeRecord>,
    /// What a plan's condition that did not hold, or the composite of all risks, asks the host to do; `Release` for nothing.
    pub(crate) disposition: Disposition,
    /// The standby step that the condition sends it to.
    pub(crate) reroute: Option<StepName>,
    /// What the condition's answer wants the next try to be told.
    pub(crate) options: BTreeMap<StepName, String>,
}

impl Judged {
    /// Nothing wants to leave, so nothing is asked.
    pub(crate) const fn nothing() -> Self {
        Self {
            records: Vec::new(),
            kappa: None,
            composite: None,
            disposition: Disposition::Release,
            reroute: None,
            options: BTreeMap::new(),
        }
    }

    /// The gates have taken longer than their state may last: each of them has given no answer, which releases nothing.
    pub(crate) fn late(unit: &Unit, run: &RunFacts, outgoing: &Outgoing<'_>) -> Self {
        let digest = request(unit, run, outgoing).digest();
        let records = unit.gates.iter().map(|gate| GateRecord {
            gate: gate.id.clone(),
            verdict: Verdict::Error,
            ..builtin(
                GateKind::Component,
                Phase::Egress,
                digest,
                vec![format!(
                    "{LATE}: the step was {} for longer than its table allows",
                    State::Evaluating.word()
                )],
            )
        });
        Self {
            records: records.collect(),
            ..Self::nothing()
        }
    }
}

/// Asks every egress gate.
pub(crate) async fn judge(
    unit: &Unit,
    run: &RunFacts,
    (envelope, outgoing): (&Envelope, &Outgoing<'_>),
    (scope, accepted): (&Scope, Option<&Accepted>),
) -> Judged {
    let request = request(unit, run, outgoing);
    let digest = request.digest();
    let bodies: Vec<&[u8]> = outgoing
        .emissions
        .iter()
        .map(|one| one.body.as_slice())
        .collect();
    let schema = check_schema(unit.output.as_deref(), &bodies);
    let objections = check_targets(outgoing.emissions);
    let mut records = vec![
        builtin(GateKind::Schema, Phase::Egress, digest, schema),
        builtin(GateKind::Policy, Phase::Egress, digest, objections),
    ];
    let unreadable = request.items.iter().filter(|item| item.payload.is_none());
    let context_ppm = share_ppm(unreadable.count(), request.items.len()).unwrap_or(0);
    if records.iter().all(|record| record.verdict.releases()) {
        records.extend(ask_all(&unit.gates, request, digest, scope).await);
    } else {
        // A component is asked only about what could leave; its absence here can not help, the verdict is decided.
        records.extend(unit.gates.iter().map(|gate| GateRecord {
            gate: gate.id.clone(),
            verdict: Verdict::Abstain,
            ..builtin(
                GateKind::Component,
                Phase::Egress,
                digest,
                vec!["not asked".to_owned()],
            )
        }));
    }
    let confidence = (outgoing.claims.confidence.as_ref()).map(|confidence| confidence.score);
    let conditions = conditions::egress(
        unit,
        (envelope, outgoing.emissions),
        confidence,
        accepted,
        digest,
    );
    let (disposition, reroute) = (conditions.disposition(), conditions.reroute());
    let options = conditions.options();
    records.extend(conditions.records);
    let (record, kappa) = check_kappa(unit, outgoing.claims, digest);
    records.extend(record);
    let composite = compose(unit, outgoing, context_ppm, (&records, scope));
    if let Some(composite) = &composite {
        records.push(composite_gate(composite, digest));
    }
    if let Some(accepted) = accepted {
        accepted.lift(&mut records);
    }
    let asked = asked(composite.as_ref(), &records);
    Judged {
        records,
        kappa,
        composite,
        disposition: disposition.max(asked),
        reroute,
        options,
    }
}

/// What the composite, whose record is the last, asks the host to do. What a person has let go asks for nobody any more.
fn asked(composite: Option<&CompositeRecord>, records: &[GateRecord]) -> Disposition {
    let is_lifted = (records.last()).is_some_and(|record| record.verdict == Verdict::Warn);
    match composite {
        Some(record) if record.outcome == KappaOutcome::Hitl && is_lifted => Disposition::Release,
        Some(record) => record.outcome.disposition(),
        None => Disposition::Release,
    }
}

/// What all risks come to, where the deployment has a rule for it.
fn compose(
    unit: &Unit,
    outgoing: &Outgoing<'_>,
    context_ppm: u32,
    (records, scope): (&[GateRecord], &Scope),
) -> Option<CompositeRecord> {
    let rule = unit.composite.as_ref()?;
    let decisions = || records.iter().filter_map(|record| record.decision.as_ref());
    let confidence = outgoing.claims.confidence.as_ref();
    let risks = Risks {
        budget: Some(outgoing.budget_ppm),
        context: Some(context_ppm),
        policy: decisions()
            .map(|decision| RATIO_ONE.saturating_sub(decision.ethical_score))
            .max(),
        retrieval: contradicted_ppm(outgoing.claims),
        uncertainty: confidence.map(|one| RATIO_ONE.saturating_sub(one.score)),
    };
    let is_axiom_hit = decisions().any(|decision| !decision.axioms_hit.is_empty());
    let is_refused = records
        .iter()
        .any(|record| record.kind == GateKind::Policy && !record.verdict.releases());
    let prior = scope.history.prior_outcome(scope.run, &scope.step);
    Some(rule.decide(risks, is_axiom_hit || is_refused, prior))
}

/// Of the sources that bear on the output, the share that speaks against it; `None` without any.
fn contradicted_ppm(claims: &GuestClaims) -> Option<u32> {
    let count = |is: fn(Relation) -> bool| {
        let relations = claims.citations.iter().map(|citation| citation.relation);
        relations.filter(|relation| is(*relation)).count()
    };
    let against = count(|relation| relation == Relation::Contradicts);
    let bearing = count(|relation| relation != Relation::Cites);
    share_ppm(against, bearing)
}

/// `part` of `whole`; `None` when there is no whole.
fn share_ppm(part: usize, whole: usize) -> Option<u32> {
    let share = (part as u64).saturating_mul(u64::from(RATIO_ONE));
    let share = share.checked_div(whole as u64)?;
    Some(u32::try_from(share).unwrap_or(RATIO_ONE))
}

fn composite_gate(composite: &CompositeRecord, request: Digest) -> GateRecord {
    let reason = format!(
        "risk {} ppm: {}",
        composite.risk_ppm,
        composite.outcome.word()
    );
    GateRecord {
        gate: "kappa.composite".to_owned(),
        verdict: composite.outcome.verdict(),
        ..builtin(GateKind::Kappa, Phase::Egress, request, vec![reason])
    }
}

fn request(unit: &Unit, run: &RunFacts, outgoing: &Outgoing<'_>) -> GateRequest {
    let is_opaque = unit.contract.is_payload_opaque;
    let emissions = outgoing
        .emissions
        .iter()
        .zip(outgoing.bodies)
        .map(|(emission, body)| Item {
            target: emission.target.clone(),
            action: emission.operation.clone(),
            media_type: emission.media_type.clone(),
            artifacts: emission.artifacts.clone(),
            payload_digest: *body,
            payload: (!is_opaque).then(|| emission.body.clone()),
        });
    let artifacts = outgoing.staged.iter().map(|staged| Item {
        target: Target::Next,
        action: "aim:artifact/store.put".to_owned(),
        media_type: staged.reference.media_type.clone(),
        artifacts: vec![staged.reference.clone()],
        payload_digest: staged.reference.digest,
        payload: (!is_opaque).then(|| staged.bytes.to_vec()),
    });
    let mut items: Vec<Item> = emissions.chain(artifacts).collect();
    items.extend(effect_items(outgoing.effects, is_opaque));
    items.extend(claims_item(outgoing.claims));
    GateRequest {
        phase: Phase::Egress,
        plan: run.plan_name.to_string(),
        step: unit.step.name.to_string(),
        role: unit.step.role.to_string(),
        effects: unit.effects.clone(),
        items,
        impact: outgoing.claims.impact.clone(),
        doubt: outgoing.claims.doubt,
        quip: outgoing.claims.quip.clone(),
        prior: None,
        context: Vec::new(),
    }
}

/// What would change in buckets and folders.
fn effect_items(effects: &StagedEffects, is_opaque: bool) -> Vec<Item> {
    let item = |action: &str, target: String, bytes: Option<&Arc<[u8]>>| {
        let bytes = bytes.map_or(&[][..], |bytes| bytes);
        Item {
            target: Target::Node(target),
            action: action.to_owned(),
            media_type: "application/octet-stream".to_owned(),
            artifacts: Vec::new(),
            payload_digest: Digest::of(bytes),
            payload: (!is_opaque).then(|| bytes.to_vec()),
        }
    };
    let mut items = Vec::new();
    for bucket in &effects.buckets {
        for (key, value) in &bucket.changes {
            let action = match value {
                Some(_) => "wasi:keyvalue/store.set",
                None => "wasi:keyvalue/store.delete",
            };
            let target = format!("{}/{key}", bucket.bucket);
            items.push(item(action, target, value.as_ref()));
        }
    }
    for folder in &effects.folders {
        for change in &folder.changes {
            let action = match change.kind {
                PathChangeKind::RemoveFile | PathChangeKind::RemoveFolder => {
                    "wasi:filesystem/types.remove"
                }
                PathChangeKind::Folder | PathChangeKind::File => "wasi:filesystem/types.write",
            };
            let target = format!("{}/{}", folder.folder, change.path);
            items.push(item(action, target, change.bytes.as_ref()));
        }
    }
    items
}

fn claims_item(claims: &GuestClaims) -> Option<Item> {
    if claims.claims.is_empty() {
        return None;
    }
    // Plain data with string keys only: serialisation has no failure to report.
    let payload = serde_json::to_vec(&claims.claims).unwrap_or_default();
    Some(Item {
        target: Target::Next,
        action: "aim:witness/attest.claim".to_owned(),
        media_type: "application/json".to_owned(),
        artifacts: Vec::new(),
        payload_digest: Digest::of(&payload),
        payload: Some(payload),
    })
}

/// A plan's edges carry what goes to `next`; every other target is unknown here, and unknown is denied.
fn check_targets(emissions: &[Emission]) -> Vec<String> {
    let unknown = emissions
        .iter()
        .filter(|emission| emission.target != Target::Next);
    unknown
        .take(16)
        .map(|emission| match &emission.target {
            Target::Port(name) => format!("the contract names no output `{name}`"),
            Target::Node(name) => format!("the plan has no edge to node `{name}`"),
            Target::Reply => "a step of a plan has nobody to reply to".to_owned(),
            Target::Next => String::new(),
        })
        .collect()
}

/// Confidence below kappa, or none claimed where kappa is set, abstains. What is above by little is marked for review where
/// much depends on it (spec 1.7).
fn check_kappa(
    unit: &Unit,
    claims: &GuestClaims,
    request: Digest,
) -> (Option<GateRecord>, Option<KappaRecord>) {
    let Some(threshold) = unit.threshold else {
        return (None, None);
    };
    let confidence = claims.confidence.as_ref().map(|one| one.score);
    let kappa = threshold.judge(confidence, unit.bands);
    let needed = threshold.ppm;
    let mut reasons = vec![match confidence {
        Some(ppm) => format!("confidence {ppm} ppm, kappa {needed} ppm"),
        None => format!("no confidence claimed, kappa {needed} ppm"),
    }];
    reasons.extend(mistrusted(&kappa));
    let verdict = match kappa.escalation {
        None => Verdict::Pass,
        Some(Escalation::NarrowPass) => {
            reasons.push("a narrow pass where much depends on it; marked for review".to_owned());
            Verdict::Warn
        }
        Some(Escalation::BelowThreshold) => Verdict::Abstain,
    };
    let record = GateRecord {
        verdict,
        ..builtin(GateKind::Kappa, Phase::Egress, request, reasons)
    };
    (Some(record), Some(kappa))
}

/// What is said when the claim would have been enough, had the node's earlier claims been better.
fn mistrusted(kappa: &KappaRecord) -> Option<String> {
    let base = kappa.adapted_from_ppm?;
    let is_over = kappa.confidence_ppm.is_some_and(|claimed| claimed >= base);
    let is_held = kappa.escalation == Some(Escalation::BelowThreshold);
    (is_over && is_held).then(|| {
        format!(
            "{MISCALIBRATED}: {base} ppm would do, if what was measured of the node's claims were better"
        )
    })
}
