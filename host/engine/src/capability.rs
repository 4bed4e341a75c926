//! One module for each interface that the host serves: how its calls are permitted, charged, recorded and answered.
//!
//! A module has the interface's name and says what is linked; in its folder `calls` holds the functions, `state` what an
//! attempt keeps, `types` the shapes, where there is more than fits one file.
//!
//! INVARIANT: every function here goes through `crate::door`, but for granted folders, where opening and changing do and
//! reading what was opened is implied by the digest of the opening.

pub(crate) mod artifact;
pub(crate) mod attest;
pub(crate) mod budget;
pub(crate) mod cli;
pub(crate) mod clocks;
pub(crate) mod codex;
pub(crate) mod config;
pub(crate) mod consult;
pub(crate) mod context;
pub(crate) mod filesystem;
pub(crate) mod http;
pub(crate) mod keyvalue;
pub(crate) mod log;
pub(crate) mod model;
pub(crate) mod random;
pub(crate) mod secret;
