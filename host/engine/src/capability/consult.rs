//! `aim:gate/consult`: ask the host's gates before acting.
//!
//! INVARIANT: an answer never widens the grant; no answer is an error that the guest must treat as a denial.

mod calls;

use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

/// Links the interface.
pub(crate) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    calls::link(instance)
}
