//! Content digests: BLAKE3 for everything that is addressed, SHA-256 beside it where a standard asks for it.
//!
//! INVARIANT: a digest is only ever made from bytes or from its full written form; short forms are for display.

use alloc::{format, string::String};
use core::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::Digest as _;

/// Why a written digest was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseDigestError {
    /// The algorithm prefix is missing or another one.
    #[error("digest must start with `{expected}:`")]
    Algorithm {
        /// The algorithm that was expected.
        expected: &'static str,
    },
    /// Not exactly 64 lower-case hexadecimal digits.
    #[error("digest must have exactly 64 lower-case hex digits after the algorithm")]
    Hex,
}

macro_rules! digest_type {
    ($(#[$doc:meta])* $name:ident, $algorithm:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The algorithm's name as written before the colon.
            pub const ALGORITHM: &'static str = $algorithm;

            /// Takes the 32 bytes of a digest that was computed elsewhere.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Returns the 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Returns the 64 hex digits without the algorithm.
            #[must_use]
            pub fn hex(&self) -> String {
                encode_hex(&self.0)
            }

            /// Returns the first 8 hex digits, for display only.
            #[must_use]
            pub fn short(&self) -> String {
                let mut hex = self.hex();
                hex.truncate(8);
                hex
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($algorithm, ":"))?;
                f.write_str(&self.hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseDigestError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let hex = text
                    .strip_prefix(concat!($algorithm, ":"))
                    .ok_or(ParseDigestError::Algorithm { expected: $algorithm })?;
                decode_hex(hex).map(Self).ok_or(ParseDigestError::Hex)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|error| de::Error::custom(format!("{error}")))
            }
        }
    };
}

digest_type!(
    /// A BLAKE3 digest, written `blake3:<64 hex>`.
    Digest,
    "blake3"
);
digest_type!(
    /// A SHA-256 digest, written `sha256:<64 hex>`; in evidence only.
    Sha256,
    "sha256"
);

impl Digest {
    /// Hashes `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Hashes `parts` under a type prefix, each part preceded by its length, so that no two
    /// different lists of parts and no two types share a preimage.
    #[must_use]
    pub fn derive(kind: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"aim:");
        hasher.update(kind.as_bytes());
        hasher.update(b"\0");
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }
}

impl Sha256 {
    /// Hashes `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }
}

/// Writes bytes as lower-case hex.
#[must_use]
pub fn encode_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from(
                DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'),
            ));
        }
    }
    out
}

/// Reads exactly `N` bytes of lower-case hex; `None` for anything else.
#[must_use]
pub fn decode_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes = text.as_bytes();
    if bytes.len() != N * 2 {
        return None;
    }
    let mut out = [0_u8; N];
    for (slot, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *slot = (hex_value(*high)? << 4) | hex_value(*low)?;
    }
    Some(out)
}

const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn written_form_round_trips() {
        let digest = Digest::of(b"aim");
        assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
    }

    #[test]
    fn refuses_upper_case_short_and_foreign_forms() {
        let good = Digest::of(b"aim").to_string();
        assert_eq!(good.to_uppercase().parse::<Digest>().ok(), None);
        assert_eq!(
            good.get(..70).unwrap().parse::<Digest>(),
            Err(ParseDigestError::Hex)
        );
        assert!(Sha256::of(b"aim").to_string().parse::<Digest>().is_err());
        let shouted = good.replacen("blake3:", "blake3:A", 1);
        assert_eq!(
            shouted.get(..71).unwrap().parse::<Digest>(),
            Err(ParseDigestError::Hex)
        );
    }

    #[test]
    fn derivation_separates_types_and_part_borders() {
        let one = Digest::derive("run", &[b"ab", b"c"]);
        assert_ne!(one, Digest::derive("run", &[b"a", b"bc"]));
        assert_ne!(one, Digest::derive("execution", &[b"ab", b"c"]));
    }

    #[test]
    fn sha256_agrees_with_the_published_vector() {
        assert_eq!(
            Sha256::of(b"abc").hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
