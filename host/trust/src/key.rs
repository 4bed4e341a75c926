//! Keys: one key, one role, and a short name that is made from both.
//!
//! Public keys are read from a strict text and refused when they are weak (of small order) or not canonical, so that one
//! key has one name. Secret keys never show themselves and wipe their memory.
//!
//! INVARIANT: signatures are checked with the strict rule only; the batch rule is not compiled in.

use alloc::{string::String, vec::Vec};
use core::fmt;

use aim_core::{
    digest::{decode_hex, encode_hex},
    leaf::KeyId,
};
use aim_ports::signer::PublicKeys;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The most keys that one set may hold.
pub const KEYS_MAX: usize = 16;

const KEYS_TITLE: &str = "aim-keys v1";
const SECRET_TITLE: &str = "aim-secret-key v1";

/// What a key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyRole {
    /// Statements.
    Step,
    /// Checkpoints.
    Log,
    /// Entries of the compilation cache.
    Cache,
    /// Codexes that gates judge by.
    Gate,
    /// Answers of people: approvals, releases, and what runs ask.
    Approver,
}

impl KeyRole {
    /// Every role.
    pub const ALL: [Self; 5] = [
        Self::Step,
        Self::Log,
        Self::Cache,
        Self::Gate,
        Self::Approver,
    ];

    /// Returns the word for the role in key files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Log => "log",
            Self::Cache => "cache",
            Self::Gate => "gate",
            Self::Approver => "approver",
        }
    }

    /// Reads the word for a role; `None` for any other word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == word)
    }
}

/// Why a key or a set of keys was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The first line is not the format's.
    #[error("key file must start with the line `{expected}`")]
    Title {
        /// The line that was expected.
        expected: &'static str,
    },
    /// A line is not a role and 64 hex digits.
    #[error(
        "key file line {line}: must be a role (step, log, cache, gate or approver), one space and 64 lower-case hex digits"
    )]
    Line {
        /// From 1.
        line: usize,
    },
    /// The file does not end with a line end, has none or too many keys.
    #[error("key file must hold 1 to {KEYS_MAX} keys, each on a line that ends with a line feed")]
    Count,
    /// One key twice.
    #[error("key file line {line}: the same key is listed twice, one key has one role")]
    Duplicate {
        /// From 1.
        line: usize,
    },
    /// The key is no canonical curve point, or of small order.
    #[error("{role} key is not a usable Ed25519 key (weak or not canonical): make a new one", role = role.name())]
    Weak {
        /// The key's role.
        role: KeyRole,
    },
}

impl KeyError {
    /// Returns the stable code of the error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Title { .. } | Self::Line { .. } | Self::Count => "AIM-K011",
            Self::Weak { .. } => "AIM-K012",
            Self::Duplicate { .. } => "AIM-K013",
        }
    }
}

/// A signature that does not belong to the message and the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signature does not verify")]
pub struct SignatureError;

/// A public key with its role.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    role: KeyRole,
    key: VerifyingKey,
    id: KeyId,
}

impl PublicKey {
    /// Takes the 32 bytes of a public key.
    ///
    /// # Errors
    /// [`KeyError::Weak`] when the bytes are not a canonical point or the point is of small order.
    pub fn from_bytes(role: KeyRole, bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Weak { role })?;
        let is_canonical = key.to_edwards().compress().to_bytes() == *bytes;
        if key.is_weak() || !is_canonical {
            return Err(KeyError::Weak { role });
        }
        let id = key_id(role, bytes);
        Ok(Self { role, key, id })
    }

    /// Returns what the key may sign.
    #[must_use]
    pub const fn role(&self) -> KeyRole {
        self.role
    }

    /// Returns the key's short name.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Checks a signature by the strict rule.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), SignatureError> {
        self.key
            .verify_strict(message, &Signature::from_bytes(signature))
            .map_err(|_| SignatureError)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} key {}", self.role.name(), self.id)
    }
}

