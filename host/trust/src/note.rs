//! Signed notes (C2SP signed-note, <https://c2sp.org/signed-note>): a text, an empty line, signature lines.
//!
//! INVARIANT: the text that [`Note::verify`] gives out is the text that was signed, and a failing signature by a known key
//! refuses the whole note.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use aim_core::digest::{decode_hex, encode_hex};
use sha2::{Digest as _, Sha256};

use crate::{
    encoding::{from_base64, to_base64},
    key::{KeyError, KeyRole, PublicKey, SecretKey},
};

/// The largest note, in bytes.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;

/// The most signature lines of one note.
pub const NOTE_SIGNATURES_MAX: usize = 16;

/// The signature type of Ed25519.
const ED25519: u8 = 1;

/// Why a note was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Larger than the limit.
    #[error("note is larger than {NOTE_BYTES_MAX} bytes")]
    Size,
    /// Not UTF-8, or control characters other than line feeds.
    #[error("note must be UTF-8 without control characters other than line feeds")]
    Characters,
    /// No text, no empty line or no line end.
    #[error("note must be a text, an empty line and signature lines, each ended by a line feed")]
    Form,
    /// A line that is no signature, or too many.
    #[error("note must carry 1 to {NOTE_SIGNATURES_MAX} well-formed signature lines")]
    SignatureLine,
    /// The name may not stand in a note.
    #[error("key name must not be empty and must hold neither spaces nor `+`")]
    Name,
    /// No signature by the wanted key.
    #[error("note is not signed by the wanted key")]
    Unsigned,
    /// A signature by the wanted key that does not fit the text.
    #[error("note carries a signature that does not verify")]
    Signature,
}

/// Returns whether `name` may name a key in a note.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    let is_allowed =
        |letter: char| !letter.is_whitespace() && !letter.is_control() && letter != '+';
    !name.is_empty() && name.chars().all(is_allowed)
}

/// Returns a key's id in notes: the first 4 bytes of SHA-256 over name, line feed, type and key.
#[must_use]
pub fn note_key_id(name: &str, key: &[u8; 32]) -> [u8; 4] {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', ED25519])
        .chain_update(key)
        .finalize()
        .into();
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

/// Writes a public key as a C2SP verifier key: `<name>+<key id>+<base64 of type and key>`.
#[must_use]
pub fn to_verifier_key(name: &str, key: &[u8; 32]) -> String {
    let id = encode_hex(&note_key_id(name, key));
    let typed = to_base64(&[[ED25519].as_slice(), key].concat());
    [name, &id, &typed].join("+")
}

/// Reads a C2SP verifier key of type Ed25519 as a log key with its name.
///
/// # Errors
/// [`KeyError`] when the form, the id or the key is wrong.
pub fn parse_verifier_key(text: &str) -> Result<(&str, PublicKey), KeyError> {
    let read = || {
        let (name, rest) = text.split_once('+')?;
        let (id, typed) = rest.split_once('+')?;
        let [kind, key @ ..]: [u8; 33] = from_base64(typed)?.try_into().ok()?;
        let is_right = kind == ED25519 && decode_hex::<4>(id)? == note_key_id(name, &key);
        (is_right && is_key_name(name)).then_some((name, key))
    };
    let (name, key) = read().ok_or(KeyError::Line { line: 1 })?;
    Ok((name, PublicKey::from_bytes(KeyRole::Log, &key)?))
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct NoteSignature {
    name: String,
    key: [u8; 4],
    signature: Vec<u8>,
}

/// A note whose form was checked, but no signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError`] for every deviation from the form.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Size);
        }
        let note = core::str::from_utf8(bytes).map_err(|_| NoteError::Characters)?;
        if note
            .chars()
            .any(|letter| letter.is_control() && letter != '\n')
        {
            return Err(NoteError::Characters);
        }
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Form)?;
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::Form)?;
        if text.is_empty() {
            return Err(NoteError::Form);
        }
        let signatures = lines
            .split('\n')
            .map(|line| parse_signature_line(line).ok_or(NoteError::SignatureLine))
            .collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > NOTE_SIGNATURES_MAX {
            return Err(NoteError::SignatureLine);
        }
        let mut text = text.to_string();
        text.push('\n');
        Ok(Self { text, signatures })
    }

    /// Returns the text without any check of signatures.
    #[must_use]
    pub fn text_unchecked(&self) -> &str {
        &self.text
    }

    /// Returns the text if `key` signed it under `name`. Lines of other keys don't matter.
    ///
    /// # Errors
    /// [`NoteError::Unsigned`] and [`NoteError::Signature`].
    pub fn verify(&self, name: &str, key: &PublicKey) -> Result<&str, NoteError> {
        let id = note_key_id(name, key.as_bytes());
        let mut mine = self
            .signatures
            .iter()
            .filter(|line| line.name == name && line.key == id)
            .peekable();
        if mine.peek().is_none() {
            return Err(NoteError::Unsigned);
        }
        for line in mine {
            let signature = line.signature.as_slice().try_into();
            let signature = signature.map_err(|_| NoteError::Signature)?;
            key.verify(self.text.as_bytes(), signature)
                .map_err(|_| NoteError::Signature)?;
        }
        Ok(&self.text)
    }
}

/// Signs `text`, which must end with a line feed, under `name`.
///
/// # Errors
/// [`NoteError`] when the result would not be a note.
pub fn sign_note(text: &str, name: &str, key: &SecretKey) -> Result<String, NoteError> {
    if !is_key_name(name) {
        return Err(NoteError::Name);
    }
    let id = note_key_id(name, &key.public_bytes());
    let signature = key.sign(text.as_bytes());
    let line = to_base64(&[id.as_slice(), &signature].concat());
    let note = [text, "\n\u{2014} ", name, " ", &line, "\n"].concat();
    let parsed = Note::parse(note.as_bytes())?;
    if parsed.text == text {
        Ok(note)
    } else {
        Err(NoteError::Form)
    }
}

fn parse_signature_line(line: &str) -> Option<NoteSignature> {
    let (name, typed) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = from_base64(typed)?;
    let (key, signature) = bytes.split_first_chunk::<4>()?;
    (is_key_name(name) && !signature.is_empty()).then(|| NoteSignature {
        name: name.to_string(),
        key: *key,
        signature: signature.to_vec(),
    })
}
