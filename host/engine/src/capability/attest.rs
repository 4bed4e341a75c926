//! `aim:witness/attest`: what the guest says about its own output.
//!
//! INVARIANT: what is kept is bounded, has integers only and no control characters; it stays the guest's claim.

mod calls;

use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

/// Links the interface.
pub(crate) fn link(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    calls::link(instance)
}
