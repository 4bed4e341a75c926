//! `aimctl` from the outside: the real program, its streams, its exit codes and what it leaves behind.
//!
//! INVARIANT: a case sees only what a user sees, and works in a folder of its own with keys of its own.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of a test fails the test"
)]

mod approving;
mod cancelling;
mod changing;
mod compiling;
mod deciding;
mod ends;
mod errors;
mod evidence;
mod exporting;
mod gates;
mod help;
mod http;
mod inspecting;
mod keys;
mod locking;
mod lsp;
mod orchestrating;
mod planning;
mod policy;
mod polyglot;
mod recording;
mod replaying;
mod results;
mod runs;
mod strangers;
mod support;
mod triage;
mod verifying;
mod without_network;
