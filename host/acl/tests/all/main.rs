//! The plan language from outside: a corpus of plans, the table of codes, and what holds for any text.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can not read its fixtures must stop"
)]

mod codes;
mod constructs;
mod corpus;
mod editing;
mod grammar;
mod guide;
mod limits;
mod printing;
mod properties;
mod sound;
mod static_checks;
mod trees;
