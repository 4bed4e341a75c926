//! The ethical gate: judges a request by the codex that the operator chose.
//!
//! ```text
//! request + codex -> axioms hit?         -> fail
//!                 -> score under kappa?  -> abstain
//!                 -> score under review, or a plan without a quip -> warn
//!                 -> otherwise           -> pass
//! ```
//!
//! The decision records the score, the doubts, the simulated futures and the quip, with the codex version and digest.
//! There is no clock, no randomness and no float: the same request and codex give the same decision.
//! INVARIANT: a codex that does not parse, or says something unknown, is a fault; the host then denies.
#![forbid(unsafe_code)]

mod codex;
mod judged;
mod scan;
mod text;

use aim_sdk::gate::{Decision, Gate, Request};
use aim_sdk::types::{Fault, fault};

struct Mcel;

impl Gate for Mcel {
    fn evaluate(request: Request) -> Result<Decision, Fault> {
        evaluate(&request, &aim_sdk::gate::codex())
    }
}

/// Judges `request` by the codex `document`.
fn evaluate(request: &Request, document: &[u8]) -> Result<Decision, Fault> {
    let codex = codex::parse(document).map_err(|error| fault("MCEL-C001", error.to_string()))?;
    let mut decision = judged::decide(request, &codex);
    decision.codex_digest = match judged::fact(request, "codex-digest") {
        Some(digest) => String::from_utf8_lossy(digest).into_owned(),
        None => format!("blake3:{}", blake3::hash(document).to_hex()),
    };
    Ok(decision)
}

aim_sdk::export_gate!(Mcel, arena: 2 * aim_sdk::MIB);

#[cfg(test)]
mod tests;
