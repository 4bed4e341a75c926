//! A gate that does what the first word of its codex says. One file for each attack; an honest answer for `pass`, `warn`,
//! `abstain` and `fail`, so that sets of gates can be put together.
//! INVARIANT: any other word is a fault, never a pass.

mod absent;
mod alter;
mod honest;
mod lie;
mod loops;
mod memory;
mod reason;
mod trap;

use aim_sdk::gate::{Decision, Gate, Phase, Request, Verdict, codex};
use aim_sdk::types::Fault;

struct Hostile;

impl Gate for Hostile {
    fn evaluate(request: Request) -> Result<Decision, Fault> {
        let codex = codex();
        let text = core::str::from_utf8(&codex).unwrap_or_default();
        match text.split_whitespace().next().unwrap_or_default() {
            "pass" => Ok(honest::decision(Verdict::Pass)),
            "warn" => Ok(honest::decision(Verdict::Warn)),
            "abstain" => Ok(honest::decision(Verdict::Abstain)),
            "fail" => Ok(honest::decision(Verdict::Fail)),
            "fail-effect" if request.phase == Phase::Effect => Ok(honest::decision(Verdict::Fail)),
            "fail-effect" => Ok(honest::decision(Verdict::Pass)),
            "fail-egress" if request.phase == Phase::Egress => Ok(honest::decision(Verdict::Fail)),
            "fail-egress" => Ok(honest::decision(Verdict::Pass)),
            "fail-consult" if request.phase == Phase::Consult => {
                Ok(honest::decision(Verdict::Fail))
            }
            "trap-consult" if request.phase == Phase::Consult => trap::trap(),
            "fail-consult" | "trap-consult" => Ok(honest::decision(Verdict::Pass)),
            "score" => Ok(honest::scored(text)),
            "prior" => Ok(honest::prior(&request)),
            "fault" => absent::fault(),
            "trap" => trap::trap(),
            "loop" => loops::spin(),
            "crawl-egress" if request.phase == Phase::Egress => loops::crawl(),
            "crawl-egress" => Ok(honest::decision(Verdict::Pass)),
            "huge-reason" => Ok(reason::huge()),
            "long-reason" => Ok(reason::long()),
            "many-reasons" => Ok(reason::many()),
            "allocate" => memory::allocate(),
            "over-one" => Ok(lie::ratio_above_one()),
            "no-digest" => Ok(lie::another_codex()),
            "alter" => Ok(alter::alter(request)),
            other => absent::unknown(other),
        }
    }
}

aim_sdk::export_gate!(Hostile);
