//! The version of a codex: three numbers that can be compared.
//!
//! INVARIANT: a version has one spelling, `<major>.<minor>.<patch>` without leading zeros; anything else is no version.

use alloc::string::{String, ToString};
use core::fmt;

use serde::{Deserialize, Serialize};

/// A codex version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CodexVersion {
    major: u32,
    minor: u32,
    patch: u32,
}

/// A text that is no codex version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a codex version is `<major>.<minor>.<patch>`, three numbers without leading zeros")]
pub struct CodexVersionError;

impl CodexVersion {
    /// Reads a version.
    ///
    /// # Errors
    /// [`CodexVersionError`] for any other spelling.
    pub fn parse(text: &str) -> Result<Self, CodexVersionError> {
        let mut parts = text.split('.').map(number);
        let mut next = || parts.next().flatten().ok_or(CodexVersionError);
        let version = Self {
            major: next()?,
            minor: next()?,
            patch: next()?,
        };
        if parts.next().is_some() {
            return Err(CodexVersionError);
        }
        Ok(version)
    }
}

fn number(text: &str) -> Option<u32> {
    let has_one_spelling = text == "0" || !text.starts_with('0');
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_digits && has_one_spelling).then(|| text.parse().ok())?
}

impl fmt::Display for CodexVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl TryFrom<String> for CodexVersion {
    type Error = CodexVersionError;

    fn try_from(text: String) -> Result<Self, CodexVersionError> {
        Self::parse(&text)
    }
}

impl From<CodexVersion> for String {
    fn from(version: CodexVersion) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn versions_are_compared_as_numbers() {
        let of = |text| CodexVersion::parse(text).unwrap();
        assert!(of("1.9.0") < of("1.10.0"));
        assert!(of("1.10.0") < of("2.0.0"));
        assert_eq!(format!("{}", of("0.12.3")), "0.12.3");
    }

    #[test]
    fn other_spellings_are_no_versions() {
        for bad in [
            "",
            "1",
            "1.0",
            "1.0.0.0",
            "01.0.0",
            "1.0.00",
            "1.0.-1",
            "1.0.+1",
            " 1.0.0",
            "1.0.x",
            "v1.0.0",
            "1..0",
            "4294967296.0.0",
        ] {
            assert_eq!(CodexVersion::parse(bad), Err(CodexVersionError), "{bad}");
        }
    }
}
