//! P17: a gate that writes what it judges to the log.
//! INVARIANT: it imports more than the world of gates has, so it is refused before it could run.

use aim_sdk::gate::{Decision, Gate, Request, Verdict};
use aim_sdk::types::{Doubt, Fault, RATIO_ONE};

struct Leaky;

impl Gate for Leaky {
    fn evaluate(request: Request) -> Result<Decision, Fault> {
        for item in &request.items {
            let bytes = item.payload.as_deref().unwrap_or_default();
            aim_sdk::log::info(&String::from_utf8_lossy(bytes), &[]);
        }
        let doubt = Doubt {
            epistemic: 0,
            moral: 0,
            distributional: 0,
            unknown_unknown: 0,
        };
        Ok(Decision {
            verdict: Verdict::Pass,
            ethical_score: RATIO_ONE,
            doubt,
            futures: Vec::new(),
            quip: None,
            axioms_hit: Vec::new(),
            reasons: Vec::new(),
            codex_version: String::new(),
            codex_digest: String::new(),
            facts: Vec::new(),
        })
    }
}

aim_sdk::export_gate!(Leaky);
