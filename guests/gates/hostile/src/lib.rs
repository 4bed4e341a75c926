//! A gate that does what the first word of its codex says: `pass`, `warn`, `abstain`, `fail`, `fault`, `trap` (P1),
//! `loop` (P2), `huge-reason`, `allocate`, `over-one` (a ratio above one), `no-digest` (a codex digest that is none).
//! INVARIANT: any other word is a fault, never a pass.

use aim_sdk::gate::{Decision, Gate, Request, Verdict, codex};
use aim_sdk::types::{Doubt, Fault, RATIO_ONE, fault};

struct Hostile;

impl Gate for Hostile {
    fn evaluate(_request: Request) -> Result<Decision, Fault> {
        let codex = codex();
        let text = core::str::from_utf8(&codex).unwrap_or_default();
        let honest = |verdict| Ok(decision(verdict, "chosen by the codex".into()));
        match text.split_whitespace().next().unwrap_or_default() {
            "pass" => honest(Verdict::Pass),
            "warn" => honest(Verdict::Warn),
            "abstain" => honest(Verdict::Abstain),
            "fail" => honest(Verdict::Fail),
            "fault" => Err(fault("GATE-1", "this gate can not judge")),
            "trap" => core::arch::wasm32::unreachable(),
            "loop" => spin(),
            "huge-reason" => Ok(decision(Verdict::Pass, "A".repeat(32 << 20))),
            "allocate" => Ok(decision(Verdict::Pass, allocate())),
            "over-one" => Ok(Decision {
                ethical_score: RATIO_ONE + 1,
                ..decision(Verdict::Pass, String::new())
            }),
            "no-digest" => Ok(Decision {
                codex_digest: "none".into(),
                ..decision(Verdict::Pass, String::new())
            }),
            other => Err(fault("GATE-2", format!("no behaviour `{other}`"))),
        }
    }
}

fn decision(verdict: Verdict, reason: String) -> Decision {
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
        reasons: vec![reason],
        codex_version: "hostile".into(),
        codex_digest: format!("blake3:{}", "0".repeat(64)),
        facts: Vec::new(),
    }
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = core::hint::black_box(turns.wrapping_add(1));
    }
}

/// Allocates until the memory limit ends it.
fn allocate() -> String {
    let mut kept = Vec::new();
    // BOUND: none; the host's limit is what is tested.
    loop {
        kept.push(vec![1_u8; 1 << 20]);
        core::hint::black_box(&kept);
    }
}

aim_sdk::export_gate!(Hostile);
