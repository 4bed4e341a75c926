//! What can be wrong with evidence: a code, a place and a sentence.
//!
//! INVARIANT: every fault names the first record that can not be trusted, where a record can be named at all.

use alloc::string::String;
use core::fmt;

use aim_core::frame::{FrameFault, FrameFaultReason};

use super::Anchored;
use crate::{checkpoint::CheckpointError, tree::ProofError};

/// Which record a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A frame, by its sequence in the log.
    Frame(u64),
    /// A statement, by its index in the tree.
    Leaf(u64),
    /// The published checkpoint.
    Checkpoint,
    /// The checkpoint that the reader brought.
    Anchor,
    /// The export as a whole.
    Document,
}

impl Place {
    /// Returns the index of the record, where there is one.
    #[must_use]
    pub const fn index(self) -> Option<u64> {
        match self {
            Self::Frame(index) | Self::Leaf(index) => Some(index),
            Self::Checkpoint | Self::Anchor | Self::Document => None,
        }
    }

    /// What a checkpoint from this place gives when the log agrees with it.
    pub(super) const fn anchors(self) -> Anchored {
        match self {
            Self::Checkpoint => Anchored::Checkpoint,
            Self::Anchor => Anchored::External,
            Self::Frame(_) | Self::Leaf(_) | Self::Document => Anchored::None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(sequence) => write!(f, "frame {sequence}"),
            Self::Leaf(index) => write!(f, "witness {index}"),
            Self::Checkpoint => f.write_str("published checkpoint"),
            Self::Anchor => f.write_str("anchor"),
            Self::Document => f.write_str("export"),
        }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// The log's own structure is damaged here.
    #[error("{0}")]
    Structure(FrameFaultReason),
    /// Records that a checkpoint vouches for are not there.
    #[error("log ends before the checkpoint does: records were cut off")]
    Truncated,
    /// The statement is not the one that the leaf stands for.
    #[error("statement is not the one that its leaf stands for")]
    Digest,
    /// The signature does not verify.
    #[error("signature does not verify")]
    Signature,
    /// A key that the reader does not trust.
    #[error("key is not one of the trusted keys for this role")]
    Key,
    /// The signed statement is of another kind than its leaf.
    #[error("statement is of another kind than its leaf")]
    Kind,
    /// The signed statement belongs to another log.
    #[error("statement or checkpoint belongs to another log")]
    Origin,
    /// The tree does not lead to the checkpoint's root.
    #[error("records do not lead to the root of the checkpoint: changed at or after this one")]
    Tree,
    /// The checkpoint can not be used.
    #[error("{0}")]
    Checkpoint(CheckpointError),
    /// The genesis can not be used.
    #[error("{0}")]
    Genesis(String),
    /// The export can not be used.
    #[error("{0}")]
    Document(String),
    /// An inclusion proof fails.
    #[error("{0}")]
    Proof(ProofError),
    /// The statement is no in-toto statement of ours.
    #[error("statement can not be read: {0}")]
    Statement(String),
    /// Frames and witnesses do not agree about what the world noticed.
    #[error("{0}")]
    Effect(String),
    /// What an export carries to be replayed is not what its witnesses vouch for.
    #[error("what it takes to replay the run is not what its witnesses vouch for: {0}")]
    Replay(String),
    /// A person's answer is not theirs.
    #[error("the answer of a person does not count: {0}")]
    Answer(&'static str),
    /// The payload is not what its digest says.
    #[error("payload is not what its digest says")]
    Payload,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceFault {
    /// Where.
    pub place: Place,
    /// What.
    pub kind: FaultKind,
}

impl EvidenceFault {
    pub(crate) const fn new(place: Place, kind: FaultKind) -> Self {
        Self { place, kind }
    }

    pub(crate) const fn of_frame(fault: &FrameFault) -> Self {
        Self::new(
            Place::Frame(fault.sequence),
            FaultKind::Structure(fault.reason),
        )
    }

    /// Returns the stable code of the fault.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match &self.kind {
            FaultKind::Structure(reason) => structure_code(*reason),
            FaultKind::Truncated => "AIM-E002",
            FaultKind::Digest => "AIM-E004",
            FaultKind::Signature => "AIM-E005",
            FaultKind::Key => "AIM-E006",
            FaultKind::Kind => "AIM-E007",
            FaultKind::Origin => "AIM-E008",
            FaultKind::Tree => "AIM-E009",
            FaultKind::Checkpoint(_) => "AIM-E010",
            FaultKind::Payload => "AIM-E011",
            FaultKind::Genesis(_) => "AIM-E012",
            FaultKind::Document(_) => "AIM-E013",
            FaultKind::Proof(_) => "AIM-E014",
            FaultKind::Statement(_) => "AIM-E015",
            FaultKind::Answer(_) => "AIM-E016",
            FaultKind::Effect(_) => "AIM-N030",
            FaultKind::Replay(_) => "AIM-R084",
        }
    }

    /// Returns the index of the record, where there is one.
    #[must_use]
    pub const fn index(&self) -> Option<u64> {
        self.place.index()
    }
}

impl fmt::Display for EvidenceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.code(), self.place, self.kind)
    }
}

const fn structure_code(reason: FrameFaultReason) -> &'static str {
    match reason {
        FrameFaultReason::Incomplete => "AIM-E002",
        FrameFaultReason::Leaf(_) | FrameFaultReason::LeafIndex => "AIM-E003",
        FrameFaultReason::Payload => "AIM-E011",
        FrameFaultReason::Genesis => "AIM-E012",
        FrameFaultReason::Magic
        | FrameFaultReason::Version
        | FrameFaultReason::Reserved
        | FrameFaultReason::HeaderMark
        | FrameFaultReason::Size
        | FrameFaultReason::Sequence
        | FrameFaultReason::Chain
        | FrameFaultReason::FrameMark
        | FrameFaultReason::FrameBounds
        | FrameFaultReason::Kind
        | FrameFaultReason::Body
        | FrameFaultReason::Hash => "AIM-E001",
    }
}
