//! Checkpoints (C2SP tlog-checkpoint, <https://c2sp.org/tlog-checkpoint>): origin, size and root, as the text of a note.
//!
//! The note's key name is the origin, so a signature for one log never fits another. Extension lines are refused: nothing
//! here writes them, and what can't be judged is not accepted.
//!
//! INVARIANT: a [`Checkpoint`] has one text.

use alloc::string::{String, ToString};

use crate::{
    encoding::{from_base64, to_base64},
    key::{KeyRole, KeySet, SecretKey},
    note::{Note, NoteError, is_key_name, sign_note},
    tree::Hash,
};

/// The largest size that a checkpoint may state.
pub const CHECKPOINT_SIZE_MAX: u64 = i64::MAX.unsigned_abs();

/// The longest origin, in bytes.
pub const ORIGIN_BYTES_MAX: usize = 200;

/// Why a checkpoint was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a note, or not signed as needed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not exactly three lines.
    #[error("checkpoint must be exactly three lines: origin, size and root")]
    Lines,
    /// An origin that can not name a log.
    #[error(
        "origin must be 1 to {ORIGIN_BYTES_MAX} bytes without spaces, control characters or `+`"
    )]
    Origin,
    /// A size that is not in plain decimal or too large.
    #[error("size must be a decimal number without leading zeros, below 2^63")]
    Size,
    /// A root that is not 32 bytes of base64.
    #[error("root must be 32 bytes in base64")]
    Root,
    /// No key of the reader signed it.
    #[error("checkpoint is not signed by a log key that is trusted")]
    Untrusted,
}

/// What a log key says about a log: its first `size` leaves have this root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Returns whether `origin` can name a log.
#[must_use]
pub fn is_origin(origin: &str) -> bool {
    is_key_name(origin) && origin.len() <= ORIGIN_BYTES_MAX
}

impl Checkpoint {
    /// Writes the text that is signed.
    #[must_use]
    pub fn to_text(&self) -> String {
        let size = self.size.to_string();
        let root = to_base64(&self.root);
        [&self.origin, "\n", &size, "\n", &root, "\n"].concat()
    }

    /// Reads the text.
    ///
    /// # Errors
    /// [`CheckpointError`] for anything that [`Checkpoint::to_text`] would not write.
    pub fn parse_text(text: &str) -> Result<Self, CheckpointError> {
        let lines = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Lines);
        };
        if !is_origin(origin) {
            return Err(CheckpointError::Origin);
        }
        let root = from_base64(root).and_then(|bytes| bytes.try_into().ok());
        Ok(Self {
            origin: origin.to_string(),
            size: parse_size(size).ok_or(CheckpointError::Size)?,
            root: root.ok_or(CheckpointError::Root)?,
        })
    }

    /// Signs the checkpoint as a note under its origin.
    ///
    /// # Errors
    /// [`CheckpointError::Origin`], [`CheckpointError::Size`].
    pub fn sign(&self, key: &SecretKey) -> Result<String, CheckpointError> {
        if !is_origin(&self.origin) {
            return Err(CheckpointError::Origin);
        }
        if self.size > CHECKPOINT_SIZE_MAX {
            return Err(CheckpointError::Size);
        }
        Ok(sign_note(&self.to_text(), &self.origin, key)?)
    }

    /// Reads a signed note without checking who signed it.
    ///
    /// # Errors
    /// [`CheckpointError`] for a wrong form.
    pub fn parse_unchecked(note: &[u8]) -> Result<Self, CheckpointError> {
        Self::parse_text(Note::parse(note)?.text_unchecked())
    }

    /// Reads a signed note and accepts it if one of the log keys signed it under the origin that it states.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn verify(note: &[u8], keys: &KeySet) -> Result<Self, CheckpointError> {
        let note = Note::parse(note)?;
        let stated = Self::parse_text(note.text_unchecked())?;
        for key in keys.of_role(KeyRole::Log) {
            match note.verify(&stated.origin, key) {
                Ok(_) => return Ok(stated),
                Err(NoteError::Unsigned) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(CheckpointError::Untrusted)
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let has_leading_zero = text.len() > 1 && text.starts_with('0');
    let size = text.parse().ok()?;
    (is_plain && !has_leading_zero && size <= CHECKPOINT_SIZE_MAX).then_some(size)
}
