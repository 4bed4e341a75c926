//! What the runtime and the engine need from the outside, as traits and nothing else.
//!
//! A driver implements one of these; the composition root picks drivers; neither the runtime nor the engine can tell
//! which. Port suites in `aim-testkit` say once how each port behaves, for the double and for every driver.
//!
//! INVARIANT: this crate holds no behaviour, only shapes; `no_std` keeps I/O out.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod artifact;
pub mod clock;
pub mod compiler;
pub mod effect;
pub mod entropy;
pub mod folder;
pub mod http;
pub mod keyvalue;
pub mod log;
pub mod policy;
pub mod schema;
pub mod services;
pub mod signer;

mod fault;

pub use fault::{PortError, PortFault};
