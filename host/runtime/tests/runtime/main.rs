//! Whole runs with real components, in memory: what is committed, what is released, what is left after a crash.
//!
//! INVARIANT: every run here goes through the same admission, gates and commit thread as a run from the command line.

mod crash;
mod gates;
mod rig;
mod runs;
