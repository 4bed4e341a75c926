//! Files as streams, in both directions.
//!
//! INVARIANT: a stream holds its file open, and what goes through it is under the same quotas and the same
//! token as everything else.

use std::sync::Arc;

use wasmtime_wasi_io::{
    async_trait,
    bytes::Bytes,
    poll::Pollable,
    streams::{InputStream, OutputStream, StreamError, StreamResult},
};

use crate::{door::Tap, stage::FileHandle};

/// Bytes that one read gives at most.
pub(super) const READ_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that one write may bring.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// What a stream ends with when the token is used up.
fn unpaid() -> StreamError {
    StreamError::LastOperationFailed(wasmtime::format_err!("token of the folder"))
}

/// Where a stream reads from.
pub(super) enum Source {
    /// A file of a snapshot.
    Given(Arc<[u8]>),
    /// A file of a writable folder, as it is when it is read.
    Staged(FileHandle),
}

/// A file that is read from some place on.
pub(super) struct FileReader {
    pub(super) source: Source,
    pub(super) at: u64,
    pub(super) tap: Tap,
}

#[async_trait]
impl Pollable for FileReader {
    async fn ready(&mut self) {}
}

#[async_trait]
impl InputStream for FileReader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let size = size.min(READ_BYTES_MAX);
        let piece = match &self.source {
            Source::Given(bytes) => {
                let start = usize::try_from(self.at).unwrap_or(usize::MAX);
                let start = start.min(bytes.len());
                let end = start.saturating_add(size).min(bytes.len());
                if start == bytes.len() {
                    return Err(StreamError::Closed);
                }
                bytes.get(start..end).unwrap_or_default().to_vec()
            }
            Source::Staged(file) if self.at >= file.size() => return Err(StreamError::Closed),
            Source::Staged(file) => file.read(self.at, size),
        };
        if !self.tap.draw(piece.len()) {
            return Err(unpaid());
        }
        self.at = self.at.saturating_add(piece.len() as u64);
        Ok(piece.into())
    }
}

/// A file that is written from some place on, or at its end.
pub(super) struct FileWriter {
    pub(super) file: FileHandle,
    pub(super) at: Option<u64>,
    pub(super) tap: Tap,
}

#[async_trait]
impl Pollable for FileWriter {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for FileWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if !self.tap.draw(bytes.len()) {
            return Err(unpaid());
        }
        let written = self.file.write(self.at, &bytes);
        written.map_err(|_| {
            let error = wasmtime::format_err!("quota of the folder");
            StreamError::LastOperationFailed(error)
        })?;
        self.at = self.at.map(|at| at.saturating_add(bytes.len() as u64));
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}
