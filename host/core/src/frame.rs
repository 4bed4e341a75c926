//! The log's block codec: how evidence lies on disk, and how every changed byte of it is noticed.
//!
//! One *block* is written by one group commit. It holds *frames* (one record each) and, apart from them, the bytes of the
//! payloads that belong to these frames:
//!
//! ```text
//! header 68 | frames: kind 1, length 4, mark 4, body ... | payloads: state 1, bytes ... | block hash 32
//! ```
//!
//! - The block hash is BLAKE3 over header and frames, and the header holds the hash of the block before: one large hash for
//!   each commit, and a chain from the first block to the last.
//! - Payload bytes are outside of that hash. Each is bound by the digest in its blob frame, so it can be erased in place (the
//!   state byte says so, all its bytes become zero) while the log keeps verifying.
//! - Marks are cheap checksums without any secret. They protect nothing; they tell *which* record is damaged.
//!
//! What the frames mean is not known here. `docs/formats/log.md` has the same layout, byte by byte.
//!
//! INVARIANT: reading never panics and never takes more memory than the bytes it was given, whatever they are.

mod build;
mod chain;
mod fault;
mod header;
mod read;

pub use build::{BlockBuilder, BlockFullError, FinishedBlock};
pub use chain::{ChainPosition, Recovery, Scan, recover, scan};
pub use fault::{FrameFault, FrameFaultReason};
pub use header::{BLOCK_BYTES_MAX, BLOCK_HEADER_BYTES, BLOCK_VERSION, BlockHeader};
pub use read::{BlobFrame, BlobState, Block, Frame, FrameBody, Frames, WitnessFrame};

/// Length of a block's hash, in bytes.
pub const BLOCK_HASH_BYTES: usize = 32;

/// Length of what stands before a frame's body, in bytes: kind, length, mark.
pub const FRAME_HEAD_BYTES: usize = 9;

/// What a payload's state byte says while the payload is there. The two states differ in every bit.
pub const BLOB_PRESENT: u8 = 0xb1;

/// What a payload's state byte says once the payload is erased and its bytes are zero.
pub const BLOB_REDACTED: u8 = 0x4e;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FrameKind {
    /// The first frame of a log and no other: JSON with format version, origin, public keys, time and host version.
    Genesis,
    /// An execution starts; JSON that is opaque here.
    ExecutionStart,
    /// An immediate effect is about to happen.
    Intent,
    /// An immediate effect has ended.
    EffectOutcome,
    /// A leaf and the exact bytes of its statement.
    Witness,
    /// Digest and length of payload bytes that lie in the same block.
    Blob,
    /// A signed checkpoint of this log.
    Checkpoint,
    /// Reserved for notes about events.
    EventNote,
}

impl FrameKind {
    /// Every kind, in the order of their bytes.
    pub const ALL: [Self; 8] = [
        Self::Genesis,
        Self::ExecutionStart,
        Self::Intent,
        Self::EffectOutcome,
        Self::Witness,
        Self::Blob,
        Self::Checkpoint,
        Self::EventNote,
    ];

    /// Returns the byte that stands for the kind in a block.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Genesis => 1,
            Self::ExecutionStart => 2,
            Self::Intent => 3,
            Self::EffectOutcome => 4,
            Self::Witness => 5,
            Self::Blob => 6,
            Self::Checkpoint => 7,
            Self::EventNote => 8,
        }
    }

    /// Reads the byte of a block; `None` for a byte that stands for nothing.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.byte() == byte)
    }
}

/// A checksum that any change within one 8-byte word changes. It finds the damaged record, it does not prove anything.
fn mark(seed: u64, bytes: &[u8]) -> [u8; 4] {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |state: u64, word: u64| {
        let mixed = (state ^ word).wrapping_mul(ODD);
        mixed ^ (mixed >> 32)
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let state = words.iter().fold(fold(ODD, seed), |state, word| {
        fold(state, u64::from_le_bytes(*word))
    });
    let mut last = [0_u8; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let [a, b, c, d, ..] = fold(state, u64::from_le_bytes(last)).to_le_bytes();
    [a, b, c, d]
}

/// The mark of a frame, over its kind, its length and its body.
fn frame_mark(kind: u8, length: u32, body: &[u8]) -> [u8; 4] {
    mark((u64::from(length) << 8) | u64::from(kind), body)
}

/// Takes `N` bytes off the front of `rest`.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*head)
}

/// Takes `length` bytes off the front of `rest`.
fn take_slice<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(head)
}

#[cfg(test)]
mod tests;
