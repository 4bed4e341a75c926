//! The `.acl` plan language: text in, checked plan IR or diagnostics out.
//!
//! ```text
//! source --parse--> Ast + diagnostics --lower--> Plan + warnings, or every error of the source at once
//! ```
//!
//! The crate reads no file and renders nothing: a [`Diagnostic`] is a code, sentences and byte ranges, and whoever holds
//! the source draws them. Form A (line by line, `PLAN name:`) is the only surface so far; another surface would be another
//! parser into the same [`Ast`], lowered by the same code. The language itself is described in `docs/formats/acl.md`.
//!
//! INVARIANT: equal sources give equal bytes, no text makes this crate panic, and a statement is never ignored: what is
//! not understood is refused with its place.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod ast;
pub mod codes;
mod cursor;
mod diagnostic;
mod lower;
mod parse;
mod suggest;

use alloc::vec::Vec;

use aim_core::plan::Plan;

pub use ast::Ast;
pub use diagnostic::{DIAGNOSTICS_MAX, Diagnostic, Position, Severity};

use diagnostic::Faults;

/// The most bytes that a source may have.
pub const SOURCE_BYTES_MAX: usize = 1024 * 1024;

/// How much a plan may leave unsaid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Every step states its whole budget.
    Strict,
    /// A budget that is not stated is written into the IR with the defaults, and a warning says so.
    Lenient,
}

/// A source that compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The plan.
    pub plan: Plan,
    /// What the author may want to know, in source order.
    pub warnings: Vec<Diagnostic>,
}

/// Parses a source. The tree holds everything that could be understood; diagnostics are in source order.
#[must_use]
pub fn parse(source: &str) -> (Ast, Vec<Diagnostic>) {
    let mut faults = Faults::default();
    let ast = parse::parse(source, &mut faults);
    (ast, faults.into_sorted(source))
}

/// Compiles a source to the plan IR.
///
/// # Errors
/// All diagnostics of the source, errors and warnings, in source order.
pub fn compile(source: &str, profile: Profile) -> Result<Compiled, Vec<Diagnostic>> {
    let mut faults = Faults::default();
    let ast = parse::parse(source, &mut faults);
    let plan = lower::lower(&ast, profile, &mut faults);
    let diagnostics = faults.into_sorted(source);
    match plan {
        Some(plan) => Ok(Compiled {
            plan,
            warnings: diagnostics,
        }),
        None => Err(diagnostics),
    }
}
