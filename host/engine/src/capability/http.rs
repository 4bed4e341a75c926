//! `wasi:http`: the half that sends. Requests and answers are whole values; one call of a step is one effect.
//!
//! Everything but sending is bookkeeping in the store: charged, and implied by the record of the request that it built.
//!
//! INVARIANT: nothing in here opens a connection; what leaves the host goes through `StepServices::act` alone.

mod calls;
mod types;

use aim_core::admission::Binding;
use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

/// Links `wasi:http/outgoing-handler`, or `wasi:http/types` as far as sending needs it.
pub(crate) fn link(
    instance: &mut LinkerInstance<'_, Guest>,
    binding: &Binding,
) -> wasmtime::Result<()> {
    match binding.interface.as_str() {
        "wasi:http/outgoing-handler" => calls::link_handler(instance),
        "wasi:http/types" => calls::link_types(instance, binding),
        other => wasmtime::bail!("`{other}` sends nothing"),
    }
}
