//! `wasi:keyvalue`, draft 0.2.0-draft: `store`, `atomics` and `batch` on the buckets that the grant names.
//!
//! A bucket belongs to one tenant and one step. What an attempt writes is staged: it reads its own writes, everybody else reads
//! them once the attempt's witness is durable, and nobody ever does when the attempt releases nothing. The draft's `watcher` is
//! an export; it is listed as an extra and never called.
//!
//! INVARIANT: a bucket that is not granted looks the same as one that does not exist.

mod calls;
pub(crate) mod state;
mod types;

use aim_core::admission::Binding;
use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

/// Links one of the three interfaces.
pub(crate) fn link(
    instance: &mut LinkerInstance<'_, Guest>,
    binding: &Binding,
) -> wasmtime::Result<()> {
    match binding.interface.as_str() {
        "wasi:keyvalue/store" => calls::link_store(instance),
        "wasi:keyvalue/atomics" => calls::link_atomics(instance),
        "wasi:keyvalue/batch" => calls::link_batch(instance),
        other => wasmtime::bail!("`{other}` is not served"),
    }
}
