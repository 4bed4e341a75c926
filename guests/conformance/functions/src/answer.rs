//! Writes what came back as JSON, member names as in the WIT files.
//! INVARIANT: every case of every type has its own form, so that a test can tell them apart.

use aim_sdk::gate::{Decision, Verdict};
use aim_sdk::serde_json::{Value, json};
use aim_sdk::types::{Denial, Doubt};
use aim_sdk::{ArtifactRef, HostError};

/// `{"ok": value}` or `{"err": {"<case>": ...}}`.
pub(crate) fn result(result: Result<Value, HostError>) -> Value {
    match result {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "err": host_error(&error) }),
    }
}

/// The answer of a function that can not fail.
pub(crate) fn value(value: impl Into<Value>) -> Value {
    json!({ "ok": value.into() })
}

/// An artifact reference.
pub(crate) fn artifact(artifact: &ArtifactRef) -> Value {
    json!({
        "digest": artifact.digest,
        "media-type": artifact.media_type,
        "size-bytes": artifact.size_bytes,
    })
}

fn host_error(error: &HostError) -> Value {
    match error {
        HostError::Denied(denial) => json!({ "denied": self::denial(denial) }),
        HostError::NotFound(what) => json!({ "not-found": what }),
        HostError::InvalidArgument(what) => json!({ "invalid-argument": what }),
        HostError::Exhausted(what) => json!({ "exhausted": what }),
        HostError::Timeout => json!({ "timeout": null }),
        HostError::Cancelled => json!({ "cancelled": null }),
        HostError::Conflict(what) => json!({ "conflict": what }),
        HostError::Unavailable(what) => json!({ "unavailable": what }),
        HostError::Other(fault) => {
            json!({ "other": { "code": fault.code, "message": fault.message } })
        }
    }
}

fn denial(denial: &Denial) -> Value {
    json!({
        "rule": denial.rule,
        "action": denial.action,
        "target": denial.target,
        "call-index": denial.call_index,
    })
}

fn doubt(doubt: &Doubt) -> Value {
    json!({
        "epistemic": doubt.epistemic,
        "moral": doubt.moral,
        "distributional": doubt.distributional,
        "unknown-unknown": doubt.unknown_unknown,
    })
}

/// A gate's decision.
pub(crate) fn decision(decision: &Decision) -> Value {
    let futures: Vec<Value> = decision
        .futures
        .iter()
        .map(|future| json!({ "horizon": future.horizon, "metric": future.metric, "value": future.value }))
        .collect();
    json!({
        "verdict": match decision.verdict {
            Verdict::Pass => "pass",
            Verdict::Warn => "warn",
            Verdict::Abstain => "abstain",
            Verdict::Fail => "fail",
        },
        "ethical-score": decision.ethical_score,
        "doubt": doubt(&decision.doubt),
        "futures": futures,
        "quip": decision.quip,
        "axioms-hit": decision.axioms_hit,
        "reasons": decision.reasons,
        "codex-version": decision.codex_version,
        "codex-digest": decision.codex_digest,
        "facts": decision.facts,
    })
}
