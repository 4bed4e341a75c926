//! `aim:host/budget`: what is left.
//!
//! INVARIANT: fuel, calls, tokens and cost are the same on every run of the same attempt; wall time and cancellation are
//! not, and are recorded for replay.

mod calls;

use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

/// Links the interface.
pub(crate) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    calls::link(instance)
}
