//! The `.acl` plan language: text in, checked plan IR or diagnostics out.
//!
//! ```text
//! source --parse--> Ast + diagnostics --lower--> Plan + warnings, or every error of the source at once
//! ```
//!
//! The crate reads no file and renders nothing: a [`Diagnostic`] is a code, sentences and byte ranges, and whoever holds
//! the source draws them. Three surface forms parse to one [`Ast`]: lines (`PLAN name:`), braces (`pipeline "name" { }`)
//! and, as an import, YAML. What lies outside of the text, imported documents and contracts, comes through a [`Resolver`].
//! The language itself is described in `docs/formats/acl.md`.
//!
//! Entry points, all pure, for any text: [`token::lex`], [`parse()`], [`compile()`], [`lint()`], [`format()`],
//! [`symbols()`], [`complete()`], [`vocabulary()`], and [`Lines`] for places as editors count them.
//!
//! INVARIANT: equal sources give equal bytes, no text makes this crate panic, and a statement is never ignored: what is
//! not understood is refused with its place.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod ast;
mod check;
pub mod codes;
mod complete;
mod cursor;
mod diagnostic;
mod instant;
mod lint;
mod lower;
mod parse;
mod print;
mod probes;
mod suggest;
mod symbols;
mod text;
pub mod token;
mod vocabulary;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::fmt;

use aim_core::{
    digest::Digest,
    plan::{Effect, Plan, Step},
};
use serde_json::Value;

pub use ast::Ast;
pub use check::{Fit, fits};
pub use complete::{Completion, CompletionKind, complete, complete_with};
pub use diagnostic::{DIAGNOSTICS_MAX, Diagnostic, Fix, Position, Severity, fixed};
pub use parse::form_of;
pub use print::{format, print, print_as};
pub use probes::with_probes;
pub use symbols::{Symbol, SymbolKind, Symbols, symbols};
pub use text::{Encoding, Lines, Place};
pub use vocabulary::{Word, WordKind, statement_of, vocabulary};

use diagnostic::Faults;

/// The compiler's own version: what it makes of a source may differ between two.
pub const COMPILER_VERSION: &str = env!("CARGO_PKG_VERSION");
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

/// What a compiler asks about the world outside of the plan's text. It never asks for anything that the text does not name.
pub trait Resolver {
    /// Returns the exact bytes of an imported document.
    ///
    /// # Errors
    /// Why they can not be had, for people.
    fn import(&self, path: &str) -> Result<Vec<u8>, String>;

    /// Returns what is known of the node that does a step; `None` when nothing is.
    fn node(&self, plan: &Plan, step: &Step) -> Option<NodeFacts>;
}

/// What a compiler may know of a node.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeFacts {
    /// The node's id.
    pub node: String,
    /// The digest of the component that does the work.
    pub component: Option<Digest>,
    /// JSON Schema of what it takes.
    pub input: Option<Value>,
    /// JSON Schema of what it gives.
    pub output: Option<Value>,
    /// The effects that its contract asks for.
    pub asked: BTreeSet<Effect>,
    /// The effects that the operator's policy grants to it.
    pub granted: BTreeSet<Effect>,
    /// True when its contract says that it can read no label, so that nothing that a plan tells it reaches it.
    pub is_deaf: bool,
    /// What it may do that has each of these effects, such as `http.request`, where that is known.
    pub uses: BTreeMap<Effect, BTreeSet<String>>,
}

/// A resolver that knows nothing: imports are refused and no contract is compared.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Resolver for Alone {
    fn import(&self, _path: &str) -> Result<Vec<u8>, String> {
        Err(String::from("this compiler reads no files"))
    }

    fn node(&self, _plan: &Plan, _step: &Step) -> Option<NodeFacts> {
        None
    }
}

/// What a source is compiled under.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// How much may be left unsaid.
    pub profile: Profile,
    /// Who answers for the world outside.
    pub resolver: &'a dyn Resolver,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
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

/// Compiles a source to the plan IR, without asking anybody about imports or contracts.
///
/// # Errors
/// All diagnostics of the source, errors and warnings, in source order.
pub fn compile(source: &str, profile: Profile) -> Result<Compiled, Vec<Diagnostic>> {
    let resolver = &Alone;
    compile_in(source, &Context { profile, resolver })
}

/// Compiles a source to the plan IR, holding it against what the context knows.
///
/// # Errors
/// All diagnostics of the source, errors and warnings, in source order.
pub fn compile_in(source: &str, context: &Context<'_>) -> Result<Compiled, Vec<Diagnostic>> {
    let mut faults = Faults::default();
    let ast = parse::parse(source, &mut faults);
    let plan = lower::lower(&ast, context, &mut faults);
    let diagnostics = faults.into_sorted(source);
    match plan {
        Some(plan) => Ok(Compiled {
            plan,
            warnings: diagnostics,
        }),
        None => Err(diagnostics),
    }
}

/// Says everything that is wrong or doubtful about a source: what compiling says, and the lints.
#[must_use]
pub fn lint(source: &str, context: &Context<'_>) -> Vec<Diagnostic> {
    let mut faults = Faults::default();
    let ast = parse::parse(source, &mut faults);
    lower::lower(&ast, context, &mut faults);
    lint::lint(&ast, &mut faults);
    faults.into_sorted(source)
}
