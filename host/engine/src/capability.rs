//! One module for each interface that the host serves: how its calls are permitted, charged, recorded and answered.
//!
//! A module has the name of its capability in contracts and policy, and every one is built from the same few files:
//!
//! | file | holds | there |
//! | --- | --- | --- |
//! | `<name>.rs` | what the capability is, and `link`: which interface gets which calls | always |
//! | `<name>/calls.rs` | the functions: permit, charge, record, answer | always |
//! | `<name>/calls/*.rs` | families of functions, where one file would hold several ideas | where needed |
//! | `<name>/state.rs` | what an attempt keeps between two calls | where it keeps something |
//! | `<name>/streams.rs` | what stands behind the streams that it hands out | where it does |
//! | `<name>/types.rs` | the shapes of the interface's own types | where it has any |
//!
//! A test of this crate reads the folder and holds it against this table and `aim_core`'s list of capabilities.
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
pub(crate) mod secrets;