/// Returns the short name of a public key: the first 8 bytes of SHA-256 over its role, a line feed and its bytes.
#[must_use]
pub fn key_id(role: KeyRole, bytes: &[u8; 32]) -> KeyId {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(role.name())
        .chain_update(b"\n")
        .chain_update(bytes)
        .finalize()
        .into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    KeyId::from_bytes([a, b, c, d, e, f, g, h])
}

/// The public keys that a reader trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet(Vec<PublicKey>);

impl KeySet {
    /// Takes the two keys of a signer.
    ///
    /// # Errors
    /// [`KeyError::Weak`]; [`KeyError::Duplicate`] when both roles have one key.
    pub fn of(keys: &PublicKeys) -> Result<Self, KeyError> {
        if keys.step == keys.log {
            return Err(KeyError::Duplicate { line: 3 });
        }
        let step = PublicKey::from_bytes(KeyRole::Step, &keys.step)?;
        let log = PublicKey::from_bytes(KeyRole::Log, &keys.log)?;
        Ok(Self([step, log].into()))
    }

    /// A set of one.
    pub(crate) fn only(key: PublicKey) -> Self {
        Self([key].into())
    }

    /// Reads the text form: `aim-keys v1`, then one `<role> <64 hex>` a line.
    ///
    /// # Errors
    /// [`KeyError`] for anything that [`KeySet::to_text`] would not write, up to the order of keys.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let lines = titled_lines(text, KEYS_TITLE)?;
        let mut keys: Vec<PublicKey> = Vec::new();
        for (line, written) in (2..).zip(lines.split('\n')) {
            let (role, bytes) = parse_key_line(written).ok_or(KeyError::Line { line })?;
            let key = PublicKey::from_bytes(role, &bytes)?;
            if keys.iter().any(|other| other.as_bytes() == key.as_bytes()) {
                return Err(KeyError::Duplicate { line });
            }
            if keys.len() == KEYS_MAX {
                return Err(KeyError::Count);
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// Writes the text form.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::from(KEYS_TITLE);
        text.push('\n');
        for key in &self.0 {
            text.push_str(key.role.name());
            text.push(' ');
            text.push_str(&encode_hex(key.as_bytes()));
            text.push('\n');
        }
        text
    }

    /// Walks all keys.
    pub fn iter(&self) -> core::slice::Iter<'_, PublicKey> {
        self.0.iter()
    }

    /// Walks the keys of one role.
    pub fn of_role(&self, role: KeyRole) -> impl Iterator<Item = &PublicKey> {
        self.0.iter().filter(move |key| key.role == role)
    }

    /// Finds a key by role and short name.
    #[must_use]
    pub fn find(&self, role: KeyRole, id: KeyId) -> Option<&PublicKey> {
        self.of_role(role).find(|key| key.id == id)
    }

    /// Returns whether a key with these bytes has this role here.
    #[must_use]
    pub fn holds(&self, role: KeyRole, bytes: &[u8; 32]) -> bool {
        self.of_role(role).any(|key| key.as_bytes() == bytes)
    }
}

impl<'a> IntoIterator for &'a KeySet {
    type Item = &'a PublicKey;
    type IntoIter = core::slice::Iter<'a, PublicKey>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A secret key. Its memory is wiped on drop and it never prints.
pub struct SecretKey {
    role: KeyRole,
    key: SigningKey,
    id: KeyId,
}

impl SecretKey {
    /// Takes 32 bytes from a good random source.
    #[must_use]
    pub fn from_bytes(role: KeyRole, bytes: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(bytes);
        let id = key_id(role, key.verifying_key().as_bytes());
        Self { role, key, id }
    }

    /// Reads the text of a secret key file: `aim-secret-key v1`, then `<role> <64 hex>`.
    ///
    /// # Errors
    /// [`KeyError`] for anything that [`SecretKey::to_text`] would not write.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let line = titled_lines(text, SECRET_TITLE)?;
        let (role, bytes) = parse_key_line(line).ok_or(KeyError::Line { line: 2 })?;
        Ok(Self::from_bytes(role, &Zeroizing::new(bytes)))
    }

