//! `aim:model/complete`: model calls. Linked, so that a component that needs them can be admitted, and denied on every call,
//! because nothing selects a model yet.
//!
//! INVARIANT: no request leaves the host, whatever the grant says; every call is recorded as a denial.

mod calls;
mod types;

use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

/// Links the interface.
pub(crate) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    calls::link(instance)
}
