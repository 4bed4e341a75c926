//! P3: a gate that wants to fill the evidence with its reasons.
//! INVARIANT: every verdict here is a pass, so that a limit that isn't there shows as a release.

use aim_sdk::gate::{Decision, Verdict};

use crate::honest::decision;

/// One reason of 32 MiB: more than may cross.
pub(crate) fn huge() -> Decision {
    Decision {
        reasons: vec!["A".repeat(32 << 20)],
        ..decision(Verdict::Pass)
    }
}

/// One reason of 64 KiB: it may cross, and is cut.
pub(crate) fn long() -> Decision {
    Decision {
        reasons: vec!["A".repeat(64 << 10)],
        ..decision(Verdict::Pass)
    }
}

/// A thousand reasons.
pub(crate) fn many() -> Decision {
    Decision {
        reasons: vec!["again".into(); 1000],
        ..decision(Verdict::Pass)
    }
}
