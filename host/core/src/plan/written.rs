//! The small values of a plan that are numbers inside and text outside.
//!
//! INVARIANT: each has exactly one written form: no sign, no blanks, no leading zeros.

use alloc::string::String;
use core::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A step's place in its source, written `s1`, `s2`, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(u32);

/// The version of the plan language, written `1.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LanguageVersion {
    /// A reader refuses a major that it does not know.
    pub major: u32,
    /// A reader refuses a minor newer than its own.
    pub minor: u32,
}

/// The version of the IR's shape, written `2.0.0` as semantic versions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaVersion {
    /// A reader refuses a major that it does not know.
    pub major: u32,
    /// A reader refuses a minor newer than its own: a field it does not know could be a gate.
    pub minor: u32,
    /// Changes nothing that a reader sees.
    pub patch: u32,
}

impl SchemaVersion {
    /// The version that this host writes.
    pub const CURRENT: Self = Self {
        major: 2,
        minor: 0,
        patch: 0,
    };

    /// True when a host that writes [`Self::CURRENT`] reads the version.
    #[must_use]
    pub const fn is_known(self) -> bool {
        self.major == Self::CURRENT.major && self.minor == Self::CURRENT.minor
    }
}

impl StepId {
    /// Takes a step's number in its source, counted from 1.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number, counted from 1.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl LanguageVersion {
    /// The newest version that this host reads.
    pub const CURRENT: Self = Self { major: 1, minor: 0 };

    /// True when a host that reads [`Self::CURRENT`] understands the version.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.major == Self::CURRENT.major && self <= Self::CURRENT
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

impl fmt::Display for LanguageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The text is not of the written form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct WrittenFormError(&'static str);

/// A decimal number without sign, spaces or leading zeros.
fn plain(text: &str) -> Option<u32> {
    let is_plain =
        text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

impl FromStr for StepId {
    type Err = WrittenFormError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix('s')
            .and_then(plain)
            .map(Self)
            .ok_or(WrittenFormError("`s` and a number, such as `s1`"))
    }
}

impl FromStr for LanguageVersion {
    type Err = WrittenFormError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('.')
            .and_then(|(major, minor)| Some((plain(major)?, plain(minor)?)))
            .map(|(major, minor)| Self { major, minor })
            .ok_or(WrittenFormError("a version such as `1.0`"))
    }
}

impl FromStr for SchemaVersion {
    type Err = WrittenFormError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.').map(plain);
        let mut next = || parts.next().flatten();
        let version = (|| {
            Some(Self {
                major: next()?,
                minor: next()?,
                patch: next()?,
            })
        })();
        version
            .filter(|_| text.split('.').count() == 3)
            .ok_or(WrittenFormError("a semantic version such as `2.0.0`"))
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}
as_text!(StepId, LanguageVersion, SchemaVersion);
