//! Native code for components: from a signed cache, else from a worker process that can be killed.
//!
//! ```text
//! native_code(component, profile)
//!   cache file there, signature good over exactly its bytes ----------------> those bytes
//!   else: start the worker once, ask it, check its signature, keep, hand out -> those bytes
//!         |  CPU, memory or time limit: killed, Exhausted
//!         |  compiler says no: Corrupt, with its reason
//! ```
//!
//! Running native code is running anything, so bytes count only when this host's worker signed them for this component
//! and this profile. They are read into private memory, checked there and handed out from there; a file is never mapped.
//!
//! The worker reads the cache key, so it has to start before the host gives up the key folder: compile everything first,
//! then [`ProcessCompiler::finish`]. A start with a warm cache starts no worker at all.
//!
//! INVARIANT: no byte leaves this crate as native code unless the signature over it verified just before.

#![forbid(unsafe_code)]

mod cache;
mod compiler;
mod limits;
mod seal;
mod serve;
mod wire;

pub use aim_hardening::side_process::SideCommand;
pub use compiler::ProcessCompiler;
pub use limits::WorkerLimits;
pub use serve::serve_compiler;

/// No request or answer is larger: native code of the largest component that is admitted fits several times.
const MESSAGE_BYTES_MAX: usize = 512 * 1024 * 1024;
