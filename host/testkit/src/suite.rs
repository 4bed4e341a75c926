//! How each port behaves, said once: run on the double here and on every driver in its own tests.
//!
//! A suite fails by assertion with a message that names the promise.
//!
//! INVARIANT: a suite uses nothing but the port, so that it can not tell a double from a driver.

mod artifact;
mod folder;
mod http;
mod log;
mod signer;

pub use artifact::artifact_store;
pub use folder::{FOLDER_FILES, folders};
pub use http::{LARGE_BYTES, call_to, http};
pub use log::log;
pub use signer::{CountingCore, signer};
