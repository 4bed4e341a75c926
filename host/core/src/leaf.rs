//! The leaf: what the Merkle tree holds about one statement, in 116 bytes that never vary in shape.
//!
//! A leaf names the statement by the SHA-256 of its DSSE pre-authentication encoding, says which key vouches for it and
//! how, and carries the signature where there is one of its own. It holds no payload, so payloads can be deleted without
//! touching the tree.
//!
//! INVARIANT: every leaf has exactly one encoding; `decode` accepts nothing that `encode` would not write.

use core::fmt;

use crate::digest::{Sha256, encode_hex};

/// Length of an encoded leaf, in bytes.
pub const LEAF_BYTES: usize = 116;

/// The only version of the leaf record so far.
pub const LEAF_VERSION: u8 = 1;

// The record is what roots commit to: a change of its size is a new version beside this one, never an edit of this line.
const _: () = assert!(LEAF_BYTES == 1 + 1 + 1 + 1 + 8 + 32 + 8 + 64);

/// What a statement is about; fixes its predicate type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeafKind {
    /// One try of one step.
    Attempt,
    /// One execution of a plan.
    Plan,
    /// A component that was refused at load.
    DeniedLoad,
    /// A gate decision outside an attempt.
    Gate,
    /// A change of keys.
    Key,
    /// A new epoch of the log.
    Epoch,
    /// A repair of the log by an operator.
    Repair,
    /// A person's answer to a waiting step.
    Answer,
    /// An act of administration.
    Admin,
    /// A configuration that took effect.
    Config,
    /// A checkpoint that was handed out.
    CheckpointExport,
    /// A replay that came to something else than its record.
    Diagnostic,
}

impl LeafKind {
    /// Every kind, in the order of their bytes.
    pub const ALL: [Self; 12] = [
        Self::Attempt,
        Self::Plan,
        Self::DeniedLoad,
        Self::Gate,
        Self::Key,
        Self::Epoch,
        Self::Repair,
        Self::Answer,
        Self::Admin,
        Self::Config,
        Self::CheckpointExport,
        Self::Diagnostic,
    ];

    /// Returns the byte that stands for the kind in a leaf.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Attempt => 1,
            Self::Plan => 2,
            Self::DeniedLoad => 3,
            Self::Gate => 4,
            Self::Key => 5,
            Self::Epoch => 6,
            Self::Repair => 7,
            Self::Answer => 8,
            Self::Admin => 9,
            Self::Config => 10,
            Self::CheckpointExport => 11,
            Self::Diagnostic => 12,
        }
    }

    /// Reads the byte of a leaf; `None` for a byte that stands for nothing.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.byte() == byte)
    }

    /// Returns the word for the kind, as people and documents write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attempt => "attempt",
            Self::Plan => "plan",
            Self::DeniedLoad => "denied-load",
            Self::Gate => "gate",
            Self::Key => "key",
            Self::Epoch => "epoch",
            Self::Repair => "repair",
            Self::Answer => "answer",
            Self::Admin => "admin",
            Self::Config => "config",
            Self::CheckpointExport => "checkpoint-export",
            Self::Diagnostic => "diagnostic",
        }
    }

    /// Returns the predicate type that a statement of this kind must carry inside its signed bytes.
    #[must_use]
    pub const fn predicate_type(self) -> &'static str {
        match self {
            Self::Attempt => "urn:aim:predicate:attempt:v1",
            Self::Plan => "urn:aim:predicate:plan:v1",
            Self::DeniedLoad => "urn:aim:predicate:denied-load:v1",
            Self::Gate => "urn:aim:predicate:gate:v1",
            Self::Key => "urn:aim:predicate:key:v1",
            Self::Epoch => "urn:aim:predicate:epoch:v1",
            Self::Repair => "urn:aim:predicate:repair:v1",
            Self::Answer => "urn:aim:predicate:answer:v1",
            Self::Admin => "urn:aim:predicate:admin:v1",
            Self::Config => "urn:aim:predicate:config:v1",
            Self::CheckpointExport => "urn:aim:predicate:checkpoint-export:v1",
            Self::Diagnostic => "urn:aim:predicate:diagnostic:v1",
        }
    }
}

/// Who vouches for a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigningMode {
    /// The step key signed this statement.
    Each,
    /// No signature of its own: a checkpoint of the log key signs for all leaves under it.
    Batch,
}

impl SigningMode {
    /// Returns the byte that stands for the mode in a leaf.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Each => 1,
            Self::Batch => 2,
        }
    }

    /// Reads the byte of a leaf; `None` for a byte that stands for nothing.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Each),
            2 => Some(Self::Batch),
            _ => None,
        }
    }

    /// Returns the word for the mode, as configuration and documents write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Each => "each",
            Self::Batch => "batch",
        }
    }
}

/// The short name of a public key: 8 bytes over its role and its bytes. Names a key, proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 8]);

impl KeyId {
    /// Takes the 8 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Returns the 8 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode_hex(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why bytes are not a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeLeafError {
    /// Not exactly [`LEAF_BYTES`] long.
    #[error("leaf must be exactly 116 bytes long")]
    Length,
    /// Another version.
    #[error("leaf has a version that this program does not know")]
    Version,
    /// A kind byte that stands for nothing.
    #[error("leaf has a kind that this program does not know")]
    Kind,
    /// A mode byte that stands for nothing.
    #[error("leaf has a signing mode that this program does not know")]
    Mode,
    /// The reserved byte is not zero.
    #[error("reserved byte of the leaf must be zero")]
    Reserved,
    /// A batch leaf with signature bytes.
    #[error("leaf of a batch must not carry a signature of its own")]
    Signature,
}

