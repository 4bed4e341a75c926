//! Reading a block: everything about it is checked before any of it is shown.
//!
//! INVARIANT: a [`Block`] exists only after its place in the chain, its hash, every mark, every leaf and every payload
//! were found right, so walking its frames can not fail.

use super::{
    BLOB_PRESENT, BLOB_REDACTED, BLOCK_HASH_BYTES, BLOCK_HEADER_BYTES, BlockHeader, ChainPosition,
    FRAME_HEAD_BYTES, FrameFault, FrameFaultReason, FrameKind, frame_mark, take, take_slice,
};
use crate::{
    digest::Digest,
    leaf::{LEAF_BYTES, Leaf},
};

/// Whether payload bytes are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlobState {
    /// The bytes are there and have the stated digest.
    Present,
    /// The bytes were erased; digest and length remain.
    Redacted,
}

/// A payload and what its frame says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobFrame<'a> {
    /// Digest of the bytes as they were written.
    pub digest: Digest,
    /// Whether they are still there.
    pub state: BlobState,
    /// The bytes; zeros once they are erased.
    pub bytes: &'a [u8],
    /// Where the bytes start in the log; the state byte is right before them.
    pub offset: u64,
}

/// A leaf and the statement it stands for. That the two fit is for the verifier to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WitnessFrame<'a> {
    /// The leaf.
    pub leaf: Leaf,
    /// The leaf's bytes: what the tree hashes.
    pub leaf_bytes: &'a [u8],
    /// The statement's exact bytes.
    pub statement: &'a [u8],
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameBody<'a> {
    /// See [`FrameKind::Genesis`].
    Genesis(&'a [u8]),
    /// See [`FrameKind::ExecutionStart`].
    ExecutionStart(&'a [u8]),
    /// See [`FrameKind::Intent`].
    Intent(&'a [u8]),
    /// See [`FrameKind::EffectOutcome`].
    EffectOutcome(&'a [u8]),
    /// See [`FrameKind::Witness`].
    Witness(WitnessFrame<'a>),
    /// See [`FrameKind::Blob`].
    Blob(BlobFrame<'a>),
    /// See [`FrameKind::Checkpoint`].
    Checkpoint(&'a [u8]),
    /// See [`FrameKind::EventNote`].
    EventNote(&'a [u8]),
}

/// One record of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its number in the log, from 0.
    pub sequence: u64,
    /// What it holds.
    pub body: FrameBody<'a>,
}

/// One group commit, checked.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    header: BlockHeader,
    offset: u64,
    hash: [u8; BLOCK_HASH_BYTES],
    records: &'a [u8],
    blobs: &'a [u8],
    next: ChainPosition,
}

impl<'a> Block<'a> {
    /// Reads the block that must stand at `at`. `bytes` start there and may go on after the block.
    ///
    /// # Errors
    /// The first [`FrameFault`] in the order of the frames; [`FrameFaultReason::Incomplete`] when `bytes` end too early.
    pub fn read(bytes: &'a [u8], at: &ChainPosition) -> Result<Self, FrameFault> {
        let header = at.header(bytes)?;
        let whole = header
            .block_bytes()
            .and_then(|length| bytes.get(..length))
            .ok_or_else(|| at.fault(FrameFaultReason::Incomplete))?;
        let split = || {
            let (hashed, rest) = whole.split_at_checked(
                BLOCK_HEADER_BYTES + usize::try_from(header.record_bytes).ok()?,
            )?;
            let (blobs, hash) = rest.split_last_chunk::<BLOCK_HASH_BYTES>()?;
            Some((hashed, hashed.get(BLOCK_HEADER_BYTES..)?, blobs, hash))
        };
        let (hashed, records, blobs, hash) =
            split().ok_or_else(|| at.fault(FrameFaultReason::Size))?;
        let next_leaf = check_frames(records, blobs, &header, at)?;
        if Digest::of(hashed).as_bytes() != hash {
            return Err(at.fault(FrameFaultReason::Hash));
        }
        let next = at.after(&header, whole.len(), next_leaf, *hash);
        Ok(Self {
            header,
            offset: at.offset,
            hash: *hash,
            records,
            blobs,
            next,
        })
    }

    /// Returns the header.
    #[must_use]
    pub const fn header(&self) -> &BlockHeader {
        &self.header
    }

    /// Returns where the block starts in the log, in bytes.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the block's hash.
    #[must_use]
    pub const fn hash(&self) -> &[u8; BLOCK_HASH_BYTES] {
        &self.hash
    }

    /// Returns the place where the next block must stand.
    #[must_use]
    pub const fn next(&self) -> ChainPosition {
        self.next
    }

    /// Walks the frames in order.
    #[must_use]
    pub fn frames(&self) -> Frames<'a> {
        Frames::new(self.records, self.blobs, &self.header, self.offset)
    }
}

/// The frames of one block, in order.
#[derive(Debug, Clone)]
pub struct Frames<'a> {
    records: &'a [u8],
    blobs: &'a [u8],
    sequence: u64,
    blob_offset: u64,
}

impl<'a> Frames<'a> {
    fn new(records: &'a [u8], blobs: &'a [u8], header: &BlockHeader, offset: u64) -> Self {
        Self {
            records,
            blobs,
            sequence: header.first_sequence,
            blob_offset: offset
                .saturating_add(BLOCK_HEADER_BYTES as u64)
                .saturating_add(u64::from(header.record_bytes)),
        }
    }

    fn step(&mut self) -> Result<Frame<'a>, FrameFaultReason> {
        let short = FrameFaultReason::FrameBounds;
        let [kind, rest @ ..] = take::<FRAME_HEAD_BYTES>(&mut self.records).ok_or(short)?;
        let [a, b, c, d, stated @ ..] = rest;
        let length = u32::from_le_bytes([a, b, c, d]);
        let length_here = usize::try_from(length).map_err(|_| short)?;
        let body = take_slice(&mut self.records, length_here).ok_or(short)?;
        if frame_mark(kind, length, body) != stated {
            return Err(FrameFaultReason::FrameMark);
        }
        let kind = FrameKind::from_byte(kind).ok_or(FrameFaultReason::Kind)?;
        let body = match kind {
            FrameKind::Genesis => FrameBody::Genesis(body),
            FrameKind::ExecutionStart => FrameBody::ExecutionStart(body),
            FrameKind::Intent => FrameBody::Intent(body),
            FrameKind::EffectOutcome => FrameBody::EffectOutcome(body),
            FrameKind::Witness => FrameBody::Witness(read_witness(body)?),
            FrameKind::Blob => FrameBody::Blob(self.read_blob(body)?),
            FrameKind::Checkpoint => FrameBody::Checkpoint(body),
            FrameKind::EventNote => FrameBody::EventNote(body),
        };
        let sequence = self.sequence;
        self.sequence = sequence.saturating_add(1);
        Ok(Frame { sequence, body })
    }

    fn read_blob(&mut self, mut body: &[u8]) -> Result<BlobFrame<'a>, FrameFaultReason> {
        let shape = FrameFaultReason::Body;
        let digest = Digest::from_bytes(take(&mut body).ok_or(shape)?);
        let length = u64::from_le_bytes(take(&mut body).ok_or(shape)?);
        if !body.is_empty() {
            return Err(shape);
        }
        let bounds = FrameFaultReason::FrameBounds;
        let length_here = usize::try_from(length).map_err(|_| bounds)?;
        let [state] = take::<1>(&mut self.blobs).ok_or(bounds)?;
        let bytes = take_slice(&mut self.blobs, length_here).ok_or(bounds)?;
        let offset = self.blob_offset.saturating_add(1);
        self.blob_offset = offset.saturating_add(length);
        let state = match state {
            BLOB_PRESENT => BlobState::Present,
            BLOB_REDACTED => BlobState::Redacted,
            _ => return Err(FrameFaultReason::Payload),
        };
        Ok(BlobFrame {
            digest,
            state,
            bytes,
            offset,
        })
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        if self.records.is_empty() {
            return None;
        }
        self.step().ok()
    }
}

fn read_witness(body: &[u8]) -> Result<WitnessFrame<'_>, FrameFaultReason> {
    let (leaf_bytes, statement) = body
        .split_at_checked(LEAF_BYTES)
        .ok_or(FrameFaultReason::Body)?;
    Ok(WitnessFrame {
        leaf: Leaf::decode(leaf_bytes)?,
        leaf_bytes,
        statement,
    })
}

