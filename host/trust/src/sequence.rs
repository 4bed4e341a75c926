//! The committer's arithmetic: what a group of new frames becomes in the log, without any I/O.
//!
//! ```text
//! prepare(frames) -> statements to sign -> finish(signatures) -> bytes to append -> durable -> advance
//! ```
//!
//! Nothing changes before [`Sequencer::advance`], so a write that failed and was cut back can be tried again.
//!
//! INVARIANT: whatever [`Sequencer::finish`] returns, appended where the sequencer stands, is a log that reads.

use alloc::vec::Vec;

use aim_core::{
    digest::{Digest, Sha256},
    frame::{BlockBuilder, BlockFullError, ChainPosition, FrameKind},
    leaf::{KeyId, Leaf, LeafKind, SigningMode},
};

use crate::{
    dsse::statement_digest,
    tree::{Hash, hash_record},
};

/// A record to be written.
#[derive(Debug, Clone, Copy)]
pub enum NewFrame<'a> {
    /// A frame of any kind but a witness or a payload.
    Note {
        /// Its kind.
        kind: FrameKind,
        /// Its body.
        body: &'a [u8],
    },
    /// A statement that gets a leaf.
    Witness {
        /// What it is about.
        kind: LeafKind,
        /// Its exact bytes.
        statement: &'a [u8],
    },
    /// A payload that statements name by its digest.
    Blob {
        /// BLAKE3 of the bytes; not computed again.
        digest: Digest,
        /// The bytes.
        bytes: &'a [u8],
    },
}

/// Why frames can not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    /// No frame at all.
    #[error("a block needs at least one frame")]
    Empty,
    /// A log must start with its genesis, and have no other.
    #[error("a log starts with its genesis and has no other")]
    Genesis,
    /// A witness or a payload that came as a note.
    #[error("a witness or a payload can not be written as a note")]
    Kind,
    /// Another number of signatures than statements.
    #[error("there must be one signature for each statement")]
    SignatureCount,
    /// Too much for one block.
    #[error(transparent)]
    Full(#[from] BlockFullError),
    /// The block was made for another place.
    #[error("the block was made for another place in the log")]
    Stale,
}

/// How the statements of a block are vouched for.
#[derive(Debug, Clone, Copy)]
pub enum Signing<'a> {
    /// One signature each, in order.
    Each {
        /// The step key.
        key: KeyId,
        /// As the signer returned them.
        signatures: &'a [[u8; 64]],
    },
    /// By the next checkpoint.
    Batch {
        /// The log key.
        key: KeyId,
    },
}

/// Frames that were checked and whose statements were digested.
#[derive(Debug, Clone)]
pub struct Prepared<'a> {
    frames: Vec<NewFrame<'a>>,
    digests: Vec<Sha256>,
}

impl<'a> Prepared<'a> {
    /// Returns the statements in order: what the signer gets in mode `each`.
    #[must_use]
    pub fn statements(&self) -> Vec<&'a [u8]> {
        let statement = |frame: &NewFrame<'a>| match frame {
            NewFrame::Witness { statement, .. } => Some(*statement),
            NewFrame::Note { .. } | NewFrame::Blob { .. } => None,
        };
        self.frames.iter().filter_map(statement).collect()
    }

    fn bytes_estimate(&self) -> usize {
        let size = |frame: &NewFrame<'_>| match frame {
            NewFrame::Note { body, .. } => body.len() + 16,
            NewFrame::Witness { statement, .. } => statement.len() + 128,
            NewFrame::Blob { bytes, .. } => bytes.len() + 64,
        };
        self.frames.iter().map(size).fold(0, usize::saturating_add)
    }
}

/// Where a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FramePosition {
    /// Its sequence in the log.
    pub sequence: u64,
    /// Its index in the tree, for a witness.
    pub leaf_index: Option<u64>,
    /// Where its bytes start in the log, for a payload.
    pub payload_offset: Option<u64>,
}

/// A block that is ready to be appended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// What to append.
    pub bytes: Vec<u8>,
    /// Where each frame went, in the order in which they came.
    pub positions: Vec<FramePosition>,
    /// Hashes of the new leaves, in order.
    pub leaf_hashes: Vec<Hash>,
    start: ChainPosition,
    next: ChainPosition,
}

impl Finished {
    /// Returns the index of the first new leaf.
    #[must_use]
    pub const fn first_leaf(&self) -> u64 {
        self.start.next_leaf
    }

    /// Returns the place behind the block.
    #[must_use]
    pub const fn next(&self) -> ChainPosition {
        self.next
    }
}

/// Knows where the next block stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequencer {
    position: ChainPosition,
}

impl Sequencer {
    /// Starts a log that does not exist yet.
    #[must_use]
    pub const fn start() -> Self {
        Self::resume(ChainPosition::START)
    }

    /// Goes on where a scan of the log ended (`Scan::position` or what `recover` returned).
    #[must_use]
    pub const fn resume(position: ChainPosition) -> Self {
        Self { position }
    }

