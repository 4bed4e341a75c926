//! The engine against real components. Run `cargo xtask guests` first: most of them are built from `guests/`.
//!
//! INVARIANT: nothing here measures time or memory of the process; outcomes, counters and digests are asserted.

mod bytes;
mod gates;
mod hostile;
mod proposals;
mod steps;
mod support;
mod wasi;
mod wasi_table;
