//! The keys, behind a wall: the runtime asks for signatures and never sees a key.
//!
//! [`Signer`] is what the runtime holds; [`SigningCore`] is what runs on the far side of the wall. `aim-trust` implements
//! the core, a driver carries requests between the two.

use alloc::{string::String, vec::Vec};
use core::fmt::Debug;

use crate::PortError;

/// The public halves of the signing keys: one key, one role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKeys {
    /// Signs statements (witnesses).
    pub step: [u8; 32],
    /// Signs checkpoints.
    pub log: [u8; 32],
}

/// Leaves that are new since the last checkpoint of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRequest {
    /// The log's origin line.
    pub origin: String,
    /// Index of the first hash in `leaf_hashes`.
    pub first_index: u64,
    /// RFC 6962 leaf hashes, in order.
    pub leaf_hashes: Vec<[u8; 32]>,
}

/// Asks for signatures. Calls block; callers use a thread of their own.
pub trait Signer: Debug + Send {
    /// The public keys.
    fn public_keys(&self) -> PublicKeys;

    /// Signs each in-toto statement as DSSE: Ed25519 over the PAE of the fixed payload type and the exact bytes.
    ///
    /// # Errors
    /// [`crate::PortFault::Unavailable`] when the signer is gone, slow or answers nonsense.
    fn sign_statements(&mut self, payloads: &[&[u8]]) -> Result<Vec<[u8; 64]>, PortError>;

    /// Takes new leaves and signs the checkpoint over all leaves of that log so far. The signer keeps the tree's size
    /// and root durably before it answers and never signs two roots for one size.
    ///
    /// # Errors
    /// [`crate::PortFault::Corrupt`] when the leaves do not continue what was signed before;
    /// [`crate::PortFault::Unavailable`].
    fn sign_checkpoint(&mut self, request: &CheckpointRequest) -> Result<Vec<u8>, PortError>;

    /// How many leaves of `origin` the signer has signed for; 0 for a log it does not know.
    ///
    /// # Errors
    /// [`crate::PortFault::Unavailable`].
    fn signed_size(&mut self, origin: &str) -> Result<u64, PortError>;
}

/// What the signer process does with a request, keys in hand. Pure but for `store`, which is handed in.
pub trait SigningCore: Debug + Send {
    /// The public keys.
    fn public_keys(&self) -> PublicKeys;

    /// See [`Signer::sign_statements`].
    ///
    /// # Errors
    /// As there.
    fn sign_statements(&self, payloads: &[&[u8]]) -> Result<Vec<[u8; 64]>, PortError>;

    /// See [`Signer::sign_checkpoint`]. `state` is what [`SigningCore::sign_checkpoint`] returned as the second value the
    /// last time for this origin (`None` at first); the caller makes the returned state durable before it answers.
    ///
    /// # Errors
    /// As there.
    fn sign_checkpoint(
        &self,
        state: Option<&[u8]>,
        request: &CheckpointRequest,
    ) -> Result<(Vec<u8>, Vec<u8>), PortError>;

    /// How many leaves a stored state covers.
    ///
    /// # Errors
    /// [`crate::PortFault::Corrupt`] when the state can not be read.
    fn signed_size(&self, state: &[u8]) -> Result<u64, PortError>;
}
