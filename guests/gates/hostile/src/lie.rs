//! P3: a gate whose answer can't be true.
//! INVARIANT: every verdict here is a pass, so that a check that isn't there shows as a release.

use aim_sdk::gate::{Decision, Verdict};
use aim_sdk::types::RATIO_ONE;

use crate::honest::decision;

/// A ratio above one.
pub(crate) fn ratio_above_one() -> Decision {
    Decision {
        ethical_score: RATIO_ONE + 1,
        ..decision(Verdict::Pass)
    }
}

/// Another codex than the one that was given.
pub(crate) fn another_codex() -> Decision {
    Decision {
        codex_digest: "none".into(),
        ..decision(Verdict::Pass)
    }
}
