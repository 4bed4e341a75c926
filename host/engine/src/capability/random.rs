//! `wasi:random`: numbers that follow from the run's seed, or, where the grant says real, the machine's.
//!
//! INVARIANT: every byte that a guest got is in the transcript, and no call gives more than 64 KiB.

pub(crate) mod calls;
pub(crate) mod state;

use aim_core::admission::Binding;
use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

/// Links one of the three interfaces.
pub(crate) fn link(
    instance: &mut LinkerInstance<'_, Guest>,
    binding: &Binding,
) -> wasmtime::Result<()> {
    match binding.interface.as_str() {
        "wasi:random/random" => calls::link_random(instance),
        "wasi:random/insecure" => calls::link_insecure(instance),
        "wasi:random/insecure-seed" => calls::link_seed(instance),
        other => wasmtime::bail!("`{other}` gives no random numbers"),
    }
}