/// What the tree holds about one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// What the statement is about.
    pub kind: LeafKind,
    /// Who vouches for it.
    pub mode: SigningMode,
    /// Position in the tree, from 0.
    pub index: u64,
    /// SHA-256 of the DSSE pre-authentication encoding of the statement's exact bytes.
    pub statement: Sha256,
    /// The step key for [`SigningMode::Each`], the log key for [`SigningMode::Batch`].
    pub key: KeyId,
    /// Ed25519 signature over the pre-authentication encoding; zeros for [`SigningMode::Batch`].
    pub signature: [u8; 64],
}

impl Leaf {
    /// Returns the leaf's only encoding. A batch leaf is written without a signature, whatever the field holds.
    #[must_use]
    pub fn encode(&self) -> [u8; LEAF_BYTES] {
        let signature = match self.mode {
            SigningMode::Each => self.signature,
            SigningMode::Batch => [0; 64],
        };
        let head = [LEAF_VERSION, self.kind.byte(), self.mode.byte(), 0];
        let index = self.index.to_le_bytes();
        let fields = [
            head.as_slice(),
            &index,
            self.statement.as_bytes(),
            self.key.as_bytes(),
            &signature,
        ];
        let mut out = [0_u8; LEAF_BYTES];
        let mut rest = out.as_mut_slice();
        for field in fields {
            let Some((to, after)) = rest.split_at_mut_checked(field.len()) else {
                break;
            };
            to.copy_from_slice(field);
            rest = after;
        }
        out
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// [`DecodeLeafError`] for anything that [`Leaf::encode`] would not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeLeafError> {
        let bytes: &[u8; LEAF_BYTES] = bytes.try_into().map_err(|_| DecodeLeafError::Length)?;
        let (head, rest) = bytes
            .split_first_chunk::<4>()
            .ok_or(DecodeLeafError::Length)?;
        let (index, rest) = rest
            .split_first_chunk::<8>()
            .ok_or(DecodeLeafError::Length)?;
        let (statement, rest) = rest
            .split_first_chunk::<32>()
            .ok_or(DecodeLeafError::Length)?;
        let (key, rest) = rest
            .split_first_chunk::<8>()
            .ok_or(DecodeLeafError::Length)?;
        let signature: [u8; 64] = rest.try_into().map_err(|_| DecodeLeafError::Length)?;
        let [version, kind, mode, reserved] = *head;
        if version != LEAF_VERSION {
            return Err(DecodeLeafError::Version);
        }
        let mode = SigningMode::from_byte(mode).ok_or(DecodeLeafError::Mode)?;
        if reserved != 0 {
            return Err(DecodeLeafError::Reserved);
        }
        if mode == SigningMode::Batch && signature != [0; 64] {
            return Err(DecodeLeafError::Signature);
        }
        Ok(Self {
            kind: LeafKind::from_byte(kind).ok_or(DecodeLeafError::Kind)?,
            mode,
            index: u64::from_le_bytes(*index),
            statement: Sha256::from_bytes(*statement),
            key: KeyId::from_bytes(*key),
            signature,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(mode: SigningMode) -> Leaf {
        Leaf {
            kind: LeafKind::DeniedLoad,
            mode,
            index: 0x0102_0304_0506_0708,
            statement: Sha256::of(b"statement"),
            key: KeyId::from_bytes(*b"keyidkey"),
            signature: if mode == SigningMode::Each {
                [7; 64]
            } else {
                [0; 64]
            },
        }
    }

    #[test]
    fn the_bytes_are_where_the_format_says() {
        let bytes = leaf(SigningMode::Each).encode();
        assert_eq!(bytes[..4], [1, 3, 1, 0]);
        assert_eq!(bytes[4..12], [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(bytes[12..44], *Sha256::of(b"statement").as_bytes());
        assert_eq!(&bytes[44..52], b"keyidkey");
        assert_eq!(bytes[52..], [7; 64]);
    }

    #[test]
    fn every_leaf_that_decodes_encodes_to_the_same_bytes() {
        for mode in [SigningMode::Each, SigningMode::Batch] {
            let bytes = leaf(mode).encode();
            for at in 0..LEAF_BYTES {
                for bit in 0..8 {
                    let mut other = bytes;
                    other[at] ^= 1 << bit;
                    if let Ok(read) = Leaf::decode(&other) {
                        assert_eq!(read.encode(), other);
                        assert_ne!(read, leaf(mode));
                    }
                }
            }
        }
    }

    #[test]
    fn refuses_what_it_would_not_write() {
        let good = leaf(SigningMode::Batch).encode();
        let check = |at: usize, byte: u8, expect: DecodeLeafError| {
            let mut bad = good;
            bad[at] = byte;
            assert_eq!(Leaf::decode(&bad), Err(expect));
        };
        check(0, 2, DecodeLeafError::Version);
        check(1, 0, DecodeLeafError::Kind);
        check(1, 13, DecodeLeafError::Kind);
        check(2, 3, DecodeLeafError::Mode);
        check(3, 1, DecodeLeafError::Reserved);
        check(115, 1, DecodeLeafError::Signature);
        assert_eq!(Leaf::decode(&good[..115]), Err(DecodeLeafError::Length));
    }

    #[test]
    fn kinds_have_one_byte_one_name_and_one_predicate_type_each() {
        for (at, kind) in LeafKind::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(kind.byte()), at + 1);
            assert_eq!(LeafKind::from_byte(kind.byte()), Some(kind));
            let written = alloc::format!("urn:aim:predicate:{}:v1", kind.name());
            assert_eq!(kind.predicate_type(), written);
        }
    }
}
