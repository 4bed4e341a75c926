//! `aim:gate/codex`: the rules a gate judges by.
//!
//! INVARIANT: the bytes are those whose digest the host writes into the decision.

mod calls;

use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

/// Links the interface.
pub(crate) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    calls::link(instance)
}
