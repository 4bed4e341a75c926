//! Turns a component into native code. Runs in the worker process, which can be killed; this function sets no limit itself.
//!
//! INVARIANT: the same profile and bytes give code that `Engine::load_step` accepts under the same fingerprint.

use crate::{
    error::{CompileError, shown},
    profile::EngineProfile,
};

/// Compiles `component`.
///
/// # Errors
/// [`CompileError`] when the engine refuses the component or the settings do not fit the machine.
pub fn compile(profile: EngineProfile, component: &[u8]) -> Result<Vec<u8>, CompileError> {
    let engine = wasmtime::Engine::new(&profile.config())
        .map_err(|error| CompileError::Profile(shown(&error)))?;
    engine
        .precompile_component(component)
        .map_err(|error| CompileError::Component(shown(&error)))
}
