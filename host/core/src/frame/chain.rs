//! Blocks in a row: where the next one must stand, and what to make of the end of a log after a crash.
//!
//! INVARIANT: [`recover`] calls for a cut only behind the last whole block, and never behind leaves that are known to have
//! been durable.

use super::{
    BLOCK_HASH_BYTES, BLOCK_HEADER_BYTES, Block, BlockHeader, FrameFault, FrameFaultReason,
};

/// A place between two blocks: all that is needed to read or write the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainPosition {
    /// Length of the log up to here, in bytes.
    pub offset: u64,
    /// Sequence of the next frame.
    pub next_sequence: u64,
    /// Index of the next leaf.
    pub next_leaf: u64,
    /// Hash of the block before; zeros at the start.
    pub previous: [u8; BLOCK_HASH_BYTES],
}

impl ChainPosition {
    /// The place before the first block.
    pub const START: Self = Self {
        offset: 0,
        next_sequence: 0,
        next_leaf: 0,
        previous: [0; BLOCK_HASH_BYTES],
    };

    /// Reads the header of the block that must stand here, so that a reader knows how much to read.
    ///
    /// # Errors
    /// [`FrameFault`] when there is no header or it does not belong here.
    pub fn header(&self, bytes: &[u8]) -> Result<BlockHeader, FrameFault> {
        let bytes = bytes
            .first_chunk::<BLOCK_HEADER_BYTES>()
            .ok_or_else(|| self.fault(FrameFaultReason::Incomplete))?;
        let header = BlockHeader::decode(bytes).map_err(|reason| self.fault(reason))?;
        if header.first_sequence != self.next_sequence {
            return Err(self.fault(FrameFaultReason::Sequence));
        }
        if header.previous != self.previous {
            return Err(self.fault(FrameFaultReason::Chain));
        }
        Ok(header)
    }

    pub(super) const fn fault(&self, reason: FrameFaultReason) -> FrameFault {
        self.fault_at(self.next_sequence, reason)
    }

    pub(super) const fn fault_at(&self, sequence: u64, reason: FrameFaultReason) -> FrameFault {
        FrameFault {
            offset: self.offset,
            sequence,
            reason,
        }
    }

    pub(super) fn after(
        &self,
        header: &BlockHeader,
        block_bytes: usize,
        next_leaf: u64,
        hash: [u8; BLOCK_HASH_BYTES],
    ) -> Self {
        Self {
            offset: self
                .offset
                .saturating_add(u64::try_from(block_bytes).unwrap_or(u64::MAX)),
            next_sequence: self
                .next_sequence
                .saturating_add(u64::from(header.frame_count)),
            next_leaf,
            previous: hash,
        }
    }
}

/// Walks the blocks of a log that lies in memory; ends after the first fault.
#[derive(Debug, Clone)]
pub struct Scan<'a> {
    rest: &'a [u8],
    at: ChainPosition,
    is_over: bool,
}

/// Walks the blocks in `bytes`, which start at `start`.
#[must_use]
pub const fn scan(bytes: &[u8], start: ChainPosition) -> Scan<'_> {
    Scan {
        rest: bytes,
        at: start,
        is_over: false,
    }
}

impl Scan<'_> {
    /// Returns the place behind the last whole block so far.
    #[must_use]
    pub const fn position(&self) -> ChainPosition {
        self.at
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Result<Block<'a>, FrameFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over || self.rest.is_empty() {
            return None;
        }
        let read = Block::read(self.rest, &self.at);
        match &read {
            Ok(block) => {
                let length = block.header().block_bytes().unwrap_or(usize::MAX);
                self.rest = self.rest.get(length..).unwrap_or_default();
                self.at = block.next();
            }
            Err(_) => self.is_over = true,
        }
        Some(read)
    }
}

/// What the end of a log is after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// The last block is whole.
    Clean(ChainPosition),
    /// The last block was never finished: cut the log to `position.offset` and go on there.
    Torn {
        /// Where to go on.
        position: ChainPosition,
        /// What is wrong with the unfinished block.
        fault: FrameFault,
    },
    /// Something that was durable is damaged: stop.
    Corrupt(FrameFault),
}

/// Reads `tail`, the bytes of a log from `start` to its end, and says how it ends. `leaves_known` is how many leaves are
/// known to have been durable (from the published checkpoint and from the signer): a cut that would lose one of them is
/// refused as corrupt.
#[must_use]
pub fn recover(tail: &[u8], start: ChainPosition, leaves_known: u64) -> Recovery {
    let mut blocks = scan(tail, start);
    let fault = blocks.by_ref().find_map(Result::err);
    let position = blocks.position();
    let fault = match fault {
        None if position.next_leaf >= leaves_known => return Recovery::Clean(position),
        None => return Recovery::Corrupt(position.fault(FrameFaultReason::Incomplete)),
        Some(fault) => fault,
    };
    if position.next_leaf >= leaves_known && is_unfinished(blocks.rest, &position) {
        Recovery::Torn { position, fault }
    } else {
        Recovery::Corrupt(fault)
    }
}

/// Whether `bytes` can be a last block that was being written at `at`: room that was never written, the start of a header
/// that fits, or a block that fits and has nothing behind it.
fn is_unfinished(bytes: &[u8], at: &ChainPosition) -> bool {
    if is_zero(bytes) {
        return true;
    }
    if bytes.len() < BLOCK_HEADER_BYTES {
        return is_start_of_header(bytes, at);
    }
    at.header(bytes)
        .ok()
        .and_then(|header| header.block_bytes())
        .is_some_and(|length| is_zero(bytes.get(length..).unwrap_or_default()))
}

fn is_start_of_header(bytes: &[u8], at: &ChainPosition) -> bool {
    let expected = BlockHeader {
        record_bytes: 0,
        frame_count: 0,
        blob_bytes: 0,
        first_sequence: at.next_sequence,
        previous: at.previous,
    }
    .encode();
    // Sizes (bytes 8 to 24) and the mark behind byte 64 are not known beforehand; the rest is.
    bytes
        .iter()
        .zip(&expected)
        .enumerate()
        .all(|(place, (found, wanted))| (8..24).contains(&place) || place >= 64 || found == wanted)
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
