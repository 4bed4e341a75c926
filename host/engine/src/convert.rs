//! Between the guest's records and core's types.
//!
//! INVARIANT: text that a guest wrote is shortened and neutralised before it becomes part of a fault or a reason.

use aim_core::{
    claims::{Confidence, RATIO_ONE},
    envelope::{ArtifactRef, Emission, Envelope, Target},
    gate::{Consequence, Decision, Doubt, GateRequest, Item, Phase},
    outcome::Fault,
    verdict::Verdict,
};

use crate::{
    call::{Denial, GateFault, Refusal},
    text::{is_plain, neutralise},
    wit,
};

const CODE_BYTES_MAX: usize = 32;
const TEXT_BYTES_MAX: usize = 512;
const LIST_MAX: usize = 16;

pub(crate) fn artifact_to_guest(artifact: &ArtifactRef) -> wit::ArtifactRef {
    wit::ArtifactRef {
        digest: artifact.digest.to_string(),
        media_type: artifact.media_type.clone(),
        size_bytes: artifact.size_bytes,
    }
}

pub(crate) fn artifact_from_guest(artifact: wit::ArtifactRef) -> Option<ArtifactRef> {
    Some(ArtifactRef {
        digest: artifact.digest.parse().ok()?,
        media_type: artifact.media_type,
        size_bytes: artifact.size_bytes,
    })
}

pub(crate) fn envelope_to_guest(envelope: Envelope) -> wit::Envelope {
    wit::Envelope {
        id: envelope.id.to_string(),
        operation: envelope.operation,
        media_type: envelope.media_type,
        artifacts: envelope.artifacts.iter().map(artifact_to_guest).collect(),
        body: envelope.body,
    }
}

pub(crate) fn emission_from_guest(emission: wit::Emission) -> Option<Emission> {
    let artifacts = emission.artifacts.into_iter().map(artifact_from_guest);
    Some(Emission {
        target: target_from_guest(emission.target),
        operation: emission.operation,
        media_type: emission.media_type,
        artifacts: artifacts.collect::<Option<_>>()?,
        body: emission.body,
    })
}

/// Bytes of an operation, a media type or a target's name at most: they go into the host's part of a witness.
pub(crate) const NAME_BYTES_MAX: usize = 256;

/// Which of an emission's names can not be written down as it is.
pub(crate) fn odd_name(emission: &wit::Emission) -> Option<&'static str> {
    let target = match &emission.target {
        wit::Target::Port(name) | wit::Target::Node(name) => name.as_str(),
        wit::Target::Next | wit::Target::Reply => "",
    };
    let media_types = emission.artifacts.iter().map(|one| one.media_type.as_str());
    let names = [
        ("operation", emission.operation.as_str()),
        ("media type", &emission.media_type),
        ("target", target),
    ];
    names
        .into_iter()
        .chain(media_types.map(|media_type| ("artifact's media type", media_type)))
        .find(|(_, name)| !is_plain(name, NAME_BYTES_MAX))
        .map(|(what, _)| what)
}

fn target_from_guest(target: wit::Target) -> Target {
    match target {
        wit::Target::Next => Target::Next,
        wit::Target::Port(name) => Target::Port(name),
        wit::Target::Reply => Target::Reply,
        wit::Target::Node(name) => Target::Node(name),
    }
}

fn target_to_guest(target: &Target) -> wit::Target {
    match target {
        Target::Next => wit::Target::Next,
        Target::Port(name) => wit::Target::Port(name.clone()),
        Target::Reply => wit::Target::Reply,
        Target::Node(name) => wit::Target::Node(name.clone()),
    }
}

pub(crate) fn fault_from_guest(fault: &wit::Fault) -> Fault {
    Fault {
        code: neutralise(&fault.code, CODE_BYTES_MAX),
        message: neutralise(&fault.message, TEXT_BYTES_MAX),
    }
}

/// The guest's typed refusal; who denied is found in the transcript by the caller.
pub(crate) fn refusal_from_guest(error: wit::StepError) -> Refusal {
    match error {
        wit::StepError::Permanent(fault) => Refusal::Permanent(fault_from_guest(&fault)),
        wit::StepError::Transient(fault) => Refusal::Transient(fault_from_guest(&fault)),
        wit::StepError::InvalidInput(fault) => Refusal::InvalidInput(fault_from_guest(&fault)),
        wit::StepError::Abstain(abstention) => Refusal::Abstain {
            reason: neutralise(&abstention.reason, TEXT_BYTES_MAX),
            confidence: Confidence {
                method: neutralise(&abstention.confidence.method, TEXT_BYTES_MAX),
                score: abstention.confidence.score.min(RATIO_ONE),
            },
        },
        wit::StepError::Denied(denial) => Refusal::Denied {
            denial: Denial {
                rule: neutralise(&denial.rule, TEXT_BYTES_MAX),
                action: neutralise(&denial.action, TEXT_BYTES_MAX),
                target: neutralise(&denial.target, TEXT_BYTES_MAX),
                call_index: denial.call_index,
            },
            by: None,
        },
    }
}

const fn doubt_to_guest(doubt: Doubt) -> wit::Doubt {
    wit::Doubt {
        epistemic: doubt.epistemic,
        moral: doubt.moral,
        distributional: doubt.distributional,
        unknown_unknown: doubt.unknown_unknown,
    }
}

