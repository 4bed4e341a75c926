//! Bytes on disk: artifacts that the host keeps, folders that a run is given, and folders that steps may change.
//!
//! INVARIANT: what leaves this crate under a digest has that digest, and nothing outside a given folder is ever read or
//! changed.

#![forbid(unsafe_code)]

mod artifacts;
mod folders;
mod mounts;
mod writable;

pub use artifacts::DirArtifactStore;
pub use folders::DirFolders;
pub use writable::DirFolder;
