//! Writing a block: one buffer for header and frames, one hash at the end.
//!
//! INVARIANT: what [`BlockBuilder::finish`] returns is what [`super::Block::read`] accepts.

use alloc::vec::Vec;

use super::{
    BLOB_PRESENT, BLOCK_BYTES_MAX, BLOCK_HASH_BYTES, BLOCK_HEADER_BYTES, BlockHeader,
    FRAME_HEAD_BYTES, FrameKind, frame_mark,
};
use crate::{digest::Digest, leaf::LEAF_BYTES};

/// A frame that does not fit into the block any more; nothing of it was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "block would grow over {BLOCK_BYTES_MAX} bytes: start another one, or keep large payloads in the artifact store"
)]
pub struct BlockFullError;

/// A block that is ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedBlock {
    /// The whole block.
    pub bytes: Vec<u8>,
    /// Its hash: what the next block must name.
    pub hash: [u8; BLOCK_HASH_BYTES],
    /// How many frames it holds.
    pub frame_count: u32,
    /// Where each payload's bytes start within `bytes`, in the order in which they were added.
    pub blob_offsets: Vec<usize>,
}

/// A block in the making. Payload bytes are borrowed until the block is finished.
#[derive(Debug)]
pub struct BlockBuilder<'a> {
    buffer: Vec<u8>,
    blobs: Vec<&'a [u8]>,
    blob_bytes: usize,
    frame_count: u32,
}

impl Default for BlockBuilder<'_> {
    fn default() -> Self {
        Self::with_capacity(4096)
    }
}

impl<'a> BlockBuilder<'a> {
    /// Starts a block and makes room for `record_bytes` of frames and payloads.
    #[must_use]
    pub fn with_capacity(record_bytes: usize) -> Self {
        let room = record_bytes.saturating_add(BLOCK_HEADER_BYTES + BLOCK_HASH_BYTES);
        let mut buffer = Vec::with_capacity(room.min(BLOCK_BYTES_MAX));
        buffer.extend_from_slice(&[0; BLOCK_HEADER_BYTES]);
        Self {
            buffer,
            blobs: Vec::new(),
            blob_bytes: 0,
            frame_count: 0,
        }
    }

    /// Returns how many frames were added.
    #[must_use]
    pub const fn frame_count(&self) -> u32 {
        self.frame_count
    }

    /// Returns the length that the block has if it is finished now, in bytes.
    #[must_use]
    pub fn block_bytes(&self) -> usize {
        self.buffer.len() + self.blob_bytes + BLOCK_HASH_BYTES
    }

    /// Adds a frame of any kind; a witness or a blob has a method of its own.
    ///
    /// # Errors
    /// [`BlockFullError`].
    pub fn push(&mut self, kind: FrameKind, body: &[u8]) -> Result<(), BlockFullError> {
        self.push_parts(kind, body, &[], 0)
    }

    /// Adds a leaf with the exact bytes of its statement.
    ///
    /// # Errors
    /// [`BlockFullError`].
    pub fn push_witness(
        &mut self,
        leaf: &[u8; LEAF_BYTES],
        statement: &[u8],
    ) -> Result<(), BlockFullError> {
        self.push_parts(FrameKind::Witness, leaf, statement, 0)
    }

    /// Adds payload bytes under a digest that the caller computed; it is not computed again.
    ///
    /// # Errors
    /// [`BlockFullError`].
    pub fn push_blob(&mut self, digest: Digest, bytes: &'a [u8]) -> Result<(), BlockFullError> {
        let length = u64::try_from(bytes.len()).map_err(|_| BlockFullError)?;
        let room = bytes.len().checked_add(1).ok_or(BlockFullError)?;
        self.push_parts(
            FrameKind::Blob,
            digest.as_bytes(),
            &length.to_le_bytes(),
            room,
        )?;
        self.blobs.push(bytes);
        self.blob_bytes += room;
        Ok(())
    }

    /// Ends the block.
    #[must_use]
    pub fn finish(
        mut self,
        previous: [u8; BLOCK_HASH_BYTES],
        first_sequence: u64,
    ) -> FinishedBlock {
        let records = self.buffer.len() - BLOCK_HEADER_BYTES;
        let header = BlockHeader {
            // INVARIANT: `push_parts` keeps the block under 64 MiB, so both fit.
            record_bytes: u32::try_from(records).unwrap_or(u32::MAX),
            frame_count: self.frame_count,
            blob_bytes: u64::try_from(self.blob_bytes).unwrap_or(u64::MAX),
            first_sequence,
            previous,
        };
        if let Some(place) = self.buffer.first_chunk_mut() {
            *place = header.encode();
        }
        let hash = *Digest::of(&self.buffer).as_bytes();
        self.buffer.reserve(self.blob_bytes + BLOCK_HASH_BYTES);
        let mut blob_offsets = Vec::with_capacity(self.blobs.len());
        for blob in &self.blobs {
            self.buffer.push(BLOB_PRESENT);
            blob_offsets.push(self.buffer.len());
            self.buffer.extend_from_slice(blob);
        }
        self.buffer.extend_from_slice(&hash);
        FinishedBlock {
            bytes: self.buffer,
            hash,
            frame_count: self.frame_count,
            blob_offsets,
        }
    }

    fn push_parts(
        &mut self,
        kind: FrameKind,
        head: &[u8],
        tail: &[u8],
        blob_room: usize,
    ) -> Result<(), BlockFullError> {
        let body_bytes = head.len().checked_add(tail.len()).ok_or(BlockFullError)?;
        let grown = [body_bytes, FRAME_HEAD_BYTES, blob_room]
            .into_iter()
            .try_fold(self.block_bytes(), usize::checked_add);
        if grown.is_none_or(|bytes| bytes > BLOCK_BYTES_MAX) {
            return Err(BlockFullError);
        }
        let length = u32::try_from(body_bytes).map_err(|_| BlockFullError)?;
        let start = self.buffer.len();
        self.buffer.push(kind.byte());
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.extend_from_slice(&[0; 4]);
        self.buffer.extend_from_slice(head);
        self.buffer.extend_from_slice(tail);
        let body = self
            .buffer
            .get(start + FRAME_HEAD_BYTES..)
            .unwrap_or_default();
        let mark = frame_mark(kind.byte(), length, body);
        if let Some(place) = self.buffer.get_mut(start + 5..start + FRAME_HEAD_BYTES) {
            place.copy_from_slice(&mark);
        }
        self.frame_count += 1;
        Ok(())
    }
}
