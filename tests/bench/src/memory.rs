//! A log without a disk and a signer without a wall: what is left of a commit when neither costs anything.
//!
//! INVARIANT: both do what their ports promise but for durability, so that a host can not tell.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aim_ports::{
    PortError,
    log::{CheckpointWriter, LogReader, LogWriter},
    signer::{CheckpointRequest, PublicKeys, SignedTree, Signer, SigningCore},
};
use aim_trust::signing::KeysSigningCore;

/// A log in a vector. Clones are the same log.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryLog(Arc<Mutex<Vec<u8>>>);

impl MemoryLog {
    /// Everything that was appended.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogWriter for MemoryLog {
    fn append(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        self.lock().extend_from_slice(bytes);
        Ok(())
    }

    fn cut(&mut self, length_bytes: u64) -> Result<(), PortError> {
        let length = usize::try_from(length_bytes).unwrap_or(usize::MAX);
        self.lock().truncate(length);
        Ok(())
    }

    fn publisher(&self) -> Result<Box<dyn CheckpointWriter>, PortError> {
        Ok(Box::new(Forgetful))
    }
}

impl LogReader for MemoryLog {
    fn read(&self, offset_bytes: u64, length_bytes_max: usize) -> Result<Vec<u8>, PortError> {
        let offset = usize::try_from(offset_bytes).unwrap_or(usize::MAX);
        let bytes = self.lock();
        let rest = bytes.get(offset..).unwrap_or_default();
        Ok(rest.get(..length_bytes_max).unwrap_or(rest).to_vec())
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, PortError> {
        Ok(None)
    }
}

/// Publishes nowhere.
#[derive(Debug)]
struct Forgetful;

impl CheckpointWriter for Forgetful {
    fn publish(&mut self, _checkpoint: &[u8]) -> Result<(), PortError> {
        Ok(())
    }
}

/// The signing core in the caller's own process.
#[derive(Debug)]
pub(crate) struct NearSigner {
    core: KeysSigningCore,
    states: BTreeMap<String, Vec<u8>>,
}

impl NearSigner {
    /// Signs with the keys of `core`.
    pub(crate) const fn new(core: KeysSigningCore) -> Self {
        Self {
            core,
            states: BTreeMap::new(),
        }
    }
}

impl Signer for NearSigner {
    fn public_keys(&self) -> PublicKeys {
        self.core.public_keys()
    }

    fn sign_statements(&mut self, payloads: &[&[u8]]) -> Result<Vec<[u8; 64]>, PortError> {
        self.core.sign_statements(payloads)
    }

    fn sign_checkpoint(&mut self, request: &CheckpointRequest) -> Result<Vec<u8>, PortError> {
        let state = self.states.get(&request.origin).map(Vec::as_slice);
        let (note, state) = self.core.sign_checkpoint(state, request)?;
        self.states.insert(request.origin.clone(), state);
        Ok(note)
    }

    fn signed_tree(&mut self, origin: &str) -> Result<Option<SignedTree>, PortError> {
        let state = self.states.get(origin);
        state
            .map(|state| self.core.signed_tree(origin, state))
            .transpose()
    }
}
