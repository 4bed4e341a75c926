//! Answers that any gate could give.
//! INVARIANT: nothing here is an attack.

use aim_sdk::gate::{Decision, Request, Verdict};
use aim_sdk::types::{Doubt, RATIO_ONE};

/// A well-formed decision with a full score.
pub(crate) fn decision(verdict: Verdict) -> Decision {
    let doubt = Doubt {
        epistemic: 0,
        moral: 0,
        distributional: 0,
        unknown_unknown: 0,
    };
    Decision {
        verdict,
        ethical_score: RATIO_ONE,
        doubt,
        futures: Vec::new(),
        quip: None,
        axioms_hit: Vec::new(),
        reasons: vec!["chosen by the codex".into()],
        codex_version: "hostile".into(),
        codex_digest: String::new(),
        facts: Vec::new(),
    }
}

/// A pass with the score that the codex's second word says.
pub(crate) fn scored(codex: &str) -> Decision {
    let score = codex.split_whitespace().nth(1);
    Decision {
        ethical_score: score.and_then(|score| score.parse().ok()).unwrap_or(0),
        ..decision(Verdict::Pass)
    }
}

/// A pass that puts on record what it was told of its past.
pub(crate) fn prior(request: &Request) -> Decision {
    let word = match request.prior {
        None => "none",
        Some(Verdict::Pass) => "pass",
        Some(Verdict::Warn) => "warn",
        Some(Verdict::Abstain) => "abstain",
        Some(Verdict::Fail) => "fail",
    };
    Decision {
        facts: vec![("prior".into(), word.into())],
        ..decision(Verdict::Pass)
    }
}