    /// Writes the text of a secret key file; the text wipes itself.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        // INVARIANT: the room is enough for all of it; a text that moved would leave a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(128));
        for part in [SECRET_TITLE, "\n", self.role.name(), " "] {
            text.push_str(part);
        }
        for byte in self.key.as_bytes() {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        text.push('\n');
        text
    }

    /// Returns what the key may sign.
    #[must_use]
    pub const fn role(&self) -> KeyRole {
        self.role
    }

    /// Returns the key's short name, which is that of its public half.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the bytes of the public half.
    #[must_use]
    pub fn public_bytes(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// Signs a message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret {} key {} (redacted)", self.role.name(), self.id)
    }
}

/// Takes off the title line and the last line end, both of which must be there.
fn titled_lines<'a>(text: &'a str, title: &'static str) -> Result<&'a str, KeyError> {
    text.strip_prefix(title)
        .and_then(|rest| rest.strip_prefix('\n'))
        .ok_or(KeyError::Title { expected: title })?
        .strip_suffix('\n')
        .ok_or(KeyError::Count)
}

fn parse_key_line(line: &str) -> Option<(KeyRole, [u8; 32])> {
    let (role, hex) = line.split_once(' ')?;
    Some((KeyRole::parse(role)?, decode_hex(hex)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    fn secret(role: KeyRole, byte: u8) -> SecretKey {
        SecretKey::from_bytes(role, &[byte; 32])
    }

    fn set() -> KeySet {
        KeySet::of(&PublicKeys {
            step: secret(KeyRole::Step, 1).public_bytes(),
            log: secret(KeyRole::Log, 2).public_bytes(),
        })
        .unwrap()
    }

    #[test]
    fn a_written_key_set_reads_back() {
        assert_eq!(KeySet::parse(&set().to_text()), Ok(set()));
    }

    #[test]
    fn refuses_key_files_that_are_not_exactly_in_form() {
        let good = set().to_text();
        for bad in [
            String::new(),
            "aim-keys v1".to_string(),
            "aim-keys v1\n".to_string(),
            good.replace("v1", "v2"),
            good.replace('\n', "\r\n"),
            good.replace("step ", "step  "),
            good.replace("step", "root"),
            good.to_uppercase(),
            good.trim_end().to_string(),
            format!("{good}\n"),
            format!("{good}{}", good.trim_start_matches("aim-keys v1\n")),
        ] {
            assert!(KeySet::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_key_can_not_have_two_roles() {
        let hex = encode_hex(&secret(KeyRole::Step, 1).public_bytes());
        let text = format!("aim-keys v1\nstep {hex}\nlog {hex}\n");
        assert_eq!(KeySet::parse(&text), Err(KeyError::Duplicate { line: 3 }));
    }

    // The eight points of small order and their other encodings. Negative control: without `is_weak` the test fails.
    #[test]
    fn w17_weak_public_keys_are_refused_at_load() {
        for hex in [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "0100000000000000000000000000000000000000000000000000000000000080",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ] {
            let text = format!("aim-keys v1\nstep {hex}\n");
            let error = KeySet::parse(&text).unwrap_err();
            assert_eq!(error.code(), "AIM-K012", "{hex}");
        }
    }

    #[test]
    fn a_secret_key_reads_back_and_never_prints() {
        let key = secret(KeyRole::Log, 0xab);
        let text = key.to_text();
        let read = SecretKey::parse(&text).unwrap();
        assert_eq!((read.role(), read.id()), (KeyRole::Log, key.id()));
        assert_eq!(read.sign(b"m"), key.sign(b"m"));
        assert!(!format!("{key:?}").contains("abab"));
        assert!(SecretKey::parse(text.trim_end()).is_err());
    }

    #[test]
    fn a_key_has_another_name_in_another_role() {
        let bytes = secret(KeyRole::Step, 1).public_bytes();
        assert_ne!(key_id(KeyRole::Step, &bytes), key_id(KeyRole::Log, &bytes));
    }
}
