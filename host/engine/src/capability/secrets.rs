//! `aim:secret/handles`: the names of granted secrets, and the text that stands for one in a header's value.
//!
//! INVARIANT: no secret is in reach here; a guest learns the names that its own contract asked for.

mod calls;

use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

/// Links the interface.
pub(crate) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    calls::link(instance)
}
