//! `wasi:clocks`: time that starts at zero and moves with the guest, or, where the grant says real, the machine's.
//!
//! INVARIANT: every reading is in the transcript, so whichever clock answered, a replay can answer the same.

mod calls;

use aim_core::admission::Binding;
use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

pub(crate) use calls::datetime;

/// Links one of the two interfaces.
pub(crate) fn link(
    instance: &mut LinkerInstance<'_, Guest>,
    binding: &Binding,
) -> wasmtime::Result<()> {
    match binding.interface.as_str() {
        "wasi:clocks/monotonic-clock" => calls::link_monotonic(instance),
        "wasi:clocks/wall-clock" => calls::link_wall(instance),
        other => wasmtime::bail!("`{other}` is no clock"),
    }
}
