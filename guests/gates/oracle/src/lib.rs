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
mod judged;
mod scan;
mod text;

pub use codex::CodexError;
use types::{Decision, Request};

/// Judges `request` by the codex `document`.
///
/// # Errors
/// [`CodexError`] when the document is not exactly a codex of this format.
pub fn judge(request: &Request<'_>, document: &[u8]) -> Result<Decision, CodexError> {
    let codex = codex::parse(document)?;
    Ok(judged::decide(request, &codex))
}

/// The value of a fact that the host gave.
#[must_use]
pub fn fact<'a>(request: &Request<'a>, name: &str) -> Option<&'a [u8]> {
    judged::fact(request, name)
}

#[cfg(test)]
mod tests;
