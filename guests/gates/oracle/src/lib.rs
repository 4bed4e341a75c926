//! The ethical oracle: judges a request by a codex.
//!
//! ```text
//! request + codex -> axioms hit?         -> fail
//!                 -> score under kappa?  -> abstain
//!                 -> score under review, or a plan without a quip -> warn
//!                 -> otherwise           -> pass
//! ```
//! There is no clock, no randomness, no float and no I/O: the same request and codex give the same decision, in a component
//! and on any other machine. `gate-mcel` is this library with a door.
//! INVARIANT: a codex that does not parse, or says something unknown, is an error; nothing in a request can make a verdict
//! better than the codex says.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod types;

mod codex;
mod compiled;
mod judged;
mod scan;
mod text;
mod view;

use alloc::borrow::ToOwned;
use alloc::vec::Vec;
pub use codex::CodexError;
use types::{Decision, Phase, Request};

/// Makes of the codex `document` what judging needs in `phase`.
///
/// # Errors
/// [`CodexError`] when the document is not exactly a codex of this format.
pub fn prepare(document: &[u8], phase: Phase) -> Result<Vec<u8>, CodexError> {
    let codex = codex::parse(document)?;
    Ok(compiled::compile(&codex, phase))
}

/// Judges `request` by what [`prepare`] has made of a codex for the request's phase.
///
/// # Errors
/// [`CodexError`] when the bytes are nothing that `prepare` makes, or were made for another phase.
pub fn judge_prepared(request: &Request<'_>, prepared: &[u8]) -> Result<Decision, CodexError> {
    let view = view::View::new(prepared, request.phase);
    let decision = view.and_then(|view| judged::decide(request, &view));
    decision.ok_or_else(|| CodexError::Content("its compiled form makes no sense".to_owned()))
}

/// Judges `request` by the codex `document`.
///
/// # Errors
/// [`CodexError`] when the document is not exactly a codex of this format.
pub fn judge(request: &Request<'_>, document: &[u8]) -> Result<Decision, CodexError> {
    judge_prepared(request, &prepare(document, request.phase)?)
}

/// The value of a fact that the host gave.
#[must_use]
pub fn fact<'a>(request: &Request<'a>, name: &str) -> Option<&'a [u8]> {
    judged::fact(request, name)
}

#[cfg(test)]
mod tests;
