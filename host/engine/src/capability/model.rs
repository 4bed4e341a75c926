//! `aim:model/complete`: model calls. Linked, so that a component that needs them can be admitted, and denied on every call,
//! because nothing selects a model yet.
//!
//! A call is charged all the same: one that asks for more tokens than the plan's budget holds ends its attempt, as it will once
//! a model answers.
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
