//! Content-addressed bytes: written once, checked on every read.

use alloc::vec::Vec;
use core::fmt::Debug;

use aim_core::digest::Digest;

use crate::PortError;

/// A store of artifacts. Calls may block.
pub trait ArtifactStore: Debug + Send + Sync {
    /// Reads the whole artifact; its digest has been checked.
    ///
    /// # Errors
    /// [`crate::PortFault::NotFound`]; [`crate::PortFault::Corrupt`] when the bytes are not what the digest says.
    fn read(&self, digest: Digest) -> Result<Vec<u8>, PortError>;

    /// Makes `bytes` durable under their digest, with the directory entry. Writing the same bytes again is no change.
    ///
    /// # Errors
    /// [`crate::PortFault::Exhausted`], [`crate::PortFault::FailStop`].
    fn write(&self, bytes: &[u8]) -> Result<Digest, PortError>;

    /// True when the artifact is there; its bytes are not checked.
    fn contains(&self, digest: Digest) -> bool;
}
