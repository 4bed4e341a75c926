//! Evidence under attack: each test is named by the case that it covers.
//!
//! INVARIANT: the logs here are made with the public API only, and every attack ends in a named fault.

mod exported;
mod logs;
mod notes;
mod signatures;
mod tampered;
mod trees;
