//! `aim:log/log`: structured logs within a byte budget.
//!
//! INVARIANT: a line never fails, never blocks and never reaches anybody with a control character in it; only its digest
//! is in the transcript. A line that the token does not cover is dropped, counted and recorded as denied.

mod calls;

use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

/// Links the interface.
pub(crate) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    calls::link(instance)
}
