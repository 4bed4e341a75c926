//! Evidence under attack: each test is named by the case that it covers.
//!
//! INVARIANT: the logs here are made with the public API only, and every attack ends in a named fault.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy knows test functions, not their helpers"
)]

mod exported;
mod known;
mod logs;
mod notes;
mod signatures;
mod tampered;
mod trees;
