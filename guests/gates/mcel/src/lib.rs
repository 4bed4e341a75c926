//! The ethical gate: the oracle of `mcel-oracle` behind `aim:gate/judge`.
//!
//! The decision records the score, the doubts, the simulated futures and the quip, with the codex version and digest.
//! INVARIANT: a codex that does not parse, or says something unknown, is a fault; the host then denies.
#![forbid(unsafe_code)]

mod convert;

use aim_sdk::gate::{Decision, Gate, Phase, Prepare, Request};
use aim_sdk::types::{Fault, fault};
use mcel_oracle::CodexError;

struct Mcel;

impl Gate for Mcel {
    fn evaluate(request: Request) -> Result<Decision, Fault> {
        let asked = convert::request(&request);
        let decided = mcel_oracle::judge_prepared(&asked, &aim_sdk::gate::prepared());
        // The host knows the digest of the codex and writes it into the record.
        Ok(convert::decision(
            decided.map_err(malformed)?,
            String::new(),
        ))
    }
}

impl Prepare for Mcel {
    fn prepare(document: &[u8], phase: Phase) -> Result<Vec<u8>, Fault> {
        mcel_oracle::prepare(document, convert::phase(phase)).map_err(malformed)
    }
}

fn malformed(error: CodexError) -> Fault {
    fault("MCEL-C001", error.to_string())
}

aim_sdk::export_gate!(Mcel, arena: 2 * aim_sdk::MIB);
aim_sdk::export_prepare!(Mcel);
