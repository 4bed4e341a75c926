//! `aim:artifact/store`: content-addressed bytes, in and out.
//!
//! INVARIANT: a guest reads what its envelope brought or what it put itself; what it puts stays in the report until the
//! witness commits.

mod calls;
mod state;

use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

/// Links the interface.
pub(crate) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    calls::link(instance)
}
