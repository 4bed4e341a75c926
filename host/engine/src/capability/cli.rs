//! `wasi:cli`: the arguments, variables and input that the contract writes, output into the step's log, and an end.
//!
//! INVARIANT: nothing of the host's own command line, environment or terminal is ever seen or reached.

mod calls;
pub(crate) mod state;
pub(crate) mod streams;

use aim_core::admission::Binding;
use wasmtime::component::{LinkerInstance, ResourceType};

use crate::guest::Guest;

/// A terminal; no guest ever gets one.
struct Terminal;

/// Links one of the interfaces.
pub(crate) fn link(
    instance: &mut LinkerInstance<'_, Guest>,
    binding: &Binding,
) -> wasmtime::Result<()> {
    for resource in &binding.import.resources {
        instance.resource(resource, ResourceType::host::<Terminal>(), |_, _| Ok(()))?;
    }
    match binding.interface.as_str() {
        "wasi:cli/environment" => calls::link_environment(instance),
        "wasi:cli/exit" => calls::link_exit(instance),
        "wasi:cli/stdin" => calls::link_stdin(instance),
        "wasi:cli/stdout" => calls::link_output(instance, false),
        "wasi:cli/stderr" => calls::link_output(instance, true),
        "wasi:cli/terminal-input" | "wasi:cli/terminal-output" => Ok(()),
        "wasi:cli/terminal-stdin" | "wasi:cli/terminal-stdout" | "wasi:cli/terminal-stderr" => {
            calls::link_terminal(instance, binding)
        }
        other => wasmtime::bail!("`{other}` is no interface of a command line"),
    }
}
