//! Between the interface's records and the oracle's own.
//! INVARIANT: total, and nothing is decided here.

use aim_sdk::gate::{Consequence, Decision, Item, Phase, Request, Verdict};
use aim_sdk::types::{Doubt, Target};
use mcel_oracle::types as oracle;

/// The request as the oracle reads it; payloads are borrowed.
pub(crate) fn request(request: &Request) -> oracle::Request<'_> {
    oracle::Request {
        phase: phase(request.phase),
        effects: request.effects.iter().map(String::as_str).collect(),
        items: request.items.iter().map(item).collect(),
        impact: request.impact.as_deref(),
        doubt: request.doubt.as_ref().map(|doubt| oracle::Doubt {
            epistemic: doubt.epistemic,
            moral: doubt.moral,
            distributional: doubt.distributional,
            unknown_unknown: doubt.unknown_unknown,
        }),
        quip: request.quip.as_deref(),
        prior: request.prior.map(|prior| match prior {
            Verdict::Pass => oracle::Verdict::Pass,
            Verdict::Warn => oracle::Verdict::Warn,
            Verdict::Abstain => oracle::Verdict::Abstain,
            Verdict::Fail => oracle::Verdict::Fail,
        }),
        context: request
            .context
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect(),
    }
}

/// The phase as the oracle names it.
pub(crate) const fn phase(phase: Phase) -> oracle::Phase {
    match phase {
        Phase::Ingress => oracle::Phase::Ingress,
        Phase::Effect => oracle::Phase::Effect,
        Phase::Egress => oracle::Phase::Egress,
        Phase::Consult => oracle::Phase::Consult,
    }
}

fn item(item: &Item) -> oracle::Item<'_> {
    oracle::Item {
        place: match &item.target {
            Target::Next => "`next`".into(),
            Target::Reply => "`reply`".into(),
            Target::Port(name) => format!("port `{name}`"),
            Target::Node(slug) => format!("node `{slug}`"),
        },
        payload: item.payload.as_deref(),
    }
}

/// The oracle's decision, by the codex of this digest.
pub(crate) fn decision(decided: oracle::Decision, codex_digest: String) -> Decision {
    Decision {
        verdict: match decided.verdict {
            oracle::Verdict::Pass => Verdict::Pass,
            oracle::Verdict::Warn => Verdict::Warn,
            oracle::Verdict::Abstain => Verdict::Abstain,
            oracle::Verdict::Fail => Verdict::Fail,
        },
        ethical_score: decided.ethical_score,
        doubt: Doubt {
            epistemic: decided.doubt.epistemic,
            moral: decided.doubt.moral,
            distributional: decided.doubt.distributional,
            unknown_unknown: decided.doubt.unknown_unknown,
        },
        futures: decided
            .futures
            .into_iter()
            .map(|future| Consequence {
                horizon: future.horizon,
                metric: future.metric,
                value: future.value,
            })
            .collect(),
        quip: decided.quip,
        axioms_hit: decided.axioms_hit,
        reasons: decided.reasons,
        codex_version: decided.codex_version,
        codex_digest,
        facts: decided.facts,
    }
}
