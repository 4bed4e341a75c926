//! Standard input from the contract, standard output and error into the log.
//!
//! INVARIANT: output is kept up to the log budget and the token, and counted beyond them; an empty write leaves nothing behind.

use std::sync::PoisonError;

use wasmtime_wasi_io::{
    async_trait,
    bytes::Bytes,
    poll::Pollable,
    streams::{InputStream, OutputStream, StreamError, StreamResult},
};

use crate::{door::Tap, guest::SharedSink};

/// Bytes that one write may bring.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// Standard input: given bytes, then its end.
pub(crate) struct GivenInput {
    bytes: Bytes,
}

impl GivenInput {
    /// Nothing but an end.
    pub(crate) const fn closed() -> Self {
        Self {
            bytes: Bytes::new(),
        }
    }

    /// The given bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self {
            bytes: Bytes::copy_from_slice(bytes),
        }
    }
}

#[async_trait]
impl Pollable for GivenInput {
    async fn ready(&mut self) {}
}

#[async_trait]
impl InputStream for GivenInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.bytes.is_empty() {
            return Err(StreamError::Closed);
        }
        let size = size.min(self.bytes.len());
        Ok(self.bytes.split_to(size))
    }
}

/// Standard output or error.
pub(crate) struct SinkStream {
    sink: SharedSink,
    /// What is written is paid for with; adapted output has no token.
    tap: Option<Tap>,
}

impl SinkStream {
    /// A stream into `sink`.
    pub(crate) const fn new(sink: SharedSink, tap: Option<Tap>) -> Self {
        Self { sink, tap }
    }
}

#[async_trait]
impl Pollable for SinkStream {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for SinkStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let is_paid = self.tap.as_ref().is_none_or(|tap| tap.draw(bytes.len()));
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let keep = if is_paid {
            bytes.len().min(sink.left_bytes)
        } else {
            0
        };
        sink.left_bytes -= keep;
        let kept = bytes.get(..keep).unwrap_or_default();
        sink.bytes.extend_from_slice(kept);
        sink.dropped_bytes = sink
            .dropped_bytes
            .saturating_add((bytes.len() - keep) as u64);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}
