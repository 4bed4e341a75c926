//! What can be wrong with a block, and where.
//!
//! INVARIANT: every fault names the first record that can not be trusted.

use crate::leaf::DecodeLeafError;

/// Why a block was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFaultReason {
    /// The bytes end before the block does.
    #[error("block ends early")]
    Incomplete,
    /// The first bytes are not those of a block.
    #[error("block does not start as a block must")]
    Magic,
    /// Another version of the block format.
    #[error("block has a format version that this program does not know")]
    Version,
    /// Reserved bytes are not zero.
    #[error("reserved bytes of the block header must be zero")]
    Reserved,
    /// The header's own mark does not fit.
    #[error("block header is damaged")]
    HeaderMark,
    /// A block without frames or larger than the limit.
    #[error("block has an impossible size")]
    Size,
    /// The block does not continue the sequence.
    #[error("block does not continue the sequence of frames")]
    Sequence,
    /// The block does not continue the chain.
    #[error("block does not follow from the block before it")]
    Chain,
    /// A frame's mark does not fit.
    #[error("frame is damaged")]
    FrameMark,
    /// A frame is longer than what is left, or bytes are left after the last frame.
    #[error("frame does not fit its block")]
    FrameBounds,
    /// A kind byte that stands for nothing.
    #[error("frame has a kind that this program does not know")]
    Kind,
    /// A frame whose body can not be one of its kind.
    #[error("frame body does not have the shape of its kind")]
    Body,
    /// The first frame is not a genesis, or another one is.
    #[error("a log has exactly one genesis frame and it is the first")]
    Genesis,
    /// A leaf that can not be read.
    #[error(transparent)]
    Leaf(#[from] DecodeLeafError),
    /// A leaf that is not at its place.
    #[error("leaf index is not its position in the tree")]
    LeafIndex,
    /// Payload bytes that are neither what their digest says nor erased.
    #[error("payload is neither what its digest says nor erased")]
    Payload,
    /// Header and frames do not give the block's hash.
    #[error("block does not have the hash that it states")]
    Hash,
}

/// The first thing that is wrong with a log's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("block at byte {offset}, frame {sequence}: {reason}")]
pub struct FrameFault {
    /// Where the block starts in the log, in bytes.
    pub offset: u64,
    /// Sequence of the first frame that can not be trusted.
    pub sequence: u64,
    /// What is wrong.
    pub reason: FrameFaultReason,
}
