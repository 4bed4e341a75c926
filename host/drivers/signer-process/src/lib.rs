//! The signing keys in a process of their own, behind one socket.
//!
//! ```text
//! host (runs guests)                         signer (holds step.key and log.key)
//!   SignerProcess  -- one message a call -->   serve: harden, read keys, give up files, answer
//!                  <-- signatures, notes --      state/<log>: durable before a checkpoint is answered
//! ```
//!
//! The signer starts first and makes the keys on first use, so that no secret is ever in the host's memory; then the host
//! gives up the key folder ([`confine`]). Which bytes are signed and whether a checkpoint continues the last one is
//! decided by the [`aim_ports::signer::SigningCore`] that the caller hands in.
//!
//! INVARIANT: no message carries a secret in either direction, and the signer does nothing but what its four messages say.

#![forbid(unsafe_code)]

mod process;
mod serve;
mod state;
mod wire;

pub use aim_hardening::{confine, key_file, side_process::SideCommand};
pub use process::SignerProcess;
pub use serve::{SignerSeeds, serve};

/// No message is larger, so that neither side can fill the other's memory.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
