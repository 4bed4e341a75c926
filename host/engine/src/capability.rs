//! One file for each interface that the host serves: how its calls are permitted, charged, recorded and answered.
//!
//! INVARIANT: every function here goes through `crate::door`, but for granted folders, where opening does and reading
//! what was opened is implied by the digest of the opening.

pub(crate) mod artifact;
pub(crate) mod attest;
pub(crate) mod budget;
pub(crate) mod codex;
pub(crate) mod consult;
pub(crate) mod context;
pub(crate) mod filesystem;
pub(crate) mod log;
