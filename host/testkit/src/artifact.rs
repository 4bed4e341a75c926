//! Artifacts in a map.
//!
//! INVARIANT: as in a driver, bytes are held against their digest on every read.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aim_core::digest::Digest;
use aim_ports::{PortError, PortFault, artifact::ArtifactStore};

/// An artifact store in memory. Clones share the content.
#[derive(Debug, Clone, Default)]
pub struct MemoryArtifacts(Arc<Mutex<BTreeMap<Digest, Vec<u8>>>>);

impl MemoryArtifacts {
    /// Replaces what is stored under `digest`, as a damaged disk would.
    pub fn damage(&self, digest: Digest, bytes: &[u8]) {
        self.map(|map| map.insert(digest, bytes.to_vec()));
    }

    /// Removes what is stored under `digest`.
    pub fn remove(&self, digest: Digest) {
        self.map(|map| map.remove(&digest));
    }

    /// Digests of everything that is stored, in order.
    #[must_use]
    pub fn digests(&self) -> Vec<Digest> {
        self.map(|map| map.keys().copied().collect())
    }

    fn map<T>(&self, act: impl FnOnce(&mut BTreeMap<Digest, Vec<u8>>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ArtifactStore for MemoryArtifacts {
    fn read(&self, digest: Digest) -> Result<Vec<u8>, PortError> {
        let subject = || format!("read artifact {digest}");
        let bytes = self
            .map(|map| map.get(&digest).cloned())
            .ok_or_else(|| PortError::new(PortFault::NotFound, subject(), "does not exist"))?;
        if Digest::of(&bytes) == digest {
            Ok(bytes)
        } else {
            Err(PortError::new(PortFault::Corrupt, subject(), "other bytes"))
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<Digest, PortError> {
        let digest = Digest::of(bytes);
        let there = self.map(|map| map.entry(digest).or_insert_with(|| bytes.to_vec()).clone());
        if there == bytes {
            Ok(digest)
        } else {
            let subject = format!("write artifact {digest}");
            Err(PortError::new(PortFault::Corrupt, subject, "other bytes"))
        }
    }

    fn contains(&self, digest: Digest) -> bool {
        self.map(|map| map.contains_key(&digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite;

    #[test]
    fn behaves_as_the_port_says() {
        suite::artifact_store(&MemoryArtifacts::default(), |store, digest, bytes| {
            store.damage(digest, bytes);
        });
    }
}
