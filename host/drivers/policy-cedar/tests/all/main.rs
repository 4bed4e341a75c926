//! The policy from outside: the corpus of cases, and a second implementation that has to agree.
//!
//! INVARIANT: the reference model shares no code with the driver but the types of core.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a helper of a test fails the test"
)]

mod corpus;
mod random;
mod reference;
mod table;
mod written;
