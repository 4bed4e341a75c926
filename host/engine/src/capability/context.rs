//! `aim:host/context`: who asks and where the step runs.
//!
//! INVARIANT: all answers come from the call's own context; a guest can set none of them.

mod calls;

use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

/// Links the interface.
pub(crate) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    calls::link(instance)
}
