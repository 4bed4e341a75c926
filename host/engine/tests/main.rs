//! The engine against real components. Run `cargo xtask guests` first: most of them are built from `guests/`.
//!
//! INVARIANT: nothing here measures time or memory of the process; outcomes, counters and digests are asserted.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test fails the test"
)]

mod bytes;
mod capabilities;
mod files;
mod gates;
mod hostile;
mod http;
mod imports;
mod languages;
mod plumbing;
mod probes;
mod proposals;
mod spending;
mod steps;
mod support;
mod tokens;
mod vocabulary;
mod wasi;
mod wasi_table;
