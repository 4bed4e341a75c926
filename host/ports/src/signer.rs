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

/// What a signer remembers of one log: the largest tree that it has signed for. It alone can have written this down, so whatever
/// leads to this root is what it was given then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedTree {
    /// How many leaves.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: [u8; 32],
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

    /// The largest tree of `origin` that the signer has signed for; `None` for a log it does not know.
    ///
    /// # Errors
    /// [`crate::PortFault::Corrupt`] when what it remembers can not be read or is about another log;
    /// [`crate::PortFault::Unavailable`].
    fn signed_tree(&mut self, origin: &str) -> Result<Option<SignedTree>, PortError>;
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

    /// The tree that a stored state of `origin` covers.
    ///
    /// # Errors
    /// [`crate::PortFault::Corrupt`] when the state can not be read or is about another log.
    fn signed_tree(&self, origin: &str, state: &[u8]) -> Result<SignedTree, PortError>;
}
