//! Content-addressed bytes: read what came in, put what goes out.
//! INVARIANT: what is put is seen by nobody before this attempt's witness is durable.

use crate::bindings::imports::aim::artifact::store;
use crate::types::{ArtifactRef, HostError};

/// How much one read or append carries, in bytes: large enough to be few calls, small enough for a modest arena.
pub const CHUNK_BYTES: u32 = 256 * 1024;

/// Reads up to `len_bytes` from `offset_bytes`; empty is the end.
///
/// # Errors
/// `not-found`, `denied` (neither an input nor granted), `exhausted`.
pub fn read(digest: &str, offset_bytes: u64, len_bytes: u32) -> Result<Vec<u8>, HostError> {
    store::read(digest, offset_bytes, len_bytes)
}

/// Reads a whole artifact, piece by piece.
///
/// # Errors
/// As [`read`]; `invalid-argument` when it does not fit into this guest's memory at all.
pub fn read_all(artifact: &ArtifactRef) -> Result<Vec<u8>, HostError> {
    let size = usize::try_from(artifact.size_bytes).map_err(|_| {
        HostError::InvalidArgument(format!("artifact `{}` is too large", artifact.digest))
    })?;
    let mut whole = Vec::new();
    whole
        .try_reserve_exact(size)
        .map_err(|_| HostError::Exhausted("memory".into()))?;
    let mut offset_bytes = 0;
    // BOUND: every turn reads at least one byte of an artifact of finite size, or ends.
    loop {
        let chunk = store::read(&artifact.digest, offset_bytes, CHUNK_BYTES)?;
        if chunk.is_empty() {
            return Ok(whole);
        }
        whole.extend_from_slice(&chunk);
        offset_bytes = u64::try_from(whole.len()).unwrap_or(u64::MAX);
    }
}

/// Stores small content at once.
///
/// # Errors
/// `exhausted` (size or count), `denied`.
pub fn put(media_type: &str, body: &[u8]) -> Result<ArtifactRef, HostError> {
    store::put(media_type, body)
}

/// Stores large content piece by piece. One that is dropped before [`Writer::finish`] is as if it had never been.
#[derive(Debug)]
pub struct Writer(store::Writer);

impl Writer {
    /// Opens a writer.
    ///
    /// # Errors
    /// `exhausted`, `denied`.
    pub fn create(media_type: &str) -> Result<Self, HostError> {
        store::Writer::create(media_type).map(Self)
    }

    /// Appends one piece.
    ///
    /// # Errors
    /// `exhausted`; what was written so far is then dropped.
    pub fn append(&self, chunk: &[u8]) -> Result<(), HostError> {
        self.0.append(chunk)
    }

    /// Seals the content.
    ///
    /// # Errors
    /// As any host call.
    pub fn finish(self) -> Result<ArtifactRef, HostError> {
        store::Writer::finish(self.0)
    }
}