    /// Returns where the next block stands.
    #[must_use]
    pub const fn position(&self) -> &ChainPosition {
        &self.position
    }

    /// Checks frames and digests their statements.
    ///
    /// # Errors
    /// [`SequenceError`]; nothing has changed then.
    pub fn prepare<'a>(&self, frames: Vec<NewFrame<'a>>) -> Result<Prepared<'a>, SequenceError> {
        if frames.is_empty() {
            return Err(SequenceError::Empty);
        }
        let mut digests = Vec::new();
        for (frame, sequence) in frames.iter().zip(self.position.next_sequence..) {
            let mut is_genesis = false;
            match frame {
                NewFrame::Witness { statement, .. } => digests.push(statement_digest(statement)),
                NewFrame::Blob { .. } => {}
                NewFrame::Note { kind, .. } => match kind {
                    FrameKind::Witness | FrameKind::Blob => return Err(SequenceError::Kind),
                    kind => is_genesis = *kind == FrameKind::Genesis,
                },
            }
            if is_genesis != (sequence == 0) {
                return Err(SequenceError::Genesis);
            }
        }
        Ok(Prepared { frames, digests })
    }

    /// Makes the block. The sequencer itself does not move.
    ///
    /// # Errors
    /// [`SequenceError`].
    pub fn finish(
        &self,
        prepared: &Prepared<'_>,
        signing: &Signing<'_>,
    ) -> Result<Finished, SequenceError> {
        if let Signing::Each { signatures, .. } = signing
            && signatures.len() != prepared.digests.len()
        {
            return Err(SequenceError::SignatureCount);
        }
        let start = self.position;
        let mut block = BlockBuilder::with_capacity(prepared.bytes_estimate());
        let mut leaf_hashes = Vec::with_capacity(prepared.digests.len());
        let mut positions = Vec::with_capacity(prepared.frames.len());
        let mut digests = prepared.digests.iter().enumerate();
        let mut next_leaf = start.next_leaf;
        for (frame, sequence) in prepared.frames.iter().zip(start.next_sequence..) {
            let mut leaf_index = None;
            match frame {
                NewFrame::Note { kind, body } => block.push(*kind, body)?,
                NewFrame::Blob { digest, bytes } => block.push_blob(*digest, bytes)?,
                NewFrame::Witness { kind, statement } => {
                    let (at, digest) = digests.next().ok_or(SequenceError::SignatureCount)?;
                    let leaf = leaf(*kind, next_leaf, *digest, signing, at)?.encode();
                    block.push_witness(&leaf, statement)?;
                    leaf_hashes.push(hash_record(&leaf, &start.previous));
                    leaf_index = Some(next_leaf);
                    next_leaf = next_leaf.saturating_add(1);
                }
            }
            positions.push(FramePosition {
                sequence,
                leaf_index,
                payload_offset: None,
            });
        }
        let block = block.finish(start.previous, start.next_sequence);
        set_payload_offsets(
            &mut positions,
            &prepared.frames,
            &block.blob_offsets,
            start.offset,
        );
        let next = ChainPosition {
            offset: start.offset.saturating_add(length(&block.bytes)),
            next_sequence: start
                .next_sequence
                .saturating_add(u64::from(block.frame_count)),
            next_leaf,
            previous: block.hash,
        };
        Ok(Finished {
            bytes: block.bytes,
            positions,
            leaf_hashes,
            start,
            next,
        })
    }

    /// Moves behind a block that is durable now.
    ///
    /// # Errors
    /// [`SequenceError::Stale`] when the block was made for another place.
    pub fn advance(&mut self, finished: &Finished) -> Result<(), SequenceError> {
        if finished.start != self.position {
            return Err(SequenceError::Stale);
        }
        self.position = finished.next;
        Ok(())
    }
}

fn leaf(
    kind: LeafKind,
    index: u64,
    statement: Sha256,
    signing: &Signing<'_>,
    at: usize,
) -> Result<Leaf, SequenceError> {
    let (mode, key, signature) = match signing {
        Signing::Each { key, signatures } => {
            let signature = signatures.get(at).ok_or(SequenceError::SignatureCount)?;
            (SigningMode::Each, *key, *signature)
        }
        Signing::Batch { key } => (SigningMode::Batch, *key, [0; 64]),
    };
    Ok(Leaf {
        kind,
        mode,
        index,
        statement,
        key,
        signature,
    })
}

fn set_payload_offsets(
    positions: &mut [FramePosition],
    frames: &[NewFrame<'_>],
    offsets: &[usize],
    block_offset: u64,
) {
    let payloads = positions
        .iter_mut()
        .zip(frames)
        .filter(|(_, frame)| matches!(frame, NewFrame::Blob { .. }));
    for ((position, _), offset) in payloads.zip(offsets) {
        let offset = u64::try_from(*offset).unwrap_or(u64::MAX);
        position.payload_offset = Some(block_offset.saturating_add(offset));
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
