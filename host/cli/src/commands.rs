//! One file for each command; what a command needs beyond its own lines is in the runtime or in a driver.

pub(crate) mod answer;
pub(crate) mod cancel;
pub(crate) mod codex;
pub(crate) mod compile;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod gate;
pub(crate) mod inspect;
pub(crate) mod keys;
pub(crate) mod lint;
pub(crate) mod logs;
pub(crate) mod lsp;
pub(crate) mod person;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod quarantine;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod verify;
pub(crate) mod witness;
pub(crate) mod workers;