/// `None` for the verdict that only the host writes.
const fn verdict_to_guest(verdict: Verdict) -> Option<wit::Verdict> {
    match verdict {
        Verdict::Pass => Some(wit::Verdict::Pass),
        Verdict::Warn => Some(wit::Verdict::Warn),
        Verdict::Abstain => Some(wit::Verdict::Abstain),
        Verdict::Fail => Some(wit::Verdict::Fail),
        Verdict::Error => None,
    }
}

/// `None` when the decision is an error of the gates: a guest sees that as unavailable.
pub(crate) fn decision_to_guest(decision: Decision) -> Option<wit::Decision> {
    let futures = decision.futures.into_iter().map(|future| wit::Consequence {
        horizon: future.horizon,
        metric: future.metric,
        value: future.value,
    });
    Some(wit::Decision {
        verdict: verdict_to_guest(decision.verdict)?,
        ethical_score: decision.ethical_score,
        doubt: doubt_to_guest(decision.doubt),
        futures: futures.collect(),
        quip: decision.quip,
        axioms_hit: decision.axioms_hit,
        reasons: decision.reasons,
        codex_version: decision.codex_version,
        codex_digest: decision.codex_digest,
        facts: decision.facts,
    })
}

/// The context fact that spares a gate from hashing its codex; its answer is compared with the true digest all the same.
const CODEX_DIGEST_FACT: &str = "codex-digest";

pub(crate) const fn phase_to_guest(phase: Phase) -> wit::Phase {
    match phase {
        Phase::Ingress => wit::Phase::Ingress,
        Phase::Effect => wit::Phase::Effect,
        Phase::Egress => wit::Phase::Egress,
        Phase::Consult => wit::Phase::Consult,
    }
}

pub(crate) fn request_to_guest(
    request: &GateRequest,
    codex: aim_core::digest::Digest,
) -> wit::Request {
    let mut context = request.context.clone();
    context.push((CODEX_DIGEST_FACT.to_owned(), codex.to_string().into_bytes()));
    wit::Request {
        phase: phase_to_guest(request.phase),
        plan: request.plan.clone(),
        step: request.step.clone(),
        role: request.role.clone(),
        effects: request.effects.clone(),
        items: request.items.iter().map(item_to_guest).collect(),
        impact: request.impact.clone(),
        doubt: request.doubt.map(doubt_to_guest),
        quip: request.quip.clone(),
        prior: request.prior.and_then(verdict_to_guest),
        context,
    }
}

fn item_to_guest(item: &Item) -> wit::Item {
    wit::Item {
        target: target_to_guest(&item.target),
        action: item.action.clone(),
        media_type: item.media_type.clone(),
        artifacts: item.artifacts.iter().map(artifact_to_guest).collect(),
        payload_digest: item.payload_digest.to_string(),
        payload: item.payload.clone(),
    }
}

fn no_digest() -> String {
    aim_core::digest::Digest::from_bytes([0; 32]).to_string()
}

/// A gate's decision within its caps and with the true codex digest, or why it is none.
pub(crate) fn decision_from_guest(
    decision: wit::Decision,
    codex: aim_core::digest::Digest,
) -> Result<Decision, GateFault> {
    let malformed = |what: &str| Err(GateFault::Malformed(what.to_owned()));
    let true_digest = codex.to_string();
    // A gate that can not hash claims nothing: no text, or a digest of zeros only.
    let claims_none = decision.codex_digest.is_empty() || decision.codex_digest == no_digest();
    if !claims_none && decision.codex_digest != true_digest {
        return Err(GateFault::Codex(neutralise(&decision.codex_digest, 80)));
    }
    let doubt = Doubt {
        epistemic: decision.doubt.epistemic,
        moral: decision.doubt.moral,
        distributional: decision.doubt.distributional,
        unknown_unknown: decision.doubt.unknown_unknown,
    };
    let parts = [
        decision.ethical_score,
        doubt.epistemic,
        doubt.moral,
        doubt.distributional,
        doubt.unknown_unknown,
    ];
    if parts.iter().any(|part| *part > RATIO_ONE) {
        return malformed("a ratio is above 1000000");
    }
    let text = |text: &String| neutralise(text, TEXT_BYTES_MAX);
    let futures = decision.futures.iter().take(LIST_MAX);
    let facts = decision.facts.iter().take(LIST_MAX);
    Ok(Decision {
        verdict: match decision.verdict {
            wit::Verdict::Pass => Verdict::Pass,
            wit::Verdict::Warn => Verdict::Warn,
            wit::Verdict::Abstain => Verdict::Abstain,
            wit::Verdict::Fail => Verdict::Fail,
        },
        ethical_score: decision.ethical_score,
        doubt,
        futures: futures
            .map(|future| Consequence {
                horizon: text(&future.horizon),
                metric: text(&future.metric),
                value: future.value,
            })
            .collect(),
        quip: decision.quip.as_ref().map(text),
        axioms_hit: decision
            .axioms_hit
            .iter()
            .take(LIST_MAX)
            .map(text)
            .collect(),
        reasons: decision.reasons.iter().take(LIST_MAX).map(text).collect(),
        codex_version: neutralise(&decision.codex_version, 64),
        codex_digest: true_digest,
        facts: facts
            .map(|(name, value)| (text(name), text(value)))
            .collect(),
    })
}
