//! `witness`: looking at one statement, and taking a run's statements along.
//!
//! INVARIANT: what a guest says stands apart and is called a claim; the JSON of a statement is printed byte for byte.

mod export;
mod show;

pub(crate) use export::export;
pub(crate) use show::show;
