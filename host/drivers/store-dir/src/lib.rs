//! Bytes on disk: artifacts that the host keeps, and folders that a run is given.
//!
//! INVARIANT: what leaves this crate under a digest has that digest, and nothing outside a given folder is ever read.

#![forbid(unsafe_code)]

mod artifacts;
mod folders;

pub use artifacts::DirArtifactStore;
pub use folders::DirFolders;
