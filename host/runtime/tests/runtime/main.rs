//! Whole runs with real components, in memory: what is committed, what is released, what is left after a crash.
//!
//! INVARIANT: every run here goes through the same admission, gates and commit thread as a run from the command line.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test fails the test"
)]

mod answered;
mod asking;
mod budgets;
mod clauses;
mod confidence;
mod crash;
mod effects;
mod gates;
mod given;
mod immediate;
mod opening;
mod orchestration;
mod played;
mod policy_gates;
mod probes;
mod released;
mod replaying;
mod rig;
mod runs;
mod traffic;
