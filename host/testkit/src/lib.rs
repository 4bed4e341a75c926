//! Doubles of the ports that live in memory, and the suites that say how each port behaves.
//!
//! A suite is run on the double and on every driver, so that a test with doubles says something about the real thing.
//! This crate is a dev-dependency only; it draws no random number and reads no clock, and opens no file but the
//! one in which [`soak`] says how far a test is.
//!
//! INVARIANT: a double never does what a driver's suite would refuse.

#![forbid(unsafe_code)]

mod artifact;
mod clock;
mod entropy;
mod folder;
mod http;
mod log;
mod policy;
mod services;
mod signer;
mod writable;

pub mod soak;
pub mod suite;

pub use artifact::MemoryArtifacts;
pub use clock::SimClock;
pub use entropy::CountingEntropy;
pub use folder::MemoryFolders;
pub use http::{TestHttp, TestResolver};
pub use log::{AppendFault, MemoryLog, MemoryLogReader, MemoryLogWriter};
pub use policy::FixedPolicy;
pub use services::{SilentServices, TestServices};
pub use signer::CoreSigner;
pub use writable::MemoryFolder;