/// Checks every frame and returns the leaf index that comes after the block.
fn check_frames(
    records: &[u8],
    blobs: &[u8],
    header: &BlockHeader,
    at: &ChainPosition,
) -> Result<u64, FrameFault> {
    let mut frames = Frames::new(records, blobs, header, at.offset);
    let mut next_leaf = at.next_leaf;
    for _ in 0..header.frame_count {
        let sequence = frames.sequence;
        let fault = |reason| at.fault_at(sequence, reason);
        let frame = frames.step().map_err(fault)?;
        check_frame(&frame, next_leaf).map_err(fault)?;
        if let FrameBody::Witness(_) = frame.body {
            next_leaf = next_leaf.saturating_add(1);
        }
    }
    if !frames.records.is_empty() || !frames.blobs.is_empty() {
        return Err(at.fault_at(frames.sequence, FrameFaultReason::FrameBounds));
    }
    Ok(next_leaf)
}

fn check_frame(frame: &Frame<'_>, next_leaf: u64) -> Result<(), FrameFaultReason> {
    let is_genesis = matches!(frame.body, FrameBody::Genesis(_));
    if is_genesis != (frame.sequence == 0) {
        return Err(FrameFaultReason::Genesis);
    }
    match &frame.body {
        FrameBody::Witness(witness) if witness.leaf.index != next_leaf => {
            Err(FrameFaultReason::LeafIndex)
        }
        FrameBody::Blob(blob) if !is_whole(blob) => Err(FrameFaultReason::Payload),
        _ => Ok(()),
    }
}

fn is_whole(blob: &BlobFrame<'_>) -> bool {
    match blob.state {
        BlobState::Present => Digest::of(blob.bytes) == blob.digest,
        BlobState::Redacted => blob.bytes.iter().all(|byte| *byte == 0),
    }
}
