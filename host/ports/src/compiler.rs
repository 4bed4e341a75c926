//! Native code for a component, from the cache or from a worker process that can be killed.

use alloc::vec::Vec;
use core::fmt::Debug;

use crate::PortError;

/// What to compile and for which engine.
#[derive(Debug, Clone, Copy)]
pub struct CompileRequest<'a> {
    /// The component's bytes; the same buffer that was hashed and inspected.
    pub component: &'a [u8],
    /// The engine profile's full fingerprint: engine version, compiler, every setting that shapes code.
    pub profile: &'a str,
}

/// Gives native code that only this host's worker can have made.
pub trait Compiler: Debug + Send {
    /// Returns native code whose signature by the worker's key over (profile, component digest, code digest) was checked
    /// on exactly the returned bytes.
    ///
    /// # Errors
    /// [`crate::PortFault::Corrupt`] when the component does not compile (`detail` says why);
    /// [`crate::PortFault::Exhausted`] when the worker ran into its CPU, memory or time limit and was killed;
    /// [`crate::PortFault::Unavailable`] when there is no worker.
    fn native_code(&mut self, request: &CompileRequest<'_>) -> Result<Vec<u8>, PortError>;
}
