//! A gate that judges honestly and does what the first word of its codex says while it prepares.
//! INVARIANT: what it says later never makes up for what it did before: without a prepared codex nobody is judged.

use aim_sdk::gate::{Decision, Gate, Phase, Prepare, Request, Verdict};
use aim_sdk::types::{Doubt, Fault, RATIO_ONE, fault};

struct Preparing;

impl Gate for Preparing {
    fn evaluate(_request: Request) -> Result<Decision, Fault> {
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

impl Prepare for Preparing {
    fn prepare(document: &[u8], _phase: Phase) -> Result<Vec<u8>, Fault> {
        let text = core::str::from_utf8(document).unwrap_or_default();
        match text.split_whitespace().next().unwrap_or_default() {
            "fine" => Ok(document.to_vec()),
            "loop" => loop {
                core::hint::spin_loop();
            },
            "trap" => core::arch::wasm32::unreachable(),
            "allocate" => Ok(vec![1; 64 * 1024 * 1024]),
            "large" => Ok(vec![1; 1024 * 1024 + 1]),
            other => Err(fault("GUEST-1", format!("there is no attack `{other}`"))),
        }
    }
}

aim_sdk::export_gate!(Preparing);
aim_sdk::export_prepare!(Preparing);
