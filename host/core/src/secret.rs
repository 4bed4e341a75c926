//! A value that a host call may use and nobody may read: hidden when printed, wiped when dropped, compared in constant time.
//!
//! INVARIANT: nothing here prints, serialises or copies out a secret; [`Secret::expose`] is the only way to its bytes.

use alloc::{string::String, vec::Vec};
use core::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

mod echo;

/// Shortest secret that is taken: a shorter one could neither be recognised in an answer nor be one.
pub const SECRET_BYTES_MIN: usize = 8;
/// Longest secret that is taken.
pub const SECRET_BYTES_MAX: usize = 4096;

/// A secret value.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// Why bytes are not taken as a secret. Says nothing about them but their length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Too short or too long.
    #[error(
        "secret has {0} bytes; it must have {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} after line ends are cut off"
    )]
    Length(usize),
    /// A byte that can not stand in a header.
    #[error("secret holds a byte that is not printable ASCII")]
    Byte,
}

impl Secret {
    /// Takes a secret as it stands in a file: one line end behind it is cut off.
    ///
    /// # Errors
    /// [`SecretError`] when it has another length than secrets have, or a byte that no header can carry.
    pub fn parse(bytes: Zeroizing<Vec<u8>>) -> Result<Self, SecretError> {
        let mut bytes = bytes;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
            return Err(SecretError::Length(bytes.len()));
        }
        if !bytes.iter().all(u8::is_ascii_graphic) {
            return Err(SecretError::Byte);
        }
        Ok(Self(bytes))
    }

    /// The bytes, for the one place that sends them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// True when `bytes` are the secret; takes the same time wherever they differ.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.0.ct_eq(bytes).into()
    }

    /// True when the secret stands somewhere in `bytes`: as it is, in hex or base64, or behind the escapes of URLs, JSON and
    /// HTML; the module `echo` says exactly which forms are seen and which are not.
    #[must_use]
    pub fn appears_in(&self, bytes: &[u8]) -> bool {
        bytes.len() >= SECRET_BYTES_MIN && echo::appears(self.expose(), bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// One piece of a header's value as a guest writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes that are sent as they are.
    Text(Vec<u8>),
    /// The secret of this name stands here.
    Secret(String),
}

/// What stands before a secret's name in a header's value.
const OPEN: &[u8] = b"{{secret:";
/// What stands behind it.
const CLOSE: &[u8] = b"}}";

/// The text that stands for a secret in a header's value: `{{secret:<name>}}`.
#[must_use]
pub fn placeholder(name: &str) -> String {
    alloc::format!("{{{{secret:{name}}}}}")
}

/// True for a name that a secret can have: 1 to 64 of `a-z 0-9 -`, starting with a letter.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    name.len() <= 64
        && name.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && name.bytes().all(is_plain)
}

/// Splits a header's value at its placeholders; `None` when one is broken or names what can be no secret.
#[must_use]
pub fn pieces(value: &[u8]) -> Option<Vec<Piece>> {
    let mut found = Vec::new();
    let mut rest = value;
    // BOUND: every turn takes at least a placeholder off the front.
    while let Some(at) = position(rest, OPEN) {
        let (before, after) = rest.split_at_checked(at)?;
        let after = after.get(OPEN.len()..)?;
        let end = position(after, CLOSE)?;
        let name = core::str::from_utf8(after.get(..end)?).ok()?;
        if !is_secret_name(name) {
            return None;
        }
        if !before.is_empty() {
            found.push(Piece::Text(before.to_vec()));
        }
        found.push(Piece::Secret(name.into()));
        rest = after.get(end + CLOSE.len()..)?;
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest.to_vec()));
    }
    Some(found)
}

/// A header's value as it goes out.
#[derive(Debug, Clone)]
pub enum Filled {
    /// There was no placeholder in it.
    Plain(Vec<u8>),
    /// A secret stands in it.
    Secret(Secret),
}

impl Filled {
    /// The bytes, for the one place that sends them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Secret(secret) => secret.expose(),
        }
    }
}

/// Puts secrets where placeholders stand; `None` when a placeholder is broken or `find` gives no secret for it.
pub fn fill<'a>(value: &[u8], mut find: impl FnMut(&str) -> Option<&'a Secret>) -> Option<Filled> {
    let pieces = pieces(value)?;
    if !pieces.iter().any(|piece| matches!(piece, Piece::Secret(_))) {
        return Some(Filled::Plain(value.to_vec()));
    }
    let mut out = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX));
    for piece in &pieces {
        match piece {
            Piece::Text(bytes) => out.extend_from_slice(bytes),
            Piece::Secret(name) => out.extend_from_slice(find(name)?.expose()),
        }
    }
    Some(Filled::Secret(Secret(out)))
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use super::*;

    const CANARY: &str = "canary-7f3a+/secret=value";

    fn secret(text: &str) -> Secret {
        Secret::parse(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
    }

    // Negative control: with `Debug` derived this fails.
    #[test]
    fn s7_a_secret_is_hidden_when_printed() {
        let one = secret(CANARY);
        for shown in [format!("{one:?}"), format!("{:#?}", Some(&one))] {
            assert!(!shown.contains("canary"), "{shown}");
            assert!(shown.contains("hidden"), "{shown}");
        }
        let error = Secret::parse(Zeroizing::new(b"short".to_vec())).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("short,"));
        assert_eq!(error, SecretError::Length(5));
    }

    /// Negative control: with a comparison that ends with the shorter text, this fails.
    #[test]
    fn s9_secrets_are_compared_whole() {
        let one = secret(CANARY);
        assert!(one.matches(CANARY.as_bytes()));
        assert!(!one.matches(b"canary-7f3a+/secret=valuf"));
        assert!(!one.matches(b"canary"));
        assert!(!one.matches(b""));
    }

    /// Negative control: with every byte taken, this fails.
    #[test]
    fn a_line_end_is_no_part_of_a_secret_and_a_control_character_is_in_none() {
        assert!(secret("12345678\n").matches(b"12345678"));
        assert!(secret("12345678\r\n").matches(b"12345678"));
        let bad = Secret::parse(Zeroizing::new(b"1234\n5678".to_vec()));
        assert_eq!(bad.err(), Some(SecretError::Byte));
    }

    /// Negative control: with a secret that is not found left out, this fails.
    #[test]
    fn a_secret_is_put_where_its_placeholder_stands_and_an_unknown_one_is_not() {
        let one = secret(CANARY);
        let find = |name: &str| (name == "token").then_some(&one);
        let filled = fill(b"Bearer {{secret:token}}", find).unwrap();
        assert_eq!(filled.expose(), format!("Bearer {CANARY}").as_bytes());
        assert!(!format!("{filled:?}").contains("canary"));
        assert!(matches!(fill(b"plain", find), Some(Filled::Plain(_))));
        assert!(fill(b"{{secret:other}}", find).is_none());
    }

    /// Negative control: with every name taken, this fails.
    #[test]
    fn placeholders_are_split_off_and_broken_ones_are_refused() {
        assert_eq!(pieces(b"plain"), Some(vec![Piece::Text(b"plain".to_vec())]));
        let value = format!("Bearer {}", placeholder("api-token"));
        assert_eq!(
            pieces(value.as_bytes()),
            Some(vec![
                Piece::Text(b"Bearer ".to_vec()),
                Piece::Secret("api-token".into())
            ])
        );
        for broken in [
            "{{secret:",
            "{{secret:}}",
            "{{secret:UP}}",
            "a {{secret:a b}}",
        ] {
            assert_eq!(pieces(broken.as_bytes()), None, "{broken}");
        }
    }
}
