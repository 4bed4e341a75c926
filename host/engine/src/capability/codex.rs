//! `aim:gate/codex`: the rules a gate judges by.
//!
//! INVARIANT: the document is the one whose digest the host writes into the decision; what was prepared is what this very
//! component made of it.

mod calls;

use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

/// Links the interface.
pub(crate) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    calls::link(instance)
}
