//! `wasi:config`, draft 0.2.0-rc.1: the values that the grant names, from the contract or the deployment.
//!
//! INVARIANT: the store *is* the grant; there is nothing else in it to find.

mod calls;
mod types;

use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

/// Links `wasi:config/store`.
pub(crate) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    calls::link(instance)
}
