//! `wasi:filesystem` over granted folders: our own implementation, on snapshots and on staged changes above them.
//!
//! A folder that is read is a snapshot that was pinned before the run; a folder that is written is a snapshot with the
//! attempt's own changes above, which are published once the witness is durable. Opening a file is recorded with its digest;
//! everything that reads follows from it. Every change is recorded; what comes through a stream is in the changes' document.
//! See `docs/design/0003-read-only-folders-are-snapshots.md`.
//!
//! INVARIANT: no call in this folder touches the machine's file system.

mod calls;
mod state;
mod streams;
pub(crate) mod types;

use aim_core::admission::Binding;
use wasmtime::component::LinkerInstance;

use crate::guest::Guest;

/// Links one of the two interfaces.
pub(crate) fn link(
    instance: &mut LinkerInstance<'_, Guest>,
    binding: &Binding,
) -> wasmtime::Result<()> {
    match binding.interface.as_str() {
        "wasi:filesystem/preopens" => calls::link_preopens(instance),
        "wasi:filesystem/types" => calls::link_types(instance, binding),
        other => wasmtime::bail!("`{other}` is no interface of folders"),
    }
}
