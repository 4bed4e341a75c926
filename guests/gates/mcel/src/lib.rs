//! The ethical gate: the oracle of `mcel-oracle` behind `aim:gate/judge`.
//!
//! The decision records the score, the doubts, the simulated futures and the quip, with the codex version and digest.
//! INVARIANT: a codex that does not parse, or says something unknown, is a fault; the host then denies.
#![forbid(unsafe_code)]

mod convert;

use aim_sdk::gate::{Decision, Gate, Request};
use aim_sdk::types::{Fault, fault};

struct Mcel;

impl Gate for Mcel {
    fn evaluate(request: Request) -> Result<Decision, Fault> {
        let document = aim_sdk::gate::codex();
        let asked = convert::request(&request);
        let decided = mcel_oracle::judge(&asked, &document);
        let decided = decided.map_err(|error| fault("MCEL-C001", error.to_string()))?;
        let digest = match mcel_oracle::fact(&asked, "codex-digest") {
            Some(digest) => String::from_utf8_lossy(digest).into_owned(),
            None => format!("blake3:{}", blake3::hash(&document).to_hex()),
        };
        Ok(convert::decision(decided, digest))
    }
}

aim_sdk::export_gate!(Mcel, arena: 2 * aim_sdk::MIB);
